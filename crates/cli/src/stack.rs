//! What a command works with: environment, arguments, policy files, a session at a stack, one reading of a migration.

pub mod arguments;
pub mod environment;
pub mod execution;
pub mod fleets;
pub mod missing_machine;
pub mod not_signed_in;
pub mod overview;
pub mod policies;
pub mod policy_file;
pub mod position;
pub mod reading;
pub mod session;
pub mod under_way;
