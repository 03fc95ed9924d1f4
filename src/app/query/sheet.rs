//! One scored text on its way to standard output: tokens as they come, then what is made of them.

use std::io::{self, IsTerminal, Write};
use std::ops::Range;

use serde::Serialize;

use super::score::ScoreAsked;
use crate::cli::{By, Format};
use crate::colouring::Level;
use crate::distribution::{BoundaryMass, Depth};
use crate::query::text::JoinedToken;
use crate::report::output::ObjectWriter;
use crate::report::record::Origin;
use crate::report::score::{RegionRecord, ScoreHead, TokenRecord, Totals, WindowRecord, WordRecord};
use crate::report::score_csv::Csv;
use crate::report::score_table::{self, ScoreLook, level};
use crate::score::regions::{Region, characters, lines, smallest, sums};
use crate::score::stats::Stats;
use crate::score::words::{Word, words};
use crate::score::{Figures, NO_CONTEXT, Score, TextToken};
use crate::step::{Prediction, Step};
use crate::token::Vocab;

/// A text being scored.
pub(super) struct Sheet<'a, W: Write> {
    asked: &'a ScoreAsked<'a>,
    look: ScoreLook,
    k: Depth,
    vocab: &'a Vocab,
    writing: Writing<'a, W>,
    score: Score,
    count: usize,
    /// Kept where something is made of them at the end.
    tokens: Vec<TextToken>,
    /// Kept where the text is shown in colours.
    levels: Vec<(Range<usize>, Option<Level>)>,
    after: Option<BoundaryMass>,
}

/// How it is written.
enum Writing<'a, W: Write> {
    Json(Box<ObjectWriter<'a, W>>),
    Table(&'a mut W),
    Csv(Box<Csv<&'a mut W>>),
}

/// What follows the totals in JSON.
#[derive(Default, Serialize)]
struct Extra {
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<WindowRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    boundary: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<Vec<WordRecord>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chars: Option<Vec<RegionRecord>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lines: Option<Vec<RegionRecord>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    regions: Option<Vec<RegionRecord>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stats: Option<Stats>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<&'static str>,
}

/// The figures of a step, where it has any.
pub(super) fn figures(step: &Step) -> Option<Figures> {
    step.stats.as_ref().map(|stats| Figures {
        logprob: stats.logprob,
        rank: stats.rank,
        entropy: stats.prediction.entropy,
        varentropy: stats.prediction.varentropy,
        boundary: stats.prediction.boundary,
    })
}

/// A token of a text, ready for arithmetic.
pub(super) fn text_token(piece: &JoinedToken, step: &Step, vocab: &Vocab) -> TextToken {
    TextToken { span: piece.span.clone(), begins: vocab.begins(piece.id), figures: figures(step) }
}

/// Errors of the CSV writer are those of what it writes to.
pub(super) fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

impl<'a, W: Write> Sheet<'a, W> {
    /// An empty sheet.
    pub fn new(
        asked: &'a ScoreAsked<'a>,
        look: ScoreLook,
        (k, vocab): (Depth, &'a Vocab),
        out: &'a mut W,
    ) -> io::Result<Self> {
        let writing = match asked.format() {
            Format::Json => Writing::Json(Box::new(ObjectWriter::begin(out)?)),
            Format::Table => Writing::Table(out),
            Format::Csv => Writing::Csv(Box::new(Csv::new(out, look.unit, io::stdout().is_terminal()))),
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
            Writing::Json(object) => {
                let prefix = self.asked.args.prefix.as_ref().map(|prefix| prefix.as_bytes());
                object.fields(&ScoreHead::new(origin, &self.asked.text, prefix))?;
                object.begin_list("tokens")
            }
            Writing::Table(out) if self.asked.by() == By::Token => self.look.tokens().write_head(*out),
            Writing::Csv(csv) if by_token => csv.token_head().map_err(io_error),
            Writing::Table(_) | Writing::Csv(_) => Ok(()),
        }
    }

    /// Takes the next token; `first` is the first of its sequence.
    pub fn token(&mut self, piece: &JoinedToken, step: &Step, first: bool) -> io::Result<()> {
        if let Some(logprob) = step.logprob() {
            let bytes = piece.span.as_ref().map_or(0, Range::len);
            self.score.add(logprob, bytes);
        }
        if self.asked.keeps() {
            self.tokens.push(text_token(piece, step, self.vocab));
        }
        let index = self.count;
        self.count += 1;
        let by_token = self.asked.by() == By::Token;
        match &mut self.writing {
            Writing::Json(object) => {
                let place = (self.score.sum_logprob(), first);
                object.item(&TokenRecord::new(step, piece, place, (self.k, self.vocab)))
            }
            Writing::Table(out) => {
                if let (true, Some(span)) = (self.look.paint.on, piece.span.clone()) {
                    self.levels.push((span, level(step)));
                }
                if by_token {
                    let row = self.look.token(index, step, self.vocab);
                    self.look.tokens().write_row(*out, &row, self.look.paint)
                } else {
                    Ok(())
                }
            }
            Writing::Csv(csv) if by_token && self.asked.parts.is_empty() => {
                let note = if step.stats.is_none() { NO_CONTEXT } else { "" };
                csv.token((index, step), piece, self.vocab, note).map_err(io_error)
            }
            Writing::Csv(_) => Ok(()),
        }
    }

    /// Takes the distribution after the last token.
    pub fn end_with(&mut self, after: Option<Box<Prediction>>) {
        self.after = after.and_then(|after| after.boundary);
    }

    /// Writes what is made of the tokens.
    pub fn finish(
        mut self,
        cross: Option<&[f32]>,
        (window, notes): (Option<WindowRecord>, Vec<&'static str>),
    ) -> io::Result<()> {
        let extra = Extra { window, notes, ..self.extra(cross) };
        let totals = Totals::new(&self.score);
        match &mut self.writing {
            Writing::Csv(csv) => {
                write_csv(csv, &extra).map_err(io_error)?;
                csv.flush()
            }
            Writing::Table(out) => {
                if self.look.paint.on {
                    self.look.coloured(out, &self.asked.text, &self.levels)?;
                }
                write_tables(out, self.look, &extra)?;
                writeln!(out, "{}", score_table::totals(&totals, self.count))
            }
            Writing::Json(_) => self.finish_json(&totals, &extra),
        }
    }

    fn finish_json(self, totals: &Totals, extra: &Extra) -> io::Result<()> {
        let Writing::Json(mut object) = self.writing else { return Ok(()) };
        object.end_list()?;
        object.fields(totals)?;
        object.fields(extra)?;
        object.end()
    }

    fn extra(&self, cross: Option<&[f32]>) -> Extra {
        let (asked, text, tokens) = (self.asked, &self.asked.text, &self.tokens);
        let found: Vec<Word> = match asked.wants_words() {
            true => words(text, tokens, self.after, asked.args.boundary),
            false => Vec::new(),
        };
        let records = |found: &[Region], corrected: bool| {
            found.iter().map(|region| RegionRecord::new(region, text, corrected)).collect::<Vec<_>>()
        };
        let regions = |parts: &[Range<usize>]| {
            records(&sums(text, tokens, parts, (self.after, asked.args.boundary)), true)
        };
        let mut extra = Extra::default();
        match asked.by() {
            By::Token => {}
            By::Word => {
                let records = found.iter().enumerate().map(|(i, word)| WordRecord::new(i, word, text));
                extra.words = Some(records.collect());
            }
            By::Char => {
                extra.chars = Some(records(&smallest(tokens, &characters(text, tokens)), false));
            }
            By::Line => extra.lines = Some(regions(&lines(text))),
        }
        if !asked.parts.is_empty() {
            extra.regions = Some(regions(&asked.parts));
        }
        if asked.wants_words() {
            extra.boundary = Some(asked.args.boundary.name());
        }
        if asked.args.stats {
            let scored: Vec<Figures> = tokens.iter().filter_map(|token| token.figures).collect();
            extra.stats = Some(Stats::of(&scored, cross));
        }
        extra
    }
}

fn write_tables(out: &mut impl Write, look: ScoreLook, extra: &Extra) -> io::Result<()> {
    if let Some(words) = &extra.words {
        look.words(out, words)?;
    }
    for (name, regions) in [("part", &extra.chars), ("line", &extra.lines), ("region", &extra.regions)] {
        if let Some(regions) = regions {
            look.regions(out, name, regions)?;
        }
    }
    if let Some(boundary) = extra.boundary {
        writeln!(out, "word boundaries: {boundary}")?;
    }
    if let Some(stats) = &extra.stats {
        look.stats(out, stats)?;
    }
    Ok(())
}

/// Regions, where some are marked, else the parts.
fn write_csv(csv: &mut Csv<impl Write>, extra: &Extra) -> csv::Result<()> {
    let regions = [("region", &extra.regions), ("part", &extra.chars), ("line", &extra.lines)];
    if let Some((name, Some(regions))) = regions.into_iter().find(|(_, regions)| regions.is_some()) {
        csv.region_head(name, &[])?;
        return regions.iter().try_for_each(|region| csv.region(&[], region));
    }
    if let Some(words) = &extra.words {
        csv.word_head(&[])?;
        return words.iter().try_for_each(|word| csv.word(&[], word));
    }
    Ok(())
}
