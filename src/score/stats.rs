//! Statistics that people who study the detection of generated text and the contamination of training
//! data compute from the figures of a text's tokens. Numbers, never a verdict.
//!
//! LRR: Su et al. 2023. Buckets of ranks: GLTR, Gehrmann et al. 2019. Min-K%: Shi et al. 2023. Min-K%++:
//! Zhang et al. 2024. Fast-DetectGPT (analytic): Bao et al. 2023. Binoculars: Hans et al. 2024.

use serde::Serialize;

use super::Figures;
use crate::step::Figure;

/// Shares of the lowest tokens for Min-K%.
pub const SHARES: [&str; 5] = ["0.1", "0.2", "0.3", "0.5", "1.0"];

/// The statistics of a text, over its scored tokens. `None` where one does not exist.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Stats {
    /// exp of the mean surprisal.
    pub ppl: Option<f64>,
    /// In nats.
    pub mean_logprob: Option<f64>,
    /// −mean ln p ÷ mean ln rank; none where every rank is 1.
    pub lrr: Option<f64>,
    /// How many tokens have a rank in 1–10, 11–100, 101–1000, above; none where a rank may lie in two.
    pub gltr_buckets: Option<[usize; 4]>,
    /// Mean of the ⌊n·r⌋ lowest ln p.
    pub min_k: ByShare,
    /// Mean of the ⌊n·r⌋ lowest (ln p + H)/√V.
    pub min_k_pp: ByShare,
    /// (Σ ln p + ΣH)/√ΣV.
    pub fast_detect_gpt: Option<f64>,
    /// Mean −ln p ÷ mean −Σ p_reference ln p.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binoculars: Option<f64>,
}

/// One value for each of [`SHARES`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ByShare(pub [Option<f64>; SHARES.len()]);

impl Serialize for ByShare {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(SHARES.into_iter().zip(self.0))
    }
}

impl Stats {
    /// The statistics of scored tokens. `cross` is −Σ p_reference ln p before each of them, in nats.
    pub fn of(tokens: &[Figures], cross: Option<&[f32]>) -> Stats {
        let n = tokens.len() as f64;
        let finite = |value: f64| value.is_finite().then_some(value);
        let sum = tokens.iter().map(|token| f64::from(token.logprob)).sum::<f64>();
        let mean = sum / n;
        // As long as every token's figures are known.
        let known = |of: fn(&Figures) -> Option<f64>| tokens.iter().map(of).sum::<Option<f64>>();
        let entropy = known(|token| token.entropy.exact().map(f64::from));
        let varentropy = known(|token| token.varentropy.exact().map(f64::from));
        let crossed = cross.map(|cross| cross.iter().copied().map(f64::from).sum::<f64>());
        Stats {
            ppl: finite((-mean).exp()),
            mean_logprob: finite(mean),
            lrr: known(|token| Some(f64::from(token.rank.exact()?).ln()))
                .and_then(|ranks| finite(-sum / ranks)),
            gltr_buckets: buckets(tokens),
            min_k: lowest(tokens.iter().map(|token| f64::from(token.logprob)).collect()),
            min_k_pp: tokens.iter().map(standardised).collect::<Option<_>>().map(lowest).unwrap_or_default(),
            fast_detect_gpt: entropy
                .zip(varentropy)
                .and_then(|(entropy, varentropy)| finite((sum + entropy) / varentropy.sqrt())),
            binoculars: crossed.and_then(|crossed| finite(-sum / crossed)),
        }
    }
}

fn buckets(tokens: &[Figures]) -> Option<[usize; 4]> {
    let mut buckets = [0; 4];
    for token in tokens {
        let above = |rank| [10, 100, 1000].iter().filter(|&&edge| rank > edge).count();
        match token.rank.map(above) {
            Figure::Exact(bucket) => buckets[bucket] += 1,
            Figure::Bounded([low, high]) if low == high => buckets[low] += 1,
            _ => return None,
        }
    }
    Some(buckets)
}

/// How many standard deviations a token's ln p is from its mean under the model. A distribution without
/// spread is certain of its token, which is exactly as expected.
fn standardised(token: &Figures) -> Option<f64> {
    let (entropy, varentropy) = (token.entropy.exact()?, token.varentropy.exact()?);
    let above_mean = f64::from(token.logprob) + f64::from(entropy);
    Some(if varentropy > 0.0 { above_mean / f64::from(varentropy).sqrt() } else { 0.0 })
}

fn lowest(mut values: Vec<f64>) -> ByShare {
    values.sort_unstable_by(f64::total_cmp);
    ByShare(SHARES.map(|share| {
        let share: f64 = share.parse().unwrap_or(1.0);
        let k = (values.len() as f64 * share) as usize;
        let mean = values[..k].iter().sum::<f64>() / k as f64;
        mean.is_finite().then_some(mean)
    }))
}

#[cfg(test)]
mod tests;
