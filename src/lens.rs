//! Why this token? What the layers say, what the words before it do, where attention looks.
//!
//! One file a view: its question as plain data, and its answer computed from what an [`Asker`] has. Nothing
//! here prints, and nothing knows a tensor: what lies between the layers is asked of the engine by name
//! ([`crate::engine::look`]).

pub mod attention;
pub mod attribution;
pub mod context;
pub mod flags;
pub mod floor;
mod inspect;
pub mod keyboard;
pub mod knockout;
pub mod logit;
pub mod occlusion;
mod rest;
pub mod spans;
pub mod steer;
pub mod subject;
pub mod trace;
pub mod variants;

use crate::intervention::{AttentionEdge, Interventions};
use crate::query::{Asker, QueryError};
pub use inspect::inspect;

use attention::{AttentionLens, Which};
use attribution::Attribution;
use context::Curve;
use keyboard::{Keyboard, KeyboardWish};
use knockout::{Knockout, KnockoutWish};
use logit::Layers;
use occlusion::{Instead, Occlusion};
use spans::SpanUnit;
use subject::{Given, Subject, subject};
use trace::{Trace, TraceWish};

/// What is asked about a prediction.
#[derive(Clone, Debug)]
pub struct LensWish {
    /// What it is a prediction after.
    pub given: Given,
    /// The text that is asked about; `None` is the model's first choice.
    pub target: Option<Vec<u8>>,
    /// Another text, of which the difference is told.
    pub versus: Option<Vec<u8>>,
    /// How it is looked at.
    pub view: Looking,
    /// What is in force at every position; `None` is what the settings have.
    pub under: Option<Interventions>,
}

/// A way of looking.
#[derive(Clone, Debug, PartialEq)]
pub enum Looking {
    /// What the model's head says of the residual stream after each layer.
    Logit,
    /// The target with the last 1, 2, 4 … tokens alone.
    Context,
    /// The target without each span.
    Occlusion {
        /// What a span is; `None` is a word, or a character in a script without spaces.
        by: Option<SpanUnit>,
        /// What stands there instead.
        instead: Instead,
    },
    /// Where attention looks.
    Attention(Which),
    /// What each part adds to the target's logit.
    Attribution,
    /// The model beside a count of what follows what.
    Keyboard(KeyboardWish),
    /// The target without parts of the model.
    Knockout(KnockoutWish),
    /// What brings the target back after another prompt.
    Trace(TraceWish),
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Lens {
    /// What it is about.
    pub subject: Subject,
    /// Differences of log p below this many nats are no effect; `None` where nothing is called an effect.
    pub floor: Option<f64>,
    /// The figures.
    pub finding: LensFinding,
    /// Whether it was stopped before all of it was found.
    pub partial: bool,
}

/// The figures of a view.
#[derive(Clone, Debug)]
pub enum LensFinding {
    /// By layer.
    Logit(Layers),
    /// By number of tokens.
    Context(Curve),
    /// By span.
    Occlusion(Occlusion),
    /// By layer and head.
    Attention(AttentionLens),
    /// Shares in the logit.
    Attribution(Attribution),
    /// The model and the n-gram model.
    Keyboard(Box<Keyboard>),
    /// Part by part.
    Knockout(Knockout),
    /// Layer by layer and position.
    Trace(Trace),
}

/// Looks. What is stopped in the middle is told as far as it goes.
///
/// # Errors
/// [`QueryError`].
pub fn look(asker: &mut Asker, wish: &LensWish) -> Result<Lens, QueryError> {
    let mut subject = subject(asker, &wish.given, wish.target.as_deref(), wish.versus.as_deref())?;
    let (edges, _) = asker.client.in_force().at_the_end().apart();
    let idle: Vec<String> = edges.into_iter().filter_map(|edge| idle(edge, &subject)).collect();
    subject.notes.extend(idle);
    let (floor, finding, done) = match &wish.view {
        Looking::Logit => {
            let (floor, layers, done) = logit::layers(asker, &subject)?;
            (Some(floor), LensFinding::Logit(layers), done)
        }
        Looking::Context => {
            let (floor, curve, done) = context::curve(asker, &subject)?;
            (Some(floor), LensFinding::Context(curve), done)
        }
        Looking::Occlusion { by, instead } => {
            let (floor, occlusion, done) = occlusion::occlusion(asker, &subject, *by, instead)?;
            subject.notes.extend(occlusion.note.clone());
            (Some(floor), LensFinding::Occlusion(occlusion), done)
        }
        Looking::Attention(which) => {
            let (attention, done) = attention::attention(asker, &subject, *which)?;
            (None, LensFinding::Attention(attention), done)
        }
        Looking::Attribution => {
            let (attribution, done) = attribution::attribution(asker, &subject)?;
            (None, LensFinding::Attribution(attribution), done)
        }
        Looking::Keyboard(wish) => {
            let (keyboard, done) = keyboard::keyboard(asker, &subject, wish)?;
            (None, LensFinding::Keyboard(Box::new(keyboard)), done)
        }
        Looking::Knockout(wish) => {
            let (floor, knockout, done) = knockout::knockout(asker, &subject, wish)?;
            (Some(floor), LensFinding::Knockout(knockout), done)
        }
        Looking::Trace(wish) => {
            let (floor, trace, done) = trace::trace(asker, &subject, wish)?;
            (Some(floor), LensFinding::Trace(trace), done)
        }
    };
    Ok(Lens { subject, floor, finding, partial: !done })
}

/// What is said of an edge that is off where nothing stands.
fn idle(edge: AttentionEdge, subject: &Subject) -> Option<String> {
    let behind = subject.named().map(|named| named.ids.len() - 1).max().unwrap_or(0);
    let last = subject.words.len() + behind - 1;
    (edge.to > last).then(|| format!("edge {edge} changes nothing here: the last position is {last}"))
}
