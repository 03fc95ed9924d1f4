use thiserror::Error;
/// X
#[derive(Debug, Error)]
#[error("x")]
pub struct SpecError;
