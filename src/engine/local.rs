//! The llama.cpp backend: a model with the conversation's context and the pool of many sequences.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::backend::{Backend, Others, RequestOutcome, Sink};
use super::cross::{OwnModel, Reference};
use super::follow::Follower;
use super::generate::CachedConversation;
use super::gives::Gives;
use super::growth::Growth;
use super::inspect::Inspector;
use super::lanes::Lanes;
use super::llama::{Attention, Context, ContextParams, Model, TILE, Tokenizer};
use super::pool::Pool;
use super::protocol::{
    Command, EngineError, Event, FinishReason, GivesWay, LoadOptions, ModelInfo, Threads, Timing,
};
use super::sample::sample;
use super::scorer::score;
use super::threads::Governor;

/// Longest sequence where nobody asks for another.
const DEFAULT_CONTEXT: u32 = 4096;
/// Most tokens of a prompt evaluated at once. More are no faster.
const LARGEST_CHUNK: usize = 512;
/// The same without flash attention, where every pair of a token and a cell takes memory.
const LARGEST_EXACT: usize = 64;
/// Branches of the conversation whose cells are kept.
const BRANCHES: u32 = 8;
/// How long after a round the next one is waited for.
const NEXT_ROUND: Duration = Duration::from_millis(2);
/// Memory for the logits of one chunk.
const LOGITS_BYTES: usize = 128 << 20;

/// A model that llama.cpp runs on this machine.
pub(super) struct Local {
    info: Arc<ModelInfo>,
    tokenizer: Arc<Tokenizer>,
    model: Arc<Model>,
    params: ContextParams,
    governor: Governor,
    /// Made when the first reply is asked for: a question that is scored needs no room for one.
    conversation: Option<CachedConversation>,
    /// The same with edges of attention cut.
    cut: Option<CachedConversation>,
    pool: Pool,
    /// For what gives way to all others: they may come between two of its batches.
    aside: Pool,
    lanes: Lanes,
    growth: Growth,
    inspector: Inspector,
    reference: Reference,
    follower: Follower,
}

impl Local {
    /// Loads a model.
    ///
    /// # Errors
    /// Why it can't be had.
    pub fn load(options: &LoadOptions, sink: Sink) -> Result<Local, EngineError> {
        sink(Event::LoadProgress(0.0));
        let model = load_reporting(options, sink)?;
        let failed = |reason: String| EngineError::Load { path: options.path.display().to_string(), reason };
        if !model.predicts() {
            return Err(failed("this model encodes text and predicts no next token".to_string()));
        }
        let params = context_params(&model, options);
        let tokenizer = Arc::new(Tokenizer::of(&model));
        let info = Arc::new(describe(&model, &tokenizer, options, params));
        let governor = match options.threads {
            Threads::Auto => Governor::adapting(params.threads),
            Threads::Fixed(n) => Governor::fixed(n),
        };
        let inspector = Inspector::new(Arc::clone(&model), params.cells as usize, governor.clone());
        let pool = || Pool::new(Arc::clone(&model), params, governor.clone());
        let (pool, aside) = (pool(), pool());
        let lanes = Lanes::new(Arc::clone(&model), params, governor.clone());
        let growth = Growth::new(Arc::clone(&model), params, governor.clone());
        let follower = Follower::new(Arc::clone(&model), params, governor.clone());
        Ok(Local {
            info,
            tokenizer,
            model,
            params,
            governor,
            conversation: None,
            cut: None,
            pool,
            aside,
            lanes,
            growth,
            inspector,
            reference: Reference::default(),
            follower,
        })
    }

    /// The conversation. Edges of attention can be cut without flash attention only: a reply with such has a cache
    /// of its own, beside which the other one stays as it is.
    fn conversation(&mut self, edges: bool) -> Result<&mut CachedConversation, EngineError> {
        let most = LARGEST_EXACT as u32;
        let apart = edges && self.params.attention != Attention::Exact;
        let params = match apart {
            true => ContextParams {
                attention: Attention::Exact,
                batch: self.params.batch.min(most),
                outputs: self.params.outputs.min(most),
                ..self.params
            },
            false => self.params,
        };
        let slot = if apart { &mut self.cut } else { &mut self.conversation };
        let conversation = match slot.take() {
            Some(conversation) => conversation,
            None => {
                // A state can't be shared, and repeatable arithmetic begins with an empty cache.
                let sequences = branches(&self.model, params.attention);
                let params = ContextParams { sequences, ..params };
                let context = Context::new(&self.model, params).ok_or_else(|| EngineError::Load {
                    path: self.info.path.display().to_string(),
                    reason: format!(
                        "llama.cpp could not make a context of {} tokens; try a smaller --ctx",
                        self.params.cells
                    ),
                })?;
                CachedConversation::new(Arc::clone(&self.model), context, self.governor.clone())
            }
        };
        Ok(slot.insert(conversation))
    }
}

impl Backend for Local {
    fn info(&self) -> &Arc<ModelInfo> {
        &self.info
    }

    fn run(&mut self, command: &Command, sink: Sink) -> RequestOutcome {
        match command {
            Command::Generate(request) => {
                self.conversation(request.in_force.has_edge())?.generate(request, sink)
            }
            Command::Siblings(request) => {
                self.conversation(request.first.in_force.has_edge())?.siblings(request, sink)
            }
            Command::Forget(request) => {
                let both = self.conversation.iter_mut().chain(&mut self.cut);
                both.for_each(|conversation| conversation.forget(&request.path, request.keep));
                Ok((FinishReason::Stop, Timing::default()))
            }
            Command::Score(request) if self.follower.takes(request) => self.follower.score(request, sink),
            Command::Score(request) => score(&mut self.pool, request, sink, &mut |_| {}),
            Command::Sample(request) => sample(&mut self.pool, request, sink),
            Command::Frontier(request) => self.growth.answer(request, sink),
            Command::Round(request) => self.lanes.round(request, sink),
            Command::Inspect(request) => self.inspector.inspect(request, sink),
            Command::Row(request) => self.conversation(request.in_force.has_edge())?.row(request, sink),
            Command::CrossEntropy(request) => {
                let own = OwnModel { model: &self.model, info: &self.info, governor: &self.governor };
                self.reference.compare(own, self.params, request, sink)
            }
        }
    }

    fn run_beside(&mut self, command: &Command, sink: Sink, others: &mut dyn Others) -> RequestOutcome {
        let Command::Score(request) = command else { return self.run(command, sink) };
        let Local { pool, aside, lanes, .. } = self;
        match request.gives_way {
            GivesWay::Never => self.run(command, sink),
            GivesWay::ToReplies => score(pool, request, sink, &mut |took| rounds(lanes, others, took)),
            GivesWay::ToAll => score(aside, request, sink, &mut |took| {
                rounds(lanes, others, took);
                if let Some(other) = others.next(is_short_scoring, Duration::ZERO)
                    && let Command::Score(short) = other.command.as_ref()
                {
                    let between = &mut |took| rounds(lanes, others, took);
                    other.end(score(pool, short, &other.tell, between));
                }
            }),
        }
    }

    fn idle(&mut self) {
        self.cut = None;
        self.pool.release();
        self.aside.release();
        self.lanes.release();
        self.growth.release();
        self.reference.release();
        self.inspector.release();
        self.follower.release();
    }
}

impl Drop for Local {
    /// Whoever still holds what the model was can go on tokenizing; the weights go.
    fn drop(&mut self) {
        // The backend's own two: here, and in the description.
        if Arc::strong_count(&self.info) > 1 || Arc::strong_count(&self.tokenizer) > 2 {
            self.tokenizer.keep_vocabulary(&self.info.path);
        }
    }
}

/// Rounds of the replies that are being written, for as long as a batch of something else took.
fn rounds(lanes: &mut Lanes, others: &mut dyn Others, took: Duration) {
    let begun = Instant::now();
    loop {
        let patience = if lanes.are_busy() { NEXT_ROUND } else { Duration::ZERO };
        let next = others.next(|command| matches!(command, Command::Round(_)), patience);
        let Some(other) = next else { return };
        let Command::Round(round) = other.command.as_ref() else { return };
        other.end(lanes.round(round, &other.tell));
        if begun.elapsed() >= took {
            return;
        }
    }
}

fn is_short_scoring(command: &Command) -> bool {
    matches!(command, Command::Score(request) if request.gives_way == GivesWay::ToReplies)
}

/// llama.cpp reports progress from inside the load, on this thread; the callback must own what it
/// uses, so a channel brings the shares out.
fn load_reporting(options: &LoadOptions, sink: Sink) -> Result<Arc<Model>, EngineError> {
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
            Ok(model) => model.map(|model| model.at_hand(path)),
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

/// Sequences of a conversation.
fn branches(model: &Model, attention: Attention) -> u32 {
    if model.has_plain_cache() && attention != Attention::Exact { BRANCHES } else { 1 }
}

fn describe(
    model: &Model,
    tokenizer: &Arc<Tokenizer>,
    options: &LoadOptions,
    params: ContextParams,
) -> ModelInfo {
    ModelInfo {
        name: options.name.clone(),
        path: options.path.clone(),
        architecture: model.architecture(),
        quantization: options.about.quantization.clone().unwrap_or_else(|| model.quantization()),
        parameters: model.parameters(),
        layers: model.layers(),
        heads: model.heads(),
        width: model.width(),
        context: params.cells,
        gives: Gives { beside: branches(model, params.attention) as usize, ..Gives::EVERYTHING },
        threads: params.threads,
        chat_template: model.chat_template(),
        vocab: Arc::clone(model.vocab()),
        tokenizer: Arc::clone(tokenizer) as Arc<dyn super::protocol::Tokenize>,
        about: Arc::clone(&options.about),
    }
}
