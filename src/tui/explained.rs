//! What the figures of a pane are, each with its own value in a sentence.

use crate::glossary;

use super::panels;
use super::state::State;

/// Those of the pane that has the keys.
pub fn explained(state: &State) -> Vec<String> {
    let figures = panels::of(state.focus).map_or_else(Vec::new, |panel| (panel.figures)(state));
    let sentence = |(name, value): (&str, String)| {
        let entry = glossary::entry(name)?;
        Some(format!("{} {value}: {}", entry.names[0], entry.text))
    };
    figures.into_iter().filter_map(sentence).collect()
}
