//! What leaves the program: JSON records and tables. Names and units are promises to users.

pub mod output;
pub mod probe;
pub mod record;
pub mod table;
