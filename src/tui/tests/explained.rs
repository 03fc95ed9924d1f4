//! `i` says what the figures of the pane that has the keys are.

use super::*;
use crate::glossary;
use crate::tui::explained::explained;
use crate::tui::panels;

fn told(harness: &mut Harness) -> String {
    explained(&harness.state).join("\n")
}

#[test]
fn each_pane_explains_its_own_figures_with_their_values() {
    let mut harness = Harness::new(160, 60, vec![paris(), paris(), paris()]);
    harness.keys("hi<Enter>");
    harness.submit("/swap 2 2");
    harness.keys("<A-t>");
    let tree = told(&mut harness);
    assert!(tree.contains("of the last reply of branch 2: the sum of the tokens' ln p"), "{tree}");
    assert!(tree.contains("a token: Σ ln p over the number of tokens"), "{tree}");
    harness.submit("/retry");
    harness.submit("/pane replies");
    let replies = told(&mut harness);
    assert!(
        replies.contains("of the reply on branch") && replies.contains("seed 8: the number that makes"),
        "{replies}"
    );
    harness.submit("/pane what-if");
    let what_if = told(&mut harness);
    assert!(what_if.contains("with what is tried: the token's probability after the sampler"), "{what_if}");
    harness.submit("/pane lens");
    harness.look();
    let lens = told(&mut harness);
    assert!(lens.contains("occlusion (") && lens.contains("floor"), "{lens}");
}

#[test]
fn every_figure_of_a_pane_is_in_the_glossary() {
    let mut harness = Harness::new(160, 60, vec![paris(), paris()]);
    harness.keys("hi<Enter>");
    harness.submit("/pin x");
    harness.submit("/swap 2 2");
    harness.submit("/diff 1 2");
    for pane in PANES {
        harness.submit(&format!("/pane {}", pane.name));
        for (name, value) in (panels::of(pane).unwrap().figures)(&harness.state) {
            assert!(glossary::entry(name).is_some() && !value.is_empty(), "{}: {name}", pane.name);
        }
    }
    for name in ["Δ", "KL", "Σ", "mean", "per token", "joint %", "Brier score", "floor"] {
        assert!(glossary::explain(name).is_ok(), "{name}");
    }
}

/// Σ of what the table shows, of the row of a chosen token below it, and of the row for all others is one.
#[test]
fn what_has_no_row_of_its_own_is_the_rest() {
    let mut harness = Harness::new(120, 36, vec![paris(), paris()]);
    harness.keys("hi<Enter>");
    harness.submit("/set k 1");
    harness.submit("/swap 1 2");
    harness.keys("<Home>");
    while harness.state.shown_step().is_some_and(|at| at < harness.state.session.sequence().reply_start()) {
        harness.keys("<Right>");
    }
    harness.submit("/pane table");
    let stats = harness.state.shown().unwrap();
    let [best, second, ..] = stats.prediction.top_logprobs.as_slice() else { panic!("{stats:?}") };
    assert_eq!(stats.logprob, second.logprob);
    let rest = (1.0 - best.prob() - second.prob()) * 100.0;
    let figures = (panels::of(harness.state.focus).unwrap().figures)(&harness.state);
    let (_, told) = figures.iter().find(|(name, _)| *name == "residual").unwrap();
    let told: f64 = told.trim_end_matches(" %").parse().unwrap();
    assert!((told - rest).abs() < 0.01, "{told} for {rest}");
}
