//! Requests to a server that come to an end, and answers that are JSON.
//!
//! Time, sizes and tries are bounded, whatever waits is left within a moment (the connection is closed), and the
//! key stands in one header and nowhere else. What goes wrong is one line for people.

use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use ureq::http::Response;
use ureq::http::header::{HeaderMap, LOCATION, RETRY_AFTER};
use ureq::{Agent, Body};

use super::reach::{agent, broke, connection, proxy_variable};
use crate::engine::protocol::{CancelFlag, EngineError};
use crate::model::{ApiKey, KEY_VARIABLE, Patience, ServerAccess};
use crate::token::printable;

/// What a server may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct WireLimits {
    /// In time.
    pub patience: Patience,
    /// For what it tells of itself, and need not compute.
    pub word: Duration,
    /// Bytes of an answer, and of one event of a stream.
    pub bytes: u64,
    /// Tries at a request in all.
    pub tries: u32,
    /// Before the second; doubled for each further one.
    pub pause: Duration,
    /// Longer than this nobody waits because a server asks for it.
    pub longest_pause: Duration,
}

impl WireLimits {
    /// Those of somebody who is so patient.
    pub fn of(patience: Patience) -> WireLimits {
        WireLimits {
            patience,
            word: patience.answer.min(WORD),
            bytes: 256 << 20,
            tries: 4,
            pause: Duration::from_millis(250),
            longest_pause: Duration::from_secs(30),
        }
    }
}

/// How long what a server says of itself may take, at most.
const WORD: Duration = Duration::from_secs(20);

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Trouble {
    /// The person does not want to wait.
    Cancelled,
    /// The server refuses this request, and says why.
    Refused(u16, String),
    /// Trying again is of no use.
    Lasting(String),
    /// It lets wait for too long. It may still compute: asking again would only add to that.
    Slow(String),
    /// It has not the model that is named.
    Unlisted(String),
    /// It may be better in a while, which the server may name.
    Passing(String, Option<Duration>),
}

impl Trouble {
    /// An answer that can't be right.
    pub fn wrong(what: impl Into<String>) -> Trouble {
        Trouble::Lasting(what.into())
    }

    /// In words.
    fn words(self) -> String {
        match self {
            Trouble::Cancelled => "interrupted".to_string(),
            Trouble::Refused(status, why) => format!("the server refuses ({status}): {why}"),
            Trouble::Lasting(what)
            | Trouble::Slow(what)
            | Trouble::Unlisted(what)
            | Trouble::Passing(what, _) => what,
        }
    }
}

/// Trouble with the server at an address, as the engine tells it.
pub(super) fn told(base: &str, trouble: Trouble) -> EngineError {
    let unlisted = matches!(trouble, Trouble::Unlisted(_));
    let line = format!("{base}: {}", trouble.words());
    if unlisted { EngineError::NoSuchModel(line) } else { EngineError::Server(line) }
}

/// A way to one server, shared by every thread that asks it.
pub(super) struct Wire {
    access: ServerAccess,
    pub(super) limits: WireLimits,
    agent: Mutex<Agent>,
    /// It has let somebody wait in vain.
    stuck: AtomicBool,
    /// It has answered once.
    reached: AtomicBool,
}

/// Work at a server that a flag ends.
#[derive(Clone, Copy)]
pub(super) struct WireCall<'a> {
    pub(super) wire: &'a Wire,
    cancel: &'a CancelFlag,
}

impl Wire {
    pub fn new(access: ServerAccess, limits: WireLimits) -> Result<Wire, Trouble> {
        let agent = agent(&access, &limits)?;
        Ok(Wire {
            access,
            limits,
            agent: Mutex::new(agent),
            stuck: AtomicBool::new(false),
            reached: AtomicBool::new(false),
        })
    }

    /// Where it leads.
    pub fn base(&self) -> &str {
        self.access.address.base()
    }

    /// The model that was named.
    pub fn model(&self) -> Option<&str> {
        self.access.address.model()
    }

    /// Trouble as the engine tells it.
    pub fn error(&self, trouble: Trouble) -> EngineError {
        told(self.base(), trouble)
    }

    /// Whether it has let somebody wait in vain.
    pub fn is_stuck(&self) -> bool {
        self.stuck.load(Ordering::Relaxed)
    }

    /// Does work that asks the server; once the flag is raised its connections are closed.
    pub fn watched<T>(&self, cancel: &CancelFlag, work: impl FnOnce(WireCall) -> T) -> T {
        /// Raised even where the work panics.
        struct Done<'a>(&'a AtomicBool, thread::Thread);
        impl Drop for Done<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Release);
                self.1.unpark();
            }
        }
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let watcher = scope.spawn(|| {
                while !done.load(Ordering::Acquire) {
                    if cancel.is_cancelled() {
                        self.hang_up();
                        return;
                    }
                    thread::park_timeout(Duration::from_millis(20));
                }
            });
            let _done = Done(&done, watcher.thread().clone());
            work(WireCall { wire: self, cancel })
        })
    }

    /// Closes every connection; later requests open new ones.
    fn hang_up(&self) {
        let mut held = self.agent.lock().unwrap_or_else(PoisonError::into_inner);
        // What the environment says of proxies was right once.
        if let Ok(agent) = agent(&self.access, &self.limits) {
            std::mem::replace(&mut *held, agent).shutdown();
        }
    }

    /// Keeps in mind that it lets wait.
    pub(super) fn noted(&self, trouble: Trouble) -> Trouble {
        if matches!(trouble, Trouble::Slow(_)) {
            self.stuck.store(true, Ordering::Relaxed);
        }
        trouble
    }

    fn agent(&self) -> Agent {
        self.agent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn send(&self, path: &str, body: Option<&Value>) -> Result<Response<Body>, Trouble> {
        let url = format!("{}{path}", self.base());
        let bearer = self.access.key.as_ref().map(|key| format!("Bearer {}", key.secret()));
        let agent = self.agent();
        let sent = match body {
            Some(body) => {
                let mut request = agent.post(&url).header("Content-Type", "application/json");
                if let Some(bearer) = &bearer {
                    request = request.header("Authorization", bearer);
                }
                request.send(body.to_string())
            }
            None => {
                let word = Some(self.limits.word);
                let mut request = agent.get(&url).config().timeout_recv_response(word).build();
                if let Some(bearer) = &bearer {
                    request = request.header("Authorization", bearer);
                }
                request.call()
            }
        };
        let secure = self.access.address.is_secure() && !self.reached.load(Ordering::Relaxed);
        let answer = if body.is_some() { self.limits.patience.answer } else { self.limits.word };
        let patience = Patience { answer, ..self.limits.patience };
        let response = sent.map_err(|error| match connection(&error, patience, secure) {
            Trouble::Passing(what, after) => match proxy_variable(&self.access) {
                Some(name) => {
                    Trouble::Passing(format!("{what} (through the proxy that {name} names)"), after)
                }
                None => Trouble::Passing(what, after),
            },
            trouble => trouble,
        })?;
        self.reached.store(true, Ordering::Relaxed);
        match response.status().as_u16() {
            200..=299 => Ok(response),
            status => Err(self.refusal(status, response)),
        }
    }

    fn refusal(&self, status: u16, response: Response<Body>) -> Trouble {
        let headers = response.headers().clone();
        let (key, limits) = (self.access.key.as_ref(), self.limits);
        let mut text = Vec::new();
        let _ = response.into_body().into_reader().take(64 << 10).read_to_end(&mut text);
        let said = said(without_key(&String::from_utf8_lossy(&text), key).as_bytes());
        let said = if said.is_empty() { "it does not say why".to_string() } else { said };
        match status {
            300..=399 => {
                let to = headers.get(LOCATION).map(|to| short(&String::from_utf8_lossy(to.as_bytes())));
                Trouble::Lasting(format!(
                    "it sends on to {}: give that address",
                    to.unwrap_or_else(|| "elsewhere".to_string())
                ))
            }
            401 | 403 if key.is_none() => Trouble::Lasting(format!(
                "the server wants a key ({status}): put it into {KEY_VARIABLE}, or into a file and give --api-key-file"
            )),
            401 | 403 => Trouble::Lasting(format!("the server does not take the key ({status}): {said}")),
            408 | 429 | 502..=504 => {
                let after = asked_pause(&headers).map(|after| after.min(limits.longest_pause));
                Trouble::Passing(format!("the server answers {status}: {said}"), after)
            }
            _ => Trouble::Refused(status, said),
        }
    }
}

impl<'a> WireCall<'a> {
    /// The same work, ended by another flag.
    pub fn with(self, cancel: &'a CancelFlag) -> WireCall<'a> {
        WireCall { cancel, ..self }
    }

    pub fn cancel(&self) -> &'a CancelFlag {
        self.cancel
    }

    /// Closes every connection to the server.
    pub fn hang_up(&self) {
        self.wire.hang_up();
    }

    /// Whether the person has left.
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// The answer to a GET.
    pub fn get(&self, path: &str) -> Result<Value, Trouble> {
        json(&self.bytes(path)?)
    }

    /// What a GET brings, as it is.
    pub fn bytes(&self, path: &str) -> Result<Vec<u8>, Trouble> {
        self.patiently(|wire| read(wire.send(path, None)?, &wire.limits))
    }

    /// The answer to a POST. Every request is one that may be made twice: it changes nothing there.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, Trouble> {
        let answer = json(&self.patiently(|wire| read(wire.send(path, Some(body))?, &wire.limits))?)?;
        match self.error_in(&answer) {
            Some(error) => Err(Trouble::Lasting(format!("the server refuses: {error}"))),
            None => Ok(answer),
        }
    }

    /// The server's own words where an answer is an error in spite of its status.
    pub(super) fn error_in(&self, answer: &Value) -> Option<String> {
        let error = answer.get("error").filter(|error| !error.is_null())?;
        let said = without_key(&error.to_string(), self.wire.access.key.as_ref());
        Some(in_words(&serde_json::from_str(&said).unwrap_or_default()))
    }

    /// Tries until it succeeds, for as often as there is hope.
    pub(super) fn patiently<T>(&self, once: impl Fn(&Wire) -> Result<T, Trouble>) -> Result<T, Trouble> {
        let mut failures = 0;
        loop {
            if self.is_cancelled() {
                return Err(Trouble::Cancelled);
            }
            let trouble = match once(self.wire) {
                Ok(done) => return Ok(done),
                Err(_) if self.is_cancelled() => return Err(Trouble::Cancelled),
                Err(trouble) => self.wire.noted(trouble),
            };
            let Trouble::Passing(reason, asked) = trouble else { return Err(trouble) };
            failures += 1;
            if failures >= self.wire.limits.tries {
                return Err(Trouble::Lasting(format!("{reason}, {failures} times")));
            }
            self.pause(failures, asked)?;
        }
    }

    fn pause(&self, failures: u32, asked: Option<Duration>) -> Result<(), Trouble> {
        let own = self.wire.limits.pause * 2_u32.saturating_pow(failures - 1);
        let until = Instant::now() + asked.unwrap_or(own).mul_f64(0.75 + 0.5 * chance());
        while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            if self.is_cancelled() {
                return Err(Trouble::Cancelled);
            }
            thread::sleep(left.min(Duration::from_millis(20)));
        }
        Ok(())
    }
}

pub(super) const WEB_PAGE: &str =
    "it answers with a web page and not with JSON: is this the address of a model server?";

fn read(response: Response<Body>, limits: &WireLimits) -> Result<Vec<u8>, Trouble> {
    let (mut bytes, most) = (Vec::new(), limits.bytes);
    let read = response.into_body().into_reader().take(most + 1).read_to_end(&mut bytes);
    read.map_err(|error| broke(&error, limits.patience))?;
    match bytes.len() as u64 > most {
        true => Err(Trouble::wrong(format!("its answer has more than {} MiB", most >> 20))),
        false => Ok(bytes),
    }
}

pub(super) fn json(bytes: &[u8]) -> Result<Value, Trouble> {
    serde_json::from_slice(bytes).map_err(|error| {
        let start = bytes.trim_ascii_start();
        Trouble::wrong(match start.first() {
            None => "its answer is empty".to_string(),
            Some(b'<') => WEB_PAGE.to_string(),
            Some(_) => format!("its answer is no JSON: {error}"),
        })
    })
}

/// What the body of a refusal says, however the server wraps it.
fn said(body: &[u8]) -> String {
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => in_words(value.get("error").unwrap_or(&value)),
        Err(_) if body.trim_ascii_start().starts_with(b"<") => "a web page".to_string(),
        Err(_) => short(&String::from_utf8_lossy(body)),
    }
}

fn in_words(value: &Value) -> String {
    let inner = ["message", "detail", "error"].iter().find_map(|name| value.get(name));
    match inner.unwrap_or(value) {
        Value::String(text) => short(text),
        Value::Object(_) if inner.is_some() => in_words(inner.unwrap_or(value)),
        other => short(&other.to_string()),
    }
}

/// A server that repeats the key does not bring it before anybody's eyes.
fn without_key(text: &str, key: Option<&ApiKey>) -> String {
    key.map_or_else(|| text.to_string(), |key| text.replace(key.secret(), "…"))
}

fn asked_pause(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// From 0 to 1, so that many who wait don't come back at the same moment.
fn chance() -> f64 {
    use std::hash::{BuildHasher, Hasher};
    let hash = std::collections::hash_map::RandomState::new().build_hasher().finish();
    (hash % 1024) as f64 / 1024.0
}

/// Foreign text, in a few words on one line.
pub(super) fn short(text: &str) -> String {
    let line = printable(text.trim()).replace(['\n', '\t'], " ");
    match line.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests;
