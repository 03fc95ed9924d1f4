//! Comparisons in JUnit XML: an earlier run as a test suite, another model as properties.

use super::{Remark, TestCase, TestSuite};
use crate::probe::compare::{Comparison, Difference, SuiteComparison};
use crate::report::probe::digest::{self, plain};

/// A case for each figure that may not become worse; the one that did has failed.
pub fn test_suite(comparison: &Comparison) -> TestSuite {
    let cases = comparison.suites.iter().flat_map(|suite| {
        suite.figures.iter().filter_map(move |found| Some(test_case(suite, found, found.regressed?)))
    });
    let tolerance = comparison.tolerance.map(|allowed| ("tolerance".to_string(), allowed.to_string()));
    TestSuite {
        name: format!("{} against {}", comparison.other, comparison.first),
        properties: Some(tolerance.into_iter().collect()),
        cases: cases.collect(),
    }
}

fn test_case(suite: &SuiteComparison, found: &Difference, worse: bool) -> TestCase {
    let mut text = format!("difference {} over {} items", digest::difference(found), found.items);
    for turn in digest::turns(suite, plain) {
        text.push_str(&format!("\n{turn}"));
    }
    let sentence = found.sentence();
    let remark = match worse {
        true => Remark { element: "failure", why: Some(("regression", sentence)), text },
        false => Remark { element: "system-out", why: None, text: format!("{sentence}\n{text}") },
    };
    TestCase { name: format!("{}: {}", suite.suite, found.figure.name()), remark: Some(remark) }
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
