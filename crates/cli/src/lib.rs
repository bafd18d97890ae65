//! The `crossfade` command.
//!
//! | room | what is in it |
//! | --- | --- |
//! | `verbs` | one file for each verb |
//! | `stack` | environment, arguments, policy files, the session at a stack, one look at a migration |
//! | `following` | many looks at a migration until something holds, and Ctrl-C |
//! | `ending`, `exit_code` | how a command ends |
//! | `view` | what a person or a program reads |
//!
//! **Invariant:** standard output is data, standard error is talk; every end has one of the documented exit codes.

pub mod ending;
pub mod exit_code;
pub mod following;
pub mod stack;
pub mod verbs;
pub mod view;
