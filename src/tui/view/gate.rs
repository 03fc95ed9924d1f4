//! The one gate between everything drawn and the terminal: whatever a widget wrote, no cell holds a
//! character that acts on a terminal, and no wide character lies under another's cell.
//!
//! Text that models, files and templates bring is spelled long before ([`crate::token::printable`]); this
//! is for what was forgotten, and for what people type.

use ratatui::buffer::Buffer;
use unicode_width::UnicodeWidthStr;

use crate::columns::drawn;
use crate::token::acts_on_a_terminal;

/// Looks at every cell of a finished frame.
pub(super) fn close(buffer: &mut Buffer) {
    let area = buffer.area;
    for y in area.top()..area.bottom() {
        let mut x = area.left();
        while x < area.right() {
            let symbol = buffer[(x, y)].symbol();
            if !is_plain(symbol) {
                let clean = clean(symbol);
                buffer[(x, y)].set_symbol(&clean);
            }
            let columns = buffer[(x, y)].symbol().width().max(1) as u16;
            let end = x.saturating_add(columns);
            // The other half of a wide character is a blank: a border that was drawn over it stays whole.
            let is_whole = end <= area.right() && (x + 1..end).all(|x| buffer[(x, y)].symbol() == " ");
            if is_whole {
                x = end;
            } else {
                buffer[(x, y)].set_symbol(" ");
                x += 1;
            }
        }
    }
}

fn is_plain(symbol: &str) -> bool {
    match symbol.as_bytes() {
        [byte] => (b' '..0x7F).contains(byte),
        _ => symbol.width() > 0 && !symbol.contains(acts_on_a_terminal),
    }
}

fn clean(symbol: &str) -> String {
    let kept: String = symbol.chars().filter(|&c| !acts_on_a_terminal(c)).collect();
    match kept.is_empty() {
        true => "·".to_string(),
        false => drawn(&kept).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;

    use super::*;

    fn symbols(cells: &[&str]) -> Vec<String> {
        let mut buffer = Buffer::empty(Rect::new(0, 0, cells.len() as u16, 1));
        for (x, symbol) in cells.iter().enumerate() {
            buffer[(x as u16, 0)].set_symbol(symbol);
        }
        close(&mut buffer);
        buffer.content().iter().map(|cell| cell.symbol().to_string()).collect()
    }

    #[test]
    fn nothing_that_acts_on_a_terminal_passes() {
        assert_eq!(
            symbols(&["\u{1b}", "a\u{202e}", "\u{9b}", "\n", "e\u{301}"]),
            ["·", "a", "·", "·", "e\u{301}"]
        );
    }

    #[test]
    fn a_wide_character_that_is_half_covered_goes() {
        assert_eq!(symbols(&["北", "│", "北", " ", "x"]), [" ", "│", "北", " ", "x"]);
        assert_eq!(symbols(&["a", "北"]), ["a", " "]);
    }
}
