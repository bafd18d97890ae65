//! The parts of which every overview is made: lines, bars and tables that fit a page.

pub mod age;
pub mod bar;
pub mod lines;
pub mod page;
pub mod table;
