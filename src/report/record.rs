//! The JSON records: one shape of candidate, step and summary everywhere.
//!
//! Log-probabilities are natural and raw; `final_prob` is what the sampler chain left. A value that
//! does not exist is `null`, and `note` says why.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::distribution::Depth;
use crate::engine::{FinishReason, ModelInfo};
use crate::score::{IMPOSSIBLE, NO_CONTEXT, Score};
use crate::settings::{Bos, Settings};
use crate::step::{Candidate, Prediction, SamplerOutcome, Step};
use crate::token::{TokenId, Vocab};

/// Where numbers come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// The model's file name.
    pub file: String,
    /// Its checksum, where it is known.
    pub sha256: Option<String>,
    /// As llama.cpp names it.
    pub quantization: String,
    /// Format the weights were computed in.
    pub weights: String,
    /// Why in this one.
    #[serde(default)]
    pub weights_reason: String,
    /// The policy for raw text.
    pub bos: Cow<'static, str>,
    /// Longest sequence.
    pub context: u32,
    /// Threads that may compute: as many as were set, else as there are cores for this process. How many do
    /// at a moment depends on what else runs and is no part of a result.
    pub threads: u32,
    /// Whether arithmetic was repeatable.
    pub exact: bool,
    /// Seed of the first reply; null where nothing is drawn and none was given.
    pub seed: Option<u32>,
    /// Of tokenscope.
    pub version: Cow<'static, str>,
}

/// A model's name and where its numbers come from: fields of the first record of every stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// The model's name.
    pub model: String,
    /// The rest.
    pub provenance: Provenance,
    /// The token that goes before raw text, as it is written; for the header.
    #[serde(skip)]
    pub bos: Option<String>,
}

impl Origin {
    /// What is known of a loaded model.
    pub fn new(model: &ModelInfo, settings: &Settings, sha256: Option<String>) -> Origin {
        Origin {
            model: model.name.clone(),
            provenance: Provenance {
                file: model.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                sha256,
                quantization: model.quantization.clone(),
                weights: model.about.weights.weights.name().to_string(),
                weights_reason: model.about.weights.reason.to_string(),
                bos: bos_name(settings.bos).into(),
                context: model.context,
                threads: model.threads,
                exact: settings.exact,
                seed: Some(settings.sampling.seed),
                version: env!("CARGO_PKG_VERSION").into(),
            },
            bos: settings.bos.token(&model.vocab).map(|bos| model.vocab.text(bos)),
        }
    }

    /// One line for people about a vocabulary: nothing is computed, so that only what decides ids counts.
    pub fn vocabulary_header(&self) -> String {
        let p = &self.provenance;
        let hash = p.sha256.as_deref().map_or("unknown", short_hash);
        let bos = self.bos.as_deref().unwrap_or("none");
        format!("{} · sha256 {hash} · bos {} ({bos}) · tokenscope {}", self.model, p.bos, p.version)
    }

    /// One line for people.
    pub fn header(&self) -> String {
        let p = &self.provenance;
        let hash = p.sha256.as_deref().map_or("unknown", short_hash);
        let seed = p.seed.map_or(String::new(), |seed| format!(" · seed {seed}"));
        format!(
            "{} · {} · sha256 {hash} · weights {} ({}) · bos {} ({}) · ctx {} · {} threads{}{seed} · tokenscope {}",
            self.model,
            p.quantization,
            p.weights,
            p.weights_reason,
            p.bos,
            self.bos.as_deref().unwrap_or("none"),
            p.context,
            p.threads,
            if p.exact { " · exact" } else { "" },
            p.version
        )
    }
}

fn short_hash(hash: &str) -> &str {
    &hash[..hash.len().min(12)]
}

/// The policy's name, as on the command line.
pub fn bos_name(bos: Bos) -> &'static str {
    match bos {
        Bos::Auto => "auto",
        Bos::Always => "always",
        Bos::Never => "never",
    }
}

/// One candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CandidateRecord {
    /// Text, with `<0xE4>` for a byte that is no character.
    pub token: String,
    /// Its id.
    pub id: TokenId,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Raw ln p.
    pub logprob: Option<f32>,
    /// 1-based.
    pub rank: u32,
    /// After the sampler chain.
    pub final_prob: Option<f32>,
    /// The stage that removed it.
    pub dropped_by: Option<Cow<'static, str>>,
    /// Why a value is null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Cow<'static, str>>,
}

impl CandidateRecord {
    /// The record of a candidate.
    pub fn new(candidate: &Candidate, vocab: &Vocab) -> CandidateRecord {
        let logprob = finite(candidate.logprob);
        CandidateRecord {
            token: vocab.text(candidate.id),
            id: candidate.id,
            bytes: vocab.bytes(candidate.id).to_vec(),
            logprob,
            rank: candidate.rank,
            final_prob: candidate.outcome.map(|outcome| outcome.prob),
            dropped_by: candidate.outcome.and_then(dropped_by).map(Cow::Borrowed),
            note: logprob.is_none().then_some(Cow::Borrowed(IMPOSSIBLE)),
        }
    }
}

/// One position of a sequence.
#[derive(Clone, Debug, Serialize)]
pub struct StepRecord {
    /// Text, with `<0xE4>` for a byte that is no character.
    pub token: String,
    /// Its id.
    pub id: TokenId,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Raw ln p.
    pub logprob: Option<f32>,
    /// 1-based.
    pub rank: Option<u32>,
    /// Nats.
    pub entropy: Option<f32>,
    /// Nats².
    pub varentropy: Option<f32>,
    /// Probability outside `top_logprobs`.
    pub residual: Option<f64>,
    /// Σ ln p so far.
    pub cumulative_logprob: Option<f64>,
    /// After the sampler chain.
    pub final_prob: Option<f32>,
    /// The k best, by (ln p, id).
    pub top_logprobs: Vec<CandidateRecord>,
    /// Why a value is null.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<&'static str>,
}

impl StepRecord {
    /// The record of a step that shows candidates to this depth; `sum` is Σ ln p up to and with it.
    pub fn new(step: &Step, k: Depth, sum: f64, vocab: &Vocab) -> StepRecord {
        let stats = step.stats.as_ref();
        let logprob = stats.and_then(|stats| finite(stats.logprob));
        let note = match (stats, logprob) {
            (None, _) => Some(NO_CONTEXT),
            (Some(_), None) => Some(IMPOSSIBLE),
            _ => None,
        };
        let prediction = stats.map(|stats| &stats.prediction);
        let (top, residual) = prediction.map_or((Vec::new(), None), |prediction| top(prediction, k, vocab));
        StepRecord {
            token: vocab.text(step.id),
            id: step.id,
            bytes: vocab.bytes(step.id).to_vec(),
            logprob,
            rank: stats.map(|stats| stats.rank),
            entropy: prediction.map(|prediction| prediction.entropy),
            varentropy: prediction.map(|prediction| prediction.varentropy),
            residual,
            cumulative_logprob: stats.and_then(|_| sum.is_finite().then_some(sum)),
            final_prob: stats.and_then(|stats| stats.outcome).map(|outcome| outcome.prob),
            top_logprobs: top,
            note,
        }
    }
}

/// The best candidates and the mass outside them.
pub fn top(prediction: &Prediction, k: Depth, vocab: &Vocab) -> (Vec<CandidateRecord>, Option<f64>) {
    let (shown, residual) = prediction.shown(prediction.count(k));
    (shown.iter().map(|candidate| CandidateRecord::new(candidate, vocab)).collect(), Some(residual))
}

/// The end of a generated sequence.
#[derive(Clone, Debug, Serialize)]
pub struct SummaryRecord {
    /// What was generated.
    pub text: String,
    /// Why it ended.
    pub finish_reason: FinishReason,
    /// Tokens generated, the one that ended it included.
    pub steps: usize,
    /// Σ ln p of them.
    pub sum_logprob: Option<f64>,
    /// exp of their mean surprisal.
    pub ppl: Option<f64>,
    /// Σ ln p of the prompt's tokens that have context.
    pub prompt_sum_logprob: Option<f64>,
}

impl SummaryRecord {
    /// The summary of a reply.
    pub fn new(text: String, finish_reason: FinishReason, score: Score, prompt: Score) -> SummaryRecord {
        let finite = |value: f64| value.is_finite().then_some(value);
        SummaryRecord {
            text,
            finish_reason,
            steps: score.tokens(),
            sum_logprob: finite(score.sum_logprob()),
            ppl: score.perplexity().and_then(finite),
            prompt_sum_logprob: finite(prompt.sum_logprob()),
        }
    }
}

/// A record of a stream: its type, the fields of the stream's first record, and the record itself.
#[derive(Clone, Debug, Serialize)]
pub struct Streamed<'a, T> {
    /// `step`, `item`, `summary` or `comparison`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Which message of a conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<usize>,
    /// Present in the first record.
    #[serde(flatten)]
    pub origin: Option<&'a Origin>,
    /// The record.
    #[serde(flatten)]
    pub record: T,
}

fn finite(value: f32) -> Option<f32> {
    value.is_finite().then_some(value)
}

fn dropped_by(outcome: SamplerOutcome) -> Option<&'static str> {
    outcome.dropped_by.map(|stage| stage.name())
}
