//! Lenses as one page: a table of what was found, and below it each item with its plots.

use std::io::{self, Write};

use minijinja::{Value, context};

use super::figures::{figures, headline};
use super::told::{LensReport, LensRow, LensRun};
use crate::lens::Lens;
use crate::report::html::page;
use crate::report::lens::view;
use crate::report::out::ReportOutput;
use crate::report::view::Block;
use crate::token::{printable, visible};

/// Items and views that are shown with their plots; the others have their line in the table.
const SHOWN: usize = 300;
/// Characters of a prompt in the table.
const PROMPT: usize = 80;

/// Keeps what is shown and writes the page at the end.
pub(super) struct LensPage {
    out: ReportOutput,
    models: Vec<Value>,
    rows: Vec<Value>,
    sections: Vec<Value>,
    refused: usize,
}

impl LensPage {
    pub fn new(out: ReportOutput) -> LensPage {
        LensPage { out, models: Vec::new(), rows: Vec::new(), sections: Vec::new(), refused: 0 }
    }
}

impl LensReport for LensPage {
    fn begin(&mut self, run: LensRun) -> io::Result<()> {
        let known = run.origin.known().into_iter();
        // Nothing is drawn in a lens.
        let known = known.filter(|(name, value)| *name != "seed" || value.is_some());
        let known = known.map(|(name, value)| (name, printable(&value.unwrap_or("unknown".into()))));
        self.models.push(context! {
            name => printable(&run.origin.model),
            provenance => known.collect::<Vec<_>>(),
        });
        Ok(())
    }

    fn seen(&mut self, run: LensRun, row: LensRow, found: Result<&Lens, &str>) -> io::Result<()> {
        let shown = self.sections.len() < SHOWN && found.is_ok();
        let anchor = format!("seen-{}", self.rows.len());
        let prompt = visible(row.prompt).replace('␣', " ");
        let goal = |lens: &Lens| {
            let text = |goal: &crate::lens::subject::Goal| visible(&goal.text);
            let target = text(&lens.subject.target);
            let versus = lens.subject.versus.as_ref().map(text);
            (target, versus)
        };
        let (target, versus) = found.ok().map(goal).unzip();
        self.refused += usize::from(found.is_err());
        self.rows.push(context! {
            anchor => shown.then_some(&anchor),
            model => printable(&run.origin.model),
            place => printable(row.place),
            view => row.view.name(),
            prompt => prompt.chars().take(PROMPT).collect::<String>(),
            target => target.clone(),
            versus => versus.clone().flatten(),
            found => match found {
                Ok(lens) => headline(lens, run.vocab),
                Err(error) => printable(error),
            },
            refused => found.is_err(),
        });
        let Ok(lens) = found else { return Ok(()) };
        if shown {
            self.sections.push(context! {
                anchor,
                place => printable(row.place),
                model => printable(&run.origin.model),
                view => row.view.name(),
                prompt,
                target,
                versus => versus.flatten(),
                notes => notes(lens, run),
                figures => figures(lens, row.view, run.vocab),
            });
        }
        Ok(())
    }

    fn finish(&mut self, partial: bool) -> io::Result<()> {
        let values = context! {
            several => self.models.len() > 1,
            models => std::mem::take(&mut self.models),
            count => self.rows.len(),
            shown => self.sections.len(),
            refused => self.refused,
            rows => std::mem::take(&mut self.rows),
            sections => std::mem::take(&mut self.sections),
            partial,
        };
        self.out.write_all(page(include_str!("html/page.html"), "", values)?.as_bytes())?;
        self.out.keep()
    }
}

/// What a terminal is told beside the tables.
fn notes(lens: &Lens, run: LensRun) -> Vec<String> {
    let told = view(lens, run.k, run.vocab).blocks.into_iter().filter_map(|block| match block {
        Block::Text(text) | Block::Prose(text) => Some(printable(&text)),
        Block::Table(_) | Block::Caption(_) => None,
    });
    told.filter(|text| !text.trim().is_empty()).collect()
}
