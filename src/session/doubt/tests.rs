use super::*;

#[test]
fn a_text_is_found_wherever_it_stands_and_capitals_count_where_some_are_written() {
    assert_eq!(places("Paris, paris and PARIS", "paris"), [0..5, 7..12, 17..22]);
    assert_eq!(places("Paris, paris and PARIS", "Paris").as_slice(), std::slice::from_ref(&(0..5)));
    assert_eq!(places("aaaa", "aa"), [0..2, 2..4]);
    assert_eq!(places("北京和北海", "北"), [0..3, 9..12]);
    // İ is two characters in small letters.
    assert_eq!(places("İx ix", "ix").as_slice(), std::slice::from_ref(&(4..6)));
    assert_eq!(places("ÄÖ äö", "äö"), [0..4, 5..9]);
    assert!(places("x", "").is_empty());
    assert!(places("", "x").is_empty());
}
