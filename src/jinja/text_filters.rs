//! Filters that work on text: whatever they get, they first print it as Python would.

use minijinja::value::ValueKind;
use minijinja::{Environment, Error, State, Value};

use super::arguments::{Arguments, Tail};
use super::bounds::{charge, defined};
use super::python::invalid;
use super::{pattern, python, strings};

/// Adds the filters.
pub(super) fn install(environment: &mut Environment<'static>) {
    environment.add_filter("upper", |state: &State, value: &Value| {
        text(state, value).map(|text| text.to_uppercase())
    });
    environment.add_filter("lower", |state: &State, value: &Value| {
        text(state, value).map(|text| text.to_lowercase())
    });
    environment.add_filter("capitalize", |state: &State, value: &Value| {
        text(state, value).map(|text| strings::capitalize(&text))
    });
    environment
        .add_filter("safe", |state: &State, value: &Value| text(state, value).map(Value::from_safe_string));
    environment.add_filter("title", |state: &State, value: &Value| {
        text(state, value).map(|text| strings::title_filter(&text))
    });
    environment.add_filter("wordcount", |state: &State, value: &Value| {
        text(state, value).map(|text| pattern::words(&text))
    });
    environment.add_filter("trim", trim);
    environment.add_filter("replace", replace);
    environment.add_filter("indent", indent);
    environment.add_filter("center", center);
    environment.add_filter("truncate", truncate);
    environment.add_filter("urlencode", urlencode);
    environment.add_filter("format", printf);
    for name in ["escape", "e", "forceescape"] {
        let force = name == "forceescape";
        environment.add_filter(name, move |state: &State, value: &Value| {
            let done = value.is_safe() && !force;
            let text = text(state, value)?;
            Ok::<_, Error>(Value::from_safe_string(if done { text } else { strings::escaped(&text) }))
        });
    }
}

fn text(state: &State, value: &Value) -> Result<String, Error> {
    defined(state, value)?;
    python::str(value)
}

fn trim(state: &State, value: &Value, args: Tail) -> Result<String, Error> {
    let mut args = Arguments::of_filter("trim", args);
    let chars = args.optional_text("chars")?;
    args.finish()?;
    Ok(strings::stripped(&text(state, value)?, chars.as_deref(), true, true).to_string())
}

fn replace(state: &State, value: &Value, args: Tail) -> Result<String, Error> {
    let mut args = Arguments::of_filter("replace", args);
    let old = python::str(&args.required("old")?)?;
    let new = python::str(&args.required("new")?)?;
    let count = args.optional_int("count")?.filter(|count| *count >= 0);
    args.finish()?;
    strings::replaced(state, &text(state, value)?, (&old, &new), count)
}

/// `indent`: every line but the first, and but the empty ones, moved to the right.
fn indent(state: &State, value: &Value, args: Tail) -> Result<String, Error> {
    let mut args = Arguments::of_filter("indent", args);
    let indentation = match args.optional("width")? {
        None => " ".repeat(4),
        Some(width) => match (width.as_str(), width.as_usize()) {
            (Some(text), _) => text.to_string(),
            (None, Some(width)) if width <= 1000 => " ".repeat(width),
            _ => return Err(invalid("indent: the width must be a string or a number up to 1000")),
        },
    };
    let (first, blank) = (args.flag("first")?, args.flag("blank")?);
    args.finish()?;
    defined(state, value)?;
    if value.kind() != ValueKind::String && !value.is_undefined() {
        return Err(invalid("indent: the value is not a string"));
    }
    let text = format!("{}\n", value.as_str().unwrap_or_default());
    let lines = python::lines(&text, false);
    charge(state, lines.len() * indentation.len())?;
    let mut out = String::new();
    for (index, line) in lines.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        if if index == 0 { first } else { blank || !line.is_empty() } {
            out.push_str(&indentation);
        }
        out.push_str(line);
    }
    Ok(out)
}

fn center(state: &State, value: &Value, args: Tail) -> Result<Value, Error> {
    let text = text(state, value)?;
    let mut args = args.into_values();
    if args.is_empty() {
        args.push(Value::from(80));
    }
    strings::call(state, &text, Arguments::new("center", args), "center")
}

/// `truncate`: cut to a length, at a word unless words may be cut, with an end mark.
fn truncate(state: &State, value: &Value, args: Tail) -> Result<String, Error> {
    const LEEWAY: i64 = 5;
    let mut args = Arguments::of_filter("truncate", args);
    let length = args.optional_int("length")?.unwrap_or(255);
    let cut_words = args.flag("killwords")?;
    let end = args.optional_text("end")?.unwrap_or_else(|| "...".to_string());
    let leeway = args.optional_int("leeway")?.unwrap_or(LEEWAY);
    args.finish()?;
    defined(state, value)?;
    let text = python::str(value)?;
    let count = |text: &str| text.chars().count() as i64;
    if length < count(&end) || leeway < 0 {
        return Err(invalid("truncate: the length must leave room for the end mark"));
    }
    if count(&text) <= length.saturating_add(leeway) {
        return Ok(text);
    }
    let kept = usize::try_from(length - count(&end)).unwrap_or(0);
    let mut kept: String = text.chars().take(kept).collect();
    if !cut_words && let Some(at) = kept.rfind(' ') {
        kept.truncate(at);
    }
    Ok(kept + &end)
}

/// `urlencode`: a text, or the pairs of a query.
fn urlencode(state: &State, value: &Value) -> Result<String, Error> {
    match value.kind() {
        ValueKind::Map => {
            let keys = value.try_iter()?.checked().collect::<Result<Vec<_>, _>>()?;
            let pairs = keys.iter().map(|key| {
                let item = value.get_item(key)?;
                Ok(format!("{}={}", quoted(&text(state, key)?, b""), quoted(&text(state, &item)?, b"")))
            });
            Ok(pairs.collect::<Result<Vec<_>, Error>>()?.join("&"))
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let mut pairs = Vec::new();
            for pair in value.try_iter()?.checked() {
                let pair = pair?.try_iter()?.checked().collect::<Result<Vec<_>, _>>()?;
                let [key, item] = pair.as_slice() else {
                    return Err(invalid("urlencode: the items must be pairs"));
                };
                pairs.push(format!(
                    "{}={}",
                    quoted(&text(state, key)?, b""),
                    quoted(&text(state, item)?, b"")
                ));
            }
            Ok(pairs.join("&"))
        }
        _ => Ok(quoted(&text(state, value)?, b"/")),
    }
}

/// Percent-encoded, but for unreserved characters and those called safe. In a query, a space is `+`.
fn quoted(text: &str, safe: &[u8]) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' if safe.is_empty() => out.push('+'),
            byte if byte.is_ascii_alphanumeric() || b"_.-~".contains(&byte) || safe.contains(&byte) => {
                out.push(char::from(byte));
            }
            byte => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

fn printf(state: &State, value: &Value, args: Tail) -> Result<String, Error> {
    strings::printf(state, &text(state, value)?, &args.into_values())
}
