//! What looking between the layers costs, against evaluating as many tokens as a prompt. Both sides compute in
//! the same process, one after the other, so that only their ratio counts.

use std::io::{self, Write};
use std::time::Instant;

use serde::Serialize;

use super::side::{Bench, apart, context, median, ratio, sequence};
use crate::distribution::Depth;
use crate::engine::look::{Edit, Inspect, LookFor, Part, PartValue, Variant, Variants};
use crate::engine::{CancelFlag, Command, EngineError, Layout, ScoreBatch, Sequence};
use crate::token::TokenId;

/// How many kinds of look there are.
const LOOKS: usize = 5;
/// Tokens of the prompt whose speed is the measure, in one batch.
const PROMPT: usize = 256;
/// Tokens whose context curve is computed.
const CURVE: usize = 64;

/// One kind of look, one value per pair.
#[derive(Clone, Debug, Serialize)]
pub struct LensCost {
    /// What was looked at.
    pub what: &'static str,
    /// Tokens that have to be computed for it.
    pub tokens: usize,
    /// Milliseconds.
    pub ms: Vec<f64>,
    /// What the same tokens take as a prompt, or the rows with their logits.
    pub bare_ms: Vec<f64>,
    /// Median of the one ÷ the other.
    pub median_ratio: f64,
}

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct LensCosts {
    /// Tokens a second of a prompt, without logits but the last.
    pub prompt: Vec<f64>,
    /// Each kind.
    pub looks: Vec<LensCost>,
}

/// What the looks are about.
pub struct LensTexts {
    /// A prompt and one of as many tokens that differs from it.
    pub prompts: [Vec<TokenId>; 2],
    /// A long text.
    pub text: Vec<TokenId>,
}

/// A request and how many tokens it has to compute.
struct LookCommand {
    what: &'static str,
    tokens: usize,
    command: Command,
}

/// What the bare engine takes.
struct BareTimes {
    /// Seconds a token of a prompt.
    token: f64,
    /// Seconds for a row a layer and one more, each with logits.
    rows: f64,
}

impl Bench<'_> {
    /// Each kind of look, after the same tokens as a prompt.
    ///
    /// # Errors
    /// What the engine says.
    pub fn lens(&self, texts: &LensTexts) -> Result<LensCosts, EngineError> {
        let looks = self.looks(texts);
        let times = || {
            let bare = apart(|| self.bare(&texts.text))?;
            let seconds = apart(|| self.through_looks(&looks))?;
            Ok([bare.token, bare.rows, seconds[0], seconds[1], seconds[2], seconds[3], seconds[4]])
        };
        let shown = |[token, ..]: [f64; 2 + LOOKS]| format!("prompt {:.1} t/s", 1.0 / token);
        let [token, rows, looked @ ..] = self.pairs(times, shown)?;
        let cost = |(look, seconds): (&LookCommand, &Vec<f64>)| {
            let bare: Vec<f64> = match look.what == LOGIT {
                true => rows.clone(),
                false => token.iter().map(|token| token * look.tokens as f64).collect(),
            };
            let ms = |seconds: &[f64]| seconds.iter().map(|seconds| seconds * 1e3).collect();
            LensCost {
                what: look.what,
                tokens: look.tokens,
                ms: ms(seconds),
                bare_ms: ms(&bare),
                median_ratio: ratio(seconds, &bare),
            }
        };
        Ok(LensCosts {
            prompt: token.iter().map(|token| 1.0 / token).collect(),
            looks: looks.iter().zip(&looked).map(cost).collect(),
        })
    }

    fn bare(&self, text: &[TokenId]) -> Result<BareTimes, EngineError> {
        let (model, rows) = (self.raw_model()?, self.info.layers + 1);
        let mut context = context(&model, self.params(PROMPT, PROMPT))?;
        let mut time = |count: usize, all: bool| -> Result<f64, EngineError> {
            context.clear();
            let tokens: Vec<TokenId> = text.iter().copied().cycle().take(count).collect();
            let batch = sequence(&tokens, all);
            let begun = Instant::now();
            context.decode(&batch)?;
            // llama.cpp computes while nobody looks; this waits for it.
            context.logits(count - 1).ok_or(EngineError::Decode(-1))?;
            Ok(begun.elapsed().as_secs_f64())
        };
        // The first of each makes the buffers.
        time(PROMPT, false)?;
        let token = time(PROMPT, false)? / PROMPT as f64;
        time(rows, true)?;
        Ok(BareTimes { token, rows: time(rows, true)? })
    }

    /// Seconds of each look, its buffers made before.
    fn through_looks(&self, looks: &[LookCommand; LOOKS]) -> Result<[f64; LOOKS], EngineError> {
        self.engine(|client| {
            let mut seconds = [0.0; LOOKS];
            for (look, seconds) in looks.iter().zip(&mut seconds) {
                client.run(look.command.clone(), |_| {})?;
                let begun = Instant::now();
                client.run(look.command.clone(), |_| {})?;
                *seconds = begun.elapsed().as_secs_f64();
            }
            Ok(seconds)
        })
    }

    fn looks(&self, texts: &LensTexts) -> [LookCommand; LOOKS] {
        let [clean, corrupt] = &texts.prompts;
        let (length, layers) = (clean.len(), self.info.layers);
        let inspect = |look| {
            Command::Inspect(Inspect {
                tokens: corrupt.clone(),
                look,
                named: vec![clean[0], clean[1]],
                depth: Depth::Count(1),
                interventions: Default::default(),
                cancel: CancelFlag::default(),
            })
        };
        let write = |layer, part, position, value| Edit::Write { layer, part, position, value };
        let grid = |from: usize| -> Vec<Variant> {
            let cell = |layer: usize, position| Variant {
                edits: vec![write(layer, Part::Residual, Some(position), PartValue::Other)],
                ..Variant::copy(position)
            };
            let first = |layer: usize| if layer + 1 == layers { length - 1 } else { from };
            (0..layers).flat_map(|layer| (first(layer)..length).map(move |at| cell(layer, at))).collect()
        };
        let computed =
            |variants: &[Variant]| variants.iter().map(|variant| length - variant.from).sum::<usize>();
        let heads: Vec<Variant> = (0..layers)
            .flat_map(|layer| (0..self.info.heads).map(move |head| (layer, Part::Head(head))))
            .map(|(layer, part)| Variant {
                edits: vec![write(layer, part, None, PartValue::Zero)],
                ..Variant::copy(0)
            })
            .collect();
        let (cells, whole) = (grid(0), texts.text.get(..CURVE.min(texts.text.len())).unwrap_or_default());
        let tokens = [computed(&cells), computed(&heads)];
        let variants = |variants: Vec<Variant>, other: &[TokenId]| {
            let other = other.to_vec();
            inspect(LookFor::Variants(Variants { variants, other, ..Variants::default() }))
        };
        // The last 1, 2, 4 … tokens, and the text without each token.
        let seen = std::iter::successors(Some(1), |n| Some(n * 2)).take_while(|n| *n < whole.len());
        let curve: Vec<&[TokenId]> = seen.chain([whole.len()]).map(|n| &whole[whole.len() - n..]).collect();
        let without = (0..whole.len()).map(|i| [&whole[..i], &whole[i + 1..]].concat());
        let occluded: Vec<Vec<TokenId>> = without.collect();
        let score = |sequences: Vec<Vec<TokenId>>| {
            let sequence = |tokens: Vec<TokenId>| {
                let from = tokens.len();
                Sequence { tokens: [&tokens[..], &clean[..1]].concat(), from }
            };
            Command::Score(ScoreBatch {
                sequences: sequences.into_iter().map(sequence).collect(),
                layout: Layout::Together,
                depth: Depth::Count(1),
                ..ScoreBatch::default()
            })
        };
        // A text without its i-th token shares what lies before it with the one without the next.
        let unshared = whole.len() + (0..whole.len()).map(|i| whole.len() - i).sum::<usize>();
        let count = curve.iter().map(|of| of.len()).sum();
        let curve = score(curve.into_iter().map(<[TokenId]>::to_vec).collect());
        [
            LookCommand { what: LOGIT, tokens: length + layers, command: inspect(LookFor::Layers) },
            LookCommand { what: "trace", tokens: tokens[0] + 2 * length, command: variants(cells, clean) },
            LookCommand { what: "knockout of heads", tokens: tokens[1], command: variants(heads, &[]) },
            LookCommand { what: "context", tokens: count, command: curve },
            LookCommand { what: "occlusion", tokens: unshared, command: score(occluded) },
        ]
    }
}

/// The look that is measured by rows with logits.
const LOGIT: &str = "logit";

impl LensCosts {
    /// For people.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "look                  tokens         ms    bare ms    median ratio")?;
        for cost in &self.looks {
            let (ms, bare) = (median(cost.ms.clone()), median(cost.bare_ms.clone()));
            let (what, tokens, ratio) = (cost.what, cost.tokens, cost.median_ratio);
            writeln!(out, "{what:<20} {tokens:>7} {ms:>10.1} {bare:>10.1} {ratio:>15.3}")?;
        }
        let prompt = median(self.prompt.clone());
        writeln!(
            out,
            "bare: the same number of tokens at a prompt's {prompt:.1} t/s; of the logit lens a row a layer and one more, with logits"
        )
    }
}
