//! Everything the screen shows, in one value. Changed by [`super::update`] alone.

use std::ops::Range;
use std::sync::Arc;

use ratatui::layout::{Rect, Size};

use crate::counter::Far;
use crate::distribution::Depth;
use crate::session::state::Fetch;
use crate::session::{Notice, Session, turn::Turn};
use crate::settings::key::SettingKey;
use crate::step::{Step, TokenStats};

use super::beside::held::SecondModel;
use super::colouring::{Colouring, is_unsure};
use super::composer::Composer;
use super::diff::DiffState;
use super::dosed::Dosed;
use super::keys::KeyPress;
use super::layout::{Areas, Tab, Wish, areas, candidate_rows, inside, message_columns, text_width};
use super::lens::LensState;
use super::look::Appearance;
use super::pace::Held;
use super::pane::{BESIDE, CHAT, Fronts, MESSAGE, Pane, Slot, TABLE};
use super::seek::SeekState;
use super::sums::Sums;
use super::theme::{THEMES, Theme};
use super::transcript::Transcript;
use super::what_if::WhatIfState;

/// Questions to begin with: chosen because the default model, as the catalogue has it computed and sampled,
/// answers them well greedily and with each of five seeds. (The capital of France it knows greedily, and
/// with three of five: `L'Étoile` is nearly as probable as `The capital`.)
pub const EXAMPLES: [&str; 3] =
    ["What is the capital of Japan?", "What is photosynthesis?", "Name three primary colors."];

/// The whole state.
pub struct State {
    /// The conversation.
    pub session: Session,
    /// Columns and rows.
    pub size: Size,
    /// Where the keys go.
    pub focus: &'static Pane,
    /// What each place of the screen shows.
    pub fronts: Fronts,
    /// Keys and themes, as the config file has them.
    pub look: Appearance,
    /// Which side a narrow screen shows.
    pub tab: Tab,
    /// Whether the focused pane fills the screen.
    pub zoom: bool,
    /// The message being written.
    pub composer: Composer,
    /// The chat pane.
    pub transcript: Transcript,
    /// The step the panels show; `None` for the newest.
    pub cursor: Option<usize>,
    /// How far the table is scrolled.
    pub table_scroll: usize,
    /// The candidate that is chosen, counted from 0.
    pub table_row: Option<usize>,
    /// The branch that is chosen in the tree.
    pub tree_row: Option<u32>,
    /// The branch that is taken out when the key is pressed again.
    pub tree_gone: Option<u32>,
    /// The branch whose reply is chosen among those beside one another.
    pub reply_column: Option<u32>,
    /// Which of these is the first in view, as far as the chosen one then is and no place stays empty.
    pub reply_first: usize,
    /// How far their texts are scrolled.
    pub reply_scroll: usize,
    /// The branches that are compared.
    pub diff: DiffState,
    /// Where a span begins that is to be marked.
    pub span: Option<usize>,
    /// The path's log-probabilities, added up.
    pub sums: Sums,
    /// The lens pane.
    pub lens: LensState,
    /// The what-if pane.
    pub what_if: WhatIfState,
    /// What is looked for in the conversation.
    pub seek: SeekState,
    /// The second model.
    pub beside: SecondModel,
    /// A step with another dose of a steering vector.
    pub dosed: Option<Dosed>,
    /// How the conversation is coloured.
    pub colouring: Colouring,
    /// Whether the template's scaffold is shown.
    pub scaffold: bool,
    /// How far a copy of the weights is that is made meanwhile.
    pub copying: Option<Fetch>,
    /// How far the answer to a question is.
    pub far: Option<Far>,
    /// Whether the keys are shown, and from which line.
    pub help: Option<usize>,
    /// The key that leaves when it is pressed again.
    pub leaving: Option<KeyPress>,
    /// The question that Enter asks while nothing was said.
    pub example: usize,
    /// Steps that slow motion shows later.
    pub held: Held,
    /// Colours.
    pub theme: Theme,
}

impl State {
    /// The state before anything happened.
    pub fn new(session: Session, size: Size, look: Appearance) -> State {
        let theme = look.theme(&look.theme).unwrap_or(THEMES[0].2);
        let mut state = State {
            session,
            size,
            focus: &MESSAGE,
            fronts: Fronts::default(),
            tab: Tab::Chat,
            zoom: false,
            composer: Composer::default(),
            transcript: Transcript::default(),
            cursor: None,
            table_scroll: 0,
            table_row: None,
            tree_row: None,
            tree_gone: None,
            reply_column: None,
            reply_first: 0,
            reply_scroll: 0,
            diff: DiffState::default(),
            span: None,
            sums: Sums::default(),
            lens: LensState::default(),
            what_if: WhatIfState::default(),
            seek: SeekState::default(),
            beside: SecondModel::default(),
            dosed: None,
            colouring: Colouring::Off,
            scaffold: false,
            copying: None,
            far: None,
            help: None,
            leaving: None,
            example: 0,
            held: Held::default(),
            theme,
            look,
        };
        if let Some(second) = state.session.settings().other_models.first() {
            state.beside = SecondModel::named(second);
            state.fronts.show(&BESIDE);
        }
        state.sync();
        state
    }

    /// The panes of the screen as far as its size is known. For keys and clicks; what is drawn goes by
    /// the size of what it is drawn on ([`State::areas_of`]).
    pub fn areas(&self) -> Option<Areas> {
        self.areas_of(self.size)
    }

    /// The panes of a screen of this size.
    pub fn areas_of(&self, size: Size) -> Option<Areas> {
        self.areas_with(size, self.tab, self.zoom)
    }

    fn areas_with(&self, size: Size, tab: Tab, zoom: bool) -> Option<Areas> {
        // Questions to begin with, and the keys that matter, need the room of a table that is empty.
        let stacked = !self.is_welcoming();
        let wish = Wish { tab, focus: self.focus, zoom, stacked, fronts: self.fronts };
        // The composer's own width depends on whether the panes stand side by side.
        let sketch = areas(size, 1, wish)?;
        let message = sketch.of(self.fronts.of(MESSAGE.slot)).map(|place| message_columns(place.area));
        let rows = self.composer.editor().rows(message.unwrap_or(1)).len();
        let lines = u16::try_from(rows).unwrap_or(u16::MAX);
        areas(size, lines, wish)
    }

    /// Whether a pane has the keys.
    pub fn has_keys(&self, pane: &Pane) -> bool {
        self.focus == pane && self.help.is_none()
    }

    /// Gives a pane the keys, and a place on the screen.
    pub fn focus_on(&mut self, pane: &'static Pane) {
        // Another pane has to be seen.
        self.zoom &= self.focus == pane;
        self.focus = pane;
        self.fronts.show(pane);
        self.composer.close_completions();
        self.tab = match pane.slot {
            Slot::Conversation => Tab::Chat,
            Slot::Upper | Slot::Lower => Tab::Panels,
            // Writing goes on beside whatever is shown.
            Slot::Message => self.tab,
        };
    }

    /// Brings what is derived up to date: wrapped rows, the scroll position.
    pub fn sync(&mut self) {
        self.session.keep(usize::from(self.size.height));
        self.sums.sync(&self.session);
        // The place it has, or will have when it is shown again.
        let areas = self.areas_with(self.size, Tab::Chat, self.zoom && *self.focus == CHAT);
        let message = areas.as_ref().and_then(|areas| areas.of(&MESSAGE));
        self.composer.editor_mut().show_in(message.map_or(1, |place| message_columns(place.area)));
        let Some(chat) = areas.and_then(|areas| areas.of(&CHAT)).map(|place| place.area) else { return };
        let frames = self.frames();
        let room = Size::new(text_width(chat), inside(chat).height);
        self.transcript.sync(&self.session, frames, room);
    }

    /// The stretches of scaffold that the chat shows, each with the turn it stands before: all of them, or
    /// the one that somebody walks on.
    fn frames(&self) -> Vec<(Turn, usize)> {
        let sequence = self.session.sequence();
        let Some(vocab) = self.session.vocab().filter(|_| self.scaffold || self.cursor.is_some()) else {
            return Vec::new();
        };
        let (mut stretches, mut end, mut next) = (Vec::new(), 0, 0);
        for (i, turn) in self.session.turns().iter().enumerate() {
            if let Some(tokens) = turn.tokens() {
                stretches.push((end..tokens.start, i));
                (end, next) = (tokens.end, i + 1);
            }
        }
        stretches.push((end..sequence.len(), next));
        let is_shown = |range: &Range<usize>| {
            !range.is_empty() && (self.scaffold || self.cursor.is_some_and(|token| range.contains(&token)))
        };
        let shown = stretches.into_iter().filter(|(range, _)| is_shown(range));
        let frame = |(range, before): (Range<usize>, usize)| {
            let ids: Vec<_> = range.clone().filter_map(|i| sequence.get(i)).map(|token| token.id).collect();
            (Turn::frame(range.start, &ids, vocab), before)
        };
        shown.map(frame).collect()
    }

    /// Shows the scaffold, or only what was said.
    pub fn toggle_scaffold(&mut self) {
        self.scaffold = !self.scaffold;
        if self.cursor.is_some() {
            self.after_walking();
        }
    }

    /// Whether the questions to begin with are shown.
    pub fn is_welcoming(&self) -> bool {
        self.transcript.has_no_notes() && self.session.turns().is_empty()
    }

    /// How far the prompt is read, in words, while nobody looks at another step: the figures of its first
    /// tokens would belong to nothing on the screen.
    pub fn reading(&self) -> Option<(String, f32)> {
        let (done, total) = self.session.job()?.prefill;
        if self.cursor.is_some() || done >= total {
            return None;
        }
        let what = match self.session.turns() {
            [_] | [_, _] => "your message",
            _ => "the conversation",
        };
        Some((format!("{done} of {total} tokens of {what} and its frame"), done as f32 / total as f32))
    }

    /// The step the panels show.
    pub fn shown_step(&self) -> Option<usize> {
        let sequence = self.session.sequence();
        self.cursor.or_else(|| (0..sequence.len()).rev().find(|&i| sequence.step(i).is_some()))
    }

    /// The token of an answer that somebody walks on.
    pub fn answer_step(&self) -> Option<&Step> {
        self.transcript.row().and_then(|(answer, item)| answer.step(item))
    }

    /// The figures the panels show.
    pub fn shown(&self) -> Option<&TokenStats> {
        if let Some(step) = self.answer_step() {
            return step.stats.as_ref();
        }
        if let Some(stats) = self.dosed_stats() {
            return Some(stats);
        }
        self.shown_step()
            .and_then(|index| self.session.sequence().step(index))
            .and_then(|step| step.stats.as_ref())
    }

    /// The step under the cursor as it would be with the dose of now, where that is known.
    pub fn dosed_stats(&self) -> Option<&TokenStats> {
        let dosed = self.dosed.as_ref()?;
        let is_it = self.shown_step() == Some(dosed.at)
            && self.session.sequence().len() == dosed.length
            && !self.session.is_busy()
            && self.session.settings().interventions() == dosed.under;
        dosed.found.as_ref().filter(|_| is_it)?.stats.as_ref()
    }

    /// What that step would be computed under.
    pub fn dosed_under(&self) -> Option<String> {
        self.dosed_stats()?;
        self.dosed.as_ref().map(|dosed| dosed.under.told())
    }

    /// The turn a token of the sequence belongs to.
    pub fn turn_of(&self, token: usize) -> Option<&Turn> {
        let mut turns = self.session.turns().iter().map(Arc::as_ref);
        turns.find(|turn| turn.tokens().is_some_and(|range| range.contains(&token)))
    }

    /// How many candidates are shown: as many as were asked for, else as many as the table has rows for.
    pub fn candidates(&self) -> usize {
        self.candidates_on(self.areas().and_then(|areas| areas.of(&TABLE)).map(|place| place.area))
    }

    /// The same for a table of this size.
    pub fn candidates_on(&self, table: Option<Rect>) -> usize {
        let settings = self.session.settings();
        let asked = settings.k;
        match (asked, self.shown()) {
            (Depth::Count(k), Some(stats)) if !settings.sources.of(SettingKey::K).is_person() => {
                k.max(table.map_or(0, candidate_rows)).min(stats.prediction.top_logprobs.len().max(k))
            }
            (Depth::Count(k), _) => k,
            (_, Some(stats)) => stats.prediction.count(asked),
            (Depth::Mass(_), None) => 10,
        }
    }

    /// Moves the step cursor; past the last step it is live again.
    pub fn walk(&mut self, by: isize) {
        let Some(last) = self.session.sequence().len().checked_sub(1) else { return };
        let from = self.shown_step().unwrap_or(last);
        let to = from.saturating_add_signed(by).min(last);
        self.cursor = if by > 0 && from == last { None } else { Some(to) };
        self.after_walking();
    }

    /// Puts the step cursor on a token.
    pub fn walk_to(&mut self, token: usize) {
        if token < self.session.sequence().len() {
            self.cursor = Some(token);
            self.after_walking();
        }
    }

    /// Goes to the next step in a direction where the model was unsure; `false` if there is none.
    pub fn walk_to_unsure(&mut self, direction: isize) -> bool {
        let sequence = self.session.sequence();
        let Some(from) = self.shown_step() else { return false };
        let unsure =
            |&i: &usize| sequence.step(i).and_then(|step| step.stats.as_ref()).is_some_and(is_unsure);
        let found = if direction > 0 {
            (from + 1..sequence.len()).find(unsure)
        } else {
            (0..from).rev().find(unsure)
        };
        if let Some(token) = found {
            self.walk_to(token);
        }
        found.is_some()
    }

    fn after_walking(&mut self) {
        self.transcript.walk_rows_to(None);
        (self.table_scroll, self.table_row) = (0, None);
        self.sync();
        if let Some(token) = self.shown_step() {
            self.transcript.reveal(&self.session, token);
        }
    }

    /// Back to the newest step.
    pub fn live(&mut self) {
        self.transcript.walk_rows_to(None);
        (self.cursor, self.span) = (None, None);
        (self.table_scroll, self.table_row) = (0, None);
        self.transcript.follow();
    }

    /// Shows a notice in the conversation.
    pub fn tell(&mut self, notice: Notice) {
        self.transcript.note(notice);
        self.transcript.follow();
    }

    /// The model's name, for the status line.
    pub fn model_name(&self) -> String {
        match self.session.model() {
            Some(model) => format!("{} {}", model.name, model.quantization),
            None => self.session.settings().model.clone(),
        }
    }

    /// The loaded model.
    pub fn model(&self) -> Option<&Arc<crate::engine::ModelInfo>> {
        self.session.model()
    }
}
