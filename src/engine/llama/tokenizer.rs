//! A model's tokenizer, which can outlive its weights.

use std::sync::{Arc, PoisonError, RwLock};

use super::model::Model;
use crate::engine::protocol::Tokenize;
use crate::token::TokenId;

/// Tokenizes with the loaded model, or, once that is gone, with its vocabulary alone.
pub struct Tokenizer(RwLock<Arc<Model>>);

impl Tokenizer {
    /// The tokenizer of a loaded model.
    pub fn of(model: &Arc<Model>) -> Tokenizer {
        Tokenizer(RwLock::new(Arc::clone(model)))
    }

    /// Lets the weights go: from now on it is the vocabulary alone, read from the same file. Where that
    /// can't be read any more the weights stay, so that ids never change.
    pub fn keep_vocabulary(&self, path: &std::path::Path) {
        if let Ok(vocabulary) = Model::load_vocabulary(path) {
            *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(vocabulary);
        }
    }
}

impl Tokenize for Tokenizer {
    fn tokenize(&self, text: &[u8], parse_special: bool) -> Vec<TokenId> {
        let model = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        model.tokenize(text, parse_special)
    }
}
