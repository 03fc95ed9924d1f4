use serde_json::json;

use super::*;

fn cells(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| text.to_string()).collect()
}

#[test]
fn a_suites_column_is_numbers_if_each_prints_as_written() {
    let of = |texts: &[&str]| Value::from(as_written(&cells(texts)));
    assert_eq!(of(&["1", "", "-3"]), json!([1, null, -3]));
    assert_eq!(of(&["1", "0.5"]), json!([1, 0.5]));
    assert_eq!(of(&["18446744073709551615", "7"]), json!([u64::MAX, 7]));
    assert_eq!(of(&["True", "False"]), json!([true, false]));
    let kept: [&[&str]; 10] = [
        &["007", "7"],
        &["+5", "5"],
        &["1e5", "5"],
        &["1.50", "2"],
        &[" 5", "5"],
        &["true", "false"],
        &["-0", "1"],
        &["123456789012345678901234", "7"],
        &["-9223372036854775809", "7"],
        &["NA", "inf"],
    ];
    for texts in kept {
        assert_eq!(of(texts), json!(texts), "{texts:?}");
    }
}

/// As measured with pandas 3.
#[test]
fn a_tasks_column_is_typed_as_pandas_types_it() {
    let of = |texts: &[&str]| Value::from(as_pandas(&cells(texts)));
    assert_eq!(of(&["007", "+5", "-1"]), json!([7, 5, -1]));
    assert_eq!(of(&["7", "NA", "None"]), json!([7.0, null, null]));
    assert_eq!(of(&["1e5", "5"]), json!([1e5, 5.0]));
    assert_eq!(of(&["12345678901234567890", "7"]), json!([12345678901234567890u64, 7]));
    assert_eq!(of(&["12345678901234567890", "-7"]), json!(["12345678901234567890", "-7"]));
    assert_eq!(of(&["12345678901234567890", ""]), json!(["12345678901234567890", ""]));
    assert_eq!(of(&["12345678901234567890", "0.5"]), json!([12345678901234567890.0, 0.5]));
    assert_eq!(of(&["0.5", "123456789012345678901234"]), json!([0.5, 1.2345678901234569e23]));
    assert_eq!(
        of(&["123456789012345678901234", "0.5", "NA"]),
        json!(["123456789012345678901234", "0.5", "NA"])
    );
    assert_eq!(of(&["-12345678901234567890", "", "-007"]), json!(["-12345678901234567890", null, "-7"]));
    assert_eq!(of(&["123456789012345678901234", "007"]), json!(["123456789012345678901234", "7"]));
    assert_eq!(of(&["true", "FALSE"]), json!([true, false]));
    assert_eq!(of(&["x", "007"]), json!(["x", "007"]));
    assert_eq!(of(&["", ""]), json!([null, null]));
}

#[test]
fn whole_numbers_in_json_keep_their_digits() {
    let kept = |json: &str| serde_json::from_str::<Value>(&all_digits(json)).unwrap();
    let large = r#"{"n":123456789012345678901234,"m":[-9223372036854775809,7],"s":"\\\"99999999999999999999","x":1e30}"#;
    assert_eq!(
        kept(large),
        json!({
            "n": "123456789012345678901234", "m": ["-9223372036854775809", 7],
            "s": "\\\"99999999999999999999", "x": 1e30
        })
    );
    assert!(matches!(
        all_digits(r#"{"n":18446744073709551615,"m":1.23456789012345678901}"#),
        Cow::Borrowed(_)
    ));
}

#[test]
fn numbers_of_a_column_have_one_type_in_lists_and_objects_too() {
    let row = |value: Value| value.as_object().cloned().unwrap();
    let mut rows = [
        row(json!({"n": 1, "list": [1, 2], "map": {"a": 1, "b": 1}, "large": 7, "text": "1"})),
        row(json!({"n": 0.5, "list": [2.5], "map": {"a": 1.5, "b": 2}, "large": u64::MAX, "text": null})),
    ];
    widen(&mut rows, &|number| number.is_i64());
    let large = u64::MAX as f64;
    assert_eq!(
        rows[0],
        row(json!({"n": 1.0, "list": [1.0, 2.0], "map": {"a": 1.0, "b": 1}, "large": 7.0, "text": "1"}))
    );
    assert_eq!(
        rows[1],
        row(json!({"n": 0.5, "list": [2.5], "map": {"a": 1.5, "b": 2}, "large": large, "text": null}))
    );
}

/// As measured with pandas 3.
#[test]
fn columns_of_an_array_are_whole_where_all_of_it_is() {
    let of = |values: &[Value]| {
        let mut rows: Vec<_> =
            values.iter().map(|value| Map::from_iter([("n".to_string(), value.clone())])).collect();
        widen(&mut rows, &|number| number.is_i64() || number.is_u64());
        narrow(&mut rows);
        rows.into_iter().map(|mut row| row.remove("n").unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(of(&[json!(1.0), json!(7), json!(null)]), [json!(1), json!(7), json!(null)]);
    assert_eq!(of(&[json!(1), json!(0.5)]), [json!(1.0), json!(0.5)]);
    assert_eq!(of(&[json!(u64::MAX), json!(7)]), [json!(u64::MAX), json!(7)]);
    assert_eq!(of(&[json!(u64::MAX), json!(null)]), [json!(u64::MAX as f64), json!(null)]);
    assert_eq!(of(&[json!(1.0), json!("x")]), [json!(1.0), json!("x")]);
}
