//! Presses keys into the interface and reads the screen, with a scripted engine behind it.
//!
//! Keys are written as text; `<Enter>`, `<Tab>`, `<Esc>`, `<Left>`, `<C-c>` and the like are keys.

use std::sync::Arc;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{
    Event as Input, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use ratatui::layout::Size;

use crate::ask::Answer;
use crate::continuation::Encoded;
use crate::engine::testing::{Scripted, ScriptedLine};
use crate::engine::{CancelFlag, Event};
use crate::query::Asker;
use crate::report::view::{Block, View};
use crate::sampling::Sampling;
use crate::session::{RequestId, Session};
use crate::settings::{ConfigFile, Flags, SamplingFlags, Settings};

use super::answer::{computed, fetched, redone, seen};
use super::look::Appearance;
use super::msg::{Effect, Msg};
use super::state::State;
use super::update::update;
use super::view::draw;

/// An answer that looks like this.
pub(super) fn answered(blocks: Vec<Block>) -> Msg {
    Msg::Answered(Ok(Box::new((Answer::Tokens(Encoded::default()), View { blocks, told: 0 }))))
}

pub(super) struct Harness {
    pub state: State,
    pub engine: Scripted,
    /// Effects that nobody has carried out: everything but requests.
    pub effects: Vec<Effect>,
    /// Events the engine has not said yet, while it is held.
    held: Option<Vec<(RequestId, Event)>>,
}

impl Harness {
    /// A screen of this size whose model is still loading.
    pub fn loading(width: u16, height: u16, replies: Vec<Vec<ScriptedLine>>) -> Harness {
        let sampling = SamplingFlags { seed: Some(7), ..SamplingFlags::default() };
        let settings =
            Settings::from_layers(Sampling::chat(), &ConfigFile::default(), &Flags::default(), &sampling)
                .unwrap();
        Harness::with_settings(width, height, replies, settings)
    }

    /// A screen that was started with these settings, whose model is still loading.
    pub fn with_settings(
        width: u16,
        height: u16,
        replies: Vec<Vec<ScriptedLine>>,
        settings: Settings,
    ) -> Harness {
        let state = State::new(Session::new(settings), Size::new(width, height), Appearance::default());
        Harness { state, engine: Scripted::new(replies), effects: Vec::new(), held: None }
    }

    /// The same, with the model ready.
    pub fn new(width: u16, height: u16, replies: Vec<Vec<ScriptedLine>>) -> Harness {
        let mut harness = Harness::loading(width, height, replies);
        let ready = harness.engine.ready();
        harness.send(Msg::Engine(ready));
        harness
    }

    /// A screen whose engine replies by chance for ever.
    pub fn endless(width: u16, height: u16) -> Harness {
        let mut harness = Harness::loading(width, height, vec![]);
        harness.engine = harness.engine.endless();
        let ready = harness.engine.ready();
        harness.send(Msg::Engine(ready));
        harness
    }

    /// Writes a line in place of whatever was being written, and sends it.
    pub fn submit(&mut self, line: &str) {
        self.state.composer.replace("");
        self.send(Msg::Input(Input::Paste(line.to_string())));
        self.keys("<Enter>");
    }

    /// Lets the engine say whatever it still has to say, and answer at once from now on.
    pub fn release(&mut self) {
        while self.held.as_ref().is_some_and(|held| !held.is_empty()) {
            self.say(usize::MAX);
        }
        self.held = None;
    }

    /// Answers the question that was asked last.
    pub fn answer(&mut self) {
        let asked = self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Ask(asked, cancel) => Some((asked.clone(), cancel.clone())),
            _ => None,
        });
        let (asked, cancel) = asked.expect("nothing was asked");
        let answer = self.asking(cancel, |asker| computed(asker, &asked));
        self.send(Msg::Answered(answer));
    }

    fn asking<T>(&self, cancel: CancelFlag, ask: impl FnOnce(&mut Asker) -> T) -> T {
        let (session, mut client) = (&self.state.session, self.engine.client());
        let cache = tempfile::tempdir().unwrap();
        ask(&mut Asker {
            client: &mut client,
            model: session.model().unwrap().clone(),
            template: session.template().cloned(),
            settings: session.settings().clone(),
            cancel,
            far: Arc::new(|_| {}),
            cache: cache.path().to_path_buf(),
        })
    }

    /// Looks through the lens once, if that is wanted.
    pub fn look_once(&mut self) -> bool {
        let wanted = self.effects.iter().position(|effect| matches!(effect, Effect::Look(..)));
        let Some(Effect::Look(id, wish, cancel)) = wanted.map(|at| self.effects.remove(at)) else {
            return false;
        };
        let seen = self.asking(cancel, |asker| seen(asker, *wish));
        self.send(Msg::Seen(id, seen));
        true
    }

    /// Lets the cursor rest, and the lens see whatever it wants to.
    pub fn look(&mut self) {
        let rests = self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Rest(number) => Some(*number),
            _ => None,
        });
        rests.into_iter().for_each(|number| self.send(Msg::Rested(number)));
        while self.look_once() {}
    }

    /// Delivers a message and answers the requests it leads to.
    pub fn send(&mut self, msg: Msg) {
        for effect in update(&mut self.state, msg) {
            match effect {
                Effect::Send(id, command) => {
                    let events = self.engine.answer(&command).into_iter().map(|event| (id, event));
                    match &mut self.held {
                        Some(held) => held.extend(events),
                        None => events.for_each(|(id, event)| self.send(Msg::Reply(id, event))),
                    }
                }
                Effect::Redo(number, wish, cancel) => {
                    let step = self.asking(cancel, |asker| redone(asker, &wish));
                    self.send(Msg::Redone(number, step));
                }
                Effect::Row(number, wish, cancel) => {
                    let row = self.asking(cancel, |asker| fetched(asker, &wish));
                    self.send(Msg::Row(number, row));
                }
                Effect::Run(ticket, task) => self.send(Msg::Done(ticket.id, task.run())),
                other => self.effects.push(other),
            }
        }
    }

    /// From now on the engine says nothing until [`Harness::say`].
    pub fn hold(&mut self) {
        self.held = Some(Vec::new());
    }

    /// Lets the engine say its next `n` events.
    pub fn say(&mut self, n: usize) {
        let held = self.held.as_mut().unwrap();
        let now: Vec<_> = held.drain(..n.min(held.len())).collect();
        now.into_iter().for_each(|(id, event)| self.send(Msg::Reply(id, event)));
    }

    /// Presses keys.
    pub fn keys(&mut self, keys: &str) {
        let mut rest = keys;
        while let Some(c) = rest.chars().next() {
            let (key, length) = match rest.find('>').filter(|_| c == '<') {
                Some(end) => (named(&rest[1..end]), end + 1),
                None => (KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE), c.len_utf8()),
            };
            self.send(Msg::Input(Input::Key(key)));
            rest = &rest[length..];
        }
    }

    /// Whether the program was told to end with this code.
    pub fn left_with(&self, code: u8) -> bool {
        self.effects.iter().any(|effect| matches!(effect, Effect::Quit(given) if *given == code))
    }

    pub fn click(&mut self, column: u16, row: u16) {
        let kind = MouseEventKind::Down(MouseButton::Left);
        let mouse = MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE };
        self.send(Msg::Input(Input::Mouse(mouse)));
    }

    pub fn wheel(&mut self, up: bool, column: u16, row: u16) {
        let kind = if up { MouseEventKind::ScrollUp } else { MouseEventKind::ScrollDown };
        self.send(Msg::Input(Input::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE })));
    }

    pub fn buffer(&self) -> Buffer {
        let Size { width, height } = self.state.size;
        self.buffer_of(width, height)
    }

    /// The state as it is, drawn on a window of another size than it remembers.
    pub fn buffer_of(&self, width: u16, height: u16) -> Buffer {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(&self.state, frame)).unwrap();
        terminal.backend().buffer().clone()
    }

    /// The screen as text, a line a row.
    pub fn screen(&self) -> String {
        let buffer = self.buffer();
        let Size { width, height } = self.state.size;
        let mut out = String::new();
        for y in 0..height {
            let mut row = String::new();
            let mut skip = 0;
            for x in 0..width {
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                let symbol = buffer[(x, y)].symbol();
                skip = unicode_width::UnicodeWidthStr::width(symbol).saturating_sub(1);
                row.push_str(symbol);
            }
            out.push_str(row.trim_end());
            out.push('\n');
        }
        out
    }

    /// Where a text stands on the screen.
    pub fn find(&self, text: &str) -> (u16, u16) {
        let buffer = self.buffer();
        let Size { width, height } = self.state.size;
        let cells: Vec<&str> = text.split("").filter(|piece| !piece.is_empty()).collect();
        for y in 0..height {
            for x in 0..width.saturating_sub(cells.len() as u16 - 1) {
                let here =
                    cells.iter().enumerate().all(|(i, cell)| buffer[(x + i as u16, y)].symbol() == *cell);
                if here {
                    return (x, y);
                }
            }
        }
        panic!("{text:?} is not on the screen:\n{}", self.screen());
    }
}

fn named(name: &str) -> KeyEvent {
    if let Some(c) = name.strip_prefix("C-").and_then(|rest| rest.chars().next()) {
        return KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL);
    }
    if let Some(c) =
        name.strip_prefix("A-").filter(|rest| rest.len() == 1).and_then(|rest| rest.chars().next())
    {
        return KeyEvent::new(KeyCode::Char(c), KeyModifiers::ALT);
    }
    let code = match name {
        "Enter" => KeyCode::Enter,
        "Tab" => KeyCode::Tab,
        "BackTab" => KeyCode::BackTab,
        "Esc" => KeyCode::Esc,
        "Left" => KeyCode::Left,
        "Right" => KeyCode::Right,
        "Up" => KeyCode::Up,
        "Down" => KeyCode::Down,
        "Home" => KeyCode::Home,
        "End" => KeyCode::End,
        "PgUp" => KeyCode::PageUp,
        "PgDn" => KeyCode::PageDown,
        "A-Enter" => return KeyEvent::new(KeyCode::Enter, KeyModifiers::ALT),
        other => panic!("no key is called {other}"),
    };
    KeyEvent::new(code, KeyModifiers::NONE)
}
