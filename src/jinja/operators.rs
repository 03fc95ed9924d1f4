//! What operators do in Python: the functions that [`super::rewrite`] puts in their place.
//!
//! They also keep values small enough to be looked at: everything a template builds or stores has a
//! bounded size, counting what is referred to twice twice, and a bounded depth. The engine's own
//! printing and comparing know no bounds.

use std::cmp::Ordering;

use minijinja::value::{Kwargs, Rest, Tuple, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State, Value};

use super::filters::defined;
use super::rewrite::{EACH, KEPT, KEPT_INSIDE};
use super::{numbers, python, strings};

/// Items and 64-byte pieces of text a value may hold.
const MAX_SIZE: usize = 1_000_000;

/// Containers inside containers.
const MAX_DEPTH: usize = 100;

/// Adds the functions.
pub(super) fn install(environment: &mut Environment<'static>) {
    environment.add_function("__add", add);
    environment.add_function("__times", times);
    environment.add_function("__percent", numbers::percent);
    environment.add_function("__cat", cat);
    environment.add_function("__in", contains);
    environment.add_function("__lt", |left: &Value, right: &Value| compare(left, right).map(Ordering::is_lt));
    environment.add_function("__le", |left: &Value, right: &Value| compare(left, right).map(Ordering::is_le));
    environment.add_function("__gt", |left: &Value, right: &Value| compare(left, right).map(Ordering::is_gt));
    environment.add_function("__ge", |left: &Value, right: &Value| compare(left, right).map(Ordering::is_ge));
    environment.add_function(EACH, |state: &State, items: Rest<Value>| each(state, &items));
    environment.add_function(KEPT, |state: &State, values: Rest<Value>| kept(state, one(&values), false));
    environment
        .add_function(KEPT_INSIDE, |state: &State, values: Rest<Value>| kept(state, one(&values), true));
    environment.add_function("dict", |state: &State, value: Option<Value>, named: Kwargs| {
        kept(state, minijinja::functions::dict(value, named)?, false)
    });
    environment.add_function("namespace", namespace);
}

/// A namespace may hold no other: the two could hold each other.
fn namespace(state: &State, first: Option<Value>, named: Kwargs) -> Result<Value, Error> {
    let values = kept(state, minijinja::functions::dict(first, named)?, true)?;
    minijinja::functions::namespace(Some(ValueOrKwargs::from(values)))
}

fn invalid(reason: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, reason)
}

fn unfit(operator: &str, left: &Value, right: &Value) -> Error {
    if left.is_undefined() || right.is_undefined() {
        return Error::new(ErrorKind::UndefinedError, format!("{operator} with an undefined value"));
    }
    invalid(format!("{operator} of a {} and a {}", left.kind(), right.kind()))
}

/// Several values are a tuple without brackets.
fn one(values: &[Value]) -> Value {
    match values {
        [only] => only.clone(),
        several => Value::from(Tuple::from(several.to_vec())),
    }
}

/// What a `for` runs over: anything but `None`.
fn each(state: &State, items: &[Value]) -> Result<Value, Error> {
    match one(items) {
        none if none.is_none() => Err(invalid("a loop over None; test the value first".to_string())),
        // As a list, so that the loop knows its length.
        text if text.kind() == ValueKind::String => Ok(text.try_iter()?.collect()),
        items => kept(state, items, false),
    }
}

/// A value that may be stored, lists that are made on the fly written out. Inside a namespace there
/// must be no other: the two could hold each other.
pub(super) fn kept(state: &State, value: Value, inside: bool) -> Result<Value, Error> {
    let mut left = MAX_SIZE;
    measure(&value, 0, inside, &mut left)?;
    state.consume_fuel((MAX_SIZE - left) as u64 / 16)?;
    if value.kind() == ValueKind::Iterable && value.len().is_some() {
        return value.try_iter()?.checked().collect::<Result<Vec<_>, _>>().map(Value::from);
    }
    Ok(value)
}

fn measure(value: &Value, depth: usize, inside: bool, left: &mut usize) -> Result<(), Error> {
    let mut spend = |size: usize| match left.checked_sub(size) {
        Some(rest) => {
            *left = rest;
            Ok(())
        }
        None => Err(invalid(format!("a value has more than {MAX_SIZE} items"))),
    };
    spend(1)?;
    match value.kind() {
        ValueKind::String => spend(value.as_str().unwrap_or_default().len() / 64),
        ValueKind::Seq | ValueKind::Iterable | ValueKind::Map => {
            if depth >= MAX_DEPTH {
                return Err(python::too_deep(MAX_DEPTH));
            }
            if inside && value.as_object().is_some_and(|object| object.type_name().contains("amespace")) {
                return Err(invalid("a namespace inside a namespace".to_string()));
            }
            // Asked first: a list made on the fly may claim any length.
            spend(value.len().unwrap_or(0) / 2)?;
            for item in value.try_iter()?.checked() {
                let item = item?;
                if value.kind() == ValueKind::Map {
                    measure(&value.get_item(&item)?, depth + 1, inside, left)?;
                }
                measure(&item, depth + 1, inside, left)?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn add(state: &State, left: &Value, right: &Value) -> Result<Value, Error> {
    if let (Some(one), Some(other)) = (left.as_str(), right.as_str()) {
        strings::charge(state, one.len() + other.len())?;
        if !left.is_safe() && !right.is_safe() {
            return Ok(Value::from([one, other].concat()));
        }
        // Text marked as safe escapes what it is added to, whether or not escaping is on.
        let escaped = |value: &Value, text: &str| {
            if value.is_safe() { text.to_string() } else { strings::escaped(text) }
        };
        return Ok(Value::from_safe_string(escaped(left, one) + &escaped(right, other)));
    }
    let list = |value: &Value| matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable);
    if list(left) && list(right) && left.is_tuple() == right.is_tuple() {
        let sizes = left.len().unwrap_or(0).saturating_add(right.len().unwrap_or(0));
        if sizes > MAX_SIZE {
            return Err(invalid(format!("a value has more than {MAX_SIZE} items")));
        }
        let items = left.try_iter()?.chain(right.try_iter()?).collect::<Vec<_>>();
        let sum = if left.is_tuple() { Value::from(Tuple::from(items)) } else { Value::from(items) };
        return kept(state, sum, false);
    }
    numbers::add(left, right).ok_or_else(|| unfit("+", left, right))
}

fn times(state: &State, left: &Value, right: &Value) -> Result<Value, Error> {
    let repeats = |value: &Value| matches!(value.kind(), ValueKind::String | ValueKind::Seq);
    let (repeated, count) = if repeats(left) { (left, right) } else { (right, left) };
    if !repeats(repeated) {
        return numbers::times(left, right).ok_or_else(|| unfit("*", left, right));
    }
    let count = numbers::whole(count).ok_or_else(|| unfit("*", left, right))?;
    let count = usize::try_from(count.max(0)).unwrap_or(usize::MAX);
    if let Some(text) = repeated.as_str() {
        let bytes = text.len().saturating_mul(count);
        strings::charge(state, bytes)?;
        let text = text.repeat(if text.is_empty() { 0 } else { count });
        return Ok(if repeated.is_safe() { Value::from_safe_string(text) } else { Value::from(text) });
    }
    let items = repeated.try_iter()?.collect::<Vec<_>>();
    if items.len().saturating_mul(count) > MAX_SIZE {
        return Err(invalid(format!("a value has more than {MAX_SIZE} items")));
    }
    let count = if items.is_empty() { 0 } else { count };
    let items = (0..count).flat_map(|_| items.iter().cloned()).collect::<Vec<_>>();
    let value = if repeated.is_tuple() { Value::from(Tuple::from(items)) } else { Value::from(items) };
    kept(state, value, false)
}

fn cat(state: &State, left: &Value, right: &Value) -> Result<Value, Error> {
    let mut out = String::new();
    for value in [left, right] {
        defined(state, value)?;
        strings::charge(state, value.as_str().map_or(0, str::len))?;
        python::write_str(&mut out, value)?;
    }
    Ok(Value::from(out))
}

/// The order of two values, which only values of a kind have.
pub(super) fn compare(left: &Value, right: &Value) -> Result<Ordering, Error> {
    let number = |value: &Value| matches!(value.kind(), ValueKind::Number | ValueKind::Bool);
    let alike = match (left.kind(), right.kind()) {
        (ValueKind::String, ValueKind::String) => true,
        (ValueKind::Seq, ValueKind::Seq) => left.is_tuple() == right.is_tuple(),
        _ => number(left) && number(right),
    };
    if alike { Ok(left.cmp(right)) } else { Err(unfit("comparison", left, right)) }
}

/// `item in container`.
pub(super) fn contains(state: &State, item: &Value, container: &Value) -> Result<bool, Error> {
    defined(state, container)?;
    defined(state, item)?;
    match container.kind() {
        ValueKind::Undefined => Ok(false),
        ValueKind::String => {
            let text = container.as_str().unwrap_or_default();
            strings::charge(state, text.len())?;
            item.as_str().map(|item| text.contains(item)).ok_or_else(|| unfit("in", item, container))
        }
        ValueKind::Map => {
            if matches!(item.kind(), ValueKind::Map) || item.kind() == ValueKind::Seq && !item.is_tuple() {
                return Err(unfit("in", item, container));
            }
            Ok(container.as_object().is_some_and(|object| object.get_value(item).is_some()))
        }
        ValueKind::Seq | ValueKind::Iterable => {
            state.consume_fuel(container.len().unwrap_or(0) as u64 / 2)?;
            for candidate in container.try_iter()?.checked() {
                if candidate? == *item {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        _ => Err(unfit("in", item, container)),
    }
}
