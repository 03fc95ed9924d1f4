//! Answers as they come: server-sent events, a chunk a growth.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use hyper::body::Frame;
use serde::Serialize;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::answer::ApiAnswer;
use super::error::ApiError;
use super::generation::{ToContinue, begin as begin_replies, score};
use super::records::usage;
use super::reply::{Grown, ReplyText};
use super::server::Server;
use super::wanted::GenerationWish;
use super::work::ReplyEvents;
use crate::engine::FinishReason;
use crate::engine::replies::ReplyEvent;
use crate::step::Step;

/// Chunks that may wait for a client.
const WAITING: usize = 64;

/// What a stream's chunks are made of.
pub(super) trait Streaming: Send + Sync + 'static {
    /// What OpenAI calls a chunk.
    const OBJECT: &'static str;
    /// How its name begins.
    const NAME: &'static str;
    type Choice: Serialize + Send + Sync;

    fn wanted(&self) -> &GenerationWish;
    fn to_continue(&self) -> &[ToContinue];
    /// Whether figures of the prompts are wanted.
    fn of_prompt(&self) -> bool;
    /// What comes before the reply.
    fn opening(&self, index: usize, prompt: &[Step], server: &Server) -> Option<Self::Choice>;
    fn chunk(&self, index: usize, reply: &ReplyText, grown: &Grown) -> Self::Choice;
    /// What says how it has ended.
    fn closing(&self, index: usize, reply: &ReplyText) -> Self::Choice;
}

/// Begins a stream: what is wrong with the prompts is still an answer of its own.
pub(super) async fn begin<R: Streaming>(server: Arc<Server>, request: Arc<R>) -> Result<Response, ApiError> {
    let prompts = match request.of_prompt() {
        true => {
            let scored = score(&server, request.to_continue(), request.wanted(), false).await?;
            scored.into_iter().map(|scored| scored.steps).collect()
        }
        false => vec![Vec::new(); request.to_continue().len()],
    };
    let (sender, chunks) = channel(WAITING);
    let out = Chunker { id: server.name(R::NAME), server, request, sender };
    tokio::spawn(out.run(prompts));
    let mut response = Response::new(Body::new(Chunks(chunks)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

/// Writes chunks.
struct Chunker<R> {
    id: String,
    server: Arc<Server>,
    request: Arc<R>,
    sender: Sender<Bytes>,
}

/// The client has gone.
struct Gone;

impl<R: Streaming> Chunker<R> {
    async fn run(self, prompts: Vec<Vec<Step>>) {
        let whole = Arc::new(self);
        let mut pumps = Vec::new();
        let wanted = whole.request.wanted();
        for (i, (prompt, steps)) in whole.request.to_continue().iter().zip(prompts).enumerate() {
            let steps = Arc::new(steps);
            let mut replies = begin_replies(&whole.server, prompt, wanted).into_iter();
            for n in 0..wanted.n {
                let pump = Arc::clone(&whole).pump(i * wanted.n + n, Arc::clone(&steps), replies.next());
                pumps.push(tokio::spawn(pump));
            }
        }
        let mut tokens = 0;
        for pump in pumps {
            match pump.await {
                Ok(Ok(more)) => tokens += more,
                // The client has gone, or it was told of an error: nothing more is said.
                _ => return,
            }
        }
        let _ = whole.end(tokens).await;
    }

    /// Gives out one choice; returns its tokens.
    async fn pump(
        self: Arc<Self>,
        index: usize,
        prompt: Arc<Vec<Step>>,
        events: Option<ReplyEvents>,
    ) -> Result<usize, Gone> {
        let vocab = &self.server.served.model.vocab;
        if let Some(choice) = self.request.opening(index, &prompt, &self.server) {
            self.send(choice).await?;
        }
        let mut reply = ReplyText::new(Arc::clone(&self.request.wanted().stops), vocab);
        let mut events = match events {
            Some(events) => events,
            None => {
                let _ = reply.take(ReplyEvent::Ended(FinishReason::Length));
                tokio::sync::mpsc::unbounded_channel().1
            }
        };
        while reply.end().is_none() {
            let event = self.next(&mut events).await?;
            let taken = event.ok_or_else(ApiError::stopping).and_then(|event| reply.take(event));
            if let Err(error) = taken {
                self.say(&error.body()).await?;
                return Err(Gone);
            }
            let grown = reply.grown();
            let shown = self.request.wanted().logprobs.is_some() && !grown.tokens.is_empty();
            if !grown.text.is_empty() || shown {
                let choice = self.request.chunk(index, &reply, &grown);
                self.send(choice).await?;
            }
        }
        self.send(self.request.closing(index, &reply)).await?;
        Ok(reply.tokens().len())
    }

    /// The next event, unless the client leaves before it.
    async fn next(&self, events: &mut ReplyEvents) -> Result<Option<ReplyEvent>, Gone> {
        let mut gone = pin!(self.sender.closed());
        poll_fn(|cx| match gone.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(Gone)),
            Poll::Pending => events.poll_recv(cx).map(Ok),
        })
        .await
    }

    async fn send(&self, choice: R::Choice) -> Result<(), Gone> {
        let mut answer = self.answer();
        answer.choices.push(choice);
        self.say(&answer).await
    }

    fn answer(&self) -> ApiAnswer<R::Choice> {
        ApiAnswer::new(&self.server, self.id.clone(), R::OBJECT)
    }

    async fn end(&self, tokens: usize) -> Result<(), Gone> {
        if self.request.wanted().include_usage {
            let mut answer = self.answer();
            let prompt = self.request.to_continue().iter().map(|prompt| prompt.ids.len()).sum();
            answer.usage = Some(usage(prompt, tokens));
            answer.provenance = Some(self.server.provenance(self.request.wanted().seed()));
            self.say(&answer).await?;
        }
        self.write("[DONE]").await
    }

    async fn say(&self, value: &impl Serialize) -> Result<(), Gone> {
        let text = serde_json::to_string(value).map_err(|_| Gone)?;
        self.write(&text).await
    }

    async fn write(&self, text: &str) -> Result<(), Gone> {
        self.sender.send(Bytes::from(format!("data: {text}\n\n"))).await.map_err(|_| Gone)
    }
}

/// A body of chunks that are still to come.
struct Chunks(Receiver<Bytes>);

impl hyper::body::Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|chunk| chunk.map(|chunk| Ok(Frame::data(chunk))))
    }
}
