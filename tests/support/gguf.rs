//! Small GGUF files for tests: a writer, and two tiny models with random weights.
//!
//! Knows nothing of the crate, so that unit tests and integration tests can both include it:
//! `#[path = "…/tests/support/gguf.rs"] mod fixture;`. Each user needs only part of it.
#![allow(dead_code)]

/// A metadata value to write.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    U8(u8),
    U16(u16),
    U32(u32),
    I32(i32),
    U64(u64),
    F32(f32),
    Bool(bool),
    Text(Vec<u8>),
    Texts(Vec<Vec<u8>>),
    F32s(Vec<f32>),
    I32s(Vec<i32>),
    U32s(Vec<u32>),
    Bools(Vec<bool>),
    /// Type number and payload as they are.
    Raw(u32, Vec<u8>),
}

/// A text value.
pub fn text(text: &str) -> Value {
    Value::Text(text.into())
}

/// A tensor to write.
#[derive(Clone, Debug)]
pub struct Tensor {
    pub name: Vec<u8>,
    pub shape: Vec<u64>,
    /// ggml's type number.
    pub kind: u32,
    pub data: Vec<u8>,
    /// Written in place of the offset the data really has.
    pub offset: Option<u64>,
}

/// A file to write: change anything, then call [`File::bytes`].
#[derive(Clone, Debug)]
pub struct File {
    pub magic: [u8; 4],
    pub version: u32,
    pub keys: Vec<(Vec<u8>, Value)>,
    pub tensors: Vec<Tensor>,
    /// Written in place of the numbers of tensors and keys there are.
    pub counts: Option<(u64, u64)>,
    pub alignment: usize,
}

impl Default for File {
    fn default() -> Self {
        File { magic: *b"GGUF", version: 3, keys: vec![], tensors: vec![], counts: None, alignment: 32 }
    }
}

impl File {
    /// Sets a key, replacing it if it is there.
    pub fn set(&mut self, key: &str, value: Value) {
        match self.keys.iter_mut().find(|(name, _)| name == key.as_bytes()) {
            Some((_, old)) => *old = value,
            None => self.keys.push((key.into(), value)),
        }
    }

    /// Removes a key.
    pub fn remove(&mut self, key: &str) {
        self.keys.retain(|(name, _)| name != key.as_bytes());
    }

    /// Adds a tensor of F32.
    pub fn tensor(&mut self, name: &str, shape: &[u64], noise: &mut Noise) {
        let elements: u64 = shape.iter().product();
        let data = (0..elements).flat_map(|_| noise.float().to_le_bytes()).collect();
        self.tensors.push(Tensor { name: name.into(), shape: shape.to_vec(), kind: 0, data, offset: None });
    }

    /// A tensor by name.
    pub fn tensor_mut(&mut self, name: &str) -> &mut Tensor {
        self.tensors
            .iter_mut()
            .find(|tensor| tensor.name == name.as_bytes())
            .expect("a tensor of the fixture")
    }

    /// The header alone, padded to the data section.
    pub fn header(&self) -> Vec<u8> {
        let mut out = self.magic.to_vec();
        out.extend(self.version.to_le_bytes());
        let (tensors, keys) = self.counts.unwrap_or((self.tensors.len() as u64, self.keys.len() as u64));
        out.extend(tensors.to_le_bytes());
        out.extend(keys.to_le_bytes());
        for (key, value) in &self.keys {
            put_text(&mut out, key);
            put_value(&mut out, value);
        }
        let mut offset = 0;
        for tensor in &self.tensors {
            put_text(&mut out, &tensor.name);
            out.extend((tensor.shape.len() as u32).to_le_bytes());
            tensor.shape.iter().for_each(|length| out.extend(length.to_le_bytes()));
            out.extend(tensor.kind.to_le_bytes());
            out.extend(tensor.offset.unwrap_or(offset).to_le_bytes());
            offset += tensor.data.len().next_multiple_of(self.alignment) as u64;
        }
        if !self.tensors.is_empty() {
            out.resize(out.len().next_multiple_of(self.alignment), 0);
        }
        out
    }

    /// The whole file.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = self.header();
        for tensor in &self.tensors {
            out.extend(&tensor.data);
            out.resize(out.len().next_multiple_of(self.alignment), 0);
        }
        out
    }
}

fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text);
}

fn put_value(out: &mut Vec<u8>, value: &Value) {
    let mut scalar = |number: u32, bytes: &[u8]| {
        out.extend(number.to_le_bytes());
        out.extend(bytes);
    };
    match value {
        Value::U8(v) => scalar(0, &[*v]),
        Value::U16(v) => scalar(2, &v.to_le_bytes()),
        Value::U32(v) => scalar(4, &v.to_le_bytes()),
        Value::I32(v) => scalar(5, &v.to_le_bytes()),
        Value::F32(v) => scalar(6, &v.to_le_bytes()),
        Value::Bool(v) => scalar(7, &[u8::from(*v)]),
        Value::U64(v) => scalar(10, &v.to_le_bytes()),
        Value::Raw(number, payload) => scalar(*number, payload),
        Value::Text(v) => {
            out.extend(8_u32.to_le_bytes());
            put_text(out, v);
        }
        Value::Texts(v) => {
            put_list(out, 8, v.len());
            v.iter().for_each(|text| put_text(out, text));
        }
        Value::F32s(v) => {
            put_list(out, 6, v.len());
            v.iter().for_each(|number| out.extend(number.to_le_bytes()));
        }
        Value::I32s(v) => {
            put_list(out, 5, v.len());
            v.iter().for_each(|number| out.extend(number.to_le_bytes()));
        }
        Value::U32s(v) => {
            put_list(out, 4, v.len());
            v.iter().for_each(|number| out.extend(number.to_le_bytes()));
        }
        Value::Bools(v) => {
            put_list(out, 7, v.len());
            out.extend(v.iter().map(|&flag| u8::from(flag)));
        }
    }
}

fn put_list(out: &mut Vec<u8>, kind: u32, length: usize) {
    out.extend(9_u32.to_le_bytes());
    out.extend(kind.to_le_bytes());
    out.extend((length as u64).to_le_bytes());
}

/// Repeatable randomness (SplitMix64): the same seed gives the same file everywhere.
#[derive(Clone, Debug)]
pub struct Noise(pub u64);

impl Noise {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Below `n`, which is not 0.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// One of a slice.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// A weight, about −0.25 to 0.25.
    pub fn float(&mut self) -> f32 {
        ((self.next() >> 40) as f32 / (1 << 24) as f32 - 0.5) / 2.0
    }
}

/// The characters that byte-level BPE (GPT-2) writes the bytes 0–255 with.
pub fn byte_characters() -> Vec<String> {
    let printable = |byte: u32| matches!(byte, 0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF);
    let mut next = 256;
    let character = |byte: u32| {
        let code = if printable(byte) {
            byte
        } else {
            next += 1;
            next - 1
        };
        char::from_u32(code).expect("a character").to_string()
    };
    (0..256).map(character).collect()
}

const EMBD: u64 = 64;
const FF: u64 = 128;

fn body(file: &mut File, arch: &str, layers: u32) {
    file.set("general.architecture", text(arch));
    file.set("general.name", text(&format!("tiny {arch}")));
    file.set("general.file_type", Value::U32(0));
    for (key, value) in [
        ("context_length", 128),
        ("embedding_length", EMBD as u32),
        ("block_count", layers),
        ("feed_forward_length", FF as u32),
        ("attention.head_count", 4),
        ("attention.head_count_kv", 2),
    ] {
        file.set(&format!("{arch}.{key}"), Value::U32(value));
    }
    file.set(&format!("{arch}.rope.freq_base"), Value::F32(10_000.0));
    file.set(&format!("{arch}.attention.layer_norm_rms_epsilon"), Value::F32(1e-5));
}

fn block(file: &mut File, layer: u32, noise: &mut Noise) {
    let name = |what: &str| format!("blk.{layer}.{what}.weight");
    file.tensor(&name("attn_norm"), &[EMBD], noise);
    file.tensor(&name("attn_q"), &[EMBD, 64], noise);
    file.tensor(&name("attn_k"), &[EMBD, 32], noise);
    file.tensor(&name("attn_v"), &[EMBD, 32], noise);
    file.tensor(&name("attn_output"), &[64, EMBD], noise);
    file.tensor(&name("ffn_norm"), &[EMBD], noise);
    file.tensor(&name("ffn_gate"), &[EMBD, FF], noise);
    file.tensor(&name("ffn_up"), &[EMBD, FF], noise);
    file.tensor(&name("ffn_down"), &[FF, EMBD], noise);
}

/// A `llama` of one layer with a byte-level BPE vocabulary of 279 tokens: 256 bytes, 20 merges and
/// the three special tokens `<|endoftext|>` (0), `<|im_start|>` (1) and `<|im_end|>` (2, ends the
/// turn), and a ChatML template. About 300 KB.
pub fn tiny_llama(seed: u64) -> File {
    let mut noise = Noise(seed);
    let mut file = File::default();
    body(&mut file, "llama", 1);
    file.set("llama.rope.dimension_count", Value::U32(16));
    let bytes = byte_characters();
    let space = bytes[0x20].clone();
    let pairs = [
        (space.as_str(), "t"),
        ("h", "e"),
        ("i", "n"),
        (space.as_str(), "a"),
        ("r", "e"),
        ("o", "n"),
        ("e", "r"),
        (" t", "he"),
        (space.as_str(), "s"),
        ("a", "t"),
        ("o", "r"),
        ("e", "n"),
        ("i", "s"),
        ("a", "n"),
        ("n", "d"),
        ("e", "s"),
        ("o", "u"),
        ("l", "l"),
        ("i", "t"),
        ("in", "g"),
    ];
    let pairs: Vec<(String, String)> =
        pairs.iter().map(|(a, b)| (a.replace(' ', &space), b.replace(' ', &space))).collect();
    let specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"].map(String::from);
    let merged = pairs.iter().map(|(a, b)| format!("{a}{b}"));
    let tokens: Vec<Vec<u8>> =
        specials.into_iter().chain(bytes).chain(merged).map(String::into_bytes).collect();
    let types = (0..tokens.len()).map(|id| if id < 3 { 3 } else { 1 }).collect();
    let merges = pairs.iter().map(|(a, b)| format!("{a} {b}").into_bytes()).collect();
    file.set("llama.vocab_size", Value::U32(tokens.len() as u32));
    file.set("tokenizer.ggml.model", text("gpt2"));
    file.set("tokenizer.ggml.pre", text("smollm"));
    let count = tokens.len() as u64;
    file.set("tokenizer.ggml.tokens", Value::Texts(tokens));
    file.set("tokenizer.ggml.token_type", Value::I32s(types));
    file.set("tokenizer.ggml.merges", Value::Texts(merges));
    file.set("tokenizer.ggml.bos_token_id", Value::U32(1));
    file.set("tokenizer.ggml.eos_token_id", Value::U32(2));
    file.set("tokenizer.ggml.add_bos_token", Value::Bool(false));
    file.set("tokenizer.chat_template", text(CHATML));
    file.tensor("token_embd.weight", &[EMBD, count], &mut noise);
    block(&mut file, 0, &mut noise);
    file.tensor("output_norm.weight", &[EMBD], &mut noise);
    file
}

const CHATML: &str = "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/// A `gemma3` of two layers, one of them with a sliding window, and a SentencePiece vocabulary of
/// 270 tokens: four special ones, 256 bytes and ten pieces. About 500 KB.
pub fn tiny_gemma3(seed: u64) -> File {
    let mut noise = Noise(seed);
    let mut file = File::default();
    body(&mut file, "gemma3", 2);
    file.set("gemma3.attention.key_length", Value::U32(16));
    file.set("gemma3.attention.value_length", Value::U32(16));
    file.set("gemma3.attention.sliding_window", Value::U32(8));
    file.set("gemma3.attention.sliding_window_pattern", Value::U32(2));
    let specials = ["<pad>", "<eos>", "<bos>", "<unk>"].map(String::from);
    let bytes = (0..256).map(|byte| format!("<0x{byte:02X}>"));
    let pieces = ["▁", "e", "t", "a", "o", "▁t", "he", "▁the", "an", "in"].map(String::from);
    let tokens: Vec<Vec<u8>> =
        specials.into_iter().chain(bytes).chain(pieces).map(String::into_bytes).collect();
    let kind = |id| match id {
        3 => 2,
        0..=2 => 3,
        4..=259 => 6,
        _ => 1,
    };
    let count = tokens.len();
    file.set("tokenizer.ggml.model", text("llama"));
    file.set("tokenizer.ggml.pre", text("default"));
    file.set("tokenizer.ggml.tokens", Value::Texts(tokens));
    file.set("tokenizer.ggml.scores", Value::F32s((0..count).map(|id| -(id as f32)).collect()));
    file.set("tokenizer.ggml.token_type", Value::I32s((0..count).map(kind).collect()));
    file.set("tokenizer.ggml.bos_token_id", Value::U32(2));
    file.set("tokenizer.ggml.eos_token_id", Value::U32(1));
    file.set("tokenizer.ggml.unknown_token_id", Value::U32(3));
    file.set("tokenizer.ggml.add_bos_token", Value::Bool(true));
    file.set("tokenizer.ggml.add_space_prefix", Value::Bool(false));
    file.tensor("token_embd.weight", &[EMBD, count as u64], &mut noise);
    for layer in 0..2 {
        block(&mut file, layer, &mut noise);
        for (what, width) in
            [("attn_q_norm", 16), ("attn_k_norm", 16), ("post_attention_norm", EMBD), ("post_ffw_norm", EMBD)]
        {
            file.tensor(&format!("blk.{layer}.{what}.weight"), &[width], &mut noise);
        }
    }
    file.tensor("output_norm.weight", &[EMBD], &mut noise);
    file
}
