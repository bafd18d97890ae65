//! How a command ends: what became of the migration, and what failed.

pub mod failure;
pub mod outcome;
