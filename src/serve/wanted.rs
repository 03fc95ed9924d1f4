//! The fields that both ways to generate have in common.

use std::sync::Arc;

use serde_json::{Value, json};

use super::error::ApiError;
use super::fields::{Fields, kind};
use super::prompt::PromptReader;
use super::sampling;
use super::server::Server;
use crate::distribution::Depth;
use crate::sampling::Sampling;
use crate::settings::Settings;
use crate::token::TokenId;

/// Most continuations of one prompt.
const MOST_CHOICES: i64 = 128;
/// Most texts that end a reply.
const MOST_STOPS: usize = 64;
/// Most bytes of one.
const LONGEST_STOP: usize = 1024;
/// Most candidates of an answer: with each goes its text, its bytes and its figures.
const MOST_CANDIDATES: usize = 1 << 20;

/// Fields that change nothing here, as they change no text with OpenAI.
pub(super) const WITHOUT_EFFECT: [&str; 7] = [
    "user",
    "metadata",
    "store",
    "service_tier",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
];

/// How a prompt is to be continued, and what is wanted of it.
#[derive(Clone, Debug)]
pub(super) struct GenerationWish {
    pub sampling: Sampling,
    /// Continuations given out, and of how many they are the most probable.
    pub n: usize,
    pub best_of: usize,
    pub max_tokens: Option<usize>,
    /// Candidates shown of each token; `None` for no figures.
    pub logprobs: Option<usize>,
    /// Tokens whose figures are shown at every generated one, in the place of the most probable ones.
    pub named: Vec<TokenId>,
    /// The same for the prompt's tokens.
    pub prompt_logprobs: Option<usize>,
    pub stops: Arc<[String]>,
    pub stream: bool,
    pub include_usage: bool,
}

impl GenerationWish {
    /// Reads them all; `logprobs` was read already, because its form differs.
    pub fn read(
        fields: &mut Fields,
        server: &Server,
        base: &Settings,
        logprobs: Option<usize>,
    ) -> Result<GenerationWish, ApiError> {
        let model = &server.served.model;
        let n = fields.whole("n", 1..=MOST_CHOICES)?.unwrap_or(1) as usize;
        let best_of = fields.whole("best_of", 1..=MOST_CHOICES)?.map_or(n, |best| best as usize);
        if best_of < n {
            return Err(ApiError::field("best_of", format!("must be at least \"n\", which is {n}")));
        }
        let stream = fields.flag("stream")?.unwrap_or(false);
        if stream && best_of > n {
            return Err(ApiError::field("best_of", "can't be streamed: the best are known at the end"));
        }
        let include_usage = match fields.value("stream_options") {
            None => false,
            Some(_) if !stream => {
                return Err(ApiError::field("stream_options", "belongs to \"stream\": true"));
            }
            Some(options) => {
                let mut options = Fields::within("stream_options", options)?;
                let include = options.flag("include_usage")?.unwrap_or(false);
                options.done(&["include_obfuscation"])?;
                include
            }
        };
        let longest = i64::from(model.context);
        let most = i64::MAX;
        let newer = fields.whole("max_completion_tokens", 0..=most)?;
        let max_tokens = newer.or(fields.whole("max_tokens", 0..=most)?).map(|n| n as usize);
        if max_tokens.is_some_and(|most| most as i64 > longest) {
            let what = format!("must be at most {longest}, the context of this server");
            return Err(ApiError::field("max_tokens", what).code("context_length_exceeded"));
        }
        let vocabulary = model.vocab.len() as i64;
        let prompt_logprobs = fields.whole("prompt_logprobs", -1..=vocabulary)?;
        if stream && prompt_logprobs.is_some() {
            return Err(ApiError::field("prompt_logprobs", "can't be streamed"));
        }
        let named = match fields.value("logprob_token_ids") {
            None => Vec::new(),
            Some(Value::Array(list)) if list.len() <= 1024 => {
                PromptReader::new(model, base, None, None)?.numbers("logprob_token_ids", list)?
            }
            Some(Value::Array(_)) => {
                return Err(ApiError::field("logprob_token_ids", "holds more than 1024 ids"));
            }
            Some(other) => {
                let what = format!("must be a list of token ids, not {}", kind(&other));
                return Err(ApiError::field("logprob_token_ids", what));
            }
        };
        if logprobs.is_none() && !named.is_empty() {
            return Err(ApiError::field(
                "logprob_token_ids",
                "belongs to \"logprobs\", which are not asked for",
            ));
        }
        Ok(GenerationWish {
            stops: stops(fields.value("stop"))?,
            sampling: sampling::read(fields, base, model.vocab.len())?,
            n,
            best_of,
            max_tokens,
            logprobs,
            named,
            prompt_logprobs: prompt_logprobs.map(|k| all_of(k, model.vocab.len())),
            stream,
            include_usage,
        })
    }

    /// How many tokens may follow a prompt of this length; `None` fills the context.
    pub fn longest(&self, prompt: usize, context: usize) -> Result<usize, ApiError> {
        let room = context.saturating_sub(prompt);
        match self.max_tokens {
            _ if prompt > context => Err(too_long(prompt, self.max_tokens.unwrap_or(0), context)),
            None if room == 0 => Err(too_long(prompt, 1, context)),
            None => Ok(room),
            Some(most) if most > room => Err(too_long(prompt, most, context)),
            Some(most) => Ok(most),
        }
    }

    /// Refuses figures of tokens to come where none come.
    pub fn must_generate(&self, longest: usize) -> Result<(), ApiError> {
        if self.named.is_empty() || longest > 0 {
            return Ok(());
        }
        let what = "is about generated tokens, and \"max_tokens\" asks for none";
        Err(ApiError::field("logprob_token_ids", what))
    }

    /// Refuses an answer that would be too large; `tokens` are all of those that have figures.
    pub fn must_be_short(&self, tokens: usize) -> Result<(), ApiError> {
        let Some(k) = self.logprobs.max(self.prompt_logprobs) else { return Ok(()) };
        let each = k.max(1) + self.named.len();
        if tokens.saturating_mul(each) <= MOST_CANDIDATES {
            return Ok(());
        }
        Err(ApiError::field(
            "logprobs",
            format!(
                "asks for {each} candidates of up to {tokens} tokens; at most {MOST_CANDIDATES} are given in one answer: lower it, \"max_tokens\" or the number of prompts"
            ),
        ))
    }

    /// Candidates that are kept of a step.
    pub fn depth(&self) -> Depth {
        Depth::Count(self.logprobs.max(self.prompt_logprobs).unwrap_or(0).max(1))
    }

    /// The i-th continuation's sampling.
    pub fn sampling_of(&self, i: usize) -> Sampling {
        let seed = (u64::from(self.sampling.seed) + i as u64) % u64::from(u32::MAX);
        Sampling { seed: seed as u32, ..self.sampling.clone() }
    }

    /// The seed, where anything is drawn.
    pub fn seed(&self) -> Option<u32> {
        (!self.sampling.is_greedy()).then_some(self.sampling.seed)
    }
}

fn too_long(prompt: usize, more: usize, context: usize) -> ApiError {
    let needed = prompt + more;
    ApiError::field(
        if prompt >= context { "prompt" } else { "max_tokens" },
        format!("is too long: {prompt} tokens of the prompt and {more} more are {needed}, and the context has {context}"),
    )
    .code("context_length_exceeded")
}

/// −1 asks for the whole vocabulary.
pub(super) fn all_of(k: i64, vocabulary: usize) -> usize {
    usize::try_from(k).unwrap_or(vocabulary)
}

fn stops(value: Option<Value>) -> Result<Arc<[String]>, ApiError> {
    let wrong = || {
        let what =
            format!("must be a text or a list of at most {MOST_STOPS} texts of at most {LONGEST_STOP} bytes");
        ApiError::field("stop", what)
    };
    let list = match value {
        None => return Ok(Arc::default()),
        Some(Value::Array(list)) if list.len() <= MOST_STOPS => list,
        Some(text @ Value::String(_)) => vec![text],
        Some(_) => return Err(wrong()),
    };
    let texts = list.into_iter().map(|entry| match entry {
        Value::String(text) if text.len() <= LONGEST_STOP => Ok(text),
        _ => Err(wrong()),
    });
    let texts: Vec<String> = texts.collect::<Result<_, _>>()?;
    // Every text holds the empty one; clients send it for a token they don't know.
    Ok(texts.into_iter().filter(|text| !text.is_empty()).collect())
}

/// What neither way has.
pub(super) fn refuse_others(fields: &mut Fields) -> Result<(), ApiError> {
    fields.refused("suffix", &[json!("")], "is not to be had: no text is put in between")?;
    fields.refused("modalities", &[json!(["text"])], "can only be [\"text\"]")
}
