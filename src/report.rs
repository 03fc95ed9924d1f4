//! What leaves the program: JSON records and tables. Names and units are promises to users.

pub mod answer;
pub mod at_step;
pub mod bars;
pub mod cell;
pub mod check;
pub mod choices;
pub mod expand;
pub mod html;
pub mod lens;
pub mod next;
mod out;
pub mod output;
pub mod probe;
pub mod record;
pub mod rescore;
pub mod score;
pub mod score_csv;
pub mod score_table;
pub mod table;
pub mod target;
pub mod tokens;
pub mod unit;
pub mod view;
pub mod waterfall;

#[cfg(test)]
mod tests;
