//! Reads what a look decides by: at most four reads of the table, whatever the fleet's size up to a hundred services.

use super::ended::ended;
use super::retirements::retirements;
use super::room::rooms;
use crate::error::{ActionError, Doing as _};
use crate::functions::plan_migration::plan_service;
use crate::ports::Ports;
use crate::reads::alarms::{alarms, alarms_since};
use crate::reads::calendars::calendars;
use crossfade_domain::alarms::alarm::AlarmState;
use crossfade_domain::alarms::quiet::objections;
use crossfade_domain::fleet::decide::{Planned, Seen};
use crossfade_domain::fleet::head::{FleetHead, RunState};
use crossfade_domain::fleet::observe::Untraced;
use crossfade_domain::fleet::service_run::{ServiceState, Size};
use crossfade_domain::fleet::turns::to_plan;
use crossfade_domain::journal::Head;
use crossfade_domain::journal::cursor::NextStep;
use crossfade_domain::names::{LoadBalancerArn, ServiceName};
use crossfade_domain::policy::request::PlanRequest;
use crossfade_domain::policy::service_policy::FleetPolicy;
use crossfade_domain::windows::Closed;
use futures::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Plans that are made at a time.
const PLANS_AT_A_TIME: usize = 4;

pub(super) async fn read(ports: &Ports, policy: &FleetPolicy, fleet: &FleetHead) -> Result<Seen, ActionError> {
    let names: Vec<ServiceName> = fleet.names().cloned().collect();
    let heads = ports.ledger.heads(&names).await.doing(|| "reading the heads of the fleet's services")?;
    let heads: BTreeMap<ServiceName, Head> = heads.into_iter().map(|head| (head.service.clone(), head)).collect();
    let untraced = untraced(ports, fleet, &heads).await?;
    let mut seen = Seen { heads, untraced, ..Seen::default() };
    retirements(ports, policy, fleet, &mut seen).await?;
    if matches!(fleet.state, RunState::Running | RunState::Paused | RunState::Draining) {
        seen.alarms = fleet_alarms(ports, policy, fleet).await?;
    }
    if fleet.state == RunState::Running {
        seen.service_alarms = service_alarms(ports, policy, fleet).await?;
        seen.closed = closed(ports, policy, fleet).await;
        plans(ports, policy, fleet, &mut seen).await?;
    }
    Ok(seen)
}

/// Why nothing may start now, where no service that waits may; by the one that may start first. A single service with
/// windows of its own waits for them in its own machine.
async fn closed(ports: &Ports, policy: &FleetPolicy, fleet: &FleetHead) -> Option<Closed> {
    let waiting = || policy.services.iter().filter(|service| fleet.state_of(&service.name) == ServiceState::Waiting);
    if waiting().any(|service| service.windows.is_none()) {
        return None;
    }
    let calendars = calendars(ports, waiting().flat_map(|service| &service.windows)).await;
    let now = ports.clock.now();
    let mut closed = Vec::new();
    for service in waiting() {
        let bake = service.schedule.steps.first().map_or(0, |step| step.bake_seconds);
        let windows = service.windows.as_ref()?;
        closed.push(windows.fits(&calendars, now, bake).err()?);
    }
    closed.into_iter().min_by_key(|closed| closed.until.unwrap_or(Timestamp::MAX))
}

/// How the executions ended that are in no head.
async fn untraced(
    ports: &Ports,
    fleet: &FleetHead,
    heads: &BTreeMap<ServiceName, Head>,
) -> Result<BTreeMap<ServiceName, Untraced>, ActionError> {
    let mut untraced = BTreeMap::new();
    for name in fleet.those(|state| state == ServiceState::Starting) {
        let Some(started) = fleet.services.get(name).and_then(|service| service.execution.as_deref()) else { continue };
        let traced = heads.get(name).is_some_and(|head| head.execution.rsplit(':').next() == Some(started));
        if traced {
            continue;
        }
        let Some(execution) = ports.executions.migration_execution(started) else { continue };
        let status = ports.executions.status(&execution).await;
        let status = status.doing(|| format!("reading the status of execution {started}"))?;
        // One that has just succeeded without a head of its own found that there is nothing to do; the head says that
        // the service has migrated.
        untraced.extend(ended(started, status).map(|ended| (name.clone(), ended)));
    }
    Ok(untraced)
}

/// What forbids to go on, of the fleet's own alarms: those that fire, that have fired since a person last said go, and
/// those that do not exist.
async fn fleet_alarms(ports: &Ports, policy: &FleetPolicy, fleet: &FleetHead) -> Result<Vec<String>, ActionError> {
    let names = &policy.rollout.alarms;
    let since = fleet.pardoned_at.unwrap_or(fleet.since);
    let read = alarms_since(ports, names, since).await?;
    Ok(objections(names, &read, since).iter().map(ToString::to_string).collect())
}

/// The alarms that fire of services that migrated in the wave that is watched.
async fn service_alarms(
    ports: &Ports,
    policy: &FleetPolicy,
    fleet: &FleetHead,
) -> Result<BTreeMap<ServiceName, String>, ActionError> {
    if fleet.baking_since.is_none() {
        return Ok(BTreeMap::new());
    }
    let wave = fleet.present_wave().into_iter().flat_map(|wave| &wave.services);
    let moved = wave.filter(|name| {
        fleet.services.get(*name).is_some_and(|service| service.moved && service.state == ServiceState::Migrated)
    });
    let guarded: Vec<(&ServiceName, &Vec<String>)> = moved
        .filter_map(|name| {
            let service = policy.services.iter().find(|service| service.name == *name)?;
            Some((&service.name, &service.alarms))
        })
        .collect();
    let names: BTreeSet<String> = guarded.iter().flat_map(|(_, alarms)| alarms.iter().cloned()).collect();
    let found = alarms(ports, &names.into_iter().collect::<Vec<_>>()).await?;
    let firing = |name: &String| found.iter().find(|alarm| alarm.name == *name && alarm.state == AlarmState::Alarm);
    Ok(guarded
        .into_iter()
        .filter_map(|(service, alarms)| {
            let alarm = alarms.iter().find_map(firing)?;
            Some((service.clone(), format!("alarm {} fires while its wave is watched", alarm.name)))
        })
        .collect())
}

/// The plans of services whose turn it is, without their locks, and the room on their load balancers.
async fn plans(ports: &Ports, policy: &FleetPolicy, fleet: &FleetHead, seen: &mut Seen) -> Result<(), ActionError> {
    let ports = &ports.sharing_reads();
    let wanted = to_plan(policy, fleet);
    let planned: Vec<(ServiceName, Planned)> = futures::stream::iter(wanted)
        .map(|service| async move {
            let service_policy = policy.services.iter().find(|listed| listed.name == service).cloned();
            let request = PlanRequest { policy: service_policy, ..PlanRequest::dry_run(&service) };
            let answer = plan_service(ports, &request, "none").await?;
            let planned = match (answer.verdict, answer.plan) {
                (NextStep::Planned, Some(plan)) => Planned::Size(Size::of(&plan)),
                // The next look finds it in the head.
                (NextStep::Migrated, _) => Planned::Size(Size::default()),
                _ => Planned::Refused(answer.reason),
            };
            Ok::<_, ActionError>((service, planned))
        })
        .buffered(PLANS_AT_A_TIME)
        .try_collect()
        .await?;
    let balancers: BTreeSet<LoadBalancerArn> = planned
        .iter()
        .filter_map(|(_, planned)| match planned {
            Planned::Size(size) => Some(size.groups.keys()),
            Planned::Refused(_) => None,
        })
        .flatten()
        .filter(|balancer| fleet.counts_room_of(balancer))
        .cloned()
        .collect();
    (seen.room, seen.groups) = rooms(ports, &balancers).await?;
    seen.plans = planned.into_iter().collect();
    Ok(())
}
