//! From the command line to the part of the program that does the work, and from its errors to one
//! line and an exit code.

mod bench;
mod call;
mod failure;
mod probe;
mod progress;
mod query;
mod rpc;
mod running;
mod serve;
mod served;
mod sessions;

use std::cell::RefCell;
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::archive::read;
use crate::archive::shelf::Shelf;
use crate::cli::{ChatArgs, Cli, CliCommand, KeepingFlags, ReplArgs};
use crate::colouring::Colors;
use crate::engine::Client;
use crate::engine::llama::send_log_to;
use crate::interrupt;
use crate::model::bar::{TerminalProgress, can_ask, goes_on};
use crate::model::{self, Copies, Library, ServerAddress};
use crate::paths::Paths;
use crate::pipe::{Ended, Pipe};
use crate::repl::{Repl, Surroundings};
use crate::sampling::Sampling;
use crate::say;
use crate::session::keep::SessionRecorder;
use crate::settings::{ConfigFile, Flags, SamplingFlags, Settings};
use crate::tui;
use crate::tui::look::Appearance;
use call::Call;
pub use failure::{Failure, INTERRUPTED};
use failure::{OK, USAGE};
pub use rpc::run_child as run_rpc_engine;
use running::{Running, one_model};

/// Does what the command line asks; returns the exit code.
///
/// # Errors
/// [`Failure`], to be shown as one line.
pub fn run(cli: Cli) -> Result<u8, Failure> {
    let paths = Paths::from_env()?;
    model::tidy(&paths);
    let as_it_is = matches!(
        cli.command,
        Some(CliCommand::Models(_) | CliCommand::Steer(_) | CliCommand::Tokenize(_) | CliCommand::Bench(_))
    );
    let changed = !cli.flags.off.is_empty() || !cli.flags.steer.is_empty();
    if as_it_is && changed {
        return Err(Failure::usage(
            "--off and --steer change what a model computes: they belong to chat, repl, next, generate, score, expand, lens, probe and serve",
        ));
    }
    if let Some(CliCommand::Models(command)) = &cli.command {
        return models(command, &cli.flags, &paths);
    }
    let file = ConfigFile::read(&paths.config_file())?;
    // A mistake is told whatever was asked for.
    let look = Appearance::of(&file)?;
    keep_log(&paths);
    let call = Call { cli, paths, file };
    match &call.cli.command {
        None => chat(&call, &call.cli.chat, look),
        Some(CliCommand::Chat(args)) => chat(&call, args, look),
        Some(CliCommand::Repl(args)) => repl(&call, args),
        Some(CliCommand::Sessions(command)) => sessions::run(command, &call),
        Some(CliCommand::Probe(args)) => probe::probe(&call, args),
        Some(CliCommand::Bench(args)) => bench::bench(&call, args),
        Some(CliCommand::Serve(args)) => serve::serve(&call, args),
        Some(CliCommand::RpcServer(args)) => rpc::serve(&call, args),
        Some(question) => query::run(&call, question),
    }
}

fn repl(call: &Call, args: &ReplArgs) -> Result<u8, Failure> {
    let mut settings = call.conversation(&args.sampling, args.system.as_ref(), args.max_tokens)?;
    one_model(&settings, "a REPL")?;
    let resume = keeping(call, &args.keeping, &mut settings)?;
    by_line(&settings, &call.paths, resume, false)
}

/// Whether the conversation is kept; and the session to go on with, whose model it takes unless the command line
/// names one.
fn keeping(call: &Call, flags: &KeepingFlags, settings: &mut Settings) -> Result<Option<String>, Failure> {
    settings.save &= !flags.no_save;
    let Some(named) = &flags.resume else { return Ok(None) };
    let path = Shelf::at(&call.paths).find(named).map_err(Failure::usage)?;
    let model = read::model_of(&path).map_err(Failure::usage)?;
    if let Some(model) = model.filter(|_| call.cli.flags.model.is_empty()) {
        settings.model = model.asked.unwrap_or(model.model);
    }
    Ok(Some(path.to_string_lossy().into_owned()))
}

/// Who keeps a conversation that goes on line by line.
fn recorder(settings: &Settings, paths: &Paths) -> Option<SessionRecorder> {
    settings.save.then(|| SessionRecorder::new(&paths.sessions(), |_, line| say::tell(&line)))
}

/// Lines that are prompts, or in a chat messages.
fn by_line(settings: &Settings, paths: &Paths, resume: Option<String>, chats: bool) -> Result<u8, Failure> {
    let settings = settings.clone();
    let interrupted = interrupt::watch_again_and_again().unwrap_or_default();
    let running = Running::load(&settings, paths, &interrupted)?;
    if !settings.quiet {
        say::plain(&running.origin.header());
    }
    let standing = RefCell::new(running.options.clone());
    let reload = |settings: &Settings, client: &mut Client| {
        match Running::load_after(Some(client), settings, paths, &interrupted) {
            Ok(running) => {
                (*client, *standing.borrow_mut()) = (running.client, running.options);
                Ok(running.model)
            }
            Err(failure) => {
                // One that had to end is loaded again; where that fails too, the engine stays ended.
                if client.engine().has_ended()
                    && let Ok((again, _)) = running::load(&standing.borrow(), settings.quiet)
                {
                    *client = again;
                }
                Err(failure.message)
            }
        }
    };
    let color = io::stdin().is_terminal() && settings.color.applies(io::stdout().is_terminal());
    let history = paths.state.join("repl-history");
    let (interrupted, cache) = (Arc::clone(&interrupted), paths.cache.clone());
    let recorder = recorder(&settings, paths);
    let around = Surroundings { load: &reload, interrupted, history, cache, recorder, resume, chats, color };
    let repl = Repl::new(running.client, running.model, settings, around);
    repl.and_then(Repl::run).map_err(|error| Failure::usage(format!("standard input or output: {error}")))?;
    Ok(OK)
}

fn models(command: &model::ModelsCommand, flags: &Flags, paths: &Paths) -> Result<u8, Failure> {
    let mut command = command.clone();
    if let model::ModelsCommand::Info { model, template, json } = &mut command {
        *model = model.take().or_else(|| flags.model.first().cloned());
        if let Some(address) = model.as_ref().filter(|name| ServerAddress::is_meant(name)) {
            let (file, sampling) = (ConfigFile::default(), SamplingFlags::default());
            let settings = Settings::from_layers(Sampling::default(), &file, flags, &sampling)?;
            let settings = Settings { model: address.clone(), ..settings };
            let wanted = served::ServedInfo { template: *template, json: *json };
            return served::info(&settings, paths, wanted).map(|()| OK);
        }
    }
    let progress = TerminalProgress::new(interrupt::watch().unwrap_or_default(), flags.quiet);
    let library = Library::at(paths, std::env::current_exe().ok());
    let copies = Copies::of(paths, &library);
    let outcome = model::command::run(&command, &copies, &mut io::stdout(), &progress);
    progress.clear();
    match outcome {
        Err(error) if !error.is_closed_pipe() => Err(error.into()),
        _ => Ok(OK),
    }
}

fn chat(call: &Call, args: &ChatArgs, look: Appearance) -> Result<u8, Failure> {
    let on_screen = !args.json && io::stdin().is_terminal() && io::stdout().is_terminal();
    // A screen has its own ways to be left.
    let interrupted = if on_screen { Arc::default() } else { interrupt::watch().unwrap_or_default() };
    let mut settings = call.conversation(&args.sampling, args.system.as_ref(), args.max_tokens)?;
    let resume = keeping(call, &args.keeping, &mut settings)?;
    let whole_screen = on_screen && !say::is_plain_terminal();
    match settings.other_models.as_slice() {
        [second] if whole_screen && *second == settings.model => {
            return Err(Failure::usage(format!("-m {second} is given twice: name two models that differ")));
        }
        [] | [_] if whole_screen => {}
        [..] if whole_screen => {
            return Err(Failure::usage(
                "a chat is with one model or with two side by side: leave out the others",
            ));
        }
        _ => one_model(&settings, "a chat that is not on a whole screen (which shows two side by side)")?,
    }
    if on_screen && !whole_screen {
        say::plain(
            "TERM is dumb or not set: a chat line by line instead of the whole screen; /help lists the commands, Ctrl-D leaves",
        );
        return by_line(&settings, &call.paths, resume, true);
    }
    if on_screen {
        screen(settings, &call.paths, look, resume)
    } else {
        piped(settings, &call.paths, PipeWish { json: args.json, resume }, interrupted)
    }
}

fn screen(
    settings: Settings,
    paths: &Paths,
    look: Appearance,
    resume: Option<String>,
) -> Result<u8, Failure> {
    // On the screen nobody could be asked before there is one.
    for model in std::iter::once(&settings.model).chain(&settings.other_models) {
        let missing = match ServerAddress::is_meant(model) {
            true => None,
            false => Library::at(paths, None).missing(model)?,
        };
        if missing.is_some_and(|what| can_ask() && !goes_on(&what)) {
            return Ok(INTERRUPTED);
        }
    }
    let colors = match settings.color.applies(true) {
        true => Colors::of_terminal().max(Colors::Sixteen),
        false => Colors::None,
    };
    tui::run::run(settings, paths, look.on(colors), resume)
        .map_err(|error| Failure::usage(format!("the terminal can't be used: {error}")))
}

/// How a chat without a terminal is wanted.
struct PipeWish {
    json: bool,
    resume: Option<String>,
}

/// A message a line, without a terminal.
fn piped(
    settings: Settings,
    paths: &Paths,
    wish: PipeWish,
    interrupted: Arc<AtomicBool>,
) -> Result<u8, Failure> {
    let mut running = Running::load(&settings, paths, &interrupted)?;
    if !settings.quiet {
        say::plain(&running.origin.header());
    }
    let pipe = Pipe {
        client: &mut running.client,
        model: running.model,
        recorder: recorder(&settings, paths),
        resume: wish.resume,
        settings,
        origin: running.origin,
        json: wish.json,
        interrupted,
        out: io::BufWriter::new(io::stdout().lock()),
    };
    Ok(match pipe.run(io::stdin().lock())? {
        Ended::Fine => OK,
        Ended::SomeRefused => USAGE,
        Ended::Interrupted => INTERRUPTED,
    })
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
