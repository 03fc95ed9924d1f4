//! `--rpc`: layers computed by two servers on this machine, one of which is lost in the middle of a reply.

#[path = "support/alike.rs"]
mod alike;
#[path = "support/program.rs"]
mod program;
#[path = "support/pty.rs"]
mod pty;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use alike::{Alike, lines, run};
use program::{Process, command};
use pty::{Pty, TOKENSCOPE};

/// With the same weights and repeatable arithmetic nothing but JSON stands between.
const SAME: Alike = Alike { but: &["provenance"], within: 1e-5 };

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn serve_at(port: u16) -> Process {
    let args = ["rpc-server", "--threads", "1", "--port", &port.to_string()];
    let server = command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let (server, begun) = (Process(server), Instant::now());
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(30), "no RPC server at {port}");
        std::thread::sleep(Duration::from_millis(50));
    }
    server
}

/// An RPC server that listens, and its address.
fn rpc_server() -> (Process, String) {
    let port = free_port();
    (serve_at(port), format!("127.0.0.1:{port}"))
}

#[test]
fn a_model_in_parts_says_what_it_says_in_one() {
    let (_first, one) = rpc_server();
    let (_second, other) = rpc_server();
    let servers = format!("{one},{other}");
    let here = ["--exact", "--weights", "as-is"];
    let folder = tempfile::tempdir().unwrap();
    let suite = folder.path().join("capitals.toml");
    let text = "[suite]\nname = \"capitals\"\n[[probe]]\nid = \"france\"\nprompt = \"The capital of France is\"\n\
                choices = [\" Paris\", \" Rome\"]\nanswer = 0\nexpect = [\"p(' Paris') > 0\"]\n";
    std::fs::write(&suite, text).unwrap();
    for args in [
        &["next", "The capital of France is", "-k", "7", "--token", " Rome", "--json"][..],
        &["score", "Als ich fortging, war die Straße steil. 🦀", "--json"],
        &["generate", "Once upon a time", "-n", "8", "--temp", "0.7", "--seed", "7", "--json"],
        &["generate", "It rains", "-n", "4", "--greedy", "--regex", "[a-z ]+", "--json"],
        &["expand", "The capital of", "--depth", "2", "--json"],
        &["probe", suite.to_str().unwrap(), "--json"],
    ] {
        let alone = lines(&[args, &here].concat());
        let spread = lines(&[args, &here, &["--rpc", &servers]].concat());
        SAME.all(&alone, &spread, args[0]);
        let provenance = &spread[0]["provenance"];
        assert_eq!(provenance["rpc"], serde_json::json!([one, other]), "{provenance}");
        assert_eq!(provenance["sha256"], alone[0]["provenance"]["sha256"]);
    }
    for (args, what) in [
        (&["lens", "a b", "--view", "logit"][..], "no --rpc"),
        (&["bench"], "leave out --rpc"),
        (&["score", "a b", "--stats", "--reference", "smollm2-135m"], "leave out --rpc"),
        (&["next", "a", "--off", "head 1:1"], "over RPC"),
        (&["score", "a b", "--by", "word"], "word boundaries"),
    ] {
        let output = run(&[args, &["--weights", "as-is", "--rpc", &servers]].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(what), "{args:?}: {said}");
    }
}

#[test]
fn a_conversation_outlives_a_lost_server_and_goes_on_when_it_is_back() {
    let (_first, one) = rpc_server();
    let port = free_port();
    let mut second = serve_at(port);
    let servers = format!("{one},127.0.0.1:{port}");
    let args = ["--weights", "as-is", "--seed", "1", "--no-save", "--rpc", &servers];
    let mut pty = Pty::start(120, 36, TOKENSCOPE, &args);
    pty.wait_for("ctx 0/");
    pty.type_text("Tell me a long story about a lighthouse.\r");
    pty.wait_for("step 3");
    second.0.kill().unwrap();
    second.0.wait().unwrap();
    pty.wait_for("lost the RPC server");
    pty.wait_until("the end of the reply", |screen| !screen.contains("^C stop"));
    let screen = pty.contents();
    assert!(screen.contains(&format!("127.0.0.1:{port}")) && screen.contains("a long story"), "{screen}");
    // The next message says that it is still gone, and is not lost.
    pty.type_text("What is the capital of France?\r");
    pty.wait_until("another line", |screen| screen.matches("nobody listens").count() >= 2);
    drop(second);
    let _again = serve_at(port);
    pty.type_text("And what is the capital of Italy?\r");
    pty.wait_until("a reply", |screen| screen.contains("Rome") && !screen.contains("^C stop"));
    assert!(pty.contents().contains("capital of France?"), "{}", pty.contents());
    pty.type_text("\x03\x03");
    assert_eq!(pty.exit_code(), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn the_engine_ends_with_its_parent_and_its_key_is_in_no_list_of_processes() {
    let (_server, address) = rpc_server();
    let args = ["repl", "--no-save", "--weights", "as-is", "--rpc", &address];
    let mut repl = Process(command(&args).stdin(Stdio::piped()).spawn().unwrap());
    let mut input = repl.0.stdin.take().unwrap();
    writeln!(input, "The capital of France is").unwrap();
    let mut output = std::io::BufReader::new(repl.0.stdout.take().unwrap());
    let mut seen = String::new();
    while !seen.contains("Paris") {
        assert!(std::io::BufRead::read_line(&mut output, &mut seen).unwrap() > 0, "{seen}");
    }
    let of = |id: &str, name: &str| std::fs::read_to_string(format!("/proc/{id}/{name}")).unwrap_or_default();
    let parent = format!("PPid:\t{}\n", repl.0.id());
    let ids = std::fs::read_dir("/proc").unwrap().flatten();
    let ids = ids.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let children: Vec<String> = ids.filter(|id| of(id, "status").contains(&parent)).collect();
    assert_eq!(children.len(), 1, "{children:?}");
    let line = of(&children[0], "cmdline").replace('\0', " ");
    assert!(line.trim_end().ends_with("__rpc-engine"), "{line}");
    repl.0.kill().unwrap();
    repl.0.wait().unwrap();
    let begun = Instant::now();
    while of(&children[0], "status").contains("Name:") && !of(&children[0], "status").contains("State:\tZ") {
        assert!(begun.elapsed() < Duration::from_secs(10), "the child lives on");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_server_that_can_not_be_used_is_one_line_before_anything_starts() {
    let nobody = format!("127.0.0.1:{}", free_port());
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let other_address = other.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut stream in other.incoming().flatten() {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let (_busy, address) = rpc_server();
    for (servers, what, code) in [
        (nobody.as_str(), "nobody listens there", 3),
        (&other_address, "RPC server", 3),
        (&format!("{address},{nobody}"), nobody.as_str(), 3),
        ("somewhere", "HOST:PORT", 2),
        (&format!("{address},{address}"), "named twice", 2),
        (&format!("{address},{}", address.replace("127.0.0.1", "localhost")), "named twice", 3),
    ] {
        let output = run(&["next", "a", "-q", "--rpc", servers]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.lines().count() == 1 && said.contains(what), "{said}");
        assert!(output.stdout.is_empty());
    }
    let both = run(&["next", "a", "-m", "http://127.0.0.1:1", "--rpc", &address]);
    assert_eq!(both.status.code(), Some(2), "{}", String::from_utf8_lossy(&both.stderr));
    let gone = run(&["serve", "--port", "0", "--rpc", &nobody]);
    assert_eq!(gone.status.code(), Some(3), "{}", String::from_utf8_lossy(&gone.stderr));
}

/// An RPC server that answers the questions of these numbers, and is silent after any other; what it hears then comes
/// from the channel.
fn answers_only(known: &'static [u8]) -> (String, Receiver<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, (heard, silent)) = (listener.local_addr().unwrap().to_string(), channel());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let heard = heard.clone();
            std::thread::spawn(move || answer(stream, known, &heard));
        }
    });
    (address, silent)
}

fn answer(mut stream: TcpStream, known: &[u8], heard: &Sender<u8>) {
    loop {
        let mut head = [0; 9];
        let whole = stream.read_exact(&mut head);
        let whole = whole.and_then(|()| stream.read_exact(&mut vec![0; usize::from(head[1])]));
        let (bytes, first): (u64, u8) = match head[0] {
            14 => (28, 7),
            15 => (4, 1),
            _ => (16, 0),
        };
        if whole.is_err() {
            return;
        }
        if !known.contains(&head[0]) {
            let _ = heard.send(head[0]);
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
            return;
        }
        let mut answer = bytes.to_le_bytes().to_vec();
        answer.push(first);
        answer.resize(8 + bytes as usize, 0);
        let _ = stream.write_all(&answer);
    }
}

#[test]
fn a_server_that_falls_silent_is_a_line_or_is_left_by_the_first_signal() {
    let begun = Instant::now();
    let (greets_only, unanswered) = answers_only(&[14]);
    let output = run(&["next", "a", "-q", "--rpc", &greets_only]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.lines().count() == 1 && said.contains("does not answer"), "{said}");
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
    assert_eq!(unanswered.try_recv(), Ok(15));
    let (takes_no_layers, untaken) = answers_only(&[14, 15, 11]);
    for (args, signal) in [
        (&["next", "a"][..], libc::SIGINT),
        (&["next", "a"], libc::SIGTERM),
        (&["serve", "--port", "0"], libc::SIGTERM),
    ] {
        // While it is greeted, and while it is to take layers, which is told where it takes long.
        for (silent, heard, told) in
            [(&greets_only, &unanswered, None), (&takes_no_layers, &untaken, Some("waiting for"))]
        {
            let args = [args, &["--weights", "as-is", "--rpc", silent]].concat();
            let mut process = Process(command(&args).stdout(Stdio::null()).spawn().unwrap());
            let mut errors = BufReader::new(process.0.stderr.take().unwrap());
            heard.recv_timeout(Duration::from_secs(60)).unwrap();
            let mut said = String::new();
            while told.is_some_and(|told| !said.contains(told)) {
                assert!(errors.read_line(&mut said).unwrap() > 0, "{args:?}: {said}");
            }
            assert!(told.is_none() || said.contains(silent), "{args:?}: {said}");
            let begun = Instant::now();
            // SAFETY: it has not been waited for, so that the number is still its own.
            assert_eq!(unsafe { libc::kill(process.0.id() as libc::pid_t, signal) }, 0);
            assert_eq!(process.0.wait().unwrap().code(), Some(130), "{args:?}: {said}");
            assert!(begun.elapsed() < Duration::from_secs(3), "{args:?}: {:?}", begun.elapsed());
            while heard.try_recv().is_ok() {}
        }
    }
}

#[test]
fn time_outs_are_for_servers_of_others() {
    let (_server, address) = rpc_server();
    let text = "The quick brown fox jumps over the lazy dog. ".repeat(60);
    lines(&["score", &text, "--json", "--weights", "as-is", "--timeouts", "1,0.1,0.1", "--rpc", &address]);
}

#[test]
fn a_serving_process_that_loses_its_rpc_server_says_so() {
    let (mut server, address) = rpc_server();
    let args = ["serve", "--port", "0", "-q", "--weights", "as-is", "--rpc", &address];
    let mut serving = Process(command(&args).spawn().unwrap());
    let mut errors = BufReader::new(serving.0.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("listening on") {
        line.clear();
        assert!(errors.read_line(&mut line).unwrap() > 0);
    }
    let at = line.split("http://").nth(1).unwrap().split(' ').next().unwrap().trim().to_string();
    server.0.kill().unwrap();
    server.0.wait().unwrap();
    let body = r#"{"prompt":"a","max_tokens":1}"#;
    let mut stream = TcpStream::connect(&at).unwrap();
    write!(
        stream,
        "POST /v1/completions HTTP/1.1\r\nHost: {at}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut said = String::new();
    errors.read_to_string(&mut said).unwrap();
    assert_eq!(serving.0.wait().unwrap().code(), Some(3), "{said}");
    assert!(said.contains(&format!("lost an RPC server ({address})")), "{said}");
    assert!(!said.contains("ggml-rpc") && !said.contains("damaged"), "{said}");
}
