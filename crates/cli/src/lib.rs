//! The `crossfade` command.
//!
//! | room | what is in it |
//! | --- | --- |
//! | `verbs` | one file for each verb |
//! | `stack` | environment, arguments, policy files, the session at a stack, one reading of a migration |
//! | `following` | polls a migration until a condition holds, and handles Ctrl-C |
//! | `ending`, `exit_code` | how a command ends |
//! | `view` | what people and programs read |
//!
//! **Invariant:** standard output is data, and standard error is messages. Every command ends with a documented exit
//! code.

pub mod ending;
pub mod exit_code;
pub mod following;
pub mod stack;
pub mod verbs;
pub mod view;
