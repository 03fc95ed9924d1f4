//! What the figures of a pane are, each with its own value in a sentence.

use std::f64::consts::LN_2;

use crate::glossary;
use crate::step::TokenStats;

use super::pane::LIKELIHOOD;
use super::segment::segment;
use super::state::State;
use super::view::items::figure;

/// Those of the pane that has the keys, of the step that is shown.
pub fn explained(state: &State) -> Vec<String> {
    let figures = match state.shown() {
        _ if *state.focus == LIKELIHOOD => sums(state),
        Some(stats) => of_step(stats),
        None => Vec::new(),
    };
    let sentence = |(name, value): (&str, String)| {
        let entry = glossary::entry(name)?;
        Some(format!("{} {value}: {}", entry.names[0], entry.text))
    };
    figures.into_iter().filter_map(sentence).collect()
}

fn of_step(stats: &TokenStats) -> Vec<(&'static str, String)> {
    let prediction = &stats.prediction;
    let drawn = match stats.outcome {
        None => "not given: no sampler ran here".to_string(),
        Some(outcome) => match outcome.dropped_by {
            Some(stage) => format!("0 %, dropped by {}", stage.name()),
            None => percent(f64::from(outcome.prob)),
        },
    };
    let rank = stats.rank.shown(|rank| format!("{rank} of {}", prediction.n_vocab));
    let mut figures = vec![
        ("raw", percent(f64::from(stats.logprob).exp())),
        ("final", drawn),
        ("ln p", nats(stats.logprob)),
        ("rank", rank),
        ("entropy", prediction.entropy.shown(nats)),
    ];
    figures.extend(prediction.margin().map(|margin| ("margin", nats(margin))));
    figures.push(("residual", prediction.residual.shown(percent)));
    figures
}

/// Of the reply, or of the prompt, up to the shown step.
fn sums(state: &State) -> Vec<(&'static str, String)> {
    let Some(segment) = segment(state) else { return Vec::new() };
    let score = segment.score(state);
    let mean = score.mean_logprob().map_or(String::new(), |mean| format!(", {} a token", figure(mean, 3, 9)));
    let tokens = score.tokens();
    let mut figures =
        vec![("Σ", format!("{} nat over {tokens} tokens{mean}", figure(score.sum_logprob(), 2, 12)))];
    figures.extend(score.perplexity().map(|perplexity| ("ppl", figure(perplexity, 2, 9))));
    let step = state.session.sequence().step(segment.shown).and_then(|step| step.logprob());
    figures.extend(step.map(|logprob| ("surprisal", nats(-logprob))));
    figures
}

fn percent(p: f64) -> String {
    format!("{} %", figure(p * 100.0, 2, 9))
}

/// In both units.
fn nats(value: f32) -> String {
    let value = f64::from(value);
    format!("{} nat ({} bit)", figure(value, 3, 9), figure(value / LN_2, 3, 9))
}
