//! The verbs that need neither a stack nor AWS.

pub mod check;
pub mod completions;
pub mod schema;
