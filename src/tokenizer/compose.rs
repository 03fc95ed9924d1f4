//! A tokenizer of the `tokenizers` crate out of what a GGUF file holds: pieces, types, scores, merges and
//! the name of its pre-tokenizer. Only the file is asked, never llama.cpp: it is a second opinion.

use std::collections::{HashMap, HashSet};

use thiserror::Error;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::models::unigram::Unigram;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::replace::ReplacePattern;
use tokenizers::normalizers::{BertNormalizer, Precompiled, Prepend, Replace, Sequence};
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::pre_tokenizers::sequence::Sequence as Cutters;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{
    AddedToken, ModelWrapper, NormalizerWrapper, PreTokenizerWrapper, SplitDelimiterBehavior, Tokenizer,
};

use super::families::{Family, family};
use crate::model::gguf::{Gguf, List, TokenizerKind as Kind, Vocabulary};

/// What stands for a space in a SentencePiece vocabulary.
pub(super) const BLOCK: &str = "\u{2581}";

/// Token types, as a GGUF file numbers them.
mod types {
    pub const NORMAL: i128 = 1;
    pub const UNKNOWN: i128 = 2;
    pub const CONTROL: i128 = 3;
    pub const USER_DEFINED: i128 = 4;
}

/// Why a vocabulary makes no tokenizer of the crate.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct Unbuildable(String);

impl Unbuildable {
    fn refused(error: impl std::fmt::Display) -> Unbuildable {
        Unbuildable(format!("the tokenizers crate says: {error}"))
    }
}

/// The texts of all tokens, as llama.cpp reads them: up to a zero byte, and a name for an empty one.
pub(super) fn texts(tokens: &List) -> impl Iterator<Item = Result<String, Unbuildable>> {
    tokens.texts().enumerate().map(|(id, bytes)| {
        let bytes = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
        match std::str::from_utf8(bytes) {
            Ok("") => Ok(format!("[EMPTY_{id}]")),
            Ok(text) => Ok(text.to_string()),
            Err(_) => Err(Unbuildable(format!("token {id} is no UTF-8"))),
        }
    })
}

/// Which special tokens take the white space beside them. A GGUF file does not say; llama.cpp goes by
/// names, and so must whoever wants its tokens.
#[derive(Clone, Copy)]
enum Strips {
    None,
    /// A mask takes the white space before it.
    Mask(&'static str),
    /// All but these take the white space after them.
    AllBut([&'static str; 3]),
}

impl Strips {
    fn of(gguf: &Gguf) -> Strips {
        let text = |key: &str| gguf.text(key).unwrap_or_default();
        let name = text("general.name").to_ascii_lowercase();
        let (pre, architecture) = (text("tokenizer.ggml.pre"), gguf.architecture().unwrap_or_default());
        let any = |text: &str, parts: &[&str]| parts.iter().any(|part| text.contains(part));
        if any(pre, &["jina-v2-de", "jina-v2-es", "jina-v2-code", "mmbert"])
            || any(architecture, &["nomic-bert-moe", "jina-bert-v3"])
        {
            Strips::Mask("<mask>")
        } else if any(&name, &["phi-3", "phi3"]) {
            Strips::AllBut(["<unk>", "<s>", "<|endoftext|>"])
        } else if any(&name, &["modern-bert"]) {
            Strips::Mask("[MASK]")
        } else {
            Strips::None
        }
    }

    /// Before and after.
    fn around(self, token: &str) -> (bool, bool) {
        match self {
            Strips::None => (false, false),
            Strips::Mask(mask) => (token == mask, false),
            Strips::AllBut(plain) => (false, !plain.contains(&token)),
        }
    }
}

/// A vocabulary in the crate's terms.
struct PieceTable {
    texts: Vec<String>,
    types: Vec<i128>,
}

impl PieceTable {
    fn of(vocabulary: &Vocabulary) -> Result<PieceTable, Unbuildable> {
        let texts = texts(vocabulary.tokens).collect::<Result<Vec<_>, _>>()?;
        let types = vocabulary.types.and_then(List::integers).map(Iterator::collect);
        let types = types.unwrap_or_else(|| vec![types::NORMAL; texts.len()]);
        Ok(PieceTable { texts, types })
    }

    fn ids(&self) -> Vocab {
        self.texts.iter().zip(0..).map(|(text, id)| (text.clone(), id)).collect()
    }

    fn typed(&self) -> impl Iterator<Item = (&String, i128)> {
        self.texts.iter().zip(self.types.iter().copied())
    }

    /// Tokens that are found before anything else, with the white space that some take with them.
    fn added(&self, strips: Strips) -> Vec<AddedToken> {
        self.typed()
            .filter_map(|(text, kind)| {
                let special = match kind {
                    types::CONTROL | types::UNKNOWN => true,
                    types::USER_DEFINED => false,
                    _ => return None,
                };
                let (left, right) = strips.around(text);
                Some(AddedToken::from(text.clone(), special).normalized(false).lstrip(left).rstrip(right))
            })
            .collect()
    }

    fn unknown(&self) -> Option<String> {
        self.typed().find(|(_, kind)| *kind == types::UNKNOWN).map(|(text, _)| text.clone())
    }
}

/// Builds the tokenizer.
///
/// # Errors
/// [`Unbuildable`].
pub(super) fn compose(gguf: &Gguf, vocabulary: &Vocabulary) -> Result<Tokenizer, Unbuildable> {
    let parts = match vocabulary.tokenizer {
        Kind::Rwkv | Kind::Plamo2 => {
            let kind = vocabulary.tokenizer.name();
            return Err(Unbuildable(format!(
                "it is a {kind} vocabulary, and the tokenizers crate has no such model"
            )));
        }
        _ => PieceTable::of(vocabulary)?,
    };
    let mut tokenizer = match vocabulary.tokenizer {
        Kind::SentencePiece => sentence_piece(gguf, vocabulary, &parts)?,
        Kind::Unigram => unigram(gguf, vocabulary, &parts)?,
        Kind::WordPiece => word_piece(gguf, &parts)?,
        _ => byte_pair(vocabulary, &parts)?,
    };
    tokenizer.add_tokens(parts.added(Strips::of(gguf))).map_err(Unbuildable::refused)?;
    Ok(tokenizer)
}

fn byte_pair(vocabulary: &Vocabulary, parts: &PieceTable) -> Result<Tokenizer, Unbuildable> {
    let Family { patterns, ignore_merges, .. } = match vocabulary.pre {
        None | Some("default") => {
            let reason = "the file does not say how a text is cut before merging (tokenizer.ggml.pre)";
            return Err(Unbuildable(reason.to_string()));
        }
        Some(name) => family(name).ok_or_else(|| {
            Unbuildable(format!("the patterns of its pre-tokenizer {name} are not known here"))
        })?,
    };
    let mut cutters: Vec<PreTokenizerWrapper> = Vec::new();
    for pattern in *patterns {
        let pattern = SplitPattern::Regex(pattern.to_string());
        let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, false);
        cutters.push(split.map_err(Unbuildable::refused)?.into());
    }
    cutters.push(ByteLevel::new(false, false, false).into());
    let model = BPE::builder()
        .vocab_and_merges(parts.ids(), merges(vocabulary.merges)?)
        .ignore_merges(*ignore_merges)
        .build()
        .map_err(Unbuildable::refused)?;
    let mut tokenizer = Tokenizer::new(model);
    tokenizer.with_pre_tokenizer(Some(Cutters::new(cutters)));
    Ok(tokenizer)
}

/// Pairs, best first. Of two the same, llama.cpp keeps the first and the crate the last.
fn merges(list: Option<&List>) -> Result<Vec<(String, String)>, Unbuildable> {
    let mut pairs = Vec::new();
    let mut seen = HashSet::new();
    for (index, merge) in list.into_iter().flat_map(List::texts).enumerate() {
        let text = std::str::from_utf8(merge)
            .map_err(|_| Unbuildable::refused(format!("merge {index} is no UTF-8")))?;
        // The space between stands after the first byte: a piece may begin with one.
        let at = text.bytes().skip(1).position(|byte| byte == b' ').map_or(text.len(), |at| at + 1);
        let (left, right) = (&text[..at], text.get(at + 1..).unwrap_or_default());
        if seen.insert(merge) {
            pairs.push((left.to_string(), right.to_string()));
        }
    }
    Ok(pairs)
}

fn is_set(gguf: &Gguf, key: &str, otherwise: bool) -> bool {
    gguf.get(key).and_then(|value| value.bool()).unwrap_or(otherwise)
}

fn scores_of<'a>(vocabulary: &'a Vocabulary) -> Result<impl ExactSizeIterator<Item = f32> + 'a, Unbuildable> {
    vocabulary.scores.and_then(List::floats).ok_or_else(|| Unbuildable("it has no scores".to_string()))
}

/// As converted Llama tokenizers are: merges in the order of the scores of what they make, bytes for what
/// is unknown. SentencePiece also merges characters that are no piece by themselves; the crate can't, and
/// shows it as a difference.
fn sentence_piece(
    gguf: &Gguf,
    vocabulary: &Vocabulary,
    parts: &PieceTable,
) -> Result<Tokenizer, Unbuildable> {
    let scores: Vec<f32> = scores_of(vocabulary)?.collect();
    let mut builder = BPE::builder()
        .vocab_and_merges(parts.ids(), merges_by_score(parts, &scores))
        .byte_fallback(true)
        .fuse_unk(true);
    if let Some(unknown) = parts.unknown() {
        builder = builder.unk_token(unknown);
    }
    let mut tokenizer = Tokenizer::new(builder.build().map_err(Unbuildable::refused)?);
    let mut steps: Vec<NormalizerWrapper> = Vec::new();
    if is_set(gguf, "tokenizer.ggml.add_space_prefix", true) {
        steps.push(Prepend::new(BLOCK.to_string()).into());
    }
    steps.push(Replace::new(" ", BLOCK).map_err(Unbuildable::refused)?.into());
    tokenizer.with_normalizer(Some(Sequence::new(steps))).map_err(Unbuildable::refused)?;
    Ok(tokenizer)
}

/// Every way to make a piece out of two. Control tokens, bytes and unused ones are made by no merge.
fn merges_by_score(parts: &PieceTable, scores: &[f32]) -> Vec<(String, String)> {
    let merged = |kind| matches!(kind, types::NORMAL | types::USER_DEFINED);
    let known: HashMap<&str, usize> = parts
        .typed()
        .zip(0..)
        .filter(|((_, kind), _)| merged(*kind))
        .map(|((text, _), id)| (text.as_str(), id))
        .collect();
    let mut found: Vec<(f32, usize, usize)> = Vec::new();
    for (text, &id) in &known {
        for (at, _) in text.char_indices().skip(1) {
            if known.contains_key(&text[..at]) && known.contains_key(&text[at..]) {
                found.push((scores.get(id).copied().unwrap_or(0.0), id, at));
            }
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    let pair = |(_, id, at): (f32, usize, usize)| {
        let (left, right) = parts.texts[id].split_at(at);
        (left.to_string(), right.to_string())
    };
    found.into_iter().map(pair).collect()
}

fn unigram(gguf: &Gguf, vocabulary: &Vocabulary, parts: &PieceTable) -> Result<Tokenizer, Unbuildable> {
    let scores = scores_of(vocabulary)?;
    let pieces = parts.texts.iter().cloned().zip(scores.map(f64::from)).collect();
    let unknown = parts.types.iter().position(|&kind| kind == types::UNKNOWN);
    let model = Unigram::from(pieces, unknown, false).map_err(Unbuildable::refused)?;
    let mut tokenizer = Tokenizer::new(ModelWrapper::from(model));
    let mut steps: Vec<NormalizerWrapper> = Vec::new();
    let map = gguf.get("tokenizer.ggml.precompiled_charsmap").and_then(|value| value.list());
    if let Some(map) = map.and_then(List::integers) {
        // The array is of signed bytes in some files.
        let bytes: Vec<u8> = map.map(|byte| byte as u8).collect();
        steps.push(Precompiled::from(&bytes).map_err(Unbuildable::refused)?.into());
    }
    if is_set(gguf, "tokenizer.ggml.remove_extra_whitespaces", false) {
        for (spaces, one) in [("^ +| +$", ""), (" {2,}", " ")] {
            let spaces = ReplacePattern::Regex(spaces.to_string());
            steps.push(Replace::new(spaces, one).map_err(Unbuildable::refused)?.into());
        }
    }
    tokenizer.with_normalizer(Some(Sequence::new(steps))).map_err(Unbuildable::refused)?;
    let scheme = match is_set(gguf, "tokenizer.ggml.add_space_prefix", false) {
        true => PrependScheme::Always,
        false => PrependScheme::Never,
    };
    tokenizer.with_pre_tokenizer(Some(Metaspace::new('\u{2581}', scheme, true)));
    Ok(tokenizer)
}

fn word_piece(gguf: &Gguf, parts: &PieceTable) -> Result<Tokenizer, Unbuildable> {
    let ids: Vocab = parts.typed().zip(0..).map(|((text, kind), id)| (word_part(text, kind), id)).collect();
    let mut builder = WordPiece::builder().vocab(ids).continuing_subword_prefix("##".to_string());
    if let Some(unknown) = parts.unknown() {
        builder = builder.unk_token(unknown);
    }
    let mut tokenizer = Tokenizer::new(ModelWrapper::from(builder.build().map_err(Unbuildable::refused)?));
    let lowercase = is_set(gguf, "tokenizer.ggml.normalizer.lowercase", true);
    let accents = is_set(gguf, "tokenizer.ggml.normalizer.strip_accents", lowercase);
    let normalizer = BertNormalizer::new(true, true, Some(accents), lowercase);
    tokenizer.with_normalizer(Some(normalizer)).map_err(Unbuildable::refused)?;
    tokenizer.with_pre_tokenizer(Some(BertPreTokenizer));
    Ok(tokenizer)
}

/// A GGUF file marks where a word begins, the crate where one goes on.
pub(super) fn word_part(text: &str, kind: i128) -> String {
    match text.strip_prefix(BLOCK) {
        _ if matches!(kind, types::CONTROL | types::UNKNOWN | types::USER_DEFINED) => text.to_string(),
        Some(word) => word.to_string(),
        None => format!("##{text}"),
    }
}
