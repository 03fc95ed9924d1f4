//! Scored texts as tables for people.

use std::io::{self, Write};
use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use super::bars::{Paint, bar};
use super::next::percent;
use super::score::{PartKind, PartRecord, Totals};
use super::table::alternatives;
use super::unit::Unit;
use super::view::{Cell, Column, Table, TableRow, View};
use crate::colouring::{Colouring, Level};
use crate::query::score::ScoredText;
use crate::score::stats::{SHARES, Stats};
use crate::step::Step;
use crate::token::{Vocab, printable, text_of, visible};

/// Columns of a token or word.
const TOKEN: usize = 18;
/// Columns of a bar; one stands for a bit.
const BAR: usize = 16;

/// How tables look.
#[derive(Clone, Copy, Debug)]
pub struct ScoreLook {
    /// The unit of surprisal and entropy.
    pub unit: Unit,
    /// Colours.
    pub paint: Paint,
}

/// How surprising a token is, for its colour.
pub fn level(step: &Step) -> Option<Level> {
    step.stats.as_ref().and_then(|stats| Colouring::Surprisal.level(stats))
}

/// A text's tokens and its totals.
pub fn view(scored: &ScoredText, vocab: &Vocab) -> View {
    let look = ScoreLook { unit: Unit::Nats, paint: Paint::default() };
    let mut table = look.tokens();
    let rows = scored.steps.iter().enumerate();
    table.rows = rows.map(|(i, step)| look.token(i + 1, step, vocab).of(i)).collect();
    let mut view = View::default();
    view.table(table);
    view.text(totals(&Totals::new(&scored.total), scored.steps.len()));
    view
}

impl ScoreLook {
    /// A table of tokens.
    pub fn tokens(self) -> Table {
        let unit = self.unit.short();
        Table::new([
            Column::figures("step", 5).after(0),
            Column::text("token", TOKEN).after(2),
            Column::figures(unit, 7),
            Column::figures("raw %", 6),
            Column::figures("rank", 6),
            Column::figures(format!("H {unit}"), 7),
            Column::bars("surprisal", BAR).after(2),
            Column::text("instead", 0).after(2),
        ])
    }

    /// A row for the token with this number.
    pub fn token(self, number: usize, step: &Step, vocab: &Vocab) -> TableRow {
        let first = [Cell::from(number.to_string()), vocab.visible(step.id).into()];
        let Some(stats) = &step.stats else {
            return TableRow { cells: first.into_iter().chain(["–".into()]).collect(), item: None };
        };
        let surprisal = stats.surprisal();
        let figures = [
            self.figure(surprisal),
            percent(f64::from(stats.logprob).exp()),
            stats.rank.shown(|rank| rank.to_string()),
            stats.prediction.entropy.shown(|entropy| self.figure(f64::from(entropy))),
        ];
        let bar = Cell { text: self.bar(surprisal), level: level(step) };
        let cells = first.into_iter().chain(figures.map(Cell::from));
        TableRow { cells: cells.chain([bar, alternatives(step, stats, vocab).into()]).collect(), item: None }
    }

    /// The text in the colours of its tokens' surprisal, and what the colours mean.
    pub fn coloured(
        self,
        out: &mut impl Write,
        text: &[u8],
        tokens: &[(Range<usize>, Option<Level>)],
    ) -> io::Result<()> {
        writeln!(out)?;
        // Neighbours of one level share an escape sequence. A grapheme stays whole, in the level of the
        // token that begins it: an escape sequence in it would take a letter from its mark.
        let edges = edges(text);
        let mut pending: Option<(Range<usize>, Option<Level>)> = None;
        for (span, level) in tokens {
            pending = Some(match pending.take() {
                Some((before, last)) if last == *level => (before.start..span.end, last),
                Some((before, last)) => {
                    let next = edges.partition_point(|&edge| edge < before.end);
                    let edge = edges.get(next).copied().unwrap_or(text.len());
                    if edge >= span.end {
                        // All of this token lies in a grapheme that another has begun.
                        (before.start..span.end, last)
                    } else {
                        self.stretch(out, &text[before.start..edge], last)?;
                        (edge..span.end, *level)
                    }
                }
                None => (span.clone(), *level),
            });
        }
        if let Some((span, level)) = pending {
            self.stretch(out, &text[span], level)?;
        }
        let (legend, nats) = (Colouring::Surprisal, self.unit == Unit::Nats);
        writeln!(out, "\n\n{}", self.paint.legend(legend.name(nats), legend.legend(nats)))
    }

    fn stretch(self, out: &mut impl Write, bytes: &[u8], level: Option<Level>) -> io::Result<()> {
        let shown = printable(&text_of(bytes));
        let painted = level.map_or_else(|| self.paint.dim(&shown), |level| self.paint.level(level, &shown));
        write!(out, "{painted}")
    }

    fn bar(self, nats: f64) -> String {
        bar(Unit::Bits.of(nats) / BAR as f64, BAR)
    }

    fn figure(self, nats: f64) -> String {
        if nats.is_finite() { format!("{:.2}", self.unit.of(nats)) } else { "inf".to_string() }
    }

    fn optional(self, nats: Option<f64>) -> String {
        nats.map_or_else(|| "–".to_string(), |nats| self.figure(nats))
    }

    /// A table of words, lines, smallest parts or regions.
    pub fn parts(self, kind: PartKind, parts: &[PartRecord]) -> Table {
        let unit = self.unit.short();
        let (sum, corrected) = (format!("sum {unit}"), format!("corrected {unit}"));
        let number = Column::figures(kind.name(), 6).after(0);
        let mut table = Table::new(match kind {
            PartKind::Word => vec![
                number,
                Column::text("word", TOKEN).after(2),
                Column::bars("corrected", BAR),
                Column::figures(corrected, 13),
                Column::figures(sum, 9),
                Column::figures(format!("H {unit}"), 8),
                Column::text("", 0).after(2),
            ],
            _ => vec![
                number,
                Column::bars("sum", BAR).after(2),
                Column::figures(sum, 9),
                Column::figures(corrected, 13),
                Column::figures("tokens", 7),
                Column::text("text", 0).after(2),
            ],
        });
        let row = if kind == PartKind::Word { ScoreLook::word } else { ScoreLook::region };
        let rows = parts.iter().map(|part| row(self, part).into_iter().map(Cell::from).collect());
        table.rows = rows.map(|cells| TableRow { cells, item: None }).collect();
        table
    }

    fn word(self, word: &PartRecord) -> Vec<String> {
        let corrected = word.surprisal_corrected.flatten();
        let entropy = word.bounds.shown("entropy", |nats| self.figure(nats));
        vec![
            word.index.to_string(),
            visible(word.text().as_bytes()),
            self.bar(corrected.unwrap_or(0.0)),
            self.optional(corrected),
            self.optional(word.surprisal_sum),
            entropy.unwrap_or_else(|| self.optional(word.entropy.map(f64::from))),
            word.note.as_ref().map_or(String::new(), |note| format!("({note})")),
        ]
    }

    fn region(self, region: &PartRecord) -> Vec<String> {
        let note = region.note.as_ref().map_or(String::new(), |note| format!("  ({note})"));
        vec![
            region.index.to_string(),
            // A region is worth several words: a column stands for eight bits.
            self.bar(region.surprisal_sum.unwrap_or(0.0) / 8.0),
            self.optional(region.surprisal_sum),
            self.optional(region.surprisal_corrected.flatten()),
            (region.tokens[1] - region.tokens[0]).to_string(),
            visible(region.text().as_bytes()) + &note,
        ]
    }

    /// Detection statistics.
    pub fn stats(self, out: &mut impl Write, stats: &Stats) -> io::Result<()> {
        let figure = |value: Option<f64>| value.map_or("–".to_string(), |value| format!("{value:.4}"));
        let by_share = |values: [Option<f64>; SHARES.len()]| {
            let pairs = SHARES.into_iter().zip(values);
            pairs.map(|(share, value)| format!("{share}: {}", figure(value))).collect::<Vec<_>>().join("  ")
        };
        writeln!(out, "ppl              {}", figure(stats.ppl))?;
        writeln!(out, "mean_logprob     {} nat", figure(stats.mean_logprob))?;
        writeln!(out, "lrr              {}", figure(stats.lrr))?;
        let buckets = stats.gltr_buckets.map(|buckets| buckets.map(|count| count.to_string()));
        let [a, b, c, d] = buckets.unwrap_or_else(|| std::array::from_fn(|_| "–".to_string()));
        writeln!(out, "gltr_buckets     1–10: {a}  11–100: {b}  101–1000: {c}  above: {d}")?;
        writeln!(out, "min_k            {}", by_share(stats.min_k.0))?;
        writeln!(out, "min_k_pp         {}", by_share(stats.min_k_pp.0))?;
        writeln!(out, "fast_detect_gpt  {}", figure(stats.fast_detect_gpt))?;
        match stats.binoculars {
            Some(binoculars) => writeln!(out, "binoculars       {binoculars:.4}"),
            None => Ok(()),
        }
    }
}

/// The lines under a table.
pub fn totals(totals: &Totals, tokens: usize) -> String {
    let figure = |value: Option<f64>| value.map_or("–".to_string(), |value| format!("{value:.3}"));
    format!(
        "Σ ln p {} nat · {} nat/token · ppl {}\n{} bit/token · {} bit/byte · {} of {tokens} tokens scored, {} bytes",
        figure(totals.sum_logprob),
        figure(totals.mean_logprob),
        figure(totals.ppl),
        figure(totals.bits_per_token),
        figure(totals.bits_per_byte),
        totals.scored_tokens,
        totals.bytes
    )
}

/// Where a text can be cut: between graphemes, and around each byte that is no character.
fn edges(text: &[u8]) -> Vec<usize> {
    let mut edges = vec![0];
    let mut at = 0;
    for chunk in text.utf8_chunks() {
        edges.extend(chunk.valid().grapheme_indices(true).map(|(offset, one)| at + offset + one.len()));
        at += chunk.valid().len();
        edges.extend((1..=chunk.invalid().len()).map(|n| at + n));
        at += chunk.invalid().len();
    }
    edges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::colouring::Colors;

    #[test]
    fn a_colour_never_comes_between_a_letter_and_its_mark() {
        let text = "xe\u{301}👩\u{200d}💻y\u{fe0f}".as_bytes();
        let mut tokens = vec![(0..1, Some(0)), (1..2, Some(4)), (2..4, Some(1)), (4..8, Some(2))];
        tokens.extend([(8..11, Some(3)), (11..15, Some(4)), (15..16, Some(0)), (16..19, Some(4))]);
        let look = ScoreLook { unit: Unit::Bits, paint: Paint(Colors::Many) };
        let mut out = Vec::new();
        look.coloured(&mut out, text, &tokens).unwrap();
        let written = String::from_utf8(out).unwrap();
        let painted = |level, text| look.paint.level(level, text);
        let line =
            [painted(0, "x"), painted(4, "e\u{301}"), painted(2, "👩\u{200d}💻"), painted(0, "y\u{fe0f}")];
        assert_eq!(written.lines().nth(1), Some(line.concat().as_str()));
    }
}
