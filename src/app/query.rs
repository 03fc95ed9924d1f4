//! `next`, `generate`, `score`, `expand`, `lens`, `steer` and `tokenize`: from their flags to answers on standard output.
//!
//! Each asks every model that was named, one after the other, so that only one is in memory. Results go
//! to standard output, everything else to standard error.

mod context;
mod dump;
mod expand;
mod generate;
mod items;
mod lens;
mod next;
mod parts;
mod score;
mod sheet;
mod steer;
mod tokenize;

use std::io::{self, BufWriter, Write};

use super::call::Call;
use super::failure::Failure;
use super::running::read_constraint;
use crate::cli::CliCommand;
use crate::interrupt;
use crate::sampling::Sampling;
use crate::settings::SamplingFlags;
use context::{QueryContext, Stop};

/// Asks what a command of these asks.
///
/// # Errors
/// [`Failure`].
pub(super) fn run(call: &Call, command: &CliCommand) -> Result<u8, Failure> {
    let flags = match command {
        CliCommand::Generate(args) => args.sampling.clone(),
        _ => SamplingFlags::default(),
    };
    let generates = matches!(command, CliCommand::Generate(_));
    let interrupted = interrupt::watch().unwrap_or_default();
    // Raw text is continued as the model has it; a chat's defaults are not wanted here.
    let mut settings = call.settings(Sampling::default(), &flags)?;
    if generates {
        read_constraint(&mut settings)?;
    }
    let mut query = QueryContext {
        settings,
        paths: &call.paths,
        interrupted,
        differs: false,
        tells_seed: call.cli.flags.seed.is_some() || generates,
        tells_tolerance: matches!(command, CliCommand::Score(_)),
        out: BufWriter::new(io::stdout()),
    };
    let outcome = match command {
        CliCommand::Next(args) => next::run(&mut query, args),
        CliCommand::Generate(args) => generate::run(&mut query, args),
        CliCommand::Score(args) => match &args.items {
            Some(file) => items::run(&mut query, args, file),
            None => score::run(&mut query, args),
        },
        CliCommand::Expand(args) => expand::run(&mut query, args),
        CliCommand::Lens(args) => lens::run(&mut query, args),
        CliCommand::Steer(command) => steer::run(&mut query, command),
        CliCommand::Tokenize(args) => tokenize::run(&mut query, args),
        CliCommand::Chat(_)
        | CliCommand::Repl(_)
        | CliCommand::Models(_)
        | CliCommand::Sessions(_)
        | CliCommand::Probe(_)
        | CliCommand::Bench(_)
        | CliCommand::RpcServer(_)
        | CliCommand::Serve(_) => Ok(()),
    };
    let outcome = outcome.and_then(|()| query.out.flush().map_err(Stop::Output));
    query.conclude(outcome)
}
