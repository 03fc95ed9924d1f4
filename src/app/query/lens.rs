//! `tokenscope lens`.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use super::{Desk, Stop};
use crate::app::{Failure, Running};
use crate::bounded;
use crate::chat::Conversation;
use crate::cli::{LensArgs, LensView};
use crate::counter::{Counter, Far};
use crate::lens::attention::{Positions, Which};
use crate::lens::occlusion::Instead;
use crate::lens::subject::Given;
use crate::lens::{Lens, LensWish, Looking, look};
use crate::query::input;
use crate::report::lens::{LensRecord, view};
use crate::report::output::json;

pub(super) fn run(desk: &mut Desk, args: &LensArgs) -> Result<(), Stop> {
    let looks = looks(args)?;
    let given = match &args.chat {
        Some(path) => Given::Chat(Box::new(conversation(path)?)),
        None => Given::Text(desk.text(args.prompt.as_deref(), None)?),
    };
    let bytes = |text: &Option<String>| text.clone().map(String::into_bytes);
    let wish = LensWish { given, target: bytes(&args.target), versus: bytes(&args.versus), view: looks };
    let k = desk.settings.k;
    if args.json {
        return desk.ask_each_for_object(|desk, running| {
            let lens = answer(desk, running, &wish)?;
            let record = LensRecord::new(&lens, k, &running.model.vocab, &running.origin);
            json(&mut desk.out, &record).map_err(Stop::Output)
        });
    }
    let several = !desk.settings.other_models.is_empty();
    desk.ask_each(|desk, running| {
        let lens = answer(desk, running, &wish)?;
        if several {
            writeln!(desk.out, "{}", running.origin.model).map_err(Stop::Output)?;
        }
        let paint = desk.paint();
        view(&lens, &running.model.vocab)
            .write(&mut desk.out, paint)
            .and_then(|()| if several { writeln!(desk.out) } else { Ok(()) })
            .map_err(Stop::Output)
    })
}

fn answer(desk: &Desk, running: &mut Running, wish: &LensWish) -> Result<Lens, Stop> {
    let counter = Arc::new(Counter::new(desk.settings.quiet));
    counter.begin();
    let shown = Arc::clone(&counter);
    let told = move |done, total| shown.show(Far { what: "looking", unit: "tokens", done, total });
    let mut asker = desk.asker(running);
    asker.client.watch(Some(Box::new(told)));
    let lens = look(&mut asker, wish);
    asker.client.watch(None);
    counter.clear();
    let lens = lens?;
    lens.subject.notes.iter().for_each(|note| desk.say(note));
    Ok(lens)
}

/// The view, with the flags that belong to it and no others.
fn looks(args: &LensArgs) -> Result<Looking, Stop> {
    let belongs = |given: bool, flag: &str, view: LensView, name: &str| match given && args.view != view {
        true => Err(Failure::usage(format!("{flag} belongs to --view {name}"))),
        false => Ok(()),
    };
    belongs(args.by.is_some(), "--by", LensView::Occlusion, "occlusion")?;
    belongs(args.replace, "--replace", LensView::Occlusion, "occlusion")?;
    belongs(args.position.is_some(), "--position", LensView::Attention, "attention")?;
    belongs(args.layer.is_some(), "--layer", LensView::Attention, "attention")?;
    belongs(args.head.is_some(), "--head", LensView::Attention, "attention")?;
    Ok(match args.view {
        LensView::Logit => Looking::Logit,
        LensView::Context => Looking::Context,
        LensView::Occlusion => Looking::Occlusion {
            by: args.by,
            instead: match args.replace {
                true => Instead::Neutral(args.neutral.clone().into_bytes()),
                false => Instead::Nothing,
            },
        },
        LensView::Attention => {
            let from = match args.position.as_deref() {
                None => Positions::Last,
                Some("all") => Positions::All,
                Some(text) => Positions::One(text.parse().map_err(|_| {
                    Failure::usage(format!(
                        "--position {}: a position counted from 0 is wanted, or all",
                        crate::token::printable(text)
                    ))
                })?),
            };
            Looking::Attention(Which { from, layer: args.layer, head: args.head })
        }
    })
}

fn conversation(path: &Path) -> Result<Conversation, Stop> {
    let bytes = if path == Path::new("-") { input::read_stdin() } else { input::read_file(path) }?;
    let wrong = |error: &dyn std::fmt::Display| Failure::usage(format!("{}: {error}", path.display()));
    let text = bounded::without_mark(bytes).map_err(|error| wrong(&error))?;
    Ok(Conversation::from_json(text.as_bytes()).map_err(|error| wrong(&error))?)
}
