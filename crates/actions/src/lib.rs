//! One file for each function's work, written against ports.
//!
//! **Invariant:** an action knows the world only through `ports`; no SDK type crosses them.

pub mod error;
pub mod ports;
