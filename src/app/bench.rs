//! `tokenscope bench`: what is measured on, and in which order.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde::Serialize;

use super::call::Call;
use super::failure::{Failure, INTERRUPTED, OK};
use super::running::{Running, one_model, read_constraint};
use crate::bench::{
    DecodeBench, DecodeReport, PATIENCE, PromptBench, PromptReport, ScoringBench, ScoringReport, StartBench,
    StartReport,
};
use crate::chat::{ChatTemplate, Message};
use crate::cli::{BenchArgs, BenchPart};
use crate::engine::{CancelFlag, LoadOptions, ModelInfo, Sequence, Threads};
use crate::probe::{plan, shipped};
use crate::report::output::json_line;
use crate::report::record::Origin;
use crate::sampling::Sampling;
use crate::say;
use crate::settings::Bos;
use crate::token::TokenId;

/// Tokens of a window of the long text.
const WINDOW: usize = 512;
/// Windows of the long text.
const WINDOWS: usize = 2;
/// The suite whose minimal pairs are the short sequences.
const PAIRS: &str = "agreement.en";
/// What the start is measured with.
const PROMPT: &str = "The capital of France is";

/// Everything that was measured.
#[derive(Serialize)]
struct BenchReport {
    #[serde(flatten)]
    origin: Origin,
    #[serde(skip_serializing_if = "Option::is_none")]
    decode: Option<DecodeReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scoring: Option<ScoringReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<PromptReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<StartReport>,
}

pub(super) fn bench(call: &Call, args: &BenchArgs) -> Result<u8, Failure> {
    let mut settings = call.settings(Sampling::chat(), &args.sampling)?;
    read_constraint(&mut settings)?;
    one_model(&settings, "a benchmark")?;
    if settings.threads == Threads::Auto {
        // Both sides of a pair with the same number.
        let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
        settings.threads = Threads::Fixed(cores);
    }
    let interrupted = crate::interrupt::watch().unwrap_or_default();
    let running = Running::load(&settings, &call.paths, &interrupted)?;
    // Every pair is shown when it is done and nothing is left behind: from now on Ctrl-C leaves at once.
    if interrupted.swap(true, Ordering::Relaxed) {
        return Ok(INTERRUPTED);
    }
    let progress = |line: String| {
        if !settings.quiet {
            say::plain(&line);
        }
    };
    progress(running.origin.header());
    let Running { client, model: info, mut options, origin } = running;
    client.shut_down(PATIENCE);
    // The raised flag would stop the loading of every further engine.
    options.cancel = CancelFlag::default();
    let wanted = |part| args.only.is_none_or(|only| only == part);
    let mut report = BenchReport { origin, decode: None, scoring: None, prompt: None, start: None };
    if wanted(BenchPart::Start) {
        report.start = Some(start(args, &info, &progress)?);
    }
    if wanted(BenchPart::Scoring) {
        report.scoring = Some(scoring(args, (&info, &options), &progress)?);
    }
    if wanted(BenchPart::Prompt) {
        report.prompt = Some(prompt(args, (&info, &options), &progress)?);
    }
    if wanted(BenchPart::Decode) {
        report.decode = Some(decode(args, (&info, &options), settings.sampling.clone(), &progress)?);
    }
    let mut out = io::stdout().lock();
    let written = if args.json { json_line(&mut out, &report) } else { report.write(&mut out) };
    written.map_err(Failure::usage)?;
    Ok(OK)
}

impl BenchReport {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        if let Some(start) = &self.start {
            start.write(out)?;
        }
        if let Some(scoring) = &self.scoring {
            scoring.write(out)?;
        }
        if let Some(prompt) = &self.prompt {
            prompt.write(out)?;
        }
        self.decode.as_ref().map_or(Ok(()), |decode| decode.write(out))
    }
}

fn start(
    args: &BenchArgs,
    info: &Arc<ModelInfo>,
    progress: &impl Fn(String),
) -> Result<StartReport, Failure> {
    let program = std::env::current_exe()
        .map_err(|error| Failure::usage(format!("this program's own file can't be found: {error}")))?;
    let tokens = info.tokenizer.tokenize(PROMPT.as_bytes(), false);
    let pairs = args.pairs as usize;
    let bench = StartBench { info: info.clone(), program, prompt: PROMPT, tokens, pairs };
    Ok(bench.run(|pair, bare, program| {
        progress(format!("pair {pair}: bare {:.0} ms, next {:.0} ms", bare * 1000.0, program * 1000.0));
    })?)
}

fn scoring(
    args: &BenchArgs,
    (info, options): (&Arc<ModelInfo>, &LoadOptions),
    progress: &impl Fn(String),
) -> Result<ScoringReport, Failure> {
    let tokens = long_text(info);
    let size = WINDOW.min(info.context as usize);
    let windows: Vec<Vec<TokenId>> = tokens.chunks_exact(size).take(WINDOWS).map(<[_]>::to_vec).collect();
    let bench = ScoringBench {
        options: options.clone(),
        info: info.clone(),
        windows,
        sequences: minimal_pairs(info)?,
        pairs: args.pairs as usize,
    };
    Ok(bench.run(|pair, bare, text, short| {
        progress(format!("pair {pair}: bare {bare:.1} t/s, text {text:.1} rows/s, short {short:.1} rows/s"));
    })?)
}

/// The shipped suites, one after the other.
fn long_text(info: &ModelInfo) -> Vec<TokenId> {
    let text: String = shipped::SUITES.iter().map(|(_, text)| *text).collect();
    info.tokenizer.tokenize(text.as_bytes(), false)
}

fn prompt(
    args: &BenchArgs,
    (info, options): (&Arc<ModelInfo>, &LoadOptions),
    progress: &impl Fn(String),
) -> Result<PromptReport, Failure> {
    let wanted = (args.prompt as usize).min(info.context as usize - 1);
    let tokens = long_text(info).into_iter().cycle().take(wanted).collect();
    let bench =
        PromptBench { options: options.clone(), info: info.clone(), tokens, pairs: args.pairs as usize };
    Ok(bench.run(|pair, [bare, prompt, scored]| {
        progress(format!("pair {pair}: bare {bare:.1} t/s, prompt {prompt:.1} t/s, scored {scored:.1} t/s"));
    })?)
}

fn minimal_pairs(info: &ModelInfo) -> Result<Vec<Sequence>, Failure> {
    let mut sequences = Vec::new();
    for named in shipped::named(PAIRS) {
        let suite = shipped::read(named).map_err(Failure::usage)?;
        let plans = plan::suite(&suite, info, Bos::Auto).map_err(Failure::usage)?;
        let tokens = plans.into_iter().flat_map(|plan| plan.sequences).map(|planned| planned.sequence.tokens);
        // Every token's figures, as on the other side.
        sequences.extend(tokens.map(|tokens| Sequence { tokens, from: 1 }));
    }
    Ok(sequences)
}

fn decode(
    args: &BenchArgs,
    (info, options): (&Arc<ModelInfo>, &LoadOptions),
    sampling: Sampling,
    progress: &impl Fn(String),
) -> Result<DecodeReport, Failure> {
    let template = ChatTemplate::of_model(info, None).map_err(Failure::usage)?;
    let message = [Message::user(&args.message)];
    let chat = template.encode(&message, info.tokenizer.as_ref(), &info.vocab).map_err(Failure::usage)?;
    let bench = DecodeBench {
        options: options.clone(),
        info: info.clone(),
        prompt: chat.tokens.iter().map(|token| token.id).collect(),
        sampling,
        pairs: args.pairs as usize,
        tokens: args.tokens as usize,
    };
    Ok(bench.run(|pair, [bare, sampled, looking]| {
        progress(format!(
            "pair {pair}: decode alone {bare:.1} t/s, with sampler {sampled:.1} t/s, looking {looking:.1} t/s"
        ));
    })?)
}
