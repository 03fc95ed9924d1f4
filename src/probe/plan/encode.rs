//! Texts and conversations as ids, and where what is scored begins.

use super::windows;
use crate::chat::{ChatTemplate, Message};
use crate::engine::ModelInfo;
use crate::jinja::python::is_space;
use crate::probe::item::{Join, Prompt, Rules};
use crate::settings::Bos;
use crate::token::TokenId;

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
    bos: Bos,
    /// Compiled when the first conversation comes.
    template: Option<ChatTemplate>,
    /// The last context that was tokenized alone: choices have it in common.
    last: Option<(String, Vec<TokenId>)>,
}

impl<'a> Encoder<'a> {
    /// An encoder for a loaded model.
    pub fn new(model: &'a ModelInfo, rules: Rules, bos: Bos) -> Encoder<'a> {
        Encoder { model, join: rules.join, bos, template: None, last: None }
    }

    /// Positions there are.
    pub fn context(&self) -> usize {
        self.model.context as usize
    }

    /// The ids of a text alone. The harness's tokenizers recognise special tokens in it.
    fn tokens(&self, text: &str) -> Vec<TokenId> {
        self.model.tokenizer.tokenize(text.as_bytes(), self.join == Join::Harness)
    }

    /// What goes before a raw text.
    fn beginning(&self, text: &str) -> Option<TokenId> {
        let special = self.model.vocab.special();
        let wanted = match self.bos {
            Bos::Auto => special.add_bos,
            Bos::Always => true,
            Bos::Never => false,
        };
        let bos = special.bos.filter(|_| wanted)?;
        let doubled = self.join == Join::Harness && text.as_bytes().starts_with(self.model.vocab.bytes(bos));
        (!doubled).then_some(bos)
    }

    /// What stands for an empty context: BOS, or EOS where there is none.
    fn nothing(&self) -> Option<TokenId> {
        let special = self.model.vocab.special();
        special.bos.or(special.eos)
    }

    /// The ids of a prompt, as it is continued.
    pub fn prompt(&mut self, prompt: &Prompt) -> Result<Vec<TokenId>, String> {
        match prompt {
            Prompt::Text(text) if text.is_empty() && self.join == Join::Harness => {
                Ok(self.nothing().into_iter().collect())
            }
            Prompt::Text(text) => Ok(self.beginning(text).into_iter().chain(self.tokens(text)).collect()),
            Prompt::Chat(messages) => self.chat(messages),
        }
    }

    /// A conversation up to the point where the model answers.
    fn chat(&mut self, messages: &[Message]) -> Result<Vec<TokenId>, String> {
        if self.template.is_none() {
            self.template =
                Some(ChatTemplate::of_model(self.model, None).map_err(|error| error.to_string())?);
        }
        let Some(template) = &self.template else { return Ok(Vec::new()) };
        let prompt = template.encode(messages, &*self.model.tokenizer, &self.model.vocab);
        let prompt = prompt.map_err(|error| error.to_string())?;
        Ok(prompt.tokens.into_iter().map(|token| token.id).collect())
    }

    /// A text after a prompt.
    pub fn continuation(&mut self, prompt: &Prompt, text: &str) -> Result<Split, String> {
        match (prompt, self.join) {
            // A reply begins after the ids that the conversation has anyway.
            (Prompt::Chat(_), _) => {
                let mut tokens = self.prompt(prompt)?;
                let from = tokens.len();
                tokens.extend(self.tokens(text));
                Ok(Split { tokens, from, spans_join: false })
            }
            (Prompt::Text(context), Join::Joint) => Ok(self.joint(context, text)),
            (Prompt::Text(context), Join::Harness) if context.is_empty() => Ok(self.alone(text)),
            (Prompt::Text(context), Join::Harness) => Ok(self.harness(context, text)),
        }
    }

    fn context_alone(&mut self, context: &str) -> Vec<TokenId> {
        match &self.last {
            Some((text, tokens)) if text == context => tokens.clone(),
            _ => {
                let tokens = self.tokens(context);
                self.last = Some((context.to_string(), tokens.clone()));
                tokens
            }
        }
    }

    /// The continuation begins where the ids differ from the context's own.
    fn joint(&mut self, context: &str, text: &str) -> Split {
        let alone = self.context_alone(context);
        let whole = self.tokens(&format!("{context}{text}"));
        let same = alone.iter().zip(&whole).take_while(|(a, b)| a == b).count();
        let bos = self.beginning(context);
        let from = same + usize::from(bos.is_some());
        Split { tokens: bos.into_iter().chain(whole).collect(), from, spans_join: same < alone.len() }
    }

    /// As lm-evaluation-harness does it: white space at the context's end belongs to the continuation,
    /// which begins after as many ids as the context has alone.
    fn harness(&mut self, context: &str, text: &str) -> Split {
        let trimmed = context.trim_end_matches(is_space);
        let whole_text = format!("{context}{text}");
        let alone = self.context_alone(trimmed);
        let whole = self.tokens(&whole_text);
        let spans_join = !whole.starts_with(&alone);
        let bos = self.beginning(&whole_text);
        let from = alone.len() + usize::from(bos.is_some());
        Split { tokens: bos.into_iter().chain(whole).collect(), from, spans_join }
    }

    /// A text after nothing but the beginning of a sequence.
    pub fn alone(&mut self, text: &str) -> Split {
        let mut tokens = self.tokens(text);
        if let Some(nothing) = self.nothing()
            && tokens.first() != Some(&nothing)
        {
            tokens.insert(0, nothing);
        }
        Split { tokens, from: usize::from(self.nothing().is_some()), spans_join: false }
    }

    /// The prompt itself.
    pub fn whole(&mut self, prompt: &Prompt) -> Result<Split, String> {
        let tokens = self.prompt(prompt)?;
        let from = match prompt {
            Prompt::Text(text) => usize::from(self.beginning(text).is_some()),
            Prompt::Chat(_) => 0,
        };
        Ok(Split { tokens, from, spans_join: false })
    }

    /// A long text in windows, each of its tokens scored once.
    pub fn rolling(&self, text: &str) -> Vec<Split> {
        let mut tokens = self.tokens(text);
        let Some(nothing) = self.nothing() else { return windows::rolling(&tokens, None, self.context()) };
        if tokens.first() == Some(&nothing) {
            tokens.remove(0);
        }
        windows::rolling(&tokens, Some(nothing), self.context())
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
