//! Tables as text: what separates the columns, and quotation marks that nobody closes.
//!
//! Owns what is told by looking at the text; the `csv` crate reads it.

/// What separates the columns: of comma, semicolon and tab the one that is most often in the head, cells
/// in quotation marks left out.
pub fn separator(head: &str) -> u8 {
    let bare: Vec<u8> = head.split('"').step_by(2).flat_map(str::bytes).collect();
    let count = |separator: &u8| bare.iter().filter(|byte| *byte == separator).count();
    // Of equals the last is taken.
    b"\t;,".iter().copied().max_by_key(count).unwrap_or(b',')
}

/// A separator as people call several of it.
pub fn name(separator: u8) -> &'static str {
    match separator {
        b'\t' => "tabs",
        b';' => "semicolons",
        _ => "commas",
    }
}

/// What is said of an open quotation mark.
pub const UNCLOSED: &str = "a quotation mark opens a cell here and is never closed";

/// The line of a quotation mark that opens a cell and is never closed: what follows would be one cell.
pub fn unclosed_quote(text: &[u8], separator: u8) -> Option<usize> {
    let (mut line, mut opened, mut at, mut begins) = (1, None, 0, true);
    while let Some(&byte) = text.get(at) {
        line += usize::from(byte == b'\n');
        match (byte, opened) {
            (b'"', Some(_)) if text.get(at + 1) == Some(&b'"') => at += 1,
            (b'"', Some(_)) => opened = None,
            (b'"', None) if begins => opened = Some(line),
            _ => {}
        }
        begins = opened.is_none() && (byte == separator || byte == b'\n' || byte == b'\r');
        at += 1;
    }
    opened
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_separated_by_what_its_head_has_most_of() {
        assert_eq!(separator("item;sentence;cond"), b';');
        assert_eq!(separator("item\tsentence"), b'\t');
        assert_eq!(separator("a,b;c,d"), b',');
        assert_eq!(separator("\"a;b;c\",text"), b',');
        assert_eq!(separator("text"), b',');
    }

    #[test]
    fn a_quote_that_is_never_closed_has_its_line() {
        assert_eq!(unclosed_quote(b"a,text\n1,\"x\n2,y\n", b','), Some(2));
        assert_eq!(unclosed_quote(b"text\n\"a \"\"b\"\" c\"\n5\" nail\n\"x\ny\"\n", b','), None);
        assert_eq!(unclosed_quote(b"a;b\n1;\"x\"\n\"", b';'), Some(3));
    }
}
