//! A share of a number of trials, with its interval.

/// Two-sided 95 % quantile of the normal distribution.
pub const Z: f64 = 1.959_963_984_540_054;

/// A share of a number of trials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Trials that came out so.
    pub hits: usize,
    /// All trials.
    pub n: usize,
}

impl Share {
    /// The share itself; 0 of 0 is 0.
    pub fn share(self) -> f64 {
        if self.n == 0 { 0.0 } else { self.hits as f64 / self.n as f64 }
    }

    /// The 95 % interval of Wilson (1927), which stays inside 0..=1 and is sensible for few trials.
    pub fn interval(self) -> (f64, f64) {
        if self.n == 0 {
            return (0.0, 1.0);
        }
        let (n, p) = (self.n as f64, self.share());
        let centre = (p + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
        let half = Z / (1.0 + Z * Z / n) * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        // Exact at the ends, where rounding leaves a trace.
        let low = if self.hits == 0 { 0.0 } else { (centre - half).max(0.0) };
        let high = if self.hits == self.n { 1.0 } else { (centre + half).min(1.0) };
        (low, high)
    }
}
