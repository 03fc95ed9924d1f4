//! Jinja's filters where Python's differ from the engine's.

use minijinja::value::{Tuple, ValueKind};
use minijinja::{Environment, Error, State, Value};

use super::arguments::{Arguments, Tail};
use super::bounds::{charge, defined};
use super::python::invalid;
use super::{Dialect, generator, json, numbers, pattern, python, text_filters};

/// Adds the filters of a dialect.
pub(super) fn install(environment: &mut Environment<'static>, dialect: Dialect) {
    // The engine's own additions: a template that uses them works nowhere else.
    for name in ["bool", "chain", "lines", "pprint", "split", "zip"] {
        environment.remove_filter(name);
    }
    environment.add_filter("string", |state: &State, value: &Value| {
        defined(state, value)?;
        python::str(value)
    });
    environment.add_filter("int", numbers::int);
    environment.add_filter("float", numbers::float);
    environment.add_filter("round", numbers::round);
    environment.add_filter("join", join);
    environment.add_filter("dictsort", dictsort);
    environment.add_filter("unique", unique);
    generator::install(environment);
    text_filters::install(environment);
    if dialect == Dialect::Harness {
        environment.add_filter("tojson", |state: &State, value: &Value, args: Tail| {
            let mut args = Arguments::of_filter("tojson", args);
            let indent = args.optional("indent")?;
            args.finish()?;
            json::tojson_html(state, value, indent)
        });
    } else {
        environment.add_filter("tojson", |state: &State, value: &Value, args: Tail| {
            json::tojson(state, value, json::Options::read(Arguments::of_filter("tojson", args))?)
        });
    }
    if dialect != Dialect::Chat {
        environment.add_filter("regex_replace", pattern::replace);
    }
}

/// The items of a filter's input, which must not be `None`.
pub(super) fn items(state: &State, value: &Value) -> Result<Vec<Value>, Error> {
    defined(state, value)?;
    if value.is_none() {
        return Err(invalid("None has no items"));
    }
    value.try_iter()?.checked().collect()
}

/// `join`: the items as Python prints them, whatever they are.
fn join(state: &State, value: &Value, args: Tail) -> Result<String, Error> {
    let mut args = Arguments::of_filter("join", args);
    let separator = args.optional("d")?.map_or(Ok(String::new()), |value| python::str(&value))?;
    let attribute = args.optional_text("attribute")?;
    args.finish()?;
    let mut out = String::new();
    for (index, item) in items(state, value)?.iter().enumerate() {
        if index > 0 {
            charge(state, separator.len())?;
            out.push_str(&separator);
        }
        match &attribute {
            Some(attribute) => python::write_str(&mut out, &path(item, attribute)?)?,
            None => {
                defined(state, item)?;
                python::write_str(&mut out, item)?;
            }
        }
    }
    Ok(out)
}

/// What `a.b.0` names below a value.
fn path(value: &Value, path: &str) -> Result<Value, Error> {
    path.split('.').try_fold(value.clone(), |value, part| match part.parse::<usize>() {
        Ok(index) => value.get_item_by_index(index),
        Err(_) => value.get_item(&Value::from(part)),
    })
}

/// What is compared when upper and lower case are the same.
fn folded(value: &Value, case_sensitive: bool) -> Value {
    match value.as_str() {
        Some(text) if !case_sensitive => Value::from(text.to_lowercase()),
        _ => value.clone(),
    }
}

/// `dictsort`: pairs by key or by value.
fn dictsort(state: &State, value: &Value, args: Tail) -> Result<Value, Error> {
    let mut args = Arguments::of_filter("dictsort", args);
    let case_sensitive = args.flag("case_sensitive")?;
    let by = args.optional_text("by")?.unwrap_or_else(|| "key".to_string());
    let reverse = args.flag("reverse")?;
    args.finish()?;
    let place = match by.as_str() {
        "key" => 0,
        "value" => 1,
        _ => {
            return Err(invalid("dictsort: by must be \"key\" or \"value\""));
        }
    };
    defined(state, value)?;
    if value.kind() != ValueKind::Map {
        let reason = format!("dictsort sorts a dictionary, not a {}", value.kind());
        return Err(invalid(reason));
    }
    let mut pairs = Vec::new();
    for key in value.try_iter()?.checked() {
        let key = key?;
        let item = value.get_item(&key)?;
        pairs.push([key, item]);
    }
    state.consume_fuel(pairs.len() as u64 * 8)?;
    let key = |pair: &[Value; 2]| folded(&pair[place], case_sensitive);
    if reverse {
        pairs.sort_by_key(|pair| std::cmp::Reverse(key(pair)));
    } else {
        pairs.sort_by_key(key);
    }
    Ok(pairs.into_iter().map(|pair| Value::from(Tuple::from(pair))).collect())
}

/// `unique`: the first of all items that are equal.
fn unique(state: &State, value: &Value, args: Tail) -> Result<Value, Error> {
    let mut args = Arguments::of_filter("unique", args);
    let case_sensitive = args.flag("case_sensitive")?;
    let attribute = args.optional_text("attribute")?;
    args.finish()?;
    let mut seen = std::collections::BTreeSet::new();
    let mut kept = Vec::new();
    for item in items(state, value)? {
        let key = attribute.as_ref().map_or_else(|| Ok(item.clone()), |name| path(&item, name))?;
        if seen.insert(folded(&key, case_sensitive)) {
            kept.push(item);
        }
    }
    Ok(generator::generator(kept))
}
