//! The command line as types; no behaviour.

use clap::{Args, Parser, Subcommand};

use crate::model::ModelsCommand;
use crate::settings::{Flags, SamplingFlags};

/// See what a language model does at every step: predict the next token
#[derive(Debug, Parser)]
#[command(name = "tokenscope", version, max_term_width = 100)]
pub struct Cli {
    /// What to do; without it, a chat
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The chat's own flags, where no command is named
    #[command(flatten)]
    pub chat: ChatArgs,
    /// Flags of every command
    #[command(flatten, next_help_heading = "General")]
    pub flags: Flags,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Chat with a model, with every step's probabilities beside it
    Chat(ChatArgs),
    /// List, fetch, describe and remove models
    #[command(subcommand)]
    Models(ModelsCommand),
    /// Measure what looking costs, against the raw engine
    Bench(BenchArgs),
}

/// Flags of a chat.
#[derive(Args, Clone, Debug, Default)]
pub struct ChatArgs {
    /// System prompt: a name (`/system` completes them) or a text
    #[arg(long, value_name = "NAME|TEXT")]
    pub system: Option<String>,
    /// Longest reply in tokens (default: as far as the context goes)
    #[arg(long, short = 'n', value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_tokens: Option<u32>,
    /// Without a terminal: one JSON object a line
    #[arg(long)]
    pub json: bool,
    /// Sampling
    #[command(flatten)]
    pub sampling: SamplingFlags,
}

/// Flags of the benchmark.
#[derive(Args, Clone, Debug)]
pub struct BenchArgs {
    /// Pairs of runs, without and with looking
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub pairs: u32,
    /// Tokens generated in each run
    #[arg(short = 'n', long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..=2048))]
    pub tokens: u32,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}
