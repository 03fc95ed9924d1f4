use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::model::progress::ModelStage;
use crate::model::progress::Silent;
use crate::model::spec::DEFAULT;

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::at(folder.path().join("models"));
    (folder, store)
}

/// Places a file with this content and returns where it went.
fn put(store: &Store, spec: &str, name: &str) -> PathBuf {
    let spec = Spec::parse(spec).unwrap();
    let lock = store.lock(&Silent).unwrap();
    let staging = store.staging(&lock).unwrap();
    let from = staging.path().join("x");
    fs::write(&from, "content").unwrap();
    let to = store.place_named(&spec, name).unwrap();
    store.place(&from, &to, &"5".repeat(64), &lock).unwrap();
    to
}

#[test]
fn every_kind_of_model_has_its_place_and_its_name() {
    let (_folder, store) = store();
    for (spec, name, place) in [
        (DEFAULT, "whatever", "smollm2-135m.gguf"),
        ("hf:owner/repo/q/a.gguf", "q/a.gguf", "hf/owner/repo/q/a.gguf"),
        ("pypi:some==1.0/some/data/b.gguf", "some/data/b.gguf", "pypi/some==1.0/b.gguf"),
    ] {
        let path = put(&store, spec, name);
        assert_eq!(path, store.root().join(place));
        assert_eq!(store.place_of(&Spec::parse(spec).unwrap()), Some(path.clone()));
        assert_eq!(fs::read(&path).unwrap(), b"content");
    }
    let names: Vec<String> = store.list().into_iter().map(|stored| stored.name).collect();
    assert_eq!(names, ["hf:owner/repo/q/a.gguf", "pypi:some==1.0/b.gguf", DEFAULT]);
    // A listed name leads back to the same file; so does one that leaves the only file open.
    for stored in store.list() {
        assert_eq!(store.place_of(&Spec::parse(&stored.name).unwrap()), Some(stored.path));
    }
    assert_eq!(
        store.place_of(&Spec::parse("hf:owner/repo").unwrap()),
        Some(store.root().join("hf/owner/repo/q/a.gguf"))
    );
    assert_eq!(store.place_of(&Spec::parse("hf:owner/other").unwrap()), None);
    assert_eq!(store.place_of(&Spec::parse("./own.gguf").unwrap()), None);
}

#[test]
fn sums_lie_beside_the_files() {
    let (_folder, store) = store();
    let path = put(&store, "hf:o/r/a.gguf", "a.gguf");
    let spec = Spec::parse("hf:o/r/a.gguf").unwrap();
    assert_eq!(store.expected_sum(&spec, &path), Some("5".repeat(64)));
    assert_eq!(fs::read_to_string(sum_file(&path)).unwrap(), format!("{}  a.gguf\n", "5".repeat(64)));
    let alias = Spec::parse(DEFAULT).unwrap();
    assert_eq!(store.expected_sum(&alias, &path).unwrap(), ALIASES[0].sha256);
}

#[test]
fn removing_leaves_nothing_behind() {
    let (_folder, store) = store();
    let path = put(&store, "hf:o/r/deep/a.gguf", "deep/a.gguf");
    let other = put(&store, "hf:o/s/b.gguf", "b.gguf");
    let lock = store.lock(&Silent).unwrap();
    store.remove(&path, &lock).unwrap();
    assert!(!store.root().join("hf/o/r").exists());
    assert!(other.exists());
}

#[test]
fn leftovers_of_the_dead_are_swept() {
    let (_folder, store) = store();
    let leftover = store.root().join(".staging-1");
    fs::create_dir_all(leftover.join("wheel")).unwrap();
    fs::write(leftover.join("wheel/half.whl"), "x").unwrap();
    let lock = store.lock(&Silent).unwrap();
    assert!(!leftover.exists());
    let staging = store.staging(&lock).unwrap();
    let path = staging.path().to_path_buf();
    assert!(path.exists());
    drop(staging);
    assert!(!path.exists());
    assert!(store.list().is_empty());
}

#[test]
fn a_start_tidies_up_but_not_under_somebody_who_fetches() {
    let (_folder, store) = store();
    let leftover = store.root().join(".staging-1");
    let (fresh, old) = (store.partial("fresh").unwrap(), store.partial("old").unwrap());
    fs::create_dir_all(&leftover).unwrap();
    fs::write(&fresh, "half").unwrap();
    let file = File::create(&old).unwrap();
    file.set_modified(SystemTime::now() - FORGOTTEN - Duration::from_secs(1)).unwrap();
    let lock = Lock::wait(store.root(), &Silent).unwrap();
    store.tidy();
    assert!(leftover.exists() && old.exists());
    drop(lock);
    store.tidy();
    assert!(!leftover.exists() && !old.exists());
    // What was stopped lately can be gone on with.
    assert!(fresh.exists());
}

#[test]
fn one_fetches_at_a_time() {
    struct Impatient(AtomicU32);
    impl Progress for Impatient {
        fn update(&self, stage: ModelStage, _: u64, _: Option<u64>) {
            assert_eq!(stage, ModelStage::Waiting);
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        fn cancelled(&self) -> bool {
            self.0.load(Ordering::Relaxed) > 1
        }
    }
    let (_folder, store) = store();
    let lock = store.lock(&Silent).unwrap();
    let outcome = store.lock(&Impatient(AtomicU32::new(0)));
    assert!(matches!(outcome, Err(ModelError::Interrupted)));
    drop(lock);
    assert!(store.lock(&Silent).is_ok());
}
