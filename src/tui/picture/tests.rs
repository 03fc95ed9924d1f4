//! Pictures in the columns there are.
