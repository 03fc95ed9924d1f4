//! Programs that wait for their input: the first Ctrl-C ends them, and so does SIGTERM.

use std::ffi::CString;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn tokenscope(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tokenscope"));
    command.env("TOKENSCOPE_NO_SAVE", "1");
    command.args(arguments).env("XDG_STATE_HOME", home).env("XDG_CONFIG_HOME", home);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

fn signal(child: &Child, signal: i32) {
    // SAFETY: a signal to a child of our own.
    assert_eq!(unsafe { libc::kill(child.id() as libc::pid_t, signal) }, 0);
}

/// The exit code of a process that is to end at once.
fn code(mut child: Child, what: &str) -> Option<i32> {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("it does not end: {what}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until the other end has read everything.
fn wait_until_read(pipe: &impl AsRawFd) {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let mut waiting: libc::c_int = 0;
        // SAFETY: the descriptor is open; the call writes one number.
        assert_eq!(unsafe { libc::ioctl(pipe.as_raw_fd(), libc::FIONREAD, &raw mut waiting) }, 0);
        if waiting == 0 {
            return;
        }
        assert!(Instant::now() < deadline, "nobody reads");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn fifo(path: &Path) {
    let name = CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: the path is NUL-terminated.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
}

#[test]
fn standard_input_that_does_not_end() {
    let home = tempfile::tempdir().unwrap();
    for arguments in [
        &["next", "-"][..],
        &["score", "-"],
        &["score"],
        &["generate", "-"],
        &["tokenize", "-"],
        &["score", "-f", "/dev/stdin"],
        &["repl"],
        &[],
    ] {
        for number in [libc::SIGINT, libc::SIGTERM] {
            let mut child = tokenscope(home.path(), arguments).stdin(Stdio::piped()).spawn().unwrap();
            let mut pipe = child.stdin.take().unwrap();
            pipe.write_all(b"a").unwrap();
            wait_until_read(&pipe);
            signal(&child, number);
            let what = format!("{arguments:?} on signal {number}");
            assert_eq!(code(child, &what), Some(130), "{what}");
        }
    }
}

#[test]
fn a_pipe_that_nobody_writes_to() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("fifo.toml");
    fifo(&path);
    let name = path.to_str().unwrap();
    for arguments in [
        &["next", "-f", name][..],
        &["score", "--items", name],
        &["tokenize", "--chat", name],
        &["generate", "a", "--grammar", name],
        &["generate", "a", "--json-schema", name],
        &["probe", "facts.en", "--baseline", name],
    ] {
        for number in [libc::SIGINT, libc::SIGTERM] {
            let child = tokenscope(home.path(), arguments).spawn().unwrap();
            // Returns when it is opened at the other end.
            let keep = File::options().write(true).open(&path).unwrap();
            signal(&child, number);
            let what = format!("{arguments:?} on signal {number}");
            assert_eq!(code(child, &what), Some(130), "{what}");
            drop(keep);
        }
    }
}

#[test]
fn a_pipe_is_no_suite() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("fifo.toml");
    fifo(&path);
    let name = path.to_str().unwrap();
    for arguments in
        [&["probe", name][..], &["probe", "--check", name], &["probe", "/dev/stdin"], &["probe", "-"]]
    {
        let mut child = tokenscope(home.path(), arguments).stdin(Stdio::piped()).spawn().unwrap();
        let keep = child.stdin.take();
        let mut errors = child.stderr.take().unwrap();
        assert_eq!(code(child, &format!("{arguments:?}")), Some(2), "{arguments:?}");
        let mut said = String::new();
        errors.read_to_string(&mut said).unwrap();
        assert!(said.lines().count() == 1 && said.contains("a suite is a .toml file"), "{said}");
        drop(keep);
    }
}

#[test]
fn a_pipe_that_somebody_writes_to_is_read() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("fifo");
    fifo(&path);
    let child = tokenscope(home.path(), &["tokenize", "-f", path.to_str().unwrap(), "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::fs::write(&path, "some text").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8(output.stdout).unwrap().contains("\"text\":\"some\""));
}

#[test]
fn settings_are_a_regular_file() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("tokenscope")).unwrap();
    fifo(&home.path().join("tokenscope/config.toml"));
    let output = tokenscope(home.path(), &["next", "a"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("config.toml: a pipe, no file") && said.lines().count() == 1, "{said}");
}
