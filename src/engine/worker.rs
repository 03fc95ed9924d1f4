//! The engine thread: loads the model, then takes one request after the other.
//!
//! Owns every context. Says everything through the sink; holds no lock and knows no screen.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::generate::Conversation;
use super::llama::{Attention, Context, ContextParams, Model, TILE};
use super::pool::Pool;
use super::sample::sample;
use super::scorer::score;
use super::threads::Governor;
use super::{Command, EngineError, Event, LoadOptions, ModelInfo, Threads};

/// Longest sequence where nobody asks for another.
const DEFAULT_CONTEXT: u32 = 4096;
/// Most tokens of a prompt evaluated at once, between two looks at the cancel flag. More are no faster.
const LARGEST_CHUNK: usize = 128;
/// The same without flash attention, where every pair of a token and a cell takes memory.
const LARGEST_EXACT: usize = 64;
/// Memory for the logits of one chunk.
const LOGITS_BYTES: usize = 128 << 20;
/// How long the context of many sequences outlives its last request.
const IDLE: Duration = Duration::from_secs(30);

/// Loads the model and answers requests until nobody can send any more.
pub(super) fn run<S: Fn(Event)>(options: &LoadOptions, inbox: &Receiver<Command>, sink: &S) {
    let mut loaded = match Loaded::new(options, sink) {
        Ok(loaded) => loaded,
        Err(error) => return sink(Event::Failed { id: None, error }),
    };
    sink(Event::Ready(Arc::clone(&loaded.info)));
    while let Some(command) = next(inbox, &mut loaded.pool) {
        let id = command.id();
        let outcome = match command {
            Command::Generate(request) => loaded.conversation.generate(&request, sink),
            Command::Score(request) => score(&mut loaded.pool, &request, sink),
            Command::Sample(request) => sample(&mut loaded.pool, &request, sink),
        };
        sink(match outcome {
            Ok((reason, timing)) => Event::Finished { id, reason, timing },
            Err(error) => Event::Failed { id: Some(id), error },
        });
    }
}

/// Waits for a request; meanwhile a pool that nobody has used for a while gives its memory back.
fn next(inbox: &Receiver<Command>, pool: &mut Pool) -> Option<Command> {
    if pool.is_held() {
        match inbox.recv_timeout(IDLE) {
            Err(RecvTimeoutError::Timeout) => pool.release(),
            answer => return answer.ok(),
        }
    }
    inbox.recv().ok()
}

struct Loaded {
    info: Arc<ModelInfo>,
    conversation: Conversation,
    pool: Pool,
}

impl Loaded {
    fn new<S: Fn(Event)>(options: &LoadOptions, sink: &S) -> Result<Loaded, EngineError> {
        sink(Event::LoadProgress(0.0));
        let model = load_reporting(options, sink)?;
        let failed = |reason: String| EngineError::Load { path: options.path.display().to_string(), reason };
        if !model.predicts() {
            return Err(failed("this model encodes text and predicts no next token".to_string()));
        }
        let params = context_params(&model, options);
        let context = Context::new(&model, params).ok_or_else(|| {
            failed(format!(
                "llama.cpp could not make a context of {} tokens; try a smaller --ctx",
                params.cells
            ))
        })?;
        let info = Arc::new(describe(&model, options, params));
        let governor = match options.threads {
            Threads::Auto => Governor::adapting(params.threads),
            Threads::Fixed(n) => Governor::fixed(n),
        };
        let conversation = Conversation::new(Arc::clone(&model), context, governor.clone());
        Ok(Loaded { info, conversation, pool: Pool::new(model, params, governor) })
    }
}

/// llama.cpp reports progress from inside the load, on this thread; the callback must own what it
/// uses, so a channel brings the shares out.
fn load_reporting<S: Fn(Event)>(options: &LoadOptions, sink: &S) -> Result<Arc<Model>, EngineError> {
    std::thread::scope(|scope| {
        let (sender, shares) = std::sync::mpsc::channel();
        let path = &options.path;
        let cancel = &options.cancel;
        let loading = scope.spawn(move || {
            let mut last = -1;
            Model::load(path, cancel, move |share| {
                let percent = (share * 100.0) as i32;
                if percent > last {
                    last = percent;
                    let _ = sender.send(share);
                }
            })
        });
        for share in shares {
            sink(Event::LoadProgress(share));
        }
        match loading.join() {
            Ok(model) => model.map(Arc::new),
            Err(_) => Err(EngineError::Died("the model's loader failed".to_string())),
        }
    })
}

fn context_params(model: &Model, options: &LoadOptions) -> ContextParams {
    let trained = model.trained_context().max(1);
    let cells = options.context.unwrap_or_else(|| trained.min(DEFAULT_CONTEXT));
    let rows = LOGITS_BYTES / (4 * model.vocab().len().max(1));
    let most = if options.exact { LARGEST_EXACT } else { LARGEST_CHUNK };
    let chunk = rows.clamp(TILE, most) as u32;
    let threads = match options.threads {
        Threads::Fixed(n) => n.max(1),
        Threads::Auto => std::thread::available_parallelism().map_or(1, |n| n.get() as u32),
    };
    ContextParams {
        cells,
        batch: chunk,
        outputs: chunk,
        sequences: 1,
        threads,
        attention: Attention::of_conversation(options.exact),
    }
}

fn describe(model: &Arc<Model>, options: &LoadOptions, params: ContextParams) -> ModelInfo {
    ModelInfo {
        name: options.name.clone(),
        path: options.path.clone(),
        architecture: model.architecture(),
        quantization: options.about.quantization.clone().unwrap_or_else(|| model.quantization()),
        parameters: model.parameters(),
        bytes: model.bytes(),
        trained_context: model.trained_context(),
        context: params.cells,
        threads: params.threads,
        chat_template: model.chat_template(),
        vocab: Arc::clone(model.vocab()),
        tokenizer: Arc::clone(model) as Arc<dyn super::Tokenize>,
        about: Arc::clone(&options.about),
    }
}
