//! Tokens and templates, in vLLM's and llama-server's forms.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::answer::answered;
use super::body::Payload;
use super::chat::conversation;
use super::error::ApiError;
use super::fields::Fields;
use super::prompt::PromptReader;
use super::records::numbers;
use super::server::Server;
use crate::token::{TokenId, text_of};

/// `POST /tokenize`: a text (`prompt`, or `content` as llama-server calls it) or a conversation (`messages`).
pub(super) async fn tokenize(
    State(server): State<Arc<Server>>,
    payload: Payload,
) -> Result<Response, ApiError> {
    let answer = move |server: &Server| {
        let mut fields = Fields::read(&payload.bytes)?;
        server.must_be_model(&mut fields)?;
        let with_pieces = fields.flag("with_pieces")?.unwrap_or(false);
        let with_strings = fields.flag("return_token_strs")?.unwrap_or(false);
        let ids = ids_of(server, &mut fields)?;
        fields.done(&[])?;
        let vocab = &server.served.model.vocab;
        let piece = |id: &TokenId| json!({"id": id.0, "piece": vocab.text(*id)});
        let tokens = match with_pieces {
            true => Value::Array(ids.iter().map(piece).collect()),
            false => json!(numbers(&ids)),
        };
        let strings = with_strings.then(|| ids.iter().map(|id| vocab.text(*id)).collect::<Vec<_>>());
        Ok(json!({
            "tokens": tokens,
            "count": ids.len(),
            "max_model_len": server.served.model.context,
            "token_strs": strings,
        }))
    };
    answered(server.aside(answer).await?)
}

fn ids_of(server: &Server, fields: &mut Fields) -> Result<Vec<TokenId>, ApiError> {
    let bos = fields.flag("add_special_tokens")?.or(fields.flag("add_special")?);
    // A tokenizer that is asked for a text's tokens knows its special ones, as everybody else's does.
    let special = fields.flag("parse_special")?.unwrap_or(true);
    let prompt = fields.text("prompt")?;
    let content = fields.text("content")?;
    if let Some(messages) = fields.value("messages") {
        if prompt.is_some() || content.is_some() {
            return Err(ApiError::field("messages", "can't stand beside a text"));
        }
        let (conversation, generation) = conversation(fields, messages)?;
        let model = &server.served.model;
        let encoded = server
            .template
            .encode_conversation(&conversation, generation, model.tokenizer.as_ref(), &model.vocab)
            .map_err(|error| ApiError::field("messages", format!("can't be rendered: {error}")))?;
        return Ok(encoded.tokens.iter().map(|token| token.id).collect());
    }
    let Some(text) = prompt.or(content) else {
        return Err(ApiError::field("prompt", "is missing: a text to tokenize, or \"messages\""));
    };
    let reading = PromptReader::new(&server.served.model, &server.served.raw, bos, Some(special))?;
    Ok(reading.encode(&text)?.ids())
}

/// `POST /detokenize`.
pub(super) async fn detokenize(
    State(server): State<Arc<Server>>,
    payload: Payload,
) -> Result<Response, ApiError> {
    let answer = move |server: &Server| {
        let mut fields = Fields::read(&payload.bytes)?;
        server.must_be_model(&mut fields)?;
        let Some(Value::Array(list)) = fields.value("tokens") else {
            return Err(ApiError::field("tokens", "must be a list of token ids"));
        };
        fields.done(&[])?;
        let model = &server.served.model;
        let ids = PromptReader::new(model, &server.served.raw, None, None)?.numbers("tokens", list)?;
        let text = text_of(&model.vocab.concat(ids));
        // vLLM's name of it, and llama-server's.
        Ok(json!({"prompt": text, "content": text}))
    };
    answered(server.aside(answer).await?)
}

/// `GET /tokenizer_info`.
pub(super) async fn info(State(server): State<Arc<Server>>) -> Result<Response, ApiError> {
    let model = &server.served.model;
    let special = model.vocab.special();
    let text = |id: Option<TokenId>| id.map(|id| model.vocab.text(id));
    answered(json!({
        "tokenizer_class": "GGUF",
        "bos_token": text(special.bos),
        "eos_token": text(special.eos),
        "pad_token": text(special.eos),
        "bos_token_id": special.bos.map(|id| id.0),
        "eos_token_id": special.eos.map(|id| id.0),
        "add_bos_token": server.served.raw.bos.token(&model.vocab).is_some(),
        "chat_template": model.chat_template,
        "model_max_length": model.context,
        "vocab_size": model.vocab.len(),
    }))
}

/// `POST /apply-template`: what a conversation is to the model, as text and as ids.
pub(super) async fn apply(State(server): State<Arc<Server>>, payload: Payload) -> Result<Response, ApiError> {
    let answer = move |server: &Server| {
        let mut fields = Fields::read(&payload.bytes)?;
        server.must_be_model(&mut fields)?;
        let Some(messages) = fields.value("messages") else {
            return Err(ApiError::field("messages", "is missing: it must be a list of messages"));
        };
        let (conversation, generation) = conversation(&mut fields, messages)?;
        fields.done(&[])?;
        let model = &server.served.model;
        let encoded = server
            .template
            .encode_conversation(&conversation, generation, model.tokenizer.as_ref(), &model.vocab)
            .map_err(|error| ApiError::field("messages", format!("can't be rendered: {error}")))?;
        let ids: Vec<u32> = encoded.tokens.iter().map(|token| token.id.0).collect();
        let notes: Vec<String> = encoded.notes.iter().map(ToString::to_string).collect();
        Ok(json!({"prompt": encoded.text, "tokens": ids, "notes": notes}))
    };
    answered(server.aside(answer).await?)
}

/// `GET /v1/models`, and one of them.
pub(super) fn model(server: &Server) -> Value {
    let model = &server.served.model;
    let provenance = serde_json::to_value(server.provenance(None)).unwrap_or(Value::Object(Map::new()));
    json!({
        "id": model.name,
        "object": "model",
        "created": server.begun,
        "owned_by": "tokenscope",
        "max_model_len": model.context,
        "parameters": model.parameters,
        "vocabulary": model.vocab.len(),
        "provenance": provenance,
    })
}
