//! `-m https://…` and `-m http://…` behind a proxy: a server on this machine, reached as one far away would be.
//!
//! `support/tls` holds an authority and a certificate of it for `localhost` and `models.test`, made for this test with
//! OpenSSL; the key opens nothing else.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

const AUTHORITY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/tls/authority.pem");
const SERVER: &[u8] = include_bytes!("support/tls/server.pem");
const KEY: &[u8] = include_bytes!("support/tls/server.key");

/// Answers one request as a server with one model does.
fn answer(stream: impl Read + Write) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    stream.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some(bytes) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = bytes.trim().parse().unwrap_or(0);
        }
    }
    stream.read_exact(&mut vec![0; length])?;
    let line = r#"{"token":"Hi","logprob":-0.1,"top_logprobs":[{"token":"Hi","logprob":-0.1},{"token":"Yo","logprob":-3}]}"#;
    let body = match first.split(' ').nth(1) {
        Some("/v1/models") => r#"{"data":[{"id":"m"}]}"#.to_string(),
        _ => format!(
            r#"{{"model":"m","choices":[{{"index":0,"message":{{"content":"Hi"}},"logprobs":{{"content":[{line}]}},"finish_reason":"length"}}]}}"#
        ),
    };
    let out = stream.get_mut();
    write!(out, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
    out.flush()
}

/// Does this with every connection; the port.
fn listen(work: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let work = Arc::new(work);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let work = Arc::clone(&work);
            thread::spawn(move || work(stream));
        }
    });
    port
}

fn plain() -> u16 {
    listen(|stream| _ = answer(stream))
}

fn secure() -> u16 {
    let certificates = CertificateDer::pem_slice_iter(SERVER).collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_no_client_auth().with_single_cert(certificates, key).unwrap());
    listen(move |stream| {
        let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream);
        let _ = answer(&mut stream);
        stream.conn.send_close_notify();
        let _ = stream.flush();
    })
}

/// A proxy that leads everything to this machine, and what it was asked for.
fn proxy() -> (u16, Arc<Mutex<Vec<String>>>) {
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let all = Arc::clone(&heard);
    let port = listen(move |stream| {
        let mut lines = BufReader::new(stream.try_clone().unwrap());
        let mut first = String::new();
        lines.read_line(&mut first).unwrap();
        let mut line = String::new();
        while lines.read_line(&mut line).unwrap() > 2 {
            line.clear();
        }
        let target = first.split(' ').nth(1).unwrap().to_string();
        let there = format!("127.0.0.1:{}", target.rsplit(':').next().unwrap());
        all.lock().unwrap().push(target);
        let there = TcpStream::connect(there).unwrap();
        (&stream).write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        let (mut from, mut to) = (stream.try_clone().unwrap(), there.try_clone().unwrap());
        thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
        let _ = std::io::copy(&mut &there, &mut &stream);
        let _ = stream.shutdown(Shutdown::Both);
    });
    (port, heard)
}

/// What `models info` says of an address, and its exit code.
fn info(address: &str, more: &[&str], variables: &[(&str, &str)]) -> (String, Option<i32>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tokenscope"));
    command.args(["models", "info", "-m", address]).args(more).stdin(Stdio::null());
    for (name, _) in std::env::vars() {
        let of_ours = name.starts_with("TOKENSCOPE_") && name != "TOKENSCOPE_HOME";
        if of_ours || name.to_ascii_lowercase().ends_with("_proxy") {
            command.env_remove(name);
        }
    }
    let output = command.envs(variables.iter().copied()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (String::from_utf8(said).unwrap(), output.status.code())
}

#[test]
fn a_certificate_is_trusted_by_its_authority_and_what_is_no_tls_is_told_at_once() {
    let (secure, plain) = (secure(), plain());
    let https = format!("https://localhost:{secure}");
    let (said, code) = info(&https, &["--ca-file", AUTHORITY], &[]);
    assert!(code == Some(0) && said.contains("OpenAI-compatible"), "{said}");
    let (said, code) = info(&https, &[], &[]);
    assert!(code == Some(3) && said.contains("not trusted") && said.contains("--ca-file"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    let (said, code) = info(&format!("https://127.0.0.1:{plain}"), &[], &[]);
    assert!(code == Some(3) && said.contains("is it http://") && !said.contains("times"), "{said}");
    let (said, code) = info(&https, &["--ca-file", "/nowhere.pem"], &[]);
    assert!(code == Some(2) && said.contains("--ca-file /nowhere.pem"), "{said}");
}

#[test]
fn a_proxy_is_asked_for_hosts_that_are_far_and_for_no_others() {
    let (secure, plain) = (secure(), plain());
    let (port, heard) = proxy();
    let address = format!("http://127.0.0.1:{port}");
    let far = format!("http://models.test:{plain}/v1");
    let (said, code) = info(&far, &[], &[("HTTP_PROXY", &address)]);
    assert!(code == Some(0) && said.contains("OpenAI-compatible"), "{said}");
    let https = format!("https://models.test:{secure}");
    let (said, code) = info(&https, &["--ca-file", AUTHORITY], &[("https_proxy", &address)]);
    assert!(code == Some(0) && said.contains("OpenAI-compatible"), "{said}");
    // The certificate is of other names.
    let other = format!("https://other.test:{secure}");
    let (said, code) = info(&other, &["--ca-file", AUTHORITY], &[("https_proxy", &address)]);
    assert!(code == Some(3) && said.contains("certificate"), "{said}");
    let asked: Vec<String> = std::mem::take(&mut *heard.lock().unwrap());
    assert!(asked.contains(&format!("models.test:{plain}")), "{asked:?}");
    assert!(asked.contains(&format!("models.test:{secure}")), "{asked:?}");
    let here = format!("http://127.0.0.1:{plain}");
    assert_eq!(info(&here, &[], &[("HTTP_PROXY", &address)]).1, Some(0));
    let (said, code) = info(&far, &[], &[("HTTP_PROXY", &address), ("NO_PROXY", "localhost, .test")]);
    assert!(code == Some(3) && said.contains("models.test"), "{said}");
    assert!(heard.lock().unwrap().is_empty());
    let (said, code) = info(&far, &[], &[("HTTP_PROXY", "http://me:secret word")]);
    assert!(code == Some(3) && said.contains("HTTP_PROXY") && !said.contains("secret"), "{said}");
}
