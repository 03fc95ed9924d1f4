//! Errors as OpenAI's clients read them: `{"error":{"message","type","param","code"}}` and a status.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use serde_json::{Value, json};

use crate::engine::EngineError;
use crate::query::QueryError;
use crate::query::text::TextError;
use crate::token::printable;

/// Bytes of a message that are shown.
const LONGEST: usize = 1000;

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ApiError {
    pub status: StatusCode,
    message: String,
    /// The field that is wrong.
    param: Option<String>,
    code: Option<&'static str>,
}

impl ApiError {
    pub fn new(status: StatusCode, message: impl Into<String>) -> ApiError {
        ApiError { status, message: message.into(), param: None, code: None }
    }

    /// Bad input.
    pub fn bad(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, message)
    }

    /// Bad input in one field.
    pub fn field(name: &str, what: impl std::fmt::Display) -> ApiError {
        ApiError { param: Some(name.to_string()), ..ApiError::bad(format!("\"{name}\" {what}")) }
    }

    /// The same with another status.
    pub fn with(self, status: StatusCode) -> ApiError {
        ApiError { status, ..self }
    }

    pub fn code(self, code: &'static str) -> ApiError {
        ApiError { code: Some(code), ..self }
    }

    /// Nobody can be asked any more.
    pub fn stopping() -> ApiError {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "the server is stopping").code("stopping")
    }

    /// As a client reads it.
    pub fn body(&self) -> Value {
        let kind = match self.status.as_u16() {
            401 => "authentication_error",
            403 => "permission_error",
            503 => "overloaded_error",
            400..=499 => "invalid_request_error",
            _ => "server_error",
        };
        let mut message = printable(&self.message).replace('\n', " ");
        if message.len() > LONGEST {
            let end = (0..=LONGEST).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
            message.truncate(end);
            message.push('…');
        }
        json!({"error": {"message": message, "type": kind, "param": self.param, "code": self.code}})
    }

    pub fn response(&self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body().to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        match self.status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response<Body> {
        self.response()
    }
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> ApiError {
        let message = error.to_string();
        match error {
            EngineError::TooLong { needed, context } => ApiError::bad(format!(
                "{needed} tokens do not fit into the context of {context}: shorten the prompt or start the server with a larger --ctx"
            ))
            .code("context_length_exceeded"),
            EngineError::Empty => ApiError::field(
                "prompt",
                "has no token to start from: this model puts no BOS before a text, so give some",
            ),
            EngineError::Grammar(_) => ApiError::bad(message),
            EngineError::Intervention(_) | EngineError::Vocabulary { .. } => ApiError::bad(message),
            _ => ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, message),
        }
    }
}

impl From<TextError> for ApiError {
    fn from(error: TextError) -> ApiError {
        match error {
            TextError::Interrupted => ApiError::stopping(),
            TextError::Died(_) | TextError::Lost(_) => {
                ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
            }
            _ => ApiError::bad(error.to_string()),
        }
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> ApiError {
        match error {
            QueryError::Stopped => ApiError::stopping(),
            QueryError::Engine(error) => error.into(),
            QueryError::Text(error) => error.into(),
            QueryError::Chat(_) | QueryError::Refused(_) => ApiError::bad(error.to_string()),
        }
    }
}
