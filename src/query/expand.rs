//! How a text may go on: the most likely continuations as a tree, the most likely first.
//!
//! [`search`] is pure and says which continuations are to be looked at next; here the engine is asked about
//! many of them at once, and what it says is given back.

pub mod search;

use std::sync::Arc;

use super::{Asker, QueryError};
use crate::chat::{ChatTemplate, Conversation};
use crate::counter::Far;
use crate::distribution::Depth;
use crate::engine::{Client, Command, EngineError, Event, FinishReason, Frontier};
use crate::intervention::InForce;
use crate::token::{TokenId, Vocab};
use search::{Coverage, ExpandEnd, ExpandLimits, ExpandedNode, Search};

/// Continuations that are looked at together. More of them are no faster.
const TOGETHER: usize = 64;

/// What is to be gone on with, and how far.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpandWish {
    /// The text before.
    pub from: ExpandFrom,
    /// How far.
    pub limits: ExpandLimits,
}

/// What continuations are of.
#[derive(Clone, Debug, PartialEq)]
pub enum ExpandFrom {
    /// Raw text.
    Text(Vec<u8>),
    /// A conversation, with the beginning of the next reply.
    Chat(Box<Conversation>),
    /// Exact ids, and what is in force at each of them.
    Ids(Vec<TokenId>, InForce),
}

/// The most likely continuations of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Expansion {
    /// The text's ids, BOS included.
    pub prompt: Vec<TokenId>,
    /// Whether the text is the conversation up to a token.
    pub of_conversation: bool,
    /// How far it was looked.
    pub limits: ExpandLimits,
    /// The continuations, the most likely first.
    pub nodes: Vec<ExpandedNode>,
    /// What they hold of all there could be.
    pub coverage: Coverage,
    /// Distributions that were computed for it.
    pub evaluated: usize,
    /// Why it ended.
    pub end: ExpandEnd,
    /// What a person should know.
    pub notes: Vec<String>,
}

impl Expansion {
    /// The tokens of a continuation.
    pub fn path(&self, node: usize) -> Vec<TokenId> {
        let up = |&at: &usize| self.nodes[at].parent;
        let mut path: Vec<_> = std::iter::successors((node < self.nodes.len()).then_some(node), up)
            .map(|at| self.nodes[at].token)
            .collect();
        path.reverse();
        path
    }
}

/// Looks for the most likely continuations. What is stopped is an answer as far as it goes.
///
/// # Errors
/// [`QueryError`]; a text that leaves no room for the continuations is the engine's.
pub fn expand(asker: &mut Asker, wish: &ExpandWish) -> Result<Expansion, QueryError> {
    let limits = wish.limits;
    limits.check().map_err(QueryError::Refused)?;
    if let Some(most) = asker.model.gives.candidates.filter(|&most| most < limits.width) {
        let told = format!("--width is {}; this server shows {most} candidates of a token", limits.width);
        return Err(QueryError::Refused(told));
    }
    let mut notes = Vec::new();
    let prompt = prompt(asker, &wish.from, &mut notes)?;
    if prompt.is_empty() {
        return Err(EngineError::Empty.into());
    }
    // The last token of a continuation is predicted and not read.
    asker.must_fit(prompt.len() + limits.depth - 1)?;
    let in_force = match &wish.from {
        ExpandFrom::Ids(_, in_force) => in_force.clone(),
        _ => InForce::default(),
    };
    let asked = Frontier {
        depth: Depth::Count(limits.width),
        in_force,
        cancel: asker.cancel.clone(),
        ..Frontier::default()
    };
    let mut search = Search::new(limits);
    let (vocab, far) = (Arc::clone(&asker.model.vocab), Arc::clone(&asker.far));
    let stopped =
        grow(asker.client, &mut search, &SearchAsked { prompt: &prompt, asked, vocab: &vocab }, |search| {
            let (done, total) = search.progress();
            far(Far { what: "expanding", unit: "continuations", done, total });
        })?;
    let evaluated = search.progress().0;
    if evaluated == 0 {
        return Err(QueryError::Stopped);
    }
    let (nodes, coverage, end) = search.finish(stopped);
    let of_conversation = matches!(wish.from, ExpandFrom::Ids(..));
    Ok(Expansion { prompt, of_conversation, limits, nodes, coverage, evaluated, end, notes })
}

/// What a search asks of an engine.
pub struct SearchAsked<'a> {
    /// The text's ids.
    pub prompt: &'a [TokenId],
    /// How each continuation is asked for.
    pub asked: Frontier,
    /// Says which tokens end a text.
    pub vocab: &'a Vocab,
}

/// Asks an engine until a search has found everything; whether somebody stopped it. `told` is told of the search
/// after each answer.
///
/// # Errors
/// Those of the engine.
pub fn grow(
    client: &mut Client,
    search: &mut Search,
    growing: &SearchAsked,
    told: impl Fn(&Search),
) -> Result<bool, EngineError> {
    loop {
        let wanted = search.wanted(TOGETHER);
        if wanted.is_empty() {
            return Ok(false);
        }
        let whole = |&node: &usize| growing.prompt.iter().chain(search.path(node)).copied().collect();
        let sequences = wanted.iter().map(whole).collect();
        let request = Frontier { sequences, ..growing.asked.clone() };
        let (reason, _) = client.run(Command::Frontier(request), |event| {
            if let Event::Scored { index, after: Some(after), .. } = event {
                search.tell(wanted[index], &after, &|id| growing.vocab.ends_generation(id));
            }
        })?;
        told(search);
        if reason == FinishReason::Cancelled || growing.asked.cancel.is_cancelled() {
            return Ok(search.is_unfinished());
        }
    }
}

fn prompt(asker: &Asker, from: &ExpandFrom, notes: &mut Vec<String>) -> Result<Vec<TokenId>, QueryError> {
    let model = &asker.model;
    match from {
        ExpandFrom::Text(text) => Ok(asker.encoder(model, asker.settings.bos)?.encode(text)?.ids()),
        ExpandFrom::Ids(ids, _) => Ok(ids.clone()),
        ExpandFrom::Chat(conversation) => {
            let template = match &asker.template {
                Some(template) => Arc::clone(template),
                None => {
                    let template = ChatTemplate::of_model(model, None);
                    Arc::new(template.map_err(|error| QueryError::Refused(error.to_string()))?)
                }
            };
            let tokenizer = model.tokenizer.as_ref();
            let prompt = template.encode_conversation(conversation, true, tokenizer, &model.vocab)?;
            notes.extend(prompt.notes.iter().map(ToString::to_string));
            Ok(prompt.tokens.iter().map(|token| token.id).collect())
        }
    }
}

#[cfg(test)]
mod tests;
