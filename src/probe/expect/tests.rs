use super::*;
use crate::jinja::Dialect;
use crate::probe::answer::{Answers, Continuation, Finding, Looked, Scored};
use crate::probe::question::{Choice, Gold, Piece, Prompt};
use crate::score::Score;
use crate::step::{Candidate, Prediction};
use crate::token::TokenId;

fn scored(logprobs: &[f32], rank: u32) -> Scored {
    let mut score = Score::default();
    for logprob in logprobs {
        score.add(*logprob, 1);
    }
    let first = Candidate { id: TokenId(7), logprob: logprobs[0], rank, outcome: None };
    Scored {
        logprobs: logprobs.iter().copied().map(Some).collect(),
        score,
        first: Some(first.into()),
        ..Scored::default()
    }
}

fn questions() -> Arc<Questions> {
    let choice = |text: &str| Choice { text: text.to_string(), continuation: text.to_string(), prompt: 0 };
    Arc::new(Questions {
        prompts: vec![Prompt::Text("x".to_string())],
        choices: vec![choice(" yes"), choice(" no")],
        gold: Gold::One(0),
        pieces: (0..2).map(|i| Piece { name: i.to_string(), text: "a".to_string(), prompt: 0 }).collect(),
        ..Questions::default()
    })
}

fn answers() -> Answers {
    let mut answers = Answers::default();
    let text = |text: &str| Ask::Text { prompt: 0, text: text.to_string() };
    answers.add(text(" yes"), Finding::Text(scored(&[0.25f32.ln()], 1)));
    answers.add(text(" no"), Finding::Text(scored(&[0.125f32.ln(), 0.5f32.ln()], 4)));
    answers.add(Ask::Prompt { prompt: 0 }, Finding::Text(scored(&[0.5f32.ln(), 0.125f32.ln()], 2)));
    answers
        .add(Ask::Pieces { prompt: 0 }, Finding::Pieces(vec![scored(&[-1.0], 1), scored(&[-3.0, -1.5], 1)]));
    let prediction = Prediction {
        top_logprobs: Vec::new(),
        entropy: 1.5.into(),
        varentropy: 0.5.into(),
        residual: 1.0.into(),
        n_vocab: 9,
        boundary: None,
    };
    answers.add(Ask::Next { prompt: 0 }, Finding::Next(Some(Box::new(prediction))));
    let reply = Continuation { text: " 42, of".to_string(), score: Score::default() };
    answers.add(Ask::Greedy { prompt: 0, tokens: 3 }, Finding::Continuations(vec![reply]));
    answers
}

fn bind(text: &str, variables: &[(&str, Value)]) -> Expectation {
    let variables = variables.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
    let condition = Arc::new(Condition::new(&Jinja::new(Dialect::Suite), text).unwrap());
    Expectation::bind(&condition, variables, &questions()).unwrap()
}

fn judge(text: &str) -> Verdict {
    let view = Evidence { questions: questions(), answers: Arc::new(answers()), models: Arc::default() };
    bind(text, &[]).judge(&view)
}

#[test]
fn every_function_gives_its_number() {
    for text in [
        "(p(' yes') - 0.25)|abs < 0.000001",
        "(logprob(' no') + 2.7726)|abs < 0.0001",
        "rank(' no') == 4",
        "entropy() == 1.5",
        "greedy(3) == ' 42, of'",
        "matches(greedy(3), '^ \\\\d+,')",
        "best() == 0 and best('acc_tokens') == -1",
        "score(0) > score(1) and score() == score(0)",
        "(margin(0, 1) - 1.3863)|abs < 0.0001 and margin() == margin(0, 1) and margin(1) < 0",
        "(ppl() - 4.0)|abs < 0.000001 and (ppl(1) - 4.0)|abs < 0.000001",
        "surprisal(0) == 1 and surprisal(1) == 2.25 and peak() == 1",
    ] {
        let verdict = judge(text);
        assert!(verdict.passed, "{text}: {}", verdict.found);
    }
}

fn candidates(logprobs: &[f32]) -> Vec<Candidate> {
    let candidate = |(i, &logprob): (usize, &f32)| Candidate {
        id: TokenId(7),
        logprob,
        rank: 10 - i as u32,
        outcome: None,
    };
    logprobs.iter().enumerate().map(candidate).collect()
}

/// Two prompts of which the one has ln p −1 and the other −3; patched it has −1.5.
fn traced(text: &str, corrupt: f32) -> Verdict {
    let of_both = Questions {
        prompts: vec![Prompt::Text("x y".to_string()), Prompt::Text("z y".to_string())],
        compares: true,
        target: Some(" yes".to_string()),
        ..Questions::default()
    };
    let of_both = Arc::new(of_both);
    let condition = Arc::new(Condition::new(&Jinja::new(Dialect::Suite), text).unwrap());
    let bound = Expectation::bind(&condition, IndexMap::new(), &of_both).unwrap();
    let mut answers = answers();
    let yes = || " yes".to_string();
    let looked = |logprobs: &[f32]| Finding::Looked(Looked { readings: candidates(logprobs), floor: 0.02 });
    answers.add(Ask::Context { prompt: 0, tokens: 2, text: yes() }, Finding::Text(scored(&[-4.0], 9)));
    let without = Ask::Without { prompt: 0, words: "x".to_string(), text: yes() };
    answers.add(without, Finding::Text(scored(&[0.0625f32.ln()], 9)));
    answers.add(Ask::Layers { prompt: 0, text: yes() }, looked(&[-3.0, -2.0, -1.0, -1.0]));
    answers.add(Ask::Unchanged { prompt: 0, text: yes() }, looked(&[-1.0; 4]));
    let patched = Ask::Patched { layer: 1, position: -1, text: yes() };
    answers.add(patched, looked(&[corrupt, corrupt, corrupt, corrupt, -1.5]));
    let none = Ask::Patched { layer: 9, position: 0, text: yes() };
    answers.add(none, Finding::Missing("there is no layer 9".to_string()));
    let view = Evidence { questions: of_both, answers: Arc::new(answers), models: Arc::default() };
    bound.judge(&view)
}

#[test]
fn what_a_lens_finds_can_be_expected() {
    for text in [
        "context(2) == -4",
        "(occlusion('x') + 1.386294)|abs < 0.0001",
        "lens_rank(' yes', 0) == 10 and lens_rank(' yes', 2) == 8 and lens_rank(' yes', -1) == 8",
        "recovered(1, -1) == 0.75",
    ] {
        let verdict = traced(text, -3.0);
        assert!(verdict.passed, "{text}: {}", verdict.found);
    }
    for (text, corrupt, reason) in [
        ("lens_rank(' yes', 3) > 0", -3.0, "there is no layer 3: this model has 3, counted from 0"),
        ("lens_rank(' yes', -4) > 0", -3.0, "there is no layer -4"),
        ("recovered(9, 0) > 0", -3.0, "there is no layer 9"),
        ("recovered(1, -1) > 0", -1.09, "there is nothing to recover: the two prompts differ by 0.09000 nat"),
    ] {
        let verdict = traced(text, corrupt);
        assert!(!verdict.passed && verdict.found.contains(reason), "{text}: {}", verdict.found);
    }
}

#[test]
fn what_was_found_names_every_measured_value() {
    let verdict = judge("p(' no') > 0.5 or rank(' yes') > 1");
    assert!(!verdict.passed);
    assert_eq!(verdict.found, "p(' no') = 0.06250, rank(' yes') = 1");
}

#[test]
fn an_expression_without_a_comparison_is_refused_before_a_model_is_needed() {
    for text in ["rank(' no')", "greedy(3)", "p(' yes') - 0.5", "best() == 1 and p(' yes')"] {
        let condition = Arc::new(Condition::new(&Jinja::new(Dialect::Suite), text).unwrap());
        let error = Expectation::bind(&condition, IndexMap::new(), &questions()).unwrap_err();
        assert_eq!(
            error,
            format!("`{text}`: the expression is neither true nor false: compare it with something")
        );
    }
    let figures = ["acc".to_string()];
    assert!(Limit::new(&Jinja::new(Dialect::Suite), "acc", &figures).is_err());
    assert!(Limit::new(&Jinja::new(Dialect::Suite), "acc > 0.5", &figures).is_ok());
}

#[test]
fn a_difference_of_two_measurements_can_be_divided_by() {
    for text in [
        "1 / (p(' yes') - p(' no')) > 0",
        "(score(0) - score(1)) / (logprob(' yes') - logprob(' no')) > 0",
        "6 / (rank(' no') - rank(' yes')) == 2",
    ] {
        let verdict = judge(text);
        assert!(verdict.passed, "{text}: {}", verdict.found);
    }
}

#[test]
fn everything_is_asked_for_also_behind_a_short_circuit() {
    let asks: Vec<Ask> =
        bind("best() == 0 or p(' a') > 0.5 and rank(word) == 1", &[("word", Value::from(" b"))])
            .asks()
            .cloned()
            .collect();
    let text = |text: &str| Ask::Text { prompt: 0, text: text.to_string() };
    assert_eq!(asks, [text(" a"), text(" b")]);
    let asks: Vec<Ask> = bind("best('acc_mutual_info') == 0", &[]).asks().cloned().collect();
    assert_eq!(asks, [Ask::Alone { text: " yes".to_string() }, Ask::Alone { text: " no".to_string() }]);
}

#[test]
fn what_was_not_measured_fails_with_a_reason() {
    let view = Evidence { questions: questions(), answers: Arc::default(), models: Arc::default() };
    let verdict = bind("p(' a') > 0.1", &[]).judge(&view);
    assert!(!verdict.passed && verdict.found.contains("no context to predict from"), "{}", verdict.found);
    assert!(judge("delta('a', 'b') > 0").found.contains("model a is not part of this run"));
}

#[test]
fn a_difference_between_models_takes_both() {
    let better = Arc::new(answers());
    let mut worse = Answers::default();
    worse.add(Ask::Text { prompt: 0, text: " yes".to_string() }, Finding::Text(scored(&[0.0625f32.ln()], 9)));
    let models =
        IndexMap::from([("big".to_string(), Arc::clone(&better)), ("small".to_string(), Arc::new(worse))]);
    let view = Evidence { questions: questions(), answers: better, models: Arc::new(models) };
    let verdict =
        bind("delta('big', 'small') > 1.38 and delta('small', 'big', ' yes') < 0", &[]).judge(&view);
    assert!(verdict.passed, "{}", verdict.found);
}

#[test]
fn limits_are_about_figures() {
    let jinja = Jinja::new(Dialect::Suite);
    let names = ["acc".to_string(), "ece".to_string()];
    let figures = IndexMap::from([("acc".to_string(), Some(0.75)), ("ece".to_string(), None)]);
    let judge = |text: &str| Limit::new(&jinja, text, &names).unwrap().judge(&figures);
    assert_eq!(judge("acc >= 0.7").found, "acc = 0.7500");
    assert!(judge("acc >= 0.7").passed && !judge("acc > 0.75").passed);
    assert!(!judge("ece < 0.1").passed);
}

#[test]
fn figures_have_four_digits() {
    for (figure, text) in [
        (0.25, "0.2500"),
        (0.00012345, "0.0001234"),
        (1234.5678, "1235"),
        (-2.5, "-2.500"),
        (1e-9, "1.000e-9"),
        (0.0, "0"),
    ] {
        assert_eq!(quantity::shown(Some(figure)), text);
    }
    assert_eq!(quantity::shown(Some(f64::NEG_INFINITY)), "−∞");
}
