//! `/expand`: how far, and what.

use super::branching::StepPlace;
use super::unread::{Unread, wrong};
use crate::query::expand::search::{ExpandLimits, floor};

/// What is to be expanded.
#[derive(Clone, Debug, PartialEq)]
pub enum Expanded {
    /// What may come after a text.
    Text(String),
    /// What could stand at a place of the conversation; where none is named, at the cursor, or else in place
    /// of the last reply.
    Place(Option<StepPlace>),
}

impl Expanded {
    /// Where no place was named, it is the token at this position of the conversation.
    pub fn at_cursor(&mut self, position: usize) {
        if *self == Expanded::Place(None) {
            *self = Expanded::Place(Some(StepPlace::Position(position)));
        }
    }
}

/// The limits and what is expanded, or what would be right.
pub(super) fn read(text: &str) -> Result<(ExpandLimits, Expanded), Unread> {
    let mut limits = ExpandLimits::default();
    let mut rest = text;
    while rest.trim_start().starts_with("--") {
        let (flag, after) = word(rest.trim_start());
        let (name, value, after) = match flag.split_once('=') {
            Some((name, value)) => (name, value, after),
            None => {
                let (value, after) = word(after.trim_start());
                (flag, value, after)
            }
        };
        rest = after;
        let number = || value.parse::<usize>().map_err(|_| format!("{name} needs a number, as {name} 4"));
        match name {
            "--depth" => limits.depth = number()?,
            "--width" => limits.width = number()?,
            "--nodes" => limits.nodes = number()?,
            "--floor" => limits.floor = floor(value).map_err(|what| format!("{name}: {what}"))?,
            _ => return wrong(format!("{name} is no flag here: --depth, --width, --floor and --nodes are")),
        }
    }
    limits.check()?;
    let rest = rest.strip_prefix(' ').unwrap_or(rest);
    let place = rest.trim();
    let what = if place.is_empty() {
        Expanded::Place(None)
    } else if let Some(place) = place.strip_prefix('@') {
        let (of_prompt, number) = place.strip_prefix('p').map_or((false, place), |number| (true, number));
        let number: Option<usize> = number.parse().ok().filter(|&number| number > 0);
        let number = number.ok_or(
            "write @ and the number of a token of the reply, or @p and one of the prompt, from 1 on",
        )?;
        Expanded::Place(Some(if of_prompt { StepPlace::Prompt(number) } else { StepPlace::Step(number) }))
    } else {
        Expanded::Text(rest.to_string())
    };
    Ok((limits, what))
}

/// The first word and what follows it.
fn word(text: &str) -> (&str, &str) {
    text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_stand_before_a_text_that_stays_as_it_is_or_a_place() {
        let (limits, what) = read("--depth 3 --width=7 --floor 1%  a b ").unwrap();
        assert_eq!((limits.depth, limits.width, limits.floor), (3, 7, 0.01));
        assert_eq!(what, Expanded::Text(" a b ".to_string()));
        assert_eq!(read("").unwrap(), (ExpandLimits::default(), Expanded::Place(None)));
        assert_eq!(read(" @3 ").unwrap().1, Expanded::Place(Some(StepPlace::Step(3))));
        assert_eq!(read("--nodes 9 @p2").unwrap().1, Expanded::Place(Some(StepPlace::Prompt(2))));
        for (wrong, said) in [
            ("--depth", "--depth needs a number"),
            ("--depth 0 a", "from 1 to"),
            ("--width x a", "--width needs a number"),
            ("--floor 1 a", "below 1"),
            ("--floor -0.1 a", "from 0"),
            ("--floor nan a", "from 0"),
            ("--breadth 3 a", "--breadth is no flag"),
            ("@0", "from 1 on"),
            ("@x", "from 1 on"),
        ] {
            let error = format!("{:?}", read(wrong).unwrap_err());
            assert!(error.contains(said), "{wrong}: {error}");
        }
    }
}
