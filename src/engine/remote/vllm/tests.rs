use serde_json::json;

use super::*;
use crate::engine::remote::testing::{Heard, Opened, Played, ids_and_logprobs, stream};
use crate::step::Figure;

const TEXTS: [&str; 5] = ["a", " b", " c", "<s>", "é"];

/// What vLLM answers, by its source.
fn answer(heard: &Heard) -> Played {
    let place = |own: u32| {
        let mut place = json!({"1": {"logprob": -0.5, "rank": 1, "decoded_token": " b"},
            "2": {"logprob": -1.5, "rank": 2, "decoded_token": " c"}});
        if own == 0 {
            place["0"] = json!({"logprob": -3.0, "rank": 4, "decoded_token": "a"});
        }
        place
    };
    let next = json!({"tokens": ["token_id:1"], "token_logprobs": [-0.5], "text_offset": [0],
        "top_logprobs": [{"token_id:2": -1.5, "token_id:1": -0.5}]});
    let body = &heard.body;
    match heard.path.as_str() {
        "/v1/models" => Played::Json(
            json!({"data": [{"id": "org/m", "owned_by": "vllm", "root": "org/m", "max_model_len": 32}]}),
        ),
        "/tokenize" => {
            let ids = body["prompt"]
                .as_str()
                .unwrap()
                .split_inclusive(|_| true)
                .map(|piece| u32::from(piece != "a"));
            let bos = (body["add_special_tokens"] == json!(true)).then_some(3);
            Played::Json(json!({"tokens": bos.into_iter().chain(ids).collect::<Vec<_>>()}))
        }
        "/detokenize" => {
            let ids = body["tokens"].as_array().unwrap();
            let text: String = ids.iter().map(|id| TEXTS[id.as_u64().unwrap() as usize]).collect();
            Played::Json(json!({"prompt": text}))
        }
        "/v1/completions" if body["prompt_logprobs"].as_u64().is_some_and(|k| k > 20) => {
            Played::Raw(400, "", json!({"error": {"message": "more than 20"}}).to_string())
        }
        "/v1/completions" if body["stream"] == json!(true) => {
            let chunk = |text: &str, logprobs: &Value, reason: Option<&str>| json!({"model": "org/m", "choices": [{"index": 0, "text": text, "logprobs": logprobs, "finish_reason": reason}]});
            let all = [chunk(" b", &next, None), chunk(" b", &next, Some("length"))];
            stream(&all)
        }
        "/v1/completions" => {
            let prompts = body["prompt"].as_array().unwrap();
            let prompts = if prompts[0].is_array() { prompts.clone() } else { vec![body["prompt"].clone()] };
            let choice = |(i, prompt): (usize, &Value)| {
                let ids = prompt.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32);
                let places = ids.enumerate().map(|(at, id)| if at == 0 { Value::Null } else { place(id) });
                json!({"index": i, "text": " b", "logprobs": next, "prompt_logprobs": places.collect::<Vec<_>>()})
            };
            let choices: Vec<Value> = prompts.iter().enumerate().map(choice).rev().collect();
            Played::Json(json!({"model": "org/m", "choices": choices}))
        }
        _ => Played::Raw(404, "", "{}".to_string()),
    }
}

#[test]
fn its_cap_and_its_bos_are_found_and_tokens_are_spelled_as_they_come() {
    let Opened { info, player: _player, .. } = Opened::new(answer);
    assert_eq!((info.gives.candidates, info.gives.scores, info.context), (Some(20), true, 32));
    let special = info.vocab.special();
    assert_eq!((special.bos, special.add_bos), (Some(TokenId(3)), true));
    assert_eq!(info.tokenizer.try_tokenize(b"ab", false).unwrap(), [TokenId(0), TokenId(1)]);
    assert_eq!(info.vocab.concat([TokenId(3), TokenId(0), TokenId(1)]), b"<s>a b");
    assert!(!info.vocab.knows(TokenId(2)));
}

#[test]
fn texts_are_scored_by_id_with_exact_ranks_and_a_salt_of_their_own() {
    let server = Opened::new(answer);
    let sequence = |ids: &[u32]| Sequence { tokens: ids.iter().map(|&id| TokenId(id)).collect(), from: 0 };
    let scores = server.scored(&[sequence(&[0, 1, 0]), sequence(&[0, 2])]);
    let logprobs = |scores: &Scores| scores.steps.iter().map(Step::logprob).collect::<Vec<_>>();
    assert_eq!(logprobs(&scores[0]), [None, Some(-0.5), Some(-3.0)]);
    assert_eq!(logprobs(&scores[1]), [None, Some(-1.5)]);
    assert_eq!(scores[0].steps[2].stats.as_ref().unwrap().rank, Figure::Exact(4));
    let after = scores[0].after.as_ref().unwrap();
    assert_eq!((after.top_logprobs[0].id, after.entropy), (TokenId(1), Figure::NotGiven));
    assert_eq!(server.info.vocab.bytes(TokenId(2)), b" c");
    let heard = server.player.heard.lock().unwrap();
    let last = &heard.iter().rev().find(|heard| heard.path == "/v1/completions").unwrap().body;
    assert!(last["cache_salt"].as_str().is_some_and(|salt| salt.len() == 16));
}

#[test]
fn a_reply_names_its_tokens_by_id() {
    let (steps, reason) = Opened::new(answer).written(&[TokenId(0)], 2).unwrap();
    assert_eq!(ids_and_logprobs(&steps), [(1, Some(-0.5)), (1, Some(-0.5))]);
    assert_eq!(reason, FinishReason::Length);
}
