//! What if, on the real model: a row of a step gives what generation with other settings reports there, and looking
//! costs what it says.

#[path = "support/talk.rs"]
mod talk;

use std::sync::Arc;

use talk::Talk;
use tokenscope::distribution::Depth;
use tokenscope::engine::row::RowRequest;
use tokenscope::engine::{CancelFlag, Command, Event, Generate, Timing};
use tokenscope::query::Asker;
use tokenscope::query::at_step::{RowWish, StepRow, row, text};
use tokenscope::sampling::{Mirostat, Sampling, Stage, Xtc};
use tokenscope::settings::{SamplingFlags, Settings};
use tokenscope::step::{Step, TokenStats};

fn talked() -> Talk {
    let sampling =
        SamplingFlags { seed: Some(5), temp: Some(1.0), top_p: Some(0.99), ..SamplingFlags::default() };
    let mut talk = Talk::new(Settings { max_tokens: Some(16), ..talk::settings(sampling) });
    talk.line("Tell me a long story about the sea, the sea and the sea.");
    talk
}

fn asking<T>(talk: &mut Talk, ask: impl FnOnce(&mut Asker) -> T) -> T {
    ask(&mut Asker {
        client: &mut talk.client,
        model: Arc::clone(&talk.info),
        template: None,
        settings: talk.session.settings().clone(),
        cancel: CancelFlag::default(),
        far: Arc::new(|_| {}),
        cache: std::env::temp_dir(),
    })
}

fn fetched(talk: &mut Talk, at: usize) -> StepRow {
    let wish = talk.session.row_wish(at).unwrap();
    asking(talk, |asker| row(asker, &wish).unwrap())
}

/// What generation reports at a step: the next token after what stands before it.
fn generated(talk: &mut Talk, at: usize, sampling: &Sampling) -> TokenStats {
    let sequence = talk.session.sequence();
    let reply = sequence.reply_start();
    let begun: Vec<Arc<Step>> = (reply..at).map(|at| Arc::clone(sequence.step(at).unwrap())).collect();
    let request = Generate {
        prompt: sequence.tokens().take(at).map(|token| token.id).collect(),
        sampling: sampling.clone(),
        max_tokens: Some(1),
        begun,
        known: at,
        depth: Depth::Count(200),
        ..Generate::default()
    };
    let mut step = None;
    let each = |event| {
        if let Event::Step { step: found, .. } = event {
            step = Some(found);
        }
    };
    talk.client.run(Command::Generate(request), each).unwrap();
    step.unwrap().stats.clone().unwrap()
}

fn cases() -> Vec<Sampling> {
    let plain = Sampling { seed: 3, ..Sampling::default() };
    let mirostat = |version| Some(Mirostat { version, tau: 3.0, eta: 0.2 });
    vec![
        plain.clone(),
        Sampling { temperature: 0.7, top_p: 0.9, ..plain.clone() },
        Sampling { temperature: 1.6, min_p: 0.02, top_k: 50, ..plain.clone() },
        Sampling { repeat_penalty: 1.4, penalty_last_n: 20, top_p: 0.8, ..plain.clone() },
        Sampling { presence_penalty: 1.5, frequency_penalty: 0.7, ..plain.clone() },
        Sampling { dry: 2.0, temperature: 0.5, ..plain.clone() },
        Sampling { typical: 0.6, ..plain.clone() },
        Sampling { top_n_sigma: 1.5, temperature: 2.0, ..plain.clone() },
        Sampling { xtc: Some(Xtc { probability: 1.0, threshold: 0.05 }), ..plain.clone() },
        Sampling { mirostat: mirostat(1), ..plain.clone() },
        Sampling { mirostat: mirostat(2), temperature: 0.9, ..plain.clone() },
        Sampling { greedy: true, repeat_penalty: 1.2, ..plain },
    ]
}

#[test]
fn the_final_distribution_is_what_generation_with_these_settings_reports_at_that_step() {
    let mut talk = talked();
    let reply = talk.session.sequence().reply_start();
    for at in [reply, reply + 3, reply + 9] {
        let found = fetched(&mut talk, at);
        for sampling in cases() {
            let reported = generated(&mut talk, at, &sampling);
            let top = &reported.prediction.top_logprobs;
            let ids: Vec<_> = top.iter().map(|one| one.id).collect();
            assert_eq!(ids, found.order().take(ids.len()).collect::<Vec<_>>(), "raw order");
            let what_if = found.what_if(&sampling, &ids);
            for (fate, one) in what_if.tokens.iter().zip(top) {
                let outcome = one.outcome.unwrap();
                assert_eq!((fate.logprob, fate.rank), (one.logprob, one.rank));
                assert_eq!(fate.prob.exact(), Some(outcome.prob), "token {} with {sampling:?}", fate.id);
                let stage = fate.dropped_by.filter(|stage| *stage != Stage::Mirostat);
                assert_eq!(stage, outcome.dropped_by, "token {} with {sampling:?}", fate.id);
            }
            let kept = top.iter().filter(|one| one.outcome.unwrap().prob > 0.0).count();
            let left = what_if.left.unwrap();
            // What is behind the last that is dropped is dropped too.
            let is_all = top.last().unwrap().outcome.unwrap().prob == 0.0;
            assert!(left == kept || (left > kept && !is_all), "{left} {kept} {sampling:?}");
        }
    }
}

#[test]
fn a_constraint_is_followed_from_the_beginning_of_the_reply() {
    let mut talk = talked();
    talk.line("/set regex [a-z ,]+");
    talk.line("/retry");
    let at = talk.session.sequence().reply_start() + 4;
    let found = fetched(&mut talk, at);
    assert_eq!(found.refusal(), None);
    let sampling = talk.session.settings().sampling.clone();
    let reported = generated(&mut talk, at, &sampling);
    let ids: Vec<_> = reported.prediction.top_logprobs.iter().map(|one| one.id).collect();
    let what_if = found.what_if(&sampling, &ids);
    let mut ruled_out = 0;
    for (fate, one) in what_if.tokens.iter().zip(&reported.prediction.top_logprobs) {
        let outcome = one.outcome.unwrap();
        assert_eq!((fate.prob.exact(), fate.dropped_by), (Some(outcome.prob), outcome.dropped_by));
        ruled_out += usize::from(fate.dropped_by == Some(Stage::Grammar));
    }
    assert!(ruled_out > 10, "{ruled_out}");
    // Without it nothing is ruled out, on the same row.
    let free = found.what_if(&Sampling { grammar: None, ..sampling }, &ids);
    assert!(free.tokens.iter().all(|fate| fate.dropped_by != Some(Stage::Grammar)));
}

/// How much is computed for a row.
fn cost(talk: &mut Talk, wish: &RowWish) -> Timing {
    let request = RowRequest {
        path: wish.path.clone(),
        begun: wish.begun.len(),
        in_force: wish.in_force.clone(),
        ..RowRequest::default()
    };
    let mut rows = 0;
    let (_, timing) = talk
        .client
        .run(Command::Row(request), |event| rows += usize::from(matches!(event, Event::Row(_))))
        .unwrap();
    assert_eq!(rows, 1);
    timing
}

#[test]
fn the_newest_step_costs_nothing_another_one_decode_and_the_conversation_goes_on_as_if_nobody_had_looked() {
    let mut talk = talked();
    let (reply, end) = (talk.session.sequence().reply_start(), talk.session.sequence().len());
    let wish = |talk: &Talk, at| talk.session.row_wish(at).unwrap();
    let newest = wish(&talk, end - 1);
    assert_eq!(cost(&mut talk, &newest).prefill_tokens, 0);
    for at in
        [reply + 2, reply + 5, end - 2, reply + 1, reply + 3, reply + 4, reply + 6, reply + 7, reply + 8]
    {
        let other = wish(&talk, at);
        assert_eq!(cost(&mut talk, &other).prefill_tokens, 1, "{at}");
        assert_eq!(cost(&mut talk, &other).prefill_tokens, 0, "the latest rows are kept");
    }
    let typed = wish(&talk, 12);
    assert_eq!(cost(&mut talk, &typed).prefill_tokens, 12, "the batch that it was read in");
    talk.line("/continue 2");
    assert_eq!(talk.heard.computed.last(), Some(&1), "the last token, which was chosen and not read");
}

#[test]
fn a_text_is_as_probable_as_the_steps_that_write_it() {
    let mut talk = talked();
    let at = talk.session.sequence().reply_start() + 2;
    let wish = talk.session.row_wish(at).unwrap();
    let found = asking(&mut talk, |asker| text(asker, &wish, " red, blue and green".as_bytes()).unwrap());
    assert!(found.ids.len() >= 5, "{:?}", found.ids);
    let row = fetched(&mut talk, at);
    let first = row.raw(found.ids[0]);
    assert_eq!((found.first.logprob, found.first.rank), (first.logprob, first.rank.into()));
    talk.line("/force @3  red, blue and green");
    let sequence = talk.session.sequence();
    let steps = (at..at + found.ids.len()).map(|at| sequence.step(at).unwrap());
    let written: f64 = steps
        .zip(&found.ids)
        .map(|(step, id)| {
            assert_eq!(step.id, *id);
            f64::from(step.logprob().unwrap())
        })
        .sum();
    // The same figures but for the batch they were computed in.
    assert!((written - found.logprob).abs() < 0.1, "{written} {}", found.logprob);
    // Every token that holds some letters, and no other.
    let holding = row.holding("RED");
    assert!(holding.iter().all(|&id| talk.info.vocab.text(id).contains("RED")) && !holding.is_empty());
    let all =
        talk.info.vocab.ids().filter(|&id| talk.info.vocab.text(id).to_lowercase().contains("red")).count();
    let letters = row.holding("red");
    assert_eq!(letters.len(), all);
    assert!(letters.windows(2).all(|pair| row.raw(pair[0]).logprob >= row.raw(pair[1]).logprob));
}
