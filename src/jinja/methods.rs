//! Python's methods of strings, dictionaries and lists.
//!
//! The engine calls in here for every method it does not know. Methods that would change a value are
//! refused, as in the immutable sandbox that transformers renders chat templates in.

use minijinja::value::{Tuple, ValueKind};
use minijinja::{Error, ErrorKind, State, Value};

use super::arguments::Arguments;
use super::python::{self, invalid};
use super::strings;

/// Calls a method of a value.
pub fn call(state: &mut State, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    let args = Arguments::new(method, args.to_vec());
    match value.kind() {
        ValueKind::String => strings::call(state, value.as_str().unwrap_or_default(), args, method),
        ValueKind::Map => map(value, method, args),
        ValueKind::Seq | ValueKind::Iterable => list(value, method, args),
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

/// Attributes of a Python dictionary: what `value.name` finds before it looks at the keys.
pub fn is_map_attribute(name: &str) -> bool {
    const NAMES: [&str; 11] = [
        "clear",
        "copy",
        "fromkeys",
        "get",
        "items",
        "keys",
        "pop",
        "popitem",
        "setdefault",
        "update",
        "values",
    ];
    NAMES.contains(&name)
}

fn map(value: &Value, method: &str, mut args: Arguments) -> Result<Value, Error> {
    let result = match method {
        "keys" => Value::from(keys(value)?),
        "values" => {
            Value::from(keys(value)?.iter().map(|key| value.get_item(key)).collect::<Result<Vec<_>, _>>()?)
        }
        "items" => Value::from(
            keys(value)?
                .into_iter()
                .map(|key| {
                    let item = value.get_item(&key)?;
                    Ok(Value::from(Tuple::from([key, item])))
                })
                .collect::<Result<Vec<_>, Error>>()?,
        ),
        "get" => {
            let key = args.required("key")?;
            let default = args.optional("default")?.unwrap_or(Value::from(()));
            match value.get_item(&key)? {
                found if found.is_undefined() => default,
                found => found,
            }
        }
        "copy" => value.clone(),
        "clear" | "pop" | "popitem" | "setdefault" | "update" => return Err(immutable("dictionary", method)),
        _ => return Err(Error::from(ErrorKind::UnknownMethod)),
    };
    args.finish()?;
    Ok(result)
}

fn keys(value: &Value) -> Result<Vec<Value>, Error> {
    value.try_iter()?.checked().collect()
}

fn list(value: &Value, method: &str, mut args: Arguments) -> Result<Value, Error> {
    let result = match method {
        "index" => {
            let wanted = args.required("value")?;
            let (start, stop) = (args.optional_int("start")?, args.optional_int("stop")?);
            index(value, &wanted, start, stop)?
        }
        "count" => {
            let wanted = args.required("value")?;
            let items = value.try_iter()?.checked().collect::<Result<Vec<_>, _>>()?;
            Value::from(items.iter().filter(|item| **item == wanted).count())
        }
        "copy" => value.clone(),
        "append" | "clear" | "extend" | "insert" | "pop" | "remove" | "reverse" | "sort" => {
            return Err(immutable("list", method));
        }
        _ => return Err(Error::from(ErrorKind::UnknownMethod)),
    };
    args.finish()?;
    Ok(result)
}

fn index(value: &Value, wanted: &Value, start: Option<i64>, stop: Option<i64>) -> Result<Value, Error> {
    let items = value.try_iter()?.checked().collect::<Result<Vec<_>, _>>()?;
    let range = strings::clamp(items.len(), start, stop);
    let found = items.get(range.clone()).and_then(|items| items.iter().position(|item| item == wanted));
    found.map(|at| Value::from(at + range.start)).ok_or_else(|| {
        let shown: String = python::repr(wanted).unwrap_or_default().chars().take(40).collect();
        invalid(format!("index: {shown} is not in the list"))
    })
}

fn immutable(kind: &str, method: &str) -> Error {
    invalid(format!("{method} would change a {kind}, which a template may not; build a new one instead"))
}
