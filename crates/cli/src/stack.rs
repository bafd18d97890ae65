//! Where a command works: environment, arguments, policy files, and the session at a stack.

pub mod arguments;
pub mod environment;
pub mod policy_file;
pub mod session;
