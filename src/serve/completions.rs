//! `POST /v1/completions`: raw text or exact ids, scored and continued.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::answer::{ApiAnswer, CompletionChoice, answered};
use super::body::Payload;
use super::error::ApiError;
use super::fields::Fields;
use super::generation::{Continued, ToContinue, continued};
use super::prompt::{PromptReader, SentPrompt};
use super::records::{PromptLogprobs, Recorder, usage};
use super::reply::{Grown, ReplyText};
use super::server::Server;
use super::stream::{self, Streaming};
use super::wanted::{GenerationWish, WITHOUT_EFFECT, all_of, refuse_others};
use crate::distribution::Depth;
use crate::step::Step;

/// Tokens that follow where nobody says how many: OpenAI's default.
const LONGEST: usize = 16;
/// What OpenAI calls an answer, and a chunk of one.
const OBJECT: &str = "text_completion";

/// A request.
#[derive(Debug)]
pub(super) struct CompletionRequest {
    pub prompts: Vec<SentPrompt>,
    pub to_continue: Vec<ToContinue>,
    pub wanted: GenerationWish,
    pub echo: bool,
}

impl CompletionRequest {
    fn read(bytes: &[u8], server: &Server) -> Result<CompletionRequest, ApiError> {
        let mut fields = Fields::read(bytes)?;
        let served = &server.served;
        server.must_be_model(&mut fields)?;
        let vocabulary = served.model.vocab.len();
        let logprobs = fields.whole("logprobs", -1..=vocabulary as i64)?.map(|k| all_of(k, vocabulary));
        let mut wanted = GenerationWish::read(&mut fields, server, &served.raw, logprobs)?;
        wanted.max_tokens.get_or_insert(LONGEST);
        let echo = fields.flag("echo")?.unwrap_or(false);
        let bos = fields.flag("add_special_tokens")?;
        let special = fields.flag("parse_special")?;
        let prompt = fields.value("prompt");
        refuse_others(&mut fields)?;
        fields.done(&WITHOUT_EFFECT)?;
        let prompts =
            PromptReader::new(&served.model, &served.raw, bos, special)?.prompts("prompt", prompt)?;
        if let Some(empty) = prompts.iter().position(|prompt| prompt.ids.is_empty()) {
            let what = "has no token to start from: this model puts no BOS before a text, so give some";
            let place = if prompts.len() > 1 { format!("prompt[{empty}]") } else { "prompt".to_string() };
            return Err(ApiError::field(&place, what));
        }
        let context = served.model.context as usize;
        let to_continue = prompts.iter().map(|prompt| {
            let longest = wanted.longest(prompt.ids.len(), context)?;
            Ok(ToContinue { ids: prompt.ids.clone(), longest })
        });
        let to_continue: Vec<ToContinue> = to_continue.collect::<Result<_, ApiError>>()?;
        let most = to_continue.iter().map(|prompt| prompt.longest).max().unwrap_or(0);
        wanted.must_generate(most)?;
        let request = CompletionRequest { prompts, to_continue, wanted, echo };
        request.wanted.must_be_short(request.tokens())?;
        Ok(request)
    }

    /// Tokens that may have figures.
    fn tokens(&self) -> usize {
        let each = |prompt: &ToContinue| {
            let own = if self.of_prompt() { prompt.ids.len() } else { 0 };
            own + prompt.longest * self.wanted.best_of
        };
        self.to_continue.iter().map(each).sum()
    }

    /// Whether figures of the prompts are wanted.
    pub fn of_prompt(&self) -> bool {
        self.wanted.prompt_logprobs.is_some() || self.echo && self.wanted.logprobs.is_some()
    }
}

pub(super) async fn answer(
    State(server): State<Arc<Server>>,
    payload: Payload,
) -> Result<Response, ApiError> {
    let request = server.aside(move |server| CompletionRequest::read(&payload.bytes, server)).await?;
    if request.wanted.stream {
        return stream::begin(server, Arc::new(request)).await;
    }
    let all = continued(&server, &request.to_continue, &request.wanted, request.of_prompt()).await?;
    server.aside(move |server| answered(request.whole(server, &all))).await
}

impl CompletionRequest {
    fn whole<'a>(&self, server: &'a Server, all: &'a [Continued]) -> ApiAnswer<CompletionChoice<'a>> {
        let mut answer = ApiAnswer::new(server, server.name("cmpl"), OBJECT);
        let mut completion = 0;
        for (prompt, continued) in self.prompts.iter().zip(all) {
            for reply in &continued.replies {
                completion += reply.tokens().len();
                let mut choice = CompletionChoice { index: answer.choices.len(), ..Default::default() };
                self.open(&mut choice, prompt, &continued.prompt, server);
                self.go_on(&mut choice, prompt, reply, &reply.whole());
                choice.end(reply);
                let vocab = &server.served.model.vocab;
                let steps = &continued.prompt;
                let of_prompt = |k| PromptLogprobs { steps, depth: Depth::Count(k), vocab };
                choice.prompt_logprobs = self.wanted.prompt_logprobs.map(of_prompt);
                answer.choices.push(choice);
            }
        }
        answer.usage = Some(usage(self.prompt_tokens(), completion));
        answer.provenance = Some(server.provenance(self.wanted.seed()));
        answer
    }

    fn prompt_tokens(&self) -> usize {
        self.prompts.iter().map(|prompt| prompt.ids.len()).sum()
    }

    /// Begins a choice with the prompt, where that is wanted.
    fn open(&self, choice: &mut CompletionChoice, prompt: &SentPrompt, steps: &[Step], server: &Server) {
        if self.echo {
            choice.text.push_str(&prompt.text);
        }
        let Some(k) = self.wanted.logprobs else { return };
        let logprobs = choice.logprobs.get_or_insert_default();
        if self.echo {
            let mut recorder = Recorder::new(&server.served.model.vocab, Depth::Count(k));
            for (step, offset) in steps.iter().zip(&prompt.offsets) {
                logprobs.push(recorder.record(step, &[]), *offset);
            }
        }
    }

    /// Adds what a reply grew by.
    fn go_on(&self, choice: &mut CompletionChoice, prompt: &SentPrompt, reply: &ReplyText, grown: &Grown) {
        choice.text.push_str(&grown.text);
        let Some(k) = self.wanted.logprobs else { return };
        let logprobs = choice.logprobs.get_or_insert_default();
        let before = if self.echo { prompt.text.chars().count() } else { 0 };
        let (records, tokens) = (reply.records(grown, k), reply.tokens());
        for (record, token) in records.into_iter().zip(&tokens[grown.tokens.clone()]) {
            logprobs.push(record, before + token.offset);
        }
    }

    /// The prompt of a choice.
    fn prompt_of(&self, choice: usize) -> &SentPrompt {
        &self.prompts[choice / self.wanted.n]
    }
}

impl Streaming for CompletionRequest {
    const OBJECT: &'static str = OBJECT;
    const NAME: &'static str = "cmpl";
    type Choice = CompletionChoice<'static>;

    fn wanted(&self) -> &GenerationWish {
        &self.wanted
    }

    fn to_continue(&self) -> &[ToContinue] {
        &self.to_continue
    }

    fn of_prompt(&self) -> bool {
        self.of_prompt()
    }

    fn opening(&self, index: usize, steps: &[Step], server: &Server) -> Option<Self::Choice> {
        let mut choice = CompletionChoice { index, ..Default::default() };
        self.open(&mut choice, self.prompt_of(index), steps, server);
        self.echo.then_some(choice)
    }

    fn chunk(&self, index: usize, reply: &ReplyText, grown: &Grown) -> Self::Choice {
        let mut choice = CompletionChoice { index, ..Default::default() };
        self.go_on(&mut choice, self.prompt_of(index), reply, grown);
        choice
    }

    fn closing(&self, index: usize, reply: &ReplyText) -> Self::Choice {
        let mut choice = CompletionChoice { index, ..Default::default() };
        choice.end(reply);
        choice
    }
}

impl CompletionChoice<'_> {
    fn end(&mut self, reply: &ReplyText) {
        self.finish_reason = reply.end().map(|end| end.reason);
        self.stop_reason = reply.end().and_then(|end| end.stop.clone());
    }
}
