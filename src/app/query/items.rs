//! `tokenscope score --items`: a column of texts, a row a word.

mod write;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::context::{QueryContext, Stop, wrong};
use super::parts::{ScoredTokens, text_token};
use super::score::{explain_bos, windowing};
use crate::app::failure::Failure;
use crate::app::progress::WorkBar;
use crate::app::running::Running;
use crate::bounded::{self, DATA};
use crate::cli::{By, Format, ScoreArgs};
use crate::distribution::Depth;
use crate::engine::FinishReason;
use crate::query::scoring::{Scoring, ScoringJob, Wanted, score};
use crate::query::text::{JoinedToken, TextEncoder};
use crate::report::score::PartKind;
use crate::report::score_table::ScoreLook;
use crate::score::regions::split_marked;
use crate::separated::{self, UNCLOSED, separator, unclosed_quote};
use write::ItemsWriter;

/// Columns that are taken for the texts where nobody names one.
const LIKELY: [&str; 2] = ["text", "sentence"];

/// A file of texts.
struct Items {
    columns: Vec<String>,
    rows: Vec<csv::StringRecord>,
    texts: Vec<Text>,
    /// What was taken as what, where the file is no table of commas that names its column of texts.
    notes: Vec<String>,
}

/// One of them.
struct Text {
    bytes: Vec<u8>,
    /// Marked regions.
    parts: Vec<Range<usize>>,
}

pub(super) fn run(query: &mut QueryContext, args: &ScoreArgs, file: &Path) -> Result<(), Stop> {
    let items = crate::interrupt::waiting(|| read(args, file))?;
    if args.by == Some(By::Token) {
        return Err(Failure::usage(
            "--items gives a row a word, part, line or region; choose --by one of them",
        )
        .into());
    }
    let mut format = args.format.unwrap_or(Format::Csv);
    if args.json {
        format = Format::Json;
    }
    if format == Format::Csv && query.several() {
        return Err(
            Failure::usage("a CSV file holds the scores of one model; ask for one, or for --json").into()
        );
    }
    items.notes.iter().for_each(|note| query.say(note));
    query.ask_each(false, |query, running| ItemsRun { items: &items, args, format }.answer(query, running))
}

/// Reads the file and finds the texts.
fn read(args: &ScoreArgs, file: &Path) -> Result<Items, Failure> {
    let place = file.display();
    let text = bounded::text(file, DATA).map_err(|error| wrong(file, error))?;
    let mut notes = bounded::marks();
    if text.trim_start().starts_with(['{', '[']) {
        let what = "this is JSON; a table is wanted: its first line names the columns";
        return Err(wrong(file, what));
    }
    let separator = separator(text.lines().next().unwrap_or_default());
    if let Some(line) = unclosed_quote(text.as_bytes(), separator) {
        return Err(Failure::usage(format!("{place}:{line}: {UNCLOSED}")));
    }
    let mut reader = csv::ReaderBuilder::new().delimiter(separator).from_reader(text.as_bytes());
    let headers = reader.headers().map_err(|error| wrong(file, error))?;
    let columns: Vec<String> = headers.iter().map(str::to_string).collect();
    if columns.is_empty() {
        return Err(wrong(file, "empty; its first line must name the columns"));
    }
    let named = |name: &str| columns.iter().position(|column| column == name);
    let found = match &args.column {
        Some(name) => named(name),
        None => LIKELY.into_iter().find_map(named).or((columns.len() == 1).then_some(0)),
    };
    let column = found.ok_or_else(|| {
        let asked = args.column.as_ref().map_or("text".to_string(), |name| name.clone());
        let has = columns.join(", ");
        wrong(file, format!("no column {asked}; name one with --column: {has}"))
    })?;
    if columns.iter().filter(|&name| *name == columns[column]).count() > 1 {
        return Err(wrong(file, format!("two columns are called {}; rename one", columns[column])));
    }
    let name = &columns[column];
    if separator != b',' {
        let by = separated::name(separator);
        notes.push(format!("{place}: the columns are separated by {by}; the texts are column {name}"));
    } else if args.column.is_none() && !LIKELY.contains(&name.as_str()) {
        notes.push(format!("{place}: one column; its first line is taken as the name: {name}"));
    }
    let rows: Vec<csv::StringRecord> =
        reader.records().collect::<Result<_, _>>().map_err(|error| wrong(file, error))?;
    let texts = rows.iter().map(|row| {
        let text = row.get(column).unwrap_or_default().as_bytes();
        let (bytes, parts) = match &args.regions {
            Some(mark) => split_marked(text, mark.as_bytes()),
            None => (text.to_vec(), Vec::new()),
        };
        Text { bytes, parts }
    });
    Ok(Items { texts: texts.collect(), columns, rows, notes })
}

/// A file of texts and a model.
struct ItemsRun<'a> {
    items: &'a Items,
    args: &'a ScoreArgs,
    format: Format,
}

impl ItemsRun<'_> {
    /// What rows are.
    fn kind(&self) -> PartKind {
        let by = self.args.by.and_then(By::parts).unwrap_or(PartKind::Word);
        if self.args.regions.is_some() { PartKind::Region } else { by }
    }

    fn pieces(&self, encoder: &TextEncoder) -> Result<(Vec<Vec<JoinedToken>>, Vec<ScoringJob>), Failure> {
        let mut all = Vec::new();
        let mut jobs = Vec::new();
        for (i, text) in self.items.texts.iter().enumerate() {
            let wrong = |what: String| Failure::usage(format!("row {}: {what}", i + 1));
            let encoded = encoder.encode(&text.bytes).map_err(|error| wrong(error.to_string()))?;
            if encoded.rewritten_from.is_some() {
                return Err(wrong(
                    "the tokenizer rewrites the text, so its words can't be found in it".into(),
                ));
            }
            jobs.push(ScoringJob::whole(&encoded));
            all.push(encoded.pieces);
        }
        Ok((all, jobs))
    }

    fn answer(&self, query: &mut QueryContext, running: &mut Running) -> Result<(), Stop> {
        let model = Arc::clone(&running.model);
        let encoder = query.encoder_of(&model)?;
        explain_bos(query, &encoder, &model);
        let (pieces, jobs) = self.pieces(&encoder)?;
        // An empty text has nothing to score.
        let full: Vec<usize> = (0..jobs.len()).filter(|&i| !self.items.texts[i].bytes.is_empty()).collect();
        let asked: Vec<ScoringJob> = full.iter().map(|&i| jobs[i].clone()).collect();
        let total = asked.iter().map(|job| job.ids.len()).sum();
        let (cancel, bar) = (query.cancel(), WorkBar::new("scoring", "tokens", total, query.settings.quiet));
        let look = ScoreLook { unit: self.args.unit, paint: query.paint() };
        let mut writer = ItemsWriter::new(self, look, &running.origin, &mut query.out);
        writer.begin().map_err(Stop::Output)?;
        let windowing = windowing(self.args, &model);
        let wanted = Wanted { windowing, depth: Depth::Count(1), boundaries: true, after: true, fast: true };
        let (mut tokens, mut next, mut written) = (Vec::new(), 0, Ok(()));
        let ended = score(&mut running.client, &asked, wanted, &cancel, &mut |answer| match answer {
            Scoring::Token { job, index, step } => {
                bar.advance();
                tokens.push(text_token(&pieces[full[job]][index], &step, &model.vocab));
            }
            Scoring::End { job, after } if written.is_ok() => {
                let text = &self.items.texts[full[job]];
                let scored = ScoredTokens {
                    text: &text.bytes,
                    tokens: &std::mem::take(&mut tokens),
                    marked: &text.parts,
                    after: after.and_then(|after| after.boundary.as_deref().copied()),
                    convention: self.args.boundary,
                };
                let found = scored.parts(self.kind());
                written = bar.aside(|| {
                    writer.nothing(next..full[job])?;
                    writer.item(full[job], self.kind(), &found)
                });
                next = full[job] + 1;
                if written.is_err() {
                    cancel.cancel();
                }
            }
            Scoring::End { .. } => {}
        });
        drop(bar);
        written.map_err(Stop::Output)?;
        if ended? == FinishReason::Cancelled {
            return Err(Stop::Interrupted);
        }
        writer.nothing(next..jobs.len()).and_then(|()| writer.end()).map_err(Stop::Output)
    }
}
