//! The tensors that an architecture is made of: their names, shapes and what they are used for.
//!
//! Mirrors `load_arch_tensors` of models/llama.cpp and models/gemma3.cpp together with the generic
//! scale tensors of `llama_model_base::load_tensors`. llama.cpp checks the shapes itself; what it
//! leaves to an assertion is the *type*: a norm that is not F32 ends the process at the first token.

use std::collections::HashMap;

use super::error::Fault;
use super::hparams::Hparams;
use super::tensor::shape_text;
use super::{Gguf, Tensor};

/// What a tensor is used for, which decides the types it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// Multiplied with activations, or looked up by row.
    Matrix,
    /// Added to or multiplied with activations element by element: F32 only.
    Vector,
}

#[derive(Debug)]
struct Expected {
    shape: Vec<u64>,
    used: Use,
    required: bool,
}

/// Every tensor an architecture may have, by name.
#[derive(Debug, Default)]
pub(super) struct Layout {
    expected: HashMap<String, Expected>,
}

impl Layout {
    fn add(&mut self, name: String, shape: &[u64], used: Use, required: bool) {
        self.expected.insert(name, Expected { shape: shape.to_vec(), used, required });
    }

    /// A weight matrix with its optional scales.
    fn matrix(&mut self, name: &str, shape: &[u64], required: bool) {
        self.add(format!("{name}.weight"), shape, Use::Matrix, required);
        let scales = shape.get(2).copied().unwrap_or(1);
        self.vector(format!("{name}.scale"), scales, false);
        self.vector(format!("{name}.input_scale"), scales, false);
    }

    fn vector(&mut self, name: String, length: u64, required: bool) {
        self.add(name, &[length], Use::Vector, required);
    }

    /// The tensors of `llama` models.
    pub(super) fn llama(gguf: &Gguf, h: &Hparams, vocabulary: u64) -> Layout {
        let mut layout = Layout::default();
        layout.ends(gguf, h, vocabulary);
        let rotated = u64::from(h.rot) / 2;
        for name in match h.longrope {
            true => &["rope_factors_long.weight", "rope_factors_short.weight"][..],
            false => &["rope_freqs.weight"],
        } {
            layout.vector((*name).to_owned(), rotated, false);
        }
        let (embd, ff, experts) = (h.embd.into(), h.ff[0].into(), h.experts.into());
        for block in (0..h.layers).map(|layer| format!("blk.{layer}")) {
            layout.attention(gguf, &block, h);
            layout.vector(format!("{block}.attn_output.bias"), embd, false);
            layout.vector(format!("{block}.ffn_norm.weight"), embd, true);
            if experts == 0 {
                layout.feed_forward(&block, embd, ff);
                layout.vector(format!("{block}.ffn_gate.bias"), ff, false);
                layout.vector(format!("{block}.ffn_up.bias"), ff, false);
                layout.vector(format!("{block}.ffn_down.bias"), embd, false);
            } else {
                layout.add(format!("{block}.ffn_gate_inp.weight"), &[embd, experts], Use::Matrix, true);
                layout.matrix(&format!("{block}.ffn_gate_exps"), &[embd, ff, experts], false);
                layout.matrix(&format!("{block}.ffn_up_exps"), &[embd, ff, experts], true);
                layout.matrix(&format!("{block}.ffn_down_exps"), &[ff, embd, experts], true);
            }
        }
        layout
    }

    /// The tensors of `gemma3` models.
    pub(super) fn gemma3(gguf: &Gguf, h: &Hparams, vocabulary: u64) -> Layout {
        let mut layout = Layout::default();
        layout.ends(gguf, h, vocabulary);
        let (embd, ff) = (h.embd.into(), h.ff[0].into());
        for block in (0..h.layers).map(|layer| format!("blk.{layer}")) {
            layout.attention(gguf, &block, h);
            layout.vector(format!("{block}.attn_q_norm.weight"), h.head_k.into(), true);
            layout.vector(format!("{block}.attn_k_norm.weight"), h.head_k.into(), true);
            for norm in ["post_attention_norm", "ffn_norm", "post_ffw_norm"] {
                layout.vector(format!("{block}.{norm}.weight"), embd, true);
            }
            layout.feed_forward(&block, embd, ff);
        }
        layout
    }

    /// Embedding, last norm and output.
    fn ends(&mut self, gguf: &Gguf, h: &Hparams, vocabulary: u64) {
        let table = [h.embd.into(), vocabulary];
        self.add("token_embd.weight".to_owned(), &table, Use::Matrix, true);
        self.add("output.weight".to_owned(), &table, Use::Matrix, false);
        self.vector("output_norm.weight".to_owned(), h.embd.into(), true);
        // Looked for with this type alone; with tied weights they are an assertion.
        if gguf.tensor("output.weight").is_some_and(|output| output.kind.name == "NVFP4") {
            self.vector("output.scale".to_owned(), 1, false);
            self.vector("output.input_scale".to_owned(), 1, false);
        }
    }

    fn attention(&mut self, gguf: &Gguf, block: &str, h: &Hparams) {
        let embd = h.embd.into();
        let q = u64::from(h.head_k) * u64::from(h.heads[0]);
        let k = u64::from(h.head_k) * u64::from(h.kv_heads[0]);
        let v = u64::from(h.head_v) * u64::from(h.kv_heads[0]);
        self.vector(format!("{block}.attn_norm.weight"), embd, true);
        self.matrix(&format!("{block}.attn_output"), &[q, embd], true);
        if gguf.tensor(&format!("{block}.attn_qkv.weight")).is_some() {
            self.matrix(&format!("{block}.attn_qkv"), &[embd, q + k + v], true);
            self.vector(format!("{block}.attn_qkv.bias"), q + k + v, false);
        } else {
            for (name, width) in [("attn_q", q), ("attn_k", k), ("attn_v", v)] {
                self.matrix(&format!("{block}.{name}"), &[embd, width], true);
            }
        }
        for (name, width) in [("attn_q", q), ("attn_k", k), ("attn_v", v)] {
            self.vector(format!("{block}.{name}.bias"), width, false);
        }
    }

    fn feed_forward(&mut self, block: &str, embd: u64, ff: u64) {
        self.matrix(&format!("{block}.ffn_gate"), &[embd, ff], true);
        self.matrix(&format!("{block}.ffn_up"), &[embd, ff], true);
        self.matrix(&format!("{block}.ffn_down"), &[ff, embd], true);
    }

    /// Every tensor of the file is expected and right, and every required one is there.
    pub(super) fn check(&self, gguf: &Gguf) -> Result<(), Fault> {
        for tensor in gguf.tensors() {
            match self.expected.get(&tensor.name) {
                Some(expected) => expected.check(tensor)?,
                None => {
                    let architecture = gguf.architecture().unwrap_or_default();
                    return Err(Fault::tensor(
                        &tensor.name,
                        format!("a {architecture} model has none of this name"),
                    ));
                }
            }
        }
        let present = |name: &String| gguf.tensors().iter().any(|tensor| tensor.name == *name);
        let mut missing: Vec<&String> = self
            .expected
            .iter()
            .filter(|(name, e)| e.required && !present(name))
            .map(|(name, _)| name)
            .collect();
        missing.sort();
        match missing.first() {
            Some(name) => Err(Fault::tensor(name, "missing; the file is not a whole model")),
            None => check_nvfp4(gguf),
        }
    }
}

impl Expected {
    fn check(&self, tensor: &Tensor) -> Result<(), Fault> {
        let same = tensor.shape.iter().zip(self.shape.iter().chain([&1; 4])).all(|(a, b)| a == b);
        if !same {
            let what = format!("its shape is {}, expected {}", tensor.shape_text(), shape_text(&self.shape));
            return Err(Fault::tensor(&tensor.name, what));
        }
        let usable = match self.used {
            Use::Matrix => tensor.kind.multiplies,
            Use::Vector => tensor.kind.is_f32(),
        };
        match (usable, self.used) {
            (true, _) => Ok(()),
            (false, Use::Matrix) => {
                Err(Fault::tensor(&tensor.name, format!("{} is no type for weights", tensor.kind.name)))
            }
            (false, Use::Vector) => {
                Err(Fault::tensor(&tensor.name, format!("is {}, and it must be F32", tensor.kind.name)))
            }
        }
    }
}

/// llama.cpp asserts that a matrix of this type has no bias after its scale.
fn check_nvfp4(gguf: &Gguf) -> Result<(), Fault> {
    let has = |kind: &str| gguf.tensors().iter().any(|tensor| tensor.kind.name == kind);
    let bias = gguf.tensors().iter().find(|tensor| tensor.name.ends_with(".bias"));
    match bias {
        Some(bias) if has("NVFP4") => Err(Fault::tensor(&bias.name, "biases do not go with NVFP4 weights")),
        _ => Ok(()),
    }
}
