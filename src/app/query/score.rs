//! `tokenscope score`: a text, or continuations of one.

use std::ops::Range;
use std::sync::Arc;

use super::context::{QueryContext, Stop};
use super::sheet::Sheet;
use crate::app::failure::Failure;
use crate::app::progress::WorkBar;
use crate::app::rpc::must_be_here;
use crate::app::running::Running;
use crate::cli::{By, Format, ScoreArgs};
use crate::distribution::Depth;
use crate::engine::{Command, CrossEntropy, Event, FinishReason, ModelInfo};
use crate::loading::{self, AskOnTerminal};
use crate::model::ServerAddress;
use crate::model::bar::TerminalProgress;
use crate::query::choices::{ChoiceComparison, compare};
use crate::query::score::ScoreSubject;
use crate::query::scoring::{Scoring, ScoringJob, Wanted, score, sequences};
use crate::query::text::TextEncoder;
use crate::query::window::Windowing;
use crate::report::choices::{ChoicesRecord, view};
use crate::report::output::json;
use crate::report::score_table::ScoreLook;
use crate::score::regions::split_marked;
use crate::settings::Settings;
use crate::token::visible;

pub(super) fn run(query: &mut QueryContext, args: &ScoreArgs) -> Result<(), Stop> {
    let bare = args.text.text.is_none() && args.text.file.is_none();
    let text = match bare && args.prefix.is_some() && !args.choices.is_empty() {
        true => Vec::new(),
        false => query.text(args.text.text.as_deref(), args.text.file.as_deref())?,
    };
    if !args.choices.is_empty() {
        return choices(query, args, &text);
    }
    let (text, parts) = match &args.regions {
        Some(mark) => split_marked(&text, mark.as_bytes()),
        None => (text, Vec::new()),
    };
    if text.is_empty() {
        return Err(Failure::usage("the text is empty: there is no token to score").into());
    }
    let asked = ScoreAsked { args, text, parts };
    query.ask_each(asked.format() == Format::Json, |query, running| asked.answer(query, running))
}

/// How a text longer than the model's context is cut.
pub(super) fn windowing(args: &ScoreArgs, model: &ModelInfo) -> Windowing {
    Windowing::new(model.context as usize, args.stride.map(|n| n as usize), args.min_context as usize)
}

/// A text to score, and how.
pub(super) struct ScoreAsked<'a> {
    pub args: &'a ScoreArgs,
    pub text: Vec<u8>,
    /// Marked regions.
    pub parts: Vec<Range<usize>>,
}

impl ScoreAsked<'_> {
    pub fn format(&self) -> Format {
        match (self.args.json, self.args.format) {
            (true, _) => Format::Json,
            (false, format) => format.unwrap_or(Format::Table),
        }
    }

    pub fn by(&self) -> By {
        self.args.by.unwrap_or_default()
    }

    /// Whether the figures of every token are needed at the end.
    pub fn keeps(&self) -> bool {
        self.by() != By::Token || !self.parts.is_empty() || self.args.stats
    }

    pub fn wants_words(&self) -> bool {
        matches!(self.by(), By::Word | By::Line) || !self.parts.is_empty()
    }

    fn wanted(&self, windowing: Windowing, k: Depth) -> Wanted {
        let depth = match (self.format(), self.by()) {
            (Format::Json, _) => k,
            (Format::Table, By::Token) => k.at_least(4),
            _ => Depth::Count(1),
        };
        let words = self.wants_words();
        Wanted { windowing, depth, boundaries: words, after: words, fast: true }
    }

    fn answer(&self, query: &mut QueryContext, running: &mut Running) -> Result<(), Stop> {
        let model = Arc::clone(&running.model);
        let encoder = query.encoder_of(&model)?;
        let prefix = self.args.prefix.as_ref().map(|prefix| prefix.as_bytes());
        let subject = ScoreSubject::new(&encoder, &self.text, prefix)?;
        self.explain(query, &encoder, &subject, &model)?;
        let windowing = windowing(self.args, &model);
        let cross = match &self.args.reference {
            Some(reference) => Some(against(query, running, reference, &subject.job, windowing)?),
            None => None,
        };
        let wanted = self.wanted(windowing, query.settings.k);
        let (cancel, bar) =
            (query.cancel(), WorkBar::new("scoring", "tokens", subject.pieces.len(), query.settings.quiet));
        let look = ScoreLook { unit: self.args.unit, paint: query.paint() };
        let mut sheet =
            Sheet::new(self, look, query.settings.k, &model.vocab, &mut query.out).map_err(Stop::Output)?;
        sheet.begin(&running.origin).map_err(Stop::Output)?;
        let jobs = std::slice::from_ref(&subject.job);
        let mut written = Ok(());
        let ended = score(&mut running.client, jobs, wanted, &cancel, &mut |answer| match answer {
            Scoring::Token { index, step, .. } if written.is_ok() => {
                bar.advance();
                let piece = &subject.pieces[index - subject.job.from];
                written = bar.aside(|| sheet.token(piece, &step, index == 0));
                if written.is_err() {
                    cancel.cancel();
                }
            }
            Scoring::End { after, .. } => sheet.end_with(after),
            Scoring::Token { .. } => {}
        });
        drop(bar);
        written.map_err(Stop::Output)?;
        if ended? == FinishReason::Cancelled {
            return Err(Stop::Interrupted);
        }
        let window = windowing.slides(subject.job.ids.len()).then(|| windowing.into());
        sheet.finish(cross.as_deref(), window, subject.note.as_slice()).map_err(Stop::Output)
    }

    /// What a person should know before reading the numbers.
    fn explain(
        &self,
        query: &QueryContext,
        encoder: &TextEncoder,
        subject: &ScoreSubject,
        model: &ModelInfo,
    ) -> Result<(), Stop> {
        if subject.rewritten && (self.wants_words() || self.by() != By::Token) {
            return Err(Failure::usage(
                "this model's tokenizer rewrites the text, so its parts can't be found in it; use --by token",
            )
            .into());
        }
        if let Some(note) = subject.note {
            query.say(note);
        }
        explain_windows(query, windowing(self.args, model), subject.job.ids.len());
        if self.wants_words() && self.args.prefix.is_none() {
            explain_bos(query, encoder, model);
        }
        Ok(())
    }
}

/// Says how a text longer than the context is cut.
pub(super) fn explain_windows(query: &QueryContext, windowing: Windowing, tokens: usize) {
    if windowing.slides(tokens) {
        let Windowing { size, stride, .. } = windowing;
        query.say(&format!(
            "{tokens} tokens do not fit into the context: scored in windows of {size} tokens, stride {stride}{}",
            if 2 * stride > size { " (--stride N: more tokens before each one, in more time)" } else { "" }
        ));
    }
}

/// Says what stands before the first word.
pub(super) fn explain_bos(query: &QueryContext, encoder: &TextEncoder, model: &ModelInfo) {
    match encoder.bos() {
        None => query.say("no BOS goes before the text: its first word has no context and no surprisal"),
        Some(bos) if encoder.bos_is_marker() => query.say(&format!(
            "{} marks messages of a chat for this model: surprisal right after it says little",
            model.vocab.text(bos)
        )),
        Some(_) => {}
    }
}

/// −Σ p_reference ln p before every scored token, in nats.
fn against(
    query: &QueryContext,
    running: &mut Running,
    reference: &str,
    job: &ScoringJob,
    windowing: Windowing,
) -> Result<Vec<f32>, Stop> {
    let settings = Settings { model: reference.to_string(), ..query.settings.clone() };
    let progress = TerminalProgress::new(Arc::clone(&query.interrupted), settings.quiet);
    if ServerAddress::is_meant(reference) {
        return Err(
            Failure::usage("--reference names a model of this machine, not one behind a server").into()
        );
    }
    must_be_here(&settings, "--reference")?;
    let found = loading::find(&settings, query.paths, query.cancel(), &progress, &AskOnTerminal)?;
    progress.clear();
    let mut values = Vec::new();
    let request = Command::CrossEntropy(CrossEntropy {
        reference: found.options,
        sequences: sequences(job, windowing),
        divergence: false,
        cancel: query.cancel(),
    });
    let (ended, _) = running.client.run(request, |event| {
        if let Event::CrossEntropy { values: some, .. } = event {
            values.extend(some);
        }
    })?;
    if ended == FinishReason::Cancelled { Err(Stop::Interrupted) } else { Ok(values) }
}

fn choices(query: &mut QueryContext, args: &ScoreArgs, text: &[u8]) -> Result<(), Stop> {
    let context = [args.prefix.as_deref().unwrap_or_default().as_bytes(), text].concat();
    let texts: Vec<Vec<u8>> = args.choices.iter().map(|choice| choice.clone().into_bytes()).collect();
    let as_json = args.json || args.format == Some(Format::Json);
    if args.format == Some(Format::Csv) {
        return Err(Failure::usage("choices are written as a table or as JSON").into());
    }
    let compare_with = |query: &mut QueryContext, running: &mut Running| -> Result<(), Stop> {
        let asked = ChoiceComparison {
            context: context.clone(),
            choices: texts.clone(),
            windowing: windowing(args, &running.model),
            bos: query.settings.bos,
        };
        let compared = compare(&mut query.asker(running), &asked)?;
        for choice in &compared.choices {
            for note in &choice.notes {
                query.say(&format!("{}: {note}", visible(&choice.text)));
            }
        }
        let (paint, out) = (query.paint(), &mut query.out);
        match as_json {
            true => json(out, &ChoicesRecord::new(&compared, &running.origin)),
            false => view(&compared).write(out, paint),
        }
        .map_err(Stop::Output)
    };
    query.ask_each(as_json, compare_with)
}
