use serde_json::json;

use super::*;
use crate::engine::protocol::CancelFlag;
use crate::engine::remote::testing::{self, Played, Player};
use crate::token::{SpecialTokens, VocabEntry};

fn server() -> Tokenscope {
    let texts = ["a", " b", " c", "<|end|>"];
    let entries = texts.into_iter().map(|text| VocabEntry {
        bytes: text.as_bytes().to_vec(),
        control: text.starts_with('<'),
        ends_generation: text.starts_with('<'),
        ..VocabEntry::default()
    });
    let vocab = Arc::new(Vocab::new(entries, SpecialTokens::default()));
    Tokenscope { model: "m".to_string(), vocab, checker: Checker { n_vocab: 4 } }
}

/// A record as `serve` writes it: ` b` is expected, then `a`.
fn record(id: u32, logprob: f64) -> Value {
    let bytes = |id: u32| ["a", " b", " c", "<|end|>"][id as usize].as_bytes();
    let line = |id: u32, logprob: f64, rank: u32| {
        json!({"token": "", "id": id, "bytes": bytes(id), "logprob": logprob, "rank": rank,
            "final_prob": 0.5, "dropped_by": null})
    };
    let top = [line(1, -0.5, 1), line(0, -1.5, 2)];
    let entropy = 0.9;
    json!({"token": "", "id": id, "bytes": bytes(id), "logprob": logprob, "rank": 1, "entropy": entropy,
        "varentropy": 0.4, "residual": 1.0 - (-0.5f64).exp() - (-1.5f64).exp(), "final_prob": 0.5, "top_logprobs": top})
}

fn bare(id: u32) -> Value {
    json!({"token": "a", "id": id, "bytes": [97], "logprob": null, "rank": null, "entropy": null,
        "varentropy": null, "residual": null, "final_prob": null, "top_logprobs": [], "note": "no context"})
}

fn answer(model: &str, lines: Vec<Value>) -> Played {
    let choice = json!({"index": 0, "text": "", "logprobs": {"content": lines}, "finish_reason": "length"});
    Played::Json(json!({"model": model, "choices": [choice]}))
}

fn scored(played: Played) -> Result<Scores, String> {
    let player = Player::of(vec![("/v1/completions", played)]);
    let wire = player.wire(None);
    let sequence = Sequence { tokens: vec![TokenId(0), TokenId(1)], from: 0 };
    let asked = ScoreWish { sequences: &[sequence], k: 2, after: true };
    let scores = wire.watched(&CancelFlag::default(), |call| server().score(call, asked));
    if scores.is_ok() {
        let heard = player.heard.lock().unwrap()[0].body.clone();
        assert_eq!(heard["prompt"], json!([[0, 1]]));
        assert_eq!(
            (&heard["echo"], &heard["max_tokens"], &heard["logprobs"]),
            (&json!(true), &json!(1), &json!(2))
        );
    }
    scores.map(|mut scores| scores.remove(0)).map_err(|trouble| wire.error(trouble).to_string())
}

#[test]
fn a_text_is_scored_from_the_records_of_an_echo() {
    let scores = scored(answer("m", vec![bare(0), record(1, -0.5), record(0, -1.5)])).unwrap();
    assert_eq!(scores.steps.iter().map(Step::logprob).collect::<Vec<_>>(), [None, Some(-0.5)]);
    let after = scores.after.unwrap();
    assert_eq!((after.top_logprobs[0].id, after.entropy.exact()), (TokenId(1), Some(0.9)));
    assert_eq!(after.top_logprobs[0].outcome.unwrap().prob, 0.5);
}

#[test]
fn an_answer_that_contradicts_what_was_asked_is_one_line_and_no_figure() {
    let said = |played| scored(played).unwrap_err();
    let good = || vec![bare(0), record(1, -0.5), record(0, -1.5)];
    assert!(said(answer("other", good())).contains("of another model (other) than was asked (m)"));
    assert!(said(answer("m", good()[..2].to_vec())).contains("figures of 2 tokens of a text of 2"));
    assert!(
        said(answer("m", vec![bare(0), record(0, -1.5), record(0, -1.5)])).contains("token 0 where 1 stands")
    );
    assert!(said(answer("m", vec![bare(0), bare(1), record(0, -1.5)])).contains("another model"));
    assert!(
        said(answer("m", vec![bare(0), record(1, -0.7), record(0, -1.5)]))
            .contains("one number in one place")
    );
    assert!(said(answer("m", vec![bare(0), record(1, 3.5), record(0, -1.5)])).contains("above 0"));
    assert!(said(Played::Json(json!({"model": "m", "choices": []}))).contains("another number of texts"));
    assert!(said(Played::Json(json!({"model": "m"}))).contains("no choices"));
    assert!(said(Played::Json(json!([1, 2]))).contains("another model"));
}

fn written(events: Vec<Value>, done: bool) -> Result<(Vec<u32>, FinishReason), String> {
    let mut events: Vec<String> = events.iter().map(Value::to_string).collect();
    events.extend(done.then(|| "[DONE]".to_string()));
    let player = Player::of(vec![("/v1/completions", Played::Stream(events))]);
    let wire = player.wire(None);
    let written = testing::written(&server(), &wire, &[TokenId(0)], 2);
    written.map(|(steps, reason)| (steps.iter().map(|step| step.id.0).collect(), reason))
}

fn chunk(text: &str, lines: Vec<Value>, reason: Option<&str>) -> Value {
    json!({"model": "m", "choices": [{"index": 0, "text": text, "logprobs": {"content": lines}, "finish_reason": reason}]})
}

#[test]
fn a_reply_is_its_records_and_ends_as_the_server_says() {
    let events = || vec![chunk(" b", vec![record(1, -0.5)], None), chunk("a", vec![record(0, -1.5)], None)];
    let with = |last: Value| [events(), vec![last]].concat();
    let end = chunk("", vec![], Some("length"));
    assert_eq!(written(with(end), true), Ok((vec![1, 0], FinishReason::Length)));
    assert_eq!(written(with(chunk("", vec![], Some("stop"))), true).unwrap().1, FinishReason::Stop);
    assert!(written(events(), false).unwrap_err().contains("closed the connection in the middle"));
    assert!(written(events(), true).unwrap_err().contains("without saying why"));
    let other = chunk(" x", vec![record(1, -0.5)], Some("length"));
    assert!(written(vec![other], true).unwrap_err().contains("don't spell the text"));
}

#[test]
fn every_setting_of_the_sampler_is_sent_and_an_expression_as_it_was_written() {
    let sampling = Sampling {
        temperature: 0.8,
        mirostat: Some(crate::sampling::Mirostat { version: 2, tau: 5.0, eta: 0.1 }),
        ..Sampling::chat()
    };
    let sent = fields(&sampling).unwrap();
    assert_eq!(sent["temperature"].as_f64().map(|value| value as f32), Some(0.8));
    assert_eq!((&sent["mirostat"], &sent["top_k"]), (&json!(2), &json!(0)));
    assert_eq!(fields(&Sampling { greedy: true, ..sampling.clone() }).unwrap()["temperature"], json!(0.0));
    let regex = Some(crate::grammar::regex("\\d+").unwrap());
    assert_eq!(fields(&Sampling { grammar: regex, ..sampling }).unwrap()["regex"], json!("\\d+"));
}
