//! Calibration: whether what was held to be so probable is right so often. Pure arithmetic.

use super::share::Share;

/// Groups of equally many verdicts.
const BINS: usize = 10;
/// Fewest verdicts for which there is a calibration error: below, it is mostly chance.
pub const FEWEST: usize = 20;

/// A token that somebody called right or wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JudgedProb {
    /// Its raw probability.
    pub raw: f64,
    /// What the sampler left of it, where one ran.
    pub after: Option<f64>,
    /// What was said of it.
    pub right: bool,
}

/// One group, from the least probable on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CalibrationBin {
    /// The least and the largest raw probability.
    pub range: [f64; 2],
    /// The mean raw probability.
    pub mean: f64,
    /// The mean of what the sampler left, where it is known of all.
    pub mean_after: Option<f64>,
    /// How many of them are right.
    pub right: Share,
}

/// Verdicts beside probabilities.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calibration {
    /// At most ten groups of as equal a number as can be.
    pub bins: Vec<CalibrationBin>,
    /// How many are right.
    pub right: Share,
    /// Mean squared difference of raw probability and verdict; `None` without a verdict.
    pub brier: Option<f64>,
    /// The same of what the sampler left, where it is known of all.
    pub brier_after: Option<f64>,
    /// Mean difference of a group's mean raw probability and its share of right ones, by size; `None` below
    /// [`FEWEST`] verdicts.
    pub error: Option<f64>,
}

impl Calibration {
    /// Of these verdicts; equal probabilities stay in the order given.
    pub fn of(verdicts: &[JudgedProb]) -> Calibration {
        let mut sorted = verdicts.to_vec();
        sorted.sort_by(|a, b| a.raw.total_cmp(&b.raw));
        let n = sorted.len();
        let count = BINS.min(n);
        let bins: Vec<CalibrationBin> =
            (0..count).map(|i| bin(&sorted[i * n / count..(i + 1) * n / count])).collect();
        let gap = |bin: &CalibrationBin| bin.right.n as f64 * (bin.mean - bin.right.share()).abs();
        let error = (n >= FEWEST).then(|| bins.iter().map(gap).sum::<f64>() / n as f64);
        let after: Option<Vec<f64>> = sorted.iter().map(|verdict| verdict.after).collect();
        Calibration {
            right: share(&sorted),
            brier: brier(&sorted, &sorted.iter().map(|verdict| verdict.raw).collect::<Vec<_>>()),
            brier_after: after.and_then(|after| brier(&sorted, &after)),
            error,
            bins,
        }
    }
}

/// Of at least one verdict.
fn bin(verdicts: &[JudgedProb]) -> CalibrationBin {
    let n = verdicts.len() as f64;
    let after: Option<Vec<f64>> = verdicts.iter().map(|verdict| verdict.after).collect();
    CalibrationBin {
        range: [verdicts[0].raw, verdicts[verdicts.len() - 1].raw],
        mean: verdicts.iter().map(|verdict| verdict.raw).sum::<f64>() / n,
        mean_after: after.map(|after| after.iter().sum::<f64>() / n),
        right: share(verdicts),
    }
}

fn share(verdicts: &[JudgedProb]) -> Share {
    Share { hits: verdicts.iter().filter(|verdict| verdict.right).count(), n: verdicts.len() }
}

fn brier(verdicts: &[JudgedProb], probs: &[f64]) -> Option<f64> {
    let squared = |(verdict, p): (&JudgedProb, &f64)| (p - f64::from(u8::from(verdict.right))).powi(2);
    let sum: f64 = verdicts.iter().zip(probs).map(squared).sum();
    (!verdicts.is_empty()).then(|| sum / verdicts.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(raw: f64, right: bool) -> JudgedProb {
        JudgedProb { raw, after: Some(1.0), right }
    }

    #[test]
    fn figures_by_hand() {
        let found = Calibration::of(&[verdict(0.9, true), verdict(0.2, false), verdict(0.6, false)]);
        // (0.01 + 0.04 + 0.36) ÷ 3; and with all certain two of three are wrong.
        assert!((found.brier.unwrap() - 0.41 / 3.0).abs() < 1e-12);
        assert!((found.brier_after.unwrap() - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(found.error, None, "three verdicts say nothing");
        assert_eq!(found.right, Share { hits: 1, n: 3 });
        let bins: Vec<(f64, usize)> = found.bins.iter().map(|bin| (bin.mean, bin.right.hits)).collect();
        assert_eq!(bins, [(0.2, 0), (0.6, 0), (0.9, 1)]);
        // Wilson: one of one is at least 1 ÷ (1 + z²).
        let (low, high) = found.bins[2].right.interval();
        assert!((low - 1.0 / (1.0 + super::super::share::Z.powi(2))).abs() < 1e-12 && high == 1.0);
        assert_eq!(Calibration::of(&[]), Calibration::default());
    }

    #[test]
    fn groups_are_equally_large_and_an_error_needs_twenty() {
        let many: Vec<JudgedProb> = (0..23).map(|i| verdict(f64::from(i) / 23.0, i >= 12)).collect();
        let found = Calibration::of(&many);
        assert_eq!(found.bins.len(), 10);
        let sizes: Vec<usize> = found.bins.iter().map(|bin| bin.right.n).collect();
        assert_eq!(
            (sizes.iter().sum::<usize>(), sizes.iter().min(), sizes.iter().max()),
            (23, Some(&2), Some(&3))
        );
        let by_hand: f64 = found
            .bins
            .iter()
            .map(|bin| bin.right.n as f64 / 23.0 * (bin.mean - bin.right.share()).abs())
            .sum();
        assert!((found.error.unwrap() - by_hand).abs() < 1e-12);
        assert_eq!(Calibration::of(&many[..19]).error, None);
        assert!(Calibration::of(&many[..20]).error.is_some());
        let unknown = JudgedProb { after: None, ..many[0] };
        assert_eq!(Calibration::of(&[unknown, many[1]]).brier_after, None);
    }
}
