//! The texts of tokens, seen as llama.cpp sees them.

use std::collections::HashSet;

use super::error::{Fault, shown};
use super::value::List;
use super::vocabulary::TOKENS;

/// Longest token in bytes. llama.cpp recurses once per byte in some tokenizers.
const LONGEST_TOKEN: usize = 8192;

/// All token texts as llama.cpp sees them, if no two are the same.
pub(super) fn distinct(tokens: &List) -> Result<HashSet<&[u8]>, Fault> {
    let mut seen = HashSet::with_capacity(tokens.len());
    let mut unnamed = Vec::new();
    for (id, text) in tokens.texts().enumerate() {
        if text.len() > LONGEST_TOKEN {
            return Err(Fault::key(
                TOKENS,
                format!("token {id} has {} bytes, and {LONGEST_TOKEN} are the most", text.len()),
            ));
        }
        // It reads them as C strings, and names empty ones after their number.
        let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
        if text.is_empty() {
            unnamed.push(id);
        } else if !seen.insert(text) {
            return Err(Fault::key(TOKENS, format!("token {id}, {}, comes twice", shown(text))));
        }
    }
    match unnamed.into_iter().find(|id| seen.contains(format!("[EMPTY_{id}]").as_bytes())) {
        Some(id) => Err(Fault::key(
            TOKENS,
            format!("token {id} is empty and its stand-in '[EMPTY_{id}]' is a token too"),
        )),
        None => Ok(seen),
    }
}

/// The byte that `<0x41>` spells.
pub(super) fn byte_of(text: &[u8]) -> Option<u8> {
    let digits = text.strip_prefix(b"<0x")?.strip_suffix(b">")?;
    let digits = std::str::from_utf8(digits).ok().filter(|digits| digits.len() == 2)?;
    u8::from_str_radix(digits, 16).ok()
}

/// As llama.cpp's `llama_unescape_rwkv_token`.
pub(super) fn unescape_rwkv(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        match bytes.next() {
            Some(b't') => out.push(b'\t'),
            Some(b'n') => out.push(b'\n'),
            Some(b'r') => out.push(b'\r'),
            Some(b'x') => {
                let digit = |c: u8| {
                    if c >= b'a' { c.wrapping_sub(b'a').wrapping_add(10) } else { c.wrapping_sub(b'0') }
                };
                if let (Some(high), Some(low)) = (bytes.next(), bytes.next()) {
                    out.push((digit(high) << 4).wrapping_add(digit(low)));
                }
            }
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
}
