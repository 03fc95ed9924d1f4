//! The arguments of probes.

use std::path::PathBuf;

use clap::Args;

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
    /// What to write, and where: table, jsonl, csv, markdown, junit, html, or ladder: how often each model is
    /// right over how hard the items are (default: a table); can be given several times
    #[arg(long, value_name = "KIND[=FILE]")]
    pub report: Vec<String>,
    /// Go on from a results file (jsonl), and complete it
    #[arg(long, value_name = "FILE")]
    pub resume: Option<PathBuf>,
    /// Compare with an earlier run's results (jsonl), and fail where something has become worse
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// How far a share of passed items or right answers may fall below the baseline's (or, where there is
    /// none, by what part bits per byte may rise)
    #[arg(long, value_name = "X", requires = "baseline", default_value_t = 0.0, value_parser = share)]
    pub tolerance: f64,
    /// Say how many tokens were computed, and how many a naive scorer would have
    #[arg(long)]
    pub stats: bool,
    /// One JSON object a line: the same as --report jsonl
    #[arg(long)]
    pub json: bool,
}

fn share(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|x| (0.0..=1.0).contains(x))
        .ok_or_else(|| "a number from 0 to 1 is wanted".to_string())
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "a number from 1 is wanted".to_string())
}
