//! Branches on the real model: what they cost, that their figures hold, and what is refused.

#[path = "support/talk.rs"]
mod talk;

use std::sync::Arc;

use talk::Talk;
use tokenscope::model::Weights;
use tokenscope::settings::{SamplingFlags, Settings};
use tokenscope::step::Step;
use tokenscope::token::TokenId;

fn settings(exact: bool, sampling: SamplingFlags) -> Settings {
    Settings { exact, weights: Some(Weights::AsIs), max_tokens: Some(12), ..talk::settings(sampling) }
}

fn seeded() -> SamplingFlags {
    SamplingFlags { seed: Some(5), temp: Some(1.0), ..SamplingFlags::default() }
}

/// The sequence's ids.
fn ids_of(talk: &Talk) -> Vec<TokenId> {
    talk.session.sequence().tokens().map(|token| token.id).collect()
}

fn steps_of(talk: &Talk) -> Vec<Arc<Step>> {
    talk.session.sequence().tokens().map(|token| token.step.clone().unwrap()).collect()
}

/// Every figure of a step, to the bit.
fn bits(step: &Step) -> Option<(u32, Vec<(u32, u32)>)> {
    let stats = step.stats.as_ref()?;
    let top = stats.prediction.top_logprobs.iter().map(|one| (one.id.0, one.logprob.to_bits()));
    Some((stats.logprob.to_bits(), top.collect()))
}

#[test]
fn a_branch_computes_its_own_token_and_one_that_is_gone_back_to_nothing() {
    let mut talk = Talk::new(settings(false, seeded()));
    talk.line("Name three colours.");
    let (first, prompt) = (ids_of(&talk), talk.session.sequence().reply_start());
    assert!(talk.line("/swap 4 2").contains("branch 2 leaves branch 1"));
    assert_eq!(talk.heard.computed[1], 1, "the swapped token alone");
    assert_eq!(ids_of(&talk)[..prompt + 3], first[..prompt + 3]);
    talk.line("/retry");
    assert_eq!(talk.heard.computed[2], 0, "the row after the prompt is kept");
    talk.line("/branch 1");
    assert_eq!(ids_of(&talk), first);
    talk.line("/continue 2");
    assert_eq!(talk.heard.computed[3], 1, "the last token, which was chosen and not read");
    assert_eq!(ids_of(&talk)[..first.len()], first[..]);
    // A step of the prompt: the model writes the message on.
    talk.line("/branch 2");
    let said = talk.line(&format!("/swap p{} 2", prompt - 6));
    assert!(said.contains("branch 4 leaves branch 2"), "{said}");
    assert_eq!(talk.heard.computed[4], 1);
}

#[test]
fn a_branch_with_repeatable_arithmetic_is_a_fresh_run_bit_for_bit() {
    let mut talk = Talk::new(settings(true, seeded()));
    talk.line("Name three colours.");
    talk.line("/swap 4 2");
    let (ids, steps) = (ids_of(&talk), steps_of(&talk));
    let prompt = talk.session.sequence().reply_start();
    // Another engine that writes the same: forced token by token, which the reply's seed does not touch.
    let mut fresh = Talk::new(settings(true, seeded()));
    fresh.line("Name three colours.");
    let again = fresh.session.turns().last().unwrap().reply.as_ref().unwrap().ids.clone();
    assert_eq!(again[..3], ids[prompt..prompt + 3], "the same seed");
    fresh.line("/swap 4 2");
    assert_eq!(ids_of(&fresh), ids);
    let same = steps_of(&fresh).iter().zip(&steps).all(|(a, b)| bits(a) == bits(b));
    assert!(same, "figures of the same branch in two engines");
    // And the parent's own steps are those that a run has which was never left.
    let mut straight = Talk::new(settings(true, seeded()));
    straight.line("Name three colours.");
    let parent = steps_of(&straight);
    assert!(parent[..prompt + 3].iter().zip(&steps).all(|(a, b)| bits(a) == bits(b)));
    // Continued from an empty cache, a reply's next figures are those of the reply that was not stopped.
    let mut long = Talk::new(Settings { max_tokens: Some(6), ..settings(true, greedily()) });
    long.line("Name three colours.");
    let mut short = Talk::new(Settings { max_tokens: Some(3), ..settings(true, greedily()) });
    short.line("Name three colours.");
    short.line("/continue 3");
    assert_eq!(ids_of(&short), ids_of(&long));
    assert!(steps_of(&short).iter().zip(&steps_of(&long)).all(|(a, b)| bits(a) == bits(b)));
}

fn greedily() -> SamplingFlags {
    SamplingFlags { greedy: true, ..SamplingFlags::default() }
}

#[test]
fn branches_made_by_chance_keep_figures_that_hold_when_they_are_scored() {
    // The program makes the copy: it converts in a child process of its own kind, which a test is not.
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_tokenscope"));
    program.env("TOKENSCOPE_NO_SAVE", "1");
    assert!(program.args(["next", "a", "--json", "--weights", "f16"]).output().unwrap().status.success());
    let settings = Settings { weights: Some(Weights::F16), ..settings(false, seeded()) };
    let mut talk = Talk::new(settings);
    let mut state = 7u64;
    let mut below = move |n: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    };
    talk.line("Write one sentence about the sea.");
    for _ in 0..40 {
        let line = match below(8) {
            0..3 => format!("/swap {} {}", below(8) + 1, below(5) + 1),
            3 => format!("/force @{} and", below(8) + 1),
            4 => format!("/branch {}", below(6) + 1),
            5 => "/retry".to_string(),
            6 => "/continue 3".to_string(),
            _ => format!("/edit 1 Write about number {}.", below(9)),
        };
        talk.line(&line);
    }
    let numbers: Vec<u32> = talk.session.branches().all().iter().map(|branch| branch.number).collect();
    assert!(numbers.len() > 15, "{numbers:?}");
    let (mut worst, mut sum, mut tokens) = (0.0f64, 0.0, 0);
    for number in numbers {
        talk.line(&format!("/branch {number}"));
        let ids = ids_of(&talk);
        let shown: Vec<f64> =
            steps_of(&talk).iter().skip(1).map(|step| f64::from(step.logprob().unwrap())).collect();
        let scored = talk.score(ids, 1);
        let apart: f64 = shown.iter().zip(&scored).map(|(a, b)| (a - b).abs()).sum();
        worst = worst.max(apart / shown.len() as f64);
        (sum, tokens) = (sum + apart, tokens + shown.len());
    }
    let mean = sum / tokens as f64;
    println!("a branch's figures and its scored ones: {mean:.4} nat per token apart, at most {worst:.4}");
    // What README states for a copy in F16.
    assert!(mean <= 0.01, "{mean}");
}

#[test]
fn replies_side_by_side_share_the_prompt_and_have_figures_that_hold_when_they_are_scored() {
    let mut talk = Talk::new(Settings { max_tokens: Some(8), ..settings(false, seeded()) });
    talk.line("Write one sentence about the sea.");
    let said = talk.line("/retry 4");
    assert_eq!(said.matches("branch ").count(), 3, "{said}");
    assert_eq!(talk.heard.computed[1], 0, "the prompt is there, and the row after it");
    let branches: Vec<(u32, u32)> = talk
        .session
        .branches()
        .beside()
        .into_iter()
        .map(|(branch, turn)| (branch.number, turn.reply.as_ref().unwrap().seed))
        .collect();
    assert_eq!(branches, [(1, 5), (2, 6), (3, 7), (4, 8), (5, 9)]);
    let (mut apart, mut tokens) = (0.0, 0);
    for (number, _) in branches {
        talk.line(&format!("/branch {number}"));
        let (ids, reply) = (ids_of(&talk), talk.session.sequence().reply_start());
        assert!(ids.len() > reply);
        let shown: Vec<f64> =
            steps_of(&talk)[reply..].iter().map(|step| f64::from(step.logprob().unwrap())).collect();
        let scored = talk.score(ids, reply);
        apart += shown.iter().zip(&scored).map(|(a, b)| (a - b).abs()).sum::<f64>();
        tokens += shown.len();
    }
    let mean = apart / f64::from(tokens as u32);
    println!("figures of replies side by side and scored ones: {mean:.4} nat per token apart");
    assert!(mean <= 0.15, "{mean}");
    // Any of them is gone on with at the cost of its last token.
    talk.line("/continue 2");
    assert_eq!(talk.heard.computed.last(), Some(&1));
    // What is taken out frees what it had, and the others are as they were.
    talk.line("/prune 3");
    talk.line("/branch 4");
    talk.line("/continue 1");
    assert_eq!(talk.heard.computed.last(), Some(&1));
}

#[test]
fn with_repeatable_arithmetic_replies_come_one_after_the_other_each_as_if_alone() {
    let mut talk = Talk::new(settings(true, seeded()));
    talk.line("Name three colours.");
    talk.line("/retry 2");
    let mut alone = Talk::new(settings(true, seeded()));
    alone.line("Name three colours.");
    alone.line("/retry");
    alone.line("/retry");
    assert_eq!(ids_of(&talk), ids_of(&alone));
    assert!(steps_of(&talk).iter().zip(&steps_of(&alone)).all(|(a, b)| bits(a) == bits(b)));
}

#[test]
fn what_a_constraint_does_not_allow_is_refused_and_nothing_has_changed() {
    let mut talk = Talk::new(settings(false, seeded()));
    talk.line("/set regex [a-z ]{5,40}");
    talk.line("Say something.");
    let (ids, branches) = (ids_of(&talk), talk.session.branches().all().len());
    let said = talk.line("/force @2 123");
    assert!(said.contains("does not allow") && said.contains("of the reply: choose another"), "{said}");
    assert_eq!((ids_of(&talk), talk.session.branches().all().len()), (ids, branches));
    talk.line("/force @2 abc");
    let text = &talk.session.turns().last().unwrap().content;
    assert!(text.contains("abc") && text.chars().all(|c| c.is_ascii_lowercase() || c == ' '), "{text}");
    assert!(talk.info.vocab.len() > 1000);
}
