//! Parse, call, map errors to exit codes.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use tokenscope::{app, cli::Cli, engine, fatal, grammar, model, say, text};

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let command = args.next();
    if command.as_ref().is_some_and(|command| command.to_string_lossy().starts_with("__")) {
        fatal::prepare_child();
    }
    match command {
        Some(command) if command == model::check::SUBCOMMAND => {
            let path = args.next().map(PathBuf::from).unwrap_or_default();
            return model::check::run_child_check(&path, engine::trial::run);
        }
        Some(command) if command == model::copies::SUBCOMMAND => {
            return model::copies::run_child(args, engine::llama::convert);
        }
        Some(command) if command == grammar::schema::SUBCOMMAND => {
            return grammar::schema::run_child();
        }
        _ => {}
    }
    leave_out_empty_variables();
    fatal::prepare();
    engine::llama::on_native_abort(fatal::native_abort);
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    match app::run(cli) {
        Ok(app::INTERRUPTED) => fatal::leave(app::INTERRUPTED),
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            say::tell(&failure.message);
            ExitCode::from(failure.code)
        }
    }
}

/// A variable of ours that is empty says nothing, as if it was not set.
fn leave_out_empty_variables() {
    let ours = |name: &OsString| name.to_string_lossy().starts_with("TOKENSCOPE_");
    for (name, _) in std::env::vars_os().filter(|(name, value)| ours(name) && value.is_empty()) {
        // SAFETY: no other thread has been started yet.
        unsafe { std::env::remove_var(name) };
    }
}

/// Prints what was asked for (help, version), or in one line what is wrong with the command line.
fn usage(error: &clap::Error) -> ExitCode {
    use clap::error::ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion};
    if matches!(error.kind(), DisplayHelp | DisplayVersion | DisplayHelpOnMissingArgumentOrSubcommand) {
        error.exit();
    }
    let said = text::one_line(&error.render().to_string());
    say::tell(&format!("{said} (--help lists what there is)"));
    ExitCode::from(2)
}
