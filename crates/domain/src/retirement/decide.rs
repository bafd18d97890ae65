//! The one function from what is known to what comes next.
//!
//! It is called at every look, and may be called twice with the same knowledge: what has begun is in the head, and what
//! has been done is in the world, so nothing is done twice or forgotten.

mod proving;
mod removing;
mod returning;

use super::approval::Approval;
use super::feed::Feed;
use super::head::{Retirement, RetirementPhase};
use super::idle::{Idle, IdleWindow};
use super::watch::AfterDetach;
use crate::internal_route::Connection;
use crate::journal::hook::{DueHook, HookPoint};
use crate::load_balancer::action::Action;
use crate::load_balancer::group::{Target, TargetHealth};
use crate::load_balancer::route::RouteId;
use crate::load_balancer::same_actions::equivalent;
use crate::names::{LoadBalancerArn, TargetGroupArn};
use crate::routing::drift::describe;
use crate::windows::Closed;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// The longest wait between two looks.
const LONGEST_WAIT_SECONDS: u32 = 3_600;
/// How long an old side that is in use is left alone until the next look.
const IN_USE_SECONDS: u32 = 600;
/// The wait for what changes within seconds.
const SOON_SECONDS: u32 = 15;
/// How long targets are deregistered that someone registers again.
const DEREGISTER_FOR_SECONDS: i64 = 600;
/// How long AWS may say that a group is in use after no rule names it.
const DELETE_FOR_SECONDS: i64 = 600;

/// What was read for one look. What a phase does not ask for is left empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    /// Why the service is no longer migrated, if it is not.
    pub unmigrated: Option<String>,
    /// Whether windows or freezes forbid to detach and delete now.
    pub closed: Option<Closed>,
    /// What CloudWatch says of the old side, with the window; none where it could not be asked.
    pub idle: Option<(IdleWindow, Idle)>,
    /// When CloudWatch can be asked at the earliest, where the window is not over.
    pub window_over_at: Option<Timestamp>,
    /// Why CloudWatch, health or routes could not be read.
    pub unreadable: Option<String>,
    /// What breaks when the old group has left the routes, a line each.
    pub breaks: Vec<String>,
    /// Auto Scaling groups that register their instances in an old group.
    pub fed_by: Vec<Feed>,
    /// The names of all Auto Scaling groups.
    pub scaling_groups: BTreeSet<String>,
    /// Routes that name an old group and are not part of the plan.
    pub elsewhere: Vec<String>,
    /// The plan's routes as they are; one that is gone is absent.
    pub live: BTreeMap<RouteId, Vec<Action>>,
    /// The internal route, where someone has removed it with `crossfade connect --undo` since.
    pub removed: Option<Connection>,
    /// The targets of each old group that exists.
    pub registered: BTreeMap<TargetGroupArn, Vec<TargetHealth>>,
    /// The load balancers that use an old group, as AWS says it.
    pub used_by: Vec<LoadBalancerArn>,
    /// What was seen since the detach.
    pub after_detach: Option<AfterDetach>,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Look again.
    Wait {
        /// After so many seconds.
        seconds: u32,
        /// Why.
        reason: String,
    },
    /// Call this function.
    Hook(DueHook),
    /// A person has to approve.
    Approve {
        /// What.
        what: Approval,
        /// What is to be approved, and the command.
        reason: String,
    },
    /// Something is done and recorded.
    Do(Doing),
    /// It rests where it is.
    Rest {
        /// Where it stands and why.
        reason: String,
    },
}

/// Something that is done, which may be done again at any time.
#[derive(Debug, Clone, PartialEq)]
pub enum Doing {
    /// Nothing can be done: it ends before anything was changed.
    Refuse(String),
    /// Record that the routes will be written, with this proof.
    IntendDetach {
        /// What shows that the old side is idle.
        proof: String,
        /// The window that was looked at.
        window: Option<IdleWindow>,
    },
    /// Write these routes, which carry something else.
    Detach(Vec<RouteId>),
    /// Every route is without the old groups.
    ConfirmDetached,
    /// Record the groups in full, and that their targets will go.
    IntendDeregister,
    /// Record these targets, which someone has registered since the groups were recorded.
    RecordTargets(BTreeMap<TargetGroupArn, Vec<Target>>),
    /// Record these Auto Scaling groups, which register their instances in an old group.
    RecordFeeds(Vec<Feed>),
    /// Detach the old groups from these Auto Scaling groups, whose instances go on running.
    DetachFeeds(Vec<Feed>),
    /// Deregister the recorded targets of these groups.
    Deregister(Vec<TargetGroupArn>),
    /// No group has a target.
    ConfirmDeregistered,
    /// Record the groups in full, and that they will go.
    IntendDelete,
    /// Delete these groups.
    Delete(Vec<TargetGroupArn>),
    /// The groups are gone.
    ConfirmDeleted,
    /// AWS keeps refusing; a person looks.
    GiveDeletionUp(String),
    /// The way back begins.
    BeginUndo(String),
    /// Attach and register what is missing, then write these routes.
    Return {
        /// The Auto Scaling groups from which an old group was detached.
        feeds: Vec<Feed>,
        /// The groups with targets that are not registered.
        groups: Vec<TargetGroupArn>,
        /// The routes in their final form.
        routes: Vec<RouteId>,
    },
    /// Everything was read back.
    ConfirmReturned,
    /// Nothing is left to return but this.
    End {
        /// What could not be returned.
        left: Vec<String>,
    },
}

/// Decides what comes next.
pub fn next(retirement: &Retirement, seen: &Seen, now: Timestamp) -> Next {
    match retirement.phase {
        RetirementPhase::Proving => proving::next(retirement, seen, now),
        RetirementPhase::Detaching => removing::detaching(retirement, seen),
        RetirementPhase::Watching => removing::watching(retirement, seen, now),
        RetirementPhase::Deregistering => removing::deregistering(retirement, seen, now),
        RetirementPhase::Deregistered => removing::deregistered(retirement, seen, now),
        RetirementPhase::Deleting => removing::deleting(retirement, seen, now),
        RetirementPhase::Undoing => returning::next(retirement, seen, now),
        RetirementPhase::Deleted | RetirementPhase::Undone | RetirementPhase::Halted | RetirementPhase::Refused => {
            Next::Rest { reason: resting(retirement) }
        }
    }
}

fn resting(retirement: &Retirement) -> String {
    let service = &retirement.service;
    let last = last_step(retirement);
    match retirement.phase {
        RetirementPhase::Deregistered => format!(
            "the old target groups of {service} have no targets and are in no rule; they cost nothing. `crossfade \
             retire {service} --until deleted` deletes them, `crossfade retire {service} --undo` brings them back{last}"
        ),
        RetirementPhase::Deleted => {
            format!("the old target groups of {service} are deleted; the journal has them in full{last}")
        }
        RetirementPhase::Undone => format!(
            "the old side of {service} is as it was: {}",
            retirement.reason.as_deref().unwrap_or("the retirement was undone")
        ),
        _ => retirement.reason.clone().unwrap_or_default(),
    }
}

/// What is left for a person where the service has an internal route.
fn last_step(retirement: &Retirement) -> String {
    if !retirement.plan.internal_route {
        return String::new();
    }
    let service = &retirement.service;
    format!(
        ". Its internal route is the last to go: `crossfade wiring {service} --direct` has the URLs for its callers, \
         and `crossfade connect {service} --undo` removes the route once no one has used it"
    )
}

/// The hook of this phase, unless it has answered.
pub fn due_hook(retirement: &Retirement) -> Option<DueHook> {
    let plan = &retirement.plan;
    let (point, function, answered_at) = match retirement.phase {
        RetirementPhase::Proving => (HookPoint::BeforeRetire, &plan.hook, retirement.hook_answered_at),
        RetirementPhase::Deregistered => (HookPoint::AfterRetire, &plan.hook_after, retirement.hook_after_answered_at),
        _ => return None,
    };
    let function = function.clone().filter(|_| answered_at.is_none())?;
    Some(DueHook { point, function, new_target_groups: plan.new_groups() })
}

fn wait(seconds: u32, reason: impl Into<String>) -> Next {
    Next::Wait { seconds: seconds.clamp(1, LONGEST_WAIT_SECONDS), reason: reason.into() }
}

fn wait_until(at: Timestamp, now: Timestamp, reason: impl Into<String>) -> Next {
    let seconds = (at.duration_since(now).as_millis() + 999) / 1_000;
    wait(u32::try_from(seconds.max(1)).unwrap_or(u32::MAX), reason)
}

/// A route of the plan that carries neither of its two forms and still names an old group.
pub(super) fn foreign(retirement: &Retirement, seen: &Seen) -> Option<String> {
    retirement.plan.routes.iter().find_map(|route| {
        let live = seen.live.get(&route.id)?;
        let known = equivalent(live, &route.attached) || equivalent(live, &route.detached);
        (!known && retirement.plan.is_named_by(live)).then(|| {
            let (route, expected) = (route.named(), describe(&route.attached));
            format!("{route}: expected {expected}, found {}", describe(live))
        })
    })
}

fn closed_wait(closed: &Closed, now: Timestamp) -> Next {
    match closed.until {
        Some(until) => wait_until(until, now, closed.why.clone()),
        None => wait(LONGEST_WAIT_SECONDS, closed.why.clone()),
    }
}
