//! The load balancers.

use super::super::breakage::Breakage;
use super::super::timers::at_once;
use super::SimulatedPorts;
use crossfade_actions::ports::{
    Limits, Listener, LoadBalancer, NewGroup, PortError, Routes, Tagging, TargetGroups, TargetZone,
};
use crossfade_domain::load_balancer::action::Action;
use crossfade_domain::load_balancer::group::{Attributes, HealthCheck, Tags, Target, TargetGroup, TargetHealth};
use crossfade_domain::load_balancer::our_tags::tag;
use crossfade_domain::load_balancer::route::{Route, RouteId};
use crossfade_domain::names::{ListenerArn, LoadBalancerArn, ServiceName, TargetGroupArn};
use std::collections::BTreeMap;

#[async_trait::async_trait]
impl Routes for SimulatedPorts {
    async fn load_balancers(&self, arns: &[LoadBalancerArn]) -> Result<Vec<LoadBalancer>, PortError> {
        self.call("load_balancers", "", || at_once(self.account.world.load_balancers(arns))).await
    }

    async fn listeners(&self, load_balancer: &LoadBalancerArn) -> Result<Vec<Listener>, PortError> {
        let effect = || at_once(self.account.world.listeners(load_balancer));
        self.call("listeners", load_balancer.as_str(), effect).await
    }

    async fn routes(&self, listener: &ListenerArn) -> Result<Vec<Route>, PortError> {
        let effect = || {
            let mut found = at_once(self.account.world.routes(listener))?;
            if let Some(breakage) = self.account.breakage {
                self.account.tell_watch(|watch| breakage.of_listing(self.caller.function, watch, &mut found));
            }
            Ok(found)
        };
        self.call("routes", listener.as_str(), effect).await
    }

    async fn read_routes(&self, routes: &[RouteId]) -> Result<Vec<Route>, PortError> {
        let object = routes.iter().map(RouteId::as_str).collect::<Vec<_>>().join(", ");
        let effect = || {
            let mut found = at_once(self.account.world.read_routes(routes))?;
            self.account.tell_watch(|watch| {
                watch.read(self.caller.invocation, routes);
                if let Some(breakage) = self.account.breakage {
                    breakage.of_read(self.caller.function, watch, &mut found);
                }
            });
            Ok(found)
        };
        self.call("read_routes", &object, effect).await
    }

    async fn write_route(&self, route: &RouteId, actions: &[Action]) -> Result<(), PortError> {
        self.account.tell_watch(|watch| watch.meant(route, actions));
        if self.broken(Breakage::RollbackStopsAtFirstError) && self.account.watch().gave_up() {
            return Ok(());
        }
        let raises = self.caller.function == "shift-weight";
        if self.broken(Breakage::WindowsBlockRollbacks) && !raises && self.account.is_frozen() {
            return Ok(());
        }
        let answer = self.call("write_route", route.as_str(), || self.write(route, actions)).await;
        if self.broken(Breakage::RollbackStopsAtFirstError) && answer.is_err() {
            self.account.watch().give_up();
        }
        answer
    }
}

#[async_trait::async_trait]
impl TargetGroups for SimulatedPorts {
    async fn target_groups(&self, names_or_arns: &[String]) -> Result<Vec<TargetGroup>, PortError> {
        let object = names_or_arns.join(", ");
        let read = || at_once(self.account.world.target_groups(names_or_arns));
        let mut found = self.call("target_groups", &object, read).await?;
        if self.broken(Breakage::NoGroupNamesALoadBalancer) && self.caller.function == "roll-back" {
            for group in &mut found {
                group.load_balancers.clear();
            }
        }
        Ok(found)
    }

    async fn target_groups_of(&self, load_balancer: &LoadBalancerArn) -> Result<Vec<TargetGroup>, PortError> {
        let effect = || at_once(self.account.world.target_groups_of(load_balancer));
        self.call("target_groups_of", load_balancer.as_str(), effect).await
    }

    async fn limits(&self) -> Result<Limits, PortError> {
        self.call("limits", "", || at_once(self.account.world.limits())).await
    }

    async fn attributes(&self, group: &TargetGroupArn) -> Result<Attributes, PortError> {
        self.call("attributes", group.as_str(), || at_once(self.account.world.attributes(group))).await
    }

    async fn set_attributes(&self, group: &TargetGroupArn, attributes: &Attributes) -> Result<(), PortError> {
        let effect = || at_once(self.account.world.set_attributes(group, attributes));
        self.call("set_attributes", group.as_str(), effect).await
    }

    async fn health(&self, group: &TargetGroupArn) -> Result<Vec<TargetHealth>, PortError> {
        let effect = || {
            let mut health = at_once(self.account.world.health(group))?;
            if let Some(breakage) = self.account.breakage {
                self.account.tell_watch(|watch| breakage.of_health(watch, group, &mut health));
            }
            Ok(health)
        };
        self.call("health", group.as_str(), effect).await
    }

    async fn create_group(&self, group: &NewGroup) -> Result<TargetGroup, PortError> {
        let effect = || {
            let created = at_once(self.account.world.create_group(group))?;
            let late = self.account.now() > self.caller.deadline;
            self.account.tell_watch(|watch| watch.created(&created.arn, late));
            Ok(created)
        };
        self.call("create_group", &group.name, effect).await
    }

    async fn set_health_check(&self, group: &TargetGroupArn, health_check: &HealthCheck) -> Result<(), PortError> {
        let effect = || at_once(self.account.world.set_health_check(group, health_check));
        self.call("set_health_check", group.as_str(), effect).await
    }

    async fn delete_group(&self, group: &TargetGroupArn) -> Result<(), PortError> {
        self.call("delete_group", group.as_str(), || at_once(self.account.world.delete_group(group))).await
    }

    async fn register(&self, group: &TargetGroupArn, targets: &[Target], zone: TargetZone) -> Result<(), PortError> {
        self.call("register", group.as_str(), || at_once(self.account.world.register(group, targets, zone))).await
    }

    async fn deregister(&self, group: &TargetGroupArn, targets: &[Target]) -> Result<(), PortError> {
        self.call("deregister", group.as_str(), || at_once(self.account.world.deregister(group, targets))).await
    }
}

#[async_trait::async_trait]
impl Tagging for SimulatedPorts {
    fn stack(&self) -> String {
        self.account.world.stack()
    }

    async fn groups_of_service(&self, service: &ServiceName) -> Result<Vec<(TargetGroup, Tags)>, PortError> {
        let effect = || at_once(self.account.world.groups_of_service(service));
        let mut found = self.call("groups_of_service", service.as_str(), effect).await?;
        if self.broken(Breakage::NewGroupsNameNoLoadBalancer) || self.broken(Breakage::NoGroupNamesALoadBalancer) {
            for (group, _) in &mut found {
                group.load_balancers.clear();
            }
        }
        Ok(found)
    }

    async fn all_guarded_groups(&self) -> Result<Vec<(TargetGroup, Tags)>, PortError> {
        self.call("all_guarded_groups", "", || at_once(self.account.world.all_guarded_groups())).await
    }

    async fn add_tags(&self, group: &TargetGroupArn, tags: &Tags) -> Result<(), PortError> {
        // Another right than that to name alarms.
        let verb = if tags.contains_key(tag::MIGRATED) { "tag_as_migrated" } else { "add_tags" };
        self.call(verb, group.as_str(), || at_once(self.account.world.add_tags(group, tags))).await
    }

    async fn remove_tags(&self, group: &TargetGroupArn, keys: &[String]) -> Result<(), PortError> {
        // Another right than that to remove the names of alarms.
        let verb = if keys == [tag::MIGRATED] { "remove_migrated_tag" } else { "remove_tags" };
        self.call(verb, group.as_str(), || at_once(self.account.world.remove_tags(group, keys))).await
    }

    async fn tags(&self, arns: &[String]) -> Result<BTreeMap<String, Tags>, PortError> {
        let mut tags = match self.call("tags", "", || at_once(self.account.world.tags(arns))).await {
            // A list leaves out what is not known.
            Err(PortError::NotFound { .. }) => BTreeMap::new(),
            answer => answer?,
        };
        if let Some(breakage) = self.account.breakage {
            breakage.of_tags(&self.caller, &mut tags);
        }
        Ok(tags)
    }
}
