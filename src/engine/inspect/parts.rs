//! From the name of a part to its tensor, or to the word that this model has none.

use super::InspectRun;
use super::place::NoPart;
use crate::engine::llama::eval::anatomy::Place;
use crate::engine::look::Part;
use crate::engine::protocol::EngineError;

/// Where a part lies in a layer.
pub(super) struct PartSpot<'a> {
    pub place: &'a Place,
    /// Which of its columns.
    pub columns: std::ops::Range<usize>,
}

impl<'a> InspectRun<'a> {
    pub(super) fn no_part(&self, layer: usize, part: &'static str) -> EngineError {
        EngineError::NoPart { architecture: self.architecture.clone(), layer, part }
    }

    pub(super) fn residual(&self, layer: usize) -> Result<&'a Place, EngineError> {
        let place = self.parts.get(layer).and_then(|parts| parts.residual.as_ref());
        place.ok_or_else(|| self.no_part(layer, "residual stream"))
    }

    /// The weights of attention and the number of heads.
    pub(super) fn weights_place(&self, layer: usize) -> Result<(&'a Place, usize), EngineError> {
        let parts = self.parts.get(layer);
        let found = parts.and_then(|parts| Some((parts.weights.as_ref()?, parts.n_heads)));
        found.ok_or_else(|| self.no_part(layer, "weights of attention"))
    }

    /// The scores of attention and the number of heads.
    pub(super) fn scores_place(&self, layer: usize) -> Result<(&'a Place, usize), NoPart> {
        let parts = self.parts.get(layer);
        let found = parts.and_then(|parts| Some((parts.scores.as_ref()?, parts.n_heads)));
        found.ok_or(NoPart { layer, part: "scores of attention" })
    }

    pub(super) fn spot(&self, layer: usize, part: Part) -> Result<PartSpot<'a>, EngineError> {
        self.look_up(layer, part).map_err(|NoPart { layer, part }| self.no_part(layer, part))
    }

    pub(super) fn look_up(&self, layer: usize, part: Part) -> Result<PartSpot<'a>, NoPart> {
        let missing = || {
            let part = match part {
                Part::Residual => "residual stream",
                Part::Attention => "sum that adds attention alone",
                Part::FeedForward => "sum that adds the feed-forward network alone",
                Part::Head(_) => "head of this number",
            };
            NoPart { layer, part }
        };
        let parts = self.parts.get(layer).ok_or_else(missing)?;
        let place = match part {
            Part::Residual => &parts.residual,
            Part::Attention => &parts.attention,
            Part::FeedForward => &parts.feed_forward,
            Part::Head(_) => &parts.heads,
        };
        let place = place.as_ref().ok_or_else(missing)?;
        let columns = match part {
            Part::Head(head) => {
                let width = place.width.checked_div(parts.n_heads).unwrap_or(0);
                if head >= parts.n_heads || width * parts.n_heads != place.width {
                    return Err(missing());
                }
                head * width..(head + 1) * width
            }
            _ => 0..place.width,
        };
        Ok(PartSpot { place, columns })
    }
}
