//! Accuracy against difficulty: a figure for each ladder, and one over the models' sizes.

use minijinja::{Value, context};

use crate::probe::outcome::RunOutcome;
use crate::probe::scale::{self, LadderLine, ScaleLadder};
use crate::probe::stats::Share;
use crate::report::html::lines::{LineChart, StepShare, key};
use crate::report::html::plot::percent;
use crate::report::probe::digest::{head, plain};
use crate::report::probe::ending::ResultCounts;
use crate::report::probe::ladder::{named, weights};

/// The figures; none for one model, whose ladders stand with its suites.
pub fn view(results: &ResultCounts) -> Vec<Value> {
    let runs: Vec<RunOutcome> = results.runs.iter().map(|of_model| of_model.run.clone()).collect();
    if runs.len() < 2 {
        return Vec::new();
    }
    let ladders = scale::ladders(&runs);
    ladders.iter().flat_map(|ladder| [Some(figure(ladder)), sizes(ladder)]).flatten().collect()
}

fn figure(ladder: &ScaleLadder) -> Value {
    let title = head(&plain(&ladder.suite), 60);
    let steps: Vec<String> = ladder.rungs.iter().map(|rung| rung.name()).collect();
    let shares = |line: &LadderLine| {
        let shares = line.rungs.iter().zip(&steps);
        shares.map(|(share, step)| step_share(*share, &format!("{}, {step}", plain(&line.model)))).collect()
    };
    let chart = LineChart {
        title: format!("{title}: accuracy over difficulty, a line a model"),
        x_label: "difficulty".to_string(),
        y_label: "accuracy".to_string(),
        lines: ladder.lines.iter().map(shares).collect(),
        steps: steps.clone(),
    };
    let rows = ladder.lines.iter().flat_map(|line| {
        let all = [("all".to_string(), line.all)];
        let rungs = steps.iter().cloned().zip(line.rungs.iter().copied()).chain(all);
        rungs.map(|(step, share)| row([plain(&line.model), step], share))
    });
    context! {
        title,
        note => format!("Difficulty: {}.{}", plain(&ladder.difficulty.definition()), left_out(ladder)),
        plot => chart.draw(),
        legend => legend(ladder),
        head => ["model", "difficulty", "right", "accuracy", "95 % interval"],
        rows => rows.collect::<Vec<_>>(),
    }
}

/// All items, over the size of the models.
fn sizes(ladder: &ScaleLadder) -> Option<Value> {
    let mut lines: Vec<(u64, &LadderLine)> =
        ladder.lines.iter().filter_map(|line| Some((line.parameters?, line))).collect();
    if lines.len() < 2 {
        return None;
    }
    lines.sort_by_key(|(parameters, _)| *parameters);
    let title = format!("{}: all items, over the models' sizes", head(&plain(&ladder.suite), 60));
    let chart = LineChart {
        title: title.clone(),
        x_label: "number of weights".to_string(),
        y_label: "accuracy".to_string(),
        steps: lines.iter().map(|(_, line)| weights(line.parameters)).collect(),
        lines: vec![lines.iter().map(|(_, line)| step_share(line.all, &named(line))).collect()],
    };
    Some(context! {
        title,
        note => "from the smallest to the largest, at equal distances",
        plot => chart.draw(),
        head => ["model", "weights", "right", "accuracy", "95 % interval"],
        rows => lines
            .iter()
            .map(|(_, line)| row([plain(&line.model), weights(line.parameters)], line.all))
            .collect::<Vec<_>>(),
    })
}

fn legend(ladder: &ScaleLadder) -> Vec<Value> {
    let line = |(place, line)| context! { mark => key(place), name => named(line) };
    ladder.lines.iter().enumerate().map(line).collect()
}

fn left_out(ladder: &ScaleLadder) -> String {
    match ladder.left_out {
        0 => String::new(),
        n => format!(
            " Left out: {n} items of the suite, of which nothing says how hard they are, or that not every model has an answer to."
        ),
    }
}

fn step_share(share: Share, what: &str) -> StepShare {
    let label = format!("{what}: {} of {} right", share.hits, share.n);
    StepShare { share: share.share(), range: share.interval(), label }
}

fn row(names: [String; 2], share: Share) -> Vec<String> {
    let (low, high) = share.interval();
    let figures = [
        format!("{} of {}", share.hits, share.n),
        percent(share.share()),
        format!("{:.1} to {:.1}", low * 100.0, high * 100.0),
    ];
    names.into_iter().chain(figures).collect()
}
