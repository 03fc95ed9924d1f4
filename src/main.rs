//! Parse, call, map errors to exit codes.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use tokenscope::cli::{ChatArgs, Cli, Command};
use tokenscope::engine;
use tokenscope::paths::Paths;
use tokenscope::sampling::Sampling;
use tokenscope::settings::{ColorChoice, ConfigFile, Settings};
use tokenscope::{fatal, model, tui};

/// Wrong use or bad input.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|command| command == model::check::SUBCOMMAND) {
        let path = args.next().map(PathBuf::from).unwrap_or_default();
        return model::check::run_child_check(&path, engine::trial::run);
    }
    fatal::prepare();
    let cli = Cli::parse();
    match run(cli) {
        Ok(code) => ExitCode::from(code),
        Err(message) => {
            eprintln!("tokenscope: {message}");
            ExitCode::from(USAGE)
        }
    }
}

fn run(cli: Cli) -> Result<u8, String> {
    let paths = Paths::from_env().map_err(|error| error.to_string())?;
    let file = ConfigFile::read(&paths.config_file()).map_err(|error| error.to_string())?;
    match cli.command {
        Some(Command::Chat(ref args)) => chat(&cli, args, &paths, &file),
        None => chat(&cli, &cli.chat, &paths, &file),
    }
}

fn chat(cli: &Cli, args: &ChatArgs, paths: &Paths, file: &ConfigFile) -> Result<u8, String> {
    let mut settings = Settings::from_layers(Sampling::chat(), file, &cli.flags, &args.sampling)
        .map_err(|error| error.to_string())?;
    settings.system = args.system.clone().or(settings.system);
    settings.max_tokens = args.max_tokens;
    let color = match settings.color {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
    };
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        tui::run::run(settings, paths, color).map_err(|error| format!("the terminal can't be used: {error}"))
    } else {
        chat_on_a_pipe(settings, paths, args.json)
    }
}

fn chat_on_a_pipe(settings: Settings, paths: &Paths, json: bool) -> Result<u8, String> {
    use tokenscope::pipe::{Ended, Pipe};
    let options = tokenscope::loading::find(&settings, paths, Default::default(), &model::progress::Silent)
        .map_err(|e| e.to_string())?;
    let (mut client, info) = engine::Client::load(options, |_| {}).map_err(|e| e.to_string())?;
    let origin = tokenscope::report::record::Origin::new(&info, &settings, None);
    let mut session = tokenscope::session::Session::new(settings);
    session.on_event(engine::Event::Ready(info));
    let pipe = Pipe {
        client: &mut client,
        session,
        origin,
        json,
        interrupted: Default::default(),
        out: std::io::stdout().lock(),
    };
    match pipe.run(std::io::stdin().lock()).map_err(|e| e.to_string())? {
        Ended::Fine => Ok(0),
        Ended::SomeRefused => Ok(2),
        Ended::Interrupted => Ok(130),
    }
}
