//! Pages that need nothing else: no file, no network, no script to be read.
//!
//! Everything that comes from files or from the model is escaped by the template engine, and a page forbids
//! every script but its own, by that script's checksum.

pub mod lines;
pub mod map;
pub mod plot;
mod svg;

use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, Value, context};
use sha2::{Digest, Sha256};

const FRAME: &str = include_str!("html/frame.html");
const STYLE: &str = include_str!("html/style.css");

/// A page from its template, which extends `frame.html`, its script, and what the template reads.
///
/// # Errors
/// A template that asks for what is not there.
pub fn page(template: &str, script: &str, values: Value) -> io::Result<String> {
    let render = || {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
        // The names' ending is what turns escaping on.
        environment.add_template("frame.html", FRAME)?;
        environment.add_template("page.html", template)?;
        environment.get_template("page.html")?.render(context! {
            style => Value::from_safe_string(STYLE.to_string()),
            script => Value::from_safe_string(script.to_string()),
            // As a content security policy names a script.
            checksum => Value::from_safe_string(format!("sha256-{}", STANDARD.encode(Sha256::digest(script)))),
            ..values
        })
    };
    render().map_err(|error: minijinja::Error| io::Error::other(error))
}
