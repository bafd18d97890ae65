//! What people and programs read.

pub mod console;
pub mod ending;
pub mod github;
pub mod look;
pub mod screen;
