//! `tokenscope expand`.

use std::io::{IsTerminal, Write};

use super::context::{QueryContext, Stop, conversation};
use crate::app::running::Running;
use crate::cli::{ExpandArgs, ExpandFormat};
use crate::counter::Far;
use crate::query::QueryError;
use crate::query::expand::search::{ExpandEnd, ExpandLimits};
use crate::query::expand::{ExpandFrom, ExpandWish, Expansion, expand};
use crate::report::expand::{ExpandRecord, csv, tree, view};
use crate::report::output::json;
use crate::token::printable;

pub(super) fn run(query: &mut QueryContext, args: &ExpandArgs) -> Result<(), Stop> {
    let from = match &args.chat {
        Some(path) => ExpandFrom::Chat(Box::new(conversation(query, path)?)),
        None => ExpandFrom::Text(query.text(args.prompt.text.as_deref(), args.prompt.file.as_deref())?),
    };
    let limits = ExpandLimits {
        depth: args.depth as usize,
        width: args.width as usize,
        floor: args.floor,
        nodes: args.nodes as usize,
    };
    let wish = ExpandWish { from, limits };
    let format = if args.json { ExpandFormat::Json } else { args.format };
    let mut stopped = false;
    query.ask_each(format == ExpandFormat::Json, |query, running| {
        let found = answer(query, running, &wish)?;
        stopped |= found.end == ExpandEnd::Stopped;
        write(query, running, &found, format).map_err(Stop::Output)?;
        // What was stopped is shown as far as it goes; another model is not asked.
        if stopped && format != ExpandFormat::Json { Err(Stop::Interrupted) } else { Ok(()) }
    })?;
    if stopped { Err(Stop::Interrupted) } else { Ok(()) }
}

fn answer(query: &QueryContext, running: &mut Running, wish: &ExpandWish) -> Result<Expansion, QueryError> {
    let mut asker = query.asker(running);
    let far = asker.far.clone();
    let told = move |done, total| far(Far { what: "reading", unit: "tokens", done, total });
    asker.client.watch(Some(Box::new(told)));
    let found = expand(&mut asker, wish);
    asker.client.watch(None);
    let found = found?;
    found.notes.iter().for_each(|note| query.say(note));
    Ok(found)
}

fn write(
    query: &mut QueryContext,
    running: &Running,
    found: &Expansion,
    format: ExpandFormat,
) -> std::io::Result<()> {
    let (several, paint, vocab) = (query.several(), query.paint(), &running.model.vocab);
    let out = &mut query.out;
    match format {
        ExpandFormat::Json => json(out, &ExpandRecord::new(found, vocab, &running.origin)),
        ExpandFormat::Csv => {
            let mut text = Vec::new();
            csv(&mut text, found, vocab, several.then_some(running.origin.model.as_str()))?;
            match std::io::stdout().is_terminal() {
                // A terminal would act on its control characters.
                true => String::from_utf8_lossy(&text)
                    .lines()
                    .try_for_each(|line| writeln!(out, "{}", printable(line))),
                false => out.write_all(&text),
            }
        }
        ExpandFormat::Table | ExpandFormat::Tree => {
            if several {
                writeln!(out, "{}", running.origin.model)?;
            }
            let shown = if format == ExpandFormat::Tree { tree } else { view };
            shown(found, vocab).write(out, paint)?;
            if several { writeln!(out) } else { Ok(()) }
        }
    }
}
