//! `expand` and the calibration of marks, with the real binary and model.

use super::{TOLERANCE, assert_near, assert_provenance, json, list, number, run, run_with, stdout};

const PROMPT: &str = "The capital of France is";

#[test]
fn continuations_are_the_most_likely_first_and_their_figures_those_of_score() {
    let found = json(&["expand", PROMPT, "--depth", "3", "--width", "4", "--floor", "1%"]);
    assert_provenance(&found);
    let nodes = list(&found["nodes"]);
    assert!(nodes.len() > 10 && nodes[0]["token"] == " Paris", "{found}");
    let joint = |node: &serde_json::Value| number(&node["joint_logprob"]);
    assert!(nodes.is_sorted_by(|a, b| joint(a) >= joint(b)));
    for (id, node) in nodes.iter().enumerate() {
        assert_eq!(node["id"], id);
        let before = node["parent"].as_u64().map(|parent| &nodes[parent as usize]);
        let sum = before.map_or(0.0, joint) + number(&node["logprob"]);
        assert_near(joint(node), sum, 1e-6);
        assert_eq!(number(&node["depth"]), before.map_or(0.0, |before| number(&before["depth"])) + 1.0);
        assert!(joint(node).exp() >= 0.01);
    }
    let covered = ["complete", "below_width", "below_floor", "not_reached"];
    let covered: f64 = covered.iter().map(|name| number(&found["coverage"][name])).sum();
    assert_near(covered, 1.0, 1e-5);
    assert_eq!(found["end"], "whole");
    // The chain rule by another way.
    let text = " Paris.";
    let next = json(&["next", PROMPT, "--token", text]);
    let dot = nodes.iter().find(|node| node["token"] == "." && node["parent"] == 0).unwrap();
    assert_near(joint(dot), number(&next["tokens"][0]["logprob"]), 2.0 * TOLERANCE);
}

#[test]
fn exact_continuations_are_computed_each_by_itself_and_repeat() {
    let asked = ["expand", PROMPT, "--depth", "2", "--width", "2", "--exact"];
    let (first, again) = (json(&asked), json(&[&asked[..], &["--threads", "1"]].concat()));
    assert_eq!(first["nodes"], again["nodes"]);
    let next = json(&["next", PROMPT, "--exact", "-k", "2"]);
    // In a cache of another size.
    let (found, other) = (&first["nodes"][0]["logprob"], &next["top_logprobs"][0]["logprob"]);
    assert_near(number(found), number(other), 1e-5);
}

#[test]
fn a_list_that_may_not_be_longer_is_the_beginning_of_the_same_list() {
    let of = |nodes: &str| {
        let found = json(&["expand", PROMPT, "--depth", "4", "--floor", "0.5%", "--nodes", nodes, "--exact"]);
        let ids = list(&found["nodes"]).iter().map(|node| node["token_id"].clone()).collect::<Vec<_>>();
        (ids, found["end"].clone())
    };
    let ((short, ended), (whole, _)) = (of("3"), of("1000"));
    assert_eq!((&short[..], ended.as_str()), (&whole[..short.len()], Some("nodes")));
    assert!(short.len() >= 3 && short.len() < whole.len());
}

#[test]
fn a_prompt_comes_from_standard_input_and_a_tree_or_a_table_goes_out() {
    let tree = stdout(&run_with(
        &["expand", "-", "--depth", "2", "--width", "2", "--format", "tree", "-q"],
        PROMPT.as_bytes(),
    ));
    assert!(tree.contains("├ ␣Paris") && tree.contains("of all there could be"), "{tree}");
    let csv = stdout(&run_with(
        &["expand", "-", "--depth", "2", "--width", "2", "--format", "csv", "-q"],
        PROMPT.as_bytes(),
    ));
    assert!(
        csv.starts_with(
            "id,parent,depth,token,token_id,logprob_nats,rank,joint_logprob_nats,leaf,text\n0,NA,1, Paris,"
        ),
        "{csv}"
    );
}

#[test]
fn what_can_t_be_expanded_is_one_line_and_2() {
    for wrong in [
        &["expand", PROMPT, "--depth", "0"][..],
        &["expand", PROMPT, "--floor", "1"],
        &["expand", PROMPT, "--width", "none"],
        &["expand", ""],
        &["expand", PROMPT, "--depth", "200", "--ctx", "64"],
    ] {
        let output = run(&[wrong, &["-q"]].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{wrong:?}: {said}");
    }
}
