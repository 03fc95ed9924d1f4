//! The second model's work, away from the screen: it is found and loaded, and reads what it is given.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use crate::engine::{
    CancelFlag, Client, Command, CrossEntropy, EngineError, Event, FinishReason, Layout, LoadOptions,
    ScoreBatch, Sequence,
};
use crate::loading::{self, Meanwhile};
use crate::paths::Paths;
use crate::settings::Settings;
use crate::token::TokenId;

use super::beside::wish::{BesideNews, FollowWish, Following};
use super::engines::Engines;
use super::helpers::helper;
use super::msg::Msg;
use super::reporter::Reporter;

/// Most tokens of one request: what is known of many is shown in parts.
const PART: usize = 256;

/// Finds and loads the model.
pub(super) fn load(
    settings: Settings,
    paths: &Paths,
    engines: &Engines,
    sender: &SyncSender<Msg>,
    cancel: CancelFlag,
) {
    let (paths, engines) = (paths.clone(), engines.clone());
    let report = Reporter::new(sender, cancel.clone(), |fetch| Msg::Beside(BesideNews::Fetch(fetch)));
    let lost = |reason| Msg::Beside(BesideNews::Lost(reason));
    helper(sender, lost, move |sender| {
        let found = loading::find(&settings, &paths, cancel.clone(), &report, &Meanwhile);
        let options = found.map_err(|error| error.to_string()).and_then(|found| {
            let same = engines.options().is_some_and(|first| first.path == found.options.path);
            if same {
                return Err(format!(
                    "{} is the first model's own file: name two that differ",
                    settings.model
                ));
            }
            loading::has_room(&found.options).map(|()| found.options)
        });
        match options {
            _ if cancel.is_cancelled() => {}
            Ok(options) => engines.load_beside(options, sender),
            Err(reason) => _ = sender.send(lost(reason)),
        }
    });
}

/// Has the model read what is new.
pub(super) fn follow(
    engines: &Engines,
    sender: &SyncSender<Msg>,
    number: u32,
    wish: FollowWish,
    cancel: CancelFlag,
) {
    let (engine, first) = (engines.beside(), engines.options());
    helper(
        sender,
        move |reason| Msg::Followed(number, Err(reason)),
        move |sender| {
            let found = match engine {
                Some(engine) => read(&mut Client::from(engine), first, &wish, &cancel),
                None => Err("there is no second model".to_string()),
            };
            let _ = sender.send(Msg::Followed(number, found.map(Box::new)));
        },
    );
}

/// What a model makes of what it is to read.
///
/// # Errors
/// One line.
pub fn read(
    client: &mut Client,
    first: Option<LoadOptions>,
    wish: &FollowWish,
    cancel: &CancelFlag,
) -> Result<Following, String> {
    if let Some(from) = wish.diverge {
        let reference = first.filter(LoadOptions::is_here);
        let reference = reference.ok_or("the first model's rows can't be had here")?;
        return diverge(client, reference, wish, from, cancel);
    }
    let (own, length) = tokens(wish)?;
    let known = wish.read.iter().zip(&own).take_while(|(read, now)| read == now).count();
    let end = own.len().min(known + PART);
    let request = ScoreBatch {
        sequences: vec![Sequence { tokens: own[..end].to_vec(), from: known }],
        layout: Layout::Growing,
        depth: wish.depth,
        cancel: cancel.clone(),
        ..ScoreBatch::default()
    };
    let mut steps = Vec::new();
    run(client, Command::Score(request), |event| {
        if let Event::Scored { steps: some, .. } = event {
            steps.extend(some.into_iter().map(Arc::new));
        }
    })?;
    if steps.len() != end - known {
        return Err(format!(
            "{} gave figures of {} tokens, not of {}",
            wish.model.name,
            steps.len(),
            end - known
        ));
    }
    Ok(Following { length, own, steps, from: known, divergence: None })
}

fn diverge(
    client: &mut Client,
    reference: LoadOptions,
    wish: &FollowWish,
    from: usize,
    cancel: &CancelFlag,
) -> Result<Following, String> {
    let end = wish.ids.len().min(from + PART);
    let request = CrossEntropy {
        reference,
        sequences: vec![Sequence { tokens: wish.ids[..end].to_vec(), from }],
        divergence: true,
        cancel: cancel.clone(),
    };
    let mut values = Vec::new();
    run(client, Command::CrossEntropy(request), |event| {
        if let Event::CrossEntropy { values: some, .. } = event {
            values.extend(some);
        }
    })?;
    let length = wish.ids.len();
    Ok(Following { length, divergence: Some(values), ..Following::default() })
}

fn run(client: &mut Client, command: Command, each: impl FnMut(Event)) -> Result<(), String> {
    match client.run(command, each) {
        Ok((FinishReason::Cancelled, _)) => Err(EngineError::LoadCancelled.to_string()),
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// The model's own tokens of the first one's, and how many of those they are of: a character that is not whole
/// waits for its rest.
fn tokens(wish: &FollowWish) -> Result<(Vec<TokenId>, usize), String> {
    let Some(text) = &wish.text else { return Ok((wish.ids.clone(), wish.ids.len())) };
    let whole = match std::str::from_utf8(text) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => text.len(),
    };
    let text = &text[..whole];
    let own = wish.model.tokenizer.tokenize(text, false);
    let given: Vec<u8> = own.iter().flat_map(|&id| wish.model.vocab.bytes(id).to_vec()).collect();
    if given != text {
        let name = &wish.model.name;
        return Err(format!("{name} can't follow: its tokenizer does not give this text back byte for byte"));
    }
    Ok((wish.bos.into_iter().chain(own).collect(), wish.ids.len()))
}
