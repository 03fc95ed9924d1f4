//! How well answers agree with right answers: F1, Matthews' correlation, Brier score, calibration.

/// Bins of confidence for the calibration error.
const BINS: usize = 10;

/// F1 of class 1 where there are two classes: 2·tp ÷ (2·tp + fp + fn), 0 where nothing is positive.
/// `None` for no pair, or for a class other than 0 and 1.
pub fn f1(pairs: &[(usize, usize)]) -> Option<f64> {
    if pairs.is_empty() || pairs.iter().any(|(gold, best)| *gold > 1 || *best > 1) {
        return None;
    }
    let count = |pair: (usize, usize)| pairs.iter().filter(|other| **other == pair).count() as f64;
    let (hits, misses) = (count((1, 1)), count((0, 1)) + count((1, 0)));
    Some(if hits == 0.0 { 0.0 } else { 2.0 * hits / (2.0 * hits + misses) })
}

/// Matthews' correlation for any number of classes (Gorodkin 2004); 0 where one side never varies.
/// `None` for no pair.
pub fn matthews(pairs: &[(usize, usize)]) -> Option<f64> {
    let classes = pairs.iter().map(|(gold, best)| gold.max(best) + 1).max()?;
    let n = pairs.len() as f64;
    let (mut golds, mut bests) = (vec![0.0; classes], vec![0.0; classes]);
    let mut right = 0.0;
    for (gold, best) in pairs {
        golds[*gold] += 1.0;
        bests[*best] += 1.0;
        right += f64::from(gold == best);
    }
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let covariance = right * n - dot(&golds, &bests);
    let scale = ((n * n - dot(&golds, &golds)) * (n * n - dot(&bests, &bests))).sqrt();
    Some(if scale == 0.0 { 0.0 } else { covariance / scale })
}

/// Mean of Σ (share − 1 if right, else share)². `None` for no item.
pub fn brier(items: &[(Vec<f64>, usize)]) -> Option<f64> {
    let distances = items.iter().map(|(shares, gold)| {
        shares.iter().enumerate().map(|(i, share)| (share - f64::from(i == *gold)).powi(2)).sum::<f64>()
    });
    (!items.is_empty()).then(|| distances.sum::<f64>() / items.len() as f64)
}

/// Expected calibration error: the mean distance of confidence (the best choice's share) and accuracy,
/// over ten bins of confidence, weighted by their items. `None` for no item.
pub fn calibration_error(items: &[(Vec<f64>, usize)]) -> Option<f64> {
    let mut bins = [(0.0, 0.0); BINS];
    for (shares, gold) in items {
        let (best, confidence) = shares
            .iter()
            .copied()
            .enumerate()
            .fold((0, 0.0), |best, (i, share)| if share > best.1 { (i, share) } else { best });
        let bin = ((confidence * BINS as f64) as usize).min(BINS - 1);
        bins[bin].0 += confidence;
        bins[bin].1 += f64::from(best == *gold);
    }
    (!items.is_empty()).then(|| {
        bins.iter().map(|(confidence, right)| (confidence - right).abs()).sum::<f64>() / items.len() as f64
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f1_and_matthews_of_a_known_table() {
        // tp 6, fn 2, fp 1, tn 3.
        let table = [((1, 1), 6), ((1, 0), 2), ((0, 1), 1), ((0, 0), 3)];
        let pairs: Vec<_> = table.iter().flat_map(|(pair, n)| vec![*pair; *n]).collect();
        assert!((f1(&pairs).unwrap() - 0.8).abs() < 1e-12);
        assert!((matthews(&pairs).unwrap() - 0.478_091_443_733_757_3).abs() < 1e-12);
        assert_eq!((f1(&[(2, 0)]), f1(&[]), matthews(&[])), (None, None, None));
        assert_eq!(matthews(&[(0, 1), (0, 1)]), Some(0.0));
    }

    #[test]
    fn sure_and_right_is_perfect_and_unsure_is_not() {
        assert_eq!(brier(&[(vec![1.0, 0.0], 0)]), Some(0.0));
        assert_eq!(brier(&[(vec![0.5, 0.5], 0)]), Some(0.5));
        assert_eq!(calibration_error(&[(vec![1.0, 0.0], 0), (vec![1.0, 0.0], 1)]), Some(0.5));
        let half_sure = [(vec![0.5, 0.5], 0), (vec![0.5, 0.5], 1)];
        assert_eq!(calibration_error(&half_sure), Some(0.0));
        assert_eq!((brier(&[]), calibration_error(&[])), (None, None));
    }
}
