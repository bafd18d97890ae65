//! What people and programs read.

pub mod console;
pub mod ending;
pub mod github;
pub mod reading;
pub mod screen;
