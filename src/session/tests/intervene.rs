//! What is off in a conversation, since when, and that it is told.

use super::{Talk, paris, seen};
use crate::ask::Question;

fn off(talk: &Talk) -> Option<String> {
    talk.session.in_force().map(|told| told.to_string())
}

/// ln p of the reply's tokens.
fn reply(talk: &Talk) -> Vec<Option<f32>> {
    talk.session.turns().last().unwrap().reply.as_ref().unwrap().logprobs.clone()
}

#[test]
fn what_is_off_from_here_leaves_what_was_computed_as_it_was() {
    let mut talk = Talk::new(vec![paris(), paris()]);
    talk.line("hi").unwrap();
    let before: Vec<_> = talk.session.sequence().tokens().cloned().collect();
    let said = talk.line("/off head 1:1").unwrap();
    assert!(
        said.starts_with("off head 1:1 from the next token on\nwhat was computed before stays"),
        "{said}"
    );
    assert!(talk.session.sequence().in_force().spans().is_empty(), "nothing is computed under it yet");
    talk.line("more").unwrap();
    let first = before.len();
    assert_eq!(off(&talk).unwrap(), format!("off head 1:1 since token {} (from here)", first + 1));
    let of = |index: usize| talk.session.sequence().step(index).unwrap().logprob();
    for (i, token) in before.iter().enumerate() {
        assert_eq!(of(i), token.step.as_ref().unwrap().logprob(), "{i}");
    }
    assert_eq!(of(first), Some(0.3f32.ln()));
    assert_eq!(reply(&talk)[0], Some((0.9f32 / 2.0).ln()));
}

#[test]
fn a_reply_asked_for_again_changes_from_its_first_token_on_and_comes_back() {
    let mut talk = Talk::new(vec![paris(), paris(), paris()]);
    talk.line("hi").unwrap();
    let plain = seen(&talk.session);
    let start = talk.session.sequence().reply_start();
    talk.line("/off layer 2").unwrap();
    talk.line("/retry").unwrap();
    assert_eq!(off(&talk).unwrap(), format!("off layer 2 since token {} (from here)", start + 1));
    assert_eq!(reply(&talk)[0], Some((0.9f32 / 2.0).ln()));
    assert_eq!(talk.session.sequence().step(start - 1).unwrap().logprob(), Some(0.6f32.ln()));
    talk.line("/on").unwrap();
    talk.line("/set seed 10").unwrap();
    talk.line("/retry").unwrap();
    assert_eq!((seen(&talk.session), off(&talk)), (plain, None));
}

#[test]
fn from_the_start_everything_is_computed_anew() {
    let mut talk = Talk::new(vec![paris(), paris(), paris(), paris()]);
    talk.line("hi").unwrap();
    let said = talk.line("/off ffn 0 from start").unwrap();
    assert!(said.starts_with("off ffn 0 from the start (next reply)\nwhat was said is"), "{said}");
    talk.line("more").unwrap();
    assert_eq!(off(&talk).unwrap(), "off ffn 0 (from the start)");
    let at = |talk: &Talk, index: usize| talk.session.sequence().step(index).unwrap().logprob();
    assert_eq!(at(&talk, 1), Some(0.3f32.ln()));
    // One from the start, and another one from there on.
    talk.line("/off layer 1 from start").unwrap();
    talk.line("/off head 2:0").unwrap();
    let told = off(&talk).unwrap();
    let both = "off ffn 0, layer 1 from the start, off head 2:0, ffn 0, layer 1 from the next token on";
    assert_eq!(told, both);
    let length = talk.session.sequence().len();
    talk.line("again").unwrap();
    let spans = talk.session.sequence().in_force().spans().to_vec();
    let spans: Vec<_> = spans.iter().map(|(from, these)| (*from, these.to_string())).collect();
    assert_eq!(spans, [(0, "ffn 0, layer 1".into()), (length - 1, "head 2:0, ffn 0, layer 1".into())]);
    talk.line("/on from start").unwrap();
    assert_eq!(off(&talk).unwrap(), "all on from the start (next reply)");
    talk.line("/retry").unwrap();
    assert_eq!((off(&talk), at(&talk, 1)), (None, Some(0.6f32.ln())));
    // What is so already needs nothing computed.
    talk.line("/on from start").unwrap();
    assert_eq!(off(&talk), None);
}

#[test]
fn a_prompt_that_can_not_be_made_changes_nothing_of_what_is_in_force() {
    let mut talk = Talk::new(vec![paris(), paris()]);
    talk.line("hi").unwrap();
    talk.line("/off layer 1 from start").unwrap();
    talk.line(&"word ".repeat(200)).unwrap_err();
    assert_eq!(off(&talk).unwrap(), "off layer 1 from the start (next reply)");
    talk.line("/clear").unwrap();
    assert_eq!(off(&talk).unwrap(), "off layer 1 (from the start)");
    talk.line("hi").unwrap();
    assert_eq!(off(&talk).unwrap(), "off layer 1 (from the start)");
}

#[test]
fn what_the_model_has_not_is_refused_at_once() {
    let mut talk = Talk::new(vec![]);
    let refused = |line: &str, what: &str, talk: &mut Talk| {
        let error = talk.line(line).unwrap_err();
        assert!(error.contains(what) && error.lines().count() == 1, "{line}: {error}");
        assert_eq!(off(talk), None);
    };
    refused("/off layer 3", "layer 3: the model has the layers 0 to 2", &mut talk);
    refused("/off head 0:2", "head 0:2: the model has the heads 0 to 1", &mut talk);
    refused("/on head 0:1", "head 0:1 is on; nothing is off", &mut talk);
    refused("/steer /no/such.gguf:1", "/no/such.gguf: no such file", &mut talk);
    assert_eq!(talk.line("/off").unwrap(), "nothing is off, nothing is added");
}

#[test]
fn an_edge_is_cut_from_the_start_only() {
    let mut talk = Talk::new(vec![paris(), paris()]);
    talk.line("hi").unwrap();
    assert!(talk.line("/off edge 4:3 from start").unwrap_err().contains("comes behind it"));
    assert!(talk.line("/off edge 3:4:9 from start").unwrap_err().contains("the model has the layers 0 to 2"));
    assert_eq!(off(&talk), None);
    let said = talk.line("/off edge 3:4:1").unwrap();
    assert!(
        said.starts_with("off edge 3:4:1 from the start (next reply)\nwhat was said is computed anew"),
        "{said}"
    );
    talk.line("more").unwrap();
    assert_eq!(off(&talk).unwrap(), "off edge 3:4:1 (from the start)");
    // Where nothing is computed yet, the start is here.
    talk.line("/clear").unwrap();
    talk.line("/off edge 1:2").unwrap();
    assert_eq!(off(&talk).unwrap(), "off edge 1:2, edge 3:4:1 (from the start)");
}

/// A vector for the scripted engine in a file of this folder.
fn vector(folder: &std::path::Path) -> String {
    let directions = std::collections::BTreeMap::from([(1, std::sync::Arc::from([1.0, 0.0, 0.0, 2.0]))]);
    let vector = crate::intervention::SteeringVector { directions, architecture: Some("script".into()) };
    let path = folder.join("joy.gguf");
    crate::model::control::write(&vector, &mut std::fs::File::create(&path).unwrap()).unwrap();
    path.display().to_string()
}

#[test]
fn a_vector_is_read_once_it_is_named_and_its_dose_replaces_the_one_before() {
    let dir = tempfile::tempdir().unwrap();
    let file = vector(dir.path());
    let mut talk = Talk::new(vec![paris(), paris()]);
    talk.line(&format!("/steer {file}:0.5")).unwrap();
    assert_eq!(off(&talk).unwrap(), "steer joy.gguf:0.5 (from the start)");
    talk.line("hi").unwrap();
    assert_eq!(reply(&talk)[0], Some((0.9f32 / 2.0).ln()));
    talk.line(&format!("/steer {file}:1.5")).unwrap();
    assert_eq!(off(&talk).unwrap(), "steer joy.gguf:1.5 from the next token on");
    talk.line("/steer off").unwrap();
    assert_eq!(off(&talk).unwrap(), "all on from the next token on");
    talk.line("more").unwrap();
    assert!(off(&talk).unwrap().starts_with("all on again since token "), "{:?}", off(&talk));
}

#[test]
fn files_and_exports_say_what_was_off_at_which_token() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).display().to_string();
    let file = vector(dir.path());
    let mut talk = Talk::new(vec![paris(), paris(), paris()]);
    talk.line("hi").unwrap();
    let plain = talk.session.sequence().len();
    talk.line(&format!("/save {}", at("plain.json"))).unwrap();
    talk.line("/off head 1:1").unwrap();
    talk.line(&format!("/steer {file}:0.5")).unwrap();
    talk.line("more").unwrap();
    let told = off(&talk).unwrap();
    for name in ["x.jsonl", "x.csv", "x.md"] {
        talk.line(&format!("/export {}", at(name))).unwrap();
    }
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
    let both = serde_json::json!(["head 1:1", format!("steer {file}:0.5")]);
    for (i, line) in read("x.jsonl").lines().enumerate() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let expected = if i < plain { serde_json::json!([]) } else { both.clone() };
        assert_eq!(row["interventions"], expected, "{i}");
    }
    let mut csv = csv::Reader::from_path(at("x.csv")).unwrap();
    let column = csv.headers().unwrap().iter().position(|name| name == "interventions").unwrap();
    let cells: Vec<String> = csv.records().map(|row| row.unwrap()[column].to_string()).collect();
    assert_eq!((cells[plain - 1].as_str(), &cells[plain]), ("", &format!("head 1:1, steer {file}:0.5")));
    assert_eq!(read("x.md").matches("\n*off head 1:1, steer ").count(), 1, "{}", read("x.md"));

    talk.line(&format!("/save {}", at("off.json"))).unwrap();
    let named = ["plain.json", "off.json"].map(|name| read(name).contains("{\"type\":\"intervention\""));
    assert_eq!(named, [false, true]);
    let mut other = Talk::new(vec![paris()]);
    let said = other.line(&format!("/load {}", at("off.json"))).unwrap();
    assert!(said.ends_with(&format!("; {told}")), "{said}");
    assert_eq!((off(&other).unwrap(), seen(&other.session)), (told, seen(&talk.session)));
    other.line(&format!("/save {}", at("again.json"))).unwrap();
    // But for when that was.
    let lines = |name: &str| read(name).lines().skip(1).map(str::to_string).collect::<Vec<_>>();
    assert_eq!(lines("again.json"), lines("off.json"));
    // Another conversation brings its own.
    let said = other.line(&format!("/load! {}", at("plain.json"))).unwrap();
    assert!(said.contains("; it has nothing off: off head 1:1, steer "), "{said}");
    assert_eq!(off(&other), None);

    // A vector that is no more leaves the figures, and is said.
    std::fs::remove_file(&file).unwrap();
    let said = other.line(&format!("/load! {}", at("off.json"))).unwrap();
    assert!(said.contains("joy.gguf: no such file") && said.contains("computed without it"), "{said}");
    assert_eq!(off(&other).unwrap(), "off head 1:1 from the start (next reply)");
    other.line("on").unwrap();
    assert_eq!(off(&other).unwrap(), "off head 1:1 (from the start)");
}

#[test]
fn a_reply_is_rescored_under_what_it_was_written_under() {
    let mut talk = Talk::new(vec![paris(), paris()]);
    talk.line("hi").unwrap();
    talk.line("/off layer 1").unwrap();
    talk.line("more").unwrap();
    talk.line("/on").unwrap();
    talk.line("/rescore Where is Rome?").unwrap();
    let Some(Question::Rescore(asked)) = talk.asked.last() else { panic!("{:?}", talk.asked) };
    let in_force = talk.session.sequence().in_force();
    assert_eq!((&asked.in_force, asked.path.len()), (in_force, talk.session.sequence().reply_start()));
    assert_eq!(asked.in_force.at_the_end().to_string(), "layer 1");
}
