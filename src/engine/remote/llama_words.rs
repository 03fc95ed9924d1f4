//! The vocabulary and the tokenizer of a llama-server.
//!
//! It has no path for its vocabulary, but it lists any number of candidates: asked for all of them once, it
//! spells every token. What it hides (control tokens) it tells when it is asked to decode them.

use std::sync::Arc;

use serde_json::{Value, json};

use super::check::TokenLine;
use super::wire::{Trouble, Wire, WireCall};
use crate::engine::protocol::{CancelFlag, Tokenize, TokenizerLost};
use crate::token::{SpecialTokens, TokenId, Vocab, VocabEntry};

/// Control tokens that end generation, by the texts that llama.cpp knows them by.
const ENDS: [&str; 18] = [
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|flush|>",
    "<|calls|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "</s>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<｜end▁of▁sentence｜>",
    "<end_of_utterance>",
];

/// Larger vocabularies there are none.
const MOST_TOKENS: u32 = 1 << 21;

/// Tokenizes at the server.
pub(super) struct ServerTokenizer(pub Arc<Wire>);

impl Tokenize for ServerTokenizer {
    fn tokenize(&self, text: &[u8], parse_special: bool) -> Vec<TokenId> {
        self.try_tokenize(text, parse_special).unwrap_or_default()
    }

    fn try_tokenize(&self, text: &[u8], parse_special: bool) -> Result<Vec<TokenId>, TokenizerLost> {
        let text = String::from_utf8_lossy(text);
        let ids = self.0.watched(&CancelFlag::default(), |call| ids(call, &text, false, parse_special));
        ids.map_err(|trouble| TokenizerLost(self.0.error(trouble).to_string()))
    }
}

/// The ids of a text.
pub(super) fn ids(
    call: WireCall,
    text: &str,
    add_special: bool,
    parse_special: bool,
) -> Result<Vec<TokenId>, Trouble> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let body = json!({"content": text, "add_special": add_special, "parse_special": parse_special});
    let answer = call.post("/tokenize", &body)?;
    let list = answer["tokens"].as_array().ok_or_else(|| Trouble::wrong("it gives no tokens of a text"))?;
    let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok()).map(TokenId);
    list.iter().map(id).collect::<Option<_>>().ok_or_else(|| Trouble::wrong("a token of a text is no id"))
}

/// What is to be known of a vocabulary before it is asked for.
pub(super) struct VocabularyWish<'a> {
    /// Tokens there are.
    pub size: u32,
    /// As the server spells it; empty where there is none.
    pub bos: &'a str,
    pub eos: &'a str,
}

/// Every token, spelled.
pub(super) fn vocabulary(call: WireCall, wish: &VocabularyWish) -> Result<Vocab, Trouble> {
    let n = wish.size;
    if n == 0 || n > MOST_TOKENS {
        return Err(Trouble::wrong(format!("a vocabulary of {n} tokens is none")));
    }
    // The token that it chooses must be whole text, or nothing is told of it.
    let chosen =
        ids(call, "a", false, false)?.pop().ok_or_else(|| Trouble::wrong("it gives no tokens of a text"))?;
    let body = json!({
        "prompt": [chosen], "n_predict": 1, "n_probs": n, "temperature": 0.0, "cache_prompt": false,
        "logit_bias": [[chosen, FORCED]],
    });
    let mut answer = call.post("/completion", &body)?;
    let all = answer.pointer_mut("/completion_probabilities/0/top_logprobs").map(Value::take);
    let Some(Value::Array(all)) = all else {
        return Err(Trouble::wrong("it lists no candidates (n_probs)"));
    };
    let mut entries = vec![None; n as usize];
    for line in all {
        let line = TokenLine::read(line)?;
        let place = line.id.and_then(|id| entries.get_mut(id as usize));
        let (Some(place), Some(bytes)) = (place, line.bytes) else {
            return Err(Trouble::wrong("a token of its vocabulary has no id or no bytes"));
        };
        *place = Some(VocabEntry { bytes, ..VocabEntry::default() });
    }
    let Some(mut entries) = entries.into_iter().collect::<Option<Vec<VocabEntry>>>() else {
        return Err(Trouble::wrong("it does not list all of its tokens"));
    };
    unhide(call, &mut entries)?;
    let role = |text: &str| {
        let at = entries.iter().position(|entry| !text.is_empty() && entry.bytes == text.as_bytes());
        at.map(|at| TokenId(at as u32))
    };
    let (bos, eos) = (role(wish.bos), role(wish.eos));
    let with = ids(call, "a", true, false)?;
    let special = SpecialTokens { bos, eos, add_bos: bos.is_some() && with.first() == bos.as_ref() };
    for (id, entry) in entries.iter_mut().enumerate() {
        let named = std::str::from_utf8(&entry.bytes).is_ok_and(|text| ENDS.contains(&text));
        entry.ends_generation = eos == Some(TokenId(id as u32)) || entry.control && named;
    }
    Ok(Vocab::new(entries, special))
}

/// So large that nothing else can be chosen.
pub(super) const FORCED: f32 = 1e9;

/// Tokens it writes nothing of are control tokens; it decodes them all the same.
fn unhide(call: WireCall, entries: &mut [VocabEntry]) -> Result<(), Trouble> {
    let hidden: Vec<usize> = (0..entries.len()).filter(|&id| entries[id].bytes.is_empty()).collect();
    if hidden.is_empty() {
        return Ok(());
    }
    let mark = (0..entries.len()).find(|&id| entries[id].bytes == b"\n");
    let joined = mark.map(|mark| {
        let between = hidden.iter().flat_map(|&id| [mark, id]).chain([mark]);
        decoded(call, &between.collect::<Vec<_>>())
    });
    let joined = joined.transpose()?.unwrap_or_default();
    let parts: Vec<&str> = joined.split('\n').collect();
    // Before the first mark stands nothing, or what a tokenizer puts there; after the last one nothing.
    let texts: Vec<String> = match parts.len() == hidden.len() + 2 {
        true => parts[1..=hidden.len()].iter().map(|text| text.to_string()).collect(),
        false => hidden.iter().map(|&id| decoded(call, &[id])).collect::<Result<_, _>>()?,
    };
    for (&id, text) in hidden.iter().zip(texts) {
        entries[id].control = !text.is_empty();
        entries[id].bytes = text.into_bytes();
    }
    Ok(())
}

fn decoded(call: WireCall, ids: &[usize]) -> Result<String, Trouble> {
    let answer = call.post("/detokenize", &json!({"tokens": ids}))?;
    let text = answer["content"].as_str().ok_or_else(|| Trouble::wrong("it decodes no tokens"))?;
    Ok(text.to_string())
}
