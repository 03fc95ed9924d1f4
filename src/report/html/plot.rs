//! Plots as SVG, to be read in a page that gives them their colours.
//!
//! Coordinates are made here and text is escaped by the library that writes it. A plot is never the
//! only place of its numbers: the page has a table beside each.

use minijinja::Value;
use quick_xml::escape::escape;

/// A picture's width and height in its own units, about pixels on a small screen.
const SIZE: [f64; 2] = [360.0, 230.0];
/// Where its axes are.
const LEFT: f64 = 40.0;
const TOP: f64 = 24.0;
const RIGHT: f64 = 346.0;
const BOTTOM: f64 = 190.0;
/// Size of a bar in a row of a table.
const BAR: [f64; 2] = [120.0, 14.0];
/// Beyond this ratio of the largest parameter to the smallest an axis is logarithmic.
const WIDE: f64 = 40.0;

/// A point over a parameter; the vertical axis is a share.
#[derive(Clone, Debug)]
pub struct Point {
    /// The parameter.
    pub x: f64,
    /// The share.
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
}

/// A share as a bar, with its interval as a whisker and a mark where a guess would be.
pub fn bar(share: f64, range: Option<(f64, f64)>, guess: Option<f64>, class: &str) -> Value {
    let at = |share: f64| share.clamp(0.0, 1.0) * BAR[0];
    let mut svg = Svg::track(&percent(share));
    svg.shape("rect", &format!("fill {class}"), &[("width", at(share)), ("height", BAR[1])]);
    if let Some(guess) = guess {
        svg.line("guide", [at(guess), 0.0, at(guess), BAR[1]]);
    }
    svg.whisker(range, at);
    svg.end()
}

/// A difference as a bar to the left or the right of nothing, with its interval as a whisker; `scale` is
/// the difference at either end, above 0.
pub fn difference(value: f64, range: Option<(f64, f64)>, scale: f64, class: &str) -> Value {
    let zero = BAR[0] / 2.0;
    let at = |value: f64| zero + (value / scale).clamp(-1.0, 1.0) * (zero - 2.0);
    let mut svg = Svg::track(&format!("{value:+.4}"));
    let (left, right) = (at(value).min(zero), at(value).max(zero));
    svg.shape("rect", &format!("fill {class}"), &[("x", left), ("width", right - left), ("height", BAR[1])]);
    svg.line("zero", [zero, 0.0, zero, BAR[1]]);
    svg.whisker(range, at);
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
        let (x, y) = (self.horizontal(), Axis::share(BOTTOM, TOP));
        let mut svg = Svg::new("plot", SIZE, &self.title);
        svg.axes(&x, &y, [&self.x_label, &self.y_label], &[0.0, 0.25, 0.5, 0.75, 1.0]);
        if self.diagonal {
            svg.line("guide", [x.at(0.0), y.at(0.0), x.at(1.0), y.at(1.0)]);
        }
        if let Some(guide) = self.guide {
            svg.line("guide", [LEFT, y.at(guide), RIGHT, y.at(guide)]);
        }
        let path = |point: &Point| format!("{},{}", number(x.at(point.x)), number(y.at(point.y)));
        let path: Vec<String> = self.points.iter().map(path).collect();
        svg.0.push_str(&format!(r#"<polyline class="line" points="{}"/>"#, path.join(" ")));
        self.points.iter().for_each(|point| svg.point(&x, &y, point));
        svg.end()
    }

    fn horizontal(&self) -> Axis {
        if self.diagonal {
            return Axis::share(LEFT, RIGHT);
        }
        let xs = || self.points.iter().map(|point| point.x);
        let low = xs().min_by(f64::total_cmp).unwrap_or(0.0);
        let high = xs().max_by(f64::total_cmp).unwrap_or(1.0);
        let (low, high) = if low < high { (low, high) } else { (low - 0.5, high + 0.5) };
        let logarithmic = low > 0.0 && high / low > WIDE;
        // Points stand inside the frame, not on its sides.
        Axis { low, high, logarithmic, from: LEFT + 10.0, to: RIGHT - 10.0 }
    }
}

/// A direction of a picture.
struct Axis {
    low: f64,
    high: f64,
    logarithmic: bool,
    from: f64,
    to: f64,
}

impl Axis {
    fn share(from: f64, to: f64) -> Axis {
        Axis { low: 0.0, high: 1.0, logarithmic: false, from, to }
    }

    fn at(&self, value: f64) -> f64 {
        let scaled = |value: f64| if self.logarithmic { value.ln() } else { value };
        let share = (scaled(value) - scaled(self.low)) / (scaled(self.high) - scaled(self.low));
        self.from + share.clamp(0.0, 1.0) * (self.to - self.from)
    }

    /// Round values; of a logarithmic axis its powers of two or ten.
    fn ticks(&self) -> Vec<f64> {
        if !self.logarithmic {
            return ticks(self.low, self.high, false);
        }
        let base: f64 = if self.high / self.low > 2000.0 { 10.0 } else { 2.0 };
        let (first, last) = (self.low.log(base).ceil() as i32, self.high.log(base).floor() as i32);
        (first..=last).map(|power| base.powi(power)).collect()
    }
}

/// At most about eight round values.
fn ticks(low: f64, high: f64, whole: bool) -> Vec<f64> {
    let rough = (high - low) / 7.0;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| *step >= rough);
    let step = step.unwrap_or(rough);
    let step = if whole { step.max(1.0).round() } else { step };
    let first = (low / step).ceil() as i64;
    // Bounded, whatever the values are.
    (first..first.saturating_add(12))
        .map(|i| i as f64 * step)
        .take_while(|tick| *tick <= high * 1.000_001)
        .collect()
}

/// A picture in the making.
struct Svg(String);

impl Svg {
    fn new(class: &str, [width, height]: [f64; 2], title: &str) -> Svg {
        let (width, height, title) = (number(width), number(height), escape(title));
        Svg(format!(
            r#"<svg class="{class}" viewBox="0 0 {width} {height}" role="img" aria-label="{title}">"#
        ))
    }

    /// A bar's ground.
    fn track(title: &str) -> Svg {
        let mut svg = Svg::new("bar", BAR, title);
        svg.shape("rect", "track", &[("width", BAR[0]), ("height", BAR[1])]);
        svg
    }

    /// As a page takes it.
    fn end(self) -> Value {
        Value::from_safe_string(self.0 + "</svg>")
    }

    fn shape(&mut self, name: &str, class: &str, place: &[(&str, f64)]) {
        let place: String = place.iter().copied().map(attribute).collect();
        self.0.push_str(&format!(r#"<{name} class="{class}"{place}/>"#));
    }

    /// A shape that says what it is to a pointer.
    fn told(&mut self, name: &str, class: &str, place: &str, label: &str) {
        let label = escape(label);
        self.0.push_str(&format!(r#"<{name} class="{class}"{place}><title>{label}</title></{name}>"#));
    }

    /// From one place to another, each across and down.
    fn line(&mut self, class: &str, [x1, y1, x2, y2]: [f64; 4]) {
        self.shape("line", class, &[("x1", x1), ("y1", y1), ("x2", x2), ("y2", y2)]);
    }

    fn text(&mut self, class: &str, [x, y]: [f64; 2], text: &str) {
        let (x, y, text) = (number(x), number(y), escape(text));
        self.0.push_str(&format!(r#"<text class="{class}" x="{x}" y="{y}">{text}</text>"#));
    }

    /// An interval in a bar.
    fn whisker(&mut self, range: Option<(f64, f64)>, at: impl Fn(f64) -> f64) {
        let Some((low, high)) = range else { return };
        let y = BAR[1] / 2.0;
        self.line("whisker", [at(low), y, at(high), y]);
        for end in [low, high] {
            self.line("whisker", [at(end), y - 3.0, at(end), y + 3.0]);
        }
    }

    fn axes(&mut self, x: &Axis, y: &Axis, [below, beside]: [&str; 2], rows: &[f64]) {
        for row in rows {
            self.line("grid", [LEFT, y.at(*row), RIGHT, y.at(*row)]);
            self.text("tick end", [LEFT - 5.0, y.at(*row) + 4.0], &short(*row));
        }
        for tick in x.ticks() {
            self.line("axis", [x.at(tick), BOTTOM, x.at(tick), BOTTOM + 4.0]);
            self.text("tick middle", [x.at(tick), BOTTOM + 16.0], &short(tick));
        }
        self.line("axis", [LEFT, BOTTOM, RIGHT, BOTTOM]);
        self.text("label middle", [(LEFT + RIGHT) / 2.0, SIZE[1] - 6.0], below);
        self.text("label", [2.0, 12.0], beside);
    }

    fn point(&mut self, x: &Axis, y: &Axis, point: &Point) {
        let (cx, cy) = (x.at(point.x), y.at(point.y));
        if let Some((low, high)) = point.range {
            self.line("whisker", [cx, y.at(low), cx, y.at(high)]);
        }
        // The shape says it too, for those who don't tell the colours apart.
        if point.passed == Some(false) {
            let cross = format!(r#" d="M{} {}l8 8m0 -8l-8 8""#, number(cx - 4.0), number(cy - 4.0));
            return self.told("path", "miss", &cross, &point.label);
        }
        let class = if point.passed == Some(true) { "hit" } else { "dot" };
        let place = [("cx", cx), ("cy", cy), ("r", 3.5)].map(attribute).concat();
        self.told("circle", class, &place, &point.label);
    }
}

fn attribute((name, value): (&str, f64)) -> String {
    format!(r#" {name}="{}""#, number(value))
}

/// A coordinate, to a hundredth.
fn number(value: f64) -> String {
    let rounded = (value * 100.0).round() / 100.0;
    if rounded.is_finite() { rounded.to_string() } else { "0".to_string() }
}

/// A value at an axis.
fn short(value: f64) -> String {
    let rounded = (value * 1e6).round() / 1e6;
    if rounded.abs() >= 1e6 { format!("{rounded:e}") } else { rounded.to_string() }
}

/// A share for people.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
