//! From an alarm's event to every route verified, beside the same calls without Crossfade.

use super::{Access, Rehearsal, RehearsalError};
use crossfade_actions::ports::{LoadBalancers, PortError};
use crossfade_domain::ids::{ListenerArn, RuleArn};
use crossfade_domain::journal::{Head, Phase, Trigger};
use crossfade_domain::route::RouteId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// The bare calls are made so many times, and the middle one counts: the first opens connections.
const TRIES: usize = 3;

/// Measures the bare calls of every service that an alarm's event has rolled back, as soon as it rests: the others are still
/// on their way then, so that both are measured on the same machine at the same work.
#[derive(Default)]
pub(super) struct ReturnTimes {
    begun: BTreeSet<usize>,
    measuring: JoinSet<(usize, Result<Duration, PortError>)>,
}

impl ReturnTimes {
    /// Begins to measure for a service whose head this is, unless that is done or there is nothing to measure.
    pub(super) fn look(&mut self, rehearsal: &Rehearsal, access: &Access, service: usize, head: Option<&Head>) {
        let by_alarm = head.filter(|head| head.phase == Phase::RolledBack).and_then(|head| head.rollback.as_ref());
        if by_alarm.is_none_or(|rollback| rollback.trigger != Trigger::AlarmEvent) {
            return;
        }
        if !self.begun.insert(service) {
            return;
        }
        let routes = rehearsal.stage.services[service].routes.iter();
        let routes: Vec<RouteId> = routes.filter_map(|route| route_id(&route.arn)).collect();
        let load_balancers = access.load_balancers.clone();
        self.measuring.spawn(async move { (service, bare(&load_balancers, &routes).await) });
    }

    /// Whether a service's bare calls are measured, or being measured.
    pub(super) fn knows(&self, service: usize) -> bool {
        self.begun.contains(&service)
    }

    /// What the bare calls took, by service.
    pub(super) async fn finish(mut self) -> Result<BTreeMap<usize, Duration>, RehearsalError> {
        let mut measured = BTreeMap::new();
        while let Some(ended) = self.measuring.join_next().await {
            let Ok((service, took)) = ended else { continue };
            measured.insert(service, took?);
        }
        Ok(measured)
    }
}

fn route_id(arn: &str) -> Option<RouteId> {
    if arn.contains(":listener-rule/") {
        RuleArn::parse(arn.to_owned()).ok().map(RouteId::Rule)
    } else {
        ListenerArn::parse(arn.to_owned()).ok().map(RouteId::Default)
    }
}

/// Describe, modify and read back, through the same client that the functions use. Every route is given the actions that it
/// has: the load balancer does the same work, and nothing changes.
async fn bare(load_balancers: &Arc<dyn LoadBalancers>, routes: &[RouteId]) -> Result<Duration, PortError> {
    let mut took = Vec::new();
    for _ in 0..TRIES {
        let begun = Instant::now();
        for route in load_balancers.read_routes(routes).await? {
            load_balancers.write_route(&route.id, &route.actions).await?;
        }
        load_balancers.read_routes(routes).await?;
        took.push(begun.elapsed());
    }
    took.sort();
    Ok(took[TRIES / 2])
}
