//! An engine that follows a script: for tests of the interface, which need to know what comes.
//!
//! Tokens are single bytes, two specials and a few whole words. Figures are made up but consistent: a
//! step's candidates sum to one with the residual.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::{Command, Event, FinishReason, Generate, ModelInfo, Timing, Tokenize};
use crate::step::{Candidate, Prediction, SamplerOutcome, Step, TokenStats};
use crate::token::{SpecialTokens, TokenId, Vocab, VocabEntry};

const WORDS: [&str; 8] = [" Paris", " the", " London", "The", " capital", " is", "\n", "北"];
const START: u32 = 256;
const END: u32 = 257;
const FIRST_WORD: u32 = 258;

/// ChatML, as many models have it.
const TEMPLATE: &str = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

/// A token of a scripted reply and its raw probability.
pub type Line = (&'static str, f32);

/// Answers each request with the next reply of its script.
pub struct Scripted {
    replies: VecDeque<Vec<Line>>,
    vocab: Arc<Vocab>,
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

impl Scripted {
    /// An engine that gives these replies, in order. A reply ends with an end token if its last piece
    /// is `<|im_end|>`, otherwise for its length.
    pub fn new(replies: impl IntoIterator<Item = Vec<Line>>) -> Scripted {
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
        Scripted { replies: replies.into_iter().collect(), vocab: Arc::new(Vocab::new(entries, roles)) }
    }

    /// What a loaded model says of itself.
    pub fn ready(&self) -> Event {
        Event::Ready(Arc::new(ModelInfo {
            name: "scripted".to_string(),
            path: "scripted.gguf".into(),
            architecture: "script".to_string(),
            quantization: "F32".to_string(),
            parameters: 0,
            bytes: 0,
            trained_context: 512,
            context: 512,
            threads: 1,
            chat_template: Some(TEMPLATE.to_string()),
            vocab: Arc::clone(&self.vocab),
            tokenizer: Arc::new(Pieces),
            about: Arc::default(),
        }))
    }

    /// The events that answer a request.
    pub fn answer(&mut self, command: &Command) -> Vec<Event> {
        match command {
            Command::Generate(request) => self.generate(request),
            Command::Score(_) | Command::Sample(_) => vec![finished(FinishReason::Stop, 0)],
        }
    }

    fn generate(&mut self, request: &Generate) -> Vec<Event> {
        let total = request.prompt.len();
        let steps = request
            .prompt
            .iter()
            .enumerate()
            .map(|(i, &id)| Arc::new(Step { id, stats: (i > 0).then(|| self.stats(id, 0.6, false)) }));
        let mut events = vec![Event::Prefill { steps: steps.collect(), done: total, total }];
        let reply = self.replies.pop_front().unwrap_or_default();
        for (i, &(piece, p)) in reply.iter().enumerate() {
            let id = Pieces.tokenize(piece.as_bytes(), true)[0];
            let step = Arc::new(Step { id, stats: Some(self.stats(id, p, true)) });
            let elapsed = Duration::from_millis(10 * (i as u64 + 1));
            events.push(Event::Step { step, elapsed });
        }
        let reason = match reply.last() {
            Some(("<|im_end|>", _)) => FinishReason::Stop,
            _ => FinishReason::Length,
        };
        events.push(finished(reason, reply.len()));
        events
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
        TokenStats {
            logprob: p.ln(),
            rank: top.iter().find(|candidate| candidate.id == id).map_or(1, |candidate| candidate.rank),
            outcome: sampled.then_some(SamplerOutcome { prob: p, dropped_by: None }),
            prediction: Prediction {
                top_logprobs: top,
                entropy: 1.0,
                varentropy: 0.5,
                residual: (1.0 - shown).max(0.0),
                n_vocab: self.vocab.len() as u32,
                boundary: None,
            },
        }
    }
}

fn finished(reason: FinishReason, tokens: usize) -> Event {
    let decode = Duration::from_millis(10 * tokens as u64);
    Event::Finished { reason, timing: Timing { decode_tokens: tokens, decode, ..Timing::default() } }
}
