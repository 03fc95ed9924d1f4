use super::*;
use serde_json::json;

fn json(text: &str) -> serde_json::Value {
    parse(text).unwrap().value.to_json()
}

#[test]
fn plain_scalars_are_pythons() {
    // yaml.safe_load("[...]") of the same list.
    assert_eq!(
        json(
            "[no, Yes, on, ~, null, 1, -2, 010, 0x1F, 0b11, 1_000, 1.5, -.5, .5, 1e3, 1.0e+3, 1., a, 1.0.0, '1', \"no\"]"
        ),
        json!([
            false, true, true, null, null, 1, -2, 8, 31, 3, 1000, 1.5, "-.5", 0.5, "1e3", 1000.0, 1.0, "a",
            "1.0.0", "1", "no"
        ])
    );
}

#[test]
fn blocks_anchors_and_merges() {
    let text = "a: &x\n  k: 1\n  l: 2\nb:\n  <<: *x\n  l: 3\nc: |\n  two\n  lines\nd: \"\\n\"\ne: >-\n  folded\n  text\nf: *x\n";
    assert_eq!(
        json(text),
        json!({"a": {"k": 1, "l": 2}, "b": {"l": 3, "k": 1}, "c": "two\nlines\n", "d": "\n", "e": "folded text", "f": {"k": 1, "l": 2}})
    );
}

#[test]
fn tags_stay_tags_with_their_lines() {
    let node = parse(
        "task: x\nprocess_docs: !function utils.f\nlist:\n  - aggregation: !function a.b\ns: !!str 1\n",
    )
    .unwrap();
    let mut tags = Vec::new();
    node.tags("", &mut tags);
    let tag = |line, tag: &str, of: &str| (line, tag.to_string(), of.to_string());
    assert_eq!(
        tags,
        [tag(2, "!function utils.f", "process_docs"), tag(4, "!function a.b", "list.aggregation")]
    );
    let Yaml::Map(map) = node.value else { panic!("a mapping") };
    assert_eq!(map["s"].value, Yaml::Text("1".to_string()));
}

#[test]
fn a_quoted_text_may_go_on_at_the_beginning_of_a_line() {
    assert_eq!(json("a: 'x,\ny'\nb: \"p\nq\nr\"\nc: 1\n"), json!({"a": "x, y", "b": "p q r", "c": 1}));
}

#[test]
fn brackets_and_texts_may_go_on_further_left() {
    // yaml.safe_load reads every one of these.
    assert_eq!(json("a: [\n\"x\",\n  y\n]\nb: {\n  c: 1\n}\n"), json!({"a": ["x", "y"], "b": {"c": 1}}));
    assert_eq!(
        json("f:\n  s: [\n    {\n      \"q\": 'x\n z'\n    }\n  ]\n"),
        json!({"f": {"s": [{"q": "x z"}]}})
    );
    assert_eq!(
        json("f:\n  s:\n    - q: 'one\n  two'\n      a: \"c\n d\n\n   e\"\n"),
        json!({"f": {"s": [{"q": "one two", "a": "c d\ne"}]}})
    );
}

#[test]
fn a_place_is_that_of_the_file_also_below_lines_that_go_on_further_left() {
    let error = parse("a: [\nx\n]\nb: [\n1\n}\n").unwrap_err();
    assert_eq!((error.line, error.column), (6, 1), "{error:?}");
}

#[test]
fn broken_yaml_has_a_place() {
    let error = parse("a: 1\nb: [1, 2\nc: 3\n").unwrap_err();
    assert!(error.line >= 2, "{error:?}");
    let deep = format!("{}{}", "[".repeat(300), "]".repeat(300));
    assert!(parse(&deep).unwrap_err().reason.contains("nested deeper than 200"));
}

#[test]
fn scalars_are_pythons_to_the_last_digit() {
    // yaml.load of the same with CSafeLoader, int and float printed by Python.
    let texts = "[123456789012345678901234567890, -9223372036854775809, 0xFFFFFFFFFFFFFFFFFF, 0b1_1, 1:30, -1:30:00, 1:30.5, 08, 0o7, +12, -0, .5e+3, 2024-01-02, 2024-1-2 3:04:05.5 -1:30, 2001-12-14t21:59:43.10-05:00, ! '12', !!str 1, !!int '0x1F', !!float 1, y, 'a\n b']";
    assert_eq!(
        json(texts),
        json!([
            "123456789012345678901234567890",
            "-9223372036854775809",
            "4722366482869645213695",
            3,
            90,
            -5400,
            90.5,
            "08",
            "0o7",
            12,
            0,
            500.0,
            "2024-01-02",
            "2024-01-02 03:04:05.500000-01:30",
            "2001-12-14 21:59:43.100000-05:00",
            12,
            "1",
            31,
            1.0,
            "y",
            "a b"
        ])
    );
}

#[test]
fn what_python_refuses_is_refused_with_its_place() {
    for (text, line, reason) in [
        ("a: !function {x: 1}\n", 1, "!function names a function"),
        ("a: 1\nb: !!python/tuple [1]\n", 2, "the tag !!python/tuple is none"),
        ("a: 1\nb: !foo x\n", 2, "the tag !foo is none"),
        ("a: 2024-13-01\n", 1, "a date is no"),
        ("a: 1\n? [b]\n: c\n", 2, "can't be a key"),
        ("a: =\n", 1, "put it in quotes"),
        ("<<: 1\n", 1, "<< takes a mapping"),
        ("a: &x [*x]\n", 1, "*x stands inside what it names"),
        ("a: *x\n", 1, "there is no anchor &x"),
        ("a: 1\n---\nb: 2\n", 2, "a second document"),
        ("a: 1\nb: \u{7}\n", 2, "control characters are not allowed"),
        ("a: 1\n\tb: 2\n", 2, "a tab character that violates indentation"),
        ("a: 1\n b: 2\n", 2, "mapping values are not allowed"),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.line == line && error.reason.contains(reason), "{text:?}: {error:?}");
    }
}

#[test]
fn texts_may_go_on_in_every_column_python_allows() {
    assert_eq!(
        json("a: &a {key: 1}\nb: &b {key: 2, other: 3}\nc: {<<: [*a, *b], x: 4}\n")["c"],
        json!({"other": 3, "key": 1, "x": 4})
    );
    assert_eq!(json("m:\n  note: \"a\nb\"\n"), json!({"m": {"note": "a b"}}));
    assert_eq!(json("m:\n  note: \"a\n  b\"\n"), json!({"m": {"note": "a b"}}));
    assert_eq!(json("m:\n  - note: \"a\n    b\"\n"), json!({"m": [{"note": "a b"}]}));
    assert_eq!(
        json("s:\n    - q: \"a list:\n        1+4=\n      {\n      }\"\n      c: [1]\n"),
        json!({"s": [{"q": "a list: 1+4= { }", "c": [1]}]})
    );
}

#[test]
fn aliases_are_counted_while_they_are_expanded() {
    let mut lol = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_string();
    for i in 1..14 {
        let aliases = vec![format!("*a{}", i - 1); 9].join(",");
        lol.push_str(&format!("a{i}: &a{i} [{aliases}]\n"));
    }
    let started = std::time::Instant::now();
    let error = parse(&lol).unwrap_err();
    assert!(error.reason.contains("more than 2000000 values, with what its aliases stand for"), "{error:?}");
    assert!(started.elapsed().as_secs() < 5);
    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), vec!["*a"; 1 << 16].join(","));
    assert!(parse(&long).is_err());
    let nested: String = (0..190).map(|i| format!("&a{i} [")).collect();
    assert!(parse(&format!("{nested}{}", "]".repeat(190))).is_ok());
}

#[test]
fn hostile_files_end_soon() {
    let started = std::time::Instant::now();
    for text in [
        "[", "{", "- ", "? ", "a: ", "- - ", "&a ", "!!str ", "'", "\"", "|\n", "[{", "- [", "*a ", "%",
        "# ", "a:\n", "\n", "<<: ", "[a, ", "{a: ",
    ] {
        for n in [100, 300_000] {
            let _ = parse(&text.repeat(n));
        }
    }
    let stairs: String = (0..3000).map(|i| format!("{}a:\n", " ".repeat(i))).collect();
    assert!(parse(&stairs).unwrap_err().reason.contains("nested deeper"));
    assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
}
