//! The arguments of what asks a model about a text.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::TextArgs;
use crate::lens::flags::{LensFlags, LensView};
use crate::lens::steer::ReadAt;
use crate::report::unit::Unit;
use crate::score::words::Convention;
use crate::settings::SamplingFlags;

/// Flags of `next`.
#[derive(Args, Clone, Debug)]
pub struct NextArgs {
    /// The prompt
    #[command(flatten)]
    pub prompt: TextArgs,
    /// Also tell the probability of this text, of one or several tokens
    #[arg(long = "token", value_name = "TEXT", allow_hyphen_values = true)]
    pub tokens: Vec<String>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Flags of `generate`.
#[derive(Args, Clone, Debug)]
pub struct GenerateArgs {
    /// The prompt
    #[command(flatten)]
    pub prompt: TextArgs,
    /// Most tokens to generate
    #[arg(short = 'n', long, value_name = "N", default_value_t = 128, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_tokens: u32,
    /// Print one JSON object a line: each step, then a summary
    #[arg(long)]
    pub json: bool,
    /// Sampling
    #[command(flatten)]
    pub sampling: SamplingFlags,
}

/// What a text is divided into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// The model's own tokens.
    #[default]
    Token,
    /// Words, with the correction for the space before them.
    Word,
    /// The smallest parts whose edges are edges of a token and of a character: for scripts without spaces.
    Char,
    /// Lines.
    Line,
}

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// One object; JSON Lines for --items.
    Json,
    /// For spreadsheets and statistics packages.
    Csv,
}

/// Flags of `score`.
#[derive(Args, Clone, Debug)]
pub struct ScoreArgs {
    /// The text; with --choice, what precedes the choices
    #[command(flatten)]
    pub text: TextArgs,
    /// Context that is not scored itself
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub prefix: Option<String>,
    /// Compare continuations of the text
    #[arg(long = "choice", value_name = "TEXT", allow_hyphen_values = true, conflicts_with_all = ["by", "items", "regions", "stats"])]
    pub choices: Vec<String>,
    /// What to divide the text into
    #[arg(long, value_name = "UNIT")]
    pub by: Option<By>,
    /// Which tokens may follow a finished word
    #[arg(long, value_name = "CONVENTION", default_value = "whitespace")]
    pub boundary: Convention,
    /// Unit of tables and CSV; JSON is always in nats
    #[arg(long, value_name = "UNIT", default_value = "bits")]
    pub unit: Unit,
    /// How to write the result (default: table; csv with --items)
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// Score every text of a column of this CSV file; its other columns are passed through
    #[arg(long, value_name = "FILE.csv", conflicts_with_all = ["text", "file", "prefix", "stats"])]
    pub items: Option<PathBuf>,
    /// The column of the texts (default: text, sentence, or the only one)
    #[arg(long, value_name = "NAME", requires = "items")]
    pub column: Option<String>,
    /// Also sum over regions, which this mark separates in the text; it is taken out before scoring
    #[arg(long, value_name = "MARK", num_args = 0..=1, default_missing_value = "|")]
    pub regions: Option<String>,
    /// Also compute the statistics of detection research
    #[arg(long)]
    pub stats: bool,
    /// A model of the same vocabulary, for the Binoculars statistic
    #[arg(long, value_name = "MODEL", requires = "stats")]
    pub reference: Option<String>,
    /// Tokens from one window to the next where a text is longer than the context (default: one less than it, so that everything is computed once; half of it gives every token half a window before it, in twice the time)
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub stride: Option<u32>,
    /// Leave out tokens with fewer tokens before them in their window
    #[arg(long, value_name = "N", default_value_t = 1, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub min_context: u32,
}

/// Flags of `lens`.
#[derive(Args, Clone, Debug)]
pub struct LensArgs {
    /// The prompt; - or a pipe reads standard input
    #[arg(value_name = "PROMPT|-", conflicts_with = "chat")]
    pub prompt: Option<String>,
    /// The prompt under another name, beside --corrupt
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, requires = "corrupt", conflicts_with_all = ["prompt", "chat"])]
    pub clean: Option<String>,
    /// Look at a conversation instead, with the beginning of the next reply: a JSON array of messages, or an
    /// object with "messages"
    #[arg(long, value_name = "FILE|-")]
    pub chat: Option<PathBuf>,
    /// Look at every row of a file (.csv, .tsv, .jsonl): columns prompt, target, versus, for trace clean and
    /// corrupt; other columns are passed through. What a row doesn't say, flags do
    #[arg(short, long, value_name = "ITEMS", conflicts_with_all = ["prompt", "clean", "chat", "dump"])]
    pub file: Option<PathBuf>,
    /// With trace: the two prompts, the target and what it is compared with are those of an item of a probe
    /// suite with a minimal pair, as layers.en:moves-France-Italy
    #[arg(long, value_name = "SUITE:ID", conflicts_with_all = ["prompt", "clean", "corrupt", "chat", "file", "dump"])]
    pub pair: Option<String>,
    /// How to look; can be given several times
    #[arg(long, value_name = "VIEW", required_unless_present = "dump")]
    pub view: Vec<LensView>,
    /// Write what a part of the layers gives for every token as NumPy files instead: residual, input, attention,
    /// ffn, heads, weights (of attention) or a name of llama.cpp's graph; LAYERS like 0-5,11 (default: all)
    #[arg(long, value_name = "NAME[:LAYERS]", requires = "output", conflicts_with_all = ["view", "target", "versus", "json", "report"])]
    pub dump: Option<String>,
    /// With --dump: the folder for the files
    #[arg(long, short = 'o', value_name = "DIR", requires = "dump")]
    pub output: Option<PathBuf>,
    /// With --dump: write over files that are there already
    #[arg(long, requires = "dump")]
    pub force: bool,
    /// The text whose probability after the prompt is looked at (default: the model's first choice)
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub target: Option<String>,
    /// Look at the difference to this text
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub versus: Option<String>,
    /// What to write, and where: table, jsonl, csv, html (default: a table); can be given several times
    #[arg(long, value_name = "KIND[=FILE]")]
    pub report: Vec<String>,
    /// How the view is to be had
    #[command(flatten)]
    pub flags: LensFlags,
    /// Print one JSON object; with several views or -f the same as --report jsonl
    #[arg(long)]
    pub json: bool,
}

/// What to do with steering vectors.
#[derive(Clone, Debug, Subcommand)]
pub enum SteerCommand {
    /// Make one: the mean difference of the residual stream between pairs of texts
    Make(SteerMakeArgs),
    /// Show one: by layer its norm, and what it raises and lowers
    Show(SteerShowArgs),
}

/// Flags of `steer make`.
#[derive(Args, Clone, Debug)]
pub struct SteerMakeArgs {
    /// Texts that it leads to, one a line
    #[arg(long, value_name = "FILE")]
    pub positive: PathBuf,
    /// Texts that it leads away from, as many; the texts of a line are a pair
    #[arg(long, value_name = "FILE")]
    pub negative: PathBuf,
    /// The file to write, a GGUF of llama.cpp's control-vector format
    #[arg(long, short = 'o', value_name = "V.gguf")]
    pub output: PathBuf,
    /// Where a text's stream is read
    #[arg(long, value_name = "WHERE", default_value = "last")]
    pub at: ReadAt,
    /// Write over a file that is there already
    #[arg(long)]
    pub force: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Flags of `steer show`.
#[derive(Args, Clone, Debug)]
pub struct SteerShowArgs {
    /// The file
    #[arg(value_name = "V.gguf")]
    pub file: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Flags of `tokenize`.
#[derive(Args, Clone, Debug)]
pub struct TokenizeArgs {
    /// The text
    #[command(flatten)]
    pub text: TextArgs,
    /// Tokenize a conversation instead, as the model reads it: a JSON array of messages, or an object
    /// with "messages" (and "tools", "chat_template_kwargs")
    #[arg(long, value_name = "FILE|-", conflicts_with_all = ["text", "file"])]
    pub chat: Option<PathBuf>,
    /// Render the conversation with this chat template instead of the model's
    #[arg(long, value_name = "FILE", requires = "chat")]
    pub template: Option<PathBuf>,
    /// Compare with a tokenizer.json, or without FILE with a tokenizer built from the model's own vocabulary
    /// and merges: the first difference, and whether ids stand for the same pieces. Exit code 1 if they
    /// differ. Without FILE it must stand after the text. An inserted BOS is not compared
    #[arg(long, value_name = "FILE", num_args = 0..=1, conflicts_with = "chat")]
    pub check: Option<Option<PathBuf>>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}
