use super::super::testing::{HOSTILE, assert_harmless, rung, written};
use super::*;
use crate::probe::outcome::SuiteOutcome;
use crate::report::target::ReportKind;

fn runs() -> Vec<RunOutcome> {
    let run = |model: &str, parameters, easier: f64| {
        let items = (1..=3).map(|n| rung(n, 0.9 - n as f64 / 5.0 + easier)).collect();
        let suite = SuiteOutcome { name: "gaps".to_string(), items, ..SuiteOutcome::default() };
        RunOutcome { model: model.to_string(), parameters, suites: vec![suite], ..RunOutcome::default() }
    };
    vec![run("small", Some(134_515_008), 0.0), run("large", Some(8_030_261_248), 0.3), run("far", None, 0.0)]
}

#[test]
fn a_line_a_model_with_its_size_and_what_difficulty_is() {
    let mut text = Vec::new();
    scale::ladders(&runs()).iter().try_for_each(|ladder| write(&mut text, ladder)).unwrap();
    let text = String::from_utf8(text).unwrap();
    let words: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0], ["gaps"]);
    assert_eq!(words[1].join(" "), "difficulty: n, the number in the items' ids");
    assert_eq!(words[2], ["1", "2", "3", "all"]);
    assert_eq!(words[3], ["items", "1", "1", "1", "3"]);
    let small = "small · 135 M ██▁ 100.0 % 100.0 % 0.0 % 66.7 %";
    assert_eq!((words[4].join(" ").as_str(), words[5][3]), (small, "21–94"));
    assert_eq!(words[6].join(" "), "large · 8.03 B ███ 100.0 % 100.0 % 100.0 % 100.0 %");
    assert!(words[8].starts_with(&["far", "·", "size", "unknown"]), "{text}");
    // Columns stand below one another.
    let end = |line: usize| text.lines().nth(line).unwrap().chars().count();
    assert!([3, 4, 5, 6, 7].into_iter().all(|line| end(line) == end(2)), "{text}");
}

#[test]
fn a_record_has_every_figure() {
    let ladders = scale::ladders(&runs());
    let json = serde_json::to_value(LadderRecord::new(&ladders[0])).unwrap();
    assert_eq!(json["difficulty"], serde_json::json!({"kind": "parameter", "parameter": "n"}));
    assert_eq!(json["rungs"][2], serde_json::json!({"from": 3.0, "to": 3.0, "items": 1}));
    assert_eq!(
        (&json["models"][0]["parameters"], &json["models"][2]["parameters"]),
        (&134_515_008.into(), &serde_json::Value::Null)
    );
    let low = json["models"][1]["all"]["low"].as_f64().unwrap();
    assert!((low - Share { hits: 3, n: 3 }.interval().0).abs() < 1e-12);
    assert_eq!(json["models"][0]["rungs"][2]["right"], 0);
}

#[test]
fn what_a_file_says_reaches_no_terminal_raw() {
    let text = written(ReportKind::Ladder, &super::super::testing::run());
    assert_harmless(&text);
    assert!(text.contains("difficulty: n, the number"), "{text}");
    assert!(!text.contains(HOSTILE));
    assert!(written(ReportKind::Ladder, &RunOutcome::default()).starts_with("no ladder"));
}

#[test]
fn sizes_have_three_figures() {
    let shown = [134_515_008, 8_030_261_248, 999_900_000, 15_000, 99_960_000].map(|n| weights(Some(n)));
    assert_eq!(shown, ["135 M", "8.03 B", "1.00 B", "15.0 k", "100 M"]);
}
