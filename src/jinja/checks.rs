//! Jinja's tests (`x is string`) where Python answers differently from the engine.

use minijinja::value::ValueKind;
use minijinja::{Environment, Error, State, Value};

use super::bounds::defined;
use super::generator::is_generator;
use super::operators::{compare, contains};
use super::{numbers, python};

/// Adds the tests.
pub(super) fn install(environment: &mut Environment<'static>) {
    environment.add_test("iterable", |state: &State, value: &Value| {
        Ok::<_, Error>(is_generator(value) || has_items(state, value)?)
    });
    environment.add_test("sequence", |state: &State, value: &Value| has_items(state, value).unwrap_or(false));
    environment.add_test("in", contains);
    environment
        .add_test("callable", |value: &Value| value.kind() == ValueKind::Plain && !is_generator(value));
    environment.add_test("even", |state: &State, value: &Value| {
        Ok::<_, Error>(numbers::rest(state, value, &Value::from(2))? == 0.0)
    });
    environment.add_test("odd", |state: &State, value: &Value| {
        Ok::<_, Error>(numbers::rest(state, value, &Value::from(2))? == 1.0)
    });
    environment.add_test("divisibleby", |state: &State, value: &Value, by: &Value| {
        Ok::<_, Error>(numbers::rest(state, value, by)? == 0.0)
    });
    environment.add_test("lower", |state: &State, value: &Value| {
        cased(state, value, char::is_lowercase, char::is_uppercase)
    });
    environment.add_test("upper", |state: &State, value: &Value| {
        cased(state, value, char::is_uppercase, char::is_lowercase)
    });
    for (names, wanted) in [
        (["lt", "lessthan", "<"].as_slice(), (|o| o.is_lt()) as fn(std::cmp::Ordering) -> bool),
        (["le", "<="].as_slice(), |o| o.is_le()),
        (["gt", "greaterthan", ">"].as_slice(), |o| o.is_gt()),
        (["ge", ">="].as_slice(), |o| o.is_ge()),
    ] {
        for name in names {
            environment.add_test(*name, move |left: &Value, right: &Value| compare(left, right).map(wanted));
        }
    }
}

/// Strings and dictionaries have items too.
fn has_items(state: &State, value: &Value) -> Result<bool, Error> {
    defined(state, value)?;
    Ok(matches!(
        value.kind(),
        ValueKind::String | ValueKind::Seq | ValueKind::Map | ValueKind::Iterable | ValueKind::Undefined
    ))
}

/// `islower` or `isupper` of what the value prints as.
fn cased(
    state: &State,
    value: &Value,
    wanted: fn(char) -> bool,
    unwanted: fn(char) -> bool,
) -> Result<bool, Error> {
    defined(state, value)?;
    let text = python::str(value)?;
    Ok(text.chars().any(wanted) && !text.chars().any(unwanted))
}
