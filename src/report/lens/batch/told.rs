//! What reports of lenses are told, piece by piece.

use std::io;

use serde_json::{Map, Value};

use crate::distribution::Depth;
use crate::lens::Lens;
use crate::lens::flags::LensView;
use crate::report::bars::Paint;
use crate::report::record::Origin;
use crate::token::Vocab;

/// What a run is about.
#[derive(Clone, Debug)]
pub struct LensBatch {
    /// The columns of the items' file; none where there is no file.
    pub columns: Vec<String>,
    /// The views that each item has.
    pub views: Vec<LensView>,
    /// Whether one prompt was given, and no file of them.
    pub alone: bool,
    /// Colours of what goes to standard output.
    pub paint: Paint,
}

/// The model that is looked into.
#[derive(Clone, Copy)]
pub struct LensRun<'a> {
    /// Where the numbers come from.
    pub origin: &'a Origin,
    /// For the bytes of tokens.
    pub vocab: &'a Vocab,
    /// How many candidates are listed.
    pub k: Depth,
}

/// An item and a view of it.
#[derive(Clone, Copy)]
pub struct LensRow<'a> {
    /// The item's number, from 0 on.
    pub index: usize,
    /// Where it stands: the file and its line.
    pub place: &'a str,
    /// What stands in its row.
    pub input: &'a Map<String, Value>,
    /// The text it is about.
    pub prompt: &'a [u8],
    /// How it is looked at.
    pub view: LensView,
}

/// Writes what was found, in one form.
pub trait LensReport {
    /// A model is about to be asked.
    ///
    /// # Errors
    /// Those of the writer, here and below.
    fn begin(&mut self, _: LensRun) -> io::Result<()> {
        Ok(())
    }

    /// What was found, or why nothing was.
    fn seen(&mut self, run: LensRun, row: LensRow, found: Result<&Lens, &str>) -> io::Result<()>;

    /// Nothing more comes; `partial` where something is missing because the run was stopped. A file that is to
    /// appear whole does so.
    fn finish(&mut self, partial: bool) -> io::Result<()>;
}
