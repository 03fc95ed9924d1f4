//! A server on the loopback address that plays recorded answers, with the faults that real ones have.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use super::dialect::{Dialect, ScoreWish, Scores, WriteWish};
use super::open;
use super::wire::{Wire, WireLimits};
use crate::engine::protocol::{CancelFlag, FinishReason, LoadOptions, ModelInfo, Sequence};
use crate::model::{ApiKey, Patience, ServerAccess, ServerAddress};
use crate::sampling::Sampling;
use crate::step::Step;
use crate::token::TokenId;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Heard {
    pub path: String,
    pub body: Value,
    pub authorization: Option<String>,
}

/// What is sent back.
pub enum Played {
    Json(Value),
    /// A status, headers and a body as they are.
    Raw(u16, &'static str, String),
    /// Events, then the end of the connection.
    Stream(Vec<String>),
    /// The body breaks off after this.
    Cut(String),
    /// Nothing, until the other end closes the connection.
    Silence,
}

/// Plays for as long as the process lives.
pub struct Player {
    pub address: String,
    pub heard: Arc<Mutex<Vec<Heard>>>,
    /// Is told of each connection that was closed by the client while nothing was said.
    pub closed: Receiver<()>,
}

impl Player {
    pub fn new(answer: impl Fn(&Heard) -> Played + Send + Sync + 'static) -> Player {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let heard: Arc<Mutex<Vec<Heard>>> = Arc::default();
        let (tell, closed) = channel();
        let (all, answer) = (Arc::clone(&heard), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (all, answer, tell) = (Arc::clone(&all), Arc::clone(&answer), tell.clone());
                std::thread::spawn(move || play(stream.unwrap(), &all, answer.as_ref(), &tell));
            }
        });
        Player { address, heard, closed }
    }

    /// The same for lists of paths and answers.
    pub fn of(answers: Vec<(&'static str, Played)>) -> Player {
        let answers = Mutex::new(answers);
        Player::new(move |heard| {
            let mut answers = answers.lock().unwrap();
            match answers.iter().position(|(path, _)| *path == heard.path) {
                Some(at) => answers.remove(at).1,
                None => Played::Raw(404, "", r#"{"error":{"message":"nothing there"}}"#.to_string()),
            }
        })
    }

    pub fn access(&self, key: Option<&str>) -> ServerAccess {
        let address = ServerAddress::parse(&self.address).unwrap();
        ServerAccess { key: key.map(|key| ApiKey::new(key).unwrap()), ..ServerAccess::open(address) }
    }

    pub fn wire(&self, key: Option<&str>) -> Wire {
        Wire::new(self.access(key), quick()).unwrap()
    }

    pub fn count(&self) -> usize {
        self.heard.lock().unwrap().len()
    }
}

/// A server that plays its part, asked what it is as the engine asks it.
pub(super) struct Opened {
    pub player: Player,
    pub wire: Arc<Wire>,
    pub info: ModelInfo,
    pub dialect: Box<dyn Dialect>,
}

impl Opened {
    pub fn new(answer: impl Fn(&Heard) -> Played + Send + Sync + 'static) -> Opened {
        let player = Player::new(answer);
        let wire = Arc::new(player.wire(None));
        let options = LoadOptions {
            path: player.address.clone().into(),
            name: String::new(),
            context: None,
            threads: Default::default(),
            exact: false,
            about: Arc::default(),
            server: Some(player.access(None)),
            rpc: Vec::new(),
            patience: Default::default(),
            cancel: CancelFlag::default(),
        };
        let opened = wire.watched(&CancelFlag::default(), |call| open::open(call, &wire, &options));
        let (info, dialect) = opened.unwrap_or_else(|trouble| panic!("{trouble:?}"));
        Opened { player, wire, info, dialect }
    }

    /// The figures of these texts with two candidates each, and of what comes after them.
    pub fn scored(&self, sequences: &[Sequence]) -> Vec<Scores> {
        let asked = ScoreWish { sequences, k: 2, after: true };
        self.wire.watched(&CancelFlag::default(), |call| self.dialect.score(call, asked)).unwrap()
    }

    /// A greedy reply of at most nine tokens, so many candidates each.
    pub fn written(&self, prompt: &[TokenId], k: usize) -> WrittenSteps {
        written(self.dialect.as_ref(), &self.wire, prompt, k)
    }
}

/// The steps of a reply and why it ended, or what went wrong.
pub(super) type WrittenSteps = Result<(Vec<Step>, FinishReason), String>;

/// A greedy reply of at most nine tokens, so many candidates each.
pub(super) fn written(dialect: &dyn Dialect, wire: &Wire, prompt: &[TokenId], k: usize) -> WrittenSteps {
    let sampling = Sampling { greedy: true, ..Sampling::default() };
    let asked = WriteWish { prompt, sampling: &sampling, max_tokens: 9, k };
    let mut steps = Vec::new();
    let reason = wire.watched(&CancelFlag::default(), |call| {
        dialect.write(call, asked, &mut |step| {
            steps.push(step);
            Ok(())
        })
    });
    reason.map(|reason| (steps, reason)).map_err(|trouble| wire.error(trouble).to_string())
}

/// Tokens by id with their ln p.
pub(super) fn ids_and_logprobs(steps: &[Step]) -> Vec<(u32, Option<f32>)> {
    steps.iter().map(|step| (step.id.0, step.logprob())).collect()
}

/// Events of a stream, and its end.
pub fn stream(events: &[Value]) -> Played {
    Played::Stream(events.iter().map(Value::to_string).chain(["[DONE]".to_string()]).collect())
}

/// Limits for tests.
pub fn quick() -> WireLimits {
    WireLimits {
        patience: Patience { answer: Duration::from_secs(20), ..Patience::default() },
        pause: Duration::from_millis(5),
        longest_pause: Duration::from_millis(20),
        bytes: 1 << 20,
        ..WireLimits::of(Patience::default())
    }
}

fn play(
    stream: TcpStream,
    all: &Mutex<Vec<Heard>>,
    answer: &(dyn Fn(&Heard) -> Played + Send + Sync),
    closed: &Sender<()>,
) {
    let mut lines = BufReader::new(stream.try_clone().unwrap());
    let mut first = String::new();
    lines.read_line(&mut first).unwrap();
    let (mut length, mut authorization) = (0, None);
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line).unwrap_or(0) == 0 || line.trim().is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap(),
            "authorization" => authorization = Some(value.trim().to_string()),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    lines.read_exact(&mut body).unwrap();
    let heard = Heard {
        path: first.split(' ').nth(1).unwrap_or_default().to_string(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
        authorization,
    };
    all.lock().unwrap().push(heard.clone());
    let mut out = &stream;
    let head = |status: u16, headers: &str, length: usize| {
        format!("HTTP/1.1 {status} so\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n")
    };
    let _ = match answer(&heard) {
        Played::Json(value) => {
            let text = value.to_string();
            write!(out, "{}{text}", head(200, "Content-Type: application/json\r\n", text.len()))
        }
        Played::Raw(status, headers, text) => write!(out, "{}{text}", head(status, headers, text.len())),
        Played::Stream(events) => {
            let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/event-stream\r\n\r\n";
            let events: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
            write!(out, "{head}{events}")
        }
        Played::Cut(text) => write!(out, "{}{text}", head(200, "", text.len() + 10)),
        Played::Silence => {
            let mut one = [0];
            let _ = lines.read(&mut one);
            let _ = closed.send(());
            Ok(())
        }
    };
}
