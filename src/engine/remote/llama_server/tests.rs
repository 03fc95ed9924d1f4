use serde_json::json;

use super::*;
use crate::engine::remote::testing::{Heard, Opened, Played, ids_and_logprobs};
use crate::step::Figure;

/// Tokens of the small model: the last two are halves of `é`, and one is written of which nothing is shown.
const TOKENS: [&[u8]; 6] = [b"a", b" b", b"\n", b"<|im_end|>", b"\xc3", b"\xa9"];
/// ln p of each, whatever comes before.
const LOGPROBS: [f64; 6] = [-0.7, -1.2, -2.6, -3.0, -3.4, -4.0];
const END: usize = 3;

fn line(id: usize, k: usize) -> Value {
    let bytes = |id: usize| if id == END { &[][..] } else { TOKENS[id] };
    let one = |id: usize| json!({"id": id, "token": "", "bytes": bytes(id), "logprob": LOGPROBS[id]});
    let mut line = one(id);
    line["top_logprobs"] = (0..k.min(6)).map(one).collect();
    line
}

/// What a llama-server answers, by its source: only a token that ends a character is told of.
fn answer(heard: &Heard) -> Played {
    let number = |name: &str| heard.body[name].as_u64().unwrap_or_default() as usize;
    match heard.path.as_str() {
        "/v1/models" => Played::Json(json!({"data": [{"id": "tiny.gguf", "owned_by": "llamacpp",
            "meta": {"n_vocab": 6, "n_params": 42}}]})),
        "/props" => Played::Json(json!({"default_generation_settings": {"n_ctx": 64}, "total_slots": 2,
            "model_path": "/models/tiny.gguf", "bos_token": "", "eos_token": "<|im_end|>", "build_info": "b1",
            "chat_template": "{{ messages[0].content }}", "model_ftype": "Q8_0"})),
        "/tokenize" => {
            let text = heard.body["content"].as_str().unwrap();
            let id = |byte: u8| if byte == b'a' { 0 } else { 2 };
            Played::Json(json!({"tokens": text.bytes().map(id).collect::<Vec<_>>()}))
        }
        "/detokenize" => {
            let ids = heard.body["tokens"].as_array().unwrap();
            let bytes: Vec<u8> =
                ids.iter().flat_map(|id| TOKENS[id.as_u64().unwrap() as usize].to_vec()).collect();
            Played::Json(json!({"content": String::from_utf8(bytes).unwrap()}))
        }
        "/completion" if heard.body["stream"] == json!(true) => {
            let token = |id: usize, text: &str, count: usize| {
                let mut line = line(id, number("n_probs"));
                line["bytes"] = json!(text.as_bytes());
                json!({"content": text, "tokens": [id], "stop": false, "tokens_predicted": count,
                    "completion_probabilities": [line]})
            };
            let end =
                json!({"content": "", "tokens": [], "stop": true, "stop_type": "eos", "tokens_predicted": 4});
            let all = [token(1, " b", 1), token(5, "é", 3), token(END, "", 4), end];
            Played::Stream(all.iter().map(Value::to_string).collect())
        }
        "/completion" => {
            let id = heard.body["logit_bias"][0][0].as_u64().unwrap() as usize;
            let lines = if std::str::from_utf8(TOKENS[id]).is_ok() {
                vec![line(id, number("n_probs"))]
            } else {
                vec![]
            };
            Played::Json(
                json!({"content": "", "tokens": [], "stop": true, "stop_type": "limit", "tokens_predicted": 1,
                "completion_probabilities": lines}),
            )
        }
        _ => Played::Raw(404, "", "{}".to_string()),
    }
}

#[test]
fn its_vocabulary_is_spelled_and_what_it_hides_is_decoded() {
    let Opened { info, player: _player, .. } = Opened::new(answer);
    let vocab = &info.vocab;
    assert_eq!(
        vocab.ids().map(|id| vocab.bytes(id).to_vec()).collect::<Vec<_>>(),
        TOKENS.map(<[u8]>::to_vec)
    );
    let end = TokenId(END as u32);
    assert!(vocab.is_control(end) && vocab.ends_generation(end) && !vocab.is_control(TokenId(0)));
    assert_eq!((info.context, info.parameters, info.quantization.as_str()), (64, 42, "Q8_0"));
    assert!(info.name.starts_with("tiny.gguf@127.0.0.1:"), "{}", info.name);
    assert_eq!(info.tokenizer.try_tokenize(b"aba", false).unwrap(), [0, 2, 0].map(TokenId));
    assert_eq!(info.about.server.as_ref().unwrap().file.as_deref(), Some("tiny.gguf"));
}

#[test]
fn a_text_is_scored_by_forcing_each_token_and_half_a_character_is_looked_up_in_the_list_of_all() {
    let server = Opened::new(answer);
    let before = server.player.count();
    let sequence = Sequence { tokens: [0, 1, 4, 5].map(TokenId).to_vec(), from: 0 };
    let scores = server.scored(&[sequence]).remove(0);
    let logprobs: Vec<Option<f32>> = scores.steps.iter().map(Step::logprob).collect();
    assert_eq!(logprobs, [None, Some(-1.2), Some(-3.4), Some(-4.0)]);
    let ranks: Vec<_> =
        scores.steps.iter().filter_map(|step| step.stats.as_ref().map(|stats| stats.rank)).collect();
    assert_eq!(ranks, [Figure::Exact(2), Figure::Exact(5), Figure::Exact(6)]);
    let after = scores.after.unwrap();
    assert_eq!(after.top_logprobs.len(), 2);
    assert!(after.entropy.bounds().is_some());
    let heard = server.player.heard.lock().unwrap();
    let asked: Vec<_> =
        heard[before..].iter().map(|heard| (&heard.body["prompt"], &heard.body["n_probs"])).collect();
    assert_eq!(asked[0], (&json!([0]), &json!(2)));
    assert_eq!(asked[1], (&json!([0, 1]), &json!(6)));
    assert_eq!(asked[3], (&json!([0, 1, 4, 5]), &json!(2)));
}

#[test]
fn a_reply_has_the_tokens_within_a_character_that_the_server_keeps_to_itself() {
    let server = Opened::new(answer);
    let (steps, reason) = server.written(&[TokenId(0)], 2).unwrap();
    let wanted = [(1, -1.2), (4, -3.4), (5, -4.0), (3, -3.0)].map(|(id, logprob)| (id, Some(logprob)));
    assert_eq!((ids_and_logprobs(&steps), reason), (wanted.to_vec(), FinishReason::Stop));
    assert!(server.info.vocab.ends_generation(TokenId(3)));
}

#[test]
fn what_it_does_not_enforce_is_refused_by_name() {
    let with = |constraint| Sampling { grammar: Some(constraint), ..Sampling::default() };
    assert!(fields(&with(Constraint::Gbnf("root ::= \"a\"".into()))).unwrap()["grammar"].is_string());
    let refused = fields(&with(Constraint::Schema("{}".into())));
    assert!(format!("{refused:?}").contains("write it as a GBNF grammar"));
}
