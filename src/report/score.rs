//! Scored texts as JSON records. Everything is in nats.

use std::borrow::Cow;

use serde::Serialize;

use super::record::{Bounds, Origin, StepRecord};
use crate::query::text::JoinedToken;
use crate::query::window::Windowing;
use crate::score::regions::Region;
use crate::score::words::Word;
use crate::score::{NO_CONTEXT, Score};
use crate::step::Figure;
use crate::token::text_of;

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
    /// A step's record with its place; `first` says whether it is the sequence's first.
    pub fn new(mut step: StepRecord, piece: &JoinedToken, first: bool) -> TokenRecord {
        if step.note == Some(NO_CONTEXT) && !first {
            step.note = Some(LITTLE_CONTEXT);
        }
        let (start, end) = piece.span.clone().map(|span| (span.start, span.end)).unzip();
        TokenRecord { step, start, end }
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

/// What a text is divided into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartKind {
    Word,
    /// The smallest parts whose edges are edges of tokens.
    Smallest,
    Line,
    /// What a person marked.
    Region,
}

impl PartKind {
    /// One of them, for the head of a column.
    pub fn name(self) -> &'static str {
        match self {
            PartKind::Word => "word",
            PartKind::Smallest => "part",
            PartKind::Line => "line",
            PartKind::Region => "region",
        }
    }

    /// All of them, for a field of an object.
    pub fn plural(self) -> &'static str {
        match self {
            PartKind::Word => "words",
            PartKind::Smallest => "chars",
            PartKind::Line => "lines",
            PartKind::Region => "regions",
        }
    }
}

/// The text of a part, by the name that it has in an object.
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PartText {
    /// Of a word, without the white space before it.
    Word(String),
    /// Of anything else.
    Text(String),
}

/// A word, a region, a line, or a smallest part of a text.
#[derive(Debug, Serialize)]
pub struct PartRecord {
    /// 0-based.
    pub index: usize,
    /// Its text.
    #[serde(flatten)]
    pub text: PartText,
    /// Bytes of the text.
    pub start: usize,
    /// One past its last byte.
    pub end: usize,
    /// First token, and one past the last, in `tokens`.
    pub tokens: [usize; 2],
    /// Σ −ln p; of a word of all its tokens, of another part of those that have context.
    pub surprisal_sum: Option<f64>,
    /// With the correction for the space at its edges; absent where words mean nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub surprisal_corrected: Option<Option<f64>>,
    /// Before its first token.
    pub entropy: Option<f32>,
    /// Of figures that are null because they are not known better.
    #[serde(skip_serializing_if = "Bounds::is_empty")]
    pub bounds: Bounds,
    /// Why a value is null, or what does not come out even.
    pub note: Option<Cow<'static, str>>,
}

impl PartRecord {
    /// The record of the word with this number.
    pub fn of_word(index: usize, word: &Word, text: &[u8]) -> PartRecord {
        PartRecord {
            index,
            text: PartText::Word(text_of(&text[word.span.clone()])),
            start: word.span.start,
            end: word.span.end,
            tokens: [word.tokens.start, word.tokens.end],
            surprisal_sum: word.surprisal_sum.filter(|sum| sum.is_finite()),
            surprisal_corrected: Some(word.surprisal_corrected),
            entropy: word.entropy.and_then(Figure::exact),
            bounds: Bounds::of_entropy(word.entropy),
            note: word.note().map(Cow::Owned),
        }
    }

    /// The record of another part; `corrected` is false where words mean nothing.
    pub fn of_region(region: &Region, text: &[u8], corrected: bool) -> PartRecord {
        PartRecord {
            index: region.index,
            text: PartText::Text(text_of(&text[region.span.clone()])),
            start: region.span.start,
            end: region.span.end,
            tokens: [region.tokens.start, region.tokens.end],
            surprisal_sum: region.surprisal_sum,
            surprisal_corrected: corrected.then_some(region.surprisal_corrected),
            entropy: region.entropy.and_then(Figure::exact),
            bounds: Bounds::of_entropy(region.entropy),
            note: region.note.map(Cow::Borrowed),
        }
    }

    pub fn text(&self) -> &str {
        let (PartText::Word(text) | PartText::Text(text)) = &self.text;
        text
    }
}
