//! A model's hyperparameters, bounded where llama.cpp asserts and where a small file could ask for much
//! memory.
//!
//! Mirrors `llama_model_base::load_hparams` (llama-model.cpp), which is common to all architectures.

use super::Gguf;
use super::error::{Fault, shown};
use super::value::{GgufValue, ValueKind};

/// llama.cpp's own limits (llama-hparams.h).
const MOST_LAYERS: u32 = 512;
const MOST_EXPERTS: u32 = 1024;
/// Wider than any model, and small enough that no 32-bit product of llama.cpp overflows.
const WIDEST: u32 = 1 << 20;
/// Longer than any context a model was trained with; llama.cpp keeps it in 32 signed bits.
const LONGEST_CONTEXT: u32 = 1 << 30;

/// Scalars that need no bounds, with the only type llama.cpp accepts.
const SCALARS: &[(&str, ValueKind)] = &[
    ("vocab_size", ValueKind::U32),
    ("expert_group_used_count", ValueKind::U32),
    ("classifier.pooling_type", ValueKind::U32),
    ("rope.freq_base", ValueKind::F32),
    ("rope.freq_base_swa", ValueKind::F32),
    ("rope.scale_linear", ValueKind::F32),
    ("rope.scaling.factor", ValueKind::F32),
    ("rope.scaling.alpha", ValueKind::F32),
    ("rope.scaling.attn_factor", ValueKind::F32),
    ("rope.scaling.original_context_length", ValueKind::U32),
    ("rope.scaling.finetuned", ValueKind::Bool),
    ("final_logit_softcapping", ValueKind::F32),
];

impl Gguf {
    /// Checks what all architectures share.
    pub(super) fn check_hyperparameters(&self) -> Result<(), Fault> {
        for &(key, kind) in SCALARS {
            self.scalar_is(&self.model_key(key), kind)?;
        }
        self.texts(&self.model_key("classifier.output_labels"))?;
        self.model_u32("context_length", 1, LONGEST_CONTEXT)?;
        let embd = self.model_u32("embedding_length", 1, WIDEST)?;
        let layers = self.model_u32("block_count", 1, MOST_LAYERS)?;
        self.model_u32_or("nextn_predict_layers", 0, 0, layers)?;
        check_experts(self, layers)?;
        let heads = self.per_layer("attention.head_count", layers)?.unwrap_or_default();
        self.per_layer("attention.head_count_kv", layers)?;
        let ff = self.per_layer("feed_forward_length", layers)?.unwrap_or_default();
        let head = heads.first().and_then(|&heads| embd.checked_div(heads)).unwrap_or(0);
        let head_k = self.model_u32_or("attention.key_length", head, 0, WIDEST)?;
        self.model_u32_or("attention.value_length", head, 0, WIDEST)?;
        self.model_u32_or("rope.dimension_count", head_k, 0, WIDEST)?;
        check_scaling(self)?;
        check_floats(self)?;
        check_output(self, embd)?;
        let most = |of_layers: &[u32]| u64::from(of_layers.iter().copied().max().unwrap_or(0));
        self.check_proportions(embd.into(), most(&heads) * u64::from(head_k), most(&ff))
    }

    /// A small file must not ask for a large amount of memory: cache and activations grow with
    /// these widths, the weights in the file with their product with the embedding's.
    fn check_proportions(&self, embd: u64, attention: u64, ff: u64) -> Result<(), Fault> {
        for (key, width, most, what) in [
            ("attention.head_count", attention, 32, "heads of {} elements in all are"),
            ("feed_forward_length", ff, 256, "{} is"),
        ] {
            if width > most * embd {
                let what = what.replace("{}", &width.to_string());
                let what = format!("{what} out of proportion to the embedding's {embd}");
                return Err(Fault::key(self.model_key(key), what));
            }
        }
        Ok(())
    }
}

/// Number of experts. The conditions are assertions of `load_hparams`.
fn check_experts(gguf: &Gguf, layers: u32) -> Result<(), Fault> {
    let experts = gguf.model_u32_or("expert_count", 0, 0, MOST_EXPERTS)?;
    let used = gguf.per_layer("expert_used_count", layers)?.unwrap_or_default();
    let most_used = used.iter().copied().max().unwrap_or(0);
    let right = match experts {
        0 => most_used == 0,
        _ => (1..=experts).contains(&most_used),
    };
    if !right {
        let what =
            format!("{most_used} of {experts} experts are used, and it must be at least one and at most all");
        return Err(Fault::key(gguf.model_key("expert_used_count"), what));
    }
    let groups = gguf.model_u32_or("expert_group_count", 0, 0, experts.saturating_sub(1))?;
    if groups > 1 {
        if experts % groups != 0 {
            let what = format!("{groups} groups do not divide {experts} experts");
            return Err(Fault::key(gguf.model_key("expert_group_count"), what));
        }
        gguf.model_u32_or("expert_group_used_count", 0, 1, groups - 1)?;
    }
    Ok(())
}

/// An unknown name is an assertion.
fn check_scaling(gguf: &Gguf) -> Result<(), Fault> {
    let key = gguf.model_key("rope.scaling.type");
    gguf.scalar_is(&key, ValueKind::Text)?;
    match gguf.text(&key) {
        None | Some("none" | "linear" | "yarn" | "longrope") => Ok(()),
        Some(other) => {
            let shown = shown(other.as_bytes());
            Err(Fault::key(key, format!("{shown}, and it must be none, linear, yarn or longrope")))
        }
    }
}

/// No hyperparameter is infinite or not a number; no epsilon is negative (an assertion of ggml).
fn check_floats(gguf: &Gguf) -> Result<(), Fault> {
    let prefix = gguf.model_key("");
    for (key, value) in gguf.keys().filter(|(key, _)| key.starts_with(&prefix)) {
        let Some(number) = value.f32() else { continue };
        let negative = key.ends_with("epsilon") && number < 0.0;
        if !number.is_finite() || negative {
            return Err(Fault::key(key, format!("{number}, which no computation survives")));
        }
    }
    Ok(())
}

/// What the model puts out must be one distribution over its vocabulary for each token.
fn check_output(gguf: &Gguf, embd: u32) -> Result<(), Fault> {
    gguf.model_u32_or("embedding_length_out", embd, embd, embd)?;
    let key = gguf.model_key("attention.causal");
    gguf.scalar_is(&key, ValueKind::Bool)?;
    if gguf.get(&key).and_then(GgufValue::bool) == Some(false) {
        return Err(Fault::Unsupported("an encoder: it does not predict a next token".to_owned()));
    }
    let key = "pooling_type";
    match gguf.model_u32_or(key, 0, 0, u32::MAX)? {
        0 | u32::MAX => Ok(()),
        kind => {
            let what = format!("{kind}: the model makes embeddings, and does not predict a next token");
            Err(Fault::key(gguf.model_key(key), what))
        }
    }
}

impl Gguf {
    /// A required `u32` of the architecture, within bounds.
    pub(super) fn model_u32(&self, key: &str, least: u32, most: u32) -> Result<u32, Fault> {
        match self.of_model(key) {
            Some(_) => self.model_u32_or(key, least, least, most),
            None => Err(Fault::key(self.model_key(key), "missing, and the model cannot be built without it")),
        }
    }

    /// An optional `u32` of the architecture; the bounds hold for what the file says.
    pub(super) fn model_u32_or(&self, key: &str, absent: u32, least: u32, most: u32) -> Result<u32, Fault> {
        let Some(value) = self.of_model(key) else { return Ok(absent) };
        let name = self.model_key(key);
        match value.u32() {
            Some(number) if (least..=most).contains(&number) => Ok(number),
            Some(number) => Err(Fault::key(name, format!("{number}, and it must be {}", range(least, most)))),
            None => Err(Fault::key(name, format!("is {}, and it must be u32", value.type_name()))),
        }
    }

    /// A value for each layer: an array of that length, or one number for all.
    pub(super) fn per_layer(&self, key: &str, layers: u32) -> Result<Option<Vec<u32>>, Fault> {
        let Some(value) = self.of_model(key) else { return Ok(None) };
        let name = self.model_key(key);
        let Some(list) = value.list() else {
            let number = self.model_u32_or(key, 0, 0, WIDEST)?;
            return Ok(Some(vec![number; layers as usize]));
        };
        if !matches!(list.kind(), ValueKind::U32 | ValueKind::I32) {
            return Err(Fault::key(name, format!("is {}, and it must be u32", value.type_name())));
        }
        if list.len() != layers as usize {
            return Err(Fault::key(name, format!("{} entries for {layers} layers", list.len())));
        }
        let numbers: Option<Vec<u32>> = list.integers().and_then(|numbers| {
            numbers.map(|number| u32::try_from(number).ok().filter(|&number| number <= WIDEST)).collect()
        });
        numbers.map(Some).ok_or_else(|| Fault::key(name, format!("an entry outside 0 to {WIDEST}")))
    }
}

fn range(least: u32, most: u32) -> String {
    match least == most {
        true => format!("{least}"),
        false => format!("{least} to {most}"),
    }
}
