//! Scripted probes: questions to a model whose answers are probabilities, and what must hold for them.
//!
//! A file ([`load`]) becomes suites of items ([`item`]), whose asks become token sequences ([`plan`]),
//! which an engine scores ([`run`]); the answers become outcomes ([`outcome`]) that reports show. Nothing
//! here prints or knows a screen.

pub mod answer;
pub mod blimp;
pub mod choose;
pub mod compare;
pub mod dataset;
pub mod error;
pub mod expect;
pub mod interval;
pub mod item;
pub mod load;
pub mod metrics;
pub mod outcome;
pub mod plan;
mod python_random;
pub mod run;
pub mod shipped;
pub mod stats;
pub mod suite;
pub mod syntaxgym;
pub mod task;
