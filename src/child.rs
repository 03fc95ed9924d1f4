//! Work that may end the process it runs in, given to a child process of our own executable.
//!
//! The child says [`HELLO`] first, so that an executable that does not know the subcommand (a test
//! runner, another program that uses this library) is told from one that died.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::token::printable;

/// The child's first line.
pub const HELLO: &str = "tokenscope works aside";
/// How much of what a child writes is kept.
const KEPT: u64 = 4 << 20;

/// What a child did.
#[derive(Debug)]
pub struct Report {
    /// Whether it is an executable of ours.
    pub ours: bool,
    /// What it wrote to standard output, after its greeting.
    pub said: String,
    /// What it wrote to standard error.
    pub log: String,
    /// How it ended; `None` if it did not within the time it was given.
    pub status: Option<ExitStatus>,
}

/// Why there is no report.
#[derive(Debug)]
pub enum Trouble {
    /// The child could not be started.
    Start(std::io::Error),
    /// The person does not want to wait.
    Interrupted,
}

/// Runs a child, hands it its input and waits for its end.
///
/// # Errors
/// [`Trouble`].
pub fn run(
    command: &mut Command,
    input: Vec<u8>,
    patience: Duration,
    interrupted: &dyn Fn() -> bool,
) -> Result<Report, Trouble> {
    let child = command
        // ggml would start a debugger to print a backtrace.
        .env("GGML_NO_BACKTRACE", "1")
        .stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = Watched(child.map_err(Trouble::Start)?);
    if let Some(mut pipe) = child.0.stdin.take() {
        // A child that reads nothing is judged by what it says.
        std::thread::spawn(move || pipe.write_all(&input));
    }
    let said = read_aside(child.0.stdout.take());
    let log = read_aside(child.0.stderr.take());
    let deadline = Instant::now() + patience;
    let status = loop {
        match child.0.try_wait() {
            Ok(Some(status)) => break Some(status),
            Ok(None) if interrupted() => return Err(Trouble::Interrupted),
            Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(2)),
            Ok(None) | Err(_) => break None,
        }
    };
    drop(child);
    let said = said.join().unwrap_or_default();
    let log = log.join().unwrap_or_default();
    let rest = said.strip_prefix(HELLO).and_then(|rest| rest.strip_prefix('\n'));
    Ok(Report { ours: rest.is_some(), said: rest.unwrap_or_default().to_string(), log, status })
}

impl Report {
    /// Why the child died: one line for people.
    pub fn death(&self) -> String {
        use std::os::unix::process::ExitStatusExt;
        let Some(status) = self.status else { return "it did not come to an end".to_string() };
        let telling = |line: &&str| line.contains("GGML_ASSERT") || line.contains("terminate called");
        match (self.log.lines().rev().find(telling), status.signal()) {
            (Some(line), _) => {
                // Without the path of llama.cpp's source file.
                let from = line.find("GGML_ASSERT").unwrap_or(0);
                printable(line[from..].trim())
            }
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => status.to_string(),
        }
    }
}

/// The executable that knows the subcommands: our own.
pub fn executable() -> Option<std::path::PathBuf> {
    std::env::current_exe().ok().filter(|path| Path::exists(path))
}

/// A child that does not outlive its watcher.
struct Watched(Child);

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Reads a pipe on a thread of its own, so that a full pipe stops nobody.
fn read_aside(pipe: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.by_ref().take(KEPT).read_to_end(&mut kept);
            let _ = std::io::copy(&mut pipe, &mut std::io::sink());
        }
        String::from_utf8_lossy(&kept).into_owned()
    })
}
