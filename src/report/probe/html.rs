//! Probe results as one page.

mod against;
mod figures;
mod ladders;
mod view;

use std::io::{self, Write};

use minijinja::{Value, context};

use super::digest;
use super::ending::ResultCounts;
use crate::probe::scale::ACCURACY;
use crate::report::html::page;
use crate::report::out::ReportOutput;

/// Writes the page.
///
/// # Errors
/// Those of the writer.
pub fn write(results: &ResultCounts, out: &mut ReportOutput) -> io::Result<()> {
    let values = context! {
        conclusion => digest::conclusion(results.runs.iter().map(|of_model| of_model.run), results.comparisons),
        failed => results.failed(),
        against => results.comparisons.iter().map(against::view).collect::<Vec<_>>(),
        ladders => ladders::view(results),
        accuracy => ACCURACY,
        partial => results.partial.then_some(digest::PARTIAL),
        runs => results.runs.iter().enumerate().map(|(i, of_model)| view::run(i, of_model)).collect::<Vec<_>>(),
    };
    out.write_all(page(include_str!("html/page.html"), include_str!("html/script.js"), values)?.as_bytes())
}

/// How something stands: a word, and the class that colours it.
fn state(word: &str, class: &str) -> Value {
    context! { word, class }
}
