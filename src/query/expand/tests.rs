//! The search against a plain one that looks at one continuation after the other, over made-up figures; and
//! through a scripted engine.

use std::collections::HashMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::search::{Coverage, ExpandEnd, ExpandLimits, ExpandedNode, LeafKind, Search, floor};
use super::{ExpandFrom, ExpandWish, Expansion, expand};
use crate::counter::Far;
use crate::engine::testing::Scripted;
use crate::engine::{CancelFlag, Client};
use crate::query::{Asker, QueryError};
use crate::sampling::Sampling;
use crate::settings::{ConfigFile, Flags, SamplingFlags, Settings};
use crate::step::{Candidate, Prediction};
use crate::token::TokenId;

/// Tokens of the made-up model; the last one ends a text.
const TOKENS: u32 = 7;

/// A distribution that depends on the path alone. Equal probabilities are common.
fn after(path: &[TokenId], seed: u64) -> Prediction {
    let mut state = path.iter().fold(seed ^ 0x9E37_79B9, |state, id| {
        (state ^ u64::from(id.0 + 1)).wrapping_mul(6_364_136_223_846_793_005).rotate_left(23)
    });
    let mut weight = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        [0.0, 1.0, 1.0, 2.0, 4.0, 16.0, 200.0][(state >> 40) as usize % 7]
    };
    let mut weights: Vec<f64> = (0..TOKENS).map(|_| weight()).collect();
    weights[0] += 1.0;
    let sum: f64 = weights.iter().sum();
    let mut top: Vec<Candidate> = weights
        .iter()
        .enumerate()
        .map(|(id, weight)| Candidate {
            id: TokenId(id as u32),
            logprob: (weight / sum).ln() as f32,
            rank: 1,
            outcome: None,
        })
        .collect();
    top.sort_by(|a, b| b.logprob.total_cmp(&a.logprob).then(a.id.cmp(&b.id)));
    Prediction {
        top_logprobs: top,
        entropy: 1.0.into(),
        varentropy: 1.0.into(),
        residual: 0.0.into(),
        n_vocab: TOKENS,
        boundary: None,
    }
}

fn ends(id: TokenId) -> bool {
    id.0 == TOKENS - 1
}

type Found = (Vec<ExpandedNode>, Coverage, ExpandEnd);

/// Looks at so many together.
fn searched(limits: ExpandLimits, seed: u64, together: usize, rounds: usize) -> Found {
    let mut search = Search::new(limits);
    for _ in 0..rounds {
        let wanted = search.wanted(together);
        if wanted.is_empty() {
            return search.finish(false);
        }
        for node in wanted {
            let after = after(search.path(node), seed);
            search.tell(node, &after, &ends);
        }
    }
    let stopped = search.is_unfinished();
    search.finish(stopped)
}

/// The plainest search there is: of all that is known take the best, list it, look at it.
fn plain(limits: ExpandLimits, seed: u64) -> Vec<(Vec<TokenId>, f64)> {
    let mut known: Vec<(Vec<TokenId>, f64)> = vec![(Vec::new(), 0.0)];
    let (mut listed, mut looked) = (Vec::new(), 0);
    while !known.is_empty() {
        let best = (0..known.len())
            .min_by(|&a, &b| {
                let ((path_a, joint_a), (path_b, joint_b)) = (&known[a], &known[b]);
                joint_b.total_cmp(joint_a).then(path_a.len().cmp(&path_b.len())).then(path_a.cmp(path_b))
            })
            .unwrap();
        let (path, joint) = known.remove(best);
        if !path.is_empty() {
            listed.push((path.clone(), joint));
        }
        if path.len() == limits.depth || path.last().is_some_and(|&id| ends(id)) {
            continue;
        }
        if looked == limits.nodes {
            break;
        }
        looked += 1;
        for candidate in after(&path, seed).top_logprobs.iter().take(limits.width) {
            let sum = joint + f64::from(candidate.logprob);
            if sum > f64::NEG_INFINITY && sum.exp() >= limits.floor {
                known.push(([&path[..], &[candidate.id]].concat(), sum));
            }
        }
    }
    listed
}

fn paths(nodes: &[ExpandedNode]) -> Vec<(Vec<TokenId>, f64)> {
    let mut all: Vec<Vec<TokenId>> = Vec::new();
    for node in nodes {
        let before = node.parent.map_or(Vec::new(), |parent| all[parent].clone());
        all.push([before, vec![node.token]].concat());
    }
    all.into_iter().zip(nodes.iter().map(|node| node.joint)).collect()
}

proptest! {
    #[test]
    fn the_order_is_that_of_a_search_that_looks_at_one_after_the_other(
        depth in 1usize..5,
        width in 1usize..8,
        nodes in 1usize..80,
        together in 1usize..40,
        small in prop::sample::select(vec![0.0, 0.001, 0.02, 0.3]),
        seed in any::<u64>(),
    ) {
        let limits = ExpandLimits { depth, width, floor: small, nodes };
        let (listed, coverage, end) = searched(limits, seed, together, usize::MAX);
        prop_assert_eq!(paths(&listed), plain(limits, seed));
        let one_by_one = searched(limits, seed, 1, usize::MAX);
        prop_assert_eq!(&one_by_one.0, &listed);
        let Coverage { complete, below_width, below_floor, not_reached } = coverage;
        prop_assert!((complete + below_width + below_floor + not_reached - 1.0).abs() < 1e-5, "{:?}", coverage);
        prop_assert!((one_by_one.1.not_reached - not_reached).abs() < 1e-9);
        prop_assert!((one_by_one.1.below_width - below_width).abs() < 1e-9);
        prop_assert_eq!(one_by_one.2, end);
        if end == ExpandEnd::Whole {
            prop_assert_eq!(not_reached, 0.0);
        }
    }

    #[test]
    fn what_is_stopped_is_a_beginning_of_the_list(
        rounds in 1usize..12,
        together in 1usize..9,
        seed in any::<u64>(),
    ) {
        let limits = ExpandLimits { depth: 4, width: 4, floor: 0.0005, nodes: 1000 };
        let (listed, coverage, end) = searched(limits, seed, together, rounds);
        let whole = plain(limits, seed);
        prop_assert_eq!(&paths(&listed)[..], &whole[..listed.len()]);
        prop_assert!((coverage.complete
            + coverage.below_width
            + coverage.below_floor
            + coverage.not_reached
            - 1.0)
            .abs()
            < 1e-5);
        prop_assert_eq!(end == ExpandEnd::Whole, listed.len() == whole.len() && coverage.not_reached == 0.0);
    }
}

#[test]
fn leaves_are_never_looked_at() {
    let limits = ExpandLimits { depth: 3, width: 7, floor: 0.0, nodes: 100_000 };
    let mut search = Search::new(limits);
    let mut looked = HashMap::new();
    loop {
        let wanted = search.wanted(5);
        if wanted.is_empty() {
            break;
        }
        for node in wanted {
            let path = search.path(node).to_vec();
            assert!(path.len() < 3 && !path.iter().any(|&id| ends(id)), "{path:?}");
            let after = after(&path, 3);
            assert!(looked.insert(path, ()).is_none(), "looked at twice");
            search.tell(node, &after, &ends);
        }
    }
    let (listed, ..) = search.finish(false);
    assert!(listed.iter().all(|node| node.leaf.is_some() == (node.depth == 3 || ends(node.token))));
    assert!(listed.iter().any(|node| node.leaf == Some(LeafKind::Ended) && node.depth < 3));
}

#[test]
fn a_floor_is_a_number_or_a_percentage() {
    assert_eq!((floor("0.25"), floor("0"), floor("2.5%")), (Ok(0.25), Ok(0.0), Ok(0.025)));
    for wrong in ["1", "100%", "-0.1", "nan", "inf", "", "%", "x"] {
        assert!(floor(wrong).is_err(), "{wrong}");
    }
}

fn asked(client: &mut Client, script: &Scripted, wish: &ExpandWish) -> Result<Expansion, QueryError> {
    let crate::engine::Event::Ready(model) = script.ready() else { unreachable!() };
    let mut asker = Asker {
        client,
        model,
        template: None,
        settings: settings(),
        cancel: CancelFlag::default(),
        far: Arc::new(|_: Far| {}),
        cache: std::path::PathBuf::new(),
    };
    expand(&mut asker, wish)
}

#[test]
fn an_engine_is_asked_until_the_tree_is_whole() {
    let script = Scripted::new([]);
    let mut client = script.client();
    let limits = ExpandLimits { depth: 3, width: 3, floor: 0.002, nodes: 500 };
    let wish = ExpandWish { from: ExpandFrom::Text(b"The".to_vec()), limits };
    let found = asked(&mut client, &script, &wish).unwrap();
    let vocab = match script.ready() {
        crate::engine::Event::Ready(model) => Arc::clone(&model.vocab),
        _ => unreachable!(),
    };
    let texts: Vec<String> = (0..found.nodes.len())
        .map(|node| String::from_utf8(vocab.concat(found.path(node))).unwrap())
        .collect();
    assert_eq!(texts[..2], [" capital", " capital is"]);
    assert!(texts.contains(&" capital is Paris".to_string()), "{texts:?}");
    assert!(found.nodes.is_sorted_by(|a, b| a.joint >= b.joint));
    assert_eq!(found.end, ExpandEnd::Whole);
    let covered = found.coverage;
    let sum = covered.complete + covered.below_width + covered.below_floor + covered.not_reached;
    assert!((sum - 1.0).abs() < 1e-6, "{covered:?}");
}

#[test]
fn what_can_t_be_expanded_is_refused_in_a_line() {
    let script = Scripted::new([]);
    let mut client = script.client();
    let limits = ExpandLimits { depth: 200, ..ExpandLimits::default() };
    let long = ExpandWish { from: ExpandFrom::Text(b"x".repeat(400)), limits };
    let error = asked(&mut client, &script, &long).unwrap_err().to_string();
    assert!(error.contains("do not fit into the context of 512"), "{error}");
    let none = ExpandWish { from: ExpandFrom::Text(Vec::new()), limits: ExpandLimits::default() };
    assert!(asked(&mut client, &script, &none).unwrap_err().to_string().contains("no token to start from"));
    let wide = ExpandLimits { width: 0, ..ExpandLimits::default() };
    let wide = ExpandWish { from: ExpandFrom::Text(b"x".to_vec()), limits: wide };
    assert!(asked(&mut client, &script, &wide).unwrap_err().to_string().contains("--width is 0"));
}

fn settings() -> Settings {
    let (file, flags) = (ConfigFile::default(), Flags::default());
    Settings::from_layers(Sampling::default(), &file, &flags, &SamplingFlags::default()).unwrap()
}
