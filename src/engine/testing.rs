//! An engine that follows a script: for tests of the interface, which need to know what comes.
//!
//! Tokens are single bytes, two specials and a few whole words. A reply's figures are made up but
//! consistent: a step's candidates sum to one with the residual. What is scored comes from one small model
//! of pairs of words, so that its figures are those of a distribution.

mod small_model;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::backend::{Backend, Sink};
use super::client::Client;
use super::gives::Gives;
use super::handle::Engine;
use super::protocol::{
    Command, EngineError, Event, FinishReason, Generate, ModelInfo, Sample, Siblings, Timing, Tokenize,
};
use super::replies::{ReplyEvent, ReplyId, Round};
use crate::step::{AnyToken, Candidate, Prediction, SamplerOutcome, Step, TokenStats};
use crate::token::{SpecialTokens, TokenId, Vocab, VocabEntry};

use small_model::{HEADS, LAYERS};

const WORDS: [&str; 8] = [" Paris", " the", " London", "The", " capital", " is", "\n", "北"];
const START: u32 = 256;
const END: u32 = 257;
const FIRST_WORD: u32 = 258;
const WIDTH: usize = 4;

/// ChatML, as many models have it.
const TEMPLATE: &str = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

/// A token of a scripted reply and its raw probability.
pub type ScriptedLine = (&'static str, f32);

/// A reply that is written beside others, and what is still to come of it.
type ReplyToCome = (ReplyId, VecDeque<ScriptedLine>);

/// Answers each request for text with the next reply of its script. Clones follow the same one.
#[derive(Clone)]
pub struct Scripted {
    replies: Arc<Mutex<VecDeque<Vec<ScriptedLine>>>>,
    /// Those that are written side by side, as far as they are still to come.
    beside: Arc<Mutex<Vec<ReplyToCome>>>,
    /// Whether it goes on by chance where the script ends.
    endless: bool,
    /// Every request for a reply.
    asked: Arc<Mutex<Vec<Generate>>>,
    info: Arc<ModelInfo>,
}

/// Whole words where they match, bytes elsewhere.
struct Pieces;

impl Tokenize for Pieces {
    fn tokenize(&self, text: &[u8], parse_special: bool) -> Vec<TokenId> {
        let specials = [("<|im_start|>", START), ("<|im_end|>", END)];
        let words = WORDS.iter().zip(FIRST_WORD..).map(|(word, id)| (*word, id));
        let known: Vec<_> = specials.into_iter().filter(|_| parse_special).chain(words).collect();
        let mut ids = Vec::new();
        let mut rest = text;
        while let Some(&byte) = rest.first() {
            let found = known.iter().find(|(piece, _)| rest.starts_with(piece.as_bytes()));
            let (id, length) = found.map_or((u32::from(byte), 1), |(piece, id)| (*id, piece.len()));
            ids.push(TokenId(id));
            rest = &rest[length..];
        }
        ids
    }
}

/// Every byte by itself.
struct SingleBytes;

impl Tokenize for SingleBytes {
    fn tokenize(&self, text: &[u8], _: bool) -> Vec<TokenId> {
        text.iter().map(|&byte| TokenId(u32::from(byte))).collect()
    }
}

impl Scripted {
    /// An engine that gives these replies, in order. A reply ends with an end token if its last piece
    /// is `<|im_end|>`, otherwise for its length.
    pub fn new(replies: impl IntoIterator<Item = Vec<ScriptedLine>>) -> Scripted {
        let bytes = (0..=255u8).map(|byte| VocabEntry { bytes: vec![byte], ..VocabEntry::default() });
        let special = |text: &str, ends| VocabEntry {
            bytes: text.as_bytes().to_vec(),
            control: true,
            ends_generation: ends,
            ..VocabEntry::default()
        };
        let words = WORDS.map(|word| VocabEntry { bytes: word.as_bytes().to_vec(), ..VocabEntry::default() });
        let entries = bytes.chain([special("<|im_start|>", false), special("<|im_end|>", true)]).chain(words);
        let roles = SpecialTokens { bos: None, eos: Some(TokenId(END)), add_bos: false };
        let info = Arc::new(ModelInfo {
            name: "scripted".to_string(),
            path: "scripted.gguf".into(),
            architecture: "script".to_string(),
            quantization: "F32".to_string(),
            parameters: 0,
            layers: LAYERS,
            heads: HEADS,
            width: WIDTH,
            context: 512,
            gives: Gives { comparison: false, ..Gives::EVERYTHING },
            threads: 1,
            chat_template: Some(TEMPLATE.to_string()),
            vocab: Arc::new(Vocab::new(entries, roles)),
            tokenizer: Arc::new(Pieces),
            about: Arc::default(),
        });
        Scripted {
            replies: Arc::new(Mutex::new(replies.into_iter().collect())),
            beside: Arc::default(),
            endless: false,
            asked: Arc::default(),
            info,
        }
    }

    /// The same, with replies made up by chance, from the request's seed, where the script ends.
    pub fn endless(self) -> Scripted {
        Scripted { endless: true, ..self }
    }

    /// The same with other tokens, a byte each, and one that goes before a text.
    #[must_use]
    pub fn by_bytes(mut self) -> Scripted {
        let info = Arc::make_mut(&mut self.info);
        let entry = |id| VocabEntry { bytes: info.vocab.bytes(id).to_vec(), ..VocabEntry::default() };
        let bos = VocabEntry { bytes: b"<s>".to_vec(), control: true, ..VocabEntry::default() };
        let id = TokenId(info.vocab.len() as u32);
        let roles = SpecialTokens { bos: Some(id), eos: None, add_bos: true };
        let entries: Vec<VocabEntry> = info.vocab.ids().map(entry).chain([bos]).collect();
        (info.vocab, info.tokenizer) = (Arc::new(Vocab::new(entries, roles)), Arc::new(SingleBytes));
        self
    }

    /// Every request for a reply so far.
    pub fn asked(&self) -> Vec<Generate> {
        self.asked.lock().unwrap().clone()
    }

    /// The last one.
    pub fn last_asked(&self) -> Option<Generate> {
        self.asked.lock().unwrap().last().cloned()
    }

    /// How many there were.
    pub fn count_asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// The same as a server that gives `k` candidates at most: other figures have bounds or are not given.
    pub fn giving(mut self, k: usize) -> Scripted {
        Arc::make_mut(&mut self.info).gives.candidates = Some(k);
        self
    }

    fn prediction_given(&self, mut prediction: Prediction) -> Prediction {
        let Some(k) = self.info.gives.candidates else { return prediction };
        prediction.top_logprobs.truncate(k);
        Prediction::of_top(prediction.top_logprobs, prediction.n_vocab)
    }

    fn stats_given(&self, id: TokenId, stats: TokenStats) -> TokenStats {
        if self.info.gives.candidates.is_none() {
            return stats;
        }
        let prediction = self.prediction_given(stats.prediction);
        TokenStats { rank: prediction.rank_of(id), prediction, ..stats }
    }

    /// What a loaded model says of itself.
    pub fn ready(&self) -> Event {
        Event::Ready(Arc::clone(&self.info))
    }

    /// The same script behind an engine with a thread of its own.
    pub fn client(&self) -> Client {
        let backend = self.clone();
        Engine::start(Box::new(move |_| Ok(Box::new(backend) as Box<dyn Backend>)), |_| {}).into()
    }

    /// The events that answer a request.
    pub fn answer(&mut self, command: &Command) -> Vec<Event> {
        let events = RefCell::new(Vec::new());
        let end = self.run(command, &|event| events.borrow_mut().push(event));
        let end = end.map(|(reason, timing)| Event::Finished { reason, timing });
        let mut events = events.into_inner();
        events.push(end.unwrap_or_else(Event::Failed));
        events
    }

    fn next_reply(&self) -> Vec<ScriptedLine> {
        self.replies.lock().unwrap().pop_front().unwrap_or_default()
    }

    fn generate(&self, request: &Generate, sink: Sink) -> (FinishReason, usize) {
        let total = request.prompt.len();
        // What is in force makes everything half as probable.
        let p_at = |index: usize, p: f32| match request.in_force.of_token(index).is_empty() {
            true => p,
            false => p / 2.0,
        };
        let steps = request.prompt.iter().enumerate().skip(request.known).map(|(i, &id)| {
            Arc::new(Step { id, stats: (i > 0).then(|| self.stats(id, p_at(i, 0.6), false)) })
        });
        sink(Event::Prefill { steps: steps.collect(), done: total, total });
        self.asked.lock().unwrap().push(request.clone());
        let reply = self.reply_to(request, request.sampling.seed);
        for (i, &(piece, p)) in reply.iter().enumerate() {
            let id = Pieces.tokenize(piece.as_bytes(), true)[0];
            let step = Arc::new(Step { id, stats: Some(self.stats(id, p_at(total + i, p), true)) });
            let named: Vec<AnyToken> = request.named.iter().map(|&named| of_named(&step, named, i)).collect();
            sink(Event::Step { step, elapsed: Duration::from_millis(10 * (i as u64 + 1)), named });
        }
        (ended(&reply), reply.len())
    }

    /// What comes next in the script, as far as it may go.
    fn reply_to(&self, request: &Generate, seed: u32) -> Vec<ScriptedLine> {
        let mut reply = if request.max_tokens == Some(0) { Vec::new() } else { self.next_reply() };
        if reply.is_empty() && self.endless {
            reply = by_chance(seed);
        }
        let room = self.info.context as usize - request.prompt.len();
        reply.truncate(request.max_tokens.unwrap_or(usize::MAX).min(room));
        reply
    }

    /// The next replies of the script, in turns.
    fn siblings(&self, Siblings { first, seeds }: &Siblings, sink: Sink) -> (FinishReason, usize) {
        let own = RefCell::new(Vec::new());
        let end = self.generate(first, &|event| own.borrow_mut().push(event));
        let mut others: Vec<VecDeque<ScriptedLine>> =
            seeds.iter().map(|&seed| self.reply_to(first, seed).into()).collect();
        let say_others = |others: &mut Vec<VecDeque<ScriptedLine>>| {
            for (i, lines) in others.iter_mut().enumerate() {
                let tell = |event| sink(Event::Reply(ReplyId(i as u64 + 1), event));
                let Some((piece, p)) = lines.pop_front() else { continue };
                let id = Pieces.tokenize(piece.as_bytes(), true)[0];
                let step = Step { id, stats: Some(self.stats(id, p, true)) };
                let named = first.named.iter().map(|&named| of_named(&step, named, 0)).collect();
                tell(ReplyEvent::Step(Arc::new(step), named));
                if lines.is_empty() {
                    tell(ReplyEvent::Ended(ended(&[(piece, p)])));
                }
            }
        };
        for event in own.into_inner() {
            let is_step = matches!(event, Event::Step { .. });
            sink(event);
            if is_step {
                say_others(&mut others);
            }
        }
        while others.iter().any(|lines| !lines.is_empty()) {
            say_others(&mut others);
        }
        end
    }

    /// Every continuation is the next reply of the script, as far as it may go.
    fn sample(&self, request: &Sample, sink: Sink) {
        for index in 0..request.samplings.len() {
            let mut reply = self.next_reply();
            reply.truncate(request.max_tokens.unwrap_or(usize::MAX));
            let steps = reply.iter().map(|&(piece, p)| {
                let id = Pieces.tokenize(piece.as_bytes(), true)[0];
                Step { id, stats: Some(self.stats(id, p, true)) }
            });
            sink(Event::Sampled { index, steps: steps.collect(), reason: ended(&reply) });
        }
    }

    /// A piece of every reply.
    fn round(&self, round: &Round, sink: Sink) {
        let mut beside = self.beside.lock().unwrap();
        beside.retain(|(reply, _)| !round.leave.contains(reply));
        for newcomer in &round.join {
            let mut lines = self.next_reply();
            lines.truncate(newcomer.max_tokens);
            beside.push((newcomer.reply, lines.into()));
        }
        beside.retain_mut(|(reply, lines)| {
            let (piece, p) = lines.pop_front().unwrap_or(("<|im_end|>", 1.0));
            let id = Pieces.tokenize(piece.as_bytes(), true)[0];
            let step = Arc::new(Step { id, stats: Some(self.stats(id, p, true)) });
            sink(Event::Reply(*reply, ReplyEvent::Step(step, Vec::new())));
            let goes_on = !lines.is_empty();
            if !goes_on {
                let reason = ended(&[(piece, p)]);
                sink(Event::Reply(*reply, ReplyEvent::Ended(reason)));
            }
            goes_on
        });
    }

    /// A distribution in which the token has probability `p` and two others share most of the rest.
    fn stats(&self, id: TokenId, p: f32, sampled: bool) -> TokenStats {
        let others = [TokenId(FIRST_WORD + 1), TokenId(FIRST_WORD + 2), TokenId(FIRST_WORD + 3)];
        let rest = (1.0 - p) * 0.8;
        let mut shares: Vec<(TokenId, f32)> = vec![(id, p)];
        let free = others.into_iter().filter(|&other| other != id);
        shares.extend(free.zip([rest * 0.75, rest * 0.25]));
        shares.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let top: Vec<Candidate> = shares
            .iter()
            .enumerate()
            .map(|(i, &(id, p))| Candidate {
                id,
                logprob: p.ln(),
                rank: i as u32 + 1,
                outcome: sampled.then_some(SamplerOutcome { prob: p, dropped_by: None }),
            })
            .collect();
        let shown: f64 = shares.iter().map(|&(_, p)| f64::from(p)).sum();
        let stats = TokenStats {
            logprob: p.ln(),
            rank: top
                .iter()
                .find(|candidate| candidate.id == id)
                .map_or(1, |candidate| candidate.rank)
                .into(),
            outcome: sampled.then_some(SamplerOutcome { prob: p, dropped_by: None }),
            prediction: Prediction {
                top_logprobs: top,
                entropy: 1.0.into(),
                varentropy: 0.5.into(),
                residual: (1.0 - shown).max(0.0).into(),
                n_vocab: self.info.vocab.len() as u32,
                boundary: None,
            },
        };
        self.stats_given(id, stats)
    }
}

impl Backend for Scripted {
    fn info(&self) -> &Arc<ModelInfo> {
        &self.info
    }

    fn run(&mut self, command: &Command, sink: Sink) -> Result<(FinishReason, Timing), EngineError> {
        let (reason, tokens) = match command {
            Command::Generate(request) => self.generate(request, sink),
            Command::Siblings(request) => self.siblings(request, sink),
            Command::Forget(_) => (FinishReason::Stop, 0),
            Command::Score(request) => self.score(request, sink).map(|()| (FinishReason::Stop, 0))?,
            Command::Sample(request) => {
                self.sample(request, sink);
                (FinishReason::Stop, 0)
            }
            Command::Frontier(request) => self.frontier(request, sink).map(|()| (FinishReason::Stop, 0))?,
            Command::Round(request) => {
                self.round(request, sink);
                (FinishReason::Stop, 0)
            }
            Command::Inspect(request) => self.inspect(request, sink).map(|()| (FinishReason::Stop, 0))?,
            Command::Row(request) => self.row_after(request, sink).map(|()| (FinishReason::Stop, 0))?,
            Command::CrossEntropy(_) => {
                return Err(EngineError::Unsupported("compare itself with another model"));
            }
        };
        let decode = Duration::from_millis(10 * tokens as u64);
        Ok((reason, Timing { decode_tokens: tokens, decode, ..Timing::default() }))
    }
}

/// The token that was chosen is as probable as it is; another one has a hundredth, less with every step.
fn of_named(step: &Step, named: TokenId, at: usize) -> AnyToken {
    match &step.stats {
        Some(stats) if step.id == named => stats.of_token(named),
        _ => AnyToken { id: named, logprob: (0.01 / (at + 1) as f32).ln(), rank: 20.into(), outcome: None },
    }
}

/// A few words, and perhaps an end.
fn by_chance(seed: u32) -> Vec<ScriptedLine> {
    let mut state = u64::from(seed) << 1 | 1;
    let mut next = move |n: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    };
    let mut reply: Vec<ScriptedLine> =
        (0..1 + next(6)).map(|_| (WORDS[next(8) as usize], 0.1 + next(9) as f32 / 10.0)).collect();
    if next(2) == 0 {
        reply.push(("<|im_end|>", 0.5));
    }
    reply
}

fn ended(reply: &[ScriptedLine]) -> FinishReason {
    if reply.last().is_some_and(|(piece, _)| *piece == "<|im_end|>") {
        FinishReason::Stop
    } else {
        FinishReason::Length
    }
}

#[cfg(test)]
mod tests;
