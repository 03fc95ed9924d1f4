use super::*;
use crate::grammar::mask::TokenTable;
use crate::token::TokenId;

fn bytes(text: &str) -> Vec<TokenId> {
    text.bytes().map(|byte| TokenId(u32::from(byte))).collect()
}

fn normal(schema: &str) -> Result<Constraint, Refusal> {
    let document: Value = serde_json::from_str(schema).unwrap();
    normalise(&document).map(|normal| Constraint::Schema(normal.into()))
}

/// Schemas with texts that they accept and texts that they stop.
const CASES: &str = include_str!("cases.json");

#[test]
fn what_a_schema_accepts_and_what_it_stops() {
    let table = TokenTable::of_bytes().unwrap();
    let cases: Vec<Value> = serde_json::from_str(CASES).unwrap();
    for case in cases {
        let constraint = normal(&case["schema"].to_string()).unwrap_or_else(|e| panic!("{case}: {e}"));
        for (key, wanted) in [("accepted", true), ("stopped", false)] {
            for text in case[key].as_array().unwrap() {
                let text = text.as_str().unwrap();
                let matcher = table.matcher(&constraint).unwrap_or_else(|e| panic!("{case}: {e}"));
                assert_eq!(matcher.accepts(&bytes(text)), Ok(wanted), "{}: {text}", case["schema"]);
            }
        }
    }
}

#[test]
fn what_cannot_be_enforced_is_refused_with_its_place() {
    let deep_chain: String =
        (0..300).map(|i| format!(r##""d{i}": {{"items": {{"$ref": "#/$defs/d{}"}}}}, "##, i + 1)).collect();
    let deep_chain = format!(r##"{{"$ref": "#/$defs/d0", "$defs": {{{deep_chain} "d300": true}}}}"##);
    let many: Vec<String> = (0..30).map(|i| format!("\"p{i}\": true")).collect();
    let many = format!(
        r#"{{"properties": {{{}}}, "additionalProperties": false, "minProperties": 15}}"#,
        many.join(", ")
    );
    for (schema, pointer, what) in [
        (r#"{"type": "integer", "not": {"const": 1}}"#, "/not", "not can't be enforced"),
        (r#"{"properties": {"a/b": {"uniqueItems": true}}}"#, "/properties/a~1b/uniqueItems", "uniqueItems"),
        (r#"{"items": {"if": true, "then": false}}"#, "/items/if", "if can't"),
        (r#"{"contains": {"const": 1}}"#, "/contains", "contains can't"),
        (r#"{"dependentSchemas": {}}"#, "/dependentSchemas", "dependentSchemas can't"),
        (r#"{"dependentRequired": {}}"#, "/dependentRequired", "dependentRequired can't"),
        (r#"{"propertyNames": {"maxLength": 3}}"#, "/propertyNames", "propertyNames can't"),
        (r#"{"unevaluatedProperties": false}"#, "/unevaluatedProperties", "unevaluatedProperties can't"),
        (r##"{"$dynamicRef": "#a"}"##, "/$dynamicRef", "$dynamicRef can't"),
        (r#"{"contentEncoding": "base64"}"#, "/contentEncoding", "contentEncoding can't"),
        (r#"{"$ref": "https://example.org/s.json"}"#, "/$ref", "outside of this file"),
        (r##"{"$ref": "#/$defs/none"}"##, "/$ref", "leads nowhere"),
        (r#"{"anyOf": [true, {"format": "idn-email"}]}"#, "/anyOf/1/format", "idn-email"),
        (r#"{"pattern": "a(?=b)"}"#, "/pattern", "character 2: look-around"),
        (r#"{"pattern": "(a)\\1"}"#, "/pattern", "character 4: back-references"),
        (r#"{"pattern": "(a"}"#, "/pattern", "character 1: this ( is never closed"),
        (r#"{"patternProperties": {"\\bx": true}}"#, "/patternProperties/\\bx", "word boundaries"),
        (r#"{"type": "nonsense"}"#, "/type", "a type is one of null, boolean"),
        (r#"{"minimum": "3"}"#, "/minimum", "a number is wanted"),
        (r#"{"maximum": 1e300}"#, "/maximum", "exactly"),
        (r#"{"const": 9007199254740993}"#, "/const", "exactly"),
        (r#"{"const": "a\u0000b"}"#, "/const", "control character"),
        (r#"{"multipleOf": 0}"#, "/multipleOf", "above 0"),
        (r#"{"exclusiveMinimum": 0, "maximum": 0.5}"#, "/exclusiveMinimum", "less than 1 away"),
        (r#"{"minLength": -1}"#, "/minLength", "whole number"),
        (r#"{"maxItems": 1000000}"#, "/maxItems", "100000"),
        (r#"{"minProperties": 2}"#, "/minProperties", "only where"),
        (r#"{"properties": {"a": true}, "maxProperties": 1}"#, "/maxProperties", "only where"),
        (many.as_str(), "/minProperties", "this many choices"),
        (r#"{"required": true}"#, "/required", "a list of property names"),
        (r#"{"requried": ["a"]}"#, "/requried", "did you mean required?"),
        (r#"{"properties": {"a": {"minimun": 3}}}"#, "/properties/a/minimun", "did you mean minimum?"),
        (r#"{"properties": []}"#, "/properties", "an object of schemas"),
        (r#"{"items": 3}"#, "/items", "a schema is an object"),
        (r#"{"$schema": "https://example.org/draft"}"#, "/$schema", "a draft from 4"),
        (
            r##"{"allOf": [{"$ref": "#/$defs/A"}], "$defs": {"A": {"$ref": "#/$defs/A"}}}"##,
            "/$defs/A",
            "in a circle",
        ),
        (deep_chain.as_str(), "/$defs/d200", "more than 200 references"),
        ("false", "", "nothing satisfies it"),
        ("3", "", "a schema is an object"),
    ] {
        let refusal = normal(schema).expect_err(schema);
        assert_eq!(refusal.pointer, pointer, "{schema}: {refusal}");
        assert!(refusal.what.contains(what), "{schema}: {refusal}");
    }
}

#[test]
fn remarks_and_what_says_nothing_may_stand() {
    let schema = r##"{"title": "t", "description": "d", "default": 1, "examples": [1], "deprecated": true,
        "x-order": 3, "then": false, "not": false, "uniqueItems": false, "propertyNames": true,
        "x-guidance": {"lenient": true, "coerce_one_of": true}, "type": "integer"}"##;
    let Ok(Constraint::Schema(normal)) = normal(schema) else { panic!("refused") };
    let normal: Value = serde_json::from_str(&normal).unwrap();
    assert_eq!(normal["x-guidance"]["lenient"], false);
    assert_eq!(normal["x-guidance"]["coerce_one_of"], false);
    let keys: Vec<&String> = normal.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["type", "$defs", "x-guidance"]);
}

#[test]
fn unknown_keywords_are_named_with_their_places() {
    let note = |schema: &str| unknown_keywords(&serde_json::from_str(schema).unwrap());
    let said = "no keyword of a schema, so nothing is enforced by it: ";
    let schema =
        r#"{"colour": 1, "properties": {"a": {"tint/x": 2, "type": "integer"}, "hue": {"x-hue": 3}}}"#;
    assert_eq!(note(schema), Some(format!("{said}/colour, /properties/a/tint~1x")));
    let many: Vec<String> = (0..7).map(|i| format!("\"key{i}\": {i}")).collect();
    let named = (0..5).map(|i| format!("/key{i}")).collect::<Vec<_>>().join(", ");
    assert_eq!(note(&format!("{{{}}}", many.join(", "))), Some(format!("{said}{named} and 2 more")));
    assert_eq!(note(r#"{"title": "t", "type": "string", "examples": ["a"]}"#), None);
}

#[test]
fn what_the_engine_itself_cannot_compile_is_a_reason_in_one_line() {
    let document: Value = serde_json::from_str(r#"{"oneOf": [{"minimum": 3}, {"maximum": 5}]}"#).unwrap();
    let error = check(&document).unwrap_err();
    assert!(error.starts_with("/oneOf: oneOf") && error.lines().count() == 1, "{error}");
}

#[test]
fn a_contradiction_is_told_in_plain_words_where_it_is() {
    for (schema, expected) in [
        (
            r#"{"type": "object", "required": ["a"], "additionalProperties": false}"#,
            "/required: \"a\" is required, and additionalProperties forbids it",
        ),
        (
            r#"{"properties": {"a": false}, "required": ["a"], "type": "object"}"#,
            "/required: \"a\" is required, and properties forbids it",
        ),
        (
            r#"{"type": "integer", "minimum": 3, "maximum": 2}"#,
            "/minimum: minimum 3 and maximum 2 leave nothing between them",
        ),
        (
            r#"{"type": "number", "exclusiveMinimum": 2.5, "maximum": 2.5}"#,
            "/exclusiveMinimum: exclusiveMinimum 2.5 and maximum 2.5 leave nothing between them",
        ),
        (
            r##"{"type": "object", "required": ["x"], "properties": {"x": {"$ref": "#/$defs/D"},
                "y": {"type": "string", "minLength": 9, "maxLength": 1}},
                "$defs": {"D": {"type": "array", "minItems": 2, "maxItems": 1}}}"##,
            "/$defs/D/minItems: minItems 2 and maxItems 1 leave nothing between them",
        ),
        (r#"{"type": "string", "const": 3}"#, "/const: 3 is not of type string"),
        (
            r#"{"type": ["string", "null"], "enum": [1, 2]}"#,
            "/enum: none of these values is of type string or null",
        ),
        (r#"{"allOf": [{"type": "string"}, {"type": "integer"}]}"#, "/allOf: nothing satisfies this"),
        (
            r#"{"type": "array", "minItems": 1, "items": {"type": "integer", "minimum": 1.2, "maximum": 1.7}}"#,
            "/items: nothing satisfies it",
        ),
    ] {
        let document: Value = serde_json::from_str(schema).unwrap();
        assert_eq!(check(&document).unwrap_err(), expected, "{schema}");
    }
    // What only can't be there is no contradiction.
    let optional = r#"{"type": "object", "properties": {"a": {"minimum": 3, "maximum": 2}}}"#;
    assert_eq!(check(&serde_json::from_str(optional).unwrap()), Ok(()));
}

#[test]
fn three_thousand_properties_are_compiled_at_once() {
    let all: Vec<String> = (0..3000).map(|i| format!("\"property_{i}\": {{\"type\": \"string\"}}")).collect();
    let schema = format!("{{\"type\": \"object\", \"properties\": {{{}}}}}", all.join(", "));
    let begun = std::time::Instant::now();
    try_schema(&normalise(&serde_json::from_str(&schema).unwrap()).unwrap()).unwrap();
    assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
}
