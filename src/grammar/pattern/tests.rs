use super::*;
use crate::grammar::mask::TokenTable;
use crate::sampling::{Constraint, RegularExpression};
use crate::token::TokenId;

fn matches(pattern: &str, extent: Extent, text: &str) -> bool {
    let regex = translate(pattern, extent).unwrap_or_else(|fault| panic!("{pattern}: {fault:?}"));
    let ids: Vec<TokenId> = text.bytes().map(|byte| TokenId(u32::from(byte))).collect();
    let matcher = TokenTable::of_bytes()
        .unwrap()
        .matcher(&Constraint::Regex(RegularExpression { source: String::new(), pattern: regex }.into()))
        .unwrap();
    matcher.accepts(&ids).unwrap()
}

#[test]
fn a_part_is_enough_unless_it_is_anchored() {
    for (pattern, matched, other) in [
        ("b", &["b", "abc"][..], &["ac"][..]),
        ("^b", &["b", "bc"], &["ab"]),
        ("b$", &["b", "ab"], &["bc"]),
        ("^a|b$", &["ax", "xb", "b"], &["xax", "bx"]),
        ("^(a|b)$", &["a", "b"], &["ab", "xa"]),
        ("(^a)|(b$)", &["ax", "xb"], &["xa", "bx"]),
        ("^$", &[""], &["a"]),
        ("", &["", "a"], &[]),
        ("^(?:ab?)+$", &["a", "abaab"], &["b", ""]),
        (r"^[\w.+-]+@x\.y$", &["a.b+c@x.y"], &["@x.y", "a@xzy"]),
        (r"^\u00e9\x41\u{1F600}\uD83D\uDE00$", &["éA😀😀"], &["eA😀😀"]),
        (r"^\p{Lu}\P{Lu}$", &["Éa"], &["aa"]),
        (r"^[\d-]{2,3}?$", &["1-", "---"], &["1", "1234"]),
        (r"^a{,2}b{x}$", &[], &[]),
        (r"^[^a-c]$", &["d"], &["a"]),
        (r"^\S\s$", &["a\u{A0}"], &["\u{85} ", "a\u{85}"]),
    ] {
        if pattern.contains("{,") {
            assert!(translate(pattern, Extent::Part).is_err());
            continue;
        }
        for text in matched {
            assert!(matches(pattern, Extent::Part, text), "{pattern} {text}");
        }
        for text in other {
            assert!(!matches(pattern, Extent::Part, text), "{pattern} {text}");
        }
    }
}

#[test]
fn the_whole_must_match() {
    assert!(matches("yes|no", Extent::Whole, "yes"));
    assert!(!matches("yes|no", Extent::Whole, "yes!"));
    assert!(matches("^a/b\\n$", Extent::Whole, "a/b\n"));
    assert!(matches("a*", Extent::Whole, ""));
}

#[test]
fn faults_have_a_column() {
    for (pattern, column, what) in [
        ("a(b", 2, "never closed"),
        ("ab)", 3, "closes nothing"),
        ("a**", 2, "repeated"),
        ("*a", 1, "nothing before"),
        ("a{3,2}", 2, "less than the least"),
        ("[b-a]", 2, "later one"),
        ("[", 1, "never closed"),
        ("[]", 1, "empty"),
        ("é(?!x)", 2, "look-around"),
        ("(?i)a", 1, "no group of this kind"),
        (r"a\k<n>", 2, "back-references"),
        (r"a\bc", 2, "word boundaries"),
        (r"\q", 1, r"no escape \q"),
        (r"\p{Nonsense}", 1, "no such property"),
        (r"\uD800", 1, "surrogate"),
        ("a^b", 2, "anchor"),
        ("(a$)+", 3, "anchor"),
        ("a\\", 2, "nothing follows"),
    ] {
        let fault = translate(pattern, Extent::Part).expect_err(pattern);
        assert_eq!(fault.column, column, "{pattern}: {}", fault.what);
        assert!(fault.what.contains(what), "{pattern}: {}", fault.what);
    }
    let deep = format!("{}a{}", "(".repeat(10_000), ")".repeat(10_000));
    assert!(translate(&deep, Extent::Part).unwrap_err().what.contains("deep"));
}

#[test]
fn repetitions_without_an_end_are_counted_wherever_they_stand() {
    let refused = |pattern: &str| translate(pattern, Extent::Whole).is_err();
    for pattern in [".*".repeat(251), "(.*a){251}".to_string(), "((a+b){20}c){13}".to_string()] {
        assert!(refused(&pattern), "{pattern}");
        assert!(
            translate(&pattern, Extent::Whole).unwrap_err().what.contains("250 repetitions without an end")
        );
    }
    let choices = vec!["a*b"; 300].join("|");
    for pattern in [".*".repeat(250), "(.*a){250}".to_string(), ".{0,100}".repeat(300), choices] {
        assert!(!refused(&pattern), "{pattern}");
    }
}
