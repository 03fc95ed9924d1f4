//! `tokenscope next`.

use std::io::Write;

use super::{Desk, Stop};
use crate::app::Running;
use crate::cli::NextArgs;
use crate::query::next::{NextTokens, Prompted, next};
use crate::report::next::{NextRecord, view};
use crate::report::output::json;
use crate::token::visible;

pub(super) fn run(desk: &mut Desk, args: &NextArgs) -> Result<(), Stop> {
    let prompt = desk.text(args.prompt.text.as_deref(), args.prompt.file.as_deref())?;
    let texts = args.tokens.iter().map(|text| text.clone().into_bytes()).collect();
    let asked = Prompted { prompt, texts };
    let k = desk.settings.k;
    if args.json {
        return desk.ask_each_for_object(|desk, running| {
            let next = answer(desk, running, &asked)?;
            let record = NextRecord::new(&next, k, &running.model.vocab, &running.origin);
            json(&mut desk.out, &record).map_err(Stop::Output)
        });
    }
    let several = !desk.settings.other_models.is_empty();
    desk.ask_each(|desk, running| {
        let next = answer(desk, running, &asked)?;
        if several {
            writeln!(desk.out, "{}", running.origin.model).map_err(Stop::Output)?;
        }
        let paint = desk.paint();
        view(&next, k, &running.model.vocab)
            .write(&mut desk.out, paint)
            .and_then(|()| if several { writeln!(desk.out) } else { Ok(()) })
            .map_err(Stop::Output)
    })
}

fn answer(desk: &Desk, running: &mut Running, asked: &Prompted) -> Result<NextTokens, Stop> {
    let next = next(&mut desk.asker(running), asked)?;
    for named in &next.texts {
        if let Some(note) = named.note {
            desk.say(&format!("{}: {note}", visible(&named.text)));
        }
    }
    Ok(next)
}
