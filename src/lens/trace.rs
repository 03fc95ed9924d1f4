//! Causal tracing: how much of the answer comes back when one value of the clean prompt is put into the
//! corrupt one.

use super::floor;
use super::inspect::must_have;
use super::subject::Subject;
use super::variants::{Corrupt, Lacking, LensVariants, VariantFigure, corrupted, figures};
use crate::engine::EngineError;
use crate::engine::look::{Edit, Part, PartValue, Variant};
use crate::query::{Asker, QueryError};
use crate::token::TokenId;

/// The two prompts must differ in the answer by so many floors.
const CLEAR: f64 = 5.0;

/// What is put into the corrupt prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TracePart {
    /// The residual stream after a layer.
    #[default]
    Residual,
    /// What attention adds to it.
    Attention,
    /// What the feed-forward network adds to it.
    FeedForward,
    /// What a head gives.
    Head,
}

impl TracePart {
    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            TracePart::Residual => "residual",
            TracePart::Attention => "attention",
            TracePart::FeedForward => "ffn",
            TracePart::Head => "head",
        }
    }
}

/// What is traced. The prompt itself is the clean one.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceWish {
    /// The other prompt.
    pub corrupt: Corrupt,
    /// What is put into it.
    pub part: TracePart,
    /// One layer alone.
    pub layer: Option<usize>,
    /// One position alone.
    pub position: Option<usize>,
    /// One head alone.
    pub head: Option<usize>,
}

/// A value put into the corrupt prompt, and what comes back.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceCell {
    /// The layer.
    pub layer: usize,
    /// The position.
    pub position: usize,
    /// The head, where it is one's value.
    pub head: Option<usize>,
    /// What is said of the target then. Before the prompts differ it is the corrupt one's: nothing is changed
    /// there.
    pub value: f64,
    /// The share of the answer; `None` where there is none to speak of.
    pub recovered: Option<f64>,
}

/// What must be so in every batch: the corrupt prompt as it is recovers 0, the clean one with a clean value
/// in it 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TraceControl {
    /// The corrupt prompt.
    pub unpatched: Option<f64>,
    /// The clean one.
    pub clean: Option<f64>,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Trace {
    /// What was put into the corrupt prompt.
    pub part: TracePart,
    /// Its ids.
    pub corrupt_ids: Vec<TokenId>,
    /// Where the two first differ.
    pub apart: usize,
    /// What is said of the target after the clean prompt: ln p, or the difference to what it is compared with.
    pub clean: f64,
    /// The same after the corrupt one.
    pub corrupt: f64,
    /// By layer, position and head. In the last layer only the last position counts.
    pub cells: Vec<TraceCell>,
    /// Batch by batch.
    pub controls: Vec<TraceControl>,
    /// The layer from which on the last position restores more than any other; of the residual stream.
    pub moves: Option<usize>,
    /// Whether every layer and position was looked at, without which nobody can say where it moves.
    pub whole: bool,
    /// Why no share is told.
    pub reason: Option<String>,
    /// What this model has not.
    pub lacking: Vec<String>,
}

impl Trace {
    /// What is said of the target changes by so much at least where a cell has an effect.
    pub fn has_effect(&self, cell: &TraceCell, floor: f64) -> bool {
        (cell.value - self.corrupt).abs() >= floor
    }
}

/// Traces. The last value says whether it came to its end.
pub(super) fn trace(
    asker: &mut Asker,
    subject: &Subject,
    wish: &TraceWish,
) -> Result<(f64, Trace, bool), QueryError> {
    let (other, apart) = corrupted(asker, subject, &wish.corrupt)?;
    let (layers, heads, last) = (asker.model.layers, asker.model.heads, other.len() - 1);
    wish.layer.map_or(Ok(()), |layer| must_have("layer", layer, layers))?;
    wish.head.map_or(Ok(()), |head| must_have("head", head, heads))?;
    wish.position.map_or(Ok(()), |position| must_have("position", position, last + 1))?;
    let mut cells = cells(wish, layers, heads, last);
    // The sequence that is asked about is the corrupt one, the other one the clean one.
    let clean = subject.ids();
    let corrupted = with_ids(subject, &other);
    let copies = [
        Variant::copy(apart),
        Variant { of_other: true, ..Variant::copy(apart) },
        Variant::copy(last),
        Variant { of_other: true, ..Variant::copy(last) },
        Variant::copy(apart.midpoint(last)),
        Variant { of_other: true, ..Variant::copy(apart.midpoint(last)) },
    ];
    let patch = |cell: &TraceCell| Edit::Write {
        layer: cell.layer,
        part: match (wish.part, cell.head) {
            (TracePart::Residual, _) => Part::Residual,
            (TracePart::Attention, _) => Part::Attention,
            (TracePart::FeedForward, _) => Part::FeedForward,
            (TracePart::Head, head) => Part::Head(head.unwrap_or(0)),
        },
        position: Some(cell.position),
        value: PartValue::Other,
    };
    let computed: Vec<usize> = (0..cells.len()).filter(|&i| cells[i].position >= apart).collect();
    let changed = computed
        .iter()
        .map(|&i| Variant { edits: vec![patch(&cells[i])], ..Variant::copy(cells[i].position) });
    let middle = cells.get(cells.len() / 2).map(|cell| TraceCell { position: last, ..cell.clone() });
    let controls = vec![
        Variant::copy(last),
        Variant { edits: middle.iter().map(patch).collect(), of_other: true, ..Variant::copy(last) },
    ];
    let asked: Vec<Variant> = copies.iter().cloned().chain(changed).collect();
    let (begin, end) = (copies.len(), asked.len());
    let (mut known, mut told) = (vec![None; copies.len()], vec![None; cells.len()]);
    let (mut unpatched, mut restored, mut lacking) = (Vec::new(), Vec::new(), Lacking::default());
    let variants = LensVariants { asked, controls, other: clean };
    let done = figures(asker, &corrupted, &variants, &mut |index, figure| match figure {
        VariantFigure::Missing { layer, part } => lacking.add(layer, part),
        VariantFigure::Known(value) if index < begin => known[index] = Some(value),
        VariantFigure::Known(value) if index < end => told[computed[index - begin]] = Some(value),
        VariantFigure::Known(value) if index == end => unpatched.push(value),
        VariantFigure::Known(value) => restored.push(value),
    })?;
    let [Some(corrupt), Some(clean)] = known[..2] else { return Err(QueryError::Stopped) };
    let copies = known.iter().enumerate().filter_map(|(i, copy)| Some((i % 2 == 0, (*copy)?)));
    let copies = copies.chain(unpatched.iter().map(|&copy| (true, copy)));
    let copies = copies.chain(restored.iter().map(|&copy| (false, copy)));
    let differences = copies.map(|(is_corrupt, copy)| copy - if is_corrupt { corrupt } else { clean });
    let floor = floor::floor(&asker.model, differences);
    let whole = clean - corrupt;
    let reason = (whole.abs() < CLEAR * floor).then(|| {
        format!(
            "the prompts differ by {whole:.3} nat in the answer, less than {CLEAR} floors of {floor:.3}: no share \
             of that is told"
        )
    });
    let share = |value: f64| reason.is_none().then_some((value - corrupt) / whole);
    for (i, cell) in cells.iter_mut().enumerate() {
        let value = if cell.position < apart { Some(corrupt) } else { told[i] };
        cell.value = value.unwrap_or(f64::NAN);
        cell.recovered = share(cell.value).filter(|share| share.is_finite());
    }
    cells.retain(|cell| cell.value.is_finite());
    if let (true, Some((layer, part))) = (told.iter().all(Option::is_none), lacking.first()) {
        let architecture = asker.model.architecture.clone();
        return Err(EngineError::NoPart { architecture, layer, part }.into());
    }
    let controls = unpatched
        .iter()
        .zip(&restored)
        .map(|(&unpatched, &clean)| TraceControl { unpatched: share(unpatched), clean: share(clean) });
    let whole_grid =
        done && wish.part == TracePart::Residual && wish.layer.is_none() && wish.position.is_none();
    let moves = if whole_grid && last > apart { moves(&cells, layers, last) } else { None };
    let found = Trace {
        part: wish.part,
        corrupt_ids: other,
        apart,
        clean,
        corrupt,
        controls: controls.collect(),
        cells,
        moves,
        whole: whole_grid,
        reason,
        lacking: lacking.told(),
    };
    Ok((floor, found, done))
}

/// The same subject after other tokens.
fn with_ids(subject: &Subject, ids: &[TokenId]) -> Subject {
    let mut other = subject.clone();
    other.words.iter_mut().zip(ids).for_each(|(word, &id)| word.id = id);
    other
}

/// The cells that are asked for, without a value.
fn cells(wish: &TraceWish, layers: usize, heads: usize, last: usize) -> Vec<TraceCell> {
    let wanted = |asked: Option<usize>, i: usize| asked.is_none_or(|asked| asked == i);
    let mut cells = Vec::new();
    for layer in (0..layers).filter(|&layer| wanted(wish.layer, layer)) {
        // What the last layer does elsewhere, nobody reads.
        let first = if layer + 1 == layers { last } else { 0 };
        for position in (first..=last).filter(|&position| wanted(wish.position, position)) {
            let cell = |head| TraceCell { layer, position, head, value: f64::NAN, recovered: None };
            match wish.part {
                TracePart::Head => {
                    cells.extend(
                        (0..heads).filter(|&head| wanted(wish.head, head)).map(|head| cell(Some(head))),
                    );
                }
                _ => cells.push(cell(None)),
            }
        }
    }
    cells
}

/// The first layer from which on the last position's share stays above every other's.
fn moves(cells: &[TraceCell], layers: usize, last: usize) -> Option<usize> {
    let above = |layer: usize| {
        let of = |is_last: bool| {
            let own =
                cells.iter().filter(move |cell| cell.layer == layer && (cell.position == last) == is_last);
            own.filter_map(|cell| cell.recovered)
        };
        let others = of(false).fold(0.0, f64::max);
        of(true).next().is_some_and(|own| own > others)
    };
    let count = (0..layers).rev().take_while(|&layer| above(layer)).count();
    (count > 0).then(|| layers - count)
}

#[cfg(test)]
mod tests {
    use super::{Corrupt, TraceCell, TracePart, TraceWish, cells, moves};

    fn grid(rows: &[[f64; 2]]) -> Vec<TraceCell> {
        let cell =
            |layer, position, value| TraceCell { layer, position, head: None, value, recovered: Some(value) };
        let row = |(layer, row): (usize, &[f64; 2])| [cell(layer, 0, row[0]), cell(layer, 1, row[1])];
        rows.iter().enumerate().flat_map(row).collect()
    }

    #[test]
    fn an_answer_moves_where_the_last_position_stays_ahead() {
        let at = |rows: &[[f64; 2]]| moves(&grid(rows), rows.len(), 1);
        assert_eq!(at(&[[1.0, 0.1], [0.2, 0.9], [0.1, 1.0]]), Some(1));
        // Ahead once is not staying ahead.
        assert_eq!(at(&[[0.1, 0.5], [0.9, 0.2], [0.1, 1.0]]), Some(2));
        assert_eq!(at(&[[1.0, 0.1], [1.0, 0.2]]), None);
        assert_eq!(at(&[[0.0, 1.0], [0.0, 1.0]]), Some(0));
        // What is told of no cell moves nowhere.
        let mut unknown = grid(&[[0.0, 1.0]]);
        unknown.iter_mut().for_each(|cell| cell.recovered = None);
        assert_eq!(moves(&unknown, 1, 1), None);
    }

    #[test]
    fn a_grid_has_every_layer_and_position_but_what_nobody_reads() {
        let corrupt = Corrupt::Text(Vec::new());
        let all = TraceWish { corrupt, part: TracePart::Residual, layer: None, position: None, head: None };
        assert_eq!(cells(&all, 30, 9, 4).len(), 146);
        let heads = TraceWish { part: TracePart::Head, ..all.clone() };
        assert_eq!(cells(&heads, 30, 9, 4).len(), 146 * 9);
        let one =
            TraceWish { part: TracePart::Head, layer: Some(3), position: Some(2), head: Some(1), ..all };
        assert_eq!(cells(&one, 30, 9, 4).len(), 1);
    }
}
