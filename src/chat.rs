use crate::engine::Tokenize;
use crate::token::*;
use std::ops::Range;
pub mod system {
    pub fn names() -> impl Iterator<Item = &'static str> {
        ["concise"].into_iter()
    }
    pub fn lookup(_n: &str) -> Option<&'static str> {
        None
    }
}
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    System,
    User,
    Assistant,
}
#[derive(Clone, Debug)]
pub struct Message {
    pub role: Role,
    pub content: String,
    pub reply: Option<Vec<TokenId>>,
}
pub struct PromptToken {
    pub id: TokenId,
    pub start: usize,
    pub end: usize,
    pub typed: bool,
    pub message: Option<usize>,
}
pub struct Prompt {
    pub tokens: Vec<PromptToken>,
    pub text: String,
    pub spans: Vec<Range<usize>>,
    pub notes: Vec<String>,
}
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TemplateError(pub String);
pub struct ChatTemplate;
impl ChatTemplate {
    pub fn new(_s: &str, _b: &str, _e: &str) -> Result<Self, TemplateError> {
        Ok(ChatTemplate)
    }
    pub fn encode(&self, m: &[Message], t: &dyn Tokenize, v: &Vocab) -> Result<Prompt, TemplateError> {
        let mut tokens = vec![];
        let mut text = String::new();
        let mut spans = vec![];
        let push =
            |s: &str, tokens: &mut Vec<PromptToken>, text: &mut String, typed: bool, i: Option<usize>| {
                for id in t.tokenize(s.as_bytes(), !typed) {
                    let a = text.len();
                    let e = a + v.bytes(id).len();
                    text.push_str(&v.text(id));
                    tokens.push(PromptToken { id, start: a, end: e, typed, message: i });
                }
            };
        for (i, m) in m.iter().enumerate() {
            let r = match m.role {
                Role::System => "system",
                Role::User => "user",
                _ => "assistant",
            };
            push(&format!("<|im_start|>{r}\n"), &mut tokens, &mut text, false, None);
            let a = tokens.len();
            if let Some(ids) = &m.reply {
                for &id in ids {
                    let st = text.len();
                    text.push_str(&v.text(id));
                    tokens.push(PromptToken {
                        id,
                        start: st,
                        end: text.len(),
                        typed: true,
                        message: Some(i),
                    });
                }
            } else {
                push(&m.content, &mut tokens, &mut text, true, Some(i));
            }
            spans.push(a..tokens.len());
            push("<|im_end|>\n", &mut tokens, &mut text, false, None);
        }
        push("<|im_start|>assistant\n", &mut tokens, &mut text, false, None);
        Ok(Prompt { tokens, text, spans, notes: vec![] })
    }
}
