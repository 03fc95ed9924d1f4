//! Python's generators: what filters like `map` and `select` give.
//!
//! A generator is true even where nothing will come out, has no length and no JSON, and gives each item
//! once. Templates that forget a `|list` behave as they do in Python, or are refused as there.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::value::{Enumerator, Object, ObjectRepr, Rest, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, State, Value, filters};

use super::bounds::{defined, kept};

type GeneratorTail = Rest<ValueOrKwargs>;
type Name = Option<String>;

/// Adds the filters that give generators.
pub(super) fn install(environment: &mut Environment<'static>) {
    environment.add_filter("map", |state: &mut State, value: Value, args: GeneratorTail| {
        if is_empty(state, &value)? {
            Ok(generator([]))
        } else {
            filters::map(state, value, args).map(generator)
        }
    });
    environment.add_filter("select", |state: &mut State, value: Value, test: Name, args: GeneratorTail| {
        let test = test.map(Into::into);
        if is_empty(state, &value)? {
            return Ok(generator([]));
        }
        filters::select(state, value, test, args).map(generator)
    });
    environment.add_filter("reject", |state: &mut State, value: Value, test: Name, args: GeneratorTail| {
        let test = test.map(Into::into);
        if is_empty(state, &value)? {
            return Ok(generator([]));
        }
        filters::reject(state, value, test, args).map(generator)
    });
    environment.add_filter("selectattr", by_attribute::<false>);
    environment.add_filter("rejectattr", by_attribute::<true>);
    environment.add_filter("batch", |state: &State, value: Value, count: usize, fill: Option<Value>| {
        wrapped(state, filters::batch(state, value, count, fill)?)
    });
    environment.add_filter("slice", |state: &State, value: Value, count: usize, fill: Option<Value>| {
        wrapped(state, filters::slice(state, value, count, fill)?)
    });
    environment.add_filter("items", |state: &State, value: Value| wrapped(state, filters::items(&value)?));
    environment.add_filter("reverse", |state: &State, value: Value| {
        let reversed = filters::reverse(&value)?;
        let text = value.kind() == ValueKind::String;
        // What can't be run through backwards is made a list first, and that list is the result.
        if text || is_generator(&value) { Ok(reversed) } else { wrapped(state, reversed) }
    });
}

fn by_attribute<const REJECT: bool>(
    state: &mut State,
    value: Value,
    attribute: String,
    test: Name,
    args: GeneratorTail,
) -> Result<Value, Error> {
    if is_empty(state, &value)? {
        return Ok(generator([]));
    }
    let test = test.map(Into::into);
    let filter = if REJECT { filters::rejectattr } else { filters::selectattr };
    filter(state, value, attribute.into(), test, args).map(generator)
}

/// These filters look no further at a value that is not true, whatever it is.
fn is_empty(state: &State, value: &Value) -> Result<bool, Error> {
    defined(state, value)?;
    Ok(!value.is_true())
}

/// The items of a list as a generator, the list's size checked.
fn wrapped(state: &State, list: Value) -> Result<Value, Error> {
    let items = kept(state, list, false)?.try_iter()?.checked().collect::<Result<Vec<_>, _>>()?;
    Ok(generator(items))
}

/// A generator of these items.
pub(super) fn generator(items: impl IntoIterator<Item = Value>) -> Value {
    Value::from_object(Generator(Mutex::new(items.into_iter().collect())))
}

/// Whether a value is one.
pub(super) fn is_generator(value: &Value) -> bool {
    value.downcast_object_ref::<Generator>().is_some()
}

/// The items that have not been asked for.
struct Generator(Mutex<VecDeque<Value>>);

impl Generator {
    fn next(&self) -> Option<Value> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

impl fmt::Debug for Generator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<generator object>")
    }
}

impl Object for Generator {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let this = Arc::clone(self);
        Enumerator::Iter(Box::new(std::iter::from_fn(move || this.next())))
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        None
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
