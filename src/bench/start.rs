//! What it takes until the first figure: the whole program from its start, against loading the model
//! and evaluating the same tokens.

use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde::Serialize;

use super::side::{Bench, apart, context, ratio, sequence};
use crate::engine::EngineError;
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

impl Bench<'_> {
    /// The whole program from its start to the first figure, beside loading and evaluating alone.
    ///
    /// # Errors
    /// What the engine says, or the program.
    pub fn start(&self, program: &Path, prompt: &str) -> Result<StartReport, EngineError> {
        let tokens = self.info.tokenizer.tokenize(prompt.as_bytes(), false);
        let measure = || Ok([apart(|| self.load_and_evaluate(&tokens))?, self.whole(program, prompt)?]);
        let [bare, program] = self.pairs(measure, |[bare, program]| {
            format!("bare {:.0} ms, next {:.0} ms", bare * 1000.0, program * 1000.0)
        })?;
        Ok(StartReport { median_ratio: ratio(&program, &bare), bare, program })
    }

    fn load_and_evaluate(&self, tokens: &[TokenId]) -> Result<f64, EngineError> {
        let begun = Instant::now();
        let model = self.raw_model()?;
        let mut context = context(&model, self.params(tokens.len(), 1))?;
        context.decode(&sequence(tokens, false))?;
        context.logits(tokens.len() - 1).ok_or(EngineError::Decode(-1))?;
        Ok(begun.elapsed().as_secs_f64())
    }

    /// The same by the whole program, in a process of its own.
    fn whole(&self, program: &Path, prompt: &str) -> Result<f64, EngineError> {
        let died = |what: String| EngineError::Died(format!("{}: {what}", program.display()));
        let begun = Instant::now();
        let output = Command::new(program)
            .args(["next", prompt, "--quiet", "--bos", "never", "-m"])
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
