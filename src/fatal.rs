//! Ways to die that leave the terminal as it was and one line that says why.
//!
//! llama.cpp ends the process where one of its assertions fails, an uncaught C++ exception does the
//! same, a model file that is cut while it is in use is a SIGBUS, and a panic is a bug of ours. What runs
//! here may run in a signal handler, on any thread, beside threads that compute: it writes, sets the
//! terminal and ends the process, without destructors.

pub mod terminal;

use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use libc::{SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGQUIT, SIGSEGV, c_int, c_void, siginfo_t};

use crate::token::printable;
use terminal::{is_taken, restore_now};

/// Exit code of a model or engine failure.
const ENGINE_FAILED: i32 = 3;
/// Exit code of a panic.
const BUG: i32 = 101;
/// What every line begins with.
pub const NAME: &str = "tokenscope: ";

/// The stack ran out, which the system reports as a bad address.
const NO_STACK: &str = "tokenscope: a thread ran out of stack; this is a bug, please report it\n";
/// A fault and what it most likely means.
const FAULTS: [(c_int, &str); 5] = [
    (SIGABRT, "tokenscope: the engine ended the process (abort); its log says more\n"),
    (
        SIGBUS,
        "tokenscope: a file in use can't be read any more (SIGBUS): was the model file cut or written over?\n",
    ),
    (
        SIGSEGV,
        "tokenscope: the engine used memory that is not there (SIGSEGV); the model file may be damaged\n",
    ),
    (SIGILL, "tokenscope: this processor lacks an instruction (SIGILL); build tokenscope on this machine\n"),
    (SIGFPE, "tokenscope: the engine divided by zero (SIGFPE); the model file may be damaged\n"),
];

/// The thread that ends the process.
static ENDING: AtomicUsize = AtomicUsize::new(0);
/// The RPC servers that compute for this process.
static SERVERS: OnceLock<String> = OnceLock::new();

/// Prepares for all of them. Call once, first.
pub fn prepare() {
    prepare_child();
    on(SIGQUIT);
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        // Whoever waits for the work tells of it, and the screen lives on.
        if crate::aside::is_guarded() {
            return;
        }
        alone();
        // Nobody draws from now on.
        let _quiet = is_taken().then(|| std::io::stdout().lock());
        restore_now();
        let _ = writeln!(std::io::stderr(), "{NAME}this is a bug, please report it:");
        report(info);
        exit_now(BUG)
    }));
}

/// Has the end of the process name these RPC servers where llama.cpp ends it because it has lost one.
pub fn computes_with(servers: String) {
    // They stay the same until the end.
    let _ = SERVERS.set(servers);
}

/// Ends the process because an assertion of llama.cpp has failed; its thread can't go on.
pub fn native_abort(message: &str) {
    alone();
    restore_now();
    let _ = writeln!(std::io::stderr(), "{NAME}{}", given_up(message, SERVERS.get().map(String::as_str)));
    exit_now(ENGINE_FAILED)
}

/// What an assertion means that has failed while these servers computed.
fn given_up(message: &str, servers: Option<&str>) -> String {
    match servers {
        Some(servers) if message.contains("ggml-rpc") => format!("lost an RPC server ({servers})"),
        _ => format!(
            "llama.cpp gave up: {}; the model file may be damaged or its kind unsupported",
            printable(message).replace('\n', " ")
        ),
    }
}

/// Prepares a child process, whose faults are a report to its parent.
pub fn prepare_child() {
    for (signal, _) in FAULTS {
        on(signal);
    }
}

/// Ends the process at once. For work that was interrupted: a thread of it may still be inside a library,
/// whose destructors must not run under it.
pub fn leave(code: u8) -> ! {
    let _ = std::io::stdout().flush();
    exit_now(code.into())
}

/// Gives the terminal back and ends the process as a signal ends it. May be called in a handler.
pub fn end_by(signal: c_int) -> ! {
    alone();
    restore_now();
    say_ended_by(signal);
    exit_now(128 + signal)
}

/// Says so, in one line.
pub fn say_ended_by(signal: c_int) {
    say(match signal {
        libc::SIGINT => "tokenscope: ended by SIGINT\n",
        libc::SIGTERM => "tokenscope: ended by SIGTERM\n",
        libc::SIGHUP => "tokenscope: ended by SIGHUP\n",
        libc::SIGQUIT => "tokenscope: ended by SIGQUIT\n",
        _ => "tokenscope: ended by a signal\n",
    });
}

fn exit_now(code: i32) -> ! {
    // SAFETY: ends the process at once.
    unsafe { libc::_exit(code) }
}

fn say(line: &str) {
    // SAFETY: writes from a valid buffer; a failed write leaves nothing to do.
    unsafe { libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), line.len()) };
}

/// Several threads fault where a file is cut under them: the first ends the process, the others wait for
/// that, so that the terminal is given back whole.
fn alone() {
    // SAFETY: a number that names this thread.
    let me = unsafe { libc::pthread_self() } as usize;
    let first = ENDING.compare_exchange(0, me, Ordering::SeqCst, Ordering::SeqCst);
    while first.is_err_and(|ending| ending != me) {
        // SAFETY: waits.
        unsafe { libc::pause() };
    }
}

/// Installs the handler, on the alternate stack that Rust gives every thread; it stays as it is where the
/// signal is ignored.
fn on(signal: c_int) {
    // SAFETY: the structures are complete; the handler only calls what may be called in one.
    unsafe {
        let mut before: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &raw mut before);
        if before.sa_sigaction == libc::SIG_IGN {
            return;
        }
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handle as *const () as libc::sighandler_t;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        libc::sigfillset(&raw mut action.sa_mask);
        libc::sigaction(signal, &raw const action, std::ptr::null_mut());
    }
}

extern "C" fn handle(signal: c_int, about: *mut siginfo_t, context: *mut c_void) {
    if signal == SIGQUIT {
        end_by(signal);
    }
    alone();
    restore_now();
    let known = FAULTS.iter().find(|(fault, _)| *fault == signal);
    // SAFETY: the system hands both to a handler with SA_SIGINFO.
    let overflow = matches!(signal, SIGSEGV | SIGBUS) && unsafe { near_the_stack(about, context) };
    say(if overflow { NO_STACK } else { known.map_or("", |(_, line)| line) });
    exit_now(ENGINE_FAILED)
}

/// Whether the address that faulted is where the stack would have grown to.
///
/// # Safety
/// Both pointers come from the system.
unsafe fn near_the_stack(about: *const siginfo_t, context: *const c_void) -> bool {
    /// Frames of C++ may be larger than a page.
    const BELOW: usize = 1 << 20;
    const ABOVE: usize = 1 << 16;
    // SAFETY: as the caller says.
    let (address, pointer) = unsafe { ((*about).si_addr() as usize, stack_pointer(context)) };
    pointer.is_some_and(|at| address > at.saturating_sub(BELOW) && address < at.saturating_add(ABOVE))
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
unsafe fn stack_pointer(context: *const c_void) -> Option<usize> {
    // SAFETY: the system hands a `ucontext_t` to the handler.
    unsafe { Some((*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs[libc::REG_RSP as usize] as usize) }
}

#[cfg(all(target_os = "linux", target_arch = "aarch64"))]
unsafe fn stack_pointer(context: *const c_void) -> Option<usize> {
    // SAFETY: the system hands a `ucontext_t` to the handler.
    unsafe { Some((*context.cast::<libc::ucontext_t>()).uc_mcontext.sp as usize) }
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
unsafe fn stack_pointer(_: *const c_void) -> Option<usize> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_server_is_no_damaged_file() {
        let message =
            "/build/ggml-rpc/ggml-rpc.cpp:566: Remote RPC server crashed or returned malformed response";
        assert_eq!(given_up(message, Some("a:1, b:2")), "lost an RPC server (a:1, b:2)");
        let other = given_up("ggml.c:1: GGML_ASSERT(x) failed", Some("a:1"));
        assert!(other.contains("GGML_ASSERT(x)") && other.contains("may be damaged"), "{other}");
    }
}
