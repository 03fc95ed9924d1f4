//! Answers as they are sent: OpenAI's envelope around choices.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;
use serde_json::Value;

use super::error::ApiError;
use super::records::{CompletionLogprobs, PromptLogprobs};
use super::server::{Server, now};
use crate::report::record::{Provenance, StepRecord};

/// An answer, or a chunk of one.
#[derive(Serialize)]
pub(super) struct ApiAnswer<C> {
    pub id: String,
    pub object: &'static str,
    pub created: u64,
    pub model: String,
    pub system_fingerprint: String,
    pub choices: Vec<C>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Value>,
    /// Where the figures come from; in the last chunk of a stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
}

impl<C> ApiAnswer<C> {
    pub fn new(server: &Server, id: String, object: &'static str) -> ApiAnswer<C> {
        ApiAnswer {
            id,
            object,
            created: now(),
            model: server.served.model.name.clone(),
            system_fingerprint: server.fingerprint(),
            choices: Vec::new(),
            usage: None,
            provenance: None,
        }
    }
}

/// A choice of `/v1/completions`.
#[derive(Default, Serialize)]
pub(super) struct CompletionChoice<'a> {
    pub index: usize,
    pub text: String,
    pub logprobs: Option<CompletionLogprobs>,
    pub finish_reason: Option<&'static str>,
    pub stop_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_logprobs: Option<PromptLogprobs<'a>>,
}

/// A choice of `/v1/chat/completions`; a chunk has `delta` in the place of `message`.
#[derive(Default, Serialize)]
pub(super) struct ChatChoice {
    pub index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<ChatMessage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delta: Option<ChatMessage>,
    pub logprobs: Option<ChatLogprobs>,
    pub finish_reason: Option<&'static str>,
    pub stop_reason: Option<String>,
}

/// What is said.
#[derive(Default, Serialize)]
pub(super) struct ChatMessage {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}

/// `logprobs` of a chat's choice.
#[derive(Default, Serialize)]
pub(super) struct ChatLogprobs {
    pub content: Vec<StepRecord>,
}

/// An answer in JSON.
pub(super) fn answered(value: impl Serialize) -> Result<Response, ApiError> {
    let body = serde_json::to_vec(&value)
        .map_err(|error| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    let mut response = Response::new(Body::from(body));
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

/// An answer that is text of this kind.
pub(super) fn plain(kind: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// An answer that is bytes.
pub(super) fn binary(bytes: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(bytes));
    let kind = HeaderValue::from_static("application/octet-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
