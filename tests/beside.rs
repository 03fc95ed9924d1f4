//! Two real models over the same tokens.

use std::sync::Arc;

use tokenscope::engine::{
    CancelFlag, Client, Command, CrossEntropy, Event, FinishReason, Layout, LoadOptions, ModelInfo,
    ScoreBatch, Sequence,
};
use tokenscope::loading::{self, FlagIsConsent};
use tokenscope::model::{Silent, Weights};
use tokenscope::paths::Paths;
use tokenscope::sampling::Sampling;
use tokenscope::settings::{ConfigFile, Flags, SamplingFlags, Settings};
use tokenscope::step::Step;
use tokenscope::token::TokenId;
use tokenscope::tui::beside::held::{FirstModel, SecondModel, sum};
use tokenscope::tui::second::read;

const TEXT: &str = "user\nWhat is the capital of France?\nassistant\nThe capital of France is Paris, a city of 2 148 000 people on the Seine; 北京 is another.";

struct Loaded {
    client: Client,
    info: Arc<ModelInfo>,
    options: LoadOptions,
    settings: Settings,
}

fn load(name: &str, weights: Option<Weights>) -> Loaded {
    let flags = Flags { model: vec![name.to_string()], ctx: Some(512), weights, ..Flags::default() };
    let sampling = SamplingFlags::default();
    let settings =
        Settings::from_layers(Sampling::chat(), &ConfigFile::default(), &flags, &sampling).unwrap();
    let paths = Paths::from_env().unwrap();
    let found = loading::find(&settings, &paths, CancelFlag::default(), &Silent, &FlagIsConsent).unwrap();
    let (client, info) = Client::load(found.options.clone(), |_| {}).unwrap();
    Loaded { client, info, options: found.options, settings }
}

fn steps(client: &mut Client, tokens: &[TokenId], from: usize, layout: Layout) -> Vec<Arc<Step>> {
    let sequences = vec![Sequence { tokens: tokens.to_vec(), from }];
    let mut all = Vec::new();
    let request = ScoreBatch { sequences, layout, ..ScoreBatch::default() };
    let told = |event| {
        if let Event::Scored { steps, .. } = event {
            all.extend(steps.into_iter().map(Arc::new));
        }
    };
    assert_eq!(client.run(Command::Score(request), told).unwrap().0, FinishReason::Stop);
    all
}

fn logprobs(steps: &[Arc<Step>]) -> Vec<f64> {
    steps.iter().filter_map(|step| step.logprob()).map(f64::from).collect()
}

/// Has the second model read until it wants nothing more; how often it was asked.
fn follow(beside: &mut SecondModel, first: &Loaded, second: &mut Loaded, ids: &[TokenId]) -> usize {
    let mut asked = 0;
    beside.meet(&first.info.vocab, ids);
    while let Some(mut wish) = beside.wish(ids, true) {
        wish.bos = second.settings.bos.token(&wish.model.vocab);
        let (number, cancel) = beside.ask(&wish);
        let found = read(&mut second.client, Some(first.options.clone()), &wish, &cancel).unwrap();
        beside.take(number, Ok(found));
        beside.meet(&first.info.vocab, ids);
        asked += 1;
    }
    asked
}

#[test]
fn a_model_beside_itself_in_another_format_has_the_same_tokens_and_the_divergence_of_a_comparison() {
    let mut first = load("smollm2-135m", Some(Weights::F16));
    let mut second = load("smollm2-135m", Some(Weights::AsIs));
    let ids = first.info.tokenizer.tokenize(TEXT.as_bytes(), false);
    let mut beside = SecondModel::named("second");
    beside.model = Some(Arc::clone(&second.info));
    // It grows, as a reply does.
    for end in [ids.len() / 2, ids.len() / 2 + 1, ids.len() / 2 + 2, ids.len()] {
        assert!(follow(&mut beside, &first, &mut second, &ids[..end]) > 0);
    }
    assert!(beside.is_kin());
    let own: Vec<Option<Arc<Step>>> =
        steps(&mut first.client, &ids, 0, Layout::Together).into_iter().map(Some).collect();
    let side = FirstModel { vocab: &first.info.vocab, steps: &own, ids: &ids };
    assert_eq!(beside.behind(side), 0);
    let sums = sum(&beside.pieces(side), &(0..ids.len()));
    assert_eq!(sums.pieces, ids.len() - 1);
    // Each model's own sum, as it is scored in one go; batches of another shape move it a little.
    let alone = [
        logprobs(&steps(&mut first.client, &ids, 1, Layout::Together)).iter().sum::<f64>(),
        logprobs(&steps(&mut second.client, &ids, 1, Layout::Together)).iter().sum::<f64>(),
    ];
    assert!((sums.logprobs[0] - alone[0]).abs() < 1e-9, "{:?} {alone:?}", sums.logprobs);
    assert!((sums.logprobs[1] - alone[1]).abs() / (ids.len() as f64) < 0.1, "{:?} {alone:?}", sums.logprobs);
    // The divergence, part by part, is that of one comparison, and nowhere below what the lists prove.
    let request = CrossEntropy {
        reference: first.options.clone(),
        sequences: vec![Sequence { tokens: ids.clone(), from: 1 }],
        divergence: true,
        cancel: CancelFlag::default(),
    };
    let mut whole = Vec::new();
    let told = |event| {
        if let Event::CrossEntropy { values, .. } = event {
            whole = values;
        }
    };
    second.client.run(Command::CrossEntropy(request), told).unwrap();
    assert_eq!(whole.len(), ids.len() - 1);
    for (at, kl) in (1..).zip(&whole) {
        let stats = own[at].as_ref().unwrap().stats.as_ref().unwrap();
        let found = beside.divergence(at, stats).exact().unwrap();
        assert!(found >= 0.0 && (found - f64::from(*kl)).abs() < 0.1, "token {at}: {found} and {kl}");
        let other = beside.step(at).unwrap().stats.as_ref().unwrap();
        let least = stats.prediction.divergence_at_least(&other.prediction);
        assert!(least >= 0.0 && least < found + 0.25, "token {at}: at least {least}, {found}");
    }
    let (mean, n) = beside.mean_divergence(0..ids.len()).unwrap();
    assert_eq!(n, ids.len() - 1);
    assert!((0.0..0.5).contains(&mean), "{mean}");
}

#[test]
fn models_of_other_tokens_are_aligned_by_bytes_and_their_sums_are_their_own() {
    let mut first = load("smollm2-135m", None);
    let mut second = load("gemma-3-270m", None);
    let ids = first.info.tokenizer.tokenize(TEXT.as_bytes(), false);
    let mut beside = SecondModel::named("second");
    beside.model = Some(Arc::clone(&second.info));
    for end in [ids.len() - 3, ids.len()] {
        assert!(follow(&mut beside, &first, &mut second, &ids[..end]) > 0);
    }
    assert!(beside.difference().is_some());
    let own: Vec<Option<Arc<Step>>> =
        steps(&mut first.client, &ids, 0, Layout::Together).into_iter().map(Some).collect();
    let side = FirstModel { vocab: &first.info.vocab, steps: &own, ids: &ids };
    let pieces = beside.pieces(side);
    assert_eq!(pieces.iter().map(|piece| piece.bytes).sum::<usize>(), TEXT.len());
    assert!(pieces.iter().any(|piece| piece.first.len() != piece.other.len()), "some are cut otherwise");
    let sums = sum(&pieces, &(0..ids.len()));
    // The first model has no context for its first token, and so neither sum has the first piece.
    let begin = pieces[0].clone();
    assert_eq!((sums.pieces, begin.logprobs), (pieces.len() - 1, None));
    let bos = second.settings.bos.token(&second.info.vocab);
    let theirs: Vec<TokenId> =
        bos.into_iter().chain(second.info.tokenizer.tokenize(TEXT.as_bytes(), false)).collect();
    let alone = [
        logprobs(&steps(&mut first.client, &ids, begin.first.end, Layout::Together)).iter().sum::<f64>(),
        logprobs(&steps(&mut second.client, &theirs, begin.other.end, Layout::Together)).iter().sum::<f64>(),
    ];
    assert!((sums.logprobs[0] - alone[0]).abs() < 1e-9, "{:?} {alone:?}", sums.logprobs);
    assert!(
        (sums.logprobs[1] - alone[1]).abs() / (theirs.len() as f64) < 0.1,
        "{:?} {alone:?}",
        sums.logprobs
    );
    let stats = own[5].as_ref().unwrap().stats.as_ref().unwrap();
    assert_eq!(beside.divergence(5, stats).exact(), None, "it is not defined");
}
