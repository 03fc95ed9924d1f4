use serde_json::json;
use sha2::{Digest, Sha256};

use super::*;

fn chat() -> Jinja {
    Jinja::with_clock(Dialect::Chat, Clock::Fixed(1_700_000_000))
}

fn values() -> Value {
    from_json(&json!({
        "text": "Hello World", "empty": "", "space": "  pad\n", "seven": 7, "half": 2.5, "huge": 1e16,
        "tiny": 1e-7, "yes": true, "no": false, "none": null, "list": [3, 1, 2], "words": ["b", "A", "c"],
        "mixed": [1, "it's", null, 2.0, true], "map": {"b": 1, "a": [2], "items": 3}, "lines": "a\nb\n\n  c",
        "rows": [{"n": "z", "v": 1}, {"n": "a", "v": 2}],
    }))
}

fn render(template: &str) -> String {
    chat().template("test", template).and_then(|template| template.render(values())).unwrap()
}

fn refusal(template: &str) -> TemplateError {
    chat().template("test", template).and_then(|template| template.render(values())).unwrap_err()
}

/// What Jinja and Python print for each of these.
fn check(table: &[(&str, &str)]) {
    for (expression, printed) in table {
        assert_eq!(render(&format!("{{{{ {expression} }}}}")), *printed, "{expression}");
    }
}

#[test]
fn values_print_as_in_python() {
    check(&[
        ("yes", "True"),
        ("none", "None"),
        ("undefined_name", ""),
        ("half", "2.5"),
        ("3.0", "3.0"),
        ("huge", "1e+16"),
        ("tiny", "1e-07"),
        ("tiny ~ ''", "1e-07"),
        ("1e15", "1000000000000000.0"),
        ("0.1 + 0.2", "0.30000000000000004"),
        ("mixed", r#"[1, "it's", None, 2.0, True]"#),
        ("map", "{'b': 1, 'a': [2], 'items': 3}"),
        ("('a',)", "('a',)"),
        ("(1, 'b')", "(1, 'b')"),
        ("[\"say \\\"x\\\"\", 'a\\\\b', '\\n\\t']", r#"['say "x"', 'a\\b', '\n\t']"#),
        ("['\\x07\\u200b\\xa0é你']", r"['\x07\u200b\xa0é你']"),
        ("[undefined_name]", "[Undefined]"),
        ("[huge, [tiny]]", "[1e+16, [1e-07]]"),
        ("map.items()|list", "[('b', 1), ('a', [2]), ('items', 3)]"),
    ]);
}

#[test]
fn operators_mean_what_they_mean_in_python() {
    check(&[
        ("'%s is %d, %.2f' % ('x', 7, half)", "x is 7, 2.50"),
        ("'%(b)s' % map", "1"),
        ("-7 % 3", "2"),
        ("7 % -3", "-2"),
        ("7.5 % 2", "1.5"),
        ("2 * seven % 4", "2"),
        ("list[seven % 3]", "1"),
        ("list|length % 2", "1"),
        ("'x' + 1 ~ 'a' ~ 3 * 2", "x1a6"),
        ("[1] + [2] * 2", "[1, 2, 2]"),
        ("(1,) + (2,)", "(1, 2)"),
        ("'ab' * 2", "abab"),
        ("yes + 1", "2"),
        ("7 // 2 - 7 / 2", "-0.5"),
        ("1 < 2 and not 3 in list", "False"),
        ("4 not in list", "True"),
        ("1 < 2 < 2", "False"),
        ("'a' 'b'", "ab"),
        ("1, 2", "(1, 2)"),
        ("+seven", "7"),
        ("('<b>'|safe) + '<'", "<b>&lt;"),
        ("('<b>'|safe) ~ '<'", "<b><"),
        ("'x' if no", ""),
        ("list[::-1]", "[2, 1, 3]"),
        ("text[-5:]", "World"),
        ("list[9] is defined", "False"),
        ("none.anything is defined", "False"),
    ]);
    for refused in ["text < 1", "none + 1", "1 in text", "[1] + (2,)", "undefined_name + 1", "1 % 0"] {
        assert_eq!(refusal(&format!("{{{{ {refused} }}}}")).kind, ErrorKind::Runtime, "{refused}");
    }
}

#[test]
fn methods_are_python_s() {
    check(&[
        ("' \\x1f a '.strip()", "a"),
        ("'xxaxx'.strip('x') ~ 'xxa'.lstrip('x') ~ 'axx'.rstrip('x')", "aaa"),
        ("'a b  c'.split()", "['a', 'b', 'c']"),
        ("'a,b,c'.split(',', 1)", "['a', 'b,c']"),
        ("'a,b,c'.rsplit(',', 1)", "['a,b', 'c']"),
        ("' a  b c '.rsplit(None, 1)", "[' a  b', 'c']"),
        ("'a\\r\\nb\\x0bc\\n'.splitlines()", "['a', 'b', 'c']"),
        ("'a\\nb'.splitlines(true)", r"['a\n', 'b']"),
        ("text.find('l', 4) ~ text.rfind('l') ~ text.count('l') ~ text.find('q')", "993-1"),
        ("text.startswith(('a', 'H')) ~ text.endswith('d')", "TrueTrue"),
        ("'hello world'.title() ~ 'hELLO'.capitalize()", "Hello WorldHello"),
        ("'{} {b} {:>4}'.format(1, 2, b='x')", "1 x    2"),
        ("', '.join(words)", "b, A, c"),
        ("'a.b.c'.rpartition('.')", "('a.b', '.', 'c')"),
        ("'x'.center(4, '-') ~ '7'.zfill(3) ~ 'ab'.removeprefix('a')", "-x--007b"),
        ("map.get('b') ~ map.get('q') ~ map.get('q', 5)", "1None5"),
        ("list.index(1) ~ words.count('A')", "11"),
        ("map.keys()|join ~ map.values()|list|length", "baitems3"),
        ("map['items'] ~ (map.items is defined)", "3True"),
    ]);
    assert!(refusal("{{ list.append(4) }}").reason.contains("would change a list"));
    assert!(refusal("{{ map.pop('b') }}").reason.contains("would change a dictionary"));
    assert!(refusal("{{ list.index(9) }}").reason.contains("9 is not in the list"));
}

#[test]
fn filters_are_python_s() {
    check(&[
        ("'3.9'|int ~ 'x'|int(-1) ~ '0x1f'|int(0, 16) ~ none|int", "3-1310"),
        ("'1e3'|float ~ list|float", "1000.00.0"),
        ("[huge, none, 'a']|join('|')", "1e+16|None|a"),
        ("rows|map(attribute='n')|join(', ')", "z, a"),
        ("rows|selectattr('v', 'equalto', 2)|map(attribute='n')|list", "['a']"),
        ("words|sort", "['A', 'b', 'c']"),
        ("map|dictsort", "[('a', [2]), ('b', 1), ('items', 3)]"),
        ("space|trim ~ '|'", "pad|"),
        ("lines|indent(2)", "a\n  b\n\n    c"),
        ("2.5|round ~ 2.675|round(2) ~ 7|round(method='floor')", "2.02.677.0"),
        ("'a-b c'|title ~ none|upper", "A-B CNONE"),
        ("'<a href=\"x\">'|escape", "&lt;a href=&#34;x&#34;&gt;"),
        ("'a b/c?'|urlencode", "a%20b/c%3F"),
        ("undefined_name|default('d') ~ ''|default('e', true)", "de"),
        ("list|batch(2)|list", "[[3, 1], [2]]"),
        ("['a', 'A', 'b']|unique|list", "['a', 'b']"),
        ("text is string and seven is number and map is mapping and text is sequence", "True"),
        ("yes is number and not (7 is boolean) and none is none", "True"),
    ]);
}

#[test]
fn json_is_that_of_python() {
    check(&[
        ("map|tojson", r#"{"b": 1, "a": [2], "items": 3}"#),
        ("'<é\"\\u2028\\x07>'|tojson", "\"<é\\\"\u{2028}\\u0007>\""),
        ("'é🌱'|tojson(ensure_ascii=true)", r#""\u00e9\ud83c\udf31""#),
        ("map|tojson(separators=(',', ':'), sort_keys=true)", r#"{"a":[2],"b":1,"items":3}"#),
        ("{'a': [1, {}]}|tojson(indent=2)", "{\n  \"a\": [\n    1,\n    {}\n  ]\n}"),
        ("[huge, 1.0, none, yes, (1, 2)]|tojson", "[1e+16, 1.0, null, true, [1, 2]]"),
        ("{1: 2, none: 3}|tojson", r#"{"1": 2, "null": 3}"#),
    ]);
    assert!(refusal("{{ undefined_name|tojson }}").reason.contains("undefined"));
    let suite = Jinja::new(Dialect::Harness).template("t", "{{ {'b': '<', 'a': 1}|tojson }}").unwrap();
    assert_eq!(suite.render(values()).unwrap(), r#"{"a": 1, "b": "\u003c"}"#);
}

#[test]
fn white_space_goes_as_transformers_has_it() {
    for (template, printed) in [
        ("a\n  {% if yes %}\n  b\n  {% endif %}\nc\n", "a\n  b\nc"),
        ("a\n  {%+ if yes +%}\n  b{% endif %}\n", "a\n  \n  b"),
        ("a  {{- ' b ' -}}  c", "a b c"),
        ("  {# c #}\n{{ seven }}\n\n", "7\n"),
        ("a\r\n{% if yes %}\r\nb\r\n{% endif %}\r\n", "a\nb\n"),
        ("{% raw %}\n{{ x }}\n{% endraw %}\nb", "\n{{ x }}\nb"),
        ("a\n  {% generation %}\n  x\n  {% endgeneration %}\nb", "a\n  x\nb"),
        ("{%- generation -%}  a  {%- endgeneration -%}  b", "ab"),
        ("{% generation %}{% set q = 1 %}{% endgeneration %}[{{ q }}]", "[]"),
        ("{{ 'a\\/b\\d\\a' }}", "a\\/b\\d\u{7}"),
    ] {
        assert_eq!(render(template), printed, "{template:?}");
    }
    let text = "a\n  {% if yes %}\nb{% endif %}\n";
    let harness = Jinja::new(Dialect::Harness).template("t", text).unwrap();
    assert_eq!(harness.render(values()).unwrap(), "a\n  \nb\n");
}

#[test]
fn statements_work_as_templates_use_them() {
    for (template, printed) in [
        (
            "{% set ns = namespace(n=0) %}{% for x in list %}{% set ns.n = ns.n + x %}{% endfor %}{{ ns.n }}",
            "6",
        ),
        ("{% set x = 1 %}{% for y in list %}{% set x = y %}{% endfor %}{{ x }}", "1"),
        ("{% for x in list %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}", "32"),
        ("{% for x in list %}{% if x == 2 %}{% break %}{% endif %}{{ x }}{% endfor %}", "31"),
        (
            "{% for x in list if x > 1 %}{{ loop.index }}{{ x }}{{ loop.last }};{% endfor %}",
            "13False;22True;",
        ),
        ("{% for c in 'ab' %}{{ c }}{{ loop.length }}{% endfor %}", "a2b2"),
        ("{% for x in 1, 2 %}{{ x }}{% endfor %}", "12"),
        ("{% for k, v in map|items %}{{ k }}{{ v }}{% endfor %}", "b1a[2]items3"),
        ("{% for x in nothing %}{% else %}none{% endfor %}", "none"),
        ("{% set a, b = 1, 2 %}{{ a }}{{ b }}", "12"),
        ("{% set a %}x{{ seven }}{% endset %}{{ a|length }}", "2"),
        ("{% macro m(a, b=2) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(b=3, a=4) }}", "1243"),
        ("{{ strftime_now('%d %b %Y %H:%M') }}", "14 Nov 2023 22:13"),
    ] {
        assert_eq!(render(template), printed, "{template}");
    }
    assert!(refusal("{% for x in none %}{% endfor %}").reason.contains("a loop over None"));
}

#[test]
fn undefined_values_are_errors_for_the_harness() {
    let harness = Jinja::new(Dialect::Harness);
    for template in
        ["{{ q }}", "{{ text.q }}", "{{ q ~ 1 }}", "{% if q %}{% endif %}", "{{ [q]|join }}", "{{ q|trim }}"]
    {
        let template = harness.template("task", template).unwrap();
        assert!(template.render(values()).is_err(), "{}", template.text());
    }
    let defined = harness.template("task", "{{ q is defined }}{{ q|default('x') }}").unwrap();
    assert_eq!(defined.render(values()).unwrap(), "Falsex");
    let chained = chat().template("t", "{{ q.r }}").unwrap();
    assert!(chained.render(values()).is_err());
}

#[test]
fn regular_expressions_replace_as_in_python() {
    let harness = Jinja::new(Dialect::Harness);
    for (filter, printed) in [
        ("regex_replace('o', '0')", "Hell0 W0rld"),
        ("regex_replace('(\\\\w+) (\\\\w+)', '\\\\2 \\\\g<1>')", "World Hello"),
        ("regex_replace('(?P<x>l+)', '<\\\\g<x>>', count=1)", "He<ll>o World"),
        ("regex_replace('(?<=l)o', '')", "Hell World"),
    ] {
        let template = harness.template("t", &format!("{{{{ text|{filter} }}}}")).unwrap();
        assert_eq!(template.render(values()).unwrap(), printed, "{filter}");
    }
    let wrong = harness.template("t", "{{ text|regex_replace('(', '') }}").unwrap();
    assert!(wrong.render(values()).unwrap_err().reason.contains("pattern"));
}

#[test]
fn errors_say_where() {
    let error = refusal("one\ntwo {{ text.upper(3) }}");
    assert_eq!((error.line, error.kind), (Some(2), ErrorKind::Runtime));
    let error = refusal("x\n  {% if seven % 2 == 1 and %}y{% endif %}");
    assert_eq!((error.kind, error.line), (ErrorKind::Syntax, Some(2)));
    assert!(error.to_string().starts_with("test, line 2, column "), "{error}");
    // The rewritten operator before it does not shift the column.
    let error = refusal("{{ seven % 2 }} {{ 1 ~ 2 ~ nothing.at.all }}");
    assert_eq!((error.line, error.column), (Some(1), Some(28)), "{error}");
    let error = refusal("a\nb {{ raise_exception('roles must alternate') }}");
    assert_eq!(error.kind, ErrorKind::Raised);
    assert_eq!(error.reason, "roles must alternate");
    assert!(!refusal("{{ 'x'.nope() }}").to_string().contains('\n'));
}

#[test]
fn expressions_have_values() {
    let pair = chat().expression("pair", "-7 % 3, 'a' ~ 1e16").unwrap().eval(values()).unwrap();
    assert_eq!(python::repr(&pair).unwrap(), "(2, 'a1e+16')");
    let expression =
        Jinja::new(Dialect::Suite).expression("expect", "p(' 2') > 0.01 and list[0] % 2 == 1").unwrap();
    let p = Value::from_function(|text: String| if text == " 2" { 0.5 } else { 0.0 });
    let mut suite = Jinja::new(Dialect::Suite);
    suite.environment.add_global("p", p);
    let expression = suite.expression("expect", expression.text()).unwrap();
    assert!(expression.eval(values()).unwrap().is_true());
    assert!(suite.expression("expect", "p(' 2') >").is_err());
}

#[test]
fn hostile_templates_end_soon() {
    let grow = |step: &str| {
        format!(
            "{{% set ns = namespace(x=['a']) %}}{{% for i in range(90000) %}}{{% set ns.x = {step} %}}{{% endfor %}}{{{{ ns.x }}}}"
        )
    };
    let mut hostile: Vec<String> = [
        "[ns.x]",
        "[ns.x, ns.x]",
        "ns.x + ns.x",
        "ns.x * 2",
        "{'a': ns.x, 'b': ns.x}",
        "dict(a=ns.x, b=ns.x)",
        "ns.x|batch(1)|list",
        "ns.x|string ~ ns.x",
        "ns",
    ]
    .map(grow)
    .to_vec();
    hostile.extend(
        [
            "{{ 'x'.ljust(100000000000) }}",
            "{{ '%99999999999d' % 1 }}",
            "{{ '%*d' % (100000000, 1) }}",
            "{{ '{:99999999999}'.format(1) }}",
            "{{ [[[1] * 10000] * 10000] * 10000 }}",
            "{{ ('a' * 100000).replace('a', 'b' * 100000) }}",
            "{{ ('a,' * 100000).split(',')|join('c' * 100000) }}",
            "{{ [1]|batch(1000000000, 'x')|list }}",
            "{% macro m(x) %}{{ m([x, x]) }}{% endmacro %}{{ m(1) }}",
            "{% for i in range(90000) %}{% for j in range(90000) %}{% endfor %}{% endfor %}",
            "{% set a = namespace() %}{% set b = namespace() %}{% set a.b = b %}{% set b.a = a %}{{ a }}",
        ]
        .map(str::to_string),
    );
    for template in hostile {
        let started = std::time::Instant::now();
        let error = refusal(&template);
        assert_ne!(error.kind, ErrorKind::Syntax, "{template}: {error}");
        assert!(started.elapsed().as_secs() < 30, "{template}");
    }
    let deep = format!("{{{{ {}1{} }}}}", "(".repeat(5000), ")".repeat(5000));
    assert_eq!(refusal(&deep).kind, ErrorKind::Limit);
}

#[test]
fn generators_are_pythons() {
    for (text, expected) in [
        ("{% if [] | map('upper') %}y{% endif %}", "y"),
        ("{% if not (x | selectattr('a')) %}none{% endif %}", ""),
        ("{% set g = 'ab' | map('upper') %}{{ g | first }}{{ g | list }}{{ g | list }}", "A['B'][]"),
        ("{% for c in 'ab' | select %}{{ c }}{{ loop.length }}{{ loop.last }}{% endfor %}", "a2Falseb2True"),
        ("{{ 'B' in 'ab' | map('upper') }}{{ ('ab' | map('upper')) == ['A', 'B'] }}", "TrueFalse"),
        ("{{ 0 | select | list }}{{ none | rejectattr('a') | list }}", "[][]"),
        ("{{ 'ab' | map('upper') is iterable }}{{ 'ab' | map('upper') is sequence }}", "TrueFalse"),
        ("{{ [1, 2] | reverse | list }}{{ 'ab' | reverse }}", "[2, 1]ba"),
    ] {
        assert_eq!(render(text), expected, "{text}");
    }
    for refused in ["length", "last", "tojson"] {
        refusal(&format!("{{{{ [1] | map('string') | {refused} }}}}"));
    }
}

/// What Python's jinja2 renders, set up as transformers does, for published templates. Their origin and
/// licences are in `published/README.md`.
#[test]
fn published_templates_render_as_in_python() {
    let folder = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/jinja/tests/published"));
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let frozen: serde_json::Value = serde_json::from_str(&read("frozen.json")).unwrap();
    let templates = frozen["sha256"].as_object().unwrap();
    assert_eq!(templates.len(), 9);
    for (name, sums) in templates {
        let template = chat().template(name, &read(name)).unwrap();
        for (variables, sum) in
            frozen["conversations"].as_array().unwrap().iter().zip(sums.as_array().unwrap())
        {
            let text = template.render(from_json(variables)).unwrap();
            let found: String = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
            assert!(found.starts_with(sum.as_str().unwrap()), "{name}: {text}");
        }
    }
}

/// Each line of `python.jsonl` is a template and what Python makes of it: its rendering, or `null` where it
/// refuses. The templates are random; the variables are in the first line.
#[test]
fn random_expressions_mean_what_they_mean_in_python() {
    let mut lines =
        include_str!("tests/python.jsonl").lines().map(|line| serde_json::from_str(line).unwrap());
    let variables: serde_json::Value = lines.next().unwrap();
    let mut count = 0;
    for line in lines {
        let (text, wanted): (String, Option<String>) = serde_json::from_value(line).unwrap();
        let found = chat().template("t", &text).and_then(|template| template.render(from_json(&variables)));
        assert_eq!(found.ok(), wanted, "{text}");
        count += 1;
    }
    assert_eq!(count, 400);
}
