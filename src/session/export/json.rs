//! A conversation as OpenAI's chat completions have it, with every figure beside theirs.

use std::io::{self, Write};

use serde::Serialize;

use super::{Export, ExportAbout, ExportRow};
use crate::engine::FinishReason;
use crate::report::output::json_line;
use crate::report::record::{Provenance, StepRecord};
use crate::session::turn::Turn;

/// The whole object: what was said before is `messages`, the last reply the one choice.
#[derive(Serialize)]
struct ChatCompletion<'a> {
    object: &'static str,
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    provenance: Option<&'a Provenance>,
    messages: Vec<MessageForm<'a>>,
    choices: Vec<ChatChoice<'a>>,
}

#[derive(Serialize)]
struct MessageForm<'a> {
    role: &'static str,
    content: &'a str,
    #[serde(flatten)]
    reply: Option<ReplyForm>,
}

#[derive(Serialize)]
struct ChatChoice<'a> {
    index: usize,
    message: MessageForm<'a>,
    #[serde(flatten)]
    reply: ReplyForm,
}

/// What only a reply has.
#[derive(Serialize)]
struct ReplyForm {
    finish_reason: Option<FinishReason>,
    seed: u32,
    logprobs: Logprobs,
}

#[derive(Serialize)]
struct Logprobs {
    content: Vec<StepRecord>,
}

/// Writes it.
///
/// # Errors
/// Those of the writer.
pub(super) fn write(export: &Export, out: &mut impl Write) -> io::Result<()> {
    let ExportAbout { model, provenance, system } = export.about;
    let mut rows: Vec<ExportRow> = export.rows().filter(|row| row.part == "reply").collect();
    let mut messages: Vec<MessageForm> = Vec::new();
    messages.extend(system.as_ref().map(|content| MessageForm { role: "system", content, reply: None }));
    for (i, turn) in export.turns.iter().enumerate() {
        let its = rows.iter().take_while(|row| row.turn == i + 1).count();
        let steps = rows.drain(..its).map(|row| row.record).collect();
        messages.push(MessageForm {
            role: super::role(turn),
            content: &turn.content,
            reply: reply(turn, steps),
        });
    }
    let last = messages.pop_if(|message| message.reply.is_some());
    let choices = last.into_iter().filter_map(|message| {
        let MessageForm { role, content, reply } = message;
        Some(ChatChoice { index: 0, message: MessageForm { role, content, reply: None }, reply: reply? })
    });
    let choices = choices.collect();
    let provenance = provenance.as_ref();
    json_line(out, &ChatCompletion { object: "chat.completion", model, provenance, messages, choices })
}

fn reply(turn: &Turn, content: Vec<StepRecord>) -> Option<ReplyForm> {
    let reply = turn.reply.as_ref()?;
    Some(ReplyForm { finish_reason: reply.finish, seed: reply.seed, logprobs: Logprobs { content } })
}
