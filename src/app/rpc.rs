//! `tokenscope rpc-server`, the servers of `--rpc`, and the child process whose engine uses them.

use std::io::{self, BufRead, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use super::call::Call;
use super::failure::{ENGINE, Failure, OK};
use crate::child::{self, HELLO};
use crate::cli::RpcServerArgs;
use crate::engine::llama::rpc::{self, RpcError};
use crate::engine::llama::send_log_to;
use crate::engine::rpc::{RpcNews, RpcOrder, greet};
use crate::engine::{CancelFlag, Client, LoadOptions, Threads};
use crate::fatal;
use crate::interrupt;
use crate::model::RpcServer;
use crate::report::record::Origin;
use crate::sampling::Sampling;
use crate::say;
use crate::serve::{self, ApiKeys, ServeOptions, Served};
use crate::settings::{ConfigFile, Flags, SamplingFlags, Settings};

/// Replies that a conversation writes side by side at most.
const PARALLEL: usize = 4;
/// Loading over RPC that takes longer is told of.
const SLOW: Duration = Duration::from_secs(10);

impl From<RpcError> for Failure {
    fn from(error: RpcError) -> Failure {
        Failure { message: error.to_string(), code: ENGINE }
    }
}

/// Refuses RPC where the whole model has to be in this process.
pub(super) fn must_be_here(settings: &Settings, what: &str) -> Result<(), Failure> {
    match settings.rpc.is_empty() {
        true => Ok(()),
        false => Err(Failure::usage(format!(
            "{what} needs the whole model on this machine: leave out --rpc (and rpc in config.toml)"
        ))),
    }
}

/// Has layers computed by these servers from now on, by this process.
pub(super) fn use_servers(servers: &[RpcServer]) -> Result<(), Failure> {
    fatal::computes_with(named(servers));
    interrupt::waiting(|| {
        greet(servers, &CancelFlag::default())?;
        Ok(rpc::use_servers(servers)?)
    })
}

fn named(servers: &[RpcServer]) -> String {
    servers.iter().map(RpcServer::as_str).collect::<Vec<_>>().join(", ")
}

/// Says which servers are waited for, should it take long, until the sender is dropped.
pub(super) fn tell_when_slow(servers: &[RpcServer], quiet: bool) -> Sender<()> {
    let (done, ended) = channel();
    if !quiet && !servers.is_empty() {
        let names = named(servers);
        std::thread::spawn(move || {
            if ended.recv_timeout(SLOW) == Err(RecvTimeoutError::Timeout) {
                say::tell(&format!("waiting for {names} to take layers (Ctrl-C ends it)"));
            }
        });
    }
    done
}

/// Computes for others until it is ended.
pub(super) fn serve(call: &Call, args: &RpcServerArgs) -> Result<u8, Failure> {
    let address: RpcServer = format!("{}:{}", args.host, args.port).parse().map_err(Failure::usage)?;
    let settings = call.settings(Sampling::default(), &SamplingFlags::default())?;
    let threads = match settings.threads {
        Threads::Fixed(n) => n as usize,
        Threads::Auto => std::thread::available_parallelism().map_or(1, |n| n.get()),
    };
    if !args.host.is_loopback() {
        say::tell(&format!(
            "whoever can reach {address} can use this machine and its memory: RPC has no keys and no encryption"
        ));
    }
    rpc::serve(&address, threads)?;
    Ok(OK)
}

/// The child's side: reads an order from standard input and serves that model to who has the key, until standard
/// input ends.
pub fn run_child() -> ExitCode {
    child::end_with_parent();
    println!("{HELLO}");
    let Err(reason) = obey();
    tell(&RpcNews::Failed(reason));
    ExitCode::from(ENGINE)
}

fn tell(news: &RpcNews) {
    let mut out = io::stdout().lock();
    // Nobody listening is an end that comes by itself.
    let _ = serde_json::to_writer(&mut out, news).map_err(io::Error::from).and_then(|()| {
        out.write_all(b"\n")?;
        out.flush()
    });
}

fn obey() -> Result<std::convert::Infallible, String> {
    if let Ok(errors) = io::stderr().as_fd().try_clone_to_owned() {
        send_log_to(errors.into());
    }
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(|error| error.to_string())?;
    let order: RpcOrder = serde_json::from_str(&line).map_err(|error| error.to_string())?;
    std::thread::spawn(|| {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        fatal::leave(OK);
    });
    rpc::use_servers(&order.servers).map_err(|error| error.to_string())?;
    let options = LoadOptions {
        path: order.path,
        name: order.name,
        context: order.context,
        threads: order.threads.map_or(Threads::Auto, Threads::Fixed),
        exact: order.exact,
        about: Arc::default(),
        server: None,
        rpc: Vec::new(),
        patience: Default::default(),
        cancel: Default::default(),
    };
    let (client, model) =
        Client::load(options, |share| tell(&RpcNews::Loaded(share))).map_err(|error| error.to_string())?;
    let flags = Flags { exact: order.exact, ..Flags::default() };
    let settings = |base| {
        let (file, sampling) = (ConfigFile::default(), SamplingFlags::default());
        Settings::from_layers(base, &file, &flags, &sampling).map_err(|error| error.to_string())
    };
    let (raw, chat) = (settings(Sampling::default())?, settings(Sampling::chat())?);
    let origin = Origin::new(&model, &raw, None);
    let cache = std::env::temp_dir();
    let served = Served { engine: client.engine().clone(), model, origin, raw, chat, cache };
    let options = ServeOptions {
        host: IpAddr::V4(Ipv4Addr::LOCALHOST),
        port: 0,
        keys: ApiKeys::of(&order.key),
        parallel: PARALLEL,
    };
    serve::run(served, options, &Arc::default(), |address: SocketAddr| tell(&RpcNews::Listening(address)))
        .map_err(|error| error.to_string())?;
    Err("its server has ended".to_string())
}
