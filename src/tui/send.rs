//! A line that was sent, a command that a key stands for, and what comes of them. Panels and `update` both use it.

use crate::command::{self, BranchCommand, StepPlace};
use crate::engine::Command;
use crate::session::{Notice, Outcome, SessionError};

use super::answer::Shown;
use super::composer::SESSIONS;
use super::diff::show as diff;
use super::layout::Tab;
use super::lens;
use super::msg::Effect;
use super::palette::{self, Asked};
use super::pane::{CHAT, MESSAGE, REPLIES};
use super::seek::go as seek;
use super::state::State;
use super::what_if::show as what_if;

/// Takes a line as if it had been written and sent.
pub fn submit(state: &mut State, text: &str) -> Vec<Effect> {
    if text.trim().is_empty() {
        return Vec::new();
    }
    // They are chosen in the list of completions.
    if text.trim() == SESSIONS {
        state.composer.replace(&format!("{SESSIONS} "));
        return Vec::new();
    }
    // The answer has to be seen.
    state.zoom = false;
    state.fronts.show(&CHAT);
    let mut effects = vec![Effect::Remember(text.to_string())];
    if let Some(asked) = palette::asked(text) {
        if let Err(error) = asked.and_then(|asked| do_here(state, asked)) {
            state.tab = Tab::Chat;
            state.tell(Notice::Error(error));
        }
        return effects;
    }
    let mut parsed = command::parse(text);
    if let Some(Ok(command::Command::Lens(looking, looked))) =
        parsed.take_if(|parsed| matches!(parsed, Ok(command::Command::Lens(..))))
    {
        if let Err(error) = lens::obey(state, looking, looked) {
            state.tab = Tab::Chat;
            state.tell(Notice::Error(error.to_string()));
        }
        return effects;
    }
    if let (Some(Ok(asked)), Some(at)) = (&mut parsed, state.cursor) {
        match asked {
            command::Command::Branch(asked) => asked.at_cursor(at),
            command::Command::Expand(_, asked) => asked.at_cursor(at),
            command::Command::AtStep(place @ None, _) => *place = Some(StepPlace::Position(at)),
            command::Command::Mark(asked) => asked.at_cursor(at, state.span),
            command::Command::Copy(asked) => asked.at = Some(at),
            _ => {}
        }
    }
    if let Some(Ok(command)) = &parsed
        && let Some(shown) = show_here(state, command)
    {
        if let Err(error) = shown {
            state.tab = Tab::Chat;
            state.tell(Notice::Error(error.to_string()));
        }
        return effects;
    }
    let goes = matches!(&parsed, Some(Ok(command::Command::Branch(asked))) if asked.goes());
    let is_command = parsed.is_some();
    let stand_side_by_side =
        matches!(&parsed, Some(Ok(command::Command::Branch(BranchCommand::Retry(n)))) if *n > 1);
    let clears = parsed == Some(Ok(command::Command::Clear));
    if is_command {
        state.tab = Tab::Chat;
    }
    let outcome = match parsed {
        Some(Ok(command)) => state.session.execute(command),
        Some(Err(error)) => Err(SessionError::from(error)),
        // Two slashes stand for a text that begins with one.
        None => state.session.say(text.strip_prefix("//").map_or(text, |_| &text[1..])),
    };
    match outcome {
        Ok(outcomes) => {
            if goes {
                state.live();
            }
            if clears {
                state.transcript.clear();
                state.live();
            }
            if stand_side_by_side {
                state.focus_on(&REPLIES);
            }
            state.transcript.follow();
            if outcomes.iter().any(|outcome| matches!(outcome, Outcome::Ask(..))) {
                state.tell(Notice::Info(text.trim().to_string()));
            }
            effects.extend(carry_out(state, outcomes));
        }
        Err(error) => {
            // A message is not lost. A command would stick to the next one; the up key has it.
            if !is_command {
                state.composer.replace(text);
            }
            state.tab = Tab::Chat;
            state.tell(Notice::Error(error.to_string()));
        }
    }
    effects
}

/// Shows what a command asks for where the screen has a place for it; `None` where the conversation answers.
fn show_here(state: &mut State, command: &command::Command) -> Option<Result<(), SessionError>> {
    match command {
        command::Command::Find(text) => seek::find(state, text),
        command::Command::Doubt(measure) => seek::doubt_by(state, measure.unwrap_or(state.seek.doubt)),
        command::Command::Branch(BranchCommand::Compare(a, b)) => return Some(diff::open(state, a, b)),
        command::Command::AtStep(place, asked) => return what_if::obey(state, *place, asked),
        _ => return None,
    }
    Some(Ok(()))
}

/// Begins a command of which a person writes the rest.
pub fn prefill(state: &mut State, begun: &str) {
    if !state.composer.is_empty() {
        let what = "a message is being written: send it or clear it first";
        return state.tell(Notice::Warning(what.to_string()));
    }
    state.focus_on(&MESSAGE);
    state.composer.replace(begun);
}

/// Has the session carry out a command that a key stands for.
pub fn execute(state: &mut State, command: command::Command) -> Vec<Effect> {
    match state.session.execute(command) {
        Ok(outcomes) => carry_out(state, outcomes),
        Err(error) => {
            state.tell(Notice::Error(error.to_string()));
            Vec::new()
        }
    }
}

/// Does what the screen does by itself.
fn do_here(state: &mut State, asked: Asked) -> Result<(), String> {
    match asked {
        Asked::Pane(pane) => state.focus_on(pane),
        Asked::Theme(name) => state.theme = state.look.theme(&name)?,
        Asked::View(tab) => {
            state.lens.tab = tab;
            lens::open(state);
        }
    }
    Ok(())
}

/// Does what the session wants done, as far as that is in the state; the rest is effects.
pub fn carry_out(state: &mut State, outcomes: Vec<Outcome>) -> Vec<Effect> {
    let mut effects = Vec::new();
    for outcome in outcomes {
        match outcome {
            Outcome::Send(id, command) => {
                state.live();
                if matches!(command, Command::Siblings(_)) {
                    // Those being written come first in view: they stand right of the older ones.
                    (state.reply_column, state.reply_first, state.reply_scroll) = (None, usize::MAX, 0);
                    state.fronts.show(&REPLIES);
                }
                effects.push(Effect::Send(id, command));
            }
            Outcome::Ask(asked, cancel) => effects.push(Effect::Ask(asked, cancel)),
            Outcome::Run(ticket, task) => effects.push(Effect::Run(ticket, task)),
            Outcome::Load(name) => effects.push(Effect::Load(name)),
            Outcome::Hold(held, scribe) => effects.push(Effect::Hold(held, scribe)),
            Outcome::Copy(text, what) => effects.push(Effect::Copy(text, what)),
            Outcome::ShowHistory => {
                let written = state.composer.history_text();
                state.tell(Notice::Info(written));
            }
            // What was written since then stays, and the up key has the message.
            Outcome::GiveBack(text) if state.composer.is_empty() => state.composer.replace(&text),
            Outcome::GiveBack(_) => {}
            Outcome::Show(view) => {
                state.transcript.answer(Shown::table(*view));
                state.transcript.follow();
            }
            Outcome::Say(notice) => state.tell(notice),
            Outcome::Quit => effects.push(Effect::Quit(0)),
        }
    }
    effects
}
