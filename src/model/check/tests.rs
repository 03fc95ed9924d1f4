use std::os::unix::process::ExitStatusExt;

use super::*;

fn judged(said: &str, log: &str, status: i32) -> CheckVerdict {
    verdict(&format!("{HELLO}\n{said}"), log, Some(ExitStatus::from_raw(status)))
}

#[test]
fn verdicts() {
    assert_eq!(judged("good\n", "", 0), CheckVerdict::Good);
    let log =
        "llama_model_load: error loading model: no such tensor\nllama_model_load_from_file_impl: failed";
    assert_eq!(
        judged("bad: null pointer\n", log, 3 << 8),
        CheckVerdict::Refused("no such tensor".to_owned())
    );
    assert_eq!(judged("bad: null pointer\n", "", 3 << 8), CheckVerdict::Refused("null pointer".to_owned()));
    let log = "/build/llama.cpp/src/vocab.cpp:7: GGML_ASSERT(a == b) failed\n";
    assert_eq!(judged("", log, 6), CheckVerdict::Harmful("GGML_ASSERT(a == b) failed".to_owned()));
    assert_eq!(judged("", "", 11), CheckVerdict::Harmful("signal 11".to_owned()));
    // Dying after the verdict, or a verdict with the wrong exit code, is no good sign either.
    assert!(matches!(judged("good\n", "", 11), CheckVerdict::Harmful(_)));
    assert!(matches!(judged("good\n", "", 1 << 8), CheckVerdict::Harmful(_)));
    assert!(matches!(verdict(HELLO, "", None), CheckVerdict::Harmful(_)));
}

#[test]
fn another_executable_says_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny.gguf");
    std::fs::write(&path, crate::model::gguf::tests::fixture::tiny_llama(1).bytes()).unwrap();
    let gguf = Gguf::read(&path).unwrap();
    let memory = Memory::at(folder.path().join("files.json"));
    let silent = crate::model::progress::Silent;
    for program in ["true", "false", "echo"] {
        assert_eq!(
            try_in_child(&gguf, Path::new(program), &silent).unwrap(),
            CheckVerdict::Unknown,
            "{program}"
        );
        verify_in_child(&gguf, Path::new(program), &memory, &silent).unwrap();
    }
    // Nothing was learnt, so nothing is remembered.
    assert_eq!(memory.recall(&FileId::of(&path).unwrap()).loads, None);
    assert!(matches!(
        try_in_child(&gguf, Path::new("/no/such/program"), &silent),
        Err(ModelError::Io { .. })
    ));
}
