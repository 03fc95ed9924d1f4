use super::server::{Behaviour, Server};
use super::*;

const SPEC: &str = "hf:owner/repo/a.gguf";

fn of(server: &Server) -> Fetcher {
    Fetcher { pips: Vec::new(), hub: Some(server.address.clone()) }
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
    let server = Server::start(Behaviour { redirects: true, ..Behaviour::serving(&model()) });
    assert_eq!(std::fs::read(home.pull(of(&server), SPEC).unwrap().path).unwrap(), model());
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
    let outcome = home.library(of(&server)).pull(&spec, &StopAt::new(Stage::Hashing, 1));
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
        assert!(!home.pull(Fetcher { pips: vec![], hub: None }, "hf:owner/repo").unwrap().fresh);
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
