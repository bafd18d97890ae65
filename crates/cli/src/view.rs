//! What people and programs read.

pub mod console;
pub mod ending;
pub mod few_words;
#[cfg(test)]
mod fixture;
pub mod fleet;
pub mod fleet_ending;
pub mod github;
pub mod overview;
pub mod parts;
pub mod position;
pub mod reading;
pub mod screen;
