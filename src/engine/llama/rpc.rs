//! llama.cpp's RPC: layers of a model computed by other machines, or by this one for others.
//!
//! It has no keys and no encryption, and a server that is lost ends the process that uses it (ggml aborts): who
//! must not end has another process use it.

use std::ffi::{CStr, CString, c_char, c_void};

use llama_cpp_sys_2 as sys;
use thiserror::Error;

use super::backend::backend;
use crate::model::RpcServer;

type AddServer = unsafe extern "C" fn(*const c_char) -> sys::ggml_backend_reg_t;
type StartServer = unsafe extern "C" fn(
    endpoint: *const c_char,
    cache: *const c_char,
    threads: usize,
    devices: usize,
    first: *mut sys::ggml_backend_dev_t,
);

/// Why a server can't be used, or can't be one.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum RpcError {
    /// It computes nothing.
    #[error("the RPC server {0} has no device to compute on")]
    NoDevice(RpcServer),
    /// Its address is not to be had.
    #[error("{0}: the address is taken, or not this machine's; choose another --port or --host")]
    Address(RpcServer),
    /// llama.cpp was built without it.
    #[error("this build has no RPC: build it with GGML_RPC=ON in the environment")]
    NotBuilt,
}

/// Has the layers of every model that this process loads from now on computed by these servers, which were greeted.
///
/// # Errors
/// [`RpcError`].
pub fn use_servers(servers: &[RpcServer]) -> Result<(), RpcError> {
    for server in servers {
        let endpoint = c_string(server)?;
        // SAFETY: ggml-rpc.cpp gives a function of this type under this name.
        let add: AddServer = unsafe { std::mem::transmute(function(c"ggml_backend_rpc_add_server")?) };
        // SAFETY: a NUL-terminated string that lives for the call.
        let registry = unsafe { add(endpoint.as_ptr()) };
        if registry.is_null() {
            return Err(RpcError::NoDevice(server.clone()));
        }
        // SAFETY: the registry lives as long as the process.
        unsafe { sys::ggml_backend_register(registry) };
    }
    Ok(())
}

/// Computes for others with the cores of this machine, until the process ends.
///
/// # Errors
/// [`RpcError`]: it comes back only where it can't begin, or can take no more connections.
pub fn serve(address: &RpcServer, threads: usize) -> Result<(), RpcError> {
    let endpoint = c_string(address)?;
    // SAFETY: ggml-rpc.cpp gives a function of this type under this name.
    let start: StartServer = unsafe { std::mem::transmute(function(c"ggml_backend_rpc_start_server")?) };
    // SAFETY: a plain question.
    let mut device = unsafe { sys::ggml_backend_dev_by_type(sys::GGML_BACKEND_DEVICE_TYPE_CPU) };
    if device.is_null() {
        return Err(RpcError::NotBuilt);
    }
    // SAFETY: a NUL-terminated string and one device, which live for the call; no cache.
    unsafe { start(endpoint.as_ptr(), std::ptr::null(), threads, 1, &raw mut device) };
    Err(RpcError::Address(address.clone()))
}

fn c_string(server: &RpcServer) -> Result<CString, RpcError> {
    CString::new(server.as_str()).map_err(|_| RpcError::Address(server.clone()))
}

/// A function of ggml's RPC.
fn function(name: &CStr) -> Result<*mut c_void, RpcError> {
    backend();
    // SAFETY: NUL-terminated names; the registry is null where there is none.
    let registry = unsafe { sys::ggml_backend_reg_by_name(c"RPC".as_ptr()) };
    if registry.is_null() {
        return Err(RpcError::NotBuilt);
    }
    // SAFETY: as above.
    let found = unsafe { sys::ggml_backend_reg_get_proc_address(registry, name.as_ptr()) };
    if found.is_null() { Err(RpcError::NotBuilt) } else { Ok(found) }
}
