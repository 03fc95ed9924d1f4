//! Steps as clients read them: OpenAI's arrays of completions, its list of chats, vLLM's map of a prompt.
//!
//! Every entry of a `content` list is the program's own step record, whose first fields are OpenAI's; so one
//! list serves both. A log-probability is the same number wherever it stands.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::json;

use crate::distribution::Depth;
use crate::report::record::{CandidateRecord, StepRecord};
use crate::step::{AnyToken, Step};
use crate::token::{TokenId, Vocab};

/// A text and its log-probability; of several tokens with the same text the most probable one counts.
#[derive(Debug, Default, PartialEq)]
pub(super) struct TopLogprobs(Vec<(String, Option<f32>)>);

impl TopLogprobs {
    /// The candidates of a record, and the token that stands there.
    fn of(record: &StepRecord) -> TopLogprobs {
        let mut all = TopLogprobs::default();
        record.top_logprobs.iter().for_each(|candidate| all.add(&candidate.token, candidate.logprob));
        all.add(&record.token, record.logprob);
        all
    }

    fn add(&mut self, token: &str, logprob: Option<f32>) {
        if !self.0.iter().any(|(known, _)| known == token) {
            self.0.push((token.to_string(), logprob));
        }
    }
}

impl Serialize for TopLogprobs {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.0.len()))?;
        for (token, logprob) in &self.0 {
            map.serialize_entry(token, logprob)?;
        }
        map.end()
    }
}

/// `logprobs` of a choice of `/v1/completions`: OpenAI's four arrays, and the list of records.
#[derive(Debug, Default, serde::Serialize)]
pub(super) struct CompletionLogprobs {
    pub tokens: Vec<String>,
    /// `null` for a token without context.
    pub token_logprobs: Vec<Option<f32>>,
    pub top_logprobs: Vec<Option<TopLogprobs>>,
    /// In characters of the choice's text.
    pub text_offset: Vec<usize>,
    pub content: Vec<StepRecord>,
}

impl CompletionLogprobs {
    pub fn push(&mut self, record: StepRecord, offset: usize) {
        let has_context = record.entropy.is_some();
        self.tokens.push(record.token.clone());
        self.token_logprobs.push(record.logprob);
        self.top_logprobs.push(has_context.then(|| TopLogprobs::of(&record)));
        self.text_offset.push(offset);
        self.content.push(record);
    }
}

/// Makes records of the steps of one sequence, in order.
pub(super) struct Recorder<'a> {
    vocab: &'a Vocab,
    depth: Depth,
    sum: f64,
}

impl<'a> Recorder<'a> {
    pub fn new(vocab: &'a Vocab, depth: Depth) -> Recorder<'a> {
        Recorder { vocab, depth, sum: 0.0 }
    }

    /// Goes on from a sum.
    pub fn after(self, sum: f64) -> Recorder<'a> {
        Recorder { sum, ..self }
    }

    /// The record of the next step. Where tokens are named, its candidates are itself and those, as vLLM has
    /// it.
    pub fn record(&mut self, step: &Step, named: &[AnyToken]) -> StepRecord {
        self.sum += step.logprob().map_or(0.0, f64::from);
        let mut record = StepRecord::new(step, self.depth, self.sum, self.vocab);
        if let Some(stats) = step.stats.as_ref().filter(|_| !named.is_empty()) {
            record.top_logprobs.clear();
            for token in std::iter::once(&stats.of_token(step.id)).chain(named) {
                if !record.top_logprobs.iter().any(|known| known.id == Some(token.id)) {
                    record.top_logprobs.push(CandidateRecord::new(token, self.vocab));
                }
            }
            let shown = record.top_logprobs.iter().filter_map(|candidate| candidate.logprob);
            record.residual =
                Some((1.0 - shown.map(|logprob| f64::from(logprob).exp()).sum::<f64>()).max(0.0));
        }
        record
    }
}

/// vLLM's `prompt_logprobs`: for each token of the prompt but the first, its candidates and itself by id.
#[derive(Debug)]
pub(super) struct PromptLogprobs<'a> {
    pub steps: &'a [Step],
    pub depth: Depth,
    pub vocab: &'a Vocab,
}

impl Serialize for PromptLogprobs<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.steps.iter().map(|step| {
            step.stats.as_ref().map(|stats| {
                let (top, _) = stats.prediction.shown(stats.prediction.count(self.depth));
                let mut all: Vec<AnyToken> = top.iter().map(|candidate| (*candidate).into()).collect();
                if !all.iter().any(|token| token.id == step.id) {
                    all.push(stats.of_token(step.id));
                }
                PromptCandidates(all, self.vocab)
            })
        }))
    }
}

struct PromptCandidates<'a>(Vec<AnyToken>, &'a Vocab);

impl Serialize for PromptCandidates<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct PromptCandidate {
            logprob: Option<f32>,
            rank: Option<u32>,
            decoded_token: String,
        }
        let of = |token: &AnyToken| PromptCandidate {
            logprob: Some(token.logprob).filter(|logprob| logprob.is_finite()),
            rank: token.rank.exact(),
            decoded_token: self.1.text(token.id),
        };
        to.collect_map(self.0.iter().map(|token| (token.id.0.to_string(), of(token))))
    }
}

/// What a request has cost.
pub(super) fn usage(prompt: usize, completion: usize) -> serde_json::Value {
    json!({
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    })
}

/// Ids as numbers.
pub(super) fn numbers(ids: &[TokenId]) -> Vec<u32> {
    ids.iter().map(|id| id.0).collect()
}

#[cfg(test)]
mod tests;
