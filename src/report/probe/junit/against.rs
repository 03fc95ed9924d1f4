//! Comparisons in JUnit XML: an earlier run as a test suite, another model as properties.

use std::io;

use super::{Count, Xml, case, line, lines, properties};
use crate::probe::compare::{Comparison, Difference, SuiteComparison};
use crate::report::probe::digest::{self, plain};

use quick_xml::events::BytesText;

/// The figures of a comparison that may not become worse.
fn judged(comparison: &Comparison) -> impl Iterator<Item = (&SuiteComparison, &Difference, bool)> {
    comparison.suites.iter().flat_map(|suite| {
        suite.figures.iter().filter_map(move |figure| Some((suite, figure, figure.regressed?)))
    })
}

/// What the test suite of an earlier run adds up to.
pub fn count(comparison: &Comparison) -> Count {
    let judged: Vec<bool> = judged(comparison).map(|(_, _, worse)| worse).collect();
    let failures = judged.iter().filter(|worse| **worse).count();
    Count { tests: judged.len(), failures, skipped: 0 }
}

/// A case for each figure that may not become worse; the one that did has failed.
pub fn test_suite(xml: &mut Xml, comparison: &Comparison) -> io::Result<()> {
    let Count { tests, failures, .. } = count(comparison);
    let name = format!("{} against {}", comparison.other, comparison.first);
    xml.create_element("testsuite")
        .with_attribute(("name", line(&name).as_str()))
        .with_attribute(("tests", tests.to_string().as_str()))
        .with_attribute(("failures", failures.to_string().as_str()))
        .with_attribute(("errors", "0"))
        .with_attribute(("skipped", "0"))
        .write_inner_content(|xml| {
            let tolerance =
                comparison.tolerance.map(|allowed| ("tolerance".to_string(), allowed.to_string()));
            properties(xml, &tolerance.into_iter().collect::<Vec<_>>())?;
            judged(comparison).try_for_each(|judged| test_case(xml, &name, judged))
        })?;
    Ok(())
}

fn test_case(
    xml: &mut Xml,
    class: &str,
    (suite, found, worse): (&SuiteComparison, &Difference, bool),
) -> io::Result<()> {
    let case = case(xml, class, &format!("{}: {}", suite.suite, found.figure.name()));
    let mut body = format!("difference {} over {} items", digest::difference(found), found.items);
    for turn in digest::turns(suite, plain) {
        body.push_str(&format!("\n{turn}"));
    }
    let text = |body: &str| BytesText::new(&lines(body)).into_owned();
    case.write_inner_content(|xml| {
        match worse {
            true => xml
                .create_element("failure")
                .with_attribute(("type", "regression"))
                .with_attribute(("message", found.sentence().as_str()))
                .write_text_content(text(&body))?,
            false => xml
                .create_element("system-out")
                .write_text_content(text(&format!("{}\n{body}", found.sentence())))?,
        };
        Ok(())
    })?;
    Ok(())
}

/// How a suite's figures differ from the first model's, as names and values.
pub fn facts(comparison: &Comparison, suite: &str) -> Vec<(String, String)> {
    let Some(suite) = comparison.suites.iter().find(|found| found.suite == suite) else { return Vec::new() };
    let mut facts = vec![("difference.from".to_string(), comparison.first.clone())];
    for found in &suite.figures {
        let name = format!("difference.{}", found.figure.name());
        let ends = [("low", found.low), ("high", found.high)];
        let ends = ends.into_iter().filter_map(|(end, value)| Some((format!("{name}.{end}"), value?)));
        let values = [(name.clone(), found.difference)].into_iter().chain(ends);
        facts.extend(values.map(|(name, value)| (name, value.to_string())));
    }
    let far = comparison.divergence.iter().map(|far| ("kl_nats_per_token".to_string(), far.nats.to_string()));
    facts.extend(far);
    facts
}
