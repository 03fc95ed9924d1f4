//! Another `tokenscope serve`: everything it computes, exact. Its vocabulary comes as a file without weights, so
//! that texts become tokens here as they do there.

use std::io::Write;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::check::{Checker, GivenFigures, PieceSpelling, TokenLine};
use super::choices;
use super::dialect::{AtOnce, Dialect, ScoreWish, Scores, WriteWish, object};
use super::served::{ListedModel, ServedModel, whole};
use super::wire::{Trouble, WireCall};
use crate::engine::gives::Gives;
use crate::engine::protocol::{FinishReason, LoadOptions, ModelInfo, Sequence};
use crate::engine::vocabulary;
use crate::model::gguf::Gguf;
use crate::model::{ServerAbout, Weights};
use crate::sampling::{Constraint, Sampling};
use crate::step::{Prediction, Step};
use crate::token::{TokenId, Vocab};

/// One of ours.
pub(super) struct Tokenscope {
    model: String,
    vocab: Arc<Vocab>,
    checker: Checker,
}

/// Asks what it serves, and takes over its vocabulary.
pub(super) fn open(
    call: WireCall,
    found: ListedModel,
    options: &LoadOptions,
) -> Result<(ModelInfo, Box<dyn Dialect>), Trouble> {
    let words = vocabulary(call, &found.name)?;
    let ListedModel { name, entry } = found;
    let provenance = &entry["provenance"];
    let text = |value: &Value| value.as_str().map(str::to_string);
    if let Some(tokens) = whole(&entry["vocabulary"]).filter(|&n| n as usize != words.vocab.len()) {
        let what = format!("it has {tokens} tokens and its vocabulary file {}", words.vocab.len());
        return Err(Trouble::wrong(what));
    }
    let about = ServerAbout {
        kind: format!("tokenscope {}", text(&provenance["version"]).unwrap_or_default()),
        file: text(&provenance["file"]),
        sha256: text(&provenance["sha256"]),
        exact: provenance["exact"] == json!(true),
        notes: Vec::new(),
    };
    let served = ServedModel {
        name: name.clone(),
        architecture: words.architecture.clone(),
        quantization: text(&provenance["quantization"]).unwrap_or_else(|| words.quantization.clone()),
        parameters: entry["parameters"].as_u64().unwrap_or(0),
        context: whole(&entry["max_model_len"])
            .ok_or_else(|| Trouble::wrong("it does not tell its context"))?,
        threads: whole(&provenance["threads"]).unwrap_or(0),
        gives: Gives { scores: true, candidates: None, ..Gives::NOTHING },
        chat_template: words.chat_template.clone(),
        weights: provenance["weights"].as_str().and_then(Weights::named),
        about,
    };
    let vocab = Arc::clone(&words.vocab);
    let checker = Checker { n_vocab: vocab.len() as u32 };
    let dialect = Tokenscope { model: name, vocab: Arc::clone(&vocab), checker };
    Ok((served.info(vocab, words.tokenizer, options), Box::new(dialect)))
}

/// The vocabulary's file is checked as any that somebody downloads.
fn vocabulary(call: WireCall, name: &str) -> Result<ModelInfo, Trouble> {
    let bytes = call.bytes("/vocabulary.gguf").map_err(|trouble| match trouble {
        Trouble::Refused(404, _) => {
            Trouble::wrong("it has no /vocabulary.gguf: it is of an earlier version, start it anew")
        }
        trouble => trouble,
    })?;
    let local = |error: std::io::Error| Trouble::wrong(format!("its vocabulary can't be kept: {error}"));
    let mut file = tempfile::NamedTempFile::new().map_err(local)?;
    file.write_all(&bytes).and_then(|()| file.flush()).map_err(local)?;
    let usable = Gguf::read(file.path()).and_then(|gguf| gguf.check_vocabulary().map(drop));
    usable.map_err(|error| Trouble::wrong(format!("its vocabulary: {}", error.fault)))?;
    vocabulary::load(file.path(), name).map_err(|error| Trouble::wrong(format!("its vocabulary: {error}")))
}

impl Dialect for Tokenscope {
    fn at_once(&self) -> AtOnce {
        AtOnce { sequences: 32, requests: 4 }
    }

    fn gives_prompts(&self) -> bool {
        true
    }

    fn score(&self, call: WireCall, asked: ScoreWish) -> Result<Vec<Scores>, Trouble> {
        let prompts: Vec<&[TokenId]> = asked.sequences.iter().map(|sequence| &sequence.tokens[..]).collect();
        let greedy = Sampling { greedy: true, ..Sampling::default() };
        let mut body = self.body(&greedy, asked.k)?;
        body.insert("prompt".to_string(), json!(prompts));
        body.insert("echo".to_string(), json!(true));
        body.insert("max_tokens".to_string(), json!(u8::from(asked.after)));
        let answer = call.post("/v1/completions", &Value::Object(body))?;
        self.must_be_mine(&answer)?;
        let choices = choices::all(answer)?;
        if choices.len() != asked.sequences.len() {
            return Err(Trouble::wrong("it answers for another number of texts than it was asked"));
        }
        choices
            .into_iter()
            .zip(asked.sequences)
            .map(|(choice, sequence)| self.scores(choice, sequence, asked))
            .collect()
    }

    fn write(
        &self,
        call: WireCall,
        asked: WriteWish,
        each: &mut dyn FnMut(Step) -> Result<(), Trouble>,
    ) -> Result<FinishReason, Trouble> {
        let mut body = self.body(asked.sampling, asked.k)?;
        body.insert("prompt".to_string(), json!(asked.prompt));
        body.insert("max_tokens".to_string(), json!(asked.max_tokens));
        body.insert("stream".to_string(), json!(true));
        let (mut spelling, mut reason) = (PieceSpelling::default(), None);
        call.stream("/v1/completions", &Value::Object(body), |event| {
            self.must_be_mine(&event)?;
            let Some(mut choice) = choices::streamed(event) else { return Ok(true) };
            spelling.text(choice["text"].as_str().unwrap_or_default());
            for line in lines(choices::taken(&mut choice, "logprobs")) {
                let step = self.step(line, asked.k)?;
                if !self.vocab.ends_generation(step.id) {
                    spelling.piece(self.vocab.bytes(step.id));
                }
                each(step)?;
            }
            reason = match choice["finish_reason"].as_str() {
                None => reason,
                Some("stop") => Some(FinishReason::Stop),
                Some(_) => Some(FinishReason::Length),
            };
            Ok(true)
        })?;
        spelling.check()?;
        reason.ok_or_else(|| Trouble::wrong("its answer ends without saying why"))
    }
}

impl Tokenscope {
    fn body(&self, sampling: &Sampling, k: usize) -> Result<Map<String, Value>, Trouble> {
        let mut body = fields(sampling)?;
        body.insert("model".to_string(), json!(self.model));
        body.insert("logprobs".to_string(), json!(k));
        Ok(body)
    }

    fn must_be_mine(&self, answer: &Value) -> Result<(), Trouble> {
        match answer["model"].as_str() {
            Some(model) if model == self.model => Ok(()),
            other => Err(Trouble::wrong(format!(
                "the answer is of another model ({}) than was asked ({})",
                other.unwrap_or("unnamed"),
                self.model
            ))),
        }
    }

    fn scores(&self, mut choice: Value, sequence: &Sequence, asked: ScoreWish) -> Result<Scores, Trouble> {
        let lines = lines(choices::taken(&mut choice, "logprobs"));
        let count = sequence.tokens.len();
        if lines.len() != count + usize::from(asked.after) {
            let what = format!("it has figures of {} tokens of a text of {count}", lines.len());
            return Err(Trouble::wrong(what));
        }
        let mut steps = Vec::with_capacity(count);
        let mut after = None;
        for (at, line) in lines.into_iter().enumerate().skip(sequence.from) {
            let step = self.step(line, asked.k)?;
            match sequence.tokens.get(at) {
                None => after = step.stats.map(|stats| stats.prediction),
                Some(&id) if id != step.id => {
                    return Err(Trouble::wrong(format!("it tells of token {} where {id} stands", step.id)));
                }
                Some(_) if at > 0 && step.stats.is_none() => {
                    return Err(Trouble::wrong(format!("it lacks the figures of token {}", at + 1)));
                }
                Some(_) => steps.push(step),
            }
        }
        match asked.after && after.is_none() {
            true => Err(Trouble::wrong("it lacks the figures of what comes after a text")),
            false => Ok(Scores { steps, after }),
        }
    }

    fn step(&self, line: Value, k: usize) -> Result<Step, Trouble> {
        let mut line = TokenLine::read(line)?;
        let id = line.id(&self.vocab)?;
        if line.logprob.is_none() && line.entropy.is_none() {
            return Ok(Step { id, stats: None });
        }
        impossible(&mut line);
        line.top_logprobs.iter_mut().for_each(impossible);
        let given = line.top_logprobs.iter().map(|line| line.given_with_rank(&self.vocab));
        let given = given.collect::<Result<_, _>>()?;
        let figures =
            GivenFigures { entropy: line.entropy, varentropy: line.varentropy, residual: line.residual };
        let prediction: Prediction = self.checker.prediction(given, k, figures)?;
        self.checker.step(line.given(&self.vocab)?, prediction, line.rank)
    }
}

/// A token that can't come has no log-probability in our own records.
fn impossible(line: &mut TokenLine) {
    line.logprob.get_or_insert(f64::NEG_INFINITY);
}

/// The list of records of a choice.
fn lines(mut logprobs: Value) -> Vec<Value> {
    match logprobs.get_mut("content").map(Value::take) {
        Some(Value::Array(lines)) => lines,
        _ => Vec::new(),
    }
}

/// A sampler chain as our own server takes it.
fn fields(sampling: &Sampling) -> Result<Map<String, Value>, Trouble> {
    let Sampling { xtc, mirostat, .. } = sampling;
    let mut fields = json!({
        "temperature": if sampling.is_greedy() { 0.0 } else { sampling.temperature },
        "top_k": sampling.top_k,
        "top_p": sampling.top_p,
        "min_p": sampling.min_p,
        "typical_p": sampling.typical,
        "top_n_sigma": sampling.top_n_sigma,
        "xtc_probability": xtc.map_or(0.0, |xtc| xtc.probability),
        "dry_multiplier": sampling.dry,
        "repeat_penalty": sampling.repeat_penalty,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "penalty_last_n": sampling.penalty_last_n,
        "mirostat": mirostat.map_or(0, |mirostat| mirostat.version),
        "seed": sampling.seed,
    });
    if let Some(xtc) = xtc {
        fields["xtc_threshold"] = json!(xtc.threshold);
    }
    if let Some(mirostat) = mirostat {
        fields["mirostat_tau"] = json!(mirostat.tau);
        fields["mirostat_eta"] = json!(mirostat.eta);
    }
    match &sampling.grammar {
        None => {}
        Some(Constraint::Gbnf(grammar)) => fields["grammar"] = json!(grammar.as_ref()),
        Some(Constraint::Schema(schema)) => {
            fields["json_schema"] = serde_json::from_str(schema)
                .map_err(|error| Trouble::wrong(format!("the schema can't be sent: {error}")))?;
        }
        Some(Constraint::Regex(regex)) => fields["regex"] = json!(regex.source),
    }
    Ok(object(fields))
}

#[cfg(test)]
mod tests;
