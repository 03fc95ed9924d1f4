//! Questions to the model that are no part of the conversation, answered as text for people.
//!
//! The one executor behind the REPL's and the TUI's commands. It waits for the engine, so the TUI
//! calls it on a thread of its own. Never writes to a terminal: whoever calls decides where text goes.

mod compare;
mod probe;
mod rescore;

use std::io::{self, Write};
use std::sync::Arc;

use thiserror::Error;

use crate::chat::{ChatError, ChatTemplate, Message};
use crate::columns::padded;
use crate::counter::Far;
use crate::distribution::Depth;
use crate::engine::{
    CancelFlag, Client, Command, EngineError, Event, FinishReason, Generate, ModelInfo, Timing,
};
use crate::probe::error::InputError;
use crate::query::choices::ChoiceError;
use crate::query::next::{Next, NextError, Question, ask};
use crate::query::scoring::{Answer as Scored, Job, Wanted, score};
use crate::query::text::{Encoder, TextError};
use crate::query::window::Windowing;
use crate::report::bars::Paint;
use crate::report::score::Totals;
use crate::report::score_table::Look;
use crate::report::unit::Unit;
use crate::report::{next, table};
use crate::score::Score;
use crate::settings::{Bos, Settings};
use crate::step::{Prediction, Step};
use crate::token::{TokenId, Utf8Assembler, printable};

/// Longest continuation where nobody asks for another.
const CONTINUATION: usize = 128;

/// A question.
#[derive(Clone, Debug)]
pub enum Ask {
    /// What comes after a text.
    Next(String),
    /// What comes after exact ids, the last of which was just accepted.
    Step(Draft),
    /// How likely a text is.
    Score(String),
    /// Which of several texts the model prefers.
    Compare(Vec<String>),
    /// A continuation of a text.
    Generate(String),
    /// The tokens of a text.
    Tokens(String),
    /// A suite of probes.
    Probe(String),
    /// The last reply under another premise.
    Rescore(Box<Rescore>),
}

/// A reply and what it is to be the answer to.
#[derive(Clone, Debug)]
pub struct Rescore {
    /// The conversation up to the reply, with the other premise.
    pub messages: Vec<Message>,
    /// The reply's exact ids, with the token that ended it.
    pub reply: Vec<TokenId>,
    /// ln p of each when it was written.
    pub before: Vec<f32>,
}

/// A text in the making, by exact ids.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// Its ids, BOS included.
    pub ids: Vec<TokenId>,
    /// The candidates of the last table, in its order.
    pub candidates: Vec<TokenId>,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum AskError {
    /// Ctrl-C.
    #[error("stopped")]
    Cancelled,
    /// A text can't be read.
    #[error(transparent)]
    Text(#[from] TextError),
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A text that can't be compared.
    #[error("{0}")]
    Choice(String),
    /// A suite can't be run.
    #[error(transparent)]
    Suite(#[from] InputError),
    /// The template refused the conversation.
    #[error(transparent)]
    Chat(#[from] ChatError),
    /// The text could not be written.
    #[error("{0}")]
    Output(#[from] io::Error),
}

impl From<NextError> for AskError {
    fn from(error: NextError) -> AskError {
        match error {
            NextError::Interrupted => AskError::Cancelled,
            NextError::Text(error) => error.into(),
            NextError::Engine(error) => error.into(),
            NextError::EmptyText(_) => AskError::Choice(error.to_string()),
        }
    }
}

impl From<ChoiceError> for AskError {
    fn from(error: ChoiceError) -> AskError {
        match error {
            ChoiceError::Interrupted => AskError::Cancelled,
            ChoiceError::Text(error) => error.into(),
            ChoiceError::Engine(error) => error.into(),
            other => AskError::Choice(other.to_string()),
        }
    }
}

/// Everything needed to answer.
pub struct Asker<'a> {
    /// An engine that is ready.
    pub client: &'a mut Client,
    /// Its model.
    pub model: Arc<ModelInfo>,
    /// The model's chat template, for questions about the conversation.
    pub template: Option<Arc<ChatTemplate>>,
    /// The settings at the time of the question.
    pub settings: Settings,
    /// Colours of the answer.
    pub paint: Paint,
    /// Raise it to stop.
    pub cancel: CancelFlag,
    /// Is told how far the answer is.
    pub far: Arc<dyn Fn(Far) + Send + Sync>,
}

impl Asker<'_> {
    /// Answers, writing the text to `out` as it comes. Returns the text in the making, if the answer
    /// was a table of candidates.
    ///
    /// # Errors
    /// [`AskError`].
    pub fn answer(&mut self, asked: &Ask, out: &mut dyn Write) -> Result<Option<Draft>, AskError> {
        let far = Arc::clone(&self.far);
        if !matches!(asked, Ask::Probe(_)) {
            let told = move |done, total| far(Far { what: "reading", unit: "tokens", done, total });
            self.client.watch(Some(Box::new(told)));
        }
        let answer = self.written(asked, out);
        self.client.watch(None);
        answer
    }

    fn written(&mut self, asked: &Ask, out: &mut dyn Write) -> Result<Option<Draft>, AskError> {
        match asked {
            Ask::Next(text) => self.next(text, out).map(Some),
            Ask::Step(draft) => self.step(draft, out).map(Some),
            Ask::Score(text) => self.score(text, out).map(|()| None),
            Ask::Compare(texts) => self.compare(texts, out).map(|()| None),
            Ask::Generate(text) => self.generate(text, out).map(|()| None),
            Ask::Tokens(text) => self.tokens(text, out).map(|()| None),
            Ask::Probe(name) => self.probe(name, out).map(|()| None),
            Ask::Rescore(asked) => self.rescore(asked, out).map(|()| None),
        }
    }

    fn encoder<'m>(&self, model: &'m ModelInfo, bos: Bos) -> Result<Encoder<'m>, TextError> {
        Encoder::new(model, bos, false)
    }

    fn next(&mut self, text: &str, mut out: &mut dyn Write) -> Result<Draft, AskError> {
        let model = Arc::clone(&self.model);
        let encoder = self.encoder(&model, self.settings.bos)?;
        let k = self.settings.k;
        let question = Question { prompt: text.as_bytes(), texts: &[], depth: k };
        let found = ask(self.client, &model, &encoder, &question, &self.cancel)?;
        next::table(&mut out, &found, &[], k, &model.vocab)?;
        Ok(Draft { ids: found.prompt, candidates: candidates(&found.prediction, k) })
    }

    fn step(&mut self, draft: &Draft, mut out: &mut dyn Write) -> Result<Draft, AskError> {
        let k = self.settings.k;
        let vocab = Arc::clone(&self.model.vocab);
        let prediction = self.after(&draft.ids)?;
        writeln!(out, "{}\n", printable(&String::from_utf8_lossy(&vocab.concat(draft.ids.iter().copied()))))?;
        let found = Next { prompt: draft.ids.clone(), prediction, texts: Vec::new() };
        next::table(&mut out, &found, &[], k, &vocab)?;
        Ok(Draft { ids: found.prompt, candidates: candidates(&found.prediction, k) })
    }

    /// The distribution after exact ids.
    fn after(&mut self, ids: &[TokenId]) -> Result<Prediction, AskError> {
        let room = self.model.context as usize;
        if ids.len() > room {
            return Err(EngineError::TooLong { needed: ids.len(), context: room }.into());
        }
        let job = Job { ids: ids.to_vec(), has_bos: false, from: ids.len() };
        let wanted = Wanted { depth: self.settings.k, boundaries: false, after: true, fast: false };
        let mut prediction = None;
        let windowing = Windowing::new(room, None, 1);
        let ended = score(self.client, &[job], (windowing, wanted), &self.cancel, &mut |answer| {
            if let Scored::End { after, .. } = answer {
                prediction = after;
            }
        })?;
        match (ended, prediction) {
            (FinishReason::Stop, Some(prediction)) => Ok(*prediction),
            _ => Err(AskError::Cancelled),
        }
    }

    fn score(&mut self, text: &str, mut out: &mut dyn Write) -> Result<(), AskError> {
        let model = Arc::clone(&self.model);
        let encoder = self.encoder(&model, self.settings.bos)?;
        let encoded = encoder.encode(text.as_bytes())?;
        let look = Look { unit: Unit::Nats, paint: self.paint };
        let steps = self.steps(Job::whole(&encoded))?;
        look.token_head(&mut out)?;
        let mut total = Score::default();
        for (i, (step, piece)) in steps.iter().zip(&encoded.pieces).enumerate() {
            look.token(&mut out, i + 1, step, &model.vocab)?;
            if let Some(logprob) = step.logprob() {
                total.add(logprob, piece.span.clone().map_or(0, |span| span.len()));
            }
        }
        look.totals(&mut out, &Totals::new(&total), steps.len())?;
        Ok(())
    }

    /// Every token of a sequence with its figures.
    fn steps(&mut self, job: Job) -> Result<Vec<Step>, AskError> {
        let wanted =
            Wanted { depth: self.settings.k.at_least(4), boundaries: false, after: false, fast: false };
        let windowing = Windowing::new(self.model.context as usize, None, 1);
        let mut steps = Vec::new();
        let ended = score(self.client, &[job], (windowing, wanted), &self.cancel, &mut |answer| {
            if let Scored::Token { step, .. } = answer {
                steps.push(step);
            }
        })?;
        if ended == FinishReason::Cancelled { Err(AskError::Cancelled) } else { Ok(steps) }
    }

    fn generate(&mut self, text: &str, mut out: &mut dyn Write) -> Result<(), AskError> {
        let model = Arc::clone(&self.model);
        let prompt = self.encoder(&model, self.settings.bos)?.encode(text.as_bytes())?.ids();
        let request = Generate {
            prompt,
            sampling: self.settings.sampling.clone(),
            max_tokens: Some(self.settings.max_tokens.unwrap_or(CONTINUATION)),
            depth: self.settings.k.at_least(4),
            cancel: self.cancel.clone(),
        };
        let vocab = &model.vocab;
        let (mut steps, mut total) = (Vec::new(), Score::default());
        let mut text = Utf8Assembler::default();
        let shown = printable(&self.shown_prompt(&request.prompt));
        // Once it is read: until then a line below the last one says how far that is.
        let mut prompt = Some(shown);
        let mut written = Ok(());
        let (reason, _): (FinishReason, Timing) = self.client.run(Command::Generate(request), |event| {
            let Event::Step { step, .. } = event else { return };
            if let Some(prompt) = prompt.take() {
                written = out.write_all(prompt.as_bytes());
            }
            if !vocab.ends_generation(step.id) && written.is_ok() {
                let piece = printable(&text.push(vocab.bytes(step.id)));
                written = out.write_all(piece.as_bytes()).and_then(|()| out.flush());
            }
            if let Some(logprob) = step.logprob() {
                total.add(logprob, vocab.text_length(step.id));
            }
            steps.push(step);
        })?;
        written?;
        writeln!(out, "{}{}\n", prompt.unwrap_or_default(), text.finish())?;
        table::steps(&mut out, steps.iter().map(Arc::as_ref), vocab)?;
        writeln!(out, "{}", table::total(&total, reason))?;
        Ok(())
    }

    fn shown_prompt(&self, ids: &[TokenId]) -> String {
        String::from_utf8_lossy(&self.model.vocab.concat(ids.iter().copied())).into_owned()
    }

    fn tokens(&self, text: &str, out: &mut dyn Write) -> Result<(), AskError> {
        let model = Arc::clone(&self.model);
        let encoded = self.encoder(&model, self.settings.bos)?.encode(text.as_bytes())?;
        writeln!(out, "{:>5} {:>7}  {} bytes", "", "id", padded("token", 18))?;
        for (i, piece) in encoded.pieces.iter().enumerate() {
            let token = padded(&model.vocab.visible(piece.id), 18);
            let bytes: Vec<String> =
                model.vocab.bytes(piece.id).iter().map(|byte| format!("{byte:02x}")).collect();
            writeln!(out, "{:>5} {:>7}  {token} {}", i + 1, piece.id, bytes.join(" "))?;
        }
        Ok(())
    }
}

fn candidates(prediction: &Prediction, k: Depth) -> Vec<TokenId> {
    prediction.top_logprobs[..prediction.count(k)].iter().map(|candidate| candidate.id).collect()
}
