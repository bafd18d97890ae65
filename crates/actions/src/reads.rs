//! Reads of the world that decisions are made from, and the deadline that they share.

pub(crate) mod alarms;
pub(crate) mod calendars;
pub(crate) mod comparison;
pub(crate) mod deadline;
pub(crate) mod health;
pub(crate) mod hour_before;
pub(crate) mod inventory;
pub(crate) mod journal;
pub(crate) mod scaling_group;
