//! SVG in the making: axes, shapes and texts. Text is escaped by the library that writes it.

use minijinja::Value;
use quick_xml::escape::escape;

/// A picture's width and height in its own units, about pixels on a small screen.
pub const SIZE: [f64; 2] = [360.0, 230.0];
/// Where its axes are.
pub const LEFT: f64 = 40.0;
pub const TOP: f64 = 24.0;
pub const RIGHT: f64 = 346.0;
pub const BOTTOM: f64 = 190.0;

/// A direction of a picture.
pub struct Axis {
    pub low: f64,
    pub high: f64,
    pub logarithmic: bool,
    pub from: f64,
    pub to: f64,
}

impl Axis {
    pub fn share(from: f64, to: f64) -> Axis {
        Axis { low: 0.0, high: 1.0, logarithmic: false, from, to }
    }

    pub fn at(&self, value: f64) -> f64 {
        let scaled = |value: f64| if self.logarithmic { value.ln() } else { value };
        let share = (scaled(value) - scaled(self.low)) / (scaled(self.high) - scaled(self.low));
        self.from + share.clamp(0.0, 1.0) * (self.to - self.from)
    }

    /// Round values; of a logarithmic axis its powers of two or ten.
    pub fn ticks(&self) -> Vec<f64> {
        if !self.logarithmic {
            return ticks(self.low, self.high, false);
        }
        let base: f64 = if self.high / self.low > 2000.0 { 10.0 } else { 2.0 };
        let (first, last) = (self.low.log(base).ceil() as i32, self.high.log(base).floor() as i32);
        (first..=last).map(|power| base.powi(power)).collect()
    }
}

/// At most about eight round values.
pub fn ticks(low: f64, high: f64, whole: bool) -> Vec<f64> {
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
pub struct Svg(String);

impl Svg {
    pub fn new(class: &str, [width, height]: [f64; 2], title: &str) -> Svg {
        let (width, height, title) = (number(width), number(height), escape(title));
        Svg(format!(
            r#"<svg class="{class}" viewBox="0 0 {width} {height}" role="img" aria-label="{title}">"#
        ))
    }

    /// One that is as wide as it says, where there is room.
    pub fn sized(class: &str, size: [f64; 2], title: &str) -> Svg {
        let mut svg = Svg::new(class, size, title);
        let inside = svg.0.len() - 1;
        svg.0.insert_str(inside, &[("width", size[0]), ("height", size[1])].map(attribute).concat());
        svg
    }

    /// A line through points, each `x,y`.
    pub fn path(&mut self, class: &str, points: &str) {
        self.0.push_str(&format!(r#"<polyline class="{class}" points="{points}"/>"#));
    }

    /// As a page takes it.
    pub fn end(self) -> Value {
        Value::from_safe_string(self.0 + "</svg>")
    }

    pub fn shape(&mut self, name: &str, class: &str, place: &[(&str, f64)]) {
        let place: String = place.iter().copied().map(attribute).collect();
        self.0.push_str(&format!(r#"<{name} class="{class}"{place}/>"#));
    }

    /// A shape that says what it is to a pointer.
    pub fn told(&mut self, name: &str, class: &str, place: &str, label: &str) {
        let label = escape(label);
        self.0.push_str(&format!(r#"<{name} class="{class}"{place}><title>{label}</title></{name}>"#));
    }

    /// From one place to another, each across and down.
    pub fn line(&mut self, class: &str, [x1, y1, x2, y2]: [f64; 4]) {
        self.shape("line", class, &[("x1", x1), ("y1", y1), ("x2", x2), ("y2", y2)]);
    }

    pub fn text(&mut self, class: &str, [x, y]: [f64; 2], text: &str) {
        let (x, y, text) = (number(x), number(y), escape(text));
        self.0.push_str(&format!(r#"<text class="{class}" x="{x}" y="{y}">{text}</text>"#));
    }

    /// Axes of shares over steps that have names.
    pub fn shares(&mut self, [below, beside]: [&str; 2], y: &Axis) {
        self.rows(y, &[0.0, 0.25, 0.5, 0.75, 1.0]);
        self.frame(below, beside);
    }

    fn rows(&mut self, y: &Axis, rows: &[f64]) {
        for row in rows {
            self.line("grid", [LEFT, y.at(*row), RIGHT, y.at(*row)]);
            self.text("tick end", [LEFT - 5.0, y.at(*row) + 4.0], &short(*row));
        }
    }

    fn frame(&mut self, below: &str, beside: &str) {
        self.line("axis", [LEFT, BOTTOM, RIGHT, BOTTOM]);
        self.text("label middle", [(LEFT + RIGHT) / 2.0, SIZE[1] - 6.0], below);
        self.text("label", [2.0, 12.0], beside);
    }

    pub fn axes(&mut self, x: &Axis, y: &Axis, [below, beside]: [&str; 2], rows: &[f64]) {
        self.rows(y, rows);
        for tick in x.ticks() {
            self.line("axis", [x.at(tick), BOTTOM, x.at(tick), BOTTOM + 4.0]);
            self.text("tick middle", [x.at(tick), BOTTOM + 16.0], &short(tick));
        }
        self.frame(below, beside);
    }
}

pub fn attribute((name, value): (&str, f64)) -> String {
    format!(r#" {name}="{}""#, number(value))
}

/// A coordinate, to a hundredth.
pub fn number(value: f64) -> String {
    let rounded = (value * 100.0).round() / 100.0;
    if rounded.is_finite() { rounded.to_string() } else { "0".to_string() }
}

/// A value at an axis.
fn short(value: f64) -> String {
    let rounded = (value * 1e6).round() / 1e6;
    if rounded.abs() >= 1e6 { format!("{rounded:e}") } else { rounded.to_string() }
}
