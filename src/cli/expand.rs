//! The flags of `expand`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::TextArgs;
use crate::query::expand::search::{self, MOST_DEPTH, MOST_NODES, MOST_WIDTH};

/// How continuations are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExpandFormat {
    /// The most likely first, each in full.
    Table,
    /// What a continuation goes on with below it.
    Tree,
    /// One object.
    Json,
    /// For spreadsheets and statistics packages.
    Csv,
}

/// Flags of `expand`.
#[derive(Args, Clone, Debug)]
pub struct ExpandArgs {
    /// The prompt
    #[command(flatten)]
    pub prompt: TextArgs,
    /// Expand the beginning of the next reply of a conversation instead: a JSON array of messages, or an object
    /// with "messages"
    #[arg(long, value_name = "FILE|-", conflicts_with_all = ["text", "file"])]
    pub chat: Option<PathBuf>,
    /// Tokens of the longest continuations
    #[arg(long, value_name = "N", default_value_t = 4, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=MOST_DEPTH as i64))]
    pub depth: u32,
    /// Go on from each with so many of the most likely tokens
    #[arg(long, value_name = "K", default_value_t = 5, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=MOST_WIDTH as i64))]
    pub width: u32,
    /// Leave out continuations below this joint probability: 0.001, or 0.1%
    #[arg(long, value_name = "P", default_value = "0.001", allow_negative_numbers = true, value_parser = search::floor)]
    pub floor: f64,
    /// Look at no more than so many of them; the list then ends where it would have to look further
    #[arg(long, value_name = "N", default_value_t = 2000, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=MOST_NODES as i64))]
    pub nodes: u32,
    /// How to write the result
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: ExpandFormat,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
}
