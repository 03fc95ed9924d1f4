//! `next`, `generate`, `score` and `tokenize`: from their flags to answers on standard output.
//!
//! Each asks every model that was named, one after the other, so that only one is in memory. Results go
//! to standard output, everything else to standard error.

mod generate;
mod items;
mod lens;
mod next;
mod progress;
mod score;
mod sheet;
mod tokenize;

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{DIFFERS, ENGINE, Failure, INTERRUPTED, OK, Running, USAGE};
use crate::bench::PATIENCE;
use crate::bounded::MARK_BYTES;
use crate::cli::{Cli, CliCommand};
use crate::counter::Counter;
use crate::engine::{CancelFlag, ModelInfo};
use crate::interrupt;
use crate::paths::Paths;
use crate::query::input::{self, TextInputError};
use crate::query::text::{TextEncoder, TextError};
use crate::query::{Asker, QueryError};
use crate::report::bars::Paint;
use crate::report::output::is_closed_pipe;
use crate::report::record::Origin;
use crate::sampling::Sampling;
use crate::say;
use crate::settings::{ConfigFile, SamplingFlags, Settings};
use crate::token::printable;
use crate::tokenizer::CheckError;

/// Why a query ends without an answer.
#[derive(Debug)]
enum Stop {
    /// It failed.
    Failed(Failure),
    /// Standard output can't be written.
    Output(io::Error),
    /// Ctrl-C.
    Interrupted,
}

impl<E: Into<Failure>> From<E> for Stop {
    fn from(error: E) -> Stop {
        Stop::Failed(error.into())
    }
}

impl From<TextError> for Failure {
    fn from(error: TextError) -> Failure {
        let code = match error {
            TextError::Interrupted => INTERRUPTED,
            TextError::Died(_) => ENGINE,
            _ => USAGE,
        };
        Failure { message: error.to_string(), code }
    }
}

impl From<CheckError> for Failure {
    fn from(error: CheckError) -> Failure {
        let code = match error {
            CheckError::Interrupted => INTERRUPTED,
            CheckError::Gguf(_) => ENGINE,
            _ => USAGE,
        };
        Failure { message: printable(&error.to_string()).replace('\n', " "), code }
    }
}

impl From<TextInputError> for Failure {
    fn from(error: TextInputError) -> Failure {
        Failure::usage(error)
    }
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Failure {
        match error {
            QueryError::Engine(error) => error.into(),
            QueryError::Text(error) => error.into(),
            QueryError::Stopped => Failure { message: "interrupted".to_string(), code: INTERRUPTED },
            other => Failure::usage(other),
        }
    }
}

/// What every query works with.
struct Desk<'a> {
    settings: Settings,
    paths: &'a Paths,
    interrupted: Arc<AtomicBool>,
    /// Whether what was compared differs.
    differs: bool,
    /// Whether the seed says anything: where nothing is drawn, one that nobody gave would only make the same
    /// answer look like another.
    tells_seed: bool,
    /// Whether the header says how far figures are from exact ones.
    tells_tolerance: bool,
    out: BufWriter<io::Stdout>,
}

/// Runs the command if it is one of these; `None` if it is another.
///
/// # Errors
/// [`Failure`].
pub(super) fn run(cli: &Cli, paths: &Paths, file: &ConfigFile) -> Option<Result<u8, Failure>> {
    let sampling = match &cli.command {
        Some(CliCommand::Generate(args)) => args.sampling.clone(),
        Some(CliCommand::Next(_) | CliCommand::Score(_) | CliCommand::Lens(_) | CliCommand::Tokenize(_)) => {
            SamplingFlags::default()
        }
        _ => return None,
    };
    // Raw text is continued as the model has it; a chat's defaults are not wanted here.
    let interrupted = interrupt::watch().unwrap_or_default();
    let layers = Settings::from_layers(Sampling::default(), file, &cli.flags, &sampling);
    let settings = layers.and_then(|mut settings| {
        if matches!(cli.command, Some(CliCommand::Generate(_))) {
            super::read_constraint(&mut settings)?;
        }
        Ok(settings)
    });
    let settings = match settings {
        Ok(settings) => settings,
        Err(error) => return Some(Err(error.into())),
    };
    let out = BufWriter::new(io::stdout());
    let tells_seed = cli.flags.seed.is_some() || matches!(cli.command, Some(CliCommand::Generate(_)));
    let tells_tolerance = matches!(cli.command, Some(CliCommand::Score(_)));
    let mut desk = Desk { settings, paths, interrupted, differs: false, tells_seed, tells_tolerance, out };
    let outcome = match &cli.command {
        Some(CliCommand::Next(args)) => next::run(&mut desk, args),
        Some(CliCommand::Generate(args)) => generate::run(&mut desk, args),
        Some(CliCommand::Score(args)) => score::run(&mut desk, args),
        Some(CliCommand::Lens(args)) => lens::run(&mut desk, args),
        Some(CliCommand::Tokenize(args)) => tokenize::run(&mut desk, args),
        _ => Ok(()),
    };
    let outcome = outcome.and_then(|()| desk.out.flush().map_err(Stop::Output));
    Some(desk.conclude(outcome))
}

impl Desk<'_> {
    /// A closed pipe is no failure.
    fn conclude(&self, outcome: Result<(), Stop>) -> Result<u8, Failure> {
        match outcome {
            Ok(()) => Ok(if self.differs { DIFFERS } else { OK }),
            Err(Stop::Output(error)) if is_closed_pipe(&error) => Ok(OK),
            Err(Stop::Output(error)) => {
                Err(Failure { message: format!("standard output: {error}"), code: USAGE })
            }
            Err(Stop::Interrupted) => Ok(INTERRUPTED),
            Err(Stop::Failed(_)) if self.interrupted.load(Ordering::Relaxed) => Ok(INTERRUPTED),
            Err(Stop::Failed(failure)) => Err(failure),
        }
    }

    /// The flag that Ctrl-C raises and the engine looks at.
    fn cancel(&self) -> CancelFlag {
        CancelFlag::from(Arc::clone(&self.interrupted))
    }

    /// Colours of what goes to standard output.
    fn paint(&self) -> Paint {
        Paint { on: self.settings.color.applies(io::stdout().is_terminal()) }
    }

    /// Says something beside the result.
    fn say(&self, line: &str) {
        if !self.settings.quiet {
            say::tell(line);
        }
    }

    /// A text that was given. A mark that some editors put before it is read like every other character,
    /// so that figures are those of these bytes; nobody sees it, so it is said.
    fn text(&self, argument: Option<&str>, file: Option<&Path>) -> Result<Vec<u8>, Stop> {
        let text = input::read(argument, file)?;
        if text.starts_with(MARK_BYTES) {
            self.say("the text begins with a byte-order mark (U+FEFF): it is read as a part of the text");
        }
        Ok(text)
    }

    /// Loads a model and shows its header.
    fn load(&self) -> Result<Running, Stop> {
        let mut running = Running::load(&self.settings, self.paths, &self.interrupted)?;
        self.tell_seed(&mut running.origin);
        let tolerance = running.origin.provenance.tolerance().filter(|_| self.tells_tolerance);
        let tolerance = tolerance.map_or(String::new(), |tolerance| format!(" · {tolerance}"));
        self.show_header(&(running.origin.header() + &tolerance));
        Ok(running)
    }

    fn tell_seed(&self, origin: &mut Origin) {
        origin.provenance.seed = origin.provenance.seed.filter(|_| self.tells_seed);
    }

    fn show_header(&self, header: &str) {
        if !self.settings.quiet {
            say::plain(header);
        }
    }

    /// Loads each model in turn and asks it.
    fn ask_each(
        &mut self,
        mut ask: impl FnMut(&mut Self, &mut Running) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        self.each(Desk::load, |desk, running| {
            ask(desk, running)?;
            desk.let_go(running);
            Ok(())
        })
    }

    /// Before another model is loaded, this one goes: there may be no room for two.
    fn let_go(&self, running: &Running) {
        if self.settings.other_models.last().is_some_and(|last| *last != self.settings.model) {
            running.client.shut_down(PATIENCE);
        }
    }

    /// The same for answers that are one JSON object a model.
    fn ask_each_for_object(
        &mut self,
        mut ask: impl FnMut(&mut Self, &mut Running) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        self.each_for_object(Desk::load, |desk, running| {
            ask(desk, running)?;
            desk.let_go(running);
            Ok(())
        })
    }

    /// Asks what `load` loads for each model, one after the other.
    fn each<L>(
        &mut self,
        load: fn(&Self) -> Result<L, Stop>,
        mut ask: impl FnMut(&mut Self, &mut L) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let others = self.settings.other_models.clone();
        let names: Vec<String> = std::iter::once(self.settings.model.clone()).chain(others).collect();
        for name in names {
            self.settings.model = name;
            let mut loaded = load(self)?;
            ask(self, &mut loaded)?;
        }
        Ok(())
    }

    /// The same for answers that are one JSON object a model: with several models, an object that lists
    /// them.
    fn each_for_object<L>(
        &mut self,
        load: fn(&Self) -> Result<L, Stop>,
        mut ask: impl FnMut(&mut Self, &mut L) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let several = !self.settings.other_models.is_empty();
        let mut before: &[u8] = if several { b"{\"models\":[" } else { b"" };
        self.each(load, |desk, loaded| {
            desk.out.write_all(before).map_err(Stop::Output)?;
            before = b",";
            ask(desk, loaded)
        })?;
        self.out.write_all(if several { b"]}\n" } else { b"\n" }).map_err(Stop::Output)
    }

    /// What asks a loaded model.
    fn asker<'r>(&self, running: &'r mut Running) -> Asker<'r> {
        Asker {
            client: &mut running.client,
            model: Arc::clone(&running.model),
            template: None,
            settings: self.settings.clone(),
            cancel: self.cancel(),
            far: {
                let counter = Counter::new(self.settings.quiet);
                counter.begin();
                Arc::new(move |far| counter.show(far))
            },
        }
    }

    /// The encoder of raw text for a model.
    fn encoder_of<'m>(&self, model: &'m ModelInfo) -> Result<TextEncoder<'m>, Stop> {
        let encoder = TextEncoder::new(model, self.settings.bos, self.settings.special)?;
        Ok(encoder.cancelled_by(self.cancel()))
    }
}
