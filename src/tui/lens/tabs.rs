//! The views of the lens pane, as a table. Another view is one line here and its picture in
//! [`super::pictures`].

use super::pictures;
use super::spot::LensChoice;
use crate::lens::attention::Which;
use crate::lens::occlusion::Instead;
use crate::lens::{Lens, Looking};
use crate::token::Vocab;
use crate::tui::picture::Picture;

/// A view.
#[derive(Debug)]
pub struct LensTab {
    /// What it is called, in the pane and after `/lens`.
    pub name: &'static str,
    /// What is asked.
    pub looking: fn(&LensChoice) -> Looking,
    /// How what was found is shown.
    pub picture: fn(&Lens, &LensChoice, &Vocab) -> Picture,
}

/// The views, in the order of their keys.
pub static TABS: [LensTab; 4] = [
    LensTab { name: "occlusion", looking: occlusion, picture: pictures::occlusion },
    LensTab { name: "logit", looking: |_| Looking::Logit, picture: pictures::logit },
    LensTab { name: "context", looking: |_| Looking::Context, picture: pictures::context },
    LensTab {
        name: "attention",
        looking: |_| Looking::Attention(Which::default()),
        picture: pictures::attention,
    },
];

/// The question whose answer the first sentence begins with.
pub fn occlusion(choice: &LensChoice) -> Looking {
    Looking::Occlusion { by: choice.by, instead: Instead::Nothing }
}
