//! Where the requests went: does the new group get what it should, and does the load balancer answer in its place?
//!
//! An empty group's share, and answers that never came, stand in no metric of a group. The only traces are that the
//! group's requests are missing, and the load balancer's own 5xx, which it counts for all of its groups together.

use super::counts::{GroupCounts, PairMinute, PairRead};
use super::window::Window;
use crate::judge::one_minute::{Counts, log_payment};
use crate::judge::{ln_more_often, starved};
use crate::weight::Weight;
use jiff::Timestamp;
use std::ops::Range;

/// Minutes of the hour before the first shift.
const MINUTES_BEFORE: u64 = 60;

/// Connection errors are tolerated as the judge tolerates errors: up to this factor on the old group's share of them,
/// and this share beside it. The bet looks for about four times as many.
const RATIO: f64 = 1.5;
const MARGIN: f64 = 0.001;
const BET: f64 = 4.0;

/// What speaks against going on although no comparison shows it, one sentence each; it never rolls back. Each is over
/// once the newest minutes are clean, so that what has passed holds nobody for long.
///
/// - A new group gets less than half of its share of the requests at this step. Not asked where clients are pinned to a
///   group, since those who came before the step stay where they are.
/// - The load balancer answers with 5xx itself far more often than in the hour before, in the same minutes in which the
///   new group has connection errors or lacks its requests, **and** the new group is starved or has a larger share of
///   connection errors than the old one. Alone, its errors may be those of any neighbour's group, and a neighbour's
///   outage must not hold every service on the load balancer. Not asked once the hour before is no longer kept.
pub fn objections(window: &Window, weight: Weight, pairs: &[PairRead]) -> Vec<String> {
    pairs.iter().flat_map(|pair| of_pair(window, weight, pair)).collect()
}

fn of_pair(window: &Window, weight: Weight, pair: &PairRead) -> Vec<String> {
    let new = pair.of.pair.new.name();
    let step = Sums::of(within(pair, window.step()));
    let recent = Sums::of(within(pair, window.recent()));
    let mut said = Vec::new();
    let is_starved = !pair.of.sticky
        && starved::is_starved(step.new.requests, step.old.requests, weight)
        && lacks_its_share(recent.new.requests, recent.old.requests, weight);
    if is_starved {
        let (got, all) = (step.new.requests, step.new.requests.saturating_add(step.old.requests));
        said.push(format!("{new} got {got} of {all} requests at this step, less than half of its share of {weight}"));
    }
    // Nothing tells any more what is usual.
    if window.has_outlived_its_data() {
        return said;
    }
    let before = Sums::of(within(pair, window.since()..window.first));
    let errors = connection_errors(&recent, &before);
    // Only the minutes that may be ours: those of a neighbour's outage say nothing.
    let may_be_ours = |minute: &&PairMinute| {
        minute.new.connection_errors > 0
            || (is_starved && lacks_its_share(minute.new.requests, minute.old.requests, weight))
    };
    let ours = Sums::of(within(pair, window.recent()).filter(may_be_ours));
    let more_often = ln_more_often(ours.balancer_errors, ours.minutes, before.balancer_errors, MINUTES_BEFORE);
    if more_often >= starved::HOLD_EVIDENCE && (is_starved || errors.is_some()) {
        let why = errors.unwrap_or_else(|| "gets too few requests".to_owned());
        said.push(format!(
            "load balancer {} answered {} requests with 5xx itself in {} of the newest minutes of this step ({} in the \
             hour before the first shift), while {new} {why}",
            pair.of.pair.load_balancer.name(),
            ours.balancer_errors,
            ours.minutes,
            before.balancer_errors,
        ));
    }
    said
}

fn within(pair: &PairRead, time: Range<Timestamp>) -> impl Iterator<Item = &PairMinute> {
    pair.minutes.iter().filter(move |minute| time.contains(&minute.start))
}

/// Whether the new group got less than half of its share of these requests. Without any it did: silence clears nothing.
fn lacks_its_share(new: u64, old: u64, weight: Weight) -> bool {
    let all = u128::from(new) + u128::from(old);
    all == 0 || 2 * u128::from(new) * 1000 < all * u128::from(weight.tenths())
}

/// Counts added up over some minutes of one step.
#[derive(Default)]
struct Sums {
    minutes: u64,
    old: GroupCounts,
    new: GroupCounts,
    balancer_errors: u64,
}

impl Sums {
    fn of<'a>(minutes: impl Iterator<Item = &'a PairMinute>) -> Self {
        minutes.fold(Self::default(), |sums, minute| Self {
            minutes: sums.minutes + 1,
            old: sum(sums.old, minute.old),
            new: sum(sums.new, minute.new),
            balancer_errors: sums.balancer_errors.saturating_add(minute.balancer_errors),
        })
    }
}

/// The new group's connection errors in words, where the evidence suffices that they are a larger share of its requests
/// than the old group's are. One error beside none is no evidence.
fn connection_errors(recent: &Sums, before: &Sums) -> Option<String> {
    let new = recent.new;
    // Without old requests there is nothing to compare with, as at 100 %: then the old group as it was before the first
    // shift, and where it had no requests then either, one without connection errors.
    let flawless = GroupCounts { requests: new.requests.max(new.connection_errors), ..GroupCounts::default() };
    let old = [recent.old, before.old].into_iter().find(|old| old.requests > 0).unwrap_or(flawless);
    #[expect(clippy::cast_precision_loss, reason = "no load balancer serves 2^53 requests in an hour")]
    let of = |counts: GroupCounts| {
        // A connection that fails is counted beside requests; one that is retried, twice.
        (counts.connection_errors as f64, counts.requests.max(counts.connection_errors) as f64)
    };
    let ((new_bad, requests), (old_bad, old)) = (of(new), of(old));
    let counts = Counts { new_bad, new: requests, old_bad, old };
    let larger = new_bad > 0.0 && log_payment(counts, RATIO, MARGIN, BET) >= starved::HOLD_EVIDENCE;
    larger.then(|| format!("had {} connection errors in {} requests", new.connection_errors, new.requests))
}

fn sum(sum: GroupCounts, minute: GroupCounts) -> GroupCounts {
    GroupCounts {
        requests: sum.requests.saturating_add(minute.requests),
        connection_errors: sum.connection_errors.saturating_add(minute.connection_errors),
        ..sum
    }
}
