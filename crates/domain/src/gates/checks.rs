//! How often the gates look, and how often they may within one execution.

use crate::gates::outside::checks_of_a_look;
use crate::policy::service_policy::ServicePolicy;
use jiff::Timestamp;

/// The checks that one execution may make. Each takes at most 9 events: 5 of the task, 2 of the choice, 2 of the wait.
/// That is 18,000 of 25,000. The rest is for calls that are repeated, at 3 events each, for hooks, and for a rollback.
pub const MOST_CHECKS: u32 = 2_000;
/// The longest wait between two checks while a step is held or waits for approval, in seconds.
pub const LONGEST_HELD_WAIT_SECONDS: u32 = 900;
/// About as many slices as all bakes of a schedule have together: each is some ten events of the at most 25,000 that
/// the history of one execution holds.
const MOST_SLICES: u64 = 1000;

/// The wait before the next check of something that has been held for so many seconds: `shortest` at first, then as
/// long as it has been held, up to a quarter of an hour. None once the policy's `maxHold` is over.
pub fn held_wait_seconds(policy: &ServicePolicy, held_for: u32, shortest: u32) -> Option<u32> {
    let left = policy.max_hold_seconds.saturating_sub(held_for);
    let longest = LONGEST_HELD_WAIT_SECONDS.max(shortest);
    (left > 0).then(|| held_for.clamp(shortest, longest).min(left).max(1))
}

/// The next slice, in seconds, of a bake of which `remaining_seconds` are left: the policy's slice, but longer if the
/// schedule's checks would not fit into the history of one execution, and never more than the rest.
pub fn slice_seconds(policy: &ServicePolicy, remaining_seconds: u32) -> u32 {
    let total: u64 = policy.schedule.steps.iter().map(|step| u64::from(step.bake_seconds)).sum();
    let most = MOST_SLICES / u64::from(checks_of_a_look(policy));
    let fitting = u32::try_from(total.div_ceil(most)).unwrap_or(u32::MAX);
    policy.slice_seconds.max(fitting).min(remaining_seconds).max(1)
}

/// Whole seconds from one time to another; 0 where it is earlier.
pub fn seconds_between(from: Timestamp, to: Timestamp) -> u32 {
    u32::try_from(to.duration_since(from).as_secs().max(0)).unwrap_or(u32::MAX)
}
