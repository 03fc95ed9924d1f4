//! The sampler chain as plain data: which stages run, in which order, with which settings.
//!
//! [`chain`] is the chain itself, on as few candidates as give exactly what the whole vocabulary would.
//! Holds no llama.cpp type.

mod candidates;
pub mod chain;
mod repetition;

use std::sync::Arc;

pub use crate::step::Stage;
use crate::token::TokenId;

/// Exclude-top-choices settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Xtc {
    /// Chance that the stage acts at a step, 0..=1.
    pub probability: f32,
    /// Only tokens above this probability can be excluded, 0..=0.5.
    pub threshold: f32,
}

/// Which version of mirostat, with its target surprisal and learning rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mirostat {
    /// 1 or 2.
    pub version: u8,
    /// Target surprisal, in bits (as the paper has it).
    pub tau: f32,
    /// Learning rate.
    pub eta: f32,
}

/// What is added to a token's logit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogitBias {
    /// Which token.
    pub id: TokenId,
    /// How much, in nats.
    pub nats: f32,
}

/// What a reply must follow, checked.
#[derive(Clone, Debug, PartialEq)]
pub enum Constraint {
    /// A GBNF grammar, whose root rule is `root`.
    Gbnf(Arc<str>),
    /// A JSON schema, normalised by [`crate::grammar::schema`].
    Schema(Arc<str>),
    /// A regular expression.
    Regex(Arc<RegularExpression>),
}

/// A regular expression, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct RegularExpression {
    /// As it was written (ECMAScript).
    pub source: String,
    /// Translated by [`crate::grammar::pattern`].
    pub pattern: String,
}

/// Settings of the whole chain. A stage whose setting is neutral does not run.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// Always take the most probable token (after grammar and penalties).
    pub greedy: bool,
    /// 1 leaves the distribution as it is.
    pub temperature: f32,
    /// 0 switches the stage off.
    pub top_k: u32,
    /// 1 switches the stage off.
    pub top_p: f32,
    /// 0 switches the stage off.
    pub min_p: f32,
    /// 1 switches the stage off.
    pub typical: f32,
    /// Negative or 0 switches the stage off.
    pub top_n_sigma: f32,
    /// Off by default.
    pub xtc: Option<Xtc>,
    /// Multiplier; 0 switches the stage off.
    pub dry: f32,
    /// 1 is neutral.
    pub repeat_penalty: f32,
    /// 0 is neutral.
    pub presence_penalty: f32,
    /// 0 is neutral.
    pub frequency_penalty: f32,
    /// How many tokens back the penalties look.
    pub penalty_last_n: u32,
    /// Replaces the truncating stages.
    pub mirostat: Option<Mirostat>,
    /// Added to the logits of these tokens before every other stage but the mask.
    pub bias: Arc<[LogitBias]>,
    /// What a reply must follow.
    pub grammar: Option<Constraint>,
    /// Seed of everything random.
    pub seed: u32,
}

impl Default for Sampling {
    /// The raw distribution: temperature 1 and no other stage.
    fn default() -> Self {
        Sampling {
            greedy: false,
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            typical: 1.0,
            top_n_sigma: -1.0,
            xtc: None,
            dry: 0.0,
            repeat_penalty: 1.0,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            penalty_last_n: 64,
            mirostat: None,
            bias: Arc::default(),
            grammar: None,
            seed: 0,
        }
    }
}

impl Sampling {
    /// What a chat starts with.
    pub fn chat() -> Self {
        Sampling { temperature: 0.8, top_p: 0.95, min_p: 0.05, ..Sampling::default() }
    }

    /// A temperature of 0 means the same as `greedy`.
    pub fn is_greedy(&self) -> bool {
        self.greedy || self.temperature <= 0.0
    }

    /// The stages that run, in the order of llama.cpp's default chain: grammar, bias, penalties, DRY, the
    /// truncating stages, temperature last.
    pub fn stages(&self) -> Vec<Stage> {
        let penalties =
            self.repeat_penalty != 1.0 || self.presence_penalty != 0.0 || self.frequency_penalty != 0.0;
        let draws = !self.is_greedy();
        let truncates = draws && self.mirostat.is_none();
        let all = [
            (Stage::Grammar, self.grammar.is_some()),
            (Stage::Bias, !self.bias.is_empty()),
            (Stage::Penalties, penalties && self.penalty_last_n > 0),
            (Stage::Dry, self.dry > 0.0),
            (Stage::TopNSigma, truncates && self.top_n_sigma > 0.0),
            (Stage::TopK, truncates && self.top_k > 0),
            (Stage::Typical, truncates && self.typical < 1.0),
            (Stage::TopP, truncates && self.top_p < 1.0),
            (Stage::MinP, truncates && self.min_p > 0.0),
            (Stage::Xtc, truncates && self.xtc.is_some()),
            (Stage::Temperature, draws && self.temperature != 1.0),
            (Stage::Mirostat, draws && self.mirostat.is_some()),
        ];
        all.into_iter().filter_map(|(stage, runs)| runs.then_some(stage)).collect()
    }

    /// For a status bar: only what differs from the raw distribution, the temperature first.
    pub fn summary(&self) -> Vec<String> {
        let mut parts = Vec::new();
        let penalty = |parts: &mut Vec<String>| {
            if self.repeat_penalty != 1.0 {
                parts.push(format!("repeat {}", self.repeat_penalty));
            }
            if self.presence_penalty != 0.0 {
                parts.push(format!("presence {}", self.presence_penalty));
            }
            if self.frequency_penalty != 0.0 {
                parts.push(format!("frequency {}", self.frequency_penalty));
            }
        };
        if self.is_greedy() {
            parts.push("greedy".to_string());
            penalty(&mut parts);
            return parts;
        }
        parts.push(format!("T {}", self.temperature));
        for stage in self.stages() {
            match stage {
                Stage::Grammar => parts.push("grammar".to_string()),
                Stage::Bias => parts.push(format!("bias on {}", self.bias.len())),
                Stage::Penalties => penalty(&mut parts),
                Stage::Dry => parts.push(format!("dry {}", self.dry)),
                Stage::TopNSigma => parts.push(format!("top-nσ {}", self.top_n_sigma)),
                Stage::TopK => parts.push(format!("top-k {}", self.top_k)),
                Stage::Typical => parts.push(format!("typical {}", self.typical)),
                Stage::TopP => parts.push(format!("top-p {}", self.top_p)),
                Stage::MinP => parts.push(format!("min-p {}", self.min_p)),
                Stage::Xtc => parts.push("xtc".to_string()),
                Stage::Mirostat => parts.push("mirostat".to_string()),
                Stage::Temperature => {}
            }
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_raw_distribution_needs_no_stage() {
        assert_eq!(Sampling::default().stages(), []);
    }

    #[test]
    fn chat_truncates_before_it_heats() {
        assert_eq!(Sampling::chat().stages(), [Stage::TopP, Stage::MinP, Stage::Temperature]);
    }

    #[test]
    fn greedy_keeps_only_what_changes_the_best_token() {
        let greedy = Sampling { greedy: true, repeat_penalty: 1.1, top_k: 40, ..Sampling::chat() };
        assert_eq!(greedy.stages(), [Stage::Penalties]);
        assert!(Sampling { temperature: 0.0, ..Sampling::default() }.is_greedy());
    }

    #[test]
    fn mirostat_takes_the_place_of_truncation() {
        let chosen =
            Sampling { mirostat: Some(Mirostat { version: 2, tau: 5.0, eta: 0.1 }), ..Sampling::chat() };
        assert_eq!(chosen.stages(), [Stage::Temperature, Stage::Mirostat]);
    }

    #[test]
    fn the_summary_names_what_differs() {
        assert_eq!(Sampling::chat().summary(), ["T 0.8", "top-p 0.95", "min-p 0.05"]);
        assert_eq!(Sampling { greedy: true, ..Sampling::chat() }.summary(), ["greedy"]);
    }
}
