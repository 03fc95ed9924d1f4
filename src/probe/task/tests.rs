use std::path::PathBuf;

use super::*;
use crate::probe::question::{Gold, Prompt, Questions};

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

/// Reads a task; paths in errors are relative to the folder.
fn load(files: &[(&str, &str)], name: &str, data: &[&str]) -> Result<Vec<Suite>, String> {
    let folder = folder(files);
    let data: Vec<String> = data
        .iter()
        .map(|data| match data.split_once('=') {
            Some((name, file)) => format!("{name}={}", folder.path().join(file).display()),
            None => folder.path().join(data).display().to_string(),
        })
        .collect();
    read(&folder.path().join(name), &DataFiles::new(&data), None)
        .map_err(|error| error.to_string().replace(&format!("{}/", folder.path().display()), ""))
}

const ROWS: &str = r#"{"q": "One?", "a": ["x", "y"], "label": 1, "key": "A"}
{"q": "Two? ", "a": ["u", "v", "w"], "label": 0, "key": "B"}
{"q": "Three?", "a": ["r", "s"], "label": 5, "key": "A"}
"#;

const TASK: &str = "task: t
dataset_path: json
dataset_kwargs:
  data_files:
    test: rows.jsonl
output_type: multiple_choice
test_split: test
doc_to_text: \"{{q}}\"
doc_to_target: label
doc_to_choice: a
";

fn one(task: &str) -> Result<Suite, String> {
    load(&[("t.yaml", task), ("rows.jsonl", ROWS)], "t.yaml", &[]).map(|mut suites| suites.remove(0))
}

fn questions(task: &str) -> Vec<Questions> {
    one(task).unwrap().items.into_iter().map(|item| (*item.questions).clone()).collect()
}

fn context(questions: &Questions) -> String {
    match &questions.prompts[0] {
        Prompt::Text(text) => text.clone(),
        Prompt::Chat(_) => panic!("a text"),
    }
}

fn wrong(task: &str) -> String {
    one(task).unwrap_err()
}

#[test]
fn a_choice_continues_the_question_after_a_space() {
    let all = questions(TASK);
    let continuations: Vec<&str> = all[0].choices.iter().map(|choice| choice.continuation.as_str()).collect();
    assert_eq!((context(&all[0]).as_str(), continuations), ("One?", vec![" x", " y"]));
    assert_eq!((context(&all[1]).as_str(), all[1].choices.len()), ("Two? ", 3));
    assert_eq!([&all[0].gold, &all[1].gold, &all[2].gold], [&Gold::One(1), &Gold::One(0), &Gold::Missing]);
    assert_eq!(all[0].join, Join::Harness);
    // The space stands there also where the text before it is empty.
    let all = questions(&TASK.replace("\"{{q}}\"", "\"\""));
    assert_eq!((context(&all[0]).as_str(), all[0].choices[0].continuation.as_str()), ("", " x"));
    assert_eq!(
        one(TASK).unwrap().metrics,
        [Metric::Accuracy(Reduction::Acc), Metric::Accuracy(Reduction::AccNorm)]
    );
}

#[test]
fn fields_are_columns_literals_templates_or_lists() {
    let task = TASK
        .replace("doc_to_text: \"{{q}}\"", "doc_to_text: q")
        .replace("doc_to_target: label", "doc_to_target: \"{{['A', 'B'].index(key)}}\"")
        .replace("doc_to_choice: a", "doc_to_choice: [\"first\", \"second\"]\ntarget_delimiter: \"\"");
    let all = questions(&task);
    assert_eq!(all[0].choices[1].continuation, "second");
    assert_eq!([&all[0].gold, &all[1].gold], [&Gold::One(0), &Gold::One(1)]);
    let texts = TASK
        .replace("doc_to_target: label", "doc_to_target: key")
        .replace("doc_to_choice: a", "doc_to_choice: \"{{['A', key ~ q[:1]]}}\"");
    let all = questions(&texts);
    assert_eq!(all[0].choices[1].text, "AO");
    assert_eq!([&all[0].gold, &all[1].gold], [&Gold::One(0), &Gold::Missing]);
    let several = TASK.replace("doc_to_target: label", "doc_to_target: \"{{[0, 1]}}\"");
    assert_eq!(questions(&several)[0].gold, Gold::Any(vec![0, 1]));
    let dictionary = TASK.replace("doc_to_choice: a", "doc_to_choice: {one: \"1\", two: \"2\"}");
    assert_eq!(questions(&dictionary)[0].choices[1].text, "2");
}

#[test]
fn worked_examples_come_before_the_question() {
    let task = format!(
        "{TASK}num_fewshot: 2\ndescription: \"About {{{{key}}}}.\\n\"\nfewshot_config:\n  sampler: first_n\n  samples:\n    - {{q: \"S1\", a: [\"n\", \"m\"], label: 1}}\n    - {{q: \"S2\", a: [\"o\"], label: 0}}\n"
    );
    assert_eq!(context(&questions(&task)[1]), "About B.\nS1 m\n\nS2 o\n\nTwo? ");
    let delimited = format!("{task}target_delimiter: \" = \"\nfewshot_delimiter: \" | \"\n");
    assert_eq!(context(&questions(&delimited)[0]), "About A.\nS1 = m | S2 = o | One?");
    assert_eq!(questions(&delimited)[0].choices[0].continuation, " = x");
    // A given beginning of the answer, with a delimiter only between two that have no space there.
    let prefixed = format!("{task}gen_prefix: \"It is\"\n");
    assert_eq!(context(&questions(&prefixed)[0]), "About A.\nS1 It is m\n\nS2 It is o\n\nOne? It is");
    assert_eq!(context(&questions(&prefixed)[1]), "About B.\nS1 It is m\n\nS2 It is o\n\nTwo? It is");
}

#[test]
fn examples_are_drawn_with_the_harnesss_seed_and_never_the_question_itself() {
    let rows: String =
        (0..12).map(|i| format!("{{\"q\": \"Q{i}\", \"a\": [\"x\", \"y\"], \"label\": 0}}\n")).collect();
    let drawn = |extra: &str| -> Vec<String> {
        let task = format!("{TASK}num_fewshot: 2\n{extra}");
        let mut suites = load(&[("t.yaml", &task), ("rows.jsonl", &rows)], "t.yaml", &[]).unwrap();
        suites.remove(0).items.iter().take(3).map(|item| context(&item.questions)).collect()
    };
    // lm_eval 0.4.13 on the same file.
    assert_eq!(
        drawn("fewshot_split: test\n"),
        ["Q7 x\n\nQ1 x\n\nQ0", "Q9 x\n\nQ0 x\n\nQ1", "Q10 x\n\nQ1 x\n\nQ2"]
    );
    // A split that is not named is not left out of.
    assert_eq!(drawn(""), ["Q7 x\n\nQ1 x\n\nQ0", "Q0 x\n\nQ1 x\n\nQ1", "Q9 x\n\nQ0 x\n\nQ2"]);
    assert_eq!(drawn("fewshot_split: test\nfewshot_config: {sampler: first_n}\n")[0], "Q1 x\n\nQ2 x\n\nQ0");
}

#[test]
fn one_continuation_or_a_whole_text() {
    let task = TASK
        .replace("multiple_choice", "loglikelihood")
        .replace("doc_to_target: label", "doc_to_target: \" {{key}}\"");
    let all = questions(&task.replace("doc_to_choice: a\n", ""));
    assert_eq!((context(&all[1]).as_str(), all[1].choices[0].continuation.as_str()), ("Two? ", " B"));
    let task = TASK
        .replace("multiple_choice", "loglikelihood_rolling")
        .replace("doc_to_target: label", "doc_to_target: q");
    let all = questions(&task.replace("doc_to_choice: a\n", ""));
    let rolling = all[1].rolling.as_ref().unwrap();
    assert_eq!((rolling.text.as_str(), rolling.words), ("Two? ", 2));
}

#[test]
fn a_number_in_place_of_the_question_makes_contexts_of_the_choices() {
    let task = TASK
        .replace("doc_to_text: \"{{q}}\"", "doc_to_text: \"{{label}}\"")
        .replace("doc_to_target: label", "doc_to_target: \"so {{key}}\"");
    let first = &questions(&task)[0];
    assert_eq!(first.prompts, [Prompt::Text("x".to_string()), Prompt::Text("y".to_string())]);
    assert_eq!((first.choices[1].continuation.as_str(), first.choices[1].prompt), (" so A", 1));
    assert_eq!(first.gold, Gold::One(1));
}

#[test]
fn what_is_nearer_to_the_task_wins_over_what_it_includes() {
    let base = TASK.replace("task: t\n", "metric_list:\n  - metric: acc\n");
    let files = [
        ("sub/t.yaml", "include: ../base\ntask: t2\ntarget_delimiter: \"|\"\ntask_alias: two\n"),
        ("base", base.as_str()),
        ("rows.jsonl", ROWS),
    ];
    let suite = load(&files, "sub/t.yaml", &[]).unwrap().remove(0);
    assert_eq!((suite.name.as_str(), suite.title.as_deref()), ("t2", Some("two")));
    assert_eq!(suite.items[0].questions.choices[0].continuation, "|x");
    assert_eq!(suite.metrics, [Metric::Accuracy(Reduction::Acc)]);
    let circle = [("a.yaml", "include: b.yaml\n"), ("b.yaml", "include: a.yaml\n")];
    assert!(load(&circle, "a.yaml", &[]).unwrap_err().contains("the file includes itself"));
    let missing = [("a.yaml", "task: x\ninclude: nowhere\n")];
    assert_eq!(
        load(&missing, "a.yaml", &[]).unwrap_err(),
        "a.yaml:2: include nowhere: there is no such file"
    );
}

#[test]
fn what_needs_more_than_is_here_is_named_with_its_line() {
    let task = "task: t\noutput_type: generate_until\nprocess_docs: !function utils.f\nfilter_list:\n  - name: x\nmetric_list:\n  - metric: acc\n    aggregation: !function utils.g\n";
    assert_eq!(
        wrong(task),
        "t.yaml:2: output_type generate_until generates text, and only multiple_choice, loglikelihood and \
         loglikelihood_rolling are scored here; line 3: process_docs needs Python (!function utils.f); \
         line 4: filter_list needs filters of generated text; \
         line 8: metric_list.aggregation needs Python (!function utils.g)"
    );
    assert!(wrong("task: t\n").contains("generate_until, which it is where the file says nothing,"));
    let included = [
        ("t.yaml", "include: base\ntask: t\noutput_type: multiple_choice\n"),
        ("base", "\ndoc_to_text: !function utils.text\n"),
    ];
    assert_eq!(
        load(&included, "t.yaml", &[]).unwrap_err(),
        "base:2: doc_to_text needs Python (!function utils.text)"
    );
}

#[test]
fn mistakes_in_a_task_say_where() {
    for (old, new, reason) in [
        ("doc_to_text: \"{{q}}\"", "doc_to_text: \"{{ q \"", "t.yaml:8: doc_to_text, line 1"),
        (
            "doc_to_text: \"{{q}}\"",
            "doc_to_text: \"{{ qq }}\"",
            "t.yaml:8: row 1: doc_to_text: there is no column qq; did you mean q?",
        ),
        (
            "doc_to_text: \"{{q}}\"",
            "doc_to_txt: \"{{q}}\"",
            "t.yaml:8: there is no key doc_to_txt in a task; did you mean doc_to_text?",
        ),
        (
            "doc_to_choice: a",
            "doc_to_choice: \"{{a|join}}\"",
            "t.yaml:10: row 1: doc_to_choice: the template gives xy, which is no list",
        ),
        (
            "doc_to_choice: a",
            "doc_to_choice: [yes, no]",
            "t.yaml:10: row 1: doc_to_choice: choice 0: true is no text",
        ),
        ("doc_to_choice: a\n", "", "the task needs doc_to_choice"),
        (
            "output_type: multiple_choice",
            "output_type: multiple_chioce",
            "there is no output_type multiple_chioce; did you mean multiple_choice?",
        ),
        (
            "doc_to_target: label",
            "doc_to_target: label\nmetric_list:\n  - metric: bleu",
            "t.yaml:11: there is no metric bleu here",
        ),
        (
            "doc_to_target: label",
            "doc_to_target: label\nmetric_list:\n  - metric: acc\n    aggregation: median",
            "t.yaml:11: the aggregation median of acc is not known here; mean is",
        ),
        (
            "doc_to_target: label",
            "doc_to_target: label\nnum_fewshot: 9",
            "row 1: num_fewshot: 9 worked examples are asked for, and test has 3",
        ),
        (
            "doc_to_target: label",
            "doc_to_target: label\nfewshot_config: {sampler: balanced}",
            "there is no sampler balanced; there is default and first_n",
        ),
        (
            "    test: rows.jsonl",
            "    test: nowhere.jsonl",
            "t.yaml:4: there is no file nowhere.jsonl beside the task",
        ),
        (
            "    test: rows.jsonl",
            "    train: rows.jsonl",
            "t.yaml:4: data_files has no split test; there is train",
        ),
        (
            "  data_files:\n    test: rows.jsonl",
            "  data_files: rows.jsonl",
            "data_files without splits is split train, and the task asks for test",
        ),
        (
            "dataset_path: json",
            "dataset_path: org/name",
            "the rows of split test live on a hub (org/name): give them with --data FILE.jsonl",
        ),
        ("test_split: test\n", "", "the task names neither a test_split nor a validation_split"),
        ("task: t\n", "", "the file has no task name"),
        ("task: t\n", "task: [\n", "t.yaml:"),
    ] {
        let error = wrong(&TASK.replace(old, new));
        assert!(error.contains(reason), "{new}: {error}");
    }
}

#[test]
fn rows_can_come_from_the_command_line() {
    let hub = TASK.replace(
        "dataset_path: json\ndataset_kwargs:\n  data_files:\n    test: rows.jsonl\n",
        "dataset_path: org/name\ntraining_split: train\n",
    );
    let few = format!("{hub}num_fewshot: 1\n");
    let files = [("t.yaml", few.as_str()), ("rows.jsonl", ROWS), ("more.csv", "q,label\nShot,0\n")];
    assert_eq!(
        load(&files, "t.yaml", &["t=rows.jsonl"]).unwrap_err(),
        "t.yaml: the rows of split train live on a hub (org/name): give them with --data train=FILE.jsonl"
    );
    let error = load(&files, "t.yaml", &["rows.jsonl", "train=more.csv"]).unwrap_err();
    assert!(error.contains("row 1: doc_to_choice: null is no list"), "{error}");
    let files = [
        ("t.yaml", few.as_str()),
        ("rows.jsonl", ROWS),
        ("more.jsonl", "{\"q\": \"Shot\", \"a\": [\"z\"], \"label\": 0}\n"),
    ];
    let suite = load(&files, "t.yaml", &["test=rows.jsonl", "train=more.jsonl"]).unwrap().remove(0);
    assert_eq!(context(&suite.items[0].questions), "Shot z\n\nOne?");
}

#[test]
fn a_group_is_its_tasks_with_its_overrides() {
    let a = TASK.replace("task: t\n", "task: a\ntag: [both, more]\n");
    let b = TASK.replace("task: t\n", "task: b\ntag: both\n");
    let files = |group: &'static str| {
        [("g.yaml", group), ("x/b.yaml", ""), ("x/a.yaml", ""), ("rows.jsonl", ROWS), ("x/rows.jsonl", ROWS)]
            .map(|(name, text)| match name {
                "x/a.yaml" => (name, a.clone()),
                "x/b.yaml" => (name, b.clone()),
                _ => (name, text.to_string()),
            })
    };
    let load = |group: &'static str| {
        let files = files(group);
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        load(&files, "g.yaml", &[])
    };
    let names = |suites: &[Suite]| suites.iter().map(|suite| suite.name.clone()).collect::<Vec<_>>();
    let suites = load("group: g\ntask: [b, a]\ntarget_delimiter: \"-\"\nmetadata: {version: 1}\n").unwrap();
    assert_eq!(names(&suites), ["b", "a"]);
    assert_eq!(suites[0].items[0].questions.choices[0].continuation, "-x");
    assert_eq!(names(&load("group: g\ntask:\n  - both\n").unwrap()), ["a", "b"]);
    let nested = "group: g\ntask:\n  - group: inner\n    task:\n      - task: a\n        num_fewshot: 1\n        fewshot_split: test\n  - b\n";
    let suites = load(nested).unwrap();
    assert_eq!(names(&suites), ["a", "b"]);
    assert!(context(&suites[0].items[0].questions).ends_with("\n\nOne?"));
    assert!(
        load("group: g\ntask:\n  - c\n")
            .unwrap_err()
            .contains("g.yaml:3: no file beside the group describes c")
    );
}

#[test]
fn a_member_that_two_files_describe_is_refused() {
    let twice = TASK.replace("task: t\n", "task: a\n");
    let files =
        [("g.yaml", "group: g\ntask: [a]\n"), ("x/a.yaml", twice.as_str()), ("y/b.yaml", twice.as_str())];
    let error = load(&files, "g.yaml", &[]).unwrap_err();
    assert!(error.contains("g.yaml:2: two files describe a, "), "{error}");
    assert!(error.contains("x/a.yaml and ") && error.contains("y/b.yaml: rename one"), "{error}");
}

#[test]
fn data_is_given_by_task_by_split_or_for_all() {
    let files =
        DataFiles::new(&["a.jsonl".to_string(), "train=b.jsonl".to_string(), "dir/x=y.jsonl".to_string()]);
    assert!(!files.is_empty());
    let error = |split: &str| {
        let task = TASK
            .replace("dataset_path: json", "dataset_path: hub")
            .replace("test_split: test", &format!("test_split: {split}"));
        let folder = folder(&[("t.yaml", &task)]);
        let config =
            Config::new(&crate::probe::task::file::load(&folder.path().join("t.yaml")).unwrap()).unwrap();
        data::load(&config, &files).err().unwrap().file
    };
    // Files that are for every task, then one that is for a split.
    assert_eq!(PathBuf::from(error("test")), PathBuf::from("a.jsonl"));
    assert_eq!(PathBuf::from(error("train")), PathBuf::from("b.jsonl"));
}
