//! How often the gates may look within one execution.

/// The checks that one execution may make. Each takes at most 9 events: 5 of the task, 2 of the choice, 2 of the wait.
/// That is 18,000 of 25,000. The rest is for calls that are repeated, at 3 events each, for hooks, and for a rollback.
pub const MOST_CHECKS: u32 = 2_000;
