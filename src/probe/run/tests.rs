use super::*;
use crate::engine::Timing;
use crate::engine::look::Reading;
use crate::engine::testing::Scripted;
use crate::probe::suite;
use crate::step::{Prediction, TokenStats};
use crate::token::TokenId;
use proptest::prelude::*;
use std::path::Path;

fn model() -> Arc<ModelInfo> {
    match Scripted::new([]).ready() {
        Event::Ready(model) => model,
        _ => panic!("a scripted model is ready at once"),
    }
}

fn suite_of(body: &str) -> Suite {
    suite::parse("x.toml", &format!("[suite]\nname = \"s\"\n{body}"), Path::new("")).unwrap()
}

fn run_of(suites: Vec<Suite>, earlier: Vec<ItemOutcome>) -> ProbeRun {
    ProbeRun::new(suites, model(), Bos::Auto, CancelFlag::default(), earlier).unwrap()
}

/// ln p of a token is minus its id, in thousandths, whatever comes before.
fn step(id: TokenId, at: usize) -> Step {
    let prediction = Prediction {
        top_logprobs: Vec::new(),
        entropy: 1.0.into(),
        varentropy: 0.5.into(),
        residual: 1.0.into(),
        n_vocab: 9,
        boundary: None,
    };
    let stats = TokenStats {
        logprob: -(id.0 as f32) / 1000.0,
        rank: (1 + id.0 % 3).into(),
        outcome: None,
        prediction,
    };
    Step { id, stats: (at > 0).then_some(stats) }
}

/// What an engine says to a command: everything, or nothing but the first few events of a request that
/// was cancelled.
fn answer(command: &Command, most: usize) -> Vec<Event> {
    let mut events = Vec::new();
    match command {
        Command::Score(request) => {
            for (index, sequence) in request.sequences.iter().enumerate() {
                let steps = (sequence.from..sequence.tokens.len()).map(|at| step(sequence.tokens[at], at));
                events.push(Event::Scored { index, steps: steps.collect(), after: None });
            }
        }
        Command::Sample(request) => {
            for (index, sampling) in request.samplings.iter().enumerate() {
                let id = TokenId(u32::from(b'a') + sampling.seed % 26);
                let steps = vec![step(id, 1); request.max_tokens.unwrap()];
                events.push(Event::Sampled { index, steps, reason: FinishReason::Length });
            }
        }
        // The named token is the third one after layer 0, and so on.
        Command::Inspect(request) => {
            for index in 0..3 {
                let named = vec![Candidate {
                    id: request.named[0],
                    logprob: -1.0,
                    rank: 3 - index as u32,
                    outcome: None,
                }];
                let prediction = step(TokenId(1), 1).stats.unwrap().prediction;
                let reading = Reading { prediction, named, divergence: None };
                events.push(Event::Found { index, found: Box::new(Found::Reading(reading)) });
            }
        }
        Command::Generate(_)
        | Command::Siblings(_)
        | Command::Forget(_)
        | Command::Round(_)
        | Command::Row(_)
        | Command::Frontier(_)
        | Command::CrossEntropy(_) => {
            unreachable!("nothing else is asked")
        }
    }
    let reason = if events.len() > most { FinishReason::Cancelled } else { FinishReason::Length };
    events.truncate(most);
    events.push(Event::Finished { reason, timing: Timing::default() });
    events
}

/// Runs to the end with an engine that stops after so many events.
fn finish(run: &mut ProbeRun, mut most: usize) -> Vec<Completed> {
    let mut completed = run.take_ready();
    loop {
        let Some(command) = run.next_command() else { return completed };
        assert!(run.next_command().is_none(), "one request at a time");
        let events = answer(&command, most);
        most = most.saturating_sub(events.len() - 1);
        for event in events {
            completed.extend(run.on_event(event));
        }
    }
}

const MIXED: &str = r#"
[[probe]]
id = "sampled"
prompt = "x"
pattern = "[a-c]"
sample = { n = 4, temperatures = [0.5, 1.0], max_tokens = 2, seed = 0 }

[[probe]]
id = "chosen"
prompt = "x"
choices = [" a", " b"]
answer = 0
expect = ["best() == 0", "margin() > 0"]
tokens = [" a"]

[[probe]]
id = "ladder-{{ n }}"
params = { n = [3, 1, 2] }
prompt = "{{ n }}"
greedy = 2
pattern = "zz"
"#;

#[test]
fn items_come_out_in_file_order_with_their_figures() {
    let mut run = run_of(vec![suite_of(MIXED)], Vec::new());
    let completed = finish(&mut run, usize::MAX);
    let items: Vec<Completed> = (0..5).map(|i| Completed::Item(0, i)).chain([Completed::Suite(0)]).collect();
    assert_eq!(completed, items);
    assert_eq!(run.progress().done, run.progress().total);
    let outcome = run.into_outcome();
    let suite = &outcome.suites[0];
    assert_eq!(
        suite.items.iter().map(|item| item.id.as_str()).collect::<Vec<_>>(),
        ["sampled", "chosen", "ladder-3", "ladder-1", "ladder-2"]
    );
    // Seeds 0 to 3 gave a, b, c and d at each temperature.
    assert_eq!(
        suite.items[0].samples.iter().map(|sample| sample.matched).collect::<Vec<_>>(),
        [Some(3), Some(3)]
    );
    assert_eq!(suite.items[0].samples[1].agreement, Some(0.0));
    let chosen = &suite.items[1];
    let sum = |text: &str| -text.bytes().map(f64::from).sum::<f64>() / 1000.0;
    assert!((chosen.choices[0].sum_logprob.unwrap() - sum(" a")).abs() < 1e-6);
    assert_eq!((chosen.best.acc, chosen.passed, chosen.tokens.len()), (Some(0), Some(true), 1));
    assert_eq!(suite.items[2].passed, Some(false));
    assert!(outcome.failed() && !outcome.interrupted);
    assert_eq!((suite.passed(), suite.missed()), (1, 3));
}

#[test]
fn an_informational_suite_never_fails() {
    let mut suite = suite_of(MIXED);
    suite.informational = true;
    let mut run = run_of(vec![suite], Vec::new());
    finish(&mut run, usize::MAX);
    let outcome = run.into_outcome();
    assert!(!outcome.failed() && outcome.suites[0].missed() == 3);
}

#[test]
fn an_informational_case_is_judged_and_fails_nothing() {
    let body = "[[probe]]\nid = \"{{ n }}\"\nparams = { n = [1, 2] }\nprompt = \"x\"\nchoices = [\" b\", \" a\"]\nanswer = 0\n";
    let outcome = |flag: &str| {
        let mut run = run_of(vec![suite_of(&format!("{body}{flag}\n"))], Vec::new());
        finish(&mut run, usize::MAX);
        run.into_outcome()
    };
    for (flag, failed) in
        [("", true), ("informational = \"n == 1\"", true), ("informational = \"n < 3\"", false)]
    {
        let outcome = outcome(flag);
        assert_eq!((outcome.failed(), outcome.suites[0].missed()), (failed, 2), "{flag}");
    }
}

#[test]
fn a_limit_that_does_not_hold_fails_the_suite() {
    let body = "expect = [\"acc == 0\"]\n[[probe]]\nid = \"a\"\nprompt = \"x\"\nchoices = [\" a\", \" b\"]\nanswer = 0\n";
    let mut run = run_of(vec![suite_of(body)], Vec::new());
    finish(&mut run, usize::MAX);
    let outcome = run.into_outcome();
    assert!(outcome.failed());
    assert_eq!(outcome.suites[0].limits[0].found, "acc = 1.000");
}

proptest! {
    /// Stopped anywhere and gone on with, a run gives what it gives in one go.
    #[test]
    fn a_run_goes_on_where_it_was_stopped(most in 0usize..40) {
        let suites = || vec![suite_of(MIXED), Suite { name: "t".to_string(), ..suite_of(MIXED) }];
        let mut whole = run_of(suites(), Vec::new());
        finish(&mut whole, usize::MAX);
        let whole = whole.into_outcome();

        let mut first = run_of(suites(), Vec::new());
        finish(&mut first, most);
        let first = first.into_outcome();
        let known: Vec<ItemOutcome> = first.suites.into_iter().flat_map(|suite| suite.items).collect();
        prop_assert_eq!(first.interrupted, known.len() < 10);

        let mut second = run_of(suites(), known.clone());
        let completed = finish(&mut second, usize::MAX);
        prop_assert_eq!(completed.len(), 12);
        let second = second.into_outcome();
        for (a, b) in whole.suites.iter().zip(&second.suites) {
            prop_assert_eq!(&a.items, &b.items);
            prop_assert_eq!(&a.metrics, &b.metrics);
        }
        if known.len() == 10 {
            prop_assert_eq!(second.cost.sequences, 0);
        }
    }
}

#[test]
fn what_has_changed_since_is_run_again() {
    let body = |prompt: &str| {
        format!("[[probe]]\nid = \"a\"\nprompt = \"{prompt}\"\nchoices = [\" a\", \" b\"]\nanswer = 0\n")
    };
    let mut first = run_of(vec![suite_of(&body("x"))], Vec::new());
    finish(&mut first, usize::MAX);
    let known = first.into_outcome().suites.remove(0).items;
    assert_eq!(run_of(vec![suite_of(&body("x"))], known.clone()).progress().total, 0);
    assert_eq!(run_of(vec![suite_of(&body("y"))], known).progress().total, 3);
}

#[test]
fn a_cancelled_run_asks_for_nothing_more() {
    let mut run = run_of(vec![suite_of(MIXED)], Vec::new());
    run.cancel();
    assert!(run.next_command().is_none());
    assert!(run.into_outcome().interrupted);
}

#[test]
fn an_item_that_cannot_be_scored_is_told_and_the_rest_is_scored() {
    let item = |id: &str, prompt: &str| {
        format!(
            "[[probe]]\nid = \"{id}\"\nprompt = \"{prompt}\"\nchoices = [\"is\", \"isian\"]\nanswer = 0\n"
        )
    };
    let mut suite = suite_of(&format!("{}{}", item("a", "It is Par"), item("b", "It is ")));
    // " Paris" is one token, and the harness counts the context's own.
    suite.rules.join = crate::continuation::Join::Harness;
    let mut run = run_of(vec![suite.clone()], Vec::new());
    finish(&mut run, usize::MAX);
    let outcome = &run.into_outcome().suites[0];
    let [a, b] = outcome.items.as_slice() else { panic!("two items") };
    assert_eq!(
        (a.passed, a.error.as_deref()),
        (Some(false), Some("nothing is left to score of \"is\": the prompt's last token swallows it"))
    );
    assert!(b.error.is_none() && b.choices.iter().all(|choice| choice.sum_logprob.is_some()));
    assert_eq!(outcome.unscored(), 1);
    assert!(outcome.failed());
    // Figures are those of what was scored.
    let mut alone = suite.clone();
    alone.items.remove(0);
    let mut run = run_of(vec![alone], Vec::new());
    finish(&mut run, usize::MAX);
    assert_eq!(run.into_outcome().suites[0].metrics["acc"], outcome.metrics["acc"]);
    // Nothing at all can be scored.
    suite.items.truncate(1);
    let mut run = run_of(vec![suite], Vec::new());
    finish(&mut run, usize::MAX);
    let outcome = run.into_outcome();
    assert!(!outcome.interrupted && outcome.failed());
    assert!(outcome.suites[0].metrics.values().flatten().all(|value| value.is_finite()));
}

const LOOKS: &str = r#"
[[probe]]
id = "looks"
prompt = "a b"
expect = ["lens_rank(' c', 0) == 3 and lens_rank(' c', 1) == 2"]

[[probe]]
id = "after"
prompt = "x"
choices = [" a", " b"]
answer = 0
"#;

#[test]
fn a_look_between_the_layers_is_an_answer_like_another() {
    let mut run = run_of(vec![suite_of(LOOKS)], Vec::new());
    let completed = finish(&mut run, usize::MAX);
    assert_eq!(completed.len(), 3);
    // The look, and each choice after the prompt and alone.
    assert_eq!((run.progress().done, run.progress().total), (5, 5));
    let outcome = run.into_outcome();
    assert_eq!(outcome.suites[0].items[0].passed, Some(true), "{:?}", outcome.suites[0].items[0].expect);
}

#[test]
fn a_view_that_a_model_has_not_fails_its_expectation_and_nothing_else() {
    let mut run = run_of(vec![suite_of(LOOKS)], Vec::new());
    run.take_ready();
    while let Some(command) = run.next_command() {
        if let Command::Inspect(_) = command {
            let part = "residual stream";
            run.on_event(Event::Failed(EngineError::NoPart { architecture: "mamba".into(), layer: 0, part }));
        } else {
            answer(&command, usize::MAX).into_iter().for_each(|event| drop(run.on_event(event)));
        }
    }
    let outcome = run.into_outcome();
    assert!(!outcome.interrupted);
    let items = &outcome.suites[0].items;
    assert!(items[0].expect[0].found.contains("mamba has no residual stream"), "{:?}", items[0].expect);
    assert_eq!((items[0].passed, items.len()), (Some(false), 2));
}

#[test]
fn a_choice_without_any_context_is_neither_right_nor_wrong() {
    let suite = suite_of(
        "bos = \"never\"\n[[probe]]\nid = \"none\"\nprompt = \"\"\nchoices = [\"a\", \"b\"]\nanswer = 0\n\
         [[probe]]\nid = \"some\"\nprompt = \"x\"\nchoices = [\"a\", \"b\"]\nanswer = 0\n",
    );
    let mut run = run_of(vec![suite], Vec::new());
    finish(&mut run, usize::MAX);
    let outcome = &run.into_outcome().suites[0];
    let [none, some] = outcome.items.as_slice() else { panic!("two items") };
    assert!(none.error.as_deref().is_some_and(|why| why.contains("without context")), "{none:?}");
    assert_eq!((none.passed, none.best.acc, some.passed), (None, None, Some(true)));
    assert_eq!((outcome.unscored(), outcome.missed(), outcome.passed()), (1, 0, 1));
    assert_eq!(outcome.metrics["acc"], Some(1.0));
}
