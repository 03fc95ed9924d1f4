//! Texts and conversations as ids, and where what is scored begins.

use super::windows;
use crate::chat::{ChatTemplate, Message, PromptToken};
use crate::continuation::Join;
use crate::continuation::{Encoded, Joined, after_nothing, join::nothing, joined};
use crate::engine::ModelInfo;
use crate::jinja::python::is_space;
use crate::probe::item::Rules;
use crate::probe::question::Prompt;
use crate::query::text::{self, TextError};
use crate::settings::Bos;
use crate::token::{TokenId, Vocab};

/// Tokens, of which those from an index on are scored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// All of them.
    pub tokens: Vec<TokenId>,
    /// The first one that is scored.
    pub from: usize,
    /// Whether a token holds the end of the context and the beginning of what is scored.
    pub spans_join: bool,
}

/// Tokenizes by the rules of one suite.
pub struct Encoder<'a> {
    model: &'a ModelInfo,
    join: Join,
    /// Without a BOS nothing stands for an empty context.
    bos: Bos,
    /// For raw text. The harness's tokenizers recognise special tokens in it.
    text: text::TextEncoder<'a>,
    /// Compiled when the first conversation comes.
    template: Option<ChatTemplate>,
    /// The last context that was tokenized alone: choices have it in common.
    last: Option<(String, Encoded)>,
}

impl<'a> Encoder<'a> {
    /// An encoder for a loaded model.
    ///
    /// # Errors
    /// [`TextError::NoBos`].
    pub fn new(model: &'a ModelInfo, rules: Rules, bos: Bos) -> Result<Encoder<'a>, TextError> {
        let text = text::TextEncoder::new(model, bos, rules.join == Join::Harness)?;
        Ok(Encoder { model, join: rules.join, bos, text, template: None, last: None })
    }

    /// Positions there are.
    pub fn context(&self) -> usize {
        self.model.context as usize
    }

    /// The model's vocabulary.
    pub fn vocab(&self) -> &'a Vocab {
        &self.model.vocab
    }

    /// How many layers the model has.
    pub fn layers(&self) -> usize {
        self.model.layers
    }

    fn encode(&self, text: &str) -> Result<Encoded, String> {
        self.text.encode(text.as_bytes()).map_err(|error| error.to_string())
    }

    /// The ids of a text, without BOS.
    fn tokens(&self, text: &str) -> Result<Vec<TokenId>, String> {
        let encoded = self.encode(text)?;
        Ok(encoded.ids().split_off(usize::from(encoded.has_bos)))
    }

    /// The ids of a prompt, as it is continued.
    pub fn prompt(&mut self, prompt: &Prompt) -> Result<Vec<TokenId>, String> {
        match prompt {
            Prompt::Text(text) if text.is_empty() && self.join == Join::Harness => {
                Ok(nothing(&self.model.vocab).into_iter().collect())
            }
            Prompt::Text(text) => Ok(self.encode(text)?.ids()),
            Prompt::Chat(messages) => self.chat(messages),
        }
    }

    /// Of each of a prompt's first tokens, whether somebody wrote it.
    pub fn typed(&mut self, prompt: &Prompt, count: usize) -> Result<Vec<bool>, String> {
        match prompt {
            Prompt::Text(_) => Ok(vec![true; count]),
            Prompt::Chat(messages) => Ok(self.rendered(messages)?.iter().map(|token| token.typed).collect()),
        }
    }

    /// A conversation up to the point where the model answers.
    fn chat(&mut self, messages: &[Message]) -> Result<Vec<TokenId>, String> {
        Ok(self.rendered(messages)?.into_iter().map(|token| token.id).collect())
    }

    fn rendered(&mut self, messages: &[Message]) -> Result<Vec<PromptToken>, String> {
        if self.template.is_none() {
            self.template =
                Some(ChatTemplate::of_model(self.model, None).map_err(|error| error.to_string())?);
        }
        let Some(template) = &self.template else { return Ok(Vec::new()) };
        let prompt = template.encode(messages, &*self.model.tokenizer, &self.model.vocab);
        let prompt = prompt.map_err(|error| error.to_string())?;
        Ok(prompt.tokens)
    }

    /// A text after a prompt.
    pub fn continuation(&mut self, prompt: &Prompt, text: &str) -> Result<Split, String> {
        match (prompt, self.join) {
            // A reply begins after the ids that the conversation has anyway.
            (Prompt::Chat(_), _) => {
                let mut tokens = self.prompt(prompt)?;
                let from = tokens.len();
                tokens.extend(self.tokens(text)?);
                Ok(Split { tokens, from, spans_join: false })
            }
            (Prompt::Text(context), Join::Harness) if context.is_empty() => match self.alone(text)? {
                Some(split) => Ok(split),
                None => Ok(Split { tokens: self.tokens(text)?, from: 0, spans_join: false }),
            },
            (Prompt::Text(context), join) => {
                let own = match join {
                    Join::Joint => context.as_str(),
                    Join::Harness => context.trim_end_matches(is_space),
                };
                let both = self.encode(&format!("{context}{text}"))?;
                let alone = self.context_alone(own)?;
                Ok(split(joined(both, alone, own.len(), join)))
            }
        }
    }

    fn context_alone(&mut self, context: &str) -> Result<&Encoded, String> {
        if self.last.as_ref().is_none_or(|(text, _)| text != context) {
            self.last = Some((context.to_string(), self.encode(context)?));
        }
        self.last.as_ref().map(|(_, tokens)| tokens).ok_or_else(String::new)
    }

    /// A text after nothing but the beginning of a sequence; `None` where nothing can stand for it.
    pub fn alone(&self, text: &str) -> Result<Option<Split>, String> {
        if self.join == Join::Joint && self.bos == Bos::Never {
            return Ok(None);
        }
        Ok(after_nothing(self.encode(text)?, &self.model.vocab).map(split))
    }

    /// The prompt itself.
    pub fn whole(&mut self, prompt: &Prompt) -> Result<Split, String> {
        let (tokens, from) = match prompt {
            Prompt::Text(text) => {
                let encoded = self.encode(text)?;
                (encoded.ids(), usize::from(encoded.has_bos))
            }
            Prompt::Chat(_) => (self.prompt(prompt)?, 0),
        };
        Ok(Split { tokens, from, spans_join: false })
    }

    /// A long text in windows, each of its tokens scored once.
    pub fn rolling(&self, text: &str) -> Result<Vec<Split>, String> {
        let mut tokens = self.tokens(text)?;
        let Some(nothing) = nothing(&self.model.vocab) else {
            return Ok(windows::rolling(&tokens, None, self.context()));
        };
        if tokens.first() == Some(&nothing) {
            tokens.remove(0);
        }
        Ok(windows::rolling(&tokens, Some(nothing), self.context()))
    }

    /// Where each piece of a scored text begins, in tokens counted from `split.from`. A token belongs
    /// to the piece in which its first byte lies.
    pub fn cuts(&self, split: &Split, pieces: &[&str]) -> Vec<usize> {
        let scored = &split.tokens[split.from..];
        let bytes = |id: &TokenId| self.model.vocab.bytes(*id).len();
        let text: usize = pieces.iter().map(|piece| piece.len()).sum();
        // What the tokens hold beyond the text stands before it: the rest of a spanned join, or a space
        // that the tokenizer puts there.
        let before = scored.iter().map(bytes).sum::<usize>().saturating_sub(text);
        let mut end = before;
        let mut cuts = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let mut position = 0;
            let first = scored.iter().position(|id| {
                let here = position;
                position += bytes(id);
                here.max(before) >= end
            });
            cuts.push(first.unwrap_or(scored.len()));
            end += piece.len();
        }
        cuts
    }
}

fn split(joined: Joined) -> Split {
    Split { tokens: joined.encoded.ids(), from: joined.from, spans_join: joined.spans_join }
}
