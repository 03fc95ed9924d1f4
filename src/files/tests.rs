use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use super::*;

fn put(path: &Path, existing: Existing, text: &str) -> Result<(), WriteError> {
    write(path, existing, &mut |out| out.write_all(text.as_bytes()))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

/// Nothing but these names in the folder: no temporary file is left behind.
fn holds(folder: &Path, names: &[&str]) {
    let mut found: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    assert_eq!(found, names);
}

#[test]
fn a_new_file_is_private_and_another_is_replaced_only_if_that_is_meant() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("talk");
    put(&path, Existing::Keep, "one").unwrap();
    assert_eq!(mode(&path), 0o600);
    assert!(matches!(put(&path, Existing::Keep, "two"), Err(WriteError::Exists)));
    assert_eq!(fs::read_to_string(&path).unwrap(), "one");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    put(&path, Existing::Replace, "two").unwrap();
    assert_eq!((fs::read_to_string(&path).unwrap().as_str(), mode(&path)), ("two", 0o640));
    holds(dir.path(), &["talk"]);
}

#[test]
fn links_are_followed_also_those_to_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    put(&at("file"), Existing::Keep, "old").unwrap();
    symlink("file", at("link")).unwrap();
    symlink("new", at("dangling")).unwrap();
    symlink("ring", at("ring")).unwrap();
    assert!(matches!(put(&at("link"), Existing::Keep, "x"), Err(WriteError::Exists)));
    put(&at("link"), Existing::Replace, "through").unwrap();
    put(&at("dangling"), Existing::Keep, "made").unwrap();
    assert!(at("link").is_symlink() && at("dangling").is_symlink());
    assert_eq!(fs::read_to_string(at("file")).unwrap(), "through");
    assert_eq!(fs::read_to_string(at("new")).unwrap(), "made");
    assert!(put(&at("ring"), Existing::Keep, "x").unwrap_err().to_string().contains("ring"));
}

#[test]
fn a_write_that_fails_leaves_the_old_file_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("talk");
    put(&path, Existing::Keep, "old").unwrap();
    let failed = write(&path, Existing::Replace, &mut |out| {
        out.write_all(b"half")?;
        Err(io::Error::from_raw_os_error(libc::ENOSPC))
    });
    assert!(failed.unwrap_err().to_string().contains("No space left"));
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    holds(dir.path(), &["talk"]);
}

#[test]
fn what_a_killed_process_left_is_removed_and_what_a_living_one_writes_stays() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for left in [".tokenscope-abc.part", ".tokenscope-abc", "tokenscope-abc.part", ".other-abc.part"] {
        fs::write(at(left), "half").unwrap();
    }
    fs::create_dir(at(".tokenscope-folder.part")).unwrap();
    symlink(".other-abc.part", at(".tokenscope-link.part")).unwrap();
    let living = unfinished(&at("report"), tempfile::Builder::new()).unwrap();
    put(&at("talk"), Existing::Keep, "one").unwrap();
    put(&at("talk"), Existing::Replace, "two").unwrap();
    assert!(living.path().exists());
    living.persist(at("report")).unwrap();
    holds(
        dir.path(),
        &[
            ".other-abc.part",
            ".tokenscope-abc",
            ".tokenscope-folder.part",
            ".tokenscope-link.part",
            "report",
            "talk",
            "tokenscope-abc.part",
        ],
    );
}

#[test]
fn several_that_write_into_one_folder_take_nothing_from_each_other() {
    let dir = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let path = dir.path().join(format!("{writer}"));
            scope.spawn(move || {
                for _ in 0..50 {
                    put(&path, Existing::Replace, "whole").unwrap();
                }
            });
        }
    });
    holds(dir.path(), &["0", "1", "2", "3"]);
}

#[test]
fn a_missing_folder_and_a_folder_in_the_place_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let message = |path: &Path| put(path, Existing::Replace, "x").unwrap_err().to_string();
    let missing = dir.path().join("none/talk");
    assert_eq!(message(&missing), format!("there is no folder {}", dir.path().join("none").display()));
    assert_eq!(message(dir.path()), "a folder, no file");
}

#[test]
fn pipes_and_devices_are_written_to_and_stay() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pipe");
    let name = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
    // SAFETY: a valid name that ends with a zero byte.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    assert_eq!(put(&path, Existing::Keep, "x").unwrap_err().to_string(), "nobody reads this pipe");
    let reader = {
        let path = path.clone();
        std::thread::spawn(move || fs::read(path).unwrap())
    };
    let long = "y".repeat(300_000);
    // Until the reader has opened it.
    while put(&path, Existing::Keep, &long).is_err() {}
    assert_eq!(reader.join().unwrap().len(), long.len());
    assert!(fs::metadata(&path).unwrap().file_type().is_fifo());
    put(Path::new("/dev/null"), Existing::Keep, "x").unwrap();
    assert!(put(Path::new("/dev/full"), Existing::Keep, "x").unwrap_err().to_string().contains("No space"));
}

#[test]
fn only_regular_files_are_read_and_only_to_their_bound() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let message = |path: &Path| read(path, Bound(8)).unwrap_err().to_string();
    let name = std::ffi::CString::new(at("pipe").to_str().unwrap()).unwrap();
    // SAFETY: a valid name that ends with a zero byte.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    assert_eq!(message(&at("pipe")), "a pipe, no file");
    assert_eq!(message(Path::new("/dev/zero")), "a device, no file");
    assert_eq!(message(dir.path()), "a folder, no file");
    fs::write(at("long"), "123456789").unwrap();
    assert_eq!(message(&at("long")), "larger than 8 bytes, the most that is read here");
    // A file with a hole takes no time either.
    fs::File::create(at("huge")).unwrap().set_len(1 << 40).unwrap();
    assert!(message(&at("huge")).contains("larger than"));
    fs::write(at("short"), "12345678").unwrap();
    assert_eq!(read(&at("short"), Bound(8)).unwrap(), b"12345678");
}

#[test]
fn a_tilde_is_the_home_folder_only_at_the_beginning() {
    let home = || Some(PathBuf::from("/home/me"));
    assert_eq!(expand("~/a.json", home()), Path::new("/home/me/a.json"));
    assert_eq!(expand("~", home()), Path::new("/home/me"));
    assert_eq!(expand("a~", home()), Path::new("a~"));
    assert_eq!(expand("~other/a", home()), Path::new("~other/a"));
    assert_eq!(expand("~/a", None), Path::new("~/a"));
}

#[test]
fn names_complete_folders_with_a_slash_and_hidden_ones_only_when_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["talk b", "talk1", ".hidden", "bad\u{1b}[2J"] {
        fs::write(dir.path().join(name), "").unwrap();
    }
    fs::create_dir(dir.path().join("tales")).unwrap();
    let root = dir.path().display();
    let found = |written: &str| -> Vec<String> {
        let all = complete(&format!("{root}/{written}"));
        all.iter().map(|name| name.replace(&format!("{root}/"), "")).collect()
    };
    assert_eq!(found("ta"), ["tales/", "talk b", "talk1"]);
    assert_eq!(found(".h"), [".hidden"]);
    assert_eq!(found(""), ["tales/", "talk b", "talk1"]);
    assert!(found("none/x").is_empty());
}

#[test]
fn an_open_pipe_is_written_to_through_links_that_lead_to_no_name() {
    use std::io::Read;
    use std::os::fd::AsRawFd;
    let (mut reader, writer) = io::pipe().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let link = dir.path().join("out");
    symlink(format!("/proc/self/fd/{}", writer.as_raw_fd()), &link).unwrap();
    put(&link, Existing::Keep, "said").unwrap();
    drop(writer);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "said");
}
