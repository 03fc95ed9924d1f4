//! `tokenscope generate`.

use std::io::{self, Write};
use std::sync::Arc;

use super::context::{QueryContext, Stop};
use crate::app::running::Running;
use crate::cli::GenerateArgs;
use crate::engine::FinishReason;
use crate::query::generate::{Beginning, GeneratedReply, GeneratedText, generate};
use crate::report::output::json_line;
use crate::report::record::{Origin, StepRecord, Streamed, SummaryRecord};
use crate::report::{table, waterfall};
use crate::token::printable;

pub(super) fn run(query: &mut QueryContext, args: &GenerateArgs) -> Result<(), Stop> {
    let prompt = query.text(args.prompt.text.as_deref(), args.prompt.file.as_deref())?;
    let several = query.several();
    query.ask_each(false, |query, running| {
        let k = query.settings.k;
        let (vocab, origin) = (Arc::clone(&running.model.vocab), running.origin.clone());
        let mut asker = query.asker(running);
        let longest = args.max_tokens as usize;
        let beginning = Beginning { depth: k, ..Beginning::new(&asker, &prompt, longest)? };
        let out = &mut query.out;
        if several && !args.json {
            writeln!(out, "{}", origin.model).map_err(Stop::Output)?;
        }
        let stop = asker.cancel.clone();
        let mut written = Ok(());
        let generated = generate(&mut asker, beginning, &mut |reply, grown| {
            if written.is_err() {
                return;
            }
            written = match (args.json, reply.steps.last()) {
                (true, Some(step)) => {
                    let record = StepRecord::new(step, k, reply.score.sum_logprob(), &vocab);
                    write_record(out, "step", record, (reply.steps.len() == 1).then_some(&origin))
                }
                _ => out.write_all(printable(grown).as_bytes()),
            };
            written = std::mem::replace(&mut written, Ok(())).and_then(|()| out.flush());
            if written.is_err() {
                stop.cancel();
            }
        });
        written.map_err(Stop::Output)?;
        let generated = generated?;
        let reason = generated.reason;
        conclude(query, args, running, generated).map_err(Stop::Output)?;
        if reason == FinishReason::Cancelled { Err(Stop::Interrupted) } else { Ok(()) }
    })
}

fn write_record(
    out: &mut impl Write,
    kind: &'static str,
    record: impl serde::Serialize,
    origin: Option<&Origin>,
) -> io::Result<()> {
    json_line(out, &Streamed { kind, message: None, origin, record })
}

fn conclude(
    query: &mut QueryContext,
    args: &GenerateArgs,
    running: &Running,
    generated: GeneratedText,
) -> io::Result<()> {
    let GeneratedText { prompt: ids, mut reply, reason } = generated;
    let rest = reply.finish();
    let out = &mut query.out;
    let GeneratedReply { steps, text, score, prompt, .. } = reply;
    if args.json {
        let is_given = prompt.tokens() > 0 || ids.len() < 2;
        let record = SummaryRecord::new(text, reason, score, is_given.then_some(prompt));
        return write_record(out, "summary", record, steps.is_empty().then_some(&running.origin));
    }
    writeln!(out, "{}\n", printable(&rest))?;
    waterfall::waterfall(out, steps.iter().map(Arc::as_ref), query.settings.k, &running.model.vocab)?;
    writeln!(out, "{}", table::total(&score, reason))
}
