use super::*;

fn candidates(probs: &[f64]) -> Vec<Candidate> {
    let of = |(i, p): (usize, &f64)| Candidate {
        id: TokenId(i as u32),
        logprob: p.ln() as f32,
        rank: i as u32 + 1,
        outcome: None,
    };
    probs.iter().enumerate().map(of).collect()
}

#[test]
fn a_step_with_twenty_candidates_is_small() {
    let bytes = size_of::<Step>() + 20 * size_of::<Candidate>();
    assert!(bytes < 600, "{bytes}");
}

#[test]
fn the_most_probable_tokens_alone_bound_the_entropy() {
    // Of four tokens at ½, ¼, ⅛, ⅛ the first two are known.
    let whole: f64 = 1.75 * std::f64::consts::LN_2;
    let known = Prediction::of_top(candidates(&[0.5, 0.25]), 4);
    let [low, high] = known.entropy.bounds().unwrap();
    assert!((f64::from(low) - std::f64::consts::LN_2).abs() < 1e-6, "{low}");
    // The rest is spread evenly, so that the upper bound is the value itself.
    assert!((f64::from(high) - whole).abs() < 1e-6, "{high}");
    assert!((known.residual.exact().unwrap() - 0.25).abs() < 1e-7);
    assert_eq!(known.varentropy, Figure::NotGiven);
    assert_eq!(known.rank_of(TokenId(1)), Figure::Exact(2));
    assert_eq!(known.rank_of(TokenId(3)), Figure::Bounded([3, 4]));
    let all = Prediction::of_top(candidates(&[0.5, 0.25, 0.125, 0.125]), 4);
    assert!((f64::from(all.entropy.exact().unwrap()) - whole).abs() < 1e-6);
    let none = Prediction::of_top(Vec::new(), 4);
    assert_eq!(none.entropy.bounds().map(|[low, _]| low), Some(0.0));
    assert!((none.entropy.bounds().unwrap()[1] - 4f32.ln()).abs() < 1e-6);
}

#[test]
fn a_figure_says_what_is_known_of_it() {
    let write = |value: f64| format!("{value:.1}");
    let (exact, bounded): (Figure<f64>, _) = (Figure::Exact(1.0), Figure::Bounded([1.0, 2.5]));
    assert_eq!([exact, bounded, Figure::NotGiven].map(|figure| figure.shown(write)), ["1.0", "1.0–2.5", "–"]);
    assert_eq!(bounded.map(|value| value * 2.0), Figure::Bounded([2.0, 5.0]));
    assert_eq!((bounded.exact(), exact.bounds()), (None, None));
    assert!(bounded.all(|value| value >= 1.0) && !bounded.all(|value| value > 1.0));
    assert!(!Figure::<f64>::NotGiven.all(|_| true));
    let file = serde_json::to_string(&[exact, bounded, Figure::NotGiven]).unwrap();
    assert_eq!(file, "[1.0,[1.0,2.5],null]");
    assert_eq!(serde_json::from_str::<Vec<Figure<f64>>>(&file).unwrap(), [exact, bounded, Figure::NotGiven]);
}
