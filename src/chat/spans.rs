//! Which bytes of a rendered prompt came from which message.
//!
//! Found by rendering a second time with markers around the texts: where the result without its markers
//! is the same text, the markers tell the truth. A template that trims, or looks at what a message says,
//! can be put off by a marker; then other places for the markers are tried, for as few messages as
//! possible.

use std::collections::HashSet;
use std::ops::Range;

use serde_json::Value as Json;

use super::marks::{MarkedRegion, Marks, Owner, could_be_markers};
use super::prepare::{ContentSlot, Prepared};
use super::specials::Specials;
use super::template::ChatTemplate;
use super::{ChatError, Note};
use crate::jinja::python::is_space;

/// Renderings that are tried at most.
const MAX_RENDERINGS: usize = 200;

/// Where markers go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SpanLevel {
    /// Around the text.
    Around,
    /// Around the text without the white space at its ends, which many templates trim.
    Inside,
    /// In place of that.
    Instead,
    /// Around each piece between the markers that the template looks for, control tokens not among them.
    Pieces,
    /// Around each piece between all that the template may look for, control tokens too.
    SmallPieces,
    /// Around the literals of control tokens, to tell them from the template's own.
    Literals,
    Nowhere,
}

/// What is tried, first to last.
const ALONE: [SpanLevel; 6] = [
    SpanLevel::Around,
    SpanLevel::Inside,
    SpanLevel::Instead,
    SpanLevel::Pieces,
    SpanLevel::SmallPieces,
    SpanLevel::Literals,
];

/// What can be marked: a slot, or all other strings of a message, or the tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SlotUnit {
    Slot(usize),
    Fields(usize),
    Tools,
}

/// What came from where.
#[derive(Debug, Default)]
pub struct FoundSpan {
    /// From left to right, none overlapping another.
    pub regions: Vec<MarkedRegion>,
    /// What a person should know about it.
    pub notes: Vec<Note>,
}

/// Finds the messages' texts in a rendered conversation.
///
/// # Errors
/// [`ChatError::Inseparable`] where the literal of a control token in a message could be taken for the
/// template's own.
pub fn find(
    template: &ChatTemplate,
    prepared: &Prepared,
    specials: &Specials,
) -> Result<FoundSpan, ChatError> {
    let strings = prepared.messages.iter().chain([&prepared.extras.tools]).map(Json::to_string);
    let used = strings.chain([template.source().to_string()]);
    let used = used.flat_map(|text| could_be_markers(&text).collect::<Vec<_>>()).collect();
    let mut finder = Finder { template, prepared, specials, used, renderings: 0, levels: Vec::new() };
    let units = finder.units();
    finder.settle(&units);
    let regions = finder.render(&finder.levels.clone()).unwrap_or_else(|| finder.protect_only(&units));
    finder.finish(regions)
}

struct Finder<'a> {
    template: &'a ChatTemplate,
    prepared: &'a Prepared,
    specials: &'a Specials<'a>,
    used: HashSet<char>,
    renderings: usize,
    levels: Vec<(SlotUnit, SpanLevel)>,
}

impl Finder<'_> {
    fn text_of(&self, slot: &ContentSlot) -> &str {
        let content = &self.prepared.messages[slot.place]["content"];
        let string = slot.part.map_or(content, |part| &content[part]["text"]);
        string.as_str().and_then(|text| text.get(slot.range.clone())).unwrap_or_default()
    }

    fn is_reply(&self, slot: &ContentSlot) -> bool {
        self.prepared.messages[slot.place]["role"] == "assistant"
    }

    /// Everything that is to be marked. Fields and tools only where they hold a control token's literal.
    fn units(&self) -> Vec<SlotUnit> {
        let slots = self.prepared.slots.iter().enumerate();
        let slots = slots.filter(|(_, slot)| !slot.range.is_empty()).map(|(index, _)| SlotUnit::Slot(index));
        let places = 0..self.prepared.messages.len();
        let others = places.map(SlotUnit::Fields).chain([SlotUnit::Tools]);
        slots.chain(others.filter(|unit| self.literal_in(*unit).is_some())).collect()
    }

    /// The first literal of a control token in a unit that is no slot, if it reaches the prompt.
    fn literal_in(&self, unit: SlotUnit) -> Option<String> {
        match unit {
            SlotUnit::Slot(_) => None,
            SlotUnit::Tools => self.first_literal(&self.prepared.extras.tools),
            SlotUnit::Fields(place) => {
                fields(&self.prepared.messages[place]).find_map(|field| self.first_literal(field))
            }
        }
    }

    fn first_literal(&self, json: &Json) -> Option<String> {
        match json {
            Json::String(text) => {
                let literals = self.specials.controls(text).into_iter().map(|range| &text[range]);
                literals.into_iter().find(|literal| self.prepared.text.contains(*literal)).map(str::to_string)
            }
            Json::Array(items) => items.iter().find_map(|item| self.first_literal(item)),
            Json::Object(map) => map.values().find_map(|item| self.first_literal(item)),
            _ => None,
        }
    }

    /// Finds a level for every unit: the same for all if there is one, else half by half.
    fn settle(&mut self, units: &[SlotUnit]) {
        if units.is_empty() {
            return;
        }
        let alone = units.len() == 1;
        let levels = if alone { &ALONE[..] } else { &ALONE[..2] };
        for level in levels {
            if alone && !self.applies(units[0], *level) {
                continue;
            }
            let levels: Vec<_> = units.iter().map(|unit| (*unit, *level)).collect();
            if self.renderings < MAX_RENDERINGS && self.render(&levels).is_some() {
                self.levels.extend(levels);
                return;
            }
            self.renderings += 1;
        }
        if alone {
            self.levels.push((units[0], SpanLevel::Nowhere));
            return;
        }
        let (left, right) = units.split_at(units.len() / 2);
        self.settle(left);
        self.settle(right);
    }

    /// Only replies are marked in pieces: what a person says must be told from scaffold as a whole.
    fn applies(&self, unit: SlotUnit, level: SpanLevel) -> bool {
        match (unit, level) {
            (SlotUnit::Slot(index), SpanLevel::Pieces | SpanLevel::SmallPieces) => {
                self.is_reply(&self.prepared.slots[index])
            }
            (SlotUnit::Slot(_), _) => true,
            (SlotUnit::Fields(_) | SlotUnit::Tools, level) => level == SpanLevel::Around,
        }
    }

    /// The regions of control tokens' literals, when nothing else can be told.
    fn protect_only(&mut self, units: &[SlotUnit]) -> Vec<MarkedRegion> {
        self.levels = units.iter().map(|unit| (*unit, SpanLevel::Literals)).collect();
        self.render(&self.levels).unwrap_or_else(|| {
            self.levels = units.iter().map(|unit| (*unit, SpanLevel::Nowhere)).collect();
            Vec::new()
        })
    }

    /// Renders with markers; the regions between them, if the text is the same without them.
    fn render(&self, levels: &[(SlotUnit, SpanLevel)]) -> Option<Vec<MarkedRegion>> {
        let mut marks = Marks::avoiding(&self.used);
        let mut marked = self.prepared.clone();
        // From right to left, so that the places of the slots before stay right.
        for (unit, level) in levels.iter().rev() {
            match unit {
                SlotUnit::Slot(index) => self.mark_slot(&mut marks, &mut marked, *index, *level),
                SlotUnit::Fields(place) => {
                    let owner = Owner { message: None, typed: false };
                    let message = marked.messages[*place].as_object_mut();
                    for (name, value) in message.into_iter().flatten() {
                        if is_field(name, value) && *level != SpanLevel::Nowhere {
                            self.mark_literals(&mut marks, value, owner);
                        }
                    }
                }
                SlotUnit::Tools if *level == SpanLevel::Nowhere => {}
                SlotUnit::Tools => {
                    self.mark_literals(
                        &mut marks,
                        &mut marked.extras.tools,
                        Owner { message: None, typed: false },
                    );
                }
            }
        }
        let rendered = self.template.render_json(&marked.extras, &marked.messages).ok()?;
        let (text, regions) = marks.remove(&rendered)?;
        (text == self.prepared.text).then_some(regions)
    }

    fn mark_slot(&self, marks: &mut Marks, marked: &mut Prepared, index: usize, level: SpanLevel) {
        let slot = &self.prepared.slots[index];
        let content = &mut marked.messages[slot.place]["content"];
        let string = match slot.part {
            None => content,
            Some(part) => &mut content[part]["text"],
        };
        let Json::String(text) = string else { return };
        let typed = Owner { message: Some(slot.message), typed: true };
        let ranges = self.ranges(slot, level);
        for range in ranges.into_iter().rev() {
            match level {
                SpanLevel::Instead => marks.in_place(text, range, typed),
                SpanLevel::Literals => marks.around(text, range, Owner { typed: false, ..typed }),
                _ => marks.around(text, range, typed),
            }
        }
    }

    /// What to mark of a slot at a level, in the bytes of its string.
    fn ranges(&self, slot: &ContentSlot, level: SpanLevel) -> Vec<Range<usize>> {
        let text = self.text_of(slot);
        let shift = |range: Range<usize>| slot.range.start + range.start..slot.range.start + range.end;
        match level {
            SpanLevel::Nowhere => Vec::new(),
            SpanLevel::Around => vec![slot.range.clone()],
            SpanLevel::Inside | SpanLevel::Instead => {
                trimmed(text, 0..text.len()).map(shift).into_iter().collect()
            }
            SpanLevel::Literals => self.specials.controls(text).into_iter().map(shift).collect(),
            SpanLevel::Pieces | SpanLevel::SmallPieces => {
                let mut pieces = Vec::new();
                let mut from = 0;
                for literal in self.looked_for(text, level) {
                    pieces.push(from..literal.start);
                    from = literal.end;
                }
                pieces.push(from..text.len());
                pieces.into_iter().filter_map(|piece| trimmed(text, piece)).map(shift).collect()
            }
        }
    }

    /// What the template may look for in a text: its own markers, and the special tokens it writes.
    fn looked_for(&self, text: &str, level: SpanLevel) -> Vec<Range<usize>> {
        let source = self.template.source();
        let controls = self.specials.controls(text);
        let mut found = match level {
            SpanLevel::SmallPieces => controls.clone(),
            _ => Vec::new(),
        };
        found.retain(|range| source.contains(&text[range.clone()]));
        for marker in self.template.markers() {
            for (start, _) in text.match_indices(marker) {
                let place = start..start + marker.len();
                if !found.iter().chain(&controls).any(|range| overlap(range, &place)) {
                    found.push(place);
                }
            }
        }
        found.sort_by_key(|range| range.start);
        found
    }

    /// The literals of control tokens in a slot that no marker protects at a level.
    fn loose(&self, slot: &ContentSlot, level: SpanLevel) -> Vec<Range<usize>> {
        let text = self.text_of(slot);
        let mut controls = self.specials.controls(text);
        match level {
            SpanLevel::Nowhere => controls,
            SpanLevel::SmallPieces => {
                let outside = self.looked_for(text, level);
                controls.retain(|range| outside.contains(range));
                controls
            }
            _ => Vec::new(),
        }
    }

    /// Marks the literals of control tokens in every string below a value.
    fn mark_literals(&self, marks: &mut Marks, json: &mut Json, owner: Owner) {
        match json {
            Json::String(text) => {
                for range in self.specials.controls(text).into_iter().rev() {
                    marks.around(text, range, owner);
                }
            }
            Json::Array(items) => items.iter_mut().for_each(|item| self.mark_literals(marks, item, owner)),
            Json::Object(map) => map.values_mut().for_each(|item| self.mark_literals(marks, item, owner)),
            _ => {}
        }
    }

    /// Adds what must be said, and sees to it that no control token's literal is left unprotected.
    fn finish(self, regions: Vec<MarkedRegion>) -> Result<FoundSpan, ChatError> {
        let mut found = FoundSpan { regions, notes: Vec::new() };
        let mut unknown = Vec::new();
        for (unit, level) in &self.levels {
            let slot = match unit {
                SlotUnit::Slot(index) => &self.prepared.slots[*index],
                _ if *level != SpanLevel::Nowhere => continue,
                _ => {
                    let literal = self.literal_in(*unit).unwrap_or_default();
                    return Err(ChatError::Inseparable { message: None, literal });
                }
            };
            let text = self.text_of(slot);
            let blank = text.chars().all(is_space);
            for range in self.loose(slot, *level) {
                let literal = text[range].to_string();
                if !self.prepared.text.contains(&literal) {
                    continue;
                }
                if self.is_reply(slot) && self.template.source().contains(&literal) {
                    found.notes.push(Note::ControlKept { message: slot.message, literal });
                } else if !found.add_verbatim(&self.prepared.text, text, slot.message) {
                    return Err(ChatError::Inseparable { message: Some(slot.message), literal });
                }
            }
            let known = found
                .regions
                .iter()
                .any(|region| region.owner == Owner { message: Some(slot.message), typed: true });
            if !blank && !known && matches!(level, SpanLevel::Literals | SpanLevel::Nowhere) {
                unknown.push(slot.message);
            }
        }
        unknown.sort_unstable();
        unknown.dedup();
        found.notes.dedup();
        if !unknown.is_empty() {
            found.notes.push(Note::SpanUnknown { messages: unknown });
        }
        Ok(found)
    }
}

impl FoundSpan {
    /// Takes the places where a message's text stands as it is for that text. Whether there are any.
    fn add_verbatim(&mut self, rendered: &str, text: &str, message: usize) -> bool {
        let text = text.trim_matches(is_space);
        let owner = Owner { message: Some(message), typed: true };
        let mut any = false;
        for (start, _) in rendered.match_indices(text) {
            let range = start..start + text.len();
            let free = !self.regions.iter().any(|region| overlap(&region.range, &range));
            any |= free || self.regions.contains(&MarkedRegion { range: range.clone(), owner });
            if free {
                self.regions.push(MarkedRegion { range, owner });
            }
        }
        self.regions.sort_by_key(|region| region.range.start);
        any
    }
}

/// A message's fields but its content, and but a role that can't be mistaken for anything else.
fn fields(message: &Json) -> impl Iterator<Item = &Json> {
    let all = message.as_object().into_iter().flatten();
    all.filter(|(name, value)| is_field(name, value)).map(|(_, value)| value)
}

fn is_field(name: &str, value: &Json) -> bool {
    let word = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    match name {
        "content" => false,
        "role" => !value.as_str().is_some_and(word),
        _ => true,
    }
}

fn overlap(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start < other.end && other.start < one.end
}

/// A range without the white space at its ends; `None` if nothing is left.
fn trimmed(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    let part = &text[range.clone()];
    let start = range.start + part.len() - part.trim_start_matches(is_space).len();
    let end = range.end - (part.len() - part.trim_end_matches(is_space).len());
    (start < end).then_some(start..end)
}
