//! Work that may end the process it runs in, given to a child process of our own executable.
//!
//! llama.cpp ends the process where an input is damaged or hostile; what such an input does to a child is
//! a report. The child says [`HELLO`] first, so that an executable that does not know the subcommand (a
//! test runner, another program that uses this library) is told from one that died.

use std::io::{Read, Write};
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
    /// What it wrote to standard output.
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
    Ok(Report { said, log, status })
}

impl Report {
    /// What an executable of ours said after its greeting; `None` from any other.
    pub fn answer(&self) -> Option<&str> {
        self.said.strip_prefix(HELLO)?.strip_prefix('\n')
    }
}

/// Why a child died: one line for people. `None` is a child that did not end.
pub fn death(log: &str, status: Option<ExitStatus>) -> String {
    use std::os::unix::process::ExitStatusExt;
    let Some(status) = status else { return "it did not come to an end".to_owned() };
    let line =
        log.lines().rev().find(|line| line.contains("GGML_ASSERT") || line.contains("terminate called"));
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

/// A child that does not outlive its watcher.
pub struct Watched(pub Child);

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Reads a pipe on a thread of its own, so that a full pipe stops nobody.
pub fn read_aside(pipe: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.by_ref().take(KEPT).read_to_end(&mut kept);
            let _ = std::io::copy(&mut pipe, &mut std::io::sink());
        }
        String::from_utf8_lossy(&kept).into_owned()
    })
}
