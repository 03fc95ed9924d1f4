//! The tokens of a text or of a rendered conversation, as JSON and as a table.

use std::io::{self, Write};
use std::ops::Range;

use serde::Serialize;

use super::bars::Paint;
use super::check::CheckRecord;
use super::output::ObjectWriter;
use super::record::Origin;
use super::view::{Block, Column, Table, TableRow, View};
use crate::chat::ChatPrompt;
use crate::query::text::Encoded;
use crate::token::{TokenId, Vocab, printable};

/// Columns of a token's text.
const TEXT: usize = 18;
/// Bytes of a token that a table shows.
const BYTES: usize = 24;

/// A token and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenPlace {
    /// The token.
    pub id: TokenId,
    /// Its bytes in the text; `None` for an inserted token and where the tokenizer rewrote the text.
    pub span: Option<Range<usize>>,
    /// Whether it holds any of what somebody wrote, and not only scaffold or an inserted token.
    pub typed: bool,
}

/// The tokens of a raw text.
pub fn of_text(encoded: &Encoded) -> impl Iterator<Item = TokenPlace> {
    let inserted = usize::from(encoded.has_bos);
    encoded.pieces.iter().enumerate().map(move |(index, piece)| TokenPlace {
        id: piece.id,
        span: piece.span.clone(),
        typed: index >= inserted,
    })
}

/// The tokens of a conversation.
pub fn of_prompt(prompt: &ChatPrompt) -> impl Iterator<Item = TokenPlace> {
    prompt.tokens.iter().map(|token| TokenPlace {
        id: token.id,
        span: Some(token.start..token.end),
        typed: token.typed,
    })
}

#[derive(Serialize)]
struct TokensHead<'a> {
    #[serde(flatten)]
    origin: &'a Origin,
    /// The rendered conversation, which offsets refer to.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
}

#[derive(Serialize)]
struct TokensRecord<'a> {
    id: TokenId,
    bytes: &'a [u8],
    text: String,
    start: Option<usize>,
    end: Option<usize>,
    special: bool,
    typed: bool,
}

/// What stands around the tokens of an object.
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    /// The model, and how it was asked.
    pub origin: &'a Origin,
    /// The text of a conversation.
    pub rendered: Option<&'a str>,
    /// What another tokenizer says.
    pub check: Option<&'a CheckRecord<'a>>,
}

#[derive(Serialize)]
struct TokensTail<'a> {
    check: &'a CheckRecord<'a>,
}

/// Writes one object.
///
/// # Errors
/// Those of the writer.
pub fn json(
    out: &mut impl Write,
    tokens: impl Iterator<Item = TokenPlace>,
    vocab: &Vocab,
    Frame { origin, rendered, check }: Frame,
) -> io::Result<()> {
    let mut object = ObjectWriter::begin(out)?;
    object.fields(&TokensHead { origin, text: rendered })?;
    object.begin_list("tokens")?;
    for TokenPlace { id, span, typed } in tokens {
        let (start, end) = span.map(|span| (span.start, span.end)).unzip();
        object.item(&TokensRecord {
            id,
            bytes: vocab.bytes(id),
            text: vocab.text(id),
            start,
            end,
            special: vocab.is_control(id),
            typed,
        })?;
    }
    object.end_list()?;
    if let Some(check) = check {
        object.fields(&TokensTail { check })?;
    }
    object.end()
}

/// The columns of a table of tokens: number, id, text, its place in the text in bytes, what it is, its
/// bytes.
fn columns() -> Table {
    Table::new([
        Column::figures("token", 7).after(0),
        Column::figures("id", 7),
        Column::text("text", TEXT).after(2),
        Column::figures("start", 9),
        Column::figures("end", 9),
        Column::text("kind", KIND).after(2),
        Column::text("bytes", 0),
    ])
}

fn row(number: usize, place: &TokenPlace, vocab: &Vocab, is_chat: bool) -> TableRow {
    let edge = |edge: Option<usize>| edge.map_or("–".to_string(), |at| at.to_string());
    let (start, end) = place.span.as_ref().map(|span| (span.start, span.end)).unzip();
    TableRow::new([
        number.to_string().into(),
        place.id.to_string().into(),
        vocab.visible(place.id).into(),
        edge(start).into(),
        edge(end).into(),
        kind(place, vocab, is_chat).into(),
        hex(vocab.bytes(place.id)).into(),
    ])
    .of(number - 1)
}

fn counted(count: usize) -> String {
    format!("{count} {}", if count == 1 { "token" } else { "tokens" })
}

/// The tokens of a raw text.
pub fn view(encoded: &Encoded, vocab: &Vocab) -> View {
    let mut table = columns();
    table.rows = of_text(encoded).enumerate().map(|(i, place)| row(i + 1, &place, vocab, false)).collect();
    let mut view = View::default();
    view.text(counted(table.rows.len()));
    view.blocks.insert(0, Block::Table(table));
    view
}

/// Writes the table of a list of any length.
///
/// # Errors
/// Those of the writer.
pub fn table(
    out: &mut impl Write,
    tokens: impl Iterator<Item = TokenPlace>,
    vocab: &Vocab,
    is_chat: bool,
) -> io::Result<()> {
    let table = columns();
    table.write_head(out)?;
    let mut count = 0;
    for place in tokens {
        count += 1;
        table.write_row(out, &row(count, &place, vocab, is_chat), Paint::default())?;
    }
    writeln!(out, "{}", counted(count))
}

/// Columns of a kind.
const KIND: usize = 8;

fn kind(place: &TokenPlace, vocab: &Vocab, is_chat: bool) -> &'static str {
    match (vocab.is_control(place.id), is_chat, place.typed) {
        (true, _, _) => "special",
        (_, false, false) => "inserted",
        (_, true, false) => "scaffold",
        (_, true, true) => "typed",
        _ if vocab.is_user_defined(place.id) => "added",
        _ => "",
    }
}

fn hex(bytes: &[u8]) -> String {
    let shown: Vec<String> = bytes.iter().take(BYTES).map(|byte| format!("{byte:02x}")).collect();
    let more = bytes.len().saturating_sub(BYTES);
    let rest = if more > 0 { format!(" … {more} more") } else { String::new() };
    format!("{}{rest}", shown.join(" "))
}

/// Writes a rendered conversation, its scaffold dim.
///
/// # Errors
/// Those of the writer.
pub fn rendered(out: &mut impl Write, prompt: &ChatPrompt, paint: Paint) -> io::Result<()> {
    let mut at = 0;
    let mut stretch = |out: &mut dyn Write, end: usize, typed: bool| {
        let Some(text) = prompt.text.get(at..end) else { return Ok(()) };
        at = end;
        let text = printable(text);
        write!(out, "{}", if typed { text } else { paint.dim(&text) })
    };
    let mut typed = false;
    for token in &prompt.tokens {
        if token.typed != typed {
            stretch(out, token.start, typed)?;
            typed = token.typed;
        }
    }
    stretch(out, prompt.text.len(), typed)?;
    writeln!(out, "{}", if prompt.text.ends_with('\n') { "" } else { "\n" })
}

#[cfg(test)]
mod tests;
