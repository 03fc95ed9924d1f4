//! Steps that look as if a model had given them, the same in every run, and a reply made of them.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::sync::Arc;

use tokenscope::archive::event::{LogEvent, ModelLine};
use tokenscope::archive::scribe::{Now, NowBranch, NowSaid, Scribe};
use tokenscope::distribution::Depth;
use tokenscope::intervention::Interventions;
use tokenscope::sequence::{NodeOrigin, TokenTree};
use tokenscope::step::{Candidate, Figure, Prediction, Step, TokenStats};
use tokenscope::token::{SpecialTokens, TokenId, Vocab, VocabEntry};

const VOCABULARY: u32 = 49_152;

fn vocab() -> Vocab {
    let entries = (0..VOCABULARY)
        .map(|id| VocabEntry { bytes: format!(" t{id}").into_bytes(), ..VocabEntry::default() });
    Vocab::new(entries, SpecialTokens::default())
}

/// Numbers that look drawn and are the same in every run.
pub struct Draws(pub u64);

impl Draws {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    pub fn share(&mut self) -> f64 {
        self.next() as f64 / (1u64 << 31) as f64
    }
}

/// A step with the figures that a model gives: floats of every digit, ids as frequent as tokens are.
pub fn step(draws: &mut Draws, k: usize) -> Step {
    let mut logprob = -(draws.share() as f32) * 0.7;
    let mut top_logprobs: Vec<Candidate> = Vec::with_capacity(k);
    while top_logprobs.len() < k {
        let id = TokenId((f64::from(VOCABULARY) * draws.share().powi(3)) as u32);
        if top_logprobs.iter().all(|candidate| candidate.id != id) {
            let rank = top_logprobs.len() as u32 + 1;
            top_logprobs.push(Candidate { id, logprob, rank, outcome: None });
            logprob -= draws.share() as f32;
        }
    }
    let chosen = top_logprobs[draws.next() as usize % 2];
    let prediction = Prediction {
        top_logprobs,
        entropy: Figure::Exact(draws.share() as f32 * 6.0),
        varentropy: Figure::Exact(draws.share() as f32 * 9.0),
        residual: Figure::Exact(draws.share() * 0.1),
        n_vocab: VOCABULARY,
        boundary: None,
    };
    let stats = TokenStats { logprob: chosen.logprob, rank: chosen.rank.into(), outcome: None, prediction };
    Step { id: chosen.id, stats: Some(stats) }
}

/// A reply that is written down token by token.
pub struct DrawnReply {
    pub tree: TokenTree,
    pub vocab: Vocab,
    model: ModelLine,
    pub scribe: Scribe,
    draws: Draws,
}

impl DrawnReply {
    pub fn new() -> DrawnReply {
        let model = ModelLine {
            model: "m".to_string(),
            vocabulary: Some(VOCABULARY as usize),
            ..ModelLine::default()
        };
        let scribe = Scribe::new(Depth::Count(20));
        DrawnReply { tree: TokenTree::default(), vocab: vocab(), model, scribe, draws: Draws(1) }
    }

    /// Adds a token.
    pub fn push(&mut self, step: Step) {
        self.tree.append(Arc::new(step), NodeOrigin::Sampled, &Interventions::default());
    }

    /// Adds a token; what is to be written of it.
    pub fn grow(&mut self) -> Vec<LogEvent> {
        let step = step(&mut self.draws, 20);
        self.push(step);
        self.told()
    }

    /// What is to be written and was not.
    pub fn told(&mut self) -> Vec<LogEvent> {
        let said = |key, role, text| NowSaid { key, role, text, tokens: None, seed: None, finish: None };
        let said = vec![said(1, "user", Some("Tell me a story")), said(2, "assistant", None)];
        let branch = NowBranch { number: 1, from: None, tip: self.tree.head(), said };
        let nothing = tokenscope::archive::PinnedFigures::new();
        let now = Now {
            model: &self.model,
            vocab: &self.vocab,
            tree: &self.tree,
            branches: vec![branch],
            side_by_side: false,
            settings: None,
            verdicts: &[],
            pins: &[],
            pinned: &nothing,
            is_reading: false,
        };
        self.scribe.events(&now, String::new)
    }
}
