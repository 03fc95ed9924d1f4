use super::{ExpandRecord, csv, tree, view};
use crate::engine::Event;
use crate::engine::testing::Scripted;
use crate::query::expand::Expansion;
use crate::query::expand::search::{Coverage, ExpandEnd, ExpandLimits, ExpandedNode, LeafKind};
use crate::report::bars::Paint;
use crate::report::record::Origin;
use crate::report::view::View;
use crate::sampling::Sampling;
use crate::settings::{ConfigFile, Flags, SamplingFlags, Settings};
use crate::token::TokenId;

fn node(parent: Option<usize>, token: u32, p: f64, joint: f64, leaf: Option<LeafKind>) -> ExpandedNode {
    let depth = parent.map_or(1, |_| 2);
    ExpandedNode {
        parent,
        token: TokenId(token),
        logprob: p.ln() as f32,
        rank: 1,
        joint: joint.ln(),
        depth,
        leaf,
    }
}

fn found() -> Expansion {
    Expansion {
        prompt: vec![TokenId(261)],
        of_conversation: false,
        limits: ExpandLimits { depth: 2, width: 2, floor: 0.1, nodes: 9 },
        nodes: vec![
            node(None, 262, 0.75, 0.75, None),
            node(Some(0), 263, 0.5, 0.375, Some(LeafKind::Longest)),
            node(None, 257, 0.2, 0.2, Some(LeafKind::Ended)),
            node(Some(0), 258, 0.25, 0.1875, Some(LeafKind::Longest)),
        ],
        coverage: Coverage { complete: 0.7625, below_width: 0.2375, below_floor: 0.0, not_reached: 0.0 },
        evaluated: 2,
        end: ExpandEnd::Whole,
        notes: Vec::new(),
    }
}

fn written(view: &View) -> String {
    let mut out = Vec::new();
    view.write(&mut out, Paint::default()).unwrap();
    String::from_utf8(out).unwrap()
}

fn model() -> std::sync::Arc<crate::engine::ModelInfo> {
    let Event::Ready(model) = Scripted::new([]).ready() else { unreachable!() };
    model
}

#[test]
fn the_list_has_every_continuation_in_full_and_says_what_it_covers() {
    let text = written(&view(&found(), &model().vocab));
    insta::assert_snapshot!(text);
}

#[test]
fn the_tree_has_what_follows_a_continuation_below_it() {
    let text = written(&tree(&found(), &model().vocab));
    insta::assert_snapshot!(text.lines().take(5).collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_record_numbers_the_list_and_names_parents_by_these_numbers() {
    let model = model();
    let origin = Origin::new(&model, &settings(), None);
    let found = found();
    let record = serde_json::to_value(ExpandRecord::new(&found, &model.vocab, &origin)).unwrap();
    assert_eq!(record["nodes"][1]["parent"], 0);
    assert_eq!(record["nodes"][2]["parent"], serde_json::Value::Null);
    assert_eq!(record["nodes"][3]["id"], 3);
    assert_eq!(record["nodes"][1]["token"], " is");
    assert_eq!(record["nodes"][1]["token_id"], 263);
    assert_eq!(record["nodes"][1]["bytes"], serde_json::json!([32, 105, 115]));
    assert_eq!(record["nodes"][2]["leaf"], "ended");
    assert_eq!(record["coverage"]["by_depth"], serde_json::json!([0.95, 0.5625]));
    assert_eq!((&record["end"], &record["evaluated"]), (&"whole".into(), &2.into()));
    assert_eq!(record["limits"], serde_json::json!({"depth": 2, "width": 2, "floor": 0.1, "nodes": 9}));
}

#[test]
fn csv_has_a_row_for_each_with_the_unit_in_the_names() {
    let mut out = Vec::new();
    csv(&mut out, &found(), &model().vocab, Some("m")).unwrap();
    let text = String::from_utf8(out).unwrap();
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some("model,id,parent,depth,token,token_id,logprob_nats,rank,joint_logprob_nats,leaf,text")
    );
    assert!(lines.next().unwrap().starts_with("m,0,NA,1, capital,262,-0.287682"));
    assert!(lines.next().unwrap().ends_with(",longest, capital is"));
}

fn settings() -> Settings {
    let (file, flags) = (ConfigFile::default(), Flags::default());
    Settings::from_layers(Sampling::default(), &file, &flags, &SamplingFlags::default()).unwrap()
}
