//! Every view of figures that an engine knows only within bounds, or not at all, says so.

use super::record::{CandidateRecord, StepRecord};
use super::score_csv::Csv;
use super::score_table::ScoreLook;
use super::unit::Unit;
use super::{bars::Paint, next, table, waterfall};
use crate::distribution::Depth;
use crate::engine::testing::Scripted;
use crate::engine::{Command, Event, ModelInfo, ScoreBatch, Sequence};
use crate::query::next::NextTokens;
use crate::query::text::JoinedToken;
use crate::step::{Prediction, Step};
use std::sync::Arc;

const KEPT: Depth = Depth::Count(9);

/// `The London` and what comes after it, from an engine that gives one candidate and no more.
fn scored() -> (Step, Prediction, Arc<ModelInfo>) {
    let engine = Scripted::new([]).giving(1);
    let Event::Ready(model) = engine.ready() else { panic!("it is ready") };
    let batch = ScoreBatch {
        sequences: vec![Sequence { tokens: model.tokenizer.tokenize(b"The London", false), from: 1 }],
        depth: KEPT,
        after: true,
        ..ScoreBatch::default()
    };
    let mut found = None;
    let outcome = engine.client().run(Command::Score(batch), |event| {
        if let Event::Scored { mut steps, after, .. } = event {
            found = Some((steps.remove(0), *after.unwrap()));
        }
    });
    outcome.unwrap();
    let (step, after) = found.unwrap();
    (step, after, model)
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn records_have_null_and_the_bounds_beside() {
    let (step, _, model) = scored();
    let json = serde_json::to_value(StepRecord::new(&step, KEPT, -1.0, &model.vocab)).unwrap();
    for name in ["entropy", "varentropy", "rank"] {
        assert!(json[name].is_null(), "{json}");
    }
    assert!(json["logprob"].is_number() && json["residual"].is_number(), "{json}");
    assert_eq!(json["bounds"]["rank"], serde_json::json!([2.0, 266.0]));
    let [low, high] = [0, 1].map(|i| json["bounds"]["entropy"][i].as_f64().unwrap());
    // −p ln p of the one that is known, and the rest spread over 265 others.
    let p = f64::from(step.stats.as_ref().unwrap().prediction.top_logprobs[0].logprob).exp();
    let rest = 1.0 - p;
    assert!((low + p * p.ln()).abs() < 1e-6, "{low}");
    assert!((high - low + rest * (rest / 265.0).ln()).abs() < 1e-5, "{high}");
    assert!(json["bounds"].get("varentropy").is_none(), "it is not given at all");
    // A named token beyond the list, there and back.
    let own = step.stats.as_ref().unwrap().of_token(step.id);
    let record = CandidateRecord::new(&own, &model.vocab);
    let text = serde_json::to_string(&record).unwrap();
    assert!(text.contains(r#""rank":null"#) && text.contains(r#""bounds":{"rank":[2.0,266.0]}"#), "{text}");
    assert_eq!(serde_json::from_str::<CandidateRecord>(&text).unwrap().into_token(), own);
}

#[test]
fn exact_figures_stand_alone() {
    let engine = Scripted::new([]);
    let Event::Ready(model) = engine.ready() else { panic!("it is ready") };
    let (step, ..) = scored();
    let mut stats = step.stats.unwrap();
    stats.rank = 2.into();
    stats.prediction.entropy = 1.5.into();
    stats.prediction.varentropy = 0.5.into();
    let step = Step { id: step.id, stats: Some(stats) };
    let json = serde_json::to_value(StepRecord::new(&step, KEPT, -1.0, &model.vocab)).unwrap();
    assert_eq!((json["rank"].as_u64(), json["entropy"].as_f64()), (Some(2), Some(1.5)));
    assert!(json.get("bounds").is_none(), "{json}");
}

#[test]
fn tables_show_both_ends() {
    let (step, after, model) = scored();
    let vocab = &model.vocab;
    let steps = format!("{:?}", table::steps([&step], vocab));
    assert!(steps.contains("2–266") && steps.contains("0.35–4.67"), "{steps}");
    let look = ScoreLook { unit: Unit::Nats, paint: Paint::default() };
    let tokens = format!("{:?}", look.token(1, &step, vocab));
    assert!(tokens.contains("2–266") && tokens.contains("0.35–4.67"), "{tokens}");
    let found = NextTokens { prompt: vec![step.id], prediction: after, texts: Vec::new() };
    let next = format!("{:?}", next::view(&found, KEPT, vocab));
    assert!(next.contains("entropy 0.353–4.670 nat"), "{next}");
    let waterfall = written(|out| waterfall::waterfall(out, [&step], KEPT, vocab).unwrap());
    assert!(waterfall.contains("rank 2–266 · H 0.35–4.67"), "{waterfall}");
}

#[test]
fn a_csv_file_has_na_and_says_in_the_note_what_is_known() {
    let (step, _, model) = scored();
    let piece = JoinedToken { id: step.id, span: Some(3..10) };
    let text = written(|out| {
        let mut csv = Csv::new(out, Unit::Nats, false);
        csv.token(1, &step, &piece, &model.vocab).unwrap();
        csv.flush().unwrap();
    });
    let row: Vec<&str> = text.trim().split(',').collect();
    assert_eq!((row[6], row[7]), ("NA", "NA"), "{text}");
    assert!(row[8].contains("rank 2–266") && row[8].contains("entropy_nats 0.35"), "{text}");
}
