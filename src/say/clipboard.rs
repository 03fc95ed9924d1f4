//! The terminal's clipboard, by the sequence OSC 52, which also reaches it from another machine. No terminal says
//! whether it took it.

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Hands a text to the terminal that reads `out`; what to say of it. `what` names the text.
///
/// # Errors
/// Those of the writer.
pub fn copy(out: &mut impl Write, text: &str, what: &str) -> io::Result<String> {
    out.write_all(format!("\x1b]52;c;{}\x07", STANDARD.encode(text)).as_bytes())?;
    out.flush()?;
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    Ok(told(what, text.len(), set("TMUX"), set("STY")))
}

fn told(what: &str, bytes: usize, in_tmux: bool, in_screen: bool) -> String {
    let needs = match (in_tmux, in_screen) {
        (true, _) => "; tmux passes it on with: set -g set-clipboard on",
        (false, true) => "; GNU screen does not pass it on",
        (false, false) => "",
    };
    format!("{what} ({bytes} bytes) went to the terminal's clipboard (OSC 52){needs}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_sequence_that_a_terminal_reads() {
        let mut out = Vec::new();
        let said = copy(&mut out, "né\x1b[2J", "the reply").unwrap();
        assert_eq!(out, b"\x1b]52;c;bsOpG1sySg==\x07");
        assert!(said.starts_with("the reply (7 bytes)"), "{said}");
        assert!(told("it", 1, true, false).contains("set-clipboard on"));
        assert!(told("it", 1, false, true).contains("does not pass"));
    }
}
