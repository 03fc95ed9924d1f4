//! The lines of a session file, as types. `tokenscope sessions schema` prints their JSON schema.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::engine::FinishReason;
use crate::report::record::Provenance;
use crate::sequence::NodeOrigin;
use crate::step::Figure;
use crate::token::TokenId;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
#[schemars(title = "A line of a tokenscope session file")]
pub enum LogEvent {
    /// The first line: what this is, and whose figures follow.
    Session(Begun),
    /// What tokens stand for, before they are first used.
    Vocab(VocabLine),
    /// Something said, or more about it.
    Turn(TurnLine),
    /// A token, after the head; it is the head then. The first has number 0.
    Step(Box<TokenLine>),
    /// What follows is another future.
    Fork(Moved),
    /// The conversation goes back to where it was.
    Head(Moved),
    /// A token is named.
    Name(NameLine),
    /// What holds from here on.
    Setting(Chosen),
    /// What is off or added from here on; nothing where the list is empty.
    Intervention(InterventionSet),
    /// A token is taken out, with everything after it. Numbers stay.
    Prune(Pruned),
    /// What a person says of tokens.
    Verdict(Judged),
    /// The texts that are pinned from here on.
    Pin(PinSet),
}

/// The first line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Begun {
    /// The format's version.
    pub version: u32,
    /// When, as RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Whose figures follow.
    #[serde(flatten)]
    pub model: ModelLine,
}

/// A model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelLine {
    /// Its name.
    pub model: String,
    /// What it was asked for by, where that is no name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
    /// Tokens of its vocabulary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vocabulary: Option<usize>,
    /// Where its numbers come from, as in every other JSON of tokenscope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    pub provenance: Option<Provenance>,
}

/// What tokens stand for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VocabLine {
    /// `[id, text]`, `[id, [byte, …]]` where the bytes are no UTF-8, or `[id, text, flags]`: `c` for a control
    /// token, `e` for one that ends a reply.
    pub tokens: Vec<SpelledToken>,
}

/// One token's spelling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum SpelledToken {
    /// With flags.
    Special(#[schemars(with = "u32")] TokenId, Spelling, String),
    /// Plain.
    Plain(#[schemars(with = "u32")] TokenId, Spelling),
}

/// Text, or bytes where they are no UTF-8.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Spelling {
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// Something said, or more about what has this number.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TurnLine {
    /// Its number, from 1 on. One that is new is the next thing said where the conversation stands.
    pub turn: u32,
    /// `user` or `assistant`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Exactly what was typed. A reply has tokens instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Numbers of its first and its last token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<[u32; 2]>,
    /// A reply's seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u32>,
    /// Why a reply ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub finish: Option<FinishReason>,
}

/// A token and its figures, as short as JSON has them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TokenLine {
    /// Which token, where it is there already and these are its figures, which came later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<u32>,
    /// The token.
    #[schemars(with = "u32")]
    pub id: TokenId,
    /// How it came there; left out where it was sampled.
    #[serde(default = "sampled", skip_serializing_if = "is_sampled")]
    pub origin: NodeOrigin,
    /// Its own raw ln p (null for −∞), rank and what the sampler made of it; left out where it is one of `top`,
    /// which says the same, and where it has no context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<OwnFigures>,
    /// Entropy (nat), varentropy (nat²) and the probability outside of `top`: each a number, `[least, most]` or null.
    /// Left out where the token has no context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sums: Option<SumFigures>,
    /// The most probable tokens, by (ln p, id): their ids, and their raw ln p.
    #[serde(default, skip_serializing_if = "TopTokens::is_empty")]
    #[schemars(with = "(Vec<u32>, Vec<Option<f32>>)")]
    pub top: TopTokens,
    /// Ranks of `top`, where they are not 1, 2, 3 …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranks: Option<Vec<u32>>,
    /// Figures of pinned tokens that are none of `top`: `[id, ln p, rank]` each, raw, ln p null for −∞.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<(u32, Option<f32>, Figure<u32>)>")]
    pub pins: Vec<PinFigures>,
    /// What the sampler made of `top`; the last one holds for all that follow. Left out where none ran.
    #[serde(default, rename = "final", skip_serializing_if = "Vec::is_empty")]
    pub fates: Vec<Fate>,
}

impl TokenLine {
    /// A token without figures.
    pub fn bare(id: TokenId, origin: NodeOrigin) -> TokenLine {
        TokenLine {
            node: None,
            id,
            origin,
            own: None,
            sums: None,
            top: TopTokens::default(),
            ranks: None,
            pins: Vec::new(),
            fates: Vec::new(),
        }
    }
}

/// A token's own ln p, rank and what the sampler made of it.
pub type OwnFigures = (Option<f32>, Figure<u32>, Fate);

/// A pinned token, its ln p and its rank.
pub type PinFigures = (TokenId, Option<f32>, Figure<u32>);

/// Entropy, varentropy, residual.
pub type SumFigures = (Figure<f32>, Figure<f32>, Figure<f64>);

/// The most probable tokens.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TopTokens(pub Vec<TokenId>, pub Vec<Option<f32>>);

impl TopTokens {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What the sampler made of a token: its probability, the stage that dropped it (its probability is 0 then),
/// both, or null where no sampler ran.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Fate {
    /// It was left, with this probability.
    Kept(f32),
    /// This stage dropped it.
    Dropped(String),
    /// This stage dropped it, and still it has a probability.
    Both(f32, String),
    /// No sampler ran.
    #[default]
    None,
}

fn sampled() -> NodeOrigin {
    NodeOrigin::Sampled
}

fn is_sampled(origin: &NodeOrigin) -> bool {
    *origin == NodeOrigin::Sampled
}

/// Where the conversation goes on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Moved {
    /// The branch, from 1 on; left out where it is as before. A session begins on branch 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<u32>,
    /// The branch that it left, where it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u32>,
    /// The token that what comes next follows; null before the first.
    pub node: Option<u32>,
    /// Numbers of what is said there, in order; left out where that is as before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turns: Option<Vec<u32>>,
}

/// A token that is taken out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pruned {
    /// Its number.
    pub node: u32,
}

/// A token's name, for the branch that ends or begins there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NameLine {
    /// Its number.
    pub node: u32,
    /// The name; null takes it away.
    pub name: Option<String>,
}

/// Settings that hold from here on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Chosen {
    /// By name, as `/set` shows them; `system` is the system prompt. Null takes one away.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, Option<String>>,
    /// Another model's figures follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelLine>,
}

/// What is off or added.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InterventionSet {
    /// Each as `--off` and `--steer` write it.
    pub names: Vec<String>,
}

/// Most texts that are pinned at once.
pub const MOST_PINS: usize = 4;

/// Texts that are pinned; none where the list is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PinSet {
    /// All of them.
    pub texts: Vec<Pin>,
}

/// A text that is pinned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pin {
    /// Its text, as it is shown.
    pub text: String,
    /// Its first token, whose figures are kept.
    #[serde(rename = "id")]
    #[schemars(with = "u32")]
    pub first: TokenId,
    /// How many tokens it has.
    pub tokens: usize,
}

/// What a verdict is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum VerdictScope {
    /// One token.
    Token,
    /// Several.
    Span,
    /// A whole reply.
    Reply,
}

/// What a person says of tokens. The last word on the same tokens holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Judged {
    /// What it is about.
    pub scope: VerdictScope,
    /// Numbers of the first and the last token.
    pub tokens: [u32; 2],
    /// Right or wrong; null takes the verdict back.
    pub right: Option<bool>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// The JSON schema of a line.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(LogEvent).to_value()
}
