//! A session beside an engine that is waited for: whatever has no screen to keep alive does this.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::keep::SessionRecorder;
use super::{Notice, Outcome, Session};
use crate::engine::{CancelFlag, Client, Command, EngineError, Event, FinishReason, ModelInfo};

/// What the person sees of it.
pub trait Front {
    /// Raised by who does not want to wait.
    fn interrupted(&self) -> &Arc<AtomicBool>;

    /// Tells the person something.
    ///
    /// # Errors
    /// Those of where it is written, as of all functions here: the reply is stopped then.
    fn say(&mut self, notice: Notice) -> io::Result<()>;

    /// Who keeps the conversation, if anybody does.
    fn recorder(&mut self) -> Option<&mut SessionRecorder> {
        None
    }

    /// What comes of the request for a reply, before the session takes it.
    fn before(&mut self, _session: &Session, _event: &Event) {}

    /// The session took it, and the reply's text has grown by this.
    ///
    /// # Errors
    /// See [`Front::say`].
    fn grown(&mut self, _session: &Session, _by: &str) -> io::Result<()> {
        Ok(())
    }

    /// The reply has ended, or failed.
    ///
    /// # Errors
    /// See [`Front::say`].
    fn ended(&mut self, _session: &Session, _how: &Result<FinishReason, EngineError>) -> io::Result<()> {
        Ok(())
    }

    /// Everything that each front does its own way: questions, another model, the history, leaving.
    ///
    /// # Errors
    /// See [`Front::say`].
    fn other(
        &mut self,
        session: &mut Session,
        client: &mut Client,
        outcome: Outcome,
    ) -> io::Result<Vec<Outcome>>;
}

/// Begins with a model that is loaded.
///
/// # Errors
/// Those of the front.
pub fn begin(
    session: &mut Session,
    client: &mut Client,
    model: Arc<ModelInfo>,
    front: &mut impl Front,
) -> io::Result<()> {
    session.set_kept(front.recorder().is_some());
    let outcomes = session.on_event(Event::Ready(model));
    drive(session, client, outcomes, front)
}

/// Carries out what a session wants, and what it wants after that, in order.
///
/// # Errors
/// Those of the front.
pub fn drive(
    session: &mut Session,
    client: &mut Client,
    outcomes: Vec<Outcome>,
    front: &mut impl Front,
) -> io::Result<()> {
    for outcome in outcomes {
        follow(front, session);
        let next = match outcome {
            Outcome::Hold(held, scribe) => {
                if let Some(recorder) = front.recorder() {
                    recorder.hold(held, *scribe, session);
                }
                continue;
            }
            Outcome::Say(notice) => {
                front.say(notice)?;
                continue;
            }
            Outcome::Run(ticket, task) => {
                let cancel = CancelFlag::from(Arc::clone(front.interrupted()));
                session.on_done(ticket.id, task.run_aside(&cancel))
            }
            // Nothing comes of it.
            Outcome::Send(_, command @ Command::Forget(_)) => {
                let _ = client.run(command, |_| {});
                continue;
            }
            Outcome::Send(_, mut command) => {
                let cancel = CancelFlag::from(Arc::clone(front.interrupted())).narrower();
                *command.cancel() = cancel.clone();
                let mut written = Ok(());
                let ended = client.run(command, |event| {
                    front.before(session, &event);
                    let before = session.turns().last().map_or(0, |turn| turn.text.len());
                    session.on_event(event);
                    follow(front, session);
                    let text = session.turns().last().and_then(|turn| turn.text.get(before..));
                    if written.is_ok() {
                        written = front.grown(session, text.unwrap_or_default());
                        if written.is_err() {
                            cancel.cancel();
                        }
                    }
                });
                let (how, last) = match ended {
                    Ok((reason, timing)) => (Ok(reason), Event::Finished { reason, timing }),
                    Err(error) => (Err(error.clone()), Event::Failed(error)),
                };
                let next = session.on_event(last);
                written?;
                front.ended(session, &how)?;
                next
            }
            other => front.other(session, client, other)?,
        };
        drive(session, client, next, front)?;
    }
    follow(front, session);
    Ok(())
}

/// Has what is new kept.
fn follow(front: &mut impl Front, session: &Session) {
    if let Some(recorder) = front.recorder() {
        recorder.follow(session);
    }
}
