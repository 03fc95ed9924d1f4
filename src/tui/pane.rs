//! The panes of the screen as layout, focus, help, keys and palette know them: what each is called, where
//! it stands, and its keys. What is drawn in one and what a click does there is its own file's, in
//! [`super::panels`].

use ratatui::layout::Rect;

use super::keys::action::{KeyAction, Own};

/// Every pane, in the order in which Tab goes round. The first of a slot is shown until another is asked
/// for.
pub static PANES: [&Pane; 10] =
    [&MESSAGE, &CHAT, &REPLIES, &DIFF, &TABLE, &TREE, &LENS, &WHAT_IF, &BESIDE, &LIKELIHOOD];

/// The message being written.
pub static MESSAGE: Pane = Pane {
    name: "message",
    about: "what you are writing",
    slot: Slot::Message,
    // Those that edit hold while nothing is written.
    keys: &[
        ("?", KeyAction::Help),
        ("left", KeyAction::Walk(-1)),
        ("right", KeyAction::Walk(1)),
        ("home", KeyAction::First),
        ("end", KeyAction::Last),
        ("ctrl-d", KeyAction::Quit),
    ],
};

/// The conversation.
pub static CHAT: Pane = Pane {
    name: "chat",
    about: "the conversation, token by token",
    slot: Slot::Conversation,
    keys: &[
        ("j", KeyAction::Own(Own { name: "next-row", help: ROWS })),
        ("k", KeyAction::Own(Own { name: "previous-row", help: ROWS })),
        ("enter", KeyAction::Own(Own { name: "take-row", help: TAKE })),
    ],
};

const ROWS: &str = "walk over the rows of the answers to /next, /score and the like; the figures follow";
const TAKE: &str = "on a candidate of /next or a continuation of /expand: take it and go on from there";

/// The replies to the last message.
pub static REPLIES: Pane = Pane {
    name: "replies",
    about: "the replies to the last message, side by side",
    slot: Slot::Conversation,
    keys: &[
        ("left", KeyAction::Own(Own { name: "reply-left", help: REPLY })),
        ("right", KeyAction::Own(Own { name: "reply-right", help: REPLY })),
        ("enter", KeyAction::Own(Own { name: "reply-go", help: "go to the chosen reply's branch" })),
        ("esc", KeyAction::Own(Own { name: "replies-close", help: "back to the conversation" })),
    ],
};

const REPLY: &str = "choose a reply";

/// Two branches.
pub static DIFF: Pane = Pane {
    name: "diff",
    about: "two branches side by side, from where they part",
    slot: Slot::Conversation,
    keys: &[
        ("up", KeyAction::Own(Own { name: "diff-up", help: DIFF_ROW })),
        ("down", KeyAction::Own(Own { name: "diff-down", help: DIFF_ROW })),
        ("left", KeyAction::Own(Own { name: "diff-left", help: DIFF_SIDE })),
        ("right", KeyAction::Own(Own { name: "diff-right", help: DIFF_SIDE })),
        ("home", KeyAction::Own(Own { name: "diff-first", help: DIFF_ENDS })),
        ("end", KeyAction::Own(Own { name: "diff-last", help: DIFF_ENDS })),
        ("enter", KeyAction::Own(Own { name: "diff-go", help: "go to the chosen token on its branch" })),
        ("esc", KeyAction::Own(Own { name: "diff-close", help: "back to the conversation" })),
    ],
};

const DIFF_ROW: &str = "walk over the rows; on the present branch the figures follow";
const DIFF_SIDE: &str = "the branch at the left, at the right";
const DIFF_ENDS: &str = "the first difference, the last row";

/// The next-token table.
pub static TABLE: Pane = Pane {
    name: "table",
    about: "the candidates for a token: raw and final probability, ln p",
    slot: Slot::Upper,
    keys: &[
        ("up", KeyAction::Own(Own { name: "candidate-up", help: CANDIDATE })),
        ("down", KeyAction::Own(Own { name: "candidate-down", help: CANDIDATE })),
        ("home", KeyAction::Own(Own { name: "first-candidate", help: CANDIDATES })),
        ("end", KeyAction::Own(Own { name: "last-candidate", help: CANDIDATES })),
        ("enter", KeyAction::Own(Own { name: "swap", help: SWAP })),
        ("1", KeyAction::Own(Own { name: "swap-1", help: NTH })),
        ("2", KeyAction::Own(Own { name: "swap-2", help: NTH })),
        ("3", KeyAction::Own(Own { name: "swap-3", help: NTH })),
        ("4", KeyAction::Own(Own { name: "swap-4", help: NTH })),
        ("5", KeyAction::Own(Own { name: "swap-5", help: NTH })),
        ("6", KeyAction::Own(Own { name: "swap-6", help: NTH })),
        ("7", KeyAction::Own(Own { name: "swap-7", help: NTH })),
        ("8", KeyAction::Own(Own { name: "swap-8", help: NTH })),
        ("9", KeyAction::Own(Own { name: "swap-9", help: NTH })),
    ],
};

const CANDIDATES: &str = "the first, the last candidates that are kept";
const CANDIDATE: &str = "choose a candidate of this step";
const SWAP: &str = "take the chosen candidate and go on from there, on a branch of its own";
const NTH: &str = "take the candidate of that number and go on from there";

/// The tree of branches.
pub static TREE: Pane = Pane {
    name: "tree",
    about: "every way the conversation has gone: sums, per token, lengths",
    slot: Slot::Upper,
    keys: &[
        ("up", KeyAction::Own(Own { name: "tree-up", help: BRANCH })),
        ("down", KeyAction::Own(Own { name: "tree-down", help: BRANCH })),
        ("enter", KeyAction::Own(Own { name: "tree-go", help: "go to the chosen branch" })),
        (
            "d",
            KeyAction::Own(Own {
                name: "tree-compare",
                help: "the present branch and the chosen one, side by side",
            }),
        ),
        ("x", PRUNE),
    ],
};

/// Asks first; the second time, it does it.
pub const PRUNE: KeyAction = KeyAction::Own(Own { name: "tree-prune", help: "take the chosen branch out" });

const BRANCH: &str = "choose a branch";

/// The lens pane.
pub static LENS: Pane = Pane {
    name: "lens",
    about: "why this token, by words, layers and attention",
    slot: Slot::Upper,
    keys: &[
        ("up", KeyAction::Own(Own { name: "row-up", help: ITEMS })),
        ("down", KeyAction::Own(Own { name: "row-down", help: ITEMS })),
        ("left", KeyAction::Own(Own { name: "item-left", help: ITEMS })),
        ("right", KeyAction::Own(Own { name: "item-right", help: ITEMS })),
        (",", KeyAction::Walk(-1)),
        (".", KeyAction::Walk(1)),
        ("1", KeyAction::Own(Own { name: "view-1", help: VIEWS })),
        ("2", KeyAction::Own(Own { name: "view-2", help: VIEWS })),
        ("3", KeyAction::Own(Own { name: "view-3", help: VIEWS })),
        ("4", KeyAction::Own(Own { name: "view-4", help: VIEWS })),
        ("5", KeyAction::Own(Own { name: "view-5", help: VIEWS })),
        ("6", KeyAction::Own(Own { name: "view-6", help: VIEWS })),
        ("7", KeyAction::Own(Own { name: "view-7", help: VIEWS })),
        ("8", KeyAction::Own(Own { name: "view-8", help: VIEWS })),
        ("9", KeyAction::Own(Own { name: "view-9", help: VIEWS })),
        (
            "b",
            KeyAction::Own(Own { name: "lens-unit", help: "leave out words, tokens, characters, sentences" }),
        ),
        (
            "h",
            KeyAction::Own(Own {
                name: "lens-heads",
                help: "attention: the heads of a layer, or every layer; knockout: by size, or layer by layer",
            }),
        ),
        (
            "m",
            KeyAction::Own(Own {
                name: "lens-first-token",
                help: "attention: with or without the first token",
            }),
        ),
        ("enter", KeyAction::Own(Own { name: "lens-act", help: ACT })),
        ("esc", KeyAction::Own(Own { name: "lens-close", help: "stop looking, or close the lens" })),
    ],
};

const ACT: &str = "what the title says: switch the part off or on; mark what a trace replaces";
const ITEMS: &str = "walk over what the lens shows";
const VIEWS: &str = "the view of that number";

/// The what-if pane.
pub static WHAT_IF: Pane = Pane {
    name: "what-if",
    about: "what other sampler settings would make of a step",
    slot: Slot::Upper,
    keys: &[
        ("up", KeyAction::Own(Own { name: "setting-up", help: SETTING })),
        ("down", KeyAction::Own(Own { name: "setting-down", help: SETTING })),
        ("left", KeyAction::Own(Own { name: "setting-less", help: TRY })),
        ("right", KeyAction::Own(Own { name: "setting-more", help: TRY })),
        (",", KeyAction::Walk(-1)),
        (".", KeyAction::Walk(1)),
        ("k", KeyAction::Own(Own { name: "what-if-up", help: LIST })),
        ("j", KeyAction::Own(Own { name: "what-if-down", help: LIST })),
        (
            "enter",
            KeyAction::Own(Own {
                name: "what-if-set",
                help: "have what is tried hold from the next reply on",
            }),
        ),
        ("r", KeyAction::Own(Own { name: "what-if-reset", help: "try what is in force again" })),
        (
            "v",
            KeyAction::Own(Own {
                name: "what-if-vocab",
                help: "the tokens that hold some letters: write them",
            }),
        ),
        (
            "esc",
            KeyAction::Own(Own { name: "what-if-close", help: "list all tokens again, or close the pane" }),
        ),
    ],
};

const SETTING: &str = "choose a setting";
const TRY: &str = "try less, more of it";
const LIST: &str = "scroll the tokens";

/// The second model.
pub static BESIDE: Pane = Pane {
    name: "beside",
    about: "a second model over the same tokens: ln p of both, KL",
    slot: Slot::Upper,
    keys: &[],
};

/// The log-likelihood panel.
pub static LIKELIHOOD: Pane = Pane {
    name: "log-likelihood",
    about: "the running sum, its curve, each step's surprisal",
    slot: Slot::Lower,
    keys: &[],
};

/// A pane of the screen.
#[derive(Debug)]
pub struct Pane {
    /// What it is called: by the palette, in the help, in the config file.
    pub name: &'static str,
    /// What it shows, in a few words.
    pub about: &'static str,
    /// Where it stands.
    pub slot: Slot,
    /// Keys of its own, written as in the config file, beside those of every pane.
    pub keys: &'static [(&'static str, KeyAction)],
}

impl PartialEq for Pane {
    fn eq(&self, other: &Pane) -> bool {
        self.name == other.name
    }
}

impl Eq for Pane {}

/// A place of the screen that one pane takes at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// What was said.
    Conversation,
    /// What is being written.
    Message,
    /// The upper part of the figures.
    Upper,
    /// The lower part of the figures.
    Lower,
}

/// Where a pane stands on a screen, its border included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PanePlace {
    /// Its area.
    pub area: Rect,
    /// Whether it is the short one below the conversation, which says the most important alone.
    pub is_compact: bool,
}

/// The pane that goes by this name.
pub fn named(name: &str) -> Option<&'static Pane> {
    PANES.into_iter().find(|pane| pane.name == name)
}

/// The pane that each slot shows.
#[derive(Clone, Copy, Debug)]
pub struct Fronts([&'static Pane; 4]);

impl Default for Fronts {
    fn default() -> Fronts {
        Fronts([&CHAT, &MESSAGE, &TABLE, &LIKELIHOOD])
    }
}

impl Fronts {
    /// The pane of a slot.
    pub fn of(&self, slot: Slot) -> &'static Pane {
        self.0[slot as usize]
    }

    /// The pane after this one, or with −1 the one before, of those that stand in front.
    pub fn after(&self, pane: &'static Pane, by: isize) -> &'static Pane {
        let in_front: Vec<_> = PANES.into_iter().filter(|other| self.of(other.slot) == *other).collect();
        let at = in_front.iter().position(|&other| other == pane).unwrap_or(0) as isize;
        in_front[(at + by).rem_euclid(in_front.len() as isize) as usize]
    }

    /// Brings a pane to the front of its slot.
    pub fn show(&mut self, pane: &'static Pane) {
        self.0[pane.slot as usize] = pane;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_shows_its_first_pane_and_names_are_told_apart() {
        for (i, pane) in PANES.into_iter().enumerate() {
            let first = PANES.into_iter().find(|other| other.slot == pane.slot);
            assert_eq!(Some(Fronts::default().of(pane.slot)), first);
            assert!(PANES[..i].iter().all(|other| other.name != pane.name), "{}", pane.name);
        }
    }
}
