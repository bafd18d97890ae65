//! The crossfade command.

pub mod failure;
pub mod interruption;
pub mod journal_text;
pub mod judge_command;
pub mod rehearse_command;
pub mod schema_command;
