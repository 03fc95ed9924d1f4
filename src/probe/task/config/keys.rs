//! The keys of a task file: those that are read, those that change nothing, those that are refused.

use std::path::PathBuf;

use crate::probe::error::InputError;
use crate::probe::task::file::Raw;
use crate::probe::task::yaml::Yaml;

/// Keys that change nothing about scoring.
const IGNORED: &str = "task task_alias tag group dataset_name metadata should_decontaminate \
    doc_to_decontamination_query repeats generation_kwargs task_list include";
/// Keys that are read.
const READ: &str = "dataset_path dataset_kwargs training_split validation_split test_split fewshot_split output_type \
    doc_to_text doc_to_target doc_to_choice description target_delimiter fewshot_delimiter \
    num_fewshot fewshot_config gen_prefix metric_list unsafe_code";
/// Keys of the harness that need what is not here.
const REFUSED: [(&str, &str); 9] = [
    ("filter_list", "filters of generated text"),
    ("process_docs", "Python"),
    ("process_results", "Python"),
    ("custom_dataset", "Python"),
    ("class", "Python"),
    ("use_prompt", "a prompt of promptsource"),
    ("doc_to_image", "images"),
    ("doc_to_audio", "sound"),
    ("weight_by_size", "a group"),
];

/// Names everything that the file needs and is not here.
pub fn refuse(raw: &Raw) -> Result<(), InputError> {
    let mut refused: Vec<(PathBuf, usize, String)> = Vec::new();
    for (key, (path, node)) in &raw.keys {
        let mut tags = Vec::new();
        node.tags(key, &mut tags);
        for (line, tag, of) in tags {
            refused.push((path.clone(), line, format!("{of} needs Python ({tag})")));
        }
    }
    for (key, what) in REFUSED {
        let tagged = matches!(raw.get(key).map(|node| &node.value), Some(Yaml::Tagged(..)));
        if let (Some((path, node)), true, false) = (raw.keys.get(key), raw.get(key).is_some(), tagged) {
            refused.push((path.clone(), node.line, format!("{key} needs {what}")));
        }
    }
    let output_type = raw.get("output_type").and_then(|node| node.value.as_text());
    if output_type.unwrap_or("generate_until") == "generate_until" {
        let (path, line) =
            raw.keys.get("output_type").map_or((&raw.path, 0), |(path, node)| (path, node.line));
        let default = if line == 0 { ", which it is where the file says nothing," } else { "" };
        let reason = format!(
            "output_type generate_until{default} generates text, and only multiple_choice, loglikelihood and \
             loglikelihood_rolling are scored here"
        );
        refused.push((path.clone(), line, reason));
    }
    if raw.get("unsafe_code").is_some_and(|node| node.value == Yaml::Bool(true)) {
        refused.push((
            raw.keys["unsafe_code"].0.clone(),
            raw.keys["unsafe_code"].1.line,
            "unsafe_code runs code".to_string(),
        ));
    }
    refused.sort_by_key(|(path, line, _)| (*path != raw.path, *line));
    let Some((path, line, _)) = refused.first().cloned() else { return unknown(raw) };
    let reasons: Vec<String> = refused
        .iter()
        .enumerate()
        .map(|(i, (other, at, reason))| match i {
            0 => reason.clone(),
            _ if *other == path => format!("line {at}: {reason}"),
            _ => format!("{}:{at}: {reason}", other.display()),
        })
        .collect();
    let error = InputError::new(path.display(), reasons.join("; "));
    Err(if line > 0 { error.at_line(line) } else { error })
}

fn unknown(raw: &Raw) -> Result<(), InputError> {
    let known = READ.split(' ').chain(IGNORED.split(' ')).chain(REFUSED.map(|(key, _)| key));
    match raw.keys.keys().find(|key| !known.clone().any(|name| name == key.as_str())) {
        Some(key) => {
            let hint = crate::text::nearest(key, known)
                .map_or(String::new(), |name| format!("; did you mean {name}?"));
            Err(raw.at(key, format!("there is no key {key} in a task{hint}")))
        }
        None => Ok(()),
    }
}
