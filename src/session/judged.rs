//! A verdict as JSON has it.

use serde::Serialize;

use super::judgement::{JudgedToken, Judgement};
use crate::archive::event::VerdictScope;
use crate::token::text_of;

/// The name that JSON and files have.
pub fn scope(of: VerdictScope) -> &'static str {
    match of {
        VerdictScope::Token => "token",
        VerdictScope::Span => "span",
        VerdictScope::Reply => "reply",
    }
}

/// A verdict with its tokens' figures.
#[derive(Debug, Serialize)]
pub struct VerdictRecord<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    pub scope: &'static str,
    pub right: bool,
    note: Option<&'a str>,
    /// Numbers of the first and the last token in the session's tree.
    nodes: [u32; 2],
    pub text: String,
    pub tokens: usize,
    pub sum_logprob: Option<f64>,
    pub final_prob: Option<f32>,
    pub weakest: Option<WeakestRecord>,
}

#[derive(Debug, Serialize)]
pub struct WeakestRecord {
    pub token: String,
    pub logprob: Option<f32>,
}

impl<'a> VerdictRecord<'a> {
    /// Of a session and a model by their names, or of the conversation at hand.
    pub fn new(one: &'a Judgement, of: Option<[&'a str; 2]>) -> VerdictRecord<'a> {
        let node = |token: Option<&JudgedToken>| token.map_or(0, |token| token.node.0);
        VerdictRecord {
            session: of.map(|[session, _]| session),
            model: of.map(|[_, model]| model),
            scope: scope(one.scope),
            right: one.right,
            note: one.note.as_deref(),
            nodes: [node(one.tokens.first()), node(one.tokens.last())],
            text: text_of(&one.text()),
            tokens: one.tokens.len(),
            sum_logprob: one.sum_logprob().filter(|sum| sum.is_finite()),
            final_prob: one.tokens.first().filter(|_| one.tokens.len() == 1).and_then(|token| token.after),
            weakest: one.weakest().map(|(token, logprob)| WeakestRecord {
                token: text_of(&token.bytes),
                logprob: Some(logprob).filter(|logprob| logprob.is_finite()),
            }),
        }
    }
}
