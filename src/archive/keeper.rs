//! Writes a session file while the conversation goes on, on a thread of its own: one write an event, on the disk
//! at the end of a turn.
//!
//! What can't be written waits, in order, and is tried again until it can: nothing is lost but to a program that
//! ends before. Whoever writes a file holds its lock, so that no second program writes to it.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::event::LogEvent;
use super::shelf;
use crate::aside;
use crate::report::output::json_line;

/// How long until what could not be written is tried again.
const AGAIN: Duration = Duration::from_secs(2);
/// Names tried for a new file.
const NAMES: u32 = 10_000;

/// A session file that is there, to be gone on with: this program alone writes to it.
#[derive(Clone, Debug)]
pub struct HeldFile {
    /// The file.
    pub path: PathBuf,
    file: Arc<File>,
    whole: u64,
}

/// Why a file can't be gone on with.
#[derive(Debug)]
pub enum NotHeld {
    /// Another program writes to it.
    Busy,
    /// What the system says.
    Io(io::Error),
}

impl HeldFile {
    /// Takes the lock of a file.
    ///
    /// # Errors
    /// [`NotHeld`].
    pub fn take(path: &Path) -> Result<HeldFile, NotHeld> {
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(NotHeld::Io)?;
        match file.try_lock() {
            Ok(()) => Ok(HeldFile { path: path.to_path_buf(), file: Arc::new(file), whole: 0 }),
            Err(fs::TryLockError::WouldBlock) => Err(NotHeld::Busy),
            // A file system without locks.
            Err(fs::TryLockError::Error(error)) => Err(NotHeld::Io(error)),
        }
    }

    /// Of the file so many bytes are kept; what comes after them is a torn line.
    #[must_use]
    pub fn keeping(self, whole: u64) -> HeldFile {
        HeldFile { whole, ..self }
    }
}

/// What the thread is told.
enum Order {
    /// Events to be written.
    Write(Vec<LogEvent>),
    /// A turn has ended.
    Sync,
    /// Say when everything before this was tried.
    Tell(Sender<()>),
    /// What comes from now on goes to a file of its own: its folder, and what it is about.
    Begin(PathBuf, String),
    /// What comes from now on goes to this file.
    Hold(HeldFile),
}

/// The way to the thread.
pub struct Keeper {
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Starts the thread. `tell` says what a person must know: that something could not be written (`false`), and
    /// that it could later (`true`).
    pub fn start(tell: impl Fn(bool, String) + Send + 'static) -> Keeper {
        let (orders, inbox) = channel();
        let thread = std::thread::spawn(move || {
            let work = || {
                Writer { place: None, file: None, waiting: VecDeque::new(), told: false, tell: &tell }
                    .work(&inbox)
            };
            if let Err(reason) = aside::guarded(work) {
                tell(false, format!("the conversation is not saved any more: {}", aside::bug(&reason)));
            }
        });
        Keeper { orders: Some(orders), thread: Some(thread) }
    }

    /// A new file in this folder, named after what it is about.
    pub fn begin(&self, folder: &Path, title: &str) {
        self.order(Order::Begin(folder.to_path_buf(), title.to_string()));
    }

    /// A file that is there.
    pub fn hold(&self, held: HeldFile) {
        self.order(Order::Hold(held));
    }

    /// Has events written.
    pub fn write(&self, events: Vec<LogEvent>) {
        if !events.is_empty() {
            self.order(Order::Write(events));
        }
    }

    /// Has all that was written brought to the disk.
    pub fn sync(&self) {
        self.order(Order::Sync);
    }

    /// Waits until everything so far is written, or could not be.
    pub fn settle(&self) {
        let (sender, done) = channel();
        self.order(Order::Tell(sender));
        // A thread that is gone writes nothing any more.
        let _ = done.recv();
    }

    fn order(&self, order: Order) {
        // A thread that is gone has said so.
        let _ = self.orders.as_ref().map(|orders| orders.send(order));
    }

    /// The thread, which ends when it has written everything.
    pub fn end(mut self) -> Option<JoinHandle<()>> {
        self.orders = None;
        self.thread.take()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Where a file is written, and how far it is whole.
struct Open {
    file: Arc<File>,
    path: PathBuf,
    len: u64,
}

struct Writer<'a> {
    /// Where a new file goes.
    place: Option<(PathBuf, String)>,
    file: Option<Open>,
    /// Lines that are not written yet.
    waiting: VecDeque<Vec<u8>>,
    /// Whether the person knows that something waits.
    told: bool,
    tell: &'a dyn Fn(bool, String),
}

impl Writer<'_> {
    fn work(mut self, inbox: &Receiver<Order>) {
        loop {
            let order = match self.waiting.is_empty() {
                true => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                false => inbox.recv_timeout(AGAIN),
            };
            match order {
                Ok(order) => self.take(order),
                Err(RecvTimeoutError::Timeout) => self.write(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.write();
        self.sync();
    }

    fn take(&mut self, order: Order) {
        match order {
            Order::Write(events) => {
                for event in events {
                    let mut line = Vec::new();
                    // Writing to memory does not fail.
                    if json_line(&mut line, &event).is_ok() {
                        self.waiting.push_back(line);
                    }
                    self.write();
                }
            }
            Order::Sync => self.sync(),
            Order::Tell(sender) => _ = sender.send(()),
            Order::Begin(folder, title) => {
                self.leave();
                (self.place, self.file) = (Some((folder, title)), None);
            }
            Order::Hold(held) => {
                self.leave();
                self.place = None;
                self.file = Some(Open { file: held.file, path: held.path, len: held.whole });
            }
        }
    }

    /// Done with the present file: what could not be written to it is lost.
    fn leave(&mut self) {
        self.write();
        self.sync();
        self.waiting.clear();
    }

    /// Writes what waits, as far as that goes.
    fn write(&mut self) {
        while let Some(line) = self.waiting.front() {
            let written = match &mut self.file {
                Some(open) => open.append(line),
                None => match self.place.as_ref().map(|(folder, title)| create(folder, title)) {
                    Some(Ok(open)) => {
                        self.file = Some(open);
                        continue;
                    }
                    Some(Err(error)) => Err(error),
                    None => return self.waiting.clear(),
                },
            };
            match written {
                Ok(()) => _ = self.waiting.pop_front(),
                Err(error) => return self.failed(&error),
            }
        }
        if std::mem::take(&mut self.told) {
            (self.tell)(
                true,
                "the conversation is saved again, with all that was said meanwhile".to_string(),
            );
        }
    }

    fn failed(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.told, true) {
            let place = match (&self.file, &self.place) {
                (Some(open), _) => open.path.display().to_string(),
                (None, Some((folder, _))) => folder.display().to_string(),
                (None, None) => String::new(),
            };
            let reason = match error.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "the disk is full".to_string(),
                _ => error.to_string(),
            };
            let told = format!(
                "{place}: the conversation can't be saved at the moment ({reason}); it goes on, and saving is tried again"
            );
            (self.tell)(false, told);
        }
    }

    fn sync(&mut self) {
        if let Some(open) = &self.file
            && let Err(error) = open.file.sync_data()
        {
            self.failed(&error);
        }
    }
}

impl Open {
    /// One line, whole or not at all.
    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        // Somebody has removed it: what is said is written to nowhere.
        let meta = self.file.metadata()?;
        if meta.nlink() == 0 {
            return Err(io::Error::new(ErrorKind::NotFound, "the file was removed"));
        }
        if meta.len() != self.len {
            self.file.set_len(self.len)?;
        }
        let mut file: &File = &self.file;
        file.seek(SeekFrom::Start(self.len))?;
        file.write_all(line)?;
        self.len += line.len() as u64;
        Ok(())
    }
}

/// A new file that nobody else reads, locked.
fn create(folder: &Path, title: &str) -> io::Result<Open> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    for n in 1..NAMES {
        let path = folder.join(shelf::file_name(title, n));
        let made = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path);
        let file = match made {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
            other => other?,
        };
        // Nobody else knows of it yet; a file system without locks has no second program either.
        let _ = file.try_lock();
        // The folder's own entry is on the disk too.
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
        return Ok(Open { file: Arc::new(file), path, len: 0 });
    }
    Err(io::Error::new(ErrorKind::AlreadyExists, "every name for a new session is taken"))
}

#[cfg(test)]
mod tests;
