use serde_json::json;

use super::*;

fn fields(value: Value) -> Fields {
    Fields::read(value.to_string().as_bytes()).unwrap()
}

fn message(error: &ApiError) -> String {
    error.body()["error"]["message"].as_str().unwrap().to_string()
}

#[test]
fn a_field_has_its_type_and_range_or_is_refused_by_name() {
    let mut some =
        fields(json!({"n": 3, "t": 0.5, "s": "x", "b": true, "big": 1e300, "point": 2.0, "null": null}));
    assert_eq!(some.whole("n", 1..=9).unwrap(), Some(3));
    assert_eq!(some.number("t").unwrap(), Some(0.5));
    assert_eq!(some.text("s").unwrap().as_deref(), Some("x"));
    assert_eq!(some.flag("b").unwrap(), Some(true));
    assert_eq!(some.whole("point", 0..=9).unwrap(), Some(2));
    assert_eq!((some.text("null").unwrap(), some.text("missing").unwrap()), (None, None));
    let error = some.whole("big", 1..=9).unwrap_err();
    assert_eq!(message(&error), "\"big\" must be a whole number from 1 to 9, not 1e+300");
    assert_eq!(error.body()["error"]["param"], "big");
    some.done(&[]).unwrap();
    let error = fields(json!({"n": "3"})).whole("n", 1..=9).unwrap_err();
    assert_eq!(message(&error), "\"n\" must be a whole number from 1 to 9, not a text");
}

#[test]
fn what_nobody_took_is_named_with_what_is_near() {
    let mut some = fields(json!({"temprature": 1, "user": "me"}));
    some.number("temperature").unwrap();
    let error = some.done(&["user"]).unwrap_err();
    assert_eq!(message(&error), "\"temprature\" is no field of this request; did you mean \"temperature\"?");
    let long = fields(json!({"x".repeat(1 << 20): 1})).done(&[]).unwrap_err();
    assert!(message(&long).len() < 200);
}

#[test]
fn a_body_that_is_no_object_is_refused() {
    for body in [&b""[..], b"nothing", b"[1]", b"{\"a\":", b"\xff", b"1e999"] {
        assert_eq!(Fields::read(body).unwrap_err().status.as_u16(), 400);
    }
    let deep = "[".repeat(100_000);
    assert!(Fields::read(deep.as_bytes()).is_err());
}
