//! Parse, call, map errors to exit codes.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use clap::error::{ContextKind, ContextValue};

use tokenscope::{app, cli::Cli, engine, fatal, grammar, model, say, text};

fn main() -> ExitCode {
    if let Some(code) = as_child() {
        return code;
    }
    leave_out_empty_variables();
    fatal::prepare();
    engine::llama::on_native_abort(fatal::native_abort);
    match Cli::try_parse().map(app::run) {
        Err(error) => usage(&error),
        Ok(Ok(app::INTERRUPTED)) => fatal::leave(app::INTERRUPTED),
        Ok(Ok(code)) => ExitCode::from(code),
        Ok(Err(failure)) => {
            say::tell(&failure.message);
            ExitCode::from(failure.code)
        }
    }
}

/// The work of a child process, where this is one: it reads no configuration and no command line of a person.
fn as_child() -> Option<ExitCode> {
    let mut args = std::env::args_os().skip(1);
    let command = args.next()?;
    if command.to_string_lossy().starts_with("__") {
        fatal::prepare_child();
    }
    if command == model::check::SUBCOMMAND {
        let path = args.next().map(PathBuf::from).unwrap_or_default();
        return Some(model::check::run_child_check(&path, engine::trial::run));
    }
    if command == engine::rpc::SUBCOMMAND {
        return Some(app::run_rpc_engine());
    }
    if command == model::copies::SUBCOMMAND {
        return Some(model::copies::run_child(args, engine::llama::convert));
    }
    (command == grammar::schema::SUBCOMMAND).then(grammar::schema::run_child)
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
    let place = variable_of(error).map_or(String::new(), |name| format!("{name}: "));
    say::tell(&format!("{place}{said} (--help lists what there is)"));
    ExitCode::from(2)
}

/// The environment variable that a wrong value comes from, where it is not on the command line.
fn variable_of(error: &clap::Error) -> Option<String> {
    let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidValue) else { return None };
    if std::env::args().any(|given| given.contains(value.as_str())) {
        return None;
    }
    let mut ours = std::env::vars().filter(|(name, _)| name.starts_with("TOKENSCOPE_"));
    ours.find_map(|(name, given)| (given == *value).then_some(name))
}
