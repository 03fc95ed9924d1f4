use super::*;
use crate::engine::testing::Scripted;
use crate::engine::{Command, Event, Layout, ScoreBatch, Sequence};

/// The steps of `The capital is Paris`, and what they are of.
fn scored() -> (Vec<Step>, std::sync::Arc<Vocab>) {
    let mut scripted = Scripted::new([]);
    let Event::Ready(info) = scripted.ready() else { unreachable!() };
    let tokens = info.tokenizer.tokenize("The capital is Paris".as_bytes(), false);
    let events = scripted.answer(&Command::Score(ScoreBatch {
        sequences: vec![Sequence { tokens, from: 0 }],
        layout: Layout::Together,
        depth: Depth::Count(3),
        ..ScoreBatch::default()
    }));
    let steps = events.into_iter().find_map(|event| match event {
        Event::Scored { steps, .. } => Some(steps),
        _ => None,
    });
    (steps.unwrap(), std::sync::Arc::clone(&info.vocab))
}

#[test]
fn the_greedy_token_is_found_by_equality_as_clients_look_for_it() {
    let (steps, vocab) = scored();
    let mut logprobs = CompletionLogprobs::default();
    let mut recorder = Recorder::new(&vocab, Depth::Count(1));
    steps.iter().for_each(|step| logprobs.push(recorder.record(step, &[]), 0));
    let json: serde_json::Value = serde_json::from_str(&serde_json::to_string(&logprobs).unwrap()).unwrap();
    let own = json["token_logprobs"].as_array().unwrap();
    let top = json["top_logprobs"].as_array().unwrap();
    assert_eq!((own.len(), top.len()), (4, 4));
    assert!(own[0].is_null() && top[0].is_null());
    let best = |i: usize| {
        top[i].as_object().unwrap().values().map(|value| value.as_f64().unwrap()).fold(f64::MIN, f64::max)
    };
    // ` is` follows ` capital` and ` Paris` follows ` is`; ` capital` follows `The`.
    for i in 1..4 {
        assert_eq!(own[i].as_f64().unwrap(), best(i), "{json}");
        assert_eq!(own[i], json["content"][i]["logprob"]);
        assert_eq!(json["content"][i]["rank"], 1);
    }
    assert_eq!(json["tokens"][3], " Paris");
}

#[test]
fn of_tokens_with_the_same_text_the_most_probable_one_counts() {
    let mut top = TopLogprobs::default();
    top.add("a", Some(-0.5));
    top.add("a", Some(-7.0));
    top.add("b", None);
    assert_eq!(serde_json::to_string(&top).unwrap(), r#"{"a":-0.5,"b":null}"#);
}

#[test]
fn a_token_outside_the_candidates_stands_beside_them() {
    let (steps, vocab) = scored();
    let other = Step { id: TokenId(u32::from(b'z')), ..steps[1].clone() };
    let record = Recorder::new(&vocab, Depth::Count(1)).record(&other, &[]);
    assert_eq!(TopLogprobs::of(&record).0.len(), 2);
    let prompt = PromptLogprobs { steps: &steps, depth: Depth::Count(1), vocab: &vocab };
    let json = serde_json::to_value(&prompt).unwrap();
    assert!(json[0].is_null());
    let id = steps[3].id.0.to_string();
    assert_eq!(json[3][&id]["decoded_token"], " Paris");
    assert_eq!(json[3][&id]["rank"], 1);
}

#[test]
fn named_tokens_stand_in_the_place_of_the_most_probable_ones() {
    let (steps, vocab) = scored();
    let named: Vec<AnyToken> = [b'z', b'y']
        .map(|byte| AnyToken { id: TokenId(byte.into()), logprob: -5.0, rank: 40.into(), outcome: None })
        .to_vec();
    let record = Recorder::new(&vocab, Depth::Count(3)).record(&steps[1], &named);
    let ids: Vec<TokenId> = record.top_logprobs.iter().filter_map(|candidate| candidate.id).collect();
    assert_eq!(ids, [steps[1].id, named[0].id, named[1].id]);
    let shown = f64::from(record.logprob.unwrap()).exp() + 2.0 * (-5.0f64).exp();
    assert!((record.residual.unwrap() - (1.0 - shown)).abs() < 1e-9);
    let itself = [steps[1].stats.as_ref().unwrap().of_token(steps[1].id)];
    let record = Recorder::new(&vocab, Depth::Count(3)).record(&steps[1], &itself);
    assert_eq!(record.top_logprobs.len(), 1);
    // Without context there is nothing to name.
    assert!(Recorder::new(&vocab, Depth::Count(3)).record(&steps[0], &named).top_logprobs.is_empty());
}
