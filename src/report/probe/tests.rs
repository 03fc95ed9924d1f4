use super::*;

#[test]
fn a_report_is_a_kind_and_perhaps_a_file() {
    let target = |text| Target::parse(text).unwrap();
    assert_eq!(target("table"), Target { kind: Kind::Table, file: None });
    assert_eq!(target("jsonl=a=b.jsonl"), Target { kind: Kind::Jsonl, file: Some("a=b.jsonl".into()) });
    assert_eq!(target("jsonl=-").file, None);
    assert_eq!(
        Target::parse("jsnol").unwrap_err().to_string(),
        "there is no report jsnol; did you mean jsonl?"
    );
}

#[test]
fn reports_that_would_mix_or_cant_be_written_are_refused() {
    let error = |texts: &[&str]| {
        let targets: Vec<Target> = texts.iter().map(|text| Target::parse(text).unwrap()).collect();
        open(&targets).err().unwrap().to_string()
    };
    assert!(error(&["table", "jsonl"]).starts_with("two reports go to standard output"));
    assert!(
        error(&["jsonl=nowhere/at/all.jsonl"])
            .starts_with("nowhere/at/all.jsonl: the report can't be written")
    );
}
