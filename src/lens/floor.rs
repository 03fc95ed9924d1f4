//! How small a difference is none: the same sequence computed in another place of another batch differs by
//! what kernels round and quantization amplifies.

use crate::engine::ModelInfo;
use crate::model::Weights;

/// Architectures whose GELU goes through ggml's F16 table.
const WITH_GELU: [&str; 8] = ["gemma", "gpt2", "gptneox", "phi2", "bloom", "falcon", "starcoder", "mpt"];

/// The least floor of log p, in nats, by the weights that are computed with.
pub fn least(model: &ModelInfo) -> f64 {
    let gelu = WITH_GELU.iter().any(|name| model.architecture.starts_with(name));
    let weights = match model.about.weights.weights {
        Weights::AsIs => model.quantization.as_str(),
        Weights::F32 => "F32",
        Weights::F16 => "F16",
        Weights::Bf16 => "BF16",
    };
    match weights {
        "F32" if gelu => 3e-3,
        "F32" => 2e-5,
        "F16" => 0.02,
        "BF16" => 0.1,
        _ => 0.2,
    }
}

/// The floor where these differences between unchanged copies were seen.
pub fn floor(model: &ModelInfo, seen: impl IntoIterator<Item = f64>) -> f64 {
    seen.into_iter().map(f64::abs).filter(|seen| seen.is_finite()).fold(least(model), f64::max)
}
