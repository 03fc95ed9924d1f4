use super::*;
use crate::continuation::reduction::{Best, ChoiceRecord};
use crate::probe::outcome::SuiteOutcome;
use crate::probe::question::Gold;

/// An item with two choices of which the first is right by this much.
fn item(probe: &str, id: &str, margin: f64) -> ItemOutcome {
    let choice = |sum: f64| ChoiceRecord { sum_logprob: Some(sum), ..ChoiceRecord::new(String::new(), None) };
    ItemOutcome {
        id: id.to_string(),
        probe: probe.to_string(),
        choices: vec![choice(-3.0), choice(-3.0 - margin)],
        answer: Gold::One(0),
        best: Best { acc: Some(usize::from(margin < 0.0)), ..Best::default() },
        ..ItemOutcome::default()
    }
}

fn run(model: &str, items: Vec<ItemOutcome>) -> RunOutcome {
    let suite = SuiteOutcome { name: "s".to_string(), items, ..SuiteOutcome::default() };
    RunOutcome { model: model.to_string(), suites: vec![suite], ..RunOutcome::default() }
}

fn names(ladder: &ScaleLadder) -> Vec<String> {
    ladder.rungs.iter().map(Rung::name).collect()
}

fn hits(line: &LadderLine) -> Vec<(usize, usize)> {
    line.rungs.iter().map(|share| (share.hits, share.n)).collect()
}

/// Every probe's cases from 1 to 4; a model is right up to its own strength.
fn strong(model: &str, strength: usize) -> RunOutcome {
    let cases = ["a", "b"].into_iter().flat_map(|name| (1..=4).map(move |n| (name, n)));
    let case = |(name, n): (&str, usize)| {
        item(&format!("{name}-{{{{ n }}}}"), &format!("{name}-{n}"), strength as f64 - n as f64 + 0.5)
    };
    run(model, cases.map(case).collect())
}

#[test]
fn the_number_in_the_ids_is_the_difficulty_of_all_probes_that_have_it() {
    let ladders = ladders(&[strong("small", 2), strong("large", 3)]);
    assert_eq!(ladders.len(), 1);
    assert_eq!(ladders[0].difficulty, Difficulty::Parameter("n".to_string()));
    assert_eq!((names(&ladders[0]).join(" "), ladders[0].left_out), ("1 2 3 4".to_string(), 0));
    assert_eq!(hits(&ladders[0].lines[0]), [(2, 2), (2, 2), (0, 2), (0, 2)]);
    assert_eq!(hits(&ladders[0].lines[1]), [(2, 2), (2, 2), (2, 2), (0, 2)]);
    assert_eq!(ladders[0].lines[1].all, Share { hits: 6, n: 8 });
}

#[test]
fn what_the_suite_gives_comes_first_and_the_number_of_a_row_says_nothing() {
    let rows = |given: bool| {
        let item = |n: usize| ItemOutcome {
            difficulty: given.then_some((n % 2) as f64),
            ..item("row-{{ row }}", &format!("row-{n}"), n as f64 - 5.5)
        };
        run("m", (1..=10).map(item).collect())
    };
    let given = ladders(&[rows(true)]);
    assert_eq!((&given[0].difficulty, names(&given[0]).join(" ")), (&Difficulty::Given, "0 1".to_string()));
    // Not by row: the hardest have the smallest margin, which here are the first rows.
    let own = ladders(&[rows(false)]);
    assert_eq!(
        (&own[0].difficulty, names(&own[0])),
        (&Difficulty::Margin, vec!["−4.5 to −0.5".to_string(), "0.5 to 4.5".to_string()])
    );
    assert_eq!(hits(&own[0].lines[0]), [(5, 5), (0, 5)]);
}

#[test]
fn without_a_number_the_mean_over_all_models_says_how_hard_an_item_is() {
    // What one finds easy the other finds hard, but for the mean.
    let one: Vec<f64> = (0..20).map(|i| if i % 2 == 0 { 6.0 } else { -5.0 } - f64::from(i) / 10.0).collect();
    let other: Vec<f64> =
        (0..20).map(|i| if i % 2 == 0 { -5.0 } else { 6.0 } - f64::from(i) / 10.0).collect();
    let of = |model: &str, margins: &[f64]| {
        let items = margins.iter().enumerate().map(|(i, margin)| item("x", &format!("x{i:02}"), *margin));
        run(model, items.collect())
    };
    let ladders = ladders(&[of("one", &one), of("other", &other)]);
    assert_eq!(ladders[0].rungs.iter().map(|rung| rung.items).collect::<Vec<_>>(), [5, 5, 5, 5]);
    assert!((ladders[0].rungs[0].from + 0.5).abs() < 1e-12 && (ladders[0].rungs[3].to - 1.4).abs() < 1e-12);
    // Five consecutive ones are two or three of either kind.
    assert_eq!(hits(&ladders[0].lines[0]), [(3, 5), (2, 5), (3, 5), (2, 5)]);
}

#[test]
fn an_item_counts_where_every_model_has_it() {
    let (mut small, large) = (strong("small", 2), strong("large", 3));
    small.suites[0].items[0].error = Some("no".to_string());
    small.suites[0].items.remove(5);
    let ladders = ladders(&[small, large]);
    // a-1 can't be scored; b-2 is missing in one of them.
    assert_eq!((hits(&ladders[0].lines[1]), ladders[0].left_out), (vec![(1, 1), (1, 1), (2, 2), (0, 2)], 1));
    assert!(super::ladders(&[strong("a", 1), RunOutcome::default()]).is_empty());
    assert!(super::ladders(&[]).is_empty());
}

#[test]
fn many_values_share_rungs_and_none_is_divided() {
    let items = (0..30).map(|n| item("{{ n }}", &n.to_string(), 1.0)).collect();
    let ladders = ladders(&[run("m", items)]);
    assert_eq!(names(&ladders[0])[..2], ["0 to 3", "4 to 7"]);
    assert!(ladders[0].rungs.len() <= MOST_RUNGS);
    assert_eq!(ladders[0].rungs.iter().map(|rung| rung.items).sum::<usize>(), 30);
    // Half of all items have one value.
    let items = (0..40).map(|i| ItemOutcome {
        difficulty: Some(if i < 20 { 0.0 } else { f64::from(i) }),
        ..item("x", &i.to_string(), 1.0)
    });
    let ladders = super::ladders(&[run("m", items.collect())]);
    assert_eq!(ladders[0].rungs[0], Rung { from: 0.0, to: 0.0, items: 20 });
}

#[test]
fn nothing_is_made_of_too_few_items() {
    let items = (0..9).map(|i| item("x", &format!("x{i}"), f64::from(i))).collect();
    assert!(ladders(&[run("m", items)]).is_empty());
}
