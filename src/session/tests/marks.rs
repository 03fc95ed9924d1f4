use super::{Talk, paris};
use crate::archive::read;
use crate::session::calibration::of_saved;
use crate::session::judgement::Judgement;

/// What is marked, in short: scope, verdict, text and note.
fn marked(judgements: &[Judgement]) -> Vec<(String, bool, String, Option<String>)> {
    let short = |one: &Judgement| {
        let text = String::from_utf8(one.text()).unwrap();
        (format!("{:?}", one.scope), one.right, text, one.note.clone())
    };
    judgements.iter().map(short).collect()
}

fn all(talk: &Talk) -> Vec<(String, bool, String, Option<String>)> {
    marked(&talk.session.judgements())
}

fn one(scope: &str, right: bool, text: &str, note: &str) -> (String, bool, String, Option<String>) {
    let note = (!note.is_empty()).then(|| note.to_string());
    (scope.to_string(), right, text.to_string(), note)
}

#[test]
fn tokens_spans_and_replies_are_marked_marked_again_and_unmarked() {
    let mut talk = Talk::new(vec![paris()]);
    assert!(talk.line("/mark right").unwrap_err().contains("no reply"));
    talk.line("hi").unwrap();
    let said = talk.line("/mark right @3 it is").unwrap();
    assert_eq!(said, "✓ the token «␣Paris» is marked right: it is");
    talk.line("/mark wrong @1-2").unwrap();
    talk.line("/mark right reply").unwrap();
    let reply = one("Reply", true, "The capital Paris", "");
    let token = one("Token", true, " Paris", "it is");
    assert_eq!(all(&talk), [one("Span", false, "The capital", ""), reply.clone(), token.clone()]);
    talk.line("/mark wrong @3").unwrap();
    assert_eq!(all(&talk)[2], one("Token", false, " Paris", ""));
    talk.line("/mark undo").unwrap();
    assert_eq!(all(&talk)[2], token, "what was said before the last mark");
    talk.line("/mark none @1-2").unwrap();
    assert_eq!(all(&talk), [reply, token]);
    assert!(talk.line("/mark none @1").unwrap_err().contains("nothing is marked there"));
    for _ in 0..4 {
        talk.line("/mark undo").unwrap();
    }
    assert!(all(&talk).is_empty());
    assert!(talk.line("/mark undo").unwrap_err().contains("nothing is marked there"));
    assert!(talk.line("/mark right @9").unwrap_err().contains("there is no token 9"));
}

#[test]
fn a_mark_is_of_its_branch_and_shows_at_its_tokens() {
    let mut talk = Talk::new(vec![paris(), vec![(" is", 0.5), ("<|im_end|>", 0.5)]]);
    talk.line("hi").unwrap();
    let start = talk.session.sequence().reply_start();
    talk.line("/mark wrong @2").unwrap();
    talk.line("/mark right reply").unwrap();
    let right_at = |talk: &Talk, at| talk.session.verdict_at(at).and_then(|judged| judged.right);
    assert_eq!(right_at(&talk, start), Some(true), "of the reply");
    assert_eq!(right_at(&talk, start + 1), Some(false), "the shortest says more");
    assert_eq!(right_at(&talk, start - 1), None);
    let tokens = talk.session.turns()[1].tokens().unwrap();
    assert_eq!(talk.session.verdict_of(&tokens), Some(true));
    talk.line("/force @2  is").unwrap();
    assert_eq!(right_at(&talk, start + 1), None, "another token stands there now");
    assert_eq!(all(&talk).len(), 2, "and what was said of the other branch stays");
}

#[test]
fn marks_are_in_files_and_come_back_with_their_figures() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).display().to_string();
    let mut talk = Talk::new(vec![paris()]);
    talk.line("hi").unwrap();
    talk.line("/mark right @3 it is").unwrap();
    talk.line("/mark wrong reply").unwrap();
    talk.line(&format!("/save {}", at("x.jsonl"))).unwrap();
    let saved = read::read(&dir.path().join("x.jsonl")).unwrap().saved;
    let found = of_saved(&saved);
    assert_eq!(marked(&found), all(&talk));
    let token = found.iter().find(|one| one.tokens.len() == 1).unwrap();
    let prob = token.prob().unwrap();
    assert!((prob.raw - 0.8).abs() < 1e-6 && (prob.after.unwrap() - 0.8).abs() < 1e-6 && prob.right);
    assert_eq!((token.asked.before.as_slice(), token.asked.is_text), (&b"The capital"[..], true));
    let reply = found.iter().find(|one| one.tokens.len() > 1).unwrap();
    assert!((reply.sum_logprob().unwrap() - (0.9f64 * 0.4 * 0.8).ln()).abs() < 1e-5);
    assert_eq!(reply.weakest().unwrap().0.bytes, b" capital");
    let mut other = Talk::new(vec![]);
    other.line(&format!("/load {}", at("x.jsonl"))).unwrap();
    assert_eq!(all(&other), all(&talk));
}

#[test]
fn exports_have_the_marks_and_every_branch() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).display().to_string();
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
    let mut talk = Talk::new(vec![paris(), vec![("北", 0.5), ("<|im_end|>", 0.5)]]);
    talk.line("{{ hi }}").unwrap();
    talk.line("/mark right @3 it is").unwrap();
    talk.line("/mark wrong reply").unwrap();
    talk.line("/retry").unwrap();
    talk.line("/branch 1").unwrap();
    for name in ["x.json", "x.jsonl", "x.csv", "x.md", "x.html", "x.toml"] {
        talk.line(&format!("/export {}", at(name))).unwrap();
    }
    let json: serde_json::Value = serde_json::from_str(&read("x.json")).unwrap();
    assert_eq!(json["verdicts"].as_array().unwrap().len(), 2);
    let token = json["verdicts"].as_array().unwrap().iter().find(|one| one["scope"] == "token").unwrap();
    assert_eq!(
        (&token["right"], &token["note"], &token["text"]),
        (&true.into(), &"it is".into(), &" Paris".into())
    );
    let replies: Vec<&str> = json["branches"]
        .as_array()
        .unwrap()
        .iter()
        .map(|branch| branch["messages"][1]["content"].as_str().unwrap())
        .collect();
    assert_eq!(replies, ["The capital Paris", "北"]);
    assert_eq!(json["nodes"].as_array().unwrap().len(), talk.session.branches().tree().len());
    assert_eq!(json["nodes"][0]["parent"], serde_json::Value::Null);

    let rows: Vec<serde_json::Value> =
        read("x.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let verdicts: Vec<&str> = rows.iter().filter_map(|row| row["verdict"].as_str()).collect();
    assert_eq!(verdicts, ["reply wrong", "reply wrong", "right"]);
    let mut csv = csv::Reader::from_path(at("x.csv")).unwrap();
    let column = csv.headers().unwrap().iter().position(|name| name == "verdict").unwrap();
    let cells: Vec<String> = csv.records().map(|row| row.unwrap()[column].to_string()).collect();
    assert!(cells.contains(&"right".to_string()) && cells.contains(&"NA".to_string()), "{cells:?}");
    assert!(read("x.md").contains("- token marked right: “Paris”: it is"), "{}", read("x.md"));
    let html = read("x.html");
    assert!(
        html.contains("What was marked") && html.contains("Every way it has gone") && html.contains("北")
    );
    assert!(html.contains("marked: right – it is"), "{html}");

    let suite: toml::Value = toml::from_str(&read("x.toml")).unwrap();
    let probes = suite["probe"].as_array().unwrap();
    let probe = probes.iter().find(|probe| probe["id"].as_str().unwrap().starts_with("token-right")).unwrap();
    assert_eq!(probe["choices"][0].as_str(), Some("The capital Paris"));
    assert!(probe["choices"][1].as_str().unwrap().starts_with("The capital"));
    assert_eq!(probe["expect"][0].as_str(), Some("best() == 0"));
    assert_eq!(
        probe["messages"][0]["content"].as_str(),
        Some("{{ '{' }}{ hi }}"),
        "a template that gives the text"
    );
}

#[test]
fn a_reply_a_table_and_a_command_are_copied() {
    let mut talk = Talk::new(vec![paris()]);
    assert!(talk.session.copy_text("reply").is_err());
    talk.line("it's {{ 1 }}").unwrap();
    assert_eq!(talk.session.copy_text("").unwrap(), "The capital Paris");
    let table = talk.session.copy_text("table").unwrap();
    assert!(table.starts_with("rank\ttoken\tid\tlogprob") && table.lines().count() > 2, "{table}");
    let command = talk.session.copy_text("command").unwrap();
    assert!(command.starts_with("printf %s '<|im_start|>user\nit'\\''s {{ 1 }}<|im_end|>\n"), "{command}");
    assert!(command.contains("| tokenscope generate - --special --bos never -m "), "{command}");
    assert!(command.contains(" -n 4 --seed 10"), "{command}");
}
