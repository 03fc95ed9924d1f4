//! Replies that are written beside one another.

use super::*;
use crate::archive;
use crate::archive::scribe::Scribe;
use crate::engine::replies::{ReplyEvent, ReplyId};
use crate::sequence::NodeOrigin;
use crate::session::branches::Branch;
use crate::session::keep;
use crate::session::restored::{self, Restored};

const LONDON: [ScriptedLine; 3] = [("The", 0.9), (" London", 0.1), ("<|im_end|>", 0.7)];
const THE: [ScriptedLine; 2] = [(" the", 0.3), ("<|im_end|>", 0.7)];

/// After a reply, to a message that is answered twice more.
fn three() -> Harness {
    let mut harness = Harness::new(120, 36, vec![paris(), paris(), LONDON.to_vec(), THE.to_vec()]);
    harness.keys("hi<Enter>");
    harness
}

fn ids(harness: &Harness, number: u32) -> Vec<u32> {
    let branches = harness.state.session.branches();
    let branch = branches.all().iter().find(|branch| branch.number == number).unwrap();
    branch.turns.last().unwrap().reply.as_ref().unwrap().ids.iter().map(|id| id.0).collect()
}

#[test]
fn retry_writes_several_at_once_each_on_a_branch_of_its_own_with_a_seed_of_its_own() {
    let mut harness = three();
    harness.keys("/retry 3<Enter>");
    let branches = harness.state.session.branches();
    let numbers: Vec<u32> = branches.all().iter().map(|branch| branch.number).collect();
    assert_eq!((numbers, branches.current().number), (vec![1, 2, 3, 4], 2));
    let replies: Vec<_> = branches.beside().into_iter().map(|(branch, turn)| (branch.number, turn)).collect();
    let texts: Vec<&str> = replies.iter().map(|(_, turn)| turn.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "The capital is Paris<|im_end|>",
            "The capital is Paris<|im_end|>",
            "The London<|im_end|>",
            " the<|im_end|>"
        ]
    );
    let seeds: Vec<u32> = replies.iter().map(|(_, turn)| turn.reply.as_ref().unwrap().seed).collect();
    assert_eq!(seeds, [7, 8, 9, 10]);
    for (branch, turn) in branches.beside() {
        let reply = turn.reply.as_ref().unwrap();
        assert_eq!(reply.finish, Some(FinishReason::Stop));
        let tokens = turn.tokens().unwrap();
        // Its tokens stand on its own path, after the same prompt.
        let path = branches.tree().path_to(branch.tip.unwrap());
        assert_eq!(tokens.end, path.len());
        let sum: f64 = path[tokens.clone()]
            .iter()
            .map(|node| {
                f64::from(branches.tree().node(*node).unwrap().step.as_ref().unwrap().logprob().unwrap())
            })
            .sum();
        assert!((sum - reply.score.sum_logprob()).abs() < 1e-6);
    }
    // They stand side by side.
    let screen = harness.screen();
    assert!(screen.contains("replies ─ 4") && screen.contains("▸2 seed 8"), "{screen}");
    harness.submit("/pane replies");
    harness.keys("<Right><Right><Enter>");
    assert_eq!(harness.state.session.branches().current().number, 4);
    assert!(
        *harness.state.focus == CHAT && harness.screen().contains("model   the<|im_end|>"),
        "{}",
        harness.screen()
    );
    harness.submit("/pane replies");
    let (x, y) = harness.find("3 seed 9");
    harness.click(x, y);
    harness.click(x, y + 1);
    assert_eq!(harness.state.session.branches().current().number, 3);
    harness.keys("again<Enter>");
    assert!(harness.screen().contains("you    again"), "{}", harness.screen());
}

#[test]
fn replies_side_by_side_have_the_keys_and_those_being_written_are_in_view() {
    let mut harness = Harness::endless(120, 36);
    harness.keys("hi<Enter>/retry 5<Enter>");
    assert_eq!(harness.state.focus, &REPLIES);
    let screen = harness.screen();
    assert!(screen.contains("▸2 seed 8") && !screen.contains(" 1 seed 7"), "{screen}");
    assert!(screen.contains("‹ 1 more · 2 more ›"), "{screen}");
    harness.keys("<Right><Right><Right><Right>");
    let screen = harness.screen();
    assert!(screen.contains(" 6 seed 12") && screen.contains("‹ 3 more "), "{screen}");
    harness.keys("<Enter>");
    assert_eq!(harness.state.session.branches().current().number, 6);
    // Another few: the older ones are out of view.
    harness.submit("/retry 2");
    let screen = harness.screen();
    assert!(screen.contains("▸7 seed") && screen.contains(" 8 seed"), "{screen}");
}

#[test]
fn what_is_stopped_stays_and_what_has_not_begun_is_gone() {
    let mut harness = three();
    harness.hold();
    harness.keys("/retry 3<Enter>");
    // The prompt, the first reply's token, and that of the second.
    harness.say(3);
    harness.keys("<C-c>");
    let id = harness.state.session.job().unwrap().id;
    let cancelled = Event::Finished { reason: FinishReason::Cancelled, timing: Default::default() };
    harness.send(Msg::Reply(id, cancelled));
    let numbers: Vec<u32> =
        harness.state.session.branches().all().iter().map(|branch| branch.number).collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert_eq!((ids(&harness, 2).len(), ids(&harness, 3).len()), (1, 1));
    let finish =
        harness.state.session.branches().all()[2].turns.last().unwrap().reply.as_ref().unwrap().finish;
    assert_eq!(finish, Some(FinishReason::Cancelled));
    // What still comes of it belongs to nobody.
    let late = Event::Reply(ReplyId(2), ReplyEvent::Ended(FinishReason::Stop));
    harness.send(Msg::Reply(id, late));
    assert!(!harness.state.session.is_busy());
}

#[test]
fn more_than_the_engine_writes_at_once_come_afterwards_and_one_alone_as_before() {
    let mut harness = Harness::endless(120, 36);
    harness.keys("hi<Enter>/retry 10<Enter>");
    assert_eq!(harness.state.session.branches().all().len(), 11);
    assert!(harness.state.session.branches().all().iter().all(|branch| branch.own.is_some()));
    assert_eq!(harness.engine.count_asked(), 3, "the first, eight side by side, two side by side");
    harness.submit("/retry");
    assert_eq!((harness.state.session.branches().all().len(), harness.engine.count_asked()), (12, 4));
}

#[test]
fn a_branch_whose_parent_was_taken_out_comes_from_the_nearest_that_is_there() {
    let mut harness = Harness::new(120, 36, vec![paris(), paris(), LONDON.to_vec(), THE.to_vec()]);
    for line in ["hi", "/retry", "/retry", "/prune 2"] {
        harness.submit(line);
    }
    let froms = |branches: &[Branch]| -> Vec<(u32, Option<u32>)> {
        branches.iter().map(|branch| (branch.number, branch.from)).collect()
    };
    let session = &harness.state.session;
    let expected = vec![(1, None), (3, Some(1))];
    assert_eq!(froms(session.branches().all()), expected);
    // And in a file in which the parent still was when its child was told of.
    let mut harness = Harness::new(120, 36, vec![paris(), paris(), LONDON.to_vec(), THE.to_vec()]);
    let mut scribe = Scribe::new(harness.state.session.settings().k);
    let mut text = String::new();
    for line in ["hi", "/retry", "/retry", "/prune 2"] {
        harness.submit(line);
        let session = &harness.state.session;
        for event in keep::told(session, &keep::model_line(session), &mut scribe) {
            text += &(serde_json::to_string(&event).unwrap() + "\n");
        }
    }
    let saved = archive::read::parse(text.as_bytes()).unwrap().saved;
    assert_eq!(saved.branches.len(), 3);
    let shown = Restored::of(&saved, 3).unwrap();
    assert_eq!(froms(shown.branches().all()), expected);
    assert!(Restored::of(&saved, 2).is_none() && restored::numbers(&saved) == [1, 3]);
}

#[test]
fn the_tree_asks_before_a_branch_is_taken_out() {
    let mut harness = three();
    harness.submit("/retry");
    harness.submit("/pane tree");
    let count = |harness: &Harness| harness.state.session.branches().all().len();
    harness.keys("x");
    assert!(harness.screen().contains("x again to take branch 2 out"), "{}", harness.screen());
    // Any other key leaves it where it is.
    harness.keys("<Up>x");
    assert!(harness.screen().contains("x again to take branch 1 out"), "{}", harness.screen());
    assert_eq!(count(&harness), 2);
    harness.keys("x");
    assert_eq!((count(&harness), harness.state.session.branches().current().number), (1, 2));
    assert!(!harness.screen().contains("x again"), "{}", harness.screen());
}

#[test]
fn a_file_that_is_cut_anywhere_has_no_token_on_another_ones_branch() {
    let mut harness = three();
    let mut scribe = Scribe::new(harness.state.session.settings().k);
    let mut lines: Vec<String> = Vec::new();
    let mut follow = |harness: &Harness| {
        let session = &harness.state.session;
        for event in keep::told(session, &keep::model_line(session), &mut scribe) {
            lines.push(serde_json::to_string(&event).unwrap() + "\n");
        }
    };
    follow(&harness);
    harness.hold();
    harness.keys("/retry 3<Enter>");
    for _ in 0..30 {
        follow(&harness);
        harness.say(1);
    }
    harness.release();
    follow(&harness);
    let expected: Vec<Vec<u32>> = (1..=4).map(|number| ids(&harness, number)).collect();
    for end in 1..=lines.len() {
        let Ok(opened) = archive::read::parse(lines[..end].concat().as_bytes()) else { continue };
        for branch in &opened.saved.branches {
            let path = branch.tip.map(|tip| opened.saved.tree.path_to(tip)).unwrap_or_default();
            let sampled = path.iter().filter_map(|node| opened.saved.tree.node(*node));
            let sampled = sampled.filter(|node| node.origin == NodeOrigin::Sampled);
            let mut sampled: Vec<u32> = sampled.map(|node| node.id.0).collect();
            sampled.retain(|id| *id != 257);
            let own = &expected[branch.number as usize - 1];
            assert!(
                own.starts_with(&sampled),
                "line {end}, branch {}: {sampled:?} of {own:?}",
                branch.number
            );
            if end == lines.len() {
                assert_eq!(&sampled, own);
            }
        }
    }
}
