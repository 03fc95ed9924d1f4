use super::*;
use crate::settings::{ConfigFile, Flags, SamplingFlags};

fn base() -> Settings {
    let (file, flags) = (ConfigFile::default(), Flags::default());
    Settings::from_layers(Sampling::default(), &file, &flags, &SamplingFlags::default()).unwrap()
}

fn sampling(body: Value) -> Result<Sampling, ApiError> {
    let mut fields = Fields::read(body.to_string().as_bytes()).unwrap();
    let read = read(&mut fields, &base(), 1000)?;
    fields.done(&[])?;
    Ok(read)
}

#[test]
fn fields_of_three_servers_mean_the_same_settings() {
    let read = sampling(json!({
        "temperature": 0.7, "top_p": 0.9, "top_k": -1, "min_p": 0.05, "typical": 0.9, "repetition_penalty": 1.1,
        "presence_penalty": -0.5, "frequency_penalty": 0.25, "penalty_last_n": -1, "seed": 7,
        "xtc_probability": 0.5, "dry_multiplier": 0.8, "mirostat": 0
    }))
    .unwrap();
    assert_eq!((read.temperature, read.top_p, read.top_k, read.min_p), (0.7, 0.9, 0, 0.05));
    assert_eq!((read.typical, read.repeat_penalty, read.presence_penalty), (0.9, 1.1, -0.5));
    assert_eq!((read.frequency_penalty, read.penalty_last_n, read.seed), (0.25, i32::MAX as u32, 7));
    assert_eq!(read.xtc.map(|xtc| (xtc.probability, xtc.threshold)), Some((0.5, 0.1)));
    assert!(sampling(json!({"temperature": 0})).unwrap().is_greedy());
    assert_eq!(sampling(json!({"seed": 1_i64 << 40})).unwrap().seed, 256);
    assert_eq!(sampling(json!({"seed": 4294967295_u32})).unwrap().seed, 0, "no sampler takes this one");
}

#[test]
fn what_no_sampler_takes_is_refused_by_the_fields_own_name() {
    for (body, field) in [
        (json!({"temperature": -1}), "temperature"),
        (json!({"temperature": 1e300}), "temperature"),
        (json!({"top_p": 0}), "top_p"),
        (json!({"top_k": -2}), "top_k"),
        (json!({"top_k": 1.5}), "top_k"),
        (json!({"repetition_penalty": 0}), "repetition_penalty"),
        (json!({"mirostat": 3}), "mirostat"),
        (json!({"xtc_probability": 2}), "xtc_probability"),
        (json!({"seed": 0.5}), "seed"),
        (json!({"logit_bias": {"1000": -100}}), "logit_bias"),
        (json!({"logit_bias": {"a": 1}}), "logit_bias"),
        (json!({"logit_bias": {"-1": 1}}), "logit_bias"),
        (json!({"logit_bias": {"5": 101}}), "logit_bias"),
        (json!({"logit_bias": {"5": "much"}}), "logit_bias"),
        (json!({"logit_bias": [[5, false]]}), "logit_bias"),
        (json!({"logit_bias": [[5]]}), "logit_bias"),
        (json!({"logit_bias": 5}), "logit_bias"),
        (json!({"logit_bias": vec![json!([5, 1]); 1025]}), "logit_bias"),
        (json!({"grammar": "root = x"}), "grammar"),
        (json!({"regex": "("}), "regex"),
        (json!({"regex": "a", "grammar": "root ::= \"a\""}), "regex"),
        (json!({"response_format": {"type": "xml"}}), "response_format"),
        (json!({"response_format": {"type": "json_schema"}}), "response_format"),
        (
            json!({"response_format": {"type": "json_schema", "json_schema": {"schema": {"not": {}}}}}),
            "response_format",
        ),
        (json!({"json_schema": 3}), "json_schema"),
    ] {
        let error = sampling(body.clone()).unwrap_err().body();
        assert_eq!(error["error"]["param"], field, "{body}: {error}");
    }
}

#[test]
fn biases_are_read_in_both_forms() {
    let biased = |body: Value| sampling(json!({"logit_bias": body})).unwrap().bias;
    let wanted = [(5, -100.0), (7, 2.5)].map(|(id, nats)| LogitBias { id: TokenId(id), nats });
    assert_eq!(*biased(json!({"5": -100, "7": 2.5})), wanted);
    assert_eq!(*biased(json!([[5, -100], [7, 2.5]])), wanted);
    assert!(biased(json!({})).is_empty() && biased(json!([])).is_empty());
}

#[test]
fn a_format_is_a_constraint_and_text_is_none() {
    assert_eq!(sampling(json!({"response_format": {"type": "text"}})).unwrap().grammar, None);
    let object = sampling(json!({"response_format": {"type": "json_object"}})).unwrap().grammar;
    assert!(matches!(object, Some(Constraint::Schema(_))));
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]});
    let format =
        json!({"type": "json_schema", "json_schema": {"name": "x", "strict": true, "schema": schema}});
    let named = sampling(json!({"response_format": format})).unwrap().grammar;
    assert_eq!(named, sampling(json!({"json_schema": schema})).unwrap().grammar);
}
