//! llama.cpp's own stages beside ours, on rows in which every token is possible.

use llama_cpp_2::sampling::LlamaSampler;
use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::token::data::LlamaTokenData;
use llama_cpp_2::token::data_array::LlamaTokenDataArray;
use rand_mt::Mt;

use crate::sampling::chain::testing::{Noise, Reference, choose, vocab};
use crate::sampling::chain::{Chain, ChosenToken};
use crate::sampling::{Mirostat, Sampling, Stage, Xtc};
use crate::step::SamplerOutcome;
use crate::token::TokenId;

fn theirs(stage: Stage, s: &Sampling, n: i32) -> LlamaSampler {
    match (stage, s.mirostat, s.xtc) {
        (Stage::Penalties, ..) => LlamaSampler::penalties(
            n,
            s.penalty_last_n as i32,
            s.repeat_penalty,
            s.frequency_penalty,
            s.presence_penalty,
        ),
        (Stage::TopNSigma, ..) => LlamaSampler::top_n_sigma(s.top_n_sigma),
        (Stage::TopK, ..) => LlamaSampler::top_k(s.top_k as i32),
        (Stage::Typical, ..) => LlamaSampler::typical(s.typical, 1),
        (Stage::TopP, ..) => LlamaSampler::top_p(s.top_p, 1),
        (Stage::MinP, ..) => LlamaSampler::min_p(s.min_p, 1),
        (Stage::Temperature, ..) => LlamaSampler::temp(s.temperature),
        (Stage::Xtc, _, Some(xtc)) => LlamaSampler::xtc(xtc.probability, xtc.threshold, 1, 0),
        (Stage::Mirostat, Some(m), _) if m.version == 1 => LlamaSampler::mirostat(n, 0, m.tau, m.eta, 100),
        (Stage::Mirostat, Some(m), _) => LlamaSampler::mirostat_v2(0, m.tau, m.eta),
        other => panic!("{other:?}"),
    }
}

/// What llama.cpp keeps, with its probabilities, by id.
fn kept_by_theirs(row: &[f32], sampling: &Sampling, before: &[TokenId]) -> Vec<Option<f64>> {
    let entry = |(id, logit): (usize, &f32)| LlamaTokenData::new(LlamaToken(id as i32), *logit, 0.0);
    let mut array = LlamaTokenDataArray::from_iter(row.iter().enumerate().map(entry), false);
    for stage in sampling.stages() {
        let mut sampler = theirs(stage, sampling, row.len() as i32);
        sampler.accept_many(before.iter().map(|token| LlamaToken(token.0 as i32)));
        array.apply_sampler(&mut sampler);
        // What top-n-sigma masks, it leaves to the next stage.
        array.data.retain(|entry| entry.logit() > f32::NEG_INFINITY);
    }
    if sampling.mirostat.is_none() {
        array.apply_sampler(&mut LlamaSampler::dist(0));
    }
    let mut kept = vec![None; row.len()];
    for entry in &array.data {
        kept[entry.id().0 as usize] = Some(f64::from(entry.p()));
    }
    kept
}

/// What we keep, by id. Mirostat is no stage that drops: what it keeps has a probability.
fn kept_by_ours(choice: &ChosenToken, sampling: &Sampling) -> Vec<Option<f64>> {
    let stays = |outcome: &SamplerOutcome| match sampling.mirostat {
        Some(_) => outcome.prob > 0.0,
        None => outcome.dropped_by.is_none(),
    };
    choice.watched.iter().map(|outcome| stays(outcome).then_some(f64::from(outcome.prob))).collect()
}

/// Whether a cut by definition is too near to a token for `f32`.
fn doubtful(row: &[f32], sampling: &Sampling) -> bool {
    let mut reference = Reference::new(row);
    for stage in sampling.stages() {
        match stage {
            Stage::TopNSigma => reference.top_n_sigma(sampling.top_n_sigma.into()),
            Stage::TopK => reference.keep(sampling.top_k as usize),
            Stage::Typical => reference.typical(sampling.typical.into()),
            Stage::TopP => reference.top_p(sampling.top_p.into()),
            Stage::MinP => reference.keep_from(reference.entries[0].1 + f64::from(sampling.min_p).ln()),
            Stage::Xtc => reference.xtc(sampling.xtc.map_or(1.0, |xtc| xtc.threshold.into())),
            Stage::Temperature => {
                reference.entries.iter_mut().for_each(|entry| entry.1 /= f64::from(sampling.temperature));
            }
            Stage::Mirostat => match sampling.mirostat {
                Some(m) if m.version == 1 => {
                    reference.mirostat_1(2.0 * f64::from(m.tau), 1e-3);
                    // A count beyond `int` is any count in llama.cpp.
                    reference.doubtful |= reference.entries.len() == row.len();
                }
                Some(m) => reference.mirostat_2(2.0 * f64::from(m.tau)),
                None => {}
            },
            Stage::Grammar | Stage::Bias | Stage::Penalties | Stage::Dry => {}
        }
    }
    reference.doubtful
}

/// Both keep tokens of the same logits; which of tied ones is ours by id, theirs by its sorting.
fn same(row: &[f32], ours: &[Option<f64>], theirs: &[Option<f64>]) -> bool {
    let logits = |kept: &[Option<f64>]| {
        let mut logits: Vec<f32> =
            row.iter().zip(kept).filter(|(_, kept)| kept.is_some()).map(|(logit, _)| *logit).collect();
        logits.sort_by(f32::total_cmp);
        logits
    };
    logits(ours) == logits(theirs)
}

/// Compares on many rows. llama.cpp adds up in `f32`, and mirostat 1's count of a row that is nearly flat
/// is all rounding. Cuts too near to a token are counted.
fn compare(name: &str, seed: u32, make: impl Fn(&mut Noise) -> Sampling) {
    let mut noise = Noise(Mt::new(seed));
    let cases = std::env::var("SAMPLER_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(3_000);
    let (mut largest, mut at_cuts, mut tried) = (0.0f64, 0, 0);
    for case in 0..cases {
        let row = noise.row();
        let sampling = make(&mut noise);
        if row.contains(&f32::NEG_INFINITY) {
            continue;
        }
        tried += 1;
        let before: Vec<TokenId> = (0..noise.below(20)).map(|_| TokenId(noise.below(3))).collect();
        let mut chain = Chain::new(&sampling, &vocab(row.len()), 100);
        before.iter().for_each(|token| chain.accept(*token));
        let ours = kept_by_ours(&choose(&mut chain, &row, 20), &sampling);
        let theirs = kept_by_theirs(&row, &sampling, &before);
        if !same(&row, &ours, &theirs) {
            assert!(
                doubtful(&row, &sampling),
                "{name} case {case}: {sampling:?} {row:?}\nours {ours:?}\ntheirs {theirs:?}"
            );
            at_cuts += 1;
            continue;
        }
        for (a, b) in ours.iter().zip(&theirs) {
            if let (Some(a), Some(b)) = (a, b) {
                largest = largest.max((a - b).abs());
            }
        }
    }
    eprintln!(
        "{name} beside llama.cpp: largest difference of a final probability {largest:.1e}, \
         other cuts where one is too near to a token {at_cuts} of {tried}"
    );
    assert!(largest < 2e-6, "{name}: {largest}");
    let rounding = if name == "mirostat" { tried / 4 } else { tried / 100 + 3 };
    assert!(at_cuts < rounding, "{name}: {at_cuts} of {tried}");
}

#[test]
fn each_stage_agrees_with_llama_cpp_where_every_token_is_possible() {
    let off = Sampling::default;
    compare("top-k", 21, |noise| Sampling { top_k: 1 + noise.below(100), ..off() });
    compare("top-p", 22, |noise| Sampling { top_p: noise.unit(), ..off() });
    compare("min-p", 23, |noise| Sampling { min_p: noise.unit() / 2.0, ..off() });
    compare("typical", 24, |noise| Sampling { typical: noise.unit(), ..off() });
    compare("top-n-sigma", 25, |noise| Sampling { top_n_sigma: 0.1 + noise.unit() * 3.0, ..off() });
    compare("temperature", 26, |noise| Sampling { temperature: 0.1 + noise.unit() * 3.0, ..off() });
    compare("xtc", 27, |noise| {
        let xtc = Some(Xtc { probability: 1.0, threshold: 0.02 + noise.unit() / 2.5 });
        Sampling { xtc, ..off() }
    });
    compare("penalties", 28, |noise| Sampling {
        repeat_penalty: 0.5 + noise.unit(),
        presence_penalty: noise.unit() - 0.5,
        frequency_penalty: noise.unit() - 0.5,
        ..off()
    });
    for version in [1, 2] {
        compare("mirostat", 29, |noise| {
            let mirostat = Some(Mirostat { version, tau: 0.3 + noise.unit() * 3.0, eta: 0.1 });
            Sampling { mirostat, ..off() }
        });
    }
}

#[test]
fn chains_agree_with_llama_cpp_where_every_token_is_possible() {
    compare("chain", 30, |noise| Sampling {
        top_n_sigma: if noise.below(2) == 0 { 0.5 + noise.unit() * 3.0 } else { 0.0 },
        top_k: noise.below(2) * (1 + noise.below(60)),
        typical: if noise.below(2) == 0 { 0.5 + noise.unit() / 2.0 } else { 1.0 },
        top_p: 0.3 + noise.unit() * 0.7,
        min_p: noise.unit() * 0.1,
        temperature: 0.3 + noise.unit() * 2.0,
        ..Sampling::default()
    });
}
