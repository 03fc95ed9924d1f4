//! Questions to a model about raw text: what comes next, how likely a text is, which of several
//! continuations it prefers.
//!
//! [`text`] turns text into ids and remembers where each token stands; [`window`] cuts what is longer
//! than the context; [`scoring`] asks the engine; the rest assembles answers as plain data. Nothing here
//! prints, and nothing knows the command line.

pub mod choices;
pub mod input;
pub mod next;
pub mod scoring;
pub mod text;
pub mod window;
