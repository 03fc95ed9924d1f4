//! Asks the engine to score token sequences of any length and number, a few windows at a time.

use crate::distribution::Depth;
use crate::engine::{
    CancelFlag, Client, Command, EngineError, Event, FinishReason, Layout, ScoreBatch, Sequence,
};
use crate::step::{Prediction, Step};
use crate::token::TokenId;

use super::text::Encoded;
use super::window::{Window, Windowing};

/// Tokens handed to the engine at once: enough to fill its batches, few enough to hold in memory.
const REQUEST_TOKENS: usize = 16_384;

/// A sequence to score.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoringJob {
    /// Its ids, BOS included.
    pub ids: Vec<TokenId>,
    /// Whether the first is a BOS, which stands before every window.
    pub has_bos: bool,
    /// Index of the first token whose figures are wanted.
    pub from: usize,
}

impl ScoringJob {
    /// A whole text.
    pub fn whole(encoded: &Encoded) -> ScoringJob {
        ScoringJob::from(encoded, 0)
    }

    /// A text from one of its tokens on.
    pub fn from(encoded: &Encoded, from: usize) -> ScoringJob {
        ScoringJob { ids: encoded.ids(), has_bos: encoded.has_bos, from }
    }
}

/// What is wanted of each token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wanted {
    /// How a sequence longer than the context is cut.
    pub windowing: Windowing,
    /// Candidates kept.
    pub depth: Depth,
    /// Whether the mass of word boundaries is needed.
    pub boundaries: bool,
    /// Whether the distribution after each sequence is needed.
    pub after: bool,
    /// Whether a long window may be computed in the fastest way: its figures then differ from those of
    /// a reply in the making by their rounding.
    pub fast: bool,
}

/// What comes back, sequence by sequence.
#[derive(Clone, Debug, PartialEq)]
pub enum Scoring {
    /// One token, in order. Its figures are missing where it has too little context.
    Token {
        /// Which sequence.
        job: usize,
        /// Which of its tokens.
        index: usize,
        /// The token and its figures.
        step: Step,
    },
    /// The sequence is done.
    End {
        /// Which.
        job: usize,
        /// The distribution after its last token, where it was asked for.
        after: Option<Box<Prediction>>,
    },
}

/// One window on its way.
struct ScoringPart {
    job: usize,
    window: Window,
    last: bool,
}

/// Scores sequences; `sink` is given every token in order.
///
/// # Errors
/// Those of the engine. What was scored before has been given out.
pub fn score(
    client: &mut Client,
    jobs: &[ScoringJob],
    wanted: Wanted,
    cancel: &CancelFlag,
    sink: &mut dyn FnMut(Scoring),
) -> Result<FinishReason, EngineError> {
    let mut next = vec![None; jobs.len()];
    let mut parts =
        jobs.iter().enumerate().flat_map(|(job, asked)| windows(job, asked, wanted.windowing)).peekable();
    while parts.peek().is_some() {
        let mut request: Vec<ScoringPart> = Vec::new();
        let mut tokens = 0;
        let layout_of = |part: &ScoringPart| layout_of(part, &jobs[part.job], wanted);
        let layout = parts.peek().map_or(Layout::Together, layout_of);
        let fits = |part: &ScoringPart, tokens: usize| {
            tokens == 0 || tokens + length(part) <= REQUEST_TOKENS && layout_of(part) == layout
        };
        while let Some(part) = parts.next_if(|part| fits(part, tokens)) {
            tokens += length(&part);
            request.push(part);
        }
        let batch = ScoreBatch {
            sequences: request.iter().map(|part| sequence(&jobs[part.job], &part.window)).collect(),
            layout,
            depth: wanted.depth,
            boundaries: wanted.boundaries,
            after: wanted.after,
            cancel: cancel.clone(),
            ..ScoreBatch::default()
        };
        let (reason, _) = client.run(Command::Score(batch), |event| {
            if let Event::Scored { index, steps, after, .. } = event {
                let part = &request[index];
                let at = next[part.job].get_or_insert(jobs[part.job].from);
                give(part, &jobs[part.job], steps, at, sink);
                if part.last {
                    sink(Scoring::End { job: part.job, after });
                }
            }
        })?;
        if reason == FinishReason::Cancelled {
            return Ok(reason);
        }
    }
    Ok(FinishReason::Stop)
}

fn length(part: &ScoringPart) -> usize {
    part.window.tokens.len() + 1
}

fn layout_of(part: &ScoringPart, asked: &ScoringJob, wanted: Wanted) -> Layout {
    let tokens = part.window.tokens.len() + usize::from(asked.has_bos);
    if wanted.fast { Layout::of(tokens) } else { Layout::Together }
}

/// A window's tokens are counted without BOS.
fn windows(
    job: usize,
    asked: &ScoringJob,
    windowing: Windowing,
) -> impl Iterator<Item = ScoringPart> + use<> {
    let bos = usize::from(asked.has_bos);
    let n = asked.ids.len() - bos;
    windowing.windows(n, asked.from.saturating_sub(bos), bos).map(move |window| {
        let last = window.tokens.end == n;
        ScoringPart { job, window, last }
    })
}

fn sequence(asked: &ScoringJob, window: &Window) -> Sequence {
    let bos = usize::from(asked.has_bos);
    let range = window.tokens.start + bos..window.tokens.end + bos;
    let tokens = asked.ids[..bos].iter().chain(&asked.ids[range]).copied().collect();
    Sequence { tokens, from: (window.from - window.tokens.start + bos).max(1) }
}

/// The sequences in which a job's tokens are scored, in order.
pub fn sequences(job: &ScoringJob, windowing: Windowing) -> Vec<Sequence> {
    windows(0, job, windowing).map(|part| sequence(job, &part.window)).collect()
}

/// Gives out a window's tokens, and before them those that no window scores.
fn give(
    part: &ScoringPart,
    asked: &ScoringJob,
    steps: Vec<Step>,
    next: &mut usize,
    sink: &mut dyn FnMut(Scoring),
) {
    let bos = usize::from(asked.has_bos);
    let end = part.window.tokens.end + bos;
    let first = end - steps.len().min(end);
    let unscored = (*next..first).map(|index| (index, Step { id: asked.ids[index], stats: None }));
    for (index, step) in unscored.chain((first..).zip(steps)) {
        sink(Scoring::Token { job: part.job, index, step });
    }
    *next = end;
}
