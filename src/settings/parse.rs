//! Values that are more than a number, as people write them on the command line and in files.

use serde::{Deserialize, Deserializer};

use crate::distribution::Depth;
use crate::engine::Threads;
use crate::model::Patience;
use crate::sampling::{Mirostat, Xtc};

/// `10` or `95%`.
pub(super) fn depth(text: &str) -> Result<Depth, String> {
    let wrong = || format!("{text}: write a number of candidates (10) or a share of the probability (95%)");
    match text.strip_suffix('%') {
        Some(percent) => match percent.trim().parse::<f64>() {
            Ok(share) if share > 0.0 && share <= 100.0 => Ok(Depth::Mass(share / 100.0)),
            _ => Err(wrong()),
        },
        None => text.parse().map(Depth::Count).map_err(|_| wrong()),
    }
}

/// `auto` or a number.
pub(super) fn threads(text: &str) -> Result<Threads, String> {
    match text {
        "auto" => Ok(Threads::Auto),
        _ => match text.parse() {
            Ok(n) if (1..=512).contains(&n) => Ok(Threads::Fixed(n)),
            _ => Err(format!("{text}: write auto or a number from 1 to 512")),
        },
    }
}

/// `10,120,60`.
pub(super) fn patience(text: &str) -> Result<Patience, String> {
    text.parse()
}

/// `P,T`.
pub(super) fn xtc(text: &str) -> Result<Xtc, String> {
    let wrong = || {
        format!(
            "{text}: write a chance and a threshold, such as 0.5,0.1 (each from 0 to 1, the threshold at most 0.5)"
        )
    };
    let (probability, threshold) = text.split_once(',').ok_or_else(wrong)?;
    match (probability.trim().parse::<f32>(), threshold.trim().parse::<f32>()) {
        (Ok(probability), Ok(threshold))
            if (0.0..=1.0).contains(&probability) && (0.0..=0.5).contains(&threshold) =>
        {
            Ok(Xtc { probability, threshold })
        }
        _ => Err(wrong()),
    }
}

/// `V` or `V,TAU,ETA`.
pub(super) fn mirostat(text: &str) -> Result<Mirostat, String> {
    let wrong = || format!("{text}: write 1 or 2, or with target and rate: 2,5.0,0.1");
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let version = match parts[0] {
        "1" => 1,
        "2" => 2,
        _ => return Err(wrong()),
    };
    let (tau, eta) = match parts[1..] {
        [] => (5.0, 0.1),
        [tau] => (tau.parse().map_err(|_| wrong())?, 0.1),
        [tau, eta] => (tau.parse().map_err(|_| wrong())?, eta.parse().map_err(|_| wrong())?),
        _ => return Err(wrong()),
    };
    let usable = |value: f32| value.is_finite() && value > 0.0;
    if usable(tau) && usable(eta) { Ok(Mirostat { version, tau, eta }) } else { Err(wrong()) }
}

/// A number or a text; files hold either.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a number or a text in quotes is wanted")]
enum NumberOrText {
    Number(i64),
    Text(String),
}

fn in_file<'de, D: Deserializer<'de>, T>(
    from: D,
    parse: fn(&str) -> Result<T, String>,
) -> Result<Option<T>, D::Error> {
    let text = match NumberOrText::deserialize(from)? {
        NumberOrText::Number(number) => number.to_string(),
        NumberOrText::Text(text) => text,
    };
    parse(&text).map(Some).map_err(serde::de::Error::custom)
}

pub(super) fn depth_in_file<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Depth>, D::Error> {
    in_file(from, depth)
}

pub(super) fn threads_in_file<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Threads>, D::Error> {
    in_file(from, threads)
}

pub(super) fn patience_in_file<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Patience>, D::Error> {
    in_file(from, patience)
}

pub(super) fn xtc_in_file<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Xtc>, D::Error> {
    in_file(from, xtc)
}

pub(super) fn mirostat_in_file<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Mirostat>, D::Error> {
    in_file(from, mirostat)
}

/// One model or several.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a model's name in quotes is wanted, or a list of names")]
enum OneOrSeveral {
    One(String),
    Several(Vec<String>),
}

pub(super) fn models_in_file<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Ok(match OneOrSeveral::deserialize(from)? {
        OneOrSeveral::One(model) => vec![model],
        OneOrSeveral::Several(models) => models,
    })
}
