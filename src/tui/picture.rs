//! What a lens shows, as pieces of plain data: coloured text, a heat map, a sorted table, a curve. They are
//! laid out in the columns there are, walked with the arrows and clicked. Nothing here knows a lens.

mod heat;
mod rows;

use std::ops::Range;

use ratatui::style::Style;
use ratatui::text::Line;

use super::theme::Theme;
use crate::intervention::OffPart;
use crate::report::view::View;

pub use heat::{HeatMap, HeatRow};
pub use rows::report_line;

/// Pieces from the top down.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// In order.
    pub parts: Vec<PicturePart>,
    /// What can be walked to in texts and tables, by number. Cells of a heat map are numbered after them.
    pub items: Vec<PictureItem>,
    /// The one that is walked to first.
    pub first: usize,
}

/// Something that can be walked to.
#[derive(Clone, Debug, Default)]
pub struct PictureItem {
    /// What the last line says of it.
    pub about: String,
    /// The part of the model that it stands for.
    pub part: Option<OffPart>,
}

/// A piece.
#[derive(Clone, Debug)]
pub enum PicturePart {
    /// Prose, wrapped.
    Prose(String),
    /// Text in the colours of what each stretch does.
    Words(Vec<Vec<ShadedText>>),
    /// Rows that stand below a head; what does not fit is cut.
    Table(Vec<ShadedRow>),
    /// A value for each row and column.
    Heat(HeatMap),
    /// What the reports make of it.
    Report(View),
    /// A line through points, from left to right.
    Curve(Vec<(f64, f64)>),
}

/// A stretch of text.
#[derive(Clone, Debug)]
pub struct ShadedText {
    /// As it is drawn.
    pub text: String,
    /// How much it matters.
    pub shade: Shade,
    /// Its number among the items.
    pub item: Option<usize>,
}

/// A row of a table.
#[derive(Clone, Debug)]
pub struct ShadedRow {
    /// Its cells, as wide as they are to be.
    pub cells: Vec<(String, Shade)>,
    /// Its number among the items; none is a head.
    pub item: Option<usize>,
}

/// How much something matters.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Shade {
    /// Not at all, or less than can be told.
    #[default]
    None,
    /// Speaks for what is asked about: the share of the largest, 0..=1.
    For(f64),
    /// Speaks against it.
    Against(f64),
}

impl Shade {
    /// Of a change without a part: negative where the part speaks for the target; nothing below the floor.
    pub fn of_change(delta: f64, floor: f64, largest: f64) -> Shade {
        match delta.abs() / largest {
            _ if delta.is_nan() || delta.abs() < floor || delta == 0.0 => Shade::None,
            share if delta < 0.0 => Shade::For(share),
            share => Shade::Against(share),
        }
    }

    /// The colour, with a modifier that tells the same without colours.
    pub fn style(self, theme: Theme) -> Style {
        use ratatui::style::Modifier;
        match self {
            Shade::None => Style::new(),
            Shade::For(share) => theme.level(2 + ((share * 3.0) as usize).min(2)),
            Shade::Against(_) => theme.level(0).add_modifier(Modifier::CROSSED_OUT),
        }
    }

    /// One column that tells the size without colours.
    pub fn glyph(self) -> &'static str {
        const FOR: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
        const AGAINST: [&str; 3] = ["░", "▒", "▓"];
        let of = |share: f64, count: usize| ((share * count as f64) as usize).min(count - 1);
        match self {
            Shade::None => "·",
            Shade::For(share) => FOR[of(share, FOR.len())],
            Shade::Against(share) => AGAINST[of(share, AGAINST.len())],
        }
    }
}

/// A line of a picture that was laid out.
#[derive(Clone, Debug, Default)]
pub struct PictureRow {
    /// As it is drawn.
    pub line: Line<'static>,
    /// Which columns belong to which item.
    pub places: Vec<(Range<u16>, usize)>,
    /// The row that names its columns.
    pub head: Option<usize>,
}

impl Picture {
    /// What is said of an item.
    pub fn about(&self, item: usize) -> String {
        match self.items.get(item) {
            Some(item) => item.about.clone(),
            None => self.heat().map_or_else(String::new, |heat| heat.about(item)),
        }
    }

    /// The part of the model that an item stands for.
    pub fn part(&self, item: usize) -> Option<OffPart> {
        match self.items.get(item) {
            Some(item) => item.part,
            None => self.heat().and_then(|heat| heat.part(item)),
        }
    }

    /// The heat map, if it has one.
    pub fn heat(&self) -> Option<&HeatMap> {
        self.parts.iter().find_map(|part| match part {
            PicturePart::Heat(heat) => Some(heat),
            _ => None,
        })
    }

    /// The item in a direction, by the first piece in which that leads anywhere.
    pub fn step(&self, from: usize, across: isize, down: isize) -> usize {
        let beside = |items: Vec<usize>, by: isize| {
            let at = items.iter().position(|&item| item == from);
            let to = match at {
                Some(at) => at.saturating_add_signed(by).min(items.len().saturating_sub(1)),
                None => 0,
            };
            items.get(to).copied()
        };
        let found = self.parts.iter().find_map(|part| match part {
            PicturePart::Words(lines) if across != 0 => {
                beside(lines.iter().flatten().filter_map(|text| text.item).collect(), across)
            }
            PicturePart::Table(rows) if down != 0 => {
                beside(rows.iter().filter_map(|row| row.item).collect(), down)
            }
            PicturePart::Heat(heat) => heat.step(from, across, down),
            _ => None,
        });
        found.unwrap_or(from)
    }
}

#[cfg(test)]
mod tests;
