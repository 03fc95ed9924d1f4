//! `tokenscope probe`: from files to suites, from suites to reports, from outcomes to an exit code.

mod compared;
mod models;

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::call::Call;
use super::failure::{DIFFERS, Failure, INTERRUPTED, OK, USAGE};
use super::progress::WorkBar;
use super::running::Running;
use crate::bench::PATIENCE;
use crate::bounded;
use crate::cli::ProbeArgs;
use crate::columns::padded;
use crate::engine::{CancelFlag, EngineError, LoadOptions, Sequence};
use crate::interrupt;
use crate::paths::Paths;
use crate::probe::compare::Comparison;
use crate::probe::item::Suite;
use crate::probe::load::{self, Selection};
use crate::probe::outcome::{Cost, RunOutcome};
use crate::probe::run::{Completed, Peers, ProbeRun, drive};
use crate::probe::task::DataFiles;
use crate::probe::{shipped, suite};
use crate::report::output::is_closed_pipe;
use crate::report::probe::results::{self, Results};
use crate::report::probe::{ProbeReport, ReportSubject, open};
use crate::report::target::{ReportKind, Target};
use crate::sampling::Sampling;
use crate::say;
use crate::settings::{SamplingFlags, Settings};
use compared::{Baseline, MOST_TOKENS, divergence};

/// Does what the arguments ask.
///
/// # Errors
/// [`Failure`], to be shown as one line; what came out before has been written.
pub(super) fn probe(call: &Call, args: &ProbeArgs) -> Result<u8, Failure> {
    let (flags, paths) = (&call.cli.flags, &call.paths);
    if args.schema {
        return print(&format!("{:#}\n", suite::schema()));
    }
    if args.list {
        return list();
    }
    let selection =
        Selection { names: args.suites.clone(), data: DataFiles::new(&args.data), limit: args.limit };
    let interrupted = interrupt::watch().unwrap_or_default();
    let tell_marks = || bounded::marks().iter().filter(|_| !flags.quiet).for_each(|line| say::tell(line));
    if args.check {
        let code = interrupt::waiting(|| check(&selection));
        tell_marks();
        return code;
    }
    let mut settings = call.settings(Sampling::chat(), &SamplingFlags::default())?;
    // Samples have the seed of their suite, or this; a random one would be told and never used.
    settings.sampling.seed = flags.seed.unwrap_or(suite::SEED);
    if let Some(twice) = settings.other_models.iter().find(|other| **other == settings.model) {
        return Err(Failure::usage(format!("-m {twice} is given twice: name models that differ")));
    }
    let targets = targets(args)?;
    let mut suites = interrupt::waiting(|| load::load(&selection))?;
    if let Some(seed) = flags.seed {
        suites.iter_mut().for_each(|suite| suite.reseed(seed));
    }
    let baseline = args.baseline.as_deref().map(|path| Baseline::read(path, args.tolerance, &suites));
    let baseline = baseline.transpose()?;
    let earlier = args.resume.as_deref().map(results::read).transpose()?.unwrap_or_default();
    tell_marks();
    let groups = match settings.other_models.as_slice() {
        [] => models::by_model(suites, !flags.model.is_empty()),
        others => {
            let models = std::iter::once(&settings.model).chain(others);
            models.map(|model| (Some(model.clone()), suites.clone())).collect()
        }
    };
    // Opened before anything that takes long; those that nothing comes of leave nothing behind.
    let reports = open(&targets, args.resume.as_deref())?;
    models::check(&groups, &settings, paths, &interrupted)?;
    let session = ProbeSession {
        settings,
        paths,
        reports,
        resume: args.resume.as_deref(),
        stats: args.stats,
        interrupted,
        runs: Vec::new(),
        baseline,
        peers: Peers::default(),
        loaded: Vec::new(),
        sequences: Vec::new(),
    };
    session.run(groups, earlier)
}

/// Prints to standard output; nobody reading is no error.
fn print(text: &str) -> Result<u8, Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if !is_closed_pipe(&error) => Err(Failure::usage(format!("standard output: {error}"))),
        _ => Ok(OK),
    }
}

fn list() -> Result<u8, Failure> {
    let mut text = String::new();
    for shipped in shipped::SUITES {
        let suite = shipped::read(shipped)?;
        let title = suite.title.unwrap_or_default();
        text.push_str(&format!("{} {:>4} items  {title}\n", padded(&suite.name, 28), suite.items.len()));
    }
    print(&text)
}

/// Reads everything that is named and says of each whether it can be run.
fn check(selection: &Selection) -> Result<u8, Failure> {
    let mut names = selection.names.clone();
    if names.is_empty() {
        names.extend(shipped::SUITES.map(|(name, _)| name.to_string()));
    }
    let mut text = String::new();
    let mut code = OK;
    for name in &names {
        match load::read(name, selection) {
            Ok(suites) => suites.iter().for_each(|suite| {
                let file = name_of(suite, &suite.name);
                let found = format!("{file}: {}: {} items", suite.name, suite.items.len());
                text.push_str(&format!("{}\n", say::line(&found)));
            }),
            Err(error) => {
                say::tell(&error.to_string());
                code = USAGE;
            }
        }
    }
    print(&text)?;
    if code == OK {
        load::load(selection)?;
    }
    Ok(code)
}

fn name_of(suite: &Suite, name: &str) -> String {
    suite.file.as_ref().map_or_else(|| name.to_string(), |file| file.display().to_string())
}

/// The reports that were asked for; a table where none was. Going on from a file completes it.
fn targets(args: &ProbeArgs) -> Result<Vec<Target>, Failure> {
    let mut targets: Vec<Target> =
        args.report.iter().map(|text| Target::parse(text, &ReportKind::ALL)).collect::<Result<_, _>>()?;
    if args.json {
        targets.push(Target { kind: ReportKind::Jsonl, file: None });
    }
    if let Some(path) = &args.resume
        && !targets.iter().any(|target| target.kind == ReportKind::Jsonl)
    {
        targets.push(Target { kind: ReportKind::Jsonl, file: Some(path.clone()) });
    }
    if targets.iter().all(|target| target.file.is_some()) {
        targets.insert(0, Target { kind: ReportKind::Table, file: None });
    }
    Ok(targets)
}

/// Everything that lasts over the models of a call.
struct ProbeSession<'a> {
    settings: Settings,
    paths: &'a Paths,
    reports: Vec<Box<dyn ProbeReport>>,
    resume: Option<&'a Path>,
    stats: bool,
    interrupted: Arc<AtomicBool>,
    runs: Vec<RunOutcome>,
    baseline: Option<Baseline>,
    /// What the models said so far, where several run the same suites.
    peers: Peers,
    /// How each of them was loaded.
    loaded: Vec<LoadOptions>,
    /// Where the first one's distributions are compared with the others'.
    sequences: Vec<Sequence>,
}

impl ProbeSession<'_> {
    fn run(
        mut self,
        groups: Vec<(Option<String>, Vec<Suite>)>,
        earlier: Vec<Results>,
    ) -> Result<u8, Failure> {
        let (mut failure, mut closed) = (None, false);
        let several = !self.settings.other_models.is_empty();
        let models = groups.len();
        for (place, (model, suites)) in groups.into_iter().enumerate() {
            self.peers.more = several && place + 1 < models;
            let settings = Settings {
                model: model.unwrap_or_else(|| self.settings.model.clone()),
                ..self.settings.clone()
            };
            match self.one_model(&settings, suites, &earlier) {
                Ok(ProbeEnded::Whole) => {}
                Ok(ProbeEnded::Closed) => {
                    closed = true;
                    break;
                }
                Ok(ProbeEnded::Stopped) => break,
                Ok(ProbeEnded::Failed(error)) => {
                    failure = Some(Failure::from(error));
                    break;
                }
                // Nothing has run, and nothing is to be written.
                Err(failure) if self.runs.is_empty() => return Err(failure),
                Err(error) => {
                    let missing =
                        RunOutcome { model: settings.model, interrupted: true, ..Default::default() };
                    self.runs.push(missing);
                    failure = Some(error);
                    break;
                }
            }
        }
        let mut comparisons = Vec::new();
        if failure.is_none() && !closed && !self.runs.iter().any(|run| run.interrupted) {
            match self.compare(several) {
                Ok(all) => comparisons = all,
                Err(error) => failure = Some(error),
            }
        }
        // Every one of them: that nobody reads the first is no loss of the second.
        let finished = self.reports.iter_mut().map(|report| report.finish(&self.runs, &comparisons));
        let written = finished.fold(Ok(()), Result::and);
        self.tell_cost();
        let worse = comparisons.iter().any(|comparison| !comparison.regressions.is_empty());
        match (failure, written) {
            (Some(failure), _) => Err(failure),
            (None, Err(error)) if !is_closed_pipe(&error) => Err(unwritable(&error)),
            _ if closed => Ok(OK),
            _ if self.runs.iter().any(|run| run.interrupted) => Ok(INTERRUPTED),
            _ if worse || self.runs.iter().any(RunOutcome::failed) => Ok(DIFFERS),
            _ => Ok(OK),
        }
    }

    /// Each model beside the first one, and each beside its earlier run.
    fn compare(&self, several: bool) -> Result<Vec<Comparison>, Failure> {
        let mut comparisons = Vec::new();
        if let (true, Some((first, others))) = (several, self.runs.split_first()) {
            let cancel = CancelFlag::from(Arc::clone(&self.interrupted));
            for (other, options) in others.iter().zip(self.loaded.iter().skip(1)) {
                let mut comparison = Comparison::new(first, other);
                comparison.divergence = divergence(&self.loaded[0], options, &self.sequences, &cancel)?;
                comparisons.push(comparison);
            }
        }
        if let Some(baseline) = &self.baseline {
            let before = comparisons.len();
            for (run, options) in self.runs.iter().zip(&self.loaded) {
                let weights = options.about.weights.weights.name();
                if let Some(line) = baseline.other_weights(run, weights) {
                    say::tell(&line);
                }
                comparisons.extend(baseline.compare(run, weights));
            }
            if comparisons.len() == before {
                return Err(Failure::usage(baseline.unlike()));
            }
        }
        Ok(comparisons)
    }

    fn one_model(
        &mut self,
        settings: &Settings,
        suites: Vec<Suite>,
        earlier: &[Results],
    ) -> Result<ProbeEnded, Failure> {
        let mut running = Running::load(settings, self.paths, &self.interrupted)?;
        running.client.intervene(settings.interventions());
        if !settings.quiet {
            say::plain(&running.origin.header());
        }
        let known = match self.resume {
            Some(path) => results::of_model(earlier.to_vec(), &running.origin, path)?,
            None => Vec::new(),
        };
        let cancel = CancelFlag::from(Arc::clone(&self.interrupted));
        let mut run = ProbeRun::new(suites, Arc::clone(&running.model), settings.bos, cancel, known)?;
        run.join(std::mem::take(&mut self.peers));
        let bar = WorkBar::new("probing", "answers", run.progress().total, settings.quiet);
        let subject = ReportSubject { origin: &running.origin, model: &running.model };
        let reports = &mut self.reports;
        let mut written = reports.iter_mut().try_for_each(|report| report.begin(subject));
        let outcome = drive(&mut running.client, &mut run, |run, completed| {
            bar.set(run.progress().done);
            if written.is_ok() && !completed.is_empty() {
                written = bar.aside(|| tell(reports, subject, run, completed));
            }
            if written.is_err() {
                run.cancel();
            }
        });
        drop(bar);
        let cut = run.current();
        if let (Some(suite), Ok(())) = (cut, &written) {
            // What is known of the suite that was not finished.
            let suite = run.conclude(suite);
            written = reports.iter_mut().try_for_each(|report| report.suite(subject, suite));
        }
        self.peers = run.leave();
        // Models are compared over the whole vocabulary as they are.
        let as_they_are = settings.interventions().is_empty();
        if self.loaded.is_empty() && !self.settings.other_models.is_empty() && as_they_are {
            self.sequences = run.sequences(MOST_TOKENS);
        }
        self.loaded.push(running.options);
        // One model at a time.
        running.client.shut_down(PATIENCE);
        self.runs.push(run.into_outcome());
        match (written, outcome) {
            (Err(error), _) if is_closed_pipe(&error) => Ok(ProbeEnded::Closed),
            (Err(error), _) => Err(unwritable(&error)),
            (Ok(()), Err(error)) => Ok(ProbeEnded::Failed(error)),
            (Ok(()), Ok(())) if self.runs.last().is_some_and(|run| run.interrupted) => {
                Ok(ProbeEnded::Stopped)
            }
            (Ok(()), Ok(())) => Ok(ProbeEnded::Whole),
        }
    }

    fn tell_cost(&self) {
        if !self.stats {
            return;
        }
        let mut cost = Cost::default();
        for run in &self.runs {
            cost.computed += run.cost.computed;
            cost.naive += run.cost.naive;
            cost.sequences += run.cost.sequences;
            cost.generated += run.cost.generated;
            cost.seconds += run.cost.seconds;
        }
        eprintln!(
            "{} tokens computed, {} naive ({:.3}) · {} sequences · {} tokens generated · {:.2} s in the engine · {:.1} sequences/s",
            cost.computed,
            cost.naive,
            cost.computed as f64 / cost.naive.max(1) as f64,
            cost.sequences,
            cost.generated,
            cost.seconds,
            cost.sequences as f64 / cost.seconds.max(1e-9),
        );
    }
}

/// How the run of one model ended.
enum ProbeEnded {
    Whole,
    Stopped,
    /// Nobody reads any more.
    Closed,
    Failed(EngineError),
}

fn unwritable(error: &io::Error) -> Failure {
    Failure::usage(format!("a report can't be written: {error}"))
}

fn tell(
    reports: &mut [Box<dyn ProbeReport>],
    subject: ReportSubject,
    run: &ProbeRun,
    completed: &[Completed],
) -> io::Result<()> {
    for completed in completed {
        for report in &mut *reports {
            match *completed {
                Completed::Item(suite, item) => report.item(subject, &run.suite(suite).items[item])?,
                Completed::Suite(suite) => report.suite(subject, run.suite(suite))?,
            }
        }
    }
    Ok(())
}
