//! Reads of the world that decisions are made from, and the deadline that they share.

pub(crate) mod deadline;
pub(crate) mod health;
pub(crate) mod hour_before;
pub(crate) mod read_alarms;
pub(crate) mod read_comparison;
pub(crate) mod read_inventory;
