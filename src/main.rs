//! Parse, call, map errors to exit codes.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use tokenscope::{app, cli::Cli, engine, fatal, grammar, model};

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    match args.next() {
        Some(command) if command == model::check::SUBCOMMAND => {
            let path = args.next().map(PathBuf::from).unwrap_or_default();
            return model::check::run_child_check(&path, engine::trial::run);
        }
        Some(command) if command == model::copies::SUBCOMMAND => {
            return model::copies::run_child(args, engine::llama::convert);
        }
        Some(command) if command == grammar::schema::SUBCOMMAND => {
            return grammar::schema::run_child(engine::llama::grammar_of_schema);
        }
        _ => {}
    }
    fatal::prepare();
    match app::run(Cli::parse()) {
        Ok(app::INTERRUPTED) => fatal::leave(app::INTERRUPTED),
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            eprintln!("tokenscope: {}", failure.message);
            ExitCode::from(failure.code)
        }
    }
}
