use super::*;
use crate::model::gguf::tests::fixture::tiny_llama;
use crate::model::library::Library;
use crate::model::progress::Silent;
use crate::paths::Paths;

struct Home {
    folder: tempfile::TempDir,
    library: Library,
}

impl Home {
    fn new() -> Home {
        let folder = tempfile::tempdir().unwrap();
        let library = Library::at(&Paths::under(folder.path()), None);
        Home { folder, library }
    }

    /// A model as if it had been fetched from `hf:owner/repo/tiny.gguf`.
    fn with_model() -> Home {
        let home = Home::new();
        let place = home.library.folder().join("hf/owner/repo");
        std::fs::create_dir_all(&place).unwrap();
        std::fs::write(place.join("tiny.gguf"), tiny_llama(1).bytes()).unwrap();
        home
    }

    fn copies(&self) -> Copies<'_> {
        Copies::of(&Paths::under(self.folder.path()), &self.library)
    }

    fn run(&self, command: ModelsCommand) -> Result<String, ModelError> {
        let mut out = Vec::new();
        run(&command, &self.copies(), &mut out, &Silent)?;
        Ok(String::from_utf8(out).unwrap())
    }
}

const TINY: &str = "hf:owner/repo/tiny.gguf";

#[test]
fn a_list_shows_what_there_is_and_what_there_could_be() {
    let home = Home::with_model();
    let table = home.run(ModelsCommand::List { json: false }).unwrap();
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("smollm2-135m") && lines[0].contains("to fetch"), "{table}");
    assert!(lines[2].starts_with(TINY) && lines[2].contains("here"), "{table}");
    let json: serde_json::Value =
        serde_json::from_str(&home.run(ModelsCommand::List { json: true }).unwrap()).unwrap();
    assert_eq!(json["models"][2]["name"], TINY);
    assert_eq!(json["models"][2]["present"], true);
    assert_eq!(json["models"][0]["size"], 98_362_432);
}

#[test]
fn info_for_people_and_for_programs() {
    let home = Home::with_model();
    let info = |json, template| ModelsCommand::Info { model: Some(TINY.to_owned()), json, template };
    let table = home.run(info(false, false)).unwrap();
    assert!(table.contains("chat template  yes") && table.contains("sha256"), "{table}");
    assert!(!table.contains("{% for"), "{table}");
    assert!(home.run(info(false, true)).unwrap().contains("{% for message in messages %}"));
    let json: serde_json::Value = serde_json::from_str(&home.run(info(true, false)).unwrap()).unwrap();
    assert_eq!(json["chat_template"], true);
    assert_eq!(json["vocabulary"]["tokens"], 279);
    assert_eq!(json["sha256"].as_str().unwrap().len(), 64);
    let json: serde_json::Value = serde_json::from_str(&home.run(info(true, true)).unwrap()).unwrap();
    assert!(json["chat_template"].as_str().unwrap().contains("im_start"));
}

#[test]
fn removing_is_for_what_was_fetched() {
    let home = Home::with_model();
    let rm = |model: &str| ModelsCommand::Rm { model: model.to_owned(), yes: true };
    let own = home.folder.path().join("own.gguf");
    std::fs::write(&own, "x").unwrap();
    let error = home.run(rm(own.to_str().unwrap())).unwrap_err();
    assert!(matches!(error, ModelError::NotOurs(_)) && own.exists());
    assert_eq!(error.exit_code(), 2);
    assert!(home.run(rm(TINY)).unwrap().ends_with("tiny.gguf: removed\n"));
    assert!(matches!(home.run(rm(TINY)), Err(ModelError::NotOurs(_))));
    assert!(matches!(home.run(rm("smollm2-135m")), Err(ModelError::NotOurs(_))));
}

#[test]
fn a_closed_pipe_is_recognised() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let home = Home::new();
    let outcome = run(&ModelsCommand::List { json: false }, &home.copies(), &mut Closed, &Silent);
    assert!(outcome.unwrap_err().is_closed_pipe());
}
