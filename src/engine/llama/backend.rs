//! The process-wide parts of llama.cpp: its start, its log, its way of dying.

use std::ffi::{CStr, c_char, c_void};
use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock};

use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_sys_2 as sys;

static BACKEND: OnceLock<Option<LlamaBackend>> = OnceLock::new();
static LOG: Mutex<Option<File>> = Mutex::new(None);
/// Whether the message before was written: another may go on with it.
static LAST_KEPT: AtomicBool = AtomicBool::new(true);
static ON_ABORT: OnceLock<fn(&str)> = OnceLock::new();

/// The one backend of the process, started on first use; `None` if it did not start.
pub(super) fn backend() -> Option<&'static LlamaBackend> {
    BACKEND
        .get_or_init(|| {
            // SAFETY: `write_log` is a plain function that is valid for the whole process and uses no
            // user data.
            unsafe { sys::llama_log_set(Some(write_log), std::ptr::null_mut()) };
            LlamaBackend::init().ok()
        })
        .as_ref()
}

/// Sends llama.cpp's log to a file. Without one it goes nowhere; it never reaches the terminal.
pub fn send_log_to(file: File) {
    if let Ok(mut log) = LOG.lock() {
        *log = Some(file);
    }
}

unsafe extern "C" fn write_log(level: sys::ggml_log_level, text: *const c_char, _: *mut c_void) {
    let kept = match level {
        // Three thousand lines about tensors while a small model is loaded, each written by itself.
        sys::GGML_LOG_LEVEL_DEBUG => false,
        sys::GGML_LOG_LEVEL_CONT => LAST_KEPT.load(Ordering::Relaxed),
        _ => true,
    };
    LAST_KEPT.store(kept, Ordering::Relaxed);
    if text.is_null() || !kept {
        return;
    }
    // SAFETY: llama.cpp passes a NUL-terminated string that lives for the call.
    let text = unsafe { CStr::from_ptr(text) };
    if let Ok(mut log) = LOG.lock()
        && let Some(file) = log.as_mut()
    {
        let _ = file.write_all(text.to_bytes());
    }
}

/// Has `handle` called, on the failing thread, when one of llama.cpp's assertions fails. The process
/// can't go on: the handler restores the terminal, says one line and exits.
pub fn on_native_abort(handle: fn(&str)) {
    if ON_ABORT.set(handle).is_ok() {
        // SAFETY: `report_abort` is valid for the whole process.
        unsafe { sys::ggml_set_abort_callback(Some(report_abort)) };
    }
}

unsafe extern "C" fn report_abort(message: *const c_char) {
    let text = if message.is_null() {
        String::new()
    } else {
        // SAFETY: ggml passes a NUL-terminated string that lives for the call.
        unsafe { CStr::from_ptr(message) }.to_string_lossy().into_owned()
    };
    if let Some(handle) = ON_ABORT.get() {
        handle(text.trim());
    }
}
