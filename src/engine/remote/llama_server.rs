//! llama-server: the raw distribution of every token it writes, any number of candidates. It scores no text, but it
//! can be made to write one: each token is forced after its prefix, and what it says of a token that it writes is the
//! probability before anything was forced.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value, json};

use super::check::{Checker, GivenFigures, PieceSpelling, TokenLine};
use super::dialect::{AtOnce, Dialect, ScoreWish, Scores, WriteWish, object};
use super::llama_words::{FORCED, ServerTokenizer, VocabularyWish, ids, vocabulary};
use super::served::{ListedModel, ServedModel, whole};
use super::wire::{Trouble, Wire, WireCall};
use crate::engine::gives::Gives;
use crate::engine::protocol::{FinishReason, LoadOptions, ModelInfo, Sequence, Tokenize};
use crate::model::ServerAbout;
use crate::sampling::{Constraint, Sampling};
use crate::step::Step;
use crate::token::{TokenId, Vocab};

/// Ways to spell a part of a character that are looked at.
const MOST_WAYS: usize = 16;

/// One of llama.cpp's.
pub(super) struct LlamaServer {
    vocab: Arc<Vocab>,
    checker: Checker,
    /// Replies that it writes side by side.
    slots: usize,
    /// A token that is whole text.
    whole: TokenId,
    /// Tokens by their bytes.
    spelled: OnceLock<HashMap<Vec<u8>, Vec<TokenId>>>,
}

/// Asks what it serves, and has its vocabulary spelled.
pub(super) fn open(
    call: WireCall,
    wire: &Arc<Wire>,
    found: ListedModel,
    options: &LoadOptions,
) -> Result<(ModelInfo, Box<dyn Dialect>), Trouble> {
    let props = call.get("/props")?;
    let meta = &found.entry["meta"];
    let text = |name: &str| props[name].as_str().unwrap_or_default();
    let size = whole(&meta["n_vocab"])
        .ok_or_else(|| Trouble::wrong("it does not tell the size of its vocabulary"))?;
    let context =
        [&props["default_generation_settings"]["n_ctx"], &meta["n_ctx"]].into_iter().find_map(whole);
    let wish = VocabularyWish { size, bos: text("bos_token"), eos: text("eos_token") };
    let vocab = Arc::new(vocabulary(call, &wish)?);
    let whole_text = ids(call, "a", false, false)?.pop().unwrap_or(TokenId(0));
    let file = text("model_path").rsplit('/').next().filter(|file| !file.is_empty()).map(str::to_string);
    let served = ServedModel {
        // Without an alias it is a path there.
        name: found.name.rsplit('/').next().unwrap_or_default().to_string(),
        architecture: String::new(),
        quantization: text("model_ftype").to_string(),
        parameters: meta["n_params"].as_u64().unwrap_or(0),
        context: context.ok_or_else(|| Trouble::wrong("it does not tell its context"))?,
        threads: 0,
        gives: Gives { scores: true, candidates: Some(size as usize), ..Gives::NOTHING },
        chat_template: Some(text("chat_template").to_string()).filter(|template| !template.is_empty()),
        weights: None,
        about: ServerAbout {
            kind: format!("llama-server {}", text("build_info")),
            file,
            sha256: None,
            exact: false,
            notes: vec![
                "each token of a text to score is a request of its own; a reply's prompt has no figures"
                    .to_string(),
                "what the sampler left of each candidate is not given".to_string(),
            ],
        },
    };
    let dialect = LlamaServer {
        vocab: Arc::clone(&vocab),
        checker: Checker { n_vocab: size },
        slots: whole(&props["total_slots"]).map_or(1, |slots| slots.clamp(1, 16) as usize),
        whole: whole_text,
        spelled: OnceLock::new(),
    };
    let tokenizer: Arc<dyn Tokenize> = Arc::new(ServerTokenizer(Arc::clone(wire)));
    Ok((served.info(vocab, tokenizer, options), Box::new(dialect)))
}

impl Dialect for LlamaServer {
    fn at_once(&self) -> AtOnce {
        AtOnce { sequences: 1, requests: self.slots }
    }

    fn gives_prompts(&self) -> bool {
        false
    }

    fn score(&self, call: WireCall, asked: ScoreWish) -> Result<Vec<Scores>, Trouble> {
        asked.sequences.iter().map(|sequence| self.scores(call, sequence, asked)).collect()
    }

    fn write(
        &self,
        call: WireCall,
        asked: WriteWish,
        each: &mut dyn FnMut(Step) -> Result<(), Trouble>,
    ) -> Result<FinishReason, Trouble> {
        let mut body = fields(asked.sampling)?;
        body.insert("prompt".to_string(), json!(asked.prompt));
        body.insert("n_predict".to_string(), json!(asked.max_tokens));
        body.insert("n_probs".to_string(), json!(asked.k));
        body.insert("stream".to_string(), json!(true));
        body.insert("cache_prompt".to_string(), json!(false));
        let mut spelling = PieceSpelling::default();
        let mut so_far = asked.prompt.to_vec();
        let mut reason = None;
        call.stream("/completion", &Value::Object(body), |mut event| {
            let content = event["content"].as_str().unwrap_or_default().to_string();
            spelling.text(&content);
            if event["stop"] == json!(true) {
                let ended = event["stop_type"].as_str() != Some("limit");
                reason = Some(if ended { FinishReason::Stop } else { FinishReason::Length });
                return Ok(false);
            }
            let written = so_far.len() - asked.prompt.len();
            let Some(mut line) = first_line(&mut event)? else { return Ok(true) };
            // They are those of the text that comes with it.
            line.bytes = None;
            let id = line.id(&self.vocab)?;
            let count = whole(&event["tokens_predicted"]).map_or(written + 1, |count| count as usize);
            let kept_back = count.saturating_sub(written + 1);
            // Tokens that end within a character are told of with the one that completes it, by their bytes alone.
            let ways = self.hidden(&content, id, kept_back)?;
            for hidden in self.one_of(call, asked, &so_far, ways)? {
                let step = self.forced(call, &so_far, hidden, asked.k)?;
                spelling.piece(self.vocab.bytes(hidden));
                so_far.push(hidden);
                each(step)?;
            }
            let step = self.step(line, asked.k)?;
            so_far.push(id);
            if !self.vocab.is_special(id) {
                spelling.piece(self.vocab.bytes(id));
            }
            each(step)?;
            Ok(true)
        })?;
        spelling.check()?;
        reason.ok_or_else(|| Trouble::wrong("its answer ends without saying why"))
    }
}

impl LlamaServer {
    fn scores(&self, call: WireCall, sequence: &Sequence, asked: ScoreWish) -> Result<Scores, Trouble> {
        let tokens = &sequence.tokens;
        let first = tokens.first().filter(|_| sequence.from == 0).map(|&id| Step { id, stats: None });
        let mut steps: Vec<Step> = first.into_iter().collect();
        for at in sequence.from.max(1)..tokens.len() {
            steps.push(self.forced(call, &tokens[..at], tokens[at], asked.k)?);
        }
        let after = match asked.after {
            true => self.forced(call, tokens, self.whole, asked.k)?.stats.map(|stats| stats.prediction),
            false => None,
        };
        Ok(Scores { steps, after })
    }

    /// The figures of a token after a prefix. What does not end with a character is told nothing of: such a token is
    /// looked up in the list of all.
    fn forced(&self, call: WireCall, before: &[TokenId], id: TokenId, k: usize) -> Result<Step, Trouble> {
        let is_whole = self.vocab.is_special(id) || std::str::from_utf8(self.vocab.bytes(id)).is_ok();
        let (written, count) = if is_whole { (id, k) } else { (self.whole, self.vocab.len()) };
        let body = json!({
            "prompt": before, "n_predict": 1, "n_probs": count, "temperature": 0.0, "cache_prompt": true,
            "logit_bias": [[written, FORCED]],
        });
        let mut answer = call.post("/completion", &body)?;
        let line = first_line(&mut answer)?;
        let line = line.ok_or_else(|| Trouble::wrong("it tells nothing of the token it writes"))?;
        if line.id != Some(written.0) {
            let what = format!("it writes token {} where {written} was forced", line.id.unwrap_or_default());
            return Err(Trouble::wrong(what));
        }
        let mut line = line;
        if !is_whole {
            let of_all = line.top_logprobs.iter().position(|line| line.id == Some(id.0));
            let place = of_all.ok_or_else(|| Trouble::wrong("it does not list all of its tokens"))?;
            let mut own = line.top_logprobs[place].clone();
            line.top_logprobs.truncate(k);
            own.rank = Some(place as u32 + 1).filter(|_| place >= k);
            own.top_logprobs = std::mem::take(&mut line.top_logprobs);
            line = own;
        }
        self.step(line, k)
    }

    fn step(&self, line: TokenLine, k: usize) -> Result<Step, Trouble> {
        let given = line.top_logprobs.iter().map(|line| line.given(&self.vocab)).collect::<Result<_, _>>()?;
        let prediction = self.checker.prediction(given, k, GivenFigures::default())?;
        self.checker.step(line.given(&self.vocab)?, prediction, line.rank)
    }

    /// The ways in which `count` tokens before `id` spell what its text has too much.
    fn hidden(&self, content: &str, id: TokenId, count: usize) -> Result<Vec<Vec<TokenId>>, Trouble> {
        if count == 0 {
            return Ok(vec![Vec::new()]);
        }
        let own = if self.vocab.is_special(id) { &[] } else { self.vocab.bytes(id) };
        let bytes = content.as_bytes().strip_suffix(own);
        let bytes =
            bytes.ok_or_else(|| Trouble::wrong("the tokens it names don't spell the text it wrote"))?;
        let mut ways = Vec::new();
        self.split(bytes, count, &mut Vec::new(), &mut ways);
        Ok(ways)
    }

    /// The only way; of several the one whose every token is the most probable, where only such are written.
    fn one_of(
        &self,
        call: WireCall,
        asked: WriteWish,
        before: &[TokenId],
        ways: Vec<Vec<TokenId>>,
    ) -> Result<Vec<TokenId>, Trouble> {
        let unknown = || {
            Trouble::wrong(
                "it keeps tokens within a character to itself, and its text does not tell which they are",
            )
        };
        if ways.len() == 1 {
            return ways.into_iter().next().ok_or_else(unknown);
        }
        let greedy = asked.sampling.is_greedy() && asked.sampling.stages().is_empty();
        for way in ways.into_iter().filter(|_| greedy) {
            let mut path = before.to_vec();
            let mut best = true;
            for &id in &way {
                let step = self.forced(call, &path, id, 1)?;
                best &= step.stats.is_some_and(|stats| stats.rank.exact() == Some(1));
                path.push(id);
            }
            if best {
                return Ok(way);
            }
        }
        Err(unknown())
    }

    fn split(&self, bytes: &[u8], count: usize, so_far: &mut Vec<TokenId>, ways: &mut Vec<Vec<TokenId>>) {
        if count == 0 || ways.len() >= MOST_WAYS {
            if bytes.is_empty() {
                ways.push(so_far.clone());
            }
            return;
        }
        for end in 1..=bytes.len() {
            for &id in self.spelled().get(&bytes[..end]).into_iter().flatten() {
                so_far.push(id);
                self.split(&bytes[end..], count - 1, so_far, ways);
                so_far.pop();
            }
        }
    }

    fn spelled(&self) -> &HashMap<Vec<u8>, Vec<TokenId>> {
        self.spelled.get_or_init(|| {
            let mut spelled: HashMap<Vec<u8>, Vec<TokenId>> = HashMap::new();
            for id in self.vocab.ids().filter(|&id| !self.vocab.is_control(id)) {
                spelled.entry(self.vocab.bytes(id).to_vec()).or_default().push(id);
            }
            spelled
        })
    }
}

/// What an answer says of its token.
fn first_line(answer: &mut Value) -> Result<Option<TokenLine>, Trouble> {
    match answer["completion_probabilities"].get_mut(0).map(Value::take) {
        Some(line) => TokenLine::read(line).map(Some),
        None => Ok(None),
    }
}

/// A sampler chain by llama-server's names.
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
        "xtc_threshold": xtc.map_or(0.1, |xtc| xtc.threshold),
        "dry_multiplier": sampling.dry,
        "repeat_penalty": sampling.repeat_penalty,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "repeat_last_n": sampling.penalty_last_n.min(i32::MAX as u32),
        "mirostat": mirostat.map_or(0, |mirostat| mirostat.version),
        "mirostat_tau": mirostat.map_or(5.0, |mirostat| mirostat.tau),
        "mirostat_eta": mirostat.map_or(0.1, |mirostat| mirostat.eta),
        "seed": sampling.seed,
    });
    match &sampling.grammar {
        None => {}
        Some(Constraint::Gbnf(grammar)) => fields["grammar"] = json!(grammar.as_ref()),
        Some(_) => {
            return Err(Trouble::wrong(
                "llama-server enforces schemas in part and no regular expression: write it as a GBNF grammar",
            ));
        }
    }
    Ok(object(fields))
}

#[cfg(test)]
mod tests;
