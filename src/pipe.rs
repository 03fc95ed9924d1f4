//! A chat without a terminal: one message a line of standard input, each reply with its figures.

use std::io::{self, BufRead, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use thiserror::Error;

use crate::bounded::{TEXT, too_large};
use crate::engine::{Client, EngineError, Event, FinishReason, ModelInfo};
use crate::interrupt::waiting;
use crate::query::generate::GeneratedReply;
use crate::report::bars::Paint;
use crate::report::output::{is_closed_pipe, json_line};
use crate::report::record::{Origin, StepRecord, Streamed, SummaryRecord};
use crate::report::table;
use crate::say;
use crate::score::Score;
use crate::session::drive::{Front, begin, drive};
use crate::session::keep::SessionRecorder;
use crate::session::{Notice, Outcome, Session};
use crate::settings::Settings;
use crate::step::Step;
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
    pub model: Arc<ModelInfo>,
    /// How to sample, and what to show.
    pub settings: Settings,
    /// Where numbers come from.
    pub origin: Origin,
    /// Whether to write JSON Lines.
    pub json: bool,
    /// Who keeps the conversation, if anybody does.
    pub recorder: Option<SessionRecorder>,
    /// A saved session to go on with.
    pub resume: Option<String>,
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
    pub fn run(self, input: impl BufRead) -> Result<Ended, PipeError> {
        match self.answer_all(input) {
            Err(PipeError::Output(error)) if is_closed_pipe(&error) => Ok(Ended::Fine),
            other => other,
        }
    }

    fn answer_all(self, mut input: impl BufRead) -> Result<Ended, PipeError> {
        let Pipe { client, model, settings, origin, json, recorder, resume, interrupted, out } = self;
        let mut writer = PipeWriter {
            origin,
            json,
            recorder,
            interrupted,
            out,
            line: 0,
            message: 0,
            reply: GeneratedReply::default(),
            newest: None,
            refused: false,
            ended: None,
        };
        let mut session = Session::new(settings);
        begin(&mut session, client, model, &mut writer)?;
        if !session.settings().quiet {
            say::plain(&format!("sampling {}", session.settings().sampling_told()));
        }
        if let Some(name) = resume {
            let outcomes = session.resume(name).unwrap_or_else(|error| vec![error.into()]);
            drive(&mut session, client, outcomes, &mut writer)?;
        }
        for line in 1.. {
            let mut bytes = Vec::new();
            let read = waiting(|| input.by_ref().take(TEXT.0 + 1).read_until(b'\n', &mut bytes));
            if writer.interrupted.load(Ordering::Relaxed) {
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
            (writer.line, writer.message) = (line, writer.message + 1);
            (writer.reply, writer.ended) = (GeneratedReply::default(), None);
            let outcomes = session.say(text).unwrap_or_else(|error| vec![error.into()]);
            drive(&mut session, client, outcomes, &mut writer)?;
            match writer.ended.take() {
                Some(Err(error)) => return Err(error.into()),
                Some(Ok(FinishReason::Cancelled)) => return Ok(Ended::Interrupted),
                None if writer.interrupted.load(Ordering::Relaxed) => return Ok(Ended::Interrupted),
                _ => {}
            }
        }
        Ok(if writer.refused { Ended::SomeRefused } else { Ended::Fine })
    }
}

/// Writes what is answered.
struct PipeWriter<W> {
    origin: Origin,
    json: bool,
    recorder: Option<SessionRecorder>,
    interrupted: Arc<AtomicBool>,
    out: W,
    /// The line of input that is answered, 0 before the first, and which message that is.
    line: usize,
    message: usize,
    reply: GeneratedReply,
    /// The step that is not written yet.
    newest: Option<Arc<Step>>,
    /// Whether any message could not be answered.
    refused: bool,
    /// How the reply ended.
    ended: Option<Result<FinishReason, EngineError>>,
}

impl<W: Write> Front for PipeWriter<W> {
    fn interrupted(&self) -> &Arc<AtomicBool> {
        &self.interrupted
    }

    fn recorder(&mut self) -> Option<&mut SessionRecorder> {
        self.recorder.as_mut()
    }

    fn say(&mut self, notice: Notice) -> io::Result<()> {
        match notice {
            // What the engine failed of ends the program, and a full context is in the summary.
            _ if self.ended.is_some() || self.interrupted.load(Ordering::Relaxed) => {}
            Notice::Error(text) if self.line > 0 => {
                self.refused = true;
                say::tell(&format!("standard input, line {}: {text}", self.line));
            }
            Notice::Warning(text) | Notice::Error(text) => say::tell(&text),
            // Lines are messages here, never commands.
            Notice::Info(_) => {}
        }
        Ok(())
    }

    fn before(&mut self, session: &Session, event: &Event) {
        let Some(model) = session.model() else { return };
        let _ = self.reply.take(event, &model.vocab);
        if let Event::Step { step, .. } = event {
            self.newest = Some(Arc::clone(step));
        }
    }

    fn grown(&mut self, session: &Session, by: &str) -> io::Result<()> {
        let (Some(step), Some(model)) = (self.newest.take(), session.model()) else { return Ok(()) };
        if self.json {
            let origin = (self.message == 1 && self.reply.steps.len() == 1).then_some(&self.origin);
            let sum = self.reply.score.sum_logprob();
            let record = StepRecord::new(&step, session.settings().k, sum, &model.vocab);
            let message = Some(self.message);
            return json_line(&mut self.out, &Streamed { kind: "step", message, origin, record });
        }
        // The token that ends it is in the table.
        if !model.vocab.ends_generation(step.id) {
            self.out.write_all(by.as_bytes())?;
        }
        self.out.flush()
    }

    fn ended(&mut self, session: &Session, how: &Result<FinishReason, EngineError>) -> io::Result<()> {
        self.ended = Some(how.clone());
        let (Ok(reason), Some(model)) = (how, session.model()) else { return Ok(()) };
        let reply = std::mem::take(&mut self.reply);
        if self.json {
            let text = session.turns().last().map_or_else(String::new, |turn| turn.content.clone());
            let prompt = Some(prompt_score(session, &model.vocab)).filter(|prompt| prompt.tokens() > 0);
            let record = SummaryRecord::new(text, *reason, reply.score, prompt);
            let origin = (self.message == 1 && reply.steps.is_empty()).then_some(&self.origin);
            let message = Some(self.message);
            json_line(&mut self.out, &Streamed { kind: "summary", message, origin, record })?;
        } else {
            writeln!(self.out, "\n")?;
            table::steps(reply.steps.iter().map(Arc::as_ref), &model.vocab)
                .write(&mut self.out, Paint::default())?;
            writeln!(self.out, "{}\n", table::total(&reply.score, *reason))?;
        }
        self.out.flush()
    }

    fn other(&mut self, _: &mut Session, _: &mut Client, _: Outcome) -> io::Result<Vec<Outcome>> {
        Ok(Vec::new())
    }
}

/// The score of what stands before the newest reply: the engine tells of the new tokens alone.
fn prompt_score(session: &Session, vocab: &Vocab) -> Score {
    let sequence = session.sequence();
    let mut score = Score::default();
    for token in sequence.tokens().take(sequence.reply_start()) {
        if let Some(logprob) = token.figures().logprob() {
            score.add(logprob, vocab.text_length(token.id));
        }
    }
    score
}

fn not_text(error: &std::string::FromUtf8Error) -> String {
    let at = error.utf8_error().valid_up_to();
    let byte = error.as_bytes().get(at).copied().unwrap_or_default();
    format!("byte {} is 0x{byte:02X} and no UTF-8; convert the text to UTF-8 first", at + 1)
}
