//! Metadata values, kept as compactly as the file has them.

use std::fmt;

/// Type of a metadata value or of an array's elements, by its number in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
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

/// The number that stands for an array in place of a [`Kind`].
pub(super) const ARRAY: u32 = 9;

impl Kind {
    /// The kind with this number; arrays (9) are none.
    pub fn from_number(number: u32) -> Option<Kind> {
        use Kind::*;
        [U8, I8, U16, I16, U32, I32, F32, Bool, Text, U64, I64, F64]
            .into_iter()
            .find(|kind| *kind as u32 == number)
    }

    /// Bytes of one element; `None` for texts, whose length varies.
    pub fn width(self) -> Option<usize> {
        Some(match self {
            Kind::U8 | Kind::I8 | Kind::Bool => 1,
            Kind::U16 | Kind::I16 => 2,
            Kind::U32 | Kind::I32 | Kind::F32 => 4,
            Kind::U64 | Kind::I64 | Kind::F64 => 8,
            Kind::Text => return None,
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::U8 => "u8",
            Kind::I8 => "i8",
            Kind::U16 => "u16",
            Kind::I16 => "i16",
            Kind::U32 => "u32",
            Kind::I32 => "i32",
            Kind::F32 => "f32",
            Kind::Bool => "bool",
            Kind::Text => "string",
            Kind::U64 => "u64",
            Kind::I64 => "i64",
            Kind::F64 => "f64",
        })
    }
}

/// One metadata value.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// A number or a boolean: its kind and its little-endian bytes, padded with zeros.
    Scalar(Kind, [u8; 8]),
    /// A text. Bytes: nothing guarantees UTF-8.
    Text(Box<[u8]>),
    /// An array.
    List(List),
}

impl Value {
    /// The type, as error messages name it.
    pub fn type_name(&self) -> String {
        match self {
            Value::Scalar(kind, _) => kind.to_string(),
            Value::Text(_) => Kind::Text.to_string(),
            Value::List(list) => format!("array of {}", list.kind()),
        }
    }

    /// The value of a `u32`, and of nothing else: llama.cpp takes no other type in its place.
    pub fn u32(&self) -> Option<u32> {
        match self {
            Value::Scalar(Kind::U32, bytes) => Some(u32::from_le_bytes(first(bytes))),
            _ => None,
        }
    }

    /// Any non-negative integer.
    pub fn integer(&self) -> Option<u64> {
        match self {
            Value::Scalar(kind, bytes) => u64::try_from(integer(*kind, bytes)?).ok(),
            _ => None,
        }
    }

    /// The value of an `f32`.
    pub fn f32(&self) -> Option<f32> {
        match self {
            Value::Scalar(Kind::F32, bytes) => Some(f32::from_le_bytes(first(bytes))),
            _ => None,
        }
    }

    /// The value of a boolean.
    pub fn bool(&self) -> Option<bool> {
        match self {
            Value::Scalar(Kind::Bool, bytes) => Some(bytes[0] != 0),
            _ => None,
        }
    }

    /// A text that is UTF-8.
    pub fn text(&self) -> Option<&str> {
        match self {
            Value::Text(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// A text, a number or a boolean as people write it; an array is its type.
    pub fn written(&self) -> String {
        match self {
            Value::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            other => format!("{other:?}"),
        }
    }

    /// An array.
    pub fn list(&self) -> Option<&List> {
        match self {
            Value::List(list) => Some(list),
            _ => None,
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Scalar(kind, bytes) => match (*kind, integer(*kind, bytes)) {
                (_, Some(number)) => write!(f, "{number}"),
                (Kind::F32, _) => write!(f, "{}", f32::from_le_bytes(first(bytes))),
                (Kind::F64, _) => write!(f, "{}", f64::from_le_bytes(*bytes)),
                _ => write!(f, "{}", bytes[0] != 0),
            },
            Value::Text(bytes) => f.write_str(&super::error::shown(bytes)),
            Value::List(list) => list.fmt(f),
        }
    }
}

/// An array of a metadata value. Elements of one kind lie one after the other as in the file;
/// texts lie in one buffer with the end of each beside it.
#[derive(Clone, PartialEq)]
pub struct List {
    kind: Kind,
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
    pub(super) fn of_numbers(kind: Kind, bytes: Vec<u8>) -> List {
        List { kind, bytes, ends: Vec::new() }
    }

    /// `ends` grows and its last entry is the length of `bytes`.
    pub(super) fn of_texts(bytes: Vec<u8>, ends: Vec<u32>) -> List {
        List { kind: Kind::Text, bytes, ends }
    }

    /// Type of the elements.
    pub fn kind(&self) -> Kind {
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
            Kind::Text | Kind::F32 | Kind::F64 => return None,
            kind => kind.width()?,
        };
        Some(self.bytes.chunks_exact(width).map(move |chunk| {
            let bytes = first(chunk);
            integer(self.kind, &bytes).unwrap_or(i128::from(bytes[0] != 0))
        }))
    }

    /// All elements of an array of `f32`; `None` where they are something else.
    pub fn floats(&self) -> Option<impl ExactSizeIterator<Item = f32>> {
        (self.kind == Kind::F32)
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

fn integer(kind: Kind, bytes: &[u8; 8]) -> Option<i128> {
    Some(match kind {
        Kind::U8 => bytes[0].into(),
        Kind::I8 => (bytes[0] as i8).into(),
        Kind::U16 => u16::from_le_bytes(first(bytes)).into(),
        Kind::I16 => i16::from_le_bytes(first(bytes)).into(),
        Kind::U32 => u32::from_le_bytes(first(bytes)).into(),
        Kind::I32 => i32::from_le_bytes(first(bytes)).into(),
        Kind::U64 => u64::from_le_bytes(*bytes).into(),
        Kind::I64 => i64::from_le_bytes(*bytes).into(),
        Kind::F32 | Kind::F64 | Kind::Bool | Kind::Text => return None,
    })
}
