//! The verbs before the first migration.

pub mod connect;
pub mod discover;
