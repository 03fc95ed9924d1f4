//! tokenscope: a terminal instrument for looking at next-token prediction.

pub mod app;
pub mod bench;
pub mod chat;
pub mod cli;
pub mod command;
pub mod distribution;
pub mod engine;
pub mod fatal;
pub mod jinja;
pub mod loading;
pub mod model;
pub mod paths;
pub mod pipe;
pub mod probe;
pub mod report;
pub mod sampling;
pub mod score;
pub mod session;
pub mod settings;
pub mod step;
pub mod text;
pub mod token;
pub mod tui;
