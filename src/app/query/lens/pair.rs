//! A minimal pair of a suite, as two prompts for a trace.

use super::items::LensItem;
use crate::app::failure::Failure;
use crate::probe::item::{Item, Suite};
use crate::probe::load::{self, Selection};
use crate::probe::question::Prompt;
use crate::text::nearest;
use crate::token::printable;

/// Reads `SUITE:ID`.
///
/// # Errors
/// No such suite or item, or an item that is no pair.
pub(super) fn read(text: &str) -> Result<LensItem, Failure> {
    let wrong = |what: String| Failure::usage(format!("--pair {}: {what}", printable(text)));
    let shape = || wrong("SUITE:ID is wanted, as layers.en:moves-France-Italy".to_string());
    let mut first = None;
    // A suite's path and an item's id may hold colons.
    for (at, _) in text.match_indices(':') {
        let (name, id) = (&text[..at], &text[at + 1..]);
        match load::read(name, &Selection::default()) {
            Ok(suites) => return of_suites(&suites, id).map_err(wrong),
            Err(error) => {
                first.get_or_insert(error);
            }
        }
    }
    Err(first.map_or_else(shape, Failure::from))
}

fn of_suites(suites: &[Suite], id: &str) -> Result<LensItem, String> {
    let items = || suites.iter().flat_map(|suite| &suite.items);
    let Some(item) = items().find(|item| item.id == id) else {
        let ids: Vec<&str> = items().filter(|item| of(item).is_ok()).map(|item| item.id.as_str()).collect();
        let hint = match nearest(id, ids.iter().copied()) {
            Some(near) => format!("did you mean {near}?"),
            None if ids.is_empty() => "it has none that is a minimal pair".to_string(),
            None => format!("its pairs are {}", shortened(&ids)),
        };
        return Err(format!("the suite has no such item; {hint}"));
    };
    of(item)
}

fn shortened(ids: &[&str]) -> String {
    const MOST: usize = 12;
    let more = if ids.len() > MOST { " …" } else { "" };
    format!("{}{more}", ids.iter().take(MOST).copied().collect::<Vec<_>>().join(", "))
}

/// The two prompts, and what the first of them is asked.
fn of(item: &Item) -> Result<LensItem, String> {
    let questions = &item.questions;
    let [clean, corrupt] = match &questions.prompts[..] {
        [Prompt::Text(clean), Prompt::Text(corrupt)] if questions.compares => [clean, corrupt],
        [Prompt::Chat(_), ..] => {
            return Err("its prompts are conversations, and texts are wanted".to_string());
        }
        _ => return Err("it is no minimal pair: a probe with `prompt` and `versus` is wanted".to_string()),
    };
    let choice = |index: usize| questions.choices.get(index).map(|choice| choice.continuation.clone());
    let right = questions.gold.first();
    let other = (0..questions.choices.len()).find(|index| Some(*index) != right);
    Ok(LensItem {
        clean: Some(clean.clone()),
        prompt: Some(clean.clone()),
        corrupt: Some(corrupt.clone()),
        target: questions.target.clone().or_else(|| right.and_then(choice)),
        // Without a right choice no other one is wrong.
        versus: right.and(other).and_then(choice),
        place: item.id.clone(),
        ..LensItem::default()
    })
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn an_item_of_a_suite_is_a_pair() {
        let found = read("layers.en:moves-France-Italy").unwrap();
        assert_eq!(found.clean.as_deref(), Some("The capital of France is"));
        assert_eq!(found.corrupt.as_deref(), Some("The capital of Italy is"));
        assert_eq!(found.target.as_deref(), Some(" Paris"));
    }

    #[test]
    fn what_is_none_is_said() {
        for (text, said) in [
            ("layers.en", "--pair layers.en: SUITE:ID is wanted, as layers.en:moves-France-Italy"),
            ("layers.en:moves-France-Itly", "did you mean moves-France-Italy?"),
            ("layers.en:rank-france", "it is no minimal pair: a probe with `prompt` and `versus` is wanted"),
            ("layrs.en:x", "did you mean layers.en?"),
        ] {
            let error = read(text).unwrap_err().message;
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
