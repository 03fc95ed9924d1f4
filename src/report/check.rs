//! What a comparison of two tokenizers found, as JSON and for people.

use std::io::{self, Write};

use serde::Serialize;

use crate::columns::{clipped, padded};
use crate::query::text::Encoded;
use crate::token::{TokenId, Vocab, printable, text_of, visible};
use crate::tokenizer::{Agreement, CompareWith, Strange, TokenizerDifference, TokenizersCompared};

/// Bytes of the text shown on either side of a difference.
const AROUND: usize = 32;
/// Columns of a token's text.
const TEXT: usize = 20;

/// A comparison and what was compared.
pub struct CheckedText<'a> {
    /// What it was compared with.
    pub against: &'a CompareWith,
    pub text: &'a [u8],
    /// Its tokens; an inserted BOS was left out of the comparison.
    pub encoded: &'a Encoded,
    /// What was found.
    pub compared: &'a TokenizersCompared,
    /// The model's vocabulary.
    pub vocab: &'a Vocab,
}

/// `"check"` of `tokenize --json`.
#[derive(Serialize)]
pub struct CheckRecord<'a> {
    against: String,
    same: bool,
    tokens: usize,
    other_tokens: usize,
    first_difference: Option<DifferenceRecord>,
    vocabulary: VocabularyRecord<'a>,
}

#[derive(Serialize)]
struct DifferenceRecord {
    index: usize,
    /// In the text; `null` where the tokenizer rewrote it.
    byte: Option<usize>,
    before: String,
    after: String,
    /// Index of the first token in both lists.
    from: usize,
    tokens: Vec<CheckedToken>,
    other: Vec<CheckedToken>,
}

#[derive(Serialize)]
struct CheckedToken {
    id: TokenId,
    text: String,
    #[serde(skip)]
    bytes: Vec<u8>,
}

#[derive(Serialize)]
struct VocabularyRecord<'a> {
    same: bool,
    #[serde(flatten)]
    found: &'a Agreement,
}

impl<'a> CheckedText<'a> {
    /// For programs.
    pub fn record(&self) -> CheckRecord<'a> {
        let TokenizersCompared { tokens, other_tokens, difference, vocabulary } = self.compared;
        CheckRecord {
            against: self.against.name(),
            same: self.compared.is_same(),
            tokens: *tokens,
            other_tokens: *other_tokens,
            first_difference: difference.as_ref().map(|difference| self.difference(difference)),
            vocabulary: VocabularyRecord { same: vocabulary.is_same(), found: vocabulary },
        }
    }

    fn difference(&self, difference: &TokenizerDifference) -> DifferenceRecord {
        let own = &self.encoded.pieces[usize::from(self.encoded.has_bos)..];
        let end_before = |index: usize| own[..index].iter().rev().find_map(|piece| piece.span.clone());
        let byte = match own.get(difference.index) {
            Some(piece) => piece.span.as_ref().map(|span| span.start),
            None => Some(end_before(own.len()).map_or(0, |span| span.end)),
        };
        let at = byte.unwrap_or_default();
        let (head, tail) = self.text.split_at(at);
        let before = &head[head.len().saturating_sub(AROUND)..];
        let token = |id, bytes: &[u8]| CheckedToken { id, text: text_of(bytes), bytes: bytes.to_vec() };
        DifferenceRecord {
            index: difference.index,
            byte,
            before: byte.map(|_| whole_characters(before)).unwrap_or_default(),
            after: byte.map(|_| whole_characters(&tail[..tail.len().min(AROUND)])).unwrap_or_default(),
            from: difference.from,
            tokens: own[difference.from.min(own.len())..difference.to().min(own.len())]
                .iter()
                .map(|piece| token(piece.id, self.vocab.bytes(piece.id)))
                .collect(),
            other: difference.others.iter().map(|other| token(other.id, &other.bytes)).collect(),
        }
    }

    /// For people.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let TokenizersCompared { tokens, other_tokens, difference, vocabulary } = self.compared;
        let against = printable(&self.against.title());
        match difference {
            None => writeln!(out, "same: {} by the model and by {against}", counted(*tokens))?,
            Some(difference) => {
                let record = self.difference(difference);
                let place = match record.byte {
                    Some(byte) => format!("byte {byte}, "),
                    None => String::new(),
                };
                writeln!(
                    out,
                    "different from {place}token {} on: {} by the model, {other_tokens} by {against}",
                    record.index + 1,
                    counted(*tokens)
                )?;
                if record.byte.is_some() {
                    let (before, after) =
                        (visible(record.before.as_bytes()), visible(record.after.as_bytes()));
                    writeln!(out, "  {before} ‸ {after}")?;
                }
                pairs(out, &record, &against)?;
            }
        }
        self::vocabulary(out, vocabulary)
    }
}

fn counted(tokens: usize) -> String {
    format!("{tokens} {}", if tokens == 1 { "token" } else { "tokens" })
}

/// The characters that lie in these bytes as a whole.
fn whole_characters(bytes: &[u8]) -> String {
    let start = bytes.iter().take(3).take_while(|byte| (0x80..0xC0).contains(*byte)).count();
    let rest = &bytes[start..];
    match std::str::from_utf8(rest) {
        Err(error) if error.error_len().is_none() => text_of(&rest[..error.valid_up_to()]),
        _ => text_of(rest),
    }
}

/// A row a token, both sides beside each other.
fn pairs(out: &mut impl Write, record: &DifferenceRecord, against: &str) -> io::Result<()> {
    writeln!(out, "  {:>7} {:>7}  {} {:>7}  {against}", "token", "id", padded("model", TEXT), "id")?;
    let rows = record.tokens.len().max(record.other.len());
    let cells = |side: &[CheckedToken], row: usize| match side.get(row) {
        Some(token) => (token.id.to_string(), visible(&token.bytes)),
        None => ("–".to_string(), String::new()),
    };
    for row in 0..rows {
        let index = record.from + row;
        let mark = if index == record.index { '▸' } else { ' ' };
        let ((id, text), (other, piece)) = (cells(&record.tokens, row), cells(&record.other, row));
        let (text, piece) = (padded(&text, TEXT), clipped(&piece, TEXT));
        writeln!(out, "{mark} {:>7} {id:>7}  {text} {other:>7}  {piece}", index + 1)?;
    }
    Ok(())
}

fn vocabulary(out: &mut impl Write, found: &Agreement) -> io::Result<()> {
    let Agreement { tokens, other_tokens, missing, extra, .. } = found;
    match &found.first_different {
        None => write!(out, "vocabularies: no id stands for two pieces")?,
        Some(Strange { id, token, other }) => write!(
            out,
            "vocabularies: {} of {tokens} ids stand for two pieces, the first is {id}: {} and {}",
            found.different,
            visible(token.as_bytes()),
            visible(other.as_bytes())
        )?,
    }
    write!(out, " ({tokens} and {other_tokens} tokens")?;
    if *missing > 0 {
        write!(out, "; {missing} only in the model")?;
    }
    if *extra > 0 {
        write!(out, "; {extra} only in the other")?;
    }
    writeln!(out, ")")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::text::JoinedToken;
    use crate::token::{SpecialTokens, VocabEntry};
    use crate::tokenizer::Other;

    fn shown(text: &str, ours: &[u32], compared: &TokenizersCompared) -> String {
        let pieces = ["<s>", "é", "ab", "b"]
            .map(|piece| VocabEntry { bytes: piece.as_bytes().to_vec(), ..VocabEntry::default() });
        let vocab = Vocab::new(pieces, SpecialTokens::default());
        let mut at = 0;
        let mut encoded = Encoded { has_bos: true, ..Encoded::default() };
        encoded.pieces.push(JoinedToken { id: TokenId(0), span: None });
        for &id in ours {
            let end = at + vocab.bytes(TokenId(id)).len();
            encoded.pieces.push(JoinedToken { id: TokenId(id), span: Some(at..end) });
            at = end;
        }
        let against = CompareWith::File("t\u{1b}.json".into());
        let (text, encoded) = (text.as_bytes(), &encoded);
        let checked = CheckedText { against: &against, text, encoded, compared, vocab: &vocab };
        let mut out = Vec::new();
        checked.write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn compared(index: usize, others: &[(u32, &[u8])]) -> TokenizersCompared {
        let others = others.iter().map(|(id, bytes)| Other { id: TokenId(*id), bytes: bytes.to_vec() });
        TokenizersCompared {
            tokens: 2,
            other_tokens: 2,
            difference: Some(TokenizerDifference { index, from: 0, others: others.collect() }),
            vocabulary: Agreement::default(),
        }
    }

    #[test]
    fn the_place_is_that_of_the_text_and_an_inserted_token_does_not_count() {
        let out = shown("éab", &[1, 2], &compared(1, &[(1, "é".as_bytes()), (9, b"\x1b[2J")]));
        assert!(
            out.starts_with("different from byte 2, token 2 on: 2 tokens by the model, 2 by t<0x1B>.json\n")
        );
        assert!(out.contains("  é ‸ ab\n"), "{out}");
        let rows: Vec<Vec<&str>> = out.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[3], ["1", "1", "é", "1", "é"]);
        assert_eq!(rows[4], ["▸", "2", "2", "ab", "9", "<0x1B>[2J"]);
    }

    #[test]
    fn a_side_that_ends_first_has_a_gap() {
        let out = shown("éab", &[1, 2], &compared(2, &[(1, b"a"), (2, b"b"), (3, b"c")]));
        assert!(out.starts_with("different from byte 4, token 3 on"), "{out}");
        assert!(out.contains("▸       3       –"), "{out}");
    }

    #[test]
    fn a_cut_through_a_character_leaves_it_out() {
        assert_eq!(whole_characters(&"北京".as_bytes()[1..]), "京");
        assert_eq!(whole_characters(&"北京".as_bytes()[..5]), "北");
        assert_eq!(whole_characters(b"a\xFFb"), "a<0xFF>b");
    }
}
