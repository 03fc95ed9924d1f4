//! The tokenizer part of the metadata: what it says, and whether llama.cpp can build on it.
//!
//! Mirrors the conditions of `llama_vocab::impl::load` and of the tokenizers in llama-vocab.cpp,
//! including those that only fail later, while tokenizing.

use std::collections::HashSet;

use super::Gguf;
use super::error::GgufError;
use super::error::{Fault, shown};
use super::pieces::{byte_of, distinct, unescape_rwkv};
use super::value::{List, ValueKind};

/// The token type of a single byte, as the file numbers it.
const BYTE: i128 = 6;

const MODEL: &str = "tokenizer.ggml.model";
const PRE: &str = "tokenizer.ggml.pre";
pub(super) const TOKENS: &str = "tokenizer.ggml.tokens";
const SCORES: &str = "tokenizer.ggml.scores";
const TYPES: &str = "tokenizer.ggml.token_type";
const MERGES: &str = "tokenizer.ggml.merges";
const UNKNOWN_ID: &str = "tokenizer.ggml.unknown_token_id";

/// Scalars llama.cpp reads, with the only type it accepts.
const SCALARS: &[(&str, ValueKind)] = &[
    (PRE, ValueKind::Text),
    ("tokenizer.ggml.token_type_count", ValueKind::U32),
    ("tokenizer.ggml.bos_token_id", ValueKind::U32),
    ("tokenizer.ggml.eos_token_id", ValueKind::U32),
    ("tokenizer.ggml.eot_token_id", ValueKind::U32),
    ("tokenizer.ggml.eom_token_id", ValueKind::U32),
    (UNKNOWN_ID, ValueKind::U32),
    ("tokenizer.ggml.seperator_token_id", ValueKind::U32),
    ("tokenizer.ggml.padding_token_id", ValueKind::U32),
    ("tokenizer.ggml.mask_token_id", ValueKind::U32),
    ("tokenizer.ggml.fim_pre_token_id", ValueKind::U32),
    ("tokenizer.ggml.fim_suf_token_id", ValueKind::U32),
    ("tokenizer.ggml.fim_mid_token_id", ValueKind::U32),
    ("tokenizer.ggml.fim_pad_token_id", ValueKind::U32),
    ("tokenizer.ggml.fim_rep_token_id", ValueKind::U32),
    ("tokenizer.ggml.fim_sep_token_id", ValueKind::U32),
    ("tokenizer.ggml.prefix_token_id", ValueKind::U32),
    ("tokenizer.ggml.suffix_token_id", ValueKind::U32),
    ("tokenizer.ggml.middle_token_id", ValueKind::U32),
    ("tokenizer.ggml.add_bos_token", ValueKind::Bool),
    ("tokenizer.ggml.add_eos_token", ValueKind::Bool),
    ("tokenizer.ggml.add_sep_token", ValueKind::Bool),
    ("tokenizer.ggml.add_space_prefix", ValueKind::Bool),
    ("tokenizer.ggml.remove_extra_whitespaces", ValueKind::Bool),
    ("tokenizer.ggml.normalizer.lowercase", ValueKind::Bool),
    ("tokenizer.ggml.normalizer.strip_accents", ValueKind::Bool),
    ("general.architecture", ValueKind::Text),
    ("general.name", ValueKind::Text),
    ("general.file_type", ValueKind::U32),
];

/// How a vocabulary turns text into tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenizerKind {
    /// SentencePiece with scores and byte fallback (`llama`).
    SentencePiece,
    /// Byte-pair merges (`gpt2`, `gemma4`).
    BytePair,
    /// BERT's word pieces.
    WordPiece,
    /// T5's unigram model.
    Unigram,
    /// RWKV's trie.
    Rwkv,
    /// PLaMo-2's own.
    Plamo2,
}

impl TokenizerKind {
    fn of_model(name: &str) -> Option<TokenizerKind> {
        Some(match name {
            "llama" => TokenizerKind::SentencePiece,
            "gpt2" | "gemma4" => TokenizerKind::BytePair,
            "bert" => TokenizerKind::WordPiece,
            "t5" => TokenizerKind::Unigram,
            "rwkv" => TokenizerKind::Rwkv,
            "plamo2" => TokenizerKind::Plamo2,
            _ => return None,
        })
    }

    /// A name for people.
    pub fn name(self) -> &'static str {
        match self {
            TokenizerKind::SentencePiece => "SentencePiece",
            TokenizerKind::BytePair => "byte-pair",
            TokenizerKind::WordPiece => "WordPiece",
            TokenizerKind::Unigram => "unigram",
            TokenizerKind::Rwkv => "RWKV",
            TokenizerKind::Plamo2 => "PLaMo-2",
        }
    }

    /// BOS and unknown token where the file names none.
    fn defaults(self, model: &str) -> (Option<u32>, Option<u32>) {
        match self {
            TokenizerKind::SentencePiece | TokenizerKind::Plamo2 => (Some(1), Some(0)),
            TokenizerKind::BytePair if model == "gemma4" => (None, None),
            TokenizerKind::BytePair => (Some(11), None),
            TokenizerKind::WordPiece => (Some(101), Some(100)),
            TokenizerKind::Unigram => (None, Some(2)),
            TokenizerKind::Rwkv => (None, None),
        }
    }
}

/// A checked vocabulary.
#[derive(Clone, Copy, Debug)]
pub struct Vocabulary<'a> {
    /// How text becomes tokens.
    pub tokenizer: TokenizerKind,
    /// The name of the pre-tokenizer, for byte-pair vocabularies.
    pub pre: Option<&'a str>,
    /// The text of every token as the file spells it: at least one, all different.
    pub tokens: &'a List,
    /// A score for each token.
    pub scores: Option<&'a List>,
    /// A type for each token: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte.
    pub types: Option<&'a List>,
    /// Byte-pair merges, `left right`, best first.
    pub merges: Option<&'a List>,
    /// Beginning of sequence, in range.
    pub bos: Option<u32>,
    /// End of sequence, in range, where the file names one.
    pub eos: Option<u32>,
    /// Whether a raw text is to begin with BOS.
    pub add_bos: bool,
}

impl Gguf {
    /// The vocabulary, if llama.cpp can tokenize with it.
    pub fn check_vocabulary(&self) -> Result<Vocabulary<'_>, GgufError> {
        self.vocabulary().map_err(|fault| self.error(fault))
    }

    pub(super) fn vocabulary(&self) -> Result<Vocabulary<'_>, Fault> {
        let (model, tokenizer) = self.tokenizer()?;
        for &(key, kind) in SCALARS {
            self.scalar_is(key, kind)?;
        }
        if self.text(PRE) == Some("whitespace") {
            // An encoder's; llama.cpp's merging asserts that no piece holds a space.
            return Err(Fault::key(PRE, "'whitespace' is not supported"));
        }
        let tokens =
            self.texts(TOKENS)?.ok_or_else(|| Fault::key(TOKENS, "missing: the file has no vocabulary"))?;
        let count = tokens.len();
        if count == 0 {
            return Err(Fault::key(TOKENS, "empty, and a vocabulary needs a token"));
        }
        let id = |key: &str| self.get(key).and_then(|value| value.u32()).filter(|&id| (id as usize) < count);
        let (bos, unknown) = tokenizer.defaults(model);
        let bos = id("tokenizer.ggml.bos_token_id").or(bos.filter(|&id| (id as usize) < count));
        let unknown = id(UNKNOWN_ID).or(unknown.filter(|&id| (id as usize) < count));
        let vocabulary = Vocabulary {
            tokenizer,
            pre: self.text(PRE),
            tokens,
            scores: self.scores(count)?,
            types: self.types(count)?,
            merges: self.merges(tokenizer)?,
            bos,
            eos: id("tokenizer.ggml.eos_token_id"),
            add_bos: self.adds_bos(tokenizer),
        };
        let texts = distinct(tokens)?;
        vocabulary.check_byte_tokens()?;
        vocabulary.check_coverage(&texts)?;
        if unknown.is_none()
            && matches!(tokenizer, TokenizerKind::WordPiece | TokenizerKind::Unigram | TokenizerKind::Rwkv)
        {
            return Err(Fault::key(
                UNKNOWN_ID,
                format!("{} needs a token for unknown text", tokenizer.name()),
            ));
        }
        Ok(vocabulary)
    }

    fn tokenizer(&self) -> Result<(&str, TokenizerKind), Fault> {
        let Some(value) = self.get(MODEL) else {
            return Err(Fault::key(MODEL, "missing: the file has no vocabulary"));
        };
        match value.text() {
            Some("none" | "no_vocab") => {
                Err(Fault::Unsupported("this model has no vocabulary, so its tokens cannot be shown".into()))
            }
            Some(name) => match TokenizerKind::of_model(name) {
                Some(tokenizer) => Ok((name, tokenizer)),
                None => {
                    let shown = shown(name.as_bytes());
                    Err(Fault::Unsupported(format!(
                        "the tokenizer {shown} is not supported (known: llama, gpt2, gemma4, bert, t5, rwkv, plamo2)"
                    )))
                }
            },
            None => {
                Err(Fault::key(MODEL, format!("is {}, and it must be a UTF-8 string", value.type_name())))
            }
        }
    }

    pub(super) fn scalar_is(&self, key: &str, kind: ValueKind) -> Result<(), Fault> {
        let Some(value) = self.get(key) else { return Ok(()) };
        let right = match kind {
            ValueKind::Text => value.text().is_some(),
            kind => value.type_name() == kind.to_string(),
        };
        match right {
            true => Ok(()),
            false => Err(Fault::key(key, format!("is {}, and it must be {kind}", value.type_name()))),
        }
    }

    fn list_of(&self, key: &str, kinds: &[ValueKind]) -> Result<Option<&List>, Fault> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match value.list() {
            Some(list) if kinds.contains(&list.kind()) => Ok(Some(list)),
            _ => Err(Fault::key(
                key,
                format!("is {}, and it must be an array of {}", value.type_name(), kinds[0]),
            )),
        }
    }

    pub(super) fn texts(&self, key: &str) -> Result<Option<&List>, Fault> {
        self.list_of(key, &[ValueKind::Text])
    }

    fn scores(&self, count: usize) -> Result<Option<&List>, Fault> {
        let Some(scores) = self.list_of(SCORES, &[ValueKind::F32, ValueKind::I32])? else { return Ok(None) };
        same_length(SCORES, scores, count)?;
        match scores.floats().and_then(|mut floats| floats.position(f32::is_nan)) {
            // It would break the order in which pieces are merged.
            Some(index) => Err(Fault::key(SCORES, format!("score {index} is no number"))),
            None => Ok(Some(scores)),
        }
    }

    fn types(&self, count: usize) -> Result<Option<&List>, Fault> {
        let Some(types) = self.list_of(TYPES, &[ValueKind::I32])? else { return Ok(None) };
        same_length(TYPES, types, count)?;
        Ok(Some(types))
    }

    fn merges(&self, tokenizer: TokenizerKind) -> Result<Option<&List>, Fault> {
        let Some(merges) = self.texts(MERGES)? else {
            let needed = tokenizer == TokenizerKind::BytePair && self.text(PRE) != Some("kimi-k2");
            return match needed {
                true => Err(Fault::key(MERGES, "missing, and a byte-pair vocabulary needs its merges")),
                false => Ok(None),
            };
        };
        // llama.cpp splits at the first space after the first byte.
        let broken = merges.texts().position(|merge| !merge.iter().skip(1).any(|&byte| byte == b' '));
        match broken {
            Some(index) => {
                let text = shown(merges.text(index).unwrap_or_default());
                Err(Fault::key(
                    MERGES,
                    format!("merge {index} is {text}, and it must be two pieces with a space between"),
                ))
            }
            None => Ok(Some(merges)),
        }
    }

    fn adds_bos(&self, tokenizer: TokenizerKind) -> bool {
        let pre = self.text(PRE).unwrap_or_default();
        if tokenizer == TokenizerKind::BytePair && matches!(pre, "gemma4" | "granite-embed-multi-311m")
            || self.text(MODEL) == Some("gemma4")
        {
            // llama.cpp overrides the file for these.
            return true;
        }
        let by_default = match tokenizer {
            TokenizerKind::SentencePiece | TokenizerKind::WordPiece => true,
            TokenizerKind::BytePair => matches!(
                pre,
                "llama3"
                    | "llama-v3"
                    | "llama-bpe"
                    | "falcon3"
                    | "falcon-h1"
                    | "pixtral"
                    | "midm-2.0"
                    | "lfm2"
                    | "jina-v5-nano"
                    | "tekken"
                    | "chameleon"
            ),
            TokenizerKind::Unigram | TokenizerKind::Rwkv | TokenizerKind::Plamo2 => false,
        };
        self.get("tokenizer.ggml.add_bos_token").and_then(|value| value.bool()).unwrap_or(by_default)
    }
}

impl Vocabulary<'_> {
    /// Tokens typed as bytes must spell one: llama.cpp cuts the two digits out unasked.
    fn check_byte_tokens(&self) -> Result<(), Fault> {
        let Some(types) = self.types.and_then(List::integers) else { return Ok(()) };
        for (id, (kind, text)) in types.zip(self.tokens.texts()).enumerate() {
            if kind == BYTE && (byte_of(text).is_none() || self.tokenizer == TokenizerKind::WordPiece) {
                let text = shown(text);
                return Err(Fault::key(
                    TYPES,
                    format!("token {id}, {text}, is typed as a byte and spells none (<0x41>)"),
                ));
            }
        }
        Ok(())
    }

    /// Where text falls back to single bytes, a byte without a token is an uncaught exception, or
    /// an endless loop, in llama.cpp.
    fn check_coverage(&self, texts: &HashSet<&[u8]>) -> Result<(), Fault> {
        let missing = match self.tokenizer {
            TokenizerKind::SentencePiece => (0..=u8::MAX).find(|byte| {
                let spelled = format!("<0x{byte:02X}>");
                !texts.contains(spelled.as_bytes()) && !texts.contains(&[*byte][..])
            }),
            TokenizerKind::Rwkv => {
                let mut seen = [false; 256];
                for text in self.tokens.texts() {
                    if let [byte] = unescape_rwkv(text)[..] {
                        seen[byte as usize] = true;
                    }
                }
                (0..=u8::MAX).find(|&byte| !seen[byte as usize])
            }
            _ => None,
        };
        match missing {
            Some(byte) => Err(Fault::key(
                TOKENS,
                format!("no token for byte 0x{byte:02X}, so some text cannot be tokenized"),
            )),
            None => Ok(()),
        }
    }
}

fn same_length(key: &str, list: &List, count: usize) -> Result<(), Fault> {
    match list.len() == count {
        true => Ok(()),
        false => Err(Fault::key(key, format!("{} entries for {count} tokens", list.len()))),
    }
}
