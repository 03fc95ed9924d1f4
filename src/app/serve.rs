//! `tokenscope serve`.

use std::sync::Arc;

use super::call::Call;
use super::failure::{Failure, INTERRUPTED};
use super::rpc;
use super::running::{Running, one_model};
use crate::cli::ServeArgs;
use crate::interrupt;
use crate::model::ServerAddress;
use crate::sampling::Sampling;
use crate::say;
use crate::serve::{self, ApiKeys, ServeError, ServeOptions, Served};
use crate::settings::SamplingFlags;
use crate::settings::advice::Advice;

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Failure {
        Failure::usage(error)
    }
}

pub(super) fn serve(call: &Call, args: &ServeArgs) -> Result<u8, Failure> {
    let keys = match &call.cli.flags.api_key_file {
        Some(path) => interrupt::waiting(|| ApiKeys::read(path)).map_err(ServeError::from)?,
        None => ApiKeys::default(),
    };
    let options = ServeOptions { host: args.host, port: args.port, keys, parallel: args.parallel as usize };
    // Before a model is loaded for nothing.
    options.check()?;
    let interrupted = interrupt::watch().unwrap_or_default();
    let flags = SamplingFlags::default();
    let mut raw = call.settings(Sampling::default(), &flags)?;
    one_model(&raw, "a server")?;
    if ServerAddress::is_meant(&raw.model) {
        return Err(Failure::usage("a server serves a model of this machine, and no other server's"));
    }
    if raw.constraint.take().is_some() {
        say::tell("the grammar of config.toml is left out: a request says which it wants");
    }
    let mut chat = call.settings(Sampling::chat(), &flags)?;
    chat.constraint = None;
    // Here and not in a child: whoever serves is not asked for a conversation that could be lost.
    let servers = std::mem::take(&mut raw.rpc);
    let load = || Running::load(&raw, &call.paths, &interrupted);
    let mut running = match servers.is_empty() {
        true => load()?,
        false => {
            let _until_loaded = rpc::tell_when_slow(&servers, raw.quiet);
            rpc::use_servers(&servers)?;
            // llama.cpp waits for a silent server without end.
            interrupt::waiting(load)?
        }
    };
    running.origin.provenance.rpc = servers.iter().map(ToString::to_string).collect();
    chat.advise(&Advice::of(&running.model.about, &chat));
    if !raw.quiet {
        say::plain(&running.origin.header());
    }
    let served = Served {
        engine: running.client.engine().clone(),
        model: Arc::clone(&running.model),
        origin: running.origin.clone(),
        raw,
        chat,
        cache: call.paths.cache.clone(),
    };
    drop(running);
    serve::run(served, options, &interrupted, |address| {
        say::plain(&format!("listening on http://{address} (Ctrl-C stops)"));
    })?;
    Ok(INTERRUPTED)
}
