use std::path::PathBuf;

use super::testing::{HOSTILE, assert_harmless, item, run, unwritable, written};
use super::*;
use crate::probe::outcome::{ItemOutcome, RunOutcome};

#[test]
fn a_report_is_a_kind_and_perhaps_a_file() {
    let target = |text| Target::parse(text, &ReportKind::ALL).unwrap();
    assert_eq!(target("table"), Target { kind: ReportKind::Table, file: None });
    assert_eq!(target("jsonl=a=b.jsonl"), Target { kind: ReportKind::Jsonl, file: Some("a=b.jsonl".into()) });
    assert_eq!(target("jsonl=-").file, None);
    assert_eq!(
        Target::parse("jsnol", &ReportKind::ALL).unwrap_err().to_string(),
        "there is no report jsnol; did you mean jsonl?"
    );
}

#[test]
fn reports_that_would_mix_or_cant_be_written_are_refused() {
    let error = |texts: &[&str]| {
        let targets: Vec<Target> =
            texts.iter().map(|text| Target::parse(text, &ReportKind::ALL).unwrap()).collect();
        open(&targets, None).err().unwrap().to_string()
    };
    assert!(error(&["table", "jsonl"]).starts_with("two reports go to standard output"));
    assert!(
        error(&["jsonl=nowhere/at/all.jsonl"])
            .ends_with("nowhere/at/all.jsonl: the report can't be written: there is no such folder")
    );
}

#[test]
fn one_file_is_one_place_whatever_way_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().join("r");
    let again = folder.path().join(".").join("r");
    let target = |kind, file: &PathBuf| Target { kind, file: Some(file.clone()) };
    let error =
        open(&[target(ReportKind::Csv, &name), target(ReportKind::Html, &again)], None).err().unwrap();
    assert!(error.to_string().starts_with("two reports go to"), "{error}");
    assert!(fs::read_dir(folder.path()).unwrap().next().is_none());
}

#[test]
fn csv_comes_back_as_it_was() {
    let run = run();
    let text = written(ReportKind::Csv, &run);
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    let names = reader.headers().unwrap().clone();
    let rows: Vec<::csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), run.suites.iter().map(|suite| suite.items.len()).sum::<usize>());
    let cell = |row: usize, name: &str| {
        let column = names.iter().position(|known| known == name).unwrap();
        rows[row].get(column).unwrap().to_string()
    };
    for name in ["model", "suite", "lang", "id", "prompt", "answer_text", "unmet_found", "notes"] {
        assert_eq!(cell(0, name), HOSTILE, "{name}");
    }
    assert_eq!(cell(1, "target"), HOSTILE);
    assert_eq!(
        (cell(0, "passed"), cell(0, "unmet"), cell(0, "right")),
        ("false".into(), "1".into(), "false".into())
    );
    assert!((cell(0, "answer_share").parse::<f64>().unwrap() - 0.25).abs() < 1e-12);
    assert!((cell(0, "margin_nats").parse::<f64>().unwrap() - (1.0f64 / 3.0).ln()).abs() < 1e-12);
    assert_eq!((cell(1, "answer"), cell(1, "target_p_lowest")), ("NA".into(), "0.25".into()));
    assert_eq!((cell(1, "samples"), cell(1, "samples_matched")), ("8".into(), "4".into()));
    assert_eq!((cell(0, "sha256"), cell(0, "partial")), ("abc123".into(), "false".into()));
    assert_eq!((cell(0, "first_run"), cell(0, "first_passed")), (HOSTILE.into(), "false".into()));
    assert_eq!((cell(0, "baseline_passed"), cell(0, "baseline_right")), ("true".into(), "false".into()));
    assert_eq!(cell(0, "baseline_answer_logprob_nats"), cell(0, "answer_logprob_nats"));
    assert_eq!(cell(1, "baseline_target_p"), "0.5");
    let partial = written(ReportKind::Csv, &RunOutcome { interrupted: true, ..run });
    assert!(partial.contains(",true,scripted.gguf,abc123,"));
}

/// Elements with their attributes, as a reader of XML finds them.
fn parsed(xml: &str) -> Vec<(String, std::collections::HashMap<String, String>)> {
    use quick_xml::events::Event;
    let mut reader = quick_xml::Reader::from_str(xml);
    reader.config_mut().check_end_names = true;
    let (mut elements, mut open) = (Vec::new(), 0);
    loop {
        let event = reader.read_event().unwrap();
        match &event {
            Event::Start(start) | Event::Empty(start) => {
                let attributes = start.attributes().map(|attribute| {
                    let attribute = attribute.unwrap();
                    let name = attribute.key.as_ref().to_string();
                    let raw = attribute.value.to_string();
                    (name, quick_xml::escape::unescape(&raw).unwrap().into_owned())
                });
                let name = start.name().as_ref().to_string();
                elements.push((name, attributes.collect()));
                open += i32::from(matches!(event, Event::Start(_)));
            }
            Event::End(_) => open -= 1,
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(open, 0);
    elements
}

#[test]
fn junit_is_xml_that_counts_what_it_holds() {
    let text = written(ReportKind::Junit, &run());
    assert_harmless(&text);
    assert!(!text.contains('\u{FFFE}'));
    let elements = parsed(&text);
    let count = |name: &str| elements.iter().filter(|(known, _)| known == name).count();
    let all = &elements[0].1;
    assert_eq!(
        (elements[0].0.as_str(), all["failures"].as_str(), all["errors"].as_str()),
        ("testsuites", "3", "0")
    );
    assert_eq!(all["tests"], count("testcase").to_string());
    // The informational suite has the same failures and fails in none. Against the earlier run more
    // has failed, but no answer is another one.
    assert_eq!((count("testsuite"), count("failure"), count("skipped"), count("error")), (3, 3, 2, 0));
    let worse = elements
        .iter()
        .find(|(_, attributes)| attributes.get("type").is_some_and(|kind| kind == "regression"));
    assert!(worse.unwrap().1["message"].starts_with("passed was 1.0000 and is 0."));
    let suites = elements.iter().filter(|(name, _)| name == "testsuite");
    for counted in ["tests", "failures", "skipped"] {
        let parts: usize = suites.clone().map(|(_, known)| known[counted].parse::<usize>().unwrap()).sum();
        let whole = if counted == "skipped" { "2" } else { all[counted].as_str() };
        assert_eq!(parts.to_string(), whole, "{counted}");
    }
    let (_, failure) = elements.iter().find(|(name, _)| name == "failure").unwrap();
    assert!(failure["message"].starts_with(
        "expected p('</script><script>alert(1)</script><0x1B>[2J<0x00><U+FFFE><U+202E>]]>&amp;\"'"
    ));
    assert!(text.contains("after    ") && text.contains("60.7 %"));
    let sums = elements.iter().any(|(_, attributes)| {
        attributes.get("name").is_some_and(|name| name == "sha256") && attributes["value"] == "abc123"
    });
    assert!(sums);
}

#[test]
fn a_stopped_run_is_an_error_in_junit() {
    let text = written(ReportKind::Junit, &RunOutcome { interrupted: true, ..run() });
    let elements = parsed(&text);
    assert_eq!(elements[0].1["errors"], "1");
    let error = elements.iter().find(|(name, _)| name == "error").unwrap();
    assert!(error.1["message"].starts_with("partial: the run was stopped"));
}

#[test]
fn markdown_shows_hostile_text_and_does_nothing_it_says() {
    use pulldown_cmark::{Event, Options, Parser, Tag};
    let text = written(ReportKind::Markdown, &RunOutcome { interrupted: true, ..run() });
    assert_harmless(&text);
    assert!(text.starts_with(
        "## tokenscope probe: expectations failed in 1 of 2 suites; a figure is worse than in the earlier run\n"
    ));
    assert!(text.contains("> **partial: ") && text.contains("sha256 `abc123`"));
    let mut tables = Vec::new();
    for event in Parser::new_ext(&text, Options::ENABLE_TABLES) {
        match event {
            Event::Html(html) | Event::InlineHtml(html) => panic!("{html}"),
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => panic!("{dest_url}"),
            Event::Text(text) => assert!(!text.contains("@all") && !text.contains("script"), "{text}"),
            Event::Start(Tag::Table(columns)) => tables.push((columns.len(), 0, 0)),
            Event::Start(Tag::TableRow) => tables.last_mut().unwrap().1 += 1,
            Event::Start(Tag::TableCell) => tables.last_mut().unwrap().2 += 1,
            _ => {}
        }
    }
    // Two suites, and what passed in them before; every row has all cells: no text has ended one.
    assert_eq!(tables, [(6, 2, 18), (7, 2, 21)]);
    assert!(text.contains("| ❌ worse | ") && text.contains(" no longer passed: "));
    assert!(text.contains("- 10 of 10 figures are the same"));
}

#[test]
fn the_page_runs_no_script_but_its_own() {
    let text = written(ReportKind::Html, &RunOutcome { interrupted: true, ..run() });
    assert_harmless(&text);
    assert_eq!(text.matches("<script").count(), 1);
    assert_eq!(text.matches("</script").count(), 1);
    assert!(text.contains("&lt;script&gt;alert(1)"));
    // Nothing is fetched, and an attribute made of a text ends nowhere but at its end.
    assert!(!text.contains("src=") && !text.contains("url(") && !text.contains("<link"));
    assert!(text.contains("class=\"notice\"") && text.contains("abc123"));
    assert!(text.contains("aria-label=\"gap-{{ n }}: probability over the parameter\""));
    assert!(text.contains("<b>Reliability</b>") && text.contains("temperature"));
    assert_eq!(text.matches("<table class=\"against\">").count(), 2);
    assert!(text.contains("<span class=\"badge bad\">worse</span>"));
    for svg in text.split("<svg").skip(1).map(|rest| rest.split("</svg>").next().unwrap()) {
        parsed(&format!("<svg{svg}</svg>"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}

#[test]
fn reports_of_nothing_are_still_reports() {
    for kind in [ReportKind::Csv, ReportKind::Markdown, ReportKind::Junit, ReportKind::Html] {
        let text = written(kind, &RunOutcome { interrupted: true, ..RunOutcome::default() });
        assert!(!text.is_empty(), "{kind:?}");
    }
}

#[test]
fn what_cant_be_written_is_told() {
    for render in [csv::write, markdown::write, junit::write, html::write] {
        let mut report = AtEnd::new(unwritable(), render);
        let error = report.finish(&[], &[]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}

#[test]
fn calibration_counts_by_confidence() {
    let items = [item("s", "a", 0.95), item("s", "b", 0.92), item("s", "c", 0.05), item("s", "d", 0.55)];
    let bins = digest::calibration(&items).unwrap();
    assert_eq!((bins[9].n, bins[9].right, bins[5].n, bins[5].right), (3, 2, 1, 1));
    assert!((bins[9].confidence - (0.95 + 0.92 + 0.95) / 3.0).abs() < 1e-12);
    assert_eq!(digest::calibration(&[ItemOutcome::default()]), None);
}

#[test]
fn ends_of_texts_say_that_they_are_ends() {
    assert_eq!((digest::tail("北京abc", 3), digest::tail("abc", 3)), ("…abc".into(), "abc".into()));
    assert_eq!((digest::head("北京abc", 2), digest::head("北京", 2)), ("北京…".into(), "北京".into()));
}
