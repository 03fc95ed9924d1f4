use super::*;
use crate::distribution::Depth;
use crate::engine::protocol::{ScoreBatch, Sequence};
use crate::sampling::Sampling;

fn ids(text: &str) -> Vec<TokenId> {
    Pieces.tokenize(text.as_bytes(), false)
}

#[test]
fn what_is_scored_has_the_figures_of_one_distribution_through_an_engine_of_its_own() {
    let mut client = Scripted::new([]).client();
    let batch = ScoreBatch {
        sequences: vec![
            Sequence { tokens: ids("The capital is Paris"), from: 1 },
            Sequence { tokens: ids("The London"), from: 1 },
        ],
        depth: Depth::Count(3),
        after: true,
        ..ScoreBatch::default()
    };
    let mut logprobs = Vec::new();
    let mut best = Vec::new();
    let outcome = client.run(Command::Score(batch), |event| {
        if let Event::Scored { steps, after, .. } = event {
            logprobs.push(steps.iter().map(|step| step.logprob().unwrap()).collect::<Vec<_>>());
            best.push(after.unwrap().top_logprobs[0].id);
        }
    });
    assert_eq!(outcome.unwrap().0, FinishReason::Stop);
    // One word at e⁴, seven at e², the end at e, 95 characters at 1 and the other 162 entries at e⁻⁶.
    let z = 4f64.exp() + 7.0 * 2f64.exp() + 1f64.exp() + 95.0 + 162.0 * (-6f64).exp();
    for logprob in &logprobs[0] {
        assert!((f64::from(*logprob) - (4.0 - z.ln())).abs() < 1e-5, "{logprob}");
    }
    assert!((f64::from(logprobs[1][0]) - (2.0 - z.ln())).abs() < 1e-5);
    assert_eq!(best, [ids(" the")[0], ids(" the")[0]]);
}

#[test]
fn continuations_are_the_replies_of_the_script() {
    let mut client =
        Scripted::new([vec![(" Paris", 0.9), ("<|im_end|>", 0.5)], vec![(" London", 0.2), (" the", 0.1)]])
            .client();
    let sample = Sample {
        prompt: ids("The"),
        samplings: vec![Sampling::default(); 2],
        max_tokens: Some(2),
        ..Sample::default()
    };
    let mut found = Vec::new();
    let outcome = client.run(Command::Sample(sample), |event| {
        if let Event::Sampled { steps, reason, .. } = event {
            found.push((steps.iter().map(|step| step.id).collect::<Vec<_>>(), reason));
        }
    });
    assert!(outcome.is_ok());
    let paris = vec![ids(" Paris")[0], TokenId(END)];
    assert_eq!(found, [(paris, FinishReason::Stop), (ids(" London the"), FinishReason::Length)]);
}

#[test]
fn a_text_that_does_not_fit_is_refused_as_by_any_engine() {
    let mut client = Scripted::new([]).client();
    let batch = ScoreBatch {
        sequences: vec![Sequence { tokens: vec![TokenId(65); 600], from: 1 }],
        ..ScoreBatch::default()
    };
    let outcome = client.run(Command::Score(batch), |_| {});
    assert_eq!(outcome.unwrap_err(), EngineError::TooLong { needed: 599, context: 512 });
}
