//! The driver: owns terminal, engine and channel; receives, updates, carries out, draws.

use std::io::{self, Stdout};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event;
use ratatui::layout::Rect;

use crate::engine::{self, CancelFlag, Engine, EngineError, Event, SendError};
use crate::loading;
use crate::model::{Progress, Stage};
use crate::paths::Paths;
use crate::session::Session;
use crate::settings::Settings;

use super::history::History;
use super::msg::{Effect, Fetch, Msg};
use super::state::State;
use super::terminal::Guard;
use super::theme::Theme;
use super::update::update;
use super::view::draw;

/// Messages that may wait; a full channel slows the engine, never the screen.
const QUEUE: usize = 1024;
/// Time between two frames while things happen.
const FRAME: Duration = Duration::from_millis(40);

/// How long a leaving program waits for the engine to end its step.
const PATIENCE: Duration = Duration::from_secs(2);

/// The engine, once it was started; shared with the thread that starts it.
type EngineSlot = Arc<Mutex<Option<Engine>>>;

struct Driver {
    state: State,
    inbox: Receiver<Msg>,
    engine: EngineSlot,
    history: History,
    screen: Terminal<CrosstermBackend<Stdout>>,
    guard: Option<Guard>,
}

/// Runs the interface until the person leaves; returns the exit code.
///
/// # Errors
/// Where the terminal can't be used.
pub fn run(settings: Settings, paths: &Paths, color: bool) -> io::Result<u8> {
    let (sender, inbox) = sync_channel(QUEUE);
    let guard = Guard::take()?;
    let screen = Terminal::new(CrosstermBackend::new(io::stdout()))?;
    let size = screen.size()?;
    let history = History::open(paths.state.join("messages"));
    let session = Session::new(settings.clone());
    let state = State::new(session, (size.width, size.height), history.messages(), Theme { color });
    let engine = EngineSlot::default();
    let cancel = CancelFlag::default();

    let mut driver =
        Driver { state, inbox, engine: Arc::clone(&engine), history, screen, guard: Some(guard) };
    driver.draw()?;
    watch_signals(sender.clone())?;
    read_input(sender.clone());
    start_engine(settings, paths.clone(), cancel.clone(), engine, sender);
    let code = driver.live();
    cancel.cancel();
    driver.leave();
    code
}

impl Driver {
    fn live(&mut self) -> io::Result<u8> {
        let mut drawn = Instant::now();
        let mut stale = false;
        loop {
            let msg = if stale {
                match self.inbox.recv_timeout(FRAME.saturating_sub(drawn.elapsed())) {
                    Ok(msg) => Some(msg),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => return Ok(0),
                }
            } else {
                match self.inbox.recv() {
                    Ok(msg) => Some(msg),
                    Err(_) => return Ok(0),
                }
            };
            let mut waiting = msg;
            while let Some(msg) = waiting {
                stale = true;
                if let Some(code) = self.take(msg)? {
                    return Ok(code);
                }
                waiting = self.inbox.try_recv().ok();
            }
            if stale && drawn.elapsed() >= FRAME {
                self.draw()?;
                drawn = Instant::now();
                stale = false;
            }
        }
    }

    /// Takes one message; an exit code ends the program.
    fn take(&mut self, msg: Msg) -> io::Result<Option<u8>> {
        let mut effects = update(&mut self.state, msg);
        while !effects.is_empty() {
            let mut next = Vec::new();
            for effect in effects {
                match effect {
                    Effect::Quit(code) => return Ok(Some(code)),
                    Effect::Send(command) => next.extend(self.send(command)),
                    Effect::Remember(text) => self.history.append(&text),
                    Effect::Redraw => self.wipe()?,
                    // SAFETY: signals this process's own group.
                    Effect::Suspend => unsafe {
                        libc::kill(0, libc::SIGTSTP);
                    },
                    Effect::Stop => self.stop()?,
                    Effect::Retake => self.retake()?,
                }
            }
            effects = next;
        }
        Ok(None)
    }

    fn send(&mut self, command: engine::Command) -> Vec<Effect> {
        let id = command.id();
        let outcome = match self.engine.lock().ok().as_deref() {
            Some(Some(engine)) => engine.try_send(command),
            _ => Err(SendError::Gone),
        };
        let reason = match outcome {
            Ok(()) => return Vec::new(),
            Err(SendError::Busy) => "it is busy with earlier requests",
            Err(SendError::Gone) => "it takes no more requests",
        };
        let error = EngineError::Died(reason.to_string());
        update(&mut self.state, Msg::Engine(Event::Failed { id: Some(id), error }))
    }

    /// Gives the terminal back, stops, and takes it again when told to go on.
    fn stop(&mut self) -> io::Result<()> {
        self.guard = None;
        // SAFETY: stops this process, as the default action of SIGTSTP would.
        unsafe { libc::raise(libc::SIGSTOP) };
        self.retake()
    }

    fn retake(&mut self) -> io::Result<()> {
        self.guard = None;
        self.guard = Some(Guard::take()?);
        let size = self.screen.size()?;
        update(&mut self.state, Msg::Input(event::Event::Resize(size.width, size.height)));
        self.wipe()?;
        self.draw()
    }

    /// Has the next frame drawn from nothing. Ratatui's own `clear` asks the terminal where the cursor
    /// is, and the answer would be lost to the thread that reads keys.
    fn wipe(&mut self) -> io::Result<()> {
        let size = self.screen.size()?;
        self.screen.resize(Rect::new(0, 0, size.width, size.height))
    }

    /// Gives the terminal back at once and the engine a moment to end.
    fn leave(mut self) {
        self.state.session.cancel();
        self.guard = None;
        let engine = self.engine.lock().ok().and_then(|mut slot| slot.take());
        // Nobody listens any more: the engine must not wait for room in the channel.
        drop(self.inbox);
        if let Some(engine) = engine {
            engine.shut_down(PATIENCE);
        }
    }

    fn draw(&mut self) -> io::Result<()> {
        let state = &self.state;
        self.screen.draw(|frame| draw(state, frame)).map(|_| ())
    }
}

fn read_input(sender: SyncSender<Msg>) {
    std::thread::spawn(move || {
        while let Ok(input) = event::read() {
            if sender.send(Msg::Input(input)).is_err() {
                return;
            }
        }
        // The terminal is gone: leave as for a hang-up.
        let _ = sender.send(Msg::Terminate(libc::SIGHUP));
    });
}

fn watch_signals(sender: SyncSender<Msg>) -> io::Result<()> {
    use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP};
    let mut signals = signal_hook::iterator::Signals::new([SIGTERM, SIGHUP, SIGINT, SIGTSTP, SIGCONT])?;
    std::thread::spawn(move || {
        for signal in signals.forever() {
            let msg = match signal {
                SIGTSTP => Msg::Suspend,
                SIGCONT => Msg::Continue,
                other => Msg::Terminate(other),
            };
            if sender.send(msg).is_err() {
                return;
            }
        }
    });
    Ok(())
}

/// Finds the model (which may take a download) and starts the engine, away from the screen.
fn start_engine(
    settings: Settings,
    paths: Paths,
    cancel: CancelFlag,
    slot: EngineSlot,
    sender: SyncSender<Msg>,
) {
    std::thread::spawn(move || {
        let report = Reporter { sender: sender.clone(), cancel: cancel.clone(), log: Mutex::default() };
        match loading::find(&settings, &paths, cancel, &report, &loading::FlagIsConsent) {
            Ok(found) => {
                let started = Engine::spawn(found.options, move |event| {
                    let _ = sender.send(Msg::Engine(event));
                });
                if let Ok(mut slot) = slot.lock() {
                    *slot = Some(started);
                }
            }
            Err(error) => {
                let _ = sender.send(Msg::NoModel(error.to_string()));
            }
        }
    });
}

/// Tells the screen how far finding the model is.
struct Reporter {
    sender: SyncSender<Msg>,
    cancel: CancelFlag,
    log: Mutex<Option<Instant>>,
}

impl Progress for Reporter {
    fn update(&self, stage: Stage, done: u64, total: Option<u64>) {
        // Ten times a second is enough for eyes.
        if let Ok(mut last) = self.log.lock() {
            if last.is_some_and(|last| last.elapsed() < Duration::from_millis(100)) && total != Some(done) {
                return;
            }
            *last = Some(Instant::now());
        }
        let fetch = Fetch { what: stage.verb().to_string(), done, total };
        let _ = self.sender.try_send(Msg::Fetching(fetch));
    }

    fn cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }
}

/// A file in the state folder, made when first needed.
pub(super) fn in_folder(path: &PathBuf) -> io::Result<std::fs::File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::OpenOptions::new().create(true).append(true).open(path)
}
