use super::*;
use crate::archive::tests::Talk;

fn shelf(home: &tempfile::TempDir) -> Shelf {
    Shelf { folder: home.path().to_path_buf() }
}

fn put(shelf: &Shelf, name: &str, text: &str, age: u64) {
    let mut talk = Talk::new();
    talk.say(text, &[]);
    let path = shelf.folder.join(format!("{name}{ENDING}"));
    fs::write(&path, &talk.lines).unwrap();
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(SystemTime::now() - std::time::Duration::from_secs(age)).unwrap();
}

fn names(found: &[Listed]) -> Vec<&str> {
    found.iter().map(|session| session.name.as_str()).collect()
}

#[test]
fn sessions_are_listed_newest_first_and_found_by_what_is_nearly_their_title() {
    let home = tempfile::tempdir().unwrap();
    let shelf = shelf(&home);
    assert!(matches!(shelf.find(""), Err(ShelfError::Empty(_))));
    put(&shelf, "2026-11-01-capitals", "What is the capital of France?", 300);
    put(&shelf, "2026-11-03-poem", "A poem about 北京", 100);
    put(&shelf, "2026-11-02-capitals-2", "What is the capital of Italy?", 200);
    fs::write(home.path().join("notes.txt"), "no session").unwrap();
    let all = shelf.list();
    assert_eq!(names(&all), ["2026-11-03-poem", "2026-11-02-capitals-2", "2026-11-01-capitals"]);
    assert_eq!(
        (all[1].title.as_str(), all[1].model.as_str(), all[1].messages),
        ("What is the capital of Italy?", "m", 1)
    );
    let found = |text: &str| shelf.find(text).unwrap().file_stem().unwrap().to_str().unwrap().to_string();
    assert_eq!(found(""), "2026-11-03-poem");
    assert_eq!(found("capital france"), "2026-11-01-capitals");
    assert_eq!(found("北京"), "2026-11-03-poem");
    assert_eq!(found("2026-11-02-capitals-2"), "2026-11-02-capitals-2");
    assert!(matches!(shelf.find("zebra"), Err(ShelfError::None(_))));
    assert!(matches!(shelf.exactly("capital"), Err(ShelfError::Several(..))));
    let one = shelf.exactly("poem").unwrap();
    shelf.remove(&one).unwrap();
    assert_eq!(shelf.list().len(), 2);
}

#[test]
fn a_session_that_is_written_is_not_removed() {
    let home = tempfile::tempdir().unwrap();
    let shelf = shelf(&home);
    put(&shelf, "one", "hi", 0);
    let held = HeldFile::take(&home.path().join("one.jsonl")).unwrap();
    assert!(matches!(shelf.remove(&shelf.list()[0]), Err(ShelfError::Busy(_))));
    drop(held);
    shelf.remove(&shelf.list()[0]).unwrap();
    assert!(shelf.list().is_empty());
}

#[test]
fn a_name_has_the_day_and_the_first_words_and_no_path() {
    let name = file_name("../../etc/passwd\u{1b}[31m — What?", 1);
    assert!(name.ends_with("-etc-passwd-31m-what.jsonl") && !name.contains('/'), "{name}");
    assert!(file_name("", 3).ends_with("-3.jsonl"));
    assert!(file_name(&"北".repeat(300), 1).len() < 100);
}
