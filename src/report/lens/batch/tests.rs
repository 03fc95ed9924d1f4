use serde_json::{Map, Value, json};

use super::*;
use crate::distribution::Depth;
use crate::lens::flags::LensView;
use crate::lens::occlusion::Occlusion;
use crate::lens::spans::{PromptSpan, SpanUnit};
use crate::lens::subject::{Goal, PromptWord, Subject};
use crate::lens::trace::{Trace, TraceCell, TracePart};
use crate::lens::{Lens, LensFinding};
use crate::report::bars::Paint;
use crate::report::probe::testing::{HOSTILE, assert_harmless, model, origin};
use crate::token::TokenId;

fn subject(text: &str) -> Subject {
    let word = |at: usize| PromptWord { id: TokenId(1), span: Some(at..at + 1), written: true, turn: None };
    Subject {
        text: text.as_bytes().to_vec(),
        words: (0..2).map(word).collect(),
        has_bos: false,
        target: Goal { text: HOSTILE.as_bytes().to_vec(), ids: vec![TokenId(2)] },
        greedy: true,
        versus: None,
        notes: Vec::new(),
    }
}

fn occluded(text: &str) -> Lens {
    let span = |tokens: std::ops::Range<usize>, text: &str| PromptSpan {
        bytes: Some(tokens.clone()),
        tokens,
        text: text.to_string(),
    };
    let found = Occlusion {
        by: SpanUnit::Word,
        neutral: None,
        base: -0.5,
        spans: vec![(span(0..1, "=1+1"), Some(-2.0)), (span(1..2, HOSTILE), Some(0.125))],
        note: None,
    };
    Lens { subject: subject(text), floor: Some(0.2), finding: LensFinding::Occlusion(found), partial: false }
}

fn traced(text: &str) -> Lens {
    let cell = |layer, position, recovered| TraceCell {
        layer,
        position,
        head: None,
        value: -4.0 + 4.0 * recovered,
        recovered: Some(recovered),
    };
    let found = Trace {
        part: TracePart::Residual,
        corrupt_ids: vec![TokenId(1), TokenId(3)],
        apart: 0,
        clean: 0.0,
        corrupt: -4.0,
        cells: vec![cell(0, 0, 1.0), cell(0, 1, -0.5), cell(1, 1, 1.0)],
        controls: Vec::new(),
        moves: Some(1),
        reason: None,
        whole: true,
        lacking: Vec::new(),
    };
    Lens { subject: subject(text), floor: Some(0.2), finding: LensFinding::Trace(found), partial: false }
}

/// What a report of three results, one of them refused, comes to.
fn written(kind: ReportKind, views: &[LensView], partial: bool) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report");
    let batch = LensBatch {
        columns: vec!["prompt".to_string(), "index".to_string()],
        views: views.to_vec(),
        alone: false,
        paint: Paint::default(),
    };
    let mut reports = open(&[Target { kind, file: Some(path.clone()) }], &batch).unwrap();
    let (model, input) = (model(), json!({"prompt": HOSTILE, "index": "007"}));
    let Value::Object(input) = input else { panic!("an object") };
    let (origin, text) = (origin(&model), "ab");
    let run = LensRun { origin: &origin, vocab: &model.vocab, k: Depth::Count(3) };
    let report = &mut reports[0];
    report.begin(run).unwrap();
    let row = |view, input| LensRow { index: 0, place: "x.csv:2", input, prompt: text.as_bytes(), view };
    report.seen(run, row(LensView::Occlusion, &input), Ok(&occluded(text))).unwrap();
    if views.contains(&LensView::Trace) {
        report.seen(run, row(LensView::Trace, &input), Ok(&traced(text))).unwrap();
    }
    let nothing = Map::new();
    let refused = LensRow { index: 1, ..row(LensView::Occlusion, &nothing) };
    report.seen(run, refused, Err("no such thing")).unwrap();
    report.finish(partial).unwrap();
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn csv_has_the_items_own_columns_and_units_in_the_names() {
    let text = written(ReportKind::Csv, &[LensView::Occlusion, LensView::Trace], false);
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    let head: Vec<String> = reader.headers().unwrap().iter().map(str::to_string).collect();
    let rows: Vec<::csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    // The input's own `index` stays; ours is told apart.
    assert_eq!(head[..5], ["model", "tokenscope_index", "view", "prompt", "index"]);
    let at = |row: &::csv::StringRecord, name: &str| {
        row[head.iter().position(|one| one == name).unwrap()].to_string()
    };
    assert_eq!(rows.len(), 2 + 3 + 1);
    assert_eq!((at(&rows[0], "index"), at(&rows[0], "prompt")), ("007".to_string(), HOSTILE.to_string()));
    assert_eq!(
        (at(&rows[0], "delta_logprob_nat"), at(&rows[0], "below_floor")),
        ("-2".into(), "false".into())
    );
    assert_eq!(
        (at(&rows[1], "delta_logprob_nat"), at(&rows[1], "below_floor")),
        ("0.125".into(), "true".into())
    );
    // What a spreadsheet would run is a text; what another view has is missing here.
    assert_eq!((at(&rows[0], "span"), at(&rows[0], "recovered")), ("'=1+1".to_string(), "NA".to_string()));
    assert_eq!((at(&rows[3], "recovered"), at(&rows[3], "span")), ("-0.5".to_string(), "NA".to_string()));
    assert_eq!(at(&rows[2], "floor_nat"), "0.2");
    assert_eq!(
        (at(&rows[5], "error"), at(&rows[5], "delta_logprob_nat")),
        ("no such thing".into(), "NA".into())
    );
    assert_eq!(at(&rows[5], "prompt"), "");
}

#[test]
fn json_lines_have_the_origin_once_and_a_summary() {
    let text = written(ReportKind::Jsonl, &[LensView::Occlusion, LensView::Trace], true);
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        lines.iter().map(|line| line["type"].as_str().unwrap()).collect::<Vec<_>>(),
        ["item", "item", "item", "summary"]
    );
    assert!(lines[0]["provenance"].is_object() && lines[1].get("provenance").is_none());
    assert_eq!(lines[0]["input"]["index"], "007");
    assert_eq!(
        (&lines[0]["view"], &lines[0]["spans"][0]["delta_logprob"]),
        (&json!("occlusion"), &json!(-2.0))
    );
    assert_eq!((&lines[1]["view"], &lines[1]["moves"]), (&json!("trace"), &json!(1)));
    assert_eq!((&lines[2]["index"], &lines[2]["error"]), (&json!(1), &json!("no such thing")));
    assert_eq!(lines[3], json!({"type": "summary", "found": 2, "refused": 1, "partial": true}));
}

#[test]
fn a_page_shows_maps_and_coloured_text_and_runs_nothing() {
    let text = written(ReportKind::Html, &[LensView::Occlusion, LensView::Trace], true);
    assert_harmless(&text);
    for part in [
        "Stopped: what was found until then",
        "1 of 3 have no figures",
        "no such thing",
        "class=\"warm4\"",
        "class=\"cell warm\"",
        "class=\"cell cold\"",
        "<th scope=\"col\">delta_logprob_nat</th>",
        "the answer moves at layer: 1",
    ] {
        assert!(text.contains(part), "{part}");
    }
    // Below the floor nothing has a colour.
    assert!(!text.contains("class=\"cold"));
    // How many rows are missing, a page with all of them does not say.
    let below = "1 more below the floor";
    assert!(
        !text.contains(below) && written(ReportKind::Table, &[LensView::Occlusion], true).contains(below)
    );
}

#[test]
fn a_table_says_whose_figures_follow() {
    let text = written(ReportKind::Table, &[LensView::Occlusion], false);
    assert!(text.contains("x.csv:2 occlusion: ab"), "{text}");
    assert!(text.contains("nothing was found: no such thing"));
}

#[test]
fn where_an_answer_moves_is_told_of_a_whole_grid_alone() {
    let told = |whole: bool, moves: Option<usize>| -> String {
        let mut lens = traced("ab");
        if let LensFinding::Trace(found) = &mut lens.finding {
            (found.whole, found.moves) = (whole, moves);
        }
        let lines = crate::report::lens::view(&lens, Depth::Count(3), &model().vocab).lines(100);
        lines.iter().flat_map(|line| &line.spans).map(|span| span.text.as_str()).collect()
    };
    assert!(told(true, Some(1)).contains("the answer moves to the last position at layer 1"));
    assert!(told(true, None).contains("the answer moves at no layer"));
    let part = told(false, None);
    assert!(part.contains("where the answer moves is not told: not every layer and position"), "{part}");
    assert!(!part.contains("moves at no layer"), "{part}");
}
