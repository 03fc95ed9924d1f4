//! What a key can ask for, by the name that the config file uses.

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyAction {
    /// Stop the running reply; when idle, clear the draft and hint, and then leave.
    Stop,
    /// Leave; asks first where something would be lost.
    Quit,
    /// Hand the terminal back to the shell for a while.
    Suspend,
    /// Draw everything anew.
    Redraw,
    /// Show the keys.
    Help,
    /// Search all commands, panes, themes and settings.
    Palette,
    /// Next or previous pane.
    Focus(isize),
    /// Walk by tokens.
    Walk(isize),
    /// First token.
    First,
    /// Last token.
    Last,
    /// Next or previous token where the model was unsure.
    Unsure(isize),
    /// Look for a text in the conversation.
    Find,
    /// The next or the previous step in the order of doubt.
    Doubt(isize),
    /// Another measure of doubt.
    Measure,
    /// Back to the newest step.
    Live,
    /// Scroll by rows.
    Scroll(isize),
    /// Scroll by pages.
    Page(isize),
    /// Let the focused pane fill the screen, or show all panes again.
    Zoom,
    /// Next way to colour.
    Colour,
    /// Show or hide the template's scaffold.
    Frame,
    /// More or fewer candidates.
    Candidates(isize),
    /// More or less of a steering vector.
    Dose(isize),
    /// Open the lens for the step under the cursor.
    Lens,
    /// Ask what other settings would make of the step under the cursor.
    WhatIf,
    /// Go to the tree of branches, or back.
    Tree,
    /// Go to the second model beside the first, or back.
    Beside,
    /// One more token.
    One,
    /// Stop the reply, or go on with it.
    Pause,
    /// Answer again.
    Retry,
    /// Say what the figures of the pane are.
    Explain,
    /// Say that what the cursor is on is right, or wrong.
    Mark(bool),
    /// Take the last mark back.
    MarkUndo,
    /// Begin a span that is to be marked.
    Span,
    /// Hand the reply or the table to the clipboard.
    Copy,
    /// Something that one pane alone does.
    Own(Own),
}

/// An action of one pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Own {
    /// In the config file.
    pub name: &'static str,
    /// In the help.
    pub help: &'static str,
}

/// Every action of the whole screen: what the config file calls it, and what it does in a few words. Two
/// that belong together say the same.
const ACTIONS: [(&str, KeyAction, &str); 43] = [
    ("stop", KeyAction::Stop, "stop the reply, or clear what is written; twice when idle: leave"),
    ("leave", KeyAction::Quit, "leave; asks where something would be lost"),
    ("suspend", KeyAction::Suspend, "back to the shell; fg returns"),
    ("redraw", KeyAction::Redraw, "draw the screen anew"),
    ("help", KeyAction::Help, "show keys, commands and figures"),
    ("palette", KeyAction::Palette, "search all commands, panes, themes and settings"),
    ("next-pane", KeyAction::Focus(1), PANE),
    ("previous-pane", KeyAction::Focus(-1), PANE),
    ("previous-token", KeyAction::Walk(-1), WALK),
    ("next-token", KeyAction::Walk(1), WALK),
    ("first-token", KeyAction::First, ENDS),
    ("last-token", KeyAction::Last, ENDS),
    ("next-unsure", KeyAction::Unsure(1), UNSURE),
    ("previous-unsure", KeyAction::Unsure(-1), UNSURE),
    (
        "find",
        KeyAction::Find,
        "look for a text in the conversation; n and N go to the next, previous place, Esc ends it",
    ),
    ("next-doubt", KeyAction::Doubt(1), DOUBT),
    ("previous-doubt", KeyAction::Doubt(-1), DOUBT),
    (
        "measure",
        KeyAction::Measure,
        "doubt by surprisal, margin, entropy: go to the first step by the next of them",
    ),
    ("newest", KeyAction::Live, "back to the newest step and to the message"),
    ("scroll-up", KeyAction::Scroll(-1), "scroll"),
    ("scroll-down", KeyAction::Scroll(1), "scroll"),
    ("page-up", KeyAction::Page(-1), PAGE),
    ("page-down", KeyAction::Page(1), PAGE),
    ("zoom", KeyAction::Zoom, "the pane that has the keys fills the screen; again: all panes"),
    ("colour", KeyAction::Colour, "colour by probability, surprisal, entropy, rank, off"),
    ("frame", KeyAction::Frame, "show, hide the frame: what the chat template puts around the messages"),
    ("more-candidates", KeyAction::Candidates(1), CANDIDATES),
    ("fewer-candidates", KeyAction::Candidates(-1), CANDIDATES),
    ("more-steering", KeyAction::Dose(1), DOSE),
    ("less-steering", KeyAction::Dose(-1), DOSE),
    ("lens", KeyAction::Lens, "the lens: why the token under the cursor; again: look now"),
    ("tree", KeyAction::Tree, "the tree of branches; again: back to the table"),
    ("what-if", KeyAction::WhatIf, "what if: the step under the cursor with other settings of the sampler"),
    ("beside", KeyAction::Beside, "the second model beside the first; again: back to the table"),
    ("one-token", KeyAction::One, "one more token of the reply"),
    ("pause", KeyAction::Pause, "stop the reply; again: go on with it"),
    ("explain", KeyAction::Explain, "what the figures of the pane are, each with its value"),
    ("mark-right", KeyAction::Mark(true), MARK),
    ("mark-wrong", KeyAction::Mark(false), MARK),
    ("mark-undo", KeyAction::MarkUndo, "take the last mark back"),
    ("mark-span", KeyAction::Span, "begin a span at the cursor, which ends where you walk, to be marked"),
    (
        "copy",
        KeyAction::Copy,
        "copy the reply, in the table the table (/copy command: what writes the reply again)",
    ),
    ("retry", KeyAction::Retry, "answer the last message again, beside the reply there is"),
];

const MARK: &str = "mark the token at the cursor, the span or (without a cursor) the reply as right, wrong";
const PANE: &str = "next, previous pane";
const WALK: &str = "walk token by token; the panels follow";
const ENDS: &str = "first, last token";
const UNSURE: &str =
    "next, previous unsure step (no candidate has half the mass), or place of what is looked for";
const DOUBT: &str = "the step of the replies most in doubt, then the next, the one before";
const PAGE: &str = "scroll the conversation by a page, or what the pane shows: candidates, branches, a lens";
const DOSE: &str = "more, less of the steering vector; the step's table follows";
const CANDIDATES: &str = "more, fewer candidates (k)";

impl KeyAction {
    /// Every action of the whole screen and its name.
    pub fn all() -> impl Iterator<Item = (&'static str, KeyAction)> {
        ACTIONS.into_iter().map(|(name, action, _)| (name, action))
    }

    /// What it does, in a few words.
    pub fn help(self) -> &'static str {
        match self {
            KeyAction::Own(own) => own.help,
            _ => ACTIONS.iter().find(|(_, action, _)| *action == self).map_or("", |(_, _, help)| help),
        }
    }
}
