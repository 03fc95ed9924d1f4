//! Where a continuation begins.

use std::ops::Range;

use crate::token::{TokenId, Vocab};

/// How a continuation joins its context, and what follows from that for lengths and ties.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Join {
    /// Tokenized together. The continuation begins with the first token that holds a byte of it. Lengths
    /// leave out the white space it begins with; of equally good ones none is best. A text without context
    /// has no figure for its first token.
    #[default]
    Joint,
    /// As the evaluation harness: white space at the context's end belongs to the continuation, the
    /// boundary lies after as many tokens as the context has alone, special tokens are recognised, an empty
    /// context is BOS (or EOS, where there is none), lengths are of the choice as it is written, and of
    /// equally good ones the first is best.
    Harness,
}

/// A token of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedToken {
    pub id: TokenId,
    /// The bytes it stands for; `None` for an inserted token and where the tokenizer rewrote the text.
    pub span: Option<Range<usize>>,
}

/// A text's tokens, with BOS where the policy wants one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoded {
    /// In order.
    pub pieces: Vec<JoinedToken>,
    /// Whether the first token is a BOS that was put there.
    pub has_bos: bool,
    /// From which byte on the tokens are those of another text than this (a tokenizer that normalises).
    pub rewritten_from: Option<usize>,
}

impl Encoded {
    /// The ids, in order.
    pub fn ids(&self) -> Vec<TokenId> {
        self.pieces.iter().map(|piece| piece.id).collect()
    }
}

/// A context and its continuation, tokenized as one text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// Both; spans are bytes of context + continuation.
    pub encoded: Encoded,
    /// Index of the first token that belongs to the continuation.
    pub from: usize,
    /// Whether a token holds bytes of both.
    pub spans_join: bool,
    /// Whether the tokens before it are those of the context alone.
    pub keeps_context: bool,
}

impl Joined {
    /// What a person should know of the join.
    pub fn note(&self) -> Option<&'static str> {
        if self.spans_join {
            Some("a token spans the join with the context; it is scored as a whole")
        } else if !self.keeps_context {
            Some("the context is tokenized differently with this continuation")
        } else {
            None
        }
    }

    /// The ids of the continuation.
    pub fn continuation(&self) -> Vec<TokenId> {
        self.encoded.pieces[self.from..].iter().map(|piece| piece.id).collect()
    }
}

/// Where the continuation begins in `both`, the tokens of context and continuation together. `alone` are
/// those of the context (for the harness: without the white space at its end), of which `length` are the
/// bytes.
pub fn joined(both: Encoded, alone: &Encoded, length: usize, join: Join) -> Joined {
    let holds = |piece: &JoinedToken| piece.span.as_ref().is_some_and(|span| span.end > length);
    let first = both.pieces.iter().position(holds);
    let known = both.rewritten_from.is_none_or(|from| from > length);
    let bos = |encoded: &Encoded| usize::from(encoded.has_bos);
    let same = both.pieces.iter().zip(&alone.pieces).take_while(|(a, b)| a.id == b.id).count();
    let own = alone.pieces.len() - bos(alone);
    let from = match (join, first) {
        (Join::Joint, Some(from)) if known => from,
        // Where offsets are unknown, the context's own length must do.
        (Join::Joint, _) => alone.pieces.len().min(both.pieces.len()),
        (Join::Harness, _) => (own + bos(&both)).min(both.pieces.len()),
    };
    let spans = |piece: &JoinedToken| piece.span.as_ref().is_some_and(|span| span.start < length);
    let spans_join = first.is_some_and(|first| spans(&both.pieces[first]));
    Joined { from, spans_join, keeps_context: same >= from, encoded: both }
}

/// A text after nothing: BOS, or EOS where there is none, stands for the context, as lm-evaluation-harness
/// has it; `None` where the model has neither.
pub fn after_nothing(text: Encoded, vocab: &Vocab) -> Option<Joined> {
    let start = nothing(vocab)?;
    let mut pieces: Vec<JoinedToken> = text.pieces.into_iter().skip(usize::from(text.has_bos)).collect();
    if pieces.first().is_none_or(|first| first.id != start) {
        pieces.insert(0, JoinedToken { id: start, span: None });
    }
    let encoded = Encoded { pieces, has_bos: true, rewritten_from: text.rewritten_from };
    Some(Joined { encoded, from: 1, spans_join: false, keeps_context: true })
}

/// What stands for an empty context.
pub fn nothing(vocab: &Vocab) -> Option<TokenId> {
    let special = vocab.special();
    special.bos.or(special.eos)
}
