//! Everything that can be asked of a model, and what comes back: one pair of types for the command line,
//! the REPL and the chat.
//!
//! A question is plain data; [`answer`] computes its answer in one place, from the folder that knows how
//! (`query`, `probe`). An answer is data until the last moment: `report::answer` makes a table or a record
//! of it, a screen something that can be walked. A new view is a variant of each, a file that computes it
//! and a file that shows it.

mod probe;

use std::sync::Arc;

use crate::continuation::Encoded;
use crate::counter::Far;
use crate::intervention::Interventions;
use crate::lens::{self, Lens, LensWish};
use crate::probe::outcome::SuiteOutcome;
use crate::query::choices::{ChoiceComparison, ComparedChoices, compare};
use crate::query::expand::{ExpandFrom, ExpandWish, Expansion, expand};
use crate::query::generate::{Beginning, GeneratedText, generate};
use crate::query::next::{NextTokens, Prompted, after_ids, next};
use crate::query::rescore::{Premised, Rescored, rescore};
use crate::query::score::{self, ScoredText};
use crate::query::step_question::{StepAnswer, StepQuestion, at_step};
use crate::query::{Asker, QueryError};
use crate::settings::Settings;
use crate::step::Step;
use crate::token::TokenId;
pub use probe::Probed;

/// Longest continuation where nobody asks for another.
const CONTINUATION: usize = 128;

/// A question.
#[derive(Clone, Debug)]
pub enum Question {
    /// What comes after a text, and how probable texts are there.
    Next(Prompted),
    /// What comes after a text in the making, by exact ids.
    Step(Vec<TokenId>),
    /// How likely a text is.
    Score(String),
    /// Which of several texts the model prefers.
    Compare(Vec<String>),
    /// A continuation of a text.
    Generate(String),
    /// The most likely continuations of a text.
    Expand(Box<ExpandWish>),
    /// The tokens of a text.
    Tokens(String),
    /// A suite of probes, by its name or file.
    Probe(String),
    /// The last reply under another premise.
    Rescore(Box<Premised>),
    /// Why a prediction is what it is.
    Lens(Box<LensWish>),
    /// Something about one step of the conversation.
    AtStep(Box<StepQuestion>),
}

impl Question {
    /// What is in force at every position of what is computed for it.
    pub fn under(&self, settings: &Settings) -> Interventions {
        match self {
            Question::Lens(wish) => wish.under.clone().unwrap_or_else(|| settings.interventions()),
            // Nothing is computed, or it knows what each of its tokens was written under.
            Question::Tokens(_) | Question::Rescore(_) | Question::AtStep(_) => Interventions::default(),
            Question::Expand(wish) if matches!(wish.from, ExpandFrom::Ids(..)) => Interventions::default(),
            _ => settings.interventions(),
        }
    }
}

/// An answer, by the same names.
#[derive(Debug)]
pub enum Answer {
    /// The distribution.
    Next(NextTokens),
    /// The distribution after a text in the making.
    Step(NextTokens),
    /// The text's tokens with their figures.
    Score(ScoredText),
    /// The texts with their figures.
    Compare(ComparedChoices),
    /// The continuation.
    Generate(GeneratedText),
    /// The continuations.
    Expand(Expansion),
    Tokens(Encoded),
    /// The suites' outcomes.
    Probe(Probed),
    /// The reply's tokens with both figures.
    Rescore(Rescored),
    /// What a lens shows.
    Lens(Box<Lens>),
    /// What there is at the step.
    AtStep(Box<StepAnswer>),
}

/// A piece of an answer in the making, for whoever does not want to wait for the whole.
#[derive(Clone, Copy, Debug)]
pub enum AnswerPart<'a> {
    /// The text that is gone on with.
    Prompt(&'a [TokenId]),
    /// What its continuation grew by.
    Grown(&'a str),
    /// Something to know before a suite's outcome.
    Note(&'a str),
    /// A suite is complete.
    Suite(&'a SuiteOutcome),
}

/// A text in the making, by exact ids.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// Its ids, BOS included.
    pub ids: Vec<TokenId>,
    /// What the last table offers to go on with, in its order: of candidates one token each.
    pub offers: Vec<Vec<TokenId>>,
    /// Whether it is the conversation up to a token.
    pub of_conversation: bool,
}

impl Answer {
    /// The step that an item of its list stands for, where its items are tokens with figures.
    pub fn step(&self, item: usize) -> Option<&Step> {
        match self {
            Answer::Score(scored) => scored.steps.get(item),
            Answer::Generate(generated) => generated.reply.steps.get(item).map(|step| &**step),
            Answer::Rescore(rescored) => rescored.steps.get(item),
            Answer::Next(_)
            | Answer::Step(_)
            | Answer::Compare(_)
            | Answer::Expand(_)
            | Answer::Tokens(_)
            | Answer::Probe(_)
            | Answer::Lens(_)
            | Answer::AtStep(_) => None,
        }
    }

    /// How many ways to go on it lists, and whether with the conversation itself.
    pub fn offers(&self) -> (usize, bool) {
        match self {
            Answer::Next(next) | Answer::Step(next) => (next.prediction.top_logprobs.len(), false),
            Answer::Expand(found) => (found.nodes.len(), found.of_conversation),
            _ => (0, false),
        }
    }

    /// The text in the making, if the answer lists what it may go on with.
    pub fn draft(&self) -> Option<Draft> {
        match self {
            Answer::Next(next) | Answer::Step(next) => {
                let offers = next.prediction.top_logprobs.iter().map(|candidate| vec![candidate.id]);
                Some(Draft { ids: next.prompt.clone(), offers: offers.collect(), of_conversation: false })
            }
            Answer::Expand(found) => Some(Draft {
                ids: found.prompt.clone(),
                offers: (0..found.nodes.len()).map(|node| found.path(node)).collect(),
                of_conversation: found.of_conversation,
            }),
            _ => None,
        }
    }
}

/// Answers a question; `parts` is told pieces of the answer as they come.
///
/// # Errors
/// [`QueryError`].
pub fn answer(
    asker: &mut Asker,
    question: &Question,
    parts: &mut dyn FnMut(AnswerPart),
) -> Result<Answer, QueryError> {
    asker.client.intervene(question.under(&asker.settings));
    let answer = told(asker, question, parts);
    asker.client.intervene(Interventions::default());
    answer
}

fn told(
    asker: &mut Asker,
    question: &Question,
    parts: &mut dyn FnMut(AnswerPart),
) -> Result<Answer, QueryError> {
    if let Question::Probe(name) = question {
        return probe::probe(asker, name, parts).map(Answer::Probe);
    }
    let far = Arc::clone(&asker.far);
    let told = move |done, total| far(Far { what: "reading", unit: "tokens", done, total });
    asker.client.watch(Some(Box::new(told)));
    let answer = computed(asker, question, parts);
    asker.client.watch(None);
    answer
}

fn computed(
    asker: &mut Asker,
    question: &Question,
    parts: &mut dyn FnMut(AnswerPart),
) -> Result<Answer, QueryError> {
    match question {
        Question::Next(asked) => next(asker, asked).map(Answer::Next),
        Question::Step(ids) => after_ids(asker, ids).map(Answer::Step),
        Question::Score(text) => score::text(asker, text.as_bytes()).map(Answer::Score),
        Question::Compare(texts) => {
            let asked = ChoiceComparison::of_texts(asker, texts);
            compare(asker, &asked).map(Answer::Compare)
        }
        Question::Generate(text) => {
            let longest = asker.settings.max_tokens.unwrap_or(CONTINUATION);
            let beginning = Beginning::new(asker, text.as_bytes(), longest)?;
            continued(asker, beginning, parts).map(Answer::Generate)
        }
        Question::Expand(wish) => expand(asker, wish).map(Answer::Expand),
        Question::Tokens(text) => {
            let encoder = asker.encoder(&asker.model, asker.settings.bos)?;
            Ok(Answer::Tokens(encoder.encode(text.as_bytes())?))
        }
        Question::Probe(name) => probe::probe(asker, name, parts).map(Answer::Probe),
        Question::Rescore(asked) => rescore(asker, asked).map(Answer::Rescore),
        Question::AtStep(asked) => at_step(asker, asked).map(|found| Answer::AtStep(Box::new(found))),
        Question::Lens(wish) => lens::look(asker, wish).map(|seen| Answer::Lens(Box::new(seen))),
    }
}

fn continued(
    asker: &mut Asker,
    beginning: Beginning,
    parts: &mut dyn FnMut(AnswerPart),
) -> Result<GeneratedText, QueryError> {
    // Once it is read: until then a line below the last one says how far that is.
    let mut prompt = Some(beginning.ids.clone());
    let mut generated = generate(asker, beginning, &mut |_, grown| {
        if let Some(prompt) = prompt.take() {
            parts(AnswerPart::Prompt(&prompt));
        }
        parts(AnswerPart::Grown(grown));
    })?;
    if let Some(prompt) = prompt {
        parts(AnswerPart::Prompt(&prompt));
    }
    parts(AnswerPart::Grown(&generated.reply.finish()));
    Ok(generated)
}
