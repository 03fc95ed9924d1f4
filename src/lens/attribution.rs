//! Direct logit attribution: the share of each addend of the residual stream in the target's logit.
//!
//! What a part does by way of later parts counts for those; the last norm's divisor is held still.

use super::inspect::inspect;
use super::subject::Subject;
use crate::engine::look::{Addend, Found, LookFor, Part};
use crate::query::{Asker, QueryError};

/// The shares.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribution {
    /// Every addend's share in the logit, or in the difference to what the target is compared with: the
    /// embedding, attention and feed-forward network by layer, then the heads.
    pub parts: Vec<(Addend, f64)>,
    /// The model's own.
    pub logit: f64,
}

impl Attribution {
    /// What embedding, attention and feed-forward networks add up to.
    pub fn sum(&self) -> f64 {
        let heads = |addend: &Addend| matches!(addend, Addend::Part { part: Part::Head(_), .. });
        self.parts.iter().filter(|(addend, _)| !heads(addend)).map(|(_, share)| share).sum()
    }

    /// The share of a part of a layer.
    pub fn of(&self, layer: usize, part: Part) -> f64 {
        let wanted = Addend::Part { layer, part };
        self.parts.iter().find(|(addend, _)| *addend == wanted).map_or(0.0, |(_, share)| *share)
    }

    /// Number of layers.
    pub fn layers(&self) -> usize {
        self.parts
            .iter()
            .filter(|(addend, _)| matches!(addend, Addend::Part { part: Part::FeedForward, .. }))
            .count()
    }

    /// The heads of a layer with their shares.
    pub fn heads(&self, layer: usize) -> impl Iterator<Item = (usize, f64)> {
        self.parts.iter().filter_map(move |(addend, share)| match addend {
            Addend::Part { layer: of, part: Part::Head(head) } if *of == layer => Some((*head, *share)),
            _ => None,
        })
    }

    /// The most that a layer's heads lack to its attention.
    pub fn heads_remainder(&self) -> f64 {
        let lacks =
            |layer| self.of(layer, Part::Attention) - self.heads(layer).map(|head| head.1).sum::<f64>();
        (0..self.layers()).map(|layer| lacks(layer).abs()).fold(0.0, f64::max)
    }
}

/// Finds the shares. The last value says whether it came to its end.
pub(super) fn attribution(asker: &mut Asker, subject: &Subject) -> Result<(Attribution, bool), QueryError> {
    let named = subject.single("attribution")?;
    let (mut parts, mut logit) = (Vec::new(), f64::NAN);
    let done = inspect(asker, (&subject.ids(), &named), LookFor::Shares, &mut |_, found| {
        let Found::Share { addend, logits } = found else { return };
        let versus = logits.get(1).copied().map_or(0.0, f64::from);
        let share = logits.first().copied().map_or(f64::NAN, f64::from) - versus;
        match addend {
            Addend::Whole => logit = share,
            part => parts.push((part, share)),
        }
    })?;
    if parts.is_empty() { Err(QueryError::Stopped) } else { Ok((Attribution { parts, logit }, done)) }
}

#[cfg(test)]
mod tests {
    use super::{Addend, Attribution, Part};

    #[test]
    fn heads_are_part_of_their_attention_and_not_added_again() {
        let part = |layer, part, share| (Addend::Part { layer, part }, share);
        let found = Attribution {
            parts: vec![
                (Addend::Embedding, 1.0),
                part(0, Part::Attention, 2.0),
                part(0, Part::FeedForward, -0.5),
                part(0, Part::Head(0), 1.5),
                part(0, Part::Head(1), 0.25),
            ],
            logit: 2.75,
        };
        assert_eq!((found.sum(), found.layers(), found.heads_remainder()), (2.5, 1, 0.25));
        assert_eq!(found.heads(0).collect::<Vec<_>>(), [(0, 1.5), (1, 0.25)]);
    }
}
