//! The verdict at the end of each bake slice.
//!
//! Every gate is asked, and the strongest opinion wins: roll back, then halt, then hold. The bake counts only when none
//! objects. Among equals the order is operator, alarms, health, capacity, drift, judge,
//! outside gates, window. So a pause holds the weight and
//! never holds back a rollback.
//!
//! A shift that had to wait comes here too, because no traffic may go unwatched. A shift that was begun must not stay
//! half done: pause, capacity and an inconclusive judge then hold nothing, and `shift-weight` completes the shift or
//! takes it back (invariant 3). A gate that cannot be read still holds.
//!
//! A closed window comes last of all: it holds what would otherwise advance, and `maxHold` does not count then.
//!
//! A gate that only observes objects to nothing; its reason says what it would have done.

use crate::alarms::quiet::AlarmsRead;
use crate::gates::alarms::alarms_opinion;
use crate::gates::capacity::capacity_verdict;
use crate::gates::checks::{seconds_between, slice_seconds};
use crate::gates::drift::{drift_opinion, stray_opinion};
use crate::gates::health::{is_in_no_route, new_group_verdict};
use crate::gates::judge::{JudgeReading, Moment, judge_opinion};
use crate::gates::operator::operator_opinion;
use crate::gates::outside::{OutsideAnswers, outside_opinion};
use crate::gates::readiness;
use crate::gates::window::{self, Waiting};
use crate::journal::cursor::NextStep;
use crate::journal::settle::SETTLE_SECONDS;
use crate::journal::{Head, Phase, Trigger};
use crate::load_balancer::group::{TargetHealth, healthy_count};
use crate::names::TargetGroupArn;
use crate::opinion::{Gate, Opinion, Vote};
use crate::plan::Plan;
use crate::policy::document::written_duration;
use crate::policy::service_policy::{ScheduleStep, ServicePolicy};
use crate::routing::drift::Drift;
use crate::routing::stray::StrayRoute;
use crate::weight::Weight;
use crate::windows::Calendars;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// What a check has read. An error is the text of what could not be read.
#[derive(Debug, Clone)]
pub struct SliceInputs<'a> {
    /// The time of the check.
    pub now: Timestamp,
    /// The plan.
    pub plan: &'a Plan,
    /// The head, read before everything else.
    pub head: &'a Head,
    /// The alarms of the plan. A firing counts from when the locks were taken.
    pub alarms: Result<AlarmsRead, String>,
    /// The targets of each new group, by the new group.
    pub new_side: Result<BTreeMap<TargetGroupArn, Vec<TargetHealth>>, String>,
    /// The targets of each old group, by the old group.
    pub old_side: Result<BTreeMap<TargetGroupArn, Vec<TargetHealth>>, String>,
    /// Routes that were found changed in two reads.
    pub drift: Result<Vec<Drift>, String>,
    /// Routes outside the plan that send traffic to a group of the migration, found in two listings. None are looked
    /// for before the last step.
    pub strays: Result<Vec<StrayRoute>, String>,
    /// What the outside gates have answered; none before they were asked.
    pub outside: Option<OutsideAnswers>,
    /// The comparison; none before the first traffic and where the policy wants none.
    pub judge: Option<Result<JudgeReading, String>>,
    /// The calendars of the policy's windows; none where nothing asks for them.
    pub calendars: Calendars,
    /// The checks that the execution has made before this one.
    pub checks: u32,
}

/// What comes next, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SliceVerdict {
    /// `ask`, `advance`, `bake`, `hold`, `approval`, `closed`, `rollBack`, `stop`, `halt` or `finish`.
    pub verdict: NextStep,
    /// The gate that decided.
    pub gate: Gate,
    /// Seconds until the next check; 0 where there is none.
    pub wait_seconds: u32,
    /// Why, in one sentence.
    pub reason: String,
    /// Who begins a rollback, where the verdict is `rollBack`.
    pub trigger: Option<Trigger>,
    /// When the cause of the verdict arose: the alarm's change of state, else now.
    pub caused_at: Timestamp,
}

/// Combines the opinions of the gates.
pub fn verdict(inputs: &SliceInputs<'_>) -> SliceVerdict {
    let verdict = decide(inputs);
    let (plan, head, calendars) = (inputs.plan, inputs.head, &inputs.calendars);
    let wait_seconds = window::until_closing(plan, head, calendars, inputs.now, verdict.wait_seconds);
    SliceVerdict { wait_seconds, ..verdict }
}

fn decide(inputs: &SliceInputs<'_>) -> SliceVerdict {
    let decided = |verdict, gate, wait_seconds, reason| SliceVerdict {
        verdict,
        gate,
        wait_seconds,
        reason,
        trigger: None,
        caused_at: inputs.now,
    };
    let head = inputs.head;
    match head.phase {
        Phase::RollingBack | Phase::Settling | Phase::RolledBack => {
            let cause = head.rollback.as_ref().map_or("a rollback was begun", |rollback| rollback.cause.as_str());
            return decided(NextStep::Stop, Gate::Operator, 0, format!("already rolling back: {cause}"));
        }
        Phase::Halted => {
            let reason = head.reason.clone().unwrap_or_else(|| "the migration is halted".to_owned());
            return decided(NextStep::Halt, Gate::Operator, 0, reason);
        }
        Phase::Planned | Phase::Moving | Phase::Migrated | Phase::Refused => {}
    }
    let gates = &inputs.plan.policy.gates;
    let counted = |opinion: Opinion| if gates.observes(&opinion.gate) { opinion.observed() } else { opinion };
    let opinions: Vec<Opinion> = opinions(inputs).into_iter().map(counted).collect();
    if let Some(reason) = &head.rollback_decided
        && opinions.iter().all(|opinion| opinion.vote < Vote::RollBack)
    {
        // A function that recorded a rollback and died before it returned is run again. Its reason may be over by then.
        let trigger = Some(Trigger::CheckAlarms);
        return SliceVerdict { trigger, ..decided(NextStep::RollBack, Gate::Judge, 0, reason.clone()) };
    }
    let strongest = opinions.iter().map(|opinion| opinion.vote).max().unwrap_or(Vote::GoOn);
    // A rollback waits for no function of someone else.
    if strongest < Vote::RollBack && !gates.outside.is_empty() && inputs.outside.is_none() {
        let names: Vec<&str> = gates.outside.keys().map(String::as_str).collect();
        return decided(NextStep::Ask, Gate::Schedule, 0, format!("asks the outside gates: {}", names.join(", ")));
    }
    if strongest == Vote::GoOn {
        return bake(inputs, &opinions);
    }
    let first = opinions.iter().find(|opinion| opinion.vote == strongest).expect("the strongest is one of them");
    let reason = reasons(opinions.iter().filter(|opinion| opinion.vote == strongest));
    match strongest {
        Vote::RollBack => {
            let trigger = match first.gate {
                Gate::Operator => Trigger::Operator,
                Gate::Outside(_) => Trigger::OutsideGate,
                _ => Trigger::CheckAlarms,
            };
            let caused_at = first.caused_at.unwrap_or(inputs.now);
            SliceVerdict {
                trigger: Some(trigger),
                caused_at,
                ..decided(NextStep::RollBack, first.gate.clone(), 0, reason)
            }
        }
        Vote::Halt => decided(NextStep::Halt, first.gate.clone(), 0, reason),
        Vote::Hold | Vote::GoOn => {
            let verdict = held(inputs, NextStep::Hold, first.gate.clone(), reason);
            // Evidence of harm that is building must not wait for a quarter of an hour.
            let suspicious = matches!(&inputs.judge, Some(Ok(reading)) if reading.is_suspicious());
            let most = if suspicious { inputs.plan.policy.slice_seconds } else { u32::MAX };
            SliceVerdict { wait_seconds: verdict.wait_seconds.min(most), ..verdict }
        }
    }
}

/// What the gates vote for that only observe, for the journal.
pub fn observations(inputs: &SliceInputs<'_>) -> Vec<Opinion> {
    let gates = &inputs.plan.policy.gates;
    if gates.observing.is_empty() || inputs.head.phase != Phase::Moving {
        return Vec::new();
    }
    opinions(inputs).into_iter().filter(|opinion| gates.observes(&opinion.gate)).collect()
}

fn reasons<'a>(opinions: impl Iterator<Item = &'a Opinion>) -> String {
    opinions
        .filter(|opinion| !opinion.reason.is_empty())
        .map(|opinion| format!("{}: {}", opinion.gate, opinion.reason))
        .collect::<Vec<_>>()
        .join("; ")
}

fn opinions(inputs: &SliceInputs<'_>) -> Vec<Opinion> {
    let mut opinions = vec![operator_opinion(inputs.head)];
    opinions.push(match &inputs.alarms {
        Ok(read) => alarms_opinion(&inputs.plan.alarms(), read, inputs.head.since),
        Err(error) => Opinion::unreadable(Gate::Alarms, error),
    });
    opinions.push(new_side(inputs));
    opinions.push(old_side(inputs));
    opinions.push(drift_opinion(&inputs.drift, inputs.plan.policy.on_drift));
    opinions.push(stray_opinion(&inputs.strays, inputs.plan.policy.on_drift, &inputs.head.service));
    opinions.extend(judge(inputs));
    let begun = inputs.head.intended_step.is_some();
    opinions.extend(inputs.outside.iter().flatten().map(|(name, said)| outside_opinion(name, said, begun)));
    opinions.extend(window::window_opinion(inputs.plan, inputs.head, &inputs.calendars, inputs.now));
    opinions
}

fn new_side(inputs: &SliceInputs<'_>) -> Opinion {
    let health = match &inputs.new_side {
        Ok(health) => health,
        Err(error) => return Opinion::unreadable(Gate::Health, error),
    };
    let mut unhealthy = Vec::new();
    for planned in &inputs.plan.groups {
        let Some(new) = inputs.head.new_groups.get(&planned.old) else {
            return Opinion::unreadable(Gate::Health, &format!("{} has no new target group", planned.old.name()));
        };
        let Some(targets) = health.get(new) else {
            return Opinion::unreadable(Gate::Health, &format!("no answer about {}", new.name()));
        };
        if is_in_no_route(targets) && may_be_taken_out(inputs, new) {
            continue;
        }
        let verdict = new_group_verdict(inputs.plan, planned, targets);
        if !verdict.enough {
            unhealthy.push(format!("{}: {}", new.name(), verdict.reason));
        }
    }
    if unhealthy.is_empty() {
        return Opinion::new(Gate::Health, Vote::GoOn, "");
    }
    let vote = if inputs.head.new_side_may_have_traffic() { Vote::RollBack } else { Vote::Hold };
    Opinion::new(Gate::Health, vote, unhealthy.join(", "))
}

/// Whether someone else may have taken a new group out of every route: then it has no traffic, and its health says
/// nothing. Where the routes cannot be read, drift holds the migration until they can.
fn may_be_taken_out(inputs: &SliceInputs<'_>, new: &TargetGroupArn) -> bool {
    let Ok(drifts) = &inputs.drift else { return true };
    drifts.iter().any(|drift| drift.taken_out.contains(new))
}

fn old_side(inputs: &SliceInputs<'_>) -> Opinion {
    let health = match &inputs.old_side {
        Ok(health) => health,
        Err(error) => return Opinion::unreadable(Gate::Capacity, error),
    };
    let mut short = Vec::new();
    for planned in &inputs.plan.groups {
        let Some(targets) = health.get(&planned.old) else {
            return Opinion::unreadable(Gate::Capacity, &format!("no answer about {}", planned.old.name()));
        };
        let share = inputs.plan.policy.old_healthy_share;
        let verdict = capacity_verdict(planned.old_healthy, share, healthy_count(targets));
        if !verdict.enough {
            short.push(format!("{} could not take all traffic back: {}", planned.old.name(), verdict.reason));
        }
    }
    let waits = !short.is_empty() && inputs.head.intended_step.is_none();
    Opinion::new(Gate::Capacity, if waits { Vote::Hold } else { Vote::GoOn }, short.join(", "))
}

fn judge(inputs: &SliceInputs<'_>) -> Option<Opinion> {
    let (read, step, verified_at) = (inputs.judge.as_ref()?, current(inputs)?, inputs.head.verified_at?);
    let moment = Moment {
        weight: step.weight,
        elapsed_seconds: seconds_between(verified_at, inputs.now),
        bake_seconds: step.bake_seconds,
    };
    let policy = &inputs.plan.policy;
    let opinion = judge_opinion(read, moment, policy.on_inconclusive, policy.on_no_traffic);
    let begun = inputs.head.intended_step.is_some() && read.is_ok() && opinion.vote == Vote::Hold;
    Some(Opinion { vote: if begun { Vote::GoOn } else { opinion.vote }, ..opinion })
}

/// The step that is baking: the last that was verified. None for the attach.
fn current<'a>(inputs: &SliceInputs<'a>) -> Option<&'a ScheduleStep> {
    inputs.plan.step(inputs.head.verified_step?)
}

/// Nothing objects: the schedule decides.
fn bake(inputs: &SliceInputs<'_>, opinions: &[Opinion]) -> SliceVerdict {
    let (head, plan) = (inputs.head, inputs.plan);
    let said = reasons(opinions.iter());
    let noted = |text: String| if said.is_empty() { text } else { format!("{text} ({said})") };
    let decided = |verdict, wait_seconds, reason| SliceVerdict {
        verdict,
        gate: Gate::Schedule,
        wait_seconds,
        reason: noted(reason),
        trigger: None,
        caused_at: inputs.now,
    };
    if let Some(begun) = head.intended_step {
        let weight = plan.step(begun).map_or(Weight::ZERO, |step| step.weight);
        return decided(NextStep::Advance, 0, format!("the shift to {weight} was begun and continues"));
    }
    let (Some(number), Some(verified_at)) = (head.verified_step, head.verified_at) else {
        return held(inputs, NextStep::Hold, Gate::Schedule, noted("the shift is not verified yet".to_owned()));
    };
    let (weight, asked_seconds, approve) =
        current(inputs).map_or((Weight::ZERO, 0, false), |step| (step.weight, step.bake_seconds, step.approve));
    // No one checks the routes after the end, so every shift that may have been invoked twice must be dead before it.
    let least_seconds = if number == plan.last_step() { SETTLE_SECONDS } else { 0 };
    let bake_seconds = asked_seconds.max(least_seconds);
    let elapsed = seconds_between(verified_at, inputs.now);
    // The judge may end the bake early, but not before this time.
    let early_end = plan.policy.early_end_seconds(number);
    let acts = !plan.policy.gates.observes(&Gate::Judge);
    let passed = acts && matches!(&inputs.judge, Some(Ok(reading)) if reading.passes());
    let ends_early = passed && early_end.is_some_and(|least| elapsed >= least);
    if elapsed < bake_seconds && !ends_early {
        let next = early_end.filter(|least| elapsed < *least).unwrap_or(bake_seconds);
        let wait = slice_seconds(&plan.policy, next - elapsed);
        let reason = format!(
            "baking at {weight}: {} of {}, nothing against it",
            written_duration(elapsed),
            written_duration(bake_seconds)
        );
        return decided(NextStep::Bake, wait, reason);
    }
    let approved = head.commands.approved_step.is_some_and(|step| step >= number);
    let baked = if elapsed < bake_seconds {
        let (elapsed, of) = (written_duration(elapsed), written_duration(bake_seconds));
        format!("baked {elapsed} of {of} at {weight}, ended early because the judge passed it")
    } else {
        format!("baked {} at {weight}", written_duration(bake_seconds))
    };
    if approve && !approved {
        return held(inputs, NextStep::Approval, Gate::Schedule, noted(format!("{baked}; waits for approval")));
    }
    let next = plan.step(number + 1);
    if next.is_some()
        && let Some(closed) = window::closed(plan, head, &inputs.calendars, number + 1, inputs.now)
    {
        let wait = window::closed_wait_seconds(&plan.policy, waiting(inputs), closed.until);
        let reason = format!("{baked}; window: {}", closed.why);
        return SliceVerdict { gate: Gate::Window, ..decided(NextStep::Closed, wait, reason) };
    }
    if let Some(reason) = not_ready(inputs, next.map_or(weight, |next| next.weight)) {
        return held(inputs, NextStep::Hold, Gate::Capacity, noted(format!("{baked}; waits: {reason}")));
    }
    next.map_or_else(
        || decided(NextStep::Finish, 0, format!("{baked}, the last step")),
        |next| decided(NextStep::Advance, 0, format!("{baked}, on to {}", next.weight)),
    )
}

/// The first new group that must not get a weight, and why.
fn not_ready(inputs: &SliceInputs<'_>, weight: Weight) -> Option<String> {
    let health = inputs.new_side.as_ref().ok()?;
    inputs.plan.groups.iter().find_map(|group| {
        let new = inputs.head.new_groups.get(&group.old)?;
        readiness::not_ready(inputs.plan, group, new, health.get(new)?, weight)
    })
}

/// A hold or an approval: the wait between two checks grows to a quarter of an hour, and ends in a halt.
fn held(inputs: &SliceInputs<'_>, verdict: NextStep, gate: Gate, reason: String) -> SliceVerdict {
    let policy = &inputs.plan.policy;
    let wait = window::wait_of_hold(policy, inputs.head, waiting(inputs), policy.slice_seconds);
    let (verdict, wait_seconds, reason) = match wait {
        Ok(wait) => (verdict, wait, reason),
        Err(held_for) => (NextStep::Halt, 0, held_too_long(policy, held_for, &reason)),
    };
    SliceVerdict { verdict, gate, wait_seconds, reason, trigger: None, caused_at: inputs.now }
}

fn waiting(inputs: &SliceInputs<'_>) -> Waiting {
    Waiting { now: inputs.now, exposed: inputs.head.new_side_may_have_traffic(), checks: inputs.checks }
}

/// The reason for the halt of something that has been held for longer than the policy's `maxHold`.
pub fn held_too_long(policy: &ServicePolicy, held_for: u32, reason: &str) -> String {
    let longest = written_duration(policy.max_hold_seconds);
    format!("held for {} (maxHold is {longest}): {reason}", written_duration(held_for))
}

#[cfg(test)]
mod tests;
