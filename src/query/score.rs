//! How likely a text is, token by token.

use std::ops::Range;
use std::sync::Arc;

use super::scoring::{Scoring, ScoringJob, Wanted, score};
use super::text::{JoinedToken, TextEncoder, TextError};
use super::{Asker, QueryError};
use crate::engine::FinishReason;
use crate::score::Score;
use crate::step::Step;

/// The tokens of a text that are scored.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoreSubject {
    /// From the first token that is scored on; spans are bytes of the text.
    pub pieces: Vec<JoinedToken>,
    /// What the engine is asked.
    pub job: ScoringJob,
    /// Whether the tokenizer reads another text than this.
    pub rewritten: bool,
    /// What a person should know.
    pub note: Option<&'static str>,
}

impl ScoreSubject {
    /// A text, alone or after a prefix that is not scored.
    ///
    /// # Errors
    /// [`TextError`].
    pub fn new(encoder: &TextEncoder, text: &[u8], prefix: Option<&[u8]>) -> Result<ScoreSubject, TextError> {
        let Some(prefix) = prefix else {
            let encoded = encoder.encode(text)?;
            let (job, rewritten) = (ScoringJob::whole(&encoded), encoded.rewritten_from.is_some());
            return Ok(ScoreSubject { job, rewritten, pieces: encoded.pieces, note: None });
        };
        let joined = encoder.join(prefix, text)?;
        let within = |span: Range<usize>| {
            span.start.saturating_sub(prefix.len())..span.end.saturating_sub(prefix.len())
        };
        let own = joined.encoded.pieces[joined.from..].iter();
        let pieces =
            own.map(|piece| JoinedToken { id: piece.id, span: piece.span.clone().map(within) }).collect();
        Ok(ScoreSubject {
            pieces,
            job: ScoringJob::from(&joined.encoded, joined.from),
            rewritten: joined.encoded.rewritten_from.is_some(),
            note: joined.note(),
        })
    }
}

/// A scored text.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoredText {
    /// Its tokens.
    pub steps: Vec<Step>,
    /// All of them.
    pub total: Score,
}

/// How likely a text is. All of its tokens are kept: what may be long is scored with [`score`].
///
/// # Errors
/// [`QueryError`].
pub fn text(asker: &mut Asker, text: &[u8]) -> Result<ScoredText, QueryError> {
    let model = Arc::clone(&asker.model);
    let subject = ScoreSubject::new(&asker.encoder(&model, asker.settings.bos)?, text, None)?;
    let steps = steps(asker, &subject.job, true)?;
    let mut total = Score::default();
    for (step, piece) in steps.iter().zip(&subject.pieces) {
        add(&mut total, step, piece);
    }
    Ok(ScoredText { steps, total })
}

/// Adds a token to a score, if it has context.
pub fn add(total: &mut Score, step: &Step, piece: &JoinedToken) {
    if let Some(logprob) = step.logprob() {
        total.add(logprob, piece.span.as_ref().map_or(0, Range::len));
    }
}

/// Every token of a sequence; `fast` as in [`Wanted`].
pub(super) fn steps(asker: &mut Asker, job: &ScoringJob, fast: bool) -> Result<Vec<Step>, QueryError> {
    let (windowing, depth) = (asker.windowing(), asker.settings.k.at_least(4));
    let wanted = Wanted { windowing, depth, boundaries: false, after: false, fast };
    let mut steps = Vec::new();
    let ended = score(asker.client, std::slice::from_ref(job), wanted, &asker.cancel, &mut |event| {
        if let Scoring::Token { step, .. } = event {
            steps.push(step);
        }
    })?;
    if ended == FinishReason::Cancelled { Err(QueryError::Stopped) } else { Ok(steps) }
}
