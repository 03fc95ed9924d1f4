//! Parts of the model switched off one at a time: heads, attention, feed-forward networks, layers, and edges
//! of attention.

use std::ops::Range;

use clap::ValueEnum;

use super::floor;
use super::inspect::must_have;
use super::subject::Subject;
use super::variants::{Corrupt, Lacking, LensVariants, VariantFigure, corrupted, figures};
use crate::engine::EngineError;
use crate::engine::look::{Edit, Part, PartValue, Variant};
use crate::intervention::AttentionEdge;
use crate::query::{Asker, QueryError};

/// What a part is set to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
pub enum SetTo {
    /// Nothing.
    #[default]
    Zero,
    /// Its mean over the prompt's positions but the first.
    Mean,
    /// What it has at the same position of the corrupt prompt.
    Corrupt,
}

impl SetTo {
    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            SetTo::Zero => "zero",
            SetTo::Mean => "mean",
            SetTo::Corrupt => "corrupt",
        }
    }
}

/// What can be switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Knocked {
    /// A whole layer.
    Layer,
    /// What attention adds.
    Attention,
    /// What the feed-forward network adds.
    FeedForward,
    /// A head.
    Head,
    /// Attention from one position to another.
    Edge,
}

impl Knocked {
    /// All of them.
    pub const ALL: [Knocked; 5] =
        [Knocked::Layer, Knocked::Attention, Knocked::FeedForward, Knocked::Head, Knocked::Edge];

    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            Knocked::Layer => "layer",
            Knocked::Attention => "attention",
            Knocked::FeedForward => "ffn",
            Knocked::Head => "head",
            Knocked::Edge => "edge",
        }
    }
}

/// What is switched off.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KnockoutWish {
    /// What it is set to.
    pub set: SetTo,
    /// Where [`SetTo::Corrupt`] takes it from.
    pub corrupt: Option<Corrupt>,
    /// One kind alone.
    pub only: Option<Knocked>,
    /// One layer alone.
    pub layer: Option<usize>,
    /// One head alone, of that layer or of every one.
    pub head: Option<usize>,
    /// Layers in which an edge is cut at a time; `None` is a sixth of them.
    pub window: Option<usize>,
    /// These edges and nothing else.
    pub edges: Vec<AttentionEdge>,
}

/// What is switched off at a time, and what that does.
#[derive(Clone, Debug, PartialEq)]
pub struct Effect {
    /// What it is.
    pub kind: Knocked,
    /// Where: the layer, or the middle of the layers; `None` is all of them.
    pub layer: Option<usize>,
    /// The layers.
    pub layers: Range<usize>,
    /// The head, where it is one.
    pub head: Option<usize>,
    /// The positions of an edge: the one that is looked at, and the one that looks.
    pub edge: Option<(usize, usize)>,
    /// log p without it minus with it, or the same of the difference.
    pub delta: f64,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Knockout {
    /// What parts were set to.
    pub set: SetTo,
    /// ln p of the target with everything, or its difference to what it is compared with.
    pub base: f64,
    /// In the order of [`Knocked::ALL`].
    pub effects: Vec<Effect>,
    /// Layers in which an edge was cut at a time; `None` where edges were asked for one by one.
    pub window: Option<usize>,
    /// What this model has not.
    pub lacking: Vec<String>,
}

impl Knockout {
    /// The effects from the floor on, largest first, and how many lie below it.
    pub fn ranked(&self, floor: f64) -> (Vec<&Effect>, usize) {
        let mut above: Vec<&Effect> =
            self.effects.iter().filter(|effect| effect.delta.abs() >= floor).collect();
        above.sort_by(|a, b| b.delta.abs().total_cmp(&a.delta.abs()));
        let below = self.effects.len() - above.len();
        (above, below)
    }
}

/// Switches parts off. The last value says whether it came to its end.
pub(super) fn knockout(
    asker: &mut Asker,
    subject: &Subject,
    wish: &KnockoutWish,
) -> Result<(f64, Knockout, bool), QueryError> {
    let other = match (&wish.corrupt, wish.set) {
        (Some(corrupt), SetTo::Corrupt) => Some(corrupted(asker, subject, corrupt)?),
        (None, SetTo::Corrupt) => {
            let what = "the value of a corrupt prompt is wanted: give it with --corrupt TEXT";
            return Err(QueryError::Refused(what.to_string()));
        }
        _ => None,
    };
    let (other, apart) = other.unwrap_or_default();
    let house = House::new(asker, subject, wish, apart);
    house.check(wish)?;
    let mut effects: Vec<(Effect, Variant)> = house.effects(wish);
    if effects.is_empty() {
        return Err(QueryError::Refused("there is nothing to switch off".to_string()));
    }
    // Copies among them: the first is the base, the others tell the floor.
    let share = effects.len().div_ceil(4);
    let (mut asked, mut stands_for) = (Vec::new(), Vec::new());
    for (i, (_, variant)) in effects.iter().enumerate() {
        if i % share == 0 {
            asked.push(Variant::copy(variant.from));
            stands_for.push(None);
        }
        asked.push(variant.clone());
        stands_for.push(Some(i));
    }
    // With four and more of them beside the base, short ones suffice.
    let beside = stands_for.iter().filter(|effect| effect.is_none()).count() - 1;
    let short = [house.last, house.last, house.last / 2, effects[0].1.from];
    for &from in short.iter().take(4usize.saturating_sub(beside).max(2)) {
        asked.push(Variant::copy(from));
        stands_for.push(None);
    }
    let (mut copies, mut known, mut lacking) = (Vec::new(), vec![None; effects.len()], Lacking::default());
    let variants = LensVariants { asked, controls: Vec::new(), other };
    let done = figures(asker, subject, &variants, &mut |index, figure| match (figure, stands_for[index]) {
        (VariantFigure::Known(figure), Some(i)) => known[i] = Some(figure),
        (VariantFigure::Known(figure), None) => copies.push(figure),
        (VariantFigure::Missing { layer, part }, _) => lacking.add(layer, part),
    })?;
    let Some(&base) = copies.first() else { return Err(QueryError::Stopped) };
    let floor = floor::floor(&asker.model, copies.iter().map(|copy| copy - base));
    let found = effects.drain(..).zip(known).filter_map(|((effect, _), figure)| {
        let delta = figure? - base;
        delta.is_finite().then_some(Effect { delta, ..effect })
    });
    let effects: Vec<Effect> = found.collect();
    if let (true, Some((layer, part))) = (effects.is_empty(), lacking.first()) {
        let architecture = asker.model.architecture.clone();
        return Err(EngineError::NoPart { architecture, layer, part }.into());
    }
    let window = wish.edges.is_empty().then_some(house.window);
    let found = Knockout { set: wish.set, base, effects, window, lacking: lacking.told() };
    Ok((floor, found, done))
}

/// What there is to switch off.
struct House {
    layers: usize,
    heads: usize,
    last: usize,
    /// Tokens of the longest target but its first, which look back from positions of their own.
    further: usize,
    window: usize,
    /// From where on parts are set, and to what.
    from: usize,
    value: PartValue,
}

impl House {
    fn new(asker: &Asker, subject: &Subject, wish: &KnockoutWish, apart: usize) -> House {
        let layers = asker.model.layers;
        let longest = subject.named().map(|goal| goal.ids.len()).max().unwrap_or(1);
        let (from, value) = match wish.set {
            SetTo::Zero => (0, PartValue::Zero),
            SetTo::Mean => (0, PartValue::Mean),
            SetTo::Corrupt => (apart, PartValue::Other),
        };
        House {
            layers,
            heads: asker.model.heads,
            last: subject.words.len() - 1,
            further: longest - 1,
            window: wish.window.unwrap_or(layers / 6).clamp(1, layers.max(1)),
            from,
            value,
        }
    }

    fn check(&self, wish: &KnockoutWish) -> Result<(), QueryError> {
        let edges = || wish.edges.iter();
        let mut layers = wish.layer.into_iter().chain(edges().filter_map(|edge| edge.layer));
        layers.try_for_each(|layer| must_have("layer", layer, self.layers))?;
        let mut heads = wish.head.into_iter().chain(edges().filter_map(|edge| edge.head));
        heads.try_for_each(|head| must_have("head", head, self.heads))?;
        for edge in edges() {
            must_have("position", edge.from.max(edge.to), self.last + 1)?;
            edge.check().map_err(QueryError::Refused)?;
        }
        Ok(())
    }

    fn effects(&self, wish: &KnockoutWish) -> Vec<(Effect, Variant)> {
        if !wish.edges.is_empty() {
            return wish.edges.iter().map(|edge| self.asked_edge(*edge)).collect();
        }
        let wanted = |kind: &Knocked| match wish.only {
            Some(only) => only == *kind,
            None if wish.head.is_some() => *kind == Knocked::Head,
            None => true,
        };
        let layers = wish.layer.map_or(0..self.layers, |layer| layer..layer + 1);
        let heads = wish.head.map_or(0..self.heads, |head| head..head + 1);
        Knocked::ALL
            .into_iter()
            .filter(wanted)
            .flat_map(|kind| layers.clone().map(move |layer| (kind, layer)))
            .flat_map(|(kind, layer)| -> Vec<(Effect, Variant)> {
                match kind {
                    Knocked::Layer => {
                        vec![self.part(kind, layer, None, &[Part::Attention, Part::FeedForward])]
                    }
                    Knocked::Attention => vec![self.part(kind, layer, None, &[Part::Attention])],
                    Knocked::FeedForward => vec![self.part(kind, layer, None, &[Part::FeedForward])],
                    Knocked::Head => heads
                        .clone()
                        .map(|head| self.part(kind, layer, Some(head), &[Part::Head(head)]))
                        .collect(),
                    Knocked::Edge if self.last == 0 => Vec::new(),
                    Knocked::Edge => (0..=self.last).map(|from| self.edge_around(layer, from)).collect(),
                }
            })
            .collect()
    }

    fn part(&self, kind: Knocked, layer: usize, head: Option<usize>, parts: &[Part]) -> (Effect, Variant) {
        let write = |&part: &Part| Edit::Write { layer, part, position: None, value: self.value };
        // What the last layer makes of other positions, nobody reads.
        let from = if layer + 1 == self.layers { self.last } else { self.from };
        let variant = Variant { edits: parts.iter().map(write).collect(), ..Variant::copy(from) };
        let layers = layer..layer + 1;
        (Effect { kind, layer: Some(layer), layers, head, edge: None, delta: 0.0 }, variant)
    }

    /// An edge into the positions the target is predicted from, in the layers around one.
    fn edge_around(&self, layer: usize, from: usize) -> (Effect, Variant) {
        let begin = layer.saturating_sub((self.window - 1) / 2);
        let layers = begin..(layer + self.window / 2 + 1).min(self.layers);
        let cut = |layer: usize| {
            (self.last..=self.last + self.further).map(move |to| Edit::Cut { layer, head: None, from, to })
        };
        let edits = layers.clone().flat_map(cut).collect();
        let edge = Some((from, self.last));
        let effect = Effect { kind: Knocked::Edge, layer: Some(layer), layers, head: None, edge, delta: 0.0 };
        (effect, Variant { edits, ..Variant::copy(self.last) })
    }

    fn asked_edge(&self, edge: AttentionEdge) -> (Effect, Variant) {
        let AttentionEdge { from, to, layer, head } = edge;
        let layers = layer.map_or(0..self.layers, |layer| layer..layer + 1);
        let edits = layers.clone().map(|layer| Edit::Cut { layer, head, from, to }).collect();
        let effect = Effect { kind: Knocked::Edge, layer, layers, head, edge: Some((from, to)), delta: 0.0 };
        (effect, Variant { edits, ..Variant::copy(to) })
    }
}

#[cfg(test)]
mod tests {
    use super::{House, Knocked, KnockoutWish};
    use crate::engine::look::{Edit, PartValue};

    fn house() -> House {
        House { layers: 6, heads: 2, last: 3, further: 0, window: 3, from: 0, value: PartValue::Zero }
    }

    #[test]
    fn every_part_is_switched_off_once() {
        let all = house().effects(&KnockoutWish::default());
        let count = |kind| all.iter().filter(|(effect, _)| effect.kind == kind).count();
        assert_eq!(Knocked::ALL.map(count), [6, 6, 6, 12, 24]);
        // An edge is cut in a window around its layer that ends where the model does.
        let windows: Vec<_> = all
            .iter()
            .filter(|(effect, _)| effect.edge == Some((1, 3)))
            .map(|(e, _)| e.layers.clone())
            .collect();
        assert_eq!(windows, [0..2, 0..3, 1..4, 2..5, 3..6, 4..6]);
        let (effect, variant) = all.last().unwrap();
        assert_eq!((effect.edge, variant.from, variant.edits.len()), (Some((3, 3)), 3, 2));
        assert_eq!(variant.edits[0], Edit::Cut { layer: 4, head: None, from: 3, to: 3 });
        // A part is off everywhere, in the last layer where somebody reads what it makes.
        let from = |layer| all.iter().find(|(effect, _)| effect.layer == Some(layer)).map(|(_, v)| v.from);
        assert_eq!([0, 4, 5].map(from), [0, 0, 3].map(Some));
        let one = KnockoutWish { layer: Some(2), head: Some(1), ..KnockoutWish::default() };
        assert_eq!(house().effects(&one).len(), 1);
    }

    #[test]
    fn what_is_not_there_is_refused() {
        let edges =
            |text: &str| KnockoutWish { edges: vec![text.parse().unwrap()], ..KnockoutWish::default() };
        for (wrong, said) in [
            ("0:4", "no position 4"),
            ("3:1", "behind"),
            ("0:0", "itself"),
            ("0:1:6", "no layer 6"),
            ("0:1:5:2", "no head 2"),
        ] {
            let error = house().check(&edges(wrong)).unwrap_err().to_string();
            assert!(error.contains(said), "{wrong}: {error}");
        }
        assert!(house().check(&edges("0:3:5:1")).is_ok());
    }
}
