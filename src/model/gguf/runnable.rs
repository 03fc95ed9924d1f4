//! Whether llama.cpp can evaluate a model without reaching one of its assertions.
//!
//! Complete for `llama` and `gemma3`: every condition of their loader and graph is checked. Other
//! architectures get the checks all share; [`crate::model::check`] tries those files in a child
//! process before they are used.

use super::error::{Fault, shown};
use super::hparams::Hparams;
use super::layout::Layout;
use super::value::Kind;
use super::{Gguf, GgufError};

/// Architectures llama.cpp reads and that predict a next token (llama-arch.cpp).
const DECODERS: &[&str] = &[
    "afmoe",
    "apertus",
    "arcee",
    "arctic",
    "arwkv7",
    "baichuan",
    "bailingmoe",
    "bailingmoe2",
    "bailingmoe3",
    "bitnet",
    "bloom",
    "chameleon",
    "chatglm",
    "clef",
    "codeshell",
    "cogvlm",
    "cohere2",
    "cohere2moe",
    "command-r",
    "dbrx",
    "deci",
    "deepseek",
    "deepseek2",
    "deepseek2-ocr",
    "deepseek32",
    "deepseek4",
    "dots1",
    "dots3note",
    "ernie4_5",
    "ernie4_5-moe",
    "exaone",
    "exaone-moe",
    "exaone4",
    "falcon",
    "falcon-h1",
    "gemma",
    "gemma2",
    "gemma3",
    "gemma3n",
    "gemma4",
    "glm-dsa",
    "glm4",
    "glm4moe",
    "glm5-next",
    "gpt-oss",
    "gpt2",
    "gptj",
    "gptneox",
    "granite",
    "granite_swa",
    "granitehybrid",
    "granitemoe",
    "graniteswitch",
    "grok",
    "grovemoe",
    "hrm_text",
    "hunyuan-dense",
    "hunyuan-moe",
    "hunyuan_vl",
    "hy_v3",
    "hy_v4",
    "internlm2",
    "jais",
    "jais2",
    "jamba",
    "kimi-k3",
    "kimi-linear",
    "laguna",
    "lfm2",
    "lfm2moe",
    "llama",
    "llama4",
    "maincoder",
    "mamba",
    "mamba2",
    "maple",
    "mellum",
    "mimo2",
    "minicpm",
    "minicpm3",
    "minimax-01",
    "minimax-m2",
    "minimax-m3",
    "mistral3",
    "mistral4",
    "mpt",
    "muse-glimmer",
    "nanbeige",
    "nemotron",
    "nemotron_h",
    "nemotron_h_moe",
    "olmo",
    "olmo2",
    "olmoe",
    "openelm",
    "orion",
    "paddleocr",
    "pangu-embedded",
    "phi2",
    "phi3",
    "phimoe",
    "plamo",
    "plamo2",
    "plamo3",
    "plm",
    "qwen",
    "qwen2",
    "qwen2moe",
    "qwen2vl",
    "qwen3",
    "qwen35",
    "qwen35moe",
    "qwen3moe",
    "qwen3next",
    "qwen3vl",
    "qwen3vlmoe",
    "qwen4exp",
    "refact",
    "rwkv6",
    "rwkv6qwen2",
    "rwkv7",
    "seed_oss",
    "smallthinker",
    "smollm3",
    "spark2_5",
    "stablelm",
    "starcoder",
    "starcoder2",
    "step35",
    "talkie",
    "xverse",
];

/// Architectures llama.cpp reads that do something else.
const OTHERS: &[(&str, &str)] = &[
    ("bert", "an encoder"),
    ("clip", "the image part of another model"),
    ("dflash", "a helper for another model"),
    ("dream", "a diffusion model"),
    ("eagle3", "a helper for another model"),
    ("eurobert", "an encoder"),
    ("gemma-embedding", "an encoder"),
    ("gemma4-assistant", "a helper for another model"),
    ("jina-bert-v2", "an encoder"),
    ("jina-bert-v3", "an encoder"),
    ("llada", "a diffusion model"),
    ("llada-moe", "a diffusion model"),
    ("llama-embed", "an encoder"),
    ("modern-bert", "an encoder"),
    ("neo-bert", "an encoder"),
    ("nomic-bert", "an encoder"),
    ("nomic-bert-moe", "an encoder"),
    ("pockettts", "a speech model"),
    ("qwen3tts", "a speech model"),
    ("rnd1", "a diffusion model"),
    ("t5", "an encoder with a decoder"),
    ("t5encoder", "an encoder"),
    ("wavtokenizer-dec", "a speech model"),
];

/// ggml aligns its buffers to this, and a mapped file takes the place of a buffer.
const MAPPED_ALIGNMENT: u64 = 32;
/// Beyond this, llama.cpp's 32-bit product of window and sequences would overflow.
const WIDEST_WINDOW: u32 = 1 << 20;

impl Gguf {
    /// Whether the model can be evaluated.
    pub fn check_runnable(&self) -> Result<(), GgufError> {
        self.runnable().map_err(|fault| self.error(fault))
    }

    /// Whether the checks here are complete for this architecture, so that no trial is needed.
    pub fn is_fully_checked(&self) -> bool {
        matches!(self.architecture(), Some("llama" | "gemma3"))
    }

    pub(super) fn runnable(&self) -> Result<(), Fault> {
        let architecture = self.decoder()?;
        self.check_whole()?;
        let vocabulary = self.vocabulary()?;
        let hparams = Hparams::read(self)?;
        self.check_mapping()?;
        let tokens = vocabulary.tokens.len() as u64;
        match architecture {
            "llama" => {
                self.check_attention(&hparams)?;
                if hparams.rot != hparams.head_k {
                    let what =
                        format!("{}, and it must be the width of a head, {}", hparams.rot, hparams.head_k);
                    return Err(Fault::key(self.model_key("rope.dimension_count"), what));
                }
                self.model_u32_or("expert_group_count", 0, 0, 1)?;
                Layout::llama(self, &hparams, tokens).check(self)
            }
            "gemma3" => {
                self.check_attention(&hparams)?;
                self.check_window(&hparams)?;
                self.model_u32_or("expert_count", 0, 0, 0)?;
                Layout::gemma3(self, &hparams, tokens).check(self)
            }
            _ => self.check_kinds(),
        }
    }

    fn decoder(&self) -> Result<&str, Fault> {
        const KEY: &str = "general.architecture";
        let Some(value) = self.get(KEY) else {
            return Err(Fault::key(KEY, "missing: what the model is made of is unknown"));
        };
        let Some(name) = value.text() else {
            return Err(Fault::key(KEY, format!("is {}, and it must be a UTF-8 string", value.type_name())));
        };
        if DECODERS.contains(&name) {
            return Ok(name);
        }
        match OTHERS.iter().find(|(other, _)| *other == name) {
            Some((_, what)) => Err(Fault::Unsupported(format!(
                "the architecture '{name}' is {what}, and tokenscope needs a model that predicts the next token"
            ))),
            None => {
                let shown = shown(name.as_bytes());
                Err(Fault::Unsupported(format!(
                    "the architecture {shown} is unknown to this llama.cpp; the model may be too new"
                )))
            }
        }
    }

    /// All of the model is in this one file.
    fn check_whole(&self) -> Result<(), Fault> {
        const KEY: &str = "split.count";
        match self.get(KEY).map(|value| value.integer()) {
            None | Some(Some(0 | 1)) => {}
            Some(Some(parts)) => {
                return Err(Fault::Unsupported(format!(
                    "one of {parts} parts of a model: join them with 'llama-gguf-split --merge' first"
                )));
            }
            Some(None) => return Err(Fault::key(KEY, "is no number, and it must be a u16")),
        }
        match self.is_vocabulary_only() {
            true => Err(Fault::Unsupported(
                "a vocabulary without weights: it can tokenize, but nothing can be evaluated".to_owned(),
            )),
            false => Ok(()),
        }
    }

    /// Weights are used where they lie in the mapped file.
    fn check_mapping(&self) -> Result<(), Fault> {
        let start = self.data_start;
        match self.tensors().iter().find(|tensor| !(start + tensor.offset).is_multiple_of(MAPPED_ALIGNMENT)) {
            Some(tensor) => {
                let what = format!(
                    "begins at byte {}, which is no multiple of {MAPPED_ALIGNMENT}",
                    start + tensor.offset
                );
                Err(Fault::tensor(&tensor.name, what))
            }
            None => Ok(()),
        }
    }

    /// Attention as both architectures build it: the same in every layer.
    fn check_attention(&self, h: &Hparams) -> Result<(), Fault> {
        self.model_u32_or("nextn_predict_layers", 0, 0, 0)?;
        let heads = self.uniform("attention.head_count", &h.heads)?;
        let kv_heads = self.uniform("attention.head_count_kv", &h.kv_heads)?;
        let ff = self.uniform("feed_forward_length", &h.ff)?;
        if heads % kv_heads != 0 {
            let what = format!("{kv_heads}, which does not divide the {heads} heads");
            return Err(Fault::key(self.model_key("attention.head_count_kv"), what));
        }
        if h.head_k != h.head_v || h.head_k == 0 || !h.head_k.is_multiple_of(2) {
            let what =
                format!("heads of {} and {} elements, and they must be alike and even", h.head_k, h.head_v);
            return Err(Fault::key(self.model_key("attention.key_length"), what));
        }
        if h.rot == 0 || h.rot > h.head_k || !h.rot.is_multiple_of(2) {
            let what =
                format!("{}, and it must be even and at most the width of a head, {}", h.rot, h.head_k);
            return Err(Fault::key(self.model_key("rope.dimension_count"), what));
        }
        for (key, right) in [
            ("attention.key_length_swa", h.head_k),
            ("attention.value_length_swa", h.head_v),
            ("rope.dimension_count_swa", h.rot),
        ] {
            self.model_u32_or(key, right, right, right)?;
        }
        self.check_proportions(h, heads, ff)?;
        let key = self.model_key("attention.layer_norm_rms_epsilon");
        self.scalar_is(&key, Kind::F32)?;
        match self.get(&key) {
            Some(_) => Ok(()),
            None => Err(Fault::key(key, "missing, and the model cannot be built without it")),
        }
    }

    /// A small file must not ask for a large amount of memory: cache and activations grow with
    /// these widths, the weights in the file with their product with the embedding's.
    fn check_proportions(&self, h: &Hparams, heads: u32, ff: u32) -> Result<(), Fault> {
        let attention = u64::from(heads) * u64::from(h.head_k);
        if attention > 32 * u64::from(h.embd) {
            let what = format!(
                "heads of {attention} elements in all are out of proportion to the embedding's {}",
                h.embd
            );
            return Err(Fault::key(self.model_key("attention.head_count"), what));
        }
        if u64::from(ff) > 256 * u64::from(h.embd) {
            let what = format!("{ff} is out of proportion to the embedding's {}", h.embd);
            return Err(Fault::key(self.model_key("feed_forward_length"), what));
        }
        Ok(())
    }

    fn uniform(&self, key: &str, of_layers: &[u32]) -> Result<u32, Fault> {
        match of_layers {
            [first, rest @ ..] if *first > 0 && rest.iter().all(|other| other == first) => Ok(*first),
            _ => {
                let first = of_layers.first().copied().unwrap_or(0);
                let other = of_layers.iter().find(|&&other| other != first).unwrap_or(&first);
                let what = format!("{first} and {other}, and it must be the same in every layer and not 0");
                Err(Fault::key(self.model_key(key), what))
            }
        }
    }

    /// Gemma's sliding window: a window must have a layer that uses it.
    fn check_window(&self, h: &Hparams) -> Result<(), Fault> {
        const PATTERN: &str = "attention.sliding_window_pattern";
        if self.model_u32_or("attention.sliding_window", 0, 0, WIDEST_WINDOW)? == 0 {
            return Ok(());
        }
        let key = self.model_key(PATTERN);
        let windowed = match self.get(&key).map(|value| (value, value.list())) {
            None => true,
            Some((_, None)) => self.model_u32_or(PATTERN, 6, 0, u32::MAX)? != 1,
            Some((_, Some(list))) if matches!(list.kind(), Kind::Bool | Kind::U32 | Kind::I32) => {
                if list.len() != h.layers as usize {
                    return Err(Fault::key(key, format!("{} entries for {} layers", list.len(), h.layers)));
                }
                list.integers().is_some_and(|mut windowed| windowed.any(|flag| flag != 0))
            }
            Some((value, _)) => {
                return Err(Fault::key(
                    key,
                    format!("is {}, and it must be u32 or an array of bool", value.type_name()),
                ));
            }
        };
        match windowed {
            true => Ok(()),
            false => Err(Fault::key(key, "no layer uses the sliding window that the file asks for")),
        }
    }

    /// For architectures not known in detail: no weight of a type that cannot be multiplied.
    fn check_kinds(&self) -> Result<(), Fault> {
        let wrong = |name: &str| matches!(name, "Q8_1" | "Q8_K" | "I8" | "I16" | "I64" | "F64");
        match self.tensors().iter().find(|tensor| wrong(tensor.kind.name)) {
            Some(tensor) => {
                Err(Fault::tensor(&tensor.name, format!("{} is no type for weights", tensor.kind.name)))
            }
            None => Ok(()),
        }
    }
}
