//! llama.cpp's own quantizer, used to write a model's weights in a plain format.
//!
//! It reports no progress, can't be cancelled and ends the process where it fails: run it in a child.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use llama_cpp_sys_2 as sys;

use super::backend::backend;
use crate::engine::protocol::EngineError;
use crate::model::Weights;

/// Writes `source` again as `target` with every matrix in one format. Norms and biases stay F32.
///
/// # Errors
/// [`EngineError::Load`] where llama.cpp refuses; its log says why.
pub fn convert(source: &Path, target: &Path, weights: Weights) -> Result<(), EngineError> {
    let failed =
        |reason: &str| EngineError::Load { path: source.display().to_string(), reason: reason.to_string() };
    let (ftype, kind) = match weights {
        Weights::AsIs => return Err(failed("there is nothing to convert")),
        Weights::F32 => (sys::LLAMA_FTYPE_ALL_F32, sys::GGML_TYPE_F32),
        Weights::F16 => (sys::LLAMA_FTYPE_MOSTLY_F16, sys::GGML_TYPE_F16),
        Weights::Bf16 => (sys::LLAMA_FTYPE_MOSTLY_BF16, sys::GGML_TYPE_BF16),
    };
    backend().ok_or_else(|| failed("llama.cpp did not start"))?;
    let path =
        |path: &Path| CString::new(path.as_os_str().as_bytes()).map_err(|_| failed("its path holds a NUL"));
    let (source, target) = (path(source)?, path(target)?);
    // SAFETY: returns a plain struct.
    let mut params = unsafe { sys::llama_model_quantize_default_params() };
    params.ftype = ftype;
    params.output_tensor_type = kind;
    params.token_embedding_type = kind;
    params.allow_requantize = true;
    params.pure_ = true;
    // SAFETY: both paths are NUL-terminated, the parameters are complete.
    match unsafe { sys::llama_model_quantize(source.as_ptr(), target.as_ptr(), &raw const params) } {
        0 => Ok(()),
        code => Err(failed(&format!("llama.cpp could not convert it (code {code})"))),
    }
}
