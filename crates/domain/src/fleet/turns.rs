//! Whose turn it is.

use super::admission::no_room;
use super::head::{FleetHead, RunState};
use super::service_run::ServiceState;
use crate::names::ServiceName;
use crate::policy::service_policy::FleetPolicy;

/// The most services that one look plans.
const MOST_PLANS: usize = 8;

/// The services that have to be planned before the present wave can go on. Those that a full load balancer keeps
/// waiting are planned again while nothing moves: others may have made room.
pub fn to_plan(policy: &FleetPolicy, fleet: &FleetHead) -> Vec<ServiceName> {
    let mut wanted = unplanned(policy, fleet);
    if wanted.is_empty() && plans(fleet) && fleet.count(ServiceState::is_in_flight) == 0 {
        let lacks_room = |name: &&ServiceName| {
            let size = fleet.services.get(*name).and_then(|service| service.size.as_ref());
            size.is_some_and(|size| no_room(&policy.rollout, fleet, name, size).is_some())
        };
        wanted = candidates(policy, fleet).filter(lacks_room).take(MOST_PLANS).cloned().collect();
    }
    wanted
}

/// The services whose turn it is and of which no plan is known.
pub(in crate::fleet) fn unplanned(policy: &FleetPolicy, fleet: &FleetHead) -> Vec<ServiceName> {
    if !plans(fleet) {
        return Vec::new();
    }
    candidates(policy, fleet)
        .filter(|name| fleet.services.get(*name).is_none_or(|service| service.size.is_none()))
        .take(MOST_PLANS)
        .cloned()
        .collect()
}

fn plans(fleet: &FleetHead) -> bool {
    fleet.state == RunState::Running && fleet.baking_since.is_none()
}

/// The services whose turn it is: those of the present wave and of the waves before it that wait, and come after none
/// that has not migrated, unless a person has released them.
pub(super) fn candidates<'a>(policy: &'a FleetPolicy, fleet: &'a FleetHead) -> impl Iterator<Item = &'a ServiceName> {
    let place = usize::try_from(fleet.wave).unwrap_or(usize::MAX);
    fleet.waves.iter().take(place.saturating_add(1)).flat_map(|wave| &wave.services).filter(move |name| {
        fleet.state_of(name) == ServiceState::Waiting
            && after(policy, name).iter().all(|before| fleet.admits_dependants_of(before))
    })
}

/// The services of the run that a service comes after.
pub(super) fn after<'a>(policy: &'a FleetPolicy, name: &ServiceName) -> &'a [ServiceName] {
    policy.services.iter().find(|service| service.name == *name).map_or(&[], |service| &service.after)
}

/// How long the present wave is watched once its services are settled, in seconds: not at all where it has moved none.
pub(super) fn bake_seconds(policy: &FleetPolicy, fleet: &FleetHead) -> u32 {
    let Some(wave) = fleet.present_wave() else { return 0 };
    let moved = wave.services.iter().any(|name| {
        fleet.state_of(name).has_migrated() && fleet.services.get(name).is_some_and(|service| service.moved)
    });
    match (moved, wave.number) {
        (false, _) => 0,
        (true, 0) => policy.rollout.canary_bake_seconds,
        (true, _) => policy.rollout.wave_bake_seconds,
    }
}
