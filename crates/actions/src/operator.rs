//! What the command line asks for: commands recorded for a migration, reads of its state, resuming it, judging it
//! again, the internal routes of services, and a survey of a whole account.

pub mod commands;
pub mod create_route;
pub mod observe;
pub mod remove_route;
pub mod replay;
pub mod resume;
pub mod survey;
