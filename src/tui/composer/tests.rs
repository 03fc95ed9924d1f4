use super::*;

fn press(composer: &mut Composer, code: KeyCode) -> Typed {
    composer.key(KeyEvent::new(code, KeyModifiers::NONE))
}

fn write(composer: &mut Composer, text: &str) {
    for c in text.chars() {
        press(composer, KeyCode::Char(c));
    }
}

/// After these messages of earlier sessions.
fn after(earlier: [&str; 2]) -> Composer {
    let mut composer = Composer::default();
    composer.remember(earlier.map(str::to_string).to_vec());
    composer
}

#[test]
fn enter_submits_and_alt_enter_breaks_the_line() {
    let mut composer = Composer::default();
    write(&mut composer, "a");
    composer.key(KeyEvent::new(KeyCode::Enter, KeyModifiers::ALT));
    write(&mut composer, "b");
    assert_eq!(press(&mut composer, KeyCode::Enter), Typed::Submit("a\nb".to_string()));
    assert!(composer.is_empty());
}

#[test]
fn up_brings_earlier_messages_and_down_the_draft() {
    let mut composer = after(["one", "two"]);
    write(&mut composer, "draft");
    press(&mut composer, KeyCode::Up);
    assert_eq!(composer.text(), "two");
    press(&mut composer, KeyCode::Up);
    press(&mut composer, KeyCode::Up);
    assert_eq!(composer.text(), "one");
    press(&mut composer, KeyCode::Down);
    press(&mut composer, KeyCode::Down);
    assert_eq!(composer.text(), "draft");
}

#[test]
fn up_after_a_recalled_message_of_several_lines_goes_to_the_one_before() {
    let mut composer = after(["one", "a\nb\nc"]);
    press(&mut composer, KeyCode::Up);
    assert_eq!(composer.text(), "a\nb\nc");
    press(&mut composer, KeyCode::Up);
    assert_eq!(composer.text(), "one");
    press(&mut composer, KeyCode::Down);
    press(&mut composer, KeyCode::Down);
    assert_eq!(composer.text(), "");
    // Whoever moves inside it means to edit it.
    press(&mut composer, KeyCode::Up);
    press(&mut composer, KeyCode::Left);
    press(&mut composer, KeyCode::Up);
    assert_eq!((composer.text(), composer.editor().cursor()), ("a\nb\nc", 2));
}

#[test]
fn the_keys_of_a_shell_edit() {
    let mut composer = Composer::default();
    let control = |composer: &mut Composer, keys: &str| {
        for c in keys.chars() {
            composer.key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL));
        }
    };
    write(&mut composer, "one two");
    control(&mut composer, "w");
    assert_eq!(composer.text(), "one ");
    control(&mut composer, "u");
    assert_eq!(composer.text(), "");
    control(&mut composer, "y");
    assert_eq!(composer.text(), "one ");
    control(&mut composer, "ak");
    assert_eq!(composer.text(), "");
    control(&mut composer, "7");
    assert_eq!(composer.text(), "one ");
    composer.replace("a\nb c");
    composer.key(KeyEvent::new(KeyCode::Char('b'), KeyModifiers::ALT));
    control(&mut composer, "u");
    assert_eq!(composer.text(), "c");
    composer.cut();
    assert!(composer.is_empty());
    control(&mut composer, "y");
    assert_eq!(composer.text(), "c");
}

#[test]
fn a_message_is_remembered_once() {
    let mut composer = after(["one", "two"]);
    write(&mut composer, "one");
    press(&mut composer, KeyCode::Enter);
    assert_eq!(composer.history, ["two", "one"]);
}

#[test]
fn a_whole_command_runs_while_completions_are_open() {
    let mut composer = Composer::default();
    write(&mut composer, "/set");
    assert!(!composer.completions().0.is_empty());
    assert_eq!(press(&mut composer, KeyCode::Enter), Typed::Submit("/set".to_string()));
}

#[test]
fn enter_and_tab_complete_what_is_no_command_yet() {
    let mut composer = Composer::default();
    write(&mut composer, "/re");
    press(&mut composer, KeyCode::Enter);
    assert_eq!(composer.text(), "/retry ");
    composer.replace("/set tem");
    press(&mut composer, KeyCode::Tab);
    assert_eq!(composer.text(), "/set temp ");
}

#[test]
fn files_complete_as_far_as_they_agree() {
    let found = |lines: &[&str]| -> Vec<Completion> {
        let of =
            |line: &&str| Completion { line: line.to_string(), label: String::new(), help: String::new() };
        lines.iter().map(of).collect()
    };
    let mut composer = Composer::default();
    composer.replace("/load ta");
    composer.propose("/load ta", found(&["/load talk1.json", "/load talk2.json"]));
    assert_eq!((composer.text(), composer.completions().0.len()), ("/load talk", 2));
    press(&mut composer, KeyCode::Down);
    press(&mut composer, KeyCode::Tab);
    assert_eq!(composer.text(), "/load talk2.json");
    composer.propose("/load ta", found(&["/load x"]));
    assert_eq!(composer.text(), "/load talk2.json", "an answer to an earlier line");
    composer.replace("/load d");
    composer.propose("/load d", found(&["/load dir/"]));
    assert_eq!((composer.text(), composer.completions().0.len()), ("/load dir/", 0));
}

#[test]
fn pasted_line_breaks_stay() {
    let mut composer = Composer::default();
    composer.paste("a\r\nb\rc");
    assert_eq!(composer.text(), "a\nb\nc");
}
