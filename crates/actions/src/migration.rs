//! What every step does to its migration: check that it still owns it, write the journal, halt, call hooks, clean up.

pub(crate) mod delete_guard_alarms;
pub(crate) mod halt;
pub(crate) mod hooks;
pub(crate) mod ownership;
pub(crate) mod write_journal;
