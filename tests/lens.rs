//! Looking between the layers of the real models: what must be so whatever they compute.

use std::ops::Range;

use tokenscope::distribution::Depth;
use tokenscope::engine::look::{Edit, Found, Inspect, LookFor, Part, PartValue, Reading, Variant, WeightsOf};
use tokenscope::engine::{CancelFlag, Client, Command, EngineError, Event, FinishReason};
use tokenscope::loading::{self, FlagIsConsent};
use tokenscope::model::Silent;
use tokenscope::paths::Paths;
use tokenscope::sampling::Sampling;
use tokenscope::settings::{ConfigFile, Flags, SamplingFlags, Settings};
use tokenscope::token::TokenId;

const PROMPT: &str = "The capital of France is";
const CORRUPT: &str = "The capital of Italy is";

struct Model {
    client: Client,
    layers: usize,
    heads: usize,
    prompt: Vec<TokenId>,
    corrupt: Vec<TokenId>,
}

impl Model {
    fn load(name: &str) -> Model {
        let flags = Flags {
            ctx: Some(1024),
            model: Some(name.to_string()).into_iter().collect(),
            ..Flags::default()
        };
        let settings = Settings::from_layers(
            Sampling::chat(),
            &ConfigFile::default(),
            &flags,
            &SamplingFlags::default(),
        );
        let paths = Paths::from_env().unwrap();
        let found = loading::find(&settings.unwrap(), &paths, CancelFlag::default(), &Silent, &FlagIsConsent)
            .unwrap();
        let (client, info) = Client::load(found.options, |_| {}).unwrap();
        let bos = info.vocab.special().add_bos.then(|| info.vocab.special().bos.unwrap());
        let ids = |text: &str| -> Vec<TokenId> {
            bos.into_iter().chain(info.tokenizer.tokenize(text.as_bytes(), false)).collect()
        };
        Model { layers: info.layers, heads: info.heads, prompt: ids(PROMPT), corrupt: ids(CORRUPT), client }
    }

    fn both() -> [Model; 2] {
        ["smollm2-135m", "gemma-3-270m"].map(Model::load)
    }

    fn try_look(&mut self, tokens: &[TokenId], look: LookFor) -> Result<Vec<(usize, Found)>, EngineError> {
        let request = Inspect {
            tokens: tokens.to_vec(),
            look,
            named: vec![tokens[1]],
            depth: Depth::Count(50),
            cancel: CancelFlag::default(),
            interventions: Default::default(),
        };
        let mut all = Vec::new();
        let (reason, _) = self.client.run(Command::Inspect(request), |event| {
            if let Event::Found { index, found } = event {
                all.push((index, *found));
            }
        })?;
        assert_eq!(reason, FinishReason::Stop);
        Ok(all)
    }

    fn readings(&mut self, look: LookFor) -> Vec<Reading> {
        let tokens = self.prompt.clone();
        let found = self.try_look(&tokens, look).unwrap();
        let reading = |(index, (i, found)): (usize, (usize, Found))| match found {
            Found::Reading(reading) => {
                assert_eq!(index, i);
                reading
            }
            other => panic!("{other:?}"),
        };
        found.into_iter().enumerate().map(reading).collect()
    }

    fn variants(&mut self, variants: Vec<Variant>) -> Vec<Reading> {
        let other = self.corrupt.clone();
        self.readings(LookFor::Variants { variants, other })
    }
}

fn write(layer: usize, part: Part, position: Option<usize>, value: PartValue) -> Edit {
    Edit::Write { layer, part, position, value }
}

fn logprobs(reading: &Reading) -> Vec<(TokenId, u32)> {
    reading
        .prediction
        .top_logprobs
        .iter()
        .map(|candidate| (candidate.id, candidate.logprob.to_bits()))
        .collect()
}

fn far(a: &Reading, b: &Reading) -> f32 {
    let of = |id| b.prediction.top_logprobs.iter().find(|other| other.id == id).map(|other| other.logprob);
    let far = a.prediction.top_logprobs.iter().filter_map(|one| Some((one.logprob - of(one.id)?).abs()));
    far.fold(0.0, f32::max)
}

const PARTS: [Part; 4] = [Part::Residual, Part::Attention, Part::FeedForward, Part::Head(1)];

#[test]
fn the_last_layer_through_the_lens_is_the_model_itself() {
    for mut model in Model::both() {
        let readings = model.readings(LookFor::Layers);
        assert_eq!(readings.len(), model.layers + 1);
        let (last, real) = (&readings[model.layers - 1], &readings[model.layers]);
        assert_eq!(logprobs(last), logprobs(real));
        assert_eq!(last.divergence, Some(0.0));
        // The layers before it say something else.
        assert!(readings[0].divergence.unwrap() > 1.0);
        assert!(far(&readings[model.layers / 2], real) > 0.5);
    }
}

#[test]
fn a_value_written_over_itself_changes_no_bit() {
    for mut model in Model::both() {
        let all =
            |part| (0..model.layers).map(move |layer| write(layer, part, None, PartValue::Itself)).collect();
        let mut variants = vec![Variant::default(); 5];
        for (variant, part) in variants[1..].iter_mut().zip(PARTS) {
            *variant = Variant { from: 0, edits: all(part) };
        }
        // Each alone, so that all stand in the same place of a batch of the same size.
        let read: Vec<Reading> =
            variants.into_iter().flat_map(|variant| model.variants(vec![variant])).collect();
        for (reading, part) in read[1..].iter().zip(PARTS) {
            assert_eq!(logprobs(reading), logprobs(&read[0]), "{part:?}");
        }
    }
}

#[test]
fn a_layer_without_its_parts_is_no_layer() {
    for mut model in Model::both() {
        let layer = model.layers / 2;
        let off = |part| write(layer, part, None, PartValue::Zero);
        let both = Variant { from: 0, edits: vec![off(Part::Attention), off(Part::FeedForward)] };
        // Every head at nothing is attention at nothing: neither model has a bias there.
        let heads = (0..model.heads).map(|head| off(Part::Head(head))).collect();
        let variants = [vec![off(Part::Attention)], heads, both.edits, vec![]];
        let read: Vec<Reading> =
            variants.into_iter().flat_map(|edits| model.variants(vec![Variant { from: 0, edits }])).collect();
        assert_eq!(logprobs(&read[0]), logprobs(&read[1]));
        assert!(far(&read[2], &read[3]) > 0.01 && far(&read[0], &read[3]) > 0.01);
    }
}

#[test]
fn other_values_everywhere_are_the_other_sequence() {
    for mut model in Model::both() {
        let n = model.prompt.len();
        // Before the first layer there is no part: what the two sequences begin with stays. From the stream
        // after layer 0 on, everything is the other one's.
        let patched = Variant { from: 0, edits: vec![write(0, Part::Residual, None, PartValue::Other)] };
        let last = model.layers - 1;
        let at_the_end =
            Variant { from: n - 1, edits: vec![write(last, Part::Residual, None, PartValue::Other)] };
        let read = model.variants(vec![patched, at_the_end]);
        std::mem::swap(&mut model.prompt, &mut model.corrupt);
        let other = &model.variants(vec![Variant::default()])[0];
        assert!(far(&read[0], other) < 0.2, "{}", far(&read[0], other));
        assert!(far(&read[1], other) < 0.2, "{}", far(&read[1], other));
    }
}

#[test]
fn weights_of_attention_sum_to_one_and_end_at_their_position() {
    for mut model in Model::both() {
        let tokens = model.prompt.clone();
        let n = tokens.len();
        let of = |positions: Range<usize>, mean| WeightsOf { layer: None, positions, mean };
        let found =
            model.try_look(&tokens, LookFor::Weights(vec![of(n - 1..n, false), of(0..n, true)])).unwrap();
        assert_eq!(found.len(), model.layers * (1 + n));
        let mut rows = 0;
        for (index, found) in found {
            let Found::Weights { position, heads, weights, .. } = found else { panic!("{found:?}") };
            assert_eq!(heads, if index == 0 { model.heads } else { 1 });
            for row in weights.chunks(position + 1) {
                let sum: f64 = row.iter().map(|&weight| f64::from(weight)).sum();
                assert!((sum - 1.0).abs() < 1e-5, "{sum}");
                rows += 1;
            }
        }
        assert_eq!(rows, model.layers * (model.heads + n));
    }
}

#[test]
fn an_edge_that_is_cut_carries_nothing() {
    for mut model in Model::both() {
        let n = model.prompt.len();
        // Without any edge into the last position but its own, in every layer, nothing before it counts:
        // exchanging an earlier token changes nothing.
        let cut = |model: &Model| {
            let edges = (0..model.layers).flat_map(|layer| {
                (0..n - 1).map(move |from| Edit::Cut { layer, head: None, from, to: n - 1 })
            });
            Variant { from: n - 1, edits: edges.collect() }
        };
        let alone = cut(&model);
        let copy = Variant { from: n - 1, edits: vec![] };
        let first = [alone.clone(), copy.clone()].map(|variant| model.variants(vec![variant]).remove(0));
        std::mem::swap(&mut model.prompt, &mut model.corrupt);
        let second = [alone, copy].map(|variant| model.variants(vec![variant]).remove(0));
        assert_eq!(logprobs(&first[0]), logprobs(&second[0]));
        assert!(far(&first[1], &second[1]) > 0.5);
        // One head's own edge from a token to itself lies behind what is shared.
        let own = |head| Edit::Cut { layer: 0, head: Some(head), from: n - 1, to: n - 1 };
        let all = (0..model.heads).map(own).collect();
        let whole = Edit::Cut { layer: 0, head: None, from: n - 1, to: n - 1 };
        let from = n - 1;
        let read =
            [vec![], all, vec![whole]].map(|edits| model.variants(vec![Variant { from, edits }]).remove(0));
        assert_eq!(logprobs(&read[1]), logprobs(&read[2]));
        assert!(far(&read[0], &read[1]) > 1e-3);
    }
}

#[test]
fn copies_in_other_places_agree_and_a_part_that_is_not_there_is_named() {
    for mut model in Model::both() {
        let n = model.prompt.len();
        let copies = (0..70).map(|i| Variant { from: i % n, edits: vec![] }).collect();
        let read = model.variants(copies);
        for copy in &read {
            let best = |reading: &Reading| reading.prediction.top_logprobs[0].logprob;
            assert!((best(copy) - best(&read[0])).abs() < 0.2);
        }
        let tokens = model.prompt.clone();
        let edits = vec![write(0, Part::Head(model.heads), None, PartValue::Zero)];
        let look = LookFor::Variants { variants: vec![Variant { from: 0, edits }], other: vec![] };
        let error = model.try_look(&tokens, look).unwrap_err();
        assert!(error.to_string().contains("head of this number in layer 0"), "{error}");
        let look = LookFor::Variants {
            variants: vec![Variant {
                from: 0,
                edits: vec![write(model.layers, Part::Residual, None, PartValue::Zero)],
            }],
            other: vec![],
        };
        assert!(matches!(model.try_look(&tokens, look), Err(EngineError::NoPart { .. })));
    }
}

mod command_line {
    use std::io::Write;
    use std::process::{Command, Output, Stdio};

    use serde_json::Value;

    const PROMPT: &str = "The capital of France is";

    fn run(args: &[&str], input: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tokenscope"));
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TOKENSCOPE_")) {
            if name != "TOKENSCOPE_HOME" {
                command.env_remove(name);
            }
        }
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    fn json(args: &[&str]) -> Value {
        let output = run(args, "");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {said}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn lens(view: &str, more: &[&str]) -> Value {
        let mut args = vec!["lens", PROMPT, "--view", view, "--json", "-q"];
        args.extend(more);
        json(&args)
    }

    fn number(value: &Value) -> f64 {
        value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
    }

    /// ln p of a text after a prompt, as `next` has it.
    fn next(model: &str, prompt: &str, text: &str) -> f64 {
        number(&json(&["next", prompt, "--token", text, "--json", "-q", "-m", model])["tokens"][0]["logprob"])
    }

    #[test]
    fn every_view_ends_with_the_figure_of_next() {
        for model in ["smollm2-135m", "gemma-3-270m"] {
            let own = next(model, PROMPT, " Paris");
            let target = ["--target", " Paris", "-m", model];
            let logit = lens("logit", &target);
            let floor = number(&logit["floor"]);
            let last = logit["layers"].as_array().unwrap().last().unwrap();
            // The lens' own context rounds otherwise, and where that shows the chat's figure stands beside it.
            assert!((number(&last["target"]["logprob"]) - own).abs() <= 2.0 * floor, "{last} {own}");
            assert!((number(&logit["chat_logprob"]) - own).abs() <= 0.01);
            assert_eq!(last["kl_to_final"], 0.0);
            assert_eq!(logit["last_row_difference"], 0.0);
            let curve = lens("context", &target);
            let last = curve["context"].as_array().unwrap().last().unwrap();
            assert!((number(&last["logprob"]) - own).abs() <= number(&curve["floor"]));
            assert_eq!(number(&last["tokens"]), 5.0, "a BOS is not counted");
            let occlusion = lens("occlusion", &target);
            assert!((number(&occlusion["base"]) - own).abs() <= number(&occlusion["floor"]));
        }
    }

    #[test]
    fn a_span_left_out_is_the_prompt_without_it() {
        for model in ["smollm2-135m", "gemma-3-270m"] {
            let found = lens("occlusion", &["--target", " Paris", "--versus", " Rome", "-m", model]);
            let spans = found["spans"].as_array().unwrap();
            assert_eq!(spans.len(), 5);
            assert_eq!(spans[3]["text"], " France");
            assert_eq!((&spans[3]["start"], &spans[3]["end"]), (&Value::from(14), &Value::from(21)));
            let without = |text| next(model, "The capital of is", text);
            let with = |text| next(model, PROMPT, text);
            let expected = without(" Paris") - without(" Rome") - (with(" Paris") - with(" Rome"));
            let found = number(&spans[3]["delta_logprob"]);
            assert!(
                (found - expected).abs()
                    < 2.0
                        * number(
                            &json(&["lens", PROMPT, "--view", "occlusion", "--json", "-q", "-m", model])["floor"]
                        ),
                "{found} {expected}"
            );
            // Replaced: the neutral tokens stand there, as many as there were.
            let replaced = lens("occlusion", &["--target", " Paris", "--replace", "-m", model]);
            assert_eq!(replaced["neutral"].as_array().unwrap().len(), 1);
            let expected = next(model, "The capital of _ is", " Paris") - with(" Paris");
            let found = number(&replaced["spans"][3]["delta_logprob"]);
            assert!((found - expected).abs() < 2.0 * number(&replaced["floor"]), "{found} {expected}");
        }
    }

    #[test]
    fn attention_is_told_by_head_and_with_what_occlusion_finds() {
        let found = lens("attention", &["--target", " Paris"]);
        assert_eq!(found["floor"], Value::Null);
        let layers = found["layers"].as_array().unwrap();
        assert_eq!((layers.len(), layers[0]["heads"].as_array().unwrap().len()), (30, 9));
        let sum = |weights: &Value| weights.as_array().unwrap().iter().map(number).sum::<f64>();
        for head in layers.iter().flat_map(|layer| layer["heads"].as_array().unwrap()) {
            assert!((sum(&head["weights"]) - 1.0).abs() < 1e-4 && number(&head["sink"]).abs() < 1e-4);
        }
        assert!((sum(&found["rollout"]) - 1.0).abs() < 1e-9);
        // The head that carries the fact to the end looks at the country.
        assert!(number(&layers[23]["heads"][4]["weights"][3]) > 0.8);
        assert_eq!(found["occlusion"]["spans"].as_array().unwrap().len(), 5);
        let all = lens("attention", &["--position", "all", "--layer", "23", "--head", "4"]);
        let rows = all["positions"].as_array().unwrap();
        assert_eq!(rows.len(), 5);
        assert_eq!(rows[4]["layers"][0]["heads"][0]["weights"], layers[23]["heads"][4]["weights"]);
    }

    #[test]
    fn a_target_of_several_tokens_goes_by_the_chain_rule_or_is_refused() {
        let curve = lens("context", &["--target", " Paris, the"]);
        assert_eq!(curve["target"]["ids"].as_array().unwrap().len(), 3);
        let last = curve["context"].as_array().unwrap().last().unwrap();
        let own = next("smollm2-135m", PROMPT, " Paris, the");
        assert!((number(&last["logprob"]) - own).abs() <= number(&curve["floor"]));
        assert_eq!(last["rank"], Value::Null);
        let output = run(&["lens", PROMPT, "--view", "logit", "--target", " Paris, the", "-q"], "");
        assert_eq!(output.status.code(), Some(2));
    }

    #[test]
    fn shares_add_up_to_the_logit() {
        for (model, layers, heads) in [("smollm2-135m", 30, 9), ("gemma-3-270m", 18, 4)] {
            let own = next(model, PROMPT, " Paris") - next(model, PROMPT, " Rome");
            let found = lens("attribution", &["--target", " Paris", "--versus", " Rome", "-m", model]);
            let parts = found["parts"].as_array().unwrap();
            assert_eq!(parts.len(), 1 + layers * (2 + heads));
            // A difference of logits is one of ln p. Without 32 bits each part is rounded by itself.
            assert!((number(&found["logit"]) - own).abs() < 0.2, "{} {own}", found["logit"]);
            let of = |wanted: &[&str]| -> f64 {
                let wanted = parts.iter().filter(|part| wanted.contains(&part["part"].as_str().unwrap()));
                wanted.map(|part| number(&part["logit"])).sum()
            };
            assert!((of(&["embedding", "attention", "ffn"]) - number(&found["sum"])).abs() < 1e-9);
            assert!(
                (number(&found["logit"]) - number(&found["sum"]) - number(&found["remainder"])).abs() < 1e-9
            );
            assert!(number(&found["remainder"]).abs() < 0.1, "{}", found["remainder"]);
            assert!((of(&["head"]) - of(&["attention"])).abs() < 0.1);
            assert!(number(&found["heads_remainder"]) < 0.05, "{}", found["heads_remainder"]);
            assert!(found["floor"].is_null());
            if model == "smollm2-135m" {
                let heads = parts.iter().filter(|part| part["part"] == "head");
                let most = heads.max_by(|a, b| number(&a["logit"]).total_cmp(&number(&b["logit"]))).unwrap();
                assert_eq!((&most["layer"], &most["head"]), (&Value::from(23), &Value::from(4)));
            }
        }
    }

    #[test]
    fn a_conversations_frame_is_never_left_out() {
        let chat = r#"[{"role":"user","content":"Name the capital of France."},{"role":"assistant","content":"It is"},{"role":"user","content":"Go on."}]"#;
        let args = ["lens", "--chat", "-", "--view", "occlusion", "--by", "turn", "--json", "-q"];
        let output = run(&args, chat);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        let texts: Vec<&str> =
            found["spans"].as_array().unwrap().iter().map(|span| span["text"].as_str().unwrap()).collect();
        assert_eq!(texts, ["Name the capital of France.", "It is", "Go on."]);
    }

    #[test]
    fn bad_input_is_one_line_and_two() {
        let cases: [&[&str]; 17] = [
            &["", "--view", "logit"],
            &[PROMPT, "--view", "logit", "--target", ""],
            &[PROMPT, "--view", "logit", "--target", " Paris", "--versus", " Paris"],
            &["The capital of Fr", "--view", "logit", "--target", "ance"],
            &[PROMPT, "--view", "logit", "--by", "word"],
            &[PROMPT, "--view", "attribution", "--target", " Paris, the"],
            &[PROMPT, "--view", "attribution", "--layer", "3"],
            &[PROMPT, "--view", "occlusion", "--neutral", "x"],
            &[PROMPT, "--view", "context", "--position", "3"],
            &[PROMPT, "--view", "occlusion", "--by", "turn"],
            &[PROMPT, "--view", "occlusion", "--replace", "--neutral", ""],
            &[PROMPT, "--view", "attention", "--position", "5"],
            &[PROMPT, "--view", "attention", "--position", "-x"],
            &[PROMPT, "--view", "attention", "--layer", "30"],
            &[PROMPT, "--view", "attention", "--head", "9"],
            &[PROMPT, "--view", "attention", "--position", "all"],
            &["--chat", "no-such-file.json", "--view", "logit"],
        ];
        for case in cases {
            let args: Vec<&str> = ["lens"].iter().chain(case).chain(&["-q"]).copied().collect();
            let output = run(&args, "");
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{case:?}: {said}");
            assert!(output.stdout.is_empty(), "{case:?}");
            assert!(
                said.starts_with("tokenscope: ") && said.lines().count() == 1 || said.contains("error:"),
                "{case:?}: {said}"
            );
        }
    }

    #[test]
    fn the_repl_looks_too() {
        let script = "/lens logit The capital of France is ||| Paris\n/lens nothing\n/lens occlusion @1\n";
        let output = run(&["repl", "-q"], script);
        let (out, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(out.contains("the first choice from layer"), "{out} {said}");
        assert!(said.contains("VIEW is one of logit, context"), "{said}");
        assert!(said.contains("there is no token 1 to look at"), "{said}");
        let script = "/chat What is the capital of France?\n/lens occlusion @1\n/lens logit\n";
        let output = run(&["repl", "-q", "-n", "6"], script);
        let (out, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(out.contains("against «") && out.contains("␣capital") && said.is_empty(), "{out} {said}");
    }
}
