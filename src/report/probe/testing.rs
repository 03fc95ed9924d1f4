//! Results for the tests of the reports, with texts that are out to break them.

use std::sync::Arc;

use super::{ProbeReport, ReportKind, ReportSubject, Target, open};
use crate::continuation::reduction::{Best, ChoiceRecord};
use crate::engine::testing::Scripted;
use crate::engine::{Event, ModelInfo};
use crate::probe::compare::Comparison;
use crate::probe::outcome::{
    ItemOutcome, PhrasingOutcome, RunOutcome, SampleOutcome, SuiteOutcome, TargetOutcome,
};
use crate::probe::question::Gold;
use crate::probe::verdict::Verdict;
use crate::report::out::ReportOutput;
use crate::report::record::Origin;
use crate::settings::{ConfigFile, Flags, SamplingFlags, Settings};
use crate::step::Candidate;
use crate::token::TokenId;

/// Markup of every kind, quotes, control characters, and what XML cannot hold.
pub const HOSTILE: &str = "</script><script>alert(1)</script>\u{1b}[2J\0\u{FFFE}\u{202E}]]>&amp;\"' ``|![x](http://x) @all\r\n=1+1,北京";

/// A model that answers from a script.
pub fn model() -> Arc<ModelInfo> {
    match Scripted::new([]).ready() {
        Event::Ready(info) => info,
        _ => unreachable!(),
    }
}

/// Where the numbers come from.
pub fn origin(model: &ModelInfo) -> Origin {
    let settings = Settings::from_layers(
        crate::sampling::Sampling::chat(),
        &ConfigFile::default(),
        &Flags::default(),
        &SamplingFlags::default(),
    );
    Origin::new(model, &settings.unwrap(), Some("abc123".to_string()))
}

/// An item with two choices, of which the first is right, with this much of the probability.
pub fn item(suite: &str, id: &str, share: f64) -> ItemOutcome {
    let choice = |text: &str, p: f64| ChoiceRecord {
        text: text.to_string(),
        sum_logprob: Some(p.ln()),
        logprob_per_char: None,
        logprob_per_byte: None,
        logprob_per_token: None,
        pmi: None,
        is_greedy: false,
    };
    ItemOutcome {
        suite: suite.to_string(),
        id: id.to_string(),
        probe: id.to_string(),
        prompt: "What?".to_string(),
        choices: vec![choice("right", share), choice("wrong", 1.0 - share)],
        answer: Gold::One(0),
        best: Best { acc: Some(usize::from(share < 0.5)), ..Best::default() },
        passed: Some(share > 0.5),
        ..ItemOutcome::default()
    }
}

/// A case of `gap-{{ n }}`.
pub fn rung(n: usize, share: f64) -> ItemOutcome {
    ItemOutcome { probe: "gap-{{ n }}".to_string(), ..item("hostile", &format!("gap-{n}"), share) }
}

/// A suite with something of every kind, everything that is text hostile.
fn suite() -> SuiteOutcome {
    let failed = Verdict {
        text: format!("p('{HOSTILE}') > 0.5"),
        passed: false,
        informational: false,
        found: HOSTILE.to_string(),
    };
    let mut broken = item(HOSTILE, HOSTILE, 0.25);
    broken.prompt = HOSTILE.to_string();
    broken.choices[0].text = HOSTILE.to_string();
    broken.expect = vec![failed.clone()];
    broken.notes = vec![HOSTILE.to_string()];
    broken.top = vec![Candidate { id: TokenId(27), logprob: -0.5, rank: 1, outcome: None }];
    let mut asked = item(HOSTILE, "asked", 0.5);
    asked.choices.clear();
    asked.answer = Gold::None;
    asked.target = Some(TargetOutcome {
        text: HOSTILE.to_string(),
        phrasings: vec![PhrasingOutcome { prompt: HOSTILE.to_string(), logprob: None, p: None }; 2],
        mean: Some(0.5),
        sd: None,
        lowest: Some(0.25),
        highest: Some(0.75),
        spread: Some(0.5),
    });
    let sample = |temperature| SampleOutcome {
        temperature,
        n: 4,
        matched: Some(2),
        prevalence: Some(0.5),
        low: None,
        high: None,
        agreement: None,
        replies: Vec::new(),
    };
    asked.samples = vec![sample(0.5), sample(1.0)];
    let mut items = vec![broken, asked];
    items.extend([1, 2, 10, 11].map(|n| rung(n, 1.0 - n as f64 / 20.0)));
    items.extend((0..20).map(|i| item(HOSTILE, &format!("many-{i}"), 0.05 * f64::from(i) + 0.02)));
    items.iter_mut().enumerate().for_each(|(index, item)| item.index = index);
    SuiteOutcome {
        name: HOSTILE.to_string(),
        title: Some(HOSTILE.to_string()),
        claim: Some(HOSTILE.to_string()),
        lang: Some(HOSTILE.to_string()),
        items,
        metrics: [("acc".to_string(), Some(0.5)), ("acc_stderr".to_string(), None)].into(),
        limits: vec![failed],
        ..SuiteOutcome::default()
    }
}

/// A run of the hostile suite and of the same as an informational one.
pub fn run() -> RunOutcome {
    let gentle = SuiteOutcome { name: "gentle".to_string(), informational: true, ..suite() };
    RunOutcome { model: HOSTILE.to_string(), suites: vec![suite(), gentle], ..RunOutcome::default() }
}

/// What a report of this kind writes into a file.
pub fn written(kind: ReportKind, run: &RunOutcome) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report");
    let mut reports = open(&[Target { kind, file: Some(path.clone()) }], None).unwrap();
    tell(&mut *reports[0], run);
    std::fs::read_to_string(path).unwrap()
}

/// Tells a report a whole run.
pub fn tell(report: &mut dyn ProbeReport, run: &RunOutcome) {
    let model = model();
    let origin = Origin { model: run.model.clone(), ..origin(&model) };
    let subject = ReportSubject { origin: &origin, model: &model };
    report.begin(subject).unwrap();
    for suite in &run.suites {
        suite.items.iter().for_each(|item| report.item(subject, item).unwrap());
        report.suite(subject, suite).unwrap();
    }
    // Beside an earlier run in which more was right, and beside another model.
    let mut earlier = run.clone();
    for item in earlier.suites.iter_mut().flat_map(|suite| &mut suite.items) {
        item.passed = item.passed.map(|_| true);
    }
    let comparisons = [Comparison::with_baseline(&earlier, run, 0.01), Comparison::new(run, run)];
    report.finish(std::slice::from_ref(run), &comparisons).unwrap();
}

/// That no control character but a line break stands in a text.
pub fn assert_harmless(text: &str) {
    let harmful = text.chars().find(|c| (c.is_control() && *c != '\n') || *c == '\u{202E}');
    assert_eq!(harmful, None);
}

/// Fails to be written to.
pub fn unwritable() -> ReportOutput {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    ReportOutput::Plain(Box::new(Full))
}
