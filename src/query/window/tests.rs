use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn every_token_is_scored_once_with_enough_before_it(
        n in 0usize..400,
        size in 2usize..60,
        stride in 1usize..80,
        from in 0usize..400,
        bos in 0usize..2,
    ) {
        let from = from.min(n);
        let windowing = Windowing::new(size, Some(stride), 1);
        let mut scored = vec![0; n];
        let mut end = 0;
        for (i, window) in windowing.windows(n, from, bos).enumerate() {
            prop_assert!(window.tokens.len() + bos <= size);
            prop_assert!(window.from >= window.tokens.start && window.from <= window.tokens.end);
            for (token, times) in scored.iter_mut().enumerate().take(window.tokens.end).skip(window.from) {
                *times += 1;
                let before = token - window.tokens.start + bos;
                prop_assert!(before >= 1);
                if window.tokens.start > 0 {
                    prop_assert!(before >= size - windowing.stride.min(size - bos), "window {i}, token {token}");
                }
            }
            end = window.tokens.end;
        }
        prop_assert_eq!(end, n);
        prop_assert!(scored[..from].iter().all(|&times| times == 0));
        // Without BOS nothing precedes the first token, nor that of a window that overlaps no other.
        let disjoint = windowing.stride == size;
        for (token, times) in scored.iter().enumerate().skip(from) {
            let bare = bos == 0 && (token == 0 || disjoint && token % size == 0);
            prop_assert_eq!(*times, usize::from(!bare), "token {}", token);
        }
    }
}

fn cut(windowing: Windowing, n: usize, bos: usize) -> Vec<(Range<usize>, usize)> {
    windowing.windows(n, 0, bos).map(|window| (window.tokens, window.from)).collect()
}

#[test]
fn a_short_text_is_one_window() {
    assert_eq!(cut(Windowing::new(8, None, 1), 8, 0), [(0..8, 1)]);
    assert_eq!(cut(Windowing::new(8, None, 1), 7, 1), [(0..7, 0)]);
    assert_eq!(cut(Windowing::new(8, None, 1), 0, 1), [(0..0, 0)]);
}

#[test]
fn windows_share_one_token_by_themselves() {
    assert_eq!(cut(Windowing::new(8, None, 1), 14, 0), [(0..8, 1), (7..14, 8)]);
    assert_eq!(cut(Windowing::new(8, None, 1), 14, 1), [(0..7, 0), (7..14, 7)]);
}

#[test]
fn windows_slide_by_half() {
    assert_eq!(cut(Windowing::new(8, Some(4), 1), 14, 0), [(0..8, 1), (4..12, 8), (8..14, 12)]);
}

#[test]
fn a_second_half_of_each_window_as_llama_perplexity_has_it() {
    let windowing = Windowing::new(8, Some(8), 5);
    assert_eq!(cut(windowing, 16, 0), [(0..8, 5), (8..16, 13)]);
}
