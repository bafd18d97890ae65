//! The alarms that guard a migration, the guard alarms that Crossfade creates with their thresholds, and
//! the tags that name them.

pub mod alarm;
pub mod guard_alarm;
pub mod quiet;
pub mod tags;
