//! A model whose layers are spread over the RPC servers of other machines.
//!
//! llama.cpp ends the process that loses such a server. So a child process loads the model and serves it on this
//! machine's loopback address, behind a key of its own, and is asked as any other server is. When it ends, the
//! request fails with one line; the next one starts it again.

mod greeting;

use std::collections::HashSet;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command as Program;
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::backend::{Backend, RequestOutcome, Sink};
use super::protocol::{
    CancelFlag, Command, EngineError, Event, FinishReason, LoadOptions, ModelInfo, Threads, Timing,
};
use super::remote::Remote;
use crate::child::{Companion, HELLO, loading_fault};
use crate::model::{About, ApiKey, Patience, RpcServer, ServerAccess, ServerAddress};
use greeting::greeted;

/// The hidden subcommand.
pub const SUBCOMMAND: &str = "__rpc-engine";
/// Between two looks at whether the person still waits.
const PULSE: Duration = Duration::from_millis(50);
/// How long the system may take to tell that a child has ended whose connection has closed.
const END: Duration = Duration::from_millis(500);
/// How long the child may be silent: it computes, or has ended, which is seen.
const SILENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// What the child is to load and whom it lets in, in one line of its standard input.
#[derive(Deserialize, Serialize)]
pub struct RpcOrder {
    /// The model's file.
    pub path: PathBuf,
    /// The name people know it by.
    pub name: String,
    /// Longest sequence.
    pub context: Option<u32>,
    /// Threads for what is computed here.
    pub threads: Option<u32>,
    /// Repeatable arithmetic.
    pub exact: bool,
    /// Who computes the layers.
    pub servers: Vec<RpcServer>,
    /// Opens the child's server.
    pub key: String,
}

/// What the child says, a line each.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RpcNews {
    /// Share of the model loaded.
    Loaded(f32),
    /// It answers here.
    Listening(SocketAddr),
    /// It can't, for this reason.
    Failed(String),
}

/// Sees whether every server can be used, and is another than the rest under whatever name.
///
/// # Errors
/// One line about the first that can't.
pub fn greet(servers: &[RpcServer], cancel: &CancelFlag) -> Result<(), EngineError> {
    let answers = greeted(servers, cancel).ok_or(EngineError::LoadCancelled)?;
    let mut known = HashSet::new();
    for (server, answer) in servers.iter().zip(answers) {
        if !known.insert(answer.map_err(EngineError::Server)?) {
            return Err(EngineError::Server(server.twice()));
        }
    }
    Ok(())
}

/// A model over RPC.
pub(super) struct OverRpc {
    info: Arc<ModelInfo>,
    options: LoadOptions,
    running: Option<RpcChild>,
}

/// The child and the way to ask it.
struct RpcChild {
    remote: Remote,
    process: Companion,
}

impl OverRpc {
    /// Has a child load the model.
    ///
    /// # Errors
    /// Why it can't be had.
    pub fn open(options: &LoadOptions, sink: Sink) -> Result<OverRpc, EngineError> {
        let running = RpcChild::start(options, &options.cancel, sink)?;
        let info = described(running.remote.info(), options);
        Ok(OverRpc { info: Arc::new(info), options: options.clone(), running: Some(running) })
    }

    fn ask(&mut self, command: &Command, sink: Sink) -> RequestOutcome {
        if self.running.as_mut().is_some_and(|child| child.process.ends(Duration::ZERO)) {
            self.running = None;
        }
        let child = match self.running.take() {
            Some(child) => child,
            None => {
                let cancel = command.clone().cancel().clone();
                match RpcChild::start(&self.options, &cancel, &|_| {}) {
                    Err(EngineError::LoadCancelled) => {
                        return Ok((FinishReason::Cancelled, Timing::default()));
                    }
                    child => child?,
                }
            }
        };
        let child = self.running.insert(child);
        let outcome = child.remote.run(command, sink);
        let Err(EngineError::Server(line)) = outcome else { return outcome };
        if child.process.ends(END) {
            let died = child.process.death();
            self.running = None;
            return Err(lost(&self.options.rpc, &died, command.clone().cancel()));
        }
        let line = line.split_once(": ").map_or(line.as_str(), |(_, line)| line).to_string();
        if child.remote.is_stuck() {
            self.running = None;
            return Err(EngineError::Server(format!("--rpc: {line}; {AGAIN}")));
        }
        Err(EngineError::Server(format!("--rpc: {line}")))
    }
}

const AGAIN: &str = "the next request starts the engine again";

/// What a child died of: of a server that is gone, as far as anybody can see.
fn lost(servers: &[RpcServer], died: &str, cancel: &CancelFlag) -> EngineError {
    let answers = greeted(servers, cancel).unwrap_or_default();
    let gone: Vec<String> = answers.into_iter().filter_map(Result::err).collect();
    EngineError::Server(match gone.is_empty() {
        true => format!("the engine of --rpc ended ({died}): {AGAIN}"),
        false => format!("lost {}: {AGAIN}, once all servers are there", gone.join(", and ")),
    })
}

impl Backend for OverRpc {
    fn info(&self) -> &Arc<ModelInfo> {
        &self.info
    }

    fn run(&mut self, command: &Command, sink: Sink) -> RequestOutcome {
        match command {
            // A child keeps what it likes.
            Command::Forget(_) => Ok((FinishReason::Stop, Timing::default())),
            command => self.ask(command, sink),
        }
    }
}

impl RpcChild {
    fn start(options: &LoadOptions, cancel: &CancelFlag, sink: Sink) -> Result<RpcChild, EngineError> {
        greet(&options.rpc, cancel)?;
        let failed = |reason: String| EngineError::Load { path: options.path.display().to_string(), reason };
        let not_started = |error: &dyn Display| failed(format!("its process could not be started ({error})"));
        let key = secret().map_err(|error| not_started(&error))?;
        let order = RpcOrder {
            path: options.path.clone(),
            name: options.name.clone(),
            context: options.context,
            threads: match options.threads {
                Threads::Auto => None,
                Threads::Fixed(n) => Some(n),
            },
            exact: options.exact,
            servers: options.rpc.clone(),
            key: key.clone(),
        };
        let order = serde_json::to_string(&order).map_err(|error| not_started(&error))?;
        let program = std::env::current_exe().map_err(|error| not_started(&error))?;
        let mut process = Companion::start(Program::new(program).arg(SUBCOMMAND), &order)
            .map_err(|error| not_started(&error))?;
        let address = address(&mut process, options, cancel, sink)?;
        let access = ServerAccess {
            address: ServerAddress::parse(&format!("http://{address}"))
                .map_err(|error| failed(error.to_string()))?,
            key: ApiKey::new(&key).ok(),
            authorities: None,
        };
        let patience = Patience { answer: SILENCE, idle: SILENCE, ..Patience::default() };
        let options =
            LoadOptions { server: Some(access.clone()), patience, cancel: cancel.clone(), ..options.clone() };
        let remote = Remote::open_once(&access, &options)?;
        Ok(RpcChild { remote, process })
    }
}

/// Waits until the child listens.
fn address(
    process: &mut Companion,
    options: &LoadOptions,
    cancel: &CancelFlag,
    sink: Sink,
) -> Result<SocketAddr, EngineError> {
    let failed = |reason: String| EngineError::Load { path: options.path.display().to_string(), reason };
    let mut greeted = false;
    loop {
        let line = match process.line(PULSE) {
            _ if cancel.is_cancelled() => return Err(EngineError::LoadCancelled),
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => {
                process.ends(END);
                return Err(lost(&options.rpc, &process.death(), cancel));
            }
        };
        // What ggml prints, and what other programs say that know no such subcommand, is nothing of ours.
        if line == HELLO {
            greeted = true;
        }
        match serde_json::from_str(&line) {
            _ if !greeted => {}
            Ok(RpcNews::Loaded(share)) => sink(Event::LoadProgress(share)),
            Ok(RpcNews::Listening(address)) => return Ok(address),
            Ok(RpcNews::Failed(reason)) => {
                process.ends(END);
                return Err(failed(loading_fault(&process.log()).unwrap_or(reason)));
            }
            Err(_) => {}
        }
    }
}

/// The model as the person knows it: what computes it is nobody's concern but for what it can't.
fn described(served: &ModelInfo, options: &LoadOptions) -> ModelInfo {
    let About { quantization, .. } = options.about.as_ref();
    ModelInfo {
        name: options.name.clone(),
        path: options.path.clone(),
        quantization: quantization.clone().unwrap_or_else(|| served.quantization.clone()),
        about: Arc::clone(&options.about),
        ..served.clone()
    }
}

/// A key that nobody can guess.
fn secret() -> io::Result<String> {
    let mut random = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}
