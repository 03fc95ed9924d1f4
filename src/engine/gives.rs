//! What an engine can give, as data: asked for before anything is asked of it.

/// What one that shows lists of candidates can't.
pub(super) const NO_ROW: &str = "give a whole row of logits: /p, /vocab and /whatif need the whole model on this machine, no server and no --rpc";
/// What one that has not the inside of a model can't.
pub(super) const NO_LOOK: &str =
    "be looked into: a lens needs the whole model on this machine, no server and no --rpc";

/// What there is to be had of an engine. Generating is always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gives {
    /// Most candidates of a distribution; without a number the whole vocabulary, and every figure exact.
    pub candidates: Option<usize>,
    /// Figures of tokens that it did not choose.
    pub scores: bool,
    /// What lies between its layers, and changes there.
    pub layers: bool,
    /// Comparing itself with another model.
    pub comparison: bool,
    /// Replies to one prompt that it can write side by side.
    pub beside: usize,
}

impl Gives {
    /// An engine that computes the model on this machine.
    pub const EVERYTHING: Gives =
        Gives { candidates: None, scores: true, layers: true, comparison: true, beside: 8 };
    /// A vocabulary without weights.
    pub const NOTHING: Gives =
        Gives { candidates: Some(0), scores: false, layers: false, comparison: false, beside: 1 };
}
