//! What the machine does next, and the sentence that says why.

use super::admission::most_in_flight;
use super::budget::tolerated;
use super::head::{FleetHead, RunOutcome, RunState};
use super::retiring::RetirementAsk;
use super::service_run::{Hold, ServiceRun, ServiceState};
use super::turns::{bake_seconds, unplanned};
use crate::journal::wording::counted;
use crate::policy::rollout::OnStop;
use crate::policy::service_policy::FleetPolicy;
use crate::windows::Closed;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// What the machine does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FleetStep {
    /// Look again after `waitSeconds`.
    Wait,
    /// Every service has migrated.
    Migrated,
    /// Every wave is over, and not every service has migrated.
    Incomplete,
    /// It has stopped by itself; a person decides.
    Stopped,
    /// A person has ended it.
    Aborted,
    /// Everything is back.
    Returned,
    /// Another execution conducts the run.
    Elsewhere,
    /// This execution has looked as often as its history allows; another one goes on.
    Continued,
    /// The command or the input was wrong.
    Refused,
}

/// What the machine does next, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlook {
    /// What comes next.
    pub step: FleetStep,
    /// How long to wait before it.
    pub wait_seconds: u32,
    /// Why, in one sentence.
    pub reason: String,
}

/// Seconds between two looks while something moves.
const MOVING_SECONDS: u32 = 60;
/// Seconds until the outcome of a start is looked for.
const STARTING_SECONDS: u32 = 10;
/// Seconds between two looks while a wave is watched.
const BAKING_SECONDS: u32 = 300;
/// Seconds between two looks while nothing happens by itself.
const RESTING_SECONDS: u32 = 900;
/// Seconds between two looks while it is closed for more than a day.
const CLOSED_SECONDS: u32 = 3_600;

pub(super) fn outlook(
    policy: &FleetPolicy,
    fleet: &FleetHead,
    closed: Option<&Closed>,
    waits_for: Option<&str>,
    now: Timestamp,
) -> Outlook {
    let closed = closed.filter(|_| !fleet.windows_ignored);
    let step = step(policy, fleet);
    let wait_seconds = if step == FleetStep::Wait { wait(policy, fleet, closed, now) } else { 0 };
    let mut reason = headline(policy, fleet);
    let why = why(policy, fleet, closed, waits_for);
    if !why.is_empty() {
        let _ = write!(reason, " \u{b7} {why}");
    }
    Outlook { step, wait_seconds, reason }
}

fn step(policy: &FleetPolicy, fleet: &FleetHead) -> FleetStep {
    match (fleet.state, fleet.outcome) {
        (RunState::Over, _) if fleet.starts_retirements() => FleetStep::Wait,
        (RunState::Over, Some(RunOutcome::Migrated)) => FleetStep::Migrated,
        (RunState::Over, Some(RunOutcome::Aborted)) => FleetStep::Aborted,
        (RunState::Over, Some(RunOutcome::Returned)) => FleetStep::Returned,
        (RunState::Over, _) => FleetStep::Incomplete,
        (RunState::Stopped, _) if is_at_rest(policy, fleet) => FleetStep::Stopped,
        _ => FleetStep::Wait,
    }
}

/// Whether everything that moved when the fleet stopped is where it was asked to be.
fn is_at_rest(policy: &FleetPolicy, fleet: &FleetHead) -> bool {
    let mut in_flight = fleet.those(ServiceState::is_in_flight);
    match policy.rollout.on_stop {
        OnStop::Finish | OnStop::RollBack => in_flight.next().is_none(),
        OnStop::Hold => in_flight.all(|name| {
            let service = fleet.service(name);
            service.state == ServiceState::Moving && service.hold != Hold::Asked
        }),
    }
}

fn wait(policy: &FleetPolicy, fleet: &FleetHead, closed: Option<&Closed>, now: Timestamp) -> u32 {
    let just_started = |service: &ServiceRun| {
        service.state == ServiceState::Starting
            && now.duration_since(service.since).as_secs() < i64::from(MOVING_SECONDS)
    };
    let most = if fleet.count(ServiceState::is_in_flight) > 0 { MOVING_SECONDS } else { RESTING_SECONDS };
    // One that does not begin waits for something, such as its own windows.
    if fleet.services.values().any(just_started) {
        return STARTING_SECONDS;
    }
    if closed.is_none() && !unplanned(policy, fleet).is_empty() {
        return 1;
    }
    if fleet.starts_retirements() {
        let begins = |ask: &RetirementAsk| now.duration_since(ask.at).as_secs() < i64::from(MOVING_SECONDS);
        let soon = fleet.open_retirements().any(|(_, ask)| begins(ask));
        return if soon { STARTING_SECONDS } else { MOVING_SECONDS };
    }
    let until = |at: Timestamp, most: u32| {
        let seconds = at.duration_since(now).as_secs().max(1);
        u32::try_from(seconds).unwrap_or(most).min(most)
    };
    if let Some(since) = fleet.baking_since.filter(|_| fleet.state == RunState::Running) {
        let seconds = i64::from(bake_seconds(policy, fleet));
        return until(since + jiff::SignedDuration::from_secs(seconds), BAKING_SECONDS.min(most));
    }
    if most == MOVING_SECONDS {
        return most;
    }
    match (fleet.state, closed) {
        (RunState::Running, Some(closed)) => closed.until.map_or(RESTING_SECONDS, |at| {
            let far = at.duration_since(now).as_hours() >= 24;
            until(at, if far { CLOSED_SECONDS } else { RESTING_SECONDS })
        }),
        (RunState::Running, None) => BAKING_SECONDS,
        _ => RESTING_SECONDS,
    }
}

/// `eks-2026: wave 3 of 6 · 24 migrated · 3 moving · 1 failed (tolerates 1) · 20 to go · 41 % of requests on the new
/// cluster`.
pub fn headline(policy: &FleetPolicy, fleet: &FleetHead) -> String {
    let waves = fleet.waves.len();
    let wave = (fleet.wave + 1).min(u32::try_from(waves).unwrap_or(u32::MAX));
    format!("{}: wave {wave} of {waves} \u{b7} {}", fleet.fleet, counts(policy, fleet))
}

/// `24 migrated · 3 moving · 1 failed (tolerates 1) · 20 to go · 41 % of requests on the new cluster`.
pub fn counts(policy: &FleetPolicy, fleet: &FleetHead) -> String {
    use ServiceState as S;
    let count = |states: &[S]| fleet.count(|state| states.contains(&state));
    let mut parts = vec![format!("{} migrated", count(&[S::Migrated, S::Alarmed]))];
    let mut add = |number: u32, words: &str| {
        if number > 0 {
            parts.push(format!("{number} {words}"));
        }
    };
    add(count(&[S::Starting, S::Moving]), "moving");
    add(count(&[S::Returning]), "going back");
    let failed = fleet.count(S::has_failed);
    let tolerated = tolerated(&policy.rollout, fleet);
    add(failed, &format!("failed (tolerates {tolerated})"));
    add(count(&[S::Refused]), "refused");
    add(count(&[S::Aborted]), "aborted");
    add(count(&[S::Skipped]), "skipped");
    add(count(&[S::Blocked]), "blocked");
    add(count(&[S::Waiting]), "to go");
    if let Some((_, all)) = fleet.new_requests() {
        let on_new = fleet.those(S::has_migrated).filter_map(|name| fleet.requests.get(name));
        parts.push(format!("{} % of requests on the new cluster", on_new.sum::<u64>() * 100 / all));
    }
    parts.join(" \u{b7} ")
}

/// Why nothing more happens now.
fn why(policy: &FleetPolicy, fleet: &FleetHead, closed: Option<&Closed>, waits_for: Option<&str>) -> String {
    let reason = fleet.reason.as_deref().unwrap_or_default();
    let name = &fleet.fleet;
    match fleet.state {
        RunState::Stopped => format!("STOPPED: {reason}; when that is mended: crossfade fleet resume {name}"),
        RunState::Paused | RunState::Draining => format!("paused ({reason}): crossfade fleet resume {name}"),
        RunState::Aborting | RunState::Returning => {
            waits_for.map_or_else(|| reason.to_owned(), |stay| format!("{reason}; {stay}"))
        }
        RunState::Over if fleet.starts_retirements() => beginning(fleet),
        RunState::Over => waits_for.unwrap_or_default().to_owned(),
        RunState::Running => match (closed, fleet.baking_since) {
            (_, Some(_)) if fleet.starts_retirements() => beginning(fleet),
            (_, Some(_)) => "the wave is watched".to_owned(),
            (Some(closed), None) => closed.why.clone(),
            (None, None) if fleet.count(ServiceState::is_in_flight) < most_in_flight(&policy.rollout, fleet) => {
                waits_for.unwrap_or_default().to_owned()
            }
            (None, None) => String::new(),
        },
    }
}

/// The retirements that were asked for and have not begun.
fn beginning(fleet: &FleetHead) -> String {
    let open = fleet.open_retirements().count();
    let verb = if open == 1 { "begins" } else { "begin" };
    format!("{} {verb}", counted(open, "retirement"))
}
