//! The verbs of the command, one file for each.

pub mod abort;
pub mod doctor;
pub mod first_steps;
pub mod fleet;
pub mod history;
pub mod judge;
pub mod last_steps;
pub mod offline;
pub mod pause;
pub mod plan;
pub mod policies;
pub mod rehearse;
pub mod report;
pub mod resume;
pub mod start;
pub mod status;
pub mod wait;
pub mod watch;
