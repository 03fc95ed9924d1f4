//! Damaging GGUF files on purpose, repeatably.
//!
//! Two ways: by field (a key, an array entry, a tensor's shape, type or place gets another value that
//! somebody might think of) and by byte. Knows nothing of the crate.
#![allow(dead_code)]

use super::gguf::{File, Noise, Value};

/// Numbers at which things break.
const NUMBERS: &[u32] = &[
    0,
    1,
    2,
    3,
    5,
    6,
    7,
    8,
    15,
    16,
    17,
    31,
    32,
    33,
    63,
    64,
    65,
    127,
    128,
    129,
    255,
    256,
    257,
    278,
    279,
    280,
    511,
    512,
    513,
    1024,
    4096,
    65_535,
    65_536,
    1 << 20,
    (1 << 20) + 1,
    1 << 24,
    1 << 30,
    (1 << 31) - 1,
    1 << 31,
    (1 << 31) + 1,
    u32::MAX - 1,
    u32::MAX,
];

const FLOATS: &[f32] = &[
    0.0,
    -0.0,
    1.0,
    -1.0,
    1e-30,
    1e30,
    -1e30,
    0.5,
    f32::MIN_POSITIVE,
    f32::MAX,
    f32::MIN,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
];

const TEXTS: &[&[u8]] = &[
    b"",
    b"llama",
    b"gemma3",
    b"gemma2",
    b"qwen2",
    b"qwen3",
    b"bert",
    b"phi3",
    b"gpt2",
    b"mamba",
    b"rwkv7",
    b"t5",
    b"clip",
    b"gemma4",
    b"none",
    b"no_vocab",
    b"test",
    b"default",
    b"smollm",
    b"llama-bpe",
    b"gpt-2",
    b"qwen2vl",
    b"kimi-k2",
    b"linear",
    b"yarn",
    b"longrope",
    b"whitespace",
    b"hybriddna",
    b"plamo2",
    b"phi-3 mini",
    b"mmbert",
    b"a\0b",
    b"\xFF\xFE",
    b"\xF7\xBF\xBF\xBF",
    b"\xED\xA0\x80",
    b"<|im_end|>",
    b"<0x41>",
    b"<0x",
    b"<",
    b" ",
    b"a b",
    b"\n",
    b"unused",
    b"[EMPTY_5]",
];

/// Keys worth adding to a file that lacks them, below the architecture's name.
const MODEL_KEYS: &[&str] = &[
    "context_length",
    "embedding_length",
    "block_count",
    "feed_forward_length",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.value_length",
    "attention.layer_norm_rms_epsilon",
    "attention.layer_norm_epsilon",
    "attention.causal",
    "attention.scale",
    "attention.sliding_window",
    "attention.sliding_window_pattern",
    "attention.key_length_swa",
    "attention.value_length_swa",
    "attention.clamp_kqv",
    "attention.max_alibi_bias",
    "attention.key_length_mla",
    "attention.value_length_mla",
    "attn_logit_softcapping",
    "final_logit_softcapping",
    "rope.dimension_count",
    "rope.dimension_count_swa",
    "rope.dimension_sections",
    "rope.freq_base",
    "rope.freq_base_swa",
    "rope.scale_linear",
    "rope.scaling.type",
    "rope.scaling.factor",
    "rope.scaling.alpha",
    "rope.scaling.attn_factor",
    "rope.scaling.original_context_length",
    "rope.scaling.finetuned",
    "rope.scaling.yarn_log_multiplier",
    "rope.scaling.yarn_ext_factor",
    "expert_count",
    "expert_used_count",
    "expert_group_count",
    "expert_group_used_count",
    "expert_shared_count",
    "expert_feed_forward_length",
    "expert_weights_scale",
    "expert_gating_func",
    "pooling_type",
    "classifier.output_labels",
    "classifier.pooling_type",
    "embedding_length_out",
    "nextn_predict_layers",
    "vocab_size",
    "logit_scale",
    "embedding_scale",
    "residual_scale",
    "use_parallel_residual",
    "tensor_data_layout",
    "swiglu_clamp_exp",
    "swiglu_clamp_shexp",
    "decoder_start_token_id",
    "leading_dense_block_count",
];

/// Whole keys worth adding.
const OTHER_KEYS: &[&str] = &[
    "general.architecture",
    "general.alignment",
    "general.name",
    "general.file_type",
    "general.tensor_extra.name",
    "general.tensor_extra.prec_a4",
    "split.count",
    "split.no",
    "split.tensors.count",
    "tokenizer.ggml.model",
    "tokenizer.ggml.pre",
    "tokenizer.ggml.tokens",
    "tokenizer.ggml.scores",
    "tokenizer.ggml.token_type",
    "tokenizer.ggml.token_type_count",
    "tokenizer.ggml.merges",
    "tokenizer.ggml.bos_token_id",
    "tokenizer.ggml.eos_token_id",
    "tokenizer.ggml.eot_token_id",
    "tokenizer.ggml.eom_token_id",
    "tokenizer.ggml.unknown_token_id",
    "tokenizer.ggml.seperator_token_id",
    "tokenizer.ggml.padding_token_id",
    "tokenizer.ggml.mask_token_id",
    "tokenizer.ggml.fim_pre_token_id",
    "tokenizer.ggml.fim_pad_token_id",
    "tokenizer.ggml.prefix_token_id",
    "tokenizer.ggml.add_bos_token",
    "tokenizer.ggml.add_eos_token",
    "tokenizer.ggml.add_sep_token",
    "tokenizer.ggml.add_space_prefix",
    "tokenizer.ggml.remove_extra_whitespaces",
    "tokenizer.ggml.precompiled_charsmap",
    "tokenizer.ggml.suppress_tokens",
    "tokenizer.ggml.normalizer.lowercase",
    "tokenizer.chat_template",
];

const TENSOR_NAMES: &[&str] = &[
    "output.weight",
    "output.scale",
    "output.input_scale",
    "output.bias",
    "rope_freqs.weight",
    "token_embd.weight",
    "rope_factors_long.weight",
    "rope_factors_short.weight",
    "token_types.weight",
    "position_embd.weight",
    "blk.0.attn_q.bias",
    "blk.0.attn_k.bias",
    "blk.0.attn_v.bias",
    "blk.0.attn_qkv.weight",
    "blk.0.attn_qkv.bias",
    "blk.0.attn_output.bias",
    "blk.0.attn_q.scale",
    "blk.0.attn_q.input_scale",
    "blk.0.ffn_up.bias",
    "blk.0.ffn_up.scale",
    "blk.0.ffn_gate_inp.weight",
    "blk.0.ffn_up_exps.weight",
    "blk.0.ffn_down_exps.weight",
    "blk.0.ffn_gate_exps.weight",
    "blk.1.attn_norm.weight",
    "blk.0.attn_q_norm.weight",
    "dense_2.weight",
    "blk.0.attn_output.scale",
    "blk.511.attn_norm.weight",
    "cls.weight",
];

/// What was done, for the report of a failure.
pub type Deed = String;

/// Damages one to three fields of a file.
pub fn fields(file: &mut File, noise: &mut Noise) -> Deed {
    let times = *noise.pick(&[1, 1, 1, 1, 2, 2, 3]);
    let deeds: Vec<Deed> = (0..times).map(|_| field(file, noise)).collect();
    deeds.join(" + ")
}

fn field(file: &mut File, noise: &mut Noise) -> Deed {
    let arch = match file.keys.iter().find(|(key, _)| key == b"general.architecture") {
        Some((_, Value::Text(arch))) => String::from_utf8_lossy(arch).into_owned(),
        _ => "llama".to_owned(),
    };
    match noise.below(16) {
        0..=3 => {
            let index = noise.below(file.keys.len());
            let value = changed(&file.keys[index].1, noise);
            let deed = format!("{} = {}", String::from_utf8_lossy(&file.keys[index].0), brief(&value));
            file.keys[index].1 = value;
            deed
        }
        4..=6 => {
            let key = format!("{arch}.{}", noise.pick(MODEL_KEYS));
            let value = invented(noise);
            let deed = format!("{key} := {}", brief(&value));
            file.set(&key, value);
            deed
        }
        7 => {
            let key = *noise.pick(OTHER_KEYS);
            let value = invented(noise);
            let deed = format!("{key} := {}", brief(&value));
            file.set(key, value);
            deed
        }
        8 => {
            let index = noise.below(file.keys.len());
            let (key, _) = file.keys.remove(index);
            format!("without {}", String::from_utf8_lossy(&key))
        }
        9..=10 => list_entry(file, noise),
        11..=13 => tensor(file, noise),
        14 => match noise.below(3) {
            0 => experts(file, noise),
            _ => proportions(file, &arch, noise),
        },
        _ => tensor_list(file, noise),
    }
}

fn brief(value: &Value) -> String {
    let text = format!("{value:?}");
    text.chars().take(80).collect()
}

fn changed(old: &Value, noise: &mut Noise) -> Value {
    if noise.below(5) == 0 {
        return invented(noise);
    }
    match old {
        Value::U32(old) => Value::U32(match noise.below(4) {
            0 => old.wrapping_add(1),
            1 => old.wrapping_sub(1),
            2 => old.wrapping_mul(2),
            _ => *noise.pick(NUMBERS),
        }),
        Value::F32(_) => Value::F32(*noise.pick(FLOATS)),
        Value::Bool(old) => Value::Bool(!old),
        Value::Text(_) => Value::Text(noise.pick(TEXTS).to_vec()),
        Value::Texts(old) => Value::Texts(resized(old, noise)),
        Value::F32s(old) => Value::F32s(resized(old, noise)),
        Value::I32s(old) => Value::I32s(resized(old, noise)),
        _ => invented(noise),
    }
}

fn resized<T: Clone>(old: &[T], noise: &mut Noise) -> Vec<T> {
    let mut new = old.to_vec();
    match noise.below(5) {
        0 => new.clear(),
        1 => new.truncate(1),
        2 => drop(new.pop()),
        3 => new.extend(old.first().cloned()),
        _ => new.reverse(),
    }
    new
}

fn invented(noise: &mut Noise) -> Value {
    let length = *noise.pick(&[0, 1, 2, 3, 30, 270, 279, 512, 513]);
    match noise.below(14) {
        0..=3 => Value::U32(*noise.pick(NUMBERS)),
        4 => Value::I32(*noise.pick(NUMBERS) as i32),
        5 => Value::U64((u64::from(*noise.pick(NUMBERS)) << 32) | u64::from(*noise.pick(NUMBERS))),
        6 => Value::U16(*noise.pick(NUMBERS) as u16),
        7 => Value::F32(*noise.pick(FLOATS)),
        8 => Value::Bool(noise.below(2) == 0),
        9 => Value::Text(noise.pick(TEXTS).to_vec()),
        10 => Value::Texts((0..length).map(|_| noise.pick(TEXTS).to_vec()).collect()),
        11 => Value::U32s((0..length).map(|_| *noise.pick(NUMBERS)).collect()),
        12 => Value::Bools((0..length).map(|_| noise.below(2) == 0).collect()),
        _ => Value::F32s((0..length).map(|_| *noise.pick(FLOATS)).collect()),
    }
}

/// Changes one entry of an array.
fn list_entry(file: &mut File, noise: &mut Noise) -> Deed {
    let lists: Vec<usize> = (0..file.keys.len())
        .filter(|&index| matches!(file.keys[index].1, Value::Texts(_) | Value::F32s(_) | Value::I32s(_)))
        .collect();
    if lists.is_empty() {
        return "nothing".to_owned();
    }
    let (key, value) = &mut file.keys[*noise.pick(&lists)];
    let key = String::from_utf8_lossy(key).into_owned();
    match value {
        Value::Texts(texts) if !texts.is_empty() => {
            let index = noise.below(texts.len());
            texts[index] = match noise.below(4) {
                0 => texts[noise.below(texts.len())].clone(),
                1 => vec![b'x'; *noise.pick(&[1, 100, 8192, 8193, 100_000])],
                _ => noise.pick(TEXTS).to_vec(),
            };
            format!(
                "{key}[{index}] = {:?}",
                String::from_utf8_lossy(&texts[index]).chars().take(20).collect::<String>()
            )
        }
        Value::F32s(numbers) if !numbers.is_empty() => {
            let index = noise.below(numbers.len());
            numbers[index] = *noise.pick(FLOATS);
            format!("{key}[{index}] = {}", numbers[index])
        }
        Value::I32s(numbers) if !numbers.is_empty() => {
            let index = noise.below(numbers.len());
            numbers[index] = *noise.pick(&[-1, 0, 1, 2, 3, 4, 5, 6, 7, 100, i32::MIN, i32::MAX]);
            format!("{key}[{index}] = {}", numbers[index])
        }
        _ => "nothing".to_owned(),
    }
}

/// Changes one tensor, sometimes so that it stays consistent with itself.
fn tensor(file: &mut File, noise: &mut Noise) -> Deed {
    if file.tensors.is_empty() {
        return "nothing".to_owned();
    }
    let index = noise.below(file.tensors.len());
    let tensor = &mut file.tensors[index];
    let name = String::from_utf8_lossy(&tensor.name).into_owned();
    match noise.below(7) {
        0 => {
            // Another type with data of the right size: only its use can be wrong.
            let (kind, block, bytes) = *noise.pick(&KINDS);
            // An earlier deed may have made the shape absurd.
            let elements =
                tensor.shape.iter().fold(1_u64, |product, &n| product.saturating_mul(n)).min(1 << 18);
            tensor.kind = kind;
            tensor.data = (0..elements / block * bytes).map(|_| noise.next() as u8).collect();
            format!("{name}: type {kind}, data to match")
        }
        1 => {
            tensor.kind = *noise.pick(NUMBERS) % 48;
            format!("{name}: type {}", tensor.kind)
        }
        2 => {
            let dim = noise.below(tensor.shape.len().max(1));
            if let Some(length) = tensor.shape.get_mut(dim) {
                *length = match noise.below(3) {
                    0 => length.wrapping_add(32),
                    1 => u64::from(*noise.pick(NUMBERS)),
                    _ => noise.next(),
                };
            }
            format!("{name}: shape {:?}", tensor.shape)
        }
        3 => {
            tensor.shape.push(u64::from(*noise.pick(NUMBERS)));
            format!("{name}: shape {:?}", tensor.shape)
        }
        4 => {
            tensor.offset = Some(u64::from(*noise.pick(NUMBERS)) * *noise.pick(&[1, 32]));
            format!("{name}: offset {:?}", tensor.offset)
        }
        5 => {
            tensor.shape.reverse();
            format!("{name}: reversed")
        }
        _ => {
            tensor.name = noise.pick(TENSOR_NAMES).as_bytes().to_vec();
            format!("{name}: renamed {}", String::from_utf8_lossy(&tensor.name))
        }
    }
}

/// Type number, block and bytes of types a tensor might be given.
const KINDS: [(u32, u64, u64); 17] = [
    (0, 1, 4),
    (1, 1, 2),
    (2, 32, 18),
    (3, 32, 20),
    (6, 32, 22),
    (7, 32, 24),
    (8, 32, 34),
    (9, 32, 36),
    (20, 32, 18),
    (24, 1, 1),
    (25, 1, 2),
    (26, 1, 4),
    (27, 1, 8),
    (28, 1, 8),
    (30, 1, 2),
    (39, 32, 17),
    (40, 64, 36),
];

/// Changes a width and the tensors with it, so that only the computation can be wrong.
fn proportions(file: &mut File, arch: &str, noise: &mut Noise) -> Deed {
    let (heads, kv_heads) =
        *noise.pick(&[(4, 1), (4, 3), (1, 1), (2, 1), (3, 2), (8, 8), (64, 64), (1, 2), (5, 5)]);
    let head = *noise.pick(&[1_u64, 2, 3, 4, 6, 8, 10, 16, 24, 32, 64, 100, 128, 256, 512]);
    let layers = file.tensors.iter().filter(|tensor| tensor.name.ends_with(b"attn_norm.weight")).count();
    file.set(&format!("{arch}.attention.head_count"), Value::U32(heads as u32));
    file.set(&format!("{arch}.attention.head_count_kv"), Value::U32(kv_heads as u32));
    file.set(&format!("{arch}.attention.key_length"), Value::U32(head as u32));
    file.set(&format!("{arch}.attention.value_length"), Value::U32(head as u32));
    if arch == "llama" || noise.below(2) == 0 {
        file.set(&format!("{arch}.rope.dimension_count"), Value::U32(head as u32));
    }
    for layer in 0..layers {
        for (name, shape) in [
            ("attn_q", vec![64, heads * head]),
            ("attn_k", vec![64, kv_heads * head]),
            ("attn_v", vec![64, kv_heads * head]),
            ("attn_output", vec![heads * head, 64]),
            ("attn_q_norm", vec![head]),
            ("attn_k_norm", vec![head]),
        ] {
            let name = format!("blk.{layer}.{name}.weight");
            if let Some(tensor) = file.tensors.iter_mut().find(|tensor| tensor.name == name.as_bytes()) {
                let elements: u64 = shape.iter().product();
                tensor.shape = shape;
                tensor.kind = 0;
                tensor.data = (0..elements).flat_map(|_| noise.float().to_le_bytes()).collect();
            }
        }
    }
    format!("{heads} heads, {kv_heads} for keys, of {head}")
}

/// Makes a llama a mixture of experts.
fn experts(file: &mut File, noise: &mut Noise) -> Deed {
    let (count, used) = *noise.pick(&[(1, 1), (2, 1), (4, 2), (4, 4), (3, 2), (4, 5), (4, 0)]);
    file.tensors
        .retain(|tensor| !tensor.name.starts_with(b"blk.0.ffn_") || tensor.name.ends_with(b"norm.weight"));
    file.set("llama.expert_count", Value::U32(count));
    file.set("llama.expert_used_count", Value::U32(used));
    let count = u64::from(count);
    file.tensor("blk.0.ffn_gate_inp.weight", &[64, count], noise);
    file.tensor("blk.0.ffn_up_exps.weight", &[64, 128, count], noise);
    file.tensor("blk.0.ffn_down_exps.weight", &[128, 64, count], noise);
    if noise.below(4) > 0 {
        file.tensor("blk.0.ffn_gate_exps.weight", &[64, 128, count], noise);
    }
    format!("{used} of {count} experts")
}

/// Adds, removes, repeats or swaps tensors.
fn tensor_list(file: &mut File, noise: &mut Noise) -> Deed {
    if file.tensors.is_empty() {
        return "nothing".to_owned();
    }
    let index = noise.below(file.tensors.len());
    match noise.below(5) {
        0 => {
            let tensor = file.tensors.remove(index);
            format!("without tensor {}", String::from_utf8_lossy(&tensor.name))
        }
        1 => {
            let other = noise.below(file.tensors.len());
            file.tensors.swap(index, other);
            "tensors swapped".to_owned()
        }
        2 => {
            let again = file.tensors[index].clone();
            file.tensors.push(again);
            "a tensor twice".to_owned()
        }
        3 => {
            file.tensors.clear();
            "no tensors".to_owned()
        }
        _ => {
            let name = *noise.pick(TENSOR_NAMES);
            let widths = [1, 8, 16, 32, 64, 128, 270, 279];
            let mut shape = vec![*noise.pick(&widths)];
            if noise.below(2) == 0 {
                shape.push(*noise.pick(&widths));
            }
            file.tensor(name, &shape, noise);
            format!("tensor {name} {shape:?} added")
        }
    }
}

/// Damages a header byte by byte.
pub fn bytes(header: &mut Vec<u8>, noise: &mut Noise) -> Deed {
    let times = 1 + noise.below(4);
    for _ in 0..times {
        if header.is_empty() {
            break;
        }
        let at = noise.below(header.len());
        match noise.below(6) {
            0 => header[at] ^= 1 << noise.below(8),
            1 => header[at] = noise.next() as u8,
            2 => header[at] = *noise.pick(&[0, 1, 0x7F, 0x80, 0xFF]),
            3 => {
                let number = noise.pick(NUMBERS).to_le_bytes();
                let end = header.len().min(at + 4);
                header[at..end].copy_from_slice(&number[..end - at]);
            }
            4 => header.truncate(at),
            _ => {
                let end = header.len().min(at + noise.below(64));
                let piece = header[at..end].to_vec();
                let to = noise.below(header.len());
                header.splice(to..to, piece);
            }
        }
    }
    format!("{times} places of the header")
}
