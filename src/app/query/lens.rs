//! `tokenscope lens`.

use std::cell::Cell;
use std::sync::Arc;

use super::desk::{Desk, Stop, conversation};
use crate::app::failure::Failure;
use crate::app::running::Running;
use crate::cli::LensArgs;
use crate::counter::{Counter, Far};
use crate::lens::subject::Given;
use crate::lens::{Lens, LensFinding, LensWish, look};
use crate::report::lens::{LensRecord, view};
use crate::report::output::json;

pub(super) fn run(desk: &mut Desk, args: &LensArgs) -> Result<(), Stop> {
    if args.chat.is_some() && args.flags.corrupt.is_some() {
        return Err(
            Failure::usage("--corrupt is a text as the prompt is, and does not go with --chat").into()
        );
    }
    let given = match &args.chat {
        Some(path) => Given::Chat(Box::new(conversation(desk, path)?)),
        None => Given::Text(desk.text(args.prompt.as_deref().or(args.clean.as_deref()), None)?),
    };
    let Some(view_of) = args.view else {
        return super::dump::run(desk, args, given);
    };
    let looks = args.flags.looking(view_of).map_err(Failure::usage)?;
    let bytes = |text: &Option<String>| text.clone().map(String::into_bytes);
    let (target, versus) = (bytes(&args.target), bytes(&args.versus));
    let wish = LensWish { given, target, versus, view: looks, under: None };
    let k = desk.settings.k;
    let partial = Cell::new(false);
    desk.show_each(
        |desk, running| {
            let lens = answer(desk, running, &wish)?;
            partial.set(lens.partial);
            Ok(lens)
        },
        |lens, running| view(lens, k, &running.model.vocab),
        args.json.then_some(|lens: &Lens, running: &Running, mut out: &mut dyn std::io::Write| {
            json(&mut out, &LensRecord::new(lens, k, &running.model.vocab, &running.origin))
        }),
    )?;
    // What was stopped is shown as far as it goes.
    if partial.get() { Err(Stop::Interrupted) } else { Ok(()) }
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
    if let LensFinding::Keyboard(found) = &lens.finding {
        desk.say(&found.counted.took());
    }
    Ok(lens)
}
