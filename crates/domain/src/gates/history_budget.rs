//! How often one execution may check before its history is full.
//!
//! Step Functions fails an execution whose history reaches 25,000 events. The sweep would then find it dead, and take
//! the traffic of a healthy service back. So everything that can wait for long counts into one budget (bakes, holds,
//! approvals, waits for targets and for capacity), and a migration that has used it up halts by itself. A resume begins
//! a new execution, and with it a new budget.

use crate::gates::checks::MOST_CHECKS;
use crate::gates::checks::{held_wait_seconds, slice_seconds};
use crate::gates::health::targets_wait_seconds;
use crate::gates::outside::checks_of_a_look;
use crate::names::ServiceName;
use crate::policy::service_policy::ServicePolicy;

/// The checks beyond these that a shift gets which was begun: half of a shift is no place to halt.
const TO_COMPLETE_A_SHIFT: u32 = 100;
/// The shortest interval of a health check, in seconds: the most checks of targets that a policy can lead to.
const SHORTEST_INTERVAL_SECONDS: u32 = 5;

/// Whether an execution that has made so many checks may not wait for another one.
pub fn is_used_up(checks: u32, shift_begun: bool) -> bool {
    checks >= MOST_CHECKS + if shift_begun { TO_COMPLETE_A_SHIFT } else { 0 }
}

/// The reason for the halt of a migration that has used its budget up while it waited because of `waiting_for`.
pub fn used_up(service: &ServiceName, checks: u32, waiting_for: &str) -> String {
    format!(
        "this execution has made {checks} checks, and AWS would soon fail it for the length of its history; it was \
         waiting: {waiting_for}. Nothing has failed: continue with \"crossfade resume {service}\", or start \
         migrate-service with {{\"service\": \"{service}\", \"resume\": true}}; the new execution counts from 0"
    )
}

/// The checks of a migration that waits as long as its policy allows: for its targets, in every bake, for every
/// approval, and in one hold.
pub fn most_checks_of(policy: &ServicePolicy) -> u32 {
    let bakes = policy.schedule.steps.iter().map(|step| {
        let slice = slice_seconds(policy, step.bake_seconds);
        step.bake_seconds.div_ceil(slice).saturating_add(1)
    });
    let approvals = u32::try_from(policy.schedule.steps.iter().filter(|step| step.approve).count()).unwrap_or(u32::MAX);
    let hold = until_over(|held_for| held_wait_seconds(policy, held_for, policy.slice_seconds));
    let targets = until_over(|waited| {
        (waited < policy.targets_timeout_seconds).then(|| targets_wait_seconds(SHORTEST_INTERVAL_SECONDS, waited))
    });
    let looks = bakes.fold(0, u32::saturating_add).saturating_add(hold.saturating_mul(approvals.max(1)));
    looks.saturating_mul(checks_of_a_look(policy)).saturating_add(targets)
}

/// How many waits follow each other, each as long as `wait` says of the seconds that have passed, until it says none.
fn until_over(wait: impl Fn(u32) -> Option<u32>) -> u32 {
    let (mut waits, mut passed) = (0, 0_u32);
    while let Some(seconds) = wait(passed) {
        waits += 1;
        passed = passed.saturating_add(seconds.max(1));
    }
    waits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planner::fixture::policy;
    use crate::policy::gates::{MOST_OUTSIDE_GATES, OutsideGate};

    const DAY: u32 = 24 * 60 * 60;

    fn held_for(days: u32, targets_timeout_seconds: u32) -> u32 {
        let max_hold_seconds = days * DAY;
        most_checks_of(&ServicePolicy { max_hold_seconds, targets_timeout_seconds, ..policy() })
    }

    #[test]
    fn a_hold_of_a_month_does_not_fit_and_an_ordinary_policy_uses_little() {
        assert!(most_checks_of(&policy()) < 200, "{}", most_checks_of(&policy()));
        assert!(held_for(30, 15 * 60) > MOST_CHECKS);
        assert!(held_for(14, 15 * 60) < MOST_CHECKS);
    }

    #[test]
    fn a_day_of_waiting_for_targets_fits() {
        let (short, long) = (held_for(1, 15 * 60), held_for(1, DAY));
        assert!(long - short > 1_300 && long < MOST_CHECKS, "{short} {long}");
    }

    #[test]
    fn every_approval_may_take_as_long_as_a_hold() {
        let mut policy = ServicePolicy { max_hold_seconds: 6 * DAY, ..policy() };
        let once = most_checks_of(&policy);
        policy.schedule.steps.iter_mut().for_each(|step| step.approve = true);
        let approvals = u32::try_from(policy.schedule.steps.len()).unwrap();
        assert!(approvals > 1 && most_checks_of(&policy) > once + (approvals - 1) * 550);
    }

    #[test]
    fn a_shift_that_was_begun_is_completed_and_not_for_ever() {
        assert!(is_used_up(MOST_CHECKS, false) && !is_used_up(MOST_CHECKS - 1, false));
        assert!(!is_used_up(MOST_CHECKS, true) && is_used_up(MOST_CHECKS + TO_COMPLETE_A_SHIFT, true));
    }

    #[test]
    fn outside_gates_use_up_the_budget_as_they_fill_the_history_and_slices_make_room_for_them() {
        let mut policy = policy();
        let alone = most_checks_of(&policy);
        let gate = || OutsideGate { function: "crossfade-hook-x".into(), timeout_seconds: 10 };
        for (gates, factor) in [(1, 4), (2, 6), (MOST_OUTSIDE_GATES, 11)] {
            policy.gates.outside = (0..gates).map(|number| (format!("gate-{number}"), gate())).collect();
            assert_eq!(checks_of_a_look(&policy), factor);
            let (events, counted) = (9 + 11 + 15 * u32::try_from(gates).unwrap(), 9 * factor);
            assert!(events <= counted && counted < events + 9, "{events} events are counted as {counted}");
            assert!(most_checks_of(&policy) > alone);
        }
        policy.schedule.steps.iter_mut().for_each(|step| step.bake_seconds = 7 * DAY);
        assert!(most_checks_of(&policy) < MOST_CHECKS, "a week of bakes is no reason to halt");
    }

    #[test]
    fn the_longest_history_stays_below_the_limit() {
        let repeated_calls_and_a_rollback = 5_000;
        assert!(9 * (MOST_CHECKS + TO_COMPLETE_A_SHIFT) + repeated_calls_and_a_rollback < 25_000);
    }
}
