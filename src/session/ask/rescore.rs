//! `/rescore`: the same reply as the answer to something else, with the difference per token.

use std::io::Write;
use std::sync::Arc;

use super::{AskError, Asker, Rescore};
use crate::columns::padded;
use crate::query::scoring::Job;

/// Columns of a token.
const TOKEN: usize = 18;

impl Asker<'_> {
    pub(super) fn rescore(&mut self, asked: &Rescore, out: &mut dyn Write) -> Result<(), AskError> {
        let model = Arc::clone(&self.model);
        let Some(template) = self.template.clone() else {
            return Err(AskError::Choice("the model has no chat template that works".to_string()));
        };
        let prompt = template.encode(&asked.messages, model.tokenizer.as_ref(), &model.vocab)?;
        let mut ids: Vec<_> = prompt.tokens.iter().map(|token| token.id).collect();
        let from = ids.len();
        ids.extend(&asked.reply);
        let room = model.context as usize;
        if ids.len() > room {
            return Err(crate::engine::EngineError::TooLong { needed: ids.len(), context: room }.into());
        }
        let steps = self.steps(Job { ids, has_bos: false, from })?;
        writeln!(
            out,
            "{:>5}  {} {:>9} {:>9} {:>9}",
            "step",
            padded("token", TOKEN),
            "ln p",
            "before",
            "change"
        )?;
        let (mut now, mut then) = (0.0, 0.0);
        for (i, (step, &before)) in steps.iter().zip(&asked.before).enumerate() {
            let token = padded(&model.vocab.visible(step.id), TOKEN);
            let logprob = step.logprob().unwrap_or(f32::NAN);
            now += f64::from(logprob);
            then += f64::from(before);
            let change = logprob - before;
            writeln!(out, "{:>5}  {token} {logprob:>9.3} {before:>9.3} {change:>+9.3}", i + 1)?;
        }
        let n = steps.len().max(1) as f64;
        writeln!(
            out,
            "Σ {now:.3} nat, before {then:.3}: {:+.3} nat, {:+.3} per token over {} tokens",
            now - then,
            (now - then) / n,
            steps.len()
        )?;
        Ok(())
    }
}
