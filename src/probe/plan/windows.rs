//! A text longer than the context, in windows.

use super::encode::Split;
use crate::token::TokenId;

/// Cuts tokens into windows that overlap by one token, as the evaluation harness does: the first is
/// scored after `nothing`, the last is shifted back to full length, each token is scored once. A window
/// reads `context` tokens and predicts one more.
pub fn rolling(tokens: &[TokenId], nothing: Option<TokenId>, context: usize) -> Vec<Split> {
    let context = context.max(1);
    let with_nothing: Vec<TokenId> = nothing.into_iter().chain(tokens.iter().copied()).collect();
    let before = usize::from(nothing.is_some());
    let mut windows = Vec::new();
    let mut done = 0;
    while done < tokens.len() {
        let (scored, end, start) = if done == 0 {
            let end = tokens.len().min(context);
            (end, end, 0)
        } else {
            let scored = (tokens.len() - done).min(context);
            let end = done + scored;
            (scored, end, (end + before).saturating_sub(context + 1))
        };
        let window = with_nothing[start..end + before].to_vec();
        windows.push(Split { from: window.len() - scored, tokens: window, spans_join: false });
        done = end;
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ids(range: std::ops::Range<u32>) -> Vec<TokenId> {
        range.map(TokenId).collect()
    }

    #[test]
    fn windows_are_the_harnesss() {
        // lm_eval.utils.get_rolling_token_windows(range(10), 100, 4, 1), made disjoint.
        let windows = rolling(&ids(0..10), Some(TokenId(100)), 4);
        let shown: Vec<(Vec<u32>, usize)> = windows
            .iter()
            .map(|window| (window.tokens.iter().map(|id| id.0).collect(), window.from))
            .collect();
        assert_eq!(shown, [(vec![100, 0, 1, 2, 3], 1), (vec![3, 4, 5, 6, 7], 1), (vec![5, 6, 7, 8, 9], 3),]);
    }

    proptest! {
        #[test]
        fn each_token_is_scored_once_and_no_window_is_too_long(
            n in 0u32..200,
            context in 1usize..40,
            beginning in any::<bool>(),
        ) {
            let tokens = ids(0..n);
            let windows = rolling(&tokens, beginning.then_some(TokenId(999)), context);
            let scored: Vec<TokenId> =
                windows.iter().flat_map(|window| window.tokens[window.from..].to_vec()).collect();
            prop_assert_eq!(scored, tokens);
            for window in &windows {
                prop_assert!(window.tokens.len() <= context + 1);
                prop_assert!(window.from > 0 || !beginning);
            }
            for pair in windows.windows(2) {
                prop_assert_eq!(pair[1].tokens.len(), context + 1);
            }
        }
    }
}
