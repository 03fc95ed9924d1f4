//! Probe results as one page that needs nothing else: no file, no network, no script to be read.
//!
//! Everything that comes from files or from the model is escaped by the template engine, and the page
//! forbids every script but its own, by that script's checksum.

mod against;
mod figures;
mod plot;
mod view;

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, context};
use sha2::{Digest, Sha256};

use super::digest;
use super::ending::ResultCounts;
use super::out::ReportOutput;

const PAGE: &str = include_str!("html/page.html");
const STYLE: &str = include_str!("html/style.css");
const SCRIPT: &str = include_str!("html/script.js");

/// Writes the page.
///
/// # Errors
/// Those of the writer.
pub fn write(results: &ResultCounts, out: &mut ReportOutput) -> io::Result<()> {
    let page = render(results).map_err(io::Error::other)?;
    out.write_all(page.as_bytes())
}

fn render(results: &ResultCounts) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    // The name's ending is what turns escaping on.
    environment.add_template("page.html", PAGE)?;
    let runs = results.runs.iter().enumerate();
    let runs: Vec<view::RunView> = runs.map(|(number, told)| view::RunView::new(number, told)).collect();
    let against: Vec<against::AgainstView> =
        results.comparisons.iter().map(against::AgainstView::new).collect();
    environment.get_template("page.html")?.render(context! {
        conclusion => digest::conclusion(results.runs.iter().map(|told| told.run), results.comparisons),
        failed => results.failed(),
        against => minijinja::Value::from(minijinja::value::Serde(against)),
        partial => results.partial.then_some(digest::PARTIAL),
        runs => minijinja::Value::from(minijinja::value::Serde(runs)),
        style => minijinja::Value::from_safe_string(STYLE.to_string()),
        script => minijinja::Value::from_safe_string(SCRIPT.to_string()),
        checksum => minijinja::Value::from_safe_string(checksum(SCRIPT)),
    })
}

/// As a content security policy names a script.
fn checksum(script: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(script)))
}
