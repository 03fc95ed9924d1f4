//! Greeting an RPC server as ggml will, which ends its process where the answer is not the right one, and waits for
//! ever where there is none.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::PULSE;
use crate::aside;
use crate::engine::protocol::CancelFlag;
use crate::model::RpcServer;

/// How long a server may take to be connected to and to give all its answers.
const PATIENCE: Duration = Duration::from_secs(5);
/// The protocol, as ggml-rpc.h has it.
const MAJOR: u8 = 7;
const MINOR: u8 = 0;
/// What is asked, by its number in ggml-rpc.cpp, and how long its answer is: the greeting, and what ggml asks next.
const HELLO: (u8, usize) = (14, 28);
const DEVICES: (u8, usize) = (15, 4);
const MEMORY: (u8, usize) = (11, 16);
/// How long a greeting is.
const HELLO_BYTES: usize = 24;

/// Says hello, sees that the server also answers what comes next, and leaves: where it is, or one line about one that
/// can't be used.
fn greet(server: &RpcServer) -> Result<SocketAddr, String> {
    let deadline = Instant::now() + PATIENCE;
    let failed = |what: String| format!("the RPC server {server}: {what}");
    let mut stream = connect(server, deadline).map_err(failed)?;
    let mut ask = |question, input: &[u8]| {
        asked(&mut stream, question, input, deadline).map_err(|error| {
            failed(
                match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                        "it does not answer: it computes for somebody else, or is no RPC server"
                    }
                    ErrorKind::InvalidData => "it does not answer as an RPC server of this version does",
                    _ => "it closes the connection: it is no RPC server, or one of another version",
                }
                .to_string(),
            )
        })
    };
    let hello = ask(HELLO, &[0; HELLO_BYTES])?;
    match (hello[0], hello[1]) {
        (MAJOR, 0..=MINOR) => {}
        (major, minor) => {
            return Err(failed(format!(
                "it speaks version {major}.{minor} of the protocol, and this is {MAJOR}.{MINOR}: use one of the same llama.cpp"
            )));
        }
    }
    // One without a device is refused by who uses it.
    if ask(DEVICES, &[])?.iter().any(|byte| *byte > 0) {
        ask(MEMORY, &0u32.to_le_bytes())?;
    }
    stream.peer_addr().map_err(|error| failed(error.to_string()))
}

/// What a server answers to a question.
fn asked(
    stream: &mut TcpStream,
    (number, bytes): (u8, usize),
    input: &[u8],
    deadline: Instant,
) -> io::Result<Vec<u8>> {
    let length = |bytes: usize| (bytes as u64).to_le_bytes();
    stream.set_write_timeout(Some(left(deadline)?))?;
    stream.write_all(&[&[number], &length(input.len())[..], input].concat())?;
    if read(stream, 8, deadline)? != length(bytes) {
        return Err(ErrorKind::InvalidData.into());
    }
    read(stream, bytes, deadline)
}

/// So many bytes, however they come.
fn read(stream: &mut TcpStream, bytes: usize, deadline: Instant) -> io::Result<Vec<u8>> {
    let (mut all, mut read) = (vec![0; bytes], 0);
    while read < bytes {
        stream.set_read_timeout(Some(left(deadline)?))?;
        match stream.read(&mut all[read..]) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(more) => read += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

/// The time that is left.
fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}

fn connect(server: &RpcServer, deadline: Instant) -> Result<TcpStream, String> {
    let mut last = "there is no such host".to_string();
    for address in server.as_str().to_socket_addrs().map_err(|_| last.clone())? {
        match left(deadline).and_then(|left| TcpStream::connect_timeout(&address, left)) {
            Ok(stream) => return Ok(stream),
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                last = "nobody listens there (start one with `tokenscope rpc-server`)".to_string();
            }
            Err(_) => last = "nobody answers there".to_string(),
        }
    }
    Err(last)
}

/// Greets all at the same time: where each is, or a line; `None` where nobody waits any longer.
pub(super) fn greeted(servers: &[RpcServer], cancel: &CancelFlag) -> Option<Vec<Result<SocketAddr, String>>> {
    let (sender, answers) = channel();
    for (at, server) in servers.iter().enumerate() {
        let (sender, server) = (sender.clone(), server.clone());
        // Not waited for: looking a name up can't be ended.
        std::thread::spawn(move || aside::guarded(|| sender.send((at, greet(&server)))));
    }
    drop(sender);
    let mut all = Vec::new();
    loop {
        match answers.recv_timeout(PULSE) {
            _ if cancel.is_cancelled() => return None,
            Ok(answer) => all.push(answer),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    all.sort_by_key(|(at, _)| *at);
    Some(all.into_iter().map(|(_, answer)| answer).collect())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// A server that reads questions and says these things, one after each, with this time before each byte; then it
    /// waits.
    fn saying(answers: &[Vec<u8>], pause: Duration) -> RpcServer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, answers) = (listener.local_addr().unwrap().to_string(), answers.to_vec());
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                for answer in &answers {
                    let mut head = [0; 9];
                    let _ = stream.read_exact(&mut head);
                    let _ = stream.read_exact(&mut vec![0; usize::from(head[1])]);
                    for byte in answer {
                        std::thread::sleep(pause);
                        let _ = stream.write_all(&[*byte]);
                    }
                    if answer.is_empty() {
                        let _ = stream.shutdown(std::net::Shutdown::Both);
                    }
                }
                let _ = io::copy(&mut stream, &mut io::sink());
            }
        });
        address.parse().unwrap()
    }

    fn answer(bytes: &[u8], length: usize) -> Vec<u8> {
        let mut answer = (length as u64).to_le_bytes().to_vec();
        answer.extend(bytes);
        answer.resize(8 + length, 0);
        answer
    }

    fn hello(major: u8, minor: u8) -> Vec<u8> {
        answer(&[major, minor], 28)
    }

    /// All that a server is asked.
    fn whole() -> Vec<Vec<u8>> {
        vec![hello(MAJOR, MINOR), answer(&[1], 4), answer(&[9; 16], 16)]
    }

    #[test]
    fn only_a_server_that_speaks_the_same_version_is_used() {
        let good = saying(&whole(), Duration::ZERO);
        assert_eq!(greet(&good).map(|address| address.to_string()), Ok(good.to_string()));
        for (answers, what) in [
            (vec![hello(6, 0)], "version 6.0"),
            (vec![hello(MAJOR, MINOR + 1)], "version 7.1"),
            (vec![b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".to_vec()], "does not answer as"),
            (vec![Vec::new()], "closes the connection"),
            (vec![hello(MAJOR, MINOR), vec![9; 64]], "does not answer as"),
            (vec![hello(MAJOR, MINOR), Vec::new()], "closes the connection"),
        ] {
            let line = greet(&saying(&answers, Duration::ZERO)).unwrap_err();
            assert!(line.contains(what) && line.contains("127.0.0.1:"), "{line}");
        }
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let nobody: RpcServer = nobody.parse().unwrap();
        let answers = greeted(&[good, nobody.clone()], &CancelFlag::default()).unwrap();
        let line = answers[1].clone().unwrap_err();
        assert!(answers[0].is_ok() && line.contains(nobody.as_str()) && line.contains("nobody listens"));
    }

    #[test]
    fn all_answers_together_have_five_seconds_and_nobody_has_to_wait_for_them() {
        let drips = saying(&whole(), Duration::from_secs(1));
        let is_silent_then = saying(&whole()[..1], Duration::ZERO);
        let (begun, cancel) = (Instant::now(), CancelFlag::default());
        let raised = cancel.clone();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(200));
            raised.cancel();
        });
        let servers = [drips, is_silent_then];
        assert_eq!(greeted(&servers, &cancel), None);
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        let begun = Instant::now();
        let answers = greeted(&servers[1..], &CancelFlag::default()).unwrap();
        let dripped = greet(&saying(&whole(), Duration::from_secs(1)));
        assert!(begun.elapsed() < 3 * PATIENCE, "{:?}", begun.elapsed());
        for line in [answers[0].clone().unwrap_err(), dripped.unwrap_err()] {
            assert!(line.contains("does not answer"), "{line}");
        }
    }
}
