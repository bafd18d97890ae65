//! Following a migration: one look, many looks until something holds, and Ctrl-C.

pub mod follow;
pub mod interruption;
pub mod look;
