//! What commands ask of one step: what if, how probable, which tokens; and those that find a step.

use super::branching::{StepPlace, place};
use super::unread::{Unread, wrong};
use crate::settings::key::SettingKey;
use crate::step::Doubt;

/// What is asked of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum StepCommand {
    /// What a sampler would make of it, with these settings changed.
    WhatIf(Vec<(SettingKey, String)>),
    /// How probable a text is there.
    Text(String),
    /// Which tokens hold these letters.
    Holding(String),
}

/// A question, and the step it is about where one is named.
pub(super) type Placed = (Option<StepPlace>, StepCommand);

/// A step that is named first, and the rest. One space follows the name; what comes behind it is the text's.
fn placed(text: &str) -> Result<(Option<StepPlace>, &str), Unread> {
    let Some(rest) = text.trim_start().strip_prefix('@') else { return Ok((None, text)) };
    let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    match place(name) {
        Some((place, 0)) => Ok((Some(place), rest)),
        _ => wrong("after @ write the number of a token of the reply, or p and one of the prompt: @12, @p3"),
    }
}

/// `[@STEP] [SETTING VALUE …]`, with an equals sign or a space between the two.
pub(super) fn what_if(text: &str) -> Result<Placed, Unread> {
    let (place, rest) = placed(text)?;
    let mut words = rest.split([' ', '=', '\t']).filter(|word| !word.is_empty()).peekable();
    let mut changes = Vec::new();
    while let Some(name) = words.next() {
        let key = SettingKey::named(name).or_else(|error| wrong(error.to_string()))?;
        if !key.is_of_sampler() {
            return wrong(format!("{name} changes nothing about a step"));
        }
        let value = words.next_if(|next| key != SettingKey::Greedy || SettingKey::named(next).is_err());
        let value = match (value, key) {
            (Some(value), _) => value,
            (None, SettingKey::Greedy) => "on",
            (None, _) => return wrong(format!("{name} needs a value: {}", key.range())),
        };
        changes.push((key, value.to_string()));
    }
    Ok((place, StepCommand::WhatIf(changes)))
}

/// `[@STEP] TEXT`.
pub(super) fn text(text: &str) -> Result<Placed, Unread> {
    named(text, StepCommand::Text)
}

/// `[@STEP] LETTERS`.
pub(super) fn holding(text: &str) -> Result<Placed, Unread> {
    named(text, StepCommand::Holding)
}

fn named(text: &str, asked: fn(String) -> StepCommand) -> Result<Placed, Unread> {
    match placed(text)? {
        (_, "") => Err(Unread::Missing),
        (place, text) => Ok((place, asked(text.to_string()))),
    }
}

/// A text as it is, or nothing.
pub(super) fn pin(text: &str) -> Option<String> {
    match text.trim() {
        "" => None,
        "off" => Some("off".to_string()),
        _ => Some(text.to_string()),
    }
}

/// A measure, or nothing.
pub(super) fn doubt(text: &str) -> Result<Option<Doubt>, Unread> {
    match text.trim() {
        "" => Ok(None),
        name => Doubt::named(name)
            .map_or_else(|| wrong("write surprisal, margin or entropy"), |found| Ok(Some(found))),
    }
}

/// A probability, as a share or in percent; nothing is off.
pub(super) fn flag(text: &str) -> Result<Option<f64>, Unread> {
    let text = text.trim();
    let share = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().map(|percent| percent / 100.0),
        None => text.parse(),
    };
    match (text, share) {
        ("", _) => Err(Unread::Missing),
        ("off" | "none", _) => Ok(None),
        (_, Ok(share)) if share > 0.0 && share <= 1.0 => Ok(Some(share)),
        _ => wrong("write a probability above 0 and at most 1, such as 0.01 or 1%, or off"),
    }
}
