use std::time::Instant;

use serde_json::json;

use super::*;
use crate::engine::remote::testing::{Played, Player};

fn asked(player: &Player, key: Option<&str>) -> Result<Value, String> {
    let wire = player.wire(key);
    let flag = CancelFlag::default();
    let answer = wire.watched(&flag, |call| call.post("/x", &json!({"a": 1})));
    answer.map_err(|trouble| wire.error(trouble).to_string())
}

fn line_of(played: Played) -> String {
    let player = Player::of(vec![("/x", played)]);
    let line = asked(&player, None).unwrap_err();
    assert!(line.starts_with(&format!("{}: ", player.address)) && !line.contains('\n'), "{line}");
    line
}

#[test]
fn an_answer_that_is_none_is_one_line_that_says_what_it_is() {
    let html = "<!doctype html><title>hello</title>".to_string();
    assert!(line_of(Played::Raw(200, "", html.clone())).contains("web page"));
    assert!(line_of(Played::Raw(200, "", r#"{"logprob": NaN}"#.to_string())).contains("no JSON"));
    assert!(line_of(Played::Raw(200, "", r#"{"logprob": 1e999}"#.to_string())).contains("no JSON"));
    assert!(line_of(Played::Raw(200, "", "[".repeat(100_000))).contains("no JSON"));
    assert!(line_of(Played::Raw(200, "", String::new())).contains("empty"));
    assert!(line_of(Played::Raw(200, "", " ".repeat(2 << 20))).contains("more than 1 MiB"));
    assert!(
        line_of(Played::Raw(400, "", r#"{"error":{"message":"too long"}}"#.to_string()))
            .ends_with("(400): too long")
    );
    assert!(
        line_of(Played::Raw(422, "", r#"{"detail":"no\nsuch field"}"#.to_string()))
            .ends_with("no such field")
    );
    assert!(line_of(Played::Raw(500, "", html)).contains("(500): a web page"));
    assert!(
        line_of(Played::Raw(307, "Location: http://other/\r\n", String::new()))
            .contains("sends on to http://other/")
    );
}

#[test]
fn what_may_pass_is_tried_again_and_what_lasts_is_not() {
    let busy = || Played::Raw(503, "Retry-After: 0\r\n", "{}".to_string());
    let player = Player::of(vec![
        ("/x", busy()),
        ("/x", Played::Cut("{".to_string())),
        ("/x", Played::Json(json!(7))),
    ]);
    assert_eq!(asked(&player, None), Ok(json!(7)));
    assert_eq!(player.count(), 3);
    let player = Player::new(move |_| Played::Raw(503, "", r#"{"error":"loading"}"#.to_string()));
    assert!(asked(&player, None).unwrap_err().ends_with("the server answers 503: loading, 4 times"));
    let refused = Player::of(vec![("/x", Played::Raw(400, "", "no".to_string()))]);
    assert!(asked(&refused, None).is_err());
    assert_eq!(refused.count(), 1);
    let gone = ServerAccess::open(crate::model::ServerAddress::parse("http://127.0.0.1:9").unwrap());
    let wire = Wire::new(gone, crate::engine::remote::testing::quick()).unwrap();
    let answer = wire.watched(&CancelFlag::default(), |call| call.get("/x"));
    assert!(wire.error(answer.unwrap_err()).to_string().contains("nobody listens there, 4 times"));
}

#[test]
fn a_key_goes_into_the_header_and_into_no_error() {
    const KEY: &str = "sk-0123456789abcdef";
    let player = Player::new(|heard| match heard.authorization.as_deref() {
        Some("Bearer sk-0123456789abcdef") => {
            Played::Raw(403, "", json!({"error": {"message": format!("{KEY} may not")}}).to_string())
        }
        _ => Played::Raw(401, "", "who?".to_string()),
    });
    let line = asked(&player, None).unwrap_err();
    assert!(line.contains("wants a key (401)") && line.contains(KEY_VARIABLE), "{line}");
    let line = asked(&player, Some(KEY)).unwrap_err();
    assert!(line.contains("does not take the key (403): … may not") && !line.contains(KEY), "{line}");
}

#[test]
fn a_stream_ends_where_it_says_so_and_a_connection_that_closes_before_is_told() {
    let events = |ends: &[&str]| {
        let player =
            Player::of(vec![("/x", Played::Stream(ends.iter().map(|event| event.to_string()).collect()))]);
        let (wire, mut seen) = (player.wire(Some("sk-0123456789abcdef")), Vec::new());
        let end = wire.watched(&CancelFlag::default(), |call| {
            call.stream("/x", &json!({}), |event| {
                seen.push(event);
                Ok(true)
            })
        });
        (seen.len(), end)
    };
    assert_eq!(events(&["1", "2", "[DONE]", "3"]), (2, Ok(())));
    let (seen, end) = events(&["1", "2"]);
    assert!(
        seen == 2 && matches!(end, Err(Trouble::Lasting(line)) if line.contains("closed the connection"))
    );
    let (_, end) = events(&["1", r#"{"error": {"message": "sk-0123456789abcdef is out of memory"}}"#]);
    assert_eq!(end, Err(Trouble::Lasting("the server stops: … is out of memory".to_string())));
    let (_, end) = events(&["{"]);
    assert!(matches!(end, Err(Trouble::Lasting(line)) if line.contains("no JSON")));
}

#[test]
fn who_leaves_closes_the_connection_at_once_and_can_ask_again() {
    let player = Player::new(|heard| match heard.path.as_str() {
        "/silent" => Played::Silence,
        _ => Played::Json(json!(1)),
    });
    let (wire, flag) = (player.wire(None), CancelFlag::default());
    let begun = Instant::now();
    let raise = flag.clone();
    let raiser = thread::spawn(move || {
        thread::sleep(Duration::from_millis(100));
        raise.cancel();
    });
    let answer = wire.watched(&flag, |call| call.get("/silent"));
    assert_eq!(answer, Err(Trouble::Cancelled));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    raiser.join().unwrap();
    player.closed.recv_timeout(Duration::from_secs(5)).unwrap();
    assert_eq!(wire.watched(&CancelFlag::default(), |call| call.get("/x")), Ok(json!(1)));
}
