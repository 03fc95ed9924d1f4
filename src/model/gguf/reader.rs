//! Bounded reading: nothing is allocated that the file cannot fill, whatever it claims.

use std::io::{self, Read};

use super::error::Fault;
use super::value::{ARRAY, GgufValue, List, ValueKind};

/// Longest single text: far above any chat template.
const LONGEST_TEXT: u64 = 16 << 20;
/// Most elements of an array: thirty times the largest vocabulary known.
const MOST_ELEMENTS: u64 = 1 << 23;
/// Most bytes of a whole header. llama.cpp holds several times as much for the same header.
const LARGEST_HEADER: u64 = 256 << 20;

/// Reads little-endian values and counts where it is.
pub(super) struct GgufReader<R> {
    inner: R,
    at: u64,
    end: u64,
}

impl<R: Read> GgufReader<R> {
    /// `size` is the file's length.
    pub(super) fn new(inner: R, size: u64) -> Self {
        GgufReader { inner, at: 0, end: size }
    }

    /// Offset of the next byte.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// A fault at an offset.
    pub(super) fn fault<T>(&self, at: u64, what: impl Into<String>) -> Result<T, Fault> {
        Err(Fault::Malformed { at, what: what.into() })
    }

    fn claim(&mut self, size: u64, within: &'static str) -> Result<(), Fault> {
        if size > self.end - self.at {
            return Err(Fault::EndsEarly { at: self.end, within });
        }
        if self.at + size > LARGEST_HEADER {
            return self.fault(self.at, format!("the header is larger than {} MiB", LARGEST_HEADER >> 20));
        }
        self.at += size;
        Ok(())
    }

    fn fill(&mut self, into: &mut [u8], within: &'static str) -> Result<(), Fault> {
        self.claim(into.len() as u64, within)?;
        self.inner.read_exact(into).map_err(|error| match error.kind() {
            // The file was cut while we read it.
            io::ErrorKind::UnexpectedEof => Fault::EndsEarly { at: self.at, within },
            _ => Fault::Unreadable(error.to_string()),
        })
    }

    fn bytes<const N: usize>(&mut self, within: &'static str) -> Result<[u8; N], Fault> {
        let mut bytes = [0; N];
        self.fill(&mut bytes, within)?;
        Ok(bytes)
    }

    pub(super) fn u32(&mut self, within: &'static str) -> Result<u32, Fault> {
        self.bytes(within).map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self, within: &'static str) -> Result<u64, Fault> {
        self.bytes(within).map(u64::from_le_bytes)
    }

    pub(super) fn magic(&mut self) -> Result<[u8; 4], Fault> {
        self.bytes("its first four bytes")
    }

    /// Appends a text to `out` and returns where it ends there.
    fn append_text(&mut self, out: &mut Vec<u8>, within: &'static str) -> Result<usize, Fault> {
        let at = self.at;
        let length = self.u64(within)?;
        if length > self.end - self.at {
            // A wild length is damage, not a cut: a cut file is told by its tensors.
            return self.fault(at, format!("a text of {length} bytes, but the file ends before that"));
        }
        if length > LONGEST_TEXT {
            return self
                .fault(at, format!("a text of {length} bytes, but at most {LONGEST_TEXT} are sensible"));
        }
        let start = out.len();
        let end = start + length as usize;
        out.resize(end, 0);
        self.fill(&mut out[start..end], within)?;
        Ok(end)
    }

    pub(super) fn text(&mut self, within: &'static str) -> Result<Vec<u8>, Fault> {
        let mut out = Vec::new();
        self.append_text(&mut out, within)?;
        Ok(out)
    }

    /// A text that names something: UTF-8 without a zero byte, at which C stops reading.
    pub(super) fn name(&mut self, within: &'static str) -> Result<String, Fault> {
        let at = self.at;
        let bytes = self.text(within)?;
        match String::from_utf8(bytes) {
            Ok(name) if name.is_empty() => self.fault(at, format!("an empty name in {within}")),
            Ok(name) if name.contains('\0') => self.fault(at, format!("a zero byte in a name in {within}")),
            Ok(name) => Ok(name),
            Err(_) => self.fault(at, format!("a name in {within} that is not UTF-8")),
        }
    }

    pub(super) fn value(&mut self) -> Result<GgufValue, Fault> {
        const WITHIN: &str = "the metadata";
        let at = self.at;
        match self.u32(WITHIN)? {
            ARRAY => self.list().map(GgufValue::List),
            number => match ValueKind::from_number(number) {
                Some(ValueKind::Text) => Ok(GgufValue::Text(self.text(WITHIN)?.into_boxed_slice())),
                Some(kind) => {
                    let mut bytes = [0; 8];
                    self.fill(&mut bytes[..kind.width().unwrap_or(8)], WITHIN)?;
                    Ok(GgufValue::Scalar(kind, bytes))
                }
                None => self.fault(at, format!("value type {number} does not exist")),
            },
        }
    }

    fn list(&mut self) -> Result<List, Fault> {
        const WITHIN: &str = "an array of the metadata";
        let at = self.at;
        let number = self.u32(WITHIN)?;
        let Some(kind) = ValueKind::from_number(number) else {
            let what = match number {
                ARRAY => "arrays of arrays are not used in models".to_owned(),
                _ => format!("array element type {number} does not exist"),
            };
            return self.fault(at, what);
        };
        let length = self.u64(WITHIN)?;
        // A text takes at least the eight bytes of its length.
        let least = length.saturating_mul(kind.width().unwrap_or(8) as u64);
        if least > self.end - self.at {
            return self.fault(at, format!("an array of {length} elements, but the file ends before that"));
        }
        if length > MOST_ELEMENTS {
            return self.fault(
                at,
                format!("an array of {length} elements, but at most {MOST_ELEMENTS} are sensible"),
            );
        }
        match kind.width() {
            Some(width) => {
                let mut bytes = vec![0; length as usize * width];
                self.fill(&mut bytes, WITHIN)?;
                Ok(List::of_numbers(kind, bytes))
            }
            None => {
                let mut ends = Vec::with_capacity(length as usize);
                let mut bytes = Vec::new();
                for _ in 0..length {
                    // The header's limit keeps this far below u32::MAX.
                    ends.push(self.append_text(&mut bytes, WITHIN)? as u32);
                }
                Ok(List::of_texts(bytes, ends))
            }
        }
    }
}
