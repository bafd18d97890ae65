//! Lists every route of the old groups' load balancers, and finds those that the plan does not have.

use crate::error::{ActionError, Doing as _};
use crate::ports::Ports;
use crate::reads::deadline::Deadline;
use crate::routes::read::DRIFT_PAUSE;
use crossfade_domain::journal::{Head, RoutesListed};
use crossfade_domain::load_balancer::route::Route;
use crossfade_domain::names::LoadBalancerArn;
use crossfade_domain::plan::Plan;
use crossfade_domain::routing::stray::{StrayRoute, outside_the_plan};
use std::collections::BTreeSet;
use std::time::Duration;

/// How long all listings of one look may take together, in real time. What is not listed by then holds the migration.
const LIST_WITHIN: Duration = Duration::from_secs(20);

/// Every route of some load balancers: each listener, each rule and each default action.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Listing {
    /// How many listeners there are.
    pub(crate) listeners: u32,
    /// The routes. Their requests name the port as well.
    pub(crate) routes: Vec<Route>,
}

/// The load balancers of the old groups.
pub(crate) fn load_balancers(plan: &Plan) -> BTreeSet<&LoadBalancerArn> {
    plan.groups.iter().map(|group| &group.load_balancer).collect()
}

/// Lists a load balancer, one call after the other, so that others are not throttled by it.
///
/// # Errors
/// The load balancer's.
pub(crate) async fn list(ports: &Ports, balancer: &LoadBalancerArn) -> Result<Listing, ActionError> {
    let mut listing = Listing::default();
    let listeners = ports.routes.listeners(balancer).await;
    for listener in listeners.doing(|| format!("listing the listeners of {}", balancer.name()))? {
        let routes = ports.routes.routes(&listener.arn).await;
        let routes = routes.doing(|| format!("listing the rules of listener {}", listener.arn))?;
        listing.listeners += 1;
        listing.routes.extend(routes.into_iter().map(|route| route.on_port(listener.port)));
    }
    Ok(listing)
}

/// The routes outside the plan that send traffic to a group of the migration, and what was listed to find them. A route
/// counts only if two listings, a few seconds apart, both have it.
///
/// # Errors
/// The text of what could not be listed, or was not within 20 s.
pub(crate) async fn strays(ports: &Ports, plan: &Plan, head: &Head) -> Result<(RoutesListed, Vec<StrayRoute>), String> {
    let look = async {
        let (listed, first) = look(ports, plan, head).await?;
        if first.is_empty() {
            return Ok((listed, first));
        }
        ports.clock.pause(DRIFT_PAUSE).await;
        let (listed, mut second) = look(ports, plan, head).await?;
        second.retain(|stray| first.iter().any(|earlier| earlier.route == stray.route));
        Ok((listed, second))
    };
    Deadline::begin(ports, LIST_WITHIN).limit(look).await
}

async fn look(ports: &Ports, plan: &Plan, head: &Head) -> Result<(RoutesListed, Vec<StrayRoute>), ActionError> {
    let (mut listeners, mut routes) = (0, Vec::new());
    let balancers = load_balancers(plan);
    for balancer in &balancers {
        let found = list(ports, balancer).await?;
        listeners += found.listeners;
        routes.extend(found.routes);
    }
    let listed = RoutesListed {
        load_balancers: balancers.into_iter().cloned().collect(),
        listeners,
        routes: u32::try_from(routes.len()).unwrap_or(u32::MAX),
    };
    Ok((listed, outside_the_plan(plan, &head.new_groups, &routes)))
}
