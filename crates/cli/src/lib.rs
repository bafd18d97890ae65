//! The crossfade command.

pub mod judge_command;
