//! What looking between the layers costs, against evaluating as many tokens as a prompt. Each view is the one a
//! person asks for, with its copies for the floor and its statistics; both sides compute in the same process,
//! one after the other, so that only their ratio counts.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;

use super::side::{Bench, apart, context, median, ratio, sequence};
use crate::engine::llama::{Batch, Context, SeqId};
use crate::engine::look::LookFor;
use crate::engine::{CancelFlag, Client, EngineError};
use crate::lens::knockout::{Effect, Knocked, KnockoutWish};
use crate::lens::occlusion::Instead;
use crate::lens::spans::SpanUnit;
use crate::lens::subject::Given;
use crate::lens::trace::{TracePart, TraceWish};
use crate::lens::variants::Corrupt;
use crate::lens::{Lens, LensFinding, LensWish, Looking, inspect, look};
use crate::ngram::Ngrams;
use crate::query::corpus::Corpus;
use crate::query::{Asker, QueryError};
use crate::settings::Settings;
use crate::token::TokenId;

/// How many views are measured.
const VIEWS: usize = 6;
/// Tokens of the prompt whose speed is the measure, in one batch.
const PROMPT: usize = 256;
/// Tokens of a batch with the logits of each, which tell what those cost.
const ROWS: usize = 64;
/// Tokens whose context curve is computed and that are left out one by one.
const LONG: usize = 64;
/// Tokens of the prompt whose heads are switched off.
const SHORT: usize = 20;
/// Tokens that are decoded with the callback and without.
const DECODED: usize = 64;

/// What is traced: the country's capital.
const PAIR: [&str; 2] = ["The capital of France is", "The capital of Italy is"];
const TARGET: &str = " Paris";

/// One view, one value per pair.
#[derive(Clone, Debug, Serialize)]
pub struct LensCost {
    /// Which.
    pub view: &'static str,
    /// Tokens that have to be computed for its figures.
    pub tokens: usize,
    /// Distributions that have to be read.
    pub distributions: usize,
    /// Milliseconds.
    pub ms: Vec<f64>,
    /// What as many tokens take as a prompt; for the logit lens, as many rows with their logits in a batch.
    pub bare_ms: Vec<f64>,
    /// Median of the one ÷ the other.
    pub median_ratio: f64,
    /// The same, where the bare tokens have as many logits as there are distributions.
    pub median_ratio_with_logits: f64,
}

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct LensCosts {
    /// Tokens a second of a prompt, without logits but the last.
    pub prompt: Vec<f64>,
    /// Each view.
    pub views: Vec<LensCost>,
    /// Median of a reply's speed with the callback in place and off ÷ without one.
    pub median_callback_ratio: f64,
    /// The n-gram model beside the model.
    pub keyboard: KeyboardCost,
}

/// What counting takes.
#[derive(Clone, Debug, Serialize)]
pub struct KeyboardCost {
    /// Bytes of the text.
    pub bytes: usize,
    pub tokens: usize,
    /// Milliseconds to count them.
    pub counting_ms: f64,
    /// Milliseconds of one prediction over the whole vocabulary.
    pub prediction_ms: f64,
    /// How far a prediction's probabilities are from a sum of 1, at most.
    pub off_from_one: f64,
}

/// What is looked at, and how.
pub struct LensCase {
    /// A text of some length.
    pub text: Vec<TokenId>,
    /// As they are.
    pub settings: Settings,
    /// The folder for what can be found out again.
    pub cache: PathBuf,
    /// What the n-gram model is counted from; `None` is the text of the program.
    pub corpus: Option<PathBuf>,
}

/// What the bare engine takes, in seconds.
struct BareTimes {
    /// A token of a prompt.
    token: f64,
    /// What its logits add to one.
    logits: f64,
    /// A row a layer and one more, each with logits.
    rows: f64,
    /// Speed with the callback ÷ without.
    callback: f64,
}

/// What a view has to compute.
#[derive(Clone, Copy)]
struct Work {
    tokens: usize,
    distributions: usize,
}

impl Bench<'_> {
    /// Each view, after the same tokens as a prompt.
    ///
    /// # Errors
    /// What the engine says.
    pub fn lens(&self, case: &LensCase) -> Result<LensCosts, EngineError> {
        let mut works = None;
        let times = || {
            let bare = apart(|| self.bare(&case.text))?;
            let (seconds, work) =
                apart(|| self.engine(|client| self.views(client, case).map_err(of_engine)))?;
            works = Some(work);
            let BareTimes { token, logits, rows, callback } = bare;
            let [a, b, c, d, e, f] = seconds;
            Ok([token, logits, rows, callback, a, b, c, d, e, f])
        };
        let shown = |[token, ..]: [f64; 4 + VIEWS]| format!("prompt {:.1} t/s", 1.0 / token);
        let [token, logits, rows, callback, seconds @ ..] = self.pairs(times, shown)?;
        let keyboard = self.engine(|client| self.keyboard(client, case).map_err(of_engine))?;
        let cost = |((view, work), seconds): ((&&'static str, Work), &Vec<f64>)| {
            let is_logit = view.starts_with(LOGIT);
            let bare = |logits_too: bool| -> Vec<f64> {
                let one = |((token, logits), rows): ((&f64, &f64), &f64)| match is_logit {
                    true => *rows,
                    false => {
                        let logits = if logits_too { *logits * work.distributions as f64 } else { 0.0 };
                        *token * work.tokens as f64 + logits
                    }
                };
                token.iter().zip(&logits).zip(&rows).map(one).collect()
            };
            let ms = |seconds: &[f64]| seconds.iter().map(|seconds| seconds * 1e3).collect();
            LensCost {
                view,
                tokens: work.tokens,
                distributions: work.distributions,
                ms: ms(seconds),
                bare_ms: ms(&bare(false)),
                median_ratio: ratio(seconds, &bare(false)),
                median_ratio_with_logits: ratio(seconds, &bare(true)),
            }
        };
        let works = works.unwrap_or([Work { tokens: 0, distributions: 0 }; VIEWS]);
        Ok(LensCosts {
            prompt: token.iter().map(|token| 1.0 / token).collect(),
            views: NAMES.iter().zip(works).zip(&seconds).map(cost).collect(),
            median_callback_ratio: median(callback),
            keyboard,
        })
    }

    fn bare(&self, text: &[TokenId]) -> Result<BareTimes, EngineError> {
        let (model, layers) = (self.raw_model()?, self.info.layers + 1);
        let mut context = context(&model, self.params(PROMPT, ROWS.max(layers)))?;
        let mut time = |count: usize, all: bool| -> Result<f64, EngineError> {
            let tokens: Vec<TokenId> = text.iter().copied().cycle().take(count).collect();
            let batch = sequence(&tokens, all);
            let mut seconds = 0.0;
            // The first makes the buffers.
            for _ in 0..2 {
                context.clear();
                let begun = Instant::now();
                context.decode(&batch)?;
                // llama.cpp computes while nobody looks; this waits for it.
                context.logits(count - 1).ok_or(EngineError::Decode(-1))?;
                seconds = begun.elapsed().as_secs_f64();
            }
            Ok(seconds)
        };
        let token = time(PROMPT, false)? / PROMPT as f64;
        let logits = (time(ROWS, true)? - time(ROWS, false)?).max(0.0) / (ROWS - 1) as f64;
        let rows = time(layers, true)?;
        drop(context);
        Ok(BareTimes { token, logits, rows, callback: self.callback(text)? })
    }

    /// Speed of a reply with the callback in place and off ÷ without one: token by token in turns, so that
    /// whatever else the machine does slows both.
    fn callback(&self, text: &[TokenId]) -> Result<f64, EngineError> {
        let model = self.raw_model()?;
        let params = self.params(ROWS, 1);
        let failed = || EngineError::NoContext { cells: params.cells as usize };
        let mut without = Context::without_callback(&model, params).ok_or_else(failed)?;
        let mut with = context(&model, params)?;
        let mut seconds = [0.0; 2];
        for (position, &id) in text.iter().cycle().take(DECODED).enumerate() {
            let mut batch = Batch::default();
            batch.push(id, position, &[SeqId(0)], true);
            let decode = |context: &mut Context, seconds: &mut f64| -> Result<(), EngineError> {
                let begun = Instant::now();
                context.decode(&batch)?;
                context.logits(0).ok_or(EngineError::Decode(-1))?;
                // The first tokens make the buffers.
                *seconds += if position < 4 { 0.0 } else { begun.elapsed().as_secs_f64() };
                Ok(())
            };
            let [first, second] = &mut seconds;
            if position % 2 == 0 {
                decode(&mut without, first)?;
                decode(&mut with, second)?;
            } else {
                decode(&mut with, second)?;
                decode(&mut without, first)?;
            }
        }
        Ok(seconds[0] / seconds[1])
    }

    /// Seconds of each view, its buffers made before, and what it had to compute.
    fn views(
        &self,
        client: &mut Client,
        case: &LensCase,
    ) -> Result<([f64; VIEWS], [Work; VIEWS]), QueryError> {
        let mut asker = self.asker(client, case);
        let (mut seconds, mut works) = ([0.0; VIEWS], [Work { tokens: 0, distributions: 0 }; VIEWS]);
        let [first, of_views @ ..] = &mut seconds;
        let [look_alone, works_of_views @ ..] = &mut works;
        let all = wishes(&case.text);
        for ((wish, seconds), found) in all.iter().zip(of_views).zip(works_of_views) {
            look(&mut asker, wish)?;
            let begun = Instant::now();
            let lens = look(&mut asker, wish)?;
            *seconds = begun.elapsed().as_secs_f64();
            *found = work(&lens);
            if let LensFinding::Logit(_) = lens.finding {
                let (tokens, named) = (lens.subject.ids(), &lens.subject.target.ids);
                // The first makes the buffers.
                for _ in 0..2 {
                    let begun = Instant::now();
                    let look = LookFor::Layers { copies: false };
                    inspect(&mut asker, (&tokens, named), look, &mut |_, _| {})?;
                    (*first, *look_alone) = (begun.elapsed().as_secs_f64(), *found);
                }
            }
        }
        Ok((seconds, works))
    }

    fn keyboard(&self, client: &mut Client, case: &LensCase) -> Result<KeyboardCost, QueryError> {
        let asker = self.asker(client, case);
        let corpus = Corpus::read(&asker, case.corpus.as_deref())?;
        let begun = Instant::now();
        let ngrams = Ngrams::count(&corpus.texts, self.info.vocab.len());
        let counting = begun.elapsed();
        let contexts = case.text.windows(4).take(ROWS);
        let count = contexts.len().max(1);
        let begun = Instant::now();
        for context in contexts.clone() {
            std::hint::black_box(ngrams.row(context));
        }
        let predicting = begun.elapsed();
        let sum = |context| ngrams.row(context).iter().map(|ln| f64::from(*ln).exp()).sum::<f64>();
        Ok(KeyboardCost {
            bytes: corpus.bytes,
            tokens: corpus.tokens(),
            counting_ms: counting.as_secs_f64() * 1e3,
            prediction_ms: predicting.as_secs_f64() * 1e3 / count as f64,
            off_from_one: contexts.map(|context| (sum(context) - 1.0).abs()).fold(0.0, f64::max),
        })
    }

    pub(super) fn asker<'c>(&self, client: &'c mut Client, case: &LensCase) -> Asker<'c> {
        Asker {
            client,
            model: Arc::clone(&self.info),
            template: None,
            settings: case.settings.clone(),
            cancel: CancelFlag::default(),
            far: Arc::new(|_| {}),
            cache: case.cache.clone(),
        }
    }
}

/// Nobody but the engine can refuse these questions.
pub(super) fn of_engine(error: QueryError) -> EngineError {
    match error {
        QueryError::Engine(error) => error,
        other => EngineError::Graph(other.to_string()),
    }
}

/// What is measured by rows with logits: the look alone, then the view, with what is said of its floor and of the
/// chat's figure.
const LOGIT: &str = "logit";
/// Those and the others, by tokens of a prompt; in the order of [`wishes`].
const NAMES: [&str; VIEWS] =
    [LOGIT, "logit, floor, chat's", "trace", "knockout of heads", "context", "occlusion"];

/// What is asked.
fn wishes(text: &[TokenId]) -> [LensWish; VIEWS - 1] {
    let wish = |given: Given, target: Option<&str>, view: Looking| LensWish {
        given,
        target: target.map(|target| target.as_bytes().to_vec()),
        versus: None,
        view,
        under: None,
    };
    let prompt = || Given::Text(PAIR[0].as_bytes().to_vec());
    let begun = |length: usize| {
        let mut tokens = text.iter().copied().cycle().take(length + 1);
        let before = tokens.by_ref().take(length).map(|id| (id, true)).collect();
        Given::Step { before, chosen: tokens.next().unwrap_or(TokenId(0)), other: None }
    };
    let corrupt = Corrupt::Text(PAIR[1].as_bytes().to_vec());
    let trace = TraceWish { corrupt, part: TracePart::Residual, layer: None, position: None, head: None };
    let heads = KnockoutWish { only: Some(Knocked::Head), ..KnockoutWish::default() };
    let by_token = Looking::Occlusion { by: Some(SpanUnit::Token), instead: Instead::Nothing };
    [
        wish(prompt(), Some(TARGET), Looking::Logit),
        wish(prompt(), Some(TARGET), Looking::Trace(trace)),
        wish(begun(SHORT), None, Looking::Knockout(heads)),
        wish(begun(LONG), None, Looking::Context),
        wish(begun(LONG), None, by_token),
    ]
}

/// What these figures need, every token that variants share counted once, and no copy for the floor.
fn work(lens: &Lens) -> Work {
    let length = lens.subject.words.len();
    match &lens.finding {
        LensFinding::Logit(found) => {
            let rows = found.layers.len() + 1;
            Work { tokens: length + found.layers.len(), distributions: rows }
        }
        LensFinding::Trace(found) => {
            let changed = found.cells.iter().filter(|cell| cell.position >= found.apart);
            let of_cells: usize = changed.clone().map(|cell| length - cell.position).sum();
            Work { tokens: 2 * length - found.apart + of_cells, distributions: changed.count() + 2 }
        }
        LensFinding::Knockout(found) => {
            // Of the last layer only the last position is read.
            let layers = found.effects.iter().map(|effect| effect.layers.end).max();
            let is_last = |effect: &&Effect| Some(effect.layers.end) == layers;
            let last = found.effects.iter().filter(is_last).count();
            let count = found.effects.len() + 1;
            Work { tokens: (count - last) * length + last, distributions: count }
        }
        LensFinding::Context(found) => {
            let tokens = found.points.iter().map(|point| point.tokens).sum();
            Work { tokens, distributions: found.points.len() }
        }
        LensFinding::Occlusion(found) => {
            let behind = found.spans.iter().map(|(span, _)| length - span.tokens.end).sum::<usize>();
            Work { tokens: length + behind, distributions: found.spans.len() + 1 }
        }
        LensFinding::Attention(_) | LensFinding::Attribution(_) | LensFinding::Keyboard(_) => {
            Work { tokens: 0, distributions: 0 }
        }
    }
}

impl LensCosts {
    /// For people.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(
            out,
            "view                  tokens   logits         ms    bare ms    median ratio   with logits"
        )?;
        for cost in &self.views {
            let (ms, bare) = (median(cost.ms.clone()), median(cost.bare_ms.clone()));
            let LensCost { view, tokens, distributions, median_ratio, median_ratio_with_logits, .. } = cost;
            writeln!(
                out,
                "{view:<20} {tokens:>7} {distributions:>8} {ms:>10.1} {bare:>10.1} {median_ratio:>15.3} {median_ratio_with_logits:>13.3}"
            )?;
        }
        let prompt = median(self.prompt.clone());
        writeln!(
            out,
            "bare: as many tokens at a prompt's {prompt:.1} t/s, in the last column with as many logits; of the logit lens a row a layer and one more, with logits"
        )?;
        writeln!(
            out,
            "a reply with the callback in place and off ÷ without one: median ratio {:.3}",
            self.median_callback_ratio
        )?;
        let KeyboardCost { bytes, tokens, counting_ms, prediction_ms, off_from_one } = self.keyboard;
        writeln!(
            out,
            "keyboard: {:.1} MB ({tokens} tokens) counted in {counting_ms:.0} ms, a prediction takes {prediction_ms:.3} ms and sums to 1 within {off_from_one:.1e}",
            bytes as f64 / 1e6
        )
    }
}
