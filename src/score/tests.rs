use super::*;

#[test]
fn an_empty_score_has_no_mean() {
    let score = Score::default();
    assert_eq!(score.sum_logprob(), 0.0);
    assert_eq!((score.mean_logprob(), score.perplexity(), score.bits_per_byte()), (None, None, None));
}

#[test]
fn perplexity_is_exp_of_the_mean_surprisal_not_the_mean_of_inverses() {
    let mut score = Score::default();
    score.add((0.5f32).ln(), 2);
    score.add((0.125f32).ln(), 6);
    assert!((score.perplexity().unwrap() - 4.0).abs() < 1e-6);
    assert!((score.bits_per_token().unwrap() - 2.0).abs() < 1e-6);
    assert!((score.bits_per_byte().unwrap() - 0.5).abs() < 1e-6);
}

#[test]
fn one_impossible_token_makes_the_sequence_impossible() {
    let mut score = Score::default();
    score.add(f32::NEG_INFINITY, 1);
    assert_eq!(score.sum_logprob(), f64::NEG_INFINITY);
    assert_eq!(score.perplexity(), Some(f64::INFINITY));
}
