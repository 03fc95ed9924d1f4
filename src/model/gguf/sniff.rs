//! What a file is that is no GGUF, told by its first bytes.

use std::fmt;

/// A kind of file that people pass by mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// A web page: usually an error page saved by a downloader.
    WebPage,
    /// A Git LFS pointer: the text that stands for a large file in a clone.
    LfsPointer,
    /// A zip archive, which is also what PyTorch and Keras save.
    Zip,
    /// gzip, xz, zstd, bzip2 or 7z.
    Compressed,
    /// A tar archive.
    Tar,
    /// Hugging Face's safetensors.
    SafeTensors,
    /// A Python pickle.
    Pickle,
    /// What llama.cpp read before GGUF (2023).
    OldGgml,
    /// GGUF written on a machine of the other byte order.
    OtherByteOrder,
    /// JSON, such as a `config.json` or `tokenizer.json`.
    Json,
    /// Anything else; the bytes are its first four.
    Unknown([u8; 4]),
}

impl Foreign {
    /// Judges by the first bytes (300 are enough).
    pub fn recognise(head: &[u8]) -> Foreign {
        let text = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head).trim_ascii_start();
        let starts = |prefix: &[u8]| head.starts_with(prefix);
        if text.starts_with(b"<") {
            Foreign::WebPage
        } else if starts(b"version https://git-lfs") {
            Foreign::LfsPointer
        } else if starts(b"PK\x03\x04") || starts(b"PK\x05\x06") {
            Foreign::Zip
        } else if [&b"\x1F\x8B"[..], b"\xFD7zXZ", b"\x28\xB5\x2F\xFD", b"BZh", b"7z\xBC\xAF"]
            .iter()
            .any(|magic| starts(magic))
        {
            Foreign::Compressed
        } else if head.get(257..262) == Some(b"ustar") {
            Foreign::Tar
        } else if [&b"lmgg"[..], b"fmgg", b"tjgg", b"algg", b"GGML"].iter().any(|magic| starts(magic)) {
            Foreign::OldGgml
        } else if starts(b"FUGG") {
            Foreign::OtherByteOrder
        } else if head.get(8) == Some(&b'{') && head.get(5..8) == Some(&[0; 3]) {
            // Eight bytes of length, then JSON.
            Foreign::SafeTensors
        } else if starts(b"\x80") && head.get(1).is_some_and(|version| (2..=5).contains(version)) {
            Foreign::Pickle
        } else if text.starts_with(b"{") || text.starts_with(b"[") {
            Foreign::Json
        } else {
            let mut first = [0; 4];
            first.iter_mut().zip(head).for_each(|(to, from)| *to = *from);
            Foreign::Unknown(first)
        }
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Foreign::WebPage => "a web page, not a model: the download went wrong, fetch the file itself",
            Foreign::LfsPointer => "a Git LFS pointer, not the model itself: run 'git lfs pull' there",
            Foreign::Zip => "a zip archive (PyTorch saves these), not GGUF: take a .gguf file of the model",
            Foreign::Compressed => "a compressed file, not GGUF: unpack it first",
            Foreign::Tar => "a tar archive, not GGUF: unpack it first",
            Foreign::SafeTensors => {
                "a safetensors file, not GGUF: take or convert to a .gguf file of the model"
            }
            Foreign::Pickle => "a Python pickle, not GGUF: take a .gguf file of the model",
            Foreign::OldGgml => {
                "a GGML file of before GGUF, which llama.cpp no longer reads: take a .gguf file"
            }
            Foreign::OtherByteOrder => "a GGUF file of the other byte order: convert it with gguf-py",
            Foreign::Json => "JSON, not a model: name the .gguf file",
            Foreign::Unknown(first) => {
                let shown = super::error::shown(first);
                return write!(f, "not a GGUF model: it begins with {shown}, and a model with 'GGUF'");
            }
        })
    }
}
