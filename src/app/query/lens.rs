//! `tokenscope lens`.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use super::{Desk, Stop};
use crate::app::{Failure, Running};
use crate::bounded;
use crate::chat::Conversation;
use crate::cli::LensArgs;
use crate::counter::{Counter, Far};
use crate::lens::subject::Given;
use crate::lens::{Lens, LensWish, look};
use crate::query::input;
use crate::report::lens::{LensRecord, view};
use crate::report::output::json;

pub(super) fn run(desk: &mut Desk, args: &LensArgs) -> Result<(), Stop> {
    let looks = args.flags.looking(args.view).map_err(Failure::usage)?;
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

fn conversation(path: &Path) -> Result<Conversation, Stop> {
    let bytes = if path == Path::new("-") { input::read_stdin() } else { input::read_file(path) }?;
    let wrong = |error: &dyn std::fmt::Display| Failure::usage(format!("{}: {error}", path.display()));
    let text = bounded::without_mark(bytes).map_err(|error| wrong(&error))?;
    Ok(Conversation::from_json(text.as_bytes()).map_err(|error| wrong(&error))?)
}
