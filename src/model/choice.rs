//! Which weights a model is computed with, and who said so.
//!
//! A person's word first, then the catalogue's for a file that is in it (by checksum), else the file's
//! own arithmetic. The choice depends on the file and on what the processor has, never on a timing: the
//! same file on the same machine gives the same figures every day.

use super::spec::Alias;
use super::weights::Weights;

/// The weights in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WeightsInForce {
    /// Their format.
    pub weights: Weights,
    /// Why this one.
    pub reason: Reason,
}

/// Why weights are computed in their format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reason {
    /// A flag, a variable or the config file names it.
    Asked,
    /// The catalogue names it for this file.
    Catalogue,
    /// The file is not in the catalogue: its own arithmetic, as any other program would have it.
    #[default]
    NotInCatalogue,
    /// The catalogue names this format, and the copy can't be had.
    NoCopy(Weights),
    /// The catalogue names this format, and the copy is not there yet.
    Making(Weights),
    /// The catalogue names this format, and the processor is slow at it.
    Slow(Weights),
    /// Only the vocabulary is used.
    Vocabulary,
    /// A server computes, as it was started.
    Server,
    /// A server computes, in what it does not tell.
    Untold,
}

impl WeightsInForce {
    /// The same file's own arithmetic, for a reason.
    pub fn as_is(reason: Reason) -> WeightsInForce {
        WeightsInForce { weights: Weights::AsIs, reason }
    }

    /// `f16 (catalogue)`.
    pub fn shown(&self) -> String {
        format!("{} ({})", self.weights.name(), self.reason)
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Reason::Asked => f.write_str("asked for"),
            Reason::Catalogue => f.write_str("catalogue"),
            Reason::NotInCatalogue => f.write_str("not in the catalogue"),
            Reason::NoCopy(weights) => write!(f, "no {} copy", weights.name()),
            Reason::Making(weights) => write!(f, "no {} copy yet", weights.name()),
            Reason::Slow(weights) => write!(f, "slow at {}", weights.name()),
            Reason::Vocabulary => f.write_str("vocabulary only"),
            Reason::Server => f.write_str("as the server has them"),
            Reason::Untold => f.write_str("the server does not tell"),
        }
    }
}

/// What decides about the speed of a format, fixed when llama.cpp is built for a processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Processor {
    /// Converts 16-bit floats in hardware.
    pub f16: bool,
    /// Multiplies bfloat16 in hardware.
    pub bf16: bool,
}

impl Processor {
    /// The processor this program was built for; llama.cpp is built for the same one.
    pub fn here() -> Processor {
        Processor {
            f16: cfg!(any(target_feature = "f16c", target_arch = "aarch64")),
            bf16: cfg!(any(target_feature = "avx512bf16", target_feature = "bf16")),
        }
    }

    /// Whether a format is about as fast as a quantized one.
    pub fn is_good_at(self, weights: Weights) -> bool {
        match weights {
            Weights::AsIs | Weights::F32 => true,
            Weights::F16 => self.f16,
            Weights::Bf16 => self.bf16,
        }
    }
}

/// What a model should be computed with: what a person `asked` for, else what the catalogue says.
pub fn decide(asked: Option<Weights>, entry: Option<&Alias>, processor: Processor) -> WeightsInForce {
    match (asked, entry) {
        (Some(weights), _) => WeightsInForce { weights, reason: Reason::Asked },
        (None, None) => WeightsInForce::as_is(Reason::NotInCatalogue),
        (None, Some(entry)) if processor.is_good_at(entry.weights) => {
            WeightsInForce { weights: entry.weights, reason: Reason::Catalogue }
        }
        (None, Some(entry)) => WeightsInForce::as_is(Reason::Slow(entry.weights)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::spec::ALIASES;

    const ALL: Processor = Processor { f16: true, bf16: true };
    const OLD: Processor = Processor { f16: false, bf16: false };

    #[test]
    fn a_person_wins_over_the_catalogue_and_the_catalogue_over_the_file() {
        let smollm2 = Some(&ALIASES[0]);
        let asked = decide(Some(Weights::AsIs), smollm2, ALL);
        assert_eq!(asked, WeightsInForce { weights: Weights::AsIs, reason: Reason::Asked });
        let listed = decide(None, smollm2, ALL);
        assert_eq!(listed, WeightsInForce { weights: Weights::F16, reason: Reason::Catalogue });
        assert_eq!(listed.shown(), "f16 (catalogue)");
        assert_eq!(decide(None, None, ALL), WeightsInForce::default());
        assert_eq!(WeightsInForce::default().shown(), "as-is (not in the catalogue)");
    }

    #[test]
    fn a_processor_that_is_slow_at_the_format_computes_the_file_as_it_is() {
        let slow = decide(None, Some(&ALIASES[0]), OLD);
        assert_eq!(slow, WeightsInForce::as_is(Reason::Slow(Weights::F16)));
        assert_eq!(slow.shown(), "as-is (slow at f16)");
        // Whoever asks for it gets it.
        assert_eq!(decide(Some(Weights::F16), Some(&ALIASES[0]), OLD).weights, Weights::F16);
    }
}
