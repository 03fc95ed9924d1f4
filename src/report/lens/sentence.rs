//! Why a token, in one plain sentence made of what two views found.

use super::measures::small;
use crate::lens::{Lens, LensFinding};
use crate::token::{Vocab, visible};

/// The sentence, of what is known of it so far; `None` while that is nothing.
pub fn sentence(occlusion: Option<&Lens>, logit: Option<&Lens>, vocab: &Vocab) -> Option<String> {
    let mut parts: Vec<String> = occlusion.and_then(because).into_iter().collect();
    parts.extend(logit.into_iter().flat_map(|lens| decided(lens, vocab)));
    let sentence = parts.join("; ");
    let first = sentence.chars().next()?;
    Some(first.to_uppercase().chain(sentence.chars().skip(1)).collect())
}

/// The span that matters most, before all one that speaks for the target.
fn because(lens: &Lens) -> Option<String> {
    let LensFinding::Occlusion(found) = &lens.finding else { return None };
    let floor = lens.floor.unwrap_or(0.0);
    let sorted = found.sorted();
    let effects = || sorted.iter().filter(|(_, delta)| delta.abs() >= floor);
    let named = |(span, delta): &(&crate::lens::spans::PromptSpan, f64)| {
        format!("«{}» ({} nat without it)", visible(span.text.trim().as_bytes()), signed(*delta))
    };
    Some(match (effects().find(|(_, delta)| *delta < 0.0), effects().next()) {
        (Some(speaks_for), _) => format!("mostly because of {}", named(speaks_for)),
        (None, Some(speaks_against)) => format!("in spite of {}", named(speaks_against)),
        (None, None) => {
            format!("because of no single {}: none changes it by {} nat", found.by.name(), small(floor))
        }
    })
}

/// Where it became the first choice, and what else there was.
fn decided(lens: &Lens, vocab: &Vocab) -> Vec<String> {
    let LensFinding::Logit(layers) = &lens.finding else { return Vec::new() };
    let decided = match layers.decided() {
        Some(layer) => format!("decided in layer {layer}"),
        None => "not the first choice of the last layer".to_string(),
    };
    let last = layers.layers.last();
    let candidates = last.map_or(&[][..], |last| &last.prediction.top_logprobs);
    let target = lens.subject.target.ids.first();
    let other = candidates.iter().map(|candidate| candidate.id).find(|id| Some(id) != target);
    let how = if layers.decided().is_some() { "next" } else { "first" };
    let other = other.map(|id| format!("{} was {how}", vocab.visible(id)));
    [decided].into_iter().chain(other).collect()
}

/// A change in nats, with its sign.
pub fn signed(value: f64) -> String {
    let text = if value.abs() < 1.0 { format!("{value:+.2}") } else { format!("{value:+.1}") };
    text.replace('-', "−")
}
