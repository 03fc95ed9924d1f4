//! Python's string methods.
//!
//! Positions count characters, white space is what Python calls so, and every method that can grow a
//! string asks for the fuel before it does.

use std::ops::Range;

use minijinja::formatting::{FormatStyle, format};
use minijinja::value::Tuple;
use minijinja::{Error, ErrorKind, State, Value};

use super::arguments::Arguments;
use super::bounds::{charge, kept};
use super::python::{self, invalid, is_space};

/// Widths beyond this are an attack or a mistake.
const MAX_WIDTH: i64 = 1_000;

/// Calls a method of a string.
pub fn call(state: &State, text: &str, mut args: Arguments, method: &str) -> Result<Value, Error> {
    let args_ref = &mut args;
    let result = match method {
        "upper" => Value::from(text.to_uppercase()),
        "lower" | "casefold" => Value::from(text.to_lowercase()),
        "title" => Value::from(title(text)),
        "capitalize" => Value::from(capitalize(text)),
        "swapcase" => Value::from(swap_case(text)),
        "strip" => strip(text, args_ref, true, true)?,
        "lstrip" => strip(text, args_ref, true, false)?,
        "rstrip" => strip(text, args_ref, false, true)?,
        "removeprefix" => {
            let prefix = args_ref.text("prefix")?;
            Value::from(text.strip_prefix(prefix.as_str()).unwrap_or(text))
        }
        "removesuffix" => {
            let suffix = args_ref.text("suffix")?;
            Value::from(text.strip_suffix(suffix.as_str()).unwrap_or(text))
        }
        "split" | "rsplit" => split(text, args_ref, method == "rsplit")?,
        "splitlines" => {
            let keep_ends = args_ref.flag("keepends")?;
            python::lines(text, keep_ends).into_iter().map(Value::from).collect()
        }
        "partition" | "rpartition" => partition(text, &args_ref.text("sep")?, method == "rpartition")?,
        "replace" => replace(state, text, args_ref)?,
        "join" => join(state, text, &args_ref.required("iterable")?)?,
        "startswith" | "endswith" => affix(text, args_ref, method == "startswith")?,
        "find" | "rfind" | "index" | "rindex" | "count" => search(text, args_ref, method)?,
        "ljust" | "rjust" | "center" => pad(state, text, args_ref, method)?,
        "zfill" => zfill(state, text, args_ref)?,
        "format" => return str_format(state, text, &args),
        _ => match predicate(text, method) {
            Some(answer) => Value::from(answer),
            None => return Err(Error::from(ErrorKind::UnknownMethod)),
        },
    };
    args.finish()?;
    Ok(result)
}

/// A Python slice `[start:stop]` of something that has `len` items, as a range inside it.
pub fn clamp(len: usize, start: Option<i64>, stop: Option<i64>) -> Range<usize> {
    let place = |at: i64| {
        let len = i64::try_from(len).unwrap_or(i64::MAX);
        let at = if at < 0 { at.saturating_add(len) } else { at };
        usize::try_from(at.clamp(0, len)).unwrap_or(0)
    };
    let stop = place(stop.unwrap_or(i64::MAX));
    let start = start.map_or(0, |start| if start > len as i64 { len } else { place(start) });
    start..stop.max(start)
}

/// The first letter of every word in upper case, the others in lower; anything that has no case ends
/// a word.
pub fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for c in text.chars() {
        let cased = c.is_lowercase() || c.is_uppercase();
        match (cased, inside) {
            (true, true) => out.extend(c.to_lowercase()),
            (true, false) => out.extend(c.to_uppercase()),
            (false, _) => out.push(c),
        }
        inside = cased;
    }
    out
}

/// The `title` filter: its words begin after white space, hyphens and opening brackets only.
pub fn title_filter(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for c in text.chars() {
        if inside {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
        inside = !(is_space(c) || "-({[<".contains(c));
    }
    out
}

/// The first character in upper case, the others in lower.
pub fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return String::new() };
    let mut out: String = first.to_uppercase().collect();
    out.push_str(&chars.as_str().to_lowercase());
    out
}

fn swap_case(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_uppercase() {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
    }
    out
}

/// `strip`, `lstrip` and `rstrip`, of white space or of the characters given.
pub fn stripped<'a>(text: &'a str, chars: Option<&str>, left: bool, right: bool) -> &'a str {
    let unwanted = |c: char| chars.map_or_else(|| is_space(c), |chars| chars.contains(c));
    let text = if left { text.trim_start_matches(unwanted) } else { text };
    if right { text.trim_end_matches(unwanted) } else { text }
}

fn strip(text: &str, args: &mut Arguments, left: bool, right: bool) -> Result<Value, Error> {
    let chars = args.optional_text("chars")?;
    Ok(Value::from(stripped(text, chars.as_deref(), left, right)))
}

fn split(text: &str, args: &mut Arguments, from_right: bool) -> Result<Value, Error> {
    let separator = args.optional_text("sep")?;
    let limit = args.optional_int("maxsplit")?.filter(|limit| *limit >= 0);
    let limit = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let pieces: Vec<&str> = match separator.as_deref() {
        Some("") => return Err(invalid("split: the separator is empty")),
        Some(separator) if from_right => {
            let mut pieces: Vec<_> = text.rsplitn(limit.saturating_add(1), separator).collect();
            pieces.reverse();
            pieces
        }
        Some(separator) => text.splitn(limit.saturating_add(1), separator).collect(),
        None if from_right => split_space_right(text, limit),
        None => split_space(text, limit),
    };
    Ok(pieces.into_iter().map(Value::from).collect())
}

/// Splits at runs of white space; what is left after the last split keeps its end.
fn split_space(text: &str, limit: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text.trim_start_matches(is_space);
    while !rest.is_empty() {
        let Some(at) = rest.find(is_space).filter(|_| pieces.len() < limit) else {
            pieces.push(rest);
            break;
        };
        pieces.push(&rest[..at]);
        rest = rest[at..].trim_start_matches(is_space);
    }
    pieces
}

fn split_space_right(text: &str, limit: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text.trim_end_matches(is_space);
    while !rest.is_empty() {
        let Some((at, c)) = rest.char_indices().rfind(|(_, c)| is_space(*c)).filter(|_| pieces.len() < limit)
        else {
            pieces.push(rest);
            break;
        };
        pieces.push(&rest[at + c.len_utf8()..]);
        rest = rest[..at].trim_end_matches(is_space);
    }
    pieces.reverse();
    pieces
}

fn partition(text: &str, separator: &str, from_right: bool) -> Result<Value, Error> {
    if separator.is_empty() {
        return Err(invalid("partition: the separator is empty"));
    }
    let found = if from_right { text.rsplit_once(separator) } else { text.split_once(separator) };
    let parts = match found {
        Some((before, after)) => [before, separator, after],
        None if from_right => ["", "", text],
        None => [text, "", ""],
    };
    Ok(Value::from(Tuple::from(parts.map(Value::from))))
}

fn replace(state: &State, text: &str, args: &mut Arguments) -> Result<Value, Error> {
    let (old, new) = (args.text("old")?, args.text("new")?);
    let limit = args.optional_int("count")?.filter(|limit| *limit >= 0);
    replaced(state, text, (&old, &new), limit).map(Value::from)
}

/// `str.replace`, at most `limit` times.
pub fn replaced(
    state: &State,
    text: &str,
    (old, new): (&str, &str),
    limit: Option<i64>,
) -> Result<String, Error> {
    let limit = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let most = if old.is_empty() { text.chars().count() + 1 } else { text.len() / old.len() };
    charge(state, most.min(limit).saturating_mul(new.len()))?;
    Ok(text.replacen(old, new, limit))
}

fn join(state: &State, text: &str, items: &Value) -> Result<Value, Error> {
    let mut out = String::new();
    for (index, item) in items.try_iter()?.checked().enumerate() {
        let item = item?;
        if index > 0 {
            charge(state, text.len())?;
            out.push_str(text);
        }
        let Some(item) = item.as_str() else {
            return Err(invalid(format!("join: item {index} is a {}, not a string", item.kind())));
        };
        out.push_str(item);
    }
    Ok(Value::from(out))
}

/// The characters of `text` between two positions, with the byte where they begin.
fn window(text: &str, start: Option<i64>, stop: Option<i64>) -> Option<(usize, &str)> {
    if start.is_none() && stop.is_none() {
        return Some((0, text));
    }
    let len = text.chars().count();
    if start.is_some_and(|start| start > len as i64) {
        return None;
    }
    let range = clamp(len, start, stop);
    let byte = |at: usize| text.char_indices().nth(at).map_or(text.len(), |(byte, _)| byte);
    let (first, last) = (byte(range.start), byte(range.end));
    Some((first, &text[first..last]))
}

fn affix(text: &str, args: &mut Arguments, start: bool) -> Result<Value, Error> {
    let wanted = args.required("prefix")?;
    let (from, to) = (args.optional_int("start")?, args.optional_int("end")?);
    let Some((_, text)) = window(text, from, to) else { return Ok(Value::from(false)) };
    let matches = |affix: &str| if start { text.starts_with(affix) } else { text.ends_with(affix) };
    if let Some(affix) = wanted.as_str() {
        return Ok(Value::from(matches(affix)));
    }
    if !wanted.is_tuple() {
        let method = if start { "startswith" } else { "endswith" };
        return Err(invalid(format!(
            "{method} takes a string or a tuple of strings, not a {}",
            wanted.kind()
        )));
    }
    for affix in wanted.try_iter()?.checked() {
        let affix = affix?;
        let affix = affix.as_str().ok_or_else(|| invalid("the tuple must hold only strings"))?;
        if matches(affix) {
            return Ok(Value::from(true));
        }
    }
    Ok(Value::from(false))
}

fn search(text: &str, args: &mut Arguments, method: &str) -> Result<Value, Error> {
    let wanted = args.text("sub")?;
    let (from, to) = (args.optional_int("start")?, args.optional_int("end")?);
    let window = window(text, from, to);
    if method == "count" {
        let count = window.map_or(0, |(_, text)| text.matches(wanted.as_str()).count());
        return Ok(Value::from(count));
    }
    let found = window.and_then(|(first, part)| {
        let at = if method.starts_with('r') { part.rfind(&wanted) } else { part.find(&wanted) };
        at.map(|at| text[..first + at].chars().count())
    });
    match found {
        Some(at) => Ok(Value::from(at)),
        None if method.ends_with("find") => Ok(Value::from(-1)),
        None => Err(invalid(format!("{method}: the text does not occur"))),
    }
}

fn width(state: &State, args: &mut Arguments) -> Result<usize, Error> {
    let width = args.optional_int("width")?.unwrap_or(0);
    if width > MAX_WIDTH {
        return Err(invalid(format!("a width of {width} is more than {MAX_WIDTH}")));
    }
    let width = usize::try_from(width).unwrap_or(0);
    charge(state, width)?;
    Ok(width)
}

fn pad(state: &State, text: &str, args: &mut Arguments, method: &str) -> Result<Value, Error> {
    let width = width(state, args)?;
    let fill = args.optional_text("fillchar")?.unwrap_or_else(|| " ".to_string());
    if fill.chars().count() != 1 {
        return Err(invalid(format!("{method}: the fill must be one character")));
    }
    let missing = width.saturating_sub(text.chars().count());
    // Python puts the odd one to the left where the width is odd.
    let left = match method {
        "ljust" => 0,
        "rjust" => missing,
        _ => missing / 2 + (missing & width & 1),
    };
    Ok(Value::from(format!("{}{text}{}", fill.repeat(left), fill.repeat(missing - left))))
}

fn zfill(state: &State, text: &str, args: &mut Arguments) -> Result<Value, Error> {
    let width = width(state, args)?;
    let zeros = "0".repeat(width.saturating_sub(text.chars().count()));
    let digits = text.trim_start_matches(['+', '-']);
    let sign = if text.len() - digits.len() == 1 { &text[..1] } else { "" };
    Ok(Value::from(format!("{sign}{zeros}{}", &text[sign.len()..])))
}

fn str_format(state: &State, text: &str, args: &Arguments) -> Result<Value, Error> {
    refuse_wide(text)?;
    for value in args.all() {
        kept(state, value.clone(), false)?;
    }
    format(FormatStyle::StrFormat, text, args.all()).map(Value::from)
}

/// The `%` operator and the `format` filter.
pub fn printf(state: &State, text: &str, args: &[Value]) -> Result<String, Error> {
    refuse_wide(text)?;
    let wanted = text.replace("%%", "").matches('%').count();
    // A lone container may be there to be looked up by name.
    let lookup = matches!(args, [only] if !only.is_tuple() && only.as_object().is_some());
    if args.len() > wanted && !lookup {
        return Err(invalid(format!("the format uses {wanted} of {} values", args.len())));
    }
    let huge = |value: &Value| value.as_i64().is_some_and(|number| number.abs() > MAX_WIDTH);
    if text.contains('*') && args.iter().any(huge) {
        return Err(invalid(format!("a format width is more than {MAX_WIDTH}")));
    }
    for value in args {
        kept(state, value.clone(), false)?;
    }
    format(FormatStyle::Printf, text, args)
}

/// A format that asks for a giant width would allocate it.
fn refuse_wide(text: &str) -> Result<(), Error> {
    let mut digits = 0;
    for byte in text.bytes() {
        digits = if byte.is_ascii_digit() { digits + 1 } else { 0 };
        if digits > 3 && text.contains(['%', '{']) {
            return Err(invalid(format!("a format width is more than {MAX_WIDTH}")));
        }
    }
    Ok(())
}

fn predicate(text: &str, method: &str) -> Option<bool> {
    let all = |test: fn(char) -> bool| !text.is_empty() && text.chars().all(test);
    let any = |test: fn(char) -> bool| text.chars().any(test);
    Some(match method {
        "isalpha" => all(char::is_alphabetic),
        "isalnum" => all(char::is_alphanumeric),
        "isdigit" | "isdecimal" | "isnumeric" => all(char::is_numeric),
        "isspace" => all(is_space),
        "isascii" => text.is_ascii(),
        "islower" => any(char::is_lowercase) && !any(char::is_uppercase),
        "isupper" => any(char::is_uppercase) && !any(char::is_lowercase),
        "istitle" => any(|c| c.is_uppercase() || c.is_lowercase()) && title(text) == text,
        _ => return None,
    })
}

/// Text with the characters that mean something in HTML escaped.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
