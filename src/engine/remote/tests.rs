use std::cell::RefCell;
use std::time::Duration;

use super::testing::{Played, Player};
use super::*;
use crate::engine::protocol::CancelFlag;
use crate::engine::testing::Scripted;
use crate::intervention::Intervention;
use crate::sampling::Sampling;
use crate::token::TokenId;

/// Scores nothing and writes the same token again and again; the first texts take the longest.
struct Slow {
    written: usize,
}

impl Dialect for Slow {
    fn at_once(&self) -> dialect::AtOnce {
        dialect::AtOnce { sequences: 2, requests: 3 }
    }

    fn gives_prompts(&self) -> bool {
        false
    }

    fn score(&self, call: WireCall, asked: ScoreWish) -> Result<Vec<Scores>, Trouble> {
        let first = asked.sequences[0].tokens[0].0;
        std::thread::sleep(Duration::from_millis(u64::from(40u32.saturating_sub(10 * first))));
        match first {
            6 => Err(Trouble::wrong("enough")),
            _ if call.is_cancelled() => Err(Trouble::Cancelled),
            _ => Ok(asked.sequences.iter().map(|_| Scores { steps: Vec::new(), after: None }).collect()),
        }
    }

    fn write(
        &self,
        _: WireCall,
        _: WriteWish,
        each: &mut dyn FnMut(Step) -> Result<(), Trouble>,
    ) -> Result<FinishReason, Trouble> {
        (0..self.written).try_for_each(|_| each(Step { id: TokenId(65), stats: None }))?;
        Ok(FinishReason::Length)
    }
}

fn remote(written: usize) -> Remote {
    let Event::Ready(info) = Scripted::new([]).ready() else { panic!("a script is ready") };
    let mut info = ModelInfo::clone(&info);
    info.gives.layers = false;
    let player = Player::new(|_| Played::Silence);
    Remote { info: Arc::new(info), wire: Arc::new(player.wire(None)), dialect: Box::new(Slow { written }) }
}

fn run(remote: &mut Remote, command: Command) -> (Vec<Event>, RequestOutcome) {
    let events = RefCell::new(Vec::new());
    let end = remote.run(&command, &|event| events.borrow_mut().push(event));
    (events.into_inner(), end)
}

fn batch(firsts: std::ops::Range<u32>) -> Command {
    let sequence = |first| Sequence { tokens: vec![TokenId(first), TokenId(0)], from: 0 };
    Command::Score(ScoreBatch { sequences: firsts.map(sequence).collect(), ..ScoreBatch::default() })
}

#[test]
fn texts_are_asked_side_by_side_and_answered_in_order_and_the_first_trouble_ends_all() {
    let (events, end) = run(&mut remote(0), batch(0..6));
    let order = |events: &[Event]| {
        let index = |event: &Event| if let Event::Scored { index, .. } = event { Some(*index) } else { None };
        events.iter().filter_map(index).collect::<Vec<_>>()
    };
    assert_eq!(order(&events), [0, 1, 2, 3, 4, 5]);
    assert_eq!(end.unwrap().0, FinishReason::Stop);
    let (events, end) = run(&mut remote(0), batch(4..30));
    assert!(order(&events).len() <= 2, "{events:?}");
    assert!(matches!(end, Err(EngineError::Server(line)) if line.ends_with(": enough")));
    let cancelled = CancelFlag::default();
    cancelled.cancel();
    let mut command = batch(0..2);
    *command.cancel() = cancelled;
    assert_eq!(run(&mut remote(0), command).1.unwrap().0, FinishReason::Cancelled);
}

#[test]
fn a_reply_has_no_more_tokens_than_were_asked_for_and_no_figures_of_a_prompt_that_costs_too_much() {
    let asked = |most| {
        Command::Generate(Generate {
            prompt: vec![TokenId(72), TokenId(105)],
            max_tokens: Some(most),
            ..Generate::default()
        })
    };
    let (events, end) = run(&mut remote(3), asked(3));
    let Event::Prefill { steps, .. } = &events[0] else { panic!("{events:?}") };
    assert_eq!(steps.iter().map(|step| step.stats.is_some()).collect::<Vec<_>>(), [false, false]);
    assert_eq!((events.len(), end.unwrap().0), (4, FinishReason::Length));
    let (_, end) = run(&mut remote(4), asked(3));
    assert!(
        matches!(end, Err(EngineError::Server(line)) if line.contains("more tokens than were asked for"))
    );
    assert!(matches!(run(&mut remote(1), Command::Generate(Generate::default())).1, Err(EngineError::Empty)));
}

#[test]
fn what_needs_the_inside_of_a_model_is_refused() {
    let off = Intervention::Off("head 1:1".parse().unwrap());
    let sample = Sample {
        prompt: vec![TokenId(72)],
        samplings: vec![Sampling::default()],
        interventions: [off].into_iter().collect(),
        ..Sample::default()
    };
    let (_, end) = run(&mut remote(1), Command::Sample(sample));
    assert!(matches!(end, Err(EngineError::Intervention(line)) if line.contains("behind a server")));
}

#[test]
fn parts_hold_no_more_texts_and_candidates_than_one_answer_may() {
    let sequence = |length: usize| Sequence { tokens: vec![TokenId(0); length], from: 0 };
    let all = [sequence(10), sequence(10), sequence(10), sequence(MOST_CANDIDATES), sequence(1)];
    let lengths: Vec<usize> = parts(&all, 2, 4).iter().map(|part| part.len()).collect();
    assert_eq!(lengths, [2, 1, 1, 1]);
}
