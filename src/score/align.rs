//! Two ways to cut one text into tokens, side by side: the pieces that begin and end at the same byte in both.

use std::ops::Range;

/// A stretch of the text that both cut out, as tokens of either.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommonPiece {
    /// Tokens of the first.
    pub first: Range<usize>,
    /// Tokens of the other.
    pub other: Range<usize>,
}

/// The smallest common pieces of two tokenizations of the same bytes, given the length in bytes of each token. What
/// is left behind the last common end is in none.
pub fn common_pieces(first: &[usize], other: &[usize]) -> Vec<CommonPiece> {
    let mut pieces = Vec::new();
    let (mut i, mut j) = (0, 0);
    let (mut begin, mut ends) = ((0, 0), (0, 0));
    while i < first.len() || j < other.len() {
        // Whoever is behind goes on; at a common end, the first.
        if ends.0 <= ends.1 && i < first.len() {
            ends.0 += first[i];
            i += 1;
        } else if j < other.len() {
            ends.1 += other[j];
            j += 1;
        } else {
            break;
        }
        if ends.0 == ends.1 && i > begin.0 && j > begin.1 {
            pieces.push(CommonPiece { first: begin.0..i, other: begin.1..j });
            begin = (i, j);
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ranges(first: &[usize], other: &[usize]) -> Vec<(Range<usize>, Range<usize>)> {
        common_pieces(first, other).into_iter().map(|piece| (piece.first, piece.other)).collect()
    }

    #[test]
    fn pieces_end_where_both_end() {
        // The same tokens, one each.
        assert_eq!(ranges(&[2, 3], &[2, 3]), [(0..1, 0..1), (1..2, 1..2)]);
        // "un|believ|able" and "unbe|lievable", "x" on both sides.
        assert_eq!(ranges(&[1, 2, 6, 4], &[1, 4, 8]), [(0..1, 0..1), (1..4, 1..3)]);
        // What has not ended in both is in none.
        assert_eq!(ranges(&[4, 4], &[4, 1]), [(0..1, 0..1)]);
        assert_eq!(ranges(&[], &[3]), []);
    }

    proptest! {
        #[test]
        fn pieces_cover_a_text_without_gap_or_overlap(
            bytes in 1usize..60,
            first in prop::collection::btree_set(1usize..60, 0..20),
            other in prop::collection::btree_set(1usize..60, 0..20),
        ) {
            let lengths = |ends: &std::collections::BTreeSet<usize>| {
                let mut all: Vec<usize> = ends.iter().copied().filter(|end| *end < bytes).collect();
                all.push(bytes);
                let mut before = 0;
                all.iter().map(|end| { let length = end - before; before = *end; length }).collect::<Vec<_>>()
            };
            let (one, two) = (lengths(&first), lengths(&other));
            let pieces = common_pieces(&one, &two);
            let (mut i, mut j) = (0, 0);
            for piece in &pieces {
                prop_assert_eq!((piece.first.start, piece.other.start), (i, j));
                let sum = |lengths: &[usize], range: &Range<usize>| lengths[range.clone()].iter().sum::<usize>();
                prop_assert_eq!(sum(&one, &piece.first), sum(&two, &piece.other));
                (i, j) = (piece.first.end, piece.other.end);
            }
            prop_assert_eq!((i, j), (one.len(), two.len()));
            // None could be smaller: a shared end is a piece's end.
            let shared = first.intersection(&other).filter(|end| **end < bytes).count();
            prop_assert_eq!(pieces.len(), shared + 1);
        }
    }
}
