//! The command line as types; no behaviour.

mod expand;
mod probe;
mod query;

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::model::ModelsCommand;
use crate::session::export::ExportFormat;
use crate::settings::{Flags, SamplingFlags};
pub use expand::{ExpandArgs, ExpandFormat};
pub use probe::ProbeArgs;
pub use query::{
    By, Format, GenerateArgs, LensArgs, NextArgs, ScoreArgs, SteerCommand, SteerMakeArgs, SteerShowArgs,
    TokenizeArgs,
};

/// See what a language model does at every step: predict the next token
#[derive(Debug, Parser)]
#[command(name = "tokenscope", version, max_term_width = 100)]
pub struct Cli {
    /// What to do; without it, a chat
    #[command(subcommand)]
    pub command: Option<CliCommand>,
    /// The chat's own flags, where no command is named
    #[command(flatten)]
    pub chat: ChatArgs,
    /// Flags of every command
    #[command(flatten, next_help_heading = "General")]
    pub flags: Flags,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum CliCommand {
    /// Chat with a model, with every step's probabilities beside it
    Chat(ChatArgs),
    /// Probe line by line: a line is a prompt, /help lists the commands
    Repl(ReplArgs),
    /// What comes next: the candidates after a prompt, and the probability of any text there
    Next(NextArgs),
    /// Continue a prompt, with a record of every step
    Generate(GenerateArgs),
    /// How likely a text is: by token, word, character or line; which continuation is preferred
    Score(ScoreArgs),
    /// How a prompt may go on: the most likely continuations as a tree, with their joint probabilities
    Expand(ExpandArgs),
    /// Why this token: which words before it made it so, at which layer, where attention looks
    Lens(Box<LensArgs>),
    /// Make and look at steering vectors, which --steer adds to the residual stream
    #[command(subcommand)]
    Steer(SteerCommand),
    /// What a text is to a model: token ids, bytes and offsets; also of a chat
    Tokenize(TokenizeArgs),
    /// List, fetch, describe and remove models
    #[command(subcommand)]
    Models(ModelsCommand),
    /// Conversations that were saved: list, show, export and remove them
    #[command(subcommand)]
    Sessions(SessionsCommand),
    /// Run probe suites: questions to a model, and what must hold for its probabilities
    Probe(ProbeArgs),
    /// Serve the model over HTTP, for OpenAI's, vLLM's and llama-server's clients, with the
    /// log-probabilities of every token they send or ask for
    Serve(ServeArgs),
    /// Compute layers of a model that somebody spreads over several machines (--rpc)
    RpcServer(RpcServerArgs),
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
    #[arg(long, short = 'n', value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_tokens: Option<u32>,
    /// Without a terminal: one JSON object a line
    #[arg(long)]
    pub json: bool,
    /// Going on, and being kept
    #[command(flatten)]
    pub keeping: KeepingFlags,
    /// Sampling
    #[command(flatten)]
    pub sampling: SamplingFlags,
}

/// How a conversation goes on, and whether it is kept.
#[derive(Args, Clone, Debug, Default)]
pub struct KeepingFlags {
    /// Go on with a saved session: its name, words of its title, or a file; without NAME, the newest
    #[arg(long, value_name = "NAME|FILE", num_args = 0..=1, default_missing_value = "")]
    pub resume: Option<String>,
    /// Do not save the conversation as a session
    #[arg(long, env = "TOKENSCOPE_NO_SAVE", value_parser = clap::builder::FalseyValueParser::new())]
    pub no_save: bool,
}

/// Flags of the REPL.
#[derive(Args, Clone, Debug)]
pub struct ReplArgs {
    /// System prompt of the conversation: a name or a text
    #[arg(long, value_name = "NAME|TEXT")]
    pub system: Option<String>,
    /// Longest reply in tokens
    #[arg(long, short = 'n', value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_tokens: Option<u32>,
    /// Going on, and being kept
    #[command(flatten)]
    pub keeping: KeepingFlags,
    /// Sampling
    #[command(flatten)]
    pub sampling: SamplingFlags,
}

/// Flags of the server.
#[derive(Args, Clone, Debug)]
pub struct ServeArgs {
    /// Address to listen on; one that other machines can reach needs a key
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1", value_parser = address)]
    pub host: IpAddr,
    /// Port to listen on; 0 takes one that is free
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    pub port: u16,
    /// Replies that are written side by side; each takes as much memory as a conversation
    #[arg(long, value_name = "N", default_value_t = 4, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub parallel: u32,
}

/// Flags of an RPC server.
#[derive(Args, Clone, Debug)]
pub struct RpcServerArgs {
    /// Address to listen on (IPv4). Whoever can reach it can use this machine: RPC has no keys
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub host: Ipv4Addr,
    /// Port to listen on
    #[arg(long, value_name = "PORT", default_value_t = 50052, value_parser = clap::value_parser!(u16).range(1..))]
    pub port: u16,
}

fn address(text: &str) -> Result<IpAddr, String> {
    match text {
        "localhost" => Ok(IpAddr::from([127, 0, 0, 1])),
        _ => text.parse().map_err(|_| "an address is wanted, such as 127.0.0.1 or ::1".to_string()),
    }
}

/// How what was marked is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CalibrationFormat {
    /// For people
    Table,
    /// One object
    Json,
    /// A row a mark
    Csv,
    /// A probe suite
    Suite,
}

/// What to do with saved conversations.
#[derive(Clone, Debug, Subcommand)]
pub enum SessionsCommand {
    /// List them, the one that was written last first
    List {
        /// Only those with this in their title, name or model
        #[arg(value_name = "TEXT")]
        text: Option<String>,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Show one with its figures; no model is needed
    Show {
        /// Its name, words of its title, or a file: a session, or log-probabilities that OpenAI, vLLM or llama-server gave
        #[arg(value_name = "NAME|FILE", default_value = "")]
        session: String,
        /// Another branch than the one it is on, by its number
        #[arg(long, value_name = "N")]
        branch: Option<u32>,
        /// Print one JSON object, as export --format json writes it
        #[arg(long)]
        json: bool,
    },
    /// Write one as a file for other programs or for people
    Export {
        /// Its name, words of its title, or a file
        #[arg(value_name = "NAME|FILE", default_value = "")]
        session: String,
        /// Where to (default: standard output)
        #[arg(long, short = 'o', value_name = "FILE")]
        output: Option<PathBuf>,
        /// How (default: what FILE's ending says, else markdown)
        #[arg(long, value_name = "FORMAT")]
        format: Option<ExportFormat>,
        /// Another branch than the one it is on, by its number
        #[arg(long, value_name = "N")]
        branch: Option<u32>,
        /// Write over a file that is there already
        #[arg(long)]
        force: bool,
    },
    /// Put what you marked right and wrong, in all sessions, beside its probabilities
    Calibration {
        /// Only sessions with this in their title, name or model
        #[arg(value_name = "TEXT", default_value = "")]
        text: String,
        /// How: for people, for programs, a row a mark, or a probe suite that asks the same again
        #[arg(long, value_name = "FORMAT", default_value = "table")]
        format: CalibrationFormat,
        /// The same as --format json
        #[arg(long, conflicts_with = "format")]
        json: bool,
        /// Where to (default: standard output)
        #[arg(long, short = 'o', value_name = "FILE")]
        output: Option<PathBuf>,
        /// Write over a file that is there already
        #[arg(long)]
        force: bool,
    },
    /// Remove some
    Rm {
        /// Their names, or words that only one has
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
    /// Print the JSON schema of a line of a session file
    Schema,
}

/// What the benchmark can measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BenchPart {
    /// A reply with its figures, and its sampler, against decode alone
    Decode,
    /// The first token of a branch whose beginning is cached, against a step of the reply it leaves
    Branch,
    /// Distributions a second, against evaluating tokens with all their logits
    Scoring,
    /// A prompt's tokens with their figures, against evaluating them with all their logits
    Prompt,
    /// Logit lens, trace, knockout, context and occlusion, against a prompt of as many tokens
    Lens,
    /// A search for the most likely continuations, against one decode for each of them
    Expand,
    /// What other settings would make of a step: its row, and then each change
    WhatIf,
    /// From the program's start to its first figure, against loading and evaluating alone
    Start,
}

/// Flags of the benchmark.
#[derive(Args, Clone, Debug)]
pub struct BenchArgs {
    /// Measure this alone
    #[arg(long, value_enum, value_name = "PART")]
    pub only: Option<BenchPart>,
    /// Pairs of runs, without and with looking
    #[arg(long, value_name = "N", default_value_t = 5, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub pairs: u32,
    /// Tokens generated in each run
    #[arg(short = 'n', long, value_name = "N", default_value_t = 128, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=2048))]
    pub tokens: u32,
    /// Tokens of the prompt that is read, at most what the context holds
    #[arg(long, value_name = "N", default_value_t = 512, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(2..))]
    pub prompt: u32,
    /// The text that the n-gram model of the lenses counts, instead of the one that comes with the program
    #[arg(long, value_name = "FILE")]
    pub corpus: Option<PathBuf>,
    /// The message to answer
    #[arg(
        value_name = "TEXT",
        default_value = "Write a very long story about a lighthouse, with many chapters."
    )]
    pub message: String,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// Sampling
    #[command(flatten)]
    pub sampling: SamplingFlags,
}

/// Where a text comes from.
#[derive(Args, Clone, Debug, Default)]
pub struct TextArgs {
    /// The text; - or a pipe reads standard input
    #[arg(value_name = "TEXT|-", conflicts_with = "file")]
    pub text: Option<String>,
    /// Read the text from a file, byte for byte
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<PathBuf>,
}
