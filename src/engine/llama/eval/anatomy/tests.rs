use super::{Layer, Operation, TensorNode, layers};

/// Nodes by name, with the names of what each is computed from; a leading `+` is a sum, `[` takes rows, `@` is a
/// product with a matrix, `~` a norm, `*` a factor.
fn graph(lines: &[(&str, &[&str])]) -> Vec<TensorNode> {
    const SIGNS: [(char, Operation); 5] = [
        ('+', Operation::Add),
        ('[', Operation::TakeRows),
        ('@', Operation::Matrix),
        ('~', Operation::RmsNorm),
        ('*', Operation::Scale),
    ];
    let signs = SIGNS.map(|(sign, _)| sign);
    let key = |name: &str| lines.iter().position(|(other, _)| other.trim_start_matches(signs) == name);
    let node = |(i, (name, sources)): (usize, &(&str, &[&str]))| TensorNode {
        name: name.trim_start_matches(signs).to_string(),
        operation: SIGNS
            .iter()
            .find(|(sign, _)| name.starts_with(*sign))
            .map_or(Operation::Other, |sign| sign.1),
        sizes: [8, 2, 4, 1],
        key: i + 1,
        sources: sources.iter().map(|name| key(name).map_or(1000, |i| i + 1)).collect(),
    };
    lines.iter().enumerate().map(node).collect()
}

#[test]
fn what_a_layer_adds_is_found_by_structure_not_by_name() {
    let nodes = graph(&[
        ("kq-0", &["k", "q"]),
        ("kq_soft_max-0", &["kq-0", "mask"]),
        ("kqv_out-0", &["kq_soft_max-0"]),
        ("node_3", &["wo", "kqv_out-0"]),
        ("post-0", &["node_3"]),
        ("+sum-0", &["post-0", "embd"]),
        ("embd", &["tokens"]),
        ("mlp", &["w", "sum-0"]),
        ("+l_out-0", &["mlp", "sum-0"]),
    ]);
    // The embedding is computed before everything.
    let mut nodes = nodes;
    nodes.rotate_right(3);
    nodes.sort_by_key(|node| if node.name == "embd" { 0 } else { node.key });
    let found = layers(&nodes, 1);
    let name = |place: &Option<super::Place>| place.as_ref().map(|place| place.name.clone());
    assert_eq!(name(&found[0].attention).as_deref(), Some("post-0"));
    assert_eq!(name(&found[0].feed_forward).as_deref(), Some("mlp"));
    assert_eq!(name(&found[0].residual).as_deref(), Some("l_out-0"));
    assert_eq!(name(&found[0].scores).as_deref(), Some("kq-0"));
    assert_eq!(found[0].n_heads, 4);
}

#[test]
fn a_layer_may_add_both_at_once_in_any_order() {
    let sums: [[(&str, &[&str]); 2]; 3] = [
        [("+both", &["attn-1", "mlp"]), ("+l_out-1", &["both", "input"])],
        [("+both", &["mlp", "input"]), ("+l_out-1", &["both", "attn-1"])],
        [("+both", &["input", "attn-1"]), ("+l_out-1", &["mlp", "both"])],
    ];
    for sum in sums {
        let begin: [(&str, &[&str]); 10] = [
            ("embd", &["tokens"]),
            ("norm-0", &["embd"]),
            ("kqv_out-0", &["norm-0"]),
            ("a-0", &["kqv_out-0"]),
            ("f-0", &["norm-0"]),
            ("+two-0", &["f-0", "embd"]),
            ("+l_out-0", &["two-0", "a-0"]),
            ("norm-1", &["l_out-0"]),
            ("kqv_out-1", &["norm-1"]),
            ("attn-1", &["kqv_out-1"]),
        ];
        // The last layer's rows are taken after attention.
        let taken: [(&str, &[&str]); 3] =
            [("[input", &["l_out-0"]), ("[norm", &["norm-1"]), ("mlp", &["w", "norm"])];
        let lines: Vec<_> = begin.iter().chain(&taken).chain(&sum).copied().collect();
        let found = layers(&graph(&lines), 2);
        let name = |place: &Option<super::Place>| place.as_ref().map(|place| place.name.clone());
        for (layer, parts) in [["embd", "a-0", "f-0"], ["input", "attn-1", "mlp"]].iter().enumerate() {
            let Layer { input, attention, feed_forward, .. } = &found[layer];
            let has = [input, attention, feed_forward].map(name);
            assert_eq!(has, parts.map(|part| Some(part.to_string())), "{sum:?}");
        }
    }
}

#[test]
fn a_sum_of_three_that_are_not_told_apart_has_no_parts() {
    for third in [&["kqv_out-0"] as &[&str], &["elsewhere"]] {
        let nodes = graph(&[
            ("embd", &["tokens"]),
            ("kq_soft_max-0", &["kq-0"]),
            ("kqv_out-0", &["kq_soft_max-0"]),
            ("attn", &["kqv_out-0"]),
            ("mlp", third),
            ("+both", &["attn", "mlp"]),
            ("+l_out-0", &["both", "embd"]),
        ]);
        let found = layers(&nodes, 2);
        assert!(found[0].attention.is_none() && found[0].feed_forward.is_none());
        assert!(found[0].residual.is_some() && found[0].heads.is_some());
        assert!(found[1].residual.is_none(), "a layer that the graph has not has nothing");
    }
}

#[test]
fn the_last_layer_takes_rows_of_its_input() {
    let nodes = graph(&[
        ("embd", &["tokens"]),
        ("kqv_out-0", &["x"]),
        ("a-0", &["kqv_out-0"]),
        ("+mid-0", &["a-0", "embd"]),
        ("f-0", &["mid-0"]),
        ("+l_out-0", &["f-0", "mid-0"]),
        ("kqv_out-1", &["l_out-0"]),
        ("a-1", &["kqv_out-1"]),
        ("[cut", &["a-1"]),
        ("[input", &["l_out-0"]),
        ("+mid-1", &["cut", "input"]),
        ("f-1", &["mid-1"]),
        ("+l_out-1", &["f-1", "mid-1"]),
    ]);
    let found = layers(&nodes, 2);
    assert_eq!(found[1].attention.as_ref().map(|place| place.name.as_str()), Some("cut"));
    assert_eq!(found[1].feed_forward.as_ref().map(|place| place.name.as_str()), Some("f-1"));
}

/// A layer behind an embedding, its head, and what stands between the two.
fn with_head<'a>(mix: &'a [(&'a str, &'a [&'a str])], head: &'a [(&'a str, &'a [&'a str])]) -> super::Layer {
    let begin: [(&str, &[&str]); 2] = [("embd", &["tokens"]), ("kqv_out-0", &["embd"])];
    let end: [(&str, &[&str]); 3] =
        [("+mid", &["a", "embd"]), ("@f", &["w", "mid"]), ("+l_out-0", &["f", "mid"])];
    let lines: Vec<_> = begin.iter().chain(mix).chain(&end).chain(head).copied().collect();
    layers(&graph(&lines), 1).remove(0)
}

#[test]
fn heads_are_mixed_by_a_product_with_norms_and_factors_behind_it_and_nothing_else() {
    let mixed = |mix| with_head(mix, &[]).mixed.map(|place| place.name);
    assert_eq!(mixed(&[("@a", &["wo", "kqv_out-0"])]).as_deref(), Some("a"));
    let normed: &[(&str, &[&str])] =
        &[("@o", &["wo", "kqv_out-0"]), ("~n", &["o"]), ("*w", &["n", "weight"]), ("[a", &["w"])];
    assert_eq!(mixed(normed).as_deref(), Some("o"));
    assert_eq!(mixed(&[("@o", &["wo", "kqv_out-0"]), ("+a", &["o", "bias"])]), None);
    assert_eq!(with_head(&[("@a", &["wo", "kqv_out-0"])], &[]).input.unwrap().name, "embd");
}

#[test]
fn logits_that_are_capped_scaled_or_normed_otherwise_have_no_norm_to_write_into() {
    let norm = |head| with_head(&[("@a", &["wo", "kqv_out-0"])], head).out_norm.map(|place| place.name);
    let plain: &[(&str, &[&str])] = &[
        ("~norm", &["l_out-0"]),
        ("*result_norm", &["norm", "w"]),
        ("@result_output", &["head", "result_norm"]),
    ];
    assert_eq!(norm(plain).as_deref(), Some("norm"));
    for head in [
        &[
            ("~norm", &["l_out-0"] as &[&str]),
            ("@logits", &["head", "norm"]),
            ("*result_output", &["logits"]),
        ],
        &[
            ("norm", &["l_out-0"]),
            ("*result_norm", &["norm", "w"]),
            ("@result_output", &["head", "result_norm"]),
        ],
        &[
            ("~norm", &["mid"]),
            ("*result_norm", &["norm", "w"]),
            ("@result_output", &["head", "result_norm"]),
        ],
    ] {
        assert_eq!(norm(head), None);
    }
}
