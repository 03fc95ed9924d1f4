//! Sessions on the disk, and programs that die or find no room while they write one. No model is needed.
//!
//! The programs are this test's own binary, which runs [`child`] with a variable set.

#[path = "support/drawn.rs"]
mod drawn;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use drawn::DrawnReply;
use tokenscope::archive::keeper::{HeldFile, Keeper, NotHeld};
use tokenscope::archive::read::{self, Kind};
use tokenscope::archive::scribe::Scribe;
use tokenscope::distribution::Depth;
use tokenscope::sequence::NodeNumber;

/// Says which program the child is, and where its folder is.
const PART: &str = "TOKENSCOPE_TEST_PART";
const FOLDER: &str = "TOKENSCOPE_TEST_FOLDER";

fn started(part: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["child", "--exact", "--nocapture"]).env(PART, part).env(FOLDER, folder);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

fn only_file(folder: &Path) -> PathBuf {
    let files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files.into_iter().next().unwrap()
}

/// The programs that other tests start; by itself it does nothing.
#[test]
fn child() {
    let Ok(part) = std::env::var(PART) else { return };
    let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let mut reply = DrawnReply::new();
    match part.as_str() {
        "writes" => {
            let keeper = Keeper::start(|_, line| panic!("{line}"));
            keeper.begin(&folder, "story");
            for written in 1.. {
                keeper.write(reply.grow());
                keeper.settle();
                println!("written {written}");
            }
        }
        "is full" => {
            let (sender, told) = channel();
            let keeper = Keeper::start(move |_, line| sender.send(line).unwrap());
            keeper.begin(&folder, "story");
            limit(100_000);
            for _ in 0..1000 {
                keeper.write(reply.grow());
            }
            keeper.settle();
            println!("told {}", told.try_iter().collect::<Vec<_>>().join("|"));
            let size = std::fs::metadata(only_file(&folder)).unwrap().len();
            assert!(size <= 100_000 && size > 99_000, "{size}");
            assert_eq!(read::read(&only_file(&folder)).unwrap().note, None);
            limit(libc::RLIM_INFINITY);
            println!("told {}", told.recv_timeout(Duration::from_secs(20)).unwrap());
        }
        other => panic!("{other}"),
    }
}

/// No file may become larger than this.
fn limit(bytes: u64) {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: plain calls; a write beyond the limit is an error then, and no signal.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        assert_eq!(libc::setrlimit(libc::RLIMIT_FSIZE, &limit), 0);
    }
}

#[test]
fn a_program_that_is_killed_loses_at_most_the_step_in_progress() {
    for moment in 0..50u64 {
        let folder = tempfile::tempdir().unwrap();
        let mut child = started("writes", folder.path()).spawn().unwrap();
        let (sender, receiver) = channel();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let reader = std::thread::spawn(move || {
            let mut last = 0;
            for line in lines.map_while(Result::ok) {
                if let Some(written) = line.strip_prefix("written ") {
                    last = written.parse().unwrap_or(last);
                    let _ = sender.send(());
                }
            }
            last
        });
        // Some time after the first token is there.
        receiver.recv().unwrap();
        std::thread::sleep(Duration::from_micros(moment * moment * 37 % 40_000));
        child.kill().unwrap();
        child.wait().unwrap();
        let written: usize = reader.join().unwrap();
        let path = only_file(folder.path());
        let opened = read::read(&path).unwrap();
        assert_eq!((opened.kind, &opened.note), (Kind::Session, &None));
        let tokens = opened.saved.tree.len();
        assert!(tokens >= written && tokens <= written + 1, "{tokens} of {written}");
        let [first, last] = opened.saved.turns[1].tokens.unwrap();
        assert_eq!((first, last as usize), (0, tokens - 1));
        // What was torn is cut off, and the conversation goes on behind it.
        let held = HeldFile::take(&path).unwrap().keeping(opened.whole);
        let keeper = Keeper::start(|_, line| panic!("{line}"));
        keeper.hold(held);
        let mut reply = DrawnReply::new();
        reply.scribe = Scribe::of(&opened.saved, Depth::Count(20));
        for (number, turn) in (1..).zip(&opened.saved.turns) {
            reply.scribe.call(u64::from(number), number, turn);
        }
        reply.tree = opened.saved.tree;
        keeper.write(reply.grow());
        drop(keeper);
        let again = read::read(&path).unwrap();
        assert_eq!((again.saved.tree.len(), again.note), (tokens + 1, None));
    }
}

#[test]
fn a_full_disk_is_said_once_and_what_was_said_meanwhile_is_written_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let output = started("is full", folder.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let told: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("told ")).collect();
    assert_eq!(told.len(), 2, "{text}");
    assert!(told[0].contains("can't be saved at the moment") && !told[0].contains('|'), "{text}");
    assert!(told[1].contains("saved again"), "{text}");
    let opened = read::read(&only_file(folder.path())).unwrap();
    assert_eq!((opened.saved.tree.len(), opened.note), (1000, None));
}

#[test]
fn a_second_program_can_not_write_to_a_session() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = started("writes", folder.path()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while !lines.next().unwrap().unwrap().starts_with("written ") {}
    let path = only_file(folder.path());
    assert!(matches!(HeldFile::take(&path), Err(NotHeld::Busy)));
    assert!(!read::read(&path).unwrap().saved.tree.is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(HeldFile::take(&path).is_ok());
}

#[test]
fn a_step_with_twenty_candidates_takes_less_than_500_bytes_and_comes_back() {
    const STEPS: u64 = 20_000;
    let folder = tempfile::tempdir().unwrap();
    let (mut reply, keeper) = (DrawnReply::new(), Keeper::start(|_, line| panic!("{line}")));
    keeper.begin(folder.path(), "long");
    for _ in 0..STEPS {
        keeper.write(reply.grow());
    }
    drop(keeper);
    let path = only_file(folder.path());
    let bytes = std::fs::metadata(&path).unwrap().len();
    assert!(bytes / STEPS <= 500, "{} bytes a step", bytes / STEPS);
    let saved = read::read(&path).unwrap().saved;
    for node in (0..STEPS as u32).map(NodeNumber) {
        assert_eq!(saved.tree.node(node), reply.tree.node(node));
    }
}
