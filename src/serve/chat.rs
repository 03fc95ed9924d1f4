//! `POST /v1/chat/completions`: a conversation, answered.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::answer::{ApiAnswer, ChatChoice, ChatLogprobs, ChatMessage, answered};
use super::body::Payload;
use super::error::ApiError;
use super::fields::{Fields, kind};
use super::generation::{Continued, ToContinue, continued};
use super::records::{PromptLogprobs, usage};
use super::reply::{Grown, ReplyText};
use super::server::Server;
use super::stream::{self, Streaming};
use super::wanted::{GenerationWish, WITHOUT_EFFECT, all_of, refuse_others};
use crate::chat::{Content, Conversation};
use crate::distribution::Depth;
use crate::step::Step;

/// A request.
#[derive(Debug)]
pub(super) struct ChatRequest {
    /// Exactly one.
    prompt: [ToContinue; 1],
    wanted: GenerationWish,
}

/// Reads what a template renders; the second value is whether it ends with the beginning of a reply.
pub(super) fn conversation(fields: &mut Fields, messages: Value) -> Result<(Conversation, bool), ApiError> {
    let generation = fields.flag("add_generation_prompt")?.unwrap_or(true);
    let mut object = Map::new();
    object.insert("messages".to_string(), messages);
    for name in ["tools", "chat_template_kwargs"] {
        object.extend(fields.value(name).map(|value| (name.to_string(), value)));
    }
    let conversation = Conversation::from_json(Value::Object(object).to_string().as_bytes())
        .map_err(|error| ApiError::field("messages", format!("can't be read: {error}")))?;
    for (i, message) in conversation.messages.iter().enumerate() {
        let Content::Parts(parts) = &message.content else { continue };
        if let Some(part) = parts.iter().find(|part| part["type"] != "text") {
            let what =
                format!("holds a part of type {} in message {}; this model reads text", part["type"], i + 1);
            return Err(ApiError::field("messages", what));
        }
    }
    Ok((conversation, generation))
}

impl ChatRequest {
    fn read(bytes: &[u8], server: &Server) -> Result<ChatRequest, ApiError> {
        let mut fields = Fields::read(bytes)?;
        let served = &server.served;
        server.must_be_model(&mut fields)?;
        let vocabulary = served.model.vocab.len();
        let top = fields.whole("top_logprobs", -1..=vocabulary as i64)?;
        let logprobs = match fields.value("logprobs") {
            None | Some(Value::Bool(false)) if top.is_some_and(|k| k != 0) => {
                return Err(ApiError::field("top_logprobs", "belongs to \"logprobs\": true"));
            }
            None | Some(Value::Bool(false)) => None,
            Some(Value::Bool(true)) => Some(all_of(top.unwrap_or(0), vocabulary)),
            Some(other) => {
                let what =
                    format!("must be true or false, not {} (\"top_logprobs\" says how many)", kind(&other));
                return Err(ApiError::field("logprobs", what));
            }
        };
        let wanted = GenerationWish::read(&mut fields, server, &served.chat, logprobs)?;
        let tool_choice = fields.value("tool_choice");
        fields.refused(
            "continue_final_message",
            &[json!(false)],
            "is not to be had: send the text to /v1/completions",
        )?;
        refuse_others(&mut fields)?;
        let Some(messages) = fields.value("messages") else {
            return Err(ApiError::field("messages", "is missing: it must be a list of messages"));
        };
        let (conversation, generation) = conversation(&mut fields, messages)?;
        let has_tools = conversation.tools.as_ref().is_some_and(|tools| !tools.is_empty());
        if has_tools && tool_choice != Some(json!("none")) {
            let what = "belongs to \"tool_choice\": \"none\": the reply is text, and no tool is called";
            return Err(ApiError::field("tools", what));
        }
        fields.done(&WITHOUT_EFFECT)?;
        let model = &served.model;
        let encoded = server
            .template
            .encode_conversation(&conversation, generation, model.tokenizer.as_ref(), &model.vocab)
            .map_err(|error| ApiError::field("messages", format!("can't be rendered: {error}")))?;
        let ids: Vec<_> = encoded.tokens.iter().map(|token| token.id).collect();
        if ids.is_empty() {
            return Err(ApiError::field(
                "messages",
                "come to no token: the chat template writes nothing of them",
            ));
        }
        let longest = wanted.longest(ids.len(), model.context as usize)?;
        wanted.must_generate(longest)?;
        let scored = if wanted.prompt_logprobs.is_some() { ids.len() } else { 0 };
        wanted.must_be_short(scored + longest * wanted.best_of)?;
        Ok(ChatRequest { prompt: [ToContinue { ids, longest }], wanted })
    }

    fn logprobs(&self, reply: &ReplyText, grown: &Grown) -> Option<ChatLogprobs> {
        let k = self.wanted.logprobs?;
        Some(ChatLogprobs { content: reply.records(grown, k) })
    }

    fn whole<'a>(&self, server: &'a Server, all: &'a Continued) -> ChatAnswer<'a> {
        let mut answer = ApiAnswer::new(server, server.name("chatcmpl"), "chat.completion");
        let mut completion = 0;
        for (index, reply) in all.replies.iter().enumerate() {
            completion += reply.tokens().len();
            let grown = reply.whole();
            let logprobs = self.logprobs(reply, &grown);
            let message = ChatMessage { role: Some("assistant"), content: Some(grown.text) };
            let mut choice = ChatChoice { index, message: Some(message), logprobs, ..Default::default() };
            choice.end(reply);
            answer.choices.push(choice);
        }
        answer.usage = Some(usage(self.prompt[0].ids.len(), completion));
        answer.provenance = Some(server.provenance(self.wanted.seed()));
        let (steps, vocab) = (&all.prompt, &server.served.model.vocab);
        let of_prompt = |k| PromptLogprobs { steps, depth: Depth::Count(k), vocab };
        ChatAnswer { answer, prompt_logprobs: self.wanted.prompt_logprobs.map(of_prompt) }
    }
}

/// An answer with vLLM's figures of the prompt.
#[derive(Serialize)]
struct ChatAnswer<'a> {
    #[serde(flatten)]
    answer: ApiAnswer<ChatChoice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_logprobs: Option<PromptLogprobs<'a>>,
}

pub(super) async fn answer(
    State(server): State<Arc<Server>>,
    payload: Payload,
) -> Result<Response, ApiError> {
    let request = server.aside(move |server| ChatRequest::read(&payload.bytes, server)).await?;
    if request.wanted.stream {
        return stream::begin(server, Arc::new(request)).await;
    }
    let all = continued(&server, &request.prompt, &request.wanted, request.of_prompt()).await?;
    server.aside(move |server| answered(all.first().map(|all| request.whole(server, all)))).await
}

impl Streaming for ChatRequest {
    const OBJECT: &'static str = "chat.completion.chunk";
    const NAME: &'static str = "chatcmpl";
    type Choice = ChatChoice;

    fn wanted(&self) -> &GenerationWish {
        &self.wanted
    }

    fn to_continue(&self) -> &[ToContinue] {
        &self.prompt
    }

    fn of_prompt(&self) -> bool {
        self.wanted.prompt_logprobs.is_some()
    }

    fn opening(&self, index: usize, _: &[Step], _: &Server) -> Option<ChatChoice> {
        let delta = ChatMessage { role: Some("assistant"), content: Some(String::new()) };
        Some(ChatChoice { index, delta: Some(delta), ..Default::default() })
    }

    fn chunk(&self, index: usize, reply: &ReplyText, grown: &Grown) -> ChatChoice {
        let delta = ChatMessage { role: None, content: Some(grown.text.clone()) };
        let logprobs = self.logprobs(reply, grown);
        ChatChoice { index, delta: Some(delta), logprobs, ..Default::default() }
    }

    fn closing(&self, index: usize, reply: &ReplyText) -> ChatChoice {
        let mut choice = ChatChoice { index, delta: Some(ChatMessage::default()), ..Default::default() };
        choice.end(reply);
        choice
    }
}

impl ChatChoice {
    fn end(&mut self, reply: &ReplyText) {
        self.finish_reason = reply.end().map(|end| end.reason);
        self.stop_reason = reply.end().and_then(|end| end.stop.clone());
    }
}
