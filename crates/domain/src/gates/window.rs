//! The window: whether traffic may be raised now, and what closed time does to a migration.
//!
//! It stops what raises traffic and nothing else. A rollback never asks here.

use crate::gates::checks::MOST_CHECKS;
use crate::gates::checks::{LONGEST_HELD_WAIT_SECONDS, held_wait_seconds, seconds_between};
use crate::gates::outside::checks_of_a_look;
use crate::journal::{Head, Phase};
use crate::opinion::{Gate, Opinion, Vote};
use crate::plan::Plan;
use crate::policy::service_policy::ServicePolicy;
use crate::windows::{Calendars, Closed, OnClose, Opening, Windows};
use jiff::Timestamp;

/// The longest wait before the next look at a window that is closed for long, where no traffic is on the new side.
const LONGEST_IDLE_WAIT_SECONDS: u32 = 3_600;
/// A window that is closed for longer is closed for long.
const LONG_SECONDS: u32 = 24 * 3_600;
/// The checks of an execution that closed windows leave to bakes, holds and the next windows.
const KEPT_CHECKS: u32 = 600;
/// The checks that each closed time gets in any case.
const LEAST_CHECKS: u32 = 50;
/// A start waits at most so often in the time that is left, because no one counts its looks. They are less than 2,000
/// for a start that waits for a year.
const LOOKS_OF_A_START: u32 = 480;

/// What a wait for a window depends on.
#[derive(Debug, Clone, Copy)]
pub struct Waiting {
    /// The time.
    pub now: Timestamp,
    /// Whether the new side may have traffic, so that the gates must look at it.
    pub exposed: bool,
    /// The checks that the execution has made.
    pub checks: u32,
}

/// The windows of a migration, unless an operator has overridden them.
pub fn windows_of<'a>(policy: &'a ServicePolicy, head: &Head) -> Option<&'a Windows> {
    policy.windows.as_ref().filter(|_| !head.commands.ignore_windows)
}

/// Why a step must not be taken now, and when it may be. None if it may. Attaching, step 0, has no bake.
pub fn closed(plan: &Plan, head: &Head, calendars: &Calendars, step: u32, now: Timestamp) -> Option<Closed> {
    let bake_seconds = plan.step(step).map_or(0, |step| step.bake_seconds);
    windows_of(&plan.policy, head)?.fits(calendars, now, bake_seconds).err()
}

/// Why a migration must not start now, and when it may. None if it may. The bake of its first step has to fit, or it
/// would hold its locks until the next window.
pub fn closed_to_a_start(policy: &ServicePolicy, calendars: &Calendars, now: Timestamp) -> Option<Closed> {
    let bake_seconds = policy.schedule.steps.first().map_or(0, |step| step.bake_seconds);
    policy.windows.as_ref()?.fits(calendars, now, bake_seconds).err()
}

/// The gate's own vote: to roll back, where the policy says so, a migration over which a window has closed. At the last
/// step nothing is left to raise, so it finishes. A calendar that cannot be read is closed to what raises traffic, but
/// moves none itself.
pub fn window_opinion(plan: &Plan, head: &Head, calendars: &Calendars, now: Timestamp) -> Option<Opinion> {
    let windows = windows_of(&plan.policy, head).filter(|windows| windows.on_close == OnClose::RollBack)?;
    let on_its_way = head.phase == Phase::Moving && head.new_side_may_have_traffic();
    if !on_its_way || head.verified_step == Some(plan.last_step()) {
        return None;
    }
    let why = windows.known_to_be_closed(calendars, now)?;
    Some(Opinion::new(Gate::Window, Vote::RollBack, format!("{why}, and onClose is rollBack")))
}

/// The same wait, but no longer than until a window closes where that rolls the migration back.
pub fn until_closing(plan: &Plan, head: &Head, calendars: &Calendars, now: Timestamp, wait_seconds: u32) -> u32 {
    let windows = windows_of(&plan.policy, head).filter(|windows| windows.on_close == OnClose::RollBack);
    match windows.map(|windows| windows.opening(calendars, now)) {
        Some(Opening::Open { until: Some(until) }) => wait_seconds.min(seconds_until(now, until)),
        _ => wait_seconds,
    }
}

/// How long a hold has lasted, in seconds. Time in which open hours and freezes were closed does not count. Time in
/// which only a calendar was closed does: what it was between two looks is not known.
pub fn held_seconds(policy: &ServicePolicy, head: &Head, now: Timestamp) -> u32 {
    let Some(since) = head.held_since else { return 0 };
    match windows_of(policy, head) {
        Some(windows) => windows.open_seconds_between(since, now),
        None => seconds_between(since, now),
    }
}

/// The wait before the next look at a hold, `shortest` seconds at first.
///
/// # Errors
/// How long it has been held, once that is longer than `maxHold`. Never while a window is closed.
pub fn wait_of_hold(policy: &ServicePolicy, head: &Head, waiting: Waiting, shortest: u32) -> Result<u32, u32> {
    let closed = windows_of(policy, head).and_then(|windows| windows.closed_by_the_clock(waiting.now));
    let Some(until) = closed else {
        let held_for = held_seconds(policy, head, waiting.now);
        return held_wait_seconds(policy, held_for, shortest).ok_or(held_for);
    };
    let since = head.held_since.map_or(0, |since| seconds_between(since, waiting.now));
    Ok(closed_wait_seconds(policy, waiting, Some(until)).min(since.max(shortest)))
}

/// The wait before the next look at a closed window: until it opens, but a quarter of an hour at most. If it is closed
/// for more than a day and no traffic is on the new side, an hour. Longer only where more looks would not fit into the
/// history of the execution.
pub fn closed_wait_seconds(policy: &ServicePolicy, waiting: Waiting, until: Option<Timestamp>) -> u32 {
    let Some(until) = until else { return LONGEST_HELD_WAIT_SECONDS };
    let left = seconds_until(waiting.now, until);
    let longest = longest_wait(left, waiting.exposed);
    let looks = MOST_CHECKS.saturating_sub(KEPT_CHECKS).saturating_sub(waiting.checks).max(LEAST_CHECKS);
    let apart = u64::from(left).saturating_mul(u64::from(checks_of_a_look(policy))).div_ceil(u64::from(looks));
    left.min(longest.max(u32::try_from(apart).unwrap_or(u32::MAX)))
}

/// The wait of a start before its next look at a closed window.
pub fn start_wait_seconds(now: Timestamp, until: Option<Timestamp>) -> u32 {
    let Some(until) = until else { return LONGEST_HELD_WAIT_SECONDS };
    let left = seconds_until(now, until);
    left.min(longest_wait(left, false).max(left.div_ceil(LOOKS_OF_A_START)))
}

fn longest_wait(left: u32, exposed: bool) -> u32 {
    if left > LONG_SECONDS && !exposed { LONGEST_IDLE_WAIT_SECONDS } else { LONGEST_HELD_WAIT_SECONDS }
}

/// Whole seconds, rounded up, so that a wait never ends before the moment; 1 at least.
fn seconds_until(now: Timestamp, until: Timestamp) -> u32 {
    let milliseconds = until.duration_since(now).as_millis().max(1);
    u32::try_from(milliseconds.unsigned_abs().div_ceil(1000)).unwrap_or(u32::MAX)
}
