//! One position of another program's log-probabilities.

use serde_json::Value;

use super::super::figures;
use crate::step::{Candidate, Figure, Step, TokenStats};
use crate::token::TokenId;

/// ln p may be above zero by rounding, and a sum of probabilities above one.
const ROUNDING: f64 = 1e-3;
/// What OpenAI writes for a token that it gives no figure of.
const NEVER: f64 = -9999.0;

/// A token as a file names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct EntryToken {
    /// Its id, where there is one.
    pub id: Option<u32>,
    pub bytes: Vec<u8>,
}

/// A token with what is given of it.
#[derive(Clone, Debug, Default)]
struct GivenToken {
    token: EntryToken,
    logprob: Option<f64>,
    rank: Option<u32>,
}

/// One position.
#[derive(Clone, Debug, Default)]
pub(super) struct TokenEntry {
    /// What stands there.
    pub token: EntryToken,
    own: GivenToken,
    /// The most probable tokens.
    top: Vec<GivenToken>,
}

impl TokenEntry {
    fn new(own: GivenToken, top: Vec<GivenToken>) -> TokenEntry {
        TokenEntry { token: own.token.clone(), own, top }
    }

    /// Whether every token of it has an id.
    pub fn has_ids(&self) -> bool {
        self.token.id.is_some() && self.top.iter().all(|given| given.token.id.is_some())
    }

    /// The token with its figures. Where those can't be, the token without them, and why.
    pub fn step(&self, number: &mut dyn FnMut(&EntryToken) -> TokenId) -> (Step, Option<String>) {
        let id = number(&self.token);
        let bare = Step { id, stats: None };
        let Some(logprob) = self.own.logprob else { return (bare, None) };
        let mut top: Vec<(TokenId, f64, Option<u32>)> = self
            .top
            .iter()
            .filter_map(|given| Some((number(&given.token), given.logprob?, given.rank)))
            .collect();
        top.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        top.dedup_by_key(|(id, ..)| *id);
        let mass: f64 = top.iter().map(|(_, logprob, _)| logprob.exp()).sum();
        let highest = top.first().map_or(logprob, |(_, highest, _)| highest.max(logprob));
        if highest > ROUNDING || mass > 1.0 + ROUNDING {
            let what =
                if highest > ROUNDING { "a value above 0" } else { "probabilities of more than 1 together" };
            let reason =
                format!("{what} where log-probabilities should be: such tokens are shown without figures");
            return (bare, Some(reason));
        }
        let mut prediction = figures::nothing();
        let (mut rank, mut before) = (0, f64::INFINITY);
        for (i, (id, logprob, given)) in top.iter().enumerate() {
            if *logprob < before {
                (rank, before) = (i as u32 + 1, *logprob);
            }
            let rank = given.unwrap_or(rank);
            prediction.top_logprobs.push(Candidate { id: *id, logprob: nats(*logprob), rank, outcome: None });
        }
        if !top.is_empty() {
            prediction.residual = Figure::Exact((1.0 - mass).max(0.0));
        }
        let among = prediction.top_logprobs.iter().find(|candidate| candidate.id == id);
        let rank = self.own.rank.or(among.map(|candidate| candidate.rank));
        let rank = rank.map_or(Figure::NotGiven, Figure::Exact);
        let stats = TokenStats { logprob: nats(logprob), rank, outcome: None, prediction };
        (Step { id, stats: Some(stats) }, None)
    }
}

fn nats(logprob: f64) -> f32 {
    if logprob <= NEVER { f32::NEG_INFINITY } else { logprob as f32 }
}

/// `{"token","logprob","bytes","top_logprobs"}` of a chat, each.
pub(super) fn of_content(content: &Value) -> Result<Vec<TokenEntry>, String> {
    let entries = super::list(content).iter().map(|entry| {
        let top = super::list(&entry["top_logprobs"]).iter().map(given).collect();
        TokenEntry::new(given(entry), top)
    });
    Ok(entries.collect())
}

/// The four lists of a completion.
pub(super) fn of_completion(logprobs: &Value) -> Result<Vec<TokenEntry>, String> {
    let tokens = super::list(&logprobs["tokens"]);
    let own = super::list(&logprobs["token_logprobs"]);
    if own.len() != tokens.len() {
        return Err(format!("{} tokens with {} log-probabilities", tokens.len(), own.len()));
    }
    let tops = super::list(&logprobs["top_logprobs"]);
    // The chosen token is added where it is none of the first k.
    let k = tops.iter().filter_map(Value::as_object).map(serde_json::Map::len).min().unwrap_or(0);
    let entry = |i: usize| {
        let token = EntryToken { id: None, bytes: super::text(&tokens[i]).into_bytes() };
        let chosen = GivenToken { token, logprob: own[i].as_f64(), rank: None };
        let top = tops.get(i).and_then(Value::as_object).into_iter().flatten();
        let mut top: Vec<GivenToken> = top
            .map(|(token, logprob)| {
                let token = EntryToken { id: None, bytes: token.clone().into_bytes() };
                GivenToken { token, logprob: logprob.as_f64(), rank: None }
            })
            .collect();
        if top.len() > k.max(1) {
            let lowest = top.iter().filter_map(|given| given.logprob).fold(f64::INFINITY, f64::min);
            top.retain(|given| given.token != chosen.token || given.logprob > Some(lowest));
        }
        TokenEntry::new(chosen, top)
    };
    Ok((0..tokens.len()).map(entry).collect())
}

/// vLLM's `prompt_logprobs`: null, or an object of entries by id.
pub(super) fn of_prompt(prompt: &Value) -> Vec<TokenEntry> {
    let positions = super::list(prompt).iter().filter_map(Value::as_object);
    let entries = positions.map(|position| {
        let mut all: Vec<GivenToken> = position
            .iter()
            .map(|(id, entry)| {
                let bytes = super::text(&entry["decoded_token"]).into_bytes();
                let rank = entry["rank"].as_u64().and_then(|rank| u32::try_from(rank).ok());
                GivenToken {
                    token: EntryToken { id: id.parse().ok(), bytes },
                    logprob: entry["logprob"].as_f64(),
                    rank,
                }
            })
            .collect();
        // The prompt's own token comes first; it is there whatever its rank.
        let own = if all.is_empty() { GivenToken::default() } else { all[0].clone() };
        let most = all.len() as u32 - u32::from(own.rank.is_some_and(|rank| rank as usize >= all.len()));
        all.retain(|given| given.rank.is_none_or(|rank| rank <= most));
        TokenEntry::new(own, all)
    });
    entries.collect()
}

/// llama-server's `completion_probabilities`.
pub(super) fn of_llama_server(probabilities: &Value) -> Result<Vec<TokenEntry>, String> {
    let entries = super::list(probabilities);
    let after = |entry: &Value| {
        entry["logprob"].is_null() && (entry["prob"].is_number() || entry["probs"].is_array())
    };
    if entries.iter().any(after) {
        return Err(
            "its probabilities are those after sampling (post_sampling_probs): ask without that".to_string()
        );
    }
    of_content(probabilities)
}

fn given(entry: &Value) -> GivenToken {
    let bytes = entry["bytes"]
        .as_array()
        .map(|bytes| bytes.iter().filter_map(Value::as_u64).map(|byte| byte as u8).collect());
    let id = entry["id"].as_u64().and_then(|id| u32::try_from(id).ok()).filter(|id| *id < 1 << 20);
    let rank = entry["rank"].as_u64().and_then(|rank| u32::try_from(rank).ok()).filter(|rank| *rank > 0);
    let token = EntryToken { id, bytes: bytes.unwrap_or_else(|| super::text(&entry["token"]).into_bytes()) };
    GivenToken { token, logprob: entry["logprob"].as_f64(), rank }
}
