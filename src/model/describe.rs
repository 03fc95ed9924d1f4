//! What a model file is, for people and for programs.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::choice::WeightsInForce;
use super::gguf::Gguf;
use super::weights::Weights;
use crate::token::{printable, visible};

/// `general.file_type` by number (`llama_ftype` in llama.h), as people write it.
const FILE_TYPES: &[(u64, &str)] = &[
    (0, "F32"),
    (1, "F16"),
    (2, "Q4_0"),
    (3, "Q4_1"),
    (7, "Q8_0"),
    (8, "Q5_0"),
    (9, "Q5_1"),
    (10, "Q2_K"),
    (11, "Q3_K_S"),
    (12, "Q3_K_M"),
    (13, "Q3_K_L"),
    (14, "Q4_K_S"),
    (15, "Q4_K_M"),
    (16, "Q5_K_S"),
    (17, "Q5_K_M"),
    (18, "Q6_K"),
    (19, "IQ2_XXS"),
    (20, "IQ2_XS"),
    (21, "Q2_K_S"),
    (22, "IQ3_XS"),
    (23, "IQ3_XXS"),
    (24, "IQ1_S"),
    (25, "IQ4_NL"),
    (26, "IQ3_S"),
    (27, "IQ3_M"),
    (28, "IQ2_S"),
    (29, "IQ2_M"),
    (30, "IQ4_XS"),
    (31, "IQ1_M"),
    (32, "BF16"),
    (36, "TQ1_0"),
    (37, "TQ2_0"),
    (38, "MXFP4"),
    (39, "NVFP4"),
    (40, "Q1_0"),
    (41, "Q2_0"),
];

/// A model file's description.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelSummary {
    /// The name people know it by.
    pub name: String,
    pub file: PathBuf,
    /// Bytes of the file.
    pub size: u64,
    /// Its checksum, where it is known.
    pub sha256: Option<String>,
    /// What the file says it is called.
    pub title: Option<String>,
    /// Architecture, as GGUF names it.
    pub architecture: Option<String>,
    /// Number of weights.
    pub parameters: u64,
    /// Quantization of most weights (`Q4_1`).
    pub quantization: String,
    /// How the tensors are stored, the most bytes first.
    pub tensor_types: Vec<TypeCount>,
    /// Context the model was trained with.
    pub context: Option<u32>,
    /// Number of layers.
    pub layers: Option<u32>,
    /// Width of the residual stream.
    pub embedding: Option<u32>,
    /// The vocabulary, where it can be used.
    pub vocabulary: Option<VocabularySummary>,
    pub chat_template: Option<String>,
    /// The licence, as the file names it.
    pub licence: Option<String>,
    /// The weights it is computed with where nobody asks for others; knowing takes its checksum.
    pub weights: Option<WeightsSummary>,
    /// The copy that has them, if it is here.
    pub copy: Option<PathBuf>,
    /// Sampling of a chat with it, as it is recommended.
    pub sampling: Option<SamplingSummary>,
    /// What stands in the way of running it; a file may still be good for tokenizing.
    pub problem: Option<String>,
}

/// The weights a model is computed with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WeightsSummary {
    /// Their format.
    pub format: Weights,
    /// Why this one.
    pub reason: String,
}

impl From<WeightsInForce> for WeightsSummary {
    fn from(in_force: WeightsInForce) -> WeightsSummary {
        WeightsSummary { format: in_force.weights, reason: in_force.reason.to_string() }
    }
}

/// A recommended sampling.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SamplingSummary {
    /// Who recommends it: `file` or `catalogue`.
    pub source: &'static str,
    /// Settings and values, as they are written there.
    pub values: BTreeMap<String, String>,
}

/// How many tensors are stored in one type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TypeCount {
    /// ggml's name of the type.
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub tensors: u64,
    /// Bytes of them all.
    pub bytes: u64,
}

/// What is to be known of a vocabulary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VocabularySummary {
    /// Number of tokens.
    pub tokens: u64,
    /// How text becomes tokens.
    pub tokenizer: &'static str,
    /// The pre-tokenizer, for byte-pair vocabularies.
    pub pre: Option<String>,
    /// Id of the beginning of sequence.
    pub bos: Option<u32>,
    pub bos_text: Option<String>,
    /// Whether a raw text is to begin with it.
    pub add_bos: bool,
    /// Id of the end of sequence.
    pub eos: Option<u32>,
}

impl ModelSummary {
    /// Describes a file. The checksum is added by whoever knows it.
    pub fn of(gguf: &Gguf, name: &str) -> ModelSummary {
        let number = |key: &str| gguf.of_model(key).and_then(|value| value.u32());
        let text = |key: &str| gguf.text(key).map(str::to_owned);
        ModelSummary {
            name: name.to_owned(),
            file: gguf.path.clone(),
            size: gguf.size,
            sha256: None,
            title: text("general.name"),
            architecture: gguf.architecture().map(str::to_owned),
            parameters: gguf.parameters(),
            quantization: quantization(gguf),
            tensor_types: tensor_types(gguf),
            context: number("context_length"),
            layers: number("block_count"),
            embedding: number("embedding_length"),
            vocabulary: vocabulary(gguf),
            chat_template: gguf.chat_template().map(str::to_owned),
            licence: text("general.license").or_else(|| text("general.license.name")),
            weights: None,
            copy: None,
            sampling: sampling("file", gguf.sampling()),
            problem: gguf.check_runnable().err().map(|error| error.fault.to_string()),
        }
    }

    /// Adds what the catalogue recommends; the file's own word comes first.
    pub(super) fn recommend(&mut self, listed: &[(&str, &str)]) {
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        let listed = sampling("catalogue", listed.iter().map(owned).collect());
        self.sampling = self.sampling.take().or(listed);
    }

    /// The description as a table. The text of the chat template is left to its own flag.
    ///
    /// # Errors
    /// If the output fails.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut row = |name: &str, value: Option<String>| match value {
            Some(value) => writeln!(out, "{name:<14} {}", printable(&value)),
            None => Ok(()),
        };
        row("name", Some(self.name.clone()))?;
        row("title", self.title.clone())?;
        row("architecture", self.architecture.clone())?;
        row("parameters", Some(parameters(self.parameters)))?;
        row("quantization", Some(format!("{} ({})", self.quantization, types_text(&self.tensor_types))))?;
        row("layers", self.layers.map(|n| n.to_string()))?;
        row("embedding", self.embedding.map(|n| n.to_string()))?;
        row("context", self.context.map(|n| format!("{n} tokens")))?;
        row("vocabulary", self.vocabulary.as_ref().map(VocabularySummary::size_text))?;
        row("BOS", self.vocabulary.as_ref().map(VocabularySummary::bos_text))?;
        row("chat template", Some(if self.chat_template.is_some() { "yes" } else { "no" }.to_owned()))?;
        row("licence", self.licence.clone())?;
        row("weights", self.weights.as_ref().map(|weights| weights.shown(self.copy.as_deref())))?;
        row("sampling", self.sampling.as_ref().map(SamplingSummary::shown))?;
        row("file", Some(self.file.display().to_string()))?;
        row("size", Some(bytes(self.size)))?;
        row("sha256", self.sha256.clone())?;
        row("cannot run", self.problem.clone())
    }
}

impl WeightsSummary {
    fn shown(&self, copy: Option<&Path>) -> String {
        let copy = match (self.format, copy) {
            (Weights::AsIs, _) => String::new(),
            (_, Some(path)) => format!(", in {}", path.display()),
            (_, None) => ", a copy is made when it is used".to_owned(),
        };
        format!("{} ({}){copy}", self.format.name(), self.reason)
    }
}

impl SamplingSummary {
    fn shown(&self) -> String {
        let values: Vec<String> = self.values.iter().map(|(name, value)| format!("{name} {value}")).collect();
        format!("{} in a chat ({})", values.join(", "), self.source)
    }
}

fn sampling(source: &'static str, values: Vec<(String, String)>) -> Option<SamplingSummary> {
    let values: BTreeMap<String, String> = values.into_iter().collect();
    (!values.is_empty()).then_some(SamplingSummary { source, values })
}

impl VocabularySummary {
    fn size_text(&self) -> String {
        let pre = self.pre.as_ref().map(|pre| format!(", {pre}")).unwrap_or_default();
        format!("{} tokens ({}{pre})", self.tokens, self.tokenizer)
    }

    fn bos_text(&self) -> String {
        let policy = if self.add_bos { "added before a text" } else { "not added before a text" };
        match (self.bos, &self.bos_text) {
            (Some(id), Some(text)) => format!("{text} ({id}), {policy}"),
            _ => "none".to_owned(),
        }
    }
}

fn quantization(gguf: &Gguf) -> String {
    let said = gguf.get("general.file_type").and_then(|value| value.integer());
    let name = said.and_then(|number| FILE_TYPES.iter().find(|(known, _)| *known == number));
    match (name, tensor_types(gguf).first()) {
        (Some((_, name)), _) => (*name).to_owned(),
        (None, Some(most)) => most.kind.to_owned(),
        (None, None) => "none".to_owned(),
    }
}

fn tensor_types(gguf: &Gguf) -> Vec<TypeCount> {
    let mut counts = BTreeMap::<&'static str, (u64, u64)>::new();
    for tensor in gguf.tensors() {
        let count = counts.entry(tensor.kind.name).or_default();
        *count = (count.0 + 1, count.1 + tensor.size);
    }
    let mut types: Vec<TypeCount> =
        counts.into_iter().map(|(kind, (tensors, bytes))| TypeCount { kind, tensors, bytes }).collect();
    types.sort_by_key(|count| std::cmp::Reverse(count.bytes));
    types
}

fn types_text(types: &[TypeCount]) -> String {
    let types: Vec<String> =
        types.iter().map(|count| format!("{} × {}", count.tensors, count.kind)).collect();
    match types.is_empty() {
        true => "no tensors".to_owned(),
        false => types.join(", "),
    }
}

fn vocabulary(gguf: &Gguf) -> Option<VocabularySummary> {
    let vocabulary = gguf.check_vocabulary().ok()?;
    let bos_text = vocabulary.bos.and_then(|id| vocabulary.tokens.text(id as usize));
    Some(VocabularySummary {
        tokens: vocabulary.tokens.len() as u64,
        tokenizer: vocabulary.tokenizer.name(),
        pre: vocabulary.pre.map(str::to_owned),
        bos: vocabulary.bos,
        bos_text: bos_text.map(visible),
        add_bos: vocabulary.add_bos,
        eos: vocabulary.eos,
    })
}

/// `135 M`, `1.24 B`.
fn parameters(number: u64) -> String {
    match number {
        0..1_000_000 => number.to_string(),
        1_000_000..1_000_000_000 => format!("{:.0} M ({number})", number as f64 / 1e6),
        _ => format!("{:.2} B ({number})", number as f64 / 1e9),
    }
}

/// `98.4 MB`: decimal, as disks and downloads are counted.
pub fn bytes(number: u64) -> String {
    match number {
        0..1_000 => format!("{number} bytes"),
        1_000..1_000_000 => format!("{:.1} kB", number as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", number as f64 / 1e6),
        _ => format!("{:.2} GB", number as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests;
