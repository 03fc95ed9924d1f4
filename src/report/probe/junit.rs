//! Probe results as JUnit XML, as far as all readers of it agree: a test suite for each suite, a test
//! case for each item and for each limit of the suite.
//!
//! A test case fails exactly where an expectation failed that decides about the exit code. One that
//! failed in an informational suite is skipped, with the reason; a wrong answer that nobody made an
//! expectation of is told in the output of a case that passed. A comparison with an earlier run is a test
//! suite with a case for each figure that may not fall; differences between models are properties.

mod against;

use std::io::{self, Write};

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::digest::{self, plain};
use super::ending::{ModelResults, ResultCounts};
use crate::probe::outcome::{ItemOutcome, SuiteOutcome};
use crate::probe::verdict::Verdict;
use crate::report::out::ReportOutput;
use crate::token::{Vocab, printable};

/// Candidates shown of a distribution.
const TOP: usize = 10;

type Xml<'a> = Writer<&'a mut ReportOutput>;

struct TestSuite {
    name: String,
    /// What is known of it as a whole; the run as a whole has none.
    properties: Option<Vec<(String, String)>>,
    cases: Vec<TestCase>,
}

/// A test case, and what is told of it; one of which nothing is told has passed.
struct TestCase {
    name: String,
    remark: Option<Remark>,
}

/// An element inside a test case.
struct Remark {
    element: &'static str,
    /// Its type and message.
    why: Option<(&'static str, String)>,
    text: String,
}

/// Writes it.
///
/// # Errors
/// Those of the writer.
pub fn write(results: &ResultCounts, out: &mut ReportOutput) -> io::Result<()> {
    let runs = results.runs.iter();
    let suites =
        runs.flat_map(|of_model| of_model.run.suites.iter().map(|suite| of_suite(of_model, suite, results)));
    let baselines = results.comparisons.iter().filter(|comparison| comparison.baseline);
    let all = suites.chain(baselines.map(against::test_suite)).chain(results.partial.then(missing));
    let all: Vec<TestSuite> = all.collect();
    let count = |element: &str| all.iter().map(|suite| suite.count(element)).sum::<usize>().to_string();
    let tests: usize = all.iter().map(|suite| suite.cases.len()).sum();
    let mut xml = Writer::new_with_indent(out, b' ', 2);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    xml.create_element("testsuites")
        .with_attribute(("name", "tokenscope probe"))
        .with_attribute(("tests", tests.to_string().as_str()))
        .with_attribute(("failures", count("failure").as_str()))
        .with_attribute(("errors", count("error").as_str()))
        .write_inner_content(|xml| all.iter().try_for_each(|suite| suite.write(xml)))?;
    xml.get_mut().write_all(b"\n")
}

impl TestSuite {
    fn count(&self, element: &str) -> usize {
        self.cases
            .iter()
            .filter_map(|case| case.remark.as_ref())
            .filter(|remark| remark.element == element)
            .count()
    }

    fn write(&self, xml: &mut Xml) -> io::Result<()> {
        let mut suite = xml
            .create_element("testsuite")
            .with_attribute(("name", line(&self.name).as_str()))
            .with_attribute(("tests", self.cases.len().to_string().as_str()));
        for (name, element) in [("failures", "failure"), ("errors", "error"), ("skipped", "skipped")] {
            if name != "skipped" || self.properties.is_some() {
                suite = suite.with_attribute((name, self.count(element).to_string().as_str()));
            }
        }
        suite.write_inner_content(|xml| {
            if let Some(pairs) = &self.properties {
                properties(xml, pairs)?;
            }
            self.cases.iter().try_for_each(|case| case.write(xml, &self.name))
        })?;
        Ok(())
    }
}

fn properties(xml: &mut Xml, pairs: &[(String, String)]) -> io::Result<()> {
    xml.create_element("properties").write_inner_content(|xml| {
        pairs.iter().try_for_each(|(name, value)| {
            let pair = [("name", line(name)), ("value", line(value))];
            xml.create_element("property")
                .with_attributes(pair.iter().map(|(name, value)| (*name, value.as_str())))
                .write_empty()?;
            Ok(())
        })
    })?;
    Ok(())
}

impl TestCase {
    fn write(&self, xml: &mut Xml, class: &str) -> io::Result<()> {
        let case = xml
            .create_element("testcase")
            .with_attribute(("classname", line(class).as_str()))
            .with_attribute(("name", line(&self.name).as_str()));
        let Some(remark) = &self.remark else { return case.write_empty().map(drop) };
        case.write_inner_content(|xml| {
            let mut element = xml.create_element(remark.element);
            if let Some((kind, message)) = &remark.why {
                element = element
                    .with_attribute(("type", *kind))
                    .with_attribute(("message", line(message).as_str()));
            }
            match remark.text.is_empty() {
                true => element.write_empty()?,
                false => element.write_text_content(BytesText::new(&lines(&remark.text)))?,
            };
            Ok(())
        })?;
        Ok(())
    }
}

fn of_suite(of_model: &ModelResults, suite: &SuiteOutcome, results: &ResultCounts) -> TestSuite {
    let name = match results.runs.len() {
        1 => suite.name.clone(),
        _ => format!("{}: {}", of_model.origin.model, suite.name),
    };
    let items = suite.items.iter().map(|item| {
        let unmet: Vec<&Verdict> = digest::unmet(item).collect();
        let remark = match unmet.is_empty() {
            true => remarks(item),
            false => Some(unheld(suite, &unmet, details(item, &unmet, of_model.vocab))),
        };
        TestCase { name: item.id.clone(), remark }
    });
    let limits = suite.limits.iter().map(|limit| {
        let remark = (!limit.passed).then(|| unheld(suite, &[limit], sentence(limit)));
        TestCase { name: limit.text.clone(), remark }
    });
    let cases = items.chain(limits).collect();
    TestSuite { name, properties: Some(facts(of_model, suite, results)), cases }
}

/// What is known of a suite as a whole.
fn facts(of_model: &ModelResults, suite: &SuiteOutcome, results: &ResultCounts) -> Vec<(String, String)> {
    let mut pairs = vec![("model".to_string(), of_model.origin.model.clone())];
    let known = of_model.origin.known().into_iter();
    pairs.extend(known.map(|(name, value)| (name.to_string(), value.unwrap_or("unknown".to_string()))));
    pairs.push(("partial".to_string(), results.partial.to_string()));
    pairs.push(("informational".to_string(), suite.informational.to_string()));
    pairs.extend(suite.claim.iter().map(|claim| ("claim".to_string(), claim.clone())));
    let figures = suite.metrics.iter().filter_map(|(name, value)| Some((name, (*value)?)));
    pairs.extend(figures.map(|(name, value)| (format!("figure.{name}"), value.to_string())));
    let others = results.comparisons.iter().filter(|comparison| !comparison.baseline);
    let others = others.filter(|comparison| comparison.other == of_model.run.model);
    pairs.extend(others.flat_map(|comparison| against::facts(comparison, &suite.name)));
    pairs
}

/// Expectations that do not hold.
fn unheld(suite: &SuiteOutcome, unmet: &[&Verdict], text: String) -> Remark {
    let message = unmet.iter().map(|verdict| sentence(verdict)).collect::<Vec<_>>().join("; ");
    let (element, message) = match suite.informational {
        true => ("skipped", format!("informational: {message}")),
        false => ("failure", message),
    };
    Remark { element, why: Some(("expectation", message)), text }
}

/// Stands for what a stopped run did not come to, so that nobody takes its results for all.
fn missing() -> TestSuite {
    let why = Some(("partial", digest::PARTIAL.to_string()));
    let remark = Some(Remark { element: "error", why, text: String::new() });
    let cases = vec![TestCase { name: "it came to its end".to_string(), remark }];
    TestSuite { name: "the run as a whole".to_string(), properties: None, cases }
}

fn sentence(verdict: &Verdict) -> String {
    format!("expected {}, found {}", plain(&verdict.text), plain(&verdict.found))
}

fn details(item: &ItemOutcome, unmet: &[&Verdict], vocab: &Vocab) -> String {
    let mut text = String::new();
    for verdict in unmet {
        text.push_str(&format!("expected {}\nfound    {}\n", plain(&verdict.text), plain(&verdict.found)));
    }
    let top = digest::after(item, vocab, TOP);
    if !top.is_empty() {
        text.push_str(&format!("after    {}\n", plain(&item.prompt)));
    }
    for (token, p) in top {
        text.push_str(&format!("         {:>5.1} % {token}\n", p * 100.0));
    }
    text
}

/// What is worth telling of an item that did not fail.
fn remarks(item: &ItemOutcome) -> Option<Remark> {
    let wrong =
        (item.passed == Some(false)).then(|| "not passed, and nothing was expected of it".to_string());
    let remarks: Vec<String> = wrong.into_iter().chain(item.notes.iter().cloned()).collect();
    let remark = |text| Remark { element: "system-out", why: None, text };
    (!remarks.is_empty()).then(|| remark(remarks.join("\n")))
}

/// One line that XML can hold.
fn line(text: &str) -> String {
    allowed(&plain(text))
}

/// Text that XML can hold, with its line breaks.
fn lines(text: &str) -> String {
    allowed(&printable(text))
}

/// XML 1.0 has no way to write two characters that text can hold besides the control characters.
fn allowed(text: &str) -> String {
    text.replace('\u{FFFE}', "<U+FFFE>").replace('\u{FFFF}', "<U+FFFF>")
}
