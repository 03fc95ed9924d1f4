//! Log-probabilities that other programs saved: answers of OpenAI's, vLLM's and llama-server's routes, whole or
//! as they were streamed, one or several of them, and the JSON that tokenscope exports.
//!
//! What they don't give is not given here either. Ids that a file lacks are numbers in the order in which tokens
//! occur; nobody can go on with such a conversation, only look at it.

mod entries;

use std::collections::HashMap;

use serde_json::Value;

use super::event::ModelLine;
use super::parts::vocabulary;
use super::{Saved, SavedBranch, SavedTurn};
use crate::chat::Role;
use crate::engine::FinishReason;
use crate::intervention::Interventions;
use crate::sequence::{NodeNumber, NodeOrigin, TreeNode};
use crate::token::{TokenId, VocabEntry};
use entries::{EntryToken, TokenEntry};

/// Why a file is none of these.
pub(super) enum ForeignError {
    /// It holds nothing of the kind.
    Nothing,
    /// It does, and can't be used.
    Damaged(String),
}

/// Reads such a file; what of it is not as it should be, in a line.
pub(super) fn parse(bytes: &[u8]) -> Result<(Saved, Option<String>), ForeignError> {
    let mut talk = Talk::default();
    let mut pieces: Vec<ForeignReply> = Vec::new();
    for document in documents(bytes)? {
        talk.document(&document, &mut pieces).map_err(ForeignError::Damaged)?;
    }
    if pieces.iter().all(|reply| reply.entries.is_empty()) {
        return Err(ForeignError::Nothing);
    }
    Ok(talk.told(pieces))
}

/// The JSON values of a file: one, a list, one a line, or those of a stream of events.
fn documents(bytes: &[u8]) -> Result<Vec<Value>, ForeignError> {
    if let Ok(value) = serde_json::from_slice(bytes) {
        return Ok(match value {
            Value::Array(values) => values,
            value => vec![value],
        });
    }
    let text = std::str::from_utf8(bytes).map_err(|_| ForeignError::Nothing)?;
    let mut values = Vec::new();
    for line in text.lines() {
        let line = line.trim();
        let data = line.strip_prefix("data:").unwrap_or(line).trim();
        if data.is_empty() || data == "[DONE]" || data.starts_with("event:") || data.starts_with(':') {
            continue;
        }
        match serde_json::from_str(data) {
            Ok(value) => values.push(value),
            // A stream that was cut.
            Err(_) if !values.is_empty() => break,
            Err(_) => return Err(ForeignError::Nothing),
        }
    }
    Ok(values)
}

/// Something said, with its tokens where they are known.
struct ForeignReply {
    /// What pieces of a stream have in common: the answer's id and which choice it is; a message has none.
    key: Option<ChoiceKey>,
    role: Role,
    text: String,
    entries: Vec<TokenEntry>,
    finish: Option<FinishReason>,
}

/// An answer's id, and the index of one of its choices.
type ChoiceKey = (String, u64);

/// What is collected from the documents.
#[derive(Default)]
struct Talk {
    model: String,
    ids: HashMap<EntryToken, TokenId>,
    spelled: Vec<(TokenId, VocabEntry)>,
    wrong: Option<String>,
}

impl Talk {
    fn document(&mut self, value: &Value, into: &mut Vec<ForeignReply>) -> Result<(), String> {
        if self.model.is_empty() {
            self.model = text(&value["model"]);
        }
        for wrapped in ["request", "response", "body"] {
            if value[wrapped].is_object() {
                self.document(&value[wrapped], into)?;
            }
        }
        for message in list(&value["messages"]) {
            into.push(ForeignReply::new(of(&message["logprobs"])?, message, text(&message["content"])));
        }
        let id = text(&value["id"]);
        let prompt = value["prompt"].as_str().unwrap_or_default();
        if !prompt.is_empty() {
            into.push(ForeignReply::said(Role::User, prompt));
        }
        for choice in list(&value["choices"]) {
            let key = (id.clone(), choice["index"].as_u64().unwrap_or(0));
            let message =
                [&choice["message"], &choice["delta"]].into_iter().find(|message| message.is_object());
            let said = message.map_or_else(|| text(&choice["text"]), |message| text(&message["content"]));
            let mut reply =
                ForeignReply::new(of(&choice["logprobs"])?, message.unwrap_or(&Value::Null), said);
            reply.role = Role::Assistant;
            let before = entries::of_prompt(&choice["prompt_logprobs"]);
            if !before.is_empty() {
                into.push(ForeignReply { entries: before, ..ForeignReply::said(Role::User, "") });
            }
            reply.finish = finish(&choice["finish_reason"]);
            add(reply, key, into);
        }
        for output in list(&value["output"]) {
            for part in list(&output["content"]).iter().filter(|part| part["logprobs"].is_array()) {
                let entries = entries::of_content(&part["logprobs"])?;
                into.push(ForeignReply {
                    entries,
                    ..ForeignReply::said(Role::Assistant, &text(&part["text"]))
                });
            }
        }
        if value["completion_probabilities"].is_array() {
            let entries = entries::of_llama_server(&value["completion_probabilities"])?;
            let mut reply =
                ForeignReply { entries, ..ForeignReply::said(Role::Assistant, &text(&value["content"])) };
            let stopped =
                value["stop_type"].as_str().map(|kind| if kind == "limit" { "length" } else { "stop" });
            reply.finish = stopped.and_then(|reason| finish(&reason.into()));
            add(reply, (id, value["index"].as_u64().unwrap_or(0)), into);
        }
        Ok(())
    }

    /// The conversation: each choice but the first is a branch, and the first one goes on.
    fn told(mut self, replies: Vec<ForeignReply>) -> (Saved, Option<String>) {
        let mut saved = Saved { version: 1, ..Saved::default() };
        // Ids count only where every token has one.
        let numbered = replies.iter().flat_map(|reply| &reply.entries).all(TokenEntry::has_ids);
        for (i, reply) in replies.iter().enumerate() {
            if let Some(at) = first_choice(&replies[..i], reply) {
                let first = saved.turns[at].tokens.and_then(|[node, _]| saved.tree.node(NodeNumber(node)));
                let tip = first.and_then(TreeNode::parent);
                let number = saved.branches.len() as u32 + 1;
                saved.branches.push(SavedBranch {
                    number,
                    from: Some(1),
                    turns: (1..=at as u32).collect(),
                    tip,
                });
                saved.current = saved.branches.len() - 1;
                saved.tree.go_to(tip);
            }
            let turn = self.turn(reply, numbered, &mut saved);
            saved.turns.push(turn);
            let number = saved.turns.len() as u32;
            saved.branch_mut().turns.push(number);
            saved.current = 0;
            saved.tree.go_to(saved.branches[0].tip);
        }
        saved.vocab = vocabulary(None, self.spelled);
        saved.model = ModelLine { model: self.model, ..ModelLine::default() };
        (saved, self.wrong)
    }

    fn turn(&mut self, reply: &ForeignReply, numbered: bool, saved: &mut Saved) -> SavedTurn {
        let mut tokens = None;
        let mut bytes = Vec::new();
        for entry in &reply.entries {
            let (step, wrong) = entry.step(&mut |named| self.id(named, numbered));
            self.wrong = self.wrong.take().or(wrong);
            bytes.extend_from_slice(&entry.token.bytes);
            let origin = if reply.role == Role::Assistant { NodeOrigin::Sampled } else { NodeOrigin::Typed };
            let NodeNumber(node) = saved.append(step, origin, &Interventions::default());
            tokens = Some([tokens.map_or(node, |[first, _]: [u32; 2]| first), node]);
        }
        let text = if reply.text.is_empty() { crate::token::text_of(&bytes) } else { reply.text.clone() };
        let finish = (reply.role == Role::Assistant).then(|| reply.finish.unwrap_or(FinishReason::Stop));
        SavedTurn { role: Some(reply.role.clone()), text, tokens, seed: None, finish }
    }

    fn id(&mut self, named: &EntryToken, numbered: bool) -> TokenId {
        let key = EntryToken { id: named.id.filter(|_| numbered), bytes: named.bytes.clone() };
        let next = TokenId(self.ids.len() as u32);
        if let Some(id) = self.ids.get(&key) {
            return *id;
        }
        let id = key.id.map_or(next, TokenId);
        self.spelled.push((id, VocabEntry { bytes: key.bytes.clone(), ..VocabEntry::default() }));
        self.ids.insert(key, id);
        id
    }
}

impl ForeignReply {
    fn said(role: Role, text: &str) -> ForeignReply {
        ForeignReply { key: None, role, text: text.to_string(), entries: Vec::new(), finish: None }
    }

    fn new(entries: Vec<TokenEntry>, message: &Value, text: String) -> ForeignReply {
        let role = if message["role"] == "assistant" { Role::Assistant } else { Role::User };
        ForeignReply { entries, finish: finish(&message["finish_reason"]), ..ForeignReply::said(role, &text) }
    }
}

/// The index of the first choice of the same answer, where this is another.
fn first_choice(before: &[ForeignReply], reply: &ForeignReply) -> Option<usize> {
    let (id, index) = reply.key.as_ref()?;
    before.iter().position(|other| other.key.as_ref().is_some_and(|(other, at)| other == id && at != index))
}

/// Adds a reply, or what a stream says more of the last one.
fn add(reply: ForeignReply, key: ChoiceKey, into: &mut Vec<ForeignReply>) {
    let key = Some(key);
    match into.iter_mut().rev().find(|known| known.key == key && known.finish.is_none()) {
        Some(known) => {
            known.text.push_str(&reply.text);
            known.entries.extend(reply.entries);
            known.finish = reply.finish.or(known.finish);
        }
        None => into.push(ForeignReply { key, ..reply }),
    }
}

/// The entries of a `logprobs` of either of OpenAI's forms.
fn of(logprobs: &Value) -> Result<Vec<TokenEntry>, String> {
    if logprobs["content"].is_array() {
        return entries::of_content(&logprobs["content"]);
    }
    if logprobs["tokens"].is_array() { entries::of_completion(logprobs) } else { Ok(Vec::new()) }
}

fn finish(reason: &Value) -> Option<FinishReason> {
    match reason.as_str()? {
        "stop" => Some(FinishReason::Stop),
        "length" => Some(FinishReason::Length),
        "context" => Some(FinishReason::Context),
        _ => Some(FinishReason::Cancelled),
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A text, or the texts of a message's parts.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(|part| text(&part["text"])).collect(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests;
