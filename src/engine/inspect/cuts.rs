//! Edges of attention that are cut: those that are off, and those of a variant.

use super::InspectRun;
use super::place::{Cutting, NoPart, Unseen};
use crate::engine::llama::eval::{Script, TensorAction, TensorRegion, WrittenFrom};
use crate::engine::protocol::EngineError;

impl InspectRun<'_> {
    /// Cuts, for a token, the edges that are off and end at its position; `cell` says where in the cache what
    /// stands at a position of its sequence lies.
    pub(super) fn cut_edges(
        &self,
        script: &mut Script,
        Cutting { token, position }: Cutting,
        cell: impl Fn(usize) -> usize,
    ) -> Result<(), EngineError> {
        for edge in self.edges.iter().filter(|edge| edge.to == position) {
            for layer in edge.layer.map_or(0..self.parts.len(), |layer| layer..layer + 1) {
                let unseen = Unseen { layer, head: edge.head, cell: cell(edge.from) };
                self.cut(script, token, unseen)?;
            }
        }
        Ok(())
    }

    /// Has a token see nothing of a cell.
    pub(super) fn cut(
        &self,
        script: &mut Script,
        token: usize,
        Unseen { layer, head, cell }: Unseen,
    ) -> Result<(), EngineError> {
        let missing = |NoPart { layer, part }: NoPart| self.no_part(layer, part);
        let (place, count) = self.scores_place(layer).map_err(missing)?;
        let heads = head.map_or(0..count, |head| head..head + 1);
        let region = TensorRegion::Cells { token, cells: cell..cell + 1, heads };
        script.add(place, TensorAction::Write { region, source: WrittenFrom::Constant(f32::NEG_INFINITY) });
        Ok(())
    }
}
