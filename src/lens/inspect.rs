//! Asking the engine what lies between the layers.

use crate::distribution::Depth;
use crate::engine::look::{Found, Inspect, LookFor};
use crate::engine::{Command, Event, FinishReason};
use crate::query::{Asker, QueryError};
use crate::token::TokenId;

/// Asks the engine to look between the layers; `each` is given what it finds. `false`: it was stopped.
///
/// # Errors
/// [`QueryError`].
pub fn inspect(
    asker: &mut Asker,
    (tokens, named): (&[TokenId], &[TokenId]),
    look: LookFor,
    each: &mut dyn FnMut(usize, Found),
) -> Result<bool, QueryError> {
    // Of variants only what is named is looked at.
    let depth = if matches!(look, LookFor::Variants(_)) { Depth::Count(1) } else { asker.settings.k };
    let request = Inspect {
        tokens: tokens.to_vec(),
        look,
        named: named.to_vec(),
        depth,
        cancel: asker.cancel.clone(),
        interventions: Default::default(),
    };
    let (reason, _) = asker.client.run(Command::Inspect(request), |event| {
        if let Event::Found { index, found } = event {
            each(index, *found);
        }
    })?;
    Ok(reason == FinishReason::Stop)
}

/// Refuses a layer, head or position that is not there.
pub(super) fn must_have(what: &str, asked: usize, count: usize) -> Result<(), QueryError> {
    let whose = if what == "position" { "the prompt" } else { "this model" };
    let last = count.saturating_sub(1);
    let refused = || format!("there is no {what} {asked}: {whose} has {what}s 0 to {last}");
    if asked < count { Ok(()) } else { Err(QueryError::Refused(refused())) }
}
