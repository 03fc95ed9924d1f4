//! A chat without a terminal: one message a line of standard input, each reply with its figures.

use std::io::{self, BufRead, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use thiserror::Error;

use crate::bounded::{TEXT, too_large};
use crate::engine::{self, Client, EngineError, Event, FinishReason};
use crate::interrupt::waiting;
use crate::query::generate::Reply;
use crate::report::bars::Paint;
use crate::report::output::{is_closed_pipe, json_line};
use crate::report::record::{Origin, StepRecord, Streamed, SummaryRecord};
use crate::report::table;
use crate::say;
use crate::session::{Notice, Outcome, Session, SessionError};
use crate::token::Vocab;

/// Why the chat ended early.
#[derive(Debug, Error)]
pub enum PipeError {
    /// Standard input can't be read or is no text.
    #[error("standard input, line {line}: {reason}")]
    Input {
        /// 1-based.
        line: usize,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// Nobody reads any more, or the disk is full.
    #[error("standard output: {0}")]
    Output(#[from] io::Error),
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// How the chat went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every message was answered.
    Fine,
    /// Some could not be; each was named on standard error.
    SomeRefused,
    /// Ctrl-C.
    Interrupted,
}

/// A chat on a pipe.
pub struct Pipe<'a, W> {
    /// An engine that is ready.
    pub client: &'a mut Client,
    /// The conversation; it knows the model.
    pub session: Session,
    /// Where numbers come from.
    pub origin: Origin,
    /// Whether to write JSON Lines.
    pub json: bool,
    /// Set by Ctrl-C.
    pub interrupted: Arc<AtomicBool>,
    /// Where results go.
    pub out: W,
}

impl<W: Write> Pipe<'_, W> {
    /// Answers every line.
    ///
    /// # Errors
    /// [`PipeError`]; what was answered before has been written. A closed pipe is no error.
    pub fn run(mut self, input: impl BufRead) -> Result<Ended, PipeError> {
        match self.answer_all(input) {
            Err(PipeError::Output(error)) if is_closed_pipe(&error) => Ok(Ended::Fine),
            other => other,
        }
    }

    fn answer_all(&mut self, mut input: impl BufRead) -> Result<Ended, PipeError> {
        let mut ended = Ended::Fine;
        let mut message = 0;
        for line in 1.. {
            let mut bytes = Vec::new();
            let read = waiting(|| input.by_ref().take(TEXT.0 + 1).read_until(b'\n', &mut bytes));
            if self.interrupted.load(Ordering::Relaxed) {
                return Ok(Ended::Interrupted);
            }
            let refused = |reason: String| PipeError::Input { line, reason };
            match read.map_err(|error| refused(error.to_string()))? as u64 {
                0 => break,
                length if length > TEXT.0 => return Err(refused(too_large(TEXT))),
                _ => {}
            }
            let text = String::from_utf8(bytes).map_err(|error| refused(not_text(&error)))?;
            let text = text.strip_suffix('\n').unwrap_or(&text);
            let text = text.strip_suffix('\r').unwrap_or(text);
            if text.trim().is_empty() {
                continue;
            }
            message += 1;
            match self.session.say(text) {
                Ok(outcomes) => match self.answer(outcomes, message)? {
                    FinishReason::Cancelled => return Ok(Ended::Interrupted),
                    _ => continue,
                },
                Err(error) => {
                    complain(line, &error);
                    ended = Ended::SomeRefused;
                }
            }
        }
        Ok(ended)
    }

    fn answer(&mut self, outcomes: Vec<Outcome>, message: usize) -> Result<FinishReason, PipeError> {
        let mut reason = FinishReason::Stop;
        for outcome in outcomes {
            match outcome {
                Outcome::Say(Notice::Error(text) | Notice::Warning(text)) => {
                    say::tell(&text);
                }
                // Lines are messages here, never commands.
                Outcome::Say(Notice::Info(_))
                | Outcome::Ask(..)
                | Outcome::Load(_)
                | Outcome::GiveBack(_)
                | Outcome::ShowHistory
                | Outcome::Quit => {}
                Outcome::Send(_, command) => reason = self.generate(command, message)?,
            }
        }
        Ok(reason)
    }

    fn generate(&mut self, command: engine::Command, message: usize) -> Result<FinishReason, PipeError> {
        let Some(model) = self.session.model().cloned() else { return Ok(FinishReason::Stop) };
        let vocab = Arc::clone(&model.vocab);
        let mut reply = Reply::default();
        let mut written = Ok(());
        // The client keeps the engine's last word; the session needs it too.
        let client = &mut *self.client;
        let (session, out, origin) = (&mut self.session, &mut self.out, &self.origin);
        let (json, interrupted) = (self.json, &self.interrupted);
        let k = session.settings().k;
        let outcome = client.run(command, |event| {
            if interrupted.load(Ordering::Relaxed) || written.is_err() {
                session.cancel();
            }
            let _ = reply.take(&event, &vocab);
            let step = if let Event::Step { step, .. } = &event { Some(Arc::clone(step)) } else { None };
            let before = session.turns().last().map_or(0, |turn| turn.text.len());
            session.on_event(event);
            let (Some(step), Ok(())) = (step, &written) else { return };
            written = if json {
                let origin = (message == 1 && reply.steps.len() == 1).then_some(origin);
                let record = StepRecord::new(&step, k, reply.score.sum_logprob(), &vocab);
                json_line(out, &Streamed { kind: "step", message: Some(message), origin, record })
            } else {
                write_grown(out, session, before, vocab.ends_generation(step.id))
            };
        });
        let (reason, timing) = match outcome {
            Ok(done) => done,
            Err(error) => {
                self.session.on_event(Event::Failed(error.clone()));
                return Err(error.into());
            }
        };
        self.session.on_event(Event::Finished { reason, timing });
        written?;
        self.conclude(&reply, reason, message, &vocab)?;
        Ok(reason)
    }

    fn conclude(
        &mut self,
        reply: &Reply,
        reason: FinishReason,
        message: usize,
        vocab: &Vocab,
    ) -> io::Result<()> {
        let turn = self.session.turns().last();
        if self.json {
            let text = turn.map_or_else(String::new, |turn| turn.content.clone());
            let record = SummaryRecord::new(text, reason, reply.score, reply.prompt);
            let origin = (message == 1 && reply.steps.is_empty()).then_some(&self.origin);
            json_line(&mut self.out, &Streamed { kind: "summary", message: Some(message), origin, record })?;
        } else {
            writeln!(self.out, "\n")?;
            table::steps(reply.steps.iter().map(Arc::as_ref), vocab)
                .write(&mut self.out, Paint::default())?;
            writeln!(self.out, "{}\n", table::total(&reply.score, reason))?;
        }
        self.out.flush()
    }
}

/// Streams what the reply's text grew by; the token that ends it is in the table.
fn write_grown(out: &mut impl Write, session: &Session, before: usize, ends: bool) -> io::Result<()> {
    let grown = session.turns().last().and_then(|turn| turn.text.get(before..)).unwrap_or_default();
    if !ends {
        out.write_all(grown.as_bytes())?;
    }
    out.flush()
}

fn not_text(error: &std::string::FromUtf8Error) -> String {
    let at = error.utf8_error().valid_up_to();
    let byte = error.as_bytes().get(at).copied().unwrap_or_default();
    format!("byte {} is 0x{byte:02X} and no UTF-8; convert the text to UTF-8 first", at + 1)
}

fn complain(line: usize, error: &SessionError) {
    say::tell(&format!("standard input, line {line}: {error}"));
}
