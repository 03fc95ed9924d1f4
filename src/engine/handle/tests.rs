use super::*;
use crate::engine::client::Client;
use crate::engine::protocol::{CancelFlag, FinishReason, Generate, ModelInfo, Timing};
use crate::engine::testing::Scripted;
use std::sync::mpsc::channel;

/// Says as many tokens as are asked for, unless it is stopped; a prompt of token 13 is its death.
struct Counting {
    info: Arc<ModelInfo>,
    /// Is told how many tokens each request had when it ended.
    ended: SyncSender<usize>,
}

impl Backend for Counting {
    fn info(&self) -> &Arc<ModelInfo> {
        &self.info
    }

    fn run(&mut self, command: &Command, sink: Sink) -> Result<(FinishReason, Timing), EngineError> {
        let Command::Generate(request) = command else { return Err(EngineError::Empty) };
        assert!(request.prompt[0].0 != 13, "thirteen");
        let mut said = 0;
        while request.max_tokens.is_none_or(|most| said < most) && !request.cancel.is_cancelled() {
            let step = Arc::new(crate::step::Step { id: request.prompt[0], stats: None });
            sink(Event::Step { step, elapsed: Duration::ZERO, named: Vec::new() });
            said += 1;
        }
        let _ = self.ended.send(said);
        Ok((FinishReason::Length, Timing::default()))
    }
}

/// The engine, what it says of itself, and how long its requests were.
fn counting() -> (Engine, Receiver<Event>, Receiver<usize>) {
    let (ended, lengths) = sync_channel(100);
    let (say, says) = channel();
    let Event::Ready(info) = Scripted::new([]).ready() else { panic!("it is ready") };
    let open = move |_: Sink<'_>| Ok(Box::new(Counting { info, ended }) as Box<dyn Backend>);
    let engine = Engine::start(Box::new(open), move |event| {
        let _ = say.send(event);
    });
    (engine, says, lengths)
}

fn ask(first: u32, max_tokens: Option<usize>) -> Command {
    Command::Generate(Generate {
        begun: Vec::new(),
        known: 0,
        prompt: vec![crate::token::TokenId(first)],
        max_tokens,
        ..Generate::default()
    })
}

#[test]
fn several_fronts_ask_one_engine_and_each_hears_its_own_answer() {
    let (engine, _says, _) = counting();
    let fronts: Vec<_> = (0..4)
        .map(|front| {
            let engine = engine.clone();
            std::thread::spawn(move || {
                for _ in 0..3 {
                    let events: Vec<Event> = engine.request(ask(front, Some(20))).iter().collect();
                    let (last, steps) = events.split_last().unwrap();
                    assert!(matches!(last, Event::Finished { reason: FinishReason::Length, .. }));
                    assert_eq!(steps.len(), 20);
                    let own = |event: &Event| matches!(event, Event::Step { step, .. } if step.id.0 == front);
                    assert!(steps.iter().all(own));
                }
            })
        })
        .collect();
    fronts.into_iter().for_each(|front| front.join().unwrap());
}

#[test]
fn a_request_that_nobody_hears_any_more_is_stopped_and_no_other() {
    let (engine, _says, lengths) = counting();
    let flag = CancelFlag::default();
    let mut endless = ask(1, None);
    *endless.cancel() = flag.clone();
    let events = engine.request(endless);
    events.recv().unwrap();
    drop(events);
    assert!(lengths.recv_timeout(Duration::from_secs(20)).unwrap() > 0);
    assert!(!flag.is_cancelled(), "the flag is its owner's");
    assert_eq!(engine.request(ask(1, Some(2))).iter().count(), 3);
}

#[test]
fn a_flag_that_is_raised_stops_a_request_through_the_handle() {
    let (engine, _says, lengths) = counting();
    let flag = CancelFlag::default();
    let mut endless = ask(1, None);
    *endless.cancel() = flag.clone();
    let events = engine.request(endless);
    flag.cancel();
    events.iter().for_each(drop);
    assert!(lengths.recv().is_ok());
}

#[test]
fn a_panic_is_an_error_of_its_request_and_the_engines_last_word() {
    let (engine, says, _) = counting();
    assert!(matches!(says.recv(), Ok(Event::Ready(_))));
    let failed = engine.request(ask(13, Some(1))).iter().last();
    assert!(matches!(&failed, Some(Event::Failed(EngineError::Died(why))) if why.contains("thirteen")));
    assert!(matches!(says.recv(), Ok(Event::Lost(EngineError::Died(_)))));
    // Whoever asks later is told, at once or by a channel that ends.
    assert!(!matches!(engine.request(ask(1, Some(1))).iter().next(), Some(Event::Step { .. })));
    let died = Client::from(engine).run(ask(1, Some(1)), |_| {});
    assert!(matches!(died, Err(EngineError::Died(_))));
}

#[test]
fn a_backend_that_panics_while_it_is_opened_is_an_error() {
    let (say, says) = channel();
    let open = |_: Sink<'_>| panic!("no luck");
    let _engine = Engine::start(Box::new(open), move |event| {
        let _ = say.send(event);
    });
    assert!(matches!(says.recv(), Ok(Event::Lost(EngineError::Died(why))) if why == "no luck"));
}

#[test]
fn more_requests_than_may_wait_are_refused_and_not_waited_for() {
    let (engine, _says, _) = counting();
    // It has left the queue when it says something.
    let running = engine.request(ask(1, None));
    assert!(matches!(running.recv(), Ok(Event::Step { .. })));
    let _waiting: Vec<_> = (0..QUEUE).map(|_| engine.request(ask(1, None))).collect();
    let refused = engine.request(ask(1, None));
    assert!(matches!(refused.recv(), Ok(Event::Failed(EngineError::Died(why))) if why.contains("busy")));
}

#[test]
fn an_engine_ends_though_others_hold_it() {
    let (engine, _says, _) = counting();
    let other = engine.clone();
    assert_eq!(engine.request(ask(1, Some(2))).iter().count(), 3);
    assert!(engine.shut_down(Duration::from_secs(20)));
    let refused = other.request(ask(1, Some(2))).iter().last();
    assert!(matches!(refused, Some(Event::Failed(EngineError::Died(_)))));
}

#[test]
fn what_an_engine_can_not_give_is_refused_before_it_is_asked() {
    let (engine, says, ended) = counting();
    let Ok(Event::Ready(info)) = says.recv() else { panic!("it is ready") };
    assert!(info.gives.scores && !info.gives.comparison);
    let reference = crate::engine::LoadOptions {
        path: "other.gguf".into(),
        name: "other".to_string(),
        context: None,
        threads: Default::default(),
        exact: false,
        about: Arc::default(),
        server: None,
        rpc: Vec::new(),
        patience: Default::default(),
        cancel: CancelFlag::default(),
    };
    let (sequences, cancel) = (Vec::new(), CancelFlag::default());
    let compare = crate::engine::CrossEntropy { reference, sequences, divergence: false, cancel };
    let error = Client::from(engine).run(Command::CrossEntropy(compare), |_| {}).unwrap_err();
    assert_eq!(error.to_string(), "this engine can't compare itself with another model");
    assert!(ended.try_recv().is_err());
}
