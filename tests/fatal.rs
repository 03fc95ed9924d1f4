//! Whatever ends the process: the terminal is as it was, one line says why, the exit code is the
//! documented one. The real binary in a real terminal.

#[path = "support/pty.rs"]
mod pty;

use std::path::PathBuf;

use pty::{Shell, TOKENSCOPE};
use tokenscope::model::{Library, Purpose, Silent};

/// Runs a crash inside this test binary, in a terminal of its own; set for the child only.
const CRASH: &str = "TOKENSCOPE_TEST_CRASH";

/// Runs a program that takes the terminal, ends it, and looks at what is left.
fn end(program: &str, ready: &str, end: impl FnOnce(&mut Shell), says: &str, code: i32) {
    let mut shell = Shell::start(100, 30);
    shell.run(&format!("{program}; code=$?; stty -a; echo LEFT=$code"));
    shell.pty.wait_for(ready);
    end(&mut shell);
    shell.pty.wait_for(says);
    shell.assert_terminal_is_ours(&format!("LEFT={code}"));
    assert_eq!(shell.pty.written().matches("tokenscope: ").count(), 1, "{}", shell.pty.written());
}

#[test]
fn signals_give_the_terminal_back() {
    for (signal, says, code) in [
        (libc::SIGTERM, "ended by SIGTERM", 143),
        (libc::SIGHUP, "ended by SIGHUP", 129),
        (libc::SIGINT, "ended by SIGINT", 130),
        (libc::SIGQUIT, "ended by SIGQUIT", 131),
        (libc::SIGABRT, "the engine ended the process", 3),
        (libc::SIGBUS, "was the model file cut or written over?", 3),
        (libc::SIGSEGV, "memory that is not there", 3),
        (libc::SIGILL, "this processor lacks an instruction", 3),
        (libc::SIGFPE, "divided by zero", 3),
    ] {
        end(TOKENSCOPE, "ctx 0/", |shell| shell.signal_tokenscope(signal), says, code);
    }
}

#[test]
fn signals_give_the_terminal_back_from_a_line_that_is_edited() {
    for (signal, says, code) in [
        (libc::SIGTERM, "ended by SIGTERM", 143),
        (libc::SIGHUP, "ended by SIGHUP", 129),
        (libc::SIGSEGV, "memory that is not there", 3),
    ] {
        let started = format!("{TOKENSCOPE} repl");
        end(&started, "Ctrl-D leaves", |shell| shell.signal_tokenscope(signal), says, code);
    }
}

#[test]
fn a_model_file_that_is_cut_during_a_reply_gives_the_terminal_back() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.gguf");
    let model: PathBuf =
        Library::open().unwrap().resolve("smollm2-135m", Purpose::Run, &Silent).unwrap().path;
    std::fs::copy(model, &copy).unwrap();
    let started = format!("{TOKENSCOPE} --seed 1 --weights as-is -m {}", copy.display());
    let cut = |shell: &mut Shell| {
        shell.pty.type_text("Tell me a long story about a lighthouse.\r");
        shell.pty.wait_until("some text", |screen| screen.contains("^C stop") && screen.contains("step "));
        std::fs::File::options().write(true).open(&copy).unwrap().set_len(1 << 20).unwrap();
    };
    end(&started, "ctx 0/", cut, "was the model file cut or written over?", 3);
}

#[test]
fn a_download_that_nobody_asked_for_is_asked_about_first() {
    for line in ["next a -m gemma-3-270m", "-m gemma-3-270m"] {
        let mut shell = Shell::start(100, 30);
        shell.run(&format!(
            "TOKENSCOPE_HOME=$PWD/home {TOKENSCOPE} {line}; code=$?; stty -a; echo LEFT=$code"
        ));
        shell.pty.wait_for("gemma-3-270m is not here yet:");
        shell.pty.wait_for("Go on? [Y/n]");
        shell.pty.type_text("n\r");
        shell.assert_terminal_is_ours("LEFT=130");
    }
}

#[test]
fn panics_failed_assertions_and_a_stack_that_overflows_give_the_terminal_back() {
    let test = std::env::current_exe().unwrap();
    for (crash, says, code) in [
        ("panic", "this is a bug", 101),
        ("panic-aside", "this is a bug", 101),
        ("assert", "llama.cpp gave up", 3),
        ("overflow", "ran out of stack", 3),
        ("overflow-aside", "ran out of stack", 3),
    ] {
        let child = "--exact crashes_in_a_child --nocapture --test-threads 1";
        let started = format!("{CRASH}={crash} {} {child}", test.display());
        end(&started, "running 1 test", |_| {}, says, code);
    }
}

/// Does nothing but in a child of the test above.
#[test]
fn crashes_in_a_child() {
    let Ok(crash) = std::env::var(CRASH) else { return };
    tokenscope::fatal::prepare();
    tokenscope::engine::llama::on_native_abort(tokenscope::fatal::native_abort);
    let _guard = tokenscope::fatal::terminal::Guard::take().unwrap();
    match crash.as_str() {
        "panic" => panic!("on purpose"),
        "panic-aside" => drop(std::thread::spawn(|| panic!("on purpose")).join()),
        "overflow" => assert!(deep(1) > 0),
        "overflow-aside" => drop(std::thread::spawn(|| deep(1)).join()),
        // SAFETY: ends the process through the callback that a failed assertion calls.
        _ => unsafe { llama_cpp_sys_2::ggml_abort(c"test.c".as_ptr(), 1, c"on purpose".as_ptr()) },
    }
}

#[expect(unconditional_recursion, reason = "that is what it is for")]
fn deep(n: u64) -> u64 {
    let frame = std::hint::black_box([n; 64]);
    deep(n + 1) + std::hint::black_box(frame[7])
}
