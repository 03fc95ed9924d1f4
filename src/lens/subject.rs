//! What is looked at: a prompt's exact ids with the bytes each stands for, and the texts after it.

use std::ops::Range;
use std::sync::Arc;

use super::inspect::inspect;
use crate::chat::{ChatTemplate, Conversation};
use crate::engine::EngineError;
use crate::engine::look::{Found, LookFor, Variant, Variants};
use crate::query::next::after_ids;
use crate::query::text::TextEncoder;
use crate::query::{Asker, QueryError};
use crate::step::Prediction;
use crate::token::{TokenId, text_of, visible};

/// What a prediction is made from.
#[derive(Clone, Debug, PartialEq)]
pub enum Given {
    /// Raw text.
    Text(Vec<u8>),
    /// A conversation, with the beginning of the next reply.
    Chat(Box<Conversation>),
    /// A step of a reply.
    Step {
        /// The exact ids before it, and which of them somebody wrote.
        before: Vec<(TokenId, bool)>,
        /// The token that was chosen.
        chosen: TokenId,
        /// The best candidate that was not.
        other: Option<TokenId>,
    },
}

/// A token of the prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptWord {
    /// Its id.
    pub id: TokenId,
    /// The bytes of [`Subject::text`] that it stands for.
    pub span: Option<Range<usize>>,
    /// Whether somebody wrote it: not a BOS, nor a chat template's frame.
    pub written: bool,
    /// Which message of a conversation it belongs to.
    pub turn: Option<usize>,
}

/// A text after the prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Goal {
    /// Its text.
    pub text: Vec<u8>,
    /// Its ids, as they follow the prompt.
    pub ids: Vec<TokenId>,
}

/// What is looked at.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The prompt as text.
    pub text: Vec<u8>,
    /// Its tokens; at least one.
    pub words: Vec<PromptWord>,
    /// Whether the first is a BOS that was put there.
    pub has_bos: bool,
    /// The text that is asked about.
    pub target: Goal,
    /// Whether it is the model's own first choice.
    pub greedy: bool,
    /// The text it is compared with.
    pub versus: Option<Goal>,
    /// What a person should know.
    pub notes: Vec<String>,
}

impl Subject {
    /// The prompt's ids.
    pub fn ids(&self) -> Vec<TokenId> {
        self.words.iter().map(|word| word.id).collect()
    }

    /// The target, and what it is compared with.
    pub fn named(&self) -> impl Iterator<Item = &Goal> {
        [Some(&self.target), self.versus.as_ref()].into_iter().flatten()
    }

    /// The ids of the target and what it is compared with, for a view of one token.
    ///
    /// # Errors
    /// [`QueryError::Refused`] for a text of several.
    pub fn single(&self, view: &str) -> Result<Vec<TokenId>, QueryError> {
        let single = |named: &Goal| match named.ids[..] {
            [id] => Ok(id),
            _ => Err(QueryError::Refused(format!(
                "{view} looks at one token, and «{}» is {} here: give the first of them, or use context or occlusion",
                visible(&named.text),
                named.ids.len()
            ))),
        };
        self.named().map(single).collect()
    }
}

/// Reads what a lens is about; without a target it is the first choice.
///
/// # Errors
/// [`QueryError`].
pub fn subject(
    asker: &mut Asker,
    given: &Given,
    target: Option<&[u8]>,
    versus: Option<&[u8]>,
) -> Result<Subject, QueryError> {
    let model = Arc::clone(&asker.model);
    let encoder = asker.encoder(&model, asker.settings.bos)?;
    let mut subject = Subject {
        text: Vec::new(),
        words: Vec::new(),
        has_bos: false,
        target: Goal { text: Vec::new(), ids: Vec::new() },
        greedy: false,
        versus: None,
        notes: Vec::new(),
    };
    let mut chosen = None;
    match given {
        Given::Text(text) => {
            let encoded = encoder.encode(text)?;
            subject.has_bos = encoded.has_bos;
            let word = |(i, piece): (usize, crate::continuation::JoinedToken)| PromptWord {
                id: piece.id,
                span: piece.span,
                written: i > 0 || !encoded.has_bos,
                turn: None,
            };
            subject.words = encoded.pieces.into_iter().enumerate().map(word).collect();
            subject.text.clone_from(text);
        }
        Given::Chat(conversation) => of_chat(asker, conversation, &mut subject)?,
        Given::Step { before, chosen: token, other } => {
            for &(id, written) in before {
                let start = subject.text.len();
                subject.text.extend_from_slice(model.vocab.bytes(id));
                let span = Some(start..subject.text.len());
                subject.words.push(PromptWord { id, span, written, turn: None });
            }
            chosen = Some(*token);
            subject.versus = other.map(|id| Goal { text: model.vocab.bytes(id).to_vec(), ids: vec![id] });
        }
    }
    if subject.words.is_empty() {
        return Err(EngineError::Empty.into());
    }
    asker.must_fit(subject.words.len())?;
    let target = match (target, chosen) {
        (Some(text), _) => named(&encoder, given, &subject, text)?,
        (None, Some(id)) => Goal { text: model.vocab.bytes(id).to_vec(), ids: vec![id] },
        (None, None) => {
            subject.greedy = true;
            let id = first_choice(asker, &subject.ids())?;
            Goal { text: model.vocab.bytes(id).to_vec(), ids: vec![id] }
        }
    };
    if let Some(text) = versus {
        subject.versus = Some(named(&encoder, given, &subject, text)?);
    }
    if subject.versus.as_ref() == Some(&target) {
        let text = visible(&target.text);
        return Err(QueryError::Refused(format!(
            "the target and what it is compared with are both «{text}»"
        )));
    }
    let longest = subject.named().map(|named| named.ids.len()).max().unwrap_or(0).max(target.ids.len());
    asker.must_fit(subject.words.len() + longest - 1)?;
    Ok(Subject { target, ..subject })
}

/// The token that the model would choose.
fn first_choice(asker: &mut Asker, ids: &[TokenId]) -> Result<TokenId, QueryError> {
    let first = |prediction: &Prediction| prediction.top_logprobs.first().map(|first| first.id);
    let mut id = None;
    if asker.client.in_force().has_edge() {
        let variants = vec![Variant::copy(ids.len() - 1)];
        let look = LookFor::Variants(Variants { variants, ..Variants::default() });
        inspect(asker, (ids, &[]), look, &mut |_, found| {
            if let Found::Reading(reading) = found {
                id = first(&reading.prediction);
            }
        })?;
    } else {
        id = first(&after_ids(asker, ids)?.prediction);
    }
    id.ok_or(QueryError::Stopped)
}

fn of_chat(asker: &Asker, conversation: &Conversation, subject: &mut Subject) -> Result<(), QueryError> {
    let model = &asker.model;
    let template = match &asker.template {
        Some(template) => Arc::clone(template),
        None => {
            let template = ChatTemplate::of_model(model, None);
            Arc::new(template.map_err(|error| QueryError::Refused(error.to_string()))?)
        }
    };
    let prompt = template.encode_conversation(conversation, true, model.tokenizer.as_ref(), &model.vocab)?;
    subject.notes = prompt.notes.iter().map(ToString::to_string).collect();
    subject.text = prompt.text.into_bytes();
    subject.words = prompt
        .tokens
        .iter()
        .map(|token| PromptWord {
            id: token.id,
            span: Some(token.start..token.end),
            written: token.typed,
            turn: token.message,
        })
        .collect();
    Ok(())
}

/// A text after the prompt, as tokens of its own.
fn named(encoder: &TextEncoder, given: &Given, subject: &Subject, text: &[u8]) -> Result<Goal, QueryError> {
    if text.is_empty() {
        let what = "a target is empty: every text is certain to go on with nothing";
        return Err(QueryError::Refused(what.to_string()));
    }
    let ids = match given {
        Given::Text(prompt) => {
            let joined = encoder.join(prompt, text)?;
            let before = joined.encoded.pieces[..joined.from].iter().map(|piece| piece.id);
            if !before.eq(subject.ids()) {
                return Err(QueryError::Refused(format!(
                    "«{}» shares a token with the end of the prompt: move the white space or the beginning of \
                     the word from the prompt into the target, or the other way round",
                    visible(text)
                )));
            }
            joined.continuation()
        }
        // A reply begins after a special token or a line break.
        Given::Chat(_) | Given::Step { .. } => {
            let encoded = encoder.encode(text)?;
            encoded.pieces.iter().skip(usize::from(encoded.has_bos)).map(|piece| piece.id).collect()
        }
    };
    Ok(Goal { text: text.to_vec(), ids })
}

impl Goal {
    /// Its text, as it is written in a record.
    pub fn shown(&self) -> String {
        text_of(&self.text)
    }
}
