use proptest::prelude::*;

use super::*;

fn compiled(text: &str) -> String {
    Source::template(text, Dialect::Chat).compiled
}

#[test]
fn operators_become_calls() {
    for (written, wanted) in [
        ("{{ a % b }}", "{{ __percent(a , b) }}"),
        ("{{ a.b[1] % c|d(2) + 1 }}", "{{ __add(__percent(a.b[1] , c|d(2)) , 1) }}"),
        ("{{ a * b % c }}", "{{ __percent(__times(a , b) , c) }}"),
        ("{{ a - b + c }}", "{{ __add(a - b , c) }}"),
        ("{{ a + b ~ c }}", "{{ __add(a , __cat(b , c)) }}"),
        ("{{ -a ** 2 % -b }}", "{{ __percent(-a ** 2 , -b) }}"),
        ("{{ a not in b }}", "{{ (not __in(a , b)) }}"),
        ("{{ a < b < c }}", "{{ a < b < c }}"),
        ("{{ a if b % 2 else c }}", "{{ a if __percent(b , 2) else c }}"),
        ("{{ x is not divisibleby 3 }}", "{{ x is not divisibleby 3 }}"),
        ("{{ f(*a, b=c + 1, **d) }}", "{{ f(*a, b=__add(c , 1), **d) }}"),
        ("{{ [1, [2]][0] }}", "{{ __kept([1, [2]])[0] }}"),
        ("{{ {'a': (1,)} }}", "{{ __kept({'a': (1,)}) }}"),
        ("{% set x = a, b %}", "{% set x = __kept(a, b) %}"),
        ("{% set n.x = a %}", "{% set n.x = __kept_inside(a) %}"),
        ("{% set x | upper %}", "{% set x | upper %}"),
        ("{% for x in a + b if c %}", "{% for x in __each(__add(a , b)) if c %}"),
        ("{% elif a %}", "{% elif a %}"),
    ] {
        assert_eq!(compiled(written), wanted);
    }
}

#[test]
fn what_is_not_understood_stays() {
    for text in [
        "{{ a + }}",
        "{{ (a + b }}",
        "{{ a b + c }}",
        "{% if + %}",
        "{# {{ a + b }} #}",
        "{% raw +%}{{ a + b }}{% endraw %}",
    ] {
        assert_eq!(compiled(text), text);
    }
    assert_eq!(compiled("{{ '}} {% a + b' }}"), "{{ '}} {% a + b' }}");
}

#[test]
fn literals_are_unescaped_by_python_s_rules() {
    assert_eq!(compiled(r"{{ '\d\/\n\\' }}"), r"{{ '\\d\\/\n\\' }}");
    assert_eq!(compiled(r#"{{ "\U0001F331\'" }}"#), r#"{{ "🌱\'" }}"#);
    assert_eq!(compiled("{{ 'a\\\nb' }}"), "{{ 'ab' }}");
    assert_eq!(compiled("a\r\nb\rc"), "a\nb\nc");
}

#[test]
fn places_map_back() {
    let source = Source::template("{{ a % b }} {{ c }}", Dialect::Chat);
    let at = source
        .compiled
        .find('c')
        .and_then(|first| source.compiled[first + 1..].find("c }").map(|rest| first + 1 + rest));
    assert_eq!(source.written_offset(at.unwrap()), source.written.find("c }").unwrap());
}

proptest! {
    #[test]
    fn no_text_is_too_odd(text in "[{}%#'\"\\\\a-c +*.|()\\[\\]\n\u{e9}~<-]{0,60}") {
        let source = Source::template(&text, Dialect::Chat);
        for at in 0..=source.compiled.len() {
            prop_assert!(source.written_offset(at) <= source.written.len());
        }
        let _ = super::super::Jinja::new(Dialect::Chat).template("odd", &text);
        let _ = Source::expression(&text);
    }
}
