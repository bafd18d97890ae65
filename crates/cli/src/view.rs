//! What a person or a program reads.

pub mod console;
pub mod ending;
pub mod github;
pub mod look;
pub mod screen;
