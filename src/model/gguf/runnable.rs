//! Whether llama.cpp can evaluate a model: what all architectures share.
//!
//! What its loader asserts of each architecture is not repeated here: [`crate::model::check`] tries a file
//! in a child process before it is used.

use super::Gguf;
use super::error::GgufError;
use super::error::{Fault, shown};

/// Architectures llama.cpp reads and that predict a next token (llama-arch.cpp).
const DECODERS: &str = "\
    afmoe apertus arcee arctic arwkv7 baichuan bailingmoe bailingmoe2 bailingmoe3 bitnet bloom \
    chameleon chatglm clef codeshell cogvlm cohere2 cohere2moe command-r dbrx deci deepseek \
    deepseek2 deepseek2-ocr deepseek32 deepseek4 dots1 dots3note ernie4_5 ernie4_5-moe exaone \
    exaone-moe exaone4 falcon falcon-h1 gemma gemma2 gemma3 gemma3n gemma4 glm-dsa glm4 glm4moe \
    glm5-next gpt-oss gpt2 gptj gptneox granite granite_swa granitehybrid granitemoe graniteswitch \
    grok grovemoe hrm_text hunyuan-dense hunyuan-moe hunyuan_vl hy_v3 hy_v4 internlm2 jais jais2 \
    jamba kimi-k3 kimi-linear laguna lfm2 lfm2moe llama llama4 maincoder mamba mamba2 maple mellum \
    mimo2 minicpm minicpm3 minimax-01 minimax-m2 minimax-m3 mistral3 mistral4 mpt muse-glimmer \
    nanbeige nemotron nemotron_h nemotron_h_moe olmo olmo2 olmoe openelm orion paddleocr \
    pangu-embedded phi2 phi3 phimoe plamo plamo2 plamo3 plm qwen qwen2 qwen2moe qwen2vl qwen3 qwen35 \
    qwen35moe qwen3moe qwen3next qwen3vl qwen3vlmoe qwen4exp refact rwkv6 rwkv6qwen2 rwkv7 seed_oss \
    smallthinker smollm3 spark2_5 stablelm starcoder starcoder2 step35 talkie xverse";

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
impl Gguf {
    /// Whether the model can be evaluated.
    pub fn check_runnable(&self) -> Result<(), GgufError> {
        self.runnable().map_err(|fault| self.error(fault))
    }

    pub(super) fn runnable(&self) -> Result<(), Fault> {
        self.decoder()?;
        self.check_whole()?;
        self.vocabulary()?;
        self.check_hyperparameters()?;
        self.check_mapping()?;
        self.check_kinds()
    }

    /// Predicts a next token, and is known to this llama.cpp.
    fn decoder(&self) -> Result<(), Fault> {
        const KEY: &str = "general.architecture";
        let Some(value) = self.get(KEY) else {
            return Err(Fault::key(KEY, "missing: what the model is made of is unknown"));
        };
        let Some(name) = value.text() else {
            return Err(Fault::key(KEY, format!("is {}, and it must be a UTF-8 string", value.type_name())));
        };
        if DECODERS.split(' ').any(|known| known == name) {
            return Ok(());
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

    /// No weight is of a type that cannot be multiplied.
    fn check_kinds(&self) -> Result<(), Fault> {
        match self.tensors().iter().find(|tensor| !tensor.kind.multiplies && tensor.kind.name != "I32") {
            Some(tensor) => {
                Err(Fault::tensor(&tensor.name, format!("{} is no type for weights", tensor.kind.name)))
            }
            None => Ok(()),
        }
    }
}
