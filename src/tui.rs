//! The terminal interface: a state machine with a driver around it.
//!
//! [`update`] takes a message and returns effects; [`view`] draws the state; [`run`] owns the
//! terminal, the engine and the one channel everything arrives on.

mod answer;
mod backend;
pub mod beside;
mod burst;
mod composer;
mod diff;
mod dose;
pub mod dosed;
mod editor;
mod engines;
mod explained;
#[cfg(test)]
mod harness;
mod helpers;
mod history;
pub mod keys;
pub mod layout;
pub mod lens;
pub mod look;
mod marks;
pub mod msg;
mod pace;
mod palette;
pub mod pane;
pub mod panels;
pub mod picture;
mod reporter;
pub mod run;
pub mod second;
pub mod seek;
mod segment;
mod send;
pub mod state;
mod sums;
pub mod theme;
mod transcript;
pub mod update;
pub mod view;
pub mod what_if;

pub use crate::{colouring, wrap};

#[cfg(test)]
mod tests;
