//! What a run of a fleet comes to if nothing fails, and what can fail before it stops.

mod old_sides;

pub use old_sides::{ForecastRetirement, Relief, forecast_retirements, relief};

use super::head::{FleetHead, RunState};
use super::service_run::{ServiceState, Size};
use super::turns::bake_seconds;
use super::waves::{Wave, waves};
use crate::gates::checks::seconds_between;
use crate::journal::Head;
use crate::names::ServiceName;
use crate::policy::rollout::{Rollout, WRITES_A_SECOND, WRITES_AT_ONCE};
use crate::policy::service_policy::{FleetPolicy, Schedule, ScheduleStep, ServicePolicy};
use crate::windows::Calendars;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// Seconds of a migration beside its bakes: plan, target groups, health of the new targets, shifts and their reads.
pub const PREPARATION_SECONDS: u32 = 300;
/// Seconds until a fault of the first step is acted on: one minute of metrics, and one look.
const UNSEEN_SECONDS: u64 = 120;
const DAY_SECONDS: u64 = 86_400;
/// Millionths of a US dollar for a migration, as measured with the canary schedule.
const MIGRATION_MICRO_USD: u64 = 13_500;
/// Millionths of a US dollar for a look of the conductor: three transitions.
const LOOK_MICRO_USD: u64 = 75;

/// A run if nothing fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forecast {
    /// Its waves.
    pub waves: Vec<ForecastWave>,
    /// When the last wave has baked.
    pub end: Timestamp,
    /// `tolerates 1 failure; the second stops the fleet`.
    pub budget: String,
    /// `up to 3 services can fail before the fleet stops (concurrency 3, tolerated 0)`.
    pub exposure: String,
    /// What of the rollout can never be met.
    pub problems: Vec<String>,
    /// The most routes that move at once.
    pub most_routes: u32,
    /// How many seconds AWS takes the changes of their rollback for.
    pub rollback_seconds: u32,
    /// Requests that a fault common to all services that begin at once spoils before it is acted on.
    pub most_harmed: u64,
    /// What the migrations and the conductor cost, in millionths of a US dollar.
    pub micro_usd: u64,
}

/// A wave if nothing fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForecastWave {
    /// 0 for the canary, else from 1.
    pub number: u32,
    /// Its services, in the order in which they start.
    pub services: Vec<ServiceName>,
    /// When its first service starts.
    pub begin: Timestamp,
    /// When its last service has migrated; its bake follows.
    pub end: Timestamp,
}

/// What is behind a run already when a forecast is made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    /// The services that do not move any more: those that have migrated, and those that will not by themselves.
    pub done: BTreeSet<ServiceName>,
    /// Seconds until each service that moves has migrated.
    pub moving: BTreeMap<ServiceName, u32>,
}

/// The forecast of a run that begins at `begin`, without what `progress` says is done. `opens` returns the first time
/// from a given one on at which a service may start; steps that wait for a window later are not counted. A service
/// without a size has one route.
pub fn forecast(
    policy: &FleetPolicy,
    sizes: &BTreeMap<ServiceName, Size>,
    requests: &BTreeMap<ServiceName, u64>,
    progress: &Progress,
    begin: Timestamp,
    opens: impl Fn(Timestamp) -> Timestamp,
) -> Forecast {
    let rollout = &policy.rollout;
    let course = course(policy, waves(policy, requests), sizes, progress, begin, opens);
    let harmed = course.waves.iter().map(|wave| harmed(policy, &wave.services, requests)).max().unwrap_or(0);
    let mut problems = problems(policy);
    problems.extend(shares(rollout, &course.waves, requests));
    let left = policy.services.iter().filter(|service| !progress.done.contains(&service.name)).count();
    let left = u64::try_from(left).unwrap_or(u64::MAX);
    Forecast {
        end: course.end,
        budget: budget(rollout, policy.services.len()),
        exposure: exposure(rollout, policy.services.len()),
        problems,
        most_routes: course.most_routes,
        rollback_seconds: course.most_routes.saturating_sub(WRITES_AT_ONCE).div_ceil(WRITES_A_SECOND),
        most_harmed: harmed,
        micro_usd: left.saturating_mul(MIGRATION_MICRO_USD).saturating_add(course.looks * LOOK_MICRO_USD),
        waves: course.waves,
    }
}

/// When a run that goes on is over, if nothing fails: none where it does not go on by itself. `moving` has the seconds
/// until each service that moves has migrated.
pub fn end(
    policy: &FleetPolicy,
    fleet: &FleetHead,
    moving: &BTreeMap<ServiceName, u32>,
    now: Timestamp,
) -> Option<Timestamp> {
    if fleet.state != RunState::Running {
        return None;
    }
    let is_left = |name: &&ServiceName| {
        matches!(fleet.state_of(name), ServiceState::Waiting | ServiceState::Starting | ServiceState::Moving)
    };
    let place = usize::try_from(fleet.wave).ok()?;
    // Services of earlier waves that are tried again move in the present one.
    let present = fleet.waves.iter().take(place + 1).flat_map(|wave| &wave.services).filter(is_left).cloned();
    let present = Wave { number: fleet.present_wave()?.number, services: present.collect() };
    let waves = std::iter::once(present).chain(fleet.waves.iter().skip(place + 1).cloned()).collect();
    let progress =
        Progress { done: fleet.names().filter(|name| !is_left(name)).cloned().collect(), moving: moving.clone() };
    let sizes = fleet.services.iter().filter_map(|(name, run)| Some((name.clone(), run.size.clone()?))).collect();
    let watched =
        fleet.baking_since.map(|since| since + SignedDuration::from_secs(i64::from(bake_seconds(policy, fleet))));
    let begin = watched.map_or(now, |watched| watched.max(now));
    let at_any_time = fleet.windows_ignored;
    // What the change calendars say is not read here: a closed one counts as if it opened now.
    let opening = |at| if at_any_time { at } else { opens(policy, &Calendars::default(), at) };
    Some(course(policy, waves, &sizes, &progress, begin, opening).end)
}

/// Seconds until a migration that is on its way up has all traffic, if nothing holds it.
pub fn seconds_left(schedule: &Schedule, head: &Head, now: Timestamp) -> u32 {
    let all_of = |steps: &[ScheduleStep]| steps.iter().map(|step| step.bake_seconds).fold(0, u32::saturating_add);
    let step = head.verified_step.and_then(|step| usize::try_from(step).ok()).unwrap_or(0);
    let Some(present) = step.checked_sub(1).and_then(|place| schedule.steps.get(place)) else {
        return all_of(&schedule.steps).saturating_add(PREPARATION_SECONDS);
    };
    let baked = head.verified_at.map_or(0, |since| seconds_between(since, now));
    let later = schedule.steps.get(step..).map_or(0, all_of);
    present.bake_seconds.saturating_sub(baked).saturating_add(later)
}

/// The first time from `at` on at which a service may start, where all have the same windows.
pub fn opens(policy: &FleetPolicy, calendars: &Calendars, at: Timestamp) -> Timestamp {
    let Some(first) = policy.services.first() else { return at };
    let alike = policy.services.iter().all(|service| service.windows == first.windows);
    let bake = first.schedule.steps.first().map_or(0, |step| step.bake_seconds);
    let windows = first.windows.as_ref().filter(|_| alike);
    windows.and_then(|windows| windows.next_fit(calendars, at, bake)).unwrap_or(at)
}

/// How waves follow each other if nothing fails.
struct Course {
    waves: Vec<ForecastWave>,
    end: Timestamp,
    most_routes: u32,
    /// Looks of the conductor.
    looks: u64,
}

fn course(
    policy: &FleetPolicy,
    waves: Vec<Wave>,
    sizes: &BTreeMap<ServiceName, Size>,
    progress: &Progress,
    begin: Timestamp,
    opens: impl Fn(Timestamp) -> Timestamp,
) -> Course {
    let rollout = &policy.rollout;
    let mut now = begin;
    let mut course = Course { waves: Vec::new(), end: begin, most_routes: 0, looks: 0 };
    for wave in waves {
        let left = |name: &&ServiceName| !progress.done.contains(*name);
        let mut services: Vec<&ServicePolicy> = wave
            .services
            .iter()
            .filter(left)
            .filter_map(|name| policy.services.iter().find(|it| it.name == *name))
            .collect();
        // What moves already has begun.
        services.sort_by_key(|service| !progress.moving.contains_key(&service.name));
        let mut moving: Vec<(Timestamp, u32)> = Vec::new();
        let mut first = None;
        let mut end = now;
        for service in &services {
            let routes = sizes.get(&service.name).map_or(1, |size| size.routes);
            let has_begun = progress.moving.get(&service.name);
            if has_begun.is_none() {
                now = opens(now);
                moving.retain(|(end, _)| *end > now);
                while !fits(policy, &moving, routes) {
                    let next = moving.iter().map(|(end, _)| *end).min().unwrap_or(now);
                    now = opens(next);
                    moving.retain(|(end, _)| *end > now);
                }
            }
            let takes = has_begun.map_or_else(|| seconds(service), |left| i64::from(*left));
            let over = now + SignedDuration::from_secs(takes);
            moving.push((over, routes));
            first.get_or_insert(now);
            end = end.max(over);
            let at_once = moving.iter().map(|(_, routes)| *routes).fold(0, u32::saturating_add);
            course.most_routes = course.most_routes.max(at_once);
        }
        let Some(first) = first else { continue };
        let bake = if wave.number == 0 { rollout.canary_bake_seconds } else { rollout.wave_bake_seconds };
        course.looks +=
            u64::try_from(end.duration_since(first).as_secs()).unwrap_or(0) / 60 + u64::from(bake) / 300 + 1;
        now = end + SignedDuration::from_secs(i64::from(bake));
        let services = services.into_iter().map(|service| service.name.clone()).collect();
        course.waves.push(ForecastWave { number: wave.number, services, begin: first, end });
    }
    course.end = now;
    course
}

/// Whether a service with so many routes starts beside what moves. One that is too large by itself moves alone.
fn fits(policy: &FleetPolicy, moving: &[(Timestamp, u32)], routes: u32) -> bool {
    let rollout = &policy.rollout;
    let at_once = moving.iter().map(|(_, routes)| *routes).fold(routes, u32::saturating_add);
    moving.is_empty()
        || (moving.len() < most_at_once(rollout, policy.services.len()) && at_once <= rollout.most_routes())
}

/// How long a service moves if nothing holds it.
fn seconds(service: &ServicePolicy) -> i64 {
    let bakes: i64 = service.schedule.steps.iter().map(|step| i64::from(step.bake_seconds)).sum();
    bakes + i64::from(PREPARATION_SECONDS)
}

fn tolerated(rollout: &Rollout, services: usize) -> u32 {
    rollout.failures.tolerated(u32::try_from(services).unwrap_or(u32::MAX))
}

fn most_at_once(rollout: &Rollout, services: usize) -> usize {
    let asked = rollout.concurrency.max(1);
    let most = if rollout.strict { asked.min(tolerated(rollout, services).saturating_add(1)) } else { asked };
    usize::try_from(most).unwrap_or(usize::MAX)
}

/// `tolerates 1 failure; the second stops the fleet`.
pub fn budget(rollout: &Rollout, services: usize) -> String {
    match tolerated(rollout, services) {
        0 => "tolerates no failure; the first stops the fleet".to_owned(),
        1 => "tolerates 1 failure; the second stops the fleet".to_owned(),
        some => format!("tolerates {some} failures; failure number {} stops the fleet", some.saturating_add(1)),
    }
}

/// All that move when the budget is spent may fail still.
fn exposure(rollout: &Rollout, services: usize) -> String {
    let tolerated = tolerated(rollout, services);
    let spent = usize::try_from(tolerated).unwrap_or(usize::MAX);
    let most = if rollout.strict { 1 } else { most_at_once(rollout, services) };
    let fail = spent.saturating_add(most).min(services);
    let word = if fail == 1 { "service" } else { "services" };
    let strict = if rollout.strict { ", strict" } else { "" };
    let concurrency = rollout.concurrency;
    format!(
        "up to {fail} {word} can fail before the fleet stops (concurrency {concurrency}, tolerated {tolerated}{strict})"
    )
}

fn problems(policy: &FleetPolicy) -> Vec<String> {
    let services = u32::try_from(policy.services.len()).unwrap_or(u32::MAX);
    let tolerated = policy.rollout.failures.tolerated(services);
    let together = policy.rollout.stop_when.rollbacks;
    let mut problems = Vec::new();
    if tolerated >= services {
        problems
            .push(format!("failures: tolerates {tolerated} of {services} services, which can never stop the fleet"));
    }
    if together > services {
        problems.push(format!("stopWhen: {together} rollbacks of {services} services can never be met"));
    }
    problems
}

/// The waves that cannot move as a whole under the limit of early waves.
fn shares(rollout: &Rollout, waves: &[ForecastWave], requests: &BTreeMap<ServiceName, u64>) -> Vec<String> {
    let Some(limit) = rollout.max_new_share else { return Vec::new() };
    let of = |name: &ServiceName| requests.get(name).copied().unwrap_or(0);
    let all: u64 = waves.iter().flat_map(|wave| &wave.services).map(of).sum();
    let mut new = 0_u64;
    let early = waves.iter().take_while(|wave| wave.number <= limit.until_wave);
    early
        .filter_map(|wave| {
            new += wave.services.iter().map(of).sum::<u64>();
            let too_much = new.saturating_mul(100) > all.saturating_mul(u64::from(limit.percent));
            too_much.then(|| {
                let (number, until, percent) = (wave.number, limit.until_wave, limit.percent);
                let share = new.saturating_mul(100) / all;
                format!(
                    "maxNewShare: wave {number} would bring the new cluster to {share} % of the requests, and until \
                     wave {until} it gets {percent} % at most"
                )
            })
        })
        .collect()
}

/// Requests of the busiest services that move at once, at their first weights, until a fault is acted on.
fn harmed(policy: &FleetPolicy, wave: &[ServiceName], requests: &BTreeMap<ServiceName, u64>) -> u64 {
    let first = |name: &ServiceName| {
        let service = policy.services.iter().find(|service| service.name == *name)?;
        let weight = u64::from(service.schedule.steps.first()?.weight.tenths());
        let a_day = requests.get(name).copied().unwrap_or(0);
        Some(a_day.saturating_mul(weight).saturating_mul(UNSEEN_SECONDS).div_ceil(DAY_SECONDS * 1_000))
    };
    let mut harmed: Vec<u64> = wave.iter().filter_map(first).collect();
    harmed.sort_unstable_by(|a, b| b.cmp(a));
    harmed.into_iter().take(most_at_once(&policy.rollout, policy.services.len())).sum()
}
