//! What keeps a template's work and values small, and undefined values out.
//!
//! Everything a template stores has a bounded size, counting what is referred to twice twice, and a bounded
//! depth. The engine's own printing, comparing and dropping know no bounds.

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, State, UndefinedBehavior, Value};

use super::python::{self, invalid};

/// Items and 64-byte pieces of text a value may hold.
pub(super) const MAX_SIZE: usize = 1_000_000;

/// Containers inside containers.
const MAX_DEPTH: usize = 100;

/// Fails on an undefined value where those are errors.
pub(super) fn defined(state: &State, value: &Value) -> Result<(), Error> {
    if value.is_undefined() && state.undefined_behavior() == UndefinedBehavior::Strict {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    Ok(())
}

/// Asks for the fuel that `bytes` of new text cost, before they are made.
pub(super) fn charge(state: &State, bytes: usize) -> Result<(), Error> {
    state.consume_fuel(bytes as u64 / 64)
}

/// What is said of a value that is too large.
pub(super) fn too_large() -> Error {
    invalid(format!("a value has more than {MAX_SIZE} items"))
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
        None => Err(too_large()),
    };
    spend(1)?;
    match value.kind() {
        ValueKind::String => spend(value.as_str().unwrap_or_default().len() / 64),
        ValueKind::Seq | ValueKind::Iterable | ValueKind::Map => {
            if depth >= MAX_DEPTH {
                return Err(python::too_deep(MAX_DEPTH));
            }
            if inside && value.as_object().is_some_and(|object| object.type_name().contains("amespace")) {
                return Err(invalid("a namespace inside a namespace"));
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
