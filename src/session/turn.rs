//! One thing said, and which tokens of the sequence its text is made of.

use std::ops::Range;
use std::time::Duration;

use crate::archive::{DAMAGED, SavedTurn};
use crate::chat::{ChatPrompt, Role};
use crate::engine::{FinishReason, Timing};
use crate::intervention::Interventions;
use crate::sampling::Sampling;
use crate::score::Score;
use crate::sequence::{NodeOrigin, TreeNode};
use crate::step::Step;
use crate::token::{TokenId, Utf8Assembler, Vocab, printable};

/// Names a turn for as long as the conversation lasts, so that what is kept beside it is not taken
/// for another's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TurnId(u64);

impl TurnId {
    /// The id after this one.
    pub fn next(self) -> TurnId {
        TurnId(self.0 + 1)
    }

    /// It as a number.
    pub fn number(self) -> u64 {
        self.0
    }
}

/// Where the text of one token ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// One past its last byte in [`Turn::text`]; equal to the mark before it where the token holds
    /// only part of a character.
    pub end: usize,
    /// Its index in the sequence.
    pub token: usize,
}

/// What only a reply has.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The exact ids, without the token that ended it.
    pub ids: Vec<TokenId>,
    /// The token that ended it.
    pub end: Option<TokenId>,
    /// Raw ln p of each, the one that ended it included, when it was chosen; `None` for −∞.
    pub logprobs: Vec<Option<f32>>,
    /// Whether the ids are this model's.
    pub known: bool,
    /// Σ ln p of every chosen token, the one that ended it included.
    pub score: Score,
    /// Seed of its sampler.
    pub seed: u32,
    /// How its tokens were chosen; `None` where a file does not say.
    pub sampling: Option<Sampling>,
    /// What was off or added when it was written.
    pub under: Interventions,
    /// Why it ended; `None` while it grows.
    pub finish: Option<FinishReason>,
    /// How long it took.
    pub timing: Timing,
    /// Index of the turn's first token in the sequence.
    first: usize,
    /// How many tokens stand before it in the same turn, which somebody typed.
    typed: usize,
    assembler: Utf8Assembler,
}

impl Reply {
    /// How many tokens stand before it in the same turn, which somebody typed.
    pub fn typed(&self) -> usize {
        self.typed
    }
}

/// What is shown of something typed: of a text longer than any context, the beginning.
fn shown(content: &str) -> String {
    const MOST: usize = 1 << 20;
    const BEGINNING: usize = 4 << 10;
    if content.len() <= MOST {
        return printable(content);
    }
    let end = (0..=BEGINNING).rev().find(|&end| content.is_char_boundary(end)).unwrap_or(0);
    format!("{} … [{} KiB]", printable(&content[..end]), content.len() >> 10)
}

/// One thing said.
#[derive(Clone, Debug)]
pub struct Turn {
    /// Its name.
    pub id: TurnId,
    /// Who said it.
    pub role: Role,
    /// Exactly what was typed, or the reply's text.
    pub content: String,
    /// What can be shown: nothing in it that a terminal would execute.
    pub text: String,
    /// Where each token's text ends, in order. Empty until the model has seen the turn.
    pub marks: Vec<Mark>,
    /// Present for a reply.
    pub reply: Option<Reply>,
}

impl Turn {
    /// Something a person typed.
    pub fn user(id: TurnId, content: &str) -> Turn {
        Turn {
            id,
            role: Role::User,
            content: content.to_string(),
            text: shown(content),
            marks: Vec::new(),
            reply: None,
        }
    }

    /// A reply that will begin at this index of the sequence.
    pub fn reply(id: TurnId, first: usize, seed: u32) -> Turn {
        let reply = Reply {
            ids: Vec::new(),
            end: None,
            logprobs: Vec::new(),
            known: true,
            score: Score::default(),
            seed,
            sampling: None,
            under: Interventions::default(),
            finish: None,
            timing: Timing::default(),
            first,
            typed: 0,
            assembler: Utf8Assembler::default(),
        };
        Turn {
            id,
            role: Role::Assistant,
            content: String::new(),
            text: String::new(),
            marks: Vec::new(),
            reply: Some(reply),
        }
    }

    /// Something said in an earlier conversation, with its tokens, which need not stand `on_path`.
    pub fn restored(
        id: TurnId,
        kept: &SavedTurn,
        tokens: &[&TreeNode],
        vocab: &Vocab,
        on_path: bool,
    ) -> Turn {
        let first = tokens.first().map_or(0, |token| token.position());
        let role = kept.role.clone().unwrap_or(Role::User);
        let is_typed = |token: &&&TreeNode| matches!(token.origin, NodeOrigin::Typed | NodeOrigin::Scaffold);
        let typed = tokens.iter().take_while(is_typed).count();
        if role != Role::Assistant && typed == tokens.len() {
            let mut turn = Turn::user(id, &kept.text);
            if on_path {
                turn.mark_tokens(first, tokens.iter().map(|token| token.id), vocab);
            }
            return turn;
        }
        let mut turn = Turn { role, ..Turn::reply(id, first, kept.seed.unwrap_or_default()) };
        turn.read(tokens[..typed].iter().map(|token| token.id), vocab);
        for token in &tokens[typed..] {
            turn.grow(&token.figures(), Duration::ZERO, vocab);
        }
        turn.finish(kept.finish.unwrap_or(FinishReason::Cancelled), Timing::default());
        // What its tokens stand for is not in files of version 1.
        if turn.content.is_empty() && !kept.text.is_empty() {
            turn.content.clone_from(&kept.text);
            turn.text = shown(&kept.text);
            turn.marks.clear();
        }
        if !on_path {
            turn.marks.clear();
        }
        if let Some(reply) = &mut turn.reply {
            reply.timing = Timing::default();
            reply.under = tokens.get(typed).map(|token| token.under.clone()).unwrap_or_default();
            reply.known &= !tokens.is_empty();
            reply.ids.retain(|id| *id != DAMAGED);
        }
        turn
    }

    /// A stretch of the sequence that nobody said: the template's scaffold. `first` is the index of its
    /// first token in the sequence.
    pub fn frame(first: usize, ids: &[TokenId], vocab: &Vocab) -> Turn {
        let mut frame = Turn::user(TurnId::default(), "");
        let mut assembler = Utf8Assembler::default();
        for (i, &id) in ids.iter().enumerate() {
            frame.text.push_str(&printable(&assembler.push(vocab.bytes(id))).replace('\n', "⏎"));
            frame.marks.push(Mark { end: frame.text.len(), token: first + i });
        }
        frame.text.push_str(&assembler.finish());
        if let Some(last) = frame.marks.last_mut() {
            last.end = frame.text.len();
        }
        frame
    }

    /// Whether it is scaffold and nothing that was said: those have names from 1 on.
    pub fn is_frame(&self) -> bool {
        self.id == TurnId::default()
    }

    /// The model is another one: text stays, ids don't.
    pub fn forget_ids(&mut self) {
        self.marks.clear();
        if let Some(reply) = &mut self.reply {
            reply.known = false;
            reply.ids.clear();
            reply.logprobs.clear();
            reply.end = None;
        }
    }

    /// Another model answers from now on: how fast this one was says nothing about it.
    pub fn forget_speed(&mut self) {
        if let Some(reply) = &mut self.reply {
            reply.timing = Timing::default();
        }
    }

    /// Finds the turn's tokens in a prompt that holds it as the given message.
    pub fn mark(&mut self, prompt: &ChatPrompt, message: usize, vocab: &Vocab) {
        let Some(span) = prompt.spans.get(message).cloned() else { return };
        if self.role == Role::User {
            // What a model has written on is a message like any other now.
            self.reply = None;
        }
        if self.reply.is_some() && !self.marks.is_empty() {
            self.move_to(span);
            return;
        }
        let first = span.start;
        self.mark_tokens(first, prompt.tokens[span].iter().map(|token| token.id), vocab);
    }

    /// Its tokens are these, from this index of the sequence on.
    fn mark_tokens(&mut self, first: usize, ids: impl Iterator<Item = TokenId>, vocab: &Vocab) {
        let mut text = String::new();
        let mut assembler = Utf8Assembler::default();
        self.marks.clear();
        for (i, id) in ids.enumerate() {
            text.push_str(&printable(&assembler.push(vocab.bytes(id))));
            self.marks.push(Mark { end: text.len(), token: first + i });
        }
        text.push_str(&assembler.finish());
        self.align(&text);
    }

    /// A reply's ids are the same in a later prompt, only elsewhere.
    fn move_to(&mut self, span: Range<usize>) {
        let Some(reply) = &mut self.reply else { return };
        if span.len() != reply.ids.len() {
            // The template re-wrote the reply: its figures are no longer those of this text.
            self.marks.clear();
            return;
        }
        let offset = span.start;
        for (i, mark) in self.marks.iter_mut().enumerate() {
            mark.token = offset + i;
        }
        reply.first = offset;
    }

    /// The tokens at the edges of typed text may hold some of the scaffold; the shown text does not.
    fn align(&mut self, of_tokens: &str) {
        let before = of_tokens.find(self.text.as_str());
        let Some(before) = before else {
            self.marks.clear();
            return;
        };
        for mark in &mut self.marks {
            mark.end = mark.end.saturating_sub(before).min(self.text.len());
            while !self.text.is_char_boundary(mark.end) {
                mark.end -= 1;
            }
        }
    }

    /// Begins with typed text, which a model goes on with.
    pub fn read(&mut self, ids: impl IntoIterator<Item = TokenId>, vocab: &Vocab) {
        let Some(reply) = &mut self.reply else { return };
        for id in ids {
            let piece = reply.assembler.push(vocab.bytes(id));
            self.content.push_str(&piece);
            self.text.push_str(&printable(&piece));
            self.marks.push(Mark { end: self.text.len(), token: reply.first + self.marks.len() });
            reply.typed += 1;
            // Its ids are not those of a whole reply.
            reply.known = false;
        }
    }

    /// Begins as another turn does, with so many of its tokens, which somebody typed.
    pub fn begin_as(&mut self, other: &Turn, typed: usize) {
        let Some(reply) = &mut self.reply else { return };
        self.marks = other.marks[..typed.min(other.marks.len())].to_vec();
        let end = self.marks.last().map_or(0, |mark| mark.end);
        self.text = other.text[..end].to_string();
        self.content.clone_from(&self.text);
        (reply.typed, reply.known) = (typed, typed == 0);
    }

    /// The figures of a token that was there before they were known.
    pub fn learn(&mut self, token: usize, step: &Step, vocab: &Vocab) {
        let Some(reply) = &mut self.reply else { return };
        let at = token.checked_sub(reply.first + reply.typed);
        let Some(known) = at.and_then(|at| reply.logprobs.get_mut(at)) else { return };
        if let (None, Some(logprob)) = (*known, step.logprob()) {
            *known = Some(logprob).filter(|logprob| logprob.is_finite());
            reply.score.add(logprob, vocab.text_length(step.id));
        }
    }

    /// Index of its first token in the sequence, where it is a reply.
    pub fn first(&self) -> usize {
        self.reply.as_ref().map_or(0, |reply| reply.first)
    }

    /// Adds a generated token.
    pub fn grow(&mut self, step: &Step, elapsed: Duration, vocab: &Vocab) {
        let Some(reply) = &mut self.reply else { return };
        let bytes = vocab.bytes(step.id);
        if let Some(logprob) = step.logprob() {
            reply.score.add(logprob, vocab.text_length(step.id));
        }
        reply.logprobs.push(step.logprob().filter(|logprob| logprob.is_finite()));
        reply.timing.decode_tokens += 1;
        reply.timing.decode = elapsed;
        let token = reply.first + self.marks.len();
        if vocab.ends_generation(step.id) {
            // Shown as the step it is, but no part of what was said.
            reply.end = Some(step.id);
            let rest = reply.assembler.finish();
            self.content.push_str(&rest);
            self.text.push_str(&rest);
            self.text.push_str(&printable(&vocab.text(step.id)));
        } else {
            reply.ids.push(step.id);
            let piece = reply.assembler.push(bytes);
            self.content.push_str(&piece);
            self.text.push_str(&printable(&piece));
        }
        self.marks.push(Mark { end: self.text.len(), token });
    }

    /// Ends a reply.
    pub fn finish(&mut self, reason: FinishReason, timing: Timing) {
        let Some(reply) = &mut self.reply else { return };
        reply.finish = Some(reason);
        if timing != Timing::default() {
            reply.timing = timing;
        }
        let rest = reply.assembler.finish();
        if !rest.is_empty() {
            self.content.push_str(&rest);
            self.text.push_str(&rest);
            if let Some(mark) = self.marks.last_mut() {
                mark.end = self.text.len();
            }
        }
    }

    /// The turn's tokens in the sequence.
    pub fn tokens(&self) -> Option<Range<usize>> {
        let (first, last) = (self.marks.first()?, self.marks.last()?);
        Some(first.token..last.token + 1)
    }

    /// The bytes of [`Turn::text`] that a token of the sequence stands for.
    pub fn text_of(&self, token: usize) -> Option<Range<usize>> {
        let at = self.marks.iter().position(|mark| mark.token == token)?;
        let start = if at == 0 { 0 } else { self.marks[at - 1].end };
        Some(start..self.marks[at].end)
    }
}
