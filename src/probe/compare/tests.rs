use super::*;
use crate::continuation::reduction::ChoiceRecord;
use crate::probe::question::Gold;
use proptest::prelude::*;

/// An item whose right choice, the first of two, has this sum.
fn item(id: usize, sum: f64, is_right: bool) -> ItemOutcome {
    let choice = |text: &str, sum| ChoiceRecord {
        text: text.to_string(),
        sum_logprob: Some(sum),
        logprob_per_char: None,
        logprob_per_byte: None,
        logprob_per_token: None,
        pmi: None,
        is_greedy: false,
    };
    let mut item = ItemOutcome {
        id: format!("i-{id}"),
        choices: vec![choice(" abc", sum), choice(" de", sum - 1.0)],
        answer: Gold::One(0),
        passed: Some(is_right),
        ..ItemOutcome::default()
    };
    item.best.acc = Some(usize::from(!is_right));
    item
}

fn run(items: Vec<ItemOutcome>) -> RunOutcome {
    let suite = SuiteOutcome { name: "s".to_string(), items, ..SuiteOutcome::default() };
    RunOutcome { model: "m".to_string(), suites: vec![suite], ..RunOutcome::default() }
}

fn found(comparison: &Comparison, figure: ComparedFigure) -> &Difference {
    comparison.suites[0].figures.iter().find(|found| found.figure == figure).unwrap()
}

#[test]
fn figures_are_means_over_pairs() {
    let first = run(vec![item(0, -2.0, true), item(1, -4.0, true), item(7, -9.0, false)]);
    let other = run(vec![item(1, -5.0, false), item(0, -2.5, true), item(8, -1.0, true)]);
    let comparison = Comparison::new(&first, &other);
    assert_eq!((comparison.items(), comparison.suites[0].unpaired), (2, 1));
    let logprob = found(&comparison, ComparedFigure::Logprob);
    assert_eq!((logprob.first, logprob.other, logprob.difference), (-3.0, -3.75, -0.75));
    assert_eq!((logprob.low, logprob.no_interval), (None, Some(NoInterval::TooFew)));
    let acc = found(&comparison, ComparedFigure::Acc);
    assert_eq!((acc.difference, acc.low, acc.high), (-0.5, Some(-1.0), Some(1.0)));
    // 3 nats over four bytes.
    let bits = found(&comparison, ComparedFigure::BitsPerByte).first;
    assert!((bits - 3.0 / 4.0 / std::f64::consts::LN_2).abs() < 1e-12, "{bits}");
}

#[test]
fn a_changed_prompt_is_another_item() {
    let mut other = run(vec![item(0, -2.0, true), item(1, -4.0, true)]);
    let first = other.clone();
    other.suites[0].items[1].prompt = "another".to_string();
    assert_eq!(Comparison::new(&first, &other).items(), 1);
}

#[test]
fn a_share_that_falls_further_than_allowed_is_a_regression() {
    let before = run((0..10).map(|i| item(i, -1.0, true)).collect());
    let mut now = run((0..10).map(|i| item(i, -3.0, i > 0)).collect());
    let worse = |now: &RunOutcome, tolerance| Comparison::with_baseline(&before, now, tolerance).regressions;
    assert_eq!(worse(&now, 0.05)[0], "s: passed was 1.0000 and is 0.9000");
    assert!(worse(&now, 0.1).is_empty());
    assert!(Comparison::with_baseline(&now, &before, 0.0).regressions.is_empty(), "better is no regression");
    now.suites[0].informational = true;
    assert!(worse(&now, 0.0).is_empty());
}

#[test]
fn a_text_that_costs_more_bits_is_a_regression_where_nothing_passes_or_fails() {
    let text = |sum: f64| {
        let mut item = item(0, sum, true);
        item.choices.truncate(1);
        (item.answer, item.passed, item.best.acc) = (Gold::None, None, None);
        run(vec![item])
    };
    let worse = |now: f64| Comparison::with_baseline(&text(-10.0), &text(now), 0.02).regressions.len();
    assert_eq!((worse(-10.1), worse(-10.3), worse(-5.0)), (0, 1, 0));
}

proptest! {
    #[test]
    fn a_run_does_not_differ_from_itself(sums in prop::collection::vec(-50.0f64..0.0, 1..20)) {
        let run = run(sums.iter().enumerate().map(|(i, sum)| item(i, *sum, i % 3 == 0)).collect());
        let comparison = Comparison::with_baseline(&run, &run, 0.0);
        prop_assert!(comparison.regressions.is_empty());
        for figure in &comparison.suites[0].figures {
            prop_assert_eq!(figure.difference, 0.0);
            prop_assert!(figure.low.is_none_or(|low| low < 0.0));
            prop_assert_eq!(figure.low.is_none(), figure.no_interval.is_some());
            prop_assert_eq!(figure.items, sums.len());
        }
    }
}
