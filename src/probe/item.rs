//! Suites in the form that is run: everything rendered, nothing measured yet.
//!
//! A suite file, a task of the evaluation harness, BLiMP's and SyntaxGym's own files all become a
//! [`Suite`] of [`Item`]s. An item says what it asks ([`Questions`]), what has to be found out for that
//! ([`Ask`]) and what must hold. Nothing here knows a model or a file format.

use std::path::PathBuf;
use std::sync::Arc;

use indexmap::IndexSet;

use super::expect::{Expectation, Limit};
use super::formula::Formula;
use super::metric::Metric;
use super::question::{Ask, Prompt, Questions};
use crate::continuation::Join;
use crate::settings::Bos;

/// A suite that is ready to run.
#[derive(Clone, Debug, Default)]
pub struct Suite {
    /// The name results carry.
    pub name: String,
    /// One line for people.
    pub title: Option<String>,
    /// What the suite is meant to show.
    pub claim: Option<String>,
    /// Language of its texts.
    pub lang: Option<String>,
    /// The file it came from; none for a suite in the program.
    pub file: Option<PathBuf>,
    /// The model it asks for.
    pub model: Option<String>,
    /// How its texts become tokens.
    pub rules: Rules,
    /// Reports and never fails.
    pub informational: bool,
    /// Whether its rows can be given on the command line.
    pub takes_data: bool,
    /// Its figures; empty takes every one that its items allow.
    pub metrics: Vec<Metric>,
    /// What its figures must be.
    pub limits: Vec<Limit>,
    /// What it measures, in file order.
    pub items: Vec<Item>,
}

/// How texts become tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Whether a BOS goes before raw text; `None` leaves it to the settings.
    pub bos: Option<Bos>,
    /// How a continuation joins its context.
    pub join: Join,
}

/// One thing to measure.
#[derive(Clone, Debug)]
pub struct Item {
    /// Unique in its suite.
    pub id: String,
    /// The probe it is a case of: the same for every rung of a ladder and every row of a file.
    pub probe: String,
    /// How hard it is, where the suite says that; more is harder.
    pub difficulty: Option<f64>,
    /// What it is about.
    pub questions: Arc<Questions>,
    /// What must hold.
    pub expect: Vec<Expectation>,
    /// What a suite of another project predicts of the pieces.
    pub predictions: Vec<Formula>,
    /// What has to be found out.
    pub asks: IndexSet<Ask>,
}

impl Item {
    /// An item of which nothing is expected.
    pub fn new(id: String, probe: &str, questions: Questions) -> Item {
        Item {
            id,
            probe: probe.to_string(),
            difficulty: None,
            asks: questions.asks(),
            questions: Arc::new(questions),
            expect: Vec::new(),
            predictions: Vec::new(),
        }
    }

    /// Whether it compares what several models say; then their answers are needed, not only what came out.
    pub fn compares_models(&self) -> bool {
        self.expect.iter().any(|expectation| expectation.models().next().is_some())
    }

    /// The first prompt's text; empty where there is none.
    pub fn prompt(&self) -> String {
        self.questions.prompts.first().map_or_else(String::new, Prompt::text)
    }
}

impl Suite {
    /// Draws every sample with this seed, whatever the file says.
    pub fn reseed(&mut self, seed: u32) {
        for item in &mut self.items {
            if let Some(sampling) = &mut Arc::make_mut(&mut item.questions).sampling {
                sampling.chain.seed = seed;
            }
        }
    }
}
