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
use super::ending::{ResultCounts, Told};
use super::out::ReportOutput;
use crate::probe::compare::Comparison;
use crate::probe::outcome::{ItemOutcome, SuiteOutcome};
use crate::probe::verdict::Verdict;
use crate::token::{Vocab, printable};

/// Candidates shown of a distribution.
const TOP: usize = 10;

type Xml<'a> = Writer<&'a mut ReportOutput>;

/// What a suite adds up to.
#[derive(Clone, Copy, Default)]
struct Count {
    tests: usize,
    failures: usize,
    skipped: usize,
}

/// Writes it.
///
/// # Errors
/// Those of the writer.
pub fn write(results: &ResultCounts, out: &mut ReportOutput) -> io::Result<()> {
    let suites = results.runs.iter().flat_map(|told| &told.run.suites).map(count);
    let compared = baselines(results).map(against::count);
    let all = suites.chain(compared).fold(Count::default(), |sum, one| Count {
        tests: sum.tests + one.tests,
        failures: sum.failures + one.failures,
        skipped: sum.skipped + one.skipped,
    });
    let stopped = usize::from(results.partial);
    let mut xml = Writer::new_with_indent(out, b' ', 2);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    xml.create_element("testsuites")
        .with_attribute(("name", "tokenscope probe"))
        .with_attribute(("tests", (all.tests + stopped).to_string().as_str()))
        .with_attribute(("failures", all.failures.to_string().as_str()))
        .with_attribute(("errors", stopped.to_string().as_str()))
        .write_inner_content(|xml| {
            for told in &results.runs {
                told.run.suites.iter().try_for_each(|suite| test_suite(xml, told, suite, results))?;
            }
            baselines(results).try_for_each(|comparison| against::test_suite(xml, comparison))?;
            if results.partial { missing(xml) } else { Ok(()) }
        })?;
    xml.get_mut().write_all(b"\n")
}

fn baselines<'a>(results: &ResultCounts<'a>) -> impl Iterator<Item = &'a Comparison> {
    results.comparisons.iter().filter(|comparison| comparison.baseline)
}

fn count(suite: &SuiteOutcome) -> Count {
    let limits = suite.limits.iter().filter(|limit| !limit.passed).count();
    let failed = digest::failed_items(suite).count() + limits;
    let tests = suite.items.len() + suite.limits.len();
    match suite.informational {
        true => Count { tests, failures: 0, skipped: failed },
        false => Count { tests, failures: failed, skipped: 0 },
    }
}

fn test_suite(xml: &mut Xml, told: &Told, suite: &SuiteOutcome, results: &ResultCounts) -> io::Result<()> {
    let count = count(suite);
    let name = match results.runs.len() {
        1 => suite.name.clone(),
        _ => format!("{}: {}", told.origin.model, suite.name),
    };
    xml.create_element("testsuite")
        .with_attribute(("name", line(&name).as_str()))
        .with_attribute(("tests", count.tests.to_string().as_str()))
        .with_attribute(("failures", count.failures.to_string().as_str()))
        .with_attribute(("errors", "0"))
        .with_attribute(("skipped", count.skipped.to_string().as_str()))
        .write_inner_content(|xml| {
            properties(xml, &facts(told, suite, results))?;
            for item in &suite.items {
                test_case(xml, &name, suite, item, told.vocab)?;
            }
            suite.limits.iter().try_for_each(|limit| limit_case(xml, &name, suite, limit))
        })?;
    Ok(())
}

/// What is known of a suite as a whole.
fn facts(told: &Told, suite: &SuiteOutcome, results: &ResultCounts) -> Vec<(String, String)> {
    let mut pairs = vec![("model".to_string(), told.origin.model.clone())];
    let known = digest::provenance(told.origin).into_iter();
    pairs.extend(known.map(|(name, value)| (name.to_string(), value.unwrap_or("unknown".to_string()))));
    pairs.push(("partial".to_string(), results.partial.to_string()));
    pairs.push(("informational".to_string(), suite.informational.to_string()));
    pairs.extend(suite.claim.iter().map(|claim| ("claim".to_string(), claim.clone())));
    let figures = suite.metrics.iter().filter_map(|(name, value)| Some((name, (*value)?)));
    pairs.extend(figures.map(|(name, value)| (format!("figure.{name}"), value.to_string())));
    let others = results.comparisons.iter().filter(|comparison| !comparison.baseline);
    let others = others.filter(|comparison| comparison.other == told.run.model);
    pairs.extend(others.flat_map(|comparison| against::facts(comparison, &suite.name)));
    pairs
}

fn properties(xml: &mut Xml, pairs: &[(String, String)]) -> io::Result<()> {
    xml.create_element("properties").write_inner_content(|xml| {
        pairs.iter().try_for_each(|(name, value)| {
            xml.create_element("property")
                .with_attribute(("name", line(name).as_str()))
                .with_attribute(("value", line(value).as_str()))
                .write_empty()?;
            Ok(())
        })
    })?;
    Ok(())
}

fn test_case(
    xml: &mut Xml,
    class: &str,
    suite: &SuiteOutcome,
    item: &ItemOutcome,
    vocab: &Vocab,
) -> io::Result<()> {
    let unmet: Vec<&Verdict> = digest::unmet(item).collect();
    let case = case(xml, class, &item.id);
    if unmet.is_empty() {
        return match remarks(item) {
            None => case.write_empty().map(|_| ()),
            Some(remarks) => case.write_inner_content(|xml| output(xml, &remarks)).map(|_| ()),
        };
    }
    let message = unmet.iter().map(|verdict| sentence(verdict)).collect::<Vec<_>>().join("; ");
    let body = details(item, &unmet, vocab);
    case.write_inner_content(|xml| outcome(xml, suite.informational, &message, &body))?;
    Ok(())
}

fn limit_case(xml: &mut Xml, class: &str, suite: &SuiteOutcome, limit: &Verdict) -> io::Result<()> {
    let case = case(xml, class, &limit.text);
    if limit.passed {
        return case.write_empty().map(|_| ());
    }
    let message = sentence(limit);
    case.write_inner_content(|xml| outcome(xml, suite.informational, &message, &message))?;
    Ok(())
}

/// Stands for what a stopped run did not come to, so that nobody takes its results for all.
fn missing(xml: &mut Xml) -> io::Result<()> {
    xml.create_element("testsuite")
        .with_attributes([("name", "the run as a whole"), ("tests", "1"), ("failures", "0"), ("errors", "1")])
        .write_inner_content(|xml| {
            case(xml, "the run as a whole", "it came to its end").write_inner_content(|xml| {
                xml.create_element("error")
                    .with_attributes([("type", "partial"), ("message", digest::PARTIAL)])
                    .write_empty()?;
                Ok(())
            })?;
            Ok(())
        })?;
    Ok(())
}

fn case<'a, 'o>(
    xml: &'a mut Xml<'o>,
    class: &str,
    name: &str,
) -> quick_xml::writer::ElementWriter<'a, &'o mut ReportOutput> {
    xml.create_element("testcase")
        .with_attribute(("classname", line(class).as_str()))
        .with_attribute(("name", line(name).as_str()))
}

fn outcome(xml: &mut Xml, informational: bool, message: &str, body: &str) -> io::Result<()> {
    let (element, message) = match informational {
        true => ("skipped", format!("informational: {message}")),
        false => ("failure", message.to_string()),
    };
    xml.create_element(element)
        .with_attribute(("type", "expectation"))
        .with_attribute(("message", line(&message).as_str()))
        .write_text_content(BytesText::new(&lines(body)))?;
    Ok(())
}

fn output(xml: &mut Xml, text: &str) -> io::Result<()> {
    xml.create_element("system-out").write_text_content(BytesText::new(&lines(text)))?;
    Ok(())
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
fn remarks(item: &ItemOutcome) -> Option<String> {
    let mut remarks: Vec<String> = item.notes.clone();
    if item.passed == Some(false) {
        remarks.insert(0, "not passed, and nothing was expected of it".to_string());
    }
    (!remarks.is_empty()).then(|| remarks.join("\n"))
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
