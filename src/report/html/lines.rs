//! Lines over steps that are the same for all: one mark a line, so that no colour is needed to tell them apart.

use minijinja::Value;

use super::svg::{Axis, BOTTOM, LEFT, RIGHT, SIZE, Svg, TOP, number};

/// Lines that have a colour and a mark of their own; those after them begin again.
const MARKS: usize = 6;
/// How far the marks of one step stand apart at most.
const APART: f64 = 7.0;
/// Half of a mark's size.
const SMALL: f64 = 3.6;
/// Size of a line's key.
const KEY: [f64; 2] = [26.0, 12.0];

/// A share at a step.
#[derive(Clone, Debug)]
pub struct StepShare {
    pub share: f64,
    /// Its interval.
    pub range: (f64, f64),
    /// What a pointer on it shows.
    pub label: String,
}

/// Shares of several over the same steps.
#[derive(Clone, Debug)]
pub struct LineChart {
    /// What is seen, for those who don't see it.
    pub title: String,
    /// Under the horizontal axis.
    pub x_label: String,
    /// At the vertical one.
    pub y_label: String,
    /// What each step is called.
    pub steps: Vec<String>,
    /// The lines, a share a step.
    pub lines: Vec<Vec<StepShare>>,
}

impl LineChart {
    /// The picture.
    pub fn draw(&self) -> Value {
        let last = self.steps.len().max(1) as f64;
        let x = Axis { low: 0.0, high: last, logarithmic: false, from: LEFT, to: RIGHT };
        let y = Axis::share(BOTTOM, TOP);
        let mut svg = Svg::new("plot", SIZE, &self.title);
        svg.shares([&self.x_label, &self.y_label], &y);
        for (i, name) in self.steps.iter().enumerate() {
            svg.text("tick middle", [x.at(i as f64 + 0.5), BOTTOM + 16.0], name);
        }
        let apart = APART.min((RIGHT - LEFT) / last / (self.lines.len() as f64 + 1.0));
        for (place, line) in self.lines.iter().enumerate() {
            let aside = (place as f64 - (self.lines.len() as f64 - 1.0) / 2.0) * apart;
            let at: Vec<f64> = (0..line.len()).map(|i| x.at(i as f64 + 0.5) + aside).collect();
            let path =
                at.iter().zip(line).map(|(at, step)| format!("{},{}", number(*at), number(y.at(step.share))));
            svg.path(&class("series", place), &path.collect::<Vec<_>>().join(" "));
            for (&at, step) in at.iter().zip(line) {
                let (low, high) = step.range;
                svg.line(&class("series", place), [at, y.at(low), at, y.at(high)]);
                svg.told("path", &class("mark", place), &mark(place, [at, y.at(step.share)]), &step.label);
            }
        }
        svg.end()
    }
}

/// The mark of a line, for a legend.
pub fn key(place: usize) -> Value {
    let mut svg = Svg::new("key", KEY, "");
    let middle = [KEY[0] / 2.0, KEY[1] / 2.0];
    svg.line(&class("series", place), [0.0, middle[1], KEY[0], middle[1]]);
    svg.told("path", &class("mark", place), &mark(place, middle), "");
    svg.end()
}

fn class(name: &str, place: usize) -> String {
    format!("{name} s{}", place % MARKS)
}

/// A dot, a square, a triangle, a diamond, a triangle on its tip, a cross.
fn mark(place: usize, [x, y]: [f64; 2]) -> String {
    let (x, y, r) = (number(x), number(y), SMALL);
    let shape = match place % MARKS {
        0 => format!("m-{r} 0a{r} {r} 0 1 0 {d} 0a{r} {r} 0 1 0 -{d} 0", d = 2.0 * r),
        1 => format!("m-{r} -{r}h{d}v{d}h-{d}z", d = 2.0 * r),
        2 => format!("m0 -{r}l{r} {d}h-{d}z", d = 2.0 * r),
        3 => format!("m0 -{r}l{r} {r}l-{r} {r}l-{r} -{r}z"),
        4 => format!("m0 {r}l{r} -{d}h-{d}z", d = 2.0 * r),
        _ => format!("m-{r} -{r}l{d} {d}m0 -{d}l-{d} {d}", d = 2.0 * r),
    };
    format!(r#" d="M{x} {y}{shape}""#)
}
