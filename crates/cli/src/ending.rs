//! How a command ends: the outcome of the migration, or the failure of the command.

pub mod failure;
pub mod file_problems;
pub mod fleet;
pub mod outcome;
