//! Which path is answered by whom.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::json;

use super::answer::{answered, binary, plain};
use super::error::ApiError;
use super::server::Server;
use super::{chat, completions, guard, page, score, tokens};
use crate::engine::vocabulary;

/// Every path there is, with who may use it before.
pub(super) fn router(server: Arc<Server>) -> Router {
    Router::new()
        .route("/", get(page::page))
        .route("/health", get(health))
        .route("/metrics", get(metrics))
        .route("/v1/models", get(models))
        .route("/v1/models/{name}", get(model))
        .route("/v1/completions", post(completions::answer))
        .route("/v1/chat/completions", post(chat::answer))
        .route("/v1/score", post(score::answer))
        .route("/tokenize", post(tokens::tokenize))
        .route("/detokenize", post(tokens::detokenize))
        .route("/tokenizer_info", get(tokens::info))
        .route("/apply-template", post(tokens::apply))
        .route("/vocabulary.gguf", get(vocabulary))
        .fallback(nowhere)
        .method_not_allowed_fallback(otherwise)
        .layer(from_fn_with_state(Arc::clone(&server), guard::guard))
        .with_state(server)
}

async fn health(State(server): State<Arc<Server>>) -> Result<Response, ApiError> {
    match server.served.engine.has_ended() {
        true => Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "the engine has stopped")),
        false => answered(json!({"status": "ok"})),
    }
}

async fn metrics(State(server): State<Arc<Server>>) -> Response {
    plain("text/plain; version=0.0.4; charset=utf-8", server.metrics.text())
}

async fn models(State(server): State<Arc<Server>>) -> Result<Response, ApiError> {
    answered(json!({"object": "list", "data": [tokens::model(&server)]}))
}

/// The model's file without its weights: a client that has it makes the same tokens of a text.
async fn vocabulary(State(server): State<Arc<Server>>) -> Result<Response, ApiError> {
    let file = |server: &Server| Ok(vocabulary::file_without_weights(&server.served.model.path)?);
    Ok(binary(server.aside(file).await?))
}

async fn model(State(server): State<Arc<Server>>, Path(name): Path<String>) -> Result<Response, ApiError> {
    if name == server.served.model.name {
        return answered(tokens::model(&server));
    }
    let what = format!("there is no model {name:?} here, only {:?}", server.served.model.name);
    Err(ApiError::new(StatusCode::NOT_FOUND, what).code("model_not_found"))
}

async fn nowhere(request: axum::extract::Request) -> ApiError {
    let path: String = request.uri().path().chars().take(100).collect();
    ApiError::new(StatusCode::NOT_FOUND, format!("there is nothing at {path}; GET / shows what there is"))
}

async fn otherwise(request: axum::extract::Request) -> ApiError {
    let what = format!("{} is not how this path is asked", request.method());
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, what)
}
