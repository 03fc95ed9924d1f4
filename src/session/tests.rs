use super::*;
use crate::engine::scripted::{Line, Scripted};
use crate::settings::{ConfigFile, Flags, SamplingFlags};

/// A session whose requests are answered at once.
struct Talk {
    session: Session,
    engine: Scripted,
    asked: Vec<Ask>,
}

impl Talk {
    fn new(replies: Vec<Vec<Line>>) -> Talk {
        let flags = SamplingFlags { seed: Some(10), ..SamplingFlags::default() };
        let settings = Settings::from_layers(
            crate::sampling::Sampling::chat(),
            &ConfigFile::default(),
            &Flags::default(),
            &flags,
        )
        .unwrap();
        let engine = Scripted::new(replies);
        let mut session = Session::new(settings);
        session.on_event(engine.ready());
        Talk { session, engine, asked: Vec::new() }
    }

    fn line(&mut self, line: &str) -> Result<String, String> {
        let outcomes = match crate::command::parse(line) {
            Some(command) => self.session.execute(command.map_err(|error| error.to_string())?),
            None => self.session.say(line),
        };
        let mut said = String::new();
        for outcome in outcomes.map_err(|error| error.to_string())? {
            match outcome {
                Outcome::Send(command) => {
                    for event in self.engine.answer(&command) {
                        self.session.on_event(event);
                    }
                }
                Outcome::Ask(asked, _) => {
                    self.asked.push(asked);
                    self.session.on_answer(None);
                }
                Outcome::Say(notice) => said.push_str(notice.text()),
                _ => {}
            }
        }
        Ok(said)
    }
}

fn paris() -> Vec<Line> {
    vec![("The", 0.9), (" capital", 0.4), (" Paris", 0.8), ("<|im_end|>", 0.7)]
}

#[test]
fn each_reply_has_a_seed_of_its_own_and_a_new_seed_begins_anew() {
    let mut talk = Talk::new(vec![paris(), paris(), paris()]);
    talk.line("one").unwrap();
    talk.line("two").unwrap();
    talk.line("/set seed 50").unwrap();
    talk.line("three").unwrap();
    let seeds: Vec<u32> =
        talk.session.turns().iter().filter_map(|turn| turn.reply.as_ref()).map(|reply| reply.seed).collect();
    assert_eq!(seeds, [10, 11, 50]);
}

#[test]
fn a_conversation_comes_back_from_its_file_with_its_exact_ids() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("talk.json");
    let mut talk = Talk::new(vec![paris(), paris()]);
    talk.line("/system be brief").unwrap();
    talk.line("hi").unwrap();
    let ids = talk.session.turns()[1].reply.as_ref().unwrap().ids.clone();
    talk.line(&format!("/save {}", path.display())).unwrap();

    let mut other = Talk::new(vec![paris()]);
    let said = other.line(&format!("/load {}", path.display())).unwrap();
    assert!(said.starts_with("2 turns from"), "{said}");
    assert_eq!(other.session.system(), Some("be brief"));
    assert_eq!(other.session.turns()[1].reply.as_ref().unwrap().ids, ids);
    other.line("again").unwrap();
    let trace: Vec<_> = other.session.trace().tokens().iter().map(|token| token.id).collect();
    assert!(trace.windows(ids.len()).any(|window| window == ids));
    assert_eq!(other.session.turns()[1].marks.len(), ids.len());
}

#[test]
fn a_step_accepts_a_candidate_of_the_last_table_by_its_exact_id() {
    let mut talk = Talk::new(vec![]);
    assert!(talk.line("/step 1").unwrap_err().contains("no candidate 1"));
    let ids = vec![crate::token::TokenId(1), crate::token::TokenId(2)];
    let candidates = vec![crate::token::TokenId(7), crate::token::TokenId(9)];
    talk.session.on_answer(Some(Draft { ids, candidates }));
    talk.line("/step 2").unwrap();
    let Some(Ask::Step(draft)) = talk.asked.last() else { panic!("{:?}", talk.asked) };
    assert_eq!(draft.ids, [1, 2, 9].map(crate::token::TokenId));
    assert!(talk.line("/step 3").unwrap_err().contains("no candidate 3"));
}

#[test]
fn a_suite_is_asked_for_by_its_name_and_only_by_one() {
    let mut talk = Talk::new(vec![]);
    talk.line("/probe induction.en").unwrap();
    assert!(
        matches!(talk.asked.last(), Some(Ask::Probe(name)) if name == "induction.en"),
        "{:?}",
        talk.asked
    );
    assert!(talk.line("/probe").unwrap_err().contains("/probe needs SUITE|FILE"));
}

#[test]
fn a_reply_is_rescored_with_the_token_that_ended_it() {
    let mut talk = Talk::new(vec![paris()]);
    assert!(talk.line("/rescore x").unwrap_err().contains("there is no reply"));
    talk.line("hi").unwrap();
    talk.line("/rescore Where is Rome?").unwrap();
    let Some(Ask::Rescore(asked)) = talk.asked.last() else { panic!("{:?}", talk.asked) };
    assert_eq!((asked.reply.len(), asked.before.len(), asked.messages.len()), (4, 4, 1));
    talk.line("/rescore system be rude").unwrap();
    let Some(Ask::Rescore(asked)) = talk.asked.last() else { panic!("{:?}", talk.asked) };
    assert_eq!((asked.messages.len(), &asked.messages[0].role), (2, &Role::System));
}

#[test]
fn nothing_is_written_before_there_is_something() {
    let mut talk = Talk::new(vec![]);
    assert!(talk.line("/save x.json").unwrap_err().contains("nothing to write"));
    assert!(talk.line("/export x.csv").unwrap_err().contains("nothing to write"));
    assert!(talk.line("/load /no/such/file").unwrap_err().contains("/no/such/file"));
}

#[test]
fn every_command_has_a_help_line() {
    let mut talk = Talk::new(vec![]);
    let help = talk.line("/help").unwrap();
    for spec in COMMANDS {
        assert!(help.contains(spec.name) && help.contains(spec.help));
        assert!(talk.line(&format!("/help {}", &spec.name[1..])).unwrap().contains(spec.help));
    }
    assert!(talk.line("/help retyr").unwrap_err().contains("did you mean /retry?"));
}
