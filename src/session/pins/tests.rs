use super::*;
use crate::session::tests::Talk;

fn talked() -> Talk {
    let reply = vec![("The", 0.9), (" capital", 0.8), (" is", 0.7), ("<|im_end|>", 0.6)];
    Talk::new(vec![reply.clone(), reply])
}

#[test]
fn a_pinned_text_has_its_first_token_looked_up_at_every_step_from_then_on() {
    let mut talk = talked();
    talk.line("hi").unwrap();
    let said = talk.line("/pin  Paris is").unwrap();
    assert!(said.contains("«␣Paris␣is» is pinned: the first of its 2 tokens, ␣Paris"), "{said}");
    talk.line("/pin off").unwrap();
    assert!(talk.session.pinned().is_empty());
    let said = talk.line("/pin x").unwrap();
    assert!(said.contains("«x» is pinned: x, at every step"), "{said}");
    talk.line("again").unwrap();
    assert_eq!(talk.engine.last_asked().unwrap().named, [TokenId(u32::from(b'x'))]);
    let pin = talk.session.pinned()[0].clone();
    let start = talk.session.sequence().reply_start();
    let found: Vec<_> = (start..start + 4).map(|at| talk.session.pinned_at(at, &pin).unwrap()).collect();
    let probs: Vec<f64> = found.iter().map(|found| (found.prob.exact().unwrap() * 1e4).round()).collect();
    assert_eq!(probs, [100.0, 50.0, 33.0, 25.0]);
    assert!(found.iter().all(|found| found.rank == Figure::Exact(20)));
    // Of steps that were written before only so much is known.
    let before = talk.session.pinned_at(2, &pin).unwrap();
    assert!(before.prob.bounds().is_some_and(|[low, high]| low == 0.0 && high < 0.3), "{before:?}");
    assert!(before.rank.bounds().is_some_and(|[low, _]| low == 4), "{before:?}");
}

#[test]
fn no_more_are_pinned_than_can_be_told_apart_and_another_conversation_has_none_of_the_figures() {
    let mut talk = talked();
    for text in ["a", "b", "c", "d"] {
        talk.line(&format!("/pin {text}")).unwrap();
    }
    assert!(talk.line("/pin e").unwrap_err().contains("at most 4"));
    assert_eq!(talk.line("/pin").unwrap().lines().count(), 4);
    talk.line("hi").unwrap();
    let pin = talk.session.pinned()[0].clone();
    let at = talk.session.sequence().reply_start();
    assert!(talk.session.pinned_at(at, &pin).unwrap().prob.exact().is_some());
    talk.line("/clear").unwrap();
    assert_eq!(talk.session.pinned_at(at, &pin), None);
    talk.line("hi").unwrap();
    assert!(talk.session.pinned_at(2, &pin).unwrap().prob.exact().is_none());
    assert!(talk.session.pinned_at(at, &pin).unwrap().prob.exact().is_some());
}
