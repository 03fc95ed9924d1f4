use super::*;
use crate::continuation::reduction::{Best, ChoiceRecord};
use crate::probe::item::Item;
use crate::probe::question::{Questions, Rolling};
use crate::probe::suite;

fn choice(sum: f64, is_greedy: bool) -> ChoiceRecord {
    ChoiceRecord {
        text: "x".to_string(),
        sum_logprob: Some(sum),
        logprob_per_char: None,
        logprob_per_byte: None,
        logprob_per_token: None,
        pmi: None,
        is_greedy,
    }
}

/// Items with these questions and outcomes, and the metrics that are wanted.
fn suite_of(metrics: &[Metric], questions: Vec<Questions>) -> Suite {
    let mut suite = suite::parse(
        "x",
        "[suite]\nname = \"s\"\n[[probe]]\nid = \"a\"\ntarget = \"x\"\n",
        std::path::Path::new(""),
    )
    .unwrap();
    suite.metrics = metrics.to_vec();
    let items = questions.into_iter().enumerate();
    let items = items.map(|(i, questions)| Item::new(i.to_string(), "", questions));
    suite.items = items.collect();
    suite
}

fn outcome(index: usize, choices: Vec<ChoiceRecord>, best: Option<usize>) -> ItemOutcome {
    ItemOutcome { index, choices, best: Best { acc: best, ..Best::default() }, ..ItemOutcome::default() }
}

fn close(a: Option<f64>, b: f64) {
    let a = a.unwrap();
    assert!((a - b).abs() < 1e-9 * b.abs().max(1.0), "{a} {b}");
}

#[test]
fn accuracy_and_its_error_are_the_harnesss() {
    let gold = |gold| Questions { gold, ..Questions::default() };
    let golds = [Gold::One(0), Gold::One(1), Gold::Any(vec![0, 1]), Gold::Missing];
    let suite = suite_of(&[Metric::Accuracy(Reduction::Acc)], golds.map(gold).into());
    let items: Vec<ItemOutcome> =
        (0..4).map(|i| outcome(i, vec![choice(-1.0, false), choice(-2.0, false)], Some(0))).collect();
    let figures = figures(&suite, &items);
    assert_eq!(figures["acc"], Some(0.5));
    // sqrt(Σ (x − ½)² ÷ 3) ÷ 2
    close(figures["acc_stderr"], (1.0f64 / 3.0).sqrt() / 2.0);
}

#[test]
fn four_right_answers_have_an_interval_and_no_error_of_zero() {
    let gold = |gold| Questions { gold, ..Questions::default() };
    let suite =
        suite_of(&[Metric::Accuracy(Reduction::Acc), Metric::ExactMatch], vec![gold(Gold::One(0)); 4]);
    let items: Vec<ItemOutcome> =
        (0..4).map(|i| outcome(i, vec![choice(-1.0, true), choice(-2.0, false)], Some(0))).collect();
    let figures = figures(&suite, &items);
    for name in ["acc", "exact_match"] {
        assert_eq!((figures[name], figures[&format!("{name}_stderr")]), (Some(1.0), None));
        // Wilson: 4 ÷ (4 + z²).
        close(figures[&format!("{name}_low")], 0.510_109_163_545);
        close(figures[&format!("{name}_high")], 1.0);
    }
}

#[test]
fn what_is_null_has_no_error_either() {
    let suite = suite_of(&[Metric::Perplexity], vec![Questions::default(), Questions::default()]);
    let impossible = ChoiceRecord { sum_logprob: None, ..choice(0.0, false) };
    let items = [outcome(0, vec![impossible], None), outcome(1, vec![choice(-1.0, false)], None)];
    let figures = figures(&suite, &items);
    assert_eq!((figures["perplexity"], figures["perplexity_stderr"]), (None, None));
    let one = suite_of(&[Metric::Perplexity], vec![Questions::default()]);
    assert_eq!(super::figures(&one, &items[1..])["perplexity_stderr"], None);
}

#[test]
fn perplexity_and_its_resampled_error_are_the_harnesss() {
    let suite = suite_of(
        &[Metric::Perplexity, Metric::Accuracy(Reduction::Acc)],
        vec![Questions::default(), Questions::default(), Questions::default()],
    );
    let items: Vec<ItemOutcome> = [(-0.5, true), (-2.0, false), (-3.25, false)]
        .into_iter()
        .enumerate()
        .map(|(i, (sum, greedy))| outcome(i, vec![choice(sum, greedy)], None))
        .collect();
    let figures = figures(&suite, &items);
    close(figures["perplexity"], (5.75f64 / 3.0).exp());
    // lm_eval.api.metrics.bootstrap_stderr(perplexity, [-0.5, -2.0, -3.25], 100000)
    close(figures["perplexity_stderr"], BOOTSTRAPPED);
    close(figures["acc"], 1.0 / 3.0);
}

#[test]
fn per_word_and_per_byte_are_over_all_documents() {
    let rolling = |text: &str, words| Questions {
        rolling: Some(Rolling { text: text.to_string(), words }),
        ..Questions::default()
    };
    let all = [Metric::WordPerplexity, Metric::BytePerplexity, Metric::BitsPerByte];
    let suite = suite_of(&all, vec![rolling("one two", 2), rolling("北", 1)]);
    let items = [outcome(0, vec![choice(-6.0, false)], None), outcome(1, vec![choice(-3.0, false)], None)];
    let figures = figures(&suite, &items);
    close(figures["word_perplexity"], 3.0f64.exp());
    close(figures["byte_perplexity"], 0.9f64.exp());
    close(figures["bits_per_byte"], 0.9 / std::f64::consts::LN_2);
}

#[test]
fn one_impossible_document_makes_the_figure_impossible() {
    let suite = suite_of(&[Metric::Perplexity], vec![Questions::default()]);
    let impossible = ChoiceRecord { sum_logprob: None, ..choice(0.0, false) };
    assert_eq!(figures(&suite, &[outcome(0, vec![impossible], None)])["perplexity"], None);
}

#[test]
fn every_name_a_limit_may_use_is_one_of_the_figures() {
    for name in
        ["acc", "acc_tokens_stderr", "p_spread", "acc_low", "difference_low", "prevalence_high", "passed"]
    {
        assert!(crate::probe::metric::names().contains(&name.to_string()), "{name}");
    }
    assert!(Metric::ALL.iter().all(|metric| Metric::named(metric.name()) == Some(*metric)));
}

const BOOTSTRAPPED: f64 = 5.504856452422336;
