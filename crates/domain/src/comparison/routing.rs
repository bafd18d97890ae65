//! Checks where the requests went: whether the new group gets its share, and whether the load balancer answers in its
//! place.
//!
//! No metric of a group has an empty group's share. The only traces are the group's missing requests and the load
//! balancer's own 5xx, which it counts for all of its groups together. At a weight of 100, where nothing is compared,
//! the same 5xx show requests that the new group does not answer.

use super::counts::{GroupCounts, PairMinute, PairRead};
use super::window::Window;
use crate::judge::one_minute::{Counts, log_payment};
use crate::judge::{ln_more_often, starved};
use crate::weight::Weight;
use jiff::Timestamp;
use std::ops::Range;

/// Minutes of the hour before the first shift.
const MINUTES_BEFORE: u64 = 60;

/// Unanswered requests are tolerated as the judge tolerates errors: up to this factor times the old group's share of
/// them, plus this share. The bet looks for about four times as many.
const RATIO: f64 = 1.5;
const MARGIN: f64 = 0.001;
const BET: f64 = 4.0;

/// Returns the reasons to hold a migration that no comparison shows, one sentence each. None of them rolls back. Each
/// ends once the newest minutes are clean.
///
/// - A new group gets less than half of its share of the requests at this step. It is not checked if clients are pinned
///   to a group, since those who came before the step stay where they are.
/// - The load balancer itself answers with 5xx far more often than in the hour before. The new group leaves
///   requests unanswered or lacks some in the same minutes, **and** it is starved or leaves a larger share unanswered
///   than the old one. Without that, the errors may be those of any group on the load balancer, whose outage must not
///   hold every service. It is not checked once the hour before is no longer kept.
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
    // The usual rate is no longer known.
    if window.has_outlived_its_data() {
        return said;
    }
    let before = Sums::of(within(pair, window.since()..window.first));
    let unanswered = left_unanswered(&recent, &before);
    // Only the minutes that may be ours: those of a neighbour's outage say nothing.
    let may_be_ours = |minute: &&PairMinute| {
        minute.new.unanswered() > 0 || (is_starved && lacks_its_share(minute.new.requests, minute.old.requests, weight))
    };
    let ours = Sums::of(within(pair, window.recent()).filter(may_be_ours));
    let more_often = ln_more_often(ours.balancer_errors, ours.minutes, before.balancer_errors, MINUTES_BEFORE);
    if more_often >= starved::HOLD_EVIDENCE && (is_starved || unanswered.is_some()) {
        let why = unanswered.unwrap_or_else(|| "gets too few requests".to_owned());
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

/// Describes what the new group left unanswered if there is enough evidence that it is a larger share of its requests
/// than the old group's. One request against none is no evidence.
fn left_unanswered(recent: &Sums, before: &Sums) -> Option<String> {
    let new = recent.new;
    // Without old requests, as at 100 %, the comparison is with the old group before the first shift. If it had no
    // requests then either, it is with a group that answered all.
    let all = new.requests.max(new.unanswered());
    let flawless = GroupCounts { requests: all, answers: all, ..GroupCounts::default() };
    let old = [recent.old, before.old].into_iter().find(|old| old.requests > 0).unwrap_or(flawless);
    #[expect(clippy::cast_precision_loss, reason = "no load balancer serves 2^53 requests in an hour")]
    let of = |counts: GroupCounts| {
        // A failed connection is counted in addition to requests; one that is retried, twice.
        (counts.unanswered() as f64, counts.requests.max(counts.unanswered()) as f64)
    };
    let ((new_bad, requests), (old_bad, old)) = (of(new), of(old));
    let counts = Counts { new_bad, new: requests, old_bad, old };
    let larger = new_bad > 0.0 && log_payment(counts, RATIO, MARGIN, BET) >= starved::HOLD_EVIDENCE;
    larger.then(|| format!("left {} of {} requests unanswered", new.unanswered(), new.requests.max(new.unanswered())))
}

fn sum(sum: GroupCounts, minute: GroupCounts) -> GroupCounts {
    GroupCounts {
        requests: sum.requests.saturating_add(minute.requests),
        connection_errors: sum.connection_errors.saturating_add(minute.connection_errors),
        answers: sum.answers.saturating_add(if minute.lacks_answers { minute.requests } else { minute.answers }),
        ..sum
    }
}
