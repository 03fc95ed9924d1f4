//! An n-gram model over the model's own ids beside it: how much of a prediction a count of five tokens in a row
//! already knows.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::rest::{jobs, total};
use super::subject::Subject;
use crate::distribution::Distribution;
use crate::engine::{EngineError, FinishReason};
use crate::ngram::Ngrams;
use crate::query::corpus::Corpus;
use crate::query::generate::{Beginning, generate};
use crate::query::scoring::{Scoring, ScoringJob, Wanted, score};
use crate::query::{Asker, QueryError};
use crate::sampling::Sampling;
use crate::step::{Prediction, Step};
use crate::token::TokenId;

/// What the n-gram model is made of and how far both go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyboardWish {
    /// The text that is counted; `None` is the one of the program.
    pub corpus: Option<PathBuf>,
    /// How often the first suggestion is taken.
    pub clicks: usize,
}

/// Both models side by side.
#[derive(Clone, Debug)]
pub struct Keyboard {
    /// What was counted.
    pub counted: Counted,
    /// Tokens of the prompt that somebody wrote and the model has a figure for.
    pub scored: usize,
    /// Their bytes.
    pub bytes: usize,
    /// At how many of them both had the same first choice.
    pub agreed: usize,
    /// What the model suggests.
    pub model: Suggestions,
    /// What the n-gram model suggests.
    pub ngram: Suggestions,
}

/// A text and what counting it took.
#[derive(Clone, Debug)]
pub struct Counted {
    /// The file, or "shipped".
    pub name: String,
    /// Of its bytes.
    pub sha256: String,
    /// Their number.
    pub bytes: usize,
    /// Number of its tokens.
    pub tokens: usize,
    /// Time to tokenize it; `None` where the tokens lay in the cache.
    pub tokenizing: Option<Duration>,
    /// Time to count them.
    pub counting: Duration,
}

impl Counted {
    /// How long it took, in words.
    pub fn took(&self) -> String {
        let found = match self.tokenizing {
            Some(took) => format!("tokenized in {:.2} s", took.as_secs_f64()),
            None => "their ids are from the cache".to_string(),
        };
        let counting = self.counting.as_secs_f64();
        format!("{} tokens of the corpus: {found}, counted in {counting:.2} s", self.tokens)
    }
}

/// What one of the two says.
#[derive(Clone, Debug)]
pub struct Suggestions {
    /// The distribution after the prompt.
    pub prediction: Prediction,
    /// ln p of the target and of what it is compared with, and their ranks where they are one token.
    pub named: Vec<(f64, Option<u32>)>,
    /// Σ ln p of the scored tokens.
    pub logprob: f64,
    /// What comes of always taking the first suggestion.
    pub clicked: Vec<TokenId>,
}

impl Keyboard {
    /// Share of the scored tokens at which both had the same first choice; `None` where there is none.
    pub fn agreement(&self) -> Option<f64> {
        (self.scored > 0).then(|| self.agreed as f64 / self.scored as f64)
    }
}

impl Suggestions {
    /// Bits for each byte of the scored tokens; `None` where there is none.
    pub fn bits_per_byte(&self, bytes: usize) -> Option<f64> {
        (bytes > 0).then(|| -self.logprob / (bytes as f64 * std::f64::consts::LN_2))
    }
}

/// Puts both side by side. The last value says whether it came to its end.
pub(super) fn keyboard(
    asker: &mut Asker,
    subject: &Subject,
    wish: &KeyboardWish,
) -> Result<(Keyboard, bool), QueryError> {
    let corpus = Corpus::read(asker, wish.corpus.as_deref())?;
    let begun = Instant::now();
    let ngrams = Ngrams::count(&corpus.texts, asker.model.vocab.len());
    let counted = Counted {
        tokens: corpus.tokens(),
        counting: begun.elapsed(),
        name: corpus.name,
        sha256: corpus.sha256,
        bytes: corpus.bytes,
        tokenizing: corpus.tokenizing,
    };
    let ids = subject.ids();
    let own = scored(asker, subject, &ids)?;
    let rank = |steps: &Vec<Step>| match &steps[..] {
        [step] => step.stats.as_ref().and_then(|stats| stats.rank.exact()),
        _ => None,
    };
    let (clicks, done) = clicked(asker, &ids, wish.clicks)?;
    let mut model = Suggestions {
        prediction: own.after,
        named: own.named.iter().map(|steps| (total(steps), rank(steps))).collect(),
        logprob: 0.0,
        clicked: clicks,
    };
    let mut ngram = suggestions(asker, subject, &ngrams, &ids, wish.clicks)?;
    let (mut scored, mut bytes, mut agreed) = (0, 0, 0);
    for (at, step) in own.prompt.iter().enumerate().filter(|(at, _)| subject.words[*at].written) {
        let Some(stats) = &step.stats else { continue };
        scored += 1;
        bytes += asker.model.vocab.text_length(step.id);
        model.logprob += f64::from(stats.logprob);
        ngram.logprob += ngrams.logprob(&ids[..at], step.id);
        let first = stats.prediction.top_logprobs.first().map(|first| first.id);
        agreed += usize::from(first == first_of(&ngrams.row(&ids[..at])));
    }
    Ok((Keyboard { counted, scored, bytes, agreed, model, ngram }, done && !asker.cancel.is_cancelled()))
}

/// What the model says.
struct ModelFigures {
    /// After the prompt.
    after: Prediction,
    /// Of the prompt's tokens.
    prompt: Vec<Step>,
    /// Of each named text's.
    named: Vec<Vec<Step>>,
}

/// The model's distribution after the prompt, and its figures of the prompt's tokens and of the named texts'.
fn scored(asker: &mut Asker, subject: &Subject, ids: &[TokenId]) -> Result<ModelFigures, QueryError> {
    let prompt = ScoringJob { ids: ids.to_vec(), has_bos: subject.has_bos, from: 0 };
    let jobs: Vec<ScoringJob> = std::iter::once(prompt).chain(jobs(subject, ids)).collect();
    let wanted = Wanted {
        windowing: asker.windowing(),
        depth: asker.settings.k.at_least(1),
        boundaries: false,
        after: true,
        fast: false,
    };
    let mut steps: Vec<Vec<Step>> = vec![Vec::new(); jobs.len()];
    let mut prediction = None;
    let ended = score(asker.client, &jobs, wanted, &asker.cancel, &mut |event| match event {
        Scoring::Token { job, step, .. } => steps[job].push(step),
        Scoring::End { job: 0, after } => prediction = after,
        Scoring::End { .. } => {}
    })?;
    match (prediction, ended) {
        (Some(prediction), FinishReason::Stop) => {
            let named = steps.split_off(1);
            Ok(ModelFigures { after: *prediction, prompt: steps.pop().unwrap_or_default(), named })
        }
        _ => Err(QueryError::Stopped),
    }
}

/// The model's own first choices, and whether all of them are there.
fn clicked(asker: &mut Asker, ids: &[TokenId], clicks: usize) -> Result<(Vec<TokenId>, bool), QueryError> {
    let beginning =
        Beginning { ids: ids.to_vec(), max_tokens: clicks, depth: crate::distribution::Depth::Count(1) };
    let greedy = Sampling { greedy: true, ..Sampling::default() };
    let usual = std::mem::replace(&mut asker.settings.sampling, greedy);
    let generated = generate(asker, beginning, &mut |_, _| {});
    asker.settings.sampling = usual;
    let generated = match generated {
        Err(QueryError::Stopped) => return Ok((Vec::new(), false)),
        generated => generated?,
    };
    let done = generated.reason != FinishReason::Cancelled;
    Ok((generated.reply.steps.iter().map(|step| step.id).collect(), done))
}

/// What the n-gram model says after the prompt.
fn suggestions(
    asker: &Asker,
    subject: &Subject,
    ngrams: &Ngrams,
    ids: &[TokenId],
    clicks: usize,
) -> Result<Suggestions, QueryError> {
    let row = ngrams.row(ids);
    let raw = Distribution::measure(&row, asker.settings.k, None).map_err(EngineError::from)?;
    let mut named = Vec::new();
    for goal in subject.named() {
        let mut text = ids.to_vec();
        let mut logprob = 0.0;
        for &id in &goal.ids {
            logprob += ngrams.logprob(&text, id);
            text.push(id);
        }
        let rank = match goal.ids[..] {
            [id] => row.get(id.index()).map(|&logit| raw.rank(&row, logit)),
            _ => None,
        };
        named.push((logprob, rank));
    }
    // No further than the model can go.
    let room = (asker.model.context as usize).saturating_sub(ids.len());
    let mut text = ids.to_vec();
    for _ in 0..clicks.min(room) {
        if asker.cancel.is_cancelled() {
            break;
        }
        text.extend(first_of(&ngrams.row(&text)));
    }
    Ok(Suggestions {
        prediction: Prediction::measured(&raw, row.len(), |_| None),
        named,
        logprob: 0.0,
        clicked: text.split_off(ids.len()),
    })
}

/// The most probable id; of equal ones the first.
fn first_of(row: &[f32]) -> Option<TokenId> {
    let first = row.iter().enumerate().reduce(|best, next| if next.1 > best.1 { next } else { best });
    first.map(|(id, _)| TokenId(id as u32))
}
