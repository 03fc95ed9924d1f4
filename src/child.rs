//! Work that may end the process it runs in, given to a child process of our own executable.
//!
//! llama.cpp ends the process where an input is damaged or hostile; what such an input does to a child is
//! a report. The child says [`HELLO`] first, so that an executable that does not know the subcommand (a
//! test runner, another program that uses this library) is told from one that died.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::aside;
use crate::fatal::NAME;
use crate::token::printable;

/// The child's first line.
pub const HELLO: &str = "tokenscope works aside";
/// How much of what a child writes is kept.
const KEPT: u64 = 4 << 20;

/// What a child did.
#[derive(Debug)]
pub struct ChildReport {
    /// What it wrote to standard output.
    pub said: String,
    /// What it wrote to standard error.
    pub log: String,
    /// How it ended; `None` if it did not within the time it was given.
    pub status: Option<ExitStatus>,
}

/// Why there is no report.
#[derive(Debug)]
pub enum ChildTrouble<E> {
    /// The child could not be started.
    Start(std::io::Error),
    /// Whoever waited did not want to any longer.
    Stopped(E),
}

/// How a child is waited for.
pub struct Wait<'a, E> {
    /// Time between two looks.
    pub pulse: Duration,
    /// The longest it may take.
    pub patience: Duration,
    /// Called between two looks; an error ends the child.
    pub look: &'a mut dyn FnMut() -> Result<(), E>,
}

/// Runs a child, hands it its input and waits for its end.
///
/// # Errors
/// [`ChildTrouble`].
pub fn run<E>(command: &mut Command, input: Vec<u8>, wait: Wait<E>) -> Result<ChildReport, ChildTrouble<E>> {
    let child = tied(command)
        // ggml would start a debugger to print a backtrace.
        .env("GGML_NO_BACKTRACE", "1")
        .stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = WatchedChild(child.map_err(ChildTrouble::Start)?);
    if let Some(mut pipe) = child.0.stdin.take() {
        // A child that reads nothing is judged by what it says.
        std::thread::spawn(move || aside::guarded(|| pipe.write_all(&input)));
    }
    let said = read_aside(child.0.stdout.take());
    let log = read_aside(child.0.stderr.take());
    let begun = Instant::now();
    let status = loop {
        match child.0.try_wait() {
            Ok(Some(status)) => break Some(status),
            Ok(None) if begun.elapsed() < wait.patience => {
                (wait.look)().map_err(ChildTrouble::Stopped)?;
                std::thread::sleep(wait.pulse);
            }
            Ok(None) | Err(_) => break None,
        }
    };
    drop(child);
    let said = said.join().unwrap_or_default();
    let log = log.join().unwrap_or_default();
    Ok(ChildReport { said, log, status })
}

impl ChildReport {
    /// What an executable of ours said after its greeting; `None` from any other.
    pub fn answer(&self) -> Option<&str> {
        self.said.strip_prefix(HELLO)?.strip_prefix('\n')
    }
}

/// What llama.cpp's log says of a model that it does not load, which is more than its return code.
pub fn loading_fault(log: &str) -> Option<String> {
    let error = log.lines().rev().find_map(|line| line.split_once("error loading model: "));
    error.map(|(_, error)| printable(error.trim()))
}

/// Why a child died: one line for people. `None` is a child that did not end.
pub fn death(log: &str, status: Option<ExitStatus>) -> String {
    use std::os::unix::process::ExitStatusExt;
    let Some(status) = status else { return "it did not come to an end".to_owned() };
    let line =
        log.lines().rev().find(|line| line.contains("GGML_ASSERT") || line.contains("terminate called"));
    let ours = log.lines().find_map(|line| line.strip_prefix(NAME));
    if let (None, Some(fault)) = (line, ours) {
        return printable(fault.trim());
    }
    match (line, status.signal()) {
        (Some(line), _) => {
            // Without the path of llama.cpp's source file.
            let from = line.find("GGML_ASSERT").unwrap_or(0);
            printable(line[from..].trim())
        }
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}

/// Names, to a child, the process whose end it must not outlive.
const PARENT: &str = "TOKENSCOPE_PARENT";
/// Time between two looks at whether the parent lives.
const PULSE: Duration = Duration::from_millis(200);

/// Has the child end with this process, even where that is killed: at once on Linux, and elsewhere where
/// the child calls [`end_with_parent`]. The thread that starts the child must live as long as the child.
fn tied(command: &mut Command) -> &mut Command {
    #[cfg(target_os = "linux")]
    {
        let parent = std::process::id();
        let tie = move || {
            // SAFETY: both calls only make system calls and may be made between fork and exec.
            let orphaned = unsafe {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                libc::getppid() as u32 != parent
            };
            // The parent may have died before it was asked for.
            if orphaned { Err(std::io::Error::from(std::io::ErrorKind::BrokenPipe)) } else { Ok(()) }
        };
        // SAFETY: the closure allocates nothing and takes no lock.
        unsafe { command.pre_exec(tie) };
    }
    command.env(PARENT, std::process::id().to_string())
}

/// The child's side: ends this process when its parent has ended, on systems that don't do it.
pub fn end_with_parent() {
    let parent = std::env::var(PARENT).ok().and_then(|id| id.parse::<i32>().ok());
    let Some(parent) = parent else { return };
    std::thread::spawn(move || {
        // SAFETY: reads a number.
        while unsafe { libc::getppid() } == parent {
            std::thread::sleep(PULSE);
        }
        // SAFETY: ends the process; nobody waits for what it does.
        unsafe { libc::_exit(1) };
    });
}

/// A child that does not outlive its watcher.
struct WatchedChild(Child);

impl Drop for WatchedChild {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A child that stays: it is told what to do in one line, answers in lines, and ends with its standard input. Keys
/// that are pressed in this terminal don't reach it.
pub struct Companion {
    child: WatchedChild,
    /// Closed with the rest.
    _input: ChildStdin,
    lines: Receiver<String>,
    log: Arc<Mutex<Vec<u8>>>,
}

impl Companion {
    /// Starts one.
    ///
    /// # Errors
    /// Why it could not be started, or told.
    pub fn start(command: &mut Command, order: &str) -> io::Result<Companion> {
        let child = tied(command)
            .env("GGML_NO_BACKTRACE", "1")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut child = WatchedChild(child);
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        let mut input = child.0.stdin.take().ok_or_else(gone)?;
        let (output, errors) =
            (child.0.stdout.take().ok_or_else(gone)?, child.0.stderr.take().ok_or_else(gone)?);
        let (sender, lines) = channel();
        let told = move || {
            let whole = BufReader::new(output).lines().map_while(Result::ok);
            whole.take_while(|line| sender.send(line.clone()).is_ok()).for_each(drop);
        };
        std::thread::spawn(|| aside::guarded(told));
        let log: Arc<Mutex<Vec<u8>>> = Arc::default();
        let kept = Arc::clone(&log);
        std::thread::spawn(|| aside::guarded(move || keep_end(errors, &kept)));
        // A child that ends before it has read is asked for its reason later.
        let _ = writeln!(input, "{order}").and_then(|()| input.flush());
        Ok(Companion { child, _input: input, lines, log })
    }

    /// Its next line.
    ///
    /// # Errors
    /// Where it says none in that time, or no more.
    pub fn line(&self, patience: Duration) -> Result<String, RecvTimeoutError> {
        self.lines.recv_timeout(patience)
    }

    /// Whether it ends within this time.
    pub fn ends(&mut self, patience: Duration) -> bool {
        let begun = Instant::now();
        loop {
            match self.child.0.try_wait() {
                Ok(None) if begun.elapsed() < patience => std::thread::sleep(Duration::from_millis(5)),
                Ok(None) => return false,
                Ok(Some(_)) | Err(_) => return true,
            }
        }
    }

    /// Why one died that has ended, in one line.
    pub fn death(&mut self) -> String {
        let status = self.child.0.try_wait().ok().flatten();
        death(&self.log(), status)
    }

    /// The end of what it wrote to standard error.
    pub fn log(&self) -> String {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&log).into_owned()
    }
}

/// Reads a pipe to its end and keeps the end of what it brings.
fn keep_end(mut pipe: impl Read, kept: &Mutex<Vec<u8>>) {
    const END: usize = 64 << 10;
    let mut part = [0; 4096];
    while let Ok(read @ 1..) = pipe.read(&mut part) {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(&part[..read]);
        let surplus = kept.len().saturating_sub(END);
        kept.drain(..surplus);
    }
}

/// Reads a pipe on a thread of its own, so that a full pipe stops nobody.
fn read_aside(pipe: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    let read = move || {
        let mut kept = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.by_ref().take(KEPT).read_to_end(&mut kept);
            let _ = std::io::copy(&mut pipe, &mut std::io::sink());
        }
        String::from_utf8_lossy(&kept).into_owned()
    };
    std::thread::spawn(|| aside::guarded(read).unwrap_or_else(|reason| aside::bug(&reason)))
}
