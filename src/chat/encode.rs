//! From rendered text to exact ids.
//!
//! Control tokens are recognised only where the template wrote them. Everything between two of them is
//! one call of the tokenizer, cut only at earlier replies, which enter by their own ids.

use std::ops::Range;

use super::continued::continued;
use super::marks::MarkedRegion;
use super::prepare::{Prepared, prepare};
use super::spans::{self, FoundSpan};
use super::specials::{Occurrence, Specials};
use super::template::ChatTemplate;
use super::{ChatError, ChatPrompt, Conversation, Message, Note, PromptToken, reply_text};
use crate::engine::{Tokenize, TokenizerLost};
use crate::token::{TokenId, Vocab, text_of};

impl ChatTemplate {
    /// Renders messages with the beginning of the next reply, and tokenizes them.
    ///
    /// # Errors
    /// The template's refusal or mistake, or text that can't be told from scaffold.
    pub fn encode(
        &self,
        messages: &[Message],
        tokenizer: &dyn Tokenize,
        vocab: &Vocab,
    ) -> Result<ChatPrompt, ChatError> {
        self.encode_conversation(&Conversation::from(messages.to_vec()), true, tokenizer, vocab)
    }

    /// Renders a conversation, with or without the beginning of the next reply, and tokenizes it. Adds
    /// no BOS: a template writes its own, or none.
    ///
    /// # Errors
    /// The template's refusal or mistake, or text that can't be told from scaffold.
    pub fn encode_conversation(
        &self,
        conversation: &Conversation,
        add_generation_prompt: bool,
        tokenizer: &dyn Tokenize,
        vocab: &Vocab,
    ) -> Result<ChatPrompt, ChatError> {
        let prepared = prepare(self, conversation, add_generation_prompt)?;
        let found = spans::find(self, &prepared, &Specials::new(vocab))?;
        let mut encoder = ChatEncoder { tokenizer, vocab, text: &prepared.text, regions: &found.regions };
        let (cuts, retokenized) = encoder.cuts(&conversation.messages);
        let pieces = encoder.pieces(&cuts);
        let (tokens, placed) = encoder.tokens(&pieces)?;
        let messages = conversation.messages.len();
        let spans = (0..messages).map(|message| encoder.span(message, &tokens, &placed)).collect();
        let user_defined = encoder.user_defined(&cuts);
        let Prepared { text, mut notes, .. } = prepared;
        let FoundSpan { notes: of_spans, .. } = found;
        notes.extend(of_spans.into_iter().chain(retokenized).chain(user_defined));
        Ok(ChatPrompt { tokens, text, spans, notes })
    }
}

/// An earlier reply that enters by its ids.
struct Cut<'a> {
    range: Range<usize>,
    message: usize,
    ids: &'a [TokenId],
    /// Where the text of each id ends, in bytes from the beginning of the reply.
    ends: Vec<usize>,
}

/// What the text consists of.
enum ChatPiece<'a, 'c> {
    Control(Occurrence),
    Text(Range<usize>),
    Reply(&'c Cut<'a>),
}

struct ChatEncoder<'a> {
    tokenizer: &'a dyn Tokenize,
    vocab: &'a Vocab,
    text: &'a str,
    regions: &'a [MarkedRegion],
}

/// Tokens of a reply that entered by its ids.
type Placed = (usize, Range<usize>);

impl<'a> ChatEncoder<'a> {
    /// The replies whose rendered text is that of their ids, and a note about the others.
    fn cuts<'m>(&self, messages: &'m [Message]) -> (Vec<Cut<'m>>, Option<Note>) {
        let mut cuts = Vec::new();
        let mut others = Vec::new();
        for (message, one) in messages.iter().enumerate() {
            let Some(ids) = one.reply.as_deref().filter(|ids| !ids.is_empty()) else { continue };
            match self.cut(one, message, ids) {
                Some(cut) => cuts.push(cut),
                None => others.push(message),
            }
        }
        let note = (!others.is_empty()).then_some(Note::Retokenized { messages: others });
        (cuts, note)
    }

    fn cut<'m>(&self, one: &Message, message: usize, ids: &'m [TokenId]) -> Option<Cut<'m>> {
        let content = one.text();
        let bytes = self.vocab.concat(ids.iter().copied());
        // Bytes that are no UTF-8 are shown in one of two ways.
        let shown: fn(&[u8]) -> String = if content == reply_text(ids, self.vocab) {
            |bytes| String::from_utf8_lossy(bytes).into_owned()
        } else if content == text_of(&bytes) {
            text_of
        } else {
            return None;
        };
        let mine =
            self.regions.iter().filter(|region| region.owner.typed && region.owner.message == Some(message));
        let range = mine.filter_map(|region| self.widened(&region.range, &content)).next()?;
        let lengths = ids.iter().map(|id| self.vocab.bytes(*id).len());
        let ends = lengths.scan(0, |end, length| {
            *end += length;
            Some(shown_length(&bytes, *end, shown))
        });
        Some(Cut { range, message, ids, ends: ends.collect() })
    }

    /// A region that holds a text, if need be with white space that the template trimmed and then wrote
    /// itself.
    fn widened(&self, region: &Range<usize>, content: &str) -> Option<Range<usize>> {
        let inside = &self.text[region.clone()];
        let before = content.find(inside)?;
        let start = region.start.checked_sub(before)?;
        let end = start + content.len();
        let fits = self.text.get(start..end)? == content;
        let others = self.regions.iter().filter(|other| other.range != *region);
        (fits && !others.into_iter().any(|other| other.range.start < end && start < other.range.end))
            .then_some(start..end)
    }

    fn is_typed(&self, range: &Range<usize>) -> bool {
        let first = self.regions.partition_point(|region| region.range.end <= range.start);
        self.regions.get(first).is_some_and(|region| region.range.start < range.end)
    }

    fn pieces<'m, 'c>(&self, cuts: &'c [Cut<'m>]) -> Vec<ChatPiece<'m, 'c>> {
        let outside = |range: &Range<usize>| {
            !self.is_typed(range)
                && !cuts.iter().any(|cut| cut.range.start < range.end && range.start < cut.range.end)
        };
        let found = Specials::new(self.vocab).find(self.text, outside);
        let controls = found.into_iter().filter(|one| self.vocab.is_control(one.id));
        let mut fixed: Vec<(Range<usize>, ChatPiece)> =
            controls.map(|one| (one.range.clone(), ChatPiece::Control(one))).collect();
        fixed.extend(cuts.iter().map(|cut| (cut.range.clone(), ChatPiece::Reply(cut))));
        fixed.sort_by_key(|(range, _)| range.start);
        let mut pieces = Vec::new();
        let mut at = 0;
        for (range, piece) in fixed {
            pieces.push(ChatPiece::Text(at..range.start));
            at = range.end;
            pieces.push(piece);
        }
        pieces.push(ChatPiece::Text(at..self.text.len()));
        pieces.retain(|piece| !matches!(piece, ChatPiece::Text(range) if range.is_empty()));
        pieces
    }

    fn tokens(&mut self, pieces: &[ChatPiece]) -> Result<(Vec<PromptToken>, Vec<Placed>), TokenizerLost> {
        let mut tokens = Vec::new();
        let mut placed = Vec::new();
        for (index, piece) in pieces.iter().enumerate() {
            match piece {
                ChatPiece::Control(one) => tokens.push(self.token(one.id, one.range.clone())),
                ChatPiece::Reply(cut) => {
                    let first = tokens.len();
                    let mut start = cut.range.start;
                    for (id, end) in cut.ids.iter().zip(&cut.ends) {
                        let end = (cut.range.start + end).min(cut.range.end);
                        let message = Some(cut.message);
                        tokens.push(PromptToken { id: *id, start, end, typed: true, message });
                        start = end;
                    }
                    placed.push((cut.message, first..tokens.len()));
                }
                ChatPiece::Text(range) => {
                    let before = index.checked_sub(1).map(|before| &pieces[before]);
                    let range = self.stripped(range.clone(), before, pieces.get(index + 1));
                    let text = &self.text[range.clone()];
                    let after_reply = matches!(before, Some(ChatPiece::Reply(_)));
                    let ids = if after_reply {
                        continued(text, self.tokenizer, self.vocab)?
                    } else {
                        self.plain(text)?
                    };
                    tokens.extend(self.aligned(&ids, range));
                }
            }
        }
        Ok((tokens, placed))
    }

    /// A text without the white space that the special tokens beside it swallow. Byte by byte, as
    /// llama.cpp does it: only ASCII white space counts.
    fn stripped(
        &self,
        range: Range<usize>,
        before: Option<&ChatPiece>,
        after: Option<&ChatPiece>,
    ) -> Range<usize> {
        let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | 0x0B | 0x0C | b'\r');
        let bytes = &self.text.as_bytes()[range.clone()];
        let mut start = 0;
        let mut end = bytes.len();
        if let Some(ChatPiece::Control(one)) = before
            && self.vocab.strips_right(one.id)
        {
            start = bytes.iter().take_while(|byte| is_space(byte)).count();
        }
        if let Some(ChatPiece::Control(one)) = after
            && self.vocab.strips_left(one.id)
        {
            end -= bytes[start..].iter().rev().take_while(|byte| is_space(byte)).count();
        }
        range.start + start..range.start + end
    }

    fn plain(&self, text: &str) -> Result<Vec<TokenId>, TokenizerLost> {
        match text.is_empty() {
            true => Ok(Vec::new()),
            false => self.tokenizer.try_tokenize(text.as_bytes(), false),
        }
    }

    /// Tokens with their places in the text. A tokenizer may have put a space before it; one that
    /// alters its text leaves no better answer than the whole of it.
    fn aligned(&self, ids: &[TokenId], range: Range<usize>) -> Vec<PromptToken> {
        let bytes = self.text.as_bytes();
        let mut at = range.start;
        let mut places = Vec::with_capacity(ids.len());
        for (index, id) in ids.iter().enumerate() {
            let piece = self.vocab.bytes(*id);
            let rest = &bytes[at..range.end];
            let added = || piece.strip_prefix(b" ").filter(|_| index == 0);
            let length = spelled(rest, piece).or_else(|| spelled(rest, added()?));
            let Some(length) = length else {
                return ids.iter().map(|id| self.token(*id, range.clone())).collect();
            };
            places.push((*id, at..at + length));
            at += length;
        }
        places.into_iter().map(|(id, place)| self.token(id, place)).collect()
    }

    fn token(&self, id: TokenId, range: Range<usize>) -> PromptToken {
        let first = self.regions.partition_point(|region| region.range.end <= range.start);
        let overlapping = self.regions[first..].iter().take_while(|region| region.range.start < range.end);
        let owner = overlapping.map(|region| region.owner).find(|owner| owner.typed);
        let message = owner.and_then(|owner| owner.message);
        PromptToken { id, start: range.start, end: range.end, typed: owner.is_some(), message }
    }

    /// The tokens that hold a message's text.
    fn span(&self, message: usize, tokens: &[PromptToken], placed: &[Placed]) -> Range<usize> {
        if let Some((_, span)) = placed.iter().find(|(of, _)| *of == message) {
            return span.clone();
        }
        let is_mine = |region: &MarkedRegion| region.owner.typed && region.owner.message == Some(message);
        let Some(first) = self.regions.iter().position(is_mine) else { return 0..0 };
        // Pieces of one text, but not a text that the template has written a second time elsewhere.
        let mine = self.regions[first..].iter().take_while(|region| is_mine(region));
        let (start, end) = mine.fold((usize::MAX, 0), |(start, end), region| {
            (start.min(region.range.start), end.max(region.range.end))
        });
        let from = tokens.partition_point(|token| token.end <= start);
        let to = tokens.partition_point(|token| token.start < end);
        from..to.max(from)
    }

    /// Literals in typed text that are one token all the same.
    fn user_defined(&self, cuts: &[Cut]) -> Vec<Note> {
        let mut notes: Vec<Note> = Vec::new();
        for region in self.regions.iter().filter(|region| region.owner.typed) {
            let Some(message) = region.owner.message else { continue };
            if cuts.iter().any(|cut| cut.message == message) {
                continue;
            }
            let text = &self.text[region.range.clone()];
            let mut literals: Vec<String> = Vec::new();
            for one in Specials::new(self.vocab).find(text, |_| false) {
                let literal = text[one.range].to_string();
                if !literal.trim().is_empty() && !literals.contains(&literal) && literals.len() < 5 {
                    literals.push(literal);
                }
            }
            if !literals.is_empty() {
                notes.push(Note::UserDefined { message, literals });
            }
        }
        notes.dedup();
        notes
    }
}

/// How many bytes of a text a token's bytes stand for. SentencePiece spells a space as U+2581, and
/// takes that character, where it is typed, for one.
fn spelled(text: &[u8], piece: &[u8]) -> Option<usize> {
    let mut at = 0;
    for byte in piece {
        let rest = &text[at..];
        at += match byte {
            byte if rest.first() == Some(byte) => 1,
            b' ' if rest.starts_with("\u{2581}".as_bytes()) => 3,
            _ => return None,
        };
    }
    Some(at)
}

/// How many bytes of shown text the first `end` of some bytes make: a character that is not complete
/// there counts with the token that completes it.
fn shown_length(bytes: &[u8], end: usize, shown: fn(&[u8]) -> String) -> usize {
    let mut done = 0;
    let mut length = 0;
    for chunk in bytes.utf8_chunks() {
        let valid = chunk.valid();
        if done + valid.len() > end {
            let whole = (0..=end - done).rev().find(|at| valid.is_char_boundary(*at)).unwrap_or(0);
            return length + whole;
        }
        done += valid.len();
        length += valid.len();
        if done + chunk.invalid().len() > end {
            return length;
        }
        done += chunk.invalid().len();
        length += shown(chunk.invalid()).len();
    }
    length
}

#[cfg(test)]
mod tests;
