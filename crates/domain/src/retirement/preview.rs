//! What a dry run shows: what will go, what speaks for it, and what will break.

use super::decide::{Seen, foreign};
use super::feed::Feed;
use super::head::Retirement;
use super::idle::Idle;
use crate::policy::retire::Evidence;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

/// What a retirement would do, a line each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RetirementPreview {
    /// What would go.
    pub goes: Vec<String>,
    /// The evidence that no one uses the old side.
    pub evidence: Vec<String>,
    /// What would break, which a person has to approve.
    pub breaks: Vec<String>,
    /// What is in the way now.
    pub waits: Vec<String>,
}

/// Describes a retirement by what was read, whether it has begun or not.
pub fn preview(retirement: &Retirement, seen: &Seen, now: Timestamp) -> RetirementPreview {
    let (service, plan) = (&retirement.service, &retirement.plan);
    let groups = plan.groups.iter().map(|group| {
        let targets = group.record.targets.len();
        format!("target group {} with {targets} target{}", group.record.name, if targets == 1 { "" } else { "s" })
    });
    let routes = plan.routes.iter().map(|route| format!("its place in {}", route.named()));
    let mut waits = Vec::new();
    let kept_until = plan.zero_since + SignedDuration::from_secs(i64::from(plan.terms.keep_old_seconds));
    if now < kept_until {
        waits.push(format!("the policy keeps the old side of {service} until {kept_until}"));
    }
    waits.extend(seen.unmigrated.clone());
    waits.extend(seen.unreadable.clone());
    waits.extend(seen.elsewhere.iter().map(|route| {
        format!("{route} also names an old target group, and belongs to no migration: take it out there")
    }));
    waits.extend(foreign(retirement, seen).map(|changed| format!("someone else changed a route: {changed}")));
    waits.extend(seen.closed.as_ref().map(|closed| closed.why.clone()));
    RetirementPreview {
        goes: groups.chain(routes).chain(seen.fed_by.iter().map(Feed::goes)).collect(),
        evidence: evidence(retirement, seen),
        breaks: seen.breaks.clone(),
        waits,
    }
}

fn evidence(retirement: &Retirement, seen: &Seen) -> Vec<String> {
    let (service, plan) = (&retirement.service, &retirement.plan);
    let of = |evidence: Evidence| {
        let found = match (plan.terms.waived(evidence), evidence) {
            (Some(why), _) => format!("waived: {why}"),
            (None, Evidence::LoadBalancer) => match (&seen.idle, seen.window_over_at) {
                (Some((_, Idle::Idle(why))), _) => why.clone(),
                (Some((_, Idle::InUse(why))), _) => format!("in use: {why}"),
                (Some((_, Idle::CannotTell(why))), _) => format!("cannot tell: {why}"),
                (Some((_, Idle::NoTraffic(why))), _) => {
                    format!("{why}: `crossfade retire {service} --accept-no-traffic --reason ...` accepts that")
                }
                (None, Some(over_at)) => format!("not before {over_at}, when the window is over"),
                (None, None) => "could not be read".to_owned(),
            },
            (None, _) => match (&plan.hook, retirement.hook_answered_at) {
                (Some(function), Some(at)) => format!("{function} has checked it at {at}"),
                (Some(function), None) => format!("{function} will be asked"),
                (None, _) => "nothing shows it".to_owned(),
            },
        };
        format!("{}: {found}", evidence.as_str())
    };
    Evidence::ALL.into_iter().map(of).collect()
}
