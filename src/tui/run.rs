//! The driver: owns terminal, engine and channel; receives, updates, carries out, draws.

use std::io::{self, Stdout};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::crossterm::event;
use ratatui::layout::{Position, Rect};

use crate::archive::shelf::Shelf;
use crate::ask::Question;
use crate::command;
use crate::counter::Far;
use crate::engine::{self, CancelFlag, Client, EngineError, Event};
use crate::files;
use crate::lens::LensWish;
use crate::loading::{self, Meanwhile};
use crate::model::{Copies, ModelFile, Progress, Weights};
use crate::paths::Paths;
use crate::query::Asker;
use crate::query::at_step::RowWish;
use crate::query::next::StepUnder;
use crate::say::clipboard;
use crate::session::keep::SessionRecorder;
use crate::session::task::Task;
use crate::session::{RequestId, Session, Ticket};
use crate::settings::Settings;

use super::answer;
use super::backend::AnsiScreen;
use super::engines::Engines;
use super::helpers::{helper, keep_history, read_input, watch_signals};
use super::lens::REST;
use super::lens::spot::LookId;
use super::look::Appearance;
use super::msg::{Effect, Msg, NoAnswer};
use super::pace::interval;
use super::reporter::{PendingQuestion, Reporter, far_to};
use super::second;
use super::state::State;
use super::update::update;
use super::view::draw;
use crate::fatal::terminal::Guard;

/// Messages that may wait; a full channel slows the engine, never the screen.
const QUEUE: usize = 1024;
/// Time between two frames while things happen.
const FRAME: Duration = Duration::from_millis(40);

/// How long a leaving program waits for the engine to end its step.
const PATIENCE: Duration = Duration::from_secs(2);

struct Driver {
    state: State,
    inbox: Receiver<Msg>,
    sender: SyncSender<Msg>,
    paths: Paths,
    engines: Engines,
    /// Stops the model that is being found or loaded.
    cancel: CancelFlag,
    /// Stops the second model's being found or loaded.
    cancel_beside: CancelFlag,
    /// To the thread that keeps messages for later sessions.
    remember: Sender<String>,
    screen: Terminal<AnsiScreen<Stdout>>,
    guard: Option<Guard>,
    /// The download that `/model` asked about last.
    asked: PendingQuestion,
    /// Threads that write files.
    writing: Vec<JoinHandle<()>>,
    /// Who keeps the conversation, if anybody does.
    recorder: Option<SessionRecorder>,
}

/// Runs the interface until the person leaves; returns the exit code.
///
/// # Errors
/// Where the terminal can't be used.
pub fn run(settings: Settings, paths: &Paths, look: Appearance, resume: Option<String>) -> io::Result<u8> {
    let (sender, inbox) = sync_channel(QUEUE);
    let guard = Guard::take()?;
    let screen = Terminal::new(AnsiScreen::new(io::stdout()))?;
    let size = screen.size()?;
    let mut session = Session::new(settings.clone());
    let (to_screen, folder) = (sender.clone(), paths.sessions());
    let tell = move |kept, line| _ = to_screen.send(Msg::Kept(kept, line));
    let recorder = settings.save.then(|| SessionRecorder::new(&folder, tell));
    session.set_kept(recorder.is_some());
    let state = State::new(session, size, look);
    let (remember, messages) = channel();

    let mut driver = Driver {
        state,
        inbox,
        sender: sender.clone(),
        paths: paths.clone(),
        engines: Engines::default(),
        cancel: CancelFlag::default(),
        cancel_beside: CancelFlag::default(),
        remember,
        screen,
        guard: Some(guard),
        asked: PendingQuestion::default(),
        writing: Vec::new(),
        recorder,
    };
    driver.draw()?;
    watch_signals(&sender)?;
    read_input(&sender);
    driver.writing.push(keep_history(&sender, paths, messages));
    if let Some(name) = resume {
        let _ = sender.send(Msg::Resume(name));
    }
    driver.start_engine(settings, None);
    let code = driver.live();
    driver.leave(code.as_ref().copied().unwrap_or(1));
    code
}

impl Driver {
    fn live(&mut self) -> io::Result<u8> {
        let mut drawn = Instant::now();
        // When slow motion last let a step through.
        let mut shown: Option<Instant> = None;
        let mut stale = false;
        loop {
            let next_step = self.next_step(shown);
            if next_step == Some(Duration::ZERO) {
                self.take(Msg::Next)?;
                (stale, shown) = (true, Some(Instant::now()));
                continue;
            }
            let frame = stale.then(|| FRAME.saturating_sub(drawn.elapsed()));
            let msg = if let Some(wait) = frame.into_iter().chain(next_step).min() {
                match self.inbox.recv_timeout(wait) {
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

    /// How long until slow motion shows the next step, if one waits.
    fn next_step(&self, shown: Option<Instant>) -> Option<Duration> {
        let interval = interval(self.state.session.settings().pace);
        let since = shown.map_or(interval, |shown| shown.elapsed());
        (!self.state.held.is_empty()).then(|| interval.saturating_sub(since))
    }

    /// Takes one message; an exit code ends the program.
    fn take(&mut self, msg: Msg) -> io::Result<Option<u8>> {
        let mut effects = update(&mut self.state, msg);
        self.keep();
        while !effects.is_empty() {
            let mut next = Vec::new();
            for effect in effects {
                match effect {
                    Effect::Quit(code) => return Ok(Some(code)),
                    Effect::Send(id, command) => next.extend(self.send(id, command)),
                    Effect::Ask(asked, cancel) => self.ask(asked, cancel),
                    Effect::Look(id, wish, cancel) => self.look(id, *wish, cancel),
                    Effect::Redo(number, wish, cancel) => self.redo(number, *wish, cancel),
                    Effect::Row(number, wish, cancel) => self.fetch_row(number, *wish, cancel),
                    Effect::Rest(number) => self.rest(number),
                    Effect::LoadBeside(model) => {
                        let model = files::from_home(model);
                        let settings = Settings { model, ..self.state.session.settings().clone() };
                        let cancel = self.cancel_beside.clone();
                        second::load(settings, &self.paths, &self.engines, &self.sender, cancel);
                    }
                    Effect::Follow(number, wish, cancel) => {
                        second::follow(&self.engines, &self.sender, number, *wish, cancel);
                    }
                    Effect::Run(ticket, task) => self.run_task(ticket, task),
                    Effect::Load(model) => self.load(model),
                    Effect::Hold(held, scribe) => {
                        if let Some(recorder) = &mut self.recorder {
                            recorder.hold(held, *scribe, &self.state.session);
                        }
                    }
                    Effect::ListSessions => {
                        let shelf = Shelf::at(&self.paths);
                        _ = helper(&self.sender, Msg::Note, move |sender| {
                            let _ = sender.send(Msg::Sessions(shelf.list()));
                        });
                    }
                    Effect::Copy(text, what) => {
                        let told = clipboard::copy(&mut io::stdout(), &text, what)?;
                        next.extend(update(&mut self.state, Msg::Told(told)));
                    }
                    // A thread that is gone was said to be.
                    Effect::Remember(text) => _ = self.remember.send(text),
                    Effect::ListFiles(line) => {
                        _ = helper(&self.sender, Msg::Note, |sender| {
                            let found = command::complete_file(&line);
                            let _ = sender.send(Msg::Files(line, found));
                        })
                    }
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

    /// Has what is new in the conversation kept.
    fn keep(&mut self) {
        if let Some(recorder) = &mut self.recorder {
            recorder.follow(&self.state.session);
        }
    }

    fn send(&mut self, id: RequestId, command: engine::Command) -> Vec<Effect> {
        let sender = self.sender.clone();
        let tell = move |event| {
            let _ = sender.send(Msg::Reply(id, event));
        };
        let sent = match self.engines.answering() {
            Some(engine) => engine.submit(command, tell),
            None => Err(EngineError::Died("there is none".to_string())),
        };
        match sent {
            Ok(()) => Vec::new(),
            Err(error) => update(&mut self.state, Msg::Reply(id, Event::Failed(error))),
        }
    }

    /// Does something away from the screen. What is written must be whole before the program ends.
    fn run_task(&mut self, ticket: Ticket, task: Task) {
        self.writing.retain(|thread| !thread.is_finished());
        let (sender, writes) = (self.sender.clone(), task.writes());
        let thread = std::thread::spawn(move || {
            let done = task.run_aside(&ticket.cancel);
            let _ = sender.send(Msg::Done(ticket.id, done));
        });
        self.writing.extend(writes.then_some(thread));
    }

    /// Answers a question on a thread of its own.
    fn ask(&self, asked: Question, cancel: CancelFlag) {
        let failed = |reason| Msg::Answered(Err(NoAnswer { told: String::new(), reason }));
        let answered = move |asker: &mut Asker| Msg::Answered(answer::computed(asker, &asked));
        self.with_asker(cancel, Msg::Far, failed, answered);
    }

    /// Looks, on a thread of its own.
    fn look(&self, id: LookId, wish: LensWish, cancel: CancelFlag) {
        let far = move |far| Msg::LookFar(id, far);
        let seen = move |asker: &mut Asker| Msg::Seen(id, answer::seen(asker, wish));
        self.with_asker(cancel, far, move |reason| Msg::Seen(id, Err(reason)), seen);
    }

    /// Computes a step again, on a thread of its own.
    fn redo(&self, number: u32, wish: StepUnder, cancel: CancelFlag) {
        let failed = move |reason| Msg::Redone(number, Err(reason));
        let redone = move |asker: &mut Asker| Msg::Redone(number, answer::redone(asker, &wish));
        self.with_asker(cancel, Msg::Far, failed, redone);
    }

    /// Fetches a step's row, on a thread of its own.
    fn fetch_row(&self, number: u32, wish: RowWish, cancel: CancelFlag) {
        let failed = move |reason| Msg::Row(number, Err(reason));
        let fetched = move |asker: &mut Asker| Msg::Row(number, answer::fetched(asker, &wish));
        self.with_asker(cancel, Msg::Far, failed, fetched);
    }

    /// Works with a model on a thread of its own; tells how far that is, and what came of it.
    fn with_asker(
        &self,
        cancel: CancelFlag,
        far: impl Fn(Far) -> Msg + Send + Sync + 'static,
        failed: impl FnOnce(String) -> Msg + Send + 'static,
        work: impl FnOnce(&mut Asker) -> Msg + Send + 'static,
    ) {
        let session = &self.state.session;
        let (Some(engine), Some(model)) = (self.engines.answering(), session.model().cloned()) else {
            let _ = self.sender.try_send(failed("the model is still loading".to_string()));
            return;
        };
        let (settings, template) = (session.settings().clone(), session.template().cloned());
        let cache = self.paths.cache.clone();
        helper(&self.sender, failed, move |sender| {
            let mut client = Client::from(engine);
            let far = far_to(sender.clone(), far);
            let client = &mut client;
            let mut asker = Asker { client, model, template, settings, cancel, far, cache };
            let _ = sender.send(work(&mut asker));
        });
    }

    fn rest(&self, number: u32) {
        let sender = self.sender.clone();
        std::thread::spawn(move || {
            std::thread::sleep(REST);
            let _ = sender.send(Msg::Rested(number));
        });
    }

    /// Starts an engine with another model in the present one's place, once the model is found.
    fn load(&mut self, model: String) {
        self.cancel.cancel();
        self.cancel = CancelFlag::default();
        let mut settings = self.state.session.settings().clone();
        settings.model = files::from_home(model);
        self.start_engine(settings, Some(Arc::clone(&self.asked)));
    }

    /// Finds the model (which may take a download) and starts the engine, away from the screen. `asked` is
    /// missing where a download has been agreed to.
    fn start_engine(&self, settings: Settings, asked: Option<PendingQuestion>) {
        let (paths, cancel, engines) = (self.paths.clone(), self.cancel.clone(), self.engines.clone());
        helper(&self.sender, Msg::NoModel, move |sender| {
            let report = Reporter::new(sender, cancel.clone(), Msg::Fetching).asking(asked);
            let found = loading::find(&settings, &paths, cancel.clone(), &report, &Meanwhile);
            match found {
                // Another one is wanted by now.
                _ if cancel.is_cancelled() => {}
                Ok(found) => {
                    engines.change(&found.options, &cancel, sender);
                    if let (Some(weights), Some(file)) = (found.missing, &found.file) {
                        let copied = copy(file, weights, &paths, &report.of_copy());
                        if !cancel.is_cancelled() {
                            let _ = sender.send(Msg::Copied(copied));
                        }
                    }
                }
                Err(error) => engines.give_up(error.to_string(), &cancel, sender),
            }
        });
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
        self.screen.resize(Rect::from((Position::ORIGIN, size)))
    }

    /// Gives the terminal back at once and the engine a moment to end.
    fn leave(mut self, code: u8) {
        self.cancel.cancel();
        self.cancel_beside.cancel();
        self.state.beside.stop();
        self.state.session.cancel();
        self.guard = None;
        if code > 128 {
            crate::fatal::say_ended_by(i32::from(code) - 128);
        }
        let engines = self.engines;
        // The last message is the last that is kept.
        drop(self.remember);
        self.writing.extend(self.recorder.and_then(SessionRecorder::end));
        let deadline = Instant::now() + PATIENCE;
        while self.writing.iter().any(|thread| !thread.is_finished()) && Instant::now() < deadline {
            while self.inbox.try_recv().is_ok() {}
            std::thread::sleep(Duration::from_millis(5));
        }
        // Nobody listens any more: the engine must not wait for room in the channel, and need leave
        // nothing behind that could still tokenize.
        drop((self.inbox, self.state));
        if !engines.shut_down(PATIENCE) {
            // llama.cpp's destructors must not run under a thread that still computes.
            // SAFETY: ends the process; the terminal is restored and nothing is left to write.
            unsafe { libc::_exit(i32::from(code)) };
        }
    }

    /// Draws a frame of the window as it is now: its size may be newer than the last message about it, so
    /// that the text is wrapped for what it is drawn on.
    fn draw(&mut self) -> io::Result<()> {
        // A window without columns or rows has no size to ask for, and nothing to draw on.
        let Ok(size) = self.screen.size() else { return Ok(()) };
        if self.state.size != size {
            update(&mut self.state, Msg::Input(event::Event::Resize(size.width, size.height)));
        }
        let state = &self.state;
        self.screen.draw(|frame| draw(state, frame)).map(|_| ())
    }
}

/// Makes a copy of a model that runs already; one line if it can't be had.
fn copy(file: &ModelFile, weights: Weights, paths: &Paths, report: &dyn Progress) -> Result<Weights, String> {
    match loading::make_copy(file, weights, paths, report) {
        Ok(()) => Ok(weights),
        Err(error) => Err(Copies::without(&file.name, weights, &error)),
    }
}
