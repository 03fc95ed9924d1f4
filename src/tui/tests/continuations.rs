//! A continuation that `/expand` found is taken, and becomes a branch.

use super::*;
use crate::sequence::NodeOrigin;

fn reply() -> Vec<ScriptedLine> {
    vec![("The", 0.9), (" capital", 0.8), ("<|im_end|>", 0.6)]
}

fn expanded(line: &str) -> Harness {
    let mut harness = Harness::new(120, 36, vec![reply(), vec![(" is", 0.7), ("<|im_end|>", 0.6)]]);
    harness.keys("hi<Enter>");
    harness.submit(line);
    harness.answer();
    harness
}

#[test]
fn a_continuation_of_the_conversation_is_taken_on_a_branch_of_its_own() {
    let mut harness = expanded("/expand --depth 2 --width 2");
    assert!(harness.screen().contains("continuation"), "{}", harness.screen());
    // Down to the second from the top.
    harness.keys("<Tab>kkkkkkkkkkj");
    let (answer, item) = harness.state.transcript.row().unwrap();
    assert_eq!(item, 1);
    let draft = answer.draft().unwrap();
    assert!(draft.of_conversation);
    assert!(harness.screen().contains("Enter: go on with 2 on a branch of its own"), "{}", harness.screen());
    harness.keys("<Enter>");
    let session = &harness.state.session;
    assert_eq!((session.branches().all().len(), session.branches().current().number), (2, 2));
    let sequence = session.sequence();
    let taken = &draft.offers[1];
    let stood: Vec<_> = sequence.tokens().skip(draft.ids.len()).take(taken.len()).collect();
    assert_eq!(stood.iter().map(|token| token.id).collect::<Vec<_>>(), *taken);
    assert!(stood.iter().all(|token| token.origin == NodeOrigin::Forced));
    // It goes on from there.
    let asked = harness.engine.last_asked().unwrap();
    assert_eq!(asked.prompt, [&draft.ids[..], taken].concat());
    assert!(sequence.len() > draft.ids.len() + taken.len());
    // What stands there already is no other branch.
    harness.submit("/step 2");
    assert_eq!(harness.state.session.branches().all().len(), 2);
    assert!(harness.screen().contains("that is what stands there"), "{}", harness.screen());
    // Elsewhere it can't be taken.
    harness.submit("/edit 1 ho");
    harness.submit("/step 1");
    assert!(harness.screen().contains("stands elsewhere"), "{}", harness.screen());
}

#[test]
fn a_second_click_takes_and_a_continuation_of_a_text_is_looked_after() {
    let mut harness = expanded("/expand --depth 2 --width 2 The");
    let (x, y) = harness.find("continuation");
    harness.click(x, y + 1);
    assert!(harness.screen().contains("take 1 and look what comes then"), "{}", harness.screen());
    let draft = harness.state.transcript.row().unwrap().0.draft().unwrap();
    harness.click(x, y + 1);
    let asked = harness.effects.iter().rev().find_map(|effect| match effect {
        Effect::Ask(Question::Step(ids), _) => Some(ids.clone()),
        _ => None,
    });
    assert_eq!(asked, Some([&draft.ids[..], &draft.offers[0]].concat()));
    assert_eq!(harness.state.session.branches().all().len(), 1);
}
