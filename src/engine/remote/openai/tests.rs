use serde_json::json;

use super::*;
use crate::engine::protocol::Sequence;
use crate::engine::remote::testing::{Heard, Opened, Played, Player, stream};
use crate::step::Figure;

/// A token as Ollama writes it: texts and bytes, no ids.
fn line(text: &str, logprob: f64) -> Value {
    let one = |text: &str, logprob: f64| json!({"token": text, "bytes": text.as_bytes(), "logprob": logprob});
    let mut line = one(text, logprob);
    line["top_logprobs"] =
        json!([one("Yes", -0.4), one("No", -1.4), one("\u{fffd}", -4.0), one("\u{fffd}", -4.5)]);
    line
}

/// What Ollama answers, by its source.
fn ollama(heard: &Heard) -> Played {
    let asked = |name: &str| heard.body[name].as_u64().unwrap_or_default();
    let chunk = |text: &str, lines: Vec<Value>, reason: Option<&str>| {
        json!({"model": "qwen:1b", "choices": [{"index": 0, "delta": {"role": "assistant", "content": text},
            "logprobs": {"content": lines}, "finish_reason": reason}]})
    };
    match heard.path.as_str() {
        "/v1/models" => Played::Json(json!({"data": [{"id": "qwen:1b", "owned_by": "library"}]})),
        "/api/version" => Played::Json(json!({"version": "0.13.0"})),
        "/v1/chat/completions" if heard.body["stream"] == json!(true) => {
            let all = [
                chunk("Yes", vec![line("Yes", -0.4)], None),
                chunk("", vec![], None),
                chunk("No", vec![line("No", -1.4)], None),
                chunk("", vec![line("<|im_end|>", -9.0)], Some("stop")),
            ];
            stream(&all)
        }
        "/v1/chat/completions" if asked("top_logprobs") > 4 && asked("top_logprobs") != 20 => {
            Played::Raw(400, "", r#"{"error": {"message": "too many"}}"#.to_string())
        }
        "/v1/chat/completions" => {
            let choice = json!({"message": {"content": "Yes"}, "logprobs": {"content": [line("Yes", -0.4)]}, "finish_reason": "length"});
            Played::Json(json!({"model": "qwen:1b", "choices": [choice]}))
        }
        "/v1/completions" => {
            let logprobs = json!({"tokens": [" Paris"], "token_logprobs": [-0.2],
                "top_logprobs": [{" Rome": -2.0, " Paris": -0.2}]});
            Played::Json(json!({"model": "qwen:1b", "choices": [{"text": " Paris", "logprobs": logprobs}]}))
        }
        _ => Played::Raw(404, "", "{}".to_string()),
    }
}

fn ids(info: &ModelInfo, text: &str) -> Vec<TokenId> {
    info.tokenizer.tokenize(text.as_bytes(), true)
}

type Written = Result<(Vec<(String, Option<f32>)>, FinishReason), String>;

fn written(answer: fn(&Heard) -> Played, prompt: &str) -> (Player, Written) {
    let server = Opened::new(answer);
    let text = |step: &Step| (server.info.vocab.text(step.id), step.logprob());
    let written = server.written(&ids(&server.info, prompt), 4);
    let written = written.map(|(steps, reason)| (steps.iter().map(text).collect(), reason));
    (server.player, written)
}

#[test]
fn what_it_gives_is_asked_and_told() {
    let Opened { player, info, .. } = Opened::new(ollama);
    let server = info.about.server.as_ref().unwrap();
    assert_eq!(server.kind, "ollama 0.13.0");
    assert_eq!((info.gives.candidates, info.gives.scores), (Some(4), false));
    assert!(!server.notes.iter().any(|note| note.contains("after its sampler")), "{:?}", server.notes);
    let heard = player.heard.lock().unwrap();
    assert!(heard.iter().any(|heard| heard.body["top_k"] == json!(1)));
}

#[test]
fn a_chat_goes_out_as_its_messages_and_its_tokens_are_known_by_their_texts() {
    let (player, written) = written(ollama, "⟪system⟫Be brief.⟪end⟫⟪user⟫Is it? ⟪⟫⟪end⟫⟪assistant⟫");
    let steps =
        [("Yes", -0.4), ("No", -1.4), ("<|im_end|>", -9.0)].map(|(text, p)| (text.to_string(), Some(p)));
    assert_eq!(written, Ok((steps.to_vec(), FinishReason::Stop)));
    let heard = player.heard.lock().unwrap();
    let sent = heard.iter().find(|heard| heard.body["stream"] == json!(true)).unwrap();
    let messages =
        json!([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Is it? ⟪⟫"}]);
    assert_eq!(sent.body["messages"], messages);
    assert_eq!((&sent.body["temperature"], &sent.body["top_logprobs"]), (&json!(0.0), &json!(4)));
    assert!(sent.body.get("top_k").is_none());
}

#[test]
fn a_reply_that_has_begun_is_refused_because_the_server_would_begin_anew() {
    let (_, written) = written(ollama, "⟪user⟫Hi⟪end⟫⟪assistant⟫Well");
    assert!(written.unwrap_err().contains("can't go on with one"));
}

#[test]
fn of_a_text_it_tells_what_comes_after_with_bounds_for_what_is_not_known() {
    let server = Opened::new(ollama);
    let tokens = ids(&server.info, "The capital is");
    let sequence = Sequence { from: tokens.len(), tokens };
    let after = server.scored(&[sequence]).remove(0).after.unwrap();
    let texts: Vec<String> = after.top_logprobs.iter().map(|top| server.info.vocab.text(top.id)).collect();
    assert_eq!(texts, [" Paris", " Rome"]);
    assert_eq!((after.entropy, after.varentropy, after.n_vocab), (Figure::NotGiven, Figure::NotGiven, 0));
    let heard = server.player.heard.lock().unwrap();
    assert_eq!(heard.last().unwrap().body["prompt"], json!("The capital is"));
}

#[test]
fn a_server_without_log_probabilities_has_pieces_without_figures() {
    let (_, written) = written(
        |heard| match heard.path.as_str() {
            "/v1/models" => Played::Json(json!({"data": [{"id": "m"}]})),
            _ if heard.body["stream"] == json!(true) => {
                let chunk = |text: &str, reason: Option<&str>| json!({"choices": [{"delta": {"content": text}, "finish_reason": reason}]});
                stream(&[chunk("Good day", None), chunk("!", Some("stop"))])
            }
            _ => Played::Json(json!({"model": "m", "choices": [{"message": {"content": "Yes"}}]})),
        },
        "⟪user⟫Hi⟪end⟫⟪assistant⟫",
    );
    let steps = vec![("Good day".to_string(), None), ("!".to_string(), None)];
    assert_eq!(written, Ok((steps, FinishReason::Stop)));
}

#[test]
fn figures_from_after_the_sampler_and_tokens_that_are_missing_are_told() {
    let narrow = |heard: &Heard| match heard.path.as_str() {
        "/v1/chat/completions" if heard.body["top_k"] == json!(1) => {
            let mut only = line("Yes", 0.0);
            only["top_logprobs"] = json!([{"token": "Yes", "logprob": 0.0}]);
            Played::Json(json!({"choices": [{"logprobs": {"content": [only]}}]}))
        }
        _ => ollama(heard),
    };
    let info = Opened::new(narrow).info;
    assert!(info.about.server.as_ref().unwrap().notes.iter().any(|note| note.contains("after its sampler")));
    let lacking = |heard: &Heard| match heard.body["stream"] == json!(true) {
        true => {
            let chunk = |text: &str, lines: Vec<Value>, reason: Option<&str>| json!({"choices": [{"delta": {"content": text}, "logprobs": {"content": lines}, "finish_reason": reason}]});
            let all = [chunk("Yes", vec![line("Yes", -0.4)], None), chunk(" indeed", vec![], Some("length"))];
            stream(&all)
        }
        false => ollama(heard),
    };
    let (_, written) = written(lacking, "⟪user⟫Hi⟪end⟫⟪assistant⟫");
    assert!(written.unwrap_err().contains("don't spell the text"));
}
