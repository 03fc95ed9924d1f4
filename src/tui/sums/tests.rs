use super::super::harness::Harness;
use super::*;

fn agree(harness: &Harness) {
    let session = &harness.state.session;
    let n = session.sequence().len();
    for tokens in [0..n, 1..n, 3..n - 3, 64..128, 63..129, 100..101, 5..5, 0..64] {
        let mut plain = Score::default();
        tokens.clone().for_each(|at| add(&mut plain, session, at));
        let blocks = harness.state.sums.over(session, tokens.clone());
        assert_eq!((plain.tokens(), plain.bytes()), (blocks.tokens(), blocks.bytes()), "{tokens:?}");
        assert!((plain.sum_logprob() - blocks.sum_logprob()).abs() < 1e-9, "{tokens:?}");
    }
}

#[test]
fn blocks_add_up_to_what_the_tokens_do_on_every_branch() {
    let lines = |n| (0..n).flat_map(|_| [(" the", 0.9), ("\n", 0.4)]).chain([("<|im_end|>", 0.9)]).collect();
    let mut harness = Harness::new(100, 30, vec![lines(140), lines(60)]);
    harness.keys("hi<Enter>");
    assert!(harness.state.sums.blocks.len() >= 4);
    agree(&harness);
    harness.keys("/swap 90 2<Enter>");
    agree(&harness);
    harness.keys("/branch 1<Enter>");
    agree(&harness);
}
