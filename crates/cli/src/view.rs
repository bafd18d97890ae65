//! What people and programs read.

pub mod console;
pub mod ending;
pub mod fleet;
pub mod fleet_ending;
pub mod github;
pub mod reading;
pub mod screen;
