//! `json.dumps` as Python has it, behind the `tojson` filter.
//!
//! Tool descriptions reach a prompt through this filter, so separators, key order, escapes and the
//! spelling of numbers must be Python's.

use minijinja::value::ValueKind;
use minijinja::{Error, State, Value};

use super::arguments::Arguments;
use super::python::{self, invalid};

/// Options of `json.dumps`.
#[derive(Clone, Debug, PartialEq)]
pub struct Style {
    /// Escape everything outside ASCII.
    pub ensure_ascii: bool,
    /// What one level of nesting is indented by; `None` writes one line.
    pub indent: Option<String>,
    /// Between items.
    pub item_separator: String,
    /// Between a key and its value.
    pub key_separator: String,
    /// Order objects by key.
    pub sort_keys: bool,
}

impl Default for Style {
    fn default() -> Self {
        Style {
            ensure_ascii: false,
            indent: None,
            item_separator: ", ".to_string(),
            key_separator: ": ".to_string(),
            sort_keys: false,
        }
    }
}

/// The `tojson` filter of chat templates: `json.dumps` with `ensure_ascii` off.
pub fn tojson(state: &State, value: &Value, options: Options) -> Result<String, Error> {
    let text = dumps(value, &options.style(Style::default())?)?;
    // Walking a structure costs more than copying its bytes, and the engine only charges for those.
    state.consume_fuel(text.len() as u64 / 16)?;
    Ok(text)
}

/// The `tojson` filter of plain Jinja: keys sorted, ASCII only, safe inside HTML.
pub fn tojson_html(state: &State, value: &Value, indent: Option<Value>) -> Result<Value, Error> {
    let base = Style { ensure_ascii: true, sort_keys: true, ..Style::default() };
    let style = Options { indent, ..Options::default() }.style(base)?;
    let text = dumps(value, &style)?;
    state.consume_fuel(text.len() as u64 / 16)?;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\'' => out.push_str("\\u0027"),
            c => out.push(c),
        }
    }
    Ok(Value::from_safe_string(out))
}

/// Arguments of the `tojson` filter, as a template gives them.
#[derive(Clone, Debug, Default)]
pub struct Options {
    ensure_ascii: Option<Value>,
    indent: Option<Value>,
    separators: Option<Value>,
    sort_keys: Option<Value>,
}

impl Options {
    /// Reads the arguments in the order of transformers' filter.
    pub(super) fn read(mut args: Arguments) -> Result<Options, Error> {
        let options = Options {
            ensure_ascii: args.optional("ensure_ascii")?,
            indent: args.optional("indent")?,
            separators: args.optional("separators")?,
            sort_keys: args.optional("sort_keys")?,
        };
        args.finish()?;
        Ok(options)
    }

    fn style(self, base: Style) -> Result<Style, Error> {
        let mut style = base;
        if let Some(value) = self.ensure_ascii {
            style.ensure_ascii = value.is_true();
        }
        if let Some(value) = self.sort_keys {
            style.sort_keys = value.is_true();
        }
        style.indent = self.indent.as_ref().map_or(Ok(None), indentation)?;
        if style.indent.is_some() {
            // json.dumps drops the space at the end of a line.
            style.item_separator = ",".to_string();
        }
        if let Some(pair) = self.separators.filter(|pair| !pair.is_none()) {
            let parts = pair.try_iter()?.collect::<Vec<_>>();
            let [item, key] = parts.as_slice() else {
                return Err(invalid("tojson: separators must be a pair of strings"));
            };
            style.item_separator = python::str(item)?;
            style.key_separator = python::str(key)?;
        }
        Ok(style)
    }
}

fn indentation(value: &Value) -> Result<Option<String>, Error> {
    match value.kind() {
        ValueKind::None | ValueKind::Undefined => Ok(None),
        ValueKind::String => Ok(value.as_str().map(str::to_string)),
        _ => {
            let width = i64::try_from(value.clone())
                .map_err(|_| invalid("tojson: indent must be a number of spaces or a string"))?;
            if width > 100 {
                return Err(invalid("tojson: indent must be at most 100"));
            }
            Ok(Some(" ".repeat(usize::try_from(width).unwrap_or(0))))
        }
    }
}

/// `json.dumps(value)` in a style.
pub fn dumps(value: &Value, style: &Style) -> Result<String, Error> {
    let mut writer = JsonWriter { out: String::new(), style };
    writer.value(value, 0)?;
    Ok(writer.out)
}

struct JsonWriter<'a> {
    out: String,
    style: &'a Style,
}

impl JsonWriter<'_> {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        if depth > python::MAX_DEPTH {
            return Err(python::too_deep(python::MAX_DEPTH));
        }
        python::check_length(&self.out)?;
        match value.kind() {
            ValueKind::None => self.out.push_str("null"),
            ValueKind::Bool => self.out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => self.number(value),
            ValueKind::String => self.string(value.as_str().unwrap_or_default()),
            ValueKind::Seq => self.list(value, depth)?,
            ValueKind::Iterable if value.len().is_some() => self.list(value, depth)?,
            ValueKind::Map => self.map(value, depth)?,
            kind => return Err(invalid(format!("tojson: a value of type {kind} has no JSON"))),
        }
        Ok(())
    }

    fn number(&mut self, value: &Value) {
        match f64::try_from(value.clone()) {
            Ok(float) if !value.is_integer() && !float.is_finite() => {
                let name = if float.is_nan() { "NaN" } else { "Infinity" };
                self.out.push_str(if float < 0.0 { "-" } else { "" });
                self.out.push_str(name);
            }
            _ => python::write_number(&mut self.out, value),
        }
    }

    fn list(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        self.out.push('[');
        let mut any = false;
        for item in value.try_iter()?.checked() {
            self.separate(any, depth + 1);
            any = true;
            self.value(&item?, depth + 1)?;
        }
        self.close(any, depth, ']');
        Ok(())
    }

    fn map(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        let mut keys = value.try_iter()?.checked().collect::<Result<Vec<_>, _>>()?;
        if self.style.sort_keys {
            keys.sort();
        }
        self.out.push('{');
        for (index, key) in keys.iter().enumerate() {
            self.separate(index > 0, depth + 1);
            self.key(key)?;
            self.out.push_str(&self.style.key_separator);
            self.value(&value.get_item(key)?, depth + 1)?;
        }
        self.close(!keys.is_empty(), depth, '}');
        Ok(())
    }

    /// Keys are strings in JSON: Python spells the other kinds as their JSON text.
    fn key(&mut self, key: &Value) -> Result<(), Error> {
        match key.kind() {
            ValueKind::String => self.string(key.as_str().unwrap_or_default()),
            ValueKind::None | ValueKind::Bool | ValueKind::Number => {
                self.out.push('"');
                self.value(key, 0)?;
                self.out.push('"');
            }
            kind => return Err(invalid(format!("tojson: a key of type {kind} has no JSON"))),
        }
        Ok(())
    }

    fn separate(&mut self, any: bool, depth: usize) {
        if any {
            self.out.push_str(&self.style.item_separator);
        }
        self.new_line(depth);
    }

    fn close(&mut self, any: bool, depth: usize, bracket: char) {
        if any {
            self.new_line(depth);
        }
        self.out.push(bracket);
    }

    fn new_line(&mut self, depth: usize) {
        if let Some(indent) = &self.style.indent {
            self.out.push('\n');
            for _ in 0..depth {
                self.out.push_str(indent);
            }
        }
    }

    fn string(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\u{8}' => self.out.push_str("\\b"),
                '\u{c}' => self.out.push_str("\\f"),
                c if (c as u32) < 0x20 || (self.style.ensure_ascii && !(' '..='~').contains(&c)) => {
                    self.escape(c);
                }
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }

    fn escape(&mut self, c: char) {
        use std::fmt::Write;
        let mut units = [0; 2];
        for unit in c.encode_utf16(&mut units) {
            let _ = write!(self.out, "\\u{unit:04x}");
        }
    }
}
