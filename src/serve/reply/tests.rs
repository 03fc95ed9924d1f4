use super::*;
use crate::engine::EngineError;
use crate::engine::testing::Scripted;
use crate::token::TokenId;

fn vocab() -> Arc<Vocab> {
    match Scripted::new([]).ready() {
        Event::Ready(info) => Arc::clone(&info.vocab),
        _ => unreachable!(),
    }
}

fn step(id: u32) -> ReplyEvent {
    ReplyEvent::Step(Arc::new(Step { id: TokenId(id), stats: None }), Vec::new())
}

/// Writes bytes as tokens, and collects what was given out on the way.
fn streamed(text: &str, stops: &[&str]) -> (ReplyText, Vec<String>) {
    let vocab = vocab();
    let mut reply = ReplyText::new(stops.iter().map(|stop| stop.to_string()).collect(), &vocab);
    let mut given = Vec::new();
    for byte in text.bytes() {
        if reply.end().is_some() {
            break;
        }
        reply.take(step(byte.into())).unwrap();
        given.push(reply.grown().text);
    }
    if reply.end().is_none() {
        reply.take(ReplyEvent::Ended(FinishReason::Length)).unwrap();
        given.push(reply.grown().text);
    }
    (reply, given)
}

#[test]
fn a_reply_ends_before_its_stop_and_no_part_of_it_is_given_out() {
    let (reply, given) = streamed("one two END three", &["END", "never"]);
    assert_eq!(given.concat(), "one two ");
    assert!(given.iter().all(|text| !text.contains('E')));
    let end = reply.end().unwrap();
    assert_eq!((end.reason, end.stop.as_deref()), ("stop", Some("END")));
    assert_eq!(reply.whole(), Grown { text: "one two ".to_string(), tokens: 0..8 });
}

#[test]
fn what_only_began_like_a_stop_is_given_out_after_all() {
    let (reply, given) = streamed("EENEN", &["END"]);
    assert_eq!(given, ["", "E", "", "EN", "", "EN"]);
    assert_eq!(reply.whole().text, "EENEN");
    assert_eq!(reply.end().unwrap().reason, "length");
}

#[test]
fn a_character_is_given_out_when_it_is_whole_and_counts_as_one() {
    let (reply, given) = streamed("aé北b", &["北x"]);
    assert_eq!(given, ["a", "", "é", "", "", "", "北b", ""]);
    let offsets: Vec<usize> = reply.tokens().iter().map(|token| token.offset).collect();
    assert_eq!(offsets, [0, 1, 1, 2, 2, 2, 3]);
}

#[test]
fn half_a_character_at_the_end_is_spelled_out() {
    let vocab = vocab();
    let mut reply = ReplyText::new(Arc::default(), &vocab);
    reply.take(step(0xE5)).unwrap();
    assert_eq!(reply.grown().text, "");
    reply.take(ReplyEvent::Ended(FinishReason::Context)).unwrap();
    assert_eq!(reply.grown().text, "<0xE5>");
    assert_eq!(reply.end().unwrap().reason, "length");
    assert!(reply.take(ReplyEvent::Failed(EngineError::Empty)).is_err());
}

#[test]
fn the_earliest_of_several_stops_counts() {
    let (reply, _) = streamed("a\n\nb", &["\n\n", "\n"]);
    assert_eq!(reply.whole().text, "a");
    assert_eq!(reply.end().unwrap().stop.as_deref(), Some("\n"));
    // A token that ends generation is a step and no text.
    let vocab = vocab();
    let mut reply = ReplyText::new(Arc::default(), &vocab);
    reply.take(step(u32::from(b'a'))).unwrap();
    reply.take(step(257)).unwrap();
    reply.take(ReplyEvent::Ended(FinishReason::Stop)).unwrap();
    assert_eq!(reply.whole(), Grown { text: "a".to_string(), tokens: 0..2 });
    assert_eq!(reply.end().unwrap().reason, "stop");
}
