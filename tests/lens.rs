//! Looking between the layers of the real models: what must be so whatever they compute.

use std::ops::Range;
use std::sync::Arc;

use tokenscope::distribution::Depth;
use tokenscope::engine::look::{
    Edit, Found, Inspect, LookFor, Part, PartValue, Reading, Variant, Variants, WeightsOf,
};
use tokenscope::engine::{CancelFlag, Client, Command, EngineError, Event, FinishReason};
use tokenscope::lens::occlusion::Instead;
use tokenscope::lens::spans::SpanUnit;
use tokenscope::lens::subject::Given;
use tokenscope::lens::{self, LensFinding, LensWish, Looking};
use tokenscope::loading::{self, FlagIsConsent};
use tokenscope::model::Silent;
use tokenscope::paths::Paths;
use tokenscope::query::Asker;
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

    fn ask(&mut self, request: Inspect) -> Vec<Reading> {
        let mut all = Vec::new();
        let (reason, _) = self
            .client
            .run(Command::Inspect(request), |event| {
                if let Event::Found { found, .. } = event {
                    match *found {
                        Found::Reading(reading) => all.push(reading),
                        other => panic!("{other:?}"),
                    }
                }
            })
            .unwrap();
        assert_eq!(reason, FinishReason::Stop);
        all
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
        self.readings(LookFor::Variants(Variants { variants, other, ..Variants::default() }))
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
        let readings = model.readings(LookFor::Layers { copies: false });
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
            *variant = Variant { edits: all(part), ..Variant::copy(0) };
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
        let both = Variant { edits: vec![off(Part::Attention), off(Part::FeedForward)], ..Variant::copy(0) };
        // Every head at nothing is attention at nothing: neither model has a bias there.
        let heads = (0..model.heads).map(|head| off(Part::Head(head))).collect();
        let variants = [vec![off(Part::Attention)], heads, both.edits, vec![]];
        let read: Vec<Reading> = variants
            .into_iter()
            .flat_map(|edits| model.variants(vec![Variant { edits, ..Variant::copy(0) }]))
            .collect();
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
        let patched =
            Variant { edits: vec![write(0, Part::Residual, None, PartValue::Other)], ..Variant::copy(0) };
        let last = model.layers - 1;
        let at_the_end = Variant {
            edits: vec![write(last, Part::Residual, None, PartValue::Other)],
            ..Variant::copy(n - 1)
        };
        let itself = Variant { of_other: true, ..Variant::copy(0) };
        let read = model.variants(vec![patched, at_the_end, itself]);
        std::mem::swap(&mut model.prompt, &mut model.corrupt);
        // In a batch of as many tokens, as kernels for fewer round in their own way.
        let other = &model.variants(vec![Variant::default(); 4])[0];
        for read in &read {
            assert!(far(read, other) < 0.2, "{}", far(read, other));
        }
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
            Variant { edits: edges.collect(), ..Variant::copy(n - 1) }
        };
        let alone = cut(&model);
        let copy = Variant::copy(n - 1);
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
        let read = [vec![], all, vec![whole]]
            .map(|edits| model.variants(vec![Variant { edits, ..Variant::copy(from) }]).remove(0));
        assert_eq!(logprobs(&read[1]), logprobs(&read[2]));
        assert!(far(&read[0], &read[1]) > 1e-3);
    }
}

#[test]
fn copies_in_other_places_agree_and_a_part_that_is_not_there_is_named() {
    for mut model in Model::both() {
        let n = model.prompt.len();
        let copies = (0..70).map(|i| Variant::copy(i % n)).collect();
        let read = model.variants(copies);
        for copy in &read {
            let best = |reading: &Reading| reading.prediction.top_logprobs[0].logprob;
            assert!((best(copy) - best(&read[0])).abs() < 0.2);
        }
        let tokens = model.prompt.clone();
        // What is there beside it is computed.
        let missing = [
            write(0, Part::Head(model.heads), None, PartValue::Zero),
            write(model.layers, Part::Residual, None, PartValue::Zero),
        ];
        let mut variants: Vec<Variant> =
            missing.map(|edit| Variant { edits: vec![edit], ..Variant::copy(0) }).into();
        variants.push(Variant::copy(0));
        let look = LookFor::Variants(Variants { variants, ..Variants::default() });
        let found = model.try_look(&tokens, look).unwrap();
        assert!(
            matches!(found[0], (0, Found::Missing { layer: 0, part: "head of this number" })),
            "{found:?}"
        );
        assert!(matches!(found[1], (1, Found::Missing { part: "residual stream", .. })));
        assert!(matches!(found[2], (2, Found::Reading(_))));
    }
}

#[test]
fn a_target_of_several_tokens_is_read_token_after_token() {
    for mut model in Model::both() {
        let (tokens, n) = (model.prompt.clone(), model.prompt.len());
        let named = tokens[n - 3..].to_vec();
        let variants = vec![Variant::copy(0), Variant::copy(n - 1)];
        let look = LookFor::Variants(Variants { variants, then: named[..2].to_vec(), ..Variants::default() });
        let request = Inspect {
            tokens: tokens.clone(),
            look,
            named: named.clone(),
            depth: Depth::Count(1),
            cancel: CancelFlag::default(),
            interventions: Default::default(),
        };
        let found = model.ask(request);
        for i in 0..3 {
            let before = [&tokens[..], &named[..i]].concat();
            let look =
                LookFor::Variants(Variants { variants: vec![Variant::copy(0)], ..Variants::default() });
            let request = Inspect {
                tokens: before,
                look,
                named: vec![named[i]],
                depth: Depth::Count(1),
                cancel: CancelFlag::default(),
                interventions: Default::default(),
            };
            let alone = model.ask(request)[0].named[0].logprob;
            assert!(
                found.iter().all(|reading| (reading.named[i].logprob - alone).abs() < 0.2),
                "{found:?} {alone}"
            );
        }
    }
}

#[test]
fn the_other_sequence_patched_with_itself_is_itself_in_every_cell() {
    for mut model in Model::both() {
        let n = model.prompt.len();
        let other = model.corrupt.clone();
        let control = |layer| Variant {
            edits: vec![write(layer, Part::Residual, Some(n - 1), PartValue::Other)],
            of_other: true,
            ..Variant::copy(n - 1)
        };
        // One cell a variant, from its own position on: batches hold rows of many lengths, and each must get
        // the value of its own row.
        let mut variants = vec![Variant { of_other: true, ..Variant::copy(n - 2) }];
        for position in n - 2..n {
            let cell = |layer| Variant {
                edits: (0..=layer)
                    .map(|l| write(l, Part::Residual, Some(position), PartValue::Other))
                    .collect(),
                of_other: true,
                ..Variant::copy(position)
            };
            variants.extend((0..model.layers).map(cell));
        }
        let cells = variants.len();
        // More than a batch holds.
        variants.extend(vec![Variant::copy(n - 1); 200]);
        let count = variants.len();
        let controls = vec![control(3), Variant::copy(n - 1)];
        let look = LookFor::Variants(Variants { variants, controls, other, ..Variants::default() });
        let tokens = model.prompt.clone();
        let found = model.try_look(&tokens, look).unwrap();
        let reading = |i: usize| {
            found.iter().filter(move |(index, _)| *index == i).map(|(_, found)| match found {
                Found::Reading(reading) => reading,
                other => panic!("{other:?}"),
            })
        };
        let own = reading(0).next().unwrap();
        // What rounding does in another batch is little beside what tells the two sequences apart.
        let apart = far(reading(count + 1).next().unwrap(), own);
        assert!(apart > 1.0, "{apart}");
        for i in 1..cells {
            let off = far(reading(i).next().unwrap(), own);
            assert!(off < apart / 4.0, "{i}: {off}");
        }
        assert_eq!(
            reading(count).count(),
            if model.layers > 20 { 2 } else { 4 },
            "every batch has its controls"
        );
        assert!(reading(count).all(|control| far(control, own) < apart / 4.0));
        assert!(reading(count + 1).all(|control| far(control, own) > apart / 2.0));
    }
}

mod command_line {
    use std::io::Write;
    use std::process::{Command, Output, Stdio};

    use serde_json::Value;

    const PROMPT: &str = "The capital of France is";
    const CORRUPT: &str = "The capital of Italy is";

    fn run(args: &[&str], input: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tokenscope"));
        command.env("TOKENSCOPE_NO_SAVE", "1");
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
    fn a_trace_finds_where_the_answer_moves() {
        for (model, moves, cells) in [("smollm2-135m", 23, 146), ("gemma-3-270m", 12, 103)] {
            let more = ["--corrupt", CORRUPT, "--target", " Paris", "--versus", " Rome", "-m", model];
            let found = lens("trace", &more);
            let (floor, clean) = (number(&found["floor"]), number(&found["clean"]));
            let corrupt = number(&found["corrupt"]);
            let of = |prompt| next(model, prompt, " Paris") - next(model, prompt, " Rome");
            assert!(
                (clean - of(PROMPT)).abs() <= 3.0 * floor && (corrupt - of(CORRUPT)).abs() <= 3.0 * floor
            );
            assert_eq!((&found["moves"], &found["reason"]), (&Value::from(moves), &Value::Null));
            let grid = found["grid"].as_array().unwrap();
            assert_eq!(grid.len(), cells);
            let country = number(&found["first_difference"]);
            for cell in grid {
                let (layer, position) = (number(&cell["layer"]), number(&cell["position"]));
                let recovered = number(&cell["recovered"]);
                let share = (number(&cell["value"]) - corrupt) / (clean - corrupt);
                assert!((recovered - share).abs() < 1e-9);
                // The country carries all of the answer until the last position does; what comes before it
                // carries none.
                let carries = if layer < f64::from(moves) { position == country } else { position > country };
                if position < country {
                    assert_eq!(recovered, 0.0);
                } else {
                    assert_eq!(recovered > 0.5, carries, "{cell}");
                }
            }
            for control in found["controls"].as_array().unwrap() {
                let off = floor / (clean - corrupt);
                assert!(number(&control["unpatched"]).abs() <= off, "{control}");
                assert!((number(&control["clean"]) - 1.0).abs() <= off, "{control}");
            }
        }
    }

    #[test]
    fn a_trace_of_prompts_that_hardly_differ_tells_no_share() {
        let more = ["--corrupt", "The capital of France was", "--target", " the"];
        let found = lens("trace", &[&more[..], &["--weights", "as-is", "--position", "4"]].concat());
        let differs = (number(&found["clean"]) - number(&found["corrupt"])).abs();
        let is_clear = differs >= 5.0 * number(&found["floor"]);
        assert_eq!(found["reason"] == Value::Null, is_clear);
        assert!(
            found["grid"]
                .as_array()
                .unwrap()
                .iter()
                .all(|cell| (cell["recovered"] == Value::Null) != is_clear)
        );
    }

    #[test]
    fn a_trace_by_head_finds_the_head_that_carries_the_fact() {
        let more = ["--corrupt", CORRUPT, "--target", " Paris", "--versus", " Rome", "--part", "head"];
        let found = lens("trace", &[&more[..], &["--layer", "23", "--position", "4"]].concat());
        let grid = found["grid"].as_array().unwrap();
        assert_eq!(grid.len(), 9);
        let best =
            grid.iter().max_by(|a, b| number(&a["recovered"]).total_cmp(&number(&b["recovered"]))).unwrap();
        assert_eq!(best["head"], 4);
        assert!(number(&best["recovered"]) > 0.2 && found["moves"] == Value::Null, "{best}");
    }

    #[test]
    fn a_knockout_ranks_what_is_above_the_floor_and_nothing_else() {
        let target = ["--target", " Paris", "--versus", " Rome"];
        let found = lens("knockout", &target);
        let floor = number(&found["floor"]);
        let list = |name: &str| found[name].as_array().unwrap().clone();
        let (effects, below) = (list("effects"), list("below_floor"));
        assert_eq!(effects.len() + below.len(), 30 * (3 + 9 + 5));
        let delta = |effect: &Value| number(&effect["delta_logprob"]);
        assert!(effects.windows(2).all(|pair| delta(&pair[0]).abs() >= delta(&pair[1]).abs()));
        assert!(effects.iter().all(|effect| delta(effect).abs() >= floor));
        assert!(below.iter().all(|effect| delta(effect).abs() < floor));
        let of = |kind: &str, layer: i64, head: Value| {
            let all = effects.iter().chain(&below);
            let mut own = all.filter(move |effect| {
                effect["kind"] == kind && effect["layer"] == layer && effect["head"] == head
            });
            delta(own.next().unwrap())
        };
        // One head carries the fact to the end.
        let head = of("head", 23, Value::from(4));
        assert!((head + 5.4).abs() < 0.1, "{head}");
        let heads = effects.iter().filter(|effect| effect["kind"] == "head");
        assert!(heads.clone().all(|effect| delta(effect).abs() <= -head));
        // A part is the same thing asked for alone, in another batch.
        let one = lens("knockout", &[&target[..], &["--part", "ffn", "--layer", "11"]].concat());
        assert!((delta(&one["effects"][0]) - of("ffn", 11, Value::Null)).abs() <= 2.0 * floor);
        // Without any edge but its own, the last position knows nothing of the country.
        let edges: Vec<String> = (0..4).map(|from| format!("--edge={from}:4")).collect();
        let edges: Vec<&str> = edges.iter().map(String::as_str).collect();
        let cut = lens("knockout", &[&target[..], &edges].concat());
        assert_eq!(cut["effects"].as_array().unwrap().len(), 4);
        let country = cut["effects"].as_array().unwrap().iter().find(|effect| effect["from"] == 3).unwrap();
        assert!(delta(country) < -5.0 && country["layer"] == Value::Null, "{country}");
    }

    #[test]
    fn a_part_may_be_its_mean_or_what_it_is_in_another_prompt() {
        for model in ["smollm2-135m", "gemma-3-270m"] {
            let more = ["--target", " Paris", "--versus", " Rome", "-m", model];
            let zero = lens("knockout", &[&more[..], &["--part", "attention"]].concat());
            let mean = lens("knockout", &[&more[..], &["--part", "attention", "--set", "mean"]].concat());
            let corrupt =
                lens("knockout", &[&more[..], &["--part", "attention", "--corrupt", CORRUPT]].concat());
            assert_eq!((&mean["set"], &corrupt["set"]), (&Value::from("mean"), &Value::from("corrupt")));
            assert_ne!(zero["effects"], mean["effects"]);
            // What the parts add is nearly the same in both prompts, but where the fact is moved.
            assert_eq!(corrupt["effects"][0]["layer"], if model == "smollm2-135m" { 23 } else { 12 });
        }
    }

    #[test]
    fn several_tokens_are_knocked_out_and_traced_by_the_chain_rule() {
        let more = ["--target", " Paris, the", "--versus", " Rome"];
        let found = lens("knockout", &[&more[..], &["--layer", "23", "--part", "layer"]].concat());
        let of = |text| next("smollm2-135m", PROMPT, text);
        let base = of(" Paris, the") - of(" Rome");
        assert!((number(&found["base"]) - base).abs() <= 0.1, "{} {base}", found["base"]);
        assert!(number(&found["effects"][0]["delta_logprob"]) < -1.0);
        let found = lens("trace", &[&more[..], &["--corrupt", CORRUPT]].concat());
        assert_eq!(found["moves"], 23);
        assert!(
            found["controls"].as_array().unwrap().iter().all(|of| (number(&of["clean"]) - 1.0).abs() < 0.05)
        );
    }

    #[test]
    fn a_prompt_of_one_span_says_that_nothing_would_be_left() {
        let output = run(&["lens", "a", "--view", "occlusion", "-q"], "");
        let out = String::from_utf8_lossy(&output.stdout);
        assert!(out.contains("1 without a figure: nothing would be left to predict from"), "{out}");
        assert!(!out.contains("below the floor") && !out.contains("no span has"), "{out}");
    }

    #[test]
    fn a_long_prompt_has_a_logit_lens_too() {
        let prompt = "the cat sat on the mat. ".repeat(100);
        let found = json(&["lens", &prompt, "--view", "logit", "--json", "-q"]);
        let layers = found["layers"].as_array().unwrap();
        assert_eq!((layers.len(), &found["last_row_difference"]), (30, &Value::from(0.0)));
    }

    #[test]
    fn bad_input_is_one_line_and_two() {
        let cases: [&[&str]; 43] = [
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
            &[PROMPT, "--view", "trace"],
            &[PROMPT, "--view", "trace", "--corrupt", PROMPT],
            &[PROMPT, "--view", "trace", "--corrupt", "The capital of Liechtenstein is"],
            &[PROMPT, "--view", "trace", "--corrupt", CORRUPT, "--position", "5"],
            &[PROMPT, "--view", "trace", "--corrupt", CORRUPT, "--position", "all"],
            &[PROMPT, "--view", "trace", "--corrupt", CORRUPT, "--layer", "30"],
            &[PROMPT, "--view", "trace", "--corrupt", CORRUPT, "--part", "layer"],
            &[PROMPT, "--view", "trace", "--corrupt", CORRUPT, "--head", "1"],
            &[PROMPT, "--view", "trace", "--clean", PROMPT, "--corrupt", CORRUPT],
            &["--chat", "-", "--view", "trace", "--corrupt", CORRUPT],
            &[PROMPT, "--view", "knockout", "--part", "residual"],
            &[PROMPT, "--view", "knockout", "--set", "corrupt"],
            &[PROMPT, "--view", "knockout", "--set", "zero", "--corrupt", CORRUPT],
            &[PROMPT, "--view", "knockout", "--edge", "3:4:30"],
            &[PROMPT, "--view", "knockout", "--edge", "3:4:1:9"],
            &[PROMPT, "--view", "knockout", "--edge", "4:3"],
            &[PROMPT, "--view", "knockout", "--edge", "0:0"],
            &[PROMPT, "--view", "knockout", "--edge", "3:5"],
            &[PROMPT, "--view", "knockout", "--edge", "3"],
            &[PROMPT, "--view", "knockout", "--window", "0"],
            &[PROMPT, "--view", "knockout", "--head", "9"],
            &[PROMPT, "--view", "logit", "--corrupt", CORRUPT],
            &[PROMPT, "--view", "attention", "--layer", "-1"],
            &[PROMPT, "--view", "knockout", "--edge", "-1:2"],
            &[PROMPT, "--view", "logit", "--off", "edge 0:1", "--off", "edge 1:1"],
            &[PROMPT, "--view", "keyboard", "--off", "edge 3:4"],
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
            assert!(!said.contains("unexpected argument") && !said.contains("damaged"), "{case:?}: {said}");
        }
    }

    #[test]
    fn an_edge_that_is_off_stays_between_its_tokens_where_others_are_left_out() {
        for model in ["smollm2-135m", "gemma-3-270m"] {
            // Gemma begins with a BOS.
            let (country, last) = if model == "smollm2-135m" { (3, 4) } else { (4, 5) };
            let edge = format!("edge {country}:{last}");
            let more = ["--target", " Paris", "--versus", " Rome", "-m", model];
            let off = [&more[..], &["--off", &edge]].concat();
            let by_token = [&off[..], &["--by", "token"]].concat();
            let (curve, spans) = (lens("context", &off), lens("occlusion", &by_token));
            let knocked = lens("knockout", &[&more[..], &["--edge", &edge[5..]]].concat());
            let (effects, floor) = (&knocked["effects"], number(&knocked["floor"]));
            let without = number(&knocked["base"]) + number(&effects[0]["delta_logprob"]);
            let points = curve["context"].as_array().unwrap();
            let whole = number(&points.last().unwrap()["difference"]);
            assert!((whole - without).abs() <= floor, "{whole} {without}");
            assert!((number(&spans["base"]) - without).abs() <= floor, "{spans}");
            // Where one of the two is left out there is no edge to cut; where another is, there still is.
            let plain = lens("occlusion", &[&more[..], &["--by", "token"]].concat());
            let delta = |found: &Value, token: usize| {
                let spans = found["spans"].as_array().unwrap();
                let starts = |span: &&Value| span["tokens"][0] == token;
                number(&spans.iter().find(starts).unwrap()["delta_logprob"]) + number(&found["base"])
            };
            let close = floor + number(&plain["floor"]);
            assert!((delta(&spans, country) - delta(&plain, country)).abs() <= close);
            assert!((delta(&spans, last) - delta(&plain, last)).abs() <= close);
            let between = country - 1;
            let further = (delta(&spans, between) - delta(&plain, between)).abs();
            assert!(further > close, "{model}: {further}");
            // The last token alone sees itself whatever is off.
            let alone = lens("context", &[&more[..], &["--off", &format!("edge {last}:{last}")]].concat());
            assert!(number(&alone["context"][0]["logprob"]).is_finite());
        }
    }

    #[test]
    fn an_edge_where_nothing_stands_is_said_to_change_nothing() {
        let found = run(&["lens", PROMPT, "--view", "logit", "--off", "edge 3:99"], "");
        let said = String::from_utf8_lossy(&found.stderr);
        assert!(said.contains("edge 3:99 changes nothing here: the last position is 4"), "{said}");
    }

    #[test]
    fn the_repl_looks_too() {
        let script = "/lens logit The capital of France is ||| Paris\n/lens nothing\n/lens occlusion @1\n";
        let output = run(&["repl", "-q"], script);
        let (out, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(out.contains("the first choice from layer"), "{out} {said}");
        assert!(said.contains("VIEW is one of logit, context"), "{said}");
        assert!(said.contains("there is no token 1 to look at"), "{said}");
        let script = "/lens trace --corrupt \"The capital of Italy is\" The capital of France is ||| Paris ||| Rome\n\
            /lens knockout --edge 3:4:23:4 The capital of France is ||| Paris\n\
            /lens trace The capital\n/lens trace --corrupt \"A longer text than that\" The capital\n";
        let output = run(&["repl", "-q"], script);
        let (out, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(
            out.contains("moves to the last position at layer 23") && out.contains("L23H4"),
            "{out} {said}"
        );
        assert!(said.contains("add --corrupt TEXT") && said.contains("first differ at position 0"), "{said}");
        let script = "/chat What is the capital of France?\n/lens occlusion @1\n/lens logit\n";
        let output = run(&["repl", "-q", "-n", "6"], script);
        let (out, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(out.contains("against «") && out.contains("␣capital") && said.is_empty(), "{out} {said}");
    }
}

/// Every view that computes something bit by bit keeps what there is when somebody stops it.
#[test]
fn what_is_stopped_is_told_as_far_as_it_goes() {
    let flags = Flags { model: vec!["smollm2-135m".to_string()], ..Flags::default() };
    let sampling = SamplingFlags::default();
    let settings =
        Settings::from_layers(Sampling::chat(), &ConfigFile::default(), &flags, &sampling).unwrap();
    let paths = Paths::from_env().unwrap();
    let found = loading::find(&settings, &paths, CancelFlag::default(), &Silent, &FlagIsConsent).unwrap();
    let (mut client, model) = Client::load(found.options, |_| {}).unwrap();
    let text = "The keys that the old man near the trees has lost are in the drawer, and the dog is there. "
        .repeat(12);
    let mut look = |view: Looking, share: usize| {
        let cancel = CancelFlag::default();
        let raised = cancel.clone();
        client.watch(Some(Box::new(move |done, total| {
            // The first progress of more than a token is that of the view itself.
            if total > 1000 && done * share > total {
                raised.cancel();
            }
        })));
        let mut asker = Asker {
            client: &mut client,
            model: Arc::clone(&model),
            template: None,
            settings: settings.clone(),
            cancel,
            cache: paths.cache.clone(),
            far: Arc::new(|_| {}),
        };
        let wish = LensWish {
            given: Given::Text(text.clone().into_bytes()),
            target: Some(b" The".to_vec()),
            versus: None,
            view,
            under: None,
        };
        lens::look(&mut asker, &wish).unwrap()
    };
    let by = Some(SpanUnit::Word);
    let lens = look(Looking::Occlusion { by, instead: Instead::Nothing }, 8);
    let LensFinding::Occlusion(found) = &lens.finding else { panic!("{lens:?}") };
    assert!(lens.partial && !found.spans.is_empty() && found.spans.len() < 19 * 12, "{}", found.spans.len());
    assert!(found.spans.iter().all(|(_, delta)| delta.is_some()) && lens.floor == Some(0.02));
    // In a prompt of so many tokens nobody waits for every word who didn't ask for them.
    let lens = look(Looking::Occlusion { by: None, instead: Instead::Nothing }, 1);
    let LensFinding::Occlusion(found) = &lens.finding else { panic!("{lens:?}") };
    assert!(lens.subject.words.len() > 200 && !lens.partial);
    assert_eq!((found.by, found.spans.len()), (SpanUnit::Sentence, 12));
    assert!(lens.subject.notes[0].contains("each sentence is left out"), "{:?}", lens.subject.notes);
}
