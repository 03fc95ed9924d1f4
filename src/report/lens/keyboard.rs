//! The model and the n-gram model side by side, as a record and as tables.

use serde::Serialize;

use super::measures::small;
use super::record::finite;
use crate::distribution::Depth;
use crate::lens::keyboard::{Keyboard, Suggestions};
use crate::lens::subject::Subject;
use crate::report::next::percent;
use crate::report::record::{CandidateRecord, top};
use crate::report::view::{Column, Table, TableRow, View};
use crate::token::{TokenId, Vocab, text_of, visible};

/// Columns of a token.
const TOKEN: usize = 16;

/// Both, with the same fields.
#[derive(Debug, Serialize)]
pub struct KeyboardRecord<'a> {
    model: SuggestionsRecord<'a>,
    ngram: SuggestionsRecord<'a>,
    scored_tokens: usize,
    bytes: usize,
    /// Share of the scored tokens at which both have the same first choice.
    agreement: Option<f64>,
    order: usize,
    corpus: CorpusRecord<'a>,
}

#[derive(Debug, Serialize)]
struct SuggestionsRecord<'a> {
    top_logprobs: Vec<CandidateRecord>,
    residual: Option<f64>,
    entropy: Option<f32>,
    target: Option<SuggestedRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    versus: Option<SuggestedRecord>,
    sum_logprob: Option<f64>,
    bits_per_byte: Option<f64>,
    continuation: ContinuationRecord<'a>,
}

#[derive(Debug, Serialize)]
struct SuggestedRecord {
    logprob: Option<f64>,
    /// Of a text of one token.
    rank: Option<u32>,
}

#[derive(Debug, Serialize)]
struct ContinuationRecord<'a> {
    text: String,
    ids: &'a [TokenId],
}

#[derive(Debug, Serialize)]
struct CorpusRecord<'a> {
    name: &'a str,
    sha256: &'a str,
    bytes: usize,
    tokens: usize,
}

impl<'a> KeyboardRecord<'a> {
    /// The record of both, with candidates to a depth.
    pub fn new(found: &'a Keyboard, k: Depth, vocab: &Vocab) -> KeyboardRecord<'a> {
        let record = |of: &'a Suggestions| {
            let (top_logprobs, residual) = top(&of.prediction, k, vocab);
            let named = |i: usize| {
                let &(logprob, rank) = of.named.get(i)?;
                Some(SuggestedRecord { logprob: finite(logprob), rank })
            };
            let text = text_of(&vocab.concat(of.clicked.iter().copied()));
            SuggestionsRecord {
                top_logprobs,
                residual: residual.exact(),
                entropy: of.prediction.entropy.exact(),
                target: named(0),
                versus: named(1),
                sum_logprob: (found.scored > 0).then_some(of.logprob).and_then(finite),
                bits_per_byte: of.bits_per_byte(found.bytes).and_then(finite),
                continuation: ContinuationRecord { text, ids: &of.clicked },
            }
        };
        let counted = &found.counted;
        KeyboardRecord {
            model: record(&found.model),
            ngram: record(&found.ngram),
            scored_tokens: found.scored,
            bytes: found.bytes,
            agreement: found.agreement(),
            order: crate::ngram::ORDER,
            corpus: CorpusRecord {
                name: &counted.name,
                sha256: &counted.sha256,
                bytes: counted.bytes,
                tokens: counted.tokens,
            },
        }
    }
}

/// Both tables, what they make of the prompt, and where they lead.
pub(super) fn keyboard(view: &mut View, subject: &Subject, found: &Keyboard, k: Depth, vocab: &Vocab) {
    let both = [&found.model, &found.ngram];
    let mut table = Table::new([
        Column::figures("rank", 4).after(0),
        Column::text("model", TOKEN).after(2),
        Column::figures("p %", 6),
        Column::text("keyboard", TOKEN).after(4),
        Column::figures("p %", 6),
    ]);
    let shown = both.map(|of| of.prediction.shown(of.prediction.count(k)).0);
    for i in 0..shown[0].len().max(shown[1].len()) {
        let cells = shown.map(|shown| {
            let token = shown.get(i).map(|candidate| vocab.visible(candidate.id)).unwrap_or_default();
            (token, shown.get(i).map(|candidate| percent(candidate.prob())).unwrap_or_default())
        });
        let [(model, p_model), (ngram, p_ngram)] = cells;
        let rank = (i + 1).to_string();
        table.rows.push(TableRow::new([
            rank.into(),
            model.into(),
            p_model.into(),
            ngram.into(),
            p_ngram.into(),
        ]));
    }
    view.table(table);
    view.text("");
    let mut table = Table::new([
        Column::text("", 28).after(0),
        Column::figures("model", 9),
        Column::figures("keyboard", 9),
    ]);
    let mut row = |name: String, of: &dyn Fn(&Suggestions) -> Option<String>| {
        let [model, ngram] = both.map(|both| of(both).unwrap_or("-".to_string()));
        table.rows.push(TableRow::new([name.into(), model.into(), ngram.into()]));
    };
    for (i, goal) in subject.named().enumerate() {
        let text = visible(&goal.text);
        row(format!("ln p of «{text}»"), &|of| Some(format!("{:.3}", of.named.get(i)?.0)));
        row(format!("rank of «{text}»"), &|of| Some(of.named.get(i)?.1?.to_string()));
    }
    row("entropy".to_string(), &|of| Some(of.prediction.entropy.shown(|entropy| format!("{entropy:.3}"))));
    row("bits per byte of the prompt".to_string(), &|of| {
        Some(format!("{:.3}", of.bits_per_byte(found.bytes)?))
    });
    view.table(table);
    view.text(match found.agreement() {
        Some(share) => format!(
            "the same first choice at {} of {} tokens of the prompt ({} %)",
            found.agreed,
            found.scored,
            percent(share)
        ),
        None => "no token of the prompt has another before it".to_string(),
    });
    view.text("");
    view.text(format!("always the first suggestion, {} times:", found.ngram.clicked.len()));
    for (name, of) in ["model   ", "keyboard"].iter().zip(both) {
        view.text(format!("  {name}  {}", visible(&vocab.concat(of.clicked.iter().copied()))));
    }
    let counted = &found.counted;
    view.text(format!(
        "the keyboard counted {} in a row in {} tokens of {} ({} MB); ln p and entropy in nats",
        crate::ngram::ORDER,
        counted.tokens,
        match counted.name.as_str() {
            "shipped" => "the text that comes with the program",
            name => name,
        },
        small(counted.bytes as f64 / 1e6)
    ));
}
