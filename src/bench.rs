//! `tokenscope bench`: what the instrument costs beside the raw engine, as ratios from one run.
//!
//! Pairs of runs are interleaved, so that a machine whose speed drifts slows both sides. Only one side
//! exists at a time, each on a thread of its own: llama.cpp's threads belong to the thread that asks for
//! them, and more of them than there are cores wait for each other asleep, which takes three times as long.

mod branch;
mod decode;
mod expand;
mod lens;
mod prompt;
mod scoring;
mod side;
mod start;
mod what_if;

pub use branch::BranchReport;
pub use decode::{BenchReply, DecodeReport};
pub use expand::ExpandCosts;
pub use lens::{LensCase, LensCosts};
pub use prompt::PromptReport;
pub use scoring::ScoringReport;
pub use side::{Bench, PATIENCE};
pub use start::StartReport;
pub use what_if::WhatIfCosts;
