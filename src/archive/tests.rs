use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::event::{MOST_PINS, ModelLine, Pin, VerdictScope};
use super::read::{Kind, Opened, parse};
use super::scribe::{Now, NowBranch, NowSaid, Scribe};
use super::*;
use crate::intervention::Intervention;
use crate::report::output::json_line;
use crate::sampling::Stage;
use crate::step::{Candidate, Figure, Prediction, SamplerOutcome, TokenStats};
use crate::token::{SpecialTokens, VocabEntry};

const VOCABULARY: u32 = 300;

/// A vocabulary with letters, single bytes and a token that ends a reply.
pub(super) fn vocab() -> Vocab {
    let entry = |id: u32| VocabEntry {
        bytes: match id {
            0 => b"<|end|>".to_vec(),
            id if id < 40 => vec![0xC0 + id as u8],
            id => format!(" {id}\u{9b}北").into_bytes(),
        },
        control: id == 0,
        ends_generation: id == 0,
        ..VocabEntry::default()
    };
    Vocab::new((0..VOCABULARY).map(entry), SpecialTokens::default())
}

/// A conversation that is written down while it goes on.
pub(super) struct Talk {
    pub tree: TokenTree,
    branches: Vec<SavedBranch>,
    current: usize,
    turns: Vec<SavedTurn>,
    model: ModelLine,
    under: Interventions,
    vocab: Vocab,
    scribe: Scribe,
    pins: Vec<Pin>,
    pinned: PinnedFigures,
    pub lines: Vec<u8>,
}

/// What can happen in it.
#[derive(Clone, Debug)]
enum Happening {
    Say(String, Vec<Step>),
    Reply(Vec<Step>, bool),
    Retry,
    GoTo(usize),
    Prune,
    Name(String),
    Off(bool),
    Pin(u32),
}

impl Talk {
    pub fn new() -> Talk {
        Talk {
            tree: TokenTree::default(),
            branches: Saved::default().branches,
            current: 0,
            turns: Vec::new(),
            model: ModelLine {
                model: "m".to_string(),
                vocabulary: Some(VOCABULARY as usize),
                ..ModelLine::default()
            },
            under: Interventions::default(),
            vocab: vocab(),
            scribe: Scribe::new(crate::distribution::Depth::Count(usize::MAX)),
            pins: Vec::new(),
            pinned: PinnedFigures::new(),
            lines: Vec::new(),
        }
    }

    pub fn say(&mut self, text: &str, steps: &[Step]) {
        self.said(Role::User, text);
        self.write(true);
        self.place(steps, NodeOrigin::Typed);
    }

    pub fn reply(&mut self, steps: &[Step], ends: bool) {
        self.said(Role::Assistant, "");
        self.place(steps, NodeOrigin::Sampled);
        if let Some(turn) = self.turns.last_mut().filter(|_| ends) {
            turn.finish = Some(FinishReason::Stop);
        }
        self.write(ends);
    }

    fn said(&mut self, role: Role, text: &str) {
        self.turns.push(SavedTurn { role: Some(role), text: text.to_string(), ..SavedTurn::default() });
        self.branches[self.current].turns.push(self.turns.len() as u32);
    }

    fn place(&mut self, steps: &[Step], origin: NodeOrigin) {
        for step in steps {
            let node = self.tree.append(Arc::new(step.clone()), origin, &self.under);
            // Only of tokens that are written, and of candidates nothing more is kept than they have.
            let others = |pin: &&Pin| {
                step.stats.as_ref().is_some_and(|stats| {
                    stats.prediction.top_logprobs.iter().all(|other| other.id != pin.first)
                })
            };
            for pin in self.pins.iter().filter(others) {
                let rank = Figure::Exact(pin.first.0 + 1);
                self.pinned.insert((node, pin.first), (-(pin.first.0 as f32), rank));
            }
            self.branches[self.current].tip = Some(node);
            let turn = self.turns.last_mut().unwrap();
            turn.tokens = Some([turn.tokens.map_or(node.0, |[first, _]| first), node.0]);
            self.write(false);
        }
    }

    fn happens(&mut self, what: &Happening) {
        match what {
            Happening::Say(text, steps) => self.say(text, steps),
            Happening::Reply(steps, ends) => self.reply(steps, *ends),
            Happening::Retry => {
                let left = self.branches[self.current].clone();
                let number = self.branches.len() as u32 + 1;
                let turns = left.turns[..left.turns.len() / 2].to_vec();
                let tip = turns
                    .last()
                    .and_then(|turn| self.turns[*turn as usize - 1].tokens)
                    .map(|[_, last]| NodeNumber(last));
                self.branches.push(SavedBranch { number, from: Some(left.number), turns, tip });
                self.current = self.branches.len() - 1;
                self.tree.go_to(tip);
            }
            Happening::GoTo(branch) => {
                self.current = branch % self.branches.len();
                self.tree.go_to(self.branches[self.current].tip);
            }
            Happening::Prune => {
                let last = NodeNumber(self.tree.len().saturating_sub(1) as u32);
                let is_a_tip = self
                    .branches
                    .iter()
                    .any(|branch| branch.tip.is_some_and(|tip| self.tree.common(tip, last) == Some(last)));
                if !is_a_tip {
                    self.tree.prune(last);
                }
            }
            Happening::Name(name) => {
                if let Some(head) = self.tree.head() {
                    self.tree.set_name(head, Some(name.clone()));
                }
            }
            Happening::Off(off) => {
                let part = "head 1:2".parse::<Intervention>().unwrap();
                self.under = off.then_some(part).into_iter().collect();
            }
            Happening::Pin(0) => (self.pins, self.pinned) = (Vec::new(), PinnedFigures::new()),
            Happening::Pin(_) if self.pins.len() == MOST_PINS => {}
            Happening::Pin(id) => {
                self.pins.push(Pin { text: format!("pin {id}"), first: TokenId(*id), tokens: 1 });
            }
        }
        self.write(true);
    }

    /// Has what is new written down.
    fn write(&mut self, whole: bool) {
        let mut order: Vec<usize> =
            (0..self.branches.len()).filter(|i| whole && *i != self.current).collect();
        order.push(self.current);
        let (all, said) = (&self.branches, &self.turns);
        let branches = order.into_iter().map(|i| {
            let SavedBranch { number, from, ref turns, tip } = all[i];
            let said = turns.iter().map(|number| {
                let turn = &said[*number as usize - 1];
                let is_reply = turn.role == Some(Role::Assistant);
                NowSaid {
                    key: u64::from(*number),
                    role: if is_reply { "assistant" } else { "user" },
                    text: (!is_reply).then_some(turn.text.as_str()),
                    tokens: turn.tokens,
                    seed: turn.seed,
                    finish: turn.finish,
                }
            });
            NowBranch { number, from, tip, said: said.collect() }
        });
        let now = Now {
            model: &self.model,
            vocab: &self.vocab,
            tree: &self.tree,
            branches: branches.collect(),
            side_by_side: false,
            settings: whole.then(|| BTreeMap::from([("temp".to_string(), self.turns.len().to_string())])),
            verdicts: &[],
            pins: &self.pins,
            pinned: &self.pinned,
            is_reading: false,
        };
        for event in self.scribe.events(&now, || "2026-11-27T13:00:00Z".to_string()) {
            json_line(&mut self.lines, &event).unwrap();
        }
    }

    /// What a reader must find.
    fn assert_is(&self, saved: &Saved) {
        assert_eq!(saved.tree.len(), self.tree.len());
        for i in 0..self.tree.len() as u32 {
            let (is, was) = (saved.tree.node(NodeNumber(i)).unwrap(), self.tree.node(NodeNumber(i)).unwrap());
            assert_eq!(
                (is.id, is.origin, is.parent(), is.is_pruned()),
                (was.id, was.origin, was.parent(), was.is_pruned())
            );
            assert_eq!((&is.step, is.under.names()), (&was.step, was.under.names()), "node {i}");
            assert_eq!(saved.vocab.bytes(is.id), self.vocab.bytes(is.id));
        }
        assert_eq!(saved.tree.head(), self.tree.head());
        assert_eq!(saved.branch(), &self.branches[self.current]);
        for branch in &self.branches {
            assert!(saved.branches.contains(branch), "{branch:?} of {:?}", saved.branches);
        }
        assert_eq!(saved.tree.names().collect::<Vec<_>>(), self.tree.names().collect::<Vec<_>>());
        for (is, was) in saved.turns.iter().zip(&self.turns) {
            assert_eq!((&is.role, &is.text, is.finish), (&was.role, &was.text, was.finish));
            assert_eq!(is.tokens, was.tokens);
        }
        assert_eq!(saved.turns.len(), self.turns.len());
        assert_eq!(saved.pins, self.pins);
        for (place, known) in &self.pinned {
            assert_eq!(saved.pinned.get(place), Some(known), "{place:?}");
        }
        for pin in &self.pins {
            assert_eq!(saved.vocab.bytes(pin.first), self.vocab.bytes(pin.first));
        }
    }
}

fn nats() -> impl Strategy<Value = f32> {
    prop_oneof![9 => -30f32..0.0, 1 => Just(f32::NEG_INFINITY)]
}

fn outcomes() -> impl Strategy<Value = Option<SamplerOutcome>> {
    prop_oneof![
        Just(None),
        (0f32..=1.0).prop_map(|prob| Some(SamplerOutcome { prob, dropped_by: None })),
        Just(Some(SamplerOutcome { prob: 0.0, dropped_by: Some(Stage::TopP) })),
        Just(Some(SamplerOutcome { prob: 0.25, dropped_by: Some(Stage::Xtc) })),
    ]
}

fn figures<T: Copy + std::fmt::Debug + 'static>(
    values: impl Strategy<Value = T> + Clone + 'static,
) -> BoxedStrategy<Figure<T>> {
    let bounds = (values.clone(), values.clone()).prop_map(|(a, b)| Figure::Bounded([a, b]));
    prop_oneof![6 => values.prop_map(Figure::Exact), 1 => bounds, 1 => Just(Figure::NotGiven)].boxed()
}

fn steps() -> impl Strategy<Value = Step> {
    let candidate = (0..VOCABULARY, nats(), 1u32..9, outcomes());
    let top = prop::collection::vec(candidate, 0..6).prop_map(|all| {
        let of = |(id, logprob, rank, outcome)| Candidate { id: TokenId(id), logprob, rank, outcome };
        let mut top: Vec<Candidate> = all.into_iter().map(of).collect();
        top.sort_by_key(|candidate| candidate.id);
        top.dedup_by_key(|candidate| candidate.id);
        top
    });
    let sums = (figures(0f32..12.0), figures(0f32..90.0), figures(0f64..1.0));
    let own = (nats(), figures(1u32..300), outcomes());
    let stats = (top, sums, own).prop_map(
        |(top_logprobs, (entropy, varentropy, residual), (logprob, rank, outcome))| {
            let prediction = Prediction {
                top_logprobs,
                entropy,
                varentropy,
                residual,
                n_vocab: VOCABULARY,
                boundary: None,
            };
            TokenStats { logprob, rank, outcome, prediction }
        },
    );
    (0..VOCABULARY, prop::option::weighted(0.9, stats), any::<bool>()).prop_map(|(id, stats, takes)| {
        // Often the token is the first candidate, with its figures.
        let first =
            stats.as_ref().and_then(|stats| stats.prediction.top_logprobs.first().copied()).filter(|_| takes);
        let stats = match (stats, first) {
            (Some(stats), Some(first)) => Some(TokenStats {
                logprob: first.logprob,
                rank: first.rank.into(),
                outcome: first.outcome,
                ..stats
            }),
            (stats, _) => stats,
        };
        Step { id: first.map_or(TokenId(id), |first| first.id), stats }
    })
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let some = || prop::collection::vec(steps(), 0..5);
    let one = prop_oneof![
        3 => (".{0,12}", some()).prop_map(|(text, steps)| Happening::Say(text, steps)),
        4 => (some(), prop::bool::weighted(0.9)).prop_map(|(steps, ends)| Happening::Reply(steps, ends)),
        1 => Just(Happening::Retry),
        1 => (0usize..9).prop_map(Happening::GoTo),
        1 => Just(Happening::Prune),
        1 => "[a-z]{1,5}".prop_map(Happening::Name),
        1 => any::<bool>().prop_map(Happening::Off),
        1 => (0u32..4).prop_map(Happening::Pin),
    ];
    prop::collection::vec(one, 1..14)
}

fn talk(happenings: &[Happening]) -> Talk {
    let mut talk = Talk::new();
    talk.say("a beginning", &[]);
    happenings.iter().for_each(|what| talk.happens(what));
    talk
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_comes_back(happenings in happenings()) {
        let talk = talk(&happenings);
        let opened = parse(&talk.lines).unwrap();
        prop_assert_eq!((opened.kind, &opened.note), (Kind::Session, &None));
        prop_assert_eq!(opened.whole, talk.lines.len() as u64);
        talk.assert_is(&opened.saved);
    }

    #[test]
    fn what_is_told_after_a_file_was_read_follows_it(happenings in happenings(), more in happenings()) {
        let mut talk = talk(&happenings);
        let opened = parse(&talk.lines).unwrap();
        let mut scribe = Scribe::of(&opened.saved, crate::distribution::Depth::Count(usize::MAX));
        for (i, turn) in opened.saved.turns.iter().enumerate() {
            scribe.call(i as u64 + 1, i as u32 + 1, turn);
        }
        talk.scribe = scribe;
        let before = talk.lines.len();
        talk.write(true);
        prop_assert_eq!(String::from_utf8_lossy(&talk.lines[before..]), "");
        more.iter().for_each(|what| talk.happens(what));
        talk.assert_is(&parse(&talk.lines).unwrap().saved);
    }

    #[test]
    fn a_cut_file_keeps_what_stands_before_the_cut(happenings in happenings(), at in 0.0..1.0) {
        let talk = talk(&happenings);
        let cut = (talk.lines.len() as f64 * at) as usize;
        let whole = talk.lines[..cut].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        match parse(&talk.lines[..cut]) {
            Ok(opened) => {
                prop_assert_eq!(opened.whole, whole as u64);
                // Cut in its first line it holds nothing, and says that this line is missing.
                let kind = if whole == 0 { Kind::Other } else { Kind::Session };
                prop_assert_eq!((opened.kind, opened.note.is_some()), (kind, whole == 0));
                prop_assert!(opened.saved.tree.len() <= talk.tree.len());
                for i in 0..opened.saved.tree.len() as u32 {
                    prop_assert_eq!(opened.saved.tree.node(NodeNumber(i)).unwrap().id, talk.tree.node(NodeNumber(i)).unwrap().id);
                }
            }
            Err(_) => prop_assert_eq!(whole, 0),
        }
    }

    #[test]
    fn no_damage_is_a_panic_and_what_stands_before_it_is_kept(
        happenings in happenings(),
        wounds in prop::collection::vec((0.0..1.0, any::<u8>()), 1..5),
    ) {
        let talk = talk(&happenings);
        let mut lines = talk.lines.clone();
        let mut first = lines.len();
        for (at, byte) in wounds {
            let at = (lines.len() as f64 * at) as usize;
            first = first.min(at);
            lines[at] = byte;
        }
        let Ok(opened) = parse(&lines) else { return Ok(()) };
        let whole = talk.lines[..first].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let before = parse(&talk.lines[..whole]).map_or(0, |opened| opened.saved.tree.len());
        for i in 0..before as u32 {
            prop_assert_eq!(opened.saved.tree.node(NodeNumber(i)).unwrap().id, talk.tree.node(NodeNumber(i)).unwrap().id);
        }
    }

    #[test]
    fn no_bytes_are_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), text in "[\\[\\]{}\":,a-z0-9\n]{0,200}") {
        let _ = parse(&bytes);
        let _ = parse(text.as_bytes());
        let _ = parse(format!("{{\"type\":\"session\",\"version\":2,\"model\":\"m\"}}\n{text}").as_bytes());
    }
}

/// What is said in a file, and the ln p of each of its last reply's tokens.
fn told(bytes: &[u8]) -> (Vec<String>, Vec<f32>) {
    let opened = parse(bytes).unwrap();
    assert_eq!(opened.note, None);
    let saved = &opened.saved;
    let texts = saved.said().map(|turn| {
        let bytes =
            saved.vocab.concat(saved.tokens(turn).iter().map(|node| saved.tree.node(*node).unwrap().id));
        if turn.role == Some(Role::User) { turn.text.clone() } else { String::from_utf8(bytes).unwrap() }
    });
    let last = saved.said().last().unwrap();
    let logprobs = saved
        .tokens(last)
        .into_iter()
        .map(|node| saved.tree.node(node).unwrap().step.as_ref().unwrap().logprob());
    (texts.collect(), logprobs.map(Option::unwrap).collect())
}

#[test]
fn every_version_is_read() {
    let said = ["Hi 北!", "Hello! I'm", "And?", "I'm glad to"].map(str::to_string);
    let (texts, logprobs) = told(include_bytes!("fixtures/version-1.json"));
    assert_eq!(texts, said);
    assert_eq!(logprobs[..2], [-1.5354916, -0.22732012]);
    let old = parse(include_bytes!("fixtures/version-1.json")).unwrap();
    assert_eq!((old.kind, old.saved.settings["system"].as_str()), (Kind::Other, "be brief"));
    let (texts, again) = told(include_bytes!("fixtures/version-2.jsonl"));
    assert_eq!((texts, again), (said.to_vec(), logprobs));
    every_event(include_bytes!("fixtures/version-2-every-event.jsonl"));
    // The very first had no tokens but those of replies.
    let first =
        br#"{"format":"tokenscope-conversation","version":1,"model":"m","n_vocab":9,"system":null,"turns":[
        {"role":"user","content":"hi"},
        {"role":"assistant","content":"ab","ids":[1,2],"seed":3,"logprobs":[-0.5,-0.25,-1.0]}]}"#;
    let (_, logprobs) = told(first);
    assert_eq!(logprobs, [-0.5, -0.25, -1.0]);
    // And its last named interventions.
    let third =
        br#"{"format":"tokenscope-conversation","version":3,"model":"m","n_vocab":9,"system":null,"turns":[
        {"role":"user","content":"hi"}],"sequence":[{"id":1,"typed":true},{"id":2,"typed":true}],
        "interventions":[{"from":0,"interventions":["head 1:2"]}]}"#;
    let saved = parse(third).unwrap().saved;
    let under = |node: u32| saved.tree.node(NodeNumber(node)).unwrap().under.names();
    assert_eq!((under(0), under(1)), (vec![], vec!["head 1:2".to_string()]));
}

/// A file that has a line of every type.
fn every_event(bytes: &[u8]) {
    let types: BTreeSet<String> = std::str::from_utf8(bytes)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["type"].as_str().unwrap().into())
        .collect();
    let all = event::schema()["oneOf"].as_array().unwrap().len();
    assert_eq!(types.len(), all, "{types:?}");
    let Opened { saved, kind, note, .. } = parse(bytes).unwrap();
    assert_eq!((kind, note), (Kind::Session, None));
    assert_eq!(saved.settings, BTreeMap::from([("system", "be brief"), ("temp", "0")].map(owned)));
    let of = |branch: &SavedBranch| (branch.number, branch.from, branch.turns.clone(), branch.tip);
    let node = |n: u32| saved.tree.node(NodeNumber(n)).unwrap();
    assert_eq!(
        saved.branches.iter().map(of).collect::<Vec<_>>(),
        [
            (1, None, vec![1, 2], Some(NodeNumber(4))),
            (2, Some(1), vec![1, 3], Some(NodeNumber(6))),
            (3, Some(2), vec![1, 4], Some(NodeNumber(7))),
        ]
    );
    assert_eq!((saved.branch().number, saved.tree.head()), (2, Some(NodeNumber(6))));
    let said: Vec<String> = saved.turns.iter().map(|turn| spelled(&saved, turn)).collect();
    assert_eq!(said, ["Hi", "Hello!<|im_end|>", "Good day", "Good night"]);
    let ended: Vec<_> =
        saved.turns.iter().map(|turn| turn.finish.map(|finish| format!("{finish:?}"))).collect();
    assert_eq!(
        ended,
        [None, Some("Stop"), Some("Length"), Some("Cancelled")].map(|end| end.map(String::from))
    );
    let names: Vec<_> = saved.tree.names().map(|(node, name)| (node.0, name.to_string())).collect();
    assert_eq!(names, [(0, "main".to_string()), (5, "good".to_string())]);
    assert!(node(7).is_pruned() && !node(6).is_pruned());
    assert_eq!((node(5).origin, node(6).origin), (NodeOrigin::Swapped, NodeOrigin::Sampled));
    assert_eq!((node(6).under.names(), node(5).under.names()), (vec!["head 1:2".to_string()], vec![]));
    let verdict = |scope, tokens, right, note: Option<&str>| event::Judged {
        scope,
        tokens,
        right,
        note: note.map(String::from),
    };
    assert_eq!(
        saved.verdicts,
        [
            verdict(VerdictScope::Token, [5, 5], Some(true), Some("a greeting")),
            verdict(VerdictScope::Reply, [2, 4], Some(true), None),
            verdict(VerdictScope::Span, [2, 3], None, None),
        ]
    );
    let paris = TokenId(7042);
    assert_eq!(saved.pins, [Pin { text: "Paris is".to_string(), first: paris, tokens: 2 }]);
    assert_eq!(saved.pinned[&(NodeNumber(2), paris)], (-9.25, Figure::Exact(812)));
    let never = saved.pinned[&(NodeNumber(3), paris)];
    assert_eq!(never, (f32::NEG_INFINITY, Figure::Bounded([3, 49152])));
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_string(), value.to_string())
}

fn spelled(saved: &Saved, turn: &SavedTurn) -> String {
    let ids = saved.tokens(turn).into_iter().map(|node| saved.tree.node(node).unwrap().id);
    String::from_utf8(saved.vocab.concat(ids)).unwrap()
}

#[test]
fn other_files_and_newer_versions_are_named() {
    for text in ["", "{", "[1]", "{\"format\":\"x\"}", "hello\nworld"] {
        assert!(parse(text.as_bytes()).is_err(), "{text}");
    }
    let newer = "{\"type\":\"session\",\"version\":9,\"model\":\"m\"}\n{\"type\":\"smell\"}\n{\"type\":\"turn\",\"turn\":1,\"role\":\"user\",\"text\":\"hi\"}\n";
    let opened = parse(newer.as_bytes()).unwrap();
    assert_eq!((opened.kind, opened.saved.title().as_str()), (Kind::Other, "hi"));
    assert!(opened.note.unwrap().contains("version 9 of a newer tokenscope"));
}

#[test]
fn a_damaged_line_in_the_middle_keeps_its_place_and_is_named() {
    let mut talk = Talk::new();
    let step = |id| Step { id: TokenId(id), stats: None };
    talk.say("hi", &[step(41), step(42), step(43)]);
    let text = String::from_utf8(talk.lines).unwrap();
    let damaged = text.replace("\"id\":42", "\"id\":4x2");
    assert_ne!(text, damaged);
    let opened = parse(damaged.as_bytes()).unwrap();
    assert_eq!(opened.kind, Kind::Other);
    assert!(opened.note.as_ref().unwrap().starts_with("line "), "{:?}", opened.note);
    let ids: Vec<u32> = (0..3).map(|i| opened.saved.tree.node(NodeNumber(i)).unwrap().id.0).collect();
    assert_eq!(ids, [41, DAMAGED.0, 43]);
}

#[test]
fn more_pins_than_there_can_be_are_a_damaged_line() {
    let text = include_str!("fixtures/version-2-every-event.jsonl");
    let line = text.lines().find(|line| line.contains(r#""type":"pin""#)).unwrap();
    let mut pins: serde_json::Value = serde_json::from_str(line).unwrap();
    let one = pins["texts"][0].clone();
    pins["texts"] = vec![one; MOST_PINS + 1].into();
    let opened = parse(text.replace(line, &pins.to_string()).as_bytes()).unwrap();
    assert!(format!("{opened:?}").contains("5 texts are pinned, where 4 can be"), "{opened:?}");
    assert!(opened.saved.pins.len() <= MOST_PINS);
}

#[test]
fn the_schema_in_the_repository_is_the_one_the_program_prints() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts/sessions/schema.json");
    let (written, now) = (std::fs::read_to_string(file).unwrap(), format!("{:#}\n", event::schema()));
    assert_eq!(written, now, "tokenscope sessions schema > prompts/sessions/schema.json");
}
