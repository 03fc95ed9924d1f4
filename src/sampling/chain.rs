//! The stages after the mask, one after the other, on as few candidates as they need.
//!
//! The choice depends on the row, the settings, the seed and what was accepted; never on how many
//! candidates someone looks at.

use std::collections::BTreeMap;

use rand_mt::Mt;

use super::candidates::{CandidateEntry, Candidates};
pub use super::candidates::{FIRST_LOOK, KnownRow};
use super::repetition::{Dry, Penalties};
use super::{Mirostat, Sampling, Stage};
use crate::step::SamplerOutcome;
use crate::token::{TokenId, Vocab};

/// How many of the best mirostat 1 estimates from.
const MIROSTAT_BEST: usize = 100;
/// Takes the stage that acts by chance off the stream of the draws.
const OTHER_STREAM: u32 = 0x9E37_79B9;

/// A chain with its state: numbers drawn, tokens seen, the surprisal mirostat is at.
pub struct Chain {
    sampling: Sampling,
    stages: Vec<Stage>,
    penalties: Option<Penalties>,
    dry: Option<Dry>,
    draws: Mt,
    chances: Mt,
    /// Mirostat's bound on surprisal, in bits.
    mu: f64,
}

/// A chosen token and what became of the watched ones.
#[derive(Clone, Debug, PartialEq)]
pub struct ChosenToken {
    /// The token.
    pub id: TokenId,
    /// Its own outcome.
    pub outcome: SamplerOutcome,
    /// The outcome of each watched token, in the order given.
    pub watched: Vec<SamplerOutcome>,
}

/// What the stages leave of a row.
#[derive(Clone, Debug, PartialEq)]
pub struct LeftTokens {
    /// The outcome of each watched token, in the order given.
    pub watched: Vec<SamplerOutcome>,
    /// How many tokens can still be chosen.
    pub count: usize,
}

/// Tokens whose outcome is wanted, and the stage that has dropped each, if one has.
pub struct WatchedToken {
    ids: Vec<TokenId>,
    dropped: Vec<Option<Stage>>,
}

impl WatchedToken {
    /// Nothing has happened to them yet.
    pub fn new(ids: Vec<TokenId>) -> WatchedToken {
        WatchedToken { dropped: vec![None; ids.len()], ids }
    }

    /// Notes what a stage has dropped: those of which `stays` is false.
    pub fn note(&mut self, stage: Stage, stays: impl Fn(TokenId) -> bool) {
        for (id, dropped) in self.ids.iter().zip(&mut self.dropped) {
            if dropped.is_none() && !stays(*id) {
                *dropped = Some(stage);
            }
        }
    }
}

impl Chain {
    /// A chain that looks back over at most `room` tokens for repetitions.
    pub fn new(sampling: &Sampling, vocab: &Vocab, room: usize) -> Chain {
        let stages = sampling.stages();
        let runs = |stage| stages.contains(&stage);
        Chain {
            penalties: runs(Stage::Penalties).then(|| Penalties::new(sampling)),
            dry: runs(Stage::Dry).then(|| Dry::new(sampling.dry, vocab, room)),
            draws: Mt::new(sampling.seed),
            chances: Mt::new(sampling.seed ^ OTHER_STREAM),
            mu: sampling.mirostat.map_or(0.0, |mirostat| 2.0 * f64::from(mirostat.tau)),
            sampling: sampling.clone(),
            stages,
        }
    }

    /// Tells penalties and DRY that this token stands there now.
    pub fn accept(&mut self, token: TokenId) {
        if let Some(penalties) = &mut self.penalties {
            penalties.accept(token);
        }
        if let Some(dry) = &mut self.dry {
            dry.accept(token);
        }
    }

    /// Tells mirostat with which final probability a token was chosen before; nothing where that is not known
    /// or the chain would not have chosen it.
    pub fn observe(&mut self, prob: Option<f32>) {
        if let (Some(mirostat), Some(prob)) = (self.sampling.mirostat, prob.filter(|&prob| prob > 0.0)) {
            self.surprised(mirostat, -f64::from(prob).log2());
        }
    }

    /// Chooses from a row of logits, in which what a mask forbids is −∞.
    pub fn choose(&mut self, row: &[f32], known: KnownRow, mut watched: WatchedToken) -> ChosenToken {
        let mut candidates = self.narrowed(row, known, &mut watched);
        if self.sampling.is_greedy() {
            return take_first(&candidates, watched);
        }
        if let Some(mirostat) = self.sampling.mirostat {
            self.cut(mirostat, row.len(), &mut candidates);
        }
        let (id, logit) = candidates.at_share(uniform(&mut self.draws));
        let prob = candidates.probability(logit);
        if let Some(mirostat) = self.sampling.mirostat {
            self.surprised(mirostat, -prob.log2());
        }
        let watched = outcomes(&mut candidates, &watched);
        ChosenToken { id, outcome: SamplerOutcome { prob: prob as f32, dropped_by: None }, watched }
    }

    /// What the stages leave of a row, from which nothing is chosen; otherwise as [`Chain::choose`].
    pub fn left(&mut self, row: &[f32], known: KnownRow, mut watched: WatchedToken) -> LeftTokens {
        let mut candidates = self.narrowed(row, known, &mut watched);
        if self.sampling.is_greedy() {
            return LeftTokens { watched: take_first(&candidates, watched).watched, count: 1 };
        }
        if let Some(mirostat) = self.sampling.mirostat {
            self.cut(mirostat, row.len(), &mut candidates);
        }
        LeftTokens { watched: outcomes(&mut candidates, &watched), count: candidates.count() }
    }

    /// What the stages but mirostat leave of a row.
    fn narrowed<'r>(
        &mut self,
        row: &'r [f32],
        known: KnownRow<'r>,
        watched: &mut WatchedToken,
    ) -> Candidates<'r> {
        // What the row rules out, no stage drops.
        let impossible = |id: TokenId| row[id.index()] == f32::NEG_INFINITY;
        let mut candidates = Candidates::new(row, known, self.changed(row));
        for stage in self.stages.clone() {
            if self.apply(stage, &mut candidates) {
                watched.note(stage, |id| impossible(id) || candidates.logit_of(id).is_some());
            }
        }
        candidates
    }

    /// New logits of the tokens that biases, penalties and DRY change, by id.
    fn changed(&self, row: &[f32]) -> Vec<CandidateEntry> {
        let biased = self.sampling.bias.iter().filter(|bias| bias.id.index() < row.len());
        let mut logits: BTreeMap<TokenId, f32> =
            biased.map(|bias| (bias.id, row[bias.id.index()] + bias.nats)).collect();
        if let Some(penalties) = &self.penalties {
            penalties.apply(&mut logits, row);
        }
        if let Some(dry) = &self.dry {
            dry.apply(&mut logits, row);
        }
        let possible = logits.into_iter().filter(|(id, _)| row[id.index()] > f32::NEG_INFINITY);
        possible.map(|(id, logit)| (id, logit.clamp(f32::MIN, f32::MAX))).collect()
    }

    /// Whether the stage may have dropped something.
    fn apply(&mut self, stage: Stage, candidates: &mut Candidates) -> bool {
        let s = &self.sampling;
        match stage {
            // The mask, biases and penalties came before.
            Stage::Grammar | Stage::Bias | Stage::Penalties | Stage::Dry | Stage::Mirostat => return false,
            Stage::TopNSigma => candidates.keep_within_deviations(s.top_n_sigma),
            Stage::TopK => candidates.keep_first(s.top_k as usize),
            Stage::Typical => candidates.keep_typical(f64::from(s.typical)),
            Stage::TopP => candidates.keep_mass(f64::from(s.top_p)),
            Stage::MinP => {
                let floor = f64::from(candidates.best()[0].1) + f64::from(s.min_p).ln();
                candidates.keep_while(|entry| f64::from(entry.1) >= floor);
            }
            Stage::Xtc => {
                let Some(xtc) = s.xtc else { return false };
                let acts = uniform(&mut self.chances) < f64::from(xtc.probability);
                if !acts || xtc.threshold > 0.5 {
                    return false;
                }
                let above = candidates.count_probable(f64::from(xtc.threshold));
                if above < 2 {
                    return false;
                }
                // The least probable of them stays.
                candidates.remove_first(above - 1);
            }
            Stage::Temperature => {
                candidates.heat(s.temperature);
                return false;
            }
        }
        true
    }

    /// Keeps what mirostat's bound allows.
    fn cut(&mut self, settings: Mirostat, n: usize, candidates: &mut Candidates) {
        match settings.version {
            1 => {
                let k = self.mirostat_k(n, candidates);
                candidates.keep_first(k);
            }
            _ => candidates.keep_probable((-self.mu).exp2()),
        }
    }

    /// Moves the bound by a surprisal in bits.
    fn surprised(&mut self, settings: Mirostat, surprisal: f64) {
        self.mu -= f64::from(settings.eta) * (surprisal - f64::from(settings.tau));
    }

    /// How many mirostat 1 keeps: Zipf's exponent from the best candidates, then the count whose
    /// surprisal is the bound (Basu and others 2021).
    fn mirostat_k(&self, n: usize, candidates: &mut Candidates) -> usize {
        candidates.nth(MIROSTAT_BEST - 1);
        let probabilities: Vec<f64> = {
            let best: Vec<CandidateEntry> = candidates.best().iter().take(MIROSTAT_BEST).copied().collect();
            best.iter().map(|entry| candidates.probability(entry.1)).collect()
        };
        let (mut products, mut squares) = (0.0, 0.0);
        for (i, pair) in probabilities.windows(2).enumerate() {
            let t = ((i as f64 + 2.0) / (i as f64 + 1.0)).ln();
            products += t * (pair[0] / pair[1]).ln();
            squares += t * t;
        }
        if squares == 0.0 {
            return 1;
        }
        let exponent = products / squares;
        let epsilon = exponent - 1.0;
        let k = (epsilon * self.mu.exp2() / (1.0 - (n as f64).powf(-epsilon))).powf(1.0 / exponent);
        // A distribution that is flat has no exponent: everything is kept.
        if k.is_finite() { (k.clamp(1.0, n as f64)) as usize } else { n }
    }
}

/// What became of the watched tokens.
fn outcomes(candidates: &mut Candidates, watched: &WatchedToken) -> Vec<SamplerOutcome> {
    let each = watched.ids.iter().zip(&watched.dropped);
    each.map(|(id, &dropped_by)| {
        let prob = candidates.logit_of(*id).map_or(0.0, |logit| candidates.probability(logit) as f32);
        SamplerOutcome { prob, dropped_by }
    })
    .collect()
}

/// The best candidate, which gets all of the final mass.
fn take_first(candidates: &Candidates, watched: WatchedToken) -> ChosenToken {
    let id = candidates.best()[0].0;
    let each = watched.ids.iter().zip(watched.dropped);
    let outcomes = each
        .map(|(other, dropped_by)| SamplerOutcome { prob: if *other == id { 1.0 } else { 0.0 }, dropped_by });
    ChosenToken { id, outcome: SamplerOutcome { prob: 1.0, dropped_by: None }, watched: outcomes.collect() }
}

/// From 0 to below 1, in steps of 2⁻⁵³.
fn uniform(stream: &mut Mt) -> f64 {
    let (high, low) = (u64::from(stream.next_u32() >> 5), u64::from(stream.next_u32() >> 6));
    ((high << 26) + low) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
