//! Servers that speak OpenAI's HTTP and name no ids: Ollama, llama-cpp-python, OpenAI's own and most others.
//!
//! Their tokens are known by their texts, and become ids here as they come. A chat goes out as its messages, so that
//! the template is the server's. How many candidates it gives, and whether from before its sampler, is asked once.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::check::{Checker, GivenFigures, PieceSpelling, TokenLine};
use super::choices;
use super::dialect::{AtOnce, Dialect, ScoreWish, Scores, WriteWish, object};
use super::marks::{ByteTokenizer, MarkedPrompt, Marks, TEMPLATE, bytes};
use super::served::{ListedModel, ServedModel, whole};
use super::wire::{Trouble, WireCall};
use crate::engine::gives::Gives;
use crate::engine::protocol::{FinishReason, LoadOptions, ModelInfo, UNTOLD_CONTEXT};
use crate::model::ServerAbout;
use crate::sampling::{Constraint, Sampling};
use crate::step::{Prediction, Step};
use crate::token::{SpecialTokens, TokenId, Vocab};

/// Above this no limit of a reply is sent.
const MOST_TOKENS: usize = 1 << 17;

/// One of many.
pub(super) struct OpenAi {
    model: String,
    vocab: Arc<Vocab>,
    marks: Marks,
    /// Whether it gives log-probabilities.
    logprobs: bool,
    /// Whether it takes grammars and regular expressions, as vLLM does.
    structured: bool,
}

/// What a server gives, as it showed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct ShownAbility {
    /// Candidates of a token; `None` where it gives no log-probabilities.
    pub candidates: Option<usize>,
    /// Whether its figures are what its sampler left.
    pub after_sampler: bool,
}

/// Asks what it gives.
pub(super) fn open(
    call: WireCall,
    found: ListedModel,
    options: &LoadOptions,
) -> Result<(ModelInfo, Box<dyn Dialect>), Trouble> {
    let shown = ask_for_candidates(call, &found.name)?;
    let (vocab, marks) = Marks::after(ByteTokenizer::entries(), SpecialTokens::default());
    let vocab = Arc::new(vocab.nameless());
    let context = ["max_model_len", "context_length", "max_context_length"]
        .iter()
        .find_map(|name| whole(&found.entry[name]));
    let mut notes = vec![
        "its tokens are known by their texts; a text to continue is a token a byte, and the prompt of a chat is the server's own".to_string(),
    ];
    if shown.after_sampler {
        notes.push("its log-probabilities are from after its sampler".to_string());
    }
    if shown.candidates.is_none() {
        notes.push("it gives no log-probabilities: a reply's pieces are what it sent at a time".to_string());
    }
    if context.is_none() {
        notes.push("it does not tell its context".to_string());
    }
    let served = ServedModel {
        name: found.name.clone(),
        architecture: String::new(),
        quantization: String::new(),
        parameters: 0,
        context: context.unwrap_or(UNTOLD_CONTEXT),
        threads: 0,
        gives: Gives { candidates: Some(shown.candidates.unwrap_or(0)), ..Gives::NOTHING },
        chat_template: Some(TEMPLATE.to_string()),
        weights: None,
        about: ServerAbout { kind: kind(call, &found), notes, ..ServerAbout::default() },
    };
    let dialect = OpenAi {
        model: found.name,
        vocab: Arc::clone(&vocab),
        marks,
        logprobs: shown.candidates.is_some(),
        structured: false,
    };
    Ok((served.info(vocab, bytes(marks), options), Box::new(dialect)))
}

/// What people call it.
fn kind(call: WireCall, found: &ListedModel) -> String {
    let version =
        |path: &str| call.get(path).ok().and_then(|answer| answer["version"].as_str().map(str::to_string));
    match found.owner() {
        "library" => format!("ollama {}", version("/api/version").unwrap_or_default()),
        "" => "an OpenAI-compatible server".to_string(),
        owner => format!("an OpenAI-compatible server ({owner})"),
    }
}

/// Has one token written, to see what comes with it.
pub(super) fn ask_for_candidates(call: WireCall, model: &str) -> Result<ShownAbility, Trouble> {
    let ask = |k: usize, more: &[(&str, Value)]| {
        let mut body = json!({
            "model": model, "messages": [{"role": "user", "content": "Say yes or no."}], "max_tokens": 1,
            "temperature": 1.0, "logprobs": true, "top_logprobs": k,
        });
        more.iter().for_each(|(name, value)| body[*name] = value.clone());
        let answer = call.post("/v1/chat/completions", &body)?;
        Ok(lines(choices::first(answer)?)?.into_iter().next().map(|line| line.top_logprobs.len()))
    };
    for k in [20, 5] {
        match ask(k, &[]) {
            Err(Trouble::Refused(..)) => continue,
            Err(trouble) => return Err(trouble),
            Ok(None) => return Ok(ShownAbility::default()),
            Ok(Some(candidates)) => {
                let narrow = ask(k, &[("top_k", json!(1))]).ok().flatten();
                let after_sampler = candidates > 1 && narrow.is_some_and(|left| left <= 1);
                return Ok(ShownAbility { candidates: Some(candidates.min(k)), after_sampler });
            }
        }
    }
    Ok(ShownAbility::default())
}

impl Dialect for OpenAi {
    fn at_once(&self) -> AtOnce {
        AtOnce { sequences: 1, requests: 4 }
    }

    fn gives_prompts(&self) -> bool {
        false
    }

    /// Of a text only what comes after it.
    fn score(&self, call: WireCall, asked: ScoreWish) -> Result<Vec<Scores>, Trouble> {
        let greedy = Sampling { greedy: true, ..Sampling::default() };
        let each = asked.sequences.iter().map(|sequence| {
            let wish = WriteWish { prompt: &sequence.tokens, sampling: &greedy, max_tokens: 1, k: asked.k };
            let (path, body) = self.request(wish)?;
            let answer = call.post(path, &Value::Object(body))?;
            self.must_be_mine(&answer)?;
            let line = lines(choices::first(answer)?)?.into_iter().next();
            let line =
                line.ok_or_else(|| Trouble::wrong("it gives no log-probabilities of what comes next"))?;
            let after = self.step(line, asked.k)?.stats.map(|stats| stats.prediction);
            Ok(Scores { steps: Vec::new(), after })
        });
        each.collect()
    }

    fn write(
        &self,
        call: WireCall,
        asked: WriteWish,
        each: &mut dyn FnMut(Step) -> Result<(), Trouble>,
    ) -> Result<FinishReason, Trouble> {
        let (path, mut body) = self.request(asked)?;
        body.insert("stream".to_string(), json!(true));
        let (mut spelling, mut reason) = (PieceSpelling::default(), None);
        call.stream(path, &Value::Object(body), |event| {
            self.must_be_mine(&event)?;
            let Some(choice) = choices::streamed(event) else { return Ok(true) };
            let texts = [&choice["text"], &choice["delta"]["reasoning_content"], &choice["delta"]["content"]];
            let text: String = texts.into_iter().filter_map(Value::as_str).collect();
            spelling.text(&text);
            if let Some(ended) = choice["finish_reason"].as_str() {
                reason = Some(if ended == "length" { FinishReason::Length } else { FinishReason::Stop });
            }
            if !self.logprobs && !text.is_empty() {
                spelling.piece(text.as_bytes());
                return each(Step { id: self.named(text.as_bytes(), 0)?, stats: None }).map(|()| true);
            }
            for line in lines(choice)? {
                let step = self.step(line, asked.k)?;
                spelling.piece(self.vocab.bytes(step.id));
                each(step)?;
            }
            Ok(true)
        })?;
        let reason = reason.ok_or_else(|| Trouble::wrong("its answer ends without saying why"))?;
        spelling.check_but_for_the_end(reason == FinishReason::Stop)?;
        Ok(reason)
    }
}

impl OpenAi {
    /// vLLM, with a vocabulary of its own.
    pub fn of_vllm(model: String, vocab: Arc<Vocab>, marks: Marks) -> OpenAi {
        OpenAi { model, vocab, marks, logprobs: true, structured: true }
    }

    /// A sampler chain, as far as it takes one.
    pub fn fields(&self, sampling: &Sampling) -> Result<Map<String, Value>, Trouble> {
        let rule = match &sampling.grammar {
            Some(Constraint::Gbnf(grammar)) if self.structured => json!({"grammar": grammar.as_ref()}),
            Some(Constraint::Regex(regex)) if self.structured => json!({"regex": regex.source}),
            _ => return fields(sampling),
        };
        let mut fields = fields(&Sampling { grammar: None, ..sampling.clone() })?;
        fields.insert("structured_outputs".to_string(), rule);
        Ok(fields)
    }

    fn request(&self, asked: WriteWish) -> Result<(&'static str, Map<String, Value>), Trouble> {
        let mut body = self.fields(asked.sampling)?;
        body.insert("model".to_string(), json!(self.model));
        if asked.max_tokens <= MOST_TOKENS {
            body.insert("max_tokens".to_string(), json!(asked.max_tokens));
        }
        match self.marks.read(asked.prompt, &self.vocab)? {
            MarkedPrompt::Messages(messages) => {
                body.insert("messages".to_string(), messages);
                if self.logprobs {
                    body.insert("logprobs".to_string(), json!(true));
                    body.insert("top_logprobs".to_string(), json!(asked.k));
                }
                Ok(("/v1/chat/completions", body))
            }
            MarkedPrompt::Raw => {
                let text = self.vocab.concat(asked.prompt.iter().copied());
                let text = String::from_utf8(text)
                    .map_err(|_| Trouble::wrong("a server takes text that is UTF-8"))?;
                body.insert("prompt".to_string(), json!(text));
                if self.logprobs {
                    body.insert("logprobs".to_string(), json!(asked.k));
                }
                Ok(("/v1/completions", body))
            }
        }
    }

    /// Some servers answer with a longer name of the same model.
    fn must_be_mine(&self, answer: &Value) -> Result<(), Trouble> {
        match answer["model"].as_str() {
            Some(model) if !model.starts_with(&self.model) && !self.model.starts_with(model) => {
                Err(Trouble::wrong(format!(
                    "the answer is of another model ({model}) than was asked ({})",
                    self.model
                )))
            }
            _ => Ok(()),
        }
    }

    /// The id of a text: the n-th token that is spelled so in one list.
    fn named(&self, text: &[u8], nth: u32) -> Result<TokenId, Trouble> {
        self.vocab.name(text, nth).ok_or_else(|| Trouble::wrong("it has named more tokens than can be kept"))
    }

    fn step(&self, mut line: TokenLine, k: usize) -> Result<Step, Trouble> {
        let mut seen: Vec<Vec<u8>> = Vec::new();
        for candidate in &mut line.top_logprobs {
            let text = candidate.text()?;
            let nth = seen.iter().filter(|before| **before == text).count();
            candidate.id = Some(self.named(&text, nth as u32)?.0);
            seen.push(text);
        }
        // Of several with its text it is the one with its log-probability.
        let text = line.text()?;
        let nth = line.top_logprobs.iter().zip(&seen).filter(|(_, known)| **known == text);
        let nth = nth.map(|(other, _)| other.logprob).position(|logprob| logprob == line.logprob);
        line.id = Some(self.named(&text, nth.unwrap_or(0) as u32)?.0);
        let given = line.top_logprobs.iter().map(|line| line.given(&self.vocab)).collect::<Result<_, _>>()?;
        let checker = Checker { n_vocab: 0 };
        let prediction: Prediction = checker.prediction(given, k, GivenFigures::default())?;
        checker.step(line.given(&self.vocab)?, prediction, None)
    }
}

/// The tokens of a choice, as chats list them or in the older arrays.
pub(super) fn lines(mut choice: Value) -> Result<Vec<TokenLine>, Trouble> {
    let mut logprobs = choices::taken(&mut choice, "logprobs");
    if let Value::Array(content) = choices::taken(&mut logprobs, "content") {
        return content.into_iter().map(TokenLine::read).collect();
    }
    let Some(tokens) = logprobs["tokens"].as_array() else { return Ok(Vec::new()) };
    let line = |(i, token): (usize, &Value)| {
        let own = json!({"token": token, "logprob": logprobs["token_logprobs"][i]});
        let mut line = TokenLine::read(own)?;
        for (token, logprob) in logprobs["top_logprobs"][i].as_object().into_iter().flatten() {
            line.top_logprobs.push(TokenLine::read(json!({"token": token, "logprob": logprob}))?);
        }
        // Objects have no order.
        line.top_logprobs.sort_by(|a, b| b.logprob.unwrap_or(0.0).total_cmp(&a.logprob.unwrap_or(0.0)));
        Ok(line)
    };
    tokens.iter().enumerate().map(line).collect()
}

/// A sampler chain as far as OpenAI names it; what it does not name goes under the names that others took to, and only
/// where it is set.
fn fields(sampling: &Sampling) -> Result<Map<String, Value>, Trouble> {
    let raw = Sampling::default();
    let mut fields = json!({
        "temperature": if sampling.is_greedy() { 0.0 } else { sampling.temperature },
        "top_p": if sampling.is_greedy() { 1.0 } else { sampling.top_p },
        "seed": sampling.seed,
    });
    let others: [(&str, f32, f32); 6] = [
        ("top_k", sampling.top_k as f32, raw.top_k as f32),
        ("min_p", sampling.min_p, raw.min_p),
        ("typical_p", sampling.typical, raw.typical),
        ("repetition_penalty", sampling.repeat_penalty, raw.repeat_penalty),
        ("presence_penalty", sampling.presence_penalty, raw.presence_penalty),
        ("frequency_penalty", sampling.frequency_penalty, raw.frequency_penalty),
    ];
    for (name, value, neutral) in others {
        if value != neutral && !sampling.is_greedy() {
            fields[name] = if name == "top_k" { json!(sampling.top_k) } else { json!(value) };
        }
    }
    let refused = [
        ("--xtc", sampling.xtc.is_some()),
        ("--dry", sampling.dry > 0.0),
        ("--mirostat", sampling.mirostat.is_some()),
        ("--top-n-sigma", sampling.top_n_sigma > 0.0),
    ];
    if let Some((flag, _)) = refused.iter().find(|(_, set)| *set && !sampling.is_greedy()) {
        return Err(Trouble::wrong(format!("this server has no {flag}: leave it out")));
    }
    match &sampling.grammar {
        None => {}
        Some(Constraint::Schema(schema)) => {
            let schema: Value = serde_json::from_str(schema)
                .map_err(|error| Trouble::wrong(format!("the schema can't be sent: {error}")))?;
            fields["response_format"] = json!({"type": "json_schema", "json_schema": {"name": "reply", "strict": true, "schema": schema}});
        }
        Some(_) => {
            return Err(Trouble::wrong(
                "this server takes no grammar and no regular expression: give a JSON schema",
            ));
        }
    }
    Ok(object(fields))
}

#[cfg(test)]
mod tests;
