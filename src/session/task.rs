//! What a session has done outside: files are read and written, prompts are rendered and tokenized.
//!
//! A [`Task`] is data and its own instruction; what comes of it goes back to
//! [`Session::on_done`](super::Session::on_done). Must not touch a session.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use super::branches::Branches;
use super::calibration::{AllVerdicts, SessionVerdicts, shown};
use super::error::SessionError;
use super::export::{Export, ExportAbout, ExportFormat};
use super::judgement::{JudgedIn, judgements};
use super::kept::{KeptConversation, events};
use crate::archive::event::{Judged, ModelLine, Pin};
use crate::archive::keeper::{HeldFile, NotHeld};
use crate::archive::read::{self, Kind, Opened};
use crate::archive::scribe::Scribe;
use crate::archive::shelf::Shelf;
use crate::archive::{PinnedFigures, Saved};
use crate::aside::{self, Left};
use crate::chat::{ChatPrompt, ChatTemplate, Conversation, Message, continued, system};
use crate::distribution::Depth;
use crate::engine::{CancelFlag, EngineError, ModelInfo};
use crate::files::{self, Existing, WriteError};
use crate::grammar::{ConstraintSource, ReadConstraint};
use crate::intervention::{Since, Steering};
use crate::model::control;
use crate::paths::Paths;
use crate::query::text::TextEncoder;
use crate::report::output::json_line;
use crate::report::view::View;
use crate::settings::key::SettingKey;
use crate::settings::{Bos, SettingsError};
use crate::token::{TokenId, Vocab};

/// Something to do outside.
#[derive(Clone, Debug)]
pub enum Task {
    /// Make the prompt of a conversation.
    Prompt {
        /// What was said.
        messages: Vec<Message>,
        /// Who reads it.
        model: Arc<ModelInfo>,
        /// Its template.
        template: Arc<ChatTemplate>,
    },
    /// Tokenize texts that go on after what is there, each by itself.
    Encode {
        /// What is done with the tokens.
        then: Then,
        /// The texts; an empty one has no tokens.
        texts: [String; 2],
        /// Who reads them.
        model: Arc<ModelInfo>,
    },
    /// Read a model's chat template.
    Template(Arc<ModelInfo>),
    /// Render what the model would read of a first message.
    Example(Vec<Message>, Arc<ChatTemplate>),
    /// Find the template's own system prompt; the text that goes before it.
    TemplateSystem(String, Arc<ChatTemplate>),
    /// Read a grammar, a schema or an expression that is to constrain replies.
    Constrain(SettingKey, String),
    /// Read a steering vector that is to be added.
    Vector(Steering, Since),
    /// Keep the conversation in a file.
    Save(Box<Snapshot>, String, Existing),
    /// Write its figures to a file.
    Export(Box<Snapshot>, String, Existing),
    /// Read a conversation from a file.
    Load(String),
    /// Find a saved session and read it, to go on with it.
    Resume(String),
    /// List the saved sessions.
    ListSessions,
    /// Put what was marked beside its probabilities, over all sessions and this conversation.
    Calibrate(Option<Box<SessionVerdicts>>),
}

/// What is done with the tokens of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// They stand at this position of the conversation, and it goes on from there.
    Force(usize),
    /// Replies begin with them.
    Begin,
    /// Their first is pinned.
    Pin,
    /// The model goes on with them, outside of its template; with BOS and special tokens by these rules.
    Raw(Bos, bool),
}

/// A conversation as it is at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Whose figures it holds.
    pub model: ModelLine,
    /// What its tokens stand for.
    pub vocab: Arc<Vocab>,
    /// Every way it has gone.
    pub branches: Branches,
    /// What holds, by name.
    pub settings: BTreeMap<String, String>,
    /// What people said of its tokens.
    pub verdicts: Vec<Judged>,
    /// Texts that are pinned.
    pub pins: Vec<Pin>,
    /// What is known of their first tokens.
    pub pinned: PinnedFigures,
    /// Candidates of each token that are exported.
    pub k: Depth,
    /// Which of its states this is.
    pub version: u32,
}

impl Snapshot {
    /// What of it is kept.
    pub(super) fn kept(&self) -> KeptConversation<'_> {
        KeptConversation {
            model: &self.model,
            vocab: &self.vocab,
            branches: &self.branches,
            beside: &[],
            settings: Some(self.settings.clone()),
            verdicts: &self.verdicts,
            pins: &self.pins,
            pinned: &self.pinned,
        }
    }
}

/// A saved session that was found and read.
#[derive(Debug)]
pub struct FoundSession {
    /// The conversation.
    pub saved: Saved,
    /// The file, where it may be gone on with.
    pub held: Option<HeldFile>,
    /// Why it may not.
    pub locked: Option<String>,
    /// Its file's name.
    pub name: String,
}

/// What came of a [`Task`].
#[derive(Debug)]
pub enum Done {
    /// The prompt.
    Prompt(Box<ChatPrompt>),
    /// The tokens, and what is done with them.
    Encoded(Then, Vec<TokenId>),
    /// The template, or what is wrong with it.
    Template(Result<Arc<ChatTemplate>, String>),
    /// What to tell the person.
    Told(String),
    /// What to show the person.
    Shown(Box<View>),
    /// The constraint, and the setting that names it.
    Constraint(SettingKey, String, ReadConstraint),
    /// The vector, read, and from where on it is to be added.
    Vector(Steering, Since),
    /// This state of the conversation is in that file.
    Saved(u32, String),
    /// The conversation of this file.
    Loaded(Box<Saved>, String),
    /// The saved session that was meant.
    Resumed(Box<FoundSession>),
}

impl Task {
    /// Whether it writes a file, which must not be left half done.
    pub fn writes(&self) -> bool {
        matches!(self, Task::Save(..) | Task::Export(..))
    }

    /// Does it on a thread of its own and waits for that; whoever raises the flag does not.
    ///
    /// # Errors
    /// [`SessionError`].
    pub fn run_aside(self, cancel: &CancelFlag) -> Result<Done, SessionError> {
        match aside::run("task", &|| cancel.is_cancelled(), move || self.run()) {
            Ok(done) => done,
            Err(Left::Interrupted) => Err(SessionError::Stopped),
            Err(Left::Died(reason)) => Err(SessionError::Died(reason)),
        }
    }

    /// Does it.
    ///
    /// # Errors
    /// [`SessionError`].
    pub fn run(self) -> Result<Done, SessionError> {
        match self {
            Task::Prompt { messages, model, template } => prompt(&messages, &model, &template),
            Task::Encode { then, texts, model } => encode(then, &texts, &model),
            Task::Template(model) => {
                let template = ChatTemplate::of_model(&model, None).map(Arc::new);
                Ok(Done::Template(template.map_err(|error| error.to_string())))
            }
            Task::Example(messages, template) => {
                Ok(Done::Told(match template.render(&Conversation::from(messages), true) {
                    Ok(rendered) => {
                        format!("what the model will read of your first message:\n{}", rendered.text)
                    }
                    Err(error) => format!("the model's chat template refuses a first message: {error}"),
                }))
            }
            Task::TemplateSystem(before, template) => {
                let of_template = match system::of_template(&template) {
                    Some(text) => format!(
                        "the model's chat template writes its own: {text}\n/system NAME or TEXT replaces it, /prompt shows all that the model reads"
                    ),
                    None => {
                        "the model's chat template writes none of its own either; /system NAME or TEXT sets one"
                            .to_string()
                    }
                };
                Ok(Done::Told(before + &of_template))
            }
            Task::Constrain(key, text) => {
                let source = match key {
                    SettingKey::Regex => ConstraintSource::Regex(text.clone()),
                    SettingKey::JsonSchema => ConstraintSource::JsonSchema(files::named(&text)),
                    _ => ConstraintSource::Grammar(files::named(&text)),
                };
                Ok(Done::Constraint(
                    key,
                    text,
                    source.read().map_err(|error| SettingsError::from(error.given("/set ")))?,
                ))
            }
            Task::Vector(mut dose, since) => {
                control::read_dose(&mut dose).map_err(SettingsError)?;
                Ok(Done::Vector(dose, since))
            }
            Task::Save(now, file, existing) => {
                let told = events(&now.kept(), &mut Scribe::new(Depth::Count(usize::MAX)));
                let write = &mut |mut out: &mut dyn Write| {
                    told.iter().try_for_each(|event| json_line(&mut out, event))
                };
                files::write(&files::named(&file), existing, write)
                    .map_err(|error| not_written("/save", &file, error))?;
                Ok(Done::Saved(now.version, file))
            }
            Task::Export(now, file, existing) => export(&now, file, existing),
            Task::Load(file) => Ok(Done::Loaded(Box::new(read::read(&files::named(&file))?.saved), file)),
            Task::Resume(named) => resume(&named),
            Task::Calibrate(here) => Ok(Done::Shown(Box::new(calibrated(here)?))),
            Task::ListSessions => Ok(Done::Told(listed(&Shelf::at(&Paths::from_env()?)))),
        }
    }
}

/// Finds a session, takes its lock and reads it.
fn resume(named: &str) -> Result<Done, SessionError> {
    let path = Shelf::at(&Paths::from_env()?).find(named)?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    // The lock comes first: what is read then is what is there when the conversation goes on.
    let held = files::regular(&path).map_err(NotHeld::Io).and_then(|()| HeldFile::take(&path));
    let Opened { saved, kind, note, whole } = read::read(&path)?;
    let (held, locked) = match (kind, held) {
        (Kind::Session, Ok(held)) => (Some(held.keeping(whole)), None),
        (Kind::Session, Err(NotHeld::Busy)) => (None, Some("it is open in another tokenscope".to_string())),
        (Kind::Session, Err(NotHeld::Io(error))) => {
            (None, Some(format!("its file can't be written to: {error}")))
        }
        (Kind::Other, _) => {
            (None, Some(note.unwrap_or_else(|| "its file is none that tokenscope goes on with".to_string())))
        }
    };
    Ok(Done::Resumed(Box::new(FoundSession { saved, held, locked, name })))
}

/// The sessions as a list for people.
fn listed(shelf: &Shelf) -> String {
    const SHOWN: usize = 30;
    let all = shelf.list();
    let rows = all.iter().take(SHOWN).map(|session| {
        format!("{}  {} ({}, {} messages)", session.name, session.title, session.model, session.messages)
    });
    let more = (all.len() > SHOWN).then(|| format!("… {} more", all.len() - SHOWN));
    let none = all.is_empty().then(|| "there is no session yet".to_string());
    rows.chain(more).chain(none).collect::<Vec<_>>().join("\n")
}

/// What was marked in all sessions, and here.
fn calibrated(here: Option<Box<SessionVerdicts>>) -> Result<View, SessionError> {
    let mut all = AllVerdicts::of(&Shelf::at(&Paths::from_env()?), "");
    all.sessions.extend(here.map(|here| *here));
    let mut view = shown::view(&all);
    all.unread.into_iter().for_each(|line| view.text(line));
    Ok(view)
}

fn encode(then: Then, texts: &[String], model: &ModelInfo) -> Result<Done, SessionError> {
    let mut ids = Vec::new();
    for text in texts.iter().filter(|text| !text.is_empty()) {
        may_fit(text, model)?;
        let these = match then {
            Then::Raw(bos, special) => {
                let encoder = TextEncoder::new(model, bos, special).map_err(SessionError::Text)?;
                encoder.encode(text.as_bytes()).map_err(SessionError::Text)?.ids()
            }
            _ => continued(text, model.tokenizer.as_ref(), &model.vocab)
                .map_err(|lost| SessionError::Text(lost.into()))?,
        };
        ids.extend(these);
    }
    match ids.len() {
        0 => Err(EngineError::Empty.into()),
        n if n >= model.context as usize => {
            Err(SessionError::TooLong { needed: n + 1, context: model.context as usize })
        }
        _ => Ok(Done::Encoded(then, ids)),
    }
}

fn prompt(messages: &[Message], model: &ModelInfo, template: &ChatTemplate) -> Result<Done, SessionError> {
    let context = model.context as usize;
    messages.last().map_or(Ok(()), |message| may_fit(&message.text(), model))?;
    let prompt = template
        .encode(messages, model.tokenizer.as_ref(), &model.vocab)
        .map_err(|error| SessionError::Template(error.to_string()))?;
    match prompt.tokens.len() {
        needed if needed >= context => Err(SessionError::TooLong { needed: needed + 1, context }),
        _ => Ok(Done::Prompt(Box::new(prompt))),
    }
}

/// Whether a text may fit into the context. No tokenizer is needed to see that one of many times its length
/// does not.
pub(super) fn may_fit(text: &str, model: &ModelInfo) -> Result<(), SessionError> {
    let context = model.context as usize;
    if text.len() <= context || model.vocab.is_open_ended() {
        return Ok(());
    }
    let longest = model.vocab.ids().map(|id| model.vocab.bytes(id).len()).max().unwrap_or(1).max(1);
    match text.len() / longest {
        at_least if at_least >= context => Err(SessionError::FarTooLong { at_least, context }),
        _ => Ok(()),
    }
}

fn export(now: &Snapshot, file: String, existing: Existing) -> Result<Done, SessionError> {
    let format =
        ExportFormat::of(Path::new(&file)).ok_or_else(|| SessionError::UnknownFormat(file.clone()))?;
    let Snapshot { model, vocab, branches, settings, verdicts, k, .. } = now;
    let (model, provenance) = (model.model.clone(), model.provenance.clone());
    let about = ExportAbout { model, provenance, system: settings.get("system").cloned() };
    let (sequence, turns) = (branches.sequence(), branches.turns());
    let judgements = judgements(JudgedIn {
        tree: branches.tree(),
        vocab,
        branches: branches.all(),
        verdicts,
        system: about.system.as_deref(),
    });
    let export = Export { sequence, turns, vocab, about: &about, k: *k, branches, judgements };
    files::write(&files::named(&file), existing, &mut |out| export.write(out, format))
        .map_err(|error| not_written("/export", &file, error))?;
    Ok(Done::Told(format!("written to {file}")))
}

/// Names the file as the person did.
fn not_written(command: &'static str, file: &str, error: WriteError) -> SessionError {
    let file = file.to_string();
    match error {
        WriteError::Exists => SessionError::Exists { command, file },
        WriteError::Io(error) => SessionError::NotWritten(file, error),
    }
}
