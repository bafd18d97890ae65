//! Where the requests went: does the new group get what it should, and does the load balancer answer in its place?
//!
//! An empty group's share, and answers that never came, stand in no metric of a group. The only traces are that the
//! group's requests are missing, and the load balancer's own 5xx, which it counts for all of its groups together.

use super::counts::{GroupCounts, PairMinute, PairRead};
use super::window::Window;
use crate::judge::{ln_more_often, starved};
use crate::weight::Weight;
use jiff::Timestamp;
use std::ops::Range;

/// Minutes of the hour before the first shift.
const MINUTES_BEFORE: u64 = 60;

/// What speaks against going on although no comparison shows it, one sentence each; it never rolls back.
///
/// - A new group gets less than half of its share of the requests at this step. Not asked where clients are pinned to a
///   group, since those who came before the step stay where they are.
/// - The load balancer answers with 5xx itself far more often than in the hour before, **and** the new group is starved or
///   has a larger share of connection errors than the old one. Alone, its errors may be those of any neighbour's group, and a
///   neighbour's outage must not hold every service on the load balancer.
pub fn objections(window: &Window, weight: Weight, pairs: &[PairRead]) -> Vec<String> {
    pairs.iter().flat_map(|pair| of_pair(window, weight, pair)).collect()
}

fn of_pair(window: &Window, weight: Weight, pair: &PairRead) -> Vec<String> {
    let step = Step::of(window, &pair.minutes);
    let new = pair.of.pair.new.name();
    let mut said = Vec::new();
    let is_starved = !pair.of.sticky && starved::is_starved(step.new.requests, step.old.requests, weight);
    if is_starved {
        let (got, all) = (step.new.requests, step.new.requests.saturating_add(step.old.requests));
        said.push(format!("{new} got {got} of {all} requests at this step, less than half of its share of {weight}"));
    }
    let errors = step.connection_errors();
    let more_often = ln_more_often(step.balancer_errors, step.minutes, step.balancer_errors_before, MINUTES_BEFORE);
    if more_often >= starved::ENOUGH && (is_starved || errors.is_some()) {
        let why = errors.unwrap_or_else(|| "gets too few requests".to_owned());
        said.push(format!(
            "load balancer {} answered {} requests with 5xx itself in {} minutes of this step ({} in the hour before the first \
             shift), while {new} {why}",
            pair.of.pair.load_balancer.name(),
            step.balancer_errors,
            step.minutes,
            step.balancer_errors_before,
        ));
    }
    said
}

/// Sums over the settled minutes of the current step past its warm-up, and over the hour before the first shift.
#[derive(Default)]
struct Step {
    minutes: u64,
    old: GroupCounts,
    new: GroupCounts,
    balancer_errors: u64,
    balancer_errors_before: u64,
}

impl Step {
    fn of(window: &Window, minutes: &[PairMinute]) -> Self {
        let counted = window.step();
        let mut step = Self { minutes: whole_minutes(&counted), ..Self::default() };
        for minute in minutes {
            if minute.start < window.first {
                step.balancer_errors_before = step.balancer_errors_before.saturating_add(minute.balancer_errors);
            }
            if counted.contains(&minute.start) {
                step.old = sum(step.old, minute.old);
                step.new = sum(step.new, minute.new);
                step.balancer_errors = step.balancer_errors.saturating_add(minute.balancer_errors);
            }
        }
        step
    }

    /// The new group's connection errors in words, where they are a larger share of its requests than the old group's are.
    /// Half as much again is within what is tolerated of errors, too.
    fn connection_errors(&self) -> Option<String> {
        let (new, old) = (self.new.connection_errors, self.old.connection_errors);
        let larger =
            u128::from(new) * u128::from(self.old.requests) * 2 > u128::from(old) * u128::from(self.new.requests) * 3;
        // Without old requests there is nothing to compare with, as at 100 %.
        let larger = larger || (self.old.requests == 0 && new > 0);
        larger.then(|| format!("had {new} connection errors in {} requests", self.new.requests))
    }
}

fn whole_minutes(time: &Range<Timestamp>) -> u64 {
    u64::try_from(time.end.duration_since(time.start).as_mins()).unwrap_or(0)
}

fn sum(sum: GroupCounts, minute: GroupCounts) -> GroupCounts {
    GroupCounts {
        requests: sum.requests.saturating_add(minute.requests),
        connection_errors: sum.connection_errors.saturating_add(minute.connection_errors),
        ..sum
    }
}
