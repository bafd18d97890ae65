//! Where a command works: environment, arguments, policy files, the session at a stack, and one look at a migration.

pub mod arguments;
pub mod environment;
pub mod look;
pub mod policy_file;
pub mod session;
