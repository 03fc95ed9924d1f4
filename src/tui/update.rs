//! What happens → what changes and what must be done. No I/O, no drawing.

use ratatui::crossterm::event::{
    Event as Input, KeyCode, KeyEvent, KeyEventKind, MouseButton, MouseEvent, MouseEventKind,
};
use ratatui::layout::{Position, Size};

use crate::ask::Answer;
use crate::command::{self, MarkWord};
use crate::engine::{Event, FinishReason};
use crate::report::view::View;
use crate::session::RequestId;
use crate::session::task::Done;
use crate::session::{Notice, SessionError};

use super::answer::Shown;
use super::beside;
use super::composer::Typed;
use super::dose;
use super::explained::explained;
use super::keys::{KeyAction, KeyPress, written};
use super::layout::{Tab, inside};
use super::lens;
use super::marks;
use super::msg::{Effect, Msg, NoAnswer};
use super::pane::{BESIDE, CHAT, DIFF, MESSAGE, PANES, PRUNE, Pane, REPLIES, Slot, TABLE, TREE};
use super::panels;
use super::seek::go as seek;
use super::send::{carry_out, execute, prefill, submit};
use super::state::{EXAMPLES, State};
use super::what_if::show as what_if;

/// Rows a turn of the mouse wheel scrolls.
const WHEEL: isize = 3;

/// Takes one message.
pub fn update(state: &mut State, msg: Msg) -> Vec<Effect> {
    let mut effects = Vec::new();
    match msg {
        Msg::Input(Input::Key(key)) if key.kind != KeyEventKind::Release => effects = on_key(state, key),
        Msg::Input(Input::Mouse(mouse)) => effects = on_mouse(state, mouse),
        Msg::Input(Input::Paste(text)) => {
            state.help = None;
            (state.leaving, state.tree_gone) = (None, None);
            state.focus_on(&MESSAGE);
            state.composer.paste(&text);
        }
        Msg::Input(Input::Resize(width, height)) => state.size = Size::new(width, height),
        Msg::Input(_) => {}
        Msg::Engine(event) => {
            let outcomes = state.session.on_event(event);
            effects = carry_out(state, outcomes);
        }
        Msg::Reply(id, event) => {
            let paced = state.session.settings().pace.is_some();
            let event = state.held.take(paced, id, event);
            effects.extend(event.into_iter().flat_map(|event| on_reply(state, id, event)));
        }
        Msg::Next => {
            let next = state.held.next();
            effects.extend(next.into_iter().flat_map(|(id, event)| on_reply(state, id, event)));
        }
        Msg::Answered(answer) => answered(state, answer.map(|answer| *answer)),
        Msg::Far(far) => state.far = state.session.is_busy().then_some(far),
        Msg::Kept(kept, line) => {
            state.session.set_kept(kept);
            state.tell(Notice::Warning(line));
        }
        Msg::Resume(name) => {
            let outcomes = state.session.resume(name).unwrap_or_else(|error| vec![error.into()]);
            effects = carry_out(state, outcomes);
        }
        Msg::Sessions(found) => state.composer.know_sessions(found),
        Msg::Remembered(earlier) => state.composer.remember(earlier),
        Msg::LookFar(id, far) => state.lens.on_far(id, far),
        Msg::Seen(id, found) => state.lens.on_seen(id, found),
        Msg::Redone(number, found) => dose::found(state, number, found),
        Msg::Row(number, found) => state.what_if.on_row(number, found),
        Msg::Beside(news) => beside::on_news(state, news),
        Msg::Followed(number, found) => beside::on_followed(state, number, found),
        Msg::Rested(number) => state.lens.rested(number),
        Msg::Files(line, found) => state.composer.propose(&line, found),
        Msg::Fetching(fetch) => state.session.on_fetch(fetch),
        Msg::NoModel(reason) => {
            let outcomes = state.session.on_no_model(reason);
            effects = carry_out(state, outcomes);
        }
        Msg::Done(id, done) => {
            let is_other = matches!(done, Ok(Done::Loaded(..) | Done::Resumed(_)));
            let asks = match &done {
                Err(SessionError::Exists { command, file }) => Some(format!("{command}! {file}")),
                _ => None,
            };
            let outcomes = state.session.on_done(id, done);
            if is_other {
                state.live();
            }
            effects = carry_out(state, outcomes);
            if let Some(line) = asks.filter(|_| state.composer.is_empty()) {
                state.composer.replace(&line);
                state.focus_on(&MESSAGE);
                state.tell(Notice::Info("write over it? Enter does, Ctrl-C leaves it as it is".to_string()));
            }
        }
        Msg::Note(line) => state.tell(Notice::Warning(line)),
        Msg::Told(line) => state.tell(Notice::Info(line)),
        Msg::Copying(fetch) => state.copying = Some(fetch),
        Msg::Copied(copied) => {
            state.copying = None;
            match copied {
                Ok(weights) => {
                    let outcomes = state.session.on_copy(weights);
                    effects = carry_out(state, outcomes);
                }
                Err(line) => state.tell(Notice::Warning(line)),
            }
        }
        Msg::Terminate(signal) => effects.push(Effect::Quit(128 + signal as u8)),
        Msg::Suspend => effects.push(Effect::Stop),
        Msg::Continue => effects.push(Effect::Retake),
    }
    state.sync();
    effects.extend(state.composer.wants_sessions().then_some(Effect::ListSessions));
    effects.extend(lens::tend(state));
    effects.extend(what_if::tend(state));
    effects.extend(beside::tend(state));
    effects
}

fn answered(state: &mut State, answer: Result<(Answer, View), NoAnswer>) {
    state.far = None;
    state.session.on_answer(answer.as_ref().ok().and_then(|(answer, _)| answer.draft()));
    match answer {
        Ok((answer, view)) => {
            state.transcript.answer(Shown::new(answer, view));
            state.transcript.follow();
        }
        Err(NoAnswer { told, reason }) => {
            if !told.trim().is_empty() {
                state.tell(Notice::Info(told.trim_end().to_string()));
            }
            state.tell(Notice::Error(reason));
        }
    }
}

/// Takes what comes of a request, unless nobody waits for it any more.
fn on_reply(state: &mut State, id: RequestId, event: Event) -> Vec<Effect> {
    if !state.session.awaits(id) {
        return Vec::new();
    }
    let ended = if let Event::Finished { reason, .. } = &event { Some(*reason) } else { None };
    let outcomes = state.session.on_event(event);
    let effects = carry_out(state, outcomes);
    // A full context was said by the session; a reply that the model ended shows the token that ended it.
    match ended {
        Some(FinishReason::Length) if state.session.is_stepwise() => state.tell(Notice::Info(
            "replies pause after every token: /continue or a digit in the table goes on, /resume lets go"
                .to_string(),
        )),
        Some(FinishReason::Length) => state.tell(Notice::Info(
            "the reply ends here: it has as many tokens as were asked for (/set max-tokens)".to_string(),
        )),
        Some(FinishReason::Cancelled) => state.tell(Notice::Info("the reply was stopped here".to_string())),
        _ => {}
    }
    effects
}

fn on_key(state: &mut State, key: KeyEvent) -> Vec<Effect> {
    let asked = state.look.keymap.action(state.focus, state.composer.is_empty(), key);
    if state.help.is_some() && !matches!(asked, Some(KeyAction::Stop | KeyAction::Suspend)) {
        return on_help_key(state, key);
    }
    if !matches!(asked, Some(KeyAction::Stop | KeyAction::Quit)) {
        state.leaving = None;
    }
    if asked != Some(PRUNE) {
        state.tree_gone = None;
    }
    let completing = !state.composer.completions().0.is_empty();
    match asked {
        // Tab and Esc belong to the list of completions while it is open.
        Some(KeyAction::Focus(_) | KeyAction::Live) if *state.focus == MESSAGE && completing => {
            if asked == Some(KeyAction::Live) {
                state.composer.close_completions();
                return Vec::new();
            }
            write(state, key)
        }
        Some(KeyAction::Focus(1))
            if *state.focus == MESSAGE && command::file_argument(state.composer.text()).is_some() =>
        {
            vec![Effect::ListFiles(state.composer.text().to_string())]
        }
        Some(asked) => act(state, asked, KeyPress::from(key)),
        None if *state.focus == MESSAGE => write(state, key),
        // A letter that is no key of the pane begins a message.
        None if written(key).is_some() => {
            state.focus_on(&MESSAGE);
            write(state, key)
        }
        None => Vec::new(),
    }
}

fn on_help_key(state: &mut State, key: KeyEvent) -> Vec<Effect> {
    let line = state.help.unwrap_or(0);
    state.help = match state.look.keymap.action(&CHAT, true, key) {
        Some(KeyAction::Scroll(by)) => Some(line.saturating_add_signed(by)),
        Some(KeyAction::Page(by)) => Some(line.saturating_add_signed(by * 10)),
        _ => None,
    };
    Vec::new()
}

fn write(state: &mut State, key: KeyEvent) -> Vec<Effect> {
    if state.is_welcoming() && state.composer.is_empty() && key.modifiers.is_empty() {
        match key.code {
            KeyCode::Enter => return submit(state, EXAMPLES[state.example]),
            KeyCode::Down => {
                state.example = (state.example + 1) % EXAMPLES.len();
                return Vec::new();
            }
            _ => {}
        }
    }
    let typed = state.composer.key(key);
    on_typed(state, typed)
}

fn on_typed(state: &mut State, typed: Typed) -> Vec<Effect> {
    match typed {
        Typed::Submit(text) => submit(state, &text),
        Typed::Taken | Typed::Ignored => Vec::new(),
    }
}

fn act(state: &mut State, asked: KeyAction, key: KeyPress) -> Vec<Effect> {
    match asked {
        KeyAction::Stop => return stop(state, key),
        KeyAction::Quit => return quit(state, key),
        KeyAction::Suspend => return vec![Effect::Suspend],
        KeyAction::Redraw => return vec![Effect::Redraw],
        KeyAction::Retry => return execute(state, command::BranchCommand::Retry(1).into()),
        KeyAction::Help => state.help = Some(0),
        KeyAction::Palette => {
            state.focus_on(&MESSAGE);
            state.composer.search();
        }
        KeyAction::Focus(by) => {
            let next = state.fronts.after(state.focus, by);
            state.focus_on(next);
        }
        // From the composer too: the keys stay where they are.
        KeyAction::Walk(by) => state.walk(by),
        KeyAction::First => state.walk_to(0),
        KeyAction::Last => state.walk_to(state.session.sequence().len().saturating_sub(1)),
        KeyAction::Unsure(direction) => {
            if !seek::go(state, direction) && !state.walk_to_unsure(direction) {
                let where_to = if direction > 0 { "after" } else { "before" };
                state.tell(Notice::Info(match state.shown_step() {
                    None => "nothing was written yet that could be unsure".to_string(),
                    Some(at) => format!(
                        "no step {where_to} token {} is unsure: one candidate has half of the mass in each",
                        at + 1
                    ),
                }));
            }
        }
        KeyAction::Find => prefill(state, "/find "),
        KeyAction::Doubt(by) => seek::doubt(state, by),
        KeyAction::Measure => seek::doubt_by(state, state.seek.doubt.next()),
        KeyAction::Live => {
            state.seek.text.clear();
            state.live();
            state.fronts.show(&CHAT);
            state.focus_on(&MESSAGE);
        }
        KeyAction::Scroll(by) => scroll(state, state.focus, by),
        KeyAction::Page(by)
            if state.focus.slot == Slot::Upper || [&REPLIES, &DIFF].contains(&state.focus) =>
        {
            scroll(state, state.focus, by * page_of(state));
        }
        KeyAction::Page(by) => state.transcript.scroll_by(by * state.transcript.page()),
        KeyAction::Dose(by) => return dose::change(state, by),
        KeyAction::Lens => lens::open(state),
        KeyAction::WhatIf => what_if::open(state),
        KeyAction::Tree => {
            let to = if *state.focus == TREE { &TABLE } else { &TREE };
            state.focus_on(to);
        }
        KeyAction::Mark(right) => {
            let word = if right { MarkWord::Right } else { MarkWord::Wrong };
            return marks::mark(state, word);
        }
        KeyAction::MarkUndo => return marks::mark(state, MarkWord::Undo),
        KeyAction::Span => marks::span(state),
        KeyAction::Copy => return marks::copy(state),
        KeyAction::Beside => {
            let to = if *state.focus == BESIDE { &TABLE } else { &BESIDE };
            state.focus_on(to);
        }
        KeyAction::One => return submit(state, "/continue 1"),
        // What stops is told by the engine.
        KeyAction::Pause if state.session.is_busy() => return stop(state, key),
        KeyAction::Pause => return submit(state, "/continue"),
        KeyAction::Explain => {
            let told = explained(state);
            state.zoom = false;
            state.tab = Tab::Chat;
            state.fronts.show(&CHAT);
            state.tell(Notice::Info(match told.is_empty() {
                true => "no figures are shown yet".to_string(),
                false => told.join("\n"),
            }));
        }
        KeyAction::Zoom => state.zoom = !state.zoom,
        KeyAction::Frame => state.toggle_scaffold(),
        KeyAction::Colour => state.colouring = state.colouring.next(),
        KeyAction::Candidates(by) => {
            let k = state.candidates().saturating_add_signed(by);
            state.session.show_candidates(k);
        }
        KeyAction::Own(own) => {
            let is_its = |pane: &&&Pane| pane.keys.iter().any(|(_, action)| *action == asked);
            let panel = PANES.iter().find(is_its).and_then(|pane| panels::of(pane));
            return panel.map_or_else(Vec::new, |panel| (panel.act)(state, own.name));
        }
    }
    Vec::new()
}

fn stop(state: &mut State, key: KeyPress) -> Vec<Effect> {
    if state.session.cancel() {
        let Some(id) = state.session.job().map(|job| job.id) else { return Vec::new() };
        return state.held.stop(id).map_or_else(Vec::new, |event| on_reply(state, id, event));
    }
    if state.leaving == Some(key) {
        return vec![Effect::Quit(0)];
    }
    if state.lens.stop() {
        return Vec::new();
    }
    state.composer.cut();
    state.leaving = Some(key);
    Vec::new()
}

/// Leaves, but asks first where a conversation or a draft would be lost.
fn quit(state: &mut State, key: KeyPress) -> Vec<Effect> {
    let would_lose = state.session.is_unsaved() || !state.composer.is_empty();
    if !would_lose || state.leaving == Some(key) {
        return vec![Effect::Quit(0)];
    }
    state.leaving = Some(key);
    Vec::new()
}

/// Rows of a page of the pane that has the keys, without what frames them, so that two pages overlap.
fn page_of(state: &State) -> isize {
    const FRAME: u16 = 4;
    let place = state.areas().and_then(|areas| areas.of(state.focus));
    place.map_or(1, |place| inside(place.area).height.saturating_sub(FRAME).max(1) as isize)
}

fn scroll(state: &mut State, pane: &Pane, by: isize) {
    if let Some(panel) = panels::of(pane) {
        (panel.scroll)(state, by);
    }
}

fn on_mouse(state: &mut State, mouse: MouseEvent) -> Vec<Effect> {
    let at = Position::new(mouse.column, mouse.row);
    let wheel = match mouse.kind {
        MouseEventKind::ScrollUp => -WHEEL,
        MouseEventKind::ScrollDown => WHEEL,
        MouseEventKind::Down(MouseButton::Left) => 0,
        _ => return Vec::new(),
    };
    if let Some(line) = state.help {
        state.help = (wheel != 0).then(|| line.saturating_add_signed(wheel));
        return Vec::new();
    }
    // The list of proposals lies over the other panes.
    match panels::proposal_at(state, at) {
        Some(_) if wheel != 0 => {
            state.composer.select(wheel.signum());
            return Vec::new();
        }
        Some(number) => {
            let typed = state.composer.choose(number);
            return on_typed(state, typed);
        }
        None => {}
    }
    let Some(areas) = state.areas() else { return Vec::new() };
    let Some((pane, place)) = areas.at(at) else {
        // The last line says which key shows the help.
        state.help = (wheel == 0 && areas.status.contains(at)).then_some(0);
        return Vec::new();
    };
    if wheel != 0 {
        scroll(state, pane, wheel);
        return Vec::new();
    }
    (state.leaving, state.tree_gone) = (None, None);
    state.focus_on(pane);
    panels::of(pane).map_or_else(Vec::new, |panel| (panel.click)(state, place, at))
}
