use std::sync::Arc;

use super::*;
use crate::engine::Event;
use crate::engine::testing::Scripted;
use crate::model::{About, WeightsInForce};
use crate::sampling::Sampling;
use crate::settings::{ConfigFile, Flags, SamplingFlags, Settings};

const MAKING: WeightsInForce =
    WeightsInForce { weights: Weights::AsIs, reason: Reason::Making(Weights::F16) };

/// The model is loaded, and its template read.
fn ready(session: &mut Session, weights: WeightsInForce) -> Vec<Outcome> {
    let Event::Ready(info) = Scripted::new([]).ready() else { panic!("it is ready") };
    let mut info = Arc::into_inner(info).unwrap();
    info.about = Arc::new(About { weights, ..About::default() });
    let Ok([Outcome::Run(ticket, task)]) = <[_; 1]>::try_from(session.on_event(Event::Ready(Arc::new(info))))
    else {
        panic!("its template is not read")
    };
    assert!(session.model().is_none());
    session.on_done(ticket.id, task.run())
}

fn session() -> Session {
    let (file, flags, sampling) = (ConfigFile::default(), Flags::default(), SamplingFlags::default());
    Session::new(Settings::from_layers(Sampling::chat(), &file, &flags, &sampling).unwrap())
}

fn loads(outcomes: &[Outcome]) -> bool {
    outcomes.iter().any(|outcome| matches!(outcome, Outcome::Load(name) if name == "smollm2-135m"))
}

fn said(outcomes: &[Outcome]) -> String {
    let texts = outcomes.iter().filter_map(|outcome| match outcome {
        Outcome::Say(notice) => Some(notice.text()),
        _ => None,
    });
    texts.collect()
}

#[test]
fn a_conversation_keeps_its_weights_until_model_takes_the_copy() {
    let mut session = session();
    ready(&mut session, MAKING);
    session.say("Hi").unwrap();
    session.cancel();
    session.end_reply();
    let outcomes = session.on_copy(Weights::F16);
    assert!(!loads(&outcomes));
    assert_eq!(said(&outcomes), "the f16 copy of scripted is ready: /model takes it");
    assert!(loads(&session.execute(Command::Model(None)).unwrap()));
    // Taken: from now on it tells of the model again.
    ready(&mut session, WeightsInForce { weights: Weights::F16, reason: Reason::Catalogue });
    let told = session.execute(Command::Model(None)).unwrap();
    assert!(!loads(&told) && said(&told).contains("weights f16 (catalogue)"), "{told:?}");
}

#[test]
fn where_nothing_was_asked_the_copy_is_taken_at_once() {
    let mut session = session();
    ready(&mut session, MAKING);
    let outcomes = session.on_copy(Weights::F16);
    assert!(loads(&outcomes) && said(&outcomes).is_empty());
}

#[test]
fn a_copy_that_is_ready_before_the_model_is_taken_when_the_model_is() {
    let mut session = session();
    assert!(session.on_copy(Weights::F16).is_empty());
    assert!(loads(&ready(&mut session, MAKING)));
}

#[test]
fn a_copy_of_another_model_is_nothing_to_this_one() {
    let mut session = session();
    ready(&mut session, WeightsInForce::default());
    assert!(session.on_copy(Weights::F16).is_empty());
    assert!(!loads(&session.execute(Command::Model(None)).unwrap()));
}

#[test]
fn a_template_that_is_read_too_late_brings_no_model_back() {
    let mut session = session();
    let Event::Ready(info) = Scripted::new([]).ready() else { panic!("it is ready") };
    let mut outcomes = session.on_event(Event::Ready(info));
    let Some(Outcome::Run(ticket, task)) = outcomes.pop() else { panic!("its template is not read") };
    session.on_event(Event::Lost(EngineError::Decode(1)));
    assert!(session.on_done(ticket.id, task.run()).is_empty());
    assert!(session.model().is_none());
}

#[test]
fn a_template_that_can_not_be_read_leaves_a_model_for_everything_but_a_chat() {
    let mut session = session();
    let Event::Ready(info) = Scripted::new([]).ready() else { panic!("it is ready") };
    let mut outcomes = session.on_event(Event::Ready(info));
    let Some(Outcome::Run(ticket, _)) = outcomes.pop() else { panic!("its template is not read") };
    let told = session.on_done(ticket.id, Err(SessionError::Died("a panic".to_string())));
    assert!(said(&told).starts_with("the model's chat template: this is a bug"), "{told:?}");
    assert!(session.model().is_some() && session.say("hi").is_err());
}
