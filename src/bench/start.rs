//! What it takes until the first figure: the whole program from its start, against loading the model
//! and evaluating the same tokens.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;

use super::side::{apart, median, sequence};
use crate::engine::llama::{Attention, Context, ContextParams, Model};
use crate::engine::{CancelFlag, EngineError, ModelInfo};
use crate::token::TokenId;

/// What was measured, one value per pair.
#[derive(Clone, Debug, Serialize)]
pub struct StartReport {
    /// Seconds to load the model and evaluate the prompt.
    pub bare: Vec<f64>,
    /// Seconds of `tokenscope next`, from its start to its end.
    pub program: Vec<f64>,
    /// Median of program ÷ bare.
    pub median_ratio: f64,
}

/// One prompt's next token.
pub struct StartBench {
    /// What an engine says of the model.
    pub info: Arc<ModelInfo>,
    /// This program.
    pub program: PathBuf,
    /// The prompt.
    pub prompt: &'static str,
    /// Its tokens.
    pub tokens: Vec<TokenId>,
    /// Runs of each kind.
    pub pairs: usize,
}

impl StartBench {
    /// Runs all pairs. `each` is told after every pair.
    ///
    /// # Errors
    /// What the engine says, or that the program did not start.
    pub fn run(&self, mut each: impl FnMut(usize, f64, f64)) -> Result<StartReport, EngineError> {
        let (mut bare, mut program) = (Vec::new(), Vec::new());
        for pair in 0..self.pairs {
            bare.push(apart(|| self.bare())?);
            program.push(self.whole()?);
            each(pair + 1, bare[pair], program[pair]);
        }
        let ratios = program.iter().zip(&bare).map(|(program, bare)| program / bare).collect();
        Ok(StartReport { bare, program, median_ratio: median(ratios) })
    }

    fn bare(&self) -> Result<f64, EngineError> {
        let begun = Instant::now();
        let model = Arc::new(Model::load(&self.info.path, &CancelFlag::default(), |_| {})?);
        let params = ContextParams {
            cells: self.info.context,
            batch: self.tokens.len() as u32,
            outputs: 1,
            sequences: 1,
            threads: self.info.threads,
            attention: Attention::of_conversation(false),
        };
        let mut context = Context::new(&model, params).ok_or(EngineError::Decode(-1))?;
        context.decode(&sequence(&self.tokens, false))?;
        context.logits(self.tokens.len() - 1).ok_or(EngineError::Decode(-1))?;
        Ok(begun.elapsed().as_secs_f64())
    }

    fn whole(&self) -> Result<f64, EngineError> {
        let died = |what: String| EngineError::Died(format!("{}: {what}", self.program.display()));
        let begun = Instant::now();
        let output = Command::new(&self.program)
            .args(["next", self.prompt, "--quiet", "--bos", "never", "-m"])
            .arg(&self.info.path)
            .args(["--threads", &self.info.threads.to_string(), "--ctx", &self.info.context.to_string()])
            .stdin(Stdio::null())
            .output()
            .map_err(|error| died(error.to_string()))?;
        let seconds = begun.elapsed().as_secs_f64();
        match output.status.success() {
            true => Ok(seconds),
            false => Err(died(String::from_utf8_lossy(&output.stderr).trim().to_string())),
        }
    }
}

impl StartReport {
    /// For people.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "pair   bare ms   next ms   ratio")?;
        for (i, (bare, program)) in self.bare.iter().zip(&self.program).enumerate() {
            let ratio = program / bare;
            writeln!(out, "{:>4} {:>9.0} {:>9.0} {ratio:>7.3}", i + 1, bare * 1000.0, program * 1000.0)?;
        }
        writeln!(
            out,
            "start to first figure ÷ loading and evaluating alone: median ratio {:.3}",
            self.median_ratio
        )
    }
}
