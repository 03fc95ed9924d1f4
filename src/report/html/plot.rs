//! Plots as SVG, to be read in a page that gives them their colours.
//!
//! Coordinates are made here and text is escaped by the library that writes it. A plot is never the
//! only place of its numbers: the page has a table beside each.

use minijinja::Value;

use super::svg::{Axis, BOTTOM, LEFT, RIGHT, SIZE, Svg, TOP, attribute, number, ticks};

/// Size of a bar in a row of a table.
const BAR: [f64; 2] = [120.0, 14.0];
/// Beyond this ratio of the largest parameter to the smallest an axis is logarithmic.
const WIDE: f64 = 40.0;

/// A point over a parameter.
#[derive(Clone, Debug)]
pub struct Point {
    /// The parameter.
    pub x: f64,
    /// The share, or another figure.
    pub y: f64,
    /// Its interval or range.
    pub range: Option<(f64, f64)>,
    /// Whether what was expected there holds.
    pub passed: Option<bool>,
    /// What a pointer on it shows.
    pub label: String,
}

/// A line over a parameter.
#[derive(Clone, Debug)]
pub struct Chart {
    /// What is seen, for those who don't see it.
    pub title: String,
    /// Under the horizontal axis.
    pub x_label: String,
    /// At the vertical one.
    pub y_label: String,
    /// From left to right.
    pub points: Vec<Point>,
    /// A horizontal line, as what a guess would get.
    pub guide: Option<f64>,
    /// Both axes are shares, and this is where they are equal.
    pub diagonal: bool,
    /// Whether the vertical axis goes from the lowest to the highest point; else it is a share.
    pub open: bool,
}

/// A share as a bar, with its interval as a whisker and a mark where a guess would be.
pub fn bar(share: f64, range: Option<(f64, f64)>, guess: Option<f64>, class: &str) -> Value {
    let at = |share: f64| share.clamp(0.0, 1.0) * BAR[0];
    let mut svg = track(&percent(share));
    svg.shape("rect", &format!("fill {class}"), &[("width", at(share)), ("height", BAR[1])]);
    if let Some(guess) = guess {
        svg.line("guide", [at(guess), 0.0, at(guess), BAR[1]]);
    }
    whisker(&mut svg, range, at);
    svg.end()
}

/// A difference as a bar to the left or the right of nothing, with its interval as a whisker; `scale` is
/// the difference at either end, above 0.
pub fn difference(value: f64, range: Option<(f64, f64)>, scale: f64, class: &str) -> Value {
    let zero = BAR[0] / 2.0;
    let at = |value: f64| zero + (value / scale).clamp(-1.0, 1.0) * (zero - 2.0);
    let mut svg = track(&format!("{value:+.4}"));
    let (left, right) = (at(value).min(zero), at(value).max(zero));
    svg.shape("rect", &format!("fill {class}"), &[("x", left), ("width", right - left), ("height", BAR[1])]);
    svg.line("zero", [zero, 0.0, zero, BAR[1]]);
    whisker(&mut svg, range, at);
    svg.end()
}

/// How many values fall into each of some equal parts of 0..=1.
pub fn histogram(title: &str, x_label: &str, counts: &[usize]) -> Value {
    let most = counts.iter().copied().max().unwrap_or(0).max(1) as f64;
    let x = Axis::share(LEFT, RIGHT);
    let y = Axis { low: 0.0, high: most, logarithmic: false, from: BOTTOM, to: TOP };
    let mut svg = Svg::new("plot", SIZE, title);
    svg.axes(&x, &y, [x_label, "items"], &ticks(0.0, most, true));
    for (i, count) in counts.iter().enumerate() {
        let [from, to] = [i, i + 1].map(|i| i as f64 / counts.len() as f64);
        let (left, top) = (x.at(from) + 1.0, y.at(*count as f64));
        let width = x.at(to) - 1.0 - left;
        let place = [("x", left), ("y", top), ("width", width), ("height", BOTTOM - top)];
        svg.told("rect", "fill", &place.map(attribute).concat(), &format!("{from:.2} to {to:.2}: {count}"));
    }
    svg.end()
}

impl Chart {
    /// The picture.
    pub fn draw(&self) -> Value {
        let (x, y) = (self.horizontal(), self.vertical());
        let rows = if self.open { ticks(y.low, y.high, false) } else { vec![0.0, 0.25, 0.5, 0.75, 1.0] };
        let mut svg = Svg::new("plot", SIZE, &self.title);
        svg.axes(&x, &y, [&self.x_label, &self.y_label], &rows);
        if self.diagonal {
            svg.line("guide", [x.at(0.0), y.at(0.0), x.at(1.0), y.at(1.0)]);
        }
        if let Some(guide) = self.guide {
            svg.line("guide", [LEFT, y.at(guide), RIGHT, y.at(guide)]);
        }
        let path = |point: &Point| format!("{},{}", number(x.at(point.x)), number(y.at(point.y)));
        let path: Vec<String> = self.points.iter().map(path).collect();
        svg.path("line", &path.join(" "));
        self.points.iter().for_each(|point| point.draw(&mut svg, &x, &y));
        svg.end()
    }

    fn vertical(&self) -> Axis {
        if !self.open {
            return Axis::share(BOTTOM, TOP);
        }
        let (low, high) = extent(self.points.iter().map(|point| point.y));
        let margin = (high - low) * 0.05;
        Axis { low: low - margin, high: high + margin, logarithmic: false, from: BOTTOM, to: TOP }
    }

    fn horizontal(&self) -> Axis {
        if self.diagonal {
            return Axis::share(LEFT, RIGHT);
        }
        let (low, high) = extent(self.points.iter().map(|point| point.x));
        let logarithmic = low > 0.0 && high / low > WIDE;
        // Points stand inside the frame, not on its sides.
        Axis { low, high, logarithmic, from: LEFT + 10.0, to: RIGHT - 10.0 }
    }
}

/// From the lowest to the highest value, which are not the same.
fn extent(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let low = values.clone().min_by(f64::total_cmp).unwrap_or(0.0);
    let high = values.max_by(f64::total_cmp).unwrap_or(1.0);
    if low < high { (low, high) } else { (low - 0.5, high + 0.5) }
}

impl Point {
    fn draw(&self, svg: &mut Svg, x: &Axis, y: &Axis) {
        let (cx, cy) = (x.at(self.x), y.at(self.y));
        if let Some((low, high)) = self.range {
            svg.line("whisker", [cx, y.at(low), cx, y.at(high)]);
        }
        // The shape says it too, for those who don't tell the colours apart.
        if self.passed == Some(false) {
            let cross = format!(r#" d="M{} {}l8 8m0 -8l-8 8""#, number(cx - 4.0), number(cy - 4.0));
            return svg.told("path", "miss", &cross, &self.label);
        }
        let class = if self.passed == Some(true) { "hit" } else { "dot" };
        let place = [("cx", cx), ("cy", cy), ("r", 3.5)].map(attribute).concat();
        svg.told("circle", class, &place, &self.label);
    }
}

/// A bar's ground.
fn track(title: &str) -> Svg {
    let mut svg = Svg::new("bar", BAR, title);
    svg.shape("rect", "track", &[("width", BAR[0]), ("height", BAR[1])]);
    svg
}

/// An interval in a bar.
fn whisker(svg: &mut Svg, range: Option<(f64, f64)>, at: impl Fn(f64) -> f64) {
    let Some((low, high)) = range else { return };
    let y = BAR[1] / 2.0;
    svg.line("whisker", [at(low), y, at(high), y]);
    for end in [low, high] {
        svg.line("whisker", [at(end), y - 3.0, at(end), y + 3.0]);
    }
}

/// A share for people.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
