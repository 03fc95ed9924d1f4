//! What is said to an engine and what it says back. Plain data; no llama.cpp type.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use super::cancel::CancelFlag;
pub use super::error::{EngineError, TokenizerLost};
pub use super::frontier::Frontier;
use super::gives::Gives;
use super::look::{Found, Inspect};
use super::replies::{ReplyEvent, ReplyId, Round};
use super::row::{LogitsFound, RowRequest};
use crate::distribution::Depth;
use crate::intervention::{InForce, Interventions, ModelShape};
use crate::model::{About, Patience, RpcServer, ServerAccess};
use crate::sampling::Sampling;
use crate::step::{AnyToken, Prediction, Step};
use crate::token::{TokenId, Vocab};

/// Continue a sequence.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Generate {
    /// The exact ids to continue; at least one.
    pub prompt: Vec<TokenId>,
    /// How to choose.
    pub sampling: Sampling,
    /// Stop after this many tokens; `None` fills the context.
    pub max_tokens: Option<usize>,
    /// The reply so far, whose ids end the prompt, with what the sampler made of each: penalties, mirostat and
    /// a constraint take them as their own.
    pub begun: Vec<Arc<Step>>,
    /// How many tokens from the first on need no figures: whoever asks has them.
    pub known: usize,
    /// How many candidates each step keeps.
    pub depth: Depth,
    /// Tokens whose figures are wanted at every step that is generated, whatever is chosen.
    pub named: Vec<TokenId>,
    /// What is in force at each position.
    pub in_force: InForce,
    /// Stops the request early.
    pub cancel: CancelFlag,
}

/// Continue a sequence several times, side by side.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Siblings {
    /// The first continuation, told as if it were alone.
    pub first: Generate,
    /// The seeds of the others, which are told with their number, from 1 on, as [`Event::Reply`].
    pub seeds: Vec<u32>,
}

/// A path that is not gone on with any more.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Forget {
    /// Its tokens, as far as nothing else has them.
    pub path: Vec<TokenId>,
    /// How many of them, from the first on, others have too.
    pub keep: usize,
    /// Stops nothing.
    pub cancel: CancelFlag,
}

/// One sequence to score as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Sequence {
    /// The exact ids.
    pub tokens: Vec<TokenId>,
    /// Index of the first token whose figures are wanted; a token at index 0 has none.
    pub from: usize,
}

/// How sequences are laid out in batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// Many in one batch, and what they share only once. A sequence has the same figures alone, with
    /// others and as a reply in the making.
    #[default]
    Together,
    /// One path after another, by the kernels that are fastest for many tokens at once. A sequence has the
    /// same figures alone and with others, but for their rounding not those of a reply in the making. With
    /// [`LoadOptions::exact`] the same as [`Layout::Together`].
    Long,
    /// One that grows from request to request: what the request before had of it is not computed again, and a
    /// token more costs a token. As it is: with anything in force, and with [`LoadOptions::exact`], the same as
    /// [`Layout::Together`].
    Growing,
}

impl Layout {
    /// Most tokens of a text that is scored [`Layout::Together`]. Alone, one of so many takes half as long again
    /// there as [`Layout::Long`], and of texts that begin alike, as a task's choices do, each takes a third.
    const SHORT: usize = 512;

    /// That of a text of so many tokens, wherever it is scored: nothing but its length decides, so that it has
    /// the same figures in any company.
    pub fn of(tokens: usize) -> Layout {
        if tokens > Layout::SHORT { Layout::Long } else { Layout::Together }
    }
}

/// Whose requests are answered between two batches of a scoring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GivesWay {
    /// Nobody's.
    #[default]
    Never,
    /// Rounds of replies.
    ToReplies,
    /// Those, and scorings that give way to replies alone.
    ToAll,
}

/// Score sequences without choosing anything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScoreBatch {
    /// What to score; answers come with the index of each.
    pub sequences: Vec<Sequence>,
    /// How to compute them.
    pub layout: Layout,
    /// How many candidates each step keeps.
    pub depth: Depth,
    /// Whether the mass of word boundaries is wanted.
    pub boundaries: bool,
    /// Whether the distribution after each last token is wanted.
    pub after: bool,
    /// What is in force at each position.
    pub in_force: InForce,
    /// Whose requests may be answered on the way.
    pub gives_way: GivesWay,
    /// Stops the request early.
    pub cancel: CancelFlag,
}

/// Continue one prompt several times, each time by itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// The exact ids to continue; at least one.
    pub prompt: Vec<TokenId>,
    /// How to choose: one continuation for each, with its own seed and temperature.
    pub samplings: Vec<Sampling>,
    /// Stop each after this many tokens; `None` fills the context.
    pub max_tokens: Option<usize>,
    /// How many candidates each step keeps.
    pub depth: Depth,
    /// What is in force at every position.
    pub interventions: Interventions,
    /// Stops the request early.
    pub cancel: CancelFlag,
}

/// How surprising the engine's model finds what another one expects, over the whole vocabulary.
#[derive(Clone, Debug, PartialEq)]
pub struct CrossEntropy {
    /// The model that expects: one of the same vocabulary.
    pub reference: LoadOptions,
    /// The texts; of each, the tokens from `Sequence::from` on (1 or more).
    pub sequences: Vec<Sequence>,
    /// Σ p_reference ln(p_reference ÷ p), the Kullback–Leibler divergence of this model from the reference,
    /// instead of −Σ p_reference ln p.
    pub divergence: bool,
    /// Stops the request early.
    pub cancel: CancelFlag,
}

/// What an engine can be asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Continue a sequence.
    Generate(Generate),
    /// Continue a sequence several times, side by side.
    Siblings(Siblings),
    /// Free what only a path has that nobody goes on with.
    Forget(Forget),
    /// Score sequences.
    Score(ScoreBatch),
    /// Continue a prompt several times.
    Sample(Sample),
    /// What comes after several texts that begin alike.
    Frontier(Frontier),
    /// Write several replies side by side, one token each.
    Round(Round),
    /// Look between the layers.
    Inspect(Inspect),
    /// Compare the model with another one.
    CrossEntropy(CrossEntropy),
    /// Give a whole row of logits.
    Row(RowRequest),
}

impl Command {
    /// The same with these in force; what is computed of many sequences at once has those of the end at every
    /// position.
    ///
    /// # Errors
    /// [`EngineError::Intervention`] where that can't be.
    pub fn under(mut self, in_force: &InForce) -> Result<Command, EngineError> {
        match &mut self {
            Command::Generate(request) | Command::Siblings(Siblings { first: request, .. }) => {
                request.in_force = in_force.clone();
            }
            Command::Forget(_) => {}
            Command::Score(request) => request.in_force = in_force.clone(),
            Command::Frontier(request) => request.in_force = in_force.clone(),
            Command::Sample(request) => request.interventions = in_force.at_the_end(),
            Command::Round(request) => request.interventions = in_force.at_the_end(),
            Command::Inspect(request) => request.interventions = in_force.at_the_end(),
            Command::Row(request) => request.in_force = in_force.clone(),
            Command::CrossEntropy(_) => {
                let what = "a model is compared with another as it is: leave out --off and --steer";
                return Err(EngineError::Intervention(what.to_string()));
            }
        }
        Ok(self)
    }

    /// What stops it early.
    pub fn cancel(&mut self) -> &mut CancelFlag {
        match self {
            Command::Generate(request) | Command::Siblings(Siblings { first: request, .. }) => {
                &mut request.cancel
            }
            Command::Forget(request) => &mut request.cancel,
            Command::Score(request) => &mut request.cancel,
            Command::Frontier(request) => &mut request.cancel,
            Command::Sample(request) => &mut request.cancel,
            Command::Round(request) => &mut request.cancel,
            Command::Inspect(request) => &mut request.cancel,
            Command::CrossEntropy(request) => &mut request.cancel,
            Command::Row(request) => &mut request.cancel,
        }
    }
}

/// Why a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FinishReason {
    /// An end-of-generation token was chosen.
    Stop,
    /// As many tokens as were asked for.
    Length,
    /// The person stopped it.
    Cancelled,
    /// The context is full.
    Context,
}

impl FinishReason {
    /// What a person reads of it; JSON has the names of the field.
    pub fn words(self) -> &'static str {
        match self {
            FinishReason::Stop => "the model ended it",
            FinishReason::Length => "as many as asked for",
            FinishReason::Cancelled => "stopped",
            FinishReason::Context => "the context is full",
        }
    }
}

/// How long a request took, and for what.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Timing {
    /// Prompt tokens, or tokens of scored sequences, computed: those found in a cache or shared with
    /// another sequence are not among them.
    pub prefill_tokens: usize,
    /// Prompt tokens that had been computed and were again, because the model's cache can't be rewound.
    pub read_again: usize,
    /// What [`Timing::prefill_tokens`] would be if every scored sequence were computed by itself.
    pub naive_tokens: usize,
    /// Distributions read for scored sequences.
    pub rows: usize,
    /// Time for them.
    pub prefill: Duration,
    /// Tokens generated.
    pub decode_tokens: usize,
    /// Time for them.
    pub decode: Duration,
    /// Of `decode`, or of a scoring's `prefill`, what the full-vocabulary statistics took.
    pub statistics: Duration,
    /// Threads in use at the end.
    pub threads: u32,
}

/// From how many tokens on a speed is a speed.
pub const ENOUGH_TOKENS: usize = 8;

impl Timing {
    /// Generated tokens a second; fewer than [`ENOUGH_TOKENS`] say nothing about the speed.
    pub fn tokens_per_second(&self) -> Option<f64> {
        (self.decode_tokens >= ENOUGH_TOKENS && !self.decode.is_zero())
            .then(|| self.decode_tokens as f64 / self.decode.as_secs_f64())
    }
}

/// What an engine says: of itself (the first two and the last), and in answer to a request.
#[derive(Clone, Debug)]
pub enum Event {
    /// Share of the model loaded, 0..=1.
    LoadProgress(f32),
    /// The model is ready; requests are answered from now on.
    Ready(Arc<ModelInfo>),
    /// Prompt tokens with their figures, from `Generate::known` on, in order and without a gap.
    Prefill {
        /// The next prompt tokens.
        steps: Vec<Arc<Step>>,
        /// Prompt tokens so far.
        done: usize,
        /// Prompt tokens in all.
        total: usize,
    },
    /// One generated token.
    Step {
        /// The token and its figures.
        step: Arc<Step>,
        /// Time since the first token of the reply was begun.
        elapsed: Duration,
        /// The figures of the tokens that were named, as far as the engine knows them.
        named: Vec<AnyToken>,
    },
    /// How far a scoring is: tokens computed, of all that must be.
    Progress {
        /// Tokens so far.
        done: usize,
        /// Tokens in all.
        total: usize,
    },
    /// One scored sequence. They come in the order of the request; when it is cancelled, whatever else
    /// is complete still comes, so that indices may then be missing.
    Scored {
        /// Which of its sequences.
        index: usize,
        /// Its tokens from `Sequence::from` on.
        steps: Vec<Step>,
        /// The distribution after the last token, where it was asked for.
        after: Option<Box<Prediction>>,
    },
    /// A row of logits that was asked for. Figures of what goes on after it follow as one [`Event::Scored`].
    Row(Box<LogitsFound>),
    /// One continuation of a prompt, in the order of the request.
    Sampled {
        /// Which of its samplings.
        index: usize,
        /// Its tokens.
        steps: Vec<Step>,
        /// Why it ended.
        reason: FinishReason,
    },
    /// What became of one of several replies in a round.
    Reply(ReplyId, ReplyEvent),
    /// Something found between the layers.
    Found {
        /// Which layer, variant or wish.
        index: usize,
        /// What.
        found: Box<Found>,
    },
    /// A sequence compared with another model, in the order of the request: a value in nats for each of
    /// its tokens.
    CrossEntropy {
        /// Which sequence.
        index: usize,
        /// In order.
        values: Vec<f32>,
    },
    /// The request ended; nothing further comes of it.
    Finished {
        /// Why.
        reason: FinishReason,
        /// How long it took.
        timing: Timing,
    },
    /// The request failed; nothing further comes of it.
    Failed(EngineError),
    /// There is no engine: it could not be started, or it has stopped.
    Lost(EngineError),
}

/// How many threads compute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Threads {
    /// As many as there are cores that nobody else keeps busy.
    #[default]
    Auto,
    /// Exactly this many.
    Fixed(u32),
}

/// How to load a model.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadOptions {
    /// A file that [`crate::model`] has found and checked.
    pub path: std::path::PathBuf,
    /// The name people know it by.
    pub name: String,
    /// Longest sequence; `None` takes 4096 or the model's own, if shorter.
    pub context: Option<u32>,
    pub threads: Threads,
    /// Repeatable arithmetic: F32 cache, no flash attention. Its figures don't depend on the number of threads.
    pub exact: bool,
    /// What is known of it already.
    pub about: Arc<About>,
    /// The server that computes it, in the place of this machine; `path` is its address then.
    pub server: Option<ServerAccess>,
    /// Machines that compute its layers, in the place of this one; none computes all of it here.
    pub rpc: Vec<RpcServer>,
    /// How long a server may take.
    pub patience: Patience,
    /// Raise it to stop loading.
    pub cancel: CancelFlag,
}

impl LoadOptions {
    /// Whether this process computes all of it.
    pub fn is_here(&self) -> bool {
        self.server.is_none() && self.rpc.is_empty()
    }
}

/// Turns text into ids. The model's own tokenizer is the truth.
pub trait Tokenize: Send + Sync {
    /// The ids of a text. With `parse_special`, the literal text of a special token is that token;
    /// without, control tokens are plain characters. Adds no BOS.
    fn tokenize(&self, text: &[u8], parse_special: bool) -> Vec<TokenId>;

    /// The same of a tokenizer that may be out of reach.
    ///
    /// # Errors
    /// [`TokenizerLost`].
    fn try_tokenize(&self, text: &[u8], parse_special: bool) -> Result<Vec<TokenId>, TokenizerLost> {
        Ok(self.tokenize(text, parse_special))
    }
}

/// What is known of a loaded model.
#[derive(Clone)]
pub struct ModelInfo {
    /// The name people know it by.
    pub name: String,
    /// The file.
    pub path: std::path::PathBuf,
    /// Architecture, as GGUF names it.
    pub architecture: String,
    /// Quantization of the file that was named (`Q4_1`); the weights in force are in `about`.
    pub quantization: String,
    /// Number of weights.
    pub parameters: u64,
    /// Number of layers.
    pub layers: usize,
    /// Number of heads of attention in the first layer, and nearly always in every one.
    pub heads: usize,
    /// Width of the residual stream.
    pub width: usize,
    /// Longest sequence here.
    pub context: u32,
    /// What its engine can give.
    pub gives: Gives,
    /// Threads at the start.
    pub threads: u32,
    /// The chat template inside the file.
    pub chat_template: Option<String>,
    /// Every token's bytes.
    pub vocab: Arc<Vocab>,
    /// The model's tokenizer.
    pub tokenizer: Arc<dyn Tokenize>,
    /// What was known of it before it was loaded.
    pub about: Arc<About>,
}

/// Where a server does not tell its context; nobody asks for so many tokens.
pub const UNTOLD_CONTEXT: u32 = u32::MAX >> 1;

impl ModelInfo {
    /// Whether its context is known.
    pub fn tells_context(&self) -> bool {
        self.context < UNTOLD_CONTEXT
    }

    /// Whether it has all that is to be switched off or added; what it has not, in words.
    ///
    /// # Errors
    /// One line.
    pub fn check(&self, these: &Interventions) -> Result<(), String> {
        if !self.gives.layers && !these.is_empty() {
            return Err(
                "nothing can be switched off or added in a model behind a server or over RPC: leave out --off and --steer"
                    .to_string(),
            );
        }
        let shape = ModelShape {
            architecture: &self.architecture,
            layers: self.layers,
            heads: self.heads,
            width: self.width,
        };
        these.iter().try_for_each(|one| one.check(shape))
    }
}

impl std::fmt::Debug for ModelInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ModelInfo")
            .field("name", &self.name)
            .field("quantization", &self.quantization)
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}
