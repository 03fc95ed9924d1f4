//! Which interventions are in force where in a sequence.

use std::fmt;

use super::Interventions;

/// From where on something is to be in force in a conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Since {
    /// From the next token that is computed: what was computed before stays.
    #[default]
    Here,
    /// As if it had always been so: everything is computed anew.
    Start,
}

/// What is in force in a conversation, as one reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    pub what: String,
    /// Since when, and how.
    pub since: String,
}

impl fmt::Display for Holding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.what, self.since)
    }
}

/// Which interventions are in force at which positions of a sequence.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InForce {
    /// From which position on, rising. Before the first there are none.
    spans: Vec<(usize, Interventions)>,
}

impl InForce {
    /// Has these in force from a position on, whatever was said of what comes after it.
    pub fn begin(&mut self, position: usize, these: &Interventions) {
        self.spans.retain(|(from, _)| *from < position);
        if self.at(position) != *these {
            self.spans.push((position, these.clone()));
        }
    }

    /// The same for a sequence of which so many tokens stay as they were predicted: what is predicted behind
    /// them, the position before it predicts.
    pub fn after(&self, tokens: usize, these: &Interventions) -> InForce {
        let mut all = self.clone();
        all.begin(tokens.saturating_sub(1), these);
        all
    }

    /// Those at a position.
    pub fn at(&self, position: usize) -> Interventions {
        let before = self.spans.iter().rev().find(|(from, _)| *from <= position);
        before.map(|(_, these)| these.clone()).unwrap_or_default()
    }

    /// Those that a token was predicted under.
    pub fn of_token(&self, index: usize) -> Interventions {
        index.checked_sub(1).map(|before| self.at(before)).unwrap_or_default()
    }

    /// Those at the end.
    pub fn at_the_end(&self) -> Interventions {
        self.newest().map(|(_, these)| these.clone()).unwrap_or_default()
    }

    /// The same for a path whose first `same` tokens are this one's and whose tokens from `to` on are this one's
    /// from `from` on; what stands between has what stood there.
    pub fn moved(&self, same: usize, from: usize, to: usize) -> InForce {
        let mut all = InForce::default();
        let (first, begin) = (from.saturating_sub(1), to.saturating_sub(1));
        let before = self.spans.iter().filter(|(at, _)| *at <= same.min(first));
        before.for_each(|(at, these)| all.begin(*at, these));
        all.begin(begin, &self.at(first));
        let behind = self.spans.iter().filter(|(at, _)| *at > first);
        behind.for_each(|(at, these)| all.begin(at - first + begin, these));
        all
    }

    /// From which position on those at the end are in force; `None` where there never were any.
    pub fn newest(&self) -> Option<(usize, &Interventions)> {
        self.spans.last().map(|(from, these)| (*from, these))
    }

    /// Whether an edge of attention is cut anywhere.
    pub fn has_edge(&self) -> bool {
        self.spans.iter().any(|(_, these)| these.has_edge())
    }

    /// Every change, in order.
    pub fn spans(&self) -> &[(usize, Interventions)] {
        &self.spans
    }

    /// What is in force at the end, and since which token (counted from 1), as one reads it; nothing where
    /// nothing ever was.
    pub fn told(&self) -> Option<Holding> {
        let (from, these) = self.newest()?;
        let what = if these.is_empty() { "all on again".to_string() } else { these.told() };
        let since = match from {
            0 => "(from the start)".to_string(),
            from => format!("since token {} (from here)", from + 2),
        };
        Some(Holding { what, since })
    }
}

impl From<Interventions> for InForce {
    /// The same everywhere.
    fn from(these: Interventions) -> InForce {
        let mut all = InForce::default();
        all.begin(0, &these);
        all
    }
}
