//! Ways to die that leave the terminal as it was and one line that says why.
//!
//! llama.cpp ends the process where one of its assertions fails, an uncaught C++ exception does the
//! same, and a panic on the main thread is a bug of ours.

use std::io::Write;
use std::process::exit;

use crate::engine::ENGINE_THREAD;
use crate::engine::llama::on_native_abort;
use crate::tokenizer::TOKENIZERS_THREAD;
use crate::tui::terminal::restore_now;

/// Exit code of a model or engine failure.
const ENGINE_FAILED: i32 = 3;

/// Prepares for all of them. Call once, first.
pub fn prepare() {
    on_native_abort(|message| {
        restore_now();
        eprintln!(
            "tokenscope: llama.cpp gave up: {}; the model file may be damaged or its kind unsupported",
            crate::token::printable(message).replace('\n', " ")
        );
        // Destructors of a library that has just failed could fail again.
        // SAFETY: ends the process at once.
        unsafe { libc::_exit(ENGINE_FAILED) };
    });
    on_sigabrt();
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        // A panic of the engine is reported as an event and the screen lives on; one of the `tokenizers`
        // crate is reported as what is wrong with the file it was given.
        let here = std::thread::current();
        if !matches!(here.name(), Some(ENGINE_THREAD | TOKENIZERS_THREAD)) {
            restore_now();
            eprintln!("tokenscope: this is a bug, please report it:");
            report(info);
            exit(101);
        }
    }));
}

/// Ends the process at once. For work that was interrupted: a thread of it may still be inside a library,
/// whose destructors must not run under it.
pub fn leave(code: u8) -> ! {
    let _ = std::io::stdout().flush();
    // SAFETY: ends the process at once.
    unsafe { libc::_exit(code.into()) }
}

fn on_sigabrt() {
    extern "C" fn handle(_: libc::c_int) {
        restore_now();
        let line = b"tokenscope: the engine ended the process (abort); its log says more\n";
        // SAFETY: `write` and `_exit` are async-signal-safe.
        unsafe {
            libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), line.len());
            libc::_exit(ENGINE_FAILED);
        }
    }
    // SAFETY: the handler calls async-signal-safe functions only.
    unsafe { libc::signal(libc::SIGABRT, handle as *const () as libc::sighandler_t) };
}
