//! A model's vocabulary without its weights: all that tokenizing needs, and all that some files hold.

use std::path::Path;
use std::sync::Arc;

use super::gives::Gives;
use super::llama::Model;
use super::protocol::{EngineError, ModelInfo, Tokenize};
use crate::model::gguf::Gguf;
use crate::model::{About, Reason, WeightsInForce};

/// Loads the vocabulary of a file that [`crate::model`] has checked for this purpose. What only a
/// running model has is zero: context, threads, weights.
///
/// # Errors
/// [`EngineError::Load`].
pub fn load(path: &Path, name: &str) -> Result<ModelInfo, EngineError> {
    let model = Arc::new(Model::load_vocabulary(path)?);
    Ok(ModelInfo {
        name: name.to_string(),
        path: path.to_path_buf(),
        architecture: model.architecture(),
        quantization: model.quantization(),
        parameters: 0,
        layers: 0,
        heads: 0,
        width: 0,
        context: 0,
        gives: Gives::NOTHING,
        threads: 0,
        chat_template: model.chat_template(),
        vocab: Arc::clone(model.vocab()),
        tokenizer: model as Arc<dyn Tokenize>,
        about: Arc::new(About { weights: WeightsInForce::as_is(Reason::Vocabulary), ..About::default() }),
    })
}

/// A model's file without its weights, for those who tokenize elsewhere.
///
/// # Errors
/// [`EngineError::Load`].
pub fn file_without_weights(path: &Path) -> Result<Vec<u8>, EngineError> {
    let failed = |reason: String| EngineError::Load { path: path.display().to_string(), reason };
    let gguf = Gguf::read(path).map_err(|error| failed(error.fault.to_string()))?;
    gguf.without_tensors().map_err(|error| failed(error.to_string()))
}
