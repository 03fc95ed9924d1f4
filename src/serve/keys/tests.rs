use super::*;

#[test]
fn keys_are_read_a_line_each_and_only_they_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    std::fs::write(&path, "# ours\n\n  first-key-of-ours-1\nsecond-key-of-ours-2\n").unwrap();
    let keys = ApiKeys::read(&path).unwrap();
    assert!(keys.has("first-key-of-ours-1") && keys.has("second-key-of-ours-2"));
    for other in ["", "first-key-of-ours-", "first-key-of-ours-12", "# ours", "FIRST-KEY-OF-OURS-1"] {
        assert!(!keys.has(other), "{other}");
    }
    assert!(!format!("{keys:?}").contains("first-key"));
}

#[test]
fn a_file_of_keys_is_refused_without_showing_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    for (text, what) in [
        ("", "holds no key"),
        ("# none\n", "holds no key"),
        ("secret\n", "line 1: a key has at least 16"),
        ("a secret with spaces\n", "line 1: a key is letters"),
    ] {
        std::fs::write(&path, text).unwrap();
        let error = ApiKeys::read(&path).unwrap_err().to_string();
        assert!(error.contains(what) && !error.contains("secret"), "{error}");
    }
    assert!(ApiKeys::read(&folder.path().join("missing")).is_err());
}
