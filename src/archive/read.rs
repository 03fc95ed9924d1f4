//! A session file read back: as far as it can be, and never more than that.
//!
//! Nothing is written here. A torn last line is what a killed program leaves and is passed over; a damaged one
//! in the middle keeps its place, so that the numbers of all tokens stay what they were.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use super::LARGEST_VOCABULARY;
use super::event::{
    Chosen, LogEvent, MOST_PINS, ModelLine, Moved, PinSet, SpelledToken, Spelling, TurnLine, VocabLine,
};
use super::lines::{self, ReadLine};
use super::parts::{interventions, vocabulary};
use super::{DAMAGED, Saved, SavedBranch, SavedTurn, VERSION, figures, foreign, old};
use crate::bounded::DATA;
use crate::chat::Role;
use crate::files;
use crate::intervention::Interventions;
use crate::sequence::{NodeNumber, NodeOrigin};
use crate::step::Step;
use crate::token::{TokenId, VocabEntry};

/// Why there is nothing to read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The file can't be used.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The file holds something else.
    #[error("{}: no conversation of tokenscope and no log-probabilities of a server: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// What a file is, which decides what may be done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A session file of this version: it can be gone on with.
    Session,
    /// Something else, or damaged: it is read and stays as it is.
    Other,
}

/// What was read.
#[derive(Debug)]
pub struct Opened {
    /// The conversation.
    pub saved: Saved,
    /// What kind of file it is from.
    pub kind: Kind,
    /// What could not be read, in a line.
    pub note: Option<String>,
    /// Bytes up to the end of the last whole line.
    pub whole: u64,
}

/// Reads a file.
///
/// # Errors
/// [`ReadError`], where nothing in it can be read.
pub fn read(path: &Path) -> Result<Opened, ReadError> {
    let bytes = files::read(path, DATA).map_err(|error| ReadError::Io { path: path.to_path_buf(), error })?;
    parse(&bytes).map_err(|reason| ReadError::Malformed { path: path.to_path_buf(), reason })
}

/// The model of a session file; `None` where the file is another program's, or an older one.
///
/// # Errors
/// [`ReadError`], where the file can't be used.
pub fn model_of(path: &Path) -> Result<Option<ModelLine>, ReadError> {
    let bytes = files::read(path, DATA).map_err(|error| ReadError::Io { path: path.to_path_buf(), error })?;
    let mut found = None;
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.starts_with(lines::STEP)) {
        let begins =
            [&br#"{"type":"session""#[..], br#"{"type":"setting""#].iter().any(|kind| line.starts_with(kind));
        match begins.then(|| lines::read(line)) {
            Some(ReadLine::Event(LogEvent::Session(begun))) => found = Some(begun.model),
            Some(ReadLine::Event(LogEvent::Setting(chosen))) => found = chosen.model.or(found),
            _ => {}
        }
    }
    Ok(found.filter(|model| !model.model.is_empty()))
}

/// Reads the bytes of a file.
///
/// # Errors
/// Why nothing in it can be read.
pub fn parse(bytes: &[u8]) -> Result<Opened, String> {
    let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    match lines::read(first) {
        ReadLine::Event(LogEvent::Session(_)) => Ok(of_lines(bytes)),
        // The first line alone is damaged, or a line of its own that has nothing of ours.
        ReadLine::Event(_) | ReadLine::Damaged(..) | ReadLine::Unknown => {
            let other = old::parse(bytes).map(|saved| (saved, None)).or_else(|reason| {
                foreign::parse(bytes).map_err(|refusal| match refusal {
                    foreign::ForeignError::Nothing => reason,
                    foreign::ForeignError::Damaged(reason) => reason,
                })
            });
            match other {
                Ok((saved, note)) => Ok(Opened { saved, kind: Kind::Other, note, whole: 0 }),
                Err(reason) => {
                    let rest = of_lines(bytes);
                    if rest.saved.tree.is_empty() && rest.saved.turns.is_empty() {
                        Err(reason)
                    } else {
                        Ok(rest)
                    }
                }
            }
        }
    }
}

fn of_lines(bytes: &[u8]) -> Opened {
    let mut reader = SessionReader::default();
    let mut whole = 0;
    for (i, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let Some(line) = line.strip_suffix(b"\n") else { break };
        whole += line.len() as u64 + 1;
        if !line.is_empty() {
            reader.take(i + 1, lines::read(line));
        }
    }
    reader.end(whole)
}

/// The conversation in the making.
#[derive(Default)]
struct SessionReader {
    saved: Saved,
    spelled: Vec<(TokenId, VocabEntry)>,
    under: Interventions,
    /// The reply that tokens belong to, until it is said which.
    open: Option<usize>,
    has_begun: bool,
    /// Lines that could not be read: how many, and what of the first.
    damaged: (usize, String),
    /// Another reason to leave the file as it is.
    foreign: Option<String>,
}

impl SessionReader {
    fn take(&mut self, line: usize, read: ReadLine) {
        let wrong = match read {
            ReadLine::Event(event) => self.event(event),
            ReadLine::Unknown => Ok(()),
            ReadLine::Damaged(reason, is_step) => {
                if is_step {
                    self.damaged_step();
                }
                Err(reason)
            }
        };
        if let Err(reason) = wrong {
            self.damaged.0 += 1;
            if self.damaged.0 == 1 {
                self.damaged.1 = format!("line {line}: {reason}");
            }
        }
    }

    fn event(&mut self, event: LogEvent) -> Result<(), String> {
        match event {
            LogEvent::Session(begun) => {
                if self.has_begun {
                    return Err("a second beginning".to_string());
                }
                self.has_begun = true;
                (self.saved.version, self.saved.created) = (begun.version, begun.created);
                self.saved.model = begun.model;
                if begun.version > VERSION {
                    self.foreign = Some(format!("version {} of a newer tokenscope", begun.version));
                }
                match self.saved.model.vocabulary {
                    Some(n) if n > LARGEST_VOCABULARY => Err(format!("a vocabulary of {n} tokens")),
                    _ => Ok(()),
                }
            }
            LogEvent::Vocab(VocabLine { tokens }) => {
                tokens.into_iter().try_for_each(|token| self.spell(token))
            }
            LogEvent::Turn(said) => self.said(said),
            LogEvent::Step(placed) => {
                let node = placed.node;
                let (origin, vocabulary) = (placed.origin, self.saved.model.vocabulary);
                let pins = placed.pins.clone();
                let step = match figures::restored(*placed, vocabulary) {
                    Ok(step) => step,
                    Err(reason) => {
                        if node.is_none() {
                            self.damaged_step();
                        }
                        return Err(reason.to_string());
                    }
                };
                let node = match node {
                    Some(node) => {
                        let node = self.node(node)?;
                        self.saved.tree.fill(node, Arc::new(step));
                        node
                    }
                    None => self.append(step, origin),
                };
                let figures = pins
                    .into_iter()
                    .map(|(id, logprob, rank)| ((node, id), (logprob.unwrap_or(f32::NEG_INFINITY), rank)));
                self.saved.pinned.extend(figures);
                Ok(())
            }
            LogEvent::Fork(moved) | LogEvent::Head(moved) => self.go_to(moved),
            LogEvent::Name(named) => {
                let node = self.node(named.node)?;
                self.saved.tree.set_name(node, named.name);
                Ok(())
            }
            LogEvent::Prune(pruned) => {
                let node = self.node(pruned.node)?;
                self.saved.tree.prune(node);
                Ok(())
            }
            LogEvent::Setting(chosen) => {
                self.choose(chosen);
                Ok(())
            }
            LogEvent::Intervention(set) => {
                self.under = interventions(&set.names, &mut self.saved.unread)?;
                Ok(())
            }
            LogEvent::Verdict(verdict) => {
                verdict.tokens.into_iter().try_for_each(|node| self.node(node).map(drop))?;
                self.saved.verdicts.retain(|before| before.tokens != verdict.tokens);
                self.saved.verdicts.push(verdict);
                Ok(())
            }
            LogEvent::Pin(PinSet { texts }) => {
                let size = self.saved.model.vocabulary.unwrap_or(LARGEST_VOCABULARY);
                if let Some(other) = texts.iter().find(|pin| pin.first.index() >= size) {
                    return Err(format!("id {} is in no vocabulary of that size", other.first));
                }
                if texts.len() > MOST_PINS {
                    return Err(format!("{} texts are pinned, where {MOST_PINS} can be", texts.len()));
                }
                self.saved.pins = texts;
                Ok(())
            }
        }
    }

    fn node(&self, number: u32) -> Result<NodeNumber, String> {
        let number = NodeNumber(number);
        let there = self.saved.tree.node(number).map(|_| number);
        there.ok_or_else(|| format!("there is no token {} yet", number.0))
    }

    fn append(&mut self, step: Step, origin: NodeOrigin) -> NodeNumber {
        let parent = self.saved.tree.head();
        let node = self.saved.append(step, origin, &self.under);
        let NodeNumber(number) = node;
        let is_reply = !matches!(origin, NodeOrigin::Scaffold | NodeOrigin::Typed);
        if let Some(turn) = self.open.filter(|_| is_reply).and_then(|open| self.saved.turns.get_mut(open)) {
            match &mut turn.tokens {
                None => turn.tokens = Some([number, number]),
                Some([_, last]) if parent == Some(NodeNumber(*last)) => *last = number,
                Some(_) => {}
            }
        }
        node
    }

    /// Keeps the number of a token that can't be read.
    fn damaged_step(&mut self) {
        self.append(Step { id: DAMAGED, stats: None }, NodeOrigin::Sampled);
    }

    fn said(&mut self, said: TurnLine) -> Result<(), String> {
        for node in said.tokens.into_iter().flatten() {
            self.node(node)?;
        }
        let role = match said.role.as_deref() {
            None => None,
            Some("user") => Some(Role::User),
            Some("assistant") => Some(Role::Assistant),
            Some(other) => return Err(format!("its role is {other:?}; there are user and assistant")),
        };
        let (number, known) = (said.turn as usize, self.saved.turns.len());
        match number.checked_sub(1) {
            Some(new) if new == known => {
                self.open = (role == Some(Role::Assistant)).then_some(new);
                self.saved.turns.push(SavedTurn::default());
                self.saved.branch_mut().turns.push(said.turn);
            }
            Some(older) if older < known => {}
            _ => return Err(format!("number {number} of what is said comes before {}", known + 1)),
        }
        let turn = &mut self.saved.turns[number - 1];
        turn.role = role.or(turn.role.take());
        turn.text = said.text.unwrap_or(std::mem::take(&mut turn.text));
        turn.seed = said.seed.or(turn.seed);
        turn.finish = said.finish.or(turn.finish);
        if said.tokens.is_some() {
            turn.tokens = said.tokens;
            self.open = self.open.filter(|open| *open != number - 1);
        }
        Ok(())
    }

    fn go_to(&mut self, moved: Moved) -> Result<(), String> {
        let node = moved.node.map(|node| self.node(node)).transpose()?;
        let is_known = |number: &u32| *number > 0 && *number as usize <= self.saved.turns.len();
        if !moved.turns.iter().flatten().all(is_known) {
            return Err("it names what was not said yet".to_string());
        }
        if !self.saved.tree.go_to(node) {
            return Err("the token it goes to was taken out".to_string());
        }
        let saved = &mut self.saved;
        if let Some(number) = moved.branch {
            let known = saved.branches.iter().position(|branch| branch.number == number);
            saved.current = known.unwrap_or_else(|| {
                let turns = saved.branch().turns.clone();
                saved.branches.push(SavedBranch { number, from: moved.from, turns, tip: None });
                saved.branches.len() - 1
            });
        }
        let branch = saved.branch_mut();
        branch.tip = node;
        branch.turns = moved.turns.unwrap_or(std::mem::take(&mut branch.turns));
        // Tokens that follow are those of a reply that is being written there.
        let last = branch.turns.last().map(|turn| *turn as usize - 1);
        let is_open = |at: &usize| {
            let turn = &self.saved.turns[*at];
            turn.role == Some(Role::Assistant) && turn.finish.is_none()
        };
        self.open = last.filter(is_open);
        Ok(())
    }

    fn spell(&mut self, token: SpelledToken) -> Result<(), String> {
        let (id, spelling, flags) = match token {
            SpelledToken::Plain(id, spelling) => (id, spelling, String::new()),
            SpelledToken::Special(id, spelling, flags) => (id, spelling, flags),
        };
        if id.index() >= self.saved.model.vocabulary.unwrap_or(LARGEST_VOCABULARY) {
            return Err(format!("id {id} is in no vocabulary of that size"));
        }
        let bytes = match spelling {
            Spelling::Text(text) => text.into_bytes(),
            Spelling::Bytes(bytes) => bytes,
        };
        let (control, ends_generation) = (flags.contains('c'), flags.contains('e'));
        self.spelled.push((id, VocabEntry { bytes, control, ends_generation, ..VocabEntry::default() }));
        Ok(())
    }

    fn choose(&mut self, Chosen { values, model }: Chosen) {
        for (name, value) in values {
            match value {
                Some(value) => self.saved.settings.insert(name, value),
                None => self.saved.settings.remove(&name),
            };
        }
        if let Some(model) = model {
            self.saved.model = model;
        }
    }

    fn end(mut self, whole: u64) -> Opened {
        self.saved.vocab = vocabulary(self.saved.model.vocabulary, self.spelled);
        let (lines, first) = &self.damaged;
        let damaged = (*lines > 0).then(|| {
            let others =
                if *lines > 1 { format!(" and {} more damaged lines", lines - 1) } else { String::new() };
            format!("{first}{others}")
        });
        let headless = (!self.has_begun).then(|| "its first line is missing".to_string());
        let reasons: Vec<String> = self.foreign.into_iter().chain(headless).chain(damaged).collect();
        let kind = if reasons.is_empty() { Kind::Session } else { Kind::Other };
        let note =
            (!reasons.is_empty()).then(|| format!("{}: what can be read is shown", reasons.join("; ")));
        Opened { saved: self.saved, kind, note, whole }
    }
}
