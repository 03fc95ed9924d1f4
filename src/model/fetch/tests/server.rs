//! A hub on the loopback address, with the faults that real ones have.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

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
    /// Sends the reader to another address first.
    pub(super) redirects: bool,
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
            redirects: false,
        }
    }
}

pub(super) struct Server {
    pub(super) address: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(super) fn start(behaviour: Behaviour) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (behaviour, seen) = (behaviour.clone(), Arc::clone(&seen));
                std::thread::spawn(move || answer(stream, &behaviour, &seen));
            }
        });
        Server { address, requests }
    }

    /// The requests so far: `PATH RANGE`.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// Reads one request, writes one answer and closes.
fn answer(mut stream: TcpStream, behaviour: &Behaviour, seen: &Mutex<Vec<String>>) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let path = lines.next()?.ok()?.split(' ').nth(1)?.to_owned();
    let mut range = String::new();
    for line in lines.map_while(Result::ok).take_while(|line| !line.is_empty()) {
        if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case("range")
        {
            range = value.to_owned();
        }
    }
    seen.lock().unwrap().push(format!("{path} {range}"));
    if path.starts_with("/api/models/") {
        let names: Vec<String> =
            behaviour.names.iter().map(|name| format!("{{\"rfilename\":\"{name}\"}}")).collect();
        let body = format!("{{\"sha\":\"c0ffee\",\"siblings\":[{}]}}", names.join(","));
        return respond(&mut stream, "200 OK", "content-type: application/json\r\n", body.as_bytes());
    }
    if let Some(status) = behaviour.status {
        return respond(&mut stream, &format!("{status} No"), "", b"no");
    }
    if behaviour.redirects && !path.starts_with("/elsewhere") {
        let head = "location: /elsewhere\r\nx-repo-commit: c0ffee\r\n";
        return respond(&mut stream, "302 Found", head, b"");
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
    head += &format!("content-range: bytes {start}-{}/{}\r\n", end - 1, content.len());
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
