//! One scored text on its way to standard output: tokens as they come, then what is made of them.

use std::io::{self, IsTerminal, Write};
use std::ops::Range;

use super::parts::{ScoredTokens, text_token};
use super::score::ScoreAsked;
use crate::cli::{By, Format};
use crate::colouring::Level;
use crate::distribution::{BoundaryMass, Depth};
use crate::query::score;
use crate::query::text::JoinedToken;
use crate::report::bars::Paint;
use crate::report::output::ObjectWriter;
use crate::report::record::{Origin, StepRecord};
use crate::report::score::{PartKind, PartRecord, ScoreHead, TokenRecord, Totals, WindowRecord};
use crate::report::score_csv::Csv;
use crate::report::score_table::{self, ScoreLook, level};
use crate::score::stats::Stats;
use crate::score::{Figures, Score, TextToken};
use crate::step::{Prediction, Step};
use crate::token::Vocab;

/// A text being scored.
pub(super) struct Sheet<'a, W: Write> {
    asked: &'a ScoreAsked<'a>,
    look: ScoreLook,
    k: Depth,
    vocab: &'a Vocab,
    writing: SheetWriting<'a, W>,
    score: Score,
    count: usize,
    /// Kept where something is made of them at the end.
    tokens: Vec<TextToken>,
    /// Kept where the text is shown in colours.
    levels: Vec<(Range<usize>, Option<Level>)>,
    after: Option<BoundaryMass>,
}

/// How it is written.
enum SheetWriting<'a, W: Write> {
    Json(Box<ObjectWriter<'a, W>>),
    Table(&'a mut W),
    Csv(Box<Csv<&'a mut W>>),
}

impl<'a, W: Write> Sheet<'a, W> {
    /// An empty sheet.
    pub fn new(
        asked: &'a ScoreAsked<'a>,
        look: ScoreLook,
        k: Depth,
        vocab: &'a Vocab,
        out: &'a mut W,
    ) -> io::Result<Self> {
        let writing = match asked.format() {
            Format::Json => SheetWriting::Json(Box::new(ObjectWriter::begin(out)?)),
            Format::Table => SheetWriting::Table(out),
            Format::Csv => SheetWriting::Csv(Box::new(Csv::new(out, look.unit, io::stdout().is_terminal()))),
        };
        Ok(Sheet {
            asked,
            look,
            k,
            vocab,
            writing,
            score: Score::default(),
            count: 0,
            tokens: Vec::new(),
            levels: Vec::new(),
            after: None,
        })
    }

    /// Writes what precedes the tokens.
    pub fn begin(&mut self, origin: &Origin) -> io::Result<()> {
        let by_token = self.asked.by() == By::Token && self.asked.parts.is_empty();
        match &mut self.writing {
            SheetWriting::Json(object) => {
                let prefix = self.asked.args.prefix.as_ref().map(|prefix| prefix.as_bytes());
                object.fields(&ScoreHead::new(origin, &self.asked.text, prefix))?;
                object.begin_list("tokens")
            }
            SheetWriting::Table(out) if self.asked.by() == By::Token => self.look.tokens().write_head(*out),
            SheetWriting::Csv(csv) if by_token => csv.token_head(),
            SheetWriting::Table(_) | SheetWriting::Csv(_) => Ok(()),
        }
    }

    /// Takes the next token; `first` is the first of its sequence.
    pub fn token(&mut self, piece: &JoinedToken, step: &Step, first: bool) -> io::Result<()> {
        score::add(&mut self.score, step, piece);
        if self.asked.keeps() {
            self.tokens.push(text_token(piece, step, self.vocab));
        }
        let index = self.count;
        self.count += 1;
        let by_token = self.asked.by() == By::Token;
        match &mut self.writing {
            SheetWriting::Json(object) => {
                let record = StepRecord::new(step, self.k, self.score.sum_logprob(), self.vocab);
                object.item(&TokenRecord::new(record, piece, first))
            }
            SheetWriting::Table(out) => {
                if let (true, Some(span)) = (self.look.paint.is_on(), piece.span.clone()) {
                    self.levels.push((span, level(step)));
                }
                if by_token {
                    let row = self.look.token(index, step, self.vocab);
                    self.look.tokens().write_row(*out, &row, self.look.paint)
                } else {
                    Ok(())
                }
            }
            SheetWriting::Csv(csv) if by_token && self.asked.parts.is_empty() => {
                csv.token(index, step, piece, self.vocab)
            }
            SheetWriting::Csv(_) => Ok(()),
        }
    }

    /// Takes the distribution after the last token.
    pub fn end_with(&mut self, after: Option<Box<Prediction>>) {
        self.after = after.and_then(|after| after.boundary.as_deref().copied());
    }

    /// Writes what is made of the tokens; `cross` is −Σ p_reference ln p before each, where it was asked for.
    pub fn finish(
        self,
        cross: Option<&[f32]>,
        window: Option<WindowRecord>,
        notes: &[&'static str],
    ) -> io::Result<()> {
        let asked = self.asked;
        let scored = ScoredTokens {
            text: &asked.text,
            tokens: &self.tokens,
            marked: &asked.parts,
            after: self.after,
            convention: asked.args.boundary,
        };
        let marked = (!asked.parts.is_empty()).then_some(PartKind::Region);
        let kinds = asked.by().parts().into_iter().chain(marked);
        let parts: Vec<(PartKind, Vec<PartRecord>)> = kinds.map(|kind| (kind, scored.parts(kind))).collect();
        let boundary = asked.wants_words().then(|| asked.args.boundary.name());
        let stats = asked.args.stats.then(|| {
            let scored: Vec<Figures> = self.tokens.iter().filter_map(|token| token.figures).collect();
            Stats::of(&scored, cross)
        });
        let totals = Totals::new(&self.score);
        match self.writing {
            SheetWriting::Csv(mut csv) => {
                // Regions, where some are marked, else the parts.
                if let Some((kind, parts)) = parts.last() {
                    csv.part_head(*kind, &[])?;
                    parts.iter().try_for_each(|part| csv.part(&[], part))?;
                }
                csv.flush()
            }
            SheetWriting::Table(out) => {
                if self.look.paint.is_on() {
                    self.look.coloured(out, &asked.text, &self.levels)?;
                }
                for (kind, parts) in &parts {
                    self.look.parts(*kind, parts).write(out, Paint::default())?;
                }
                if let Some(boundary) = boundary {
                    writeln!(out, "word boundaries: {boundary}")?;
                }
                if let Some(stats) = &stats {
                    self.look.stats(out, stats)?;
                }
                writeln!(out, "{}", score_table::totals(&totals, self.count))
            }
            SheetWriting::Json(mut object) => {
                object.end_list()?;
                object.fields(&totals)?;
                object.optional("window", window.as_ref())?;
                object.optional("boundary", boundary.as_ref())?;
                for (kind, parts) in &parts {
                    object.optional(kind.plural(), Some(parts))?;
                }
                object.optional("stats", stats.as_ref())?;
                object.optional("notes", Some(notes).filter(|notes| !notes.is_empty()))?;
                object.end()
            }
        }
    }
}
