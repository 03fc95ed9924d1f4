//! `/compare`: which of several texts the model prefers, by every reduction, and where they disagree.

use std::io::Write;
use std::sync::Arc;

use super::{AskError, Asker};
use crate::query::choices::{Comparison, compare};
use crate::query::window::Windowing;
use crate::report::choices;
use crate::settings::Bos;

impl Asker<'_> {
    /// Compares texts after the beginning they share. Texts that share none follow BOS, so that each
    /// of their tokens has context.
    pub(super) fn compare(&mut self, texts: &[String], mut out: &mut dyn Write) -> Result<(), AskError> {
        let model = Arc::clone(&self.model);
        let shared = shared_beginning(texts);
        let bos = if shared == 0 { Bos::Always } else { self.settings.bos };
        let encoder = self.encoder(&model, bos)?;
        let rests: Vec<&[u8]> = texts.iter().map(|text| &text.as_bytes()[shared..]).collect();
        let asked = Comparison {
            context: &texts[0].as_bytes()[..shared],
            choices: &rests,
            windowing: Windowing::new(model.context as usize, None, 1),
            bos,
        };
        let found = compare(self.client, &model, &encoder, &asked, &self.cancel)?;
        if shared > 0 {
            writeln!(out, "after {:?}", &texts[0][..shared])?;
        }
        choices::side_by_side(&mut out, &rests, &found)?;
        Ok(())
    }
}

/// Bytes that all texts begin with, up to a word's end, leaving every text something.
fn shared_beginning(texts: &[String]) -> usize {
    let Some((first, others)) = texts.split_first() else { return 0 };
    let mut shared = first.len();
    for other in others {
        let same = first.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
        shared = shared.min(same);
    }
    let ends_word = |at: usize| {
        texts.iter().all(|text| {
            at < text.len() && text.is_char_boundary(at) && text[at..].starts_with(char::is_whitespace)
        })
    };
    (1..=shared).rev().find(|&at| ends_word(at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::shared_beginning;

    fn shared(a: &str, b: &str) -> usize {
        shared_beginning(&[a.to_string(), b.to_string()])
    }

    #[test]
    fn texts_share_whole_words_and_keep_the_space_before_the_rest() {
        assert_eq!(shared("The cat sits", "The cat sit"), 7);
        assert_eq!(shared("The cats sit", "The cat sits"), 3);
        assert_eq!(shared("abc", "abd"), 0);
        assert_eq!(shared("the cat", "the cat sat"), 3);
        assert_eq!(shared("北京 是", "北京 在"), 6);
    }
}
