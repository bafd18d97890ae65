//! What the command line asks for: commands recorded for a migration, reads of its state, and resuming it.

pub mod commands;
pub mod observe;
pub mod resume;
