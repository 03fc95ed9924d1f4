//! What looking at many continuations together gains: a best-first search with one decode a node, against the
//! same search through the engine; beside it what the engine's batches gain where only scoring is wanted.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;

use super::side::{Bench, apart, context, median, sequence};
use crate::distribution::{Depth, Distribution};
use crate::engine::llama::{Batch, Context, ContextParams, Model, SeqId};
use crate::engine::{Client, Command, EngineError, Frontier, Layout, ScoreBatch, Sequence};
use crate::query::expand::search::{ExpandLimits, Search};
use crate::query::expand::{SearchAsked, grow};
use crate::step::Prediction;
use crate::token::TokenId;

/// Continuations that are looked at.
const NODES: usize = 200;
/// How far where one after the other is looked at: nothing but their number ends the search.
const LIMITS: ExpandLimits = ExpandLimits { depth: 12, width: 10, floor: 0.0, nodes: NODES };
/// Tokens decoded to know how fast that is.
const DECODED: usize = 96;

/// What was measured, one value per pair.
#[derive(Clone, Debug, Serialize)]
pub struct ExpandCosts {
    /// Continuations looked at in each search.
    pub nodes: usize,
    /// Of them, by the search one after the other: a second.
    pub one_by_one: Vec<f64>,
    /// By the search through the engine.
    pub together: Vec<f64>,
    /// Tokens a second of decode alone.
    pub decode: Vec<f64>,
    /// Distributions a second of a text that is scored.
    pub scored: Vec<f64>,
    /// Median of together ÷ one_by_one.
    pub median_gain: f64,
    /// Median of (together ÷ one_by_one) ÷ (scored ÷ decode).
    pub median_share: f64,
}

impl Bench<'_> {
    /// A search after a prompt, both ways.
    ///
    /// # Errors
    /// What the engine says.
    pub fn expand(&self, prompt: &[TokenId], text: &[TokenId]) -> Result<ExpandCosts, EngineError> {
        let measure = || {
            let mut floor = 0.0;
            let [one_by_one, decode] = apart(|| {
                let model = self.raw_model()?;
                let (one_by_one, least) = self.one_by_one(&model, prompt)?;
                floor = least;
                Ok([one_by_one, self.decode_alone(&model, text)?])
            })?;
            let [together, scored] = self.engine(|client| {
                let together = self.together(client, prompt, floor)?;
                let sequences = vec![Sequence { tokens: text.to_vec(), from: 1 }];
                let request = ScoreBatch { sequences, layout: Layout::Long, ..ScoreBatch::default() };
                let (_, timing) = client.run(Command::Score(request), |_| {})?;
                Ok([together, timing.rows as f64 / timing.prefill.as_secs_f64()])
            })?;
            Ok([one_by_one, together, decode, scored])
        };
        let [one_by_one, together, decode, scored] =
            self.pairs(measure, |[one_by_one, together, decode, scored]| {
                format!(
                    "one by one {one_by_one:.1}/s, together {together:.1}/s; decode {decode:.1} t/s, scored {scored:.1} rows/s"
                )
            })?;
        let gains: Vec<f64> = together.iter().zip(&one_by_one).map(|(of, to)| of / to).collect();
        let possible = scored.iter().zip(&decode).map(|(rows, tokens)| rows / tokens);
        let shares = gains.iter().zip(possible).map(|(gain, possible)| gain / possible).collect();
        Ok(ExpandCosts {
            nodes: NODES,
            one_by_one,
            together,
            decode,
            scored,
            median_gain: median(gains),
            median_share: median(shares),
        })
    }

    /// One decode a node and nothing else: each has the cells of the one it goes on from. How many a second,
    /// without the prompt, and the least probability of one that was looked at.
    fn one_by_one(&self, model: &Arc<Model>, prompt: &[TokenId]) -> Result<(f64, f64), EngineError> {
        let cells = (prompt.len() + NODES).next_multiple_of(256) as u32;
        let (params, sequences) = (self.params(prompt.len().max(64), 1), NODES as u32 + 1);
        let params = ContextParams { cells, sequences, outputs: sequences, ..params };
        let mut context = context(model, params)?;
        context.decode(&sequence(prompt, false))?;
        let mut search = Search::new(LIMITS);
        let mut sequences = std::collections::HashMap::from([(Vec::new(), SeqId(0))]);
        let mut batch = Batch::default();
        let begun = Instant::now();
        let mut row = prompt.len() - 1;
        let (mut looked, mut least) = (0, 1.0);
        while let [node] = search.wanted(1)[..] {
            if let [before @ .., last] = search.path(node) {
                let own = SeqId(looked);
                let from = sequences.get(before).copied().unwrap_or_default();
                let length = prompt.len() + before.len();
                context.share(from, own, length);
                batch.clear();
                batch.push(*last, length, &[own], true);
                context.decode(&batch)?;
                sequences.insert(search.path(node).to_vec(), own);
                row = 0;
            }
            looked += 1;
            least = search.joint(node).exp();
            let after = self.predicted(&context, row)?;
            search.tell(node, &after, &|id| self.info.vocab.ends_generation(id));
        }
        Ok((f64::from(looked) / begun.elapsed().as_secs_f64(), least))
    }

    fn predicted(&self, context: &Context, row: usize) -> Result<Prediction, EngineError> {
        let row = context.logits(row).ok_or(EngineError::Decode(-1))?;
        let raw = Distribution::measure(row, Depth::Count(LIMITS.width), None)?;
        Ok(Prediction::measured(&raw, row.len(), |_| None))
    }

    /// The search through the engine, which knows the prompt already, for all continuations of this probability:
    /// the same ones. How many a second.
    fn together(&self, client: &mut Client, prompt: &[TokenId], floor: f64) -> Result<f64, EngineError> {
        let asked = Frontier { depth: Depth::Count(LIMITS.width), ..Frontier::default() };
        let growing = SearchAsked { prompt, asked, vocab: &self.info.vocab };
        let mut first = Search::new(ExpandLimits { nodes: 1, ..LIMITS });
        grow(client, &mut first, &growing, |_| {})?;
        let mut search = Search::new(ExpandLimits { floor, nodes: 4 * NODES, ..LIMITS });
        let begun = Instant::now();
        grow(client, &mut search, &growing, |_| {})?;
        Ok(search.progress().0 as f64 / begun.elapsed().as_secs_f64())
    }

    fn decode_alone(&self, model: &Arc<Model>, text: &[TokenId]) -> Result<f64, EngineError> {
        let mut context = context(model, self.params(64, 1))?;
        let mut batch = Batch::default();
        let mut begun = Instant::now();
        for (position, &token) in text.iter().cycle().take(DECODED + 8).enumerate() {
            if position == 8 {
                begun = Instant::now();
            }
            batch.clear();
            batch.push(token, position, &[SeqId(0)], true);
            context.decode(&batch)?;
            context.logits(0).ok_or(EngineError::Decode(-1))?;
        }
        Ok(DECODED as f64 / begun.elapsed().as_secs_f64())
    }
}

impl ExpandCosts {
    /// For people.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "pair   one by one/s   together/s   ratio   decode t/s   scored rows/s   ratio")?;
        for i in 0..self.one_by_one.len() {
            let (one, all) = (self.one_by_one[i], self.together[i]);
            let (decode, scored) = (self.decode[i], self.scored[i]);
            let (gain, possible) = (all / one, scored / decode);
            writeln!(
                out,
                "{:>4} {one:>14.1} {all:>12.1} {gain:>7.2} {decode:>12.1} {scored:>15.1} {possible:>7.2}",
                i + 1
            )?;
        }
        writeln!(
            out,
            "{} continuations, together ÷ one decode a node: median ratio {:.2}, {:.0} % of what scoring gains over decoding",
            self.nodes,
            self.median_gain,
            self.median_share * 100.0
        )
    }
}
