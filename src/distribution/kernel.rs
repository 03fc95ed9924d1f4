//! The loops over a row of logits, written so that the compiler vectorises them, and compiled for
//! AVX-512, AVX2, NEON and the plain target; the best one the machine has is chosen at run time.
//!
//! Sums run in 16 `f32` lanes over blocks of 256 values and then in `f64`, which keeps them within
//! 3e-7 of plain `f64` arithmetic.

use multiversion::multiversion;

use super::BoundaryMass;
use crate::token::Boundary;

const LANES: usize = 16;
const BLOCK: usize = 256;

/// The k largest logits and whether the row holds a NaN.
pub(super) struct Scan {
    /// (id, logit), by (logit descending, id ascending); k entries.
    pub top: Vec<(u32, f32)>,
    pub not_a_number: bool,
}

/// Sums over a row, with d = logit − max.
pub(super) struct Sums {
    /// Σ eᵈ over the row.
    pub s0: f64,
    /// Σ eᵈ over the logits below the floor.
    pub below: f64,
    /// How many logits equal the floor.
    pub ties: u64,
    /// Σ d·eᵈ over the row.
    pub s1: f64,
    /// Σ d²·eᵈ over the row.
    pub s2: f64,
}

/// Finds the `k` largest logits (1 ≤ k ≤ row length). The k-th largest of the blocks' maxima is a floor that
/// at least k logits reach, so that only blocks which reach it are read again; where there are not so many
/// blocks, the floor rises with what has been found.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2+fma", "aarch64+neon"))]
pub(super) fn scan_top(row: &[f32], k: usize) -> Scan {
    let mut maxima: Vec<f32> = Vec::with_capacity(row.len().div_ceil(BLOCK));
    let mut not_a_number = false;
    for block in row.chunks(BLOCK) {
        let (max, has_nan) = block_max(block);
        not_a_number |= has_nan;
        maxima.push(max);
    }
    let mut floor = f32::NEG_INFINITY;
    if k <= maxima.len() {
        let mut sorted = maxima.clone();
        floor = sorted.select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a)).1.next_down();
    }
    let room = (2 * k).max(64);
    let mut kept: Vec<(u32, f32)> = Vec::with_capacity(room + BLOCK);
    for (index, block) in row.chunks(BLOCK).enumerate() {
        if maxima[index] <= floor {
            continue;
        }
        let base = (index * BLOCK) as u32;
        for (offset, &logit) in block.iter().enumerate() {
            if logit > floor {
                kept.push((base + offset as u32, logit));
            }
        }
        if kept.len() >= room {
            keep_best(&mut kept, k);
            floor = kept.iter().fold(f32::INFINITY, |worst, &(_, logit)| worst.min(logit));
        }
    }
    if kept.len() < k {
        fill_with_impossible(row, &mut kept, k);
    }
    keep_best(&mut kept, k);
    kept.sort_unstable_by(by_logit_then_id);
    Scan { top: kept, not_a_number }
}

#[inline(always)]
fn block_max(block: &[f32]) -> (f32, bool) {
    let mut max = [f32::NEG_INFINITY; LANES];
    let mut nan = [0u32; LANES];
    let (lanes, rest) = block.as_chunks::<LANES>();
    for values in lanes {
        for (lane, &value) in values.iter().enumerate() {
            max[lane] = if value > max[lane] { value } else { max[lane] };
            nan[lane] |= u32::from(value.is_nan());
        }
    }
    for (lane, &value) in rest.iter().enumerate() {
        max[lane] = if value > max[lane] { value } else { max[lane] };
        nan[lane] |= u32::from(value.is_nan());
    }
    let best = max.iter().fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a });
    (best, nan.iter().any(|&n| n != 0))
}

/// A token's id and its logit.
type Kept = (u32, f32);

fn by_logit_then_id(a: &Kept, b: &Kept) -> std::cmp::Ordering {
    b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
}

/// Cuts the list to its k best.
fn keep_best(kept: &mut Vec<Kept>, k: usize) {
    if kept.len() > k {
        kept.select_nth_unstable_by(k - 1, by_logit_then_id);
        kept.truncate(k);
    }
}

/// Tokens with a logit of −∞, lowest id first, where there are not k others.
fn fill_with_impossible(row: &[f32], kept: &mut Vec<Kept>, k: usize) {
    let impossible =
        row.iter().enumerate().filter(|(_, logit)| logit.is_nan() || **logit == f32::NEG_INFINITY);
    kept.extend(impossible.take(k - kept.len()).map(|(id, _)| (id as u32, f32::NEG_INFINITY)));
}

/// Bins of a row by how far below its maximum a logit is; the last holds all that are too far for the others.
const BINS: usize = 4096;
/// Bins to one of distance.
const BINS_PER_UNIT: f32 = 64.0;

/// In which bin a logit falls.
#[inline(always)]
pub(super) fn bin(logit: f32, max: f32) -> usize {
    (((max - logit) * BINS_PER_UNIT) as usize).min(BINS - 1)
}

/// How many logits fall in each bin.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2+fma", "aarch64+neon"))]
pub(super) fn bins(row: &[f32], max: f32) -> Vec<u32> {
    let mut counts = vec![0u32; BINS];
    for &logit in row {
        counts[bin(logit, max)] += 1;
    }
    counts
}

/// Every sum of a row in one pass. `floor` is the smallest shown logit.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2+fma", "aarch64+neon"))]
pub(super) fn sums(row: &[f32], max: f32, floor: f32) -> Sums {
    let mut total = Sums { s0: 0.0, below: 0.0, ties: 0, s1: 0.0, s2: 0.0 };
    for block in row.chunks(BLOCK) {
        let mut s0 = [0f32; LANES];
        let mut below = [0f32; LANES];
        let mut s1 = [0f32; LANES];
        let mut s2 = [0f32; LANES];
        let mut ties = [0u32; LANES];
        let mut add = |lane: usize, value: f32| {
            let (d, e) = exp_of_difference(value, max);
            s0[lane] += e;
            below[lane] += if value < floor { e } else { 0.0 };
            ties[lane] += u32::from(value == floor);
            s1[lane] += d * e;
            s2[lane] += d * d * e;
        };
        let (lanes, rest) = block.as_chunks::<LANES>();
        for values in lanes {
            for (lane, &value) in values.iter().enumerate() {
                add(lane, value);
            }
        }
        for (lane, &value) in rest.iter().enumerate() {
            add(lane, value);
        }
        total.s0 += widen(&s0);
        total.below += widen(&below);
        total.s1 += widen(&s1);
        total.s2 += widen(&s2);
        total.ties += ties.iter().map(|&n| u64::from(n)).sum::<u64>();
    }
    total
}

/// Σ e^((value − max) · scale) of the values not below the floor.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2+fma", "aarch64+neon"))]
pub(super) fn scaled_sum(row: &[f32], max: f32, scale: f32, floor: f32) -> f64 {
    let mut total = 0.0;
    for block in row.chunks(BLOCK) {
        let mut sums = [0f32; LANES];
        let term = |value: f32| {
            let e = exp_of_difference((value - max) * scale, 0.0).1;
            if value >= floor { e } else { 0.0 }
        };
        let (lanes, rest) = block.as_chunks::<LANES>();
        for values in lanes {
            for (lane, &value) in values.iter().enumerate() {
                sums[lane] += term(value);
            }
        }
        for (lane, &value) in rest.iter().enumerate() {
            sums[lane] += term(value);
        }
        total += widen(&sums);
    }
    total
}

/// Count, Σ d and Σ d² with d = value − reference, of the values above −∞; in `f64` throughout, since a
/// cut hangs on them.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2+fma", "aarch64+neon"))]
pub(super) fn moments(row: &[f32], reference: f32) -> (f64, f64, f64) {
    let reference = f64::from(reference);
    let mut count = [0f64; LANES];
    let mut sum = [0f64; LANES];
    let mut squares = [0f64; LANES];
    let mut add = |lane: usize, value: f32| {
        let possible = value > f32::NEG_INFINITY;
        let d = if possible { f64::from(value) - reference } else { 0.0 };
        count[lane] += if possible { 1.0 } else { 0.0 };
        sum[lane] += d;
        squares[lane] += d * d;
    };
    let (lanes, rest) = row.as_chunks::<LANES>();
    for values in lanes {
        for (lane, &value) in values.iter().enumerate() {
            add(lane, value);
        }
    }
    for (lane, &value) in rest.iter().enumerate() {
        add(lane, value);
    }
    (count.iter().sum(), sum.iter().sum(), squares.iter().sum())
}

/// The mass of the tokens that may end a word. `boundaries[i]` is the [`Boundary`] of token i.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2+fma", "aarch64+neon"))]
pub(super) fn boundary_mass(row: &[f32], boundaries: &[u8], max: f32, s0: f64) -> BoundaryMass {
    let mut mass = BoundaryMass::default();
    for (block, classes) in row.chunks(BLOCK).zip(boundaries.chunks(BLOCK)) {
        let mut space = [0f32; LANES];
        let mut other = [0f32; LANES];
        let mut end = [0f32; LANES];
        let mut add = |lane: usize, value: f32, class: u8| {
            let (_, e) = exp_of_difference(value, max);
            space[lane] += if class == Boundary::Space as u8 { e } else { 0.0 };
            other[lane] += if class == Boundary::OtherSpace as u8 { e } else { 0.0 };
            end[lane] += if class == Boundary::End as u8 { e } else { 0.0 };
        };
        let (lanes, rest) = block.as_chunks::<LANES>();
        let (class_lanes, class_rest) = classes.as_chunks::<LANES>();
        for (values, classes) in lanes.iter().zip(class_lanes) {
            for (lane, (&value, &class)) in values.iter().zip(classes).enumerate() {
                add(lane, value, class);
            }
        }
        for (lane, (&value, &class)) in rest.iter().zip(class_rest).enumerate() {
            add(lane, value, class);
        }
        mass.space += widen(&space);
        mass.other_space += widen(&other);
        mass.end += widen(&end);
    }
    BoundaryMass { space: mass.space / s0, other_space: mass.other_space / s0, end: mass.end / s0 }
}

/// Σ eᵃ·b with a = row − max of the first row and b the same of the second. An entry whose weight is 0
/// adds nothing, whatever b is.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2+fma", "aarch64+neon"))]
pub(super) fn mean_difference((weights, max): (&[f32], f32), (values, highest): (&[f32], f32)) -> f64 {
    let mut total = 0.0;
    for (weights, values) in weights.chunks(BLOCK).zip(values.chunks(BLOCK)) {
        let mut sums = [0f32; LANES];
        let mut add = |lane: usize, weight: f32, value: f32| {
            let (_, e) = exp_of_difference(weight, max);
            sums[lane] += if e > 0.0 { e * (value - highest) } else { 0.0 };
        };
        let (weight_lanes, weight_rest) = weights.as_chunks::<LANES>();
        let (value_lanes, value_rest) = values.as_chunks::<LANES>();
        for (weights, values) in weight_lanes.iter().zip(value_lanes) {
            for (lane, (&weight, &value)) in weights.iter().zip(values).enumerate() {
                add(lane, weight, value);
            }
        }
        for (lane, (&weight, &value)) in weight_rest.iter().zip(value_rest).enumerate() {
            add(lane, weight, value);
        }
        total += widen(&sums);
    }
    total
}

/// How many logits are strictly above this one.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2+fma", "aarch64+neon"))]
pub(super) fn count_above(row: &[f32], logit: f32) -> u32 {
    row.iter().map(|&other| u32::from(other > logit)).sum()
}

/// The row where a bit of `allowed` is set, else −∞.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2+fma", "aarch64+neon"))]
pub(super) fn mask(row: &[f32], allowed: &[u32], masked: &mut [f32]) {
    let words = allowed.iter().copied().chain(std::iter::repeat(0));
    for ((values, kept), word) in row.chunks(32).zip(masked.chunks_mut(32)).zip(words) {
        let each = values.iter().zip(kept).enumerate();
        each.for_each(|(bit, (&value, kept))| {
            *kept = if (word >> bit) & 1 == 1 { value } else { f32::NEG_INFINITY };
        });
    }
}

#[inline(always)]
fn widen(lanes: &[f32; LANES]) -> f64 {
    lanes.iter().map(|&lane| f64::from(lane)).sum()
}

/// d = value − max and eᵈ. Below e⁻⁸⁷ (1.6e-38) the weight is 0, so that −∞ adds 0 to every sum.
///
/// eᵈ = 2ⁿ·eʳ with n = round(d / ln 2) and |r| ≤ ln 2 / 2; eʳ by its Taylor polynomial of degree 7,
/// whose remainder (5e-9) is below the rounding of `f32`.
#[inline(always)]
fn exp_of_difference(value: f32, max: f32) -> (f32, f32) {
    const LOWEST: f32 = -87.0;
    // Adding and subtracting 1.5·2²³ rounds to the nearest integer.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts, the first exact in few bits, so that n·ln 2 loses nothing.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;

    let raw = value - max;
    let d = if raw > LOWEST { raw } else { LOWEST };
    let rounded = d * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = (d - n * LN2_HIGH) - n * LN2_LOW;
    let mut p = 1.0 / 5040.0;
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    p = p * r + 0.5;
    p = p * r + 1.0;
    p = p * r + 1.0;
    // The low bits of `rounded` hold n, an integer in −126..=0: shifted into the exponent they make 2ⁿ.
    let scale = f32::from_bits((rounded.to_bits() << 23).wrapping_add(127 << 23));
    let e = if raw > LOWEST { p * scale } else { 0.0 };
    (d, e)
}
