//! The model behind HTTP, in the forms that OpenAI's, vLLM's and llama-server's clients speak.
//!
//! Everything asynchronous stays in this folder: [`listen`] owns sockets and time-outs, [`route`] says which
//! path is answered by whom, a handler reads its fields and writes records, and [`work`] is the one place
//! that asks the engine. No figure is computed here, and no text that a client sends is written anywhere.

mod answer;
mod body;
mod chat;
mod completions;
mod error;
mod fields;
mod generation;
mod guard;
mod keys;
mod listen;
mod metrics;
mod options;
mod page;
mod prompt;
mod records;
mod reply;
mod route;
mod sampling;
mod score;
mod scoring;
mod server;
mod shared;
mod stream;
mod tokens;
mod wanted;
mod work;
mod writing;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::chat::ChatTemplate;
use crate::engine::CancelFlag;
pub use keys::{ApiKeys, KeysError};
pub use options::{ServeError, ServeOptions, Served};
use server::Server;

/// Stack of the threads that render templates and read nested values.
const STACK: usize = 16 << 20;

/// Answers requests until the flag is raised; `ready` is told the address.
///
/// # Errors
/// [`ServeError`], before the first request.
pub fn run(
    served: Served,
    options: ServeOptions,
    interrupted: &Arc<AtomicBool>,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), ServeError> {
    options.check()?;
    let template = Arc::new(ChatTemplate::of_model(&served.model, None)?);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().thread_stack_size(STACK).build()?;
    let address = SocketAddr::new(options.host, options.port);
    let server = Arc::new(Server::start(served, template, options)?);
    let (metrics, stop) = (Arc::clone(&server.metrics), server.stop.clone());
    runtime
        .block_on(async {
            let wrong = |source| ServeError::Address { address, source };
            let listener = listen::bind(address).map_err(wrong)?;
            ready(listener.local_addr()?);
            let router = route::router(server);
            listen::listen(listener, router, CancelFlag::from(Arc::clone(interrupted)), &metrics).await;
            Ok(())
        })
        .inspect(|()| stop.cancel())
        .inspect_err(|_: &ServeError| stop.cancel())?;
    // Who still waits for a template or a reply is left behind.
    runtime.shutdown_background();
    Ok(())
}
