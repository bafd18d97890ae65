//! Follows a migration: polls it until a condition holds, and handles Ctrl-C.

pub mod follow;
pub mod follow_fleet;
pub mod interruption;
pub mod wait_for_end;
