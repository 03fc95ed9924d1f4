//! Steering vectors in files: llama.cpp's control vectors, a GGUF of architecture `controlvector` with a tensor
//! `direction.N` in F32 for each layer N from 1 on.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

use super::gguf::{Fault, Gguf, Tensor};
use crate::bounded::DATA;
use crate::intervention::SteeringVector;

/// What the file says it is.
const ARCHITECTURE: &str = "controlvector";
/// The architecture of the model it was made with, where we wrote it. Others write a name of their own there.
const MODEL: &str = "tokenscope.model";
/// Alignment of tensors.
const ALIGNMENT: usize = 32;
/// Most values of a direction: wider than any model's stream.
const WIDEST: u64 = 1 << 17;

/// Reads a file.
///
/// # Errors
/// What is wrong with it, in one line.
pub fn read(path: &Path) -> Result<SteeringVector, String> {
    let shown = crate::token::printable(&path.display().to_string());
    let wrong = |what: &str| format!("{shown}: {what}");
    let gguf = Gguf::read(path).map_err(|error| wrong(&unread(&error.fault)))?;
    let mut vector = SteeringVector {
        directions: BTreeMap::new(),
        architecture: gguf.text(MODEL).filter(|model| !model.is_empty()).map(str::to_string),
    };
    if gguf.architecture() != Some(ARCHITECTURE) && gguf.tensor("direction.1").is_none() {
        let is = gguf.architecture().unwrap_or("nothing");
        return Err(wrong(&format!("no steering vector: its architecture is {is}, not {ARCHITECTURE}")));
    }
    if gguf.size > DATA.0 {
        return Err(wrong("larger than any steering vector"));
    }
    let mut file = File::open(path).map_err(|error| wrong(&error.to_string()))?;
    let mut width = None;
    for tensor in gguf.tensors() {
        let wrong = |what: &str| wrong(&format!("tensor {}: {what}", crate::token::printable(&tensor.name)));
        let layer = tensor.name.strip_prefix("direction.").and_then(|layer| layer.parse::<usize>().ok());
        let layer =
            layer.filter(|layer| *layer > 0).ok_or_else(|| wrong("direction.1, direction.2 … are wanted"))?;
        let n = tensor.elements();
        match () {
            () if tensor.kind.name != "F32" => {
                return Err(wrong(&format!("{}, and F32 is wanted", tensor.kind.name)));
            }
            () if n != tensor.shape[0] || n > WIDEST => return Err(wrong("one row of values is wanted")),
            () if *width.get_or_insert(n) != n => {
                return Err(wrong("another width than the tensors before it"));
            }
            () => {}
        }
        let values = values(&mut file, &gguf, tensor).map_err(|error| wrong(&error.to_string()))?;
        if values.iter().any(|value| !value.is_finite()) {
            return Err(wrong("a value is no finite number"));
        }
        vector.directions.insert(layer, values.into());
    }
    if vector.directions.is_empty() { Err(wrong("no tensor direction.N is in it")) } else { Ok(vector) }
}

/// What is wrong with a file that is to be a vector, whose reader speaks of models.
fn unread(fault: &Fault) -> String {
    match fault {
        Fault::Folder => "a folder, and a steering vector is one file".to_string(),
        Fault::Special => "not a regular file, and a steering vector must be one".to_string(),
        Fault::Empty => "an empty file: a steering vector is wanted, as steer make writes one".to_string(),
        Fault::Truncated { missing, total } => {
            format!("cut short: {missing} of its {total} bytes are missing; make or copy it again")
        }
        Fault::EndsEarly { at, within } => {
            format!("cut short at byte {at}, inside {within}; make or copy it again")
        }
        Fault::Foreign(_) => {
            "no steering vector: a GGUF file is wanted, as steer make writes one".to_string()
        }
        other => other.to_string(),
    }
}

fn values(file: &mut File, gguf: &Gguf, tensor: &Tensor) -> io::Result<Vec<f32>> {
    let mut bytes = vec![0; tensor.size as usize];
    file.seek(SeekFrom::Start(gguf.data_start + tensor.offset))?;
    file.read_exact(&mut bytes)?;
    let value = |bytes: &[u8]| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    Ok(bytes.chunks_exact(4).map(value).collect())
}

/// Writes a file.
///
/// # Errors
/// Those of the writer.
pub fn write(vector: &SteeringVector, out: &mut dyn Write) -> io::Result<()> {
    let mut head = Vec::new();
    let text = |into: &mut Vec<u8>, text: &str| {
        into.extend((text.len() as u64).to_le_bytes());
        into.extend(text.as_bytes());
    };
    let hint = vector.architecture.as_deref().unwrap_or_default();
    let layers = vector.directions.keys().max().map_or(0, |last| last + 1);
    head.extend(b"GGUF");
    head.extend(3u32.to_le_bytes());
    head.extend((vector.directions.len() as u64).to_le_bytes());
    head.extend(4u64.to_le_bytes());
    for (key, value) in
        [("general.architecture", ARCHITECTURE), ("controlvector.model_hint", hint), (MODEL, hint)]
    {
        text(&mut head, key);
        head.extend(8u32.to_le_bytes());
        text(&mut head, value);
    }
    text(&mut head, "controlvector.layer_count");
    head.extend(4u32.to_le_bytes());
    head.extend((layers as u32).to_le_bytes());
    let padded = |length: usize| length.next_multiple_of(ALIGNMENT);
    let mut offset = 0;
    for (layer, values) in &vector.directions {
        text(&mut head, &format!("direction.{layer}"));
        head.extend(1u32.to_le_bytes());
        head.extend((values.len() as u64).to_le_bytes());
        head.extend(0u32.to_le_bytes());
        head.extend((offset as u64).to_le_bytes());
        offset += padded(values.len() * size_of::<f32>());
    }
    head.resize(padded(head.len()), 0);
    out.write_all(&head)?;
    for values in vector.directions.values() {
        let mut bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        bytes.resize(padded(bytes.len()), 0);
        out.write_all(&bytes)?;
    }
    Ok(())
}

/// Reads the vector of a dose, whose file is named as people do.
///
/// # Errors
/// Those of [`read`].
pub fn read_dose(dose: &mut crate::intervention::Steering) -> Result<(), String> {
    dose.vector = Some(Arc::new(read(&crate::files::named(&dose.file))?));
    Ok(())
}

#[cfg(test)]
mod tests;
