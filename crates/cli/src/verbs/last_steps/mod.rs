//! The verbs after the last migration.

pub mod retire;
mod show;
