//! What every query works with, and how each of several models is asked.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::app::failure::{DIFFERS, Failure, INTERRUPTED, OK, USAGE};
use crate::app::running::Running;
use crate::bench::PATIENCE;
use crate::bounded::{self, MARK_BYTES};
use crate::chat::Conversation;
use crate::counter::Counter;
use crate::engine::{CancelFlag, ModelInfo};
use crate::paths::Paths;
use crate::query::Asker;
use crate::query::input;
use crate::query::text::TextEncoder;
use crate::report::bars::Paint;
use crate::report::output::is_closed_pipe;
use crate::report::record::Origin;
use crate::report::view::View;
use crate::say;
use crate::settings::Settings;

/// Why a query ends without an answer.
#[derive(Debug)]
pub(super) enum Stop {
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

/// What every query works with.
pub(super) struct QueryContext<'a> {
    pub settings: Settings,
    pub paths: &'a Paths,
    pub interrupted: Arc<AtomicBool>,
    /// Whether what was compared differs.
    pub differs: bool,
    /// Whether the seed says anything: where nothing is drawn, one that nobody gave would only make the same
    /// answer look like another.
    pub tells_seed: bool,
    /// Whether the header says how far figures are from exact ones.
    pub tells_tolerance: bool,
    pub out: BufWriter<io::Stdout>,
}

impl QueryContext<'_> {
    /// A closed pipe is no failure.
    pub fn conclude(&self, outcome: Result<(), Stop>) -> Result<u8, Failure> {
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
    pub fn cancel(&self) -> CancelFlag {
        CancelFlag::from(Arc::clone(&self.interrupted))
    }

    /// Colours of what goes to standard output.
    pub fn paint(&self) -> Paint {
        Paint::new(self.settings.color.applies(io::stdout().is_terminal()))
    }

    /// Says something beside the result.
    pub fn say(&self, line: &str) {
        if !self.settings.quiet {
            say::tell(line);
        }
    }

    /// A text that was given. A mark that some editors put before it is read like every other character,
    /// so that figures are those of these bytes; nobody sees it, so it is said.
    pub fn text(&self, argument: Option<&str>, file: Option<&Path>) -> Result<Vec<u8>, Stop> {
        let text = input::read(argument, file)?;
        if text.starts_with(MARK_BYTES) {
            self.say("the text begins with a byte-order mark (U+FEFF): it is read as a part of the text");
        }
        Ok(text)
    }

    /// Loads a model and shows its header.
    fn load(&self) -> Result<Running, Stop> {
        let mut running = Running::load(&self.settings, self.paths, &self.interrupted)?;
        running.client.intervene(self.settings.interventions());
        self.tell_seed(&mut running.origin);
        let tolerance = running.origin.provenance.tolerance().filter(|_| self.tells_tolerance);
        let tolerance = tolerance.map_or(String::new(), |tolerance| format!(" · {tolerance}"));
        self.show_header(&(running.origin.header() + &tolerance));
        Ok(running)
    }

    pub fn tell_seed(&self, origin: &mut Origin) {
        origin.provenance.seed = origin.provenance.seed.filter(|_| self.tells_seed);
    }

    pub fn show_header(&self, header: &str) {
        if !self.settings.quiet {
            say::plain(header);
        }
    }

    /// Whether several models are asked.
    pub fn several(&self) -> bool {
        !self.settings.other_models.is_empty()
    }

    /// Loads each model in turn and asks it; `json` as in [`QueryContext::each`].
    pub fn ask_each(
        &mut self,
        json: bool,
        mut ask: impl FnMut(&mut Self, &mut Running) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        self.each(json, QueryContext::load, |query, running| {
            ask(query, running)?;
            // Before another model is loaded, this one goes: there may be no room for two.
            if query.settings.other_models.last().is_some_and(|last| *last != query.settings.model) {
                running.client.shut_down(PATIENCE);
            }
            Ok(())
        })
    }

    /// Asks each model for an answer, and writes its record or, below the model's name where there are
    /// several, its view.
    pub fn show_each<A>(
        &mut self,
        ask: impl Fn(&Self, &mut Running) -> Result<A, Stop>,
        view: impl Fn(&A, &Running) -> View,
        record: Option<impl Fn(&A, &Running, &mut dyn Write) -> io::Result<()>>,
    ) -> Result<(), Stop> {
        self.ask_each(record.is_some(), |query, running| {
            let answer = ask(query, running)?;
            let (several, paint, out) = (query.several(), query.paint(), &mut query.out);
            let written = match &record {
                Some(record) => record(&answer, running, out),
                None if several => writeln!(out, "{}", running.origin.model)
                    .and_then(|()| view(&answer, running).write(out, paint))
                    .and_then(|()| writeln!(out)),
                None => view(&answer, running).write(out, paint),
            };
            written.map_err(Stop::Output)
        })
    }

    /// Asks what `load` loads for each model, one after the other. `json` for answers that are one object a
    /// model: with several models, an object that lists them.
    pub fn each<L>(
        &mut self,
        json: bool,
        load: fn(&Self) -> Result<L, Stop>,
        mut ask: impl FnMut(&mut Self, &mut L) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let [mut before, after]: [&[u8]; 2] = match (json, self.several()) {
            (true, true) => [b"{\"models\":[", b"]}\n"],
            (true, false) => [b"", b"\n"],
            (false, _) => [b"", b""],
        };
        let others = self.settings.other_models.clone();
        for name in std::iter::once(self.settings.model.clone()).chain(others) {
            self.settings.model = name;
            let mut loaded = load(self)?;
            self.out.write_all(before).map_err(Stop::Output)?;
            before = if json { b"," } else { b"" };
            ask(self, &mut loaded)?;
        }
        self.out.write_all(after).map_err(Stop::Output)
    }

    /// What asks a loaded model.
    pub fn asker<'r>(&self, running: &'r mut Running) -> Asker<'r> {
        Asker {
            client: &mut running.client,
            model: Arc::clone(&running.model),
            template: None,
            settings: self.settings.clone(),
            cancel: self.cancel(),
            cache: self.paths.cache.clone(),
            far: {
                let counter = Counter::new(self.settings.quiet);
                counter.begin();
                Arc::new(move |far| counter.show(far))
            },
        }
    }

    /// The encoder of raw text for a model.
    pub fn encoder_of<'m>(&self, model: &'m ModelInfo) -> Result<TextEncoder<'m>, Stop> {
        let encoder = TextEncoder::new(model, self.settings.bos, self.settings.special)?;
        Ok(encoder.cancelled_by(self.cancel()))
    }
}

/// What is wrong with a file.
pub(super) fn wrong(path: &Path, error: impl std::fmt::Display) -> Failure {
    Failure::usage(format!("{}: {error}", path.display()))
}

/// The text of a file that people write, without a byte-order mark, which is said; `-` is standard input.
pub(super) fn marked_text(query: &QueryContext, path: &Path) -> Result<String, Stop> {
    let is_stdin = path == Path::new("-");
    let bytes = if is_stdin { input::read_stdin() } else { input::read_file(path) }?;
    if bytes.starts_with(MARK_BYTES) {
        query.say(&format!("{}: the byte-order mark at its beginning is left out", path.display()));
    }
    Ok(bounded::without_mark(bytes).map_err(|error| wrong(path, error))?)
}

/// The conversation in a file.
pub(super) fn conversation(query: &QueryContext, path: &Path) -> Result<Conversation, Stop> {
    let text = marked_text(query, path)?;
    Ok(Conversation::from_json(text.as_bytes()).map_err(|error| wrong(path, error))?)
}
