//! `tokenscope lens`: a prompt, a conversation, a minimal pair or a file of items, each in some views.

mod items;
mod pair;
mod run;

use std::sync::Arc;

use super::context::{QueryContext, Stop, conversation};
use crate::app::failure::Failure;
use crate::app::running::Running;
use crate::cli::LensArgs;
use crate::counter::{Counter, Far};
use crate::lens::flags::{LensFlags, LensView};
use crate::lens::knockout::SetTo;
use crate::lens::subject::Given;
use crate::lens::{Lens, LensFinding, LensWish, Looking, look};
use crate::query::QueryError;
use crate::report::lens::LensRecord;
use crate::report::lens::batch::{KINDS, LensBatch, open};
use crate::report::output::json;
use crate::report::target::{ReportKind, Target};
use crate::say;
use items::{ItemsFile, LensItem};
use run::LensSession;

pub(super) fn run(query: &mut QueryContext, args: &LensArgs) -> Result<(), Stop> {
    if args.chat.is_some() && args.flags.corrupt.is_some() {
        return Err(
            Failure::usage("--corrupt is a text as the prompt is, and does not go with --chat").into()
        );
    }
    if args.dump.is_some() {
        return super::dump::run(query, args, given(query, args)?);
    }
    let mut batch = LensBatch {
        columns: Vec::new(),
        views: args.view.clone(),
        alone: args.file.is_none(),
        paint: query.paint(),
    };
    // What is wrong with a flag or a row is told before a model is loaded.
    let asked: Vec<LensAsked> = match (&args.file, &args.pair) {
        (Some(file), _) => {
            let ItemsFile { columns, items } = crate::interrupt::waiting(|| items::read(file))?;
            crate::bounded::marks().iter().for_each(|mark| query.say(mark));
            batch.columns = columns;
            items.into_iter().map(|item| item.asked(args)).collect::<Result<_, _>>()?
        }
        (None, Some(pair)) => {
            if !args.view.contains(&LensView::Trace) {
                return Err(Failure::usage("--pair belongs to --view trace").into());
            }
            vec![pair::read(pair)?.asked(args)?]
        }
        (None, None) => vec![alone(query, args)?],
    };
    let single = batch.alone && args.view.len() == 1;
    if args.json && single && args.report.is_empty() {
        return one_object(query, &asked[0]);
    }
    let reports = open(&targets(args)?, &batch)?;
    LensSession::new(&asked, batch.alone, reports).run(query)
}

/// What a prompt is looked at for, and how.
struct LensAsked {
    item: LensItem,
    given: Given,
    views: Vec<(LensView, Looking)>,
    target: Option<Vec<u8>>,
    versus: Option<Vec<u8>>,
}

fn given(query: &QueryContext, args: &LensArgs) -> Result<Given, Stop> {
    Ok(match &args.chat {
        Some(path) => Given::Chat(Box::new(conversation(query, path)?)),
        None => Given::Text(query.text(args.prompt.as_deref().or(args.clean.as_deref()), None)?),
    })
}

fn bytes(text: Option<&String>) -> Option<Vec<u8>> {
    text.map(|text| text.clone().into_bytes())
}

/// The one prompt of the command line.
fn alone(query: &QueryContext, args: &LensArgs) -> Result<LensAsked, Stop> {
    let looks = args.flags.lookings(&args.view).map_err(Failure::usage)?;
    Ok(LensAsked {
        item: LensItem::default(),
        given: given(query, args)?,
        views: args.view.iter().copied().zip(looks).collect(),
        target: bytes(args.target.as_ref()),
        versus: bytes(args.versus.as_ref()),
    })
}

impl LensItem {
    /// What is asked of a row: what it doesn't say, flags do.
    fn asked(self, args: &LensArgs) -> Result<LensAsked, Failure> {
        let wrong = |what: String| Failure::usage(format!("{}: {what}", self.place));
        let of_trace = args.view.contains(&LensView::Trace);
        let resampled = args.flags.set == Some(SetTo::Corrupt);
        let corrupt = self.corrupt.clone().filter(|_| of_trace || resampled).or(args.flags.corrupt.clone());
        if of_trace && corrupt.is_none() {
            return Err(wrong(
                "trace compares two prompts: a column corrupt, or --corrupt TEXT, is wanted".into(),
            ));
        }
        let flags = LensFlags { corrupt, ..args.flags.clone() };
        let looks = flags.lookings(&args.view).map_err(wrong)?;
        let only_trace = of_trace && args.view.len() == 1;
        let prompt = match only_trace {
            true => self.clean.as_ref().or(self.prompt.as_ref()),
            false => self.prompt.as_ref().or(self.clean.as_ref()),
        };
        let prompt =
            prompt.ok_or_else(|| wrong("a column prompt (or, for trace, clean) is wanted".into()))?;
        Ok(LensAsked {
            given: Given::Text(prompt.clone().into_bytes()),
            views: args.view.iter().copied().zip(looks).collect(),
            target: bytes(self.target.as_ref().or(args.target.as_ref())),
            versus: bytes(self.versus.as_ref().or(args.versus.as_ref())),
            item: self,
        })
    }
}

/// The reports that were asked for; a table where standard output has none.
fn targets(args: &LensArgs) -> Result<Vec<Target>, Failure> {
    let mut targets: Vec<Target> =
        args.report.iter().map(|text| Target::parse(text, &KINDS)).collect::<Result<_, _>>()?;
    if args.json {
        targets.push(Target { kind: ReportKind::Jsonl, file: None });
    }
    if targets.iter().all(|target| target.file.is_some()) {
        targets.insert(0, Target { kind: ReportKind::Table, file: None });
    }
    Ok(targets)
}

impl LensAsked {
    fn wish(&self, view: &Looking) -> LensWish {
        LensWish {
            given: self.given.clone(),
            target: self.target.clone(),
            versus: self.versus.clone(),
            view: view.clone(),
            under: None,
        }
    }
}

/// A prompt in one view, as one JSON object.
fn one_object(query: &mut QueryContext, asked: &LensAsked) -> Result<(), Stop> {
    let k = query.settings.k;
    let mut partial = false;
    query.ask_each(true, |query, running| {
        let (view, looking) = &asked.views[0];
        let lens = match counted(query, running, &asked.wish(looking)) {
            Err(QueryError::Stopped) => {
                say::tell(&nothing_yet("", *view));
                return Err(Stop::Interrupted);
            }
            lens => lens?,
        };
        partial |= lens.partial;
        let record = LensRecord::new(&lens, k, &running.model.vocab, Some(&running.origin));
        json(&mut query.out, &record).map_err(Stop::Output)
    })?;
    // What was stopped is shown as far as it goes.
    if partial { Err(Stop::Interrupted) } else { Ok(()) }
}

/// What is said where Ctrl-C came before a view had found anything.
fn nothing_yet(place: &str, view: LensView) -> String {
    let place = if place.is_empty() { String::new() } else { format!("{place}: ") };
    format!("{place}{}: stopped before anything was found", view.name())
}

/// Looks, and shows how far that is.
fn counted(query: &QueryContext, running: &mut Running, wish: &LensWish) -> Result<Lens, QueryError> {
    let counter = Arc::new(Counter::new(query.settings.quiet));
    counter.begin();
    let shown = Arc::clone(&counter);
    let told = move |done, total| shown.show(Far { what: "looking", unit: "tokens", done, total });
    let mut asker = query.asker(running);
    asker.client.watch(Some(Box::new(told)));
    let lens = look(&mut asker, wish);
    asker.client.watch(None);
    counter.clear();
    let lens = lens?;
    tell(query, &lens);
    Ok(lens)
}

/// What is said beside a result.
fn tell(query: &QueryContext, lens: &Lens) {
    lens.subject.notes.iter().for_each(|note| query.say(note));
    if let LensFinding::Keyboard(found) = &lens.finding {
        query.say(&found.counted.took());
    }
}
