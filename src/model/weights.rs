//! The formats that weights are computed in.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// The format weights are computed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Weights {
    /// As the file has them.
    #[default]
    AsIs,
    /// 16 bits with the range of F32: the fastest for prompts on processors that have it.
    Bf16,
    /// 16 bits.
    F16,
    /// 32 bits: exact.
    F32,
}

impl Weights {
    /// The name on the command line and in records.
    pub fn name(self) -> &'static str {
        match self {
            Weights::AsIs => "as-is",
            Weights::Bf16 => "bf16",
            Weights::F16 => "f16",
            Weights::F32 => "f32",
        }
    }

    /// The format of a name.
    pub fn named(name: &str) -> Option<Weights> {
        [Weights::AsIs, Weights::Bf16, Weights::F16, Weights::F32].into_iter().find(|w| w.name() == name)
    }

    /// ggml's name of the type of every matrix.
    pub(super) fn tensor_type(self) -> Option<&'static str> {
        match self {
            Weights::AsIs => None,
            Weights::Bf16 => Some("BF16"),
            Weights::F16 => Some("F16"),
            Weights::F32 => Some("F32"),
        }
    }

    pub(super) fn bytes(self) -> u64 {
        if self == Weights::F32 { 4 } else { 2 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_has_a_name_that_reads_back() {
        for weights in Weights::value_variants() {
            assert_eq!(Weights::named(weights.name()), Some(*weights));
            assert_eq!(weights.to_possible_value().unwrap().get_name(), weights.name());
        }
    }
}
