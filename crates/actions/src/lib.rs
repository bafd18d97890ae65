//! One file for each function's work, written against ports.
//!
//! Every action reads the world, decides, records the intent, changes, reads back, and records the result; each may run
//! again with the same input at any time.
//!
//! **Invariant:** an action knows the world only through `ports`; no SDK type crosses them.

mod capacity;
pub mod check_alarms;
pub mod check_targets;
pub mod commands;
mod comparing;
pub mod create_guard_alarms;
pub mod create_target_group;
pub mod error;
pub mod finish_migration;
mod gather;
mod guards;
mod halting;
mod hooks;
mod hour_before;
mod input;
mod making_way;
pub mod observe;
mod patience;
pub mod plan_migration;
pub mod ports;
mod raising;
pub mod react_to_alarm;
mod recording;
pub mod register_targets;
pub mod resume;
mod return_routes;
pub mod roll_back;
mod rollback;
mod routes;
pub mod shift_weight;
mod standing;
pub mod sweep_migrations;
mod withdraw;
mod without_table;

pub use resume::{Resume, Resumed, resume};
