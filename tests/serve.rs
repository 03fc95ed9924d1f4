//! `tokenscope serve` with the real default model, asked over plain TCP as clients ask it.

#[path = "support/program.rs"]
mod program;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use program::{Process, command};
use serde_json::{Value, json};

/// The same in batches of another shape.
const TOLERANCE: f64 = 1e-4;

/// A server.
struct Server {
    child: Process,
    address: SocketAddr,
}

impl Server {
    fn start(args: &[&str]) -> Server {
        let mut child = command(&[&["serve", "--port", "0"], args].concat()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = lines.find(|line| line.as_ref().unwrap().contains("listening on")).unwrap().unwrap();
        let address = line.split("http://").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
        std::thread::spawn(move || lines.for_each(|_| {}));
        Server { child: Process(child), address }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        stream
    }

    /// Sends bytes and reads until the other end closes: status and body.
    fn raw(&self, bytes: &[u8]) -> (u16, String) {
        let mut stream = self.connect();
        stream.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer.split_once("\r\n\r\n").unwrap().1.to_string())
    }

    fn request(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> (u16, String) {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
            self.address,
            body.len()
        );
        let (status, text) = self.raw(&[head.as_bytes(), body].concat());
        let is_chunked =
            text.split_once("\r\n").is_some_and(|(n, _)| !n.is_empty() && u64::from_str_radix(n, 16).is_ok());
        (status, if is_chunked { dechunked(&text) } else { text })
    }

    fn get(&self, path: &str) -> Value {
        let (status, body) = self.request("GET", path, "", b"");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    fn post(&self, path: &str, body: Value) -> Value {
        let (status, text) = self.request("POST", path, "", body.to_string().as_bytes());
        assert_eq!(status, 200, "{body}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    fn refused(&self, path: &str, body: &[u8]) -> (u16, Value) {
        let (status, text) = self.request("POST", path, "", body);
        let json: Value = serde_json::from_str(&text).unwrap();
        let message = json["error"]["message"].as_str().unwrap();
        assert!(!message.is_empty() && message.len() < 1100 && json["error"]["type"].is_string(), "{json}");
        (status, json)
    }

    fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.0.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

fn dechunked(mut text: &str) -> String {
    let mut whole = String::new();
    while let Some((length, rest)) = text.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap_or(0);
        whole.push_str(&rest[..length]);
        text = rest[length..].trim_start_matches("\r\n");
    }
    whole
}

/// The chunks of a stream, without the last word.
fn chunks(text: &str) -> Vec<Value> {
    let mut data: Vec<&str> = text.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).collect();
    assert_eq!(data.pop(), Some("[DONE]"), "{text}");
    data.into_iter().map(|chunk| serde_json::from_str(chunk).unwrap()).collect()
}

fn cli(args: &[&str], input: &str) -> Value {
    let mut child = command(&[args, &["-q", "--json"]].concat()).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&String::from_utf8(output.stdout).unwrap()).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("{value} is no list"))
}

fn assert_near(a: f64, b: f64, what: &str) {
    assert!((a - b).abs() <= TOLERANCE, "{what}: {a} and {b}");
}

#[test]
fn texts_that_are_sent_have_the_figures_of_score_in_every_form_and_company() {
    let server = Server::start(&[]);
    let texts = ["The capital of France is Paris.", "The capital of France is Rome.", "Numbers: 1, 2, 3"];
    let tokenized: Vec<Value> = texts
        .iter()
        .map(|text| {
            server.post("/tokenize", json!({"prompt": text, "add_special_tokens": false}))["tokens"].clone()
        })
        .collect();
    let asked = |prompt: Value| json!({"model": "smollm2-135m", "prompt": prompt, "temperature": 0, "max_tokens": 1, "logprobs": 1, "seed": 1234, "echo": true});
    let answers: Vec<Value> = std::thread::scope(|scope| {
        let bodies = [json!(texts), json!(tokenized), json!(texts[0]), tokenized[0].clone()];
        let asking: Vec<_> = bodies
            .into_iter()
            .map(|prompt| scope.spawn(|| server.post("/v1/completions", asked(prompt))))
            .collect();
        asking.into_iter().map(|asking| asking.join().unwrap()).collect()
    });
    for answer in &answers {
        for (i, choice) in list(&answer["choices"]).iter().enumerate() {
            let logprobs = &choice["logprobs"];
            let n = list(&tokenized[i]).len();
            assert_eq!(choice["index"], i);
            for name in ["tokens", "token_logprobs", "top_logprobs", "text_offset", "content"] {
                assert_eq!(list(&logprobs[name]).len(), n + 1, "{name}");
            }
            let score = cli(&["score", texts[i]], "");
            let own = list(&logprobs["token_logprobs"]);
            assert!(own[0].is_null() && logprobs["top_logprobs"][0].is_null());
            for (at, step) in list(&score["tokens"]).iter().enumerate().skip(1) {
                assert_near(number(&own[at]), number(&step["logprob"]), "ln p");
                // As the harness decides whether a continuation is greedy.
                let top = logprobs["top_logprobs"][at].as_object().unwrap();
                let best = top.values().map(number).fold(f64::MIN, f64::max);
                assert_eq!(number(&own[at]) == best, step["rank"] == 1);
                let record = &logprobs["content"][at];
                assert_eq!((&record["id"], &record["rank"]), (&step["id"], &step["rank"]));
                assert_near(number(&record["entropy"]), number(&step["entropy"]), "entropy");
            }
            let text = choice["text"].as_str().unwrap();
            assert!(
                text.starts_with(texts[i])
                    && list(&logprobs["tokens"]).iter().map(|t| t.as_str().unwrap()).collect::<String>()
                        == text
            );
            let offset = logprobs["text_offset"][n].as_u64().unwrap() as usize;
            assert_eq!(offset, texts[i].chars().count());
        }
    }
}

#[test]
fn a_reply_is_that_of_generate_whole_in_a_stream_and_beside_others() {
    let server = Server::start(&["--parallel", "4"]);
    let ask =
        json!({"prompt": "The capital of France is", "temperature": 0, "max_tokens": 12, "logprobs": 3});
    let streamed = {
        let mut ask = ask.clone();
        ask["stream"] = json!(true);
        ask["stream_options"] = json!({"include_usage": true});
        ask
    };
    let (alone, beside) = (
        server.post("/v1/completions", ask.clone()),
        std::thread::scope(|scope| {
            let others: Vec<_> = (0..6)
                .map(|i| {
                    let other =
                        json!({"prompt": format!("Once upon a time {i}"), "seed": i, "max_tokens": 20});
                    scope.spawn(|| server.post("/v1/completions", other))
                })
                .collect();
            let answer = server.post("/v1/completions", ask.clone());
            others
                .into_iter()
                .for_each(|other| assert!(other.join().unwrap()["choices"][0]["text"].is_string()));
            answer
        }),
    );
    let output = command(&["generate", "The capital of France is", "-n", "12", "--greedy", "--json", "-q"])
        .output()
        .unwrap();
    let records: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (summary, steps) = records.split_last().unwrap();
    for answer in [&alone, &beside] {
        let choice = &answer["choices"][0];
        assert_eq!(choice["text"], summary["text"]);
        assert_eq!(choice["finish_reason"], summary["finish_reason"]);
        let content = list(&choice["logprobs"]["content"]);
        assert_eq!(content.len(), steps.len());
        for (mine, step) in content.iter().zip(steps) {
            assert_eq!(mine["id"], step["id"]);
            // Another kernel reads a conversation than many sequences.
            assert!((number(&mine["logprob"]) - number(&step["logprob"])).abs() < 0.05);
            assert_eq!(list(&mine["top_logprobs"]).len(), 3);
            assert_eq!(mine["final_prob"], 1.0);
        }
    }
    // The prompt lies in the cache now, which must change no bit.
    let (status, text) = server.request("POST", "/v1/completions", "", streamed.to_string().as_bytes());
    assert_eq!(status, 200);
    let chunks = chunks(&text);
    let (usage, chunks) = chunks.split_last().unwrap();
    assert_eq!(usage["usage"], alone["usage"]);
    let text: String = chunks.iter().map(|chunk| chunk["choices"][0]["text"].as_str().unwrap()).collect();
    assert_eq!(alone["choices"][0]["text"], text);
    let content: Vec<&Value> = chunks
        .iter()
        .filter(|chunk| !chunk["choices"][0]["logprobs"].is_null())
        .flat_map(|chunk| list(&chunk["choices"][0]["logprobs"]["content"]))
        .collect();
    assert_eq!(json!(content), alone["choices"][0]["logprobs"]["content"]);
    assert_eq!(chunks.last().unwrap()["choices"][0]["finish_reason"], "length");
}

#[test]
fn a_chat_has_its_figures_its_prompt_s_and_those_of_named_tokens() {
    let server = Server::start(&[]);
    let messages = json!([{"role": "user", "content": "What is the capital of France?"}]);
    let paris = server.post("/tokenize", json!({"content": " Paris"}))["tokens"][0].clone();
    let ask = json!({
        "model": "smollm2-135m", "messages": messages, "temperature": 0, "max_tokens": 20, "logprobs": true,
        "top_logprobs": 25, "prompt_logprobs": 2, "logprob_token_ids": [paris], "user": "me"
    });
    let answer = server.post("/v1/chat/completions", ask);
    let choice = &answer["choices"][0];
    assert_eq!(choice["message"]["role"], "assistant");
    assert!(choice["message"]["content"].as_str().unwrap().contains("Paris"), "{choice}");
    assert_eq!(choice["finish_reason"], "stop");
    for record in list(&choice["logprobs"]["content"]) {
        // The token itself and the one that was named, as vLLM has it.
        let top = list(&record["top_logprobs"]);
        let ids: Vec<&Value> = top.iter().map(|one| &one["id"]).collect();
        match record["id"] == paris {
            true => assert_eq!(ids, [&paris]),
            false => assert_eq!(ids, [&record["id"], &paris]),
        }
        assert_eq!(top[0]["logprob"], record["logprob"]);
    }
    // A bias moves what is chosen, and leaves the raw figures as they are.
    let biased = json!({
        "messages": messages, "max_tokens": 1, "logprobs": true, "top_logprobs": 3,
        "temperature": 1, "top_p": 1, "logit_bias": {paris.to_string(): 100}
    });
    let biased = &server.post("/v1/chat/completions", biased)["choices"][0]["logprobs"]["content"][0];
    let before = &choice["logprobs"]["content"][0]["top_logprobs"][1];
    assert_eq!((&biased["id"], &before["id"]), (&paris, &paris));
    assert_near(number(&biased["logprob"]), number(&before["logprob"]), "raw");
    assert!(number(&biased["final_prob"]) > 0.999 && number(&biased["logprob"]) < -1.0, "{biased}");
    let template = server.post("/apply-template", json!({"messages": messages}));
    let prompt = list(&answer["prompt_logprobs"]);
    assert_eq!(prompt.len(), list(&template["tokens"]).len());
    assert_eq!(answer["usage"]["prompt_tokens"], prompt.len());
    assert!(prompt[0].is_null());
    for (entry, id) in prompt.iter().zip(list(&template["tokens"])).skip(1) {
        assert!(entry[id.to_string()]["rank"].as_u64().unwrap() >= 1, "{entry}");
    }
}

#[test]
fn a_seed_repeats_a_reply_and_each_of_several_has_its_own() {
    let server = Server::start(&["--exact"]);
    let ask = |n: usize, seed: usize| {
        let messages = json!([{"role": "user", "content": "Say something."}]);
        json!({"messages": messages, "n": n, "seed": seed, "temperature": 1.5, "max_tokens": 8, "logprobs": true})
    };
    let [two, again, next] = std::thread::scope(|scope| {
        let asking = [ask(2, 5), ask(1, 5), ask(1, 6)]
            .map(|ask| scope.spawn(|| server.post("/v1/chat/completions", ask)));
        asking.map(|asking| asking.join().unwrap())
    });
    let choices = list(&two["choices"]);
    assert_eq!(choices.len(), 2);
    assert_ne!(choices[0]["message"], choices[1]["message"]);
    // Beside others, one is computed after the other here, and its bits are the same.
    assert_eq!(choices[0]["logprobs"], again["choices"][0]["logprobs"]);
    assert_eq!(choices[1]["logprobs"], next["choices"][0]["logprobs"]);
    assert_eq!(again["provenance"]["seed"], 5);
}

#[test]
fn a_stop_a_schema_and_the_best_of_several_are_what_they_say() {
    let server = Server::start(&[]);
    let stopped = server.post(
        "/v1/completions",
        json!({"prompt": "1, 2, 3, 4,", "temperature": 0, "max_tokens": 30, "stop": [" 7", "zzz"]}),
    );
    let choice = &stopped["choices"][0];
    assert_eq!((&choice["finish_reason"], &choice["stop_reason"]), (&json!("stop"), &json!(" 7")));
    assert!(
        !choice["text"].as_str().unwrap().contains('7') && choice["text"].as_str().unwrap().contains('6')
    );
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer", "minimum": 0, "maximum": 9}}, "required": ["n"], "additionalProperties": false});
    let held = server.post(
        "/v1/chat/completions",
        json!({
            "messages": [{"role": "user", "content": "A number?"}], "max_tokens": 40,
            "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
        }),
    );
    let text = held["choices"][0]["message"]["content"].as_str().unwrap();
    let object: Value = serde_json::from_str(text).unwrap();
    assert!(object["n"].as_u64().unwrap() <= 9);
    let best = server.post(
        "/v1/completions",
        json!({"prompt": "The", "n": 1, "best_of": 4, "seed": 3, "max_tokens": 5, "logprobs": 0}),
    );
    let all = server
        .post("/v1/completions", json!({"prompt": "The", "n": 4, "seed": 3, "max_tokens": 5, "logprobs": 0}));
    let mean = |choice: &Value| {
        let own = list(&choice["logprobs"]["token_logprobs"]);
        own.iter().map(number).sum::<f64>() / own.len() as f64
    };
    let most = list(&all["choices"]).iter().map(mean).fold(f64::MIN, f64::max);
    assert_near(mean(&best["choices"][0]), most, "mean ln p");
}

#[test]
fn choices_are_scored_as_on_the_command_line() {
    let server = Server::start(&[]);
    let answer = server.post(
        "/v1/score",
        json!({"prefix": "The capital of France is", "choices": [" Paris", " Rome", " the city of light"]}),
    );
    let args = [
        "score",
        "The capital of France is",
        "--choice",
        " Paris",
        "--choice",
        " Rome",
        "--choice",
        " the city of light",
    ];
    let score = cli(&args, "");
    assert_eq!(answer["best"], score["best"]);
    for (a, b) in list(&answer["choices"]).iter().zip(list(&score["choices"])) {
        for figure in ["sum_logprob", "logprob_per_char", "logprob_per_byte", "logprob_per_token", "pmi"] {
            assert_near(number(&a[figure]), number(&b[figure]), figure);
        }
        assert_eq!((&a["text"], &a["is_greedy"]), (&b["text"], &b["is_greedy"]));
    }
    assert_eq!(answer["provenance"]["sha256"], score["provenance"]["sha256"]);
}

#[test]
fn a_tokenizer_at_a_distance_is_the_model_s_own() {
    let server = Server::start(&[]);
    let info = server.get("/tokenizer_info");
    assert_eq!((&info["bos_token"], &info["eos_token"]), (&json!("<|im_start|>"), &json!("<|im_end|>")));
    assert!(info["chat_template"].as_str().unwrap().contains("im_start"));
    let text = "Zeile 1\n  \u{5317}\u{4EAC} 🙂<|im_end|>";
    let ids = server.post("/tokenize", json!({"prompt": text, "add_special_tokens": false}));
    assert_eq!(list(&ids["tokens"]).len(), ids["count"].as_u64().unwrap() as usize);
    assert_eq!(server.post("/detokenize", json!({"tokens": ids["tokens"]}))["prompt"], text);
    let plain =
        server.post("/tokenize", json!({"content": text, "parse_special": false, "with_pieces": true}));
    assert!(list(&plain["tokens"]).len() > list(&ids["tokens"]).len());
    let pieces: String = list(&plain["tokens"]).iter().map(|one| one["piece"].as_str().unwrap()).collect();
    assert!(pieces.starts_with("Zeile 1\n"));
    assert_eq!(server.get("/v1/models")["data"][0]["id"], "smollm2-135m");
    assert_eq!(server.get("/v1/models/smollm2-135m")["object"], "model");
    assert_eq!(server.get("/health")["status"], "ok");
}

#[test]
fn whatever_is_sent_is_answered_with_an_error_that_names_it_and_the_server_goes_on() {
    let server = Server::start(&["--ctx", "256"]);
    let long = "word ".repeat(400);
    let bad = |body: Value| server.refused("/v1/completions", body.to_string().as_bytes());
    for (body, status, param) in [
        (json!({}), 400, "prompt"),
        (json!({"prompt": 3}), 400, "prompt"),
        (json!({"prompt": []}), 400, "prompt"),
        (json!({"prompt": ""}), 400, "prompt"),
        (json!({"prompt": [1, "a"]}), 400, "prompt"),
        (json!({"prompt": [[1], [99_999_999]]}), 400, "prompt[1]"),
        (json!({"prompt": [-1]}), 400, "prompt"),
        (json!({"prompt": long}), 400, "prompt"),
        (json!({"prompt": "a", "max_tokens": 1_000_000_000_000_000_i64}), 400, "max_tokens"),
        (json!({"prompt": "a", "max_tokens": -1}), 400, "max_tokens"),
        (json!({"prompt": "a", "n": 1_000_000}), 400, "n"),
        (json!({"prompt": "a", "logprobs": 1_000_000}), 400, "logprobs"),
        (json!({"prompt": "a", "logprobs": -1, "max_tokens": 200}), 400, "logprobs"),
        (json!({"prompt": "a", "n": 2, "best_of": 1}), 400, "best_of"),
        (json!({"prompt": "a", "stop": {"a": 1}}), 400, "stop"),
        (json!({"prompt": "a", "temperture": 1}), 400, "temperture"),
        (json!({"prompt": "a", "model": "gpt-4o"}), 404, "model"),
        (json!({"prompt": "a", "stream": "yes"}), 400, "stream"),
        (json!({"prompt": "a", "echo": 1}), 400, "echo"),
    ] {
        let (got, error) = bad(body.clone());
        assert_eq!((got, &error["error"]["param"]), (status, &json!(param)), "{body}: {error}");
    }
    for body in [&b"{"[..], b"", b"\x00\xff", b"[]", b"<html>"] {
        assert_eq!(server.refused("/v1/completions", body).0, 400);
    }
    assert_eq!(server.refused("/v1/completions", "[".repeat(1 << 20).as_bytes()).0, 400);
    let large = server.raw(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 999999999999\r\n\r\n");
    assert_eq!(large.0, 413);
    for (path, body) in [
        ("/v1/chat/completions", json!({"messages": []})),
        ("/v1/chat/completions", json!({"messages": [{"role": "user"}, 3]})),
        (
            "/v1/chat/completions",
            json!({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}),
        ),
        ("/v1/chat/completions", json!({"messages": [{"role": "user", "content": "a"}], "top_logprobs": 3})),
        (
            "/v1/chat/completions",
            json!({"messages": [{"role": "user", "content": "a"}], "tools": [{"type": "function", "function": {"name": "f"}}]}),
        ),
        ("/v1/score", json!({"prefix": "a", "choices": []})),
        ("/v1/score", json!({"prefix": "a", "choices": [""]})),
        ("/tokenize", json!({"text": "a"})),
        ("/detokenize", json!({"tokens": ["a"]})),
        ("/apply-template", json!({"messages": "a"})),
    ] {
        assert_eq!(server.refused(path, body.to_string().as_bytes()).0, 400, "{path} {body}");
    }
    assert_eq!(server.refused("/v1/nothing", b"{}").0, 404);
    assert_eq!(server.request("GET", "/v1/completions", "", b"").0, 405);
    // A body that nobody reads ends the connection, and the answer says so.
    let mut kept = server.connect();
    kept.write_all(b"POST /v1/nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}").unwrap();
    let mut answer = String::new();
    kept.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 404") && answer.contains("\r\nconnection: close\r\n"), "{answer}");
    assert_eq!(server.raw(b"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n").0, 403);
    assert_eq!(server.request("POST", "/v1/completions", "Origin: http://evil.example\r\n", b"{}").0, 403);
    assert_eq!(
        server.request("GET", "/health", &format!("Origin: http://{}\r\n", server.address), b"").0,
        200
    );
    let metrics = server.request("GET", "/metrics", "", b"").1;
    assert!(
        metrics.contains("tokenscope_requests_total{route=\"/v1/completions\",status=\"400\"}"),
        "{metrics}"
    );
    assert!(
        server.post("/v1/completions", json!({"prompt": "a", "max_tokens": 2}))["choices"][0]["text"]
            .is_string()
    );
}

#[test]
fn clients_that_stand_about_or_leave_keep_nobody_waiting() {
    let server = Server::start(&["--parallel", "1"]);
    // Half a request each, and left open.
    let idle: Vec<TcpStream> = (0..200)
        .map(|_| {
            let mut stream = server.connect();
            stream
                .write_all(
                    b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",
                )
                .unwrap();
            stream
        })
        .collect();
    // A long reply whose reader leaves after its first words.
    for _ in 0..3 {
        let body = json!({"prompt": "Once upon a time", "max_tokens": 3000, "stream": true}).to_string();
        let mut stream = server.connect();
        write!(
            stream,
            "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut some = [0; 600];
        stream.read_exact(&mut some).unwrap();
    }
    let begun = Instant::now();
    let answer = server.post("/v1/completions", json!({"prompt": "The", "max_tokens": 3}));
    assert!(answer["choices"][0]["text"].is_string());
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    drop(idle);
    let before = server.resident();
    for i in 0..300 {
        let body = json!({"prompt": "The capital of France is Paris.", "echo": true, "logprobs": 1, "max_tokens": 1, "temperature": 0});
        match i % 5 {
            0 => assert_eq!(server.refused("/v1/completions", b"{\"prompt\":").0, 400),
            _ => assert!(server.post("/v1/completions", body)["choices"].is_array()),
        }
    }
    let grown = server.resident().saturating_sub(before);
    assert!(grown < 64 << 10, "memory grew by {grown} kB");
}

#[test]
fn without_a_key_only_this_machine_is_served_and_with_one_nobody_else() {
    let output = command(&["serve", "--host", "0.0.0.0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("--api-key-file") && said.lines().count() == 1, "{said}");
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    std::fs::write(&keys, "a-key-for-the-tests\n").unwrap();
    let server = Server::start(&["--api-key-file", keys.to_str().unwrap()]);
    let models = |headers: &str| server.request("GET", "/v1/models", headers, b"");
    assert_eq!(models("").0, 401);
    let (status, text) = models("Authorization: Bearer a-key-for-the-testz\r\n");
    assert!(status == 401 && !text.contains("a-key"), "{text}");
    assert_eq!(models("Authorization: Bearer a-key-for-the-tests\r\n").0, 200);
    assert_eq!(server.request("GET", "/health", "", b"").0, 200);
    assert_eq!(server.request("GET", "/metrics", "", b"").0, 401);
    assert!(!command_line(server.child.0.id()).contains("a-key-for"));
}

fn command_line(process: u32) -> String {
    std::fs::read_to_string(Path::new("/proc").join(process.to_string()).join("cmdline")).unwrap()
}

#[test]
fn it_ends_when_it_is_told_to_and_lets_what_runs_come_to_its_end() {
    let mut server = Server::start(&[]);
    let body = json!({"prompt": "Once upon a time", "max_tokens": 20}).to_string();
    let mut stream = server.connect();
    write!(
        stream,
        "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    std::thread::sleep(Duration::from_millis(150));
    // SAFETY: it has not been waited for, so that the number is still its own.
    assert_eq!(unsafe { libc::kill(server.child.0.id() as libc::pid_t, libc::SIGTERM) }, 0);
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let begun = Instant::now();
    while server.child.0.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(12));
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(server.child.0.wait().unwrap().code(), Some(130));
}

#[test]
fn the_page_needs_nothing_else_and_runs_only_its_own_script() {
    let server = Server::start(&[]);
    let (status, page) = server.request("GET", "/", "", b"");
    assert_eq!(status, 200);
    assert!(
        page.contains("script-src 'sha256-")
            && page.contains("connect-src 'self'")
            && page.contains("smollm2-135m")
    );
    assert!(!page.contains("http://") && !page.contains("https://"), "nothing from elsewhere");
}
