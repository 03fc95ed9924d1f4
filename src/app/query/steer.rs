//! `tokenscope steer`: making a steering vector of pairs of texts, and looking at one.

use std::path::Path;

use super::context::{QueryContext, Stop, marked_text, wrong};
use crate::app::failure::Failure;
use crate::cli::{SteerCommand, SteerMakeArgs, SteerShowArgs};
use crate::files::{self, Existing, WriteError};
use crate::lens::steer::{FEWEST_PAIRS, SteerPair, SteerText, make, show};
use crate::model::control;
use crate::query::QueryError;
use crate::report::lens::steer::{MadeRecord, Making, ShownRecord, made, shown};
use crate::report::output::json;
use crate::say;
use crate::token::printable;

pub(super) fn run(query: &mut QueryContext, command: &SteerCommand) -> Result<(), Stop> {
    if query.several() {
        return Err(Failure::usage("a steering vector is one model's: name one with -m").into());
    }
    match command {
        SteerCommand::Make(args) => making(query, args),
        SteerCommand::Show(args) => showing(query, args),
    }
}

fn making(query: &mut QueryContext, args: &SteerMakeArgs) -> Result<(), Stop> {
    let positive = texts(query, &args.positive)?;
    let negative = texts(query, &args.negative)?;
    let pairs = pairs(positive, negative).map_err(Failure::usage)?;
    let file = printable(&args.output.display().to_string());
    let existing = if args.force { Existing::Replace } else { Existing::Keep };
    if existing == Existing::Keep && args.output.is_file() {
        return Err(unwritten(&args.output, &WriteError::Exists));
    }
    // Said before anything is computed.
    let folder = args.output.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        return Err(wrong(&args.output, format!("there is no folder {}", folder.display())).into());
    }
    query.ask_each(args.json, |query, running| {
        let vector = match make(&mut query.asker(running), &pairs, args.at) {
            Err(QueryError::Stopped) => {
                say::tell(&format!("{file}: stopped before every pair was read: nothing is written"));
                return Err(Stop::Interrupted);
            }
            made => made?,
        };
        files::write(&args.output, existing, &mut |out| control::write(&vector, out))
            .map_err(|error| unwritten(&args.output, &error))?;
        let making = Making { file: &file, pairs: pairs.len(), at: args.at };
        let (paint, out) = (query.paint(), &mut query.out);
        let written = match args.json {
            true => json(out, &MadeRecord::new(&vector, making, &running.origin)),
            false => made(&vector, making).write(out, paint),
        };
        written.map_err(Stop::Output)
    })
}

fn showing(query: &mut QueryContext, args: &SteerShowArgs) -> Result<(), Stop> {
    let vector = control::read(&args.file).map_err(Failure::usage)?;
    let file = printable(&args.file.display().to_string());
    let k = query.settings.k;
    query.ask_each(args.json, |query, running| {
        let named = |failure: Failure| Failure { message: format!("{file}: {}", failure.message), ..failure };
        let directions = show(&mut query.asker(running), &vector).map_err(|error| named(error.into()))?;
        let vocab = &running.model.vocab;
        let (paint, out) = (query.paint(), &mut query.out);
        let written = match args.json {
            true => json(out, &ShownRecord::new(&directions, &file, k, vocab, &running.origin)),
            false => shown(&directions, vocab).write(out, paint),
        };
        written.map_err(Stop::Output)
    })
}

fn unwritten(file: &Path, error: &WriteError) -> Stop {
    let hint = if matches!(error, WriteError::Exists) { ": --force writes over it" } else { "" };
    wrong(file, format!("{error}{hint}")).into()
}

/// The texts of a file, one a line.
fn texts(query: &QueryContext, file: &Path) -> Result<Vec<SteerText>, Stop> {
    let text = crate::interrupt::waiting(|| marked_text(query, file))?;
    let place = |i: usize| format!("{}:{}", printable(&file.display().to_string()), i + 1);
    let lines: Vec<&str> = text.trim_end_matches(['\n', '\r']).lines().collect();
    if lines.is_empty() {
        return Err(wrong(file, "empty: texts are wanted, one a line").into());
    }
    if let Some(blank) = lines.iter().position(|line| line.trim().is_empty()) {
        let what = "an empty line: each line is a text, beside the one on the same line of the other file";
        return Err(Failure::usage(format!("{}: {what}", place(blank))).into());
    }
    let text = |(i, line): (usize, &&str)| SteerText { place: place(i), text: line.as_bytes().to_vec() };
    Ok(lines.iter().enumerate().map(text).collect())
}

fn pairs(positive: Vec<SteerText>, negative: Vec<SteerText>) -> Result<Vec<SteerPair>, String> {
    let (a, b) = (positive.len(), negative.len());
    if a != b {
        return Err(format!(
            "{a} positive texts and {b} negative ones: they are pairs, line by line, so that as many are wanted"
        ));
    }
    if a < FEWEST_PAIRS {
        return Err(format!(
            "{a} pair: at least {FEWEST_PAIRS} are wanted, as one alone holds whatever else its texts differ in"
        ));
    }
    let pair = |(positive, negative)| SteerPair { positive, negative };
    Ok(positive.into_iter().zip(negative).map(pair).collect())
}

#[cfg(test)]
mod tests {
    use super::{SteerText, pairs};

    #[test]
    fn texts_are_pairs_and_more_than_one() {
        let texts = |count: usize| {
            let text = |i| SteerText { place: format!("x:{i}"), text: vec![b'a'] };
            (1..=count).map(text).collect::<Vec<_>>()
        };
        assert_eq!(pairs(texts(3), texts(3)).unwrap().len(), 3);
        assert!(pairs(texts(3), texts(2)).unwrap_err().starts_with("3 positive texts and 2 negative ones"));
        assert!(pairs(texts(1), texts(1)).unwrap_err().starts_with("1 pair: at least 2"));
    }
}
