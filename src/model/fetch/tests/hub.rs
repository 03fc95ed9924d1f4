use super::server::{Behaviour, Server};
use super::*;

const SPEC: &str = "hf:owner/repo/a.gguf";

fn of(server: &Server) -> Fetcher {
    Fetcher { pips: Vec::new(), hub: Some(server.address.clone()), ..quick() }
}

fn model() -> Vec<u8> {
    tiny_llama(1).bytes()
}

/// The complaint about a server that behaves like this.
fn complaint(spec: &str, change: impl FnOnce(&mut Behaviour)) -> String {
    let mut behaviour = Behaviour::serving(&model());
    change(&mut behaviour);
    let home = Home::new();
    let message = home.pull(of(&Server::start(behaviour)), spec).unwrap_err().to_string();
    assert!(home.files().iter().all(|name| name.starts_with(".partial/")), "{:?}", home.files());
    message
}

#[test]
fn a_file_is_fetched_once() {
    let home = Home::new();
    let server = Server::start(Behaviour::serving(&model()));
    let pulled = home.pull(of(&server), SPEC).unwrap();
    assert!(pulled.fresh);
    assert_eq!(std::fs::read(&pulled.path).unwrap(), model());
    assert_eq!(home.files(), ["hf/owner/repo/a.gguf", "hf/owner/repo/a.gguf.sha256"]);
    let asked = server.requests();
    assert_eq!(asked, ["/owner/repo/resolve/main/a.gguf bytes=0-0", "/owner/repo/resolve/main/a.gguf "]);
    assert!(!home.pull(of(&server), SPEC).unwrap().fresh);
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn redirections_are_followed() {
    let home = Home::new();
    let server = Server::start(Behaviour { redirects: Some(String::new()), ..Behaviour::serving(&model()) });
    assert_eq!(std::fs::read(home.pull(of(&server), SPEC).unwrap().path).unwrap(), model());
}

#[test]
fn a_token_never_leaves_for_another_address() {
    let token = || Some("secret".to_owned());
    // The same server under its own address, under another name, and another port of the same name.
    for (other_name, leaves) in [(None, false), (Some("localhost"), true), (Some("127.0.0.1"), true)] {
        let storage = Server::start(Behaviour::serving(&model()));
        let to = other_name.map(|name| storage.address.replace("127.0.0.1", name));
        let redirects = Some(to.unwrap_or_default());
        let server = Server::start(Behaviour { redirects, ..Behaviour::serving(&model()) });
        let home = Home::new();
        // Without a file's name the repository is asked for its files as well.
        home.pull(Fetcher { token: token(), ..of(&server) }, "hf:owner/repo").unwrap();
        let asked = server.seen();
        assert!(asked.len() >= 3 && asked.iter().all(|seen| seen.token.as_deref() == Some("Bearer secret")));
        let stored = storage.seen();
        assert_eq!(stored.len(), if leaves { 3 } else { 0 });
        assert!(stored.iter().all(|seen| seen.token.is_none()), "{stored:?}");
    }
}

#[test]
fn a_token_stays_away_from_a_way_back_too() {
    // From the hub to a storage and from there to a third one: nothing on the way has the token.
    let last = Server::start(Behaviour::serving(&model()));
    let redirects = Some(last.address.clone());
    let storage = Server::start(Behaviour { redirects, ..Behaviour::serving(&model()) });
    let redirects = Some(format!("{}/x", storage.address));
    let server = Server::start(Behaviour { redirects, ..Behaviour::serving(&model()) });
    let home = Home::new();
    let fetcher = Fetcher { token: Some("secret".to_owned()), ..of(&server) };
    let _ = home.pull(fetcher, SPEC);
    let beyond: Vec<_> = storage.seen().into_iter().chain(last.seen()).collect();
    assert!(beyond.len() >= 2 && beyond.iter().all(|seen| seen.token.is_none()), "{beyond:?}");
}

#[test]
fn what_a_server_may_take_is_bounded() {
    type Change = fn(&mut Behaviour);
    let cases: [(&str, Change, &str); 8] = [
        (SPEC, |server| server.redirects_for_ever = true, "it redirects more than 10 times"),
        ("hf:owner/repo", |server| server.redirects_for_ever = true, "it redirects more than 10 times"),
        (SPEC, |server| server.silent = true, "no connection (timeout"),
        (SPEC, |server| server.status = Some(503), "the server answers 503, 3 times"),
        (
            SPEC,
            |server| (server.status, server.retry_after) = (Some(429), "31536000"),
            "the server answers 429 and asks to come back in 365 days",
        ),
        (
            SPEC,
            |server| (server.status, server.retry_after) = (Some(503), "Fri, 01 Jan 2100 00:00:00 GMT"),
            "and asks to come back in",
        ),
        (SPEC, |server| server.endless = true, "more bytes arrive than were announced"),
        (SPEC, |server| server.trickle = Some(1), "the connection hangs"),
    ];
    for (spec, change, says) in cases {
        let begun = std::time::Instant::now();
        let message = complaint(spec, change);
        assert!(message.contains(says), "{says}: {message}");
        assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{says}");
    }
}

#[test]
fn a_server_that_recovers_is_asked_again() {
    let home = Home::new();
    let server = Server::start(Behaviour { fails_first: 2, ..Behaviour::serving(&model()) });
    assert!(home.pull(of(&server), "hf:owner/repo").unwrap().fresh);
}

#[test]
fn a_server_that_does_not_answer_can_be_left_at_once() {
    for change in [
        |server: &mut Behaviour| server.silent = true,
        |server: &mut Behaviour| {
            server.trickle = Some(1);
        },
    ] {
        let mut behaviour = Behaviour::serving(&model());
        change(&mut behaviour);
        let server = Server::start(behaviour);
        let fetcher = Fetcher { limits: HttpLimits::default(), ..of(&server) };
        let begun = std::time::Instant::now();
        let outcome = Home::new().library(fetcher).pull(&Spec::parse(SPEC).unwrap(), &StopAfter::new(300));
        assert_eq!(outcome.unwrap_err().exit_code(), 130);
        assert!(begun.elapsed() < std::time::Duration::from_secs(2));
    }
}

#[test]
fn what_does_not_fit_is_refused_before_it_arrives() {
    let home = Home::new();
    let server = Server::start(Behaviour { declares: Some(1 << 60), ..Behaviour::serving(&model()) });
    let message = home.pull(of(&server), SPEC).unwrap_err().to_string();
    assert!(message.contains("are free on the disk"), "{message}");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn broken_connections_are_resumed() {
    let home = Home::new();
    let server = Server::start(Behaviour { break_after: Some(100_000), ..Behaviour::serving(&model()) });
    let pulled = home.pull(of(&server), SPEC).unwrap();
    assert_eq!(std::fs::read(&pulled.path).unwrap(), model());
    let asked = server.requests();
    assert!(asked.iter().any(|request| request.ends_with(" bytes=100000-")), "{asked:?}");
    assert!(asked.len() >= 3, "{asked:?}");
}

#[test]
fn an_interrupted_download_goes_on_later() {
    let home = Home::new();
    let partial = home.folder.path().join("home/data/models/.partial");
    std::fs::create_dir_all(&partial).unwrap();
    std::fs::write(partial.join(sha256(&model())), &model()[..50_000]).unwrap();
    let server = Server::start(Behaviour::serving(&model()));
    let pulled = home.pull(of(&server), SPEC).unwrap();
    assert_eq!(std::fs::read(&pulled.path).unwrap(), model());
    assert_eq!(server.requests()[1], "/owner/repo/resolve/main/a.gguf bytes=50000-");
    assert_eq!(home.files(), ["hf/owner/repo/a.gguf", "hf/owner/repo/a.gguf.sha256"]);
}

#[test]
fn a_server_that_sends_the_whole_instead_is_believed() {
    let home = Home::new();
    let partial = home.folder.path().join("home/data/models/.partial");
    std::fs::create_dir_all(&partial).unwrap();
    std::fs::write(partial.join(sha256(&model())), &model()[..50_000]).unwrap();
    let server = Server::start(Behaviour { ignores_range: true, ..Behaviour::serving(&model()) });
    assert_eq!(std::fs::read(home.pull(of(&server), SPEC).unwrap().path).unwrap(), model());
}

#[test]
fn stopping_keeps_what_has_arrived() {
    let home = Home::new();
    let server = Server::start(Behaviour::serving(&model()));
    let spec = Spec::parse(SPEC).unwrap();
    let outcome = home.library(of(&server)).pull(&spec, &StopAt::new(ModelStage::Hashing, 1));
    assert_eq!(outcome.unwrap_err().exit_code(), 130);
    assert_eq!(home.files(), [format!(".partial/{}", sha256(&model()))]);
    // All of it is here: only the address is asked again.
    let before = server.requests().len();
    assert!(home.pull(of(&server), SPEC).unwrap().fresh);
    assert_eq!(server.requests().len(), before + 1);
}

#[test]
fn other_bytes_than_promised_are_refused_and_forgotten() {
    let home = Home::new();
    let server = Server::start(Behaviour { etag: "5".repeat(64), ..Behaviour::serving(&model()) });
    let message = home.pull(of(&server), SPEC).unwrap_err().to_string();
    assert!(message.contains("another checksum than the repository names"), "{message}");
    assert_eq!(home.files(), [""; 0]);
}

#[test]
fn the_file_may_be_left_open() {
    for names in [vec!["README.md", "a.gguf"], vec!["x.Q8_0.gguf", "x.q4_k_m.gguf", "y.gguf"]] {
        let home = Home::new();
        let server = Server::start(Behaviour { names, ..Behaviour::serving(&model()) });
        let pulled = home.pull(of(&server), "hf:owner/repo").unwrap();
        assert!(pulled.path.ends_with("hf/owner/repo/a.gguf") || pulled.path.ends_with("x.q4_k_m.gguf"));
        // Once it is here, the repository need not be asked which it was.
        assert!(!home.pull(Fetcher { pips: vec![], hub: None, ..quick() }, "hf:owner/repo").unwrap().fresh);
    }
    let message = complaint("hf:owner/repo", |server| server.names = vec!["a.gguf", "b.gguf"]);
    assert!(message.contains("owner/repo holds several files, name one: a.gguf, b.gguf"), "{message}");
    let message = complaint("hf:owner/repo", |server| server.names = vec!["a.bin", "../../x.gguf"]);
    assert!(message.contains("owner/repo holds no .gguf file"), "{message}");
}

#[test]
fn refusals_are_put_in_words() {
    for (status, part) in [
        (404, "owner/repo has no a.gguf"),
        (401, "owner/repo is not open to you; accept its terms there and set HF_TOKEN"),
        (403, "owner/repo is not open to you"),
        (500, "500"),
    ] {
        let message = complaint(SPEC, |server| server.status = Some(status));
        assert!(message.contains(part), "{part}: {message}");
    }
    let message = complaint(SPEC, |server| server.break_after = Some(0));
    assert!(message.contains("the connection"), "{message}");
}
