//! The evaluation callback: reads and changes values between the layers while a batch is computed.
//!
//! llama.cpp asks before it computes a tensor, and calls again when its value is there and nothing has
//! used it yet. What is to be done where is decided from the graph that it shows ([`anatomy`]). The state
//! lies in a box that never moves; it is written to between evaluations, and by the callback during one,
//! never at once. Errors are kept and told afterwards: nothing unwinds into C.

pub mod anatomy;

use std::cell::UnsafeCell;
use std::collections::BTreeMap;
use std::ffi::{CStr, c_void};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use llama_cpp_sys_2 as sys;

use anatomy::{Operation, Place, TensorNode};

/// Which values of a tensor.
#[derive(Clone, Debug, PartialEq)]
pub enum TensorRegion {
    /// These columns of one token's row.
    Row {
        /// Index in the batch.
        token: usize,
        /// Elements of the row.
        columns: Range<usize>,
    },
    /// Of the scores and weights of attention: what one token has for these cells, in these heads, one head
    /// after the other.
    Cells {
        /// Index in the batch.
        token: usize,
        /// Cells of the KV cache.
        cells: Range<usize>,
        /// Heads.
        heads: Range<usize>,
    },
}

/// Where written values come from.
#[derive(Clone, Debug, PartialEq)]
pub enum WrittenFrom {
    /// One value everywhere.
    Constant(f32),
    /// These values.
    Values(Arc<[f32]>, Range<usize>),
    /// These of the values that were read into this slot before, in the same evaluation.
    Slot(usize, Range<usize>),
    /// What stands there, and these added to it.
    Plus(Arc<[f32]>),
    /// What stands there.
    Itself,
}

/// One thing to do at a tensor.
#[derive(Clone, Debug, PartialEq)]
pub enum TensorAction {
    /// Copy a region into a slot.
    Read {
        /// Which values.
        region: TensorRegion,
        /// Where they go.
        slot: usize,
    },
    /// Overwrite a region.
    Write {
        /// Which values.
        region: TensorRegion,
        /// With what.
        source: WrittenFrom,
    },
}

/// What is done in the next evaluation.
#[derive(Debug, Default)]
pub struct Script {
    actions: BTreeMap<u32, (Place, Vec<TensorAction>)>,
    /// How many are read into.
    slots: usize,
}

impl Script {
    /// Adds an action at a tensor; actions at one tensor happen in the order in which they are added.
    pub fn add(&mut self, place: &Place, action: TensorAction) {
        if let TensorAction::Read { slot, .. } = action {
            self.keep_slots(slot + 1);
        }
        let entry = self.actions.entry(place.ordinal);
        entry.or_insert_with(|| (place.clone(), Vec::new())).1.push(action);
    }

    /// Adds another's actions behind these.
    pub fn append(&mut self, other: Script) {
        self.keep_slots(other.slots);
        for (ordinal, (place, mut actions)) in other.actions {
            self.actions.entry(ordinal).or_insert_with(|| (place, Vec::new())).1.append(&mut actions);
        }
    }

    /// A slot that nothing is read into yet.
    pub fn free_slot(&self) -> usize {
        self.slots
    }

    /// Leaves the first slots to whoever reads into them.
    pub fn keep_slots(&mut self, count: usize) {
        self.slots = self.slots.max(count);
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }
}

/// What the callback works with.
#[derive(Debug, Default)]
struct EvalState {
    mode: EvalMode,
    /// Tensors asked about in this evaluation.
    asked: u32,
    /// For each token of the batch, its row among those whose logits are wanted.
    rows: Vec<Option<usize>>,
    outputs: usize,
    slots: Vec<Option<Vec<f32>>>,
    error: Option<String>,
}

#[derive(Debug, Default)]
enum EvalMode {
    #[default]
    Off,
    /// Note every tensor.
    Survey(Vec<TensorNode>),
    Follow(Script),
}

/// A callback and its state. Belongs to one context and outlives it.
pub(super) struct Eval(Box<UnsafeCell<EvalState>>);

impl Eval {
    pub fn new() -> Eval {
        Eval(Box::default())
    }

    /// The function and its state, for llama.cpp.
    pub fn parts(&self) -> (sys::ggml_backend_sched_eval_callback, *mut c_void) {
        (Some(callback), self.0.get().cast())
    }

    /// Notes every tensor of the next evaluation.
    pub fn survey(&mut self) {
        *self.0.get_mut() = EvalState { mode: EvalMode::Survey(Vec::new()), ..EvalState::default() };
    }

    /// Follows a script in the next evaluation, which has these tokens with logits wanted or not.
    pub fn follow(&mut self, script: Script, outputs: &[i8]) {
        let mut count = 0;
        let rows = outputs.iter().map(|&wanted| {
            let row = (wanted != 0).then_some(count);
            count += usize::from(wanted != 0);
            row
        });
        let rows = rows.collect();
        let slots = vec![None; script.slots];
        let mode = if script.is_empty() { EvalMode::Off } else { EvalMode::Follow(script) };
        *self.0.get_mut() = EvalState { mode, rows, outputs: count, slots, asked: 0, error: None };
    }

    /// Ends what was begun: the tensors that were noted, the slots (`None`: nothing was read), and what went
    /// wrong.
    pub fn finish(&mut self) -> (Vec<TensorNode>, Vec<Option<Vec<f32>>>, Option<String>) {
        let state = std::mem::take(self.0.get_mut());
        match state.mode {
            EvalMode::Survey(nodes) => (nodes, state.slots, state.error),
            _ => (Vec::new(), state.slots, state.error),
        }
    }
}

/// Called by llama.cpp on the thread that called it, for one tensor at a time.
unsafe extern "C" fn callback(tensor: *mut sys::ggml_tensor, ask: bool, state: *mut c_void) -> bool {
    // SAFETY: `state` is the box of the `Eval` that outlives this context; during an evaluation nobody else
    // has a reference to what is in it, as `Context::decode` borrows the context mutably.
    let Some(state) = (unsafe { state.cast::<EvalState>().as_mut() }) else { return !ask };
    // SAFETY: llama.cpp passes a tensor of the graph that it is computing.
    let Some(tensor) = (unsafe { tensor.as_mut() }) else { return !ask };
    let outcome = catch_unwind(AssertUnwindSafe(|| match ask {
        true => Ok(state.asks(tensor)),
        // Anything but true would end the evaluation with half its values.
        false => state.act(tensor).map(|()| true),
    }));
    match outcome {
        Ok(Ok(answer)) => answer,
        Ok(Err(what)) => {
            state.error.get_or_insert(what);
            true
        }
        Err(_) => {
            state.error.get_or_insert_with(|| "looking at a tensor failed".to_string());
            !ask
        }
    }
}

impl EvalState {
    /// Whether the tensor is wanted.
    fn asks(&mut self, tensor: &mut sys::ggml_tensor) -> bool {
        let ordinal = self.asked;
        self.asked += 1;
        match &mut self.mode {
            EvalMode::Off => false,
            EvalMode::Survey(nodes) => {
                nodes.push(node(tensor));
                false
            }
            EvalMode::Follow(script) => script.actions.contains_key(&ordinal),
        }
    }

    /// Does what the script says at a tensor whose value is there.
    fn act(&mut self, tensor: &mut sys::ggml_tensor) -> Result<(), String> {
        let ordinal = self.asked.wrapping_sub(1);
        let EvalMode::Follow(script) = &mut self.mode else { return Ok(()) };
        let Some((place, actions)) = script.actions.remove(&ordinal) else { return Ok(()) };
        let name = name(tensor);
        if place.name != name {
            return Err(format!("the graph has {name} where it had {} before", place.name));
        }
        if tensor.type_ != sys::GGML_TYPE_F32 || tensor.nb[0] != size_of::<f32>() {
            return Err(format!("{name} holds no plain F32 values"));
        }
        actions.into_iter().try_for_each(|action| self.perform(tensor, &name, action))
    }

    fn perform(
        &mut self,
        tensor: &mut sys::ggml_tensor,
        name: &str,
        action: TensorAction,
    ) -> Result<(), String> {
        let (TensorAction::Read { ref region, .. } | TensorAction::Write { ref region, .. }) = action;
        let Some(pieces) = self.pieces(tensor, region) else {
            return Err(format!("{name} has no such row or column"));
        };
        match action {
            TensorAction::Read { slot, .. } => {
                let values = pieces.iter().flat_map(|&(offset, length)| get(tensor, offset, length));
                let values = values.collect();
                match self.slots.get_mut(slot) {
                    Some(place) if !pieces.is_empty() => *place = Some(values),
                    _ => {}
                }
            }
            TensorAction::Write { source, .. } => {
                let mut taken = 0;
                for (offset, length) in pieces {
                    match &source {
                        WrittenFrom::Constant(value) => set(tensor, offset, &vec![*value; length]),
                        WrittenFrom::Itself => {
                            let values = get(tensor, offset, length);
                            set(tensor, offset, &values);
                        }
                        WrittenFrom::Plus(added) => {
                            let mut values = get(tensor, offset, length);
                            let added = part(added, taken, length)?;
                            values.iter_mut().zip(added).for_each(|(value, added)| *value += added);
                            set(tensor, offset, &values);
                        }
                        WrittenFrom::Values(values, range) => {
                            set(tensor, offset, part(&values[range.clone()], taken, length)?)
                        }
                        WrittenFrom::Slot(slot, range) => {
                            let values = self.slots.get(*slot).and_then(Option::as_ref);
                            let values = values.and_then(|values| values.get(range.clone()));
                            let values = values.ok_or_else(|| format!("{name}: nothing was read before"))?;
                            set(tensor, offset, part(values, taken, length)?);
                        }
                    }
                    taken += length;
                }
            }
        }
        Ok(())
    }

    /// A region as (offset in bytes, number of values); empty where the tensor has only rows whose logits
    /// are wanted and this one's are not; `None` where it lies outside.
    fn pieces(&self, tensor: &sys::ggml_tensor, region: &TensorRegion) -> Option<Vec<(usize, usize)>> {
        let size = |i: usize| usize::try_from(tensor.ne[i]).unwrap_or(0);
        match region {
            TensorRegion::Row { token, columns } => {
                let row = match size(1) {
                    rows if rows == self.rows.len() => Some(*token),
                    rows if rows == self.outputs => *self.rows.get(*token)?,
                    _ => return None,
                };
                let Some(row) = row else { return Some(Vec::new()) };
                let inside = row < size(1) && columns.end <= size(0) && size(2) == 1 && size(3) == 1;
                inside.then(|| vec![(row * tensor.nb[1] + columns.start * size_of::<f32>(), columns.len())])
            }
            TensorRegion::Cells { token, cells, heads } => {
                let inside = size(1) == self.rows.len()
                    && *token < size(1)
                    && cells.end <= size(0)
                    && heads.end <= size(2)
                    && size(3) == 1;
                let at = token * tensor.nb[1] + cells.start * size_of::<f32>();
                inside.then(|| heads.clone().map(|head| (at + head * tensor.nb[2], cells.len())).collect())
            }
        }
    }
}

fn part(values: &[f32], from: usize, length: usize) -> Result<&[f32], String> {
    values.get(from..from + length).ok_or_else(|| "fewer values than there are places".to_string())
}

/// The bounds must have been checked.
fn get(tensor: &sys::ggml_tensor, offset: usize, length: usize) -> Vec<f32> {
    let mut values = vec![0.0f32; length];
    let bytes = length * size_of::<f32>();
    // SAFETY: `offset + bytes` lies inside the tensor, which `pieces` checked; the vector has that size.
    unsafe { sys::ggml_backend_tensor_get(tensor, values.as_mut_ptr().cast(), offset, bytes) };
    values
}

/// The bounds must have been checked.
fn set(tensor: &mut sys::ggml_tensor, offset: usize, values: &[f32]) {
    // SAFETY: `offset` and the bytes of `values` lie inside the tensor, which `pieces` checked; the tensor
    // is computed and nothing that uses it has begun.
    unsafe {
        sys::ggml_backend_tensor_set(tensor, values.as_ptr().cast(), offset, std::mem::size_of_val(values));
    }
}

fn name(tensor: &sys::ggml_tensor) -> String {
    // SAFETY: a tensor's name is a zero-terminated array inside it.
    unsafe { CStr::from_ptr(tensor.name.as_ptr()) }.to_string_lossy().into_owned()
}

fn node(tensor: &sys::ggml_tensor) -> TensorNode {
    TensorNode {
        name: name(tensor),
        operation: match tensor.op {
            sys::GGML_OP_ADD => Operation::Add,
            sys::GGML_OP_GET_ROWS => Operation::TakeRows,
            sys::GGML_OP_MUL_MAT => Operation::Matrix,
            sys::GGML_OP_RMS_NORM => Operation::RmsNorm,
            sys::GGML_OP_MUL | sys::GGML_OP_SCALE => Operation::Scale,
            _ => Operation::Other,
        },
        sizes: tensor.ne.map(|size| usize::try_from(size).unwrap_or(0)),
        key: std::ptr::from_ref(tensor) as usize,
        sources: tensor
            .src
            .iter()
            .filter(|source| !source.is_null())
            .map(|source| *source as usize)
            .collect(),
    }
}
