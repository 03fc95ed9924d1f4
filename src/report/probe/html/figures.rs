//! Which plots a page shows: ladders, sweeps of temperature, many probabilities, calibration.

use indexmap::IndexMap;
use minijinja::{Value, context};

use crate::probe::outcome::{ItemOutcome, SuiteOutcome};
use crate::probe::rungs::{Ladder, ladders};
use crate::probe::stats::Share;
use crate::report::html::plot::{self, Chart, Point, percent};
use crate::report::probe::digest::{self, head, plain};

/// Parts of a histogram.
const PARTS: usize = 20;
/// From this many items a histogram says more than their rows.
const MANY: usize = 30;
/// From this many items with choices a reliability diagram means something.
const ENOUGH: usize = 20;
/// Ladders that are drawn for each probe of two parameters.
const LADDERS: usize = 12;
/// Sweeps that are drawn for each suite; the others are in their rows.
const SWEEPS: usize = 12;

/// The plots of a suite.
pub fn of_suite(suite: &SuiteOutcome) -> Vec<Value> {
    let mut probes: IndexMap<&str, Vec<&ItemOutcome>> = IndexMap::new();
    for item in &suite.items {
        probes.entry(&item.probe).or_default().push(item);
    }
    let climbed = probes.iter().flat_map(|(probe, items)| {
        let all = ladders(probe, items).into_iter().take(LADDERS);
        all.filter_map(|ladder| self::climbed(&ladder))
    });
    let sweeps = suite.items.iter().filter_map(sweep).take(SWEEPS);
    climbed.chain(sweeps).chain(spread(suite)).collect()
}

/// The probability of what is right, over the number in the ids of a probe's cases.
fn climbed(ladder: &Ladder) -> Option<Value> {
    let chances: Vec<_> =
        ladder.rungs.iter().filter_map(|(x, item)| Some((*x, *item, digest::chance(item)?))).collect();
    if chances.len() < 3 {
        return None;
    }
    let points = chances.iter().map(|(x, item, chance)| Point {
        x: *x,
        y: chance.p,
        range: chance.range,
        passed: item.passed,
        label: format!("{}: {:.4}", plain(&item.id), chance.p),
    });
    let rows = chances.iter().map(|(x, item, chance)| {
        vec![x.to_string(), format!("{:.4}", chance.p), verdict(item.passed).to_string()]
    });
    let title = head(&plain(&ladder.name), 60);
    let guide = chances.first().and_then(|(_, _, chance)| chance.guess);
    let chart = Chart {
        title: format!("{title}: probability over the parameter"),
        x_label: "parameter".to_string(),
        y_label: if guide.is_some() { "share of the right choice" } else { "p of the target" }.to_string(),
        points: points.collect(),
        guide,
        diagonal: false,
        open: false,
    };
    Some(context! {
        title,
        note => guide.map_or(String::new(), |guess| format!("dashed: a guess, {}", percent(guess))),
        plot => chart.draw(),
        head => ["parameter", "p", "outcome"],
        rows => rows.collect::<Vec<_>>(),
    })
}

fn verdict(passed: Option<bool>) -> &'static str {
    match passed {
        Some(true) => "passed",
        Some(false) => "did not pass",
        None => "–",
    }
}

/// How often samples match, over their temperature.
fn sweep(item: &ItemOutcome) -> Option<Value> {
    let known: Vec<_> = item
        .samples
        .iter()
        .filter_map(|sample| Some((sample.temperature, Share { hits: sample.matched?, n: sample.n })))
        .collect();
    if known.len() < 2 {
        return None;
    }
    let point = |(x, share): &(f32, Share)| Point {
        x: f64::from(*x),
        y: share.share(),
        range: Some(share.interval()),
        passed: None,
        label: format!("temperature {x}: {} of {}", share.hits, share.n),
    };
    let title = head(&plain(&item.id), 60);
    let chart = Chart {
        title: format!("{title}: matching samples over the temperature"),
        x_label: "temperature".to_string(),
        y_label: "share of samples that match".to_string(),
        points: known.iter().map(point).collect(),
        guide: None,
        diagonal: false,
        open: false,
    };
    Some(context! {
        title,
        note => "with 95 % intervals",
        plot => chart.draw(),
        head => ["temperature", "match", "share", "95 % interval"],
        rows => known.iter().map(|(x, share)| shared(x.to_string(), *share)).collect::<Vec<_>>(),
    })
}

fn shared(name: String, share: Share) -> Vec<String> {
    let (low, high) = share.interval();
    let interval = format!("{:.1} to {:.1}", low * 100.0, high * 100.0);
    vec![name, format!("{} of {}", share.hits, share.n), percent(share.share()), interval]
}

/// How probable what is right is, where there are many items.
fn spread(suite: &SuiteOutcome) -> Option<Value> {
    let chances: Vec<f64> = suite.items.iter().filter_map(digest::chance).map(|chance| chance.p).collect();
    if chances.len() < MANY {
        return None;
    }
    let mut counts = vec![0; PARTS];
    for chance in &chances {
        counts[((chance * PARTS as f64) as usize).min(PARTS - 1)] += 1;
    }
    let title = "Probability of what is right, over all items";
    let row = |(i, count): (usize, &usize)| {
        let part = |i: usize| format!("{:.2}", i as f64 / PARTS as f64);
        vec![format!("{} to {}", part(i), part(i + 1)), count.to_string()]
    };
    Some(context! {
        title,
        note => format!("{} items", chances.len()),
        plot => plot::histogram(title, "probability", &counts),
        head => ["p", "items"],
        rows => counts.iter().enumerate().filter(|(_, count)| **count > 0).map(row).collect::<Vec<_>>(),
    })
}

/// How often the best choice is right, over how sure the model is of it.
pub fn calibration<'a>(items: impl IntoIterator<Item = &'a ItemOutcome>) -> Option<Value> {
    let bins = digest::calibration(items)?;
    if bins.iter().map(|bin| bin.n).sum::<usize>() < ENOUGH {
        return None;
    }
    let known = bins.iter().enumerate().filter(|(_, bin)| bin.n > 0);
    let known: Vec<(usize, &digest::Bin, Share)> =
        known.map(|(i, bin)| (i, bin, Share { hits: bin.right, n: bin.n })).collect();
    let points = known.iter().map(|(_, bin, share)| Point {
        x: bin.confidence,
        y: share.share(),
        range: Some(share.interval()),
        passed: None,
        label: format!("sure to {}: {} of {} right", percent(bin.confidence), share.hits, share.n),
    });
    let chart = Chart {
        title: "Reliability: how often the best choice is right, over its share of probability".to_string(),
        x_label: "share of the best choice".to_string(),
        y_label: "share of items where it is right".to_string(),
        points: points.collect(),
        guide: None,
        diagonal: true,
        open: false,
    };
    let row = |(i, bin, share): &(usize, &digest::Bin, Share)| {
        let mut cells = vec![format!("{}0 to {}0 %", i, i + 1), percent(bin.confidence)];
        cells.extend(shared(String::new(), *share).into_iter().skip(1));
        cells
    };
    Some(context! {
        title => "Reliability",
        note => "all items with choices and an answer; dashed: as often right as sure; with 95 % intervals",
        plot => chart.draw(),
        head => ["confidence", "mean", "right", "share", "95 % interval"],
        rows => known.iter().map(row).collect::<Vec<_>>(),
    })
}
