//! The suite format: what people write in TOML.
//!
//! The types are the format; their comments are its documentation and become its JSON schema. Every string
//! that is called a template is Jinja, with the parameters, the row and the row's number (`row`) as
//! variables.

use std::path::PathBuf;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::forms::{AnswerForm, Choices, Flag, Prompts, Values};
use crate::chat;
use crate::settings::Bos;

/// A probe suite: one claim about a model, and the probes that test it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SuiteFile {
    /// The suite as a whole.
    pub suite: SuiteTable,
    /// Its probes, each one item or a ladder of items.
    #[serde(default)]
    pub probe: Vec<Probe>,
}

/// The suite as a whole.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SuiteTable {
    /// The name its results carry.
    pub name: String,
    /// One line for people.
    pub title: Option<String>,
    /// What the suite is meant to show.
    pub claim: Option<String>,
    /// Language of its texts, as in "en" or "zh".
    pub lang: Option<String>,
    /// The model it is for, where the command line names none: an alias, a GGUF file, or hf:REPO.
    pub model: Option<String>,
    /// Whether a BOS token goes before raw text; "auto" does what the model's metadata asks for.
    pub bos: Option<Bos>,
    /// "completion" continues the prompt's text; "chat" makes it a message and scores the reply.
    #[serde(default)]
    pub mode: Mode,
    /// The suite reports its figures and never fails.
    #[serde(default)]
    pub informational: bool,
    /// Chat mode: the system prompt of every probe. A template.
    pub system: Option<String>,
    /// Completion mode: text before every prompt, such as worked examples. A template.
    pub preamble: Option<String>,
    /// What sampling probes draw, where they don't say themselves.
    pub sample: Option<SampleTable>,
    /// What the suite's figures must be: expressions over their names, as in "acc >= 0.7".
    #[serde(default)]
    pub expect: Vec<String>,
    /// A probe for every row of a data file.
    pub data: Option<Probe>,
}

/// One question to a model. With `params` or `file` it is asked once for every combination or row.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Probe {
    /// Unique in the suite. A template; with `params` it must use them.
    pub id: Option<String>,
    /// A data file beside the suite (JSON Lines, JSON, CSV or TSV): its columns are variables.
    pub file: Option<PathBuf>,
    /// Only so many rows of it, from the first.
    pub limit: Option<usize>,
    /// A ladder: every combination of these values, the last parameter running fastest. A list, or a
    /// template that gives one, as in "{{ range(1, 20) }}".
    pub params: IndexMap<String, Values>,
    /// `params` are phrasings of one question, not questions of their own: the item reports how far the
    /// target's probability spreads over them.
    pub vary: bool,
    /// What comes before the continuation. A template; a list of them is one question in several
    /// phrasings.
    pub prompt: Option<Prompts>,
    /// A conversation instead of a prompt, for chat mode.
    pub messages: Vec<MessageTable>,
    /// Chat mode: the system prompt. A template.
    pub system: Option<String>,
    /// Completion mode: text before the prompt, instead of the suite's. A template.
    pub preamble: Option<String>,
    /// "completion" or "chat", instead of the suite's.
    pub mode: Option<Mode>,
    /// Continuations to choose from: a list of templates, or one template that gives a list. Without a
    /// prompt they are whole texts, such as minimal pairs.
    pub choices: Option<Choices>,
    /// The right choice: its index from 0, its text, or a template for either.
    pub answer: Option<AnswerForm>,
    /// The continuation whose probability is looked at. A template.
    pub target: Option<String>,
    /// A second prompt: the target's probability after `prompt` is compared with that after this one. A
    /// template.
    pub versus: Option<String>,
    /// Texts whose probability and rank after the prompt are reported. Templates.
    pub tokens: Vec<String>,
    /// Pieces of the text that follows the prompt; each one's surprisal is reported. Templates.
    pub steps: Vec<String>,
    /// Length of the greedy continuation to look at, in tokens.
    pub greedy: Option<usize>,
    /// What a greedy continuation or a sample should match: a regular expression. A template.
    pub pattern: Option<String>,
    /// Draws samples, and reports how many match `pattern` and how many agree.
    pub sample: Option<SampleTable>,
    /// How hard the question is: a number, more is harder, as in "{{ level }}" of a data file's column. A
    /// template. Ladders of several models go by it.
    pub difficulty: Option<String>,
    /// What must hold: Jinja expressions. Without any, a probe with an `answer` (and no file) expects
    /// "best() == answer", and a greedy one with a `pattern` that it matches.
    pub expect: Vec<String>,
    /// What is expected is judged and counted, and fails nothing: for what a model is known not to do.
    /// True, or a Jinja expression that says of which cases, as in "n > 4".
    pub informational: Option<Flag>,
}

/// The seed of samples where a suite gives none.
pub const SEED: u32 = 1;

/// How samples are drawn. The chain is temperature alone, unless more is said.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Sample")]
pub struct SampleTable {
    /// Samples at each temperature; 16 if not given.
    #[schemars(range(min = 1, max = 10_000))]
    pub n: Option<usize>,
    /// The temperatures; 1.0 alone if not given.
    pub temperatures: Option<Vec<f32>>,
    /// Longest sample in tokens; 32 if not given.
    #[schemars(range(min = 1))]
    pub max_tokens: Option<usize>,
    /// Keep the k most probable tokens.
    pub top_k: Option<u32>,
    /// Keep the fewest tokens that hold this share of the probability.
    pub top_p: Option<f32>,
    /// Keep tokens above this share of the best one's probability.
    pub min_p: Option<f32>,
    /// Makes samples repeatable; 1 if not given.
    pub seed: Option<u32>,
}

/// One message of a conversation.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Message")]
pub struct MessageTable {
    /// Who speaks.
    pub role: Speaker,
    /// What is said. A template.
    pub content: String,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Role")]
pub enum Speaker {
    /// Instructions.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
}

impl From<Speaker> for chat::Role {
    fn from(role: Speaker) -> chat::Role {
        match role {
            Speaker::System => chat::Role::System,
            Speaker::User => chat::Role::User,
            Speaker::Assistant => chat::Role::Assistant,
        }
    }
}

/// How a prompt reaches the model.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// As raw text that is continued.
    #[default]
    Completion,
    /// As a message that is answered.
    Chat,
}
