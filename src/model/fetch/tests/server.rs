//! A hub on the loopback address, with the faults that real ones have.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How the server treats the file.
#[derive(Clone, Debug)]
pub(super) struct Behaviour {
    pub(super) content: Vec<u8>,
    pub(super) etag: String,
    /// Names that the repository lists.
    pub(super) names: Vec<&'static str>,
    /// Status for requests of the file, in place of serving it.
    pub(super) status: Option<u16>,
    /// Closes each connection after this many bytes of the body.
    pub(super) break_after: Option<usize>,
    /// Answers requests for a part with the whole.
    pub(super) ignores_range: bool,
    /// Sends the reader to another address first: below `/elsewhere` of this one.
    pub(super) redirects: Option<String>,
    /// Sends the reader on and on.
    pub(super) redirects_for_ever: bool,
    /// When to come back, beside a status.
    pub(super) retry_after: &'static str,
    /// So many requests are answered with 503 first.
    pub(super) fails_first: usize,
    /// Takes the request and says nothing.
    pub(super) silent: bool,
    /// Sends the body in pieces of this many bytes, 20 ms apart.
    pub(super) trickle: Option<usize>,
    /// Sends more and more.
    pub(super) endless: bool,
    /// Says that it has so many bytes.
    pub(super) declares: Option<u64>,
}

impl Behaviour {
    pub(super) fn serving(content: &[u8]) -> Behaviour {
        Behaviour {
            content: content.to_vec(),
            etag: super::sha256(content),
            names: vec!["README.md", "a.gguf"],
            status: None,
            break_after: None,
            ignores_range: false,
            redirects: None,
            redirects_for_ever: false,
            retry_after: "",
            fails_first: 0,
            silent: false,
            trickle: None,
            endless: false,
            declares: None,
        }
    }
}

pub(super) struct Server {
    pub(super) address: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    pub(super) fn start(behaviour: Behaviour) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let requests = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (behaviour, seen) = (behaviour.clone(), Arc::clone(&requests));
                std::thread::spawn(move || answer(stream, &behaviour, &seen));
            }
        });
        Server { address, seen }
    }

    /// The requests so far: `PATH RANGE`.
    pub(super) fn requests(&self) -> Vec<String> {
        self.seen().iter().map(|seen| format!("{} {}", seen.path, seen.range)).collect()
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

/// A request.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) path: String,
    pub(super) range: String,
    pub(super) token: Option<String>,
}

/// Reads one request, writes one answer and closes.
fn answer(mut stream: TcpStream, behaviour: &Behaviour, seen: &Mutex<Vec<Seen>>) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let path = lines.next()?.ok()?.split(' ').nth(1)?.to_owned();
    let (mut range, mut token) = (String::new(), None);
    for line in lines.map_while(Result::ok).take_while(|line| !line.is_empty()) {
        if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case("range")
        {
            range = value.to_owned();
        } else if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case("authorization")
        {
            token = Some(value.to_owned());
        }
    }
    let number = {
        let mut seen = seen.lock().unwrap();
        seen.push(Seen { path: path.clone(), range: range.clone(), token });
        seen.len()
    };
    if behaviour.silent {
        std::thread::sleep(Duration::from_secs(30));
        return None;
    }
    if number <= behaviour.fails_first {
        return respond(&mut stream, "503 Later", "", b"later");
    }
    if behaviour.redirects_for_ever {
        return respond(&mut stream, "302 Found", &format!("location: /to/{number}\r\n"), b"");
    }
    let elsewhere = path.strip_prefix("/elsewhere").map(str::to_owned);
    if let (Some(to), None) = (&behaviour.redirects, &elsewhere) {
        let head = format!("location: {to}/elsewhere{path}\r\nx-repo-commit: c0ffee\r\n");
        return respond(&mut stream, "302 Found", &head, b"");
    }
    let path = elsewhere.unwrap_or(path);
    if path.starts_with("/api/models/") {
        let names: Vec<String> =
            behaviour.names.iter().map(|name| format!("{{\"rfilename\":\"{name}\"}}")).collect();
        let body = format!("{{\"sha\":\"c0ffee\",\"siblings\":[{}]}}", names.join(","));
        return respond(&mut stream, "200 OK", "content-type: application/json\r\n", body.as_bytes());
    }
    if let Some(status) = behaviour.status {
        let head = match behaviour.retry_after {
            "" => String::new(),
            after => format!("retry-after: {after}\r\n"),
        };
        return respond(&mut stream, &format!("{status} No"), &head, b"no");
    }
    if behaviour.endless && range != "bytes=0-0" {
        write!(stream, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").ok()?;
        while stream.write_all(&[0; 1 << 14]).is_ok() {}
        return None;
    }
    if let Some(bytes) = behaviour.trickle.filter(|_| range != "bytes=0-0") {
        let length = behaviour.content.len();
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n").ok()?;
        for piece in behaviour.content.chunks(bytes) {
            stream.write_all(piece).ok()?;
            std::thread::sleep(Duration::from_millis(20));
        }
        return None;
    }
    serve(&mut stream, behaviour, &range)
}

fn serve(stream: &mut TcpStream, behaviour: &Behaviour, range: &str) -> Option<()> {
    let content = &behaviour.content;
    let mut head = format!("etag: \"{}\"\r\nx-repo-commit: c0ffee\r\n", behaviour.etag);
    let bounds = range.strip_prefix("bytes=").and_then(|bounds| bounds.split_once('-'));
    let probe = range == "bytes=0-0";
    let Some((start, end)) = bounds.filter(|_| probe || !behaviour.ignores_range) else {
        return respond_partly(stream, "200 OK", &head, content, behaviour.break_after);
    };
    let start: usize = start.parse().ok()?;
    let end = end.parse().map_or(content.len(), |end: usize| end + 1).min(content.len());
    let whole = behaviour.declares.unwrap_or(content.len() as u64);
    head += &format!("content-range: bytes {start}-{}/{whole}\r\n", end - 1);
    respond_partly(stream, "206 Partial Content", &head, content.get(start..end)?, behaviour.break_after)
}

fn respond(stream: &mut TcpStream, status: &str, head: &str, body: &[u8]) -> Option<()> {
    respond_partly(stream, status, head, body, None)
}

fn respond_partly(
    stream: &mut TcpStream,
    status: &str,
    head: &str,
    body: &[u8],
    limit: Option<usize>,
) -> Option<()> {
    let length = body.len();
    write!(stream, "HTTP/1.1 {status}\r\n{head}content-length: {length}\r\nconnection: close\r\n\r\n")
        .ok()?;
    stream.write_all(&body[..limit.unwrap_or(length).min(length)]).ok()
}
