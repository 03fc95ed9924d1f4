//! The views of the lens pane, as a table. Another view is one line here and its picture in
//! [`super::pictures`].

use super::pictures;
use super::spot::LensChoice;
use crate::lens::attention::Which;
use crate::lens::flags::LensView;
use crate::lens::keyboard::KeyboardWish;
use crate::lens::knockout::KnockoutWish;
use crate::lens::occlusion::Instead;
use crate::lens::{Lens, Looking};
use crate::token::Vocab;
use crate::tui::picture::Picture;

/// How often the first suggestion of a keyboard is taken.
const CLICKS: usize = 16;

/// A view.
#[derive(Debug)]
pub struct LensTab {
    /// What it is called, in the pane and after `/lens`.
    pub name: &'static str,
    /// What is asked; nothing where a person has to say first.
    pub looking: fn(&LensChoice) -> Option<Looking>,
    /// How what was found is shown.
    pub picture: fn(&Lens, &LensChoice, &Vocab) -> Picture,
}

/// The views, in the order of their keys.
pub static TABS: [LensTab; 8] = [
    LensTab { name: "occlusion", looking: |choice| Some(occlusion(choice)), picture: pictures::occlusion },
    LensTab { name: "logit", looking: |_| Some(Looking::Logit), picture: pictures::logit },
    LensTab { name: "context", looking: |_| Some(Looking::Context), picture: pictures::context },
    LensTab {
        name: "attention",
        looking: |_| Some(Looking::Attention(Which::default())),
        picture: pictures::attention,
    },
    LensTab { name: "attribution", looking: |_| Some(Looking::Attribution), picture: pictures::attribution },
    LensTab { name: "keyboard", looking: |_| Some(keyboard()), picture: pictures::report },
    LensTab {
        name: "knockout",
        looking: |_| Some(Looking::Knockout(KnockoutWish::default())),
        picture: pictures::knockout,
    },
    LensTab { name: "trace", looking: |_| None, picture: pictures::trace },
];

/// The question whose answer the first sentence begins with.
pub fn occlusion(choice: &LensChoice) -> Looking {
    Looking::Occlusion { by: choice.by, instead: Instead::Nothing }
}

fn keyboard() -> Looking {
    Looking::Keyboard(KeyboardWish { corpus: None, clicks: CLICKS })
}

/// The view of a name where a person has to say first what it asks.
pub fn to_complete(name: &str) -> Option<usize> {
    let asks_nothing = |tab: &LensTab| (tab.looking)(&LensChoice::default()).is_none();
    TABS.iter().position(|tab| tab.name == name && asks_nothing(tab))
}

/// The view that shows such a question's answer.
pub fn of(looking: &Looking) -> usize {
    let name = LensView::of(looking).name();
    TABS.iter().position(|tab| tab.name == name).unwrap_or(0)
}
