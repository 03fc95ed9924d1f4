use super::*;
use crate::model::gguf::tests::fixture::{self, tiny_llama};
use crate::model::{DEFAULT, Silent};

struct Home {
    folder: tempfile::TempDir,
    library: Library,
}

impl Home {
    fn new() -> Home {
        let folder = tempfile::tempdir().unwrap();
        let library = Library::at(&Paths::under(&folder.path().join("home")), None);
        Home { folder, library }
    }

    fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn resolve(&self, spec: &str) -> Result<ModelFile, ModelError> {
        self.library.resolve(spec, Purpose::Run, &Silent)
    }
}

#[test]
fn a_file_of_ones_own() {
    let home = Home::new();
    let path = home.file("tiny.gguf", &tiny_llama(1).bytes());
    let model = home.resolve(&path).unwrap();
    assert_eq!(model.name, "tiny");
    assert_eq!(model.path, Path::new(&path));
    assert_eq!(model.summary.architecture.as_deref(), Some("llama"));
    // Not computed unasked: it would read the whole file. Once computed, it is remembered.
    assert_eq!(model.sha256, None);
    let sum = home.library.sha256_of(&model.path, &Silent).unwrap();
    assert_eq!(home.resolve(&path).unwrap().sha256, Some(sum));
}

#[test]
fn a_vocabulary_alone_is_good_for_tokenizing() {
    let home = Home::new();
    let mut file = tiny_llama(1);
    file.tensors.clear();
    let path = home.file("vocabulary.gguf", &file.bytes());
    let error = home.resolve(&path).unwrap_err();
    assert!(error.to_string().contains("a vocabulary without weights"), "{error}");
    let model = home.library.resolve(&path, Purpose::Tokenize, &Silent).unwrap();
    assert_eq!(model.summary.vocabulary.unwrap().tokens, 279);
    file.set("tokenizer.ggml.model", fixture::text("none"));
    let path = home.file("nothing.gguf", &file.bytes());
    assert!(home.library.resolve(&path, Purpose::Tokenize, &Silent).is_err());
}

#[test]
fn bad_input_has_its_exit_code() {
    let home = Home::new();
    let whole = tiny_llama(1).bytes();
    for (spec, code) in [
        ("".to_owned(), 2),
        ("no-such-alias".to_owned(), 2),
        ("hf:owner".to_owned(), 2),
        ("http://localhost:80".to_owned(), 2),
        ("/no/such/file.gguf".to_owned(), 2),
        (home.folder.path().to_str().unwrap().to_owned(), 2),
        (home.file("empty.gguf", b""), 3),
        (home.file("cut.gguf", &whole[..whole.len() / 2]), 3),
        (home.file("page.gguf", b"<html>"), 3),
    ] {
        let error = home.resolve(&spec).unwrap_err();
        assert_eq!(error.exit_code(), code, "{spec}: {error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}

#[test]
fn a_named_model_that_is_not_whole_is_named() {
    let home = Home::new();
    std::fs::create_dir_all(home.library.folder()).unwrap();
    std::fs::write(home.library.folder().join("smollm2-135m.gguf"), b"GGUF").unwrap();
    let error = home.resolve(DEFAULT).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("damaged (it has 4 bytes, expected 98362432)"), "{message}");
    assert!(message.contains("'tokenscope models pull smollm2-135m'"), "{message}");
    assert_eq!(error.exit_code(), 3);
}
