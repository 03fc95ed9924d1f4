//! What lenses name in a model: a cell that is no longer seen, a part that is not there.

/// A token of the batch that no longer sees something.
#[derive(Clone, Copy)]
pub(super) struct Cutting {
    pub token: usize,
    pub position: usize,
}

/// What is no longer seen: in a layer, by one head or all of them, a cell of the cache.
#[derive(Clone, Copy)]
pub(super) struct Unseen {
    pub layer: usize,
    pub head: Option<usize>,
    pub cell: usize,
}

/// A part that a layer has not.
pub(super) struct NoPart {
    pub layer: usize,
    pub part: &'static str,
}
