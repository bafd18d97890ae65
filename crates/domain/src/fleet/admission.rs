//! Which services may start now.

use super::budget::{failures, tolerated};
use super::head::FleetHead;
use super::service_run::{ServiceState, Size};
use crate::load_balancer::room::{RESERVED_GROUPS, RESERVED_TARGETS, Room};
use crate::names::{ServiceName, some_of};
use crate::policy::rollout::{RetireWhen, Rollout};

/// How many services may be in flight at once.
///
/// Where the budget is strict, no more than could fail without exceeding it by more than one.
pub fn most_in_flight(rollout: &Rollout, fleet: &FleetHead) -> u32 {
    let asked = rollout.concurrency.max(1);
    if !rollout.strict {
        return asked;
    }
    let failed = u32::try_from(failures(fleet).len()).unwrap_or(u32::MAX);
    asked.min(tolerated(rollout, fleet).saturating_add(1).saturating_sub(failed).max(1))
}

/// Why no service at all may start beside what is in flight, if so.
pub(super) fn is_full(rollout: &Rollout, fleet: &FleetHead) -> Option<String> {
    let in_flight = fleet.count(ServiceState::is_in_flight);
    let most = most_in_flight(rollout, fleet);
    (in_flight >= most).then(|| format!("{in_flight} services are moving, and concurrency allows {most}"))
}

/// Why a service of this size may not start beside what is in flight, if so.
pub fn objection(rollout: &Rollout, fleet: &FleetHead, service: &ServiceName, size: &Size) -> Option<String> {
    if let Some(why) = is_full(rollout, fleet) {
        return Some(why);
    }
    let in_flight = fleet.count(ServiceState::is_in_flight);
    // One that someone else has started was never planned by the run; it has at least one route.
    let routes_of = |name| fleet.services.get(name).and_then(|run| run.size.as_ref()).map_or(1, |size| size.routes);
    let routes = fleet.those(ServiceState::is_in_flight).map(routes_of).fold(0, u32::saturating_add);
    let most = rollout.most_routes();
    // A service that is too large by itself still has to move; it does so alone.
    if in_flight > 0 && routes.saturating_add(size.routes) > most {
        return Some(format!(
            "{routes} routes are moving, {service} has {}, and {most} can be returned within {} s",
            size.routes, rollout.rollback_within_seconds
        ));
    }
    no_room(rollout, fleet, service, size).or_else(|| exposure(rollout, fleet, service))
}

/// Why a load balancer has no room for the new groups and targets of a service, if so.
pub(super) fn no_room(rollout: &Rollout, fleet: &FleetHead, service: &ServiceName, size: &Size) -> Option<String> {
    let counted = fleet.room_at?;
    let since: Vec<&Size> = fleet
        .those(|state| state.is_in_flight() || state.has_migrated())
        .filter(|name| *name != service)
        .filter_map(|name| fleet.services.get(name).filter(|run| run.since >= counted)?.size.as_ref())
        .collect();
    size.groups.keys().find_map(|balancer| {
        let room = fleet.room.get(balancer)?.with(since.iter().map(|size| size.on(balancer)).sum());
        let more = size.on(balancer);
        let without = format!("go on without it: crossfade fleet skip {service} {}", fleet.fleet);
        let Room { groups, targets, .. } = room;
        if !groups.fits(more.groups, RESERVED_GROUPS) {
            return Some(format!(
                "load balancer {} is full: it has {} of {} target groups, {RESERVED_GROUPS} stay free for others, and \
                 {service} needs {}; {}, or {without}",
                balancer.name(),
                groups.used,
                groups.most,
                more.groups,
                way_out(rollout, fleet).unwrap_or_else(|| "take target groups that no one uses off it".to_owned())
            ));
        }
        let targets = targets?;
        (!targets.fits(more.targets, RESERVED_TARGETS)).then(|| {
            format!(
                "load balancer {} is full: it has {} of {} targets, {RESERVED_TARGETS} stay free for others, and \
                 {service} needs {}; {}ask AWS for a higher quota (Targets per Application Load Balancer), or \
                 {without}",
                balancer.name(),
                targets.used,
                targets.most,
                more.targets,
                way_out(rollout, fleet).map_or_else(String::new, |way| format!("{way}, or "))
            )
        })
    })
}

/// How services that have migrated make room, if one can: by themselves, or by which command.
fn way_out(rollout: &Rollout, fleet: &FleetHead) -> Option<String> {
    let asked = |name: &ServiceName| fleet.services.get(name).and_then(|service| service.retirement.as_ref());
    let migrated = || fleet.those(ServiceState::has_migrated);
    let leaving: Vec<&str> = migrated()
        .filter(|name| asked(name).is_some_and(|ask| ask.refused.is_none()))
        .map(ServiceName::as_str)
        .collect();
    let fleet_name = &fleet.fleet;
    if !leaving.is_empty() && rollout.retire != RetireWhen::ByHand {
        return Some(format!(
            "it waits until the old sides of services before it are detached ({}): crossfade fleet status {fleet_name}",
            some_of(&leaving)
        ));
    }
    let next = migrated().find(|name| asked(name).is_none_or(|ask| ask.refused.is_some()))?;
    let wave = fleet.wave_of(next)? + 1;
    Some(format!("retire services that have migrated: crossfade fleet retire {fleet_name} --wave {wave}"))
}

/// Why a service would give the new cluster too many of the fleet's requests for this early, if so.
fn exposure(rollout: &Rollout, fleet: &FleetHead, service: &ServiceName) -> Option<String> {
    let limit = rollout.max_new_share?;
    if fleet.present_wave().is_none_or(|wave| wave.number > limit.until_wave) {
        return None;
    }
    let (new, all) = fleet.new_requests()?;
    let with_it = new + fleet.requests.get(service).copied().unwrap_or(0);
    (with_it.saturating_mul(100) > all.saturating_mul(u64::from(limit.percent))).then(|| {
        format!(
            "with {service} the new cluster would have {} % of the requests, and until wave {} it gets {} % at most",
            with_it.saturating_mul(100) / all,
            limit.until_wave,
            limit.percent
        )
    })
}
