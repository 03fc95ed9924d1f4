//! `tokenscope tokenize`: a text's tokens, a conversation's, and whether another tokenizer agrees.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::context::{QueryContext, Stop, conversation, marked_text, wrong};
use crate::app::failure::Failure;
use crate::app::running;
use crate::chat::{ChatTemplate, Conversation};
use crate::cli::TokenizeArgs;
use crate::engine::{CancelFlag, ModelInfo, vocabulary};
use crate::loading::{self, AskOnTerminal};
use crate::model::bar::TerminalProgress;
use crate::model::{Library, Purpose, ServerAddress};
use crate::query::text::Encoded;
use crate::report::check::CheckedText;
use crate::report::record::Origin;
use crate::report::tokens::{Frame, TokenPlace, json, of_prompt, of_text, rendered, table};
use crate::tokenizer::{CompareWith, TokenizerQuestion, TokenizersCompared};

/// A model's vocabulary, without its weights.
struct Words {
    model: Arc<ModelInfo>,
    origin: Origin,
}

impl Words {
    fn load(query: &QueryContext) -> Result<Words, Stop> {
        let settings = &query.settings;
        let progress = TerminalProgress::new(Arc::clone(&query.interrupted), settings.quiet);
        if ServerAddress::is_meant(&settings.model) {
            let found = loading::find(settings, query.paths, query.cancel(), &progress, &AskOnTerminal)?;
            let (_, model) = running::load(&found.options, settings.quiet)?;
            return Ok(Words::of(query, model, None));
        }
        let library = Library::at(query.paths, std::env::current_exe().ok());
        let file = library.resolve(&settings.model, Purpose::Tokenize, &progress)?;
        let sha256 = match file.sha256 {
            Some(sum) => sum,
            None => library.sha256_of(&file.path, &progress)?,
        };
        progress.clear();
        let model = vocabulary::load(&file.path, &file.name)?;
        let quantization = file.summary.quantization;
        Ok(Words::of(query, Arc::new(ModelInfo { quantization, ..model }), Some(sha256)))
    }

    fn of(query: &QueryContext, model: Arc<ModelInfo>, sha256: Option<String>) -> Words {
        let mut origin = Origin::new(&model, &query.settings, sha256);
        query.tell_seed(&mut origin);
        query.show_header(&origin.vocabulary_header());
        Words { model, origin }
    }
}

pub(super) fn run(query: &mut QueryContext, args: &TokenizeArgs) -> Result<(), Stop> {
    match &args.chat {
        Some(path) => {
            let chat = Chat::read(query, path, args.template.as_deref())?;
            query.each(args.json, Words::load, |query, words| chat.answer(query, args, words))
        }
        None => {
            let text = query.text(args.text.text.as_deref(), args.text.file.as_deref())?;
            query.each(args.json, Words::load, |query, words| of_raw(query, args, words, &text))
        }
    }
}

fn of_raw(query: &mut QueryContext, args: &TokenizeArgs, words: &Words, text: &[u8]) -> Result<(), Stop> {
    let encoded = query.encoder_of(&words.model)?.encode(text)?;
    if let Some(from) = encoded.rewritten_from {
        let at = from + 1;
        query
            .say(&format!("this tokenizer reads another text than this from byte {at} on: no offsets there"));
    }
    let vocab = &words.model.vocab;
    let places = until_cancelled(of_text(&encoded), query.cancel());
    let mut frame = Frame { origin: &words.origin, rendered: None, check: None };
    match &args.check {
        Some(file) => {
            let against = file.clone().map_or(CompareWith::Gguf, CompareWith::File);
            let compared = compare(query, &against, words, text, &encoded)?;
            query.differs |= !compared.is_same();
            let checked =
                CheckedText { against: &against, text, encoded: &encoded, compared: &compared, vocab };
            let record = checked.record();
            frame.check = Some(&record);
            match args.json {
                true => json(&mut query.out, places, vocab, frame),
                false => checked.write(&mut query.out),
            }
        }
        None if args.json => json(&mut query.out, places, vocab, frame),
        None => table(&mut query.out, places, vocab, false),
    }
    .map_err(Stop::Output)?;
    if query.cancel().is_cancelled() { Err(Stop::Interrupted) } else { Ok(()) }
}

/// A long list ends where the person has seen enough.
fn until_cancelled(
    places: impl Iterator<Item = TokenPlace>,
    cancel: CancelFlag,
) -> impl Iterator<Item = TokenPlace> {
    places.take_while(move |_| !cancel.is_cancelled())
}

fn compare(
    query: &QueryContext,
    against: &CompareWith,
    words: &Words,
    text: &[u8],
    encoded: &Encoded,
) -> Result<TokenizersCompared, Stop> {
    let question = TokenizerQuestion {
        against: against.clone(),
        model: words.model.path.clone(),
        text: text.to_vec(),
        ids: encoded.ids().split_off(usize::from(encoded.has_bos)),
        special: query.settings.special,
    };
    Ok(question.answer(&query.cancel())?)
}

/// A conversation, and the template to render it with.
struct Chat {
    conversation: Conversation,
    /// Its file and text.
    template: Option<(PathBuf, String)>,
}

impl Chat {
    fn read(query: &QueryContext, path: &Path, template: Option<&Path>) -> Result<Chat, Stop> {
        let conversation = conversation(query, path)?;
        let template = template.map(|path| {
            let text = marked_text(query, path)?;
            Ok::<_, Stop>((path.to_path_buf(), text))
        });
        Ok(Chat { conversation, template: template.transpose()? })
    }

    fn answer(&self, query: &mut QueryContext, args: &TokenizeArgs, words: &Words) -> Result<(), Stop> {
        let model = &words.model;
        let source = self.template.as_ref().map(|(_, text)| text.as_str());
        let wrong = |error: &dyn std::fmt::Display| match &self.template {
            Some((path, _)) => wrong(path, error),
            None => Failure::usage(error),
        };
        let template = ChatTemplate::of_model(model, source).map_err(|error| wrong(&error))?;
        let prompt = template
            .encode_conversation(&self.conversation, true, model.tokenizer.as_ref(), &model.vocab)
            .map_err(|error| wrong(&error))?;
        for note in &prompt.notes {
            query.say(&note.to_string());
        }
        let tokens = of_prompt(&prompt);
        if args.json {
            let frame = Frame { origin: &words.origin, rendered: Some(&prompt.text), check: None };
            return json(&mut query.out, tokens, &model.vocab, frame).map_err(Stop::Output);
        }
        let paint = query.paint();
        rendered(&mut query.out, &prompt, paint)
            .and_then(|()| table(&mut query.out, tokens, &model.vocab, true))
            .map_err(Stop::Output)
    }
}
