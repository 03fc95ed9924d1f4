//! What a server says of tokens, held against what can be true of a distribution. What can't is one line, and
//! nothing is put in its place.

use std::collections::HashSet;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::wire::{Trouble, short};
use crate::step::{Candidate, Figure, Prediction, SamplerOutcome, Stage, Step, TokenStats};
use crate::token::{TokenId, Vocab};

/// How far above 0 rounding may bring a log-probability, and a sum of probabilities above 1.
const ROUNDING: f64 = 1e-3;
/// How far the same number may differ in two places of one answer.
const SAME: f32 = 1e-3;
/// What some servers write for −∞, which JSON has not: vLLM this, llama-server the lowest number there is.
const LOWEST: f64 = -9999.0;

/// A token, and perhaps its distribution, as servers write it: what one does not give is missing.
#[derive(Clone, Debug, Default)]
pub(super) struct TokenLine {
    pub token: Option<String>,
    pub id: Option<u32>,
    pub bytes: Option<Vec<u8>>,
    pub logprob: Option<f64>,
    pub top_logprobs: Vec<TokenLine>,
    pub rank: Option<u32>,
    pub entropy: Option<f32>,
    pub varentropy: Option<f32>,
    pub residual: Option<f64>,
    pub final_prob: Option<f32>,
    pub dropped_by: Option<String>,
}

impl TokenLine {
    /// Reads one out of an answer.
    pub fn read(value: Value) -> Result<TokenLine, Trouble> {
        let Value::Object(mut fields) = value else {
            return Err(Trouble::wrong(format!(
                "a token of its answer must be an object, not {}",
                few(&value)
            )));
        };
        let of = &mut fields;
        Ok(TokenLine {
            token: field(of, "token", "a text")?,
            id: field(of, "id", "a whole number")?,
            bytes: field(of, "bytes", "a list of numbers from 0 to 255")?,
            logprob: field(of, "logprob", "a number")?,
            top_logprobs: field::<Vec<Value>>(of, "top_logprobs", "a list of tokens")?
                .into_iter()
                .flatten()
                .map(TokenLine::read)
                .collect::<Result<_, _>>()?,
            rank: field(of, "rank", "a whole number")?,
            entropy: field(of, "entropy", "a number")?,
            varentropy: field(of, "varentropy", "a number")?,
            residual: field(of, "residual", "a number")?,
            final_prob: field(of, "final_prob", "a number")?,
            dropped_by: field(of, "dropped_by", "a text")?,
        })
    }

    /// Its bytes, or its text where it has none.
    pub fn text(&self) -> Result<Vec<u8>, Trouble> {
        let text = self.bytes.clone().or_else(|| self.token.clone().map(String::into_bytes));
        text.ok_or_else(|| Trouble::wrong("a token of its answer has no text"))
    }

    /// Its id, held against the vocabulary.
    pub fn id(&self, vocab: &Vocab) -> Result<TokenId, Trouble> {
        let id = self.id.map(TokenId).ok_or_else(|| Trouble::wrong("a token of its answer has no id"))?;
        if id.index() >= vocab.len() {
            let n = vocab.len();
            return Err(Trouble::wrong(format!("token {id} is in no vocabulary of {n} tokens")));
        }
        let own = vocab.bytes(id);
        // A control token has no bytes with a server that writes none of it.
        let same = |bytes: &Vec<u8>| bytes == own || bytes.is_empty() && vocab.is_special(id);
        match self.bytes.as_ref().is_none_or(same) {
            true => Ok(id),
            false => Err(Trouble::wrong(format!(
                "token {id} has other bytes than in the vocabulary: is it another model?"
            ))),
        }
    }

    /// It as a token of a distribution.
    pub fn given(&self, vocab: &Vocab) -> Result<GivenToken, Trouble> {
        let logprob =
            self.logprob.ok_or_else(|| Trouble::wrong("a token of its answer has no log-probability"))?;
        let dropped_by = self.dropped_by.as_deref().and_then(Stage::named);
        let outcome = self.final_prob.map(|prob| SamplerOutcome { prob, dropped_by });
        Ok(GivenToken { id: self.id(vocab)?, logprob: checked(logprob)?, rank: None, outcome })
    }

    /// The same of a server whose ranks are ours: it knows the logits, of which several may come to the same number
    /// as log-probabilities.
    pub fn given_with_rank(&self, vocab: &Vocab) -> Result<GivenToken, Trouble> {
        Ok(GivenToken { rank: self.rank, ..self.given(vocab)? })
    }
}

/// A field of a token; null is as if it was not there.
fn field<T: DeserializeOwned>(
    fields: &mut Map<String, Value>,
    name: &str,
    wanted: &str,
) -> Result<Option<T>, Trouble> {
    let Some(value) = fields.remove(name).filter(|value| !value.is_null()) else { return Ok(None) };
    let found = few(&value);
    let wrong =
        |_| Trouble::wrong(format!("\"{name}\" of a token of its answer must be {wanted}, not {found}"));
    serde_json::from_value(value).map(Some).map_err(wrong)
}

/// A value, in a few words.
fn few(value: &Value) -> String {
    match value {
        Value::Array(list) => format!("a list of {}", list.len()),
        Value::Object(_) => "an object".to_string(),
        other => short(&other.to_string()),
    }
}

/// A token and the log-probability that a server gives it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct GivenToken {
    pub id: TokenId,
    pub logprob: f32,
    /// Where the server computed it.
    pub rank: Option<u32>,
    pub outcome: Option<SamplerOutcome>,
}

/// Figures that some servers give and others leave to bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct GivenFigures {
    pub entropy: Option<f32>,
    pub varentropy: Option<f32>,
    pub residual: Option<f64>,
}

/// A log-probability that can be one.
fn checked(logprob: f64) -> Result<f32, Trouble> {
    match logprob {
        _ if logprob.is_nan() => Err(Trouble::wrong("a log-probability is no number")),
        _ if logprob > ROUNDING => Err(Trouble::wrong(format!(
            "a log-probability of {logprob} is above 0: these are no log-probabilities"
        ))),
        _ if logprob <= LOWEST => Ok(f32::NEG_INFINITY),
        _ => Ok(logprob.min(0.0) as f32),
    }
}

/// Holds lists against a vocabulary.
#[derive(Clone, Copy, Debug)]
pub(super) struct Checker {
    /// Tokens there are; 0 where nobody knows.
    pub n_vocab: u32,
}

impl Checker {
    /// The distribution that a list of candidates shows. `asked`: how many it should hold.
    pub fn prediction(
        &self,
        given: Vec<GivenToken>,
        asked: usize,
        figures: GivenFigures,
    ) -> Result<Prediction, Trouble> {
        let top = self.ranked(given)?;
        let mass: f64 = top.iter().map(Candidate::prob).sum();
        if mass > 1.0 + ROUNDING {
            let what =
                format!("its candidates have {mass:.4} of the probability together, more than all of it");
            return Err(Trouble::wrong(what));
        }
        let all = if self.n_vocab == 0 { asked } else { asked.min(self.n_vocab as usize) };
        if top.len() < all && mass < 1.0 - ROUNDING {
            let what = format!("it gives {} candidates of a token and {all} were asked for", top.len());
            return Err(Trouble::wrong(what));
        }
        let mut prediction = Prediction::of_top(top, self.n_vocab);
        if self.n_vocab == 0 {
            prediction.entropy = Figure::NotGiven;
        }
        with_figures(prediction, figures)
    }

    fn ranked(&self, given: Vec<GivenToken>) -> Result<Vec<Candidate>, Trouble> {
        let mut ids = HashSet::new();
        for token in &given {
            if !ids.insert(token.id) {
                return Err(Trouble::wrong(format!("token {} is twice among its candidates", token.id)));
            }
        }
        if given.windows(2).any(|pair| pair[1].logprob > pair[0].logprob) {
            return Err(Trouble::wrong("its candidates are not in the order of their probability"));
        }
        let mut given = given;
        given.sort_by(|a, b| b.logprob.total_cmp(&a.logprob).then(a.rank.cmp(&b.rank)).then(a.id.cmp(&b.id)));
        let (mut first, mut last) = (0, f32::INFINITY);
        let ranked = given.into_iter().enumerate().map(|(i, token)| {
            let GivenToken { id, logprob, rank, outcome } = token;
            let place = i as u32 + 1;
            if logprob < last {
                (first, last) = (place, logprob);
            }
            match rank {
                Some(rank) if !(first..=place).contains(&rank) => {
                    Err(Trouble::wrong(format!("token {id} has rank {rank} and stands at place {place}")))
                }
                rank => Ok(Candidate { id, logprob, rank: rank.unwrap_or(first), outcome }),
            }
        });
        ranked.collect()
    }

    /// The step of a token in its distribution.
    pub fn step(
        &self,
        token: GivenToken,
        prediction: Prediction,
        rank: Option<u32>,
    ) -> Result<Step, Trouble> {
        let GivenToken { id, logprob, outcome, .. } = token;
        let top = &prediction.top_logprobs;
        let contradiction = |what: &str| Err(Trouble::wrong(format!("what it says of token {id} {what}")));
        let rank = match top.iter().find(|candidate| candidate.id == id) {
            Some(candidate) if (candidate.logprob - logprob).abs() > SAME => {
                return contradiction("is one number in one place and another in the next");
            }
            Some(candidate) => Figure::Exact(candidate.rank),
            None => match top.last() {
                _ if Checker::exceeds(top, logprob) => {
                    return contradiction(
                        "and its candidates have more than all of the probability together",
                    );
                }
                Some(last) if logprob > last.logprob + SAME => {
                    return contradiction("contradicts its list of the most probable, where it is missing");
                }
                Some(last) if logprob == last.logprob => {
                    Figure::Exact(rank.filter(|&rank| rank > top.len() as u32).unwrap_or(last.rank))
                }
                _ if top.len() as u32 == self.n_vocab => {
                    return contradiction("is not in its list of all tokens");
                }
                last => self.rank_outside(last.map_or(0, |_| top.len() as u32), rank)?,
            },
        };
        Ok(Step { id, stats: Some(TokenStats { logprob, rank, outcome, prediction }) })
    }

    fn exceeds(top: &[Candidate], logprob: f32) -> bool {
        let mass: f64 = top.iter().map(Candidate::prob).sum();
        mass + f64::from(logprob).exp() > 1.0 + ROUNDING
    }

    fn rank_outside(&self, listed: u32, given: Option<u32>) -> Result<Figure<u32>, Trouble> {
        match (given, self.n_vocab) {
            (Some(rank), n) if rank <= listed || n > 0 && rank > n => Err(Trouble::wrong(format!(
                "rank {rank} can't be that of a token outside its {listed} candidates"
            ))),
            (Some(rank), _) => Ok(Figure::Exact(rank)),
            (None, 0) => Ok(Figure::NotGiven),
            (None, n) => Ok(Figure::Bounded([listed + 1, n])),
        }
    }
}

/// The figures a server gives beside its list, if they can go with it.
fn with_figures(mut prediction: Prediction, figures: GivenFigures) -> Result<Prediction, Trouble> {
    let wrong = |name: &str, value: f64| {
        Err(Trouble::wrong(format!("{name} {value} does not go with the candidates beside it")))
    };
    if let Some(entropy) = figures.entropy {
        let [low, high] = match prediction.entropy {
            Figure::Exact(value) => [value; 2],
            Figure::Bounded(bounds) => bounds,
            Figure::NotGiven => [0.0, f32::MAX],
        };
        if !(low - 0.01..=high + 0.01).contains(&entropy) {
            return wrong("the entropy", f64::from(entropy));
        }
        prediction.entropy = entropy.into();
    }
    if let Some(varentropy) = figures.varentropy {
        if varentropy.is_nan() || varentropy < 0.0 {
            return wrong("the varentropy", f64::from(varentropy));
        }
        prediction.varentropy = varentropy.into();
    }
    if let Some(residual) = figures.residual {
        let known = prediction.residual.exact().unwrap_or(residual);
        if !(residual >= 0.0 && (residual - known).abs() <= 2.0 * ROUNDING) {
            return wrong("the residual", residual);
        }
        prediction.residual = residual.into();
    }
    Ok(prediction)
}

/// A reply's pieces beside the text that the server made of them.
#[derive(Debug, Default)]
pub(super) struct PieceSpelling {
    pieces: Vec<u8>,
    /// Where the last piece begins.
    last: usize,
    text: String,
}

impl PieceSpelling {
    /// A token that is part of the text.
    pub fn piece(&mut self, bytes: &[u8]) {
        self.last = self.pieces.len();
        self.pieces.extend_from_slice(bytes);
    }

    /// What the server wrote.
    pub fn text(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// The same of a server that may name the token that ends a reply and write nothing of it.
    pub fn check_but_for_the_end(mut self, ended: bool) -> Result<(), Trouble> {
        let whole = self.check();
        if !ended || whole.is_ok() {
            return whole;
        }
        self.pieces.truncate(self.last);
        self.check()
    }

    /// Whether both say the same; how bytes that are no character are written is the server's own affair.
    pub fn check(&self) -> Result<(), Trouble> {
        let whole: String = self.pieces.utf8_chunks().map(|chunk| chunk.valid()).collect();
        let spelled = crate::token::text_of(&self.pieces);
        let told: String = self.text.chars().filter(|&c| c != char::REPLACEMENT_CHARACTER).collect();
        // A server that keeps the beginning of an unfinished character to itself has written the rest.
        let same = self.text == spelled || told == whole.replace(char::REPLACEMENT_CHARACTER, "");
        match same {
            true => Ok(()),
            false => Err(Trouble::wrong("the tokens it names don't spell the text it wrote")),
        }
    }
}

#[cfg(test)]
mod tests;
