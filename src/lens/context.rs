//! The target with the last 1, 2, 4 … tokens of the prompt alone, at positions counted anew.

use super::floor;
use super::rest::{PromptRest, ScoredJobs, after, total};
use super::subject::Subject;
use crate::query::{Asker, QueryError};
use crate::step::Step;

/// Sequences whose figures are found a second time, among others, to see what rounding does.
const TWICE: usize = 4;

/// The target by the number of tokens the model sees.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Shortest first; the last is the whole prompt.
    pub points: Vec<CurvePoint>,
    /// Signed area between the whole prompt's log p and the curve, over log₂ of the number of tokens, in
    /// nat·octaves; not a number where the run was stopped before the whole prompt.
    pub area: f64,
    /// Whether there is no BOS, so that the first token that is seen takes the place that attention
    /// rests on.
    pub no_bos: bool,
}

/// One point of the curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurvePoint {
    /// Tokens that are seen, a BOS not counted.
    pub tokens: usize,
    /// ln p of the target, by the chain rule.
    pub logprob: f64,
    /// The same minus that of what it is compared with.
    pub difference: Option<f64>,
    /// Rank of a target of one token.
    pub rank: Option<u32>,
    /// Entropy after the tokens.
    pub entropy: f64,
}

/// Computes the curve. The last value says whether it came to its end.
pub(super) fn curve(asker: &mut Asker, subject: &Subject) -> Result<(f64, Curve, bool), QueryError> {
    let ids = subject.ids();
    let bos = usize::from(subject.has_bos);
    let seen = counts(ids.len() - bos);
    if seen.is_empty() {
        return Err(QueryError::Refused("there is no token before the target but the BOS".to_string()));
    }
    let each = subject.named().count();
    let rest = |&tokens: &usize| PromptRest::of(&ids, (0..bos).chain(ids.len() - tokens..ids.len()));
    let prompts: Vec<PromptRest> = seen.iter().map(rest).collect();
    let first = after(asker, subject, &prompts)?;
    // The shortest once more, in a batch of another size and in other places of it.
    let copies = if first.done {
        after(asker, subject, &prompts[..TWICE.min(seen.len())])?
    } else {
        ScoredJobs::default()
    };
    let differences = first.jobs.iter().zip(&copies.jobs).filter_map(|(a, b)| {
        let (a, b) = (a.as_ref()?, b.as_ref()?);
        Some(total(a) - total(b))
    });
    let floor = floor::floor(&asker.model, differences);
    let points = seen.iter().zip(first.jobs.chunks(each)).filter_map(|(&tokens, of)| point(tokens, of));
    let points: Vec<CurvePoint> = points.collect();
    if points.is_empty() {
        return Err(QueryError::Stopped);
    }
    let area = if first.done { area(&points) } else { f64::NAN };
    Ok((floor, Curve { points, area, no_bos: bos == 0 }, copies.done))
}

/// 1, 2, 4 … and the whole.
fn counts(whole: usize) -> Vec<usize> {
    let powers = std::iter::successors(Some(1usize), |n| n.checked_mul(2)).take_while(|&n| n < whole);
    powers.chain((whole > 0).then_some(whole)).collect()
}

/// `None` where the run was stopped before.
fn point(tokens: usize, of: &[Option<Vec<Step>>]) -> Option<CurvePoint> {
    let target = of.first()?.as_ref()?;
    let difference = match of.get(1) {
        Some(versus) => Some(total(target) - total(versus.as_ref()?)),
        None => None,
    };
    let stats = target.first().and_then(|step| step.stats.as_ref());
    Some(CurvePoint {
        tokens,
        logprob: total(target),
        difference,
        rank: stats.filter(|_| target.len() == 1).and_then(|stats| stats.rank.exact()),
        entropy: stats.and_then(|stats| stats.prediction.entropy.exact()).map_or(f64::NAN, f64::from),
    })
}

/// The trapezoid rule over log₂ of the number of tokens.
fn area(points: &[CurvePoint]) -> f64 {
    let full = points.last().map_or(0.0, |point| point.logprob);
    let lost = |point: &CurvePoint| full - point.logprob;
    let width = |a: &CurvePoint, b: &CurvePoint| (b.tokens as f64 / a.tokens as f64).log2();
    let parts =
        points.windows(2).map(|pair| (lost(&pair[0]) + lost(&pair[1])) / 2.0 * width(&pair[0], &pair[1]));
    // Not a sum, whose beginning is -0.
    parts.fold(0.0, |area, part| area + part)
}

#[cfg(test)]
mod tests {
    use super::{CurvePoint, area, counts};

    #[test]
    fn counts_double_and_end_with_the_whole() {
        assert_eq!(counts(1), [1]);
        assert_eq!(counts(2), [1, 2]);
        assert_eq!(counts(5), [1, 2, 4, 5]);
        assert_eq!(counts(64), [1, 2, 4, 8, 16, 32, 64]);
        assert!(counts(0).is_empty());
    }

    #[test]
    fn the_area_is_a_signed_trapezoid_over_octaves() {
        let point =
            |tokens, logprob| CurvePoint { tokens, logprob, difference: None, rank: None, entropy: 0.0 };
        // Lost: 3, 1, −1, 0; widths 1, 1 and log₂ 1.25.
        let points = [point(1, -4.0), point(2, -2.0), point(4, 0.0), point(5, -1.0)];
        let expected = 2.0 + 0.0 + -0.5 * 1.25f64.log2();
        assert!((area(&points) - expected).abs() < 1e-12);
        // A prompt of one token has lost nothing, which is 0 and not -0.
        assert!(area(&points[..1]).is_sign_positive());
    }
}
