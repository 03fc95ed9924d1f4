//! The values of figures in words, as several panes tell them.

use std::f64::consts::LN_2;

use crate::score::Score;
use crate::step::TokenStats;
use crate::tui::state::State;
use crate::tui::view::items::figure;

use super::panel::NamedFigure;

/// Those of the step that is shown.
pub(super) fn of_step(state: &State) -> Vec<NamedFigure> {
    let mut figures = state.shown().map_or_else(Vec::new, of_stats);
    let pins = state.session.pinned().iter();
    let pins = pins.filter_map(|pin| Some((pin, state.session.pinned_at(state.shown_step()?, pin)?)));
    figures.extend(
        pins.map(|(pin, found)| ("pinned", format!("{} of «{}»", found.prob.shown(percent), pin.text))),
    );
    figures
}

fn of_stats(stats: &TokenStats) -> Vec<NamedFigure> {
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
        ("ln p", in_both(stats.logprob)),
        ("rank", rank),
        ("entropy", prediction.entropy.shown(in_both)),
    ];
    figures.extend(prediction.margin().map(|margin| ("margin", in_both(margin))));
    figures.push(("residual", prediction.residual.shown(percent)));
    figures
}

/// A sum and its mean, over what.
pub(super) fn of_score(score: &Score, over: &str) -> Vec<NamedFigure> {
    let tokens = score.tokens();
    let word = if tokens == 1 { "token" } else { "tokens" };
    let sum = nats(score.sum_logprob(), 2);
    let mut figures = vec![("Σ", format!("{sum} over {tokens} {word} of {over}"))];
    figures.extend(score.mean_logprob().map(|mean| ("mean", format!("{} a token", nats(mean, 3)))));
    figures
}

/// A probability.
pub(super) fn percent(p: f64) -> String {
    format!("{} %", figure(p * 100.0, 2, 9))
}

/// In nats.
pub(super) fn nats(value: f64, digits: usize) -> String {
    format!("{} nat", figure(value, digits, 12))
}

/// In nats and bits.
pub(super) fn in_both(value: f32) -> String {
    let value = f64::from(value);
    format!("{} nat ({} bit)", figure(value, 3, 9), figure(value / LN_2, 3, 9))
}
