//! The suites inside the program.

use std::path::Path;

use super::error::InputError;
use super::item::Suite;
use super::suite;

/// One suite file: its name without `.toml`, and its text.
pub type Shipped = (&'static str, &'static str);

/// Every suite, in the order they are listed and run.
pub const SUITES: [Shipped; 1] = [("induction.en", include_str!("../../prompts/suites/induction.en.toml"))];

/// Those of a name: a whole one (`induction.en`), or one in every language (`induction`).
pub fn named(name: &str) -> Vec<Shipped> {
    let stem = |full: &str| full.rsplit_once('.').map_or(full.to_string(), |(stem, _)| stem.to_string());
    SUITES.into_iter().filter(|(full, _)| *full == name || stem(full) == name).collect()
}

/// Reads one.
///
/// # Errors
/// A mistake in it, which a test would have found.
pub fn read((name, text): Shipped) -> Result<Suite, InputError> {
    suite::parse(name, text, Path::new(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_of_the_folder_is_in_the_program_and_sound() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts/suites");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter_map(|name| name.strip_suffix(".toml").map(str::to_string))
            .collect();
        files.sort();
        let mut listed = SUITES.map(|(name, _)| name.to_string());
        listed.sort();
        assert_eq!(listed.as_slice(), files);
        for shipped in SUITES {
            let suite = read(shipped).unwrap();
            assert_eq!(suite.name, shipped.0);
            assert!(suite.title.is_some() && suite.claim.is_some() && suite.lang.is_some(), "{}", suite.name);
        }
    }

    #[test]
    fn a_name_without_language_means_every_language() {
        assert!(named("induction").iter().any(|(name, _)| *name == "induction.en"));
        assert_eq!(named("induction.en").len(), 1);
        assert!(named("nothing").is_empty());
    }
}
