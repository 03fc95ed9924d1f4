//! Metadata values, kept as compactly as the file has them.

use std::fmt;

/// Type of a metadata value or of an array's elements, by its number in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum ValueKind {
    /// `u8`
    U8 = 0,
    /// `i8`
    I8 = 1,
    /// `u16`
    U16 = 2,
    /// `i16`
    I16 = 3,
    /// `u32`
    U32 = 4,
    /// `i32`
    I32 = 5,
    /// `f32`
    F32 = 6,
    /// One byte, zero or not.
    Bool = 7,
    /// A length and that many bytes.
    Text = 8,
    /// `u64`
    U64 = 10,
    /// `i64`
    I64 = 11,
    /// `f64`
    F64 = 12,
}

/// The number that stands for an array in place of a [`ValueKind`].
pub(super) const ARRAY: u32 = 9;

impl ValueKind {
    /// The kind with this number; arrays (9) are none.
    pub fn from_number(number: u32) -> Option<ValueKind> {
        use ValueKind::*;
        [U8, I8, U16, I16, U32, I32, F32, Bool, Text, U64, I64, F64]
            .into_iter()
            .find(|kind| *kind as u32 == number)
    }

    /// Bytes of one element; `None` for texts, whose length varies.
    pub fn width(self) -> Option<usize> {
        Some(match self {
            ValueKind::U8 | ValueKind::I8 | ValueKind::Bool => 1,
            ValueKind::U16 | ValueKind::I16 => 2,
            ValueKind::U32 | ValueKind::I32 | ValueKind::F32 => 4,
            ValueKind::U64 | ValueKind::I64 | ValueKind::F64 => 8,
            ValueKind::Text => return None,
        })
    }
}

impl fmt::Display for ValueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ValueKind::U8 => "u8",
            ValueKind::I8 => "i8",
            ValueKind::U16 => "u16",
            ValueKind::I16 => "i16",
            ValueKind::U32 => "u32",
            ValueKind::I32 => "i32",
            ValueKind::F32 => "f32",
            ValueKind::Bool => "bool",
            ValueKind::Text => "string",
            ValueKind::U64 => "u64",
            ValueKind::I64 => "i64",
            ValueKind::F64 => "f64",
        })
    }
}

/// One metadata value.
#[derive(Clone, PartialEq)]
pub enum GgufValue {
    /// A number or a boolean: its kind and its little-endian bytes, padded with zeros.
    Scalar(ValueKind, [u8; 8]),
    /// A text. Bytes: nothing guarantees UTF-8.
    Text(Box<[u8]>),
    /// An array.
    List(List),
}

impl GgufValue {
    /// The type, as error messages name it.
    pub fn type_name(&self) -> String {
        match self {
            GgufValue::Scalar(kind, _) => kind.to_string(),
            GgufValue::Text(_) => ValueKind::Text.to_string(),
            GgufValue::List(list) => format!("array of {}", list.kind()),
        }
    }

    /// The value of a `u32`, and of nothing else: llama.cpp takes no other type in its place.
    pub fn u32(&self) -> Option<u32> {
        match self {
            GgufValue::Scalar(ValueKind::U32, bytes) => Some(u32::from_le_bytes(first(bytes))),
            _ => None,
        }
    }

    /// Any non-negative integer.
    pub fn integer(&self) -> Option<u64> {
        match self {
            GgufValue::Scalar(kind, bytes) => u64::try_from(integer(*kind, bytes)?).ok(),
            _ => None,
        }
    }

    /// The value of an `f32`.
    pub fn f32(&self) -> Option<f32> {
        match self {
            GgufValue::Scalar(ValueKind::F32, bytes) => Some(f32::from_le_bytes(first(bytes))),
            _ => None,
        }
    }

    /// The value of a boolean.
    pub fn bool(&self) -> Option<bool> {
        match self {
            GgufValue::Scalar(ValueKind::Bool, bytes) => Some(bytes[0] != 0),
            _ => None,
        }
    }

    /// A text that is UTF-8.
    pub fn text(&self) -> Option<&str> {
        match self {
            GgufValue::Text(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// A text, a number or a boolean as people write it; an array is its type.
    pub fn written(&self) -> String {
        match self {
            GgufValue::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            other => format!("{other:?}"),
        }
    }

    /// An array.
    pub fn list(&self) -> Option<&List> {
        match self {
            GgufValue::List(list) => Some(list),
            _ => None,
        }
    }
}

impl fmt::Debug for GgufValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GgufValue::Scalar(kind, bytes) => match (*kind, integer(*kind, bytes)) {
                (_, Some(number)) => write!(f, "{number}"),
                (ValueKind::F32, _) => write!(f, "{}", f32::from_le_bytes(first(bytes))),
                (ValueKind::F64, _) => write!(f, "{}", f64::from_le_bytes(*bytes)),
                _ => write!(f, "{}", bytes[0] != 0),
            },
            GgufValue::Text(bytes) => f.write_str(&super::error::shown(bytes)),
            GgufValue::List(list) => list.fmt(f),
        }
    }
}

/// An array of a metadata value. Elements of one kind lie one after the other as in the file;
/// texts lie in one buffer with the end of each beside it.
#[derive(Clone, PartialEq)]
pub struct List {
    kind: ValueKind,
    bytes: Vec<u8>,
    /// For texts: `ends[i]` is one past the last byte of text i.
    ends: Vec<u32>,
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} × {}", self.len(), self.kind)
    }
}

impl List {
    /// `bytes` holds whole elements of a kind with a width.
    pub(super) fn of_numbers(kind: ValueKind, bytes: Vec<u8>) -> List {
        List { kind, bytes, ends: Vec::new() }
    }

    /// `ends` grows and its last entry is the length of `bytes`.
    pub(super) fn of_texts(bytes: Vec<u8>, ends: Vec<u32>) -> List {
        List { kind: ValueKind::Text, bytes, ends }
    }

    /// Type of the elements.
    pub fn kind(&self) -> ValueKind {
        self.kind
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        match self.kind.width() {
            Some(width) => self.bytes.len() / width,
            None => self.ends.len(),
        }
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Text number `index`; `None` out of range or where the elements are no texts.
    pub fn text(&self, index: usize) -> Option<&[u8]> {
        let end = *self.ends.get(index)? as usize;
        let start = match index {
            0 => 0,
            _ => self.ends[index - 1] as usize,
        };
        Some(&self.bytes[start..end])
    }

    /// All texts in order; none where the elements are no texts.
    pub fn texts(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.ends.len()).map(|index| self.text(index).unwrap_or_default())
    }

    /// All elements as integers (booleans as 0 and 1); `None` where they are something else.
    pub fn integers(&self) -> Option<impl ExactSizeIterator<Item = i128>> {
        let width = match self.kind {
            ValueKind::Text | ValueKind::F32 | ValueKind::F64 => return None,
            kind => kind.width()?,
        };
        Some(self.bytes.chunks_exact(width).map(move |chunk| {
            let bytes = first(chunk);
            integer(self.kind, &bytes).unwrap_or(i128::from(bytes[0] != 0))
        }))
    }

    /// All elements of an array of `f32`; `None` where they are something else.
    pub fn floats(&self) -> Option<impl ExactSizeIterator<Item = f32>> {
        (self.kind == ValueKind::F32)
            .then(|| self.bytes.chunks_exact(4).map(|chunk| f32::from_le_bytes(first(chunk))))
    }
}

/// The leading bytes of a slice, zero where it is shorter.
fn first<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    let n = N.min(bytes.len());
    out[..n].copy_from_slice(&bytes[..n]);
    out
}

fn integer(kind: ValueKind, bytes: &[u8; 8]) -> Option<i128> {
    Some(match kind {
        ValueKind::U8 => bytes[0].into(),
        ValueKind::I8 => (bytes[0] as i8).into(),
        ValueKind::U16 => u16::from_le_bytes(first(bytes)).into(),
        ValueKind::I16 => i16::from_le_bytes(first(bytes)).into(),
        ValueKind::U32 => u32::from_le_bytes(first(bytes)).into(),
        ValueKind::I32 => i32::from_le_bytes(first(bytes)).into(),
        ValueKind::U64 => u64::from_le_bytes(*bytes).into(),
        ValueKind::I64 => i64::from_le_bytes(*bytes).into(),
        ValueKind::F32 | ValueKind::F64 | ValueKind::Bool | ValueKind::Text => return None,
    })
}
