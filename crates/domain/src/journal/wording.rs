//! A journal in words: a line for operators, and what is announced to others.

use super::request_counts::{RequestCounts, SideCounts};
use super::{Event, EventKind, Trigger};
use crate::names::{LoadBalancerArn, TargetGroupArn};
use crate::opinion::Vote;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// What happened, in one line without a time.
pub fn journal_line(event: &Event) -> String {
    match &event.kind {
        EventKind::Planned { routes, after_ignored: None } => format!("planned: {} locked", counted(*routes, "route")),
        EventKind::Planned { routes, after_ignored: Some(ignored) } => {
            format!("planned: {} locked; {ignored}", counted(*routes, "route"))
        }
        EventKind::GroupsCreated { groups } => format!("created {}", counted(groups.len(), "target group")),
        EventKind::GuardsCreated { alarms } => format!("created {}", counted(alarms.len(), "guard alarm")),
        EventKind::ShiftIntended { step: 0, .. } => "attaching the new groups at weight 0".to_owned(),
        EventKind::Shifted { step: 0, .. } => "attached: every route read back at weight 0".to_owned(),
        EventKind::ShiftIntended { weight, .. } => format!("shifting to {weight}"),
        EventKind::Shifted { weight, .. } => format!("shifted: every route read back at {weight}"),
        EventKind::TargetsRegistered { registered: 0 } => "left the targets to their controller".to_owned(),
        EventKind::TargetsRegistered { registered } => format!("registered {}", counted(*registered, "target")),
        EventKind::UnlistedTargetsFound { unlisted } => {
            let of_group = |(group, targets): (&TargetGroupArn, &Vec<String>)| {
                format!("{} from {}", targets.join(", "), group.name())
            };
            let targets: Vec<String> = unlisted.iter().map(of_group).collect();
            format!("removing targets that newTargets does not list: {}", targets.join("; "))
        }
        EventKind::TargetsChecked { reason, .. } => format!("targets: {reason}"),
        EventKind::ProbesBegun { listeners } => {
            format!("probing the new side through {}", counted(listeners.len(), "listener"))
        }
        EventKind::ProbesOffered { rules, .. } => {
            let requests: usize = rules.iter().map(|rule| rule.requests.len()).sum();
            format!("waiting for a command that sends the probes from outside: {}", counted(requests, "probe"))
        }
        EventKind::ProbesReported { report, .. } => format!("probes were sent by {}", report.who),
        EventKind::Probed { reason, .. } => format!("probes: {reason}"),
        EventKind::ProbeRulesDeleted => "deleted the rules that a probe had left".to_owned(),
        EventKind::Judged { reason, .. } => format!("gates: {reason}"),
        EventKind::Observed { gate, vote, reason, .. } => match vote.would_have() {
            Some(would_have) => format!("{gate} (observing): would have {would_have}: {reason}"),
            None => format!("{gate} (observing): no longer objects"),
        },
        EventKind::HookCalled { point, function, .. } => format!("calling hook {function} ({})", point.field()),
        EventKind::HookAnswered { point, function, warmed: None, .. } => {
            format!("hook {function} ({}) answered", point.field())
        }
        EventKind::HookAnswered { point, function, warmed: Some(warmed), .. } => {
            let requests = counted(*warmed, "request");
            format!("hook {function} ({}) answered: each new target has answered {requests}", point.field())
        }
        EventKind::Commanded { reason, .. } => format!("operator: {reason}"),
        EventKind::RollbackBegun { trigger, cause, .. } => format!("rolling back ({}): {cause}", begun_by(*trigger)),
        EventKind::ForeignEditKept { route, requests, seen } => {
            format!("left as someone else made it: {} ({seen})", route.named(requests))
        }
        EventKind::RoutesReturned { written, left: 0 } => {
            format!("every route read back at its baseline, {written} written")
        }
        EventKind::RoutesReturned { written, left } => {
            format!("every route read back, {written} written, {}", left_alone(*left))
        }
        EventKind::RollbackVerified { rewritten: 0, left: 0 } => {
            "second check: every route is back, locks released".to_owned()
        }
        EventKind::RollbackVerified { rewritten, left: 0 } => {
            format!("second check: {} written once more, all back, locks released", counted(*rewritten, "route"))
        }
        EventKind::RollbackVerified { left, .. } => {
            format!("second check: no route sends traffic to the new group, {}, locks released", left_alone(*left))
        }
        EventKind::Finished { listed: None } => "finished: all traffic on the new cluster, locks released".to_owned(),
        EventKind::Finished { listed: Some(listed) } => format!(
            "finished: all traffic on the new cluster, locks released; none of the {} of {} sends any to the old \
             groups",
            counted(listed.routes, "route"),
            listed.load_balancers.iter().map(LoadBalancerArn::name).collect::<Vec<_>>().join(", ")
        ),
        EventKind::RequestsCounted { counts } => requests_line(counts),
        EventKind::RequestsNotCounted { reason } => format!("requests could not be counted: {reason}"),
        EventKind::Halted { reason } => format!("halted: {reason}"),
        EventKind::Resumed { who, accepted, .. } if accepted.is_empty() => format!("resumed by {who}"),
        EventKind::Resumed { who, accepted, .. } => {
            format!("resumed by {who}; what others did to {} is accepted", counted(accepted.len(), "route"))
        }
        EventKind::Refused { reason } => format!("refused: {reason}"),
    }
}

/// Who began a rollback, in words.
pub fn begun_by(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::AlarmEvent => "alarm event",
        Trigger::CheckAlarms => "gates at the end of a slice",
        Trigger::OutsideGate => "outside gate",
        Trigger::Sweep => "sweep",
        Trigger::Stopped => "execution stopped by someone",
        Trigger::Operator => "operator",
        Trigger::Failure => "a function failed",
        Trigger::Health => "unhealthy targets",
    }
}

fn requests_line(counts: &RequestCounts) -> String {
    let (old, new) = counts.sums();
    let of = |side: SideCounts| format!("{} of {}", side.failed(), counted(side.requests, "request"));
    let until = counts.until().map_or_else(String::new, |until| format!(" up to {}", until.strftime("%H:%M UTC")));
    let more = if counts.is_settled() { "" } else { ", and CloudWatch was still counting the last minutes" };
    format!("requests counted{until}: the new cluster failed {}, the old one {}{more}", of(new), of(old))
}

fn left_alone(routes: u32) -> String {
    format!("{} left as someone else made it", counted(routes, "route"))
}

/// `1 route`, `3 routes`.
pub fn counted(number: impl TryInto<u64> + std::fmt::Display + Copy, what: &str) -> String {
    let plural = if number.try_into().ok() == Some(1) { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// `1 request`, `3 requests`, from a sum of CloudWatch.
pub fn counted_requests(sum: f64) -> String {
    format!("{sum} request{}", if (sum - 1.0).abs() < f64::EPSILON { "" } else { "s" })
}

/// How often each gate that only observes would have done something: `judge (observing): would have rolled back twice,
/// held once`.
pub fn observed_counts(events: &[Event]) -> Vec<String> {
    let mut counts: BTreeMap<&str, BTreeMap<Reverse<Vote>, usize>> = BTreeMap::new();
    for event in events {
        if let EventKind::Observed { gate, vote, .. } = &event.kind {
            *counts.entry(gate).or_default().entry(Reverse(*vote)).or_default() += 1;
        }
    }
    let times = |number: usize| match number {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        more => format!("{more} times"),
    };
    let of_gate = |(gate, votes): (&str, BTreeMap<Reverse<Vote>, usize>)| {
        let done = votes.into_iter().filter_map(|(Reverse(vote), number)| Some((vote.would_have()?, number)));
        let done: Vec<String> = done.map(|(would_have, number)| format!("{would_have} {}", times(number))).collect();
        format!("{gate} (observing): would have {}", done.join(", "))
    };
    counts.into_iter().map(of_gate).collect()
}

/// What is announced of an event: the change in one word, and its reason in one sentence. None for most events.
pub fn announcement(event: &Event) -> Option<(&'static str, String)> {
    Some(match &event.kind {
        EventKind::Planned { routes, .. } => {
            ("started", format!("{routes} routes are locked and nothing is changed yet"))
        }
        EventKind::Shifted { weight, .. } => ("shifted", format!("every route was read back at {weight}")),
        EventKind::RollbackBegun { cause, .. } => ("rolling-back", cause.clone()),
        EventKind::RollbackVerified { left, .. } if *left > 0 => {
            ("rolled-back", format!("no route sends traffic to the new cluster; {}", left_alone(*left)))
        }
        EventKind::RollbackVerified { .. } => {
            ("rolled-back", "every route is back at its old cluster and was checked twice".to_owned())
        }
        EventKind::Halted { reason } => ("halted", reason.clone()),
        EventKind::Finished { .. } => ("migrated", "all traffic is on the new cluster".to_owned()),
        EventKind::Refused { reason } => ("refused", reason.clone()),
        _ => return None,
    })
}
