//! `tokenscope lens --dump`: what a part of the layers gives for every token, as NumPy files.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use tempfile::NamedTempFile;

use super::context::{QueryContext, Stop};
use crate::app::failure::Failure;
use crate::app::running::Running;
use crate::cli::LensArgs;
use crate::engine::look::{Found, LookFor, WeightsOf};
use crate::files::{self, Existing, WriteError};
use crate::lens::inspect;
use crate::lens::subject::{Given, subject};
use crate::query::{Asker, QueryError};
use crate::report::record::Origin;
use crate::room;
use crate::say;
use crate::token::{TokenId, printable};

/// Disk that is left free.
const MARGIN: u64 = 64 << 20;

/// What lies beside each file.
#[derive(Serialize)]
struct DumpRecord<'a> {
    #[serde(flatten)]
    origin: &'a Origin,
    name: &'a str,
    layer: usize,
    shape: &'a [usize],
    axes: &'a [&'static str],
    dtype: &'static str,
    token_ids: &'a [TokenId],
    tokens: Vec<String>,
}

/// A file on its way.
struct NpyFile {
    layer: usize,
    path: PathBuf,
    shape: Vec<usize>,
    out: BufWriter<NamedTempFile>,
}

pub(super) fn run(query: &mut QueryContext, args: &LensArgs, given: Given) -> Result<(), Stop> {
    let (name, layers) = spec(args.dump.as_deref().unwrap_or_default()).map_err(Failure::usage)?;
    let folder = args.output.clone().unwrap_or_default();
    if query.several() {
        return Err(Failure::usage("--dump writes the files of one model: name one with -m").into());
    }
    args.flags.looking(crate::lens::flags::LensView::Logit).map_err(Failure::usage)?;
    let existing = if args.force { Existing::Replace } else { Existing::Keep };
    query.ask_each(false, |query, running| {
        let written =
            dump(query, running, &given, &Dump { name: &name, layers: &layers, folder: &folder, existing })?;
        written.iter().try_for_each(|line| writeln!(query.out, "{line}")).map_err(Stop::Output)
    })
}

/// What is to be written where.
struct Dump<'a> {
    name: &'a str,
    /// `None`: all.
    layers: &'a Option<Vec<usize>>,
    folder: &'a Path,
    existing: Existing,
}

fn dump(
    query: &QueryContext,
    running: &mut Running,
    given: &Given,
    dump: &Dump,
) -> Result<Vec<String>, Stop> {
    let (origin, model) = (running.origin.clone(), running.model.clone());
    let mut asker = query.asker(running);
    asker.cancel = asker.cancel.narrower();
    let ids = subject(&mut asker, given, None, None)?.ids();
    let layers = dump.layers.clone().unwrap_or_else(|| (0..model.layers).collect());
    if let Some(layer) = layers.iter().find(|&&layer| layer >= model.layers) {
        let most = model.layers - 1;
        return Err(
            Failure::usage(format!("there is no layer {layer}: this model has layers 0 to {most}")).into()
        );
    }
    let shapes = shapes(&mut asker, dump.name, &layers, &ids)?;
    let size: u64 = shapes.iter().map(|(_, shape)| shape.iter().product::<usize>() as u64 * 4).sum();
    query.say(&format!(
        "{} files, {:.3} MB, into {}",
        shapes.len(),
        size as f64 / 1e6,
        dump.folder.display()
    ));
    let mut open = begin(dump, shapes, size)?;
    let trouble = write(&mut asker, dump.name, &ids, &mut open)?;
    if let Some(error) = trouble {
        return Err(failed(dump.folder, &error));
    }
    let axes: &[&str] = if dump.name == "weights" {
        &["position", "head", "seen position"]
    } else {
        &["position", "element"]
    };
    let tokens: Vec<String> = ids.iter().map(|&id| model.vocab.text(id)).collect();
    let mut lines = Vec::new();
    for file in open {
        let (path, shape) = (file.path.clone(), file.shape.clone());
        let record = DumpRecord {
            origin: &origin,
            name: dump.name,
            layer: file.layer,
            shape: &shape,
            axes,
            dtype: "<f4",
            token_ids: &ids,
            tokens: tokens.clone(),
        };
        let beside = path.with_extension("json");
        lines.push(format!("{} {}", path.display(), shown(&shape)));
        finish(file, dump.existing).map_err(|error| failed(&path, &error))?;
        let written = files::write(&beside, dump.existing, &mut |out| {
            serde_json::to_writer(&mut *out, &record)?;
            out.write_all(b"\n")
        });
        written.map_err(|error| failed(&beside, &error))?;
    }
    Ok(lines)
}

/// `NAME` or `NAME:LAYERS`, as `residual:0-5,11`.
fn spec(text: &str) -> Result<(String, Option<Vec<usize>>), String> {
    let (name, layers) = text.split_once(':').map_or((text, None), |(name, layers)| (name, Some(layers)));
    let wrong = |what: &str| format!("--dump {}: {what}", printable(text));
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || !name.chars().all(plain) {
        return Err(wrong("a name is wanted, such as residual, and behind a colon layers"));
    }
    let Some(layers) = layers else { return Ok((name.to_string(), None)) };
    let mut all = Vec::new();
    for part in layers.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        match (first.parse::<usize>(), last.parse::<usize>()) {
            (Ok(first), Ok(last)) if first <= last && last < 100_000 => all.extend(first..=last),
            _ => return Err(wrong("layers are written like 0-5,11")),
        }
    }
    all.sort_unstable();
    all.dedup();
    Ok((name.to_string(), Some(all)))
}

/// The shape of each layer's file, from what the first token alone gives.
fn shapes(
    asker: &mut Asker,
    name: &str,
    layers: &[usize],
    ids: &[TokenId],
) -> Result<Vec<(usize, Vec<usize>)>, Stop> {
    let mut shapes = Vec::new();
    let first = &ids[..1];
    let done = inspect(asker, (first, &[]), look_for(name, layers, 1), &mut |_, found| match found {
        Found::Rows { layer, width, .. } => shapes.push((layer, vec![ids.len(), width])),
        Found::Weights { layer, heads, .. } => shapes.push((layer, vec![ids.len(), heads, ids.len()])),
        _ => {}
    })?;
    if !done {
        return Err(QueryError::Stopped.into());
    }
    match layers.iter().find(|layer| shapes.iter().all(|(of, _)| of != *layer)) {
        Some(layer) => Err(Failure::usage(format!(
            "--dump {name}: layer {layer} of this model has no such rows; residual, input, attention, ffn, heads, \
             weights and names of llama.cpp's graph such as ffn_inp are to be had where it has them"
        ))
        .into()),
        None => Ok(shapes),
    }
}

/// Weights one layer at a time, as they grow with the square of the prompt.
fn look_for(name: &str, layers: &[usize], tokens: usize) -> LookFor {
    let weights = |&layer: &usize| WeightsOf { layer: Some(layer), positions: 0..tokens, mean: false };
    match name {
        "weights" => LookFor::Weights(layers.iter().map(weights).collect()),
        part => LookFor::Rows { part: part.to_string(), layers: layers.to_vec() },
    }
}

/// Opens the files, where there is room and nothing is written over.
fn begin(dump: &Dump, shapes: Vec<(usize, Vec<usize>)>, size: u64) -> Result<Vec<NpyFile>, Stop> {
    if dump.folder.exists() && !dump.folder.is_dir() {
        return Err(failed(dump.folder, &"a file, and a folder is wanted that files can be written into"));
    }
    fs::create_dir_all(dump.folder)
        .map_err(|error| failed(dump.folder, &format!("the folder can't be made: {}", error.kind())))?;
    let free = room::disk(dump.folder);
    if let Some(free) = free.filter(|free| *free < size.saturating_add(MARGIN)) {
        let (size, free) = (size as f64 / 1e6, free as f64 / 1e6);
        let what = format!("{size:.1} MB are to be written and {free:.1} MB are free: name fewer layers");
        return Err(Failure::usage(format!("{}: {what}", dump.folder.display())).into());
    }
    let mut open = Vec::new();
    for (layer, shape) in shapes {
        let path = dump.folder.join(format!("{}-L{layer}.npy", dump.name));
        for path in [&path, &path.with_extension("json")] {
            if dump.existing == Existing::Keep && path.symlink_metadata().is_ok() {
                let what = "there is such a file already: --force writes over it";
                return Err(Failure::usage(format!("{}: {what}", path.display())).into());
            }
        }
        let file =
            files::unfinished(&path, tempfile::Builder::new()).map_err(|error| failed(&path, &error))?;
        let mut out = BufWriter::new(file);
        out.write_all(&header(&shape)).map_err(|error| failed(&path, &error))?;
        open.push(NpyFile { layer, path, shape, out });
    }
    Ok(open)
}

/// Writes rows as they come; what went wrong with a file ends the run.
fn write(
    asker: &mut Asker,
    name: &str,
    ids: &[TokenId],
    open: &mut [NpyFile],
) -> Result<Option<io::Error>, Stop> {
    let mut trouble = None;
    let layers: Vec<usize> = open.iter().map(|file| file.layer).collect();
    let at_once = if name == "weights" { 1 } else { layers.len() };
    for layers in layers.chunks(at_once.max(1)) {
        let cancel = asker.cancel.clone();
        let done = inspect(asker, (ids, &[]), look_for(name, layers, ids.len()), &mut |_, found| {
            let (layer, values) = match found {
                Found::Rows { layer, values, .. } => (layer, values),
                Found::Weights { layer, position, weights, .. } => {
                    (layer, padded(&weights, position, ids.len()))
                }
                _ => return,
            };
            let Some(file) = open.iter_mut().find(|file| file.layer == layer) else { return };
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            if let Err(error) = file.out.write_all(&bytes) {
                trouble.get_or_insert(error);
                cancel.cancel();
            }
        })?;
        if trouble.is_some() {
            break;
        }
        if !done {
            say::tell("--dump: stopped before all of it was there: no file is written");
            return Err(Stop::Interrupted);
        }
    }
    Ok(trouble)
}

/// Each head's weights with zeros for the positions behind the one that attends.
fn padded(weights: &[f32], position: usize, length: usize) -> Vec<f32> {
    let zeros = vec![0.0; length - position - 1];
    weights.chunks(position + 1).flat_map(|head| [head, &zeros].concat()).collect()
}

fn finish(file: NpyFile, existing: Existing) -> Result<(), WriteError> {
    let temporary = file.out.into_inner().map_err(io::IntoInnerError::into_error)?;
    temporary.as_file().sync_all()?;
    let kept = match existing {
        Existing::Replace => temporary.persist(&file.path),
        Existing::Keep => temporary.persist_noclobber(&file.path),
    };
    kept.map(drop).map_err(|error| error.error.into())
}

/// Version 1 of the format: rows of little-endian F32, in C's order.
fn header(shape: &[usize]) -> Vec<u8> {
    let mut text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {}, }}", shown(shape));
    while (10 + text.len() + 1) % 64 != 0 {
        text.push(' ');
    }
    text.push('\n');
    let length = (text.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], text.as_bytes()].concat()
}

fn shown(shape: &[usize]) -> String {
    let sizes: Vec<String> = shape.iter().map(ToString::to_string).collect();
    format!("({})", sizes.join(", "))
}

fn failed(path: &Path, error: &dyn std::fmt::Display) -> Stop {
    Failure::usage(format!("{}: {error}", path.display())).into()
}

#[cfg(test)]
mod tests {
    use super::{header, padded, spec};

    #[test]
    fn layers_are_numbers_and_ranges() {
        assert_eq!(spec("residual"), Ok(("residual".to_string(), None)));
        assert_eq!(spec("ffn:3,0-1,1"), Ok(("ffn".to_string(), Some(vec![0, 1, 3]))));
        for wrong in ["", ":1", "a/b", "ffn:", "ffn:x", "ffn:3-1", "ffn:1-", "ffn:0-999999999"] {
            assert!(spec(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_header_is_a_multiple_of_64_bytes_and_weights_are_padded() {
        let found = header(&[5, 576]);
        assert_eq!((found.len() % 64, &found[..8]), (0, &b"\x93NUMPY\x01\x00"[..]));
        assert!(
            found.ends_with(b"\n") && String::from_utf8_lossy(&found[10..]).contains("'shape': (5, 576), }")
        );
        assert_eq!(padded(&[1.0, 2.0, 3.0, 4.0], 1, 3), [1.0, 2.0, 0.0, 3.0, 4.0, 0.0]);
    }
}
