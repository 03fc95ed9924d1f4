//! Suite files: read, checked and made into runnable items.
//!
//! [`file`] holds the format, [`expand`] puts rows and parameters into its templates.

mod expand;
mod file;
mod forms;
mod place;

use std::path::Path;

use serde::Deserialize;
use toml::de::DeTable;

use super::error::InputError;
use super::item;
use crate::bounded::{self, WRITTEN};
pub use file::SEED;
use file::SuiteFile;
use place::Document;

/// Reads a suite file with its data files.
///
/// # Errors
/// [`InputError`] with file, line and column.
pub fn read(path: &Path) -> Result<item::Suite, InputError> {
    let text = bounded::text(path, WRITTEN).map_err(|error| InputError::unreadable(path, &error))?;
    let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
    let mut suite = parse(&path.display().to_string(), &text, &folder)?;
    suite.file = Some(path.to_path_buf());
    Ok(suite)
}

/// Reads a suite from its text; data files are looked for in a folder.
///
/// # Errors
/// [`InputError`] with name, line and column.
pub fn parse(name: &str, text: &str, folder: &Path) -> Result<item::Suite, InputError> {
    let document = Document { name, text };
    let mut table = DeTable::parse(text).map_err(|error| document.syntax(&error))?;
    place::keep_digits(table.get_mut(), false);
    let file =
        SuiteFile::deserialize(toml::Deserializer::from(table)).map_err(|error| document.syntax(&error))?;
    expand::suite(&file, &document, folder)
}

/// The JSON schema of the format.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(SuiteFile).to_value()
}

#[cfg(test)]
mod tests;
