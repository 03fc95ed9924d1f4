//! `tokenscope next`.

use std::io::Write;

use super::{Desk, Stop};
use crate::app::Running;
use crate::cli::NextArgs;
use crate::query::next::{Next, Question, ask};
use crate::report::next::{NextRecord, table};
use crate::report::output::json;
use crate::token::visible;

pub(super) fn run(desk: &mut Desk, args: &NextArgs) -> Result<(), Stop> {
    let prompt = desk.text(args.prompt.text.as_deref(), args.prompt.file.as_deref())?;
    let texts: Vec<&[u8]> = args.tokens.iter().map(|text| text.as_bytes()).collect();
    let question = Question { prompt: &prompt, texts: &texts, depth: desk.settings.k };
    if args.json {
        return desk.ask_each_for_object(|desk, running| {
            let next = answer(desk, running, &question)?;
            let show = (desk.settings.k, running.model.vocab.as_ref());
            json(&mut desk.out, &NextRecord::new(&next, &texts, show, &running.origin)).map_err(Stop::Output)
        });
    }
    let several = !desk.settings.other_models.is_empty();
    desk.ask_each(|desk, running| {
        let next = answer(desk, running, &question)?;
        if several {
            writeln!(desk.out, "{}", running.origin.model).map_err(Stop::Output)?;
        }
        table(&mut desk.out, &next, &texts, desk.settings.k, &running.model.vocab)
            .and_then(|()| if several { writeln!(desk.out) } else { Ok(()) })
            .map_err(Stop::Output)
    })
}

fn answer(desk: &Desk, running: &mut Running, question: &Question) -> Result<Next, Stop> {
    let model = std::sync::Arc::clone(&running.model);
    let encoder = desk.encoder_of(&model)?;
    let next = ask(&mut running.client, &model, &encoder, question, &desk.cancel())?;
    for (named, text) in next.texts.iter().zip(question.texts) {
        if let Some(note) = named.note {
            desk.say(&format!("{}: {note}", visible(text)));
        }
    }
    Ok(next)
}
