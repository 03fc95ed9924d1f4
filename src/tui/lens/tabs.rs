//! The views of the lens pane, as a table. Another view is one line here and its picture in
//! [`super::pictures`].

use super::pictures;
use super::spot::LensChoice;
use crate::lens::attention::Which;
use crate::lens::keyboard::KeyboardWish;
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
    /// What it is called where there is little room.
    pub short: &'static str,
    /// What is asked.
    pub looking: fn(&LensChoice) -> Looking,
    /// How what was found is shown.
    pub picture: fn(&Lens, &LensChoice, &Vocab) -> Picture,
}

/// The views, in the order of their keys.
pub static TABS: [LensTab; 6] = [
    LensTab { name: "occlusion", short: "words", looking: occlusion, picture: pictures::occlusion },
    LensTab { name: "logit", short: "logit", looking: |_| Looking::Logit, picture: pictures::logit },
    LensTab { name: "context", short: "reach", looking: |_| Looking::Context, picture: pictures::context },
    LensTab {
        name: "attention",
        short: "heads",
        looking: |_| Looking::Attention(Which::default()),
        picture: pictures::attention,
    },
    LensTab {
        name: "attribution",
        short: "parts",
        looking: |_| Looking::Attribution,
        picture: pictures::report,
    },
    LensTab { name: "keyboard", short: "keys", looking: keyboard, picture: pictures::report },
];

/// The question whose answer the first sentence begins with.
pub fn occlusion(choice: &LensChoice) -> Looking {
    Looking::Occlusion { by: choice.by, instead: Instead::Nothing }
}

fn keyboard(_: &LensChoice) -> Looking {
    Looking::Keyboard(KeyboardWish { corpus: None, clicks: CLICKS })
}

/// The view that shows such a question's answer, if one does.
pub fn of(looking: &Looking) -> Option<usize> {
    let kind = std::mem::discriminant(looking);
    let is_its = |tab: &LensTab| std::mem::discriminant(&(tab.looking)(&LensChoice::default())) == kind;
    TABS.iter().position(is_its)
}
