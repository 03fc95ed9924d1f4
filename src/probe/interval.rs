//! 95 % intervals of differences: from how many items they may be told, and how.
//!
//! Resampling with percentiles covers 47 % of the truth with four items of which few differ, so it is not
//! used. Shares get the interval of Bonett and Price (2012) for paired proportions with Student's
//! quantile for the normal one. Means get the wider end of Student's interval and of the studentized
//! bootstrap (Efron 1979; Hall 1988), which follows skewed values. The tests simulate how often they
//! cover. Pure arithmetic.

use rand_mt::Mt;

/// Draws of the studentized bootstrap.
const DRAWS: usize = 1999;
/// Its seed, so that a report can be repeated.
const SEED: u32 = 1;
/// The part of its draws that lies beyond either end.
const TAIL: f64 = 0.01;
/// Fewest items whose mean gets an interval.
pub const FEWEST: usize = 10;

/// Why there is no interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub enum NoInterval {
    /// Nothing below two pairs of yes and no, or [`FEWEST`] values, would cover what it says.
    #[serde(rename = "too few items")]
    TooFew,
    /// Nothing tells how far values spread.
    #[serde(rename = "all differences are equal")]
    NoSpread,
}

impl NoInterval {
    /// For people.
    pub fn reason(self) -> &'static str {
        match self {
            NoInterval::TooFew => "too few items for an interval",
            NoInterval::NoSpread => "all differences are equal: no interval",
        }
    }
}

/// The interval, or why there is none.
pub type Interval = Result<(f64, f64), NoInterval>;

/// A value and how much it weighs.
pub type Weighted = (f64, f64);

/// Of the difference of two shares among the same items: `lost` were yes in the first only, `gained` in
/// the other only.
pub fn of_paired_shares(lost: usize, gained: usize, items: usize) -> Interval {
    if items < 2 {
        return Err(NoInterval::TooFew);
    }
    let n = items as f64 + 2.0;
    let (lost, gained) = ((lost as f64 + 1.0) / n, (gained as f64 + 1.0) / n);
    let difference = gained - lost;
    let half = student(items.saturating_sub(2).max(3)) * ((lost + gained - difference.powi(2)) / n).sqrt();
    Ok(((difference - half).max(-1.0), (difference + half).min(1.0)))
}

/// Of a weighted mean.
pub fn of_mean(values: &[Weighted]) -> Interval {
    let pairs: Vec<[Weighted; 2]> = values.iter().map(|value| [(0.0, 1.0), *value]).collect();
    of_difference(&pairs)
}

/// Of the second weighted mean less the first, over the same items.
pub fn of_difference(pairs: &[[Weighted; 2]]) -> Interval {
    if pairs.len() < FEWEST || pairs.iter().flatten().any(|(value, _)| !value.is_finite()) {
        return Err(NoInterval::TooFew);
    }
    let all: Vec<usize> = (0..pairs.len()).collect();
    let (difference, error) = estimate(pairs, &all);
    let scale = pairs.iter().flatten().fold(0.0f64, |most, (value, _)| most.max(value.abs()));
    let is_rounding = |error: f64| error <= scale * 1e-12;
    if is_rounding(error) {
        return Err(NoInterval::NoSpread);
    }
    let student = student(pairs.len() - 1);
    let (mut low, mut high) = (difference - student * error, difference + student * error);
    let mut random = Mt::new(SEED);
    let mut drawn = all;
    let mut ratios = Vec::with_capacity(DRAWS);
    for _ in 0..DRAWS {
        drawn.iter_mut().for_each(|place| *place = below(&mut random, pairs.len()));
        let (other, spread) = estimate(pairs, &drawn);
        if !is_rounding(spread) {
            ratios.push((other - difference) / spread);
        }
    }
    ratios.sort_by(f64::total_cmp);
    let tail = (ratios.len() as f64 * TAIL) as usize;
    if let (Some(first), Some(last)) = (ratios.get(tail), ratios.iter().rev().nth(tail)) {
        low = low.min(difference - last * error);
        high = high.max(difference - first * error);
    }
    Ok((low, high))
}

/// The difference of the weighted means of these items and its standard error (that of ratios, to first
/// order).
fn estimate(pairs: &[[Weighted; 2]], drawn: &[usize]) -> (f64, f64) {
    let n = drawn.len() as f64;
    let [first, other] = [0, 1].map(|side| {
        let (sum, weight) = drawn.iter().fold((0.0, 0.0), |(sum, all), i| {
            let (value, weight) = pairs[*i][side];
            (sum + value * weight, all + weight)
        });
        (sum / weight, weight / n)
    });
    let squares: f64 = drawn
        .iter()
        .map(|i| {
            let away = |side: usize, (mean, weight): Weighted| {
                let (value, own) = pairs[*i][side];
                own * (value - mean) / weight
            };
            (away(1, other) - away(0, first)).powi(2)
        })
        .sum();
    (other.0 - first.0, (squares / (n - 1.0) / n).sqrt())
}

/// A whole number below a limit, evenly (to one part in 2³²).
fn below(random: &mut Mt, limit: usize) -> usize {
    ((u64::from(random.next_u32()) * limit as u64) >> 32) as usize
}

/// Two-sided 95 % quantiles of Student's distribution with 1, 2, … degrees of freedom.
const STUDENT: [f64; 30] = [
    12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281, 2.2010, 2.1788, 2.1604,
    2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860, 2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555,
    2.0518, 2.0484, 2.0452, 2.0423,
];

/// The two-sided 95 % quantile of Student's distribution; beyond the table by its expansion around the
/// normal one (Abramowitz and Stegun 26.7.5).
fn student(freedom: usize) -> f64 {
    if let Some(quantile) = freedom.checked_sub(1).and_then(|place| STUDENT.get(place)) {
        return *quantile;
    }
    let (z, v) = (super::stats::Z, freedom as f64);
    z + (z.powi(3) + z) / (4.0 * v) + (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * v * v)
}

#[cfg(test)]
mod tests;
