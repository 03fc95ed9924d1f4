use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use tokenscope::model::{self, Library, ModelsCommand};

#[derive(Parser)]
enum Cli {
    #[command(subcommand)]
    Models(ModelsCommand),
}

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|command| command == model::check::SUBCOMMAND) {
        let path = args.next().map(PathBuf::from).unwrap_or_default();
        return model::check::run_child_check(&path, tokenscope::engine::trial::run);
    }
    let Cli::Models(command) = Cli::parse();
    let progress = model::bar::TerminalProgress::new(model::bar::watch_signals().unwrap_or_default(), false);
    let outcome = Library::open()
        .and_then(|library| model::command::run(&command, &library, &mut std::io::stdout(), &progress));
    progress.clear();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_closed_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tokenscope: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
