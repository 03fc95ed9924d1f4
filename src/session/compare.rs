//! Two branches side by side: where they part, and what each says from there on, token by token.

use super::branches::{Branch, Branches};
use crate::report::view::{Column, Table, TableRow, View};
use crate::sequence::{NodeNumber, TreeNode};
use crate::token::Vocab;

/// Most rows of a table; branches may be thousands of tokens long.
const MOST: usize = 200;

/// Two branches, from their first difference on.
#[derive(Debug)]
pub struct BranchComparison<'a> {
    /// The tokens they have in common, as the first has them.
    pub common: Vec<&'a TreeNode>,
    /// Both, as they were named.
    pub sides: [ComparedSide<'a>; 2],
}

/// A branch of which another one has the beginning.
#[derive(Debug)]
pub struct ComparedSide<'a> {
    /// Its number.
    pub number: u32,
    /// Its tokens from the first difference on.
    pub own: Vec<&'a TreeNode>,
}

impl ComparedSide<'_> {
    /// Σ ln p of its own tokens, and of how many that is known.
    pub fn sum(&self) -> (f64, usize) {
        let known = self.own.iter().filter_map(|node| logprob(node));
        known.fold((0.0, 0), |(sum, count), logprob| (sum + logprob, count + 1))
    }

    /// The sum and the mean in words.
    pub fn told(&self) -> String {
        match self.sum() {
            (_, 0) => format!("branch {}: no figures", self.number),
            (sum, n) => {
                format!("branch {}: Σ {sum:.3} nat, {:.3} per token, {n} tokens", self.number, sum / n as f64)
            }
        }
    }
}

impl<'a> BranchComparison<'a> {
    /// Two branches by their numbers, where there are such.
    pub fn of(branches: &'a Branches, numbers: [u32; 2]) -> Option<BranchComparison<'a>> {
        let branch = |number| branches.all().iter().find(|branch: &&Branch| branch.number == number);
        let (a, b) = (branch(numbers[0])?, branch(numbers[1])?);
        let path = |branch: &Branch| -> Vec<NodeNumber> {
            branch.tip.map(|tip| branches.tree().path_to(tip)).unwrap_or_default()
        };
        let nodes = |numbers: &[NodeNumber]| -> Vec<&'a TreeNode> {
            numbers.iter().filter_map(|&number| branches.tree().node(number)).collect()
        };
        let (mut left, right) = (nodes(&path(a)), nodes(&path(b)));
        // Replies to one message may begin alike, each with tokens of its own.
        let parted = left.iter().zip(&right).take_while(|(a, b)| a.id == b.id).count();
        let own = left.split_off(parted);
        let sides = [
            ComparedSide { number: a.number, own },
            ComparedSide { number: b.number, own: right[parted..].to_vec() },
        ];
        Some(BranchComparison { common: left, sides })
    }

    /// Rows from the first difference on.
    pub fn rows(&self) -> usize {
        self.sides.iter().map(|side| side.own.len()).max().unwrap_or(0)
    }

    /// ln p of the second branch's token in a row minus that of the first's; none where both are impossible.
    pub fn delta(&self, row: usize) -> Option<f64> {
        let [a, b] = &self.sides;
        let known = |side: &ComparedSide| side.own.get(row).and_then(|node| logprob(node));
        Some(known(b)? - known(a)?).filter(|delta| !delta.is_nan())
    }

    /// By how much the second branch's sum and mean are above the first's, in words.
    pub fn difference(&self) -> Option<String> {
        let [(a, n), (b, m)] = [&self.sides[0], &self.sides[1]].map(ComparedSide::sum);
        let per_token = |sum: f64, count: usize| sum / count as f64;
        (n > 0 && m > 0 && !(b - a).is_nan())
            .then(|| format!("Δ: Σ {:+.3} nat, {:+.3} per token", b - a, per_token(b, m) - per_token(a, n)))
    }

    /// As a table: a row a token, with the difference of their ln p. Figures where a template has written the rest
    /// are those of the prompt.
    pub fn view(&self, vocab: &Vocab) -> View {
        let mut view = View::default();
        let [a, b] = &self.sides;
        if self.rows() == 0 {
            view.text(format!("branches {} and {} are the same", a.number, b.number));
            return view;
        }
        view.text(format!("the same for {} tokens; from there on", self.common.len()));
        let named = |side: &ComparedSide| format!("branch {}", side.number);
        let mut table = Table::new([
            Column::figures("at", 4).after(0).minor(1),
            Column::text(named(a), 16).cut().elided(6),
            Column::figures("ln p", 8),
            Column::text(named(b), 16).after(2).cut().elided(6),
            Column::figures("ln p", 8),
            Column::figures("Δ", 8),
        ]);
        for row in 0..self.rows().min(MOST) {
            let token =
                |side: &ComparedSide| side.own.get(row).map_or(String::new(), |node| vocab.visible(node.id));
            let figure = |side: &ComparedSide| match side.own.get(row) {
                Some(node) => figure(logprob(node)),
                None => String::new(),
            };
            table.rows.push(TableRow::new([
                (self.common.len() + row + 1).to_string().into(),
                token(a).into(),
                figure(a).into(),
                token(b).into(),
                figure(b).into(),
                self.delta(row).map_or(String::new(), |delta| self::figure(Some(delta))).into(),
            ]));
        }
        view.table(table);
        if self.rows() > MOST {
            view.text(format!("… {} more", self.rows() - MOST));
        }
        [a, b].into_iter().for_each(|side| view.text(side.told()));
        self.difference().into_iter().for_each(|told| view.text(told));
        view
    }
}

/// A token's ln p, where it is known.
pub fn logprob(node: &TreeNode) -> Option<f64> {
    node.step.as_ref().and_then(|step| step.logprob()).map(f64::from)
}

/// A figure of a comparison.
pub fn figure(value: Option<f64>) -> String {
    match value {
        Some(value) if value == f64::NEG_INFINITY => "-inf".to_string(),
        Some(value) => format!("{value:.3}"),
        None => "–".to_string(),
    }
}
