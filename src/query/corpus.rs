//! A text as a model's own ids, for an n-gram model to be counted from: the one that comes with the program,
//! or a file. Tokenizing takes longer than counting, so that the ids are kept in the cache folder, by the
//! hashes of text and vocabulary; damage and absence cost a repetition, never an error.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::text::TextEncoder;
use super::{Asker, QueryError};
use crate::bounded::{self, Bound};
use crate::counter::Far;
use crate::files::{self, Existing};
use crate::settings::Bos;
use crate::token::{TokenId, Vocab};

/// The texts of the program; `prompts/corpus/README.md` says whose they are.
const SHIPPED: [&str; 4] = [
    include_str!("../../prompts/corpus/english.txt"),
    include_str!("../../prompts/corpus/chinese.txt"),
    include_str!("../../prompts/corpus/everyday.en.txt"),
    include_str!("../../prompts/corpus/everyday.zh.txt"),
];
/// Counting takes some sixteen times as much memory.
const LARGEST: Bound = Bound(32 << 20);
/// Another content than this is not read.
const FORMAT: &[u8] = b"tokenscope corpus 1\n";
/// Bytes whose ids tell tokenizers of one vocabulary apart.
const SAMPLE: usize = 4 << 10;

/// A text to count.
#[derive(Clone, Debug)]
pub struct Corpus {
    /// The file, or the word that it came with the program.
    pub name: String,
    /// Of its bytes, in hexadecimal.
    pub sha256: String,
    /// Their number.
    pub bytes: usize,
    /// Its ids, text by text.
    pub texts: Vec<Vec<TokenId>>,
    /// How long it took to find them; `None` where they lay in the cache.
    pub tokenizing: Option<Duration>,
}

impl Corpus {
    /// Reads and tokenizes a file, or the texts of the program.
    ///
    /// # Errors
    /// [`QueryError`]: the file can't be read, is empty or no text of this model.
    pub fn read(asker: &Asker, file: Option<&Path>) -> Result<Corpus, QueryError> {
        let (name, texts) = match file {
            None => ("shipped".to_string(), SHIPPED.map(|text| text.as_bytes().to_vec()).to_vec()),
            Some(path) => (path.display().to_string(), vec![read_file(path)?]),
        };
        let bytes = texts.iter().map(Vec::len).sum();
        let sha256 = hex(&Sha256::digest(texts.concat()));
        let (key, vocab) = (key(asker, &texts), &asker.model.vocab);
        let place = asker.cache.join("corpora").join(format!("{key}.ids"));
        if let Some(texts) = fs::read(&place).ok().and_then(|kept| unpacked(&kept, vocab)) {
            return Ok(Corpus { name, sha256, bytes, texts, tokenizing: None });
        }
        let begun = Instant::now();
        let encoder = TextEncoder::new(&asker.model, Bos::Never, false)?.cancelled_by(asker.cancel.clone());
        let mut ids = Vec::with_capacity(texts.len());
        for (done, text) in texts.iter().enumerate() {
            (asker.far)(Far { what: "tokenizing the corpus", unit: "texts", done, total: texts.len() });
            ids.push(encoder.encode(text)?.ids());
        }
        (asker.far)(Far { what: "", unit: "", done: 1, total: 1 });
        // Where nothing can be kept, it is found out again the next time.
        let _ = place.parent().map(fs::create_dir_all);
        let _ =
            files::write(&place, Existing::Replace, &mut |out: &mut dyn Write| out.write_all(&packed(&ids)));
        Ok(Corpus { name, sha256, bytes, texts: ids, tokenizing: Some(begun.elapsed()) })
    }

    /// Number of its ids.
    pub fn tokens(&self) -> usize {
        self.texts.iter().map(Vec::len).sum()
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, QueryError> {
    let path: PathBuf = files::named(&path.to_string_lossy());
    let refused = |why: String| QueryError::Refused(format!("--corpus {}: {why}", path.display()));
    let bytes = bounded::file(&path, LARGEST).map_err(|error| refused(error.to_string()))?;
    if let Err(error) = std::str::from_utf8(&bytes) {
        return Err(refused(format!("byte {} begins no UTF-8", error.valid_up_to() + 1)));
    }
    if bytes.is_empty() { Err(refused("an empty file has nothing to count".to_string())) } else { Ok(bytes) }
}

/// Of the texts' bytes, the vocabulary, and what the tokenizer makes of a sample.
fn key(asker: &Asker, texts: &[Vec<u8>]) -> String {
    let mut hash = Sha256::new();
    let mut add = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    texts.iter().for_each(|text| add(text));
    let vocab = &asker.model.vocab;
    vocab.ids().for_each(|id| add(vocab.bytes(id)));
    for text in texts {
        let sample = asker.model.tokenizer.tokenize(&text[..text.len().min(SAMPLE)], false);
        sample.iter().for_each(|id| add(&id.0.to_le_bytes()));
    }
    hex(&hash.finalize())
}

/// Format, number of texts, their lengths, their ids, and a checksum.
fn packed(texts: &[Vec<TokenId>]) -> Vec<u8> {
    let lengths = texts.iter().map(|text| text.len() as u32);
    let numbers = std::iter::once(texts.len() as u32).chain(lengths);
    let numbers = numbers.chain(texts.iter().flatten().map(|id| id.0));
    let mut bytes: Vec<u8> = FORMAT.iter().copied().chain(numbers.flat_map(u32::to_le_bytes)).collect();
    let sum = Sha256::digest(&bytes);
    bytes.extend_from_slice(&sum);
    bytes
}

fn unpacked(bytes: &[u8], vocab: &Vocab) -> Option<Vec<Vec<TokenId>>> {
    let (content, sum) = bytes.split_at_checked(bytes.len().checked_sub(32)?)?;
    let numbers = content.strip_prefix(FORMAT).filter(|_| Sha256::digest(content)[..] == *sum)?;
    let mut numbers =
        numbers.chunks_exact(4).map(|four| u32::from_le_bytes(four.try_into().unwrap_or_default()));
    let count = numbers.next()?;
    let lengths: Vec<u32> = numbers.by_ref().take(count as usize).collect();
    let known = |id: &u32| (*id as usize) < vocab.len();
    let text = |length: &u32| numbers.by_ref().take(*length as usize).filter(known).map(TokenId).collect();
    let texts: Vec<Vec<TokenId>> = lengths.iter().map(text).collect();
    let whole = texts.iter().zip(&lengths).all(|(text, &length)| text.len() == length as usize);
    whole.then_some(texts)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::{packed, unpacked};
    use crate::token::{SpecialTokens, TokenId, Vocab};

    #[test]
    fn what_is_kept_comes_back_and_damage_does_not() {
        let vocab = Vocab::new(std::iter::empty(), SpecialTokens::default());
        let none = vec![Vec::new(), Vec::new()];
        assert_eq!(unpacked(&packed(&none), &vocab), Some(none));
        // Ids that the vocabulary has not are no text of it.
        assert_eq!(unpacked(&packed(&[vec![TokenId(0)]]), &vocab), None);
        let mut damaged = packed(&[Vec::new()]);
        damaged[21] ^= 1;
        assert_eq!(unpacked(&damaged, &vocab), None);
        assert_eq!(unpacked(&damaged[..30], &vocab), None);
        assert_eq!(unpacked(b"", &vocab), None);
    }
}
