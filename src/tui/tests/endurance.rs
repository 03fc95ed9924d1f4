//! Thousands of things that a person may do, by chance and repeatable: whatever happens, the figures fit together.

use super::*;
use crate::sequence::NodeOrigin;
use crate::session::branches::Branches;

/// Numbers that look like chance.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n.max(1)
    }
}

/// Σ of each reply is the sum of its steps, on every branch.
fn sums_agree(branches: &Branches) {
    for branch in branches.all() {
        let path = branch.tip.map(|tip| branches.tree().path_to(tip)).unwrap_or_default();
        for turn in &branch.turns {
            let (Some(tokens), Some(reply)) = (turn.tokens(), &turn.reply) else { continue };
            assert!(tokens.end <= path.len(), "a turn lies on its branch's path");
            let nodes = path[tokens.start + reply.typed()..tokens.end].iter();
            let nodes: Vec<_> = nodes.map(|&number| branches.tree().node(number).unwrap()).collect();
            // What a prompt has read again after something else has other figures there.
            let generated = [NodeOrigin::Sampled, NodeOrigin::Swapped, NodeOrigin::Forced];
            if nodes.iter().any(|node| !generated.contains(&node.origin)) {
                continue;
            }
            let logprobs = nodes.iter().filter_map(|node| node.figures().logprob());
            let sum: f64 = logprobs.map(f64::from).sum();
            assert!((sum - reply.score.sum_logprob()).abs() < 1e-4, "{sum} is not {:?}", reply.score);
        }
    }
}

/// What the engine was asked to go on with is the path before what it has said since.
fn was_sent(harness: &Harness) {
    let Some(request) = harness.engine.last_asked() else { return };
    let branches = harness.state.session.branches();
    let on_some_branch = branches.all().iter().filter_map(|branch| branch.tip).any(|tip| {
        let path = branches.tree().path_to(tip);
        let ids = path.iter().map(|&number| branches.tree().node(number).unwrap().id);
        path.len() >= request.prompt.len() && ids.zip(&request.prompt).all(|(id, sent)| id == *sent)
    });
    assert!(on_some_branch, "{:?}", request.prompt);
}

fn act(harness: &mut Harness, chance: &mut Chance) {
    let words = ["The", " capital", "x", "北京", "a b c"];
    let word = words[chance.below(words.len())];
    let number = chance.below(6) + 1;
    let line = match chance.below(22) {
        0..3 => word.to_string(),
        3..6 => format!("/swap {number} {}", chance.below(4) + 1),
        6 => format!("/swap p{} {number}", chance.below(40) + 1),
        7 | 8 => format!("/force @{number} {word}"),
        9 => format!("/force {word}"),
        10 => format!("/edit {number} {word}"),
        11 => "/retry".to_string(),
        12 => format!("/retry {number}"),
        13 => format!("/continue {number}"),
        14..17 => format!("/branch {}", chance.below(30) + 1),
        17 => format!("/prune {}", chance.below(30) + 1),
        18 => format!("/name {number} {word}"),
        19 => format!("/raw {word}"),
        20 => "/clear".to_string(),
        _ => ["/pause", "/resume", "/begin Oh", "/begin", "/branches", "/diff 1 2"][chance.below(6)]
            .to_string(),
    };
    // A long conversation is full, and one with many branches slow to check.
    let full =
        harness.state.session.sequence().len() > 400 || harness.state.session.branches().all().len() > 30;
    let line = if full { "/clear".to_string() } else { line };
    println!("{line}");
    match chance.below(12) {
        0 => {
            let (width, height) = (chance.below(160) as u16 + 20, chance.below(50) as u16 + 5);
            harness.send(Msg::Input(Input::Resize(width, height)));
        }
        1 => harness.keys(["<Left>", "<Right>", "<Home>", "<End>", "<A-n>", "<Esc>"][chance.below(6)]),
        2 => harness
            .keys(["<A-t><Up><Enter>", "<A-t><Down>d", "<A-t>x", "<A-t><A-t>2", "<A-o>"][chance.below(5)]),
        3 => {
            harness.state.focus_on(&TABLE);
            harness.keys(["<Down><Enter>", "1", "3", "<Up><Up><Enter>"][chance.below(4)]);
        }
        4 => {
            // Stopped on the way, and something asked meanwhile.
            harness.hold();
            harness.submit(&line);
            harness.say(chance.below(4));
            harness.submit("/swap 1 2");
            harness.keys("<C-c>");
            harness.say(usize::MAX);
            harness.release();
        }
        _ => harness.submit(&line),
    }
}

#[test]
fn ten_thousand_steps_leave_every_figure_in_its_place() {
    let mut harness = Harness::endless(100, 30);
    let mut asked = 0;
    let mut chance = Chance(20);
    for step in 0..10_000 {
        act(&mut harness, &mut chance);
        if harness.engine.count_asked() > asked {
            was_sent(&harness);
        }
        asked = harness.engine.count_asked();
        if step % 10 == 0 {
            sums_agree(harness.state.session.branches());
            harness.screen();
        }
        harness.effects.clear();
        if step % 200 == 0 {
            harness.state.transcript.clear();
        }
    }
    assert!(asked > 2_000, "the engine was asked {asked} times");
}
