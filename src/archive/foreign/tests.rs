use super::*;
use crate::archive::read::{Kind, parse as opened};
use crate::step::{Figure, TokenStats};

fn read(text: &str) -> Saved {
    let opened = opened(text.as_bytes()).unwrap();
    assert_eq!((opened.kind, opened.note), (Kind::Other, None));
    opened.saved
}

fn figures(saved: &Saved, node: u32) -> TokenStats {
    saved.tree.node(NodeNumber(node)).unwrap().step.as_ref().unwrap().stats.clone().unwrap()
}

fn texts(saved: &Saved) -> Vec<(Role, &str)> {
    saved.said().map(|turn| (turn.role.clone().unwrap(), turn.text.as_str())).collect()
}

#[test]
fn a_chat_of_openai_is_a_reply_with_its_candidates_and_each_further_choice_a_branch() {
    let saved = read(include_str!("../fixtures/openai-chat.json"));
    assert_eq!(saved.model.model, "gpt-4o-mini-2024-07-18");
    assert_eq!(texts(&saved), [(Role::Assistant, "Hi 北")]);
    assert_eq!((saved.branches.len(), saved.branches[1].turns.len(), saved.tree.len()), (2, 1, 4));
    let first = figures(&saved, 0);
    assert_eq!((first.logprob, first.rank), (-0.25, Figure::Exact(1)));
    let top = &first.prediction.top_logprobs;
    assert_eq!((saved.vocab.bytes(top[1].id), top[1].logprob, top[1].rank), (&b"Hello"[..], -1.75, 2));
    // What the file does not give is not given.
    assert_eq!((first.prediction.entropy, first.prediction.varentropy), (Figure::NotGiven, Figure::NotGiven));
    let residual = first.prediction.residual.exact().unwrap();
    assert!((residual - (1.0 - (-0.25f64).exp() - (-1.75f64).exp())).abs() < 1e-12, "{residual}");
    // It is none of the candidates: nobody knows its rank.
    assert_eq!(figures(&saved, 1).rank, Figure::NotGiven);
    assert_eq!(saved.vocab.bytes(saved.tree.node(NodeNumber(1)).unwrap().id), [32, 229, 140]);
    assert_eq!(figures(&saved, 2).logprob, f32::NEG_INFINITY);
}

#[test]
fn a_stream_is_put_together_and_a_cut_one_as_far_as_it_goes() {
    let text = include_str!("../fixtures/openai-stream.txt");
    let saved = read(text);
    assert_eq!((texts(&saved), saved.tree.len()), (vec![(Role::Assistant, "Hi!")], 2));
    assert_eq!(saved.turns[0].finish, Some(FinishReason::Stop));
    assert_eq!(texts(&read(&text[..text.len() / 2])), [(Role::Assistant, "Hi")]);
}

#[test]
fn a_completion_of_vllm_has_its_prompt_and_ranks_as_far_as_they_are_given() {
    let saved = read(include_str!("../fixtures/vllm-completion.json"));
    assert_eq!(texts(&saved), [(Role::User, " capital of"), (Role::Assistant, " Paris.")]);
    let prompt = figures(&saved, 0);
    assert_eq!(
        (prompt.logprob, prompt.rank, prompt.prediction.top_logprobs.len()),
        (-7.5, Figure::Exact(310), 1)
    );
    // The chosen token was added to the candidates: it is none of the first two.
    let last = figures(&saved, 3);
    assert_eq!((last.prediction.top_logprobs.len(), last.rank), (2, Figure::NotGiven));
}

#[test]
fn an_answer_of_llama_server_keeps_its_ids() {
    let saved = read(include_str!("../fixtures/llama-server.json"));
    assert_eq!(texts(&saved), [(Role::User, "The capital of France is"), (Role::Assistant, " Paris")]);
    assert_eq!(saved.tree.node(NodeNumber(0)).unwrap().id, TokenId(7042));
    assert_eq!(figures(&saved, 0).prediction.top_logprobs[2].id, TokenId(4533));
    let after = r#"{"completion_probabilities":[{"id":1,"token":"a","prob":0.5,"top_probs":[]}]}"#;
    let reason = opened(after.as_bytes()).unwrap_err();
    assert!(reason.contains("after sampling"), "{reason}");
}

#[test]
fn figures_that_can_not_be_are_left_out_and_said() {
    let reply = |logprob: f64, other: f64| {
        format!(
            r#"{{"choices":[{{"message":{{"role":"assistant","content":"a"}},"logprobs":{{"content":[{{"token":"a","logprob":{logprob},"top_logprobs":[{{"token":"a","logprob":{logprob}}},{{"token":"b","logprob":{other}}}]}}]}}}}]}}"#
        )
    };
    for (text, part) in [(reply(12.5, 3.0), "above 0"), (reply(-0.1, -0.2), "more than 1")] {
        let opened = opened(text.as_bytes()).unwrap();
        assert!(opened.note.as_ref().is_some_and(|note| note.contains(part)), "{:?}", opened.note);
        assert_eq!(opened.saved.tree.node(NodeNumber(0)).unwrap().step.as_ref().unwrap().stats, None);
    }
    for text in ["{}", "[]", "[1]", r#"{"choices":[]}"#, "data: {", "null", ""] {
        assert!(opened(text.as_bytes()).is_err(), "{text}");
    }
}
