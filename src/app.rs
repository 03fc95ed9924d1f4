//! From the command line to the part of the program that does the work, and from its errors to one
//! line and an exit code.

mod bench;
mod probe;
mod query;

use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::cli::{ChatArgs, Cli, CliCommand, ReplArgs};
use crate::colouring::Colors;
use crate::counter::{Counter, Far};
use crate::engine::llama::send_log_to;
use crate::engine::{CancelFlag, Client, EngineError, LoadOptions, ModelInfo};
use crate::interrupt;
use crate::loading::{self, FoundModel};
use crate::model::bar::{TerminalProgress, can_ask, goes_on};
use crate::model::{self, Copies, Library, ModelError};
use crate::paths::{Paths, PathsError};
use crate::pipe::{Ended, Pipe, PipeError};
use crate::repl::{Repl, Surroundings};
use crate::report::record::Origin;
use crate::sampling::Sampling;
use crate::say;
use crate::settings::key::SettingKey;
use crate::settings::source::Source;
use crate::settings::{ConfigFile, Settings, SettingsError};
use crate::tui;
use crate::tui::look::Appearance;

/// Everything was answered.
const OK: u8 = 0;
/// What was expected does not hold: a probe failed, tokenizers differ.
const DIFFERS: u8 = 1;
/// Wrong use or bad input.
const USAGE: u8 = 2;
/// The model or the engine failed.
const ENGINE: u8 = 3;
/// Ctrl-C.
pub const INTERRUPTED: u8 = 130;

/// Why the program can't do what was asked: one line and an exit code.
#[derive(Debug)]
pub struct Failure {
    /// For people.
    pub message: String,
    /// For programs.
    pub code: u8,
}

impl Failure {
    fn usage(error: impl std::fmt::Display) -> Failure {
        Failure { message: error.to_string(), code: USAGE }
    }
}

impl From<ModelError> for Failure {
    fn from(error: ModelError) -> Failure {
        Failure { code: error.exit_code(), message: error.to_string() }
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Failure {
        let code = match error {
            EngineError::TooLong { .. }
            | EngineError::Empty
            | EngineError::Grammar(_)
            | EngineError::Vocabulary { .. } => USAGE,
            EngineError::LoadCancelled => INTERRUPTED,
            _ => ENGINE,
        };
        Failure { message: error.to_string(), code }
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Failure {
        Failure::usage(error)
    }
}

impl From<PathsError> for Failure {
    fn from(error: PathsError) -> Failure {
        Failure::usage(error)
    }
}

impl From<PipeError> for Failure {
    fn from(error: PipeError) -> Failure {
        match error {
            PipeError::Engine(error) => error.into(),
            other => Failure::usage(other),
        }
    }
}

/// Does what the command line asks; returns the exit code.
///
/// # Errors
/// [`Failure`], to be shown as one line.
pub fn run(cli: Cli) -> Result<u8, Failure> {
    let paths = Paths::from_env()?;
    model::tidy(&paths);
    if let Some(CliCommand::Models(command)) = &cli.command {
        return models(command, &cli, &paths);
    }
    let file = ConfigFile::read(&paths.config_file())?;
    // A mistake is told whatever was asked for.
    let look = Appearance::of(&file)?;
    keep_log(&paths);
    if let Some(outcome) = query::run(&cli, &paths, &file) {
        return outcome;
    }
    match &cli.command {
        Some(CliCommand::Repl(args)) => repl(&cli, args, &paths, &file),
        Some(CliCommand::Bench(args)) => bench::bench(&cli, args, &paths, &file),
        Some(CliCommand::Chat(args)) => chat(&cli, args, &paths, &file, look),
        Some(CliCommand::Probe(args)) => probe::probe(&cli, args, &paths, &file),
        _ => chat(&cli, &cli.chat, &paths, &file, look),
    }
}

/// Reads the constraint of replies, and says what there is to know of it.
fn read_constraint(settings: &mut Settings) -> Result<(), SettingsError> {
    let note = interrupt::waiting(|| settings.read_constraint())?;
    if let Some(note) = note.filter(|_| !settings.quiet) {
        say::tell(&note);
    }
    Ok(())
}

fn repl(cli: &Cli, args: &ReplArgs, paths: &Paths, file: &ConfigFile) -> Result<u8, Failure> {
    let mut settings = Settings::from_layers(Sampling::chat(), file, &cli.flags, &args.sampling)?;
    read_constraint(&mut settings)?;
    settings.system = args.system.clone().or(settings.system);
    limit(&mut settings, args.max_tokens);
    one_model(&settings, "a REPL")?;
    by_line(&settings, paths, false)
}

/// Lines that are prompts, or in a chat messages.
fn by_line(settings: &Settings, paths: &Paths, chats: bool) -> Result<u8, Failure> {
    let settings = settings.clone();
    let interrupted = interrupt::watch_again_and_again().unwrap_or_default();
    let running = Running::load(&settings, paths, &interrupted)?;
    if !settings.quiet {
        say::plain(&running.origin.header());
    }
    let reload = |settings: &Settings, old: &Client| {
        let loaded = Running::load_after(Some(old), settings, paths, &interrupted);
        loaded.map(|running| (running.client, running.model)).map_err(|failure| failure.message)
    };
    let color = io::stdin().is_terminal() && settings.color.applies(io::stdout().is_terminal());
    let history = paths.state.join("repl-history");
    let interrupted = Arc::clone(&interrupted);
    let around = Surroundings { load: &reload, interrupted, history, chats, color };
    let repl = Repl::new(running.client, running.model, settings, around);
    repl.and_then(Repl::run).map_err(|error| Failure::usage(format!("standard input or output: {error}")))?;
    Ok(OK)
}

fn models(command: &model::ModelsCommand, cli: &Cli, paths: &Paths) -> Result<u8, Failure> {
    let progress = TerminalProgress::new(interrupt::watch().unwrap_or_default(), cli.flags.quiet);
    let library = Library::at(paths, std::env::current_exe().ok());
    let copies = Copies::of(paths, &library);
    let outcome = model::command::run(command, &copies, &mut io::stdout(), &progress);
    progress.clear();
    match outcome {
        Err(error) if !error.is_closed_pipe() => Err(error.into()),
        _ => Ok(OK),
    }
}

fn chat(
    cli: &Cli,
    args: &ChatArgs,
    paths: &Paths,
    file: &ConfigFile,
    look: Appearance,
) -> Result<u8, Failure> {
    let on_screen = !args.json && io::stdin().is_terminal() && io::stdout().is_terminal();
    // A screen has its own ways to be left.
    let interrupted = if on_screen { Arc::default() } else { interrupt::watch().unwrap_or_default() };
    let mut settings = Settings::from_layers(Sampling::chat(), file, &cli.flags, &args.sampling)?;
    read_constraint(&mut settings)?;
    settings.system = args.system.clone().or(settings.system);
    limit(&mut settings, args.max_tokens);
    one_model(&settings, "a chat")?;
    if on_screen && say::is_plain_terminal() {
        say::plain(
            "TERM is dumb or not set: a chat line by line instead of the whole screen; /help lists the commands, Ctrl-D leaves",
        );
        return by_line(&settings, paths, true);
    }
    if on_screen {
        // On the screen nobody could be asked before there is one.
        let missing = Library::at(paths, None).missing(&settings.model)?;
        if missing.is_some_and(|what| can_ask() && !goes_on(&what)) {
            return Ok(INTERRUPTED);
        }
        let colors = if settings.color.applies(true) {
            Colors::of_terminal().max(Colors::Sixteen)
        } else {
            Colors::None
        };
        return tui::run::run(settings, paths, look.on(colors))
            .map_err(|error| Failure::usage(format!("the terminal can't be used: {error}")));
    }
    let mut running = Running::load(&settings, paths, &interrupted)?;
    if !settings.quiet {
        say::plain(&running.origin.header());
    }
    let pipe = Pipe {
        client: &mut running.client,
        model: running.model,
        settings,
        origin: running.origin,
        json: args.json,
        interrupted,
        out: io::BufWriter::new(io::stdout().lock()),
    };
    Ok(match pipe.run(io::stdin().lock())? {
        Ended::Fine => OK,
        Ended::SomeRefused => USAGE,
        Ended::Interrupted => INTERRUPTED,
    })
}

/// A reply's longest length, from the command line.
fn limit(settings: &mut Settings, tokens: Option<u32>) {
    if let Some(tokens) = tokens {
        settings.max_tokens = Some(tokens as usize);
        settings.sources.put(SettingKey::MaxTokens, Source::Flag);
    }
}

/// Refuses further models where only one can be used.
fn one_model(settings: &Settings, what: &str) -> Result<(), Failure> {
    match settings.other_models.first() {
        None => Ok(()),
        Some(other) => {
            let first = &settings.model;
            Err(Failure::usage(format!("{what} is with one model, not with {first} and {other}")))
        }
    }
}

/// A model that is loaded and waited for.
struct Running {
    client: Client,
    model: Arc<ModelInfo>,
    origin: Origin,
    options: LoadOptions,
}

impl Running {
    /// Finds and loads the model, with progress on standard error.
    fn load(settings: &Settings, paths: &Paths, interrupted: &Arc<AtomicBool>) -> Result<Running, Failure> {
        Running::load_after(None, settings, paths, interrupted)
    }

    /// The same in the place of another, which ends as soon as this one is found.
    fn load_after(
        old: Option<&Client>,
        settings: &Settings,
        paths: &Paths,
        interrupted: &Arc<AtomicBool>,
    ) -> Result<Running, Failure> {
        let progress = TerminalProgress::new(Arc::clone(interrupted), settings.quiet);
        let cancel = CancelFlag::from(Arc::clone(interrupted));
        let FoundModel { file, options, .. } =
            loading::find(settings, paths, cancel, &progress, &loading::AskOnTerminal)?;
        let library = Library::at(paths, None);
        let sha256 = match file.sha256 {
            Some(sum) => sum,
            None => library.sha256_of(&file.path, &progress)?,
        };
        progress.clear();
        let turns = loading::take_turns(old.map(Client::engine), &options);
        if let Some(line) = turns.map_err(|message| Failure { message, code: ENGINE })? {
            say::tell(&line);
        }
        let counter = Counter::new(settings.quiet);
        let loaded = Client::load(options.clone(), |share| {
            let done = (share * 100.0) as usize;
            counter.show(Far { what: "loading", unit: "%", done, total: 100 });
        });
        counter.clear();
        let (client, model) = loaded?;
        let mut origin = Origin::new(&model, settings, Some(sha256));
        // A copy in another format is still this file's model.
        origin.provenance.file = file.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Running { client, model, origin, options })
    }
}

/// llama.cpp's log goes to a file of its own, begun anew at every start.
fn keep_log(paths: &Paths) {
    let path = paths.log_file();
    // Opening a pipe to write would wait for a reader.
    if path.exists() && !path.is_file() {
        return;
    }
    let file = path.parent().map(std::fs::create_dir_all).and_then(Result::ok).and_then(|()| {
        // What people write can stand in it.
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&path).ok()?;
        writeln!(file, "tokenscope {}", env!("CARGO_PKG_VERSION")).ok()?;
        Some(file)
    });
    if let Some(file) = file {
        send_log_to(file);
    }
}
