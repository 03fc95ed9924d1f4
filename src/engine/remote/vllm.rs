//! vLLM: the figures of every token of a prompt, by id. Raw text goes out as ids; chats go out as messages, as with
//! other servers that speak OpenAI's HTTP.
//!
//! It tells no vocabulary: a token is spelled when it first comes, from what stands beside it, or by decoding it.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::check::{Checker, GivenFigures, PieceSpelling, TokenLine};
use super::choices;
use super::dialect::{AtOnce, Dialect, ScoreWish, Scores, WriteWish};
use super::marks::{MarkedPrompt, Marks, TEMPLATE};
use super::openai::{self, OpenAi};
use super::served::{ListedModel, ServedModel, whole};
use super::wire::{Trouble, Wire, WireCall};
use crate::engine::gives::Gives;
use crate::engine::protocol::{
    CancelFlag, FinishReason, LoadOptions, ModelInfo, Sequence, Tokenize, TokenizerLost,
};
use crate::model::ServerAbout;
use crate::sampling::Sampling;
use crate::step::{Prediction, Step};
use crate::token::{SpecialTokens, TokenId, Vocab, VocabEntry};

/// Ids of its vocabulary are below this.
const IDS: usize = 1 << 19;
/// Candidates it may allow; 20 where nobody says more.
const CANDIDATES: [usize; 4] = [100, 20, 5, 1];

/// One of them.
pub(super) struct Vllm {
    words: Words,
    marks: Marks,
    chat: OpenAi,
}

/// What it says of texts and ids.
#[derive(Clone)]
struct Words {
    model: String,
    vocab: Arc<Vocab>,
    /// A token before which others are decoded, so that a space at their beginning stays.
    anchor: TokenId,
}

/// Asks what it gives; one that does not tokenize is asked as others are.
pub(super) fn open(
    call: WireCall,
    wire: &Arc<Wire>,
    found: ListedModel,
    options: &LoadOptions,
) -> Result<(ModelInfo, Box<dyn Dialect>), Trouble> {
    let (bare, with) = match (ids(call, &found.name, "a", false), ids(call, &found.name, "a", true)) {
        (Ok(bare), Ok(with)) => (bare, with),
        (Err(Trouble::Refused(..)), _) | (_, Err(Trouble::Refused(..))) => {
            return openai::open(call, found, options);
        }
        (Err(trouble), _) | (_, Err(trouble)) => return Err(trouble),
    };
    let anchor = *bare.last().ok_or_else(|| Trouble::wrong("it gives no tokens of a text"))?;
    let Some(most) = most_candidates(call, &found.name, anchor)? else {
        return openai::open(call, found, options);
    };
    let bos = with.first().copied().filter(|first| bare.first() != Some(first));
    let special = SpecialTokens { bos, eos: None, add_bos: bos.is_some() };
    let (vocab, marks) = Marks::after(vec![VocabEntry::default(); IDS], special);
    let vocab = Arc::new(vocab);
    let words = Words { model: found.name.clone(), vocab: Arc::clone(&vocab), anchor };
    bos.into_iter().chain([anchor]).try_for_each(|id| words.spell(call, id, None))?;
    let served = ServedModel {
        name: found.name.clone(),
        architecture: String::new(),
        quantization: String::new(),
        parameters: 0,
        context: whole(&found.entry["max_model_len"])
            .ok_or_else(|| Trouble::wrong("it does not tell its context"))?,
        threads: 0,
        gives: Gives { scores: true, candidates: Some(most), ..Gives::NOTHING },
        chat_template: Some(TEMPLATE.to_string()),
        weights: None,
        about: ServerAbout {
            kind: "vLLM".to_string(),
            file: found.entry["root"].as_str().map(str::to_string),
            notes: vec![
                "the prompt of a chat is the server's own, and its tokens are known by their texts"
                    .to_string(),
                "special tokens written in a text are always recognised".to_string(),
            ],
            ..ServerAbout::default()
        },
    };
    let chat = OpenAi::of_vllm(found.name, Arc::clone(&vocab), marks);
    let tokenizer: Arc<dyn Tokenize> =
        Arc::new(VllmTokenizer { wire: Arc::clone(wire), words: words.clone() });
    Ok((served.info(vocab, tokenizer, options), Box::new(Vllm { words, marks, chat })))
}

/// The most candidates that it allows.
fn most_candidates(call: WireCall, model: &str, anchor: TokenId) -> Result<Option<usize>, Trouble> {
    for k in CANDIDATES {
        let body = json!({"model": model, "prompt": [anchor, anchor], "max_tokens": 1, "prompt_logprobs": k, "logprobs": k});
        match call.post("/v1/completions", &body) {
            Ok(answer) if answer["choices"][0]["prompt_logprobs"].is_array() => return Ok(Some(k)),
            Ok(_) => return Ok(None),
            Err(Trouble::Refused(..)) => {}
            Err(trouble) => return Err(trouble),
        }
    }
    Ok(None)
}

fn ids(call: WireCall, model: &str, text: &str, special: bool) -> Result<Vec<TokenId>, Trouble> {
    let body = json!({"model": model, "prompt": text, "add_special_tokens": special});
    let answer = call.post("/tokenize", &body)?;
    let list = answer["tokens"].as_array().ok_or_else(|| Trouble::wrong("it gives no tokens of a text"))?;
    let id = |value: &Value| whole(value).filter(|&id| (id as usize) < IDS).map(TokenId);
    list.iter().map(id).collect::<Option<_>>().ok_or_else(|| Trouble::wrong("a token of a text is no id"))
}

impl Words {
    /// Learns how a token is spelled, from what the server wrote beside it where that can be its bytes.
    fn spell(&self, call: WireCall, id: TokenId, beside: Option<&str>) -> Result<(), Trouble> {
        if id.index() >= IDS {
            return Err(Trouble::wrong(format!("token {id} is in no vocabulary that is known")));
        }
        if self.vocab.knows(id) {
            return Ok(());
        }
        let text = match beside.filter(|text| !text.is_empty() && !text.contains(char::REPLACEMENT_CHARACTER))
        {
            Some(text) => text.to_string(),
            None => {
                let (before, both) =
                    (self.decoded(call, &[self.anchor])?, self.decoded(call, &[self.anchor, id])?);
                match both.strip_prefix(&before) {
                    Some(text) if id != self.anchor => text.to_string(),
                    _ => self.decoded(call, &[id])?,
                }
            }
        };
        self.vocab.learn(id, text.as_bytes());
        Ok(())
    }

    fn decoded(&self, call: WireCall, ids: &[TokenId]) -> Result<String, Trouble> {
        let answer = call.post("/detokenize", &json!({"model": self.model, "tokens": ids}))?;
        let text = answer["prompt"].as_str().ok_or_else(|| Trouble::wrong("it decodes no tokens"))?;
        Ok(text.to_string())
    }

    /// Tokens by id, as lines with the most probable first.
    fn lines(&self, call: WireCall, mut all: Vec<TokenLine>) -> Result<Vec<TokenLine>, Trouble> {
        for line in &all {
            let id = line.id.map(TokenId).ok_or_else(|| Trouble::wrong("a token of its answer has no id"))?;
            self.spell(call, id, line.token.as_deref())?;
        }
        // Objects have no order.
        all.sort_by(|a, b| b.logprob.unwrap_or(0.0).total_cmp(&a.logprob.unwrap_or(0.0)));
        Ok(all)
    }

    /// The step of the token that stands somewhere, from all that is told of the place.
    fn step(&self, all: Vec<TokenLine>, id: TokenId, k: usize) -> Result<Step, Trouble> {
        let own = all.iter().find(|line| line.id == Some(id.0)).cloned();
        let own = own.ok_or_else(|| Trouble::wrong(format!("it lacks the figures of token {id}")))?;
        let prediction = self.prediction(all, k)?;
        let listed = prediction.top_logprobs.len() as u32;
        let rank = own.rank.filter(|&rank| rank > listed);
        Checker { n_vocab: 0 }.step(own.given(&self.vocab)?, prediction, rank)
    }

    fn prediction(&self, all: Vec<TokenLine>, k: usize) -> Result<Prediction, Trouble> {
        let top = all.iter().take(k).map(|line| line.given(&self.vocab)).collect::<Result<_, _>>()?;
        Checker { n_vocab: 0 }.prediction(top, k, GivenFigures::default())
    }
}

/// Tokenizes at the server.
struct VllmTokenizer {
    wire: Arc<Wire>,
    words: Words,
}

impl Tokenize for VllmTokenizer {
    fn tokenize(&self, text: &[u8], parse_special: bool) -> Vec<TokenId> {
        self.try_tokenize(text, parse_special).unwrap_or_default()
    }

    fn try_tokenize(&self, text: &[u8], _: bool) -> Result<Vec<TokenId>, TokenizerLost> {
        let text = String::from_utf8_lossy(text);
        let found = self.wire.watched(&CancelFlag::default(), |call| {
            let ids = ids(call, &self.words.model, &text, false)?;
            ids.iter().try_for_each(|&id| self.words.spell(call, id, None))?;
            Ok(ids)
        });
        found.map_err(|trouble| TokenizerLost(self.wire.error(trouble).to_string()))
    }
}

impl Dialect for Vllm {
    fn at_once(&self) -> AtOnce {
        AtOnce { sequences: 16, requests: 8 }
    }

    fn gives_prompts(&self) -> bool {
        true
    }

    fn score(&self, call: WireCall, asked: ScoreWish) -> Result<Vec<Scores>, Trouble> {
        let marked = |sequence: &Sequence| {
            self.marks.read(&sequence.tokens, &self.words.vocab).map(|prompt| prompt != MarkedPrompt::Raw)
        };
        if asked.sequences.iter().map(marked).collect::<Result<Vec<_>, _>>()?.contains(&true) {
            // The server writes the prompt of a chat itself, and tells nothing of it.
            let bare = |&id: &TokenId| Step { id, stats: None };
            let steps = |sequence: &Sequence| sequence.tokens.iter().skip(sequence.from).map(bare).collect();
            let none = |sequence| Scores { steps: steps(sequence), after: None };
            return match asked.after {
                true => self.chat.score(call, asked),
                false => Ok(asked.sequences.iter().map(none).collect()),
            };
        }
        let prompts: Vec<&[TokenId]> = asked.sequences.iter().map(|sequence| &sequence.tokens[..]).collect();
        let greedy = Sampling { greedy: true, ..Sampling::default() };
        let mut body = self.body(&greedy, asked.k)?;
        body.insert("prompt".to_string(), json!(prompts));
        body.insert("prompt_logprobs".to_string(), json!(asked.k));
        body.insert("max_tokens".to_string(), json!(1));
        let answer = call.post("/v1/completions", &Value::Object(body))?;
        self.must_be_mine(&answer)?;
        let mut choices = choices::all(answer)?;
        choices.sort_by_key(|choice| choice["index"].as_u64());
        let each = choices.into_iter().zip(asked.sequences);
        each.map(|(choice, sequence)| self.scores(call, choice, sequence, asked)).collect()
    }

    fn write(
        &self,
        call: WireCall,
        asked: WriteWish,
        each: &mut dyn FnMut(Step) -> Result<(), Trouble>,
    ) -> Result<FinishReason, Trouble> {
        if self.marks.read(asked.prompt, &self.words.vocab)? != MarkedPrompt::Raw {
            return self.chat.write(call, asked, each);
        }
        let mut body = self.body(asked.sampling, asked.k)?;
        body.insert("prompt".to_string(), json!(asked.prompt));
        body.insert("max_tokens".to_string(), json!(asked.max_tokens));
        body.insert("stream".to_string(), json!(true));
        let (mut spelling, mut reason) = (PieceSpelling::default(), None);
        call.stream("/v1/completions", &Value::Object(body), |event| {
            self.must_be_mine(&event)?;
            let Some(choice) = choices::streamed(event) else { return Ok(true) };
            spelling.text(choice["text"].as_str().unwrap_or_default());
            if let Some(ended) = choice["finish_reason"].as_str() {
                reason = Some(if ended == "length" { FinishReason::Length } else { FinishReason::Stop });
            }
            for (id, all) in listed(&choice["logprobs"])? {
                let step = self.words.step(self.words.lines(call, all)?, id, asked.k)?;
                spelling.piece(self.words.vocab.bytes(id));
                each(step)?;
            }
            Ok(true)
        })?;
        let reason = reason.ok_or_else(|| Trouble::wrong("its answer ends without saying why"))?;
        spelling.check_but_for_the_end(reason == FinishReason::Stop)?;
        Ok(reason)
    }
}

impl Vllm {
    /// Figures depend on what was cached, unless nothing was.
    fn body(&self, sampling: &Sampling, k: usize) -> Result<Map<String, Value>, Trouble> {
        use std::hash::{BuildHasher, Hasher};
        let salt = std::collections::hash_map::RandomState::new().build_hasher().finish();
        let mut body = self.chat.fields(sampling)?;
        body.insert("model".to_string(), json!(self.words.model));
        body.insert("logprobs".to_string(), json!(k));
        body.insert("return_tokens_as_token_ids".to_string(), json!(true));
        body.insert("add_special_tokens".to_string(), json!(false));
        body.insert("cache_salt".to_string(), json!(format!("{salt:016x}")));
        Ok(body)
    }

    fn must_be_mine(&self, answer: &Value) -> Result<(), Trouble> {
        let model = answer["model"].as_str().unwrap_or("unnamed");
        match model == self.words.model {
            true => Ok(()),
            false => Err(Trouble::wrong(format!(
                "the answer is of another model ({model}) than was asked ({})",
                self.words.model
            ))),
        }
    }

    fn scores(
        &self,
        call: WireCall,
        choice: Value,
        sequence: &Sequence,
        asked: ScoreWish,
    ) -> Result<Scores, Trouble> {
        let places = choice["prompt_logprobs"].as_array().map_or(&[][..], Vec::as_slice);
        let count = sequence.tokens.len();
        if places.len() != count {
            let what = format!("it has figures of {} tokens of a text of {count}", places.len());
            return Err(Trouble::wrong(what));
        }
        let mut steps = Vec::with_capacity(count);
        for (at, (&id, place)) in sequence.tokens.iter().zip(places).enumerate().skip(sequence.from) {
            if at == 0 {
                steps.push(Step { id, stats: None });
                continue;
            }
            let mut all = Vec::new();
            for (id, line) in place.as_object().into_iter().flatten() {
                let mut line = TokenLine::read(line.clone())?;
                line.id = id.parse().ok();
                all.push(line);
            }
            steps.push(self.words.step(self.words.lines(call, all)?, id, asked.k)?);
        }
        let after = match asked.after {
            true => {
                let next = listed(&choice["logprobs"])?.into_iter().next();
                let (_, all) =
                    next.ok_or_else(|| Trouble::wrong("it lacks the figures of what comes after a text"))?;
                Some(self.words.prediction(self.words.lines(call, all)?, asked.k)?)
            }
            false => None,
        };
        Ok(Scores { steps, after })
    }
}

/// Written tokens with all that is told of their places: `{"token_id:5": -0.1}`.
fn listed(logprobs: &Value) -> Result<Vec<(TokenId, Vec<TokenLine>)>, Trouble> {
    let id = |text: &str| {
        let id = text.strip_prefix("token_id:").and_then(|id| id.parse().ok());
        id.ok_or_else(|| Trouble::wrong("it names tokens by their texts, and was asked for their ids"))
    };
    let line = |(text, logprob): (&String, &Value)| {
        Ok(TokenLine { id: Some(id(text)?), logprob: logprob.as_f64(), ..TokenLine::default() })
    };
    let tokens = logprobs["tokens"].as_array().map_or(&[][..], Vec::as_slice);
    let each = tokens.iter().enumerate().map(|(at, token)| {
        let all = logprobs["top_logprobs"][at].as_object().into_iter().flatten().map(line);
        Ok((TokenId(id(token.as_str().unwrap_or_default())?), all.collect::<Result<_, Trouble>>()?))
    });
    each.collect()
}

#[cfg(test)]
mod tests;
