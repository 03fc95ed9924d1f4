//! Questions to a model about raw text: what comes next, how likely a text is, which of several
//! continuations it prefers, how it goes on and might.
//!
//! [`text`] turns text into ids and remembers where each token stands; [`window`] cuts what is longer
//! than the context; [`scoring`] asks the engine; the rest computes answers as plain data from what an
//! [`Asker`] has. Nothing here prints, and nothing knows the command line. What unites the questions is
//! [`crate::ask`].

pub mod asker;
pub mod at_step;
pub mod choices;
pub mod corpus;
pub mod expand;
pub mod generate;
pub mod input;
pub mod next;
pub mod rescore;
pub mod score;
pub mod scoring;
pub mod step_question;
pub mod text;
pub mod what_if;
pub mod window;

pub use asker::{Asker, QueryError};
