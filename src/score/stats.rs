//! Statistics that people who study the detection of generated text and the contamination of training
//! data compute from the figures of a text's tokens. Numbers, never a verdict.
//!
//! LRR: Su et al. 2023. Buckets of ranks: GLTR, Gehrmann et al. 2019. Min-K%: Shi et al. 2023. Min-K%++:
//! Zhang et al. 2024. Fast-DetectGPT (analytic): Bao et al. 2023. Binoculars: Hans et al. 2024.

use serde::Serialize;

use super::Figures;

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
    /// How many tokens have a rank in 1–10, 11–100, 101–1000, above.
    pub gltr_buckets: [usize; 4],
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
        let total = |of: fn(&Figures) -> f64| tokens.iter().map(of).sum::<f64>();
        let sum = total(|token| f64::from(token.logprob));
        let mean = sum / n;
        let mut buckets = [0; 4];
        for token in tokens {
            let above = [10, 100, 1000].iter().filter(|&&edge| token.rank > edge).count();
            buckets[above] += 1;
        }
        let crossed = cross.map(|cross| cross.iter().copied().map(f64::from).sum::<f64>());
        Stats {
            ppl: finite((-mean).exp()),
            mean_logprob: finite(mean),
            lrr: finite(-sum / total(|token| f64::from(token.rank).ln())),
            gltr_buckets: buckets,
            min_k: lowest(tokens.iter().map(|token| f64::from(token.logprob)).collect()),
            min_k_pp: lowest(tokens.iter().map(standardised).collect()),
            fast_detect_gpt: finite(
                (sum + total(|token| f64::from(token.entropy)))
                    / total(|token| f64::from(token.varentropy)).sqrt(),
            ),
            binoculars: crossed.and_then(|crossed| finite(-sum / crossed)),
        }
    }
}

/// How many standard deviations a token's ln p is from its mean under the model. A distribution without
/// spread is certain of its token, which is exactly as expected.
fn standardised(token: &Figures) -> f64 {
    let above_mean = f64::from(token.logprob) + f64::from(token.entropy);
    if token.varentropy > 0.0 { above_mean / f64::from(token.varentropy).sqrt() } else { 0.0 }
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
