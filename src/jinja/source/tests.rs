use proptest::prelude::*;

use super::super::{Dialect, Jinja};
use super::*;

fn source(text: &str) -> TemplateSource {
    TemplateSource::new(text, Jinja::new(Dialect::Chat).environment.syntax(), false)
}

fn compiled(text: &str) -> String {
    source(text).compiled
}

#[test]
fn what_is_known_without_running_is_put_off() {
    for (written, wanted) in [
        ("{{ 1e16 ~ 'x' ~ y }}", "{{ 1e16|__ ~ 'x'|__ ~ y }}"),
        ("{{ [1] ~ y }}", "{{ [1]|__ ~ y }}"),
        ("{{ y ~ 1 }}", "{{ y ~ 1 }}"),
        ("{{ 1 < 'a' }}", "{{ 1|__ < 'a' }}"),
        ("{{ 1 not in 'a1' }}", "{{ 1|__ not in 'a1' }}"),
        ("{% for (a, b) in c %}", "{% for (a, b) in c %}"),
        ("{{ f(*[1], **{}) }}", "{{ f(*[1], **{}) }}"),
        ("{{ 2 + +x - +(+1) }}", "{{ 2 +  x -  ( 1) }}"),
        ("{{ x is odd + 1 - y is not odd - 1 }}", "{{ x is odd|__ + 1 - y is not odd|__ - 1 }}"),
        ("{% if +x %}", "{% if  x %}"),
        ("{% generation %}a{%- endgeneration -%}", "{% with       %}a{%- endwith       -%}"),
        (
            "{{ generation }}{# {% raw %} #}{% raw %}\n{% raw %}",
            "{{ generation }}{# {% raw %} #}{% raw %}\n{% raw %}",
        ),
        ("{# {% raw %} #}{% raw %}\n{{ 1 }}{% endraw %}", "{# {% raw %} #}{% raw +%}\n{{ 1 }}{% endraw %}"),
    ] {
        assert_eq!(compiled(written), wanted);
    }
}

#[test]
fn literals_are_unescaped_by_python_s_rules() {
    assert_eq!(compiled(r"{{ '\d\/\n\\' }}"), r"{{ '\d\\/\n\\' }}");
    assert_eq!(compiled(r#"{{ "\U0001F331\'" }}"#), r#"{{ "🌱\'" }}"#);
    assert_eq!(compiled("{{ 'a\\\nb' }}"), "{{ 'ab' }}");
    assert_eq!(compiled("a\r\nb\rc"), "a\nb\nc");
}

#[test]
fn places_map_back() {
    let source = source("{{ 'a' ~ b }} {{ c }}");
    let at = source.compiled.find("c }").unwrap();
    assert_eq!(source.written_offset(at), source.written.find("c }").unwrap());
}

proptest! {
    #[test]
    fn no_text_is_too_odd(text in "[{}%#'\"\\\\a-c +*.|()\\[\\]\n\u{e9}~<-]{0,60}") {
        let source = source(&text);
        for at in 0..=source.compiled.len() {
            prop_assert!(source.written_offset(at) <= source.written.len());
        }
        let _ = Jinja::new(Dialect::Chat).template("odd", &text);
        let _ = Jinja::new(Dialect::Chat).expression("odd", &text);
    }
}
