//! The alarms that guard a migration, the ones that Crossfade creates itself, and the tags that name them.

pub mod alarm;
pub mod guard;
pub mod quiet;
pub mod tags;
