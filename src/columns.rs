//! Text in the columns of a terminal: how it is drawn, how wide it is, how it is cut and filled up.
//!
//! What people see as one character is a grapheme: a letter with its marks, a joined emoji, a flag. It is
//! never cut, and whoever counts columns counts those of [`drawn`] graphemes, so that counting and drawing
//! can't disagree. Control characters are spelled by [`crate::token::printable`] before text comes here.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// What a tab is drawn as.
const TAB: &str = "    ";
/// Most code points of one grapheme that are drawn: what languages and emoji need, and twice that.
const LONGEST: usize = 32;
/// What a mark without a letter is drawn on.
const NO_LETTER: &str = "◌";

/// A grapheme as a terminal is given it: something that takes columns of its own, whatever it is.
pub fn drawn(grapheme: &str) -> Cow<'_, str> {
    if grapheme.len() == 1 && grapheme != "\t" {
        return Cow::Borrowed(grapheme);
    }
    if grapheme == "\t" {
        return Cow::Borrowed(TAB);
    }
    if has_hidden_tags(grapheme) || (grapheme.width() == 0 && grapheme.chars().all(is_invisible)) {
        return Cow::Owned(grapheme.chars().map(spelled_if_invisible).collect());
    }
    if grapheme.chars().nth(LONGEST).is_some() {
        let kept: String = grapheme.chars().take(LONGEST).collect();
        return Cow::Owned(drawn(&kept).into_owned() + "…");
    }
    if grapheme.width() == 0 {
        let on_circle = format!("{NO_LETTER}{grapheme}");
        // The later parts of Hangul syllables join nothing but one another.
        let joined = on_circle.graphemes(true).count() == 1;
        return Cow::Owned(if joined { on_circle } else { grapheme.chars().map(spelled).collect() });
    }
    Cow::Borrowed(grapheme)
}

/// Whether a character joins the one before it, so that at the beginning of a text it has nothing to
/// stand on.
pub fn joins(c: char) -> bool {
    !c.is_ascii() && format!("a{c}").graphemes(true).count() == 1
}

/// A mark that has nothing to stand on, made visible.
pub fn alone(c: char) -> String {
    let spelled = spelled_if_invisible(c);
    // Skin tones have a shape of their own.
    if spelled.width() > 0 && (spelled.len() > c.len_utf8() || !is_mark(c)) {
        return spelled;
    }
    format!("{NO_LETTER}{c}")
}

fn is_mark(c: char) -> bool {
    joins(c) && !matches!(c, '\u{1F3FB}'..='\u{1F3FF}')
}

/// Characters that join others and have no shape.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{34F}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}')
        || matches!(c, '\u{200B}'..='\u{200D}' | '\u{FE00}'..='\u{FE0F}' | '\u{E0000}'..='\u{E0FFF}')
}

fn spelled(c: char) -> String {
    format!("<U+{:04X}>", c as u32)
}

fn spelled_if_invisible(c: char) -> String {
    if is_invisible(c) { spelled(c) } else { c.to_string() }
}

/// Tag characters make the flags of regions, after a black flag; anywhere else they hide text.
fn has_hidden_tags(grapheme: &str) -> bool {
    let is_tag = |c| matches!(c, '\u{E0000}'..='\u{E007F}');
    grapheme.contains(is_tag) && !grapheme.starts_with('\u{1F3F4}')
}

/// A whole text as it is drawn.
pub fn drawn_text(text: &str) -> Cow<'_, str> {
    if text.is_ascii() && !text.contains('\t') {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.graphemes(true).map(drawn).collect())
}

/// Columns a grapheme takes.
pub fn grapheme_width(grapheme: &str) -> usize {
    // What is drawn for one grapheme may be several.
    drawn(grapheme).graphemes(true).map(UnicodeWidthStr::width).sum()
}

/// Columns a text takes: the sum over its graphemes.
pub fn width(text: &str) -> usize {
    if text.is_ascii() && !text.contains('\t') {
        return text.len();
    }
    text.graphemes(true).map(grapheme_width).sum()
}

/// Text cut to a number of columns, with an ellipsis where something is missing.
pub fn clipped(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return drawn_text(text).into_owned();
    }
    let mut kept = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        used += grapheme_width(grapheme);
        if used + 1 > columns {
            break;
        }
        kept.push_str(&drawn(grapheme));
    }
    if columns > 0 {
        kept.push('…');
    }
    kept
}

/// The end of a text, cut to a number of columns, with an ellipsis before it where something is missing.
pub fn clipped_before(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return drawn_text(text).into_owned();
    }
    let mut kept = Vec::new();
    let mut used = 0;
    for grapheme in text.graphemes(true).rev() {
        used += grapheme_width(grapheme);
        if used + 1 > columns {
            break;
        }
        kept.push(drawn(grapheme));
    }
    let ellipsis = if columns > 0 { "…" } else { "" };
    ellipsis.to_string() + &kept.into_iter().rev().collect::<String>()
}

/// Text filled up to a number of columns.
pub fn padded(text: &str, columns: usize) -> String {
    format!("{}{}", drawn_text(text), " ".repeat(columns.saturating_sub(width(text))))
}

/// Exactly this many columns: cut with an ellipsis, or filled up.
pub fn fitted(text: &str, columns: usize) -> String {
    padded(&clipped(text, columns), columns)
}

/// Text in lines of at most this many columns, cut at blanks, and where a script has none between two of
/// its graphemes.
pub fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split_whitespace() {
        if !line.is_empty() && used + 1 + width(word) <= columns {
            line.push(' ');
            line.push_str(&drawn_text(word));
            used += 1 + width(word);
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        for grapheme in word.graphemes(true) {
            let wide = grapheme_width(grapheme);
            if used + wide > columns && !line.is_empty() {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push_str(&drawn(grapheme));
            used += wide;
        }
    }
    lines.extend((!line.is_empty()).then_some(line));
    lines
}

#[cfg(test)]
mod tests;
