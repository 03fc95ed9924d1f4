//! From the command line to the part of the program that does the work, and from its errors to one
//! line and an exit code.

mod bench;
mod failure;
mod probe;
mod progress;
mod query;
mod running;

use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;

use crate::cli::{ChatArgs, Cli, CliCommand, ReplArgs};
use crate::colouring::Colors;
use crate::engine::Client;
use crate::engine::llama::send_log_to;
use crate::interrupt;
use crate::model::bar::{TerminalProgress, can_ask, goes_on};
use crate::model::{self, Copies, Library};
use crate::paths::Paths;
use crate::pipe::{Ended, Pipe};
use crate::repl::{Repl, Surroundings};
use crate::sampling::Sampling;
use crate::say;
use crate::settings::key::SettingKey;
use crate::settings::source::Source;
use crate::settings::{ConfigFile, Settings};
use crate::tui;
use crate::tui::look::Appearance;
pub use failure::{Failure, INTERRUPTED};
use failure::{OK, USAGE};
use running::{Running, one_model, read_constraint};

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
    let (interrupted, cache) = (Arc::clone(&interrupted), paths.cache.clone());
    let around = Surroundings { load: &reload, interrupted, history, cache, chats, color };
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
