//! One llama.cpp context: a KV cache and the buffers of an evaluation.

use std::ffi::c_void;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};

use llama_cpp_sys_2 as sys;

use super::batch::{Batch, SeqId};
use super::eval::anatomy::{Layer, layers};
use super::eval::{Eval, Script};
use super::model::Model;
use crate::engine::protocol::{CancelFlag, EngineError};
use crate::token::TokenId;

/// Most sequences llama.cpp has ids for.
pub const MOST_SEQUENCES: u32 = 256;

/// Size and arithmetic of a context.
#[derive(Clone, Copy, Debug)]
pub struct ContextParams {
    /// Cells of the KV cache, shared by all sequences.
    pub cells: u32,
    /// Most tokens in one batch.
    pub batch: u32,
    /// Most tokens of a batch whose logits are wanted; at least as many as sequences.
    pub outputs: u32,
    /// Most sequences, at most [`MOST_SEQUENCES`].
    pub sequences: u32,
    pub threads: u32,
    /// How it attends.
    pub attention: Attention,
}

/// The arithmetic of attention. Each kernel rounds in its own way, which a quantized model turns into
/// 0.05 nat a token, as it rounds activations to eight bits (less than its distance from F32 weights).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attention {
    /// F32 cache, no flash attention: repeatable, closest to the weights, slow.
    Exact,
    /// One kernel whatever else is in the batch, token by token: a sequence has the same figures alone
    /// and beside others.
    Steady,
    /// Another kernel for 64 tokens and more at once, two and a half times as fast in a long text, and a
    /// faster one for a single token far from the beginning.
    Tiled,
}

impl Attention {
    /// A conversation's.
    pub fn of_conversation(exact: bool) -> Attention {
        if exact { Attention::Exact } else { Attention::Tiled }
    }

    /// That of many sequences in one batch. F32 weights don't amplify what the kernels round.
    pub fn of_many(exact: bool, model: &Model) -> Attention {
        match exact {
            true => Attention::Exact,
            false if model.quantization() == "F32" => Attention::Tiled,
            false => Attention::Steady,
        }
    }
}

/// What `llama_decode` returns where its abort callback stopped it.
const ABORTED: i32 = 2;

/// llama.cpp asks before every operation of a graph, on the thread that evaluates.
unsafe extern "C" fn is_stopped(data: *mut c_void) -> bool {
    // SAFETY: `data` is the context's `stop`, which outlives it.
    let flag = unsafe { &*data.cast::<AtomicPtr<CancelFlag>>() }.load(Ordering::Acquire);
    // SAFETY: not null only during `decode_until`, which borrows the flag for as long.
    unsafe { flag.as_ref() }.is_some_and(CancelFlag::is_cancelled)
}

/// Tokens from which [`Attention::Tiled`] is worth it.
pub const TILE: usize = 64;

/// Owns a `llama_context`. Not shared between threads.
pub struct Context {
    ptr: NonNull<sys::llama_context>,
    params: ContextParams,
    /// For every token of the last batch, whether it has logits.
    outputs: Vec<i8>,
    n_vocab: usize,
    /// The flag that stops the evaluation that is running; null while there is none.
    stop: Box<AtomicPtr<CancelFlag>>,
    /// Freed after the context, whose callback writes into it.
    eval: Eval,
    /// Once somebody has asked.
    layers: Option<Arc<[Layer]>>,
    /// Keeps the weights alive for as long as the context.
    model: Arc<Model>,
}

/// What one evaluation read, slot by slot; `None` where a row does not exist.
pub type Slots = Vec<Option<Vec<f32>>>;

// SAFETY: a context may be used from any one thread at a time; it is not `Sync`.
unsafe impl Send for Context {}

impl Context {
    /// Makes a context on the model's weights; `None` where llama.cpp can't (its log says why), or
    /// for sizes it would end the process over.
    pub fn new(model: &Arc<Model>, params: ContextParams) -> Option<Context> {
        Context::made(model, params, true)
    }

    /// The same without an evaluation callback, to measure what one costs that has nothing to do.
    pub fn without_callback(model: &Arc<Model>, params: ContextParams) -> Option<Context> {
        Context::made(model, params, false)
    }

    fn made(model: &Arc<Model>, params: ContextParams, callback: bool) -> Option<Context> {
        // It makes a batch no larger than the cache.
        let params = ContextParams { batch: params.batch.min(params.cells), ..params };
        let sizes = [params.cells, params.batch, params.outputs, params.sequences, params.threads];
        if sizes.contains(&0) || params.sequences > MOST_SEQUENCES || params.outputs < params.sequences {
            return None;
        }
        // SAFETY: returns a plain struct.
        let mut raw = unsafe { sys::llama_context_default_params() };
        raw.n_ctx = params.cells;
        raw.n_batch = params.batch;
        raw.n_ubatch = params.batch;
        raw.n_outputs_max = params.outputs;
        raw.n_seq_max = params.sequences;
        raw.n_threads = params.threads as i32;
        raw.n_threads_batch = params.threads as i32;
        raw.kv_unified = true;
        // A cache that keeps the whole history can be rewound on models with a sliding window.
        raw.swa_full = true;
        raw.no_perf = true;
        // Flash attention over a cache of two types takes each token's own cells, one after the other,
        // whatever else is in the batch. With one type, llama.cpp has other kernels for 64 tokens and
        // more, and for one token after 512 cells; for fewer tokens it also adds up in 16 bits then. A
        // cache in F32 gives the same figures, bit for bit, and is slower: it is cast to F16 whenever it
        // is read.
        let (flash, k, v) = match params.attention {
            Attention::Exact => (sys::LLAMA_FLASH_ATTN_TYPE_DISABLED, sys::GGML_TYPE_F32, sys::GGML_TYPE_F32),
            Attention::Steady => (sys::LLAMA_FLASH_ATTN_TYPE_AUTO, sys::GGML_TYPE_F16, sys::GGML_TYPE_BF16),
            Attention::Tiled => (sys::LLAMA_FLASH_ATTN_TYPE_AUTO, sys::GGML_TYPE_F16, sys::GGML_TYPE_F16),
        };
        raw.flash_attn_type = flash;
        raw.type_k = k;
        raw.type_v = v;
        let stop: Box<AtomicPtr<CancelFlag>> = Box::default();
        raw.abort_callback = Some(is_stopped);
        raw.abort_callback_data = ptr::from_ref(stop.as_ref()).cast_mut().cast();
        // As long as it has nothing to do it costs nothing that could be measured.
        let eval = Eval::new();
        if callback {
            (raw.cb_eval, raw.cb_eval_user_data) = eval.parts();
        }
        // SAFETY: the flag's box and the model outlive the context, which holds the one and an `Arc` of it.
        let ptr = unsafe { sys::llama_init_from_model(model.as_ptr(), raw) };
        let n_vocab = model.vocab().len();
        NonNull::new(ptr).map(|ptr| Context {
            ptr,
            params,
            outputs: Vec::new(),
            n_vocab,
            stop,
            eval,
            layers: None,
            model: Arc::clone(model),
        })
    }

    /// Evaluates a batch, doing what the script says on the way, unless the flag stops it; `false`: it was
    /// stopped, and the cache holds nothing of it.
    ///
    /// # Errors
    /// Those of [`Context::decode_by`].
    pub fn decode_until(
        &mut self,
        batch: &Batch,
        script: Script,
        stop: &CancelFlag,
    ) -> Result<bool, EngineError> {
        self.stop.store(ptr::from_ref(stop).cast_mut(), Ordering::Release);
        let outcome = self.decode_by(batch, script);
        self.stop.store(ptr::null_mut(), Ordering::Release);
        match outcome {
            Err(EngineError::Decode(ABORTED)) => Ok(false),
            other => other.map(|_| true),
        }
    }

    /// The model it is of.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// What the context was made with.
    pub fn params(&self) -> ContextParams {
        self.params
    }

    /// Evaluates a batch.
    ///
    /// # Errors
    /// [`EngineError::TooLong`] where the cache has no room, [`EngineError::Decode`] for anything else
    /// llama.cpp refuses. The cache then holds what it held before.
    pub fn decode(&mut self, batch: &Batch) -> Result<(), EngineError> {
        self.outputs.clear();
        if !self.accepts(batch) {
            return Err(EngineError::Decode(-1));
        }
        let mut sequences = batch.sequences.clone();
        let mut offset = 0;
        let mut pointers: Vec<*mut i32> = Vec::with_capacity(batch.len());
        for &count in &batch.counts {
            pointers.push(sequences[offset..].as_mut_ptr());
            offset += count as usize;
        }
        let raw = sys::llama_batch {
            n_tokens: batch.len() as i32,
            token: batch.tokens.as_ptr().cast_mut(),
            embd: std::ptr::null_mut(),
            pos: batch.positions.as_ptr().cast_mut(),
            n_seq_id: batch.counts.as_ptr().cast_mut(),
            seq_id: pointers.as_mut_ptr(),
            logits: batch.outputs.as_ptr().cast_mut(),
        };
        // SAFETY: every array has `n_tokens` entries, every `seq_id[i]` points to `n_seq_id[i]` ids,
        // all bounds were checked above, and llama.cpp reads the arrays only during the call.
        match unsafe { sys::llama_decode(self.ptr.as_ptr(), raw) } {
            0 => {
                self.outputs.extend_from_slice(&batch.outputs);
                Ok(())
            }
            1 => Err(EngineError::TooLong { needed: batch.len(), context: self.params.cells as usize }),
            code => Err(EngineError::Decode(code)),
        }
    }

    /// Evaluates a batch and does what the script says on the way.
    ///
    /// # Errors
    /// Those of [`Context::decode`], and [`EngineError::Graph`] where the script can't be followed.
    pub fn decode_by(&mut self, batch: &Batch, script: Script) -> Result<Slots, EngineError> {
        self.eval.follow(script, &batch.outputs);
        let outcome = self.decode(batch);
        let (_, slots, error) = self.eval.finish();
        outcome?;
        error.map_or(Ok(slots), |what| Err(EngineError::Graph(what)))
    }

    /// What each layer of the model's graph has, found once by evaluating one token after the `length`
    /// positions of the first sequence, which the cache must be able to take back.
    ///
    /// # Errors
    /// Those of [`Context::decode`].
    pub fn anatomy(&mut self, length: usize) -> Result<Arc<[Layer]>, EngineError> {
        if let Some(known) = &self.layers {
            return Ok(Arc::clone(known));
        }
        let mut batch = Batch::default();
        batch.push(TokenId(0), length, &[SeqId(0)], true);
        self.eval.survey();
        let outcome = self.decode(&batch);
        let (nodes, ..) = self.eval.finish();
        outcome?;
        self.rewind(SeqId(0), length);
        Ok(Arc::clone(self.layers.insert(layers(&nodes, self.model.layers()).into())))
    }

    /// What llama.cpp asserts, and what it would read out of bounds.
    fn accepts(&self, batch: &Batch) -> bool {
        let in_vocab = |&token: &i32| token >= 0 && (token as usize) < self.n_vocab;
        let in_cache = |&seq: &i32| seq >= 0 && (seq as u32) < self.params.sequences;
        !batch.is_empty()
            && batch.len() <= self.params.batch as usize
            && batch.outputs() <= self.params.outputs as usize
            && batch.tokens.iter().all(in_vocab)
            && batch.counts.iter().all(|&count| count > 0)
            && batch.sequences.iter().all(in_cache)
    }

    /// The raw logits after the i-th token of the last batch, one per token of the vocabulary; `None`
    /// where they were not asked for.
    pub fn logits(&self, index: usize) -> Option<&[f32]> {
        if self.outputs.get(index).is_none_or(|&wanted| wanted == 0) {
            return None;
        }
        // SAFETY: logits were asked for at this index of the last batch.
        let row = unsafe { sys::llama_get_logits_ith(self.ptr.as_ptr(), index as i32) };
        if row.is_null() {
            return None;
        }
        // SAFETY: a row has one entry per token and stays valid until the next decode, which needs
        // `&mut self`.
        Some(unsafe { std::slice::from_raw_parts(row, self.n_vocab) })
    }

    /// Removes positions `from..` of a sequence. `false`: the model's cache can't be rewound, and must
    /// be cleared.
    pub fn rewind(&mut self, seq: SeqId, from: usize) -> bool {
        // SAFETY: the context is valid; a sequence id in range is all the call asks for.
        seq.0 < self.params.sequences
            && unsafe { sys::llama_memory_seq_rm(self.memory(), seq.0 as i32, from as i32, -1) }
    }

    /// Lets `to` share positions `0..end` of `from`.
    pub fn share(&mut self, from: SeqId, to: SeqId, end: usize) {
        if from.0 < self.params.sequences && to.0 < self.params.sequences {
            // SAFETY: ids in range, and the cache is unified, where copying is only metadata.
            unsafe { sys::llama_memory_seq_cp(self.memory(), from.0 as i32, to.0 as i32, 0, end as i32) };
        }
    }

    /// Forgets every sequence but this one.
    pub fn keep_only(&mut self, seq: SeqId) {
        if seq.0 < self.params.sequences {
            // SAFETY: the context is valid and the id in range.
            unsafe { sys::llama_memory_seq_keep(self.memory(), seq.0 as i32) };
        }
    }

    /// Forgets every sequence.
    pub fn clear(&mut self) {
        // SAFETY: the context is valid.
        unsafe { sys::llama_memory_clear(self.memory(), false) };
    }

    fn memory(&self) -> sys::llama_memory_t {
        // SAFETY: the context is valid.
        unsafe { sys::llama_get_memory(self.ptr.as_ptr()) }
    }

    /// Changes the number of threads from the next evaluation on.
    pub fn set_threads(&mut self, threads: u32) {
        if threads != self.params.threads {
            self.params.threads = threads;
            // SAFETY: the context is valid.
            unsafe { sys::llama_set_n_threads(self.ptr.as_ptr(), threads as i32, threads as i32) };
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: owned, and freed once.
        unsafe { sys::llama_free(self.ptr.as_ptr()) };
    }
}
