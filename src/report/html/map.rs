//! Heat maps, grids and coloured text: shares from −1 to 1 in the colours of a page, warm where something
//! speaks for what is looked at and cold where it speaks against it; the sign is seen without colours, too.

use minijinja::{Value, context};

use super::svg::{Svg, attribute};
use crate::columns::{clipped, width};

/// Width of a character of a label.
const CHARACTER: f64 = 6.6;
/// Characters of a row's label.
const LABEL: usize = 18;
/// Height of a row.
const ROW: f64 = 15.0;
/// Widest and narrowest cell.
const CELL: (f64, f64) = (22.0, 5.0);
/// How wide a map would be.
const WIDTH: f64 = 560.0;
/// Room above the cells.
const ABOVE: f64 = 34.0;
/// Room below them.
const BELOW: f64 = 8.0;
/// How many shades a colour has in a text.
const SHADES: f64 = 4.0;

/// A cell of a map.
#[derive(Clone, Debug, Default)]
pub struct ShareCell {
    /// From −1 to 1; 0 is no effect, `None` not known.
    pub share: Option<f64>,
    /// What a pointer on it shows.
    pub label: String,
}

/// Rows of cells.
#[derive(Clone, Debug, Default)]
pub struct ShareMap {
    /// What is seen, for those who don't see it.
    pub title: String,
    /// Above the columns.
    pub x_label: &'static str,
    /// Above the labels of the rows.
    pub y_label: &'static str,
    /// One a row: its label and its cells.
    pub rows: Vec<(String, Vec<ShareCell>)>,
}

impl ShareMap {
    /// The picture.
    pub fn draw(&self) -> Value {
        let columns = self.rows.iter().map(|(_, row)| row.len()).max().unwrap_or(0).max(1);
        let label = |text: &str| clipped(text, LABEL);
        let longest = self.rows.iter().map(|(text, _)| width(&label(text))).max().unwrap_or(0);
        let left = (longest.max(width(self.y_label)) as f64 + 1.0) * CHARACTER;
        let cell = ((WIDTH - left) / columns as f64).clamp(CELL.1, CELL.0);
        let size = [left + cell * columns as f64 + 8.0, ABOVE + ROW * self.rows.len() as f64 + BELOW];
        let mut svg = Svg::sized("plot heat", size, &self.title);
        svg.text("label", [2.0, 26.0], self.y_label);
        svg.text("label", [left, 11.0], self.x_label);
        // As many numbers as don't run into each other.
        let every = [1, 2, 5, 10, 20, 50, 100].into_iter().find(|every| cell * *every as f64 > 22.0);
        for column in (0..columns).step_by(every.unwrap_or(200)) {
            let x = left + (column as f64 + 0.5) * cell;
            svg.text("tick middle", [x, 26.0], &column.to_string());
        }
        for (i, (text, row)) in self.rows.iter().enumerate() {
            let y = ABOVE + i as f64 * ROW;
            svg.text("tick", [2.0, y + 11.0], &label(text));
            for (column, one) in row.iter().enumerate() {
                let Some(share) = one.share else { continue };
                let x = left + column as f64 * cell;
                svg.cell([x, y, cell - 1.0, ROW - 1.0], share, &one.label);
            }
        }
        svg.end()
    }
}

impl Svg {
    /// A cell, whose colour's strength is the share.
    fn cell(&mut self, [x, y, width, height]: [f64; 4], share: f64, label: &str) {
        let size = share.abs().min(1.0);
        let place = [("x", x), ("y", y), ("width", width), ("height", height)].map(attribute).concat();
        let (class, place) = match share {
            0.0 => ("cell", place),
            _ => {
                let class = if share < 0.0 { "cell cold" } else { "cell warm" };
                // The weakest is still seen.
                (class, place + &attribute(("fill-opacity", 0.15 + 0.85 * size)))
            }
        };
        self.told("rect", class, &place, label);
        if share < 0.0 {
            let middle = y + height / 2.0;
            self.line("minus", [x + width * 0.25, middle, x + width * 0.75, middle]);
        }
    }
}

/// A piece of a text in the colour of its share.
pub fn coloured(text: &str, share: Option<f64>, label: &str) -> Value {
    let share = share.unwrap_or(0.0);
    let shade = (share.abs().min(1.0) * SHADES).ceil();
    let class = match share {
        share if share > 0.0 => format!("warm{shade}"),
        share if share < 0.0 => format!("cold{shade}"),
        _ => String::new(),
    };
    context! { text, class, label }
}

#[cfg(test)]
mod tests {
    use super::{ShareCell, ShareMap, coloured};

    #[test]
    fn a_map_has_a_cell_for_every_share_that_is_known() {
        let cell = |share| ShareCell { share, label: "<b>".to_string() };
        let row = |shares: &[Option<f64>]| shares.iter().copied().map(cell).collect();
        let map = ShareMap {
            title: "\"quoted\"".to_string(),
            x_label: "layer",
            y_label: "position",
            rows: vec![
                ("<0> The".to_string(), row(&[Some(1.0), Some(0.0), None])),
                ("北京".to_string(), row(&[Some(-0.5)])),
            ],
        };
        let svg = map.draw().to_string();
        assert_eq!(svg.matches("<rect").count(), 3);
        assert_eq!(svg.matches("class=\"minus\"").count(), 1);
        assert!(svg.contains(r#"class="cell warm" "#) && svg.contains(r#"fill-opacity="1""#), "{svg}");
        assert!(svg.contains(r#"class="cell cold" "#) && svg.contains(r#"fill-opacity="0.57""#), "{svg}");
        assert!(svg.contains("&lt;b&gt;") && svg.contains("&lt;0&gt; The") && !svg.contains("<b>"));
        // Nothing at all is a picture, too.
        assert!(ShareMap::default().draw().to_string().ends_with("</svg>"));
    }

    #[test]
    fn a_text_has_few_shades() {
        let class = |share| coloured("x", share, "").get_attr("class").unwrap().to_string();
        assert_eq!(class(Some(0.01)), "warm1");
        assert_eq!(class(Some(1.0)), "warm4");
        assert_eq!(class(Some(-9.0)), "cold4");
        assert_eq!((class(Some(0.0)), class(None)), (String::new(), String::new()));
    }
}
