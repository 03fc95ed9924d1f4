//! Variants of a prompt, what each of them says of the target, and the other prompt that they borrow from.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
use std::str::FromStr;

use super::inspect::{inspect, must_have};
use super::subject::{Goal, Subject};
use crate::engine::look::{Found, LookFor, Variant, Variants};
use crate::query::{Asker, QueryError};
use crate::token::{TokenId, visible};

/// Another prompt of as many tokens.
#[derive(Clone, Debug, PartialEq)]
pub enum Corrupt {
    /// A text of its own.
    Text(Vec<u8>),
    /// The same prompt with other words in place of some tokens.
    Span {
        /// Which tokens.
        tokens: Range<usize>,
        /// The words.
        text: Vec<u8>,
    },
}

/// Tokens of a prompt, as a person names them: `FIRST:LAST`, or one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenSpan {
    first: usize,
    last: usize,
}

impl TokenSpan {
    /// The positions.
    pub fn tokens(self) -> Range<usize> {
        self.first..self.last + 1
    }
}

impl FromStr for TokenSpan {
    type Err = String;

    fn from_str(text: &str) -> Result<TokenSpan, String> {
        let (first, last) = text.split_once(':').unwrap_or((text, text));
        match (first.trim().parse::<usize>(), last.trim().parse::<usize>()) {
            (Ok(first), Ok(last)) if first <= last && last < usize::MAX => Ok(TokenSpan { first, last }),
            _ => Err("FIRST:LAST is wanted, positions counted from 0 that rise, or one position".to_string()),
        }
    }
}

/// What is computed of a prompt.
#[derive(Default)]
pub(super) struct LensVariants {
    pub asked: Vec<Variant>,
    pub controls: Vec<Variant>,
    pub other: Vec<TokenId>,
}

/// What came of a variant.
pub(super) enum VariantFigure {
    /// ln p of the target, or its difference to what it is compared with.
    Known(f64),
    /// This model has no such part.
    Missing { layer: usize, part: &'static str },
}

/// The ids of the other prompt, and where the two first differ.
pub(super) fn corrupted(
    asker: &Asker,
    subject: &Subject,
    corrupt: &Corrupt,
) -> Result<(Vec<TokenId>, usize), QueryError> {
    let ids = subject.ids();
    let encoder = asker.encoder(&asker.model, asker.settings.bos)?;
    let other: Vec<TokenId> = match corrupt {
        Corrupt::Text(text) => encoder.encode(text)?.pieces.iter().map(|piece| piece.id).collect(),
        Corrupt::Span { tokens, text } => {
            must_have("position", tokens.end - 1, ids.len())?;
            let encoded = encoder.encode(text)?;
            let within = encoded.pieces.iter().skip(usize::from(encoded.has_bos)).map(|piece| piece.id);
            let (has, needs) = (within.clone().count(), tokens.len());
            if has != needs {
                let what = |count: usize| if count == 1 { "token" } else { "tokens" };
                return Err(QueryError::Refused(format!(
                    "«{}» is {has} {} here, and «{}» is {needs}: write a text of {needs} {}",
                    visible(text),
                    what(has),
                    visible(&asker.model.vocab.concat(ids[tokens.clone()].iter().copied())),
                    what(needs)
                )));
            }
            let (before, behind) = (&ids[..tokens.start], &ids[tokens.end..]);
            before.iter().copied().chain(within).chain(behind.iter().copied()).collect()
        }
    };
    let first = ids.iter().zip(&other).take_while(|(a, b)| a == b).count();
    let shown = |ids: &[TokenId]| match ids.get(first) {
        Some(&id) => format!("«{}»", asker.model.vocab.visible(id)),
        None => "the end".to_string(),
    };
    if ids.len() != other.len() {
        return Err(QueryError::Refused(format!(
            "the prompts have {} and {} tokens, and must have as many: they first differ at position {first}, \
             {} against {}",
            ids.len(),
            other.len(),
            shown(&ids),
            shown(&other)
        )));
    }
    if first == ids.len() {
        return Err(QueryError::Refused("the two prompts are the same".to_string()));
    }
    Ok((other, first))
}

/// Computes variants; `each` is told what comes of them. `false`: it was stopped.
pub(super) fn figures(
    asker: &mut Asker,
    subject: &Subject,
    variants: &LensVariants,
    each: &mut dyn FnMut(usize, VariantFigure),
) -> Result<bool, QueryError> {
    let goals: Vec<&Goal> = subject.named().collect();
    // Texts of one token each are read of one distribution.
    if goals.iter().all(|goal| goal.ids.len() == 1) {
        let named: Vec<TokenId> = goals.iter().map(|goal| goal.ids[0]).collect();
        return pass((asker, subject, variants), (&named, &[]), &mut |index, told| {
            each(index, told.map_or_else(missing, |p| VariantFigure::Known(p[0] - p.get(1).unwrap_or(&0.0))));
        });
    }
    let mut firsts: BTreeMap<usize, VecDeque<f64>> = BTreeMap::new();
    for (pass_number, goal) in goals.iter().enumerate() {
        let then = &goal.ids[..goal.ids.len() - 1];
        let done = pass((asker, subject, variants), (&goal.ids, then), &mut |index, told| match told {
            Err(at) if pass_number == 0 => each(index, missing(at)),
            Err(_) => {}
            Ok(logprobs) => {
                let sum: f64 = logprobs.iter().sum();
                if goals.len() == 1 {
                    each(index, VariantFigure::Known(sum));
                } else if pass_number == 0 {
                    firsts.entry(index).or_default().push_back(sum);
                } else if let Some(first) = firsts.get_mut(&index).and_then(VecDeque::pop_front) {
                    each(index, VariantFigure::Known(first - sum));
                }
            }
        })?;
        if !done {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A part that this model has not, and the layer that lacks it.
struct Absent {
    layer: usize,
    part: &'static str,
}

fn missing(Absent { layer, part }: Absent) -> VariantFigure {
    VariantFigure::Missing { layer, part }
}

/// Computes variants before a goal: each one's ln p of what is named.
fn pass(
    (asker, subject, variants): (&mut Asker, &Subject, &LensVariants),
    (named, then): (&[TokenId], &[TokenId]),
    each: &mut dyn FnMut(usize, Result<Vec<f64>, Absent>),
) -> Result<bool, QueryError> {
    let look = LookFor::Variants(Variants {
        variants: variants.asked.clone(),
        controls: variants.controls.clone(),
        other: variants.other.clone(),
        then: then.to_vec(),
    });
    inspect(asker, (&subject.ids(), named), look, &mut |index, found| match found {
        Found::Reading(reading) => {
            each(index, Ok(reading.named.iter().map(|named| f64::from(named.logprob)).collect()));
        }
        Found::Missing { layer, part } => each(index, Err(Absent { layer, part })),
        Found::Rows { .. } | Found::Share { .. } | Found::Weights { .. } => {}
    })
}

/// What a model lacks, said once for all the layers that lack it.
#[derive(Debug, Default)]
pub(super) struct Lacking(BTreeMap<&'static str, BTreeSet<usize>>);

impl Lacking {
    pub fn add(&mut self, layer: usize, part: &'static str) {
        self.0.entry(part).or_default().insert(layer);
    }

    /// The first, for an error.
    pub fn first(&self) -> Option<(usize, &'static str)> {
        self.0.iter().find_map(|(&part, layers)| Some((*layers.first()?, part)))
    }

    pub fn told(&self) -> Vec<String> {
        let line = |(part, layers): (&&'static str, &BTreeSet<usize>)| match (layers.first(), layers.last()) {
            (Some(first), Some(last)) if first == last => {
                format!("this model has no {part} in layer {first}")
            }
            (Some(first), Some(last)) => {
                format!("this model has no {part} in {} layers, {first} to {last}", layers.len())
            }
            _ => String::new(),
        };
        self.0.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Lacking;

    #[test]
    fn a_layer_that_lacks_a_part_counts_once_however_often_it_is_asked_for() {
        let mut lacking = Lacking::default();
        [0, 1, 2, 0, 1, 2].iter().for_each(|layer| lacking.add(*layer, "head"));
        lacking.add(1, "sum");
        let told = ["this model has no head in 3 layers, 0 to 2", "this model has no sum in layer 1"];
        assert_eq!((lacking.told(), lacking.first()), (told.map(String::from).to_vec(), Some((0, "head"))));
    }
}
