use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc;

use super::*;
use crate::archive::event::{ModelLine, TurnLine};
use crate::archive::read;
use crate::archive::tests::Talk;

fn events(lines: &[u8]) -> Vec<LogEvent> {
    lines
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

fn short() -> Vec<LogEvent> {
    let mut talk = Talk::new();
    talk.say("What is it?", &[]);
    events(&talk.lines)
}

fn only_file(folder: &Path) -> PathBuf {
    let mut found = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let file = found.next().unwrap();
    assert_eq!(found.next(), None);
    file
}

#[test]
fn a_session_is_a_private_file_in_a_private_folder_and_locked_while_it_is_written() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("data/sessions");
    let keeper = Keeper::start(|_, line| panic!("{line}"));
    keeper.begin(&folder, "What is 北京?");
    keeper.settle();
    assert!(!folder.exists(), "nothing was said yet");
    keeper.write(short());
    keeper.settle();
    let path = only_file(&folder);
    assert!(path.to_string_lossy().ends_with("-what-is-北京.jsonl"), "{}", path.display());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(matches!(HeldFile::take(&path), Err(NotHeld::Busy)));
    drop(keeper);
    assert!(HeldFile::take(&path).is_ok());
    assert_eq!(read::read(&path).unwrap().saved.title(), "What is it?");
}

#[test]
fn sessions_of_the_same_words_have_files_of_their_own() {
    let home = tempfile::tempdir().unwrap();
    for _ in 0..3 {
        let keeper = Keeper::start(|_, line| panic!("{line}"));
        keeper.begin(home.path(), "Again!");
        keeper.write(short());
    }
    let mut names: Vec<_> =
        fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    let names: Vec<_> = names.iter().map(|name| name.to_str().unwrap().split_at(10).1).collect();
    assert_eq!(names, ["-again-2.jsonl", "-again-3.jsonl", "-again.jsonl"]);
}

#[test]
fn a_torn_line_is_cut_off_before_the_next_one() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("talk.jsonl");
    let mut talk = Talk::new();
    talk.say("hi", &[]);
    fs::write(&path, [&talk.lines[..], br#"{"type":"step","id":1"#].concat()).unwrap();
    let opened = read::read(&path).unwrap();
    assert_eq!(opened.whole, talk.lines.len() as u64);
    let held = HeldFile::take(&path).unwrap().keeping(opened.whole);
    let keeper = Keeper::start(|_, line| panic!("{line}"));
    keeper.hold(held);
    let more = LogEvent::Turn(TurnLine {
        turn: 2,
        role: Some("user".to_string()),
        text: Some("there".to_string()),
        ..TurnLine::default()
    });
    keeper.write(vec![more]);
    drop(keeper);
    let opened = read::read(&path).unwrap();
    assert_eq!(opened.note, None);
    let said: Vec<_> = opened.saved.said().map(|turn| turn.text.as_str()).collect();
    assert_eq!(said, ["hi", "there"]);
}

#[test]
fn what_could_not_be_written_is_said_once_and_written_when_it_can_be() {
    let home = tempfile::tempdir().unwrap();
    // A file stands where the folder should be.
    let folder = home.path().join("sessions");
    fs::write(&folder, "").unwrap();
    let (sender, told) = mpsc::channel();
    let keeper = Keeper::start(move |_, line| sender.send(line).unwrap());
    keeper.begin(&folder, "hi");
    short().into_iter().for_each(|event| keeper.write(vec![event]));
    keeper.settle();
    let said: String = told.try_iter().collect::<Vec<_>>().join("|");
    assert!(said.contains("can't be saved at the moment") && !said.contains('|'), "{said}");
    fs::remove_file(&folder).unwrap();
    assert!(told.recv_timeout(AGAIN * 3).unwrap().contains("saved again"));
    drop(keeper);
    assert_eq!(read::read(&only_file(&folder)).unwrap().saved.title(), "What is it?");
}

#[test]
fn another_conversation_has_another_file() {
    let home = tempfile::tempdir().unwrap();
    let keeper = Keeper::start(|_, line| panic!("{line}"));
    for title in ["one", "two"] {
        keeper.begin(home.path(), title);
        keeper.write(vec![LogEvent::Session(crate::archive::event::Begun {
            version: 2,
            created: None,
            model: ModelLine::default(),
        })]);
    }
    drop(keeper);
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 2);
}
