//! Probe results as JSON Lines. The names are promises to users.

use std::borrow::Cow;
use std::io::{self, Write};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::ladder::LadderRecord;
use super::probe_report::{ProbeReport, ReportSubject};
use super::results;
use crate::probe::compare::Comparison;
use crate::probe::outcome::{ItemOutcome, RunOutcome, SuiteOutcome, TokenOutcome};
use crate::probe::scale;
use crate::probe::verdict::Verdict;
use crate::report::out::ReportOutput;
use crate::report::output::json_line;
use crate::report::record::{CandidateRecord, Streamed};
use crate::token::{TokenId, Vocab};

/// One item.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProbeItemRecord<'a> {
    /// Everything that needs no vocabulary.
    #[serde(flatten)]
    pub item: Cow<'a, ItemOutcome>,
    /// Named texts, as `next` reports them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<ProbeTokenRecord>,
    /// What was expected after the prompt, where an expectation failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub top_logprobs: Vec<CandidateRecord>,
}

/// A named text after the prompt.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProbeTokenRecord {
    pub text: String,
    /// Its tokens there.
    pub ids: Vec<TokenId>,
    /// Σ ln p.
    pub logprob: Option<f64>,
    /// Its first token alone.
    pub first: Option<CandidateRecord>,
}

/// The end of a suite.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SuiteRecord<'a> {
    /// Its name.
    pub suite: Cow<'a, str>,
    /// Items that are known.
    pub items: usize,
    /// Items that passed.
    pub passed: usize,
    /// Items that did not.
    pub failed: usize,
    /// Those among them that could not be scored; no other figure counts them.
    #[serde(default, skip_serializing_if = "is_none")]
    pub unscored: usize,
    /// Its figures.
    pub metrics: Cow<'a, IndexMap<String, Option<f64>>>,
    /// What its figures had to be.
    #[serde(default, skip_serializing_if = "<[Verdict]>::is_empty")]
    pub expect: Cow<'a, [Verdict]>,
    /// It reports and never fails.
    pub informational: bool,
}

fn is_none(count: &usize) -> bool {
    *count == 0
}

impl<'a> ProbeItemRecord<'a> {
    /// The record of an item.
    pub fn new(item: &'a ItemOutcome, vocab: &Vocab) -> ProbeItemRecord<'a> {
        let token = |token: &TokenOutcome| ProbeTokenRecord {
            text: token.text.clone(),
            ids: token.ids.clone(),
            logprob: token.logprob,
            first: token.first.as_ref().map(|first| CandidateRecord::new(first, vocab)),
        };
        ProbeItemRecord {
            item: Cow::Borrowed(item),
            tokens: item.tokens.iter().map(token).collect(),
            top_logprobs: item
                .top
                .iter()
                .map(|candidate| CandidateRecord::new(&(*candidate).into(), vocab))
                .collect(),
        }
    }

    /// The item of a record.
    pub fn into_item(self) -> ItemOutcome {
        let token = |record: ProbeTokenRecord| TokenOutcome {
            text: record.text,
            ids: record.ids,
            logprob: record.logprob,
            first: record.first.map(CandidateRecord::into_token),
        };
        ItemOutcome {
            tokens: self.tokens.into_iter().map(token).collect(),
            top: self.top_logprobs.into_iter().filter_map(CandidateRecord::into_candidate).collect(),
            ..self.item.into_owned()
        }
    }
}

impl<'a> SuiteRecord<'a> {
    /// The record of a suite.
    pub fn new(suite: &'a SuiteOutcome) -> SuiteRecord<'a> {
        SuiteRecord {
            suite: Cow::Borrowed(&suite.name),
            items: suite.items.len(),
            passed: suite.passed(),
            failed: suite.missed(),
            unscored: suite.unscored(),
            metrics: Cow::Borrowed(&suite.metrics),
            expect: Cow::Borrowed(&suite.limits),
            informational: suite.informational,
        }
    }
}

/// Writes a line for every item and every suite.
pub struct Jsonl {
    out: ReportOutput,
    /// The model that the last record was about.
    model: Option<String>,
    /// Whether rows of the file that is written stay, where nothing replaces them.
    carries: bool,
}

impl Jsonl {
    /// A report that goes here, and whether it completes what is there.
    pub fn new(out: ReportOutput, carries: bool) -> Jsonl {
        Jsonl { out, model: None, carries }
    }

    fn write<T: Serialize>(
        &mut self,
        subject: ReportSubject,
        kind: &'static str,
        record: T,
    ) -> io::Result<()> {
        let model = &subject.origin.model;
        let first = self.model.as_ref() != Some(model);
        self.model = Some(model.clone());
        let origin = first.then_some(subject.origin);
        json_line(&mut self.out, &Streamed { kind, message: None, origin, record })?;
        self.out.flush()
    }
}

impl ProbeReport for Jsonl {
    fn item(&mut self, subject: ReportSubject, item: &ItemOutcome) -> io::Result<()> {
        self.write(subject, "item", ProbeItemRecord::new(item, &subject.model.vocab))
    }

    fn suite(&mut self, subject: ReportSubject, suite: &SuiteOutcome) -> io::Result<()> {
        self.write(subject, "summary", SuiteRecord::new(suite))
    }

    fn finish(&mut self, runs: &[RunOutcome], comparisons: &[Comparison]) -> io::Result<()> {
        if self.carries && self.model.is_some() {
            let before = String::from_utf8_lossy(&self.out.before()?).into_owned();
            for row in results::carried(&before, runs) {
                writeln!(self.out, "{row}")?;
            }
        }
        for record in comparisons {
            let streamed = Streamed { kind: "comparison", message: None, origin: None, record };
            json_line(&mut self.out, &streamed)?;
        }
        // One model alone has its figures in its items.
        let ladders = if runs.len() > 1 { scale::ladders(runs) } else { Vec::new() };
        for record in ladders.iter().map(LadderRecord::new) {
            let streamed = Streamed { kind: "ladder", message: None, origin: None, record };
            json_line(&mut self.out, &streamed)?;
        }
        self.out.keep()
    }
}
