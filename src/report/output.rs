//! Writing results: JSON that no terminal executes, and a closed pipe that ends quietly.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter};

/// Writes one JSON object and a line break. DEL and the C1 controls, which JSON allows as they are
/// and a terminal may execute, are escaped too.
///
/// # Errors
/// Those of the writer.
pub fn json_line<T: Serialize>(out: &mut impl Write, value: &T) -> io::Result<()> {
    json(out, value)?;
    out.write_all(b"\n")
}

/// The same without a line break.
///
/// # Errors
/// Those of the writer.
pub fn json<T: Serialize + ?Sized>(out: &mut impl Write, value: &T) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(&mut *out, Escaping(CompactFormatter));
    value.serialize(&mut serializer)?;
    Ok(())
}

/// Writes one JSON object piece by piece, so that a list of any length need not be held in memory.
pub struct ObjectWriter<'w, W> {
    out: &'w mut W,
    /// Whether a comma must precede what comes next.
    follows: bool,
}

impl<'w, W: Write> ObjectWriter<'w, W> {
    /// Opens the object.
    ///
    /// # Errors
    /// Those of the writer, as everywhere here.
    pub fn begin(out: &'w mut W) -> io::Result<Self> {
        out.write_all(b"{")?;
        Ok(ObjectWriter { out, follows: false })
    }

    fn comma(&mut self) -> io::Result<()> {
        let follows = std::mem::replace(&mut self.follows, true);
        if follows { self.out.write_all(b",") } else { Ok(()) }
    }

    /// Adds the fields of a value that serialises as an object.
    pub fn fields<T: Serialize>(&mut self, value: &T) -> io::Result<()> {
        let mut text = Vec::new();
        json(&mut text, value)?;
        let inner = text.strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}")).unwrap_or_default();
        if inner.is_empty() {
            return Ok(());
        }
        self.comma()?;
        self.out.write_all(inner)
    }

    /// Adds a field, where there is a value for it.
    pub fn optional<T: Serialize + ?Sized>(&mut self, name: &str, value: Option<&T>) -> io::Result<()> {
        let Some(value) = value else { return Ok(()) };
        self.comma()?;
        json(self.out, &name)?;
        self.out.write_all(b":")?;
        json(self.out, value)
    }

    /// Opens a list, to be filled with [`ObjectWriter::item`].
    pub fn begin_list(&mut self, name: &str) -> io::Result<()> {
        self.comma()?;
        json(self.out, &name)?;
        self.follows = false;
        self.out.write_all(b":[")
    }

    /// Adds an element to the open list.
    pub fn item<T: Serialize>(&mut self, value: &T) -> io::Result<()> {
        self.comma()?;
        json(self.out, value)
    }

    /// Closes the list.
    pub fn end_list(&mut self) -> io::Result<()> {
        self.follows = true;
        self.out.write_all(b"]")
    }

    /// Closes the object.
    pub fn end(self) -> io::Result<()> {
        self.out.write_all(b"}")
    }
}

/// Compact JSON with every control character escaped.
struct Escaping(CompactFormatter);

impl Formatter for Escaping {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(|c: char| ('\u{7f}'..='\u{9f}').contains(&c)) {
            self.0.write_string_fragment(writer, &rest[..at])?;
            let c = rest[at..].chars().next().unwrap_or('\u{7f}');
            write!(writer, "\\u{:04x}", c as u32)?;
            rest = &rest[at + c.len_utf8()..];
        }
        self.0.write_string_fragment(writer, rest)
    }
}

/// Whether an error only means that nobody reads any more (`| head`).
pub fn is_closed_pipe(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_written_piece_by_piece_is_the_object() {
        let mut out = Vec::new();
        let mut object = ObjectWriter::begin(&mut out).unwrap();
        object.fields(&serde_json::json!({})).unwrap();
        object.fields(&serde_json::json!({"a": 1, "b": {"c": []}})).unwrap();
        object.begin_list("empty").unwrap();
        object.end_list().unwrap();
        object.begin_list("full").unwrap();
        object.item(&1).unwrap();
        object.item(&"x").unwrap();
        object.end_list().unwrap();
        object.fields(&serde_json::json!({"z": null})).unwrap();
        object.end().unwrap();
        let read: serde_json::Value = serde_json::from_slice(&out).unwrap();
        let whole = serde_json::json!({"a": 1, "b": {"c": []}, "empty": [], "full": [1, "x"], "z": null});
        assert_eq!(read, whole);
    }

    #[test]
    fn no_control_character_leaves_unescaped() {
        let text = "a\u{1b}[2J\u{7f}b\u{9b}31m\n北\"";
        let mut out = Vec::new();
        json_line(&mut out, &text).unwrap();
        let written = String::from_utf8(out).unwrap();
        assert!(written.trim_end().chars().all(|c| !c.is_control()), "{written:?}");
        assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
    }
}
