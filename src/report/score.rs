//! Scored texts as JSON records. Everything is in nats.

use serde::Serialize;

use super::record::Bounds;
use super::record::{Origin, StepRecord};
use crate::distribution::Depth;
use crate::query::text::JoinedToken;
use crate::query::window::Windowing;
use crate::score::regions::Region;
use crate::score::words::Word;
use crate::score::{NO_CONTEXT, Score};
use crate::step::Figure;
use crate::step::Step;
use crate::token::{Vocab, text_of};

/// Why a token inside a long text has no log-probability.
const LITTLE_CONTEXT: &str = "too little context in its window";

/// What stands before the tokens.
#[derive(Debug, Serialize)]
pub struct ScoreHead<'a> {
    #[serde(flatten)]
    origin: &'a Origin,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    prefix: Option<String>,
}

impl<'a> ScoreHead<'a> {
    /// The head of a text's score.
    pub fn new(origin: &'a Origin, text: &[u8], prefix: Option<&[u8]>) -> ScoreHead<'a> {
        ScoreHead { origin, text: text_of(text), prefix: prefix.map(text_of) }
    }
}

/// A token and where it stands in the text.
#[derive(Debug, Serialize)]
pub struct TokenRecord {
    #[serde(flatten)]
    step: StepRecord,
    start: Option<usize>,
    end: Option<usize>,
}

impl TokenRecord {
    /// The record of a token; `sum` is Σ ln p up to and with it, `first` whether it is the sequence's
    /// first.
    pub fn new(
        step: &Step,
        piece: &JoinedToken,
        (sum, first): (f64, bool),
        (k, vocab): (Depth, &Vocab),
    ) -> TokenRecord {
        let mut record = StepRecord::new(step, k, sum, vocab);
        if record.note == Some(NO_CONTEXT) && !first {
            record.note = Some(LITTLE_CONTEXT);
        }
        let (start, end) = piece.span.clone().map(|span| (span.start, span.end)).unzip();
        TokenRecord { step: record, start, end }
    }
}

/// The figures of a whole text. None where no token is scored.
#[derive(Clone, Debug, Serialize)]
pub struct Totals {
    /// Σ ln p.
    pub sum_logprob: Option<f64>,
    /// ÷ tokens.
    pub mean_logprob: Option<f64>,
    /// exp of the mean surprisal.
    pub ppl: Option<f64>,
    /// Mean surprisal in bits.
    pub bits_per_token: Option<f64>,
    /// Surprisal in bits per byte of the scored tokens.
    pub bits_per_byte: Option<f64>,
    /// Tokens with context.
    pub scored_tokens: usize,
    /// The bytes they stand for.
    pub bytes: usize,
}

impl Totals {
    /// The totals of a score.
    pub fn new(score: &Score) -> Totals {
        let finite = |value: f64| value.is_finite().then_some(value);
        Totals {
            sum_logprob: finite(score.sum_logprob()).filter(|_| score.tokens() > 0),
            mean_logprob: score.mean_logprob().and_then(finite),
            ppl: score.perplexity().and_then(finite),
            bits_per_token: score.bits_per_token().and_then(finite),
            bits_per_byte: score.bits_per_byte().and_then(finite),
            scored_tokens: score.tokens(),
            bytes: score.bytes(),
        }
    }
}

/// How a text longer than the context was cut.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct WindowRecord {
    /// Tokens evaluated together.
    pub tokens: usize,
    /// Tokens from one window to the next.
    pub stride: usize,
    /// Tokens with fewer before them in their window are not scored.
    pub min_context: usize,
}

impl From<Windowing> for WindowRecord {
    fn from(windowing: Windowing) -> WindowRecord {
        let Windowing { size, stride, min_context } = windowing;
        WindowRecord { tokens: size, stride, min_context }
    }
}

/// A word.
#[derive(Debug, Serialize)]
pub struct WordRecord {
    /// 0-based.
    pub index: usize,
    /// Without the white space before it.
    pub word: String,
    /// Bytes of the text.
    pub start: usize,
    /// One past its last byte.
    pub end: usize,
    /// First token, and one past the last, in `tokens`.
    pub tokens: [usize; 2],
    /// Σ −ln p.
    pub surprisal_sum: Option<f64>,
    /// With the correction for the space before it.
    pub surprisal_corrected: Option<f64>,
    /// Before its first token.
    pub entropy: Option<f32>,
    /// Of figures that are null because they are not known better.
    #[serde(skip_serializing_if = "Bounds::is_empty")]
    pub bounds: Bounds,
    /// Why a value is null, or what does not come out even.
    pub note: Option<String>,
}

impl WordRecord {
    /// The record of the word with this number.
    pub fn new(index: usize, word: &Word, text: &[u8]) -> WordRecord {
        WordRecord {
            index,
            word: text_of(&text[word.span.clone()]),
            start: word.span.start,
            end: word.span.end,
            tokens: [word.tokens.start, word.tokens.end],
            surprisal_sum: word.surprisal_sum.filter(|sum| sum.is_finite()),
            surprisal_corrected: word.surprisal_corrected,
            entropy: word.entropy.and_then(Figure::exact),
            bounds: Bounds::of_entropy(word.entropy),
            note: word.note(),
        }
    }
}

/// A region, a line, or a smallest part of a text.
#[derive(Debug, Serialize)]
pub struct RegionRecord {
    /// 0-based.
    pub index: usize,
    /// Its text.
    pub text: String,
    /// Bytes of the text.
    pub start: usize,
    /// One past its last byte.
    pub end: usize,
    /// First token, and one past the last, in `tokens`.
    pub tokens: [usize; 2],
    /// Σ −ln p of its tokens that have context.
    pub surprisal_sum: Option<f64>,
    /// The same, corrected at both edges; absent where words mean nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub surprisal_corrected: Option<Option<f64>>,
    /// Before its first token.
    pub entropy: Option<f32>,
    /// Of figures that are null because they are not known better.
    #[serde(skip_serializing_if = "Bounds::is_empty")]
    pub bounds: Bounds,
    /// Why a value is null, or what does not come out even.
    pub note: Option<&'static str>,
}

impl RegionRecord {
    /// The record of a region; `corrected` is false where words mean nothing.
    pub fn new(region: &Region, text: &[u8], corrected: bool) -> RegionRecord {
        RegionRecord {
            index: region.index,
            text: text_of(&text[region.span.clone()]),
            start: region.span.start,
            end: region.span.end,
            tokens: [region.tokens.start, region.tokens.end],
            surprisal_sum: region.surprisal_sum,
            surprisal_corrected: corrected.then_some(region.surprisal_corrected),
            entropy: region.entropy.and_then(Figure::exact),
            bounds: Bounds::of_entropy(region.entropy),
            note: region.note,
        }
    }
}
