//! The verbs that work without a stack, on a file alone. Two of them ask AWS for what the file does not say.

pub mod check;
pub mod completions;
pub mod manifests;
pub mod schema;
pub mod wiring;

mod yaml;
