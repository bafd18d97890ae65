//! What the command line asks for: commands recorded for a migration, reads of its state and of its retirements,
//! resuming it, judging it again, counting its requests, and a survey of a whole account.

pub mod commands;
pub mod observe;
pub mod probe_from_here;
pub mod replay;
pub mod requests;
pub mod resume;
pub mod retirements;
pub mod survey;
