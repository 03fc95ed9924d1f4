//! The command line as types; no behaviour.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::lens::flags::{LensFlags, LensView};
use crate::lens::steer::ReadAt;
use crate::model::ModelsCommand;
use crate::report::unit::Unit;
use crate::score::words::Convention;
use crate::session::export::ExportFormat;
use crate::settings::{Flags, SamplingFlags};

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
    /// File with a key a line, of which a client must send one
    #[arg(long, value_name = "FILE")]
    pub api_key_file: Option<PathBuf>,
    /// Replies that are written side by side; each takes as much memory as a conversation
    #[arg(long, value_name = "N", default_value_t = 4, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub parallel: u32,
}

fn address(text: &str) -> Result<IpAddr, String> {
    match text {
        "localhost" => Ok(IpAddr::from([127, 0, 0, 1])),
        _ => text.parse().map_err(|_| "an address is wanted, such as 127.0.0.1 or ::1".to_string()),
    }
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
    /// Distributions a second, against evaluating tokens with all their logits
    Scoring,
    /// A prompt's tokens with their figures, against evaluating them with all their logits
    Prompt,
    /// Logit lens, trace, knockout, context and occlusion, against a prompt of as many tokens
    Lens,
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
    /// What to write, and where: table, jsonl, csv, markdown, junit, html (default: a table); can be given
    /// several times
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
