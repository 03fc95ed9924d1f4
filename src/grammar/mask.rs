//! Which tokens may come next under a JSON schema or a regular expression.
//!
//! Owns the one use of llguidance: a table of a vocabulary's bytes, made once, and matchers over it.

use std::sync::Arc;

use llguidance::api::TopLevelGrammar;
use llguidance::toktrie::{ApproximateTokEnv, InferenceCapabilities, SimpleVob, TokEnv, TokRxInfo, TokTrie};
use llguidance::{Matcher as Inner, ParserFactory};

use crate::sampling::Constraint;
use crate::token::{TokenId, Vocab};

/// Branches of a constraint at one place: every optional property of an object is one.
const MOST_BRANCHES: usize = 20_000;

/// Why a constraint can't be compiled that contradicts itself.
pub const UNSATISFIABLE: &str = "nothing satisfies it";

/// A vocabulary as the engine of constraints needs it.
pub struct TokenTable {
    factory: ParserFactory,
}

/// Where a reply is under its constraint.
pub struct Matcher {
    inner: Inner,
}

/// The tokens that may come next.
pub struct Allowed(SimpleVob);

impl Allowed {
    /// Whether this token may.
    pub fn contains(&self, id: TokenId) -> bool {
        self.0.get(id.index())
    }

    /// A bit per token, 32 to a word, the lowest bit first.
    pub fn words(&self) -> &[u32] {
        self.0.as_slice()
    }
}

impl TokenTable {
    /// The table of a model's vocabulary. Control tokens stand for no text; all tokens that end a reply
    /// may stand where it is complete.
    ///
    /// # Errors
    /// In one line, why there is none.
    pub fn new(vocab: &Vocab) -> Result<TokenTable, String> {
        const MARK: u8 = TokTrie::SPECIAL_TOKEN_MARKER;
        let word = |id: TokenId| match vocab.bytes(id) {
            bytes if vocab.is_control(id) || vocab.ends_generation(id) => [&[MARK], bytes].concat(),
            // No text has this byte, which would mark a special token.
            [MARK, ..] => Vec::new(),
            bytes => bytes.to_vec(),
        };
        let words = vocab.ids().map(word).collect();
        let ends = vocab.ids().filter(|id| vocab.ends_generation(*id)).map(|id| id.0).collect();
        TokenTable::of(words, ends)
    }

    /// A table whose tokens are the 256 bytes and one that ends a reply: what a constraint is tried on
    /// before there is a model.
    ///
    /// # Errors
    /// As [`TokenTable::new`].
    pub fn of_bytes() -> Result<TokenTable, String> {
        let bytes = (0..=254u8).map(|byte| vec![byte]);
        TokenTable::of(bytes.chain([Vec::new(), b"\xFF<end>".to_vec()]).collect(), vec![256])
    }

    fn of(words: Vec<Vec<u8>>, ends: Vec<u32>) -> Result<TokenTable, String> {
        let Some(&end) = ends.first() else {
            return Err("this model has no token that ends a reply".to_string());
        };
        let trie = TokTrie::from(&TokRxInfo::new(words.len() as u32, end), &words);
        let env: TokEnv = Arc::new(ApproximateTokEnv::new(trie.with_eos_tokens(&ends)));
        let slices = llguidance::earley::SlicedBiasComputer::general_slices();
        let mut factory =
            ParserFactory::new(&env, InferenceCapabilities::default(), &slices).map_err(|e| one_line(&e))?;
        factory.quiet();
        factory.limits_mut().max_items_in_row = MOST_BRANCHES;
        factory.limits_mut().step_max_items = 10 * MOST_BRANCHES;
        factory.limits_mut().verbose_errors = false;
        Ok(TokenTable { factory })
    }

    /// A matcher at the beginning of a reply.
    ///
    /// # Errors
    /// In one line, why the constraint can't be compiled.
    pub fn matcher(&self, constraint: &Constraint) -> Result<Matcher, String> {
        let grammar = match constraint {
            Constraint::Schema(normal) => {
                TopLevelGrammar::from_json_schema(serde_json::from_str(normal).map_err(|e| e.to_string())?)
            }
            Constraint::Regex(regex) => TopLevelGrammar::from_regex(&regex.pattern),
            Constraint::Gbnf(_) => return Err("a GBNF grammar is llama.cpp's".to_string()),
        };
        let parser = self.factory.create_parser(grammar).map_err(|e| one_line(&e))?;
        let mut inner = Inner::new(Ok(parser));
        // What is too large shows with the first mask.
        inner.compute_mask_or_eos().map_err(|e| one_line(&e))?;
        Ok(Matcher { inner })
    }
}

impl Matcher {
    /// The tokens that may come next.
    ///
    /// # Errors
    /// In one line, where the constraint has become too large.
    pub fn allowed(&mut self) -> Result<Allowed, String> {
        self.inner.compute_mask_or_eos().map(Allowed).map_err(|e| one_line(&e))
    }

    /// Takes a token.
    ///
    /// # Errors
    /// In one line, where it is not allowed.
    pub fn accept(&mut self, id: TokenId) -> Result<(), String> {
        if self.inner.is_stopped() {
            return Ok(());
        }
        self.inner.consume_token(id.0).map_err(|e| one_line(&e))
    }
}

fn one_line(error: &impl std::fmt::Display) -> String {
    let text = error.to_string();
    // The engine's error has no kind that could be asked for.
    if text.contains("NoExtension") || text.contains("Unsatisfiable schema") {
        return UNSATISFIABLE.to_string();
    }
    let text = text.replace("<non-verbose/>", "");
    // What the engine calls its option is no choice here.
    let text = text.replace(
        ". Enable 'coerce_one_of' option to approximate oneOf with anyOf",
        " unless its schemas plainly exclude one another",
    );
    let line = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ");
    crate::token::printable(&line).chars().take(400).collect()
}

#[cfg(test)]
mod testing;
