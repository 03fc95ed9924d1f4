//! A loaded model: weights, vocabulary, tokenizer, description.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::token_type::LlamaTokenAttr;
use llama_cpp_sys_2 as sys;

use super::backend::backend;
use crate::engine::protocol::{CancelFlag, EngineError, Tokenize};
use crate::grammar::mask::TokenTable;
use crate::token::{SpecialTokens, TokenId, Vocab, VocabEntry};

/// Models that are loaded, by their files.
static LOADED: Mutex<Vec<(PathBuf, Weak<Model>)>> = Mutex::new(Vec::new());

/// Weights and vocabulary. Shared by every context made from it.
pub struct Model {
    inner: LlamaModel,
    vocab: Arc<Vocab>,
    /// The vocabulary as constraints need it, made when the first one does.
    table: OnceLock<Result<TokenTable, String>>,
}

impl Model {
    /// Loads a GGUF file that [`crate::model`] has checked. `progress` is told the share loaded.
    ///
    /// # Errors
    /// [`EngineError::Load`], or [`EngineError::LoadCancelled`] once the flag is up.
    pub fn load(
        path: &std::path::Path,
        cancel: &CancelFlag,
        mut progress: impl FnMut(f32) + 'static,
    ) -> Result<Model, EngineError> {
        let failed =
            |reason: &str| EngineError::Load { path: path.display().to_string(), reason: reason.to_string() };
        let backend = backend().ok_or_else(|| failed("llama.cpp did not start; its log says why"))?;
        let flag = cancel.clone();
        let params = LlamaModelParams::default().with_progress_callback(move |share| {
            progress(share);
            !flag.is_cancelled()
        });
        if !path.exists() {
            return Err(failed("there is no such file"));
        }
        let inner = LlamaModel::load_from_file(backend, path, &params).map_err(|error| {
            if cancel.is_cancelled() {
                EngineError::LoadCancelled
            } else {
                failed(&format!("llama.cpp could not load it ({error}); its log says why"))
            }
        })?;
        let vocab = Arc::new(read_vocab(&inner));
        Ok(Model { inner, vocab, table: OnceLock::new() })
    }

    /// Loads the vocabulary alone, which is all that tokenizing needs and all that some files hold.
    /// No context can be made from it.
    ///
    /// # Errors
    /// [`EngineError::Load`].
    pub fn load_vocabulary(path: &std::path::Path) -> Result<Model, EngineError> {
        let failed =
            |reason: &str| EngineError::Load { path: path.display().to_string(), reason: reason.to_string() };
        let backend = backend().ok_or_else(|| failed("llama.cpp did not start; its log says why"))?;
        let params = LlamaModelParams::default().with_vocab_only(true);
        let inner = LlamaModel::load_from_file(backend, path, &params).map_err(|error| {
            failed(&format!("llama.cpp could not load its vocabulary ({error}); its log says why"))
        })?;
        let vocab = Arc::new(read_vocab(&inner));
        Ok(Model { inner, vocab, table: OnceLock::new() })
    }

    /// The model, for whoever else in this process wants that file as long as it is loaded.
    pub fn at_hand(self, path: &Path) -> Arc<Model> {
        let model = Arc::new(self);
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.retain(|(_, model)| model.strong_count() > 0);
        loaded.push((path.to_path_buf(), Arc::downgrade(&model)));
        model
    }

    /// The model of this file, where it is loaded already.
    pub fn loaded(path: &Path) -> Option<Arc<Model>> {
        let loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.iter().filter(|(other, _)| other == path).find_map(|(_, model)| model.upgrade())
    }

    /// The raw model. llama.cpp changes it only while contexts are made, which one thread does.
    pub(super) fn as_ptr(&self) -> *mut sys::llama_model {
        let transparent: *const LlamaModel = &self.inner;
        // SAFETY: `LlamaModel` is `repr(transparent)` over a non-null pointer to the model.
        unsafe { *transparent.cast::<*mut sys::llama_model>() }
    }

    pub(super) fn inner(&self) -> &LlamaModel {
        &self.inner
    }

    /// Every token's bytes and attributes.
    pub fn vocab(&self) -> &Arc<Vocab> {
        &self.vocab
    }

    /// The vocabulary as constraints need it.
    pub(super) fn table(&self) -> Result<&TokenTable, EngineError> {
        let table = self.table.get_or_init(|| TokenTable::new(&self.vocab));
        table.as_ref().map_err(|what| EngineError::Grammar(what.clone()))
    }

    /// Context the model was trained with.
    pub fn trained_context(&self) -> u32 {
        self.inner.n_ctx_train()
    }

    /// Number of layers.
    pub fn layers(&self) -> usize {
        // SAFETY: the model is valid.
        usize::try_from(unsafe { sys::llama_model_n_layer(self.as_ptr()) }).unwrap_or(0)
    }

    /// Elements of the residual stream.
    pub fn width(&self) -> usize {
        // SAFETY: the model is valid.
        usize::try_from(unsafe { sys::llama_model_n_embd(self.as_ptr()) }).unwrap_or(0)
    }

    /// Number of heads of attention in the first layer.
    pub fn heads(&self) -> usize {
        // SAFETY: the model is valid.
        usize::try_from(unsafe { sys::llama_model_n_head(self.as_ptr()) }).unwrap_or(0)
    }

    /// Elements that a layer's cache holds for a position: keys and values of its heads, as far as the file
    /// says.
    pub fn cache_width(&self) -> usize {
        // SAFETY: the model is valid.
        let heads = usize::try_from(unsafe { sys::llama_model_n_head_kv(self.as_ptr()) }).unwrap_or(0);
        let usual = self.width().checked_div(self.heads()).unwrap_or(0);
        let length = |of: &str| {
            let name = format!("{}.attention.{of}_length", self.architecture());
            self.inner.meta_val_str(&name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
        };
        heads * (length("key") + length("value"))
    }

    /// Number of weights.
    pub fn parameters(&self) -> u64 {
        self.inner.n_params()
    }

    /// Architecture, as GGUF names it.
    pub fn architecture(&self) -> String {
        self.inner.meta_val_str("general.architecture").unwrap_or_default()
    }

    /// Quantization, as llama.cpp names it, without its remark (`Q4_K_M`).
    pub fn quantization(&self) -> String {
        // SAFETY: the model is valid; the name is a static string.
        let name = unsafe {
            let ftype = sys::llama_model_ftype(self.as_ptr());
            let name = sys::llama_ftype_name(ftype);
            if name.is_null() {
                return "unknown".to_string();
            }
            std::ffi::CStr::from_ptr(name)
        };
        short_quantization(&name.to_string_lossy())
    }

    /// The chat template inside the file.
    pub fn chat_template(&self) -> Option<String> {
        self.inner.chat_template(None).ok().and_then(|template| template.to_string().ok())
    }

    /// Whether its cache holds one entry per position, which sequences can share and which can be
    /// taken back; a recurrent model has a state instead, or beside it.
    pub fn has_plain_cache(&self) -> bool {
        // SAFETY: the model is valid.
        unsafe { !sys::llama_model_is_recurrent(self.as_ptr()) && !sys::llama_model_is_hybrid(self.as_ptr()) }
    }

    /// Whether there is anything to run: an encoder alone has no next token.
    pub fn predicts(&self) -> bool {
        // SAFETY: the model is valid.
        unsafe { sys::llama_model_has_decoder(self.as_ptr()) }
    }
}

/// llama.cpp says `Q4_K - Medium` where everybody writes `Q4_K_M`.
fn short_quantization(name: &str) -> String {
    let name = name.trim_start_matches("(guessed) ");
    let base = name.split(" (").next().unwrap_or(name).trim();
    base.replace(" - Small", "_S").replace(" - Medium", "_M").replace(" - Large", "_L").replace("all ", "")
}

impl Tokenize for Model {
    fn tokenize(&self, text: &[u8], parse_special: bool) -> Vec<TokenId> {
        if text.is_empty() {
            return Vec::new();
        }
        let work = || {
            let ids = self.inner.vocab().tokenize(text, false, parse_special);
            ids.into_iter().map(|LlamaToken(id)| TokenId(id as u32)).collect()
        };
        with_stack_for(longest_run(text), work)
    }
}

/// llama.cpp cuts the texts of many vocabularies with `std::regex`, which recurses at every character of
/// a match: 340 bytes of stack were measured.
const STACK_OF_BYTE: usize = 512;
/// A run that every thread's stack holds.
const SHORT_RUN: usize = 2048;
/// More is not to be had everywhere; a longer run ends the process, as a smaller stack would.
const MOST_STACK: usize = 4 << 30;

/// Longest stretch of bytes that are all ASCII white space, or all something else: no match is much
/// longer.
fn longest_run(text: &[u8]) -> usize {
    let runs = text.chunk_by(|a, b| a.is_ascii_whitespace() == b.is_ascii_whitespace());
    runs.map(<[u8]>::len).max().unwrap_or_default()
}

fn with_stack_for<T: Send>(run: usize, work: impl Fn() -> T + Sync) -> T {
    if run <= SHORT_RUN {
        return work();
    }
    let size = run.saturating_mul(STACK_OF_BYTE).saturating_add(8 << 20).min(MOST_STACK);
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("tokenize".to_string()).stack_size(size);
        match thread.spawn_scoped(scope, &work) {
            Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            // Without memory for it, the text may do with less.
            Err(_) => work(),
        }
    })
}

fn read_vocab(model: &LlamaModel) -> Vocab {
    let source = model.vocab();
    let known = |token: LlamaToken| (token.0 >= 0).then_some(TokenId(token.0 as u32));
    let special = SpecialTokens {
        bos: known(source.bos()),
        eos: known(source.eos()),
        add_bos: source.should_add_bos(),
    };
    let entries = source.tokens().map(|token| {
        let attributes = source.attr(token);
        VocabEntry {
            bytes: source.token_to_piece(token, true, None),
            control: source.is_control(token),
            user_defined: attributes.contains(LlamaTokenAttr::UserDefined),
            ends_generation: source.is_eog(token),
            strips_left: attributes.contains(LlamaTokenAttr::LStrip),
            strips_right: attributes.contains(LlamaTokenAttr::RStrip),
        }
    });
    Vocab::new(entries, special)
}

#[cfg(test)]
mod tests {
    use super::{longest_run, short_quantization};

    #[test]
    fn a_run_is_all_white_space_or_none() {
        assert_eq!(longest_run(b"ab  \n cde f"), 4);
        assert_eq!(longest_run(b"abc\n"), 3);
        assert_eq!(longest_run(b""), 0);
    }

    #[test]
    fn quantizations_are_named_as_people_write_them() {
        assert_eq!(short_quantization("Q4_1"), "Q4_1");
        assert_eq!(short_quantization("Q4_K - Medium"), "Q4_K_M");
        assert_eq!(short_quantization("all F32"), "F32");
        assert_eq!(short_quantization("(guessed) Q8_0"), "Q8_0");
    }
}
