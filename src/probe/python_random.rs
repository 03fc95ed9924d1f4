//! Python's `random.Random`, as far as the evaluation harness uses it: the Mersenne Twister seeded with
//! a whole number, `sample` and `choices`. Owns no state but the generator's.

use std::collections::HashSet;

use rand_mt::Mt;

/// A generator that gives the numbers Python gives after `random.Random(seed)`.
pub struct PythonRandom(Mt);

impl PythonRandom {
    /// Seeds it.
    pub fn new(seed: u32) -> PythonRandom {
        PythonRandom(Mt::new_with_key([seed]))
    }

    /// An even number below a limit: as many bits as it needs, drawn again until they fit.
    fn below(&mut self, limit: usize) -> usize {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let bits = 32 - limit.leading_zeros();
        loop {
            let drawn = self.0.next_u32() >> (32 - bits.max(1));
            if drawn < limit {
                return drawn as usize;
            }
        }
    }

    /// A number in 0..1 with 53 random bits.
    fn unit(&mut self) -> f64 {
        let (high, low) = (self.0.next_u32() >> 5, self.0.next_u32() >> 6);
        (f64::from(high) * 67_108_864.0 + f64::from(low)) / 9_007_199_254_740_992.0
    }

    /// `k` different indices below `n`, in the order `sample` gives them; fewer where `n` is smaller.
    pub fn sample(&mut self, n: usize, k: usize) -> Vec<usize> {
        let k = k.min(n);
        // Where a set of k would take more room than a list of n, the list is shuffled.
        let set_size = if k > 5 { 21 + 4usize.pow((k as f64 * 3.0).log(4.0).ceil() as u32) } else { 21 };
        if n <= set_size {
            let mut pool: Vec<usize> = (0..n).collect();
            return (0..k)
                .map(|i| {
                    let drawn = self.below(n - i);
                    let chosen = pool[drawn];
                    pool[drawn] = pool[n - i - 1];
                    chosen
                })
                .collect();
        }
        let mut taken = HashSet::new();
        (0..k)
            .map(|_| {
                loop {
                    let drawn = self.below(n);
                    if taken.insert(drawn) {
                        return drawn;
                    }
                }
            })
            .collect()
    }

    /// One index below `n`, as `choices` draws each of its.
    pub fn choice(&mut self, n: usize) -> usize {
        (self.unit() * n as f64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The numbers are CPython's: `r = random.Random(1234); r.sample(range(n), k)` and the like.

    #[test]
    fn samples_of_a_small_pool_are_pythons() {
        let mut random = PythonRandom::new(1234);
        assert_eq!(random.sample(10, 3), SMALL[0]);
        assert_eq!(random.sample(10, 3), SMALL[1]);
        assert_eq!(random.sample(3, 3), SMALL[2]);
    }

    #[test]
    fn samples_of_a_large_pool_are_pythons() {
        let mut random = PythonRandom::new(1234);
        assert_eq!(random.sample(1000, 5), LARGE[0]);
        assert_eq!(random.sample(70_000, 8), LARGE[1]);
    }

    #[test]
    fn choices_are_pythons() {
        let mut random = PythonRandom::new(7);
        let drawn: Vec<usize> = (0..8).map(|_| random.choice(100)).collect();
        assert_eq!(drawn, CHOICES);
    }

    const SMALL: [[usize; 3]; 3] = [[7, 1, 0], [1, 0, 9], [0, 1, 2]];
    const LARGE: [&[usize]; 2] =
        [&[989, 796, 451, 119, 7], &[11880, 4577, 11001, 12900, 46482, 31039, 2284, 4038]];
    const CHOICES: [usize; 8] = [32, 15, 65, 7, 53, 36, 5, 50];
}
