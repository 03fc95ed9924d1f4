//! `tokenscope bench`: what is measured on, and in which order.

use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::Ordering;

use serde::Serialize;

use super::call::Call;
use super::failure::{Failure, INTERRUPTED, OK};
use super::rpc;
use super::running::{Running, one_model, read_constraint};
use crate::bench::{
    Bench, BenchReply, BranchReport, DecodeReport, ExpandCosts, LensCase, LensCosts, PATIENCE, PromptReport,
    ScoringReport, StartReport, WhatIfCosts,
};
use crate::chat::{ChatTemplate, Message};
use crate::cli::{BenchArgs, BenchPart};
use crate::engine::{CancelFlag, ModelInfo, Sequence, Threads};
use crate::model::ServerAddress;
use crate::probe::{plan, shipped};
use crate::report::output::json_line;
use crate::report::record::Origin;
use crate::sampling::Sampling;
use crate::say;
use crate::settings::{Bos, Settings};
use crate::token::TokenId;

/// Tokens of a window of the long text.
const WINDOW: usize = 512;
/// Windows of the long text.
const WINDOWS: usize = 2;
/// The suites whose questions are the short sequences: enough of them that making a context weighs as little
/// as beside the windows.
const SUITES: [&str; 3] = ["agreement", "facts", "rules"];
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
    branch: Option<BranchReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scoring: Option<ScoringReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<PromptReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lens: Option<LensCosts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expand: Option<ExpandCosts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    what_if: Option<WhatIfCosts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<StartReport>,
}

pub(super) fn bench(call: &Call, args: &BenchArgs) -> Result<u8, Failure> {
    let mut settings = call.settings(Sampling::chat(), &args.sampling)?;
    read_constraint(&mut settings)?;
    one_model(&settings, "a benchmark")?;
    if ServerAddress::is_meant(&settings.model) {
        return Err(Failure::usage("a benchmark is of a model of this machine, not of one behind a server"));
    }
    rpc::must_be_here(&settings, "a benchmark")?;
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
    let bench = Bench { options, info, pairs: args.pairs as usize, tell: &progress };
    let mut report = BenchReport {
        origin,
        decode: None,
        branch: None,
        scoring: None,
        prompt: None,
        lens: None,
        expand: None,
        what_if: None,
        start: None,
    };
    measure(&bench, args, &settings, &call.paths.cache, &mut report)?;
    let mut out = io::stdout().lock();
    let written = if args.json { json_line(&mut out, &report) } else { report.write(&mut out) };
    written.map_err(Failure::usage)?;
    Ok(OK)
}

/// Measures each part that is wanted, one after the other.
fn measure(
    bench: &Bench,
    args: &BenchArgs,
    settings: &Settings,
    cache: &Path,
    report: &mut BenchReport,
) -> Result<(), Failure> {
    let wanted = |part| args.only.is_none_or(|only| only == part);
    if wanted(BenchPart::Start) {
        let program = std::env::current_exe()
            .map_err(|error| Failure::usage(format!("this program's own file can't be found: {error}")))?;
        report.start = Some(bench.start(&program, PROMPT)?);
    }
    if wanted(BenchPart::Scoring) {
        let size = WINDOW.min(bench.info.context as usize);
        let text = long_text(&bench.info);
        let windows: Vec<_> = text.chunks_exact(size).take(WINDOWS).map(<[_]>::to_vec).collect();
        report.scoring = Some(bench.scoring(&windows, &short_sequences(&bench.info)?)?);
    }
    if wanted(BenchPart::Prompt) {
        let (length, most) = (args.prompt as usize, bench.info.context as usize - 1);
        if length > most {
            (bench.tell)(format!("a prompt of {most} tokens: --ctx {} has room for {length}", length + 1));
        }
        let tokens: Vec<_> = long_text(&bench.info).into_iter().cycle().take(length.min(most)).collect();
        report.prompt = Some(bench.prompt(&tokens)?);
    }
    let case = LensCase {
        text: long_text(&bench.info),
        settings: settings.clone(),
        cache: cache.to_path_buf(),
        corpus: args.corpus.clone(),
    };
    if wanted(BenchPart::WhatIf) {
        report.what_if = Some(bench.what_if(&case)?);
    }
    if wanted(BenchPart::Lens) {
        report.lens = Some(bench.lens(&case)?);
    }
    if wanted(BenchPart::Expand) {
        let bos = Bos::Auto.token(&bench.info.vocab);
        let ids = bench.info.tokenizer.tokenize(PROMPT.as_bytes(), false);
        let prompt: Vec<TokenId> = bos.into_iter().chain(ids).collect();
        let size = WINDOW.min(bench.info.context as usize);
        let text: Vec<TokenId> = long_text(&bench.info).into_iter().take(size).collect();
        report.expand = Some(bench.expand(&prompt, &text)?);
    }
    if wanted(BenchPart::Decode) {
        report.decode = Some(bench.decode(&reply(args, &bench.info, settings.sampling.clone())?)?);
    }
    if wanted(BenchPart::Branch) {
        report.branch = Some(bench.branch(&reply(args, &bench.info, settings.sampling.clone())?)?);
    }
    Ok(())
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
        if let Some(lens) = &self.lens {
            lens.write(out)?;
        }
        if let Some(expand) = &self.expand {
            expand.write(out)?;
        }
        if let Some(decode) = &self.decode {
            decode.write(out)?;
        }
        if let Some(what_if) = &self.what_if {
            what_if.write(out)?;
        }
        self.branch.as_ref().map_or(Ok(()), |branch| branch.write(out))
    }
}

/// The shipped suites, one after the other.
fn long_text(info: &ModelInfo) -> Vec<TokenId> {
    let text: String = shipped::SUITES.iter().map(|(_, text)| *text).collect();
    info.tokenizer.tokenize(text.as_bytes(), false)
}

fn short_sequences(info: &ModelInfo) -> Result<Vec<Sequence>, Failure> {
    let mut sequences = Vec::new();
    for named in SUITES.into_iter().flat_map(shipped::named) {
        let suite = shipped::read(named).map_err(Failure::usage)?;
        let plans = plan::suite(&suite, info, Bos::Auto).map_err(Failure::usage)?;
        let tokens = plans.into_iter().flat_map(|plan| plan.sequences).map(|planned| planned.sequence.tokens);
        // Every token's figures, as on the other side.
        sequences.extend(tokens.map(|tokens| Sequence { tokens, from: 1 }));
    }
    Ok(sequences)
}

/// What a chat replies to a message.
fn reply(args: &BenchArgs, info: &ModelInfo, sampling: Sampling) -> Result<BenchReply, Failure> {
    let template = ChatTemplate::of_model(info, None).map_err(Failure::usage)?;
    let message = [Message::user(&args.message)];
    let chat = template.encode(&message, info.tokenizer.as_ref(), &info.vocab).map_err(Failure::usage)?;
    let prompt = chat.tokens.iter().map(|token| token.id).collect();
    Ok(BenchReply { prompt, sampling, tokens: args.tokens as usize })
}
