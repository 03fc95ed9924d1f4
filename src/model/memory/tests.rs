use super::*;
use crate::model::progress::Silent;

fn file(folder: &Path, content: &str) -> PathBuf {
    let path = folder.join("a.gguf");
    fs::write(&path, content).unwrap();
    path
}

#[test]
fn a_sum_is_computed_once() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::at(folder.path().join("cache/files.json"));
    let path = file(folder.path(), "abc");
    let sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(memory.sha256_of(&path, &Silent).unwrap(), sum);
    let id = FileId::of(&path).unwrap();
    assert_eq!(memory.recall(&id).sha256.as_deref(), Some(sum));
    // A remembered value is believed: this is what makes a start cheap.
    memory.remember(&id, |known| known.sha256 = Some("remembered".to_owned()));
    assert_eq!(memory.sha256_of(&path, &Silent).unwrap(), "remembered");
}

#[test]
fn a_changed_file_is_another_file() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::at(folder.path().join("files.json"));
    let path = file(folder.path(), "abc");
    let before = FileId::of(&path).unwrap();
    memory.remember(&before, |known| known.loads = Some("1".to_owned()));
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
    File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
    let after = FileId::of(&path).unwrap();
    assert_ne!(before, after);
    assert_eq!(memory.recall(&after), KnownFile::default());
    // Noting the new state drops the old one.
    memory.remember(&after, |known| known.sha256 = Some("x".to_owned()));
    assert_eq!(memory.recall(&before), KnownFile::default());
}

#[test]
fn links_lead_to_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "abc");
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert_eq!(FileId::of(&path), FileId::of(&link));
    assert_eq!(FileId::of(&folder.path().join("none")), None);
}

#[test]
fn damage_is_forgetting() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::at(folder.path().join("files.json"));
    let id = FileId::of(&file(folder.path(), "abc")).unwrap();
    for content in ["", "{", "[]", "{\"format\": 99, \"files\": []}", "{\"format\": 1, \"files\": [3]}"] {
        fs::write(folder.path().join("files.json"), content).unwrap();
        assert_eq!(memory.recall(&id), KnownFile::default());
        memory.remember(&id, |known| known.loads = Some("1".to_owned()));
        assert_eq!(memory.recall(&id).loads.as_deref(), Some("1"));
    }
}

#[test]
fn an_unwritable_cache_is_no_error() {
    let memory = Memory::at(PathBuf::from("/proc/nowhere/files.json"));
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "abc");
    assert!(memory.sha256_of(&path, &Silent).is_ok());
}

#[test]
fn writers_at_once_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::at(folder.path().join("files.json"));
    let ids: Vec<FileId> = (0..16)
        .map(|number| {
            let path = folder.path().join(format!("{number}.gguf"));
            fs::write(&path, "x").unwrap();
            FileId::of(&path).unwrap()
        })
        .collect();
    std::thread::scope(|scope| {
        for id in &ids {
            scope.spawn(|| memory.remember(id, |known| known.loads = Some("1".to_owned())));
        }
    });
    assert!(ids.iter().all(|id| memory.recall(id).loads.is_some()));
}

#[test]
fn it_does_not_grow_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::at(folder.path().join("files.json"));
    for number in 0..MOST_FILES + 10 {
        let id = FileId { path: number.to_string(), size: 1, mtime: 1 };
        memory.remember(&id, |known| known.loads = Some("1".to_owned()));
    }
    assert_eq!(memory.load().len(), MOST_FILES);
}

#[test]
fn hashing_can_be_stopped() {
    struct Stopped;
    impl Progress for Stopped {
        fn update(&self, _: ModelStage, _: u64, _: Option<u64>) {}
        fn cancelled(&self) -> bool {
            true
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::at(folder.path().join("files.json"));
    let outcome = memory.sha256_of(&file(folder.path(), "abc"), &Stopped);
    assert!(matches!(outcome, Err(ModelError::Interrupted)));
}
