//! What every form of file is read into: a vocabulary of what occurs in it, and interventions by their names.

use std::sync::Arc;

use super::LARGEST_VOCABULARY;
use crate::intervention::{Intervention, Interventions};
use crate::model::control;
use crate::token::{SpecialTokens, TokenId, Vocab, VocabEntry};

/// Interventions as they are written, their vectors read. One whose file is gone can't be added again, which is
/// noted in `unread`; what was computed under it stays what it is.
pub(super) fn interventions(names: &[String], unread: &mut Vec<String>) -> Result<Interventions, String> {
    let read = names.iter().map(|name| {
        let mut one = name.parse::<Intervention>()?;
        if let Intervention::Steer(dose) = &mut one
            && let Err(reason) = control::read_dose(dose)
            && !unread.contains(&reason)
        {
            unread.push(reason);
        }
        Ok(one)
    });
    read.collect()
}

/// The vocabulary of a file: of what does not occur in it, nothing.
pub(super) fn vocabulary(size: Option<usize>, spelled: Vec<(TokenId, VocabEntry)>) -> Arc<Vocab> {
    let largest = spelled.iter().map(|(id, _)| id.index() + 1).max().unwrap_or(0);
    let mut entries = vec![VocabEntry::default(); size.unwrap_or(largest).clamp(largest, LARGEST_VOCABULARY)];
    for (id, entry) in spelled {
        entries[id.index()] = entry;
    }
    Arc::new(Vocab::new(entries, SpecialTokens::default()))
}
