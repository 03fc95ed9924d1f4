//! How a text goes on: the one place where a reply's text, score and steps are collected.

use std::sync::Arc;

use super::{Asker, QueryError};
use crate::distribution::Depth;
use crate::engine::{Command, EngineError, Event, FinishReason, Generate};
use crate::score::Score;
use crate::step::Step;
use crate::token::{TokenId, Utf8Assembler, Vocab};

/// What was generated so far.
#[derive(Debug, Default)]
pub struct GeneratedReply {
    /// Its tokens, the one that ended it included.
    pub steps: Vec<Arc<Step>>,
    /// Its text, as far as its characters are complete.
    pub text: String,
    /// All of its tokens.
    pub score: Score,
    /// The tokens of the prompt that have context.
    pub prompt: Score,
    pending: Utf8Assembler,
}

impl GeneratedReply {
    /// Takes what the engine says; returns what the text grew by. The token that ends a reply is no text.
    pub fn take(&mut self, event: &Event, vocab: &Vocab) -> String {
        match event {
            Event::Prefill { steps, .. } => {
                steps.iter().for_each(|step| add(&mut self.prompt, step, vocab));
                String::new()
            }
            Event::Step { step, .. } => {
                add(&mut self.score, step, vocab);
                self.steps.push(Arc::clone(step));
                if vocab.ends_generation(step.id) {
                    return String::new();
                }
                let grown = self.pending.push(vocab.bytes(step.id));
                self.grow(grown)
            }
            _ => String::new(),
        }
    }

    /// Nothing more comes: returns what stands for bytes that are no whole character.
    pub fn finish(&mut self) -> String {
        let rest = self.pending.finish();
        self.grow(rest)
    }

    fn grow(&mut self, grown: String) -> String {
        self.text.push_str(&grown);
        grown
    }
}

fn add(score: &mut Score, step: &Step, vocab: &Vocab) {
    if let Some(logprob) = step.logprob() {
        score.add(logprob, vocab.text_length(step.id));
    }
}

/// A text to go on with.
#[derive(Clone, Debug, PartialEq)]
pub struct Beginning {
    /// Its ids; not empty.
    pub ids: Vec<TokenId>,
    /// Longest continuation.
    pub max_tokens: usize,
    /// Candidates kept of each step.
    pub depth: Depth,
}

impl Beginning {
    /// A text from its bytes.
    ///
    /// # Errors
    /// [`QueryError`], of which [`EngineError::Empty`] where nothing would stand before the continuation.
    pub fn new(asker: &Asker, text: &[u8], max_tokens: usize) -> Result<Beginning, QueryError> {
        let ids = asker.encoder(&asker.model, asker.settings.bos)?.encode(text)?.ids();
        if ids.is_empty() {
            return Err(EngineError::Empty.into());
        }
        Ok(Beginning { ids, max_tokens, depth: asker.settings.k.at_least(4) })
    }
}

/// A continuation.
#[derive(Debug)]
pub struct GeneratedText {
    /// What it goes on with.
    pub prompt: Vec<TokenId>,
    /// The continuation.
    pub reply: GeneratedReply,
    /// Why it ended.
    pub reason: FinishReason,
}

/// Goes on with a text; `sink` is given the reply after each step, and what its text grew by.
///
/// # Errors
/// Those of the engine. What was generated before has been given out.
pub fn generate(
    asker: &mut Asker,
    beginning: Beginning,
    sink: &mut dyn FnMut(&GeneratedReply, &str),
) -> Result<GeneratedText, QueryError> {
    let Beginning { ids, max_tokens, depth } = beginning;
    let request = Generate {
        begun: Vec::new(),
        named: Vec::new(),
        known: 0,
        prompt: ids.clone(),
        sampling: asker.settings.sampling.clone(),
        max_tokens: Some(max_tokens),
        depth,
        cancel: asker.cancel.clone(),
        in_force: Default::default(),
    };
    let vocab = Arc::clone(&asker.model.vocab);
    let mut reply = GeneratedReply::default();
    let (reason, _) = asker.client.run(Command::Generate(request), |event| {
        let grown = reply.take(&event, &vocab);
        if matches!(event, Event::Step { .. }) {
            sink(&reply, &grown);
        }
    })?;
    Ok(GeneratedText { prompt: ids, reply, reason })
}
