//! `-m http://…` with the real default model behind our own server, held against the same model here.

#[path = "support/alike.rs"]
mod alike;
#[path = "support/program.rs"]
mod program;

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use alike::{Alike, lines, run};
use program::{Process, command};
use serde_json::{Value, json};

/// With repeatable arithmetic and the same weights on both sides only JSON stands between them. (With 16-bit weights a
/// server's batches of another shape are another rounding, of 1e-4.)
const SAME: Alike = Alike { but: &["model", "provenance"], within: 1e-5 };
const HERE: [&str; 3] = ["--exact", "--weights", "as-is"];
const PROMPT: &str = "The capital of France is Paris. The capital of Italy is";

/// A server.
struct Server {
    child: Process,
    url: String,
}

impl Server {
    fn start(args: &[&str]) -> Server {
        let mut child = command(&[&["serve", "--port", "0"], &HERE[..], args].concat()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = lines.find(|line| line.as_ref().unwrap().contains("listening on")).unwrap().unwrap();
        let url = line.split("listening on ").nth(1).unwrap().split(' ').next().unwrap().to_string();
        std::thread::spawn(move || lines.for_each(|_| {}));
        Server { child: Process(child), url }
    }
}

fn both(server: &Server, args: &[&str]) {
    let here = lines(&[args, &HERE].concat());
    let there = lines(&[args, &["-m", &server.url]].concat());
    SAME.all(&here, &there, args[0]);
}

#[test]
fn another_tokenscope_says_what_it_is_and_gives_the_same_figures_as_the_model_here() {
    let server = Server::start(&[]);
    let info = lines(&["models", "info", "-m", &server.url, "--json"]).remove(0);
    assert!(info["server"].as_str().unwrap().starts_with("tokenscope "), "{info}");
    assert_eq!((&info["vocabulary"], &info["context"]), (&json!(49152), &json!(4096)));
    assert_eq!(
        info["gives"],
        json!({"candidates": null, "scores": true, "layers": false, "comparison": false})
    );
    let here = lines(&["models", "info", "--json"]).remove(0);
    assert_eq!(info["sha256"], here["sha256"]);

    both(&server, &["tokenize", "Ünïcode 🦀 <|im_end|> text", "--json"]);
    both(&server, &["next", PROMPT, "--token", " Rome", "--token", " a city", "-k", "7", "--json"]);
    both(&server, &["score", "Als ich fortging, war die Straße steil. 🦀", "--json"]);
    both(&server, &["score", "--prefix", PROMPT, "--choice", " Rome", "--choice", " Paris", "--json"]);
    both(&server, &["generate", PROMPT, "-n", "24", "--greedy", "--json"]);
    both(&server, &["generate", "It rains", "-n", "4", "--greedy", "--regex", "[a-z ]+", "--json"]);
    both(
        &server,
        &["generate", "Once", "-n", "12", "--temp", "0.7", "--top-p", "0.9", "--seed", "7", "--json"],
    );

    let named = format!("{}/v1#smollm2-135m", server.url);
    assert!(run(&["next", "a", "-m", &named]).status.success());
    let wrong = run(&["next", "a", "-m", &format!("{}#gpt", server.url)]);
    let said = String::from_utf8(wrong.stderr).unwrap();
    assert!(wrong.status.code() == Some(2) && said.contains("it serves no \"gpt\""), "{said}");
}

#[test]
fn probes_of_a_server_are_those_of_the_model_here_and_what_needs_its_inside_is_refused() {
    let server = Server::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let suite = folder.path().join("capitals.toml");
    let text = r#"
        [suite]
        name = "capitals"
        [[probe]]
        id = "{{ country }}"
        params = { country = ["France", "Italy", "Spain", "Japan"] }
        prompt = "The capital of {{ country }} is"
        choices = [" Paris", " Rome", " Madrid", " Tokyo"]
        answer = 0
        expect = ["p(' Paris') > 0", "rank(' Rome') >= 1", "entropy() > 0"]
    "#;
    std::fs::write(&suite, text).unwrap();
    both(&server, &["probe", suite.to_str().unwrap(), "--json"]);

    let refused = |args: &[&str], what: &str| {
        let output = run(&[args, &["-m", &server.url]].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(what), "{args:?}: {said}");
        assert!(!said.contains("panicked"), "{said}");
    };
    refused(&["lens", PROMPT, "--view", "logit"], "this engine can't be looked into");
    refused(&["next", PROMPT, "--off", "head 1:1"], "a server");
    refused(&["serve", "--port", "0"], "no other server's");
    refused(&["bench"], "server");
}

#[test]
fn a_chat_goes_on_at_a_server_and_a_server_that_is_gone_is_one_line() {
    let mut server = Server::start(&[]);
    let chat = |url: &[&str]| {
        let args = [&["chat", "--greedy", "-n", "12", "--json", "--no-save"], url].concat();
        let mut child = command(&args).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all("What is the capital of France?\nWhy?\n".as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        (text, String::from_utf8(output.stderr).unwrap(), output.status.code())
    };
    let (here, _, _) = chat(&HERE);
    let (there, said, code) = chat(&["-m", &server.url.clone()]);
    assert_eq!(code, Some(0), "{said}");
    let values =
        |text: &str| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>();
    let (here, there) = (values(&here), values(&there));
    SAME.all(&here, &there, "chat");

    let mut repl = command(&["repl", "-m", &server.url, "--no-save"]).stdin(Stdio::piped()).spawn().unwrap();
    let (mut input, mut output) = (repl.stdin.take().unwrap(), BufReader::new(repl.stdout.take().unwrap()));
    writeln!(input, "/next {PROMPT}").unwrap();
    let mut seen = String::new();
    while !seen.contains("Rome") {
        assert!(output.read_line(&mut seen).unwrap() > 0, "{seen}");
    }
    server.child.0.kill().unwrap();
    server.child.0.wait().unwrap();
    writeln!(input, "/next {PROMPT}").unwrap();
    drop(input);
    let end = repl.wait_with_output().unwrap();
    let said = String::from_utf8(end.stderr).unwrap();
    assert!(said.contains("nobody listens there") && !said.contains("panicked"), "{said}");

    let gone = run(&["next", "a", "-m", &server.url]);
    let said = String::from_utf8(gone.stderr).unwrap();
    assert!(gone.status.code() == Some(3) && said.contains(&server.url), "{said}");
    assert_eq!(run(&["next", "a", "-m", "http://host:0"]).status.code(), Some(2));
}

#[test]
fn a_key_opens_a_server_and_stands_nowhere_else() {
    const KEY: &str = "sk-0123456789abcdef0123";
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("keys");
    std::fs::write(&file, format!("{KEY}\n")).unwrap();
    let server = Server::start(&["--api-key-file", file.to_str().unwrap()]);
    let closed = run(&["next", "a", "-m", &server.url]);
    let said = String::from_utf8(closed.stderr).unwrap();
    assert!(closed.status.code() == Some(3) && said.contains("TOKENSCOPE_API_KEY"), "{said}");
    let wrong =
        command(&["next", "a", "-m", &server.url]).env("TOKENSCOPE_API_KEY", "sk-another-key-0000").output();
    let said = String::from_utf8(wrong.unwrap().stderr).unwrap();
    assert!(said.contains("does not take the key") && !said.contains("sk-another"), "{said}");
    let by_file = run(&["next", "a", "--json", "-m", &server.url, "--api-key-file", file.to_str().unwrap()]);
    assert!(by_file.status.success());
    let by_variable =
        command(&["next", "a", "--json", "-m", &server.url]).env("TOKENSCOPE_API_KEY", KEY).output();
    let by_variable = by_variable.unwrap();
    for output in [by_file, by_variable] {
        assert!(output.status.success());
        let all = [output.stdout, output.stderr].concat();
        assert!(!String::from_utf8_lossy(&all).contains(KEY));
    }
}
