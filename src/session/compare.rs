//! Two branches side by side, from their first difference on.

use super::branches::{Branch, Branches};
use crate::columns::{clipped, fitted};
use crate::sequence::{NodeNumber, TreeNode};
use crate::token::Vocab;

/// Columns of a token: a row has 52, which the conversation has beside the figures of a screen of 120.
const TOKEN: usize = 11;
/// Most rows; branches may be thousands of tokens long.
const MOST: usize = 200;

/// A branch's own tokens, and its sums over them.
struct ComparedSide<'a> {
    number: u32,
    own: Vec<&'a TreeNode>,
}

impl ComparedSide<'_> {
    fn sum(&self) -> (f64, usize) {
        let known = self.own.iter().filter_map(|node| logprob(node));
        known.fold((0.0, 0), |(sum, count), logprob| (sum + logprob, count + 1))
    }

    /// The sum and the mean in words.
    fn told(&self) -> String {
        match self.sum() {
            (_, 0) => format!("branch {}: no figures", self.number),
            (sum, n) => {
                format!("branch {}: Σ {sum:.3} nat, {:.3} per token, {n} tokens", self.number, sum / n as f64)
            }
        }
    }
}

fn logprob(node: &TreeNode) -> Option<f64> {
    node.step.as_ref().and_then(|step| step.logprob()).map(f64::from)
}

/// Where two branches part, and what each says from there on: a row a token, and the difference of their ln p.
/// Figures where a template has written the rest are those of the prompt.
pub(super) fn compared(branches: &Branches, numbers: [u32; 2], vocab: &Vocab) -> String {
    let [Some(a), Some(b)] = numbers.map(|n| branches.all().iter().find(|branch| branch.number == n)) else {
        return String::new();
    };
    let parted = parting(branches, a, b);
    let side = |branch: &Branch| ComparedSide {
        number: branch.number,
        own: path(branches, branch)
            .into_iter()
            .skip(parted)
            .filter_map(|n| branches.tree().node(n))
            .collect(),
    };
    let (a, b) = (side(a), side(b));
    let rows = a.own.len().max(b.own.len());
    if rows == 0 {
        return format!("branches {} and {} are the same", a.number, b.number);
    }
    let head =
        |side: &ComparedSide| format!("{} {:>7}", fitted(&format!("branch {}", side.number), TOKEN), "ln p");
    let mut lines = vec![
        format!("the same for {parted} tokens; from there on"),
        format!("{:>4} {} {} {:>7}", "at", head(&a), head(&b), "Δ"),
    ];
    for at in 0..rows.min(MOST) {
        let (left, right) = (a.own.get(at), b.own.get(at));
        let known = left.and_then(|node| logprob(node)).zip(right.and_then(|node| logprob(node)));
        let delta = figure(known.map(|(left, right)| right - left));
        let (left, right) = (cell(left, vocab), cell(right, vocab));
        lines.push(format!("{:>4} {left} {right} {delta:>7}", parted + at + 1));
    }
    if rows > MOST {
        lines.push(format!("… {} more", rows - MOST));
    }
    lines.extend([a.told(), b.told()]);
    lines.join("\n")
}

fn path(branches: &Branches, branch: &Branch) -> Vec<NodeNumber> {
    branch.tip.map(|tip| branches.tree().path_to(tip)).unwrap_or_default()
}

/// How many tokens two branches have in common.
fn parting(branches: &Branches, a: &Branch, b: &Branch) -> usize {
    let common = a.tip.zip(b.tip).and_then(|(a, b)| branches.tree().common(a, b));
    common.and_then(|node| branches.tree().node(node)).map_or(0, |node| node.position() + 1)
}

fn cell(node: Option<&&TreeNode>, vocab: &Vocab) -> String {
    let token = node.map_or(String::new(), |node| clipped(&vocab.visible(node.id), TOKEN));
    format!("{} {:>7}", fitted(&token, TOKEN), figure(node.and_then(|node| logprob(node))))
}

fn figure(value: Option<f64>) -> String {
    match value {
        Some(value) if value == f64::NEG_INFINITY => "-inf".to_string(),
        Some(value) => format!("{value:.3}"),
        None => "–".to_string(),
    }
}
