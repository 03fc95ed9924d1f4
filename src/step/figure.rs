//! A figure as far as a backend gives it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is known of one value. A server that gives twenty candidates knows the entropy only within
/// bounds; another gives none at all. In a file: the value, `[low, high]` or null.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Figure<T> {
    /// The value.
    Exact(T),
    /// The least and the most it can be.
    Bounded([T; 2]),
    /// Nothing.
    NotGiven,
}

impl<T> From<T> for Figure<T> {
    fn from(value: T) -> Figure<T> {
        Figure::Exact(value)
    }
}

impl<T: Copy> Figure<T> {
    /// The value, where it is known.
    pub fn exact(self) -> Option<T> {
        if let Figure::Exact(value) = self { Some(value) } else { None }
    }

    /// What it is at least and at most, where that is all that is known.
    pub fn bounds(self) -> Option<[T; 2]> {
        if let Figure::Bounded(bounds) = self { Some(bounds) } else { None }
    }

    /// The same in another unit; `change` must keep the order.
    pub fn map<U>(self, change: impl Fn(T) -> U) -> Figure<U> {
        match self {
            Figure::Exact(value) => Figure::Exact(change(value)),
            Figure::Bounded([low, high]) => Figure::Bounded([change(low), change(high)]),
            Figure::NotGiven => Figure::NotGiven,
        }
    }

    /// As people read it: `1.25`, `1.25–1.80`, or a dash.
    pub fn shown(self, write: impl Fn(T) -> String) -> String {
        match self {
            Figure::Exact(value) => write(value),
            Figure::Bounded([low, high]) => format!("{}–{}", write(low), write(high)),
            Figure::NotGiven => "–".to_string(),
        }
    }

    /// Whether something holds of it, whatever it is within its bounds.
    pub fn all(self, holds: impl Fn(T) -> bool) -> bool {
        match self {
            Figure::Exact(value) => holds(value),
            Figure::Bounded(bounds) => bounds.into_iter().all(holds),
            Figure::NotGiven => false,
        }
    }
}
