//! Values of which there are a few.

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::token::{TokenId, Vocab};

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl ColorChoice {
    /// Whether to colour what goes to a terminal, or to something else.
    pub fn applies(self, to_terminal: bool) -> bool {
        match self {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => {
                to_terminal
                    && crate::colouring::Colors::of_terminal() != crate::colouring::Colors::None
                    && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            }
        }
    }
}

/// Whether a BOS token goes before raw text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, ValueEnum)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "BosPolicy")]
pub enum Bos {
    /// As the model's metadata asks.
    #[default]
    Auto,
    /// Always, unless the text itself begins with it.
    #[schemars(description = "Always.")]
    Always,
    /// Never.
    Never,
}

impl Bos {
    /// The token this puts before raw text.
    pub fn token(self, vocab: &Vocab) -> Option<TokenId> {
        let roles = vocab.special();
        match self {
            Bos::Auto => roles.bos.filter(|_| roles.add_bos),
            Bos::Always => roles.bos,
            Bos::Never => None,
        }
    }
}
