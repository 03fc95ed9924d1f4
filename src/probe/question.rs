//! What a probe asks: prompts, continuations, and what has to be found out of a model.
//!
//! [`Questions`] say what an item is about, an [`Ask`] is one thing that only the model can tell:
//! [`super::plan`] turns asks into token sequences. Nothing here knows a model, a file format or what
//! must hold.

use indexmap::IndexSet;
use serde::{Deserialize, Serialize};

use crate::chat::Message;
use crate::continuation::Join;

/// What the model reads before it predicts.
#[derive(Clone, Debug, PartialEq)]
pub enum Prompt {
    /// Raw text.
    Text(String),
    /// A conversation; the model's own template makes a prompt of it.
    Chat(Vec<Message>),
}

impl Prompt {
    /// The text a person wrote: of a conversation, its last message.
    pub fn text(&self) -> String {
        match self {
            Prompt::Text(text) => text.clone(),
            Prompt::Chat(messages) => messages.last().map(Message::text).unwrap_or_default(),
        }
    }

    /// Whether somebody wrote this.
    pub fn holds(&self, text: &str) -> bool {
        match self {
            Prompt::Text(prompt) => prompt.contains(text),
            Prompt::Chat(messages) => messages.iter().any(|message| message.text().contains(text)),
        }
    }
}

/// One of several continuations.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// As its author wrote it, without delimiter: what lengths are counted of.
    pub text: String,
    /// What is scored.
    pub continuation: String,
    /// Which of the prompts it continues.
    pub prompt: usize,
}

/// The right choice. In results files it is its index, several, or null.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Gold {
    /// Exactly one.
    One(usize),
    /// Any of these.
    Any(Vec<usize>),
    /// There is none.
    #[default]
    None,
    /// There should be one, but the data names no choice there is: every answer is wrong.
    Missing,
}

impl Gold {
    /// The only or first right choice.
    pub fn first(&self) -> Option<usize> {
        match self {
            Gold::One(index) => Some(*index),
            Gold::Any(indices) => indices.first().copied(),
            Gold::None | Gold::Missing => None,
        }
    }

    /// Whether a choice is right.
    pub fn holds(&self, index: usize) -> bool {
        match self {
            Gold::One(gold) => *gold == index,
            Gold::Any(golds) => golds.contains(&index),
            Gold::None | Gold::Missing => false,
        }
    }
}

/// How samples are drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct SampleSweep {
    /// Samples for each temperature.
    pub n: usize,
    /// The sweep.
    pub temperatures: Vec<f32>,
    /// Longest sample in tokens.
    pub max_tokens: usize,
    /// The rest of the sampler chain; its temperature is replaced by the sweep's.
    pub chain: crate::sampling::Sampling,
}

/// A text that is scored as a whole, in windows as long as the context.
#[derive(Clone, Debug, PartialEq)]
pub struct Rolling {
    pub text: String,
    /// Pieces of a split at runs of white space, empty ends counted.
    pub words: usize,
}

/// What an item is about.
#[derive(Clone, Debug, Default)]
pub struct Questions {
    /// One; several where one question is put in several ways; two where two prompts are compared.
    pub prompts: Vec<Prompt>,
    /// Whether the second prompt is there to be compared with the first.
    pub compares: bool,
    /// Continuations to choose from.
    pub choices: Vec<Choice>,
    /// The right one.
    pub gold: Gold,
    /// By whose rule choices are measured and compared.
    pub join: Join,
    /// The continuation whose probability is looked at.
    pub target: Option<String>,
    /// Texts whose probabilities are reported.
    pub tokens: Vec<String>,
    /// Pieces of the text that follows the prompt; each has its own surprisal.
    pub pieces: Vec<Piece>,
    /// Longest greedy continuation that is asked for, in tokens.
    pub greedy: Option<usize>,
    /// What a continuation should match.
    pub pattern: Option<String>,
    /// Samples to draw.
    pub sampling: Option<SampleSweep>,
    /// A whole text.
    pub rolling: Option<Rolling>,
}

/// One of several pieces of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its name: its number, or what its author called it.
    pub name: String,
    /// Its text, with the white space before it.
    pub text: String,
    /// Which of the prompts it follows.
    pub prompt: usize,
}

/// Something that only the model can tell.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ask {
    /// How probable a text is after a prompt.
    Text {
        /// Which prompt.
        prompt: usize,
        /// The text.
        text: String,
    },
    /// How probable a text is after nothing but the beginning of a sequence.
    Alone {
        /// The text.
        text: String,
    },
    /// How probable the prompt itself is.
    Prompt {
        /// Which.
        prompt: usize,
    },
    /// What comes after a prompt.
    Next {
        /// Which prompt.
        prompt: usize,
    },
    /// How probable each piece is that follows a prompt.
    Pieces {
        /// Which prompt.
        prompt: usize,
    },
    /// The most probable continuation.
    Greedy {
        /// Of which prompt.
        prompt: usize,
        /// In tokens.
        tokens: usize,
    },
    /// Samples at one temperature of the sweep.
    Samples {
        /// Of which prompt.
        prompt: usize,
        /// Which temperature.
        temperature: usize,
    },
    /// How probable a text is after the last tokens of a prompt alone.
    Context {
        /// Which prompt.
        prompt: usize,
        /// How many, a BOS not counted.
        tokens: usize,
        /// The text.
        text: String,
    },
    /// How probable a text is after a prompt that lacks some words.
    Without {
        /// Which prompt.
        prompt: usize,
        /// The words.
        words: String,
        /// The text.
        text: String,
    },
    /// What the model's head says of a text's first token after each layer.
    Layers {
        /// Of which prompt.
        prompt: usize,
        /// The text.
        text: String,
    },
    /// What a text's first token is after a prompt where other values may be put between the layers.
    Unchanged {
        /// Which prompt.
        prompt: usize,
        /// The text.
        text: String,
    },
    /// The same after the second prompt, with one value of the residual stream from the first.
    Patched {
        /// After which layer; below 0 it counts from the last.
        layer: i64,
        /// At which token; below 0 it counts from the last.
        position: i64,
        /// The text.
        text: String,
    },
    /// The whole text.
    Rolling,
}

impl Questions {
    /// What has to be found out to report on them, expectations aside.
    pub fn asks(&self) -> IndexSet<Ask> {
        let mut asks = IndexSet::new();
        for choice in &self.choices {
            asks.insert(Ask::Text { prompt: choice.prompt, text: choice.continuation.clone() });
        }
        for prompt in 0..self.prompts.len() {
            if let Some(text) = &self.target {
                asks.insert(Ask::Text { prompt, text: text.clone() });
            }
            if self.pieces.iter().any(|piece| piece.prompt == prompt) {
                asks.insert(Ask::Pieces { prompt });
            }
        }
        for text in &self.tokens {
            asks.insert(Ask::Text { prompt: 0, text: text.clone() });
        }
        if let Some(tokens) = self.greedy {
            asks.insert(Ask::Greedy { prompt: 0, tokens });
        }
        for temperature in 0..self.sampling.as_ref().map_or(0, |sampling| sampling.temperatures.len()) {
            asks.insert(Ask::Samples { prompt: 0, temperature });
        }
        if self.rolling.is_some() {
            asks.insert(Ask::Rolling);
        }
        asks
    }

    /// Prompts under which one question is put; the one compared with is none of them.
    pub fn phrasings(&self) -> usize {
        if self.compares { 1 } else { self.prompts.len() }
    }
}

/// An index of so many; below 0 it counts from the end.
pub fn counted(index: i64, length: usize) -> Option<usize> {
    let index = if index < 0 { index + length as i64 } else { index };
    usize::try_from(index).ok().filter(|&index| index < length)
}

/// Says that there is no such layer.
pub fn no_layer(layer: i64, layers: usize) -> String {
    format!("there is no layer {layer}: this model has {layers}, counted from 0, or from -1 back")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_count_from_either_end() {
        assert_eq!(counted(0, 3), Some(0));
        assert_eq!(counted(-1, 3), Some(2));
        assert_eq!((counted(3, 3), counted(-4, 3)), (None, None));
    }
}
