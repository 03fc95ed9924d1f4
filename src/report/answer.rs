//! Any answer as a view, which the REPL writes and the chat lays out in its pane; and the parts of an
//! answer in the making as text.

use std::io::{self, Write};

use super::bars::Paint;
use super::view::View;
use super::{at_step, choices, expand, lens, next, probe, rescore, score_table, table, tokens};
use crate::ask::{Answer, AnswerPart, Probed};
use crate::distribution::Depth;
use crate::intervention::Interventions;
use crate::query::generate::GeneratedText;
use crate::token::{TokenId, Vocab, printable};

/// The view of an answer, with candidates to a depth.
pub fn view(answer: &Answer, k: Depth, vocab: &Vocab) -> View {
    match answer {
        Answer::Next(found) => next::view(found, k, vocab),
        Answer::Step(found) => {
            let mut view = View::default();
            view.text(text_of(&found.prompt, vocab));
            view.text("");
            view.blocks.extend(next::view(found, k, vocab).blocks);
            view
        }
        Answer::Score(scored) => score_table::view(scored, vocab),
        Answer::Compare(compared) => choices::side_by_side(compared),
        Answer::Generate(generated) => continuation(generated, vocab),
        Answer::Expand(found) => expand::view(found, vocab),
        Answer::Tokens(encoded) => tokens::view(encoded, vocab),
        Answer::Probe(probed) => suites(probed, vocab),
        Answer::Rescore(rescored) => rescore::view(rescored, vocab),
        Answer::Lens(seen) => lens::view(seen, k, vocab),
        Answer::AtStep(found) => at_step::view(found, vocab),
    }
}

/// The view of what was computed with these in force: it says so at its end.
pub fn under(mut view: View, these: &Interventions) -> View {
    if !these.is_empty() {
        view.text(printable(&these.told()));
    }
    view
}

/// A text as it is shown where it is gone on with.
fn text_of(ids: &[TokenId], vocab: &Vocab) -> String {
    printable(&String::from_utf8_lossy(&vocab.concat(ids.iter().copied())))
}

fn continuation(generated: &GeneratedText, vocab: &Vocab) -> View {
    let GeneratedText { prompt, reply, reason } = generated;
    let mut view = View::default();
    view.text(text_of(prompt, vocab) + &printable(&reply.text));
    view.told = view.blocks.len();
    view.text("");
    view.table(table::steps(reply.steps.iter().map(|step| &**step), vocab));
    view.text(table::total(&reply.score, *reason));
    view
}

fn suites(probed: &Probed, vocab: &Vocab) -> View {
    let mut view = View::default();
    probed.notes.iter().for_each(|note| view.text(note));
    for suite in &probed.suites {
        view.blocks.extend(probe::suite(suite, vocab).blocks);
    }
    view.told = view.blocks.len();
    if let Some(progress) = probed.stopped {
        let items = probed.suites.iter().map(|suite| suite.items.len()).sum::<usize>();
        let word = if items == 1 { "item" } else { "items" };
        let (done, total) = (progress.done, progress.total);
        view.text(format!("stopped: incomplete, {items} {word} known after {done} of {total} answers"));
    }
    view
}

/// Writes an answer as it comes: its parts, then what no part has told.
pub struct Stream<'a, W: Write> {
    out: W,
    vocab: &'a Vocab,
    paint: Paint,
    /// Whether what was written last has no line break yet.
    is_open: bool,
    written: io::Result<()>,
}

impl<'a, W: Write> Stream<'a, W> {
    /// Nothing so far.
    pub fn new(out: W, vocab: &'a Vocab, paint: Paint) -> Stream<'a, W> {
        Stream { out, vocab, paint, is_open: false, written: Ok(()) }
    }

    /// Writes a part; `false` once nothing can be written any more.
    pub fn part(&mut self, part: AnswerPart) -> bool {
        if self.written.is_ok() {
            self.written = self.write(part).and_then(|()| self.out.flush());
        }
        self.written.is_ok()
    }

    fn write(&mut self, part: AnswerPart) -> io::Result<()> {
        match part {
            AnswerPart::Prompt(ids) => {
                self.is_open = true;
                self.out.write_all(text_of(ids, self.vocab).as_bytes())
            }
            AnswerPart::Grown(text) => self.out.write_all(printable(text).as_bytes()),
            AnswerPart::Note(note) => writeln!(self.out, "{note}"),
            AnswerPart::Suite(suite) => probe::suite(suite, self.vocab).write(&mut self.out, self.paint),
        }
    }

    /// Writes the rest.
    ///
    /// # Errors
    /// Those of the writer, of the parts too.
    pub fn finish(mut self, view: Option<&View>) -> io::Result<()> {
        self.written?;
        if self.is_open {
            writeln!(self.out)?;
        }
        view.map_or(Ok(()), |view| view.write_rest(&mut self.out, self.paint))?;
        self.out.flush()
    }
}
