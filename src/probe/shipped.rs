//! The suites inside the program.

use std::path::Path;

use super::error::InputError;
use super::item::Suite;
use super::suite;

/// One suite file: its name without `.toml`, and its text.
pub type Shipped = (&'static str, &'static str);

macro_rules! shipped {
    ($($name:literal)*) => {
        [$(($name, include_str!(concat!("../../prompts/suites/", $name, ".toml")))),*]
    };
}

/// Every suite, in the order they are listed and run: that of the claims they test.
pub const SUITES: [Shipped; 26] = shipped! {
    "patterns.en" "patterns.zh"
    "facts.en" "facts.zh"
    "rules.en" "rules.zh"
    "induction.en" "induction.zh"
    "distance.en" "distance.zh"
    "agreement.en" "agreement.zh"
    "subjects.en" "subjects.zh"
    "code.en" "code.zh"
    "layers.en" "layers.zh"
    "chains.en" "chains.zh"
    "derivations.en" "derivations.zh"
    "causes.en" "causes.zh"
    "calibration.en" "calibration.zh"
};

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
    }

    #[test]
    fn every_suite_states_its_claim_in_its_language_with_enough_probes() {
        for shipped in SUITES {
            let suite = read(shipped).unwrap();
            assert_eq!(suite.name, shipped.0);
            let (stem, lang) = suite.name.rsplit_once('.').unwrap();
            assert_eq!(suite.lang.as_deref(), Some(lang));
            for text in [&suite.title, &suite.claim] {
                let text = text.as_ref().unwrap_or_else(|| panic!("{} lacks a title or claim", suite.name));
                assert_eq!(text.contains(|c: char| c > '\u{2e80}'), lang == "zh", "{text}");
            }
            assert!(suite.items.len() >= 20, "{} has {} probes", suite.name, suite.items.len());
            for other in ["en", "zh"] {
                assert_eq!(named(&format!("{stem}.{other}")).len(), 1, "{stem}.{other}");
            }
        }
    }

    #[test]
    fn a_name_without_language_means_every_language() {
        let names: Vec<&str> = named("induction").iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["induction.en", "induction.zh"]);
        assert_eq!(named("induction.en").len(), 1);
        assert!(named("nothing").is_empty());
    }
}
