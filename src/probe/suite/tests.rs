use std::path::Path;

use super::*;
use crate::probe::item::Suite;
use crate::probe::question::{Ask, Gold, Prompt};
use proptest::prelude::*;

fn parse_in(folder: &Path, text: &str) -> Result<Suite, String> {
    parse("x.toml", text, folder).map_err(|error| error.to_string())
}

fn suite(text: &str) -> Suite {
    parse_in(Path::new(""), text).unwrap()
}

fn probe(body: &str) -> Result<Suite, String> {
    parse_in(Path::new(""), &format!("[suite]\nname = \"s\"\n\n[[probe]]\n{body}"))
}

/// The error of a probe's body, whose first line is line 5 of the file.
fn wrong(body: &str) -> String {
    probe(body).unwrap_err()
}

fn texts(suite: &Suite) -> Vec<String> {
    suite.items.iter().map(|item| item.questions.prompts[0].text()).collect()
}

#[test]
fn the_example_of_the_format_reads_as_it_says() {
    let text = r#"
[suite]
name  = "local-vs-global"
bos   = "always"
informational = true

[[probe]]
id     = "derivative"
prompt = "Let f(x) = x^2 + 3x. Then f'(x) ="
choices = [" 2x + 3", " x^2 + 3", " 3x + 2"]
answer  = 0
expect  = ["best() == 0", "p(' 2') > 0.01", "rank(' 2') <= 20"]

[[probe]]
id     = "sum-{{ n }}"
params = { n = [1, 2, 3] }
prompt = "{{ range(n)|join(' + ') }} ="
expect = ["greedy(2) == ' 1'"]
"#;
    let suite = suite(text);
    assert_eq!(
        suite.items.iter().map(|item| item.id.as_str()).collect::<Vec<_>>(),
        ["derivative", "sum-1", "sum-2", "sum-3"]
    );
    assert_eq!(texts(&suite)[3], "0 + 1 + 2 =");
    let first = &suite.items[0];
    assert_eq!(first.questions.gold, Gold::One(0));
    assert!(first.asks.contains(&Ask::Text { prompt: 0, text: " 2".to_string() }));
    assert!(first.asks.contains(&Ask::Next { prompt: 0 }));
    assert!(suite.items[1].asks.contains(&Ask::Greedy { prompt: 0, tokens: 2 }));
    assert_eq!((suite.informational, suite.rules.bos), (true, Some(crate::settings::Bos::Always)));
}

#[test]
fn rows_of_a_file_become_items() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("d.csv"), "good,bad,n\nA cat.,A cats.,1\nTwo cats.,Two cat.,2\n")
        .unwrap();
    let text = r#"
[suite]
name = "s"
expect = ["acc >= 0.5"]

[suite.data]
file = "d.csv"
id = "{{ row }}/{{ n }}"
choices = ["{{ good }}", "{{ bad }}"]
answer = 0
"#;
    let suite = parse_in(folder.path(), text).unwrap();
    assert_eq!(suite.items.iter().map(|item| item.id.as_str()).collect::<Vec<_>>(), ["1/1", "2/2"]);
    assert_eq!(suite.items[1].questions.choices[0].text, "Two cats.");
    // Rows are measured, not asserted, unless the file says so.
    assert!(suite.items.iter().all(|item| item.expect.is_empty()));
    assert_eq!(suite.limits.len(), 1);
}

#[test]
fn choices_may_come_as_a_list_and_answers_as_texts() {
    let folder = tempfile::tempdir().unwrap();
    let rows = r#"{"ctx": "a", "endings": ["x", "y"], "label": 1}
{"ctx": "b", "endings": ["u", "v", "w"], "label": "w"}
"#;
    std::fs::write(folder.path().join("d.jsonl"), rows).unwrap();
    let text = "[suite]\nname = \"s\"\n[suite.data]\nfile = \"d.jsonl\"\nprompt = \"{{ ctx }}\"\nchoices = \"{{ endings }}\"\nanswer = \"{{ label }}\"\n";
    let suite = parse_in(folder.path(), text).unwrap();
    assert_eq!(suite.items[0].questions.gold, Gold::One(1));
    assert_eq!(suite.items[1].questions.gold, Gold::One(2));
    assert_eq!(suite.items[1].questions.choices.len(), 3);
}

#[test]
fn phrasings_are_one_item() {
    let listed = probe("id = \"a\"\nprompt = [\"x\", \"y\"]\ntarget = \" z\"\n").unwrap();
    let varied = probe(
        "id = \"a\"\nvary = true\nparams = { w = [\"x\", \"y\"] }\nprompt = \"{{ w }}\"\ntarget = \" z\"\n",
    )
    .unwrap();
    for suite in [listed, varied] {
        assert_eq!(suite.items.len(), 1);
        assert_eq!(suite.items[0].questions.phrasings(), 2);
        assert_eq!(suite.items[0].asks.len(), 2);
    }
    let compared = probe("id = \"a\"\nprompt = \"x\"\nversus = \"y\"\ntarget = \" z\"\n").unwrap();
    assert_eq!((compared.items[0].questions.phrasings(), compared.items[0].questions.prompts.len()), (1, 2));
}

#[test]
fn a_chat_becomes_messages_and_a_completion_gets_its_preamble() {
    let text = "[suite]\nname = \"s\"\nmode = \"chat\"\nsystem = \"Be brief.\"\n[[probe]]\nid = \"a\"\nprompt = \"Hi\"\ntarget = \"Hello\"\n";
    let Prompt::Chat(messages) = suite(text).items[0].questions.prompts[0].clone() else { panic!("a chat") };
    assert_eq!(messages.iter().map(crate::chat::Message::text).collect::<Vec<_>>(), ["Be brief.", "Hi"]);
    let text = "[suite]\nname = \"s\"\npreamble = \"1+1=2\\n\"\n[[probe]]\nid = \"a\"\nprompt = \"2+2=\"\ntarget = \"4\"\n";
    assert_eq!(texts(&suite(text)), ["1+1=2\n2+2="]);
}

#[test]
fn what_goes_without_saying_is_expected() {
    let expected = |body: &str| -> Vec<String> {
        probe(body).unwrap().items[0]
            .expect
            .iter()
            .map(|expectation| expectation.text().to_string())
            .collect()
    };
    let choices = "id = \"a\"\nprompt = \"x\"\nchoices = [\" y\", \" z\"]\n";
    assert_eq!(expected(&format!("{choices}answer = 1\n")), ["best() == answer"]);
    assert_eq!(
        expected(&format!("{choices}answer = 1\nexpect = [\"margin(1, 0) > 1\"]\n")),
        ["margin(1, 0) > 1"]
    );
    assert!(expected(choices).is_empty());
    assert_eq!(
        expected("id = \"a\"\nprompt = \"x\"\ngreedy = 3\npattern = \"y\"\n"),
        ["matches(greedy(), pattern())"]
    );
}

#[test]
fn broken_files_say_where_and_what_would_be_right() {
    let error = |text: &str| parse_in(Path::new(""), text).unwrap_err();
    assert_eq!(
        error("[suite]\nname = \"s\"\n[[probe]]\nid = \"a\"\npromt = \"x\"\n"),
        "x.toml:5:1: there is no field promt here; did you mean prompt? (at `promt = \"x\"`)"
    );
    assert_eq!(
        error("[suite]\nname = \"s\n"),
        "x.toml:2:10: invalid basic string, expected `\"` (at `name = \"s`)"
    );
    assert_eq!(
        error("[suite]\nname = \"s\"\n"),
        "x.toml:1:1: the suite is empty: give it a [[probe]], or [suite.data] with a file (at `[suite]`)"
    );
    assert!(
        error("[suite]\nname = 3\n").starts_with("x.toml:2:8: invalid type: integer `3`, expected a string")
    );
    assert!(error("[[probe]]\nid = \"a\"\n").contains("missing field `suite`"));
    assert!(
        error("[suite]\nname = \"s\"\nexpect = [\"acc > 0\", \"ac > 0\"]\n[[probe]]\nid = \"a\"\ntarget = \"x\"\n")
            .starts_with("x.toml:3:22: `ac > 0`: there is no figure ac; did you mean acc?")
    );
}

#[test]
fn broken_templates_say_where() {
    assert_eq!(
        wrong("id = \"a\"\nprompt = \"{{ x \"\ntarget = \"y\"\n"),
        "x.toml:6:10: line 1, column 4: syntax error: unexpected end of input, expected end of variable block (at `{{ x`) (at `prompt = \"{{ x \"`)"
    );
    assert!(
        wrong("id = \"a\"\nparams = { size = [1] }\nprompt = \"{{ siez }}\"\ntarget = \"y\"\n")
            .starts_with("x.toml:7:10: there is no parameter siez; did you mean size?")
    );
    assert!(
        wrong("id = \"a\"\nprompt = \"{{ x }}\"\ntarget = \"y\"\n")
            .contains("there is no variable x: the probe has neither params nor a file")
    );
    assert!(wrong("id = \"a\"\nprompt = \"{{ 1|lenght }}\"\ntarget = \"y\"\n").contains("unknown filter"));
}

#[test]
fn broken_expectations_say_where_with_the_nearest_name() {
    let wrong = |expression: &str| {
        wrong(&format!("id = \"a\"\nprompt = \"x\"\nchoices = [\"y\", \"z\"]\nexpect = [\"{expression}\"]\n"))
    };
    for (expression, reason) in [
        ("bset() == 0", "x.toml:8:11: `bset() == 0`: there is no function bset; did you mean best?"),
        ("p('y') >", "`p('y') >`, column 8: syntax error"),
        ("p('y') > limt", "`p('y') > limt`: there is no variable limt"),
        ("score(2) > 0", "score: there is no choice 2; the probe has 2, counted from 0"),
        ("best('acc_nrom') == 0", "there is no reduction acc_nrom; did you mean acc_norm?"),
        ("p(3) > 0", "p: text must be a string, not 3"),
        ("p('') > 0", "p: the text is empty"),
        ("p(greedy(3)) > 0", "p: the text must be known before the model runs"),
        ("greedy(0) == ''", "greedy(0): from 1 to 1024 tokens can be asked for"),
        ("greedy() == ''", "greedy(n) needs a number of tokens"),
        ("spread() < 1", "spread() needs the probe to have `target`"),
        ("prevalence() > 0", "prevalence() needs the probe to have `pattern`"),
        ("difference() > 0", "difference() needs the probe to have `versus`"),
        ("peak() == 0", "peak() needs the probe to have `steps`"),
        ("margin() > 0", "margin() needs the number of a choice, or the probe an `answer`"),
        ("delta('a', 'b') > 0", "delta() needs the probe to have `answer`"),
        ("rank('y', 'z') == 1", "rank takes at most 1 arguments"),
        ("context() > 0", "context(n) needs a number of tokens, as in context(8)"),
        ("context(0, 'y') < 0", "context(0): from 1 token on can be asked for"),
        ("context(2) < 0", "context() needs a text, or the probe a `target` or an `answer`"),
        ("context(2, greedy(3)) < 0", "context: the text must be known and not empty"),
        ("occlusion('w', 'y') < 0", "occlusion: the prompt \"x\" does not hold \"w\""),
        ("lens_rank('y') == 1", "lens_rank() needs the number of a layer"),
        ("recovered(1, 1) > 0", "recovered() needs the probe to have `versus`"),
    ] {
        let error = wrong(expression);
        assert!(error.contains(reason), "{expression}: {error}");
    }
}

#[test]
fn nothing_fails_by_an_informational_case() {
    let body = |flag: &str| {
        format!(
            "id = \"{{{{ n }}}}\"\nparams = {{ n = [1, 2, 3] }}\nprompt = \"x\"\nchoices = [\"y\", \"z\"]\nanswer = 0\n{flag}\n"
        )
    };
    let informational = |flag: &str| -> Vec<bool> {
        let suite = probe(&body(flag)).unwrap();
        suite.items.iter().map(|item| item.expect[0].is_informational()).collect()
    };
    assert_eq!(informational(""), [false, false, false]);
    assert_eq!(informational("informational = false"), [false, false, false]);
    assert_eq!(informational("informational = true"), [true, true, true]);
    assert_eq!(informational("informational = \"n > 1\""), [false, true, true]);
    for (flag, reason) in [
        ("informational = 1", "expected true, false, or an expression"),
        ("informational = \"m > 1\"", "there is no parameter m; did you mean n?"),
        ("informational = \"n +\"", "syntax error"),
        ("informational = \"n\"", "`n` is neither true nor false"),
    ] {
        let error = wrong(&body(flag));
        assert!(error.starts_with("x.toml:10:17: ") && error.contains(reason), "{flag}: {error}");
    }
}

#[test]
fn fields_that_do_not_fit_together_are_named() {
    for (body, reason) in [
        ("prompt = \"x\"\ntarget = \"y\"\n", "every probe needs an id"),
        ("id = \"a\"\nprompt = \"x\"\n", "the probe asks nothing"),
        (
            "id = \"a\"\nprompt = \"x\"\nchoices = [\"y\", \"z\"]\nanswer = 2\n",
            "x.toml:8:10: the answer is 2, and there are 2 choices, counted from 0",
        ),
        (
            "id = \"a\"\nprompt = \"x\"\nchoices = [\"y\", \"z\"]\nanswer = \"w\"\n",
            "the answer \"w\" is none of the choices",
        ),
        (
            "id = \"a\"\nprompt = \"x\"\nchoices = [\"y\", \"y\"]\n",
            "x.toml:7:17: choices 0 and 1 are the same text: \"y\"",
        ),
        (
            "id = \"a\"\nprompt = \"x\"\nchoices = [\"y\"]\n",
            "there must be two or more choices, and there are 1",
        ),
        ("id = \"a\"\nprompt = \"x\"\nchoices = [\"y\", \"\"]\n", "choice 1 is empty"),
        ("id = \"a\"\nprompt = \"x\"\nchoices = [\"y\", 3]\n", "3 is no string"),
        ("id = \"a\"\nprompt = \"x\"\ntarget = \"y\"\nanswer = 0\n", "an answer needs choices"),
        ("id = \"a\"\nprompt = [\"x\", \"y\"]\nchoices = [\"y\", \"z\"]\n", "needs a target"),
        ("id = \"a\"\nprompt = \"x\"\nversus = \"y\"\ntokens = [\"z\"]\n", "versus needs a target"),
        ("id = \"a\"\nsystem = \"x\"\ntarget = \"y\"\n", "a system prompt needs mode = \"chat\""),
        ("id = \"a\"\nmode = \"chat\"\ntarget = \"y\"\n", "a chat probe needs a prompt or messages"),
        ("id = \"a\"\nprompt = \"x\"\ngreedy = 3\npattern = \"(\"\n", "pattern \"(\""),
        ("id = \"a\"\nprompt = \"x\"\nsample = { n = 0 }\n", "n must be from 1 to 10000"),
        (
            "id = \"a\"\nprompt = \"x\"\nsample = { temperatures = [] }\n",
            "temperatures must be numbers from 0 to 100",
        ),
        ("id = \"a\"\nprompt = \"x\"\nsample = { top_p = 2.0 }\n", "top_p must be above 0 and at most 1"),
        (
            "id = \"a\"\nparams = { n = [1, 2] }\nprompt = \"{{ n }}\"\ntarget = \"y\"\n",
            "x.toml:5:6: the id \"a\" is given twice: put the parameters into it, as in id = \"name-{{ n }}\"",
        ),
        (
            "id = \"a\"\nparams = { n = [] }\nprompt = \"{{ n }}\"\ntarget = \"y\"\n",
            "the parameter n has no value",
        ),
        (
            "id = \"a\"\nprompt = \"x\"\ntarget = \"y\"\n[probe.params]\nn = [1]\n\"~1/n\" = []\n",
            "x.toml:10:10: the parameter ~1/n has no value",
        ),
        (
            "id = \"a\"\nparams = { n = \"range(3)\" }\nprompt = \"{{ n }}\"\ntarget = \"y\"\n",
            "write a list, or one template that gives a list",
        ),
        (
            "id = \"{{ n }}\"\nparams = { n = \"{{ range(2000)|list }}\", m = \"{{ range(2000)|list }}\" }\nprompt = \"{{ n }}\"\ntarget = \"y\"\n",
            "more than 1000000 items",
        ),
        (
            "id = \"a\"\nfile = \"nowhere.csv\"\ntarget = \"y\"\n",
            "x.toml:6:8: nowhere.csv: there is no such file",
        ),
    ] {
        let error = wrong(body);
        assert!(error.contains(reason), "{body}: {error}");
    }
}

#[test]
fn a_missing_column_is_named_with_its_row() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("d.jsonl"), "{\"good\": \"a\"}\n{\"good\": \"b\", \"label\": 7}\n")
        .unwrap();
    let text = |body: &str| format!("[suite]\nname = \"s\"\n[suite.data]\nfile = \"d.jsonl\"\n{body}");
    let error = |body: &str| parse_in(folder.path(), &text(body)).unwrap_err();
    let file = folder.path().join("d.jsonl").display().to_string();
    assert!(error("target = \"{{ goood }}\"\n").starts_with(&format!(
        "x.toml:5:10: row 1 of {file}: there is no column or parameter goood; did you mean good?"
    )));
    assert!(
        error("choices = [\"{{ good }}\", \"x\"]\nanswer = \"{{ label or 0 }}\"\n")
            .contains(&format!("row 2 of {file}: the answer is 7, and there are 2 choices"))
    );
    let none = error("target = \"{{ label }}\"\n");
    assert!(none.contains(&format!("row 1 of {file}: label has no value here")), "{none}");
    assert!(
        error("id = \"same\"\ntarget = \"{{ good }}\"\n")
            .contains(&format!("the id \"same\" is given twice (row 1 of {file} and row 2 of {file})"))
    );
}

proptest! {
    #[test]
    fn a_ladder_is_the_product_of_its_parameters(sizes in prop::collection::vec(1usize..5, 1..4)) {
        let params: Vec<String> =
            sizes.iter().enumerate().map(|(i, n)| format!("p{i} = {:?}", (0..*n).collect::<Vec<_>>())).collect();
        let id: String = (0..sizes.len()).map(|i| format!("-{{{{ p{i} }}}}")).collect();
        let suite = probe(&format!("id = \"{id}\"\nparams = {{ {} }}\ntarget = \"x\"\nprompt = \"y\"\n", params.join(", "))).unwrap();
        prop_assert_eq!(suite.items.len(), sizes.iter().product::<usize>());
        // The last parameter runs fastest: the ids are numbers counted up in mixed bases.
        let numbers: Vec<usize> = suite.items.iter().map(|item| {
            item.id.split('-').skip(1).zip(&sizes).fold(0, |sum, (digit, base)| sum * base + digit.parse::<usize>().unwrap())
        }).collect();
        prop_assert_eq!(numbers, (0..suite.items.len()).collect::<Vec<_>>());
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in any::<String>()) {
        let _ = parse("x.toml", &text, Path::new(""));
        let _ = probe(&format!("id = \"a\"\nprompt = '''{}'''\ntarget = \"x\"\n", text.replace('\'', "")));
    }
}

#[test]
fn the_schema_in_the_folder_is_the_formats() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts/suites/schema.json");
    let written = std::fs::read_to_string(file).unwrap();
    let now = format!("{:#}\n", schema());
    assert_eq!(written, now, "tokenscope probe --schema > prompts/suites/schema.json");
}

#[test]
fn the_schema_knows_every_field_and_no_other() {
    let schema = schema();
    let probe = &schema["$defs"]["Probe"];
    assert_eq!(probe["additionalProperties"], false);
    let fields = probe["properties"].as_object().unwrap();
    assert!(
        fields["prompt"]["description"].as_str().unwrap().starts_with("What comes before the continuation")
    );
    // What the schema allows, the reader takes: a probe with every field that is one.
    for field in [
        "id",
        "file",
        "limit",
        "params",
        "vary",
        "prompt",
        "messages",
        "system",
        "preamble",
        "mode",
        "choices",
        "answer",
        "target",
        "versus",
        "tokens",
        "steps",
        "greedy",
        "pattern",
        "sample",
        "difficulty",
        "expect",
        "informational",
    ] {
        assert!(fields.contains_key(field), "{field}");
    }
    assert_eq!(fields.len(), 22);
}

#[test]
fn difficulty_is_a_number_of_the_case() {
    let body = |value: &str| {
        format!(
            "id = \"a-{{{{ n }}}}\"\nparams = {{ n = [1, 2] }}\nprompt = \"x\"\ntarget = \"y\"\ndifficulty = \"{value}\"\n"
        )
    };
    let suite = probe(&body("{{ n * 2 }}")).unwrap();
    assert_eq!(suite.items.iter().map(|item| item.difficulty).collect::<Vec<_>>(), [Some(2.0), Some(4.0)]);
    assert_eq!(
        wrong(&body("hard")),
        "x.toml:9:14: \"hard\" is no number: more is harder (at `difficulty = \"hard\"`)"
    );
}
