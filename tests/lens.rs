//! Looking between the layers of the real models: what must be so whatever they compute.

use std::ops::Range;

use tokenscope::distribution::Depth;
use tokenscope::engine::look::{Edit, Found, Inspect, Look, Part, Reading, Value, Variant, WeightsOf};
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

    fn try_look(&mut self, tokens: &[TokenId], look: Look) -> Result<Vec<(usize, Found)>, EngineError> {
        let request = Inspect {
            tokens: tokens.to_vec(),
            look,
            named: vec![tokens[1]],
            depth: Depth::Count(50),
            cancel: CancelFlag::default(),
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

    fn readings(&mut self, look: Look) -> Vec<Reading> {
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
        self.readings(Look::Variants { variants, other })
    }
}

fn write(layer: usize, part: Part, position: Option<usize>, value: Value) -> Edit {
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
        let readings = model.readings(Look::Layers);
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
            |part| (0..model.layers).map(move |layer| write(layer, part, None, Value::Itself)).collect();
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
        let off = |part| write(layer, part, None, Value::Zero);
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
        let patched = Variant { from: 0, edits: vec![write(0, Part::Residual, None, Value::Other)] };
        let last = model.layers - 1;
        let at_the_end =
            Variant { from: n - 1, edits: vec![write(last, Part::Residual, None, Value::Other)] };
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
            model.try_look(&tokens, Look::Weights(vec![of(n - 1..n, false), of(0..n, true)])).unwrap();
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
        let edits = vec![write(0, Part::Head(model.heads), None, Value::Zero)];
        let look = Look::Variants { variants: vec![Variant { from: 0, edits }], other: vec![] };
        let error = model.try_look(&tokens, look).unwrap_err();
        assert!(error.to_string().contains("head of this number in layer 0"), "{error}");
        let look = Look::Variants {
            variants: vec![Variant {
                from: 0,
                edits: vec![write(model.layers, Part::Residual, None, Value::Zero)],
            }],
            other: vec![],
        };
        assert!(matches!(model.try_look(&tokens, look), Err(EngineError::NoPart { .. })));
    }
}
