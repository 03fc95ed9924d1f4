//! Sessions as a person has them: saved by a chat on a pipe, listed, shown, exported, gone on with, removed. The
//! real binary and the real default model.

use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tokenscope::paths::Paths;

/// A home of its own, with the models and copies of the person who runs the tests.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Home {
        let home = tempfile::tempdir().unwrap();
        let paths = Paths::from_env().unwrap();
        std::fs::create_dir(home.path().join("data")).unwrap();
        symlink(paths.models(), home.path().join("data/models")).unwrap();
        symlink(&paths.cache, home.path().join("cache")).unwrap();
        Home(home)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, args: &[&str], input: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tokenscope"));
        command.args(args).env("TOKENSCOPE_HOME", self.0.path()).current_dir(self.0.path());
        command.env_remove("TOKENSCOPE_MODEL").env_remove("TOKENSCOPE_NO_SAVE");
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A program that refuses its arguments need not read what it is given.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    fn fine(&self, args: &[&str], input: &str) -> String {
        let output = self.run(args, input);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn refused(&self, args: &[&str], input: &str) -> String {
        let output = self.run(args, input);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stderr).unwrap()
    }

    fn sessions(&self) -> Vec<Value> {
        let list: Value = serde_json::from_str(&self.fine(&["sessions", "list", "--json"], "")).unwrap();
        list["sessions"].as_array().unwrap().clone()
    }
}

const CHAT: [&str; 6] = ["-q", "--greedy", "--system", "concise", "-n", "6"];

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn a_conversation_is_saved_by_itself_and_gone_on_with() {
    let home = Home::new();
    home.fine(&[&CHAT[..], &["--no-save"]].concat(), "Hi\n");
    assert!(!home.path("data/sessions").exists());
    assert!(home.fine(&["sessions", "list"], "").starts_with("no session yet"));
    home.fine(&CHAT, "What is the capital of France?\n");
    let all = home.sessions();
    assert_eq!(all.len(), 1);
    assert_eq!(all[0]["title"], "What is the capital of France?");
    assert_eq!((&all[0]["model"], &all[0]["messages"]), (&"smollm2-135m".into(), &2.into()));
    let path = PathBuf::from(all[0]["path"].as_str().unwrap());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let before = read(&path);
    let steps = before.lines().filter(|line| line.starts_with(r#"{"type":"step""#)).count();
    assert!(before.len() / steps <= 700, "{} bytes a step of a short session", before.len() / steps);

    // The reply is there without a model, and goes on with the session's own.
    let shown = home.fine(&["sessions", "show", "capital"], "");
    assert!(shown.contains("you     What is the capital of France?") && shown.contains("Σ "), "{shown}");
    home.fine(&[&CHAT[..], &["--resume", "france"]].concat(), "And of Italy?\n");
    let after = read(&path);
    assert!(after.starts_with(&before) && after.len() > before.len());
    let all = home.sessions();
    assert_eq!((all.len(), &all[0]["messages"]), (1, &4.into()));
    // The first exchange stands there once.
    let steps = |text: &str| text.lines().filter(|line| line.starts_with(r#"{"type":"step""#)).count();
    assert!(steps(&after) < 2 * steps(&before) + 30, "{} and {}", steps(&before), steps(&after));

    home.fine(&CHAT, "Name a colour.\n");
    let titles: Vec<_> = home.sessions().iter().map(|session| session["title"].clone()).collect();
    assert_eq!(titles, ["Name a colour.", "What is the capital of France?"]);
    assert!(home.refused(&["--resume", "zebra"], "").contains("no session is called"));
    let name = all[0]["name"].as_str().unwrap();
    assert!(home.refused(&["sessions", "rm", name], "").contains("--yes"));
    home.fine(&["sessions", "rm", name, "--yes"], "");
    assert_eq!(home.sessions().len(), 1);
}

#[test]
fn a_session_is_exported_in_every_form() {
    let home = Home::new();
    home.fine(&CHAT, "Say <b>hi</b>\n");
    let export = |format: &str| home.fine(&["sessions", "export", "--format", format, "-k", "3"], "");
    let json: Value = serde_json::from_str(&export("json")).unwrap();
    let reply = &json["choices"][0];
    let content = reply["logprobs"]["content"].as_array().unwrap();
    assert_eq!(content[0]["top_logprobs"].as_array().unwrap().len(), 3);
    let text: String = content.iter().map(|step| step["token"].as_str().unwrap()).collect();
    assert!(text.starts_with(reply["message"]["content"].as_str().unwrap()), "{reply}");
    assert_eq!(json["messages"][1]["content"], "Say <b>hi</b>");
    let page = export("html");
    assert!(page.contains("default-src 'none'") && page.contains("Say &lt;b&gt;hi"), "{page}");
    assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("<script"));
    assert!(export("markdown").starts_with("**you**\n\nSay <b>hi</b>"));
    assert!(export("csv").starts_with("turn,role,part,token,id,logprob"));
    assert!(export("jsonl").lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));

    // What was exported can be looked at, and an existing file stays.
    let file = home.path("talk.json").display().to_string();
    home.fine(&["sessions", "export", "-o", &file], "");
    let again = home.fine(&["sessions", "show", &file, "--json"], "");
    let again: Value = serde_json::from_str(&again).unwrap();
    let logprobs = |of: &Value| -> Vec<Value> {
        of["choices"][0]["logprobs"]["content"]
            .as_array()
            .unwrap()
            .iter()
            .map(|step| step["logprob"].clone())
            .collect()
    };
    assert_eq!(logprobs(&again), logprobs(&json));
    assert_eq!(again["choices"][0]["logprobs"]["content"][0]["entropy"], Value::Null);
    assert!(home.refused(&["sessions", "export", "-o", &file], "").contains("--force"));
    home.fine(&["sessions", "export", "-o", &file, "--force"], "");
    assert!(home.refused(&["sessions", "export", "-o", "talk.xyz"], "").contains(".html"));
    let refused = home.refused(&["-q", "--resume", &file], "more\n");
    assert!(refused.contains("read-only"), "{refused}");
}
