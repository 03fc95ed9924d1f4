//! The probing REPL: a line is a prompt, and what comes after it comes back; lines that begin with a
//! slash are the commands of [`crate::command`].
//!
//! Owns the loop and what is printed. Reads a script from a pipe as well: without prompts, and an
//! error is reported and the script goes on. Knows nothing of the TUI.

mod assist;

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{CompletionType, Config, Editor};

use crate::ask::{self, Question};
use crate::command::{self, Command};
use crate::counter::{Counter, Far};
use crate::engine::{CancelFlag, Client, EngineError, Event, FinishReason, ModelInfo};
use crate::fatal::terminal::Editing;
use crate::files;
use crate::interrupt::{self, waiting};
use crate::query::Asker;
use crate::report::answer::{Stream, under, view};
use crate::report::bars::Paint;
use crate::report::output::is_closed_pipe;
use crate::report::table;
use crate::say;
use crate::say::clipboard;
use crate::session::drive::{Front, begin, drive};
use crate::session::keep::SessionRecorder;
use crate::session::{Notice, Outcome, Session};
use crate::settings::Settings;
use crate::token::printable;
use assist::Assist;

/// Lines kept in the history file.
const REMEMBERED: usize = 2000;
/// A line longer than this is not kept, in bytes.
const LONGEST: usize = 8 << 10;
/// Lines `/history` shows.
const SHOWN: usize = 50;

/// Puts a model in the place of another, which stays where it can't be had, or has ended where not even it
/// can; the reason is one line.
pub type Loader<'a> = dyn Fn(&Settings, &mut Client) -> Result<Arc<ModelInfo>, String> + 'a;

/// What a REPL has around it.
pub struct Surroundings<'a> {
    /// How another model is loaded.
    pub load: &'a Loader<'a>,
    /// Raised by Ctrl-C while something runs.
    pub interrupted: Arc<AtomicBool>,
    /// The file of earlier lines, which need not exist.
    pub history: PathBuf,
    /// The folder for what can be found out again.
    pub cache: PathBuf,
    /// Who keeps the conversation, if anybody does.
    pub recorder: Option<SessionRecorder>,
    /// A saved session to go on with.
    pub resume: Option<String>,
    /// Whether a line is a message of a conversation, and no prompt.
    pub chats: bool,
    /// Whether the terminal is written to in colour.
    pub color: bool,
}

/// A REPL with a model that is ready.
pub struct Repl<'a> {
    client: Client,
    session: Session,
    screen: Screen<'a>,
}

/// What the person sees, and where that can go on.
struct Screen<'a> {
    around: Surroundings<'a>,
    counter: Arc<Counter>,
    /// The lines so far.
    written: Vec<String>,
    next: Next,
}

/// Whether to read another line.
#[derive(Clone, Copy, PartialEq)]
enum Next {
    Read,
    Leave,
}

impl<'a> Repl<'a> {
    /// A REPL for a model that is loaded.
    ///
    /// # Errors
    /// Those of standard output.
    pub fn new(
        mut client: Client,
        model: Arc<ModelInfo>,
        settings: Settings,
        around: Surroundings<'a>,
    ) -> io::Result<Repl<'a>> {
        let mut session = Session::new(settings);
        let counter = Arc::new(Counter::new(session.settings().quiet));
        let mut screen = Screen { around, counter, written: Vec::new(), next: Next::Read };
        begin(&mut session, &mut client, model, &mut screen)?;
        if let Some(name) = screen.around.resume.take() {
            let outcomes = session.resume(name).unwrap_or_else(|error| vec![error.into()]);
            drive(&mut session, &mut client, outcomes, &mut screen)?;
        }
        if !session.settings().quiet {
            say::plain(&format!("sampling of the chat {}", session.settings().sampling_told()));
        }
        Ok(Repl { client, session, screen })
    }

    /// Reads lines until the end of input or `/quit`.
    ///
    /// # Errors
    /// Those of standard input and output; a closed pipe is none.
    pub fn run(mut self) -> io::Result<()> {
        let outcome = match io::stdin().is_terminal() {
            // Nothing can be edited on a terminal that only writes; the system's own line is all there is.
            true if say::is_plain_terminal() => self.script(true),
            true => self.edit(),
            false => self.script(false),
        };
        match outcome {
            Err(error) if is_closed_pipe(&error) => Ok(()),
            other => other,
        }
    }

    fn edit(&mut self) -> io::Result<()> {
        let _terminal = Editing::begin()?;
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .max_history_size(REMEMBERED)
            .map_err(io::Error::other)?
            .history_ignore_dups(true)
            .map_err(io::Error::other)?
            .build();
        let mut editor: Editor<Assist, DefaultHistory> =
            Editor::with_config(config).map_err(io::Error::other)?;
        editor.set_helper(Some(Assist::new(self.screen.around.color)));
        // A history that can't be read or written is no reason to fail; a pipe would be waited for, and
        // a device get the mode of a private file.
        let history = self.screen.around.history.clone();
        let _ = history.parent().map(std::fs::create_dir_all);
        let remembers = files::regular(&history).is_ok();
        if remembers {
            let _ = editor.load_history(&history);
        }
        println!("a line is a prompt; /help lists the commands; Ctrl-D leaves");
        loop {
            match editor.readline("> ") {
                Ok(line) => {
                    if line.len() <= LONGEST {
                        let _ = editor.add_history_entry(line.as_str());
                        if remembers {
                            let _ = editor.append_history(&history);
                        }
                    }
                    self.screen.written = editor.history().iter().cloned().collect();
                    if self.line(&assist::joined(&line))? == Next::Leave {
                        return Ok(());
                    }
                }
                Err(ReadlineError::Interrupted) => println!("(Ctrl-D or /quit leaves)"),
                Err(ReadlineError::Eof) => return Ok(()),
                Err(error) => return Err(io::Error::other(error)),
            }
        }
    }

    /// Reads lines as they come; `asks` shows a person that one is waited for.
    fn script(&mut self, asks: bool) -> io::Result<()> {
        interrupt::end_by_sigterm()?;
        let mut lines = io::stdin().lock().split(b'\n');
        let ask = || {
            let mut out = io::stdout();
            if asks { out.write_all(b"> ").and_then(|()| out.flush()) } else { Ok(()) }
        };
        while let Some(line) = ask().map(|()| waiting(|| lines.next()))? {
            let line = String::from_utf8(line?);
            let line = match &line {
                Ok(line) => line.strip_suffix('\r').unwrap_or(line).to_string(),
                Err(error) => {
                    say::tell(&format!(
                        "a line is no UTF-8 from byte {} on",
                        error.utf8_error().valid_up_to() + 1
                    ));
                    continue;
                }
            };
            self.screen.written.push(line.clone());
            if self.line(&line)? == Next::Leave {
                break;
            }
        }
        Ok(())
    }

    /// Carries out one line.
    fn line(&mut self, line: &str) -> io::Result<Next> {
        if line.trim().is_empty() {
            return Ok(Next::Read);
        }
        self.screen.around.interrupted.store(false, Ordering::Relaxed);
        let command = match command::parse(line) {
            Some(Ok(command)) => command,
            Some(Err(error)) => {
                say::tell(&error.to_string());
                return Ok(Next::Read);
            }
            // Two slashes stand for a prompt that begins with one.
            None => {
                let text = line.strip_prefix("//").map_or(line, |_| &line[1..]).to_string();
                if self.screen.around.chats { Command::Chat(text) } else { Command::Next(text) }
            }
        };
        let outcomes = self.session.execute(command).unwrap_or_else(|error| vec![error.into()]);
        self.screen.counter.begin();
        drive(&mut self.session, &mut self.client, outcomes, &mut self.screen)?;
        Ok(self.screen.next)
    }
}

impl Front for Screen<'_> {
    fn interrupted(&self) -> &Arc<AtomicBool> {
        &self.around.interrupted
    }

    fn recorder(&mut self) -> Option<&mut SessionRecorder> {
        self.around.recorder.as_mut()
    }

    fn say(&mut self, notice: Notice) -> io::Result<()> {
        match notice {
            Notice::Info(text) => println!("{}", printable(&text)),
            Notice::Warning(text) | Notice::Error(text) => say::tell(&text),
        }
        Ok(())
    }

    fn before(&mut self, session: &Session, event: &Event) {
        match event {
            Event::Prefill { done, total, .. } => {
                self.counter.show(Far { what: "reading", unit: "tokens", done: *done, total: *total });
            }
            Event::Step { .. } => {
                self.counter.clear();
                if let (Some(pace), false) =
                    (session.settings().pace, self.around.interrupted.load(Ordering::Relaxed))
                {
                    std::thread::sleep(Duration::from_secs_f32(1.0 / pace));
                }
            }
            _ => self.counter.clear(),
        }
    }

    fn grown(&mut self, _: &Session, by: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(by.as_bytes()).and_then(|()| out.flush())
    }

    fn ended(&mut self, session: &Session, _: &Result<FinishReason, EngineError>) -> io::Result<()> {
        self.counter.clear();
        println!();
        if let Some(reply) = session.ended_reply()
            && let Some(reason) = reply.finish
        {
            println!("{}", Paint::new(self.around.color).dim(&table::total(&reply.score, reason)));
        }
        Ok(())
    }

    fn other(
        &mut self,
        session: &mut Session,
        client: &mut Client,
        outcome: Outcome,
    ) -> io::Result<Vec<Outcome>> {
        match outcome {
            Outcome::Quit => self.next = Next::Leave,
            Outcome::Ask(asked, _) => self.ask(session, client, &asked)?,
            Outcome::Load(_) => return Ok(self.reload(session, client)),
            Outcome::ShowHistory => show_history(&self.written),
            Outcome::Copy(text, what) => copy(&text, what)?,
            Outcome::Show(view) => view.write(&mut io::stdout().lock(), Paint::new(self.around.color))?,
            _ => {}
        }
        Ok(Vec::new())
    }
}

impl Screen<'_> {
    fn ask(&mut self, session: &mut Session, client: &mut Client, asked: &Question) -> io::Result<()> {
        let Some(model) = session.model().cloned() else { return Ok(()) };
        let stop = CancelFlag::from(Arc::clone(&self.around.interrupted)).narrower();
        let counter = Arc::clone(&self.counter);
        let (vocab, k, paint) =
            (Arc::clone(&model.vocab), session.settings().k, Paint::new(self.around.color));
        let mut asker = Asker {
            client,
            model,
            template: session.template().cloned(),
            settings: session.settings().clone(),
            cancel: stop.clone(),
            far: Arc::new(move |far| counter.show(far)),
            cache: self.around.cache.clone(),
        };
        let out = Above { counter: &self.counter, out: io::stdout().lock() };
        let mut stream = Stream::new(out, &vocab, paint);
        let answer = ask::answer(&mut asker, asked, &mut |part| {
            if !stream.part(part) {
                stop.cancel();
            }
        });
        session.on_answer(answer.as_ref().ok().and_then(ask::Answer::draft));
        let these = asked.under(session.settings());
        let shown = answer.as_ref().ok().map(|answer| under(view(answer, k, &vocab), &these));
        stream.finish(shown.as_ref())?;
        self.counter.clear();
        if let Err(error) = answer {
            say::tell(&error.to_string());
        }
        Ok(())
    }

    fn reload(&self, session: &mut Session, client: &mut Client) -> Vec<Outcome> {
        let mut settings = session.settings().clone();
        settings.model = files::from_home(settings.model);
        match (self.around.load)(&settings, client) {
            Ok(model) => {
                println!("{} ({}, weights {})", model.name, model.quantization, model.about.weights.shown());
                session.on_event(Event::Ready(model))
            }
            Err(reason) => {
                let mut outcomes = Vec::new();
                if client.engine().has_ended() {
                    let gone = EngineError::Died("the model before could not be loaded again".to_string());
                    outcomes = session.on_event(Event::Lost(gone));
                }
                outcomes.extend(session.on_no_model(reason));
                outcomes
            }
        }
    }
}

/// Standard output, from which the line that says how far something is goes before anything is written.
struct Above<'a, W> {
    counter: &'a Counter,
    out: W,
}

impl<W: Write> Write for Above<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.counter.clear();
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Hands a text to the terminal's clipboard; where there is none, it is written as it is.
fn copy(text: &str, what: &str) -> io::Result<()> {
    let mut out = io::stdout();
    if !out.is_terminal() {
        return writeln!(out, "{text}");
    }
    let told = clipboard::copy(&mut out, text, what)?;
    writeln!(out, "{told}")
}

fn show_history(written: &[String]) {
    let first = written.len().saturating_sub(SHOWN);
    for (i, line) in written.iter().enumerate().skip(first) {
        println!("{:>5}  {}", i + 1, printable(line).replace('\n', "⏎"));
    }
}
