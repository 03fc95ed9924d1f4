//! `tokenscope generate`.

use std::io::{self, Write};
use std::sync::Arc;

use super::{Desk, Stop};
use crate::app::Running;
use crate::cli::GenerateArgs;
use crate::engine::{Command, EngineError, Event, FinishReason, Generate};
use crate::report::output::json_line;
use crate::report::record::{Origin, StepRecord, Streamed, SummaryRecord};
use crate::report::{table, waterfall};
use crate::score::Score;
use crate::step::Step;
use crate::token::{TokenId, Utf8Assembler, Vocab, printable};

pub(super) fn run(desk: &mut Desk, args: &GenerateArgs) -> Result<(), Stop> {
    let prompt = desk.text(args.prompt.text.as_deref(), args.prompt.file.as_deref())?;
    let several = !desk.settings.other_models.is_empty();
    desk.ask_each(|desk, running| {
        let model = Arc::clone(&running.model);
        let ids = desk.encoder_of(&model)?.encode(&prompt)?.ids();
        if ids.is_empty() {
            return Err(EngineError::Empty.into());
        }
        if several && !args.json {
            writeln!(desk.out, "{}", running.origin.model).map_err(Stop::Output)?;
        }
        let mut reply = Reply::default();
        let reason = generate(desk, args, running, ids, &mut reply)?;
        conclude(desk, args, running, &mut reply, reason).map_err(Stop::Output)?;
        match reason {
            FinishReason::Cancelled => Err(Stop::Interrupted),
            _ => Ok(()),
        }
    })
}

/// What was generated so far.
#[derive(Default)]
struct Reply {
    steps: Vec<Arc<Step>>,
    text: String,
    bytes: Utf8Assembler,
    score: Score,
    prompt: Score,
}

impl Reply {
    /// Takes a step; returns what the text grew by. The token that ends a reply is no text.
    fn take(&mut self, step: &Arc<Step>, vocab: &Vocab) -> String {
        if let Some(logprob) = step.logprob() {
            self.score.add(logprob, vocab.text_length(step.id));
        }
        self.steps.push(Arc::clone(step));
        let grown = match vocab.ends_generation(step.id) {
            true => String::new(),
            false => self.bytes.push(vocab.bytes(step.id)),
        };
        self.text.push_str(&grown);
        grown
    }
}

fn generate(
    desk: &mut Desk,
    args: &GenerateArgs,
    running: &mut Running,
    prompt: Vec<TokenId>,
    reply: &mut Reply,
) -> Result<FinishReason, Stop> {
    let vocab = Arc::clone(&running.model.vocab);
    let k = desk.settings.k;
    let request = Generate {
        prompt,
        sampling: desk.settings.sampling.clone(),
        max_tokens: Some(args.max_tokens as usize),
        depth: k,
        cancel: desk.cancel(),
    };
    let cancel = request.cancel.clone();
    let (origin, out) = (&running.origin, &mut desk.out);
    let mut written = Ok(());
    let outcome = running.client.run(Command::Generate(request), |event| match event {
        Event::Prefill { steps, .. } => {
            for step in steps {
                if let Some(logprob) = step.logprob() {
                    reply.prompt.add(logprob, vocab.text_length(step.id));
                }
            }
        }
        Event::Step { step, .. } if written.is_ok() => {
            let grown = reply.take(&step, &vocab);
            written = match args.json {
                true => {
                    let sum = reply.score.sum_logprob();
                    let record = StepRecord::new(&step, k, sum, &vocab);
                    let first = (reply.steps.len() == 1).then_some(origin);
                    write_step(out, record, first)
                }
                false => write_text(out, &grown),
            };
            if written.is_err() {
                cancel.cancel();
            }
        }
        _ => {}
    });
    written.map_err(Stop::Output)?;
    Ok(outcome?.0)
}

fn write_step(out: &mut impl Write, record: StepRecord, origin: Option<&Origin>) -> io::Result<()> {
    json_line(out, &Streamed { kind: "step", message: None, origin, record })?;
    out.flush()
}

fn write_text(out: &mut impl Write, text: &str) -> io::Result<()> {
    out.write_all(printable(text).as_bytes())?;
    out.flush()
}

fn conclude(
    desk: &mut Desk,
    args: &GenerateArgs,
    running: &Running,
    reply: &mut Reply,
    reason: FinishReason,
) -> io::Result<()> {
    let rest = reply.bytes.finish();
    reply.text.push_str(&rest);
    let out = &mut desk.out;
    if args.json {
        let record = SummaryRecord::new(std::mem::take(&mut reply.text), reason, reply.score, reply.prompt);
        let origin = reply.steps.is_empty().then_some(&running.origin);
        return json_line(out, &Streamed { kind: "summary", message: None, origin, record });
    }
    writeln!(out, "{}\n", printable(&rest))?;
    waterfall::waterfall(out, reply.steps.iter().map(Arc::as_ref), desk.settings.k, &running.model.vocab)?;
    writeln!(out, "{}", table::total(&reply.score, reason))
}
