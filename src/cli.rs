//! The command line as types; no behaviour.

use std::path::PathBuf;

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
    /// Run probe suites: questions to a model, and what must hold for its probabilities
    Probe(ProbeArgs),
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

/// Flags of probes.
#[derive(Args, Clone, Debug, Default)]
pub struct ProbeArgs {
    /// What to run: names (--list), suites (.toml), lm-evaluation-harness tasks (.yaml), BLiMP's (.jsonl)
    /// and SyntaxGym's (.json) own files; nothing runs every suite in the program
    #[arg(value_name = "SUITE|FILE")]
    pub suites: Vec<String>,
    /// Rows for tasks whose data lives on a hub; NAME is a task or a split
    #[arg(long, value_name = "[NAME=]FILE")]
    pub data: Vec<String>,
    /// Only say whether everything can be read; loads no model
    #[arg(long)]
    pub check: bool,
    /// List the suites in the program
    #[arg(long)]
    pub list: bool,
    /// Print the JSON schema of suite files
    #[arg(long)]
    pub schema: bool,
    /// Only the first N items of each suite
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub limit: Option<usize>,
    /// What to write, and where: table, jsonl (default: a table)
    #[arg(long, value_name = "KIND[=FILE]")]
    pub report: Vec<String>,
    /// Go on from a results file (jsonl), and complete it
    #[arg(long, value_name = "FILE")]
    pub resume: Option<PathBuf>,
    /// Say how many tokens were computed, and how many a naive scorer would have
    #[arg(long)]
    pub stats: bool,
    /// One JSON object a line: the same as --report jsonl
    #[arg(long)]
    pub json: bool,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "a number from 1 is wanted".to_string())
}
