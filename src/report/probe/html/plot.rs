//! Plots as SVG, to be read in a page that gives them their colours.
//!
//! Coordinates are made here and text is escaped by the library that writes it. A plot is never the
//! only place of its numbers: the page has a table beside each.

use std::io;

use quick_xml::Writer;
use quick_xml::events::BytesText;

/// A picture's width and height in its own units, about pixels on a small screen.
const SIZE: (f64, f64) = (360.0, 230.0);
/// Where its axes are: left, top, right, bottom.
const FRAME: (f64, f64, f64, f64) = (40.0, 24.0, 346.0, 190.0);
/// Size of a bar in a row of a table.
const BAR: (f64, f64) = (120.0, 14.0);
/// Beyond this ratio of the largest parameter to the smallest an axis is logarithmic.
const WIDE: f64 = 40.0;

type Svg = Writer<Vec<u8>>;

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
pub fn bar(share: f64, range: Option<(f64, f64)>, guess: Option<f64>, class: &str) -> String {
    let (width, height) = BAR;
    let middle = height / 2.0;
    let at = |share: f64| number(share.clamp(0.0, 1.0) * width);
    draw("bar", (width, height), &percent(share), |svg| {
        shape(svg, "rect", "track", &[("width", number(width)), ("height", number(height))])?;
        shape(svg, "rect", &format!("fill {class}"), &[("width", at(share)), ("height", number(height))])?;
        if let Some(guess) = guess {
            line(svg, "guide", (at(guess), number(0.0)), (at(guess), number(height)))?;
        }
        whisker(svg, range, middle, at)
    })
}

/// An interval in a bar.
fn whisker(
    svg: &mut Svg,
    range: Option<(f64, f64)>,
    middle: f64,
    at: impl Fn(f64) -> String,
) -> io::Result<()> {
    let Some((low, high)) = range else { return Ok(()) };
    let y = number(middle);
    line(svg, "whisker", (at(low), y.clone()), (at(high), y))?;
    for end in [low, high] {
        line(svg, "whisker", (at(end), number(middle - 3.0)), (at(end), number(middle + 3.0)))?;
    }
    Ok(())
}

/// A difference as a bar to the left or the right of nothing, with its interval as a whisker; `scale` is
/// the difference at either end, above 0.
pub fn difference(value: f64, range: Option<(f64, f64)>, scale: f64, class: &str) -> String {
    let (width, height) = BAR;
    let (middle, zero) = (height / 2.0, width / 2.0);
    let place = |value: f64| zero + (value / scale).clamp(-1.0, 1.0) * (zero - 2.0);
    let at = |value: f64| number(place(value));
    draw("bar", (width, height), &format!("{value:+.4}"), |svg| {
        shape(svg, "rect", "track", &[("width", number(width)), ("height", number(height))])?;
        let (left, right) = (place(value).min(zero), place(value).max(zero));
        let size = [("x", number(left)), ("width", number(right - left)), ("height", number(height))];
        shape(svg, "rect", &format!("fill {class}"), &size)?;
        line(svg, "zero", (number(zero), number(0.0)), (number(zero), number(height)))?;
        whisker(svg, range, middle, at)
    })
}

/// How many values fall into each of some equal parts of 0..=1.
pub fn histogram(title: &str, x_label: &str, counts: &[usize]) -> String {
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let x = Axis::share(FRAME.0, FRAME.2);
    let y = Axis { low: 0.0, high: most as f64, logarithmic: false, from: FRAME.3, to: FRAME.1 };
    draw("plot", SIZE, title, |svg| {
        axes(svg, (&x, &y), (x_label, "items"), &ticks(0.0, most as f64, true))?;
        for (i, count) in counts.iter().enumerate() {
            let (from, to) = (i as f64 / counts.len() as f64, (i + 1) as f64 / counts.len() as f64);
            let (left, right) = (x.place(from) + 1.0, x.place(to) - 1.0);
            let top = y.place(*count as f64);
            let label = format!("{from:.2} to {to:.2}: {count}");
            let place = [
                ("x", number(left)),
                ("y", number(top)),
                ("width", number(right - left)),
                ("height", number(FRAME.3 - top)),
            ];
            told(svg, "rect", "fill", &place, &label)?;
        }
        Ok(())
    })
}

impl Chart {
    /// The picture.
    pub fn draw(&self) -> String {
        let x = self.horizontal();
        let y = Axis::share(FRAME.3, FRAME.1);
        let quarters = [0.0, 0.25, 0.5, 0.75, 1.0];
        draw("plot", SIZE, &self.title, |svg| {
            axes(svg, (&x, &y), (&self.x_label, &self.y_label), &quarters)?;
            if self.diagonal {
                let (from, to) = ((x.at(0.0), y.at(0.0)), (x.at(1.0), y.at(1.0)));
                line(svg, "guide", from, to)?;
            }
            if let Some(guide) = self.guide {
                line(svg, "guide", (number(FRAME.0), y.at(guide)), (number(FRAME.2), y.at(guide)))?;
            }
            let path: Vec<String> =
                self.points.iter().map(|point| format!("{},{}", x.at(point.x), y.at(point.y))).collect();
            shape(svg, "polyline", "line", &[("points", path.join(" "))])?;
            self.points.iter().try_for_each(|point| self.point(svg, (&x, &y), point))
        })
    }

    fn horizontal(&self) -> Axis {
        if self.diagonal {
            return Axis::share(FRAME.0, FRAME.2);
        }
        let xs = || self.points.iter().map(|point| point.x);
        let low = xs().min_by(f64::total_cmp).unwrap_or(0.0);
        let high = xs().max_by(f64::total_cmp).unwrap_or(1.0);
        let (low, high) = if low < high { (low, high) } else { (low - 0.5, high + 0.5) };
        let logarithmic = low > 0.0 && high / low > WIDE;
        // Points stand inside the frame, not on its sides.
        Axis { low, high, logarithmic, from: FRAME.0 + 10.0, to: FRAME.2 - 10.0 }
    }

    fn point(&self, svg: &mut Svg, (x, y): (&Axis, &Axis), point: &Point) -> io::Result<()> {
        if let Some((low, high)) = point.range {
            line(svg, "whisker", (x.at(point.x), y.at(low)), (x.at(point.x), y.at(high)))?;
        }
        let (cx, cy) = (x.place(point.x), y.place(point.y));
        // The shape says it too, for those who don't tell the colours apart.
        if point.passed == Some(false) {
            let d = format!("M{} {}l8 8m0 -8l-8 8", number(cx - 4.0), number(cy - 4.0));
            return told(svg, "path", "miss", &[("d", d)], &point.label);
        }
        let class = if point.passed == Some(true) { "hit" } else { "dot" };
        let place = [("cx", number(cx)), ("cy", number(cy)), ("r", number(3.5))];
        told(svg, "circle", class, &place, &point.label)
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

    fn place(&self, value: f64) -> f64 {
        let scaled = |value: f64| if self.logarithmic { value.ln() } else { value };
        let share = (scaled(value) - scaled(self.low)) / (scaled(self.high) - scaled(self.low));
        self.from + share.clamp(0.0, 1.0) * (self.to - self.from)
    }

    fn at(&self, value: f64) -> String {
        number(self.place(value))
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

fn axes(svg: &mut Svg, (x, y): (&Axis, &Axis), labels: (&str, &str), rows: &[f64]) -> io::Result<()> {
    let (left, _, right, bottom) = FRAME;
    for row in rows {
        line(svg, "grid", (number(left), y.at(*row)), (number(right), y.at(*row)))?;
        text(svg, "tick end", (left - 5.0, y.place(*row) + 4.0), &short(*row))?;
    }
    for tick in x.ticks() {
        line(svg, "axis", (x.at(tick), number(bottom)), (x.at(tick), number(bottom + 4.0)))?;
        text(svg, "tick middle", (x.place(tick), bottom + 16.0), &short(tick))?;
    }
    line(svg, "axis", (number(left), number(bottom)), (number(right), number(bottom)))?;
    text(svg, "label middle", ((left + right) / 2.0, SIZE.1 - 6.0), labels.0)?;
    text(svg, "label", (2.0, 12.0), labels.1)
}

/// A picture with its name.
fn draw(
    class: &str,
    (width, height): (f64, f64),
    title: &str,
    inside: impl FnOnce(&mut Svg) -> io::Result<()>,
) -> String {
    let mut svg = Writer::new(Vec::new());
    let drawn = svg
        .create_element("svg")
        .with_attribute(("class", class))
        .with_attribute(("viewBox", format!("0 0 {} {}", number(width), number(height)).as_str()))
        .with_attribute(("role", "img"))
        .with_attribute(("aria-label", title))
        .write_inner_content(inside)
        .map(|_| ());
    // Memory takes everything, so there is no error to tell.
    drawn.map(|()| String::from_utf8_lossy(&svg.into_inner()).into_owned()).unwrap_or_default()
}

fn shape(svg: &mut Svg, name: &str, class: &str, attributes: &[(&str, String)]) -> io::Result<()> {
    let attributes = attributes.iter().map(|(name, value)| (*name, value.as_str()));
    svg.create_element(name).with_attribute(("class", class)).with_attributes(attributes).write_empty()?;
    Ok(())
}

/// A shape that says what it is to a pointer.
fn told(
    svg: &mut Svg,
    name: &str,
    class: &str,
    attributes: &[(&str, String)],
    label: &str,
) -> io::Result<()> {
    let attributes = attributes.iter().map(|(name, value)| (*name, value.as_str()));
    let element = svg.create_element(name).with_attribute(("class", class)).with_attributes(attributes);
    element.write_inner_content(|svg| {
        svg.create_element("title").write_text_content(BytesText::new(label))?;
        Ok(())
    })?;
    Ok(())
}

fn line(svg: &mut Svg, class: &str, from: (String, String), to: (String, String)) -> io::Result<()> {
    shape(svg, "line", class, &[("x1", from.0), ("y1", from.1), ("x2", to.0), ("y2", to.1)])
}

fn text(svg: &mut Svg, class: &str, (x, y): (f64, f64), text: &str) -> io::Result<()> {
    svg.create_element("text")
        .with_attribute(("class", class))
        .with_attribute(("x", number(x).as_str()))
        .with_attribute(("y", number(y).as_str()))
        .write_text_content(BytesText::new(text))?;
    Ok(())
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
