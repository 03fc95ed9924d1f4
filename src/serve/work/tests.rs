use std::sync::{Arc, Mutex};

use super::super::metrics::Metrics;
use super::*;
use crate::distribution::Depth;
use crate::engine::testing::{Scripted, ScriptedLine};
use crate::engine::{
    Backend, CancelFlag, Command, Engine, Event, GivesWay, Layout, ModelInfo, RequestOutcome, Sink,
};
use crate::intervention::Interventions;
use crate::sampling::Sampling;
use crate::token::TokenId;

struct Bench {
    work: WorkQueue,
    metrics: Arc<Metrics>,
    stop: CancelFlag,
    model: Arc<ModelInfo>,
    asked: Arc<Mutex<Vec<AskedScoring>>>,
}

/// Notes how scorings are asked for.
struct Noting {
    scripted: Scripted,
    asked: Arc<Mutex<Vec<AskedScoring>>>,
}

/// The longest of a batch's sequences, how they are laid out and whom they let through.
type AskedScoring = (usize, Layout, GivesWay);

impl Backend for Noting {
    fn info(&self) -> &Arc<ModelInfo> {
        self.scripted.info()
    }

    fn run(&mut self, command: &Command, sink: Sink) -> RequestOutcome {
        if let Command::Score(batch) = command {
            let longest = batch.sequences.iter().map(|sequence| sequence.tokens.len()).max().unwrap_or(0);
            self.asked.lock().unwrap().push((longest, batch.layout, batch.gives_way));
        }
        self.scripted.run(command, sink)
    }
}

fn bench(parallel: usize, replies: Vec<Vec<ScriptedLine>>) -> Bench {
    let scripted = Scripted::new(replies);
    let Event::Ready(model) = scripted.ready() else { unreachable!() };
    let asked: Arc<Mutex<Vec<AskedScoring>>> = Arc::default();
    let noting = Noting { scripted, asked: Arc::clone(&asked) };
    let (metrics, stop) = (Arc::new(Metrics::new()), CancelFlag::default());
    let shared = SharedEngine {
        engine: Engine::start(Box::new(move |_| Ok(Box::new(noting) as Box<dyn Backend>)), |_| {}),
        parallel,
        interventions: Interventions::default(),
        stop: stop.clone(),
        metrics: Arc::clone(&metrics),
    };
    let work = WorkQueue::start(shared).unwrap();
    Bench { work, metrics, stop, model, asked }
}

impl Bench {
    fn ids(&self, text: &str) -> Vec<TokenId> {
        self.model.tokenizer.tokenize(text.as_bytes(), false)
    }

    fn scoring(&self, texts: &[&str], k: usize) -> ToScore {
        let sequence = |text: &&str| Sequence { tokens: self.ids(text), from: 0 };
        ToScore { sequences: texts.iter().map(sequence).collect(), depth: Depth::Count(k), after: true }
    }

    fn writing(&self, max_tokens: usize) -> ReplyToWrite {
        ReplyToWrite {
            prompt: self.ids("The"),
            sampling: Sampling::default(),
            max_tokens,
            depth: Depth::Count(1),
            named: Vec::new(),
        }
    }
}

fn text(mut events: ReplyEvents, model: &ModelInfo) -> String {
    let mut ids = Vec::new();
    while let Some(event) = events.blocking_recv() {
        if let ReplyEvent::Step(step, _) = event {
            ids.push(step.id);
        }
    }
    String::from_utf8(model.vocab.concat(ids)).unwrap()
}

#[test]
fn everyone_gets_their_own_scores_whoever_waits_beside_them() {
    let bench = bench(2, Vec::new());
    let texts = [vec!["The capital is Paris", "The"], vec!["The capital"; 40], vec![" London is"]];
    let waiting: Vec<_> = texts.iter().map(|texts| bench.work.score(bench.scoring(texts, 2))).collect();
    for (texts, mut events) in texts.iter().zip(waiting) {
        let mut seen = vec![false; texts.len()];
        for _ in texts {
            let scored = events.blocking_recv().unwrap().unwrap();
            assert_eq!(scored.steps.len(), bench.ids(texts[scored.index]).len());
            assert!(scored.after.is_some() && !std::mem::replace(&mut seen[scored.index], true));
        }
        assert!(events.blocking_recv().is_none());
    }
}

#[test]
fn more_replies_than_places_are_all_written_and_one_that_nobody_reads_leaves_its_place() {
    let reply = |word: &'static str| vec![(word, 0.5), (word, 0.5), ("<|im_end|>", 0.9)];
    let bench = bench(2, vec![reply("a"), reply("b"), reply("c"), reply("d")]);
    let waiting: Vec<_> = (0..4).map(|_| bench.work.write(bench.writing(8))).collect();
    let mut texts: Vec<String> = waiting.into_iter().map(|events| text(events, &bench.model)).collect();
    texts.sort();
    assert_eq!(texts, ["aa<|im_end|>", "bb<|im_end|>", "cc<|im_end|>", "dd<|im_end|>"]);

    let endless = || vec![("x", 0.5); 1_000_000];
    let busy = self::bench(1, vec![endless(), reply("e")]);
    let mut gone = busy.work.write(busy.writing(usize::MAX));
    assert!(matches!(gone.blocking_recv(), Some(ReplyEvent::Step(..))));
    let next = busy.work.write(busy.writing(8));
    // A scoring comes between the rounds of an endless reply.
    assert!(busy.work.score(busy.scoring(&["The"], 1)).blocking_recv().unwrap().is_ok());
    drop(gone);
    assert_eq!(text(next, &busy.model), "ee<|im_end|>");
    assert!(busy.metrics.text().contains("tokenscope_scored_sequences_total 1"), "{}", busy.metrics.text());
}

#[test]
fn the_end_of_the_server_ends_what_waits() {
    let bench = bench(1, vec![vec![("x", 0.5); 1_000_000]]);
    let mut running = bench.work.write(bench.writing(usize::MAX));
    let mut waiting = bench.work.write(bench.writing(1));
    assert!(matches!(running.blocking_recv(), Some(ReplyEvent::Step(..))));
    bench.stop.cancel();
    while running.blocking_recv().is_some() {}
    assert!(waiting.blocking_recv().is_none());
    assert!(bench.work.score(bench.scoring(&["The"], 1)).blocking_recv().is_none());
}

#[test]
fn what_cannot_be_scored_is_told_to_everyone_it_concerns() {
    let bench = bench(1, Vec::new());
    let long = "a".repeat(600);
    let mut events = bench.work.score(bench.scoring(&[&long, "The"], 1));
    let told: Vec<_> = std::iter::from_fn(|| events.blocking_recv()).collect();
    assert!(told.iter().any(|told| matches!(told, Err(EngineError::TooLong { .. }))), "{told:?}");
    assert!(bench.work.score(bench.scoring(&["The"], 1)).blocking_recv().unwrap().is_ok());
}

#[test]
fn long_texts_and_long_lists_let_short_ones_through_and_length_alone_decides_how_a_text_is_laid_out() {
    let bench = bench(1, Vec::new());
    let (short, long) = ("a".repeat(100), "b".repeat(600));
    let few = vec![short.as_str(); 3];
    let many = vec![short.as_str(); 40];
    let mixed = vec![short.as_str(), long.as_str()];
    for (texts, expected) in [
        (few, vec![(100, Layout::Together, GivesWay::ToReplies)]),
        (many, vec![(100, Layout::Together, GivesWay::ToAll)]),
        (mixed, vec![(100, Layout::Together, GivesWay::ToReplies), (600, Layout::Long, GivesWay::ToAll)]),
    ] {
        let mut events = bench.work.score(bench.scoring(&texts, 1));
        for _ in &texts {
            // The script has no room for the long one, which is nothing to those that wait.
            assert!(events.blocking_recv().is_some());
        }
        let mut asked = std::mem::take(&mut *bench.asked.lock().unwrap());
        asked.sort_by_key(|(longest, ..)| *longest);
        asked.dedup();
        assert_eq!(asked, expected);
    }
}
