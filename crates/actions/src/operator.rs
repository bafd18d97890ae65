//! What the command line asks for: commands recorded for a migration, reads of its state, resuming it, and judging it
//! again.

pub mod commands;
pub mod observe;
pub mod replay;
pub mod resume;
