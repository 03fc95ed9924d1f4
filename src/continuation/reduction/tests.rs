use super::*;

fn choice(text: &str, sum_logprob: f64, tokens: usize, alone: Option<f64>) -> Measured {
    Measured { sum_logprob, tokens, alone, ..Measured::of_text(text.as_bytes(), Join::Joint) }
}

#[test]
fn reductions_can_disagree() {
    let choices = [
        choice(" 是", -4.0, 1, Some(-5.0)),
        choice(" no", -5.0, 2, Some(-9.0)),
        choice(" certainly", -6.0, 2, Some(-6.5)),
    ];
    let best = Best::of(choices.iter(), Join::Joint);
    assert_eq!(best.acc, Some(0));
    assert_eq!(best.acc_norm, Some(2));
    assert_eq!(best.acc_bytes, Some(2));
    assert_eq!(best.acc_tokens, Some(1));
    assert_eq!(best.acc_mutual_info, Some(1));
    assert!(!best.agree());
}

#[test]
fn the_delimiter_is_not_counted() {
    let measured = choice("  né", -6.0, 1, None);
    assert_eq!((measured.chars, measured.bytes), (2, 3));
    assert_eq!((measured.per_char(), measured.per_byte()), (Some(-3.0), Some(-2.0)));
    // The harness counts what is written.
    assert_eq!(Measured::of_text("  né".as_bytes(), Join::Harness).bytes, 5);
    // White space alone is what it is.
    assert_eq!(Measured::of_text(b" \n", Join::Joint).chars, 2);
}

#[test]
fn of_equals_the_first_wins_in_the_harness_only_and_a_missing_value_decides_nothing() {
    let choices = [choice("a", -1.0, 1, None), choice("b", -1.0, 1, Some(-1.0))];
    let best = Best::of(choices.iter(), Join::Joint);
    assert_eq!((best.acc, best.acc_mutual_info), (None, None));
    let best = Best::of(choices.iter(), Join::Harness);
    assert_eq!((best.acc, best.acc_mutual_info), (Some(0), None));
    assert!(best.agree());
}

#[test]
fn an_impossible_choice_loses() {
    let choices = [choice("a", f64::NEG_INFINITY, 1, None), choice("b", -100.0, 1, None)];
    assert_eq!(Best::of(choices.iter(), Join::Joint).acc, Some(1));
}
