//! The choices of an answer, taken out of it: whatever an answer is, nothing else is made of it than an error.

use serde_json::Value;

use super::wire::Trouble;

/// All of them.
pub(super) fn all(mut answer: Value) -> Result<Vec<Value>, Trouble> {
    match taken(&mut answer, "choices") {
        Value::Array(choices) => Ok(choices),
        _ => Err(none()),
    }
}

/// The only one.
pub(super) fn first(answer: Value) -> Result<Value, Trouble> {
    all(answer)?.into_iter().next().ok_or_else(none)
}

fn none() -> Trouble {
    Trouble::wrong("its answer has no choices")
}

/// That of a part of a stream; a part that only counts tokens has none.
pub(super) fn streamed(mut event: Value) -> Option<Value> {
    match taken(&mut event, "choices") {
        Value::Array(choices) => choices.into_iter().next(),
        _ => None,
    }
}

/// A field's value, which is gone from it then.
pub(super) fn taken(value: &mut Value, name: &str) -> Value {
    value.get_mut(name).map(Value::take).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_without_choices_is_one_line() {
        for answer in
            [json!(null), json!([]), json!("x"), json!({}), json!({"choices": []}), json!({"choices": "x"})]
        {
            assert!(matches!(first(answer.clone()), Err(Trouble::Lasting(_))), "{answer}");
            assert_eq!(streamed(answer), None);
        }
        assert_eq!(first(json!({"choices": [1, 2]})).ok(), Some(json!(1)));
        assert_eq!(streamed(json!({"choices": [1]})), Some(json!(1)));
        assert_eq!(taken(&mut json!("text"), "logprobs"), Value::Null);
    }
}
