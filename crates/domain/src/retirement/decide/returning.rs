//! The way back.

use super::super::feed::Feed;
use super::super::head::Retirement;
use super::super::plan::{RetiredGroup, RetirementPlan};
use super::{Doing, Next, SOON_SECONDS, Seen, wait, wait_until};
use crate::journal::settle::SETTLE_SECONDS;
use crate::load_balancer::action::{Action, forward_of};
use crate::load_balancer::group::HealthState;
use crate::load_balancer::membership::is_same_target;
use crate::load_balancer::same_actions::equivalent;
use crate::names::TargetGroupArn;
use crate::routing::drift::describe;
use jiff::{SignedDuration, Timestamp};

pub(super) fn next(retirement: &Retirement, seen: &Seen, now: Timestamp) -> Next {
    let plan = &retirement.plan;
    if let Some(why) = &seen.unreadable {
        return wait(SOON_SECONDS, why.clone());
    }
    let deregistered = retirement.deregister_intended_at.is_some();
    let lacking = plan.groups.iter().filter(|group| deregistered && lacks_targets(group, seen));
    let groups: Vec<TargetGroupArn> = lacking.map(|group| group.record.arn.clone()).collect();
    // The callers of a removed internal route do not want it back, nor its copy of an old group.
    let removed = seen.removed.as_ref();
    let is_removed = |group: &TargetGroupArn| removed.is_some_and(|removed| removed.copy.as_ref() == Some(group));
    let mut left: Vec<String> = plan
        .groups
        .iter()
        .filter(|group| !seen.registered.contains_key(&group.record.arn) && !is_removed(&group.record.arn))
        .map(|group| {
            let commands = group.record.commands().join("; ");
            format!("{} is gone; create it again with: {commands}", group.record.name)
        })
        .collect();
    let (mut routes, mut feeds) = (Vec::new(), Vec::new());
    for feed in &retirement.feeds {
        if !seen.scaling_groups.contains(&feed.scaling_group) {
            left.push(format!("Auto Scaling group {} is gone", feed.scaling_group));
        } else if seen.registered.contains_key(&feed.group) && !seen.fed_by.iter().any(|one| one.is_same(feed)) {
            feeds.push(Feed::clone(feed));
        }
    }
    for route in &plan.routes {
        let Some(live) = seen.live.get(&route.id) else {
            if removed.is_none_or(|removed| removed.route.as_ref() != Some(&route.id)) {
                left.push(format!("{} is gone", route.named()));
            }
            continue;
        };
        if equivalent(live, &route.detached) && !names_a_lost_group(plan, &route.attached, seen) {
            routes.push(route.id.clone());
        } else if !equivalent(live, &route.attached) && !equivalent(live, &route.detached) {
            left.push(format!("{} was changed by someone else: {}", route.named(), describe(live)));
        }
    }
    if !groups.is_empty() || !routes.is_empty() || !feeds.is_empty() {
        return Next::Do(Doing::Return { feeds, groups, routes });
    }
    match retirement.undo.as_ref().and_then(|undo| undo.returned_at) {
        None => Next::Do(Doing::ConfirmReturned),
        Some(returned_at) => {
            let settled = returned_at + SignedDuration::from_secs(i64::from(SETTLE_SECONDS));
            if now < settled {
                return wait_until(settled, now, "returned; a last look follows");
            }
            Next::Do(Doing::End { left })
        }
    }
}

/// Whether a recorded target of a group that exists is not registered.
fn lacks_targets(group: &RetiredGroup, seen: &Seen) -> bool {
    let record = &group.record;
    let Some(registered) = seen.registered.get(&record.arn) else { return false };
    let is_there = |target| {
        registered
            .iter()
            .any(|one| one.state != HealthState::Draining && is_same_target(target, &one.target, record.settings.port))
    };
    !record.targets.iter().all(is_there)
}

/// Whether actions name an old group that someone has deleted.
fn names_a_lost_group(plan: &RetirementPlan, actions: &[Action], seen: &Seen) -> bool {
    let lost = plan.old_groups().filter(|group| !seen.registered.contains_key(group));
    let forward = forward_of(actions);
    lost.into_iter().any(|group| forward.is_some_and(|forward| forward.weight_of(group).is_some()))
}
