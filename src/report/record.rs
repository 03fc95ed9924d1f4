//! The JSON records: one shape of candidate, step and summary everywhere.
//!
//! Log-probabilities are natural and raw; `final_prob` is what the sampler chain left. A value that
//! does not exist is `null`, and `note` says why.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::distribution::Depth;
use crate::engine::{FinishReason, ModelInfo};
use crate::intervention::told;
use crate::model::Reason;
use crate::score::{IMPOSSIBLE, NO_CONTEXT, Score};
use crate::settings::{Bos, Settings};
use crate::step::{AnyToken, Candidate, Figure, Prediction, SamplerOutcome, Step, TokenStats};
use crate::token::{TokenId, Vocab, printable};

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
    /// Longest sequence; null where a server does not tell it.
    pub context: Option<u32>,
    /// Threads that may compute: as many as were set, else as there are cores for this process. How many do
    /// at a moment depends on what else runs and is no part of a result. Null where a server does not tell.
    pub threads: Option<u32>,
    /// Whether arithmetic was repeatable.
    pub exact: bool,
    /// Seed of the first reply; null where nothing is drawn and none was given.
    pub seed: Option<u32>,
    /// What was off or added, as it is written; left out where the model was as it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interventions: Vec<String>,
    /// Machines that computed layers; left out where this one computed them all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rpc: Vec<String>,
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
        let server = model.about.server.as_ref();
        let file = match server {
            // An address has no folder to leave out.
            Some(_) => model.path.to_string_lossy().into_owned(),
            None => model.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        };
        Origin {
            model: model.name.clone(),
            provenance: Provenance {
                file,
                sha256: sha256.or_else(|| server.and_then(|server| server.sha256.clone())),
                quantization: model.quantization.clone(),
                weights: model.about.weights.weights.name().to_string(),
                weights_reason: model.about.weights.reason.to_string(),
                bos: bos_name(settings.bos).into(),
                context: model.tells_context().then_some(model.context),
                threads: server.is_none_or(|_| model.threads > 0).then_some(model.threads),
                exact: server.map_or(settings.exact, |server| server.exact),
                seed: Some(settings.sampling.seed),
                interventions: settings.interventions().names(),
                rpc: match server {
                    None => settings.rpc.iter().map(ToString::to_string).collect(),
                    Some(_) => Vec::new(),
                },
                version: env!("CARGO_PKG_VERSION").into(),
            },
            bos: settings.bos.token(&model.vocab).map(|bos| model.vocab.text(bos)),
        }
    }

    /// Where the numbers come from, as names and values; a checksum that is not known is `None`.
    pub fn known(&self) -> Vec<(&'static str, Option<String>)> {
        let p = &self.provenance;
        let mut known = vec![
            ("file", Some(p.file.clone())),
            ("sha256", p.sha256.clone()),
            ("quantization", Some(p.quantization.clone())),
            ("weights", Some(p.weights.clone())),
            ("bos", Some(p.bos.to_string())),
            ("context", p.context.map(|context| context.to_string())),
            ("threads", p.threads.map(|threads| threads.to_string())),
            ("exact", Some(p.exact.to_string())),
            ("seed", p.seed.map(|seed| seed.to_string())),
            ("version", Some(p.version.to_string())),
        ];
        if !p.rpc.is_empty() {
            known.push(("rpc", Some(p.rpc.join(", "))));
        }
        if !p.interventions.is_empty() {
            known.push(("interventions", Some(p.interventions.join(", "))));
        }
        known
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
        let rpc = if p.rpc.is_empty() { String::new() } else { format!(" · rpc {}", p.rpc.join(", ")) };
        let changed = if p.interventions.is_empty() { "" } else { " · " };
        let changed = format!("{changed}{}", printable(&told(&p.interventions)));
        format!(
            "{} · {} · sha256 {hash} · weights {} ({}) · bos {} ({}) · ctx {} · {}{}{rpc}{seed}{changed} · tokenscope {}",
            self.model,
            p.quantization,
            p.weights,
            p.weights_reason,
            p.bos,
            self.bos.as_deref().unwrap_or("none"),
            p.context.map_or("not given".to_string(), |context| context.to_string()),
            p.threads.map_or("threads not given".to_string(), |threads| format!("{threads} threads")),
            if p.exact { " · exact" } else { "" },
            p.version
        )
    }
}

impl Provenance {
    /// How far a single token's ln p may be from `--exact`, in words: as measured with 270 tokens of two
    /// models, with weights as they were shipped. With interventions nobody measured it, and nobody knows what
    /// a server that does not tell computes in.
    pub fn tolerance(&self) -> Option<String> {
        let nats = match self.weights.as_str() {
            "f32" => 0.006,
            "f16" => 0.015,
            "bf16" => 0.12,
            _ => 0.5,
        };
        let told = || format!("single tokens within {nats} nat of --exact");
        let is_known = self.weights_reason != Reason::Untold.to_string();
        (!self.exact && self.interventions.is_empty() && is_known).then(told)
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

/// Stands for an id that a record does not tell.
const UNTOLD: TokenId = TokenId(u32::MAX);

/// One candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CandidateRecord {
    /// Text, with `<0xE4>` for a byte that is no character.
    pub token: String,
    /// Null where the server names none.
    pub id: Option<TokenId>,
    pub bytes: Vec<u8>,
    /// Raw ln p.
    pub logprob: Option<f32>,
    /// 1-based.
    pub rank: Option<u32>,
    /// Of a rank that is null because it is not known better.
    #[serde(default, skip_serializing_if = "Bounds::is_empty")]
    pub bounds: Bounds,
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
    pub fn new(candidate: &AnyToken, vocab: &Vocab) -> CandidateRecord {
        let logprob = finite(candidate.logprob);
        CandidateRecord {
            token: vocab.text(candidate.id),
            id: vocab.told(candidate.id),
            bytes: vocab.bytes(candidate.id).to_vec(),
            logprob,
            rank: candidate.rank.exact(),
            bounds: Bounds::of([("rank", candidate.rank.map(f64::from))]),
            final_prob: candidate.outcome.map(|outcome| outcome.prob),
            dropped_by: candidate.outcome.and_then(dropped_by).map(Cow::Borrowed),
            note: logprob.is_none().then_some(Cow::Borrowed(IMPOSSIBLE)),
        }
    }
}

impl CandidateRecord {
    /// The token of a record, as far as it is known.
    pub fn into_token(self) -> AnyToken {
        let bounds = self.bounds.0.get("rank").map(|bounds| Figure::Bounded(bounds.map(|rank| rank as u32)));
        AnyToken {
            id: self.id.unwrap_or(UNTOLD),
            logprob: self.logprob.unwrap_or(f32::NEG_INFINITY),
            rank: self.rank.map(Figure::Exact).or(bounds).unwrap_or(Figure::NotGiven),
            outcome: None,
        }
    }

    /// The candidate of a record, which has a rank.
    pub fn into_candidate(self) -> Option<Candidate> {
        let rank = self.rank?;
        let AnyToken { id, logprob, outcome, .. } = self.into_token();
        Some(Candidate { id, logprob, rank, outcome })
    }
}

/// One position of a sequence.
#[derive(Clone, Debug, Serialize)]
pub struct StepRecord {
    /// Text, with `<0xE4>` for a byte that is no character.
    pub token: String,
    /// Null where the server names none.
    pub id: Option<TokenId>,
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
    /// Of figures that are null because they are not known better.
    #[serde(skip_serializing_if = "Bounds::is_empty")]
    pub bounds: Bounds,
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
        let (top, residual) =
            prediction.map_or((Vec::new(), Figure::NotGiven), |prediction| top(prediction, k, vocab));
        StepRecord {
            token: vocab.text(step.id),
            id: vocab.told(step.id),
            bytes: vocab.bytes(step.id).to_vec(),
            logprob,
            rank: stats.and_then(|stats| stats.rank.exact()),
            entropy: prediction.and_then(|prediction| prediction.entropy.exact()),
            varentropy: prediction.and_then(|prediction| prediction.varentropy.exact()),
            residual: residual.exact(),
            bounds: stats.map_or_else(Bounds::default, |stats| Bounds::of_token(stats, residual)),
            cumulative_logprob: stats.and_then(|_| sum.is_finite().then_some(sum)),
            final_prob: stats.and_then(|stats| stats.outcome).map(|outcome| outcome.prob),
            top_logprobs: top,
            note,
        }
    }
}

/// The best candidates and the mass outside them.
pub fn top(prediction: &Prediction, k: Depth, vocab: &Vocab) -> (Vec<CandidateRecord>, Figure<f64>) {
    let (shown, residual) = prediction.shown(prediction.count(k));
    (shown.iter().map(|candidate| CandidateRecord::new(&(*candidate).into(), vocab)).collect(), residual)
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
    /// Σ ln p of the prompt's tokens that have context; `None` where their figures are not given.
    pub prompt_sum_logprob: Option<f64>,
}

impl SummaryRecord {
    /// The summary of a reply; without `prompt`, its figures are not given.
    pub fn new(
        text: String,
        finish_reason: FinishReason,
        score: Score,
        prompt: Option<Score>,
    ) -> SummaryRecord {
        let finite = |value: f64| value.is_finite().then_some(value);
        SummaryRecord {
            text,
            finish_reason,
            steps: score.tokens(),
            sum_logprob: finite(score.sum_logprob()),
            ppl: score.perplexity().and_then(finite),
            prompt_sum_logprob: prompt.and_then(|prompt| finite(prompt.sum_logprob())),
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

/// The least and the most that figures can be, by name, where that is all that is known of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bounds(BTreeMap<Cow<'static, str>, [f64; 2]>);

impl Bounds {
    /// Of the figures that have bounds.
    pub fn of(figures: impl IntoIterator<Item = (&'static str, Figure<f64>)>) -> Bounds {
        let bounded = figures.into_iter().filter_map(|(name, figure)| Some((name.into(), figure.bounds()?)));
        Bounds(bounded.collect())
    }

    /// Of a prediction, with the mass outside of what is shown of it.
    pub fn of_prediction(prediction: &Prediction, residual: Figure<f64>) -> Bounds {
        let Prediction { entropy, varentropy, .. } = prediction;
        Bounds::of([
            ("entropy", entropy.map(f64::from)),
            ("varentropy", varentropy.map(f64::from)),
            ("residual", residual),
        ])
    }

    /// Of a token in its distribution.
    pub fn of_token(stats: &TokenStats, residual: Figure<f64>) -> Bounds {
        let mut bounds = Bounds::of_prediction(&stats.prediction, residual);
        bounds.0.extend(Bounds::of([("rank", stats.rank.map(f64::from))]).0);
        bounds
    }

    /// Of an entropy, which may be missing altogether.
    pub fn of_entropy(entropy: Option<Figure<f32>>) -> Bounds {
        Bounds::of(entropy.map(|entropy| ("entropy", entropy.map(f64::from))))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One of them as people read it.
    pub fn shown(&self, name: &str, write: impl Fn(f64) -> String) -> Option<String> {
        self.0.get(name).map(|[low, high]| format!("{}–{}", write(*low), write(*high)))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, [f64; 2])> {
        self.0.iter().map(|(name, bounds)| (name.as_ref(), *bounds))
    }
}

fn finite(value: f32) -> Option<f32> {
    value.is_finite().then_some(value)
}

fn dropped_by(outcome: SamplerOutcome) -> Option<&'static str> {
    outcome.dropped_by.map(|stage| stage.name())
}
