use super::*;

fn token(logprob: f32, rank: u32, entropy: f32, varentropy: f32) -> Figures {
    Figures {
        logprob,
        rank: rank.into(),
        entropy: entropy.into(),
        varentropy: varentropy.into(),
        boundary: None,
    }
}

#[test]
fn every_statistic_follows_its_definition() {
    let tokens = [
        token(-1.0, 1, 2.0, 4.0),
        token(-3.0, 11, 1.0, 1.0),
        token(-5.0, 1001, 3.0, 4.0),
        token(-7.0, 100, 4.0, 16.0),
    ];
    let stats = Stats::of(&tokens, Some(&[2.0, 2.0, 2.0, 2.0]));
    assert_eq!(stats.mean_logprob, Some(-4.0));
    assert_eq!(stats.ppl, Some(4f64.exp()));
    let ranks = (11f64.ln() + 1001f64.ln() + 100f64.ln()) / 4.0;
    assert!((stats.lrr.unwrap() - 4.0 / ranks).abs() < 1e-12);
    assert_eq!(stats.gltr_buckets, Some([1, 2, 0, 1]));
    // ⌊4·0.1⌋ and ⌊4·0.2⌋ are none, ⌊4·0.3⌋ is one, ⌊4·0.5⌋ two.
    assert_eq!(stats.min_k.0, [None, None, Some(-7.0), Some(-6.0), Some(-4.0)]);
    // z: 0.5, −2, −1, −0.75
    assert_eq!(stats.min_k_pp.0, [None, None, Some(-2.0), Some(-1.5), Some(-0.8125)]);
    assert!((stats.fast_detect_gpt.unwrap() - (-16.0 + 10.0) / 25f64.sqrt()).abs() < 1e-12);
    assert_eq!(stats.binoculars, Some(2.0));
}

#[test]
fn what_does_not_exist_is_missing() {
    let none = Stats::of(&[], None);
    assert_eq!((none.ppl, none.lrr, none.fast_detect_gpt, none.binoculars), (None, None, None, None));
    assert_eq!(none.min_k.0, [None; 5]);
    // Every rank is 1, and the model was certain.
    let certain = Stats::of(&[token(0.0, 1, 0.0, 0.0)], None);
    assert_eq!((certain.lrr, certain.fast_detect_gpt), (None, None));
    assert_eq!(certain.min_k_pp.0[4], Some(0.0));
    let impossible = Stats::of(&[token(f32::NEG_INFINITY, 9, 1.0, 1.0)], None);
    assert_eq!((impossible.ppl, impossible.mean_logprob, impossible.min_k.0[4]), (None, None, None));
}

#[test]
fn shares_are_keys() {
    let json = serde_json::to_value(Stats::of(&[token(-1.0, 1, 1.0, 1.0)], None)).unwrap();
    assert_eq!(json["min_k"]["1.0"], -1.0);
    assert!(json["min_k"]["0.1"].is_null());
    assert!(json.get("binoculars").is_none());
}
