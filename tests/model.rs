//! Models and llama.cpp together: whatever our reader lets through, llama.cpp survives.

#[path = "support/gguf.rs"]
mod gguf;
#[path = "support/mutate.rs"]
mod mutate;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use gguf::{File, Noise, tiny_gemma3, tiny_llama};
use tokenscope::model::check::{CheckVerdict, try_in_child};
use tokenscope::model::gguf::Gguf;
use tokenscope::model::{FileId, Library, Purpose, Silent};
use tokenscope::paths::Paths;

/// What loads damaged files: the program, or another that answers `__check-model` as it does, such as
/// a build of llama.cpp with a sanitizer.
fn program() -> PathBuf {
    std::env::var_os("TOKENSCOPE_FUZZ_PROGRAM").map_or(env!("CARGO_BIN_EXE_tokenscope").into(), PathBuf::from)
}

fn verdict_of(path: &Path) -> CheckVerdict {
    try_in_child(&Gguf::read(path).unwrap(), &program(), &Silent).unwrap()
}

#[test]
fn the_fixtures_load_and_run() {
    let folder = tempfile::tempdir().unwrap();
    for (name, mut file) in [("llama", tiny_llama(1)), ("gemma3", tiny_gemma3(1))] {
        let path = folder.path().join(name);
        std::fs::write(&path, file.bytes()).unwrap();
        assert_eq!(verdict_of(&path), CheckVerdict::Good, "{name}");
        file.tensors.clear();
        std::fs::write(&path, file.bytes()).unwrap();
        assert_eq!(verdict_of(&path), CheckVerdict::Good, "the vocabulary of {name}");
    }
}

#[test]
fn what_llama_cpp_does_not_survive_is_survived_here() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("twice.gguf");
    let mut file = tiny_llama(1);
    let Some((_, gguf::Value::Texts(tokens))) =
        file.keys.iter_mut().find(|(key, _)| key == b"tokenizer.ggml.tokens")
    else {
        panic!("the fixture has tokens")
    };
    tokens[9] = tokens[10].clone();
    std::fs::write(&path, file.bytes()).unwrap();
    match verdict_of(&path) {
        CheckVerdict::Harmful(what) => assert!(what.contains("token_to_id.size()"), "{what}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_llama_cpp_refuses_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pre.gguf");
    let mut file = tiny_llama(1);
    file.set("tokenizer.ggml.pre", gguf::text("unheard-of"));
    std::fs::write(&path, file.bytes()).unwrap();
    let refused = CheckVerdict::Refused(
        "error loading model vocabulary: unknown pre-tokenizer type: 'unheard-of'".to_owned(),
    );
    assert_eq!(verdict_of(&path), refused);
}

/// Damages the vocabulary of `case` and, if our reader accepts the result, has llama.cpp load it in a child.
/// `None` where the reader refuses; else what was done and how it ended.
fn trial(case: u64, path: &Path) -> Option<(String, CheckVerdict)> {
    let mut noise = Noise(case);
    let mut file = if case.is_multiple_of(2) { tiny_llama(1) } else { tiny_gemma3(1) };
    file.tensors.clear();
    let (deed, bytes) = damage(&mut file, &mut noise);
    std::fs::write(path, bytes).unwrap();
    let gguf = Gguf::read(path).ok()?;
    let accepted = gguf.is_vocabulary_only() && gguf.check_vocabulary().is_ok();
    accepted.then(|| (deed, try_in_child(&gguf, &program(), &Silent).unwrap()))
}

/// What its loader asserts of an architecture is found in the child alone: a damaged model is refused
/// there, or dies there.
#[test]
fn a_model_that_is_not_whole_fails_in_the_child() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.gguf");
    for (damage, part) in [
        ((|f| drop(f.tensors.pop())) as fn(&mut File), "tensor 'output_norm.weight' not found"),
        (|f| f.set("llama.block_count", gguf::Value::U32(2)), "tensor 'blk.1.attn_norm.weight' not found"),
        (|f| f.tensor_mut("blk.0.ffn_up.weight").shape = vec![128, 64], "has wrong shape"),
        (|f| f.set("llama.attention.head_count_kv", gguf::Value::U32(3)), ""),
        (|f| f.set("llama.attention.head_count_kv", gguf::Value::U32(0)), ""),
        (|f| f.set("llama.attention.head_count", gguf::Value::U32(0)), ""),
        (|f| f.set("llama.attention.key_length", gguf::Value::U32(17)), ""),
        (|f| f.set("llama.rope.dimension_count", gguf::Value::U32(8)), "n_rot"),
        (|f| f.tensor_mut("output_norm.weight").kind = 1, ""),
    ] {
        let mut file = tiny_llama(1);
        damage(&mut file);
        std::fs::write(&path, file.bytes()).unwrap();
        let (CheckVerdict::Refused(what) | CheckVerdict::Harmful(what)) = verdict_of(&path) else {
            panic!("{part}: it loads")
        };
        assert!(what.contains(part), "{part}: {what}");
    }
}

fn damage(file: &mut File, noise: &mut Noise) -> (String, Vec<u8>) {
    if noise.below(6) > 0 {
        let deed = mutate::fields(file, noise);
        return (deed, file.bytes());
    }
    let whole = file.bytes();
    let mut header = file.header();
    let rest = whole[header.len()..].to_vec();
    let deed = mutate::bytes(&mut header, noise);
    header.extend(rest);
    (deed, header)
}

#[derive(Default)]
struct Campaign {
    next: AtomicU64,
    accepted: AtomicU64,
    refused_by_llama: AtomicU64,
    harmful: Mutex<Vec<String>>,
}

/// Tries cases from `first` on until `wanted` of them got past our reader, on all cores.
fn campaign(first: u64, wanted: u64) -> Campaign {
    let campaign = Campaign { next: first.into(), ..Campaign::default() };
    let folder = tempfile::tempdir().unwrap();
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let path = folder.path().join(format!("{thread}.gguf"));
            let campaign = &campaign;
            scope.spawn(move || campaign.work(wanted, &path));
        }
    });
    campaign
}

impl Campaign {
    fn work(&self, wanted: u64, path: &Path) {
        while self.accepted.load(Ordering::Relaxed) < wanted {
            let case = self.next.fetch_add(1, Ordering::Relaxed);
            let Some((deed, verdict)) = trial(case, path) else { continue };
            self.accepted.fetch_add(1, Ordering::Relaxed);
            match verdict {
                CheckVerdict::Good => {}
                CheckVerdict::Refused(what) => {
                    self.refused_by_llama.fetch_add(1, Ordering::Relaxed);
                    if std::env::var_os("TOKENSCOPE_FUZZ_VERBOSE").is_some() {
                        eprintln!("case {case} ({deed}): refused: {what}");
                    }
                }
                bad => self.harmful.lock().unwrap().push(format!("case {case} ({deed}): {bad:?}")),
            }
        }
    }

    fn report(self, first: u64) {
        let cases = self.next.into_inner() - first;
        let accepted = self.accepted.into_inner();
        let refused = self.refused_by_llama.into_inner();
        eprintln!(
            "{cases} damaged files, {accepted} accepted by our reader, {refused} of them refused by llama.cpp"
        );
        let harmful = self.harmful.into_inner().unwrap();
        assert!(harmful.is_empty(), "{} killed the child:\n{}", harmful.len(), harmful.join("\n"));
    }
}

/// For as long as you like: `TOKENSCOPE_FUZZ=20000 cargo test --release --test model -- accepted_damage
/// --nocapture`. `TOKENSCOPE_FUZZ_FROM` names the first case.
#[test]
fn accepted_damage_kills_no_child() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let first = number("TOKENSCOPE_FUZZ_FROM").unwrap_or(0);
    campaign(first, number("TOKENSCOPE_FUZZ").unwrap_or(60)).report(first);
}

/// The program with an empty home of its own.
fn tokenscope(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.args(arguments).env("TOKENSCOPE_HOME", home).stdin(Stdio::null());
    command
}

#[test]
fn an_unknown_file_is_tried_once() {
    let home = tempfile::tempdir().unwrap();
    let library = Library::at(&Paths::under(home.path()), Some(program()));
    let path = home.path().join("tiny.gguf");
    std::fs::write(&path, tiny_llama(1).bytes()).unwrap();
    library.resolve(path.to_str().unwrap(), Purpose::Run, &Silent).unwrap();
    assert!(library.memory().recall(&FileId::of(&path).unwrap()).loads.is_some());
    // From now on no child is needed: an executable that is not there is not missed.
    let library = Library::at(&Paths::under(home.path()), Some("/no/such/program".into()));
    library.resolve(path.to_str().unwrap(), Purpose::Run, &Silent).unwrap();
}

#[test]
fn what_the_trial_finds_is_an_error_of_the_model() {
    let home = tempfile::tempdir().unwrap();
    let library = Library::at(&Paths::under(home.path()), Some(program()));
    let path = home.path().join("pre.gguf");
    let mut file = tiny_llama(1);
    file.set("tokenizer.ggml.pre", gguf::text("unheard-of"));
    std::fs::write(&path, file.bytes()).unwrap();
    let error = library.resolve(path.to_str().unwrap(), Purpose::Run, &Silent).unwrap_err();
    assert!(
        error.to_string().contains("llama.cpp cannot load it: error loading model vocabulary"),
        "{error}"
    );
    assert_eq!(error.exit_code(), 3);
}

#[test]
fn ctrl_c_ends_a_pull_with_130_and_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let bin = home.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    // A pip that never comes to an end. It is named like Python, which is tried first.
    let python = bin.join("python3");
    std::fs::write(&python, "#!/bin/sh\nexec /bin/sleep 60\n").unwrap();
    std::fs::set_permissions(&python, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut child =
        tokenscope(home.path(), &["models", "pull"]).env("PATH", &bin).stderr(Stdio::null()).spawn().unwrap();
    let models = home.path().join("data/models");
    let staged = || {
        std::fs::read_dir(&models).is_ok_and(|mut entries| entries.any(|e| e.unwrap().file_name() != ".lock"))
    };
    for _ in 0..200 {
        if staged() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    std::thread::sleep(std::time::Duration::from_millis(200));
    // Not every system has a `kill` program.
    // SAFETY: signals a process this test has started.
    assert_eq!(unsafe { libc::kill(child.id().try_into().unwrap(), libc::SIGINT) }, 0);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!staged());
}

#[test]
fn the_command_line_answers_with_exit_codes() {
    let home = tempfile::tempdir().unwrap();
    let page = home.path().join("page.gguf");
    std::fs::write(&page, "<html>").unwrap();
    for (arguments, code, part) in [
        (&["models", "list"][..], 0, ""),
        (&["models", "info", "smolm2-135m"], 2, "did you mean smollm2-135m?"),
        (&["models", "info", "/no/such.gguf"], 2, "no such file"),
        (&["models", "info", page.to_str().unwrap()], 3, "a web page"),
        (&["models", "rm", "smollm2-135m"], 2, "not among the models"),
    ] {
        let output = tokenscope(home.path(), arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(part) && said.lines().count() <= 1, "{arguments:?}: {said}");
    }
}
