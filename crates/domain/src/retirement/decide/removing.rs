//! From the detach to the deletion.

use super::super::approval::Approval;
use super::super::feed::Feed;
use super::super::head::Retirement;
use super::super::plan::RetiredRoute;
use super::super::watch::AfterDetach;
use super::{
    DELETE_FOR_SECONDS, DEREGISTER_FOR_SECONDS, Doing, Next, SOON_SECONDS, Seen, closed_wait, due_hook, foreign,
    resting, wait, wait_until,
};
use crate::load_balancer::group::{HealthState, Target};
use crate::load_balancer::membership::{Membership, named};
use crate::load_balancer::route::RouteId;
use crate::names::{LoadBalancerArn, TargetGroupArn};
use crate::policy::retire::Until;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

pub(super) fn detaching(retirement: &Retirement, seen: &Seen) -> Next {
    if let Some(why) = &seen.unreadable {
        return wait(SOON_SECONDS, why.clone());
    }
    if let Some(changed) = foreign(retirement, seen) {
        return Next::Do(Doing::BeginUndo(format!("someone else changed a route: {changed}")));
    }
    let attached = retirement
        .plan
        .routes
        .iter()
        .filter(|route| seen.live.get(&route.id).is_some_and(|live| retirement.plan.is_named_by(live)));
    let routes: Vec<RouteId> = attached.map(|route| route.id.clone()).collect();
    Next::Do(if routes.is_empty() { Doing::ConfirmDetached } else { Doing::Detach(routes) })
}

/// Routes that name an old group, planned or not.
fn attached_again(retirement: &Retirement, seen: &Seen) -> Option<String> {
    let is_attached =
        |route: &&RetiredRoute| seen.live.get(&route.id).is_some_and(|live| retirement.plan.is_named_by(live));
    let mut routes: Vec<String> = retirement.plan.routes.iter().filter(is_attached).map(RetiredRoute::named).collect();
    routes.extend(seen.elsewhere.iter().cloned());
    let service = &retirement.service;
    (!routes.is_empty()).then(|| {
        format!(
            "someone attached an old target group of {service} again: {}; take it out, or `crossfade retire {service} \
             --undo`",
            routes.join(", ")
        )
    })
}

pub(super) fn watching(retirement: &Retirement, seen: &Seen, now: Timestamp) -> Next {
    if let Some(AfterDetach::Worse(why)) = &seen.after_detach {
        return Next::Do(Doing::BeginUndo(why.clone()));
    }
    if let Some(why) = &seen.unreadable {
        return wait(60, why.clone());
    }
    if let Some(why) = attached_again(retirement, seen) {
        return wait(60, why);
    }
    let until = retirement.phase_since + SignedDuration::from_secs(i64::from(retirement.plan.watch_seconds));
    if now < until {
        let slice = now + SignedDuration::from_mins(1);
        return wait_until(until.min(slice), now, format!("detached; the load balancers are watched until {until}"));
    }
    if seen.after_detach.is_none() {
        return wait(60, "what happened since the detach cannot be read");
    }
    if retirement.plan.terms.until == Until::Detached {
        let service = &retirement.service;
        return Next::Rest {
            reason: format!(
                "no rule names the old target groups of {service}, and nothing got worse; they keep their targets. \
                 `crossfade retire {service} --until deregistered` goes on, `crossfade retire {service} --undo` puts \
                 them back"
            ),
        };
    }
    if let Some(closed) = &seen.closed {
        return closed_wait(closed, now);
    }
    Next::Do(Doing::IntendDeregister)
}

pub(super) fn deregistering(retirement: &Retirement, seen: &Seen, now: Timestamp) -> Next {
    if let Some(why) = &seen.unreadable {
        return wait(SOON_SECONDS, why.clone());
    }
    if let Some(why) = attached_again(retirement, seen) {
        return wait(60, why);
    }
    // They would register their instances again, and may replace those that are deregistered.
    let known = |feed: &&Feed| retirement.feeds.iter().any(|known| known.is_same(feed));
    let unknown: Vec<Feed> = seen.fed_by.iter().filter(|feed| !known(feed)).cloned().collect();
    if !unknown.is_empty() {
        return Next::Do(Doing::RecordFeeds(unknown));
    }
    if !seen.fed_by.is_empty() {
        return Next::Do(Doing::DetachFeeds(seen.fed_by.clone()));
    }
    let with = |counts: fn(HealthState) -> bool| -> Vec<TargetGroupArn> {
        let some = seen.registered.iter().filter(|(_, targets)| targets.iter().any(|one| counts(one.state)));
        some.map(|(group, _)| group.clone()).collect()
    };
    let registered = with(|state| state != HealthState::Draining);
    let long = now.duration_since(retirement.phase_since).as_secs() > DEREGISTER_FOR_SECONDS;
    if let (Some(first), true) = (registered.first(), long) {
        return wait(
            60,
            format!(
                "{} still has targets: a controller, an Auto Scaling group or a job registers them again; stop it, \
                 then `aws elbv2 deregister-targets`, or `crossfade retire {} --undo`",
                first.name(),
                retirement.service
            ),
        );
    }
    let found = unrecorded(retirement, seen);
    if !found.is_empty() {
        return Next::Do(Doing::RecordTargets(found));
    }
    if !registered.is_empty() {
        return Next::Do(Doing::Deregister(registered));
    }
    let draining = with(|state| state == HealthState::Draining);
    if let Some(first) = draining.first() {
        return wait(SOON_SECONDS, format!("targets of {} are draining", first.name()));
    }
    Next::Do(Doing::ConfirmDeregistered)
}

/// The registered targets that no record has: an undo would not bring them back.
fn unrecorded(retirement: &Retirement, seen: &Seen) -> BTreeMap<TargetGroupArn, Vec<Target>> {
    let mut found = BTreeMap::new();
    for record in retirement.plan.groups.iter().map(|group| &group.record) {
        let registered = seen.registered.get(&record.arn).map(Vec::as_slice).unwrap_or_default();
        let unlisted = Membership::of(Some(&record.targets), record.settings.port, registered).unlisted;
        if !unlisted.is_empty() {
            found.insert(record.arn.clone(), unlisted);
        }
    }
    found
}

pub(super) fn deregistered(retirement: &Retirement, seen: &Seen, now: Timestamp) -> Next {
    let service = &retirement.service;
    if let Some(hook) = due_hook(retirement) {
        return Next::Hook(hook);
    }
    if retirement.plan.terms.until != Until::Deleted && !retirement.deletion_approved {
        return Next::Rest { reason: resting(retirement) };
    }
    if let (Some(why), false) = (&retirement.reason, retirement.deletion_approved) {
        return Next::Rest { reason: why.clone() };
    }
    if !retirement.deletion_approved {
        let names: Vec<&str> = retirement.plan.old_groups().map(TargetGroupArn::name).collect();
        let reason = format!(
            "{} will be deleted for good; `crossfade retire {service} --approve-deletion` allows it",
            names.join(", ")
        );
        return Next::Approve { what: Approval::Delete, reason };
    }
    if let Some(why) = &seen.unreadable {
        return wait(60, why.clone());
    }
    if let Some(why) = attached_again(retirement, seen) {
        return wait(60, why);
    }
    if let Some((group, targets)) = seen.registered.iter().find(|(_, targets)| !targets.is_empty()) {
        let targets: Vec<_> = targets.iter().map(|one| one.target.clone()).collect();
        return wait(
            60,
            format!("someone registers targets in {} again: {}; stop that first", group.name(), named(&targets)),
        );
    }
    if let Some(closed) = &seen.closed {
        return closed_wait(closed, now);
    }
    Next::Do(Doing::IntendDelete)
}

pub(super) fn deleting(retirement: &Retirement, seen: &Seen, now: Timestamp) -> Next {
    if let Some(why) = &seen.unreadable {
        return wait(SOON_SECONDS, why.clone());
    }
    let left: Vec<TargetGroupArn> = seen.registered.keys().cloned().collect();
    if left.is_empty() {
        return Next::Do(Doing::ConfirmDeleted);
    }
    let whole = left.len() == retirement.plan.groups.len();
    let late = now.duration_since(retirement.phase_since).as_secs() > DELETE_FOR_SECONDS;
    match attached_again(retirement, seen) {
        Some(why) if whole => Next::Do(Doing::GiveDeletionUp(why)),
        Some(why) => wait(60, why),
        None if late && whole => {
            let names: Vec<&str> = seen.used_by.iter().map(LoadBalancerArn::name).collect();
            Next::Do(Doing::GiveDeletionUp(format!(
                "AWS has said for {} minutes that the groups are in use ({}); find the rule that names them, then \
                 approve again",
                DELETE_FOR_SECONDS / 60,
                names.join(", ")
            )))
        }
        None => Next::Do(Doing::Delete(left)),
    }
}
