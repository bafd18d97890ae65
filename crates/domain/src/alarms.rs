//! Alarms that guard a migration, those that Crossfade creates itself, and the tags by which it knows them.

pub mod alarm;
pub mod guard;
pub mod quiet;
pub mod tags;
