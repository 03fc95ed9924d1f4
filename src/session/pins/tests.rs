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

#[test]
fn pins_and_their_figures_are_kept_in_a_file_and_on_every_branch() {
    let mut talk = talked();
    talk.line("/pin Paris is").unwrap();
    talk.line("hi").unwrap();
    let pin = talk.session.pinned()[0].clone();
    let known = |session: &Session| -> Vec<Option<PinnedAt>> {
        let path = session.branches().tree().path().len();
        (0..path).map(|at| session.pinned_at(at, &pin)).collect()
    };
    let exact = |found: &[Option<PinnedAt>]| {
        found.iter().flatten().filter(|found| found.prob.exact().is_some()).count()
    };
    let first = known(&talk.session);
    assert_eq!(exact(&first), 4, "{first:?}");
    talk.line("/retry").unwrap();
    let second = known(&talk.session);
    assert_eq!(exact(&second), 4, "{second:?}");
    talk.line("/branch 1").unwrap();
    assert_eq!(known(&talk.session), first);

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("talk.jsonl");
    talk.line(&format!("/save {}", file.display())).unwrap();
    let mut other = talked();
    other.line(&format!("/load {}", file.display())).unwrap();
    assert_eq!(other.session.pinned(), std::slice::from_ref(&pin));
    assert_eq!(known(&other.session), first);
    other.line("/branch 2").unwrap();
    assert_eq!(known(&other.session), second);
    // What is written from then on has it too.
    other.line("more").unwrap();
    assert_eq!(other.engine.last_asked().unwrap().named, [pin.first]);
    other.line("/clear").unwrap();
    assert!(!other.session.pinned().is_empty() && other.session.pinned_figures().is_empty());
}

#[test]
fn replies_written_side_by_side_have_a_pinned_text_too() {
    let mut talk = Talk::new(vec![vec![("The", 0.9), (" capital", 0.8), ("<|im_end|>", 0.6)]; 4]);
    talk.line("/pin x").unwrap();
    talk.line("hi").unwrap();
    talk.line("/retry 3").unwrap();
    let pin = talk.session.pinned()[0].clone();
    for number in 1..=4 {
        talk.line(&format!("/branch {number}")).unwrap();
        let at = talk.session.sequence().reply_start();
        let found = talk.session.pinned_at(at, &pin).unwrap();
        assert!(found.prob.exact().is_some(), "branch {number}: {found:?}");
    }
}
