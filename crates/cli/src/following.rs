//! Following a migration: many looks until something holds, and Ctrl-C.

pub mod follow;
pub mod interruption;
