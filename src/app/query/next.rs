//! `tokenscope next`.

use super::context::{QueryContext, Stop};
use crate::app::running::Running;
use crate::cli::NextArgs;
use crate::query::next::{NextTokens, Prompted, next};
use crate::report::next::{NextRecord, view};
use crate::report::output::json;
use crate::token::visible;

pub(super) fn run(query: &mut QueryContext, args: &NextArgs) -> Result<(), Stop> {
    let prompt = query.text(args.prompt.text.as_deref(), args.prompt.file.as_deref())?;
    let texts = args.tokens.iter().map(|text| text.clone().into_bytes()).collect();
    let asked = Prompted { prompt, texts };
    let k = query.settings.k;
    query.show_each(
        |query, running| answer(query, running, &asked),
        |next, running| view(next, k, &running.model.vocab),
        args.json.then_some(|next: &NextTokens, running: &Running, mut out: &mut dyn std::io::Write| {
            json(&mut out, &NextRecord::new(next, k, &running.model.vocab, &running.origin))
        }),
    )
}

fn answer(query: &QueryContext, running: &mut Running, asked: &Prompted) -> Result<NextTokens, Stop> {
    let next = next(&mut query.asker(running), asked)?;
    for named in &next.texts {
        if let Some(note) = named.note {
            query.say(&format!("{}: {note}", visible(&named.text)));
        }
    }
    Ok(next)
}
