//! Scripted probes: questions to a model whose answers are probabilities, and what must hold for them.
//!
//! A file ([`load`]) becomes suites of items ([`item`]), whose questions ([`question`]) become token
//! sequences ([`plan`]) that an engine scores ([`run`]); its answers ([`answer`]) are judged ([`judge`])
//! and become outcomes ([`outcome`]) and figures ([`metrics`]) that reports show. Questions and answers
//! know nothing of what must hold, and nothing here prints or knows a screen.

pub mod answer;
pub mod blimp;
pub mod choose;
pub mod compare;
pub mod dataset;
pub mod error;
pub mod expect;
pub mod formula;
pub mod interval;
pub mod item;
mod judge;
pub mod load;
pub mod metric;
pub mod metrics;
pub mod outcome;
pub mod plan;
mod python_random;
pub mod question;
pub mod run;
pub mod rungs;
pub mod scale;
pub mod shipped;
pub mod stats;
pub mod suite;
pub mod syntaxgym;
pub mod task;
pub mod verdict;
