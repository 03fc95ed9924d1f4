//! Greeting an RPC server as ggml will, which ends its process where the answer is not the right one.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::model::RpcServer;

/// How long a server may take to be connected to, and to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The protocol, as ggml-rpc.h has it.
const MAJOR: u8 = 7;
const MINOR: u8 = 0;
/// The greeting's number; how long it and its answer are.
const HELLO: u8 = 14;
const HELLO_BYTES: usize = 24;
const ANSWER_BYTES: usize = 28;

/// Says hello and leaves; one line about a server that can't be used.
pub(super) fn greet(server: &RpcServer) -> Result<(), String> {
    let failed = |what: String| format!("the RPC server {server}: {what}");
    let mut stream = connect(server).map_err(failed)?;
    let mut greeting = vec![HELLO];
    greeting.extend((HELLO_BYTES as u64).to_le_bytes());
    greeting.resize(greeting.len() + HELLO_BYTES, 0);
    let mut answer = [0; 8 + ANSWER_BYTES];
    let timed =
        stream.set_read_timeout(Some(PATIENCE)).and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
    let answered =
        timed.and_then(|()| stream.write_all(&greeting)).and_then(|()| stream.read_exact(&mut answer));
    answered.map_err(|error| {
        failed(match error.kind() {
            std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => {
                "it does not answer: it computes for somebody else, or is no RPC server".to_string()
            }
            _ => "it closes the connection: it is no RPC server, or one of another version".to_string(),
        })
    })?;
    if answer[..8] != (ANSWER_BYTES as u64).to_le_bytes() {
        return Err(failed("it does not answer as an RPC server of this version does".to_string()));
    }
    match (answer[8], answer[9]) {
        (MAJOR, 0..=MINOR) => Ok(()),
        (major, minor) => Err(failed(format!(
            "it speaks version {major}.{minor} of the protocol, and this is {MAJOR}.{MINOR}: use one of the same llama.cpp"
        ))),
    }
}

fn connect(server: &RpcServer) -> Result<TcpStream, String> {
    let mut last = "there is no such host".to_string();
    for address in server.as_str().to_socket_addrs().map_err(|_| last.clone())? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => return Ok(stream),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                last = "nobody listens there (start one with `tokenscope rpc-server`)".to_string();
            }
            Err(_) => last = "nobody answers there".to_string(),
        }
    }
    Err(last)
}

/// Those that can't be used, a line each; all are asked at the same time.
pub(super) fn unreachable(servers: &[RpcServer]) -> Vec<String> {
    std::thread::scope(|scope| {
        let asked: Vec<_> = servers.iter().map(|server| scope.spawn(|| greet(server))).collect();
        asked.into_iter().filter_map(|asked| asked.join().ok()?.err()).collect()
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// A server that reads a greeting and says this.
    fn saying(answer: Vec<u8>) -> RpcServer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let _ = stream.read_exact(&mut [0; 33]);
                let _ = stream.write_all(&answer);
            }
        });
        address.parse().unwrap()
    }

    fn hello(major: u8, minor: u8) -> Vec<u8> {
        let mut answer = 28u64.to_le_bytes().to_vec();
        answer.extend([major, minor, 0, 0]);
        answer.resize(36, 0);
        answer
    }

    #[test]
    fn only_a_server_that_speaks_the_same_version_is_used() {
        assert_eq!(greet(&saying(hello(MAJOR, MINOR))), Ok(()));
        for (answer, what) in [
            (hello(6, 0), "version 6.0"),
            (hello(MAJOR, MINOR + 1), "version 7.1"),
            (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".to_vec(), "does not answer as"),
            (Vec::new(), "closes the connection"),
        ] {
            let line = greet(&saying(answer)).unwrap_err();
            assert!(line.contains(what) && line.contains("127.0.0.1:"), "{line}");
        }
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let nobody: RpcServer = nobody.parse().unwrap();
        let lines = unreachable(&[saying(hello(MAJOR, MINOR)), nobody.clone()]);
        assert!(
            lines.len() == 1 && lines[0].contains(nobody.as_str()) && lines[0].contains("nobody listens")
        );
    }
}
