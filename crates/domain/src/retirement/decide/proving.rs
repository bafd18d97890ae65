//! Before the detach: whether the old side may go.

use super::super::approval::Approval;
use super::super::head::Retirement;
use super::super::idle::Idle;
use super::{Doing, IN_USE_SECONDS, Next, Seen, closed_wait, due_hook, foreign, wait, wait_until};
use crate::policy::retire::{Evidence, Until};
use jiff::{SignedDuration, Timestamp};

/// Decides while nothing was changed. What is cheap to read comes first.
pub(super) fn next(retirement: &Retirement, seen: &Seen, now: Timestamp) -> Next {
    let (service, plan) = (&retirement.service, &retirement.plan);
    if let Some(why) = &seen.unmigrated {
        return Next::Do(Doing::Refuse(why.clone()));
    }
    let kept_until = plan.zero_since + SignedDuration::from_secs(i64::from(plan.terms.keep_old_seconds));
    if now < kept_until {
        return wait_until(kept_until, now, format!("the policy keeps the old side of {service} until {kept_until}"));
    }
    if let Some(hook) = due_hook(retirement) {
        return Next::Hook(hook);
    }
    if let Some(why) = &seen.unreadable {
        return wait(60, why.clone());
    }
    if !seen.elsewhere.is_empty() {
        return Next::Do(Doing::Refuse(format!(
            "{} also name an old target group of {service}, and belong to no migration: take it out of them",
            seen.elsewhere.join(", ")
        )));
    }
    if let Some(changed) = foreign(retirement, seen) {
        return Next::Do(Doing::Refuse(format!("someone else changed a route: {changed}")));
    }
    let (proof, window) = match (plan.terms.waived(Evidence::LoadBalancer), &seen.idle) {
        (Some(why), _) => (format!("the load balancer's counts are waived: {why}"), None),
        (None, None) => {
            let at = seen.window_over_at.unwrap_or(now + SignedDuration::from_mins(1));
            return wait_until(at, now, format!("the old side of {service} has to be idle until {at}"));
        }
        (None, Some((window, Idle::Idle(why)))) => (why.clone(), Some(*window)),
        (None, Some((window, Idle::NoTraffic(why)))) if retirement.no_traffic_accepted => {
            (format!("{why}; accepted"), Some(*window))
        }
        (None, Some((_, Idle::NoTraffic(why)))) => {
            let reason = format!("{why}: `crossfade retire {service} --accept-no-traffic --reason ...` accepts that");
            return Next::Approve { what: Approval::NoTraffic, reason };
        }
        (None, Some((_, Idle::InUse(why)))) => return wait(IN_USE_SECONDS, format!("in use: {why}")),
        (None, Some((_, Idle::CannotTell(why)))) => return wait(IN_USE_SECONDS, format!("cannot tell: {why}")),
    };
    if plan.terms.until == Until::Idle {
        let breaks: Vec<String> = seen.breaks.iter().map(|one| format!("; this will break: {one}")).collect();
        return Next::Rest {
            reason: format!(
                "the old side of {service} is idle: {}{}; `crossfade retire {service} --until deregistered` goes on",
                with_waivers(retirement, proof),
                breaks.concat()
            ),
        };
    }
    if seen.breaks.iter().any(|one| !retirement.accepted.contains(one)) {
        let reason =
            format!("this will break: {}; `crossfade retire {service} --approve` accepts it", seen.breaks.join("; "));
        return Next::Approve { what: Approval::Detach, reason };
    }
    if let Some(closed) = &seen.closed {
        return closed_wait(closed, now);
    }
    Next::Do(Doing::IntendDetach { proof: with_waivers(retirement, proof), window })
}

/// The proof with what stands for the evidence that is not the load balancer's.
fn with_waivers(retirement: &Retirement, proof: String) -> String {
    let mut parts = vec![proof];
    let terms = &retirement.plan.terms;
    let hook = retirement.plan.hook.as_ref().zip(retirement.hook_answered_at);
    for evidence in [Evidence::DirectCallers, Evidence::BackgroundWork] {
        match (terms.waived(evidence), &hook) {
            (Some(why), _) => parts.push(format!("{} is waived: {why}", evidence.as_str())),
            (None, Some((function, at))) => {
                parts.push(format!("{}: {function} has checked it at {at}", evidence.as_str()));
            }
            (None, None) => {}
        }
    }
    parts.join("; ")
}
