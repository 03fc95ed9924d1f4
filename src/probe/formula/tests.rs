use super::*;
use crate::score::Score;

fn parse(text: &str) -> Result<Formula, String> {
    with_metric(text, RegionMetric::Sum)
}

fn with_metric(text: &str, metric: RegionMetric) -> Result<Formula, String> {
    // Regions are pieces of the same number.
    let find =
        |region: Option<u64>, _: &str| Ok(region.map_or(vec![0, 1, 2], |region| vec![region as usize]));
    Formula::parse(text, metric, &find)
}

fn scored(bits: &[Option<f32>]) -> Scored {
    let mut score = Score::default();
    for bits in bits.iter().flatten() {
        score.add(-bits * std::f32::consts::LN_2, 1);
    }
    let logprobs = bits.iter().map(|bits| bits.map(|bits| -bits * std::f32::consts::LN_2)).collect();
    Scored { score, logprobs, ..Scored::default() }
}

fn judge(formula: &Formula, regions: &[Scored]) -> Verdict {
    let pieces: Vec<Piece> = (0..regions.len())
        .map(|i| Piece {
            name: i.to_string(),
            text: if regions[i].logprobs.is_empty() { "" } else { "x" }.to_string(),
            prompt: 0,
        })
        .collect();
    let scored: Vec<Option<&Scored>> = regions.iter().map(Some).collect();
    formula.judge(&scored, &pieces)
}

/// Whether it holds of pieces of 1, 2 and 4 bits.
fn holds(text: &str) -> bool {
    judge(&parse(text).unwrap(), &[scored(&[Some(1.0)]), scored(&[Some(2.0)]), scored(&[Some(4.0)])]).passed
}

/// Every verdict here is what `prediction.py` gives.
#[test]
fn formulas_are_judged_as_by_syntaxgym() {
    for (text, verdict) in [
        ("(0;%a%) < (1;%a%)", true),
        ("(2;%a%) > (1;%a%) + (0;%a%)", true),
        ("5 - 4 - 3 < 0", true),
        ("5+4=9-1+1", true),
        ("5-(3+2)=0", true),
        ("(5-3)+((2+1)-(2+2))=1", true),
        ("(2;%a%) - -1 = 5.", true),
        ("( 2 ;%a_b-c%) = 5e0-1", true),
        // & and | are of one rank.
        ("1 < 2 | 1 < 2 & 1 > 2", false),
        ("1 < 2 | (1 < 2 & 1 > 2)", true),
        ("1 > 2 & 1 > 2 | 1 < 2", true),
        // = allows for 0.001 + 0.00001 · |right|.
        ("4 = 4.001", true),
        ("4 = 4.0011", false),
        ("(2;%a%) = 4.00103", true),
        ("1000 = 1000.0109", true),
        ("1000 = 1000.0111", false),
        ("(*;%a%) = (0;%a%) + (1;%a%) + (2;%a%)", true),
        // Of comparisons in a row only the first counts.
        ("1 < 2 < 1", true),
        ("1 < 2 > 3 & 1 = 1", true),
        ("(1 < 2) < 1", false),
        ("(1 < 2) = (3 < 4)", true),
        ("(1 < 2) = 1", true),
        // A number is true where it is not 0.
        ("0 & (1 < 2)", false),
        ("3 & (1 < 2)", true),
        ("0 | (1 < 2)", true),
    ] {
        assert_eq!(holds(text), verdict, "{text}");
    }
    let row = judge(&parse("1 < 2 < 1").unwrap(), &[]);
    assert_eq!(row.found, "of comparisons in a row only the first counts");
}

#[test]
fn square_brackets_and_products_are_read_too() {
    assert!(!holds("[ (0;%a%) < (1;%a%) ] & [(2;%a%)<(1;%a%)]"));
    assert!(holds("((0;%a%) + (1;%a%)) * 2 > (2;%a%) - -1"));
    assert!(holds("(*;%a%) > 6.9 & (*;%a%) < 7.1"));
}

#[test]
fn a_token_without_context_counts_as_zero_and_so_does_a_bos() {
    let mean = with_metric("(0;%a%) = 1.5 & (1;%a%) = 4", RegionMetric::Mean).unwrap();
    let verdict = judge(&mean, &[scored(&[None, Some(3.0)]), scored(&[Some(3.0), Some(5.0)])]);
    assert!(verdict.passed, "{verdict:?}");
    assert_eq!(verdict.found, "0 = 1.500 bit (first token without context: 0), 1 = 4.000 bit");
    // With a BOS before it, the first region has one more token.
    assert!(judge(&mean, &[scored(&[Some(3.0)]), scored(&[Some(4.0)])]).passed);
    let min = with_metric("(0;%a%) = 0 & (1;%a%) > 0", RegionMetric::Min).unwrap();
    assert!(judge(&min, &[scored(&[None]), scored(&[Some(4.0)])]).passed);
}

#[test]
fn a_region_without_text_has_a_sum_and_nothing_else() {
    let regions = [scored(&[None]), scored(&[]), scored(&[Some(4.0)])];
    let found = |text, metric| judge(&with_metric(text, metric).unwrap(), &regions);
    assert!(found("(1;%a%) = 0", RegionMetric::Sum).passed);
    for metric in
        [RegionMetric::Mean, RegionMetric::Median, RegionMetric::Range, RegionMetric::Max, RegionMetric::Min]
    {
        let verdict = found("(1;%a%) = (1;%a%) | (1;%a%) < 9 | (1;%a%) > -9", metric);
        assert!(!verdict.passed, "{metric:?}");
        assert_eq!(verdict.found, "1 = nothing bit");
    }
}

#[test]
fn what_is_no_prediction_is_refused() {
    for (text, reason) in [
        ("(0;%a%) <", "something is missing at the end"),
        ("(0;%a%)", "a prediction must compare something"),
        ("(0;%a%) & (1;%a%)", "a prediction must compare something"),
        ("[(0;%a%) < 1", "a ] is missing"),
        ("(0;a) < 1", "should be (region;%condition%)"),
        ("(0;%a) < 1", "should be (region;%condition%)"),
        ("(+1;%a%) < 1", "is no number of a region"),
        ("(;%a%) < 1", "is no number of a region"),
        ("(0;%a%) < 1 x", "what is `x`?"),
        ("((0;%a%) < 1) + 2 > 1", "+ needs numbers"),
        ("1 < .", "what is `.`?"),
        ("1 < -", "what is `-`?"),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.contains(reason), "{text}: {error}");
    }
    assert!(parse(&"(".repeat(100_000)).unwrap_err().contains("too many brackets"));
}
