//! Copies of the default model: one process converts at a time, and a killed one leaves nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokenscope::model::{Library, Purpose, Silent};

/// A process that makes a copy first.
fn converting(home: &Path) -> Child {
    let model: PathBuf =
        Library::open().unwrap().resolve("smollm2-135m", Purpose::Run, &Silent).unwrap().path;
    Command::new(env!("CARGO_BIN_EXE_tokenscope"))
        .args(["next", "a", "--weights", "f16", "-m"])
        .arg(model)
        .env("TOKENSCOPE_HOME", home)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Names in the folder of copies that end so.
fn copies(home: &Path, end: &str) -> Vec<String> {
    let entries = std::fs::read_dir(home.join("cache/copies")).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.ends_with(end)).collect()
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Processes whose command line holds a text.
fn running_with(text: &str) -> usize {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let lines = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| String::from_utf8_lossy(line).contains(text)).count()
}

#[test]
fn a_killed_conversion_takes_its_child_along_and_the_next_start_sweeps() {
    let home = tempfile::tempdir().unwrap();
    let mut process = converting(home.path());
    wait_until("no copy is begun", || !copies(home.path(), ".part").is_empty());
    process.kill().unwrap();
    process.wait().unwrap();
    let folder = home.path().to_string_lossy().into_owned();
    wait_until("its child lives on", || running_with(&folder) == 0);
    assert_eq!(copies(home.path(), ".part").len(), 1);
    let list = Command::new(env!("CARGO_BIN_EXE_tokenscope"))
        .args(["models", "list"])
        .env("TOKENSCOPE_HOME", home.path())
        .output()
        .unwrap();
    assert!(list.status.success());
    assert_eq!(copies(home.path(), ".part"), [""; 0]);
    assert_eq!(copies(home.path(), ".gguf"), [""; 0]);
}

#[test]
fn three_at_once_make_one_copy() {
    let home = tempfile::tempdir().unwrap();
    let mut processes: Vec<Child> = (0..3).map(|_| converting(home.path())).collect();
    let mut begun = BTreeSet::new();
    wait_until("they come to no end", || {
        begun.extend(copies(home.path(), ".part"));
        processes.iter_mut().all(|process| process.try_wait().unwrap().is_some())
    });
    let mut waited = 0;
    for process in processes {
        let output = process.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        waited += usize::from(said.contains("waiting for another tokenscope"));
    }
    assert_eq!(begun.len(), 1, "{begun:?}");
    assert_eq!(copies(home.path(), ".part"), [""; 0]);
    assert_eq!(copies(home.path(), ".gguf").len(), 1);
    assert!(waited >= 1, "nobody says that it waits");
}
