mod intervene;
mod marks;

use std::io;
use std::sync::atomic::AtomicBool;

use super::drive::{Front, begin, drive};
use super::*;
use crate::chat::Role;
use crate::command::COMMANDS;
use crate::engine::testing::{Scripted, ScriptedLine};
use crate::engine::{Client, Event};
use crate::report::bars::Paint;
use crate::settings::{ConfigFile, Flags, SamplingFlags};

/// A session beside a scripted engine.
pub(in crate::session) struct Talk {
    pub session: Session,
    pub engine: Scripted,
    client: Client,
    asked: Vec<Question>,
    said: Result<String, String>,
    interrupted: Arc<AtomicBool>,
}

/// What a [`Talk`] hears.
struct Ear<'a> {
    asked: &'a mut Vec<Question>,
    said: &'a mut Result<String, String>,
    interrupted: &'a Arc<AtomicBool>,
}

impl Front for Ear<'_> {
    fn interrupted(&self) -> &Arc<AtomicBool> {
        self.interrupted
    }

    fn say(&mut self, notice: Notice) -> io::Result<()> {
        match (notice, &mut self.said) {
            (Notice::Error(text), said) => **said = Err(text),
            (notice, Ok(said)) => said.push_str(notice.text()),
            (_, Err(_)) => {}
        }
        Ok(())
    }

    fn other(&mut self, session: &mut Session, _: &mut Client, outcome: Outcome) -> io::Result<Vec<Outcome>> {
        match (outcome, &mut self.said) {
            (Outcome::Ask(asked, _), _) => {
                self.asked.push(asked);
                session.on_answer(None);
            }
            (Outcome::Show(view), Ok(said)) => {
                let mut text = Vec::new();
                view.write(&mut text, Paint::default())?;
                said.push_str(&String::from_utf8_lossy(&text));
            }
            _ => {}
        }
        Ok(Vec::new())
    }
}

impl Talk {
    pub fn new(replies: Vec<Vec<ScriptedLine>>) -> Talk {
        let flags = SamplingFlags { seed: Some(10), ..SamplingFlags::default() };
        let settings = Settings::from_layers(
            crate::sampling::Sampling::chat(),
            &ConfigFile::default(),
            &Flags::default(),
            &flags,
        )
        .unwrap();
        let engine = Scripted::new(replies);
        let client = engine.client();
        let mut talk = Talk {
            session: Session::new(settings),
            engine,
            client,
            asked: Vec::new(),
            said: Ok(String::new()),
            interrupted: Arc::default(),
        };
        talk.ready();
        talk
    }

    /// The model is loaded.
    fn ready(&mut self) {
        let Event::Ready(model) = self.engine.ready() else { panic!("it is ready") };
        let Talk { session, client, asked, said, interrupted, .. } = self;
        begin(session, client, model, &mut Ear { asked, said, interrupted }).unwrap();
    }

    pub fn line(&mut self, line: &str) -> Result<String, String> {
        let outcomes = match crate::command::parse(line) {
            Some(command) => self.session.execute(command.map_err(|error| error.to_string())?),
            None => self.session.say(line),
        };
        self.said = Ok(String::new());
        let Talk { session, client, asked, said, interrupted, .. } = self;
        let mut ear = Ear { asked, said, interrupted };
        drive(session, client, outcomes.map_err(|error| error.to_string())?, &mut ear).unwrap();
        self.said.clone()
    }
}

pub(in crate::session) fn paris() -> Vec<ScriptedLine> {
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
fn what_the_model_reads_can_be_seen() {
    let mut talk = Talk::new(vec![paris()]);
    let first = talk.line("/prompt").unwrap();
    assert!(first.contains("<|im_start|>user\nYOUR MESSAGE<|im_end|>\n<|im_start|>assistant\n"), "{first}");
    talk.line("/system be brief").unwrap();
    talk.line("hi").unwrap();
    let read = talk.line("/prompt").unwrap();
    assert!(
        read.contains("<|im_start|>system\nbe brief<|im_end|>\n<|im_start|>user\nhi<|im_end|>"),
        "{read}"
    );
    assert!(read.ends_with("<|im_start|>assistant\n"), "{read}");
    let none = talk.line("/system none").unwrap();
    assert!(none.contains("no system prompt of yours") && none.contains("none of its own either"), "{none}");
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
    let sequence: Vec<_> = other.session.sequence().tokens().map(|token| token.id).collect();
    assert!(sequence.windows(ids.len()).any(|window| window == ids));
    // The token that ended it is a step of its own.
    assert_eq!(other.session.turns()[1].marks.len(), ids.len() + 1);
}

/// Everything that can be seen of a session's turns and figures.
pub(in crate::session) fn seen(session: &Session) -> String {
    let turns: Vec<_> = session
        .turns()
        .iter()
        .map(|turn| {
            let reply = turn.reply.as_ref();
            let reply = reply.map(|r| (r.ids.clone(), r.end, r.logprobs.clone(), r.score, r.seed, r.finish));
            (turn.content.clone(), turn.text.clone(), turn.marks.clone(), reply)
        })
        .collect();
    let tokens: Vec<_> =
        session.sequence().tokens().map(|token| (token.id, token.origin, token.step.clone())).collect();
    format!("{turns:?}\n{:?} {tokens:?}", session.sequence().reply_start())
}

#[test]
fn a_loaded_conversation_has_every_figure_it_was_saved_with() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).display().to_string();
    let mut talk = Talk::new(vec![paris(), paris()]);
    talk.line("hi 北京").unwrap();
    talk.line("and?").unwrap();
    assert!(talk.session.is_unsaved());
    talk.line(&format!("/save {}", at("one.json"))).unwrap();
    assert!(!talk.session.is_unsaved());

    let mut other = Talk::new(vec![]);
    other.line(&format!("/load {}", at("one.json"))).unwrap();
    assert_eq!(seen(&other.session), seen(&talk.session));
    // Saved again it is the same file: nothing was lost on the way.
    other.line(&format!("/save {}", at("two.json"))).unwrap();
    let lines = |name: &str| {
        let text = std::fs::read_to_string(dir.path().join(name)).unwrap();
        text.lines().skip(1).map(str::to_string).collect::<Vec<_>>()
    };
    assert_eq!(lines("one.json"), lines("two.json"), "but for when that was");

    // The reply can be scored again at once, from the figures of the file.
    other.line("/rescore Where is Rome?").unwrap();
    talk.line("/rescore Where is Rome?").unwrap();
    let (Some(Question::Rescore(a)), Some(Question::Rescore(b))) = (other.asked.last(), talk.asked.last())
    else {
        panic!("{:?}", other.asked)
    };
    assert_eq!((&a.reply, &a.before, a.reply.len()), (&b.reply, &b.before, 4));
}

#[test]
fn a_conversation_loaded_before_the_model_waits_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("talk.json").display().to_string();
    let mut talk = Talk::new(vec![paris()]);
    talk.line("hi").unwrap();
    talk.line(&format!("/save {file}")).unwrap();
    let mut other = Talk::new(vec![]);
    other.session.model = ModelState::Loading { share: 0.5, before: None };
    other.line(&format!("/load {file}")).unwrap();
    other.ready();
    assert_eq!(seen(&other.session), seen(&talk.session));
}

#[test]
fn figures_of_another_vocabulary_are_not_taken_and_that_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("talk.json");
    let file = path.display().to_string();
    let mut talk = Talk::new(vec![paris()]);
    talk.line("hi").unwrap();
    talk.line(&format!("/save {file}")).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let n = talk.session.model().unwrap().vocab.len();
    let larger = text.replace(&format!("\"vocabulary\":{n}"), &format!("\"vocabulary\":{}", n + 1));
    std::fs::write(&path, larger).unwrap();
    let said = talk.line(&format!("/load {file}")).unwrap();
    assert!(said.contains("another model"), "{said}");
    assert!(talk.session.sequence().is_empty());
    assert!(talk.line("/rescore x").unwrap_err().contains("there is no reply"));
    std::fs::write(&path, text.replace("\"model\":\"scripted\"", "\"model\":\"cousin\"")).unwrap();
    assert!(talk.line(&format!("/load {file}")).unwrap().contains("its figures are those of cousin"));
}

#[test]
fn files_and_conversations_are_replaced_only_if_that_is_meant() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).display().to_string();
    let (json, csv) = (at("talk.json"), at("talk.csv"));
    let mut talk = Talk::new(vec![paris(), paris()]);
    talk.line("hi").unwrap();
    for (command, file) in [("/save", &json), ("/export", &csv)] {
        talk.line(&format!("{command} {file}")).unwrap();
        let before = std::fs::read(file).unwrap();
        let refused = talk.line(&format!("{command} {file}")).unwrap_err();
        assert_eq!(refused, format!("{file} is there already; {command}! {file} replaces it"));
        assert_eq!(std::fs::read(file).unwrap(), before);
        talk.line(&format!("{command}! {file}")).unwrap();
    }
    talk.line("more").unwrap();
    assert!(talk.line(&format!("/load {json}")).unwrap_err().contains("/load!"));
    assert_eq!(talk.session.turns().len(), 4);
    talk.line(&format!("/load! {json}")).unwrap();
    assert_eq!(talk.session.turns().len(), 2);
    let missing = at("none/talk.json");
    let refused = talk.line(&format!("/save {missing}")).unwrap_err();
    assert_eq!(refused, format!("{missing}: there is no folder {}", at("none")));
}

#[test]
fn a_step_accepts_a_candidate_of_the_last_table_by_its_exact_id() {
    let mut talk = Talk::new(vec![]);
    assert!(talk.line("/step 1").unwrap_err().contains("no candidate 1"));
    let ids = vec![crate::token::TokenId(1), crate::token::TokenId(2)];
    let offers = vec![vec![crate::token::TokenId(7)], vec![crate::token::TokenId(9)]];
    talk.session.on_answer(Some(Draft { ids, offers, of_conversation: false }));
    talk.line("/step 2").unwrap();
    let Some(Question::Step(ids)) = talk.asked.last() else { panic!("{:?}", talk.asked) };
    assert_eq!(*ids, [1, 2, 9].map(crate::token::TokenId));
    assert!(talk.line("/step 3").unwrap_err().contains("no candidate 3"));
}

#[test]
fn a_suite_is_asked_for_by_its_name_and_only_by_one() {
    let mut talk = Talk::new(vec![]);
    talk.line("/probe induction.en").unwrap();
    assert!(
        matches!(talk.asked.last(), Some(Question::Probe(name)) if name == "induction.en"),
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
    let Some(Question::Rescore(asked)) = talk.asked.last() else { panic!("{:?}", talk.asked) };
    assert_eq!((asked.reply.len(), asked.before.len(), asked.messages.len()), (4, 4, 1));
    talk.line("/rescore system be rude").unwrap();
    let Some(Question::Rescore(asked)) = talk.asked.last() else { panic!("{:?}", talk.asked) };
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

#[test]
fn an_export_says_whose_each_token_is_and_sums_each_reply_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let mut talk = Talk::new(vec![paris(), vec![("+", 0.5), ("<|im_end|>", 0.25)]]);
    talk.line("/system be brief").unwrap();
    talk.line("hi").unwrap();
    talk.line("=1").unwrap();
    talk.line(&format!("/export {}", at("x.jsonl").display())).unwrap();
    talk.line(&format!("/export {}", at("x.csv").display())).unwrap();

    let text = std::fs::read_to_string(at("x.jsonl")).unwrap();
    let rows: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), talk.session.sequence().len());
    for turn in [2, 4] {
        let mut sum = 0.0;
        let of_reply = rows.iter().filter(|row| row["turn"] == turn && row["part"] == "reply");
        let mut tokens = String::new();
        for row in of_reply {
            assert_eq!((row["role"].as_str(), row["type"].as_str()), (Some("assistant"), Some("step")));
            sum += row["logprob"].as_f64().unwrap();
            assert!((row["cumulative_logprob"].as_f64().unwrap() - sum).abs() < 1e-6, "{row}");
            tokens.push_str(row["token"].as_str().unwrap());
        }
        assert_eq!(tokens, ["The capital Paris<|im_end|>", "+<|im_end|>"][turn / 2 - 1]);
    }
    let typed = |turn: u64| -> String {
        let of = rows.iter().filter(|row| row["turn"] == turn && row["part"] == "typed");
        of.map(|row| row["token"].as_str().unwrap()).collect()
    };
    assert_eq!((typed(0), typed(1), typed(3)), ("be brief".into(), "hi".into(), "=1".into()));
    assert!(rows.iter().all(|row| row["part"] == "reply" || row["cumulative_logprob"].is_null()));

    let mut csv = csv::Reader::from_path(at("x.csv")).unwrap();
    let head = csv.headers().unwrap().clone();
    assert_eq!(&head[0], "turn");
    let cells: Vec<csv::StringRecord> = csv.records().map(Result::unwrap).collect();
    assert_eq!(cells.len(), rows.len());
    // A sign alone is a token like any other; with something behind it, it would be a formula.
    assert!(cells.iter().any(|row| &row[3] == "+") && cells.iter().any(|row| &row[3] == "="));
    assert!(cells.iter().all(|row| row[3].len() == 1 || !row[3].starts_with(['=', '+', '-', '@'])));
    assert!(cells.iter().all(|row| row[5].parse::<f64>().is_ok() || &row[5] == "NA"));
}

#[test]
fn a_constraint_is_set_from_a_file_and_a_faulty_one_is_one_line_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (good, bad) = (at("a.gbnf", "root ::= \"yes\""), at("b.gbnf", "root ::= root \"a\""));
    let mut talk = Talk::new(vec![paris()]);
    assert_eq!(talk.line(&format!("/set grammar {good}")).unwrap(), format!("grammar {good}"));
    assert!(talk.session.settings().sampling.grammar.is_some());
    let error = talk.line(&format!("/set grammar {bad}")).unwrap_err();
    assert!(error.contains("b.gbnf:1:1: the rule root") && !error.contains('\n'), "{error}");
    assert!(talk.line("/set json-schema /no/such/file").unwrap_err().starts_with("/no/such/file: "));
    assert_eq!(talk.line("/set grammar").unwrap().lines().next().unwrap().split(' ').nth(1), Some(&*good));
    let said = talk.line("/set regex [ab").unwrap_err();
    assert!(said.starts_with("/set regex, character 1: ") && said.lines().count() == 1, "{said}");
    assert_eq!(talk.line("/set regex (yes|no)").unwrap(), "regex (yes|no)");
    assert_eq!(talk.line("/set regex off").unwrap(), "regex off");
    assert_eq!(talk.session.settings().sampling.grammar, None);
}

#[test]
fn what_is_read_for_long_can_be_left_and_comes_too_late_then() {
    let mut talk = Talk::new(vec![paris()]);
    let first = talk.session.execute(crate::command::parse("/load /no/such/file").unwrap().unwrap()).unwrap();
    let Some(Outcome::Run(ticket, task)) = first.into_iter().next() else { panic!("nothing to do") };
    assert!(talk.line("hi").unwrap_err().contains("still answering"));
    assert!(talk.session.cancel() && ticket.cancel.is_cancelled());
    let done = talk.session.on_done(ticket.id, Err(SessionError::Stopped));
    assert!(matches!(&done[..], [Outcome::Say(Notice::Error(text))] if text == "stopped"));
    talk.line("hi").unwrap();
    assert!(talk.session.on_done(ticket.id, task.run()).is_empty());
}

#[test]
fn a_prompt_that_is_stopped_gives_the_message_back() {
    let mut talk = Talk::new(vec![paris(), paris()]);
    talk.line("one").unwrap();
    let before = seen(&talk.session);
    for line in ["two", "/retry"] {
        let outcomes = match crate::command::parse(line) {
            Some(command) => talk.session.execute(command.unwrap()),
            None => talk.session.say(line),
        };
        let Some(Outcome::Run(ticket, _)) = outcomes.unwrap().pop() else { panic!("{line}") };
        assert!(talk.session.cancel());
        let done = talk.session.on_done(ticket.id, Err(SessionError::Stopped));
        let back = done.iter().any(|outcome| matches!(outcome, Outcome::GiveBack(text) if text == "two"));
        assert_eq!(back, line == "two", "{done:?}");
        assert_eq!(seen(&talk.session), before);
    }
    assert_eq!(talk.session.next_seed(), 11);
}

#[test]
fn a_text_of_many_times_the_context_is_refused_before_it_is_tokenized() {
    let mut talk = Talk::new(vec![]);
    let error = talk.line(&"a b ".repeat(5 << 20)).unwrap_err();
    assert!(error.contains("at least") && error.contains("the context holds 512"), "{error}");
    assert!(talk.session.turns().is_empty() && !talk.session.is_unsaved());
}

#[test]
fn a_session_goes_on_where_it_was_left_and_may_only_be_looked_at_with_another_model() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let mut talk = Talk::new(vec![paris(), paris()]);
    talk.line("/system be brief").unwrap();
    talk.line("hi 北京").unwrap();
    talk.line("/retry").unwrap();
    talk.line(&format!("/save {}", at("one.jsonl").display())).unwrap();

    let mut other = Talk::new(vec![paris()]);
    let said = other.line(&format!("/sessions {}", at("one.jsonl").display())).unwrap();
    assert!(said.starts_with("one: 2 messages") && !said.contains("read-only"), "{said}");
    assert_eq!(seen(&other.session), seen(&talk.session));
    assert_eq!((other.session.branches().all().len(), other.session.system()), (2, Some("be brief")));
    other.line("and?").unwrap();
    assert_eq!(other.session.turns().len(), 4);
    let refused = other.line(&format!("/sessions {}", at("one.jsonl").display())).unwrap_err();
    assert!(refused.contains("in no file"), "{refused}");

    // Of a larger vocabulary: it is shown with its own spellings, and nothing can be said in it.
    let n = talk.session.model().unwrap().vocab.len();
    let text = std::fs::read_to_string(at("one.jsonl")).unwrap();
    let text = text.replace(&format!("\"vocabulary\":{n}"), &format!("\"vocabulary\":{}", n + 1));
    std::fs::write(at("two.jsonl"), text).unwrap();
    other.line("/clear").unwrap();
    let said = other.line(&format!("/sessions {}", at("two.jsonl").display())).unwrap();
    assert!(said.contains("read-only: its figures are those of scripted"), "{said}");
    assert_eq!(
        seen(&other.session).replace(&format!("n_vocab: {}", n + 1), &format!("n_vocab: {n}")),
        seen(&talk.session)
    );
    for line in ["more", "/retry"] {
        let refused = other.line(line).unwrap_err();
        assert!(refused.contains("read-only"), "{refused}");
    }
    other.line("/clear").unwrap();
    assert!(other.session.read_only().is_none() && other.session.turns().is_empty());
}

#[test]
fn a_session_is_walked_through_before_its_model_is_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("talk.jsonl").display().to_string();
    let mut talk = Talk::new(vec![paris()]);
    talk.line("hi").unwrap();
    talk.line(&format!("/save {file}")).unwrap();
    let mut other = Talk::new(vec![paris()]);
    other.session.model = ModelState::Loading { share: 0.5, before: None };
    other.line(&format!("/sessions {file}")).unwrap();
    assert_eq!(seen(&other.session), seen(&talk.session));
    let (own, models) = (other.session.vocab().unwrap(), talk.session.vocab().unwrap());
    for token in talk.session.sequence().tokens() {
        assert_eq!(own.bytes(token.id), models.bytes(token.id));
    }
    other.ready();
    other.line("and?").unwrap();
    assert_eq!(other.session.turns().len(), 4);
}
