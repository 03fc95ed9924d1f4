//! Reading the header of a GGUF file: metadata and tensor table, never the weights.
//!
//! llama.cpp answers many malformed files with an assertion that ends the process, so everything
//! its loader relies on is checked here first. Owns the format; must not know llama.cpp's code, run
//! a model, or trust a byte. Reading is total: any file gives a [`Gguf`] or a one-line [`GgufError`].
//!
//! Three steps, each stricter: [`Gguf::read`] (the format), [`Gguf::check_vocabulary`] (enough to
//! tokenize) and [`Gguf::check_runnable`] (enough to evaluate).

mod error;
mod hparams;
mod pieces;
mod reader;
mod runnable;
mod sniff;
mod tensor;
mod value;
mod vocabulary;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

pub(crate) use error::shown;
pub use error::{Fault, GgufError};
pub use sniff::Foreign;
pub use tensor::{Tensor, TensorType};
pub use value::{GgufValue, List, ValueKind};
pub use vocabulary::{TokenizerKind, Vocabulary};

use reader::GgufReader;

/// Most metadata keys and tensors; real files have a few hundred and a few thousand.
const MOST_KEYS: u64 = 1 << 16;
const MOST_TENSORS: u64 = 1 << 17;
/// ggml keeps 64 bytes for a tensor's name, the final zero included.
const LONGEST_TENSOR_NAME: usize = 63;
/// Alignment of the data section where the file names none.
const DEFAULT_ALIGNMENT: u64 = 32;

/// A file's header.
#[derive(Clone, Debug)]
pub struct Gguf {
    /// Where it was read from.
    pub path: PathBuf,
    /// Bytes of the whole file.
    pub size: u64,
    /// Alignment of tensor data, a power of two.
    pub alignment: u64,
    /// Offset of the data section.
    pub data_start: u64,
    /// Where the metadata ends.
    keys_end: u64,
    keys: Vec<(String, GgufValue)>,
    index: HashMap<String, usize>,
    tensors: Vec<Tensor>,
}

impl Gguf {
    /// Reads a file's header and checks the format.
    pub fn read(path: &Path) -> Result<Gguf, GgufError> {
        Self::open(path).map_err(|fault| GgufError { path: path.to_path_buf(), fault })
    }

    fn open(path: &Path) -> Result<Gguf, Fault> {
        let unreadable = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => Fault::Missing,
            std::io::ErrorKind::PermissionDenied => {
                Fault::Unreadable("permission denied; make it readable for you".to_owned())
            }
            _ => Fault::Unreadable(error.to_string()),
        };
        // Asked before opening: opening a pipe would wait for its other end.
        let about = std::fs::metadata(path).map_err(unreadable)?;
        if about.is_dir() {
            return Err(Fault::Folder);
        }
        if !about.is_file() {
            return Err(Fault::Special);
        }
        let file = File::open(path).map_err(unreadable)?;
        let size = file.metadata().map_err(unreadable)?.len();
        let mut gguf = Self::parse(BufReader::with_capacity(1 << 17, file), size)?;
        gguf.path = path.to_path_buf();
        Ok(gguf)
    }

    /// Reads a header from anything that holds `size` bytes.
    pub fn parse(mut source: impl Read, size: u64) -> Result<Gguf, Fault> {
        if size == 0 {
            return Err(Fault::Empty);
        }
        let mut head = Vec::new();
        let read = source.by_ref().take(300).read_to_end(&mut head);
        read.map_err(|error| Fault::Unreadable(error.to_string()))?;
        if !head.starts_with(b"GGUF") {
            return Err(Fault::Foreign(Foreign::recognise(&head)));
        }
        let mut reader = GgufReader::new(head.as_slice().chain(source), size);
        reader.magic()?;
        check_version(&mut reader)?;
        let (tensor_count, key_count) = counts(&mut reader)?;
        let mut gguf = Gguf {
            path: PathBuf::new(),
            size,
            alignment: DEFAULT_ALIGNMENT,
            data_start: 0,
            keys_end: 0,
            keys: Vec::new(),
            index: HashMap::new(),
            tensors: Vec::new(),
        };
        gguf.read_keys(&mut reader, key_count)?;
        gguf.keys_end = reader.at();
        gguf.alignment = gguf.read_alignment()?;
        gguf.read_tensors(&mut reader, tensor_count)?;
        gguf.data_start = reader.at().next_multiple_of(gguf.alignment);
        gguf.check_extent()?;
        Ok(gguf)
    }

    fn read_keys<R: Read>(&mut self, reader: &mut GgufReader<R>, count: u64) -> Result<(), Fault> {
        for number in 0..count as usize {
            let at = reader.at();
            let key = reader.name("the metadata's keys")?;
            let value = reader.value()?;
            if self.index.insert(key.clone(), number).is_some() {
                return reader.fault(at, format!("the key {} comes twice", shown(key.as_bytes())));
            }
            self.keys.push((key, value));
        }
        Ok(())
    }

    fn read_alignment(&self) -> Result<u64, Fault> {
        const KEY: &str = "general.alignment";
        match self.get(KEY) {
            None => Ok(DEFAULT_ALIGNMENT),
            Some(value) => match value.u32() {
                Some(alignment) if alignment.is_power_of_two() && alignment <= 1 << 20 => {
                    Ok(alignment.into())
                }
                Some(alignment) => {
                    Err(Fault::key(KEY, format!("{alignment}, and it must be a power of two up to 2^20")))
                }
                None => Err(Fault::key(KEY, format!("is {}, and it must be u32", value.type_name()))),
            },
        }
    }

    fn read_tensors<R: Read>(&mut self, reader: &mut GgufReader<R>, count: u64) -> Result<(), Fault> {
        let mut names = HashSet::new();
        let mut expected = 0;
        for _ in 0..count {
            let at = reader.at();
            let tensor = tensor(reader)?;
            if !names.insert(tensor.name.clone()) {
                return reader.fault(at, format!("the tensor {} comes twice", shown(tensor.name.as_bytes())));
            }
            if tensor.offset != expected {
                let what = format!("begins at byte {} of the data, expected at {expected}", tensor.offset);
                return Err(Fault::tensor(&tensor.name, what));
            }
            // Sizes are below 2^56, counts below 2^17 and the file's length bounds nothing yet.
            expected = tensor
                .size
                .checked_next_multiple_of(self.alignment)
                .and_then(|size| size.checked_add(expected))
                .ok_or_else(|| Fault::tensor(&tensor.name, "the tensors are larger than any file"))?;
            self.tensors.push(tensor);
        }
        Ok(())
    }

    /// The last tensor must end inside the file. Padding after it may be missing.
    fn check_extent(&self) -> Result<(), Fault> {
        let Some(last) = self.tensors.last() else { return Ok(()) };
        let total = self.data_start.saturating_add(last.offset).saturating_add(last.size);
        match total.checked_sub(self.size) {
            None | Some(0) => Ok(()),
            Some(missing) => Err(Fault::Truncated { missing, total }),
        }
    }

    /// The file without its tensors: its metadata, and in that the vocabulary.
    ///
    /// # Errors
    /// If it can't be read any more.
    pub fn without_tensors(&self) -> std::io::Result<Vec<u8>> {
        /// Where the number of tensors stands, after magic and version.
        const TENSOR_COUNT: std::ops::Range<usize> = 8..16;
        let mut bytes = vec![0; self.keys_end.next_multiple_of(self.alignment) as usize];
        File::open(&self.path)?.read_exact(&mut bytes[..self.keys_end as usize])?;
        bytes[TENSOR_COUNT].fill(0);
        Ok(bytes)
    }

    /// A metadata value.
    pub fn get(&self, key: &str) -> Option<&GgufValue> {
        self.index.get(key).map(|&number| &self.keys[number].1)
    }

    /// A metadata value of the model's architecture: `of_model("context_length")` looks up
    /// `llama.context_length`.
    pub fn of_model(&self, key: &str) -> Option<&GgufValue> {
        self.get(&self.model_key(key))
    }

    /// The full name of a key of the model's architecture.
    pub fn model_key(&self, key: &str) -> String {
        format!("{}.{key}", self.architecture().unwrap_or_default())
    }

    /// All metadata in the file's order.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = (&str, &GgufValue)> {
        self.keys.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The sampling that the file recommends: what follows `general.sampling.` in its keys, and the values.
    pub fn sampling(&self) -> Vec<(String, String)> {
        let name = |key: &str| key.strip_prefix("general.sampling.").map(str::to_owned);
        self.keys().filter_map(|(key, value)| Some((name(key)?, value.written()))).collect()
    }

    /// A metadata text.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.text()
    }

    /// `general.architecture`.
    pub fn architecture(&self) -> Option<&str> {
        self.text("general.architecture")
    }

    pub fn chat_template(&self) -> Option<&str> {
        self.text("tokenizer.chat_template")
    }

    /// All tensors in the file's order.
    pub fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// A tensor by name.
    pub fn tensor(&self, name: &str) -> Option<&Tensor> {
        self.tensors.iter().find(|tensor| tensor.name == name)
    }

    /// Number of weights.
    pub fn parameters(&self) -> u64 {
        self.tensors.iter().map(Tensor::elements).sum()
    }

    /// Whether the file holds a vocabulary and no weights.
    pub fn is_vocabulary_only(&self) -> bool {
        self.tensors.is_empty()
    }

    fn error(&self, fault: Fault) -> GgufError {
        GgufError { path: self.path.clone(), fault }
    }
}

fn check_version<R: Read>(reader: &mut GgufReader<R>) -> Result<(), Fault> {
    let at = reader.at();
    match reader.u32("the header")? {
        2 | 3 => Ok(()),
        1 => reader.fault(at, "GGUF version 1, which llama.cpp no longer reads: convert it again"),
        version if version & 0xFFFF == 0 && version != 0 => Err(Fault::Foreign(Foreign::OtherByteOrder)),
        version => reader.fault(at, format!("GGUF version {version}, and 2 and 3 are known")),
    }
}

/// Numbers of tensors and of keys.
fn counts<R: Read>(reader: &mut GgufReader<R>) -> Result<(u64, u64), Fault> {
    let at = reader.at();
    let tensors = reader.u64("the header")?;
    if tensors > MOST_TENSORS {
        return reader.fault(at, format!("{tensors} tensors, but at most {MOST_TENSORS} are sensible"));
    }
    let at = reader.at();
    let keys = reader.u64("the header")?;
    if keys > MOST_KEYS {
        return reader.fault(at, format!("{keys} metadata keys, but at most {MOST_KEYS} are sensible"));
    }
    Ok((tensors, keys))
}

fn tensor<R: Read>(reader: &mut GgufReader<R>) -> Result<Tensor, Fault> {
    const WITHIN: &str = "the tensor table";
    let at = reader.at();
    let name = reader.name(WITHIN)?;
    if name.len() > LONGEST_TENSOR_NAME {
        let shown = shown(name.as_bytes());
        return reader
            .fault(at, format!("the tensor name {shown} has more than {LONGEST_TENSOR_NAME} bytes"));
    }
    let dims = reader.u32(WITHIN)?;
    if dims > 4 {
        return Err(Fault::tensor(&name, format!("{dims} dimensions, and at most 4 are possible")));
    }
    let mut shape = [1; 4];
    for length in &mut shape[..dims as usize] {
        *length = reader.u64(WITHIN)?;
    }
    let number = reader.u32(WITHIN)?;
    let offset = reader.u64(WITHIN)?;
    let Some(kind) = TensorType::from_number(number) else {
        return Err(Fault::tensor(
            &name,
            format!("tensor type {number} is unknown; the model may be too new"),
        ));
    };
    let size = tensor_size(&shape, kind).map_err(|what| Fault::tensor(&name, what))?;
    Ok(Tensor { name, shape, kind, offset, size })
}

fn tensor_size(shape: &[u64; 4], kind: &TensorType) -> Result<u64, String> {
    let shown = tensor::shape_text(shape);
    if shape.contains(&0) {
        return Err(format!("its shape {shown} holds no element"));
    }
    if !shape[0].is_multiple_of(kind.block) {
        return Err(format!(
            "rows of {} elements, and {} needs multiples of {}",
            shape[0], kind.name, kind.block
        ));
    }
    // 2^48 elements are 2^51 bytes at most: every later sum fits.
    shape
        .iter()
        .try_fold(1_u64, |product, &length| product.checked_mul(length))
        .filter(|&elements| elements <= 1 << 48)
        .map(|elements| elements / kind.block * kind.bytes)
        .ok_or_else(|| format!("its shape {shown} is larger than any model"))
}

#[cfg(test)]
pub(crate) mod tests;
