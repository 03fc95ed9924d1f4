use super::*;

/// Keys as text, each this many milliseconds after the one before; `\r` is Enter, `\x03` Ctrl-C, `←` left.
fn typed(keys: &[(u64, char)]) -> Vec<String> {
    let mut burst = Burst::default();
    let mut now = 0;
    let mut meant = Vec::new();
    for &(after, c) in keys {
        // The reader waits for as long as the burst has patience.
        if burst.patience().is_some_and(|patience| Duration::from_millis(after) > patience) {
            meant.extend(burst.settle());
        }
        now += after;
        let (code, modifiers) = match c {
            '\r' => (KeyCode::Enter, KeyModifiers::NONE),
            '\n' => (KeyCode::Char('j'), KeyModifiers::CONTROL),
            '\t' => (KeyCode::Tab, KeyModifiers::NONE),
            '\x03' => (KeyCode::Char('c'), KeyModifiers::CONTROL),
            '←' => (KeyCode::Left, KeyModifiers::NONE),
            c => (KeyCode::Char(c), KeyModifiers::NONE),
        };
        meant.extend(burst.take(Duration::from_millis(now), Input::Key(KeyEvent::new(code, modifiers))));
    }
    meant.extend(burst.settle());
    meant.iter().map(shown).collect()
}

fn shown(input: &Input) -> String {
    match input {
        Input::Paste(text) => format!("paste {text:?}"),
        Input::Key(KeyEvent { code: KeyCode::Char(c), modifiers, .. }) if modifiers.is_empty() => {
            c.to_string()
        }
        Input::Key(key) => format!("{:?}", key.code),
        other => format!("{other:?}"),
    }
}

fn at_once(text: &str) -> Vec<String> {
    typed(&text.chars().map(|c| (0, c)).collect::<Vec<_>>())
}

#[test]
fn an_enter_that_ends_a_burst_of_one_line_sends() {
    assert_eq!(at_once("hi\r"), ["h", "i", "Enter"]);
    assert_eq!(at_once("\r"), ["Enter"]);
    let long = "x".repeat(100);
    assert_eq!(at_once(&format!("{long}\r")), [format!("paste {long:?}"), "Enter".to_string()]);
}

#[test]
fn an_enter_among_text_breaks_the_line() {
    assert_eq!(at_once("a\rb"), ["paste \"a\\rb\""]);
    assert_eq!(at_once("a\rb\r"), ["paste \"a\\rb\\r\""]);
    assert_eq!(at_once("a\r\rb"), ["paste \"a\\r\\rb\""]);
    assert_eq!(at_once("a\r\n\tb"), ["paste \"a\\r\\n\\tb\""]);
    // The pieces of a slow line come apart, but within the time that an Enter waits.
    assert_eq!(
        typed(&[(0, 'a'), (5, '\r'), (5, 'b'), (5, '\r'), (5, 'c')])[1..],
        ["paste \"\\rb\"", "paste \"\\rc\""]
    );
}

#[test]
fn keys_of_a_person_mean_what_they_say() {
    let slowly = |text: &str| typed(&text.chars().map(|c| (40, c)).collect::<Vec<_>>());
    assert_eq!(slowly("a\rb\r"), ["a", "Enter", "b", "Enter"]);
    assert_eq!(slowly("\r\r"), ["Enter", "Enter"]);
    // After a paste whose last line was left open, an Enter sends.
    assert_eq!(typed(&[(0, 'a'), (0, '\r'), (0, 'b'), (300, '\r')]), ["paste \"a\\rb\"", "Enter"]);
}

#[test]
fn keys_that_no_paste_holds_end_a_burst() {
    assert_eq!(at_once("hi\r←←"), ["h", "i", "Enter", "Left", "Left"]);
    assert_eq!(at_once("hi\r\x03"), ["h", "i", "Enter", "Char('c')"]);
    assert_eq!(at_once("/se\t"), ["/", "s", "e", "Tab"]);
    assert_eq!(at_once("nn"), ["n", "n"]);
}
