use super::super::tests::{Talk, paris, seen};
use super::*;

/// What is said of the conversation's ids and sums fits together.
fn checked(talk: &Talk) {
    let branches = talk.session.branches();
    for branch in branches.all() {
        let path = branch.tip.map(|tip| branches.tree().path_to(tip)).unwrap_or_default();
        let nodes: Vec<_> = path.iter().map(|&number| branches.tree().node(number).unwrap()).collect();
        for turn in &branch.turns {
            let (Some(tokens), Some(reply)) = (turn.tokens(), &turn.reply) else { continue };
            let generated = tokens.start + reply.typed()..tokens.end;
            let sum: f64 =
                nodes[generated].iter().filter_map(|node| node.figures().logprob()).map(f64::from).sum();
            assert!((sum - reply.score.sum_logprob()).abs() < 1e-6, "{sum} {:?}", reply.score);
        }
    }
}

/// The ids the engine was asked to go on with last, and how many of them are a reply's.
fn sent(talk: &Talk) -> (Vec<TokenId>, usize, usize) {
    let request = talk.engine.asked().pop().unwrap();
    assert_eq!(
        request.begun.iter().map(|step| step.id).collect::<Vec<_>>(),
        request.prompt[request.prompt.len() - request.begun.len()..]
    );
    (request.prompt, request.begun.len(), request.known)
}

fn ids(talk: &Talk) -> Vec<TokenId> {
    talk.session.sequence().tokens().map(|token| token.id).collect()
}

fn text(talk: &Talk) -> &str {
    &talk.session.turns().last().unwrap().content
}

#[test]
fn a_swapped_candidate_goes_on_from_there_and_what_was_there_stays() {
    let mut talk = Talk::new(vec![paris(), vec![(" is", 0.5), ("<|im_end|>", 0.5)]]);
    talk.line("hi").unwrap();
    let (before, reply) = (seen(&talk.session), talk.session.sequence().reply_start());
    let stats = talk.session.sequence().step(reply + 2).unwrap().stats.clone().unwrap();
    let taken = stats.prediction.top_logprobs[1];
    let said = talk.line("/swap 3 2").unwrap();
    assert!(said.starts_with("branch 2 leaves branch 1 at token"), "{said}");
    let word = talk.session.model().unwrap().vocab.text(taken.id);
    assert_eq!(text(&talk), format!("The capital{word} is"));
    let swapped = talk.session.sequence().get(reply + 2).unwrap();
    assert_eq!((swapped.id, swapped.origin), (taken.id, NodeOrigin::Swapped));
    // Its figures are those of the table, and nothing is measured again.
    let figures = swapped.step.as_ref().unwrap().stats.as_ref().unwrap();
    assert_eq!((figures.logprob, &figures.prediction), (taken.logprob, &stats.prediction));
    let (prompt, begun, known) = sent(&talk);
    assert_eq!((&prompt[..], begun, known), (&ids(&talk)[..reply + 3], 3, reply + 3));
    checked(&talk);
    talk.line("/branch 1").unwrap();
    assert_eq!(seen(&talk.session), before);
}

#[test]
fn a_branchs_seed_comes_from_its_parents_and_its_first_node() {
    let make = || {
        let mut talk = Talk::new(vec![paris(), paris(), paris()]);
        talk.line("hi").unwrap();
        talk.line("/swap 2 2").unwrap();
        talk.line("/swap 2 3").unwrap();
        let seeds = talk.engine.asked().iter().map(|request| request.sampling.seed).collect::<Vec<_>>();
        let said = talk.session.turns().last().unwrap().reply.as_ref().unwrap().seed;
        assert_eq!(seeds[2], said);
        seeds
    };
    let seeds = make();
    assert_eq!((seeds[0], make()), (10, seeds.clone()));
    assert!(seeds[1] != seeds[0] && seeds[2] != seeds[1], "{seeds:?}");
    assert_ne!(branch_seed(10, NodeNumber(5)), branch_seed(10, NodeNumber(6)));
}

#[test]
fn a_forced_text_stands_there_and_its_figures_come_from_the_engine() {
    let mut talk = Talk::new(vec![paris(), vec![(" is", 0.5)], vec![]]);
    talk.line("hi").unwrap();
    let reply = talk.session.sequence().reply_start();
    talk.line("/force @2 ab").unwrap();
    assert_eq!(text(&talk), "Theab is");
    let (prompt, begun, known) = sent(&talk);
    assert_eq!((prompt.len(), begun, known), (reply + 3, 3, reply + 1));
    let sequence = talk.session.sequence();
    for at in [reply + 1, reply + 2] {
        assert_eq!(sequence.get(at).unwrap().origin, NodeOrigin::Forced);
        assert!(sequence.step(at).unwrap().stats.is_some());
    }
    checked(&talk);
    // At the end, in place of the token that ended the reply.
    talk.line("/branch 1").unwrap();
    talk.line("/force !").unwrap();
    assert_eq!(text(&talk), "The capital Paris!");
    checked(&talk);
}

#[test]
fn a_cut_inside_of_a_token_leaves_the_ids_before_it_and_forces_what_remains() {
    let mut talk = Talk::new(vec![paris(), vec![]]);
    talk.line("hi").unwrap();
    let (before, reply) = (ids(&talk), talk.session.sequence().reply_start());
    talk.line("/force @2+4").unwrap();
    assert_eq!(text(&talk), "The cap");
    assert_eq!(ids(&talk)[..reply + 1], before[..reply + 1]);
    let forced = talk.session.sequence().tokens().skip(reply + 1).map(|token| token.origin);
    assert_eq!(forced.collect::<Vec<_>>(), [NodeOrigin::Forced; 4]);
    let refused = talk.line("/force @2+9").unwrap_err();
    assert!(refused.contains("can't be cut there: it has"), "{refused}");
}

#[test]
fn an_end_that_is_taken_ends_the_reply_without_the_engine() {
    let mut talk = Talk::new(vec![paris()]);
    talk.line("hi").unwrap();
    // The end stands at step 4; taking it there again is another way to the same text.
    talk.line("/swap 4 1").unwrap();
    assert_eq!((talk.engine.asked().len(), text(&talk)), (1, "The capital Paris"));
    let reply = talk.session.turns().last().unwrap().reply.clone().unwrap();
    assert_eq!(reply.finish, Some(FinishReason::Stop));
    assert!(talk.line("/continue").unwrap_err().contains("the model has ended this reply"));
}

#[test]
fn a_step_of_the_prompt_is_swapped_and_the_model_writes_the_message_on() {
    let mut talk = Talk::new(vec![paris(), vec![(" is", 0.5), ("<|im_end|>", 0.5)], paris()]);
    talk.line("hi you").unwrap();
    let typed = talk.session.turns()[0].tokens().unwrap();
    let (at, before) = (typed.start + 3, ids(&talk));
    talk.line(&format!("/swap p{} 2", at + 1)).unwrap();
    assert_eq!(talk.session.turns().len(), 1);
    assert_eq!(ids(&talk)[..at], before[..at]);
    assert!(text(&talk).starts_with("hi ") && text(&talk).ends_with(" is"), "{}", text(&talk));
    checked(&talk);
    talk.line("/retry").unwrap();
    assert_eq!((talk.session.turns().len(), text(&talk)), (2, "The capital Paris"));
    checked(&talk);
}

#[test]
fn replies_beside_one_another_are_branches_with_the_next_seeds() {
    let mut talk = Talk::new(vec![paris(), vec![(" the", 0.5)], vec![(" is", 0.5)], paris()]);
    talk.line("hi").unwrap();
    talk.line("/retry 3").unwrap();
    let beside = talk.session.branches().beside();
    let seeds: Vec<u32> = beside.iter().map(|(_, turn)| turn.reply.as_ref().unwrap().seed).collect();
    assert_eq!(seeds, [10, 11, 12, 13]);
    let listed = talk.line("/branches").unwrap();
    assert_eq!(listed.lines().count(), 5, "{listed}");
    assert!(listed.lines().nth(2).unwrap().starts_with("    ▸2"), "{listed}");
    let diff = talk.line("/diff 1 2").unwrap();
    assert!(
        diff.contains("the same for") && diff.contains("The") && diff.contains("branch 2: Σ -0.693"),
        "{diff}"
    );
    checked(&talk);
}

#[test]
fn a_reply_that_has_ended_is_known_while_the_message_is_answered_again() {
    let mut talk = Talk::new(vec![paris()]);
    assert!(talk.session.ended_reply().is_none());
    talk.line("hi").unwrap();
    let seed = |talk: &Talk| talk.session.ended_reply().map(|reply| reply.seed);
    assert_eq!(seed(&talk), Some(10));
    // The message stands alone on the branch on which the next reply comes.
    talk.session.execute(crate::command::BranchCommand::Retry(1).into()).unwrap();
    assert!(talk.session.turns().last().unwrap().reply.is_none());
    assert_eq!(seed(&talk), Some(10));
}

#[test]
fn branches_have_names_and_are_taken_out() {
    let mut talk = Talk::new(vec![paris(), paris(), paris()]);
    talk.line("hi").unwrap();
    assert!(talk.line("/prune 1").unwrap_err().contains("the only branch"));
    talk.line("/swap 2 2").unwrap();
    talk.line("/name the other").unwrap();
    talk.line("/branch 1").unwrap();
    talk.line("/branch the other").unwrap();
    assert_eq!(talk.session.branches().current().number, 2);
    let said = talk.line("/prune the other").unwrap();
    assert!(said.contains("branch 2 is gone, with 5 tokens of its own; on branch 1"), "{said}");
    for line in ["/branch 2", "/branch the other", "/prune 7", "/diff 1 2"] {
        assert!(talk.line(line).unwrap_err().contains("is no branch"), "{line}");
    }
    talk.line("/retry").unwrap();
    assert_eq!(talk.session.branches().current().number, 3, "a number is not given twice");
    checked(&talk);
}

#[test]
fn an_earlier_message_is_said_otherwise() {
    let mut talk = Talk::new(vec![paris(), paris(), vec![(" is", 0.5)]]);
    talk.line("one").unwrap();
    talk.line("two").unwrap();
    talk.line("/edit 1 uno").unwrap();
    assert_eq!((talk.session.turns().len(), talk.session.turns()[0].content.as_str()), (2, "uno"));
    assert!(talk.line("/edit 2 x").unwrap_err().contains("there is no message 2 of yours: you have said 1"));
    talk.line("/branch 1").unwrap();
    assert_eq!(talk.session.turns().len(), 4);
    checked(&talk);
}

#[test]
fn a_stopped_reply_goes_on_and_a_pause_gives_one_token_at_a_time() {
    let mut talk =
        Talk::new(vec![vec![("The", 0.5)], vec![(" capital", 0.4), (" is", 0.3)], paris(), paris()]);
    talk.line("hi").unwrap();
    talk.line("/continue").unwrap();
    assert_eq!(text(&talk), "The capital is");
    assert_eq!(talk.session.branches().all().len(), 1);
    let (_, begun, _) = sent(&talk);
    assert_eq!(begun, 1);
    talk.line("/pause").unwrap();
    talk.line("/continue").unwrap();
    assert_eq!(text(&talk), "The capital isThe");
    talk.line("/resume").unwrap();
    talk.line("/continue 2").unwrap();
    assert_eq!(text(&talk), "The capital isTheThe capital");
    checked(&talk);
}

#[test]
fn replies_begin_with_a_text_and_raw_texts_go_on_without_the_template() {
    let mut talk = Talk::new(vec![paris(), vec![(" is", 0.5)]]);
    talk.line("/begin Oh").unwrap();
    talk.line("hi").unwrap();
    assert_eq!(text(&talk), "OhThe capital Paris");
    checked(&talk);
    talk.line("/raw The capital").unwrap();
    assert_eq!((talk.session.turns().len(), text(&talk)), (1, "The capital is"));
    let (prompt, begun, _) = sent(&talk);
    assert_eq!((prompt.len(), begun), (2, 0));
    checked(&talk);
}

#[test]
fn what_can_not_be_is_one_line_and_changes_nothing() {
    let mut talk = Talk::new(vec![paris()]);
    for line in ["/swap 1 1", "/force x", "/continue", "/retry", "/edit 1 x"] {
        talk.line(line).unwrap_err();
    }
    talk.line("hi").unwrap();
    let before = seen(&talk.session);
    for (line, what) in [
        ("/swap 9 1", "there is no token 9: the last reply has 4"),
        ("/mark right @99", "there is no token 99: the last reply has 4"),
        ("/swap p99 1", "there is no token 99: the prompt has"),
        ("/swap 1 99", "there is no candidate 99 at that step: it has 3"),
        ("/swap p1 1", "the first token has nothing before it"),
        (&format!("/force @2 {}", "x".repeat(600)), "the conversation would need"),
        ("/branch nowhere", "nowhere is no branch"),
        ("/continue", "the model has ended this reply"),
    ] {
        let refused = talk.line(line).unwrap_err();
        assert!(refused.contains(what), "{line}: {refused}");
        assert_eq!((seen(&talk.session), talk.session.branches().all().len()), (before.clone(), 1), "{line}");
    }
}

#[test]
fn replies_that_begin_alike_part_where_their_tokens_do() {
    let reply = |last| vec![("The", 0.9), (" capital", 0.8), (last, 0.5), ("<|im_end|>", 1.0)];
    let mut talk = Talk::new(vec![reply(" is"), reply(" Paris"), reply(" is")]);
    talk.line("hi").unwrap();
    let start = talk.session.sequence().reply_start();
    talk.line("/retry").unwrap();
    let diff = talk.line("/diff 1 2").unwrap();
    assert!(diff.contains(&format!("the same for {} tokens", start + 2)), "{diff}");
    talk.line("/retry").unwrap();
    let diff = talk.line("/diff 1 3").unwrap();
    assert!(diff.contains("branches 1 and 3 are the same"), "{diff}");
}

#[test]
fn impossible_tokens_of_two_branches_have_no_difference() {
    let mut talk =
        Talk::new(vec![vec![("A", 0.0), ("<|im_end|>", 1.0)], vec![("B", 0.0), ("<|im_end|>", 1.0)]]);
    talk.line("hi").unwrap();
    talk.line("/retry").unwrap();
    let diff = talk.line("/diff 1 2").unwrap();
    assert!(diff.contains("inf") && !diff.contains("NaN"), "{diff}");
}
