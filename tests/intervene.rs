//! Parts that are off and vectors that are added, in the real models: in every context, and never left behind
//! in a cache.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokenscope::distribution::Depth;
use tokenscope::engine::look::{Edit, Found, Inspect, LookFor, Part, PartValue, Variant, Variants};
use tokenscope::engine::{
    CancelFlag, Client, Command, CrossEntropy, EngineError, Event, Generate, Layout, LoadOptions, ModelInfo,
    Sample, ScoreBatch, Sequence,
};
use tokenscope::intervention::{InForce, Intervention, Interventions, Steering, SteeringVector};
use tokenscope::loading::{self, FlagIsConsent};
use tokenscope::model::Silent;
use tokenscope::paths::Paths;
use tokenscope::sampling::Sampling;
use tokenscope::session::drive::{Front, begin, drive};
use tokenscope::session::{Notice, Outcome, Session};
use tokenscope::settings::{ConfigFile, Flags, SamplingFlags, Settings};
use tokenscope::step::Step;
use tokenscope::token::TokenId;

const PROMPT: &str = "The capital of France is";

struct Model {
    client: Client,
    info: Arc<ModelInfo>,
    options: LoadOptions,
    prompt: Vec<TokenId>,
}

impl Model {
    fn load(name: &str, exact: bool) -> Model {
        let flags = Flags { ctx: Some(1024), exact, model: vec![name.to_string()], ..Flags::default() };
        let sampling = SamplingFlags::default();
        let settings =
            Settings::from_layers(Sampling::default(), &ConfigFile::default(), &flags, &sampling).unwrap();
        let paths = Paths::from_env().unwrap();
        let found = loading::find(&settings, &paths, CancelFlag::default(), &Silent, &FlagIsConsent).unwrap();
        let (client, info) = Client::load(found.options.clone(), |_| {}).unwrap();
        let bos = info.vocab.special().add_bos.then(|| info.vocab.special().bos.unwrap());
        let prompt = bos.into_iter().chain(info.tokenizer.tokenize(PROMPT.as_bytes(), false)).collect();
        Model { client, info, options: found.options, prompt }
    }

    fn both(exact: bool) -> [Model; 2] {
        ["smollm2-135m", "gemma-3-270m"].map(|name| Model::load(name, exact))
    }

    /// Every step of the prompt and of a greedy continuation.
    fn generate(
        &mut self,
        prompt: &[TokenId],
        in_force: InForce,
        tokens: usize,
    ) -> Result<Vec<Arc<Step>>, EngineError> {
        let request = Generate {
            begun: Vec::new(),
            named: Vec::new(),
            known: 0,
            prompt: prompt.to_vec(),
            sampling: Sampling { greedy: true, ..Sampling::default() },
            max_tokens: Some(tokens),
            depth: Depth::Count(20),
            in_force,
            cancel: CancelFlag::default(),
        };
        let mut steps = Vec::new();
        self.client.run(Command::Generate(request), |event| match event {
            Event::Prefill { steps: more, .. } => steps.extend(more),
            Event::Step { step, .. } => steps.push(step),
            _ => {}
        })?;
        Ok(steps)
    }

    /// The distribution after the prompt, scored.
    fn scored(&mut self, interventions: Interventions) -> BTreeMap<TokenId, f32> {
        let request = ScoreBatch {
            sequences: vec![Sequence { tokens: self.prompt.clone(), from: self.prompt.len() }],
            layout: Layout::Together,
            depth: Depth::Count(20),
            after: true,
            in_force: interventions.into(),
            ..ScoreBatch::default()
        };
        let mut found = BTreeMap::new();
        let told = |event| {
            if let Event::Scored { after: Some(after), .. } = event {
                found = after.top_logprobs.iter().map(|one| (one.id, one.logprob)).collect();
            }
        };
        self.client.run(Command::Score(request), told).unwrap();
        found
    }

    /// The distribution after the prompt, sampled from.
    fn sampled(&mut self, interventions: Interventions) -> BTreeMap<TokenId, f32> {
        let request = Sample {
            prompt: self.prompt.clone(),
            samplings: vec![Sampling { greedy: true, ..Sampling::default() }],
            max_tokens: Some(1),
            depth: Depth::Count(20),
            interventions,
            cancel: CancelFlag::default(),
        };
        let mut found = BTreeMap::new();
        let told = |event| {
            if let Event::Sampled { steps, .. } = event {
                found = top(&steps[0]);
            }
        };
        self.client.run(Command::Sample(request), told).unwrap();
        found
    }

    /// The distribution after the prompt in a lens.
    fn seen(&mut self, interventions: Interventions, edits: Vec<Edit>) -> BTreeMap<TokenId, f32> {
        let variants = vec![Variant { edits, ..Variant::copy(0) }];
        let request = Inspect {
            tokens: self.prompt.clone(),
            look: LookFor::Variants(Variants { variants, ..Variants::default() }),
            named: Vec::new(),
            depth: Depth::Count(20),
            interventions,
            cancel: CancelFlag::default(),
        };
        let mut found = BTreeMap::new();
        let told = |event| {
            if let Event::Found { found: reading, .. } = event
                && let Found::Reading(reading) = *reading
            {
                found = reading.prediction.top_logprobs.iter().map(|one| (one.id, one.logprob)).collect();
            }
        };
        self.client.run(Command::Inspect(request), told).unwrap();
        found
    }

    /// A vector that is the same in every layer.
    fn steering(&self, dose: &str, value: impl Fn(usize) -> f32) -> Interventions {
        let width = match self.info.architecture.as_str() {
            "gemma3" => 640,
            _ => 576,
        };
        let direction: Arc<[f32]> = (0..width).map(value).collect();
        let layers = 1..self.info.layers;
        let directions = layers.map(|layer| (layer, Arc::clone(&direction))).collect();
        let mut dose: Steering = dose.parse().unwrap();
        dose.vector = Some(Arc::new(SteeringVector { directions, architecture: None }));
        Interventions::from_iter([Intervention::Steer(dose)])
    }
}

fn off(parts: &[&str]) -> Interventions {
    parts.iter().map(|part| part.parse::<Intervention>().unwrap()).collect()
}

fn top(step: &Step) -> BTreeMap<TokenId, f32> {
    let stats = step.stats.as_ref().unwrap();
    stats.prediction.top_logprobs.iter().map(|one| (one.id, one.logprob)).collect()
}

/// All that is known of some steps, to the bit.
fn bits(steps: &[Arc<Step>]) -> Vec<(TokenId, Vec<(TokenId, u32)>)> {
    let row = |step: &Step| top(step).into_iter().map(|(id, logprob)| (id, logprob.to_bits())).collect();
    let known = steps.iter().filter(|step| step.stats.is_some());
    known.map(|step| (step.id, row(step))).collect()
}

fn far(a: &BTreeMap<TokenId, f32>, b: &BTreeMap<TokenId, f32>) -> f32 {
    a.iter().filter_map(|(id, one)| Some((one - b.get(id)?).abs())).fold(0.0, f32::max)
}

/// Parts of each kind in the middle of a model.
fn parts(layers: usize) -> [Interventions; 5] {
    let middle = layers / 2;
    let [head, attention, ffn, layer] = [
        format!("head {middle}:1"),
        format!("attention {middle}"),
        format!("ffn {middle}"),
        format!("layer {middle}"),
    ];
    [off(&[&head]), off(&[&attention]), off(&[&ffn]), off(&[&layer]), off(&[&attention, &ffn])]
}

#[test]
fn what_is_off_is_off_in_every_context_and_back_on() {
    for mut model in Model::both(false) {
        let prompt = model.prompt.clone();
        let last = prompt.len();
        let plain = model.generate(&prompt, InForce::default(), 6).unwrap();
        let (scored, sampled) =
            (model.scored(Interventions::default()), model.sampled(Interventions::default()));
        for these in parts(model.info.layers) {
            let without = model.generate(&prompt, these.clone().into(), 6).unwrap();
            let changed = far(&top(&without[last]), &top(&plain[last]));
            assert!(changed > 0.02, "{these}: {changed}");
            // Another kernel of attention, and other batches: as far as they are without interventions. Measured:
            // 0.024 with the 16-bit weights of SmolLM2, 0.37 with the quantized ones of Gemma.
            let near = if model.info.architecture == "llama" { 0.05 } else { 0.5 };
            for other in
                [model.scored(these.clone()), model.sampled(these.clone()), model.seen(these.clone(), vec![])]
            {
                let far = far(&top(&without[last]), &other);
                println!(
                    "{} without {these}: changed {changed:.4}, elsewhere within {far:.4}",
                    model.info.name
                );
                assert!(far <= near, "{these}: {far}");
            }
            // What the cache holds beside it moves a figure by as much as another batch does.
            let again = model.generate(&prompt, InForce::default(), 6).unwrap();
            let back = far(&top(&again[last]), &top(&plain[last]));
            assert!(back <= near, "after {these}: {back}");
            assert_eq!(model.scored(Interventions::default()), scored);
            assert_eq!(model.sampled(Interventions::default()), sampled);
        }
    }
}

#[test]
fn what_is_back_on_is_so_to_the_bit_where_the_arithmetic_is_exact() {
    for mut model in Model::both(true) {
        let prompt = model.prompt.clone();
        let plain = bits(&model.generate(&prompt, InForce::default(), 6).unwrap());
        for these in parts(model.info.layers) {
            let without = bits(&model.generate(&prompt, these.clone().into(), 6).unwrap());
            assert_ne!(without, plain, "{these}");
            let again = bits(&model.generate(&prompt, InForce::default(), 6).unwrap());
            assert!(again == plain, "after {these}");
        }
    }
}

#[test]
fn a_knockout_and_what_is_off_while_generating_are_the_same() {
    for mut model in Model::both(true) {
        let (prompt, middle) = (model.prompt.clone(), model.info.layers / 2);
        for (these, part) in
            parts(model.info.layers).iter().zip([Part::Head(1), Part::Attention, Part::FeedForward])
        {
            let edit = Edit::Write { layer: middle, part, position: None, value: PartValue::Zero };
            let knocked = model.seen(Interventions::default(), vec![edit]);
            let generated = model.generate(&prompt, these.clone().into(), 1).unwrap();
            let far =
                [far(&knocked, &top(&generated[prompt.len()])), far(&knocked, &model.scored(these.clone()))];
            println!("{} without {these}: {far:?} nat from the knockout", model.info.name);
            // Measured: 1.2e-4 between the attention that generates and that of the lens, else none.
            assert!(far.iter().all(|&far| far <= 2e-4), "{these}: {far:?}");
        }
    }
}

#[test]
fn a_layer_that_is_off_adds_neither_of_its_parts_and_nothing_added_changes_no_bit() {
    for mut model in Model::both(false) {
        let prompt = model.prompt.clone();
        let plain = bits(&model.generate(&prompt, InForce::default(), 6).unwrap());
        let [.., layer, both] = parts(model.info.layers);
        let layer = bits(&model.generate(&prompt, layer.into(), 6).unwrap());
        assert_eq!(layer, bits(&model.generate(&prompt, both.into(), 6).unwrap()));
        let nothing = model.steering("v:0", |i| i as f32 / 100.0);
        assert_eq!(bits(&model.generate(&prompt, nothing.into(), 6).unwrap()), plain);
        let some = model.steering("v:0.5:3-5", |i| if i % 7 == 0 { 1.0 } else { 0.0 });
        assert_ne!(bits(&model.generate(&prompt, some.into(), 6).unwrap()), plain);
        assert_eq!(bits(&model.generate(&prompt, InForce::default(), 6).unwrap()), plain);
    }
}

#[test]
fn from_here_keeps_the_cells_before_and_is_the_same_whether_they_were_kept_or_not() {
    let mut model = Model::load("smollm2-135m", true);
    let these = off(&["layer 15"]);
    let prompt = model.prompt.clone();
    let mut from_here = InForce::default();
    from_here.begin(3, &these);
    // What the cache held before is another sequence, the same one, or the same one without anything.
    let fresh = bits(&model.generate(&prompt, from_here.clone(), 4).unwrap());
    for before in [InForce::default(), these.clone().into(), from_here.clone()] {
        model.generate(&prompt, before, 4).unwrap();
        assert_eq!(bits(&model.generate(&prompt, from_here.clone(), 4).unwrap()), fresh);
    }
    let plain = bits(&model.generate(&prompt, InForce::default(), 4).unwrap());
    let start = bits(&model.generate(&prompt, these.into(), 4).unwrap());
    // Nothing changes before, everything does behind.
    assert_eq!(fresh[..3], plain[..3]);
    assert_ne!(fresh[3..], plain[3..]);
    assert_ne!(fresh, start);

    // Where cells are kept, only the others are computed.
    let mut model = Model::load("smollm2-135m", false);
    let text = include_str!("../README.md");
    let mut long = model.info.tokenizer.tokenize(text.as_bytes(), false);
    long.truncate(300);
    model.generate(&long, InForce::default(), 1).unwrap();
    let mut late = InForce::default();
    late.begin(260, &off(&["layer 15"]));
    let mut computed = |in_force: InForce| {
        let request = Generate {
            begun: Vec::new(),
            named: Vec::new(),
            known: 0,
            prompt: long.clone(),
            sampling: Sampling { greedy: true, ..Sampling::default() },
            max_tokens: Some(1),
            depth: Depth::Count(20),
            in_force,
            cancel: CancelFlag::default(),
        };
        model.client.run(Command::Generate(request), |_| {}).unwrap().1.prefill_tokens
    };
    assert_eq!(computed(late.clone()), 44);
    // What was computed under either is found again.
    assert_eq!(computed(late.clone()), 0);
    assert_eq!(computed(InForce::default()), 0);
    assert_eq!(computed(off(&["layer 15"]).into()), 300);
    assert_eq!(computed(InForce::default()), 0);
    assert_eq!(computed(late), 0);
}

#[test]
fn what_a_model_has_not_is_refused_in_one_line_and_leaves_it_as_it_was() {
    let mut model = Model::load("smollm2-135m", false);
    let prompt = model.prompt.clone();
    let plain = bits(&model.generate(&prompt, InForce::default(), 3).unwrap());
    let mut narrow: Steering = "v:1".parse().unwrap();
    let directions = BTreeMap::from([(3, Arc::from([1.0, 2.0]))]);
    narrow.vector = Some(Arc::new(SteeringVector { directions, architecture: None }));
    let mut deep = narrow.clone();
    let directions = BTreeMap::from([(30, Arc::from(vec![1.0; 576]))]);
    deep.vector = Some(Arc::new(SteeringVector { directions, architecture: None }));
    for (these, what) in [
        (off(&["layer 30"]), "layer 30: the model has the layers 0 to 29"),
        (off(&["head 3:9"]), "head 3:9: the model has the heads 0 to 8"),
        (
            Interventions::from_iter([Intervention::Steer(narrow)]),
            "v:1: its direction for layer 3 has 2 values and the model's stream 576: it was made with another model",
        ),
        (
            Interventions::from_iter([Intervention::Steer(deep)]),
            "v:1: it is about layer 30, and the model has the layers 0 to 29",
        ),
    ] {
        let error = model.generate(&prompt, these.into(), 3).unwrap_err();
        assert_eq!(error, EngineError::Intervention(what.to_string()));
        assert_eq!(bits(&model.generate(&prompt, InForce::default(), 3).unwrap()), plain);
    }
    let request = CrossEntropy {
        reference: model.options.clone(),
        sequences: Vec::new(),
        divergence: false,
        cancel: CancelFlag::default(),
    };
    model.client.intervene(off(&["layer 3"]));
    let refused = model.client.run(Command::CrossEntropy(request), |_| {}).unwrap_err();
    assert!(matches!(refused, EngineError::Intervention(_)), "{refused}");
}

#[test]
fn an_edge_is_cut_in_a_reply_and_in_a_look_as_in_a_knockout_and_nowhere_else() {
    for exact in [true, false] {
        for mut model in Model::both(exact) {
            let prompt = model.prompt.clone();
            let last = prompt.len() - 1;
            let plain = model.generate(&prompt, InForce::default(), 4).unwrap();
            for (edge, layers, head) in [
                (format!("edge {}:{last}", last - 1), 0..model.info.layers, None),
                (format!("edge {}:{last}:7:1", last - 1), 7..8, Some(1)),
            ] {
                let cut = |layer| Edit::Cut { layer, head, from: last - 1, to: last };
                let knocked = model.seen(Interventions::default(), layers.map(cut).collect());
                let these = off(&[&edge]);
                assert_eq!(model.seen(these.clone(), Vec::new()), knocked, "{edge}");
                let without = model.generate(&prompt, these.clone().into(), 4).unwrap();
                if exact {
                    assert_eq!(bits(&without[..=last]), bits(&plain[..=last]), "{edge}");
                }
                let (far, changed) =
                    (far(&knocked, &top(&without[last + 1])), far(&knocked, &top(&plain[last + 1])));
                println!(
                    "{} {edge}: {far:?} nat from the knockout, {changed:?} from nothing cut",
                    model.info.name
                );
                assert!(far <= 2e-4 && changed > 10.0 * far, "{edge}: {far} {changed}");
                assert_eq!(bits(&model.generate(&prompt, InForce::default(), 4).unwrap()), bits(&plain));
                let request = ScoreBatch {
                    sequences: vec![Sequence { tokens: prompt.clone(), from: 1 }],
                    layout: Layout::Together,
                    depth: Depth::Count(1),
                    in_force: these.into(),
                    ..ScoreBatch::default()
                };
                let refused = model.client.run(Command::Score(request), |_| {}).unwrap_err();
                assert!(
                    refused.to_string().contains("only a reply and the lenses (but keyboard)"),
                    "{refused}"
                );
            }
        }
    }
}

/// A conversation with a real model, greedily.
struct Talk<'a> {
    model: &'a mut Model,
    session: Session,
}

/// Nobody listens.
struct Ear(Arc<AtomicBool>);

impl Front for Ear {
    fn interrupted(&self) -> &Arc<AtomicBool> {
        &self.0
    }

    fn say(&mut self, notice: Notice) -> io::Result<()> {
        assert!(!matches!(notice, Notice::Error(_)), "{notice:?}");
        Ok(())
    }

    fn other(&mut self, _: &mut Session, _: &mut Client, outcome: Outcome) -> io::Result<Vec<Outcome>> {
        panic!("{outcome:?}")
    }
}

impl Talk<'_> {
    fn new(model: &mut Model, exact: bool) -> Talk<'_> {
        let flags = Flags { exact, ..Flags::default() };
        let sampling = SamplingFlags::default();
        let mut settings =
            Settings::from_layers(Sampling::default(), &ConfigFile::default(), &flags, &sampling).unwrap();
        (settings.sampling.greedy, settings.max_tokens) = (true, Some(6));
        let mut session = Session::new(settings);
        let info = Arc::clone(&model.info);
        begin(&mut session, &mut model.client, info, &mut Ear(Arc::default())).unwrap();
        Talk { model, session }
    }

    /// Carries out a line; every figure of the sequence, to the bit.
    fn line(&mut self, line: &str) -> Vec<(TokenId, Vec<(TokenId, u32)>)> {
        let outcomes = match tokenscope::command::parse(line) {
            Some(command) => self.session.execute(command.unwrap()),
            None => self.session.say(line),
        };
        drive(&mut self.session, &mut self.model.client, outcomes.unwrap(), &mut Ear(Arc::default()))
            .unwrap();
        let sequence = self.session.sequence();
        let steps: Vec<_> = (0..sequence.len()).map(|at| Arc::clone(sequence.step(at).unwrap())).collect();
        bits(&steps)
    }

    fn told(&self) -> String {
        self.session.in_force().map(|told| told.to_string()).unwrap_or_default()
    }
}

#[test]
fn a_conversation_goes_on_without_a_part_from_here_or_from_the_start_and_comes_back_to_the_bit() {
    for exact in [true, false] {
        for mut model in Model::both(exact) {
            let part = format!("layer {}", model.info.layers / 2);
            let mut talk = Talk::new(&mut model, exact);
            let plain = talk.line("What is the capital of France?");
            let start = talk.session.sequence().reply_start();
            talk.line(&format!("/off {part}"));
            let here = talk.line("/retry");
            assert_eq!(talk.told(), format!("off {part} since token {} (from here)", start + 1));
            // The first token has no figures: one row less than tokens.
            assert_eq!(here[..start - 1], plain[..start - 1]);
            assert_ne!(here[start - 1], plain[start - 1]);
            talk.line(&format!("/off {part} from start"));
            let whole = talk.line("/retry");
            assert_eq!(talk.told(), format!("off {part} (from the start)"));
            assert_ne!(whole[0], plain[0]);
            assert_ne!(whole[start - 1], here[start - 1]);
            // From the start, and then as it is from here on.
            talk.line("/on");
            let back = talk.line("/retry");
            assert_eq!(back[..start - 1], whole[..start - 1]);
            assert_eq!(talk.told(), format!("all on again since token {} (from here)", start + 1));
            talk.line("/on from start");
            assert_eq!(talk.line("/retry"), plain, "exact {exact}");
            assert_eq!(talk.told(), "");
        }
    }
}

#[test]
fn what_was_computed_from_here_is_computed_again_from_a_file_to_the_bit() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("talk.json").display().to_string();
    let mut model = Model::load("smollm2-135m", true);
    let mut talk = Talk::new(&mut model, true);
    talk.line("What is the capital of France?");
    talk.line("/off layer 15");
    talk.line("And of Italy?");
    let told = talk.told();
    talk.line(&format!("/save {file}"));
    let more = talk.line("And of Spain?");
    let mut other = Talk::new(&mut model, true);
    other.line(&format!("/load {file}"));
    assert_eq!(other.told(), told);
    assert_eq!(other.line("And of Spain?"), more);
}

#[test]
fn a_repl_says_under_what_its_tables_are() {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tokenscope"));
    command.env("TOKENSCOPE_NO_SAVE", "1");
    command.args(["repl", "-q"]).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let lines = format!("/off head 23:4\n{PROMPT}\n/off layer 99\n/on\n{PROMPT}\n");
    io::Write::write_all(&mut child.stdin.take().unwrap(), lines.as_bytes()).unwrap();
    let out = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let tables: Vec<&str> = out.split("entropy").skip(1).collect();
    assert_eq!(tables.len(), 2, "{out}");
    assert!(tables[0].contains("after 5 tokens\noff head 23:4\nnothing is off, nothing is added"), "{out}");
    assert!(!tables[1].contains("off head"), "{out}");
    let paris = |table: &str| table.lines().find(|line| line.contains("␣Paris")).unwrap().to_string();
    let mut tables = out.split("rank  token").skip(1);
    assert_ne!(paris(tables.next().unwrap()), paris(tables.next().unwrap()));
}

fn run(arguments: &[&str]) -> (i32, String, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tokenscope"));
    command.env("TOKENSCOPE_NO_SAVE", "1");
    let output = command.args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn every_command_takes_the_flags_and_says_so_or_refuses_them() {
    let without = |json: &str| {
        let value: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
        value["provenance"]["interventions"].clone()
    };
    let head = ["-q", "--json", "--off", "head 23:4"];
    let next = |flags: &[&str]| run(&[&["next", PROMPT], flags].concat());
    let (_, plain, _) = next(&["-q", "--json"]);
    let (code, off, _) = next(&head);
    assert_eq!((code, without(&off)), (0, serde_json::json!(["head 23:4"])));
    assert_eq!(without(&plain), serde_json::Value::Null);
    let figures = |json: &str| {
        let value: serde_json::Value = serde_json::from_str(json).unwrap();
        value["top_logprobs"].clone()
    };
    assert_ne!(figures(&off), figures(&plain));
    for command in
        [&["generate", "-n", "2", PROMPT][..], &["score", PROMPT], &["lens", "--view", "logit", PROMPT]]
    {
        let (code, out, error) = run(&[command, &head].concat());
        assert_eq!((code, without(&out)), (0, serde_json::json!(["head 23:4"])), "{command:?} {error}");
    }
    let (_, _, header) = run(&["next", PROMPT, "--off", "ffn 3", "--off", "attention 2"]);
    assert!(header.contains(" · off attention 2, ffn 3 · tokenscope "), "{header}");
    let (_, _, header) = run(&["score", PROMPT, "--off", "ffn 3"]);
    assert!(header.contains("off ffn 3") && !header.contains("of --exact"), "{header}");
    for (flags, what) in [
        (&["next", PROMPT, "--off", "head 40:1"][..], "head 40:1: the model has the layers 0 to 29"),
        (&["next", PROMPT, "--off", "head 4:9"], "head 4:9: the model has the heads 0 to 8"),
        (&["next", PROMPT, "--off", "haed 4:1"], "did you mean head?"),
        (&["next", PROMPT, "--steer", "v.gguf:x"], "the scale is no number"),
        (&["next", PROMPT, "--steer", "/no/such.gguf:1"], "/no/such.gguf: no such file"),
        (&["tokenize", PROMPT, "--off", "layer 1"], "--off and --steer change what a model computes"),
        (&["repl", "--off", "layer 40"], "layer 40: the model has the layers 0 to 29"),
        (&["chat", "--json", "--off", "head 3:9"], "head 3:9: the model has the heads 0 to 8"),
        (&["models", "list", "--off", "layer 1"], "--off and --steer change what a model computes"),
    ] {
        let (code, out, error) = run(&[flags, &["-q"]].concat());
        assert_eq!((code, out.as_str()), (2, ""), "{flags:?}");
        assert!(error.contains(what) && error.lines().count() == 1, "{flags:?}: {error}");
    }
}
