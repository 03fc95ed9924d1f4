//! What must hold of a grammar as a whole.

use super::error::GrammarFault;
use super::parse::{Alternatives, Grammar, GrammarItem};

/// Elements after all repetitions are multiplied out.
const LARGEST: u64 = 1_000_000;
/// Rules that begin with a rule that begins with a rule …: llama.cpp recurses for each.
const LONGEST_CHAIN: usize = 1000;

/// Every rule exists, `root` among them, none begins with itself, and the whole is no larger than
/// llama.cpp can hold.
pub(super) fn check(source: &str, grammar: &Grammar) -> Result<(), GrammarFault> {
    if grammar.rules.is_empty() {
        return Err(GrammarFault::at(source, 0, "there is no rule; a grammar begins with root ::="));
    }
    let fault = |rule: usize, what: String| GrammarFault::at(source, grammar.rules[rule].position, what);
    if let Some(missing) = grammar.rules.iter().position(|rule| rule.body.is_none()) {
        return Err(fault(missing, format!("no rule is named {}", grammar.rules[missing].name)));
    }
    if !grammar.rules.iter().any(|rule| rule.name == "root") {
        return Err(fault(0, "no rule is named root, where a reply begins".to_string()));
    }
    let bodies = || grammar.rules.iter().filter_map(|rule| rule.body.as_ref());
    if bodies().map(size_of_all).fold(0, u64::saturating_add) > LARGEST {
        return Err(fault(
            0,
            format!("with its repetitions multiplied out, the grammar has more than {LARGEST} elements"),
        ));
    }
    let empty = may_be_empty(grammar);
    if let Some(position) = bodies().find_map(|body| endless_nothing(body, &empty)) {
        let what = "this repeats what may be empty, which has no end; take the empty case out of it";
        return Err(GrammarFault::at(source, position, what));
    }
    match beginnings(grammar, &empty) {
        Ok(()) => Ok(()),
        Err(Cycle { rule, too_long: false }) => Err(fault(
            rule,
            format!("the rule {} can begin with itself; put something before it", grammar.rules[rule].name),
        )),
        Err(Cycle { rule, too_long: true }) => {
            Err(fault(rule, format!("more than {LONGEST_CHAIN} rules begin with one another here")))
        }
    }
}

fn size_of_all(all: &Alternatives) -> u64 {
    all.iter().flatten().map(size).fold(all.len() as u64, u64::saturating_add)
}

fn size(item: &GrammarItem) -> u64 {
    match item {
        GrammarItem::Terminal(length) => *length as u64,
        GrammarItem::Rule(_) => 1,
        // A group is a rule of its own.
        GrammarItem::Group(all) => size_of_all(all).saturating_add(1),
        GrammarItem::Repeat { item, min, optional, .. } => {
            let (apart, each) = match item.as_ref() {
                GrammarItem::Group(all) => (size_of_all(all), 1),
                other => (0, size(other)),
            };
            let times = min.saturating_add(*optional);
            apart.saturating_add(times.saturating_mul(each.saturating_add(2)))
        }
    }
}

/// A rule that can begin with itself, or a chain that is too long.
struct Cycle {
    rule: usize,
    too_long: bool,
}

/// The first repetition without a bound whose item may be empty: llama.cpp makes it a rule that begins
/// with itself.
fn endless_nothing(all: &Alternatives, empty: &[bool]) -> Option<usize> {
    let within = |item: &GrammarItem| match item {
        GrammarItem::Terminal(_) | GrammarItem::Rule(_) => None,
        GrammarItem::Group(all) => endless_nothing(all, empty),
        GrammarItem::Repeat { item, endless, .. } => {
            let inner = match item.as_ref() {
                GrammarItem::Group(all) => endless_nothing(all, empty),
                _ => None,
            };
            inner.or(endless.filter(|_| is_empty(item, empty)))
        }
    };
    all.iter().flatten().find_map(within)
}

fn beginnings(grammar: &Grammar, empty: &[bool]) -> Result<(), Cycle> {
    let first: Vec<Vec<usize>> = grammar
        .rules
        .iter()
        .map(|rule| {
            let mut begins = Vec::new();
            if let Some(body) = &rule.body {
                collect_beginnings(body, empty, &mut begins);
            }
            begins
        })
        .collect();
    let mut done = vec![false; first.len()];
    for start in 0..first.len() {
        // (rule, how many of its beginnings were followed)
        let mut path: Vec<(usize, usize)> = vec![(start, 0)];
        let mut on_path = std::collections::HashSet::from([start]);
        while let Some((rule, followed)) = path.last_mut() {
            let rule = *rule;
            let next = first[rule].get(*followed).copied();
            *followed += 1;
            match next {
                None => {
                    done[rule] = true;
                    on_path.remove(&rule);
                    path.pop();
                }
                Some(next) if on_path.contains(&next) => return Err(Cycle { rule: next, too_long: false }),
                Some(next) if !done[next] => {
                    if path.len() >= LONGEST_CHAIN {
                        return Err(Cycle { rule: next, too_long: true });
                    }
                    on_path.insert(next);
                    path.push((next, 0));
                }
                Some(_) => {}
            }
        }
    }
    Ok(())
}

/// Which rules can produce nothing; llama.cpp looks only one rule deep.
fn may_be_empty(grammar: &Grammar) -> Vec<bool> {
    let mut empty = vec![false; grammar.rules.len()];
    loop {
        let mut changed = false;
        for (i, rule) in grammar.rules.iter().enumerate() {
            if !empty[i] && rule.body.as_ref().is_some_and(|body| all_empty(body, &empty)) {
                empty[i] = true;
                changed = true;
            }
        }
        if !changed {
            return empty;
        }
    }
}

fn all_empty(all: &Alternatives, empty: &[bool]) -> bool {
    all.iter().any(|sequence| sequence.iter().all(|item| is_empty(item, empty)))
}

fn is_empty(item: &GrammarItem, empty: &[bool]) -> bool {
    match item {
        GrammarItem::Terminal(length) => *length == 0,
        GrammarItem::Rule(rule) => empty[*rule],
        GrammarItem::Group(all) => all_empty(all, empty),
        GrammarItem::Repeat { item, min, .. } => *min == 0 || is_empty(item, empty),
    }
}

fn collect_beginnings(all: &Alternatives, empty: &[bool], begins: &mut Vec<usize>) {
    for sequence in all {
        for item in sequence {
            begin(item, empty, begins);
            if !is_empty(item, empty) {
                break;
            }
        }
    }
}

fn begin(item: &GrammarItem, empty: &[bool], begins: &mut Vec<usize>) {
    match item {
        GrammarItem::Terminal(_) => {}
        GrammarItem::Rule(rule) => begins.push(*rule),
        GrammarItem::Group(all) => collect_beginnings(all, empty, begins),
        GrammarItem::Repeat { item, .. } => begin(item, empty, begins),
    }
}
