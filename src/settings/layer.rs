//! One layer of settings, as clap and the config file both fill it in.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;

use super::choices::{Bos, ColorChoice};
use super::error::SettingsError;
use super::parse::{self, depth, mirostat, patience, threads, xtc};
use crate::bounded::{self, WRITTEN};
use crate::distribution::Depth;
use crate::engine::Threads;
use crate::files;
use crate::grammar::ConstraintSource;
use crate::intervention::{OffPart, Steering};
use crate::model::{Patience, RpcServer, Weights};
use crate::sampling::{Mirostat, Sampling, Xtc};
use crate::text::line_and_column;

/// One layer of general settings.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Flags {
    /// Model: an alias (`tokenscope models list`), a GGUF file, hf:REPO[/FILE], or a server's
    /// http://HOST:PORT[#MODEL]; several to compare
    #[arg(short, long, value_name = "MODEL", env = "TOKENSCOPE_MODEL", global = true)]
    #[serde(deserialize_with = "parse::models_in_file")]
    pub model: Vec<String>,
    /// Candidates shown: a number, or a share of the probability such as 95%
    #[arg(short, value_name = "N|P%", allow_negative_numbers = true, value_parser = depth, env = "TOKENSCOPE_K", global = true)]
    #[serde(deserialize_with = "parse::depth_in_file")]
    pub k: Option<Depth>,
    /// Threads: auto, or a number
    #[arg(long, value_name = "auto|N", allow_negative_numbers = true, value_parser = threads, env = "TOKENSCOPE_THREADS", global = true)]
    #[serde(deserialize_with = "parse::threads_in_file")]
    pub threads: Option<Threads>,
    /// Longest sequence in tokens (default: 4096, or the model's own if shorter)
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(8..), env = "TOKENSCOPE_CTX", global = true)]
    pub ctx: Option<u32>,
    /// Whether a BOS token goes before raw text
    #[arg(long, value_name = "WHEN", env = "TOKENSCOPE_BOS", global = true)]
    pub bos: Option<Bos>,
    /// Take special tokens written in raw text for what they name (default: they are text)
    #[arg(long, global = true)]
    pub special: bool,
    /// Repeatable arithmetic: CPU, F32 cache, no flash attention
    #[arg(long, global = true)]
    pub exact: bool,
    /// Format to compute the weights in; a copy is made once and kept (default: as-is, and what the
    /// catalogue says for its models)
    #[arg(long, value_name = "FORMAT", env = "TOKENSCOPE_WEIGHTS", global = true)]
    pub weights: Option<Weights>,
    /// Seed of everything random (default: random, and shown)
    #[arg(long, value_name = "N", allow_negative_numbers = true, env = "TOKENSCOPE_SEED", global = true)]
    #[serde(skip)]
    pub seed: Option<u32>,
    /// Switch a part of the model off: "head LAYER:HEAD", "attention LAYER", "ffn LAYER" or "layer LAYER",
    /// counted from 0; can be given several times
    #[arg(long, value_name = "PART", global = true)]
    #[serde(skip)]
    pub off: Vec<OffPart>,
    /// Add a steering vector to the residual stream after its layers (or these: 10 or 10-20), times a scale
    #[arg(long, value_name = "FILE:SCALE[:LAYERS]", global = true)]
    #[serde(skip)]
    pub steer: Vec<Steering>,
    /// File with the key of the server that -m names (or TOKENSCOPE_API_KEY); for serve, with a key a line, of
    /// which a client must send one
    #[arg(long, value_name = "FILE", global = true)]
    pub api_key_file: Option<PathBuf>,
    /// File with certificates (PEM) of authorities that a https:// server is trusted by, in place of the usual ones
    #[arg(long, value_name = "FILE", env = "TOKENSCOPE_CA_FILE", global = true)]
    pub ca_file: Option<PathBuf>,
    /// Seconds that a server may take to be connected to, to begin an answer, and between two parts of one
    /// (default: 10,120,60)
    #[arg(long, value_name = "CONNECT,ANSWER,IDLE", allow_hyphen_values = true, value_parser = patience, env = "TOKENSCOPE_TIMEOUTS", global = true)]
    #[serde(deserialize_with = "parse::patience_in_file")]
    pub timeouts: Option<Patience>,
    /// RPC servers (`tokenscope rpc-server`, or llama.cpp's) that compute the model's layers, each as many as it has
    /// memory for
    #[arg(long, value_name = "HOST:PORT,…", value_delimiter = ',', env = "TOKENSCOPE_RPC", global = true)]
    pub rpc: Vec<RpcServer>,
    /// When to colour
    #[arg(long, value_name = "WHEN", env = "TOKENSCOPE_COLOR", global = true)]
    pub color: Option<ColorChoice>,
    /// Say less on standard error
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

/// One layer of sampling settings.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[command(next_help_heading = "Sampling")]
pub struct SamplingFlags {
    /// Temperature; 0 is greedy
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    pub temp: Option<f32>,
    /// Keep the K most probable tokens; 0 is off
    #[arg(long, value_name = "K", allow_negative_numbers = true)]
    pub top_k: Option<u32>,
    /// Keep the fewest tokens that hold P of the mass; 1 is off
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    pub top_p: Option<f32>,
    /// Keep tokens above this share of the best one's probability; 0 is off
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    pub min_p: Option<f32>,
    /// Keep the locally typical tokens that hold P of the mass; 1 is off
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    pub typical: Option<f32>,
    /// Keep logits within N standard deviations of the best; 0 is off
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub top_n_sigma: Option<f32>,
    /// Exclude top choices with chance P above probability T
    #[arg(long, value_name = "P,T", allow_hyphen_values = true, value_parser = xtc)]
    #[serde(deserialize_with = "parse::xtc_in_file")]
    pub xtc: Option<Xtc>,
    /// Penalise continuing a repetition with this multiplier; 0 is off
    #[arg(long, value_name = "M", allow_negative_numbers = true)]
    pub dry: Option<f32>,
    /// Divide the logits of recent tokens by this; 1 is off
    #[arg(long, value_name = "R", allow_negative_numbers = true)]
    pub repeat_penalty: Option<f32>,
    /// Subtract this from the logits of recent tokens; 0 is off
    #[arg(long, value_name = "A", allow_negative_numbers = true)]
    pub presence_penalty: Option<f32>,
    /// Subtract this for each time a token occurred recently; 0 is off
    #[arg(long, value_name = "A", allow_negative_numbers = true)]
    pub frequency_penalty: Option<f32>,
    /// Mirostat 1 or 2 with target surprisal TAU (bits) and learning rate ETA
    #[arg(long, value_name = "V[,TAU,ETA]", value_parser = mirostat)]
    #[serde(deserialize_with = "parse::mirostat_in_file")]
    pub mirostat: Option<Mirostat>,
    /// Only what this GBNF grammar allows
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json_schema", "regex"])]
    pub grammar: Option<PathBuf>,
    /// Only JSON that follows this schema; one that can't be enforced is refused
    #[arg(long, value_name = "FILE", conflicts_with = "regex")]
    pub json_schema: Option<PathBuf>,
    /// Only replies that match this regular expression (ECMAScript) from beginning to end
    #[arg(long, value_name = "RE", allow_hyphen_values = true)]
    pub regex: Option<String>,
    /// Always take the most probable token
    #[arg(long)]
    pub greedy: bool,
    /// Seed in a file; on the command line it is everybody's.
    #[arg(skip)]
    pub seed: Option<u32>,
}

/// The config file: a layer of each kind, and how a chat begins.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ConfigFile {
    /// `[general]`
    pub general: Flags,
    /// `[sampling]`
    pub sampling: SamplingFlags,
    /// `[chat]`
    pub chat: ChatSection,
    /// `[keys]`, read by the screen, which knows its panes.
    keys: toml::Table,
    /// `[theme]`, read by the screen too.
    theme: toml::Table,
    /// Where it was read from, and what it holds.
    #[serde(skip)]
    source: (PathBuf, String),
}

/// How a chat begins.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ChatSection {
    /// Name of a system prompt, or its text.
    pub system: Option<String>,
    /// Tokens a second that a screen shows; nothing is no limit.
    pub pace: Option<f32>,
    /// Whether conversations are saved as sessions; nothing means they are.
    pub save: Option<bool>,
}

impl ConfigFile {
    /// Reads the file; one that does not exist is empty.
    ///
    /// # Errors
    /// [`SettingsError`] with path, line and column.
    pub fn read(path: &Path) -> Result<ConfigFile, SettingsError> {
        let text = match files::read(path, WRITTEN).and_then(bounded::without_mark) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(ConfigFile::default()),
            Err(error) => return Err(SettingsError(format!("{}: {error}", path.display()))),
        };
        let source = (path.to_path_buf(), text);
        match toml::from_str::<ConfigFile>(&source.1) {
            Ok(file) => Ok(ConfigFile { source, ..file }),
            Err(error) => {
                let at = error.span().map_or(0, |span| span.start);
                Err(ConfigFile { source, ..ConfigFile::default() }.wrong(at, error.message()))
            }
        }
    }

    /// What the file holds, for sections that are read elsewhere.
    pub fn text(&self) -> &str {
        &self.source.1
    }

    /// What is wrong with it, and in which line.
    pub fn wrong(&self, at: usize, message: &str) -> SettingsError {
        let (path, text) = &self.source;
        let (line, column) = line_and_column(text, at);
        SettingsError(format!("{}:{line}:{column}: {}", path.display(), message.replace('\n', " ")))
    }
}

impl SamplingFlags {
    /// Overwrites what this layer says.
    pub(super) fn apply(&self, sampling: &mut Sampling) {
        fn set<T: Copy>(target: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *target = value;
            }
        }
        set(&mut sampling.temperature, self.temp);
        set(&mut sampling.top_k, self.top_k);
        set(&mut sampling.top_p, self.top_p);
        set(&mut sampling.min_p, self.min_p);
        set(&mut sampling.typical, self.typical);
        set(&mut sampling.top_n_sigma, self.top_n_sigma);
        set(&mut sampling.dry, self.dry);
        set(&mut sampling.repeat_penalty, self.repeat_penalty);
        set(&mut sampling.presence_penalty, self.presence_penalty);
        set(&mut sampling.frequency_penalty, self.frequency_penalty);
        set(&mut sampling.seed, self.seed);
        sampling.xtc = self.xtc.or(sampling.xtc);
        sampling.mirostat = self.mirostat.or(sampling.mirostat);
        sampling.greedy |= self.greedy;
        // A temperature asked for on the command line is meant, also where the file says greedy.
        if self.temp.is_some_and(|t| t > 0.0) && !self.greedy {
            sampling.greedy = false;
        }
    }

    /// Where the constraint of this layer is written.
    pub(super) fn constraint(&self) -> Option<ConstraintSource> {
        let regex = self.regex.clone().map(ConstraintSource::Regex);
        let schema = || self.json_schema.clone().map(ConstraintSource::JsonSchema);
        regex.or_else(schema).or_else(|| self.grammar.clone().map(ConstraintSource::Grammar))
    }
}
