//! One file for each Lambda function, with the function's name: its work, step by step. Those of a retirement are in
//! `retire`, with what they share.

pub mod check_alarms;
pub mod check_fleet;
pub mod check_targets;
pub mod create_guard_alarms;
pub mod create_route;
pub mod create_target_group;
pub mod finish_migration;
pub mod plan_migration;
pub mod probe_service;
pub mod react_to_alarm;
pub mod register_targets;
pub mod retire;
pub mod roll_back;
pub mod shift_weight;
pub mod sweep_migrations;
