use super::*;

fn read_text(text: &str) -> Result<Suite, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.json");
    std::fs::write(&path, text).unwrap();
    read(&path).map_err(|error| error.reason)
}

fn file(formula: &str) -> String {
    serde_json::json!({
        "meta": {"name": "n", "metric": "sum"},
        "predictions": [{"type": "formula", "formula": formula}],
        "items": [{"item_number": 1, "conditions": [
            {"condition_name": "a", "regions": [
                {"region_number": 1, "content": ""},
                {"region_number": 2, "content": "The"},
                {"region_number": 3, "content": "cat"},
            ]},
            {"condition_name": "b", "regions": [{"region_number": 3, "content": "dog"}]},
        ]}],
    })
    .to_string()
}

#[test]
fn regions_carry_the_space_before_them() {
    let suite = read_text(&file("(3;%a%) < (3;%b%)")).unwrap();
    let pieces: Vec<_> = suite.items[0]
        .questions
        .pieces
        .iter()
        .map(|piece| (piece.name.as_str(), piece.text.as_str()))
        .collect();
    assert_eq!(pieces, [("a/1", ""), ("a/2", "The"), ("a/3", " cat"), ("b/3", "dog")]);
    assert!(suite.informational);
}

#[test]
fn what_a_formula_names_must_be_there() {
    let error = |formula| read_text(&file(formula)).unwrap_err();
    assert_eq!(
        error("(3;%ab%) < (3;%b%)"),
        "item 1: `(3;%ab%) < (3;%b%)`: there is no condition ab; did you mean a?"
    );
    assert_eq!(error("(4;%a%) < 1"), "item 1: `(4;%a%) < 1`: condition a has no such region: it has 1, 2, 3");
    assert!(error("(99999999999999999999;%a%) < 1").contains("has no such region"));
    assert!(error("(*;%c%) < 1").contains("there is no condition c"));
    assert!(read_text("{}").unwrap_err().contains("must be one of SyntaxGym's"));
}
