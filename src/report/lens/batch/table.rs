//! Lenses as text and tables, one below the other.

use std::io::{self, Write};

use super::told::{LensBatch, LensReport, LensRow, LensRun};
use crate::lens::Lens;
use crate::report::bars::Paint;
use crate::report::lens::view;
use crate::report::out::ReportOutput;
use crate::token::visible;

/// Writes them as they come.
pub(super) struct LensTables {
    out: ReportOutput,
    paint: Paint,
    alone: bool,
    /// Whether each has its view's name above it.
    several: bool,
    written: bool,
}

impl LensTables {
    pub fn new(out: ReportOutput, batch: &LensBatch) -> LensTables {
        let paint = if matches!(out, ReportOutput::Screen(_)) { batch.paint } else { Paint::default() };
        LensTables { out, paint, alone: batch.alone, several: batch.views.len() > 1, written: false }
    }
}

impl LensReport for LensTables {
    fn begin(&mut self, run: LensRun) -> io::Result<()> {
        if !self.alone || self.several {
            writeln!(self.out, "{}{}", if self.written { "\n" } else { "" }, run.origin.model)?;
            self.written = true;
        }
        Ok(())
    }

    fn seen(&mut self, run: LensRun, row: LensRow, found: Result<&Lens, &str>) -> io::Result<()> {
        if std::mem::replace(&mut self.written, true) {
            writeln!(self.out)?;
        }
        match (self.alone, self.several) {
            (true, false) => {}
            (true, true) => writeln!(self.out, "{}", row.view.name())?,
            (false, _) => {
                writeln!(self.out, "{} {}: {}", row.place, row.view.name(), visible(row.prompt))?;
            }
        }
        match found {
            Ok(lens) => view(lens, run.k, run.vocab).write(&mut self.out, self.paint)?,
            Err(error) => writeln!(self.out, "nothing was found: {error}")?,
        }
        self.out.flush()
    }

    fn finish(&mut self, _: bool) -> io::Result<()> {
        self.out.keep()
    }
}
