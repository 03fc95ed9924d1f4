//! What expectations ask of a lens: a prompt cut short, a prompt without some words, and what lies between
//! the layers.

use super::{ItemPlan, PlannedLook, Planner, Split};
use crate::engine::look::{Edit, LookFor, Part, PartValue, Variant, Variants};
use crate::probe::answer::Finding;
use crate::probe::question::{Ask, counted, no_layer};
use crate::token::TokenId;

/// Unchanged copies beside a changed one: what they differ by is no effect.
pub const COPIES: usize = 4;

impl Planner<'_, '_> {
    /// A text after the last tokens of a prompt, at positions counted anew; a BOS stays.
    pub(super) fn context(&mut self, place: usize, ask: &Ask) -> Result<(), String> {
        let Ask::Context { prompt, tokens, text } = ask else { return Ok(()) };
        let split = self.encoder.continuation(&self.item.questions.prompts[*prompt], text)?;
        let bos = self.encoder.vocab().special().bos;
        let kept = usize::from(split.from > 0 && split.tokens.first().copied() == bos);
        let left_out = kept..(split.from.saturating_sub(*tokens)).max(kept);
        let from = split.from - left_out.len();
        let mut tokens = split.tokens;
        tokens.drain(left_out);
        self.score(place, Split { tokens, from, ..split }, Vec::new())
    }

    /// A text after a prompt without the words that a text names.
    pub(super) fn without(&mut self, place: usize, ask: &Ask) -> Result<(), String> {
        let Ask::Without { prompt, words, text } = ask else { return Ok(()) };
        let prompt = &self.item.questions.prompts[*prompt];
        let split = self.encoder.continuation(prompt, text)?;
        let typed = self.encoder.typed(prompt, split.from)?;
        let bytes: Vec<&[u8]> =
            split.tokens[..split.from].iter().map(|&id| self.encoder.vocab().bytes(id)).collect();
        let left_out = tokens_of(&bytes, words.as_bytes());
        let stays = |i: &usize| !(left_out.contains(i) && typed[*i]);
        let kept: Vec<usize> = (0..split.from).filter(stays).collect();
        if kept.len() == split.from {
            let reason = format!("no token of the prompt begins with {words:?} or inside it");
            self.plan.missing.push((ask.clone(), reason));
            return Ok(());
        }
        let rest = split.tokens[split.from..].iter().copied();
        let tokens: Vec<TokenId> = kept.iter().map(|&i| split.tokens[i]).chain(rest).collect();
        self.score(place, Split { tokens, from: kept.len(), ..split }, Vec::new())
    }

    /// The first token of a text after each layer.
    pub(super) fn layers(&mut self, place: usize, ask: &Ask) -> Result<(), String> {
        let Ask::Layers { prompt, text } = ask else { return Ok(()) };
        let (tokens, named) = self.prompt_and_first(*prompt, text)?;
        self.look(place, PlannedLook { ask: place, tokens, named, look: LookFor::Layers { copies: false } })
    }

    /// The first token of the target in unchanged copies of a prompt.
    pub(super) fn unchanged(&mut self, place: usize, ask: &Ask) -> Result<(), String> {
        let Ask::Unchanged { prompt, text } = ask else { return Ok(()) };
        let (tokens, named) = self.prompt_and_first(*prompt, text)?;
        let look =
            LookFor::Variants(Variants { variants: vec![Variant::default(); COPIES], ..Variants::default() });
        self.look(place, PlannedLook { ask: place, tokens, named, look })
    }

    /// The same in the second prompt, and in it with one value of the first one's residual stream.
    pub(super) fn patched(&mut self, place: usize, ask: &Ask) -> Result<(), String> {
        let Ask::Patched { layer, position, text } = ask else { return Ok(()) };
        let (clean, _) = self.prompt_and_first(0, text)?;
        let (tokens, named) = self.prompt_and_first(1, text)?;
        let missing = match (clean.len() == tokens.len(), counted(*position, clean.len())) {
            (false, _) => Err(self.difference(&clean, &tokens)),
            (_, None) => Err(format!("there is no position {position}: the prompts have {}", clean.len())),
            (_, Some(position)) => match counted(*layer, self.encoder.layers()) {
                Some(layer) => Ok((layer, position)),
                None => Err(no_layer(*layer, self.encoder.layers())),
            },
        };
        let (layer, position) = match missing {
            Ok(cell) => cell,
            Err(reason) => {
                self.plan.missing.push((ask.clone(), reason));
                return Ok(());
            }
        };
        let edit =
            Edit::Write { layer, part: Part::Residual, position: Some(position), value: PartValue::Other };
        let mut variants = vec![Variant::default(); COPIES];
        variants.push(Variant { edits: vec![edit], ..Variant::copy(position) });
        self.look(
            place,
            PlannedLook {
                ask: place,
                tokens,
                named,
                look: LookFor::Variants(Variants { variants, other: clean, ..Variants::default() }),
            },
        )
    }

    /// A prompt's tokens and the first of a text after it; no tokens where nothing is before it.
    fn prompt_and_first(&mut self, prompt: usize, text: &str) -> Result<(Vec<TokenId>, TokenId), String> {
        let Split { mut tokens, from, .. } =
            self.encoder.continuation(&self.item.questions.prompts[prompt], text)?;
        let first = tokens.get(from).copied().unwrap_or(super::ANY);
        tokens.truncate(from);
        Ok((tokens, first))
    }

    fn look(&mut self, place: usize, look: PlannedLook) -> Result<(), String> {
        if look.tokens.is_empty() {
            self.plan.empty.extend(self.item.asks.get_index(place).cloned());
        } else if look.tokens.len() > self.encoder.context() {
            return Err(super::too_long(look.tokens.len(), self.encoder.context()));
        } else {
            self.plan.looks.push(look);
        }
        Ok(())
    }

    fn difference(&self, clean: &[TokenId], corrupt: &[TokenId]) -> String {
        let at =
            clean.iter().zip(corrupt).position(|(a, b)| a != b).unwrap_or(clean.len().min(corrupt.len()));
        let text = |ids: &[TokenId]| ids.get(at).map_or(String::new(), |&id| self.encoder.vocab().text(id));
        format!(
            "the prompts have {} and {} tokens: they differ from token {at} on, {:?} and {:?}",
            clean.len(),
            corrupt.len(),
            text(clean),
            text(corrupt)
        )
    }
}

impl ItemPlan {
    /// Answers to what can't be asked of this model or prompt.
    pub fn refused(&self) -> impl Iterator<Item = (Ask, Finding)> + '_ {
        self.missing.iter().map(|(ask, reason)| (ask.clone(), Finding::Missing(reason.clone())))
    }
}

/// The tokens that belong to any place where a text stands: those whose first byte that is no white space
/// lies in it, and white space alone before such a token.
fn tokens_of(pieces: &[&[u8]], wanted: &[u8]) -> Vec<usize> {
    let text = pieces.concat();
    let blanks = wanted.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let wanted = if blanks < wanted.len() { &wanted[blanks..] } else { wanted };
    let found: Vec<usize> = text
        .windows(wanted.len().max(1))
        .enumerate()
        .filter(|(_, at)| *at == wanted)
        .map(|(at, _)| at)
        .collect();
    let mut start = 0;
    let mut tokens = Vec::new();
    for (i, piece) in pieces.iter().enumerate() {
        let blank = |at: &usize| text[*at].is_ascii_whitespace();
        let first = (start..text.len()).find(|at| !blank(at)).unwrap_or(start);
        if found.iter().any(|&at| (at..at + wanted.len()).contains(&first)) {
            tokens.push(i);
        }
        start += piece.len();
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::tokens_of;

    #[test]
    fn tokens_belong_to_the_text_that_holds_their_first_byte() {
        let pieces =
            |text: &'static [&'static str]| text.iter().map(|piece| piece.as_bytes()).collect::<Vec<_>>();
        let text = pieces(&["The", " dogs", " and", " ", "the", " do", "g"]);
        assert_eq!(tokens_of(&text, b"dog"), [1, 5, 6]);
        assert_eq!(tokens_of(&text, b" the"), [3, 4]);
        assert_eq!(tokens_of(&text, b"and the"), [2, 3, 4]);
        assert!(tokens_of(&text, b"cat").is_empty());
    }
}
