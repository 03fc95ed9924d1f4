//! The running score of a sequence and the figures derived from it.

/// Σ ln p over scored tokens, with what is needed to reduce it. Natural log, nats.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    sum: f64,
    tokens: usize,
    bytes: usize,
}

impl Score {
    /// Adds one scored token: its raw ln p and the number of bytes it stands for.
    pub fn add(&mut self, logprob: f32, bytes: usize) {
        self.sum += f64::from(logprob);
        self.tokens += 1;
        self.bytes += bytes;
    }

    /// Adds everything another score holds.
    pub fn merge(&mut self, other: &Score) {
        self.sum += other.sum;
        self.tokens += other.tokens;
        self.bytes += other.bytes;
    }

    /// Σ ln p in nats.
    pub fn sum_logprob(&self) -> f64 {
        self.sum
    }

    /// Number of scored tokens.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Bytes of the scored tokens.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Mean ln p per scored token, in nats.
    pub fn mean_logprob(&self) -> Option<f64> {
        (self.tokens > 0).then(|| self.sum / self.tokens as f64)
    }

    /// exp of the mean surprisal.
    pub fn perplexity(&self) -> Option<f64> {
        self.mean_logprob().map(|mean| (-mean).exp())
    }

    /// Mean surprisal in bits.
    pub fn bits_per_token(&self) -> Option<f64> {
        self.mean_logprob().map(|mean| -mean / std::f64::consts::LN_2)
    }

    /// Total surprisal in bits per byte of the scored tokens.
    pub fn bits_per_byte(&self) -> Option<f64> {
        (self.bytes > 0).then(|| -self.sum / (self.bytes as f64 * std::f64::consts::LN_2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_score_has_no_mean() {
        let score = Score::default();
        assert_eq!(score.sum_logprob(), 0.0);
        assert_eq!((score.mean_logprob(), score.perplexity(), score.bits_per_byte()), (None, None, None));
    }

    #[test]
    fn perplexity_is_exp_of_the_mean_surprisal_not_the_mean_of_inverses() {
        let mut score = Score::default();
        score.add((0.5f32).ln(), 2);
        score.add((0.125f32).ln(), 6);
        assert!((score.perplexity().unwrap() - 4.0).abs() < 1e-6);
        assert!((score.bits_per_token().unwrap() - 2.0).abs() < 1e-6);
        assert!((score.bits_per_byte().unwrap() - 0.5).abs() < 1e-6);
    }

    #[test]
    fn one_impossible_token_makes_the_sequence_impossible() {
        let mut score = Score::default();
        score.add(f32::NEG_INFINITY, 1);
        assert_eq!(score.sum_logprob(), f64::NEG_INFINITY);
        assert_eq!(score.perplexity(), Some(f64::INFINITY));
    }
}
