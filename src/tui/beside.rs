//! A second model that follows the first one's tokens: what it is asked, and when.
//!
//! It reads what the first one has, one request after the other, as far as that has come. The exact divergence
//! takes both models once more; it waits until the conversation rests.

pub mod held;
pub mod wish;

use std::sync::Arc;

use super::msg::Effect;
use super::state::State;
use crate::session::Notice;
use crate::step::Step;
use crate::token::TokenId;
use held::FirstModel;
use wish::{BesideNews, Following};

/// Takes what is new of the model.
pub fn on_news(state: &mut State, news: BesideNews) {
    let coming = match news {
        BesideNews::Fetch(fetch) => Some(match fetch.total {
            Some(total) => format!("{} {} %", fetch.what, 100 * fetch.done / total.max(1)),
            None => fetch.what,
        }),
        BesideNews::Share(share) => Some(format!("loading {:.0} %", share * 100.0)),
        BesideNews::Ready(model) => {
            state.beside.model = Some(model);
            None
        }
        BesideNews::Lost(reason) => {
            state.beside.model = None;
            state.beside.failed = Some(reason.clone());
            state.tell(Notice::Error(reason));
            None
        }
    };
    state.beside.coming = coming;
}

/// Takes what the model made of what it read.
pub fn on_followed(state: &mut State, number: u32, found: Result<Box<Following>, String>) {
    let before = state.beside.refused().is_some();
    state.beside.take(number, found.map(|found| *found));
    if let Some(reason) = state.beside.refused().filter(|_| !before).map(str::to_string) {
        state.tell(Notice::Error(reason));
    }
}

/// What is to be done for it now.
pub fn tend(state: &mut State) -> Vec<Effect> {
    let Some(name) = state.beside.name.clone() else { return Vec::new() };
    let Some(first) = state.session.model().cloned() else { return Vec::new() };
    if !state.beside.begun {
        // After the first model, so that it is known what memory is left.
        state.beside.begun = true;
        return vec![Effect::LoadBeside(name)];
    }
    let ids: Vec<TokenId> = state.session.sequence().tokens().map(|token| token.id).collect();
    let rests = !state.session.is_busy() && state.session.sequence().in_force().spans().is_empty();
    let (bos, depth) = (state.session.settings().bos, state.session.depth());
    state.beside.meet(&first.vocab, &ids);
    let Some(mut wish) = state.beside.wish(&ids, rests) else { return Vec::new() };
    (wish.bos, wish.depth) = (bos.token(&wish.model.vocab), depth);
    let (number, cancel) = state.beside.ask(&wish);
    vec![Effect::Follow(number, Box::new(wish), cancel)]
}

/// The first model's tokens and their steps.
pub struct FirstTokens {
    /// The tokens.
    pub ids: Vec<TokenId>,
    /// A step each, once it is computed.
    pub steps: Vec<Option<Arc<Step>>>,
}

impl FirstTokens {
    /// As they are now.
    pub fn of(state: &State) -> FirstTokens {
        let both = state.session.sequence().tokens().map(|token| (token.id, token.step.clone()));
        let (ids, steps) = both.unzip();
        FirstTokens { ids, steps }
    }

    /// The first model's side.
    pub fn side<'a>(&'a self, state: &'a State) -> Option<FirstModel<'a>> {
        Some(FirstModel { vocab: state.session.vocab()?, steps: &self.steps, ids: &self.ids })
    }
}

#[cfg(test)]
mod tests;
