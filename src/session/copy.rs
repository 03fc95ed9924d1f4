//! `/copy`: a reply, the table of a step, the command that writes a reply again.

use super::turn::Turn;
use super::{Outcome, Session, SessionError};
use crate::command::{CopyAsked, CopyWhat};
use crate::intervention::Intervention;
use crate::sampling::Sampling;
use crate::sequence::NodeOrigin;
use crate::settings::Settings;
use crate::settings::key::SettingKey;
use crate::step::Candidate;

/// Most that is copied: terminals take some 100 000 letters, in which three bytes are four.
const MOST: usize = 72 << 10;

/// Settings beside the chain's that say how a reply is written.
const CHOICE: [SettingKey; 4] =
    [SettingKey::Greedy, SettingKey::Grammar, SettingKey::JsonSchema, SettingKey::Regex];

impl Session {
    /// Hands something to the clipboard.
    pub(super) fn copy(&self, asked: CopyAsked) -> Result<Vec<Outcome>, SessionError> {
        let (text, what) = match asked.what {
            CopyWhat::Reply => (self.replied(asked.at)?.content.clone(), "the reply"),
            CopyWhat::Table => (self.step_table(asked.at)?, "the table"),
            CopyWhat::Command => (self.again(asked.at)?, "the command"),
        };
        if text.len() > MOST {
            let kib = text.len().div_ceil(1 << 10);
            return Err(SessionError::TooMuchToCopy { what, kib, most: MOST >> 10 });
        }
        Ok(vec![Outcome::Copy(text, what)])
    }

    /// The reply in which a position is, or the last one.
    fn replied(&self, at: Option<usize>) -> Result<&Turn, SessionError> {
        let mut replies = self.turns().iter().rev().filter(|turn| turn.reply.is_some());
        let holds = |turn: &Turn, at| turn.tokens().is_some_and(|tokens| tokens.contains(&at));
        let found = match at {
            Some(at) => replies.find(|turn| holds(turn, at)),
            None => replies.next(),
        };
        found.map(AsRef::as_ref).ok_or(SessionError::NoReply)
    }

    /// A step's candidates, a row each, with tabs between the columns.
    fn step_table(&self, at: Option<usize>) -> Result<String, SessionError> {
        let sequence = self.sequence();
        let at = at.or_else(|| (0..sequence.len()).rev().find(|&at| sequence.step(at).is_some()));
        let stats = at.and_then(|at| sequence.step(at)).and_then(|step| step.stats.as_ref());
        let stats = stats.ok_or(SessionError::NoFigures)?;
        let vocab = self.vocab().ok_or(SessionError::NoFigures)?;
        let (shown, residual) = stats.prediction.shown(stats.prediction.count(self.settings.k));
        let mut text = "rank\ttoken\tid\tlogprob\tprob\tfinal_prob\tdropped_by\n".to_string();
        let row = |candidate: &Candidate| {
            let after = candidate.outcome.map_or(String::new(), |outcome| outcome.prob.to_string());
            let dropped = candidate.outcome.and_then(|outcome| outcome.dropped_by);
            let dropped = dropped.map_or("", |stage| stage.name());
            let (token, id) = (vocab.visible(candidate.id), candidate.id.0);
            let (rank, logprob, p) = (candidate.rank, candidate.logprob, candidate.prob());
            format!("{rank}\t{token}\t{id}\t{logprob}\t{p}\t{after}\t{dropped}\n")
        };
        text.extend(shown.iter().map(row));
        let others = stats.prediction.n_vocab as usize - shown.len();
        text.push_str(&format!("\t{others} others\t\t\t{}\t\t\n", residual.shown(|p| p.to_string())));
        Ok(text)
    }

    /// The command that writes a reply again, from the last token on that somebody put there.
    fn again(&self, at: Option<usize>) -> Result<String, SessionError> {
        let (turn, model) = (self.replied(at)?, &self.loaded()?.info);
        let reply = turn.reply.as_ref().ok_or(SessionError::NoReply)?;
        let tokens = turn.tokens().ok_or(SessionError::NoReply)?;
        let sequence = self.sequence();
        let is_put = |at: &usize| sequence.get(*at).is_some_and(|token| token.origin != NodeOrigin::Sampled);
        let start = tokens.clone().rev().find(is_put).map_or(tokens.start, |last| last + 1);
        let prompt = model.vocab.concat(sequence.tokens().take(start).map(|token| token.id));
        let prompt = String::from_utf8(prompt).map_err(|_| SessionError::NoText)?;
        let written = (tokens.end - start).max(1);
        let (weights, seed) = (model.about.weights.weights.name(), reply.seed);
        let mut line = format!(
            "printf %s {} | tokenscope generate - --special --bos never -m {} --weights {weights}{} -n {written} --seed {seed}",
            quoted(&prompt),
            quoted(&self.settings.model),
            if model.tells_context() { format!(" --ctx {}", model.context) } else { String::new() },
        );
        if self.settings.exact {
            line.push_str(" --exact");
        }
        let sampling = reply.sampling.clone().unwrap_or_else(|| self.settings.sampling.clone());
        let of = Settings { sampling, ..self.settings.clone() };
        let plain = Settings { sampling: Sampling::default(), constraint: None, ..self.settings.clone() };
        for key in SettingKey::CHAIN.into_iter().chain(CHOICE) {
            let (value, default) = (key.show(&of), key.show(&plain));
            match key {
                _ if value == default => {}
                SettingKey::Greedy => line.push_str(" --greedy"),
                _ => line.push_str(&format!(" --{} {}", key.name(), quoted(&value))),
            }
        }
        for one in reply.under.iter() {
            match one {
                Intervention::Off(part) => line.push_str(&format!(" --off {}", quoted(&part.to_string()))),
                Intervention::Steer(dose) => {
                    line.push_str(&format!(" --steer {}", quoted(&dose.to_string())))
                }
            }
        }
        Ok(line)
    }
}

/// A word of a shell's line.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,%+=".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_string();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
impl Session {
    /// What `/copy` would copy.
    pub(super) fn copy_text(&self, what: &str) -> Result<String, String> {
        let Some(Ok(crate::command::Command::Copy(asked))) = crate::command::parse(&format!("/copy {what}"))
        else {
            return Err("no command".to_string());
        };
        match self.copy(asked).map_err(|error| error.to_string())?.pop() {
            Some(Outcome::Copy(text, _)) => Ok(text),
            other => Err(format!("{other:?}")),
        }
    }
}
