//! The load balancers and target groups of the services that are called.

use crate::ending::failure::Failure;
use crate::stack::session::Session;
use crossfade_domain::load_balancer::group::TargetGroup;
use crossfade_domain::policy::service_policy::{FleetPolicy, ServicePolicy};
use crossfade_domain::policy::wiring::balancer::{Balancer, Door, chosen};

/// What AWS has for the internal routes of some services.
pub(super) struct Surveyed {
    balancers: Vec<Balancer>,
    groups: Vec<TargetGroup>,
}

impl Surveyed {
    /// Asks AWS. Listeners and attributes are read only for the load balancers of these services.
    pub(super) async fn of(session: &Session, services: &[(&FleetPolicy, &ServicePolicy)]) -> Result<Self, Failure> {
        let survey = &session.ports.survey;
        let found = survey.all_load_balancers().await;
        let found = found.map_err(|error| session.port_failed("reading the load balancers", &error))?;
        let groups = survey.all_target_groups().await;
        let groups = groups.map_err(|error| session.port_failed("reading the target groups", &error))?;
        let mut surveyed = Self { balancers: found.into_iter().map(Balancer::from).collect(), groups };
        let mut wanted: Vec<_> = Vec::new();
        for (_, service) in services {
            if let Ok(Some(balancer)) = surveyed.balancer_of(service) {
                wanted.push(balancer.arn.clone());
            }
        }
        wanted.sort();
        wanted.dedup();
        for balancer in surveyed.balancers.iter_mut().filter(|balancer| wanted.contains(&balancer.arn)) {
            let doing = |what: &str| format!("reading the {what} of {}", balancer.name);
            let listeners = survey.listeners_of(&balancer.arn).await;
            let listeners = listeners.map_err(|error| session.port_failed(&doing("listeners"), &error))?;
            let attributes = survey.balancer_attributes(&balancer.arn).await;
            let attributes = attributes.map_err(|error| session.port_failed(&doing("attributes"), &error))?;
            balancer.listeners = listeners.into_iter().map(Door::from).collect();
            balancer.listeners.sort_by_key(|door| door.port);
            balancer.attributes = attributes;
        }
        Ok(surveyed)
    }

    /// The load balancer of a service's internal route; none if it has no internal route.
    pub(super) fn balancer_of(&self, service: &ServicePolicy) -> Result<Option<&Balancer>, String> {
        let Some(route) = &service.internal_route else { return Ok(None) };
        let vpc = self.old_group(service).and_then(|group| group.settings.vpc.as_deref());
        chosen(service, route, vpc, &self.balancers).map(Some)
    }

    /// The first old target group of a service that exists.
    pub(super) fn old_group(&self, service: &ServicePolicy) -> Option<&TargetGroup> {
        let is_named = |name: &String| self.groups.iter().find(|one| one.name == *name || one.arn.as_str() == name);
        service.old_target_groups.iter().find_map(is_named)
    }

    /// The target group with this ARN.
    pub(super) fn group(&self, arn: &str) -> Option<&TargetGroup> {
        self.groups.iter().find(|group| group.arn.as_str() == arn)
    }
}
