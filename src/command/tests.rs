use super::*;
use crate::intervention::OffPart;

#[test]
fn text_is_no_command() {
    assert_eq!(parse("hello"), None);
    assert_eq!(parse("//usr/bin is a path"), None);
    assert_eq!(parse(""), None);
}

#[test]
fn every_command_of_the_table_parses() {
    for spec in COMMANDS {
        let argument = match spec.argument {
            _ if spec.name == "/edit" => " 1 a",
            _ if spec.name == "/diff" => " 1 2",
            _ if spec.name == "/mark" => " right @2 a note",
            _ if spec.name == "/copy" => " table",
            Argument::None | Argument::Setting | Argument::Doubt => "",
            Argument::Number => " 1",
            Argument::Figure => " rank",
            Argument::View => " logit a ||| b",
            Argument::Part => " layer 1",
            Argument::Vector => " v.gguf:1",
            _ => " a ||| b",
        };
        assert!(parse(&format!("{}{argument}", spec.name)).unwrap().is_ok(), "{}", spec.name);
    }
}

#[test]
fn a_lens_is_turned_on_a_text_or_on_a_token_of_the_last_reply() {
    let text = |prompt: &str, target: Option<&str>, versus: Option<&str>| {
        LensSubject::Text(prompt.to_string(), target.map(str::to_string), versus.map(str::to_string))
    };
    let looked = |line: &str| match parse(line) {
        Some(Ok(Command::Lens(Looking::Logit, looked))) => looked,
        other => panic!("{other:?}"),
    };
    assert_eq!(looked("/lens logit"), LensSubject::Step(None));
    assert_eq!(looked("/lens logit @12"), LensSubject::Step(Some(12)));
    assert_eq!(looked("/lens logit The capital"), text("The capital", None, None));
    // The space before a target is its own.
    assert_eq!(looked("/lens logit a ||| b ||| c"), text("a", Some(" b"), Some(" c")));
    for wrong in ["/lens", "/lens nothing", "/lens logit @0", "/lens logit @x", "/lens logit a |||"] {
        assert!(matches!(parse(wrong), Some(Err(_))), "{wrong}");
    }
}

#[test]
fn parts_and_vectors_are_changed_from_here_or_from_the_start() {
    let parsed = |line: &str| match parse(line) {
        Some(Ok(Command::Intervene(change, since))) => (change, since),
        other => panic!("{line}: {other:?}"),
    };
    let head = OffPart::Head { layer: 23, head: 4 };
    assert_eq!(parsed("/off head 23:4"), (Change::Off(head), Since::Here));
    assert_eq!(parsed("/off head 23:4 from start "), (Change::Off(head), Since::Start));
    assert_eq!(parsed("/off from start"), (Change::Nothing, Since::Start));
    assert_eq!(parsed("/off"), (Change::Nothing, Since::Here));
    assert_eq!(parsed("/on"), (Change::AllOn, Since::Here));
    assert_eq!(parsed("/on ffn 3 from here"), (Change::On(OffPart::FeedForward(3)), Since::Here));
    assert_eq!(parsed("/steer off from start"), (Change::Straight, Since::Start));
    let (Change::Steer(dose), Since::Start) = parsed("/steer my from start.gguf:-0.5:3-5 from start") else {
        panic!("a dose is wanted")
    };
    assert_eq!(dose.to_string(), "my from start.gguf:-0.5:3-5");
    let error = |line: &str| parse(line).unwrap().unwrap_err().to_string();
    assert!(error("/off haed 3:1").contains("did you mean head?"), "{}", error("/off haed 3:1"));
    assert!(error("/on layer x").contains("write head LAYER:HEAD"), "{}", error("/on layer x"));
    assert!(error("/steer v.gguf").contains("there is no scale"), "{}", error("/steer v.gguf"));
}

#[test]
fn settings_are_written_either_way() {
    let expected = Command::Set(Some((SettingKey::Temp, Some("0.5".to_string()))));
    assert_eq!(parse("/set temp 0.5"), Some(Ok(expected.clone())));
    assert_eq!(parse(" /set temp=0.5 "), Some(Ok(expected)));
    assert_eq!(parse("/set temp"), Some(Ok(Command::Set(Some((SettingKey::Temp, None))))));
}

#[test]
fn a_prompt_is_taken_as_it_is() {
    assert_eq!(parse("/next  The cat "), Some(Ok(Command::Next(" The cat ".to_string()))));
    assert_eq!(parse("/next   "), Some(Ok(Command::Next("  ".to_string()))));
    let texts = ["The cat sits".to_string(), " The cats sit".to_string()];
    assert_eq!(parse("/compare The cat sits |||  The cats sit"), Some(Ok(Command::Compare(texts.to_vec()))));
}

#[test]
fn a_reply_is_rescored_under_a_question_or_a_system_prompt() {
    let question = Premise::Question("Where is Rome?".to_string());
    assert_eq!(parse("/rescore Where is Rome?"), Some(Ok(Command::Rescore(question))));
    let system = Premise::System("tutor".to_string());
    assert_eq!(parse("/rescore system tutor"), Some(Ok(Command::Rescore(system))));
}

#[test]
fn mistakes_say_what_would_be_right() {
    let message = |line: &str| parse(line).unwrap().unwrap_err().to_string();
    assert_eq!(message("/hlep"), "/hlep is no command; did you mean /help?");
    assert_eq!(message("/xylophone"), "/xylophone is no command; /help lists them");
    assert_eq!(message("/next"), "/next needs TEXT");
    assert_eq!(message("/step x"), "/step N: write the number of a candidate, from 1 on");
    assert_eq!(message("/compare a"), "/compare A ||| B: write two or more texts with ||| between them");
    assert_eq!(message("/clear all"), "/clear takes no argument");
    assert_eq!(message("/set tmp 1"), "no setting is called tmp; did you mean temp?");
}

#[test]
fn completion_follows_what_is_written() {
    let labels = |line: &str| complete(line).into_iter().map(|c| c.line).collect::<Vec<_>>();
    assert_eq!(labels("/se"), ["/set", "/sessions"]);
    assert_eq!(labels("/model smol"), ["/model smollm2-135m"]);
    assert_eq!(labels("/set top-"), ["/set top-k", "/set top-p", "/set top-n-sigma"]);
    assert_eq!(labels("/help qu"), ["/help quit"]);
    assert_eq!(labels("/off at"), ["/off attention "]);
    assert_eq!(labels("/off head 3:1 "), ["/off head 3:1 from start"]);
    assert_eq!(labels("/on layer 4 fr"), ["/on layer 4 from start"]);
    assert_eq!(labels("/steer o"), ["/steer off"]);
    assert!(labels("hello").is_empty() && labels("/clear ").is_empty());
}
