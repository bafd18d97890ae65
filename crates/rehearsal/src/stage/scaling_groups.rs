//! The Auto Scaling groups whose instances are the new targets.

use super::{Stage, old_port};
use crate::scenario::{ServiceScenario, new_instance_id};
use crate::traffic::cluster::Cluster;
use crossfade_domain::policy::service_policy::{NewTargets, ScalingTargets};
use jiff::Timestamp;

/// With this type, a group replaces instances that are unhealthy, which a migration must never bring about.
const HEALTH_CHECK_TYPE: &str = "ELB";

impl Stage {
    /// Creates the Auto Scaling group that a service's policy names, with one instance for each new server.
    pub(super) fn put_scaling_group(&self, service: &ServiceScenario, place: usize, new: &Cluster) {
        let Some(group) = group_of(service) else { return };
        let ids: Vec<String> =
            (1..=new.addresses().len()).map(|number| new_instance_id(service.name.as_str(), number)).collect();
        for (id, address) in ids.iter().zip(new.addresses()) {
            self.directory.insert(id, port_of(group, place), *address);
        }
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let mut groups = self.auto_scaling.lock().expect("no holder of the lock panics");
        groups.put_group(&group.name, &ids, HEALTH_CHECK_TYPE);
    }

    /// Launches an instance in a service's Auto Scaling group. The servers of the new cluster respond for it in turn.
    ///
    /// # Errors
    /// Why nothing came of it.
    pub(crate) fn scale_out(
        &self,
        service: &ServiceScenario,
        place: usize,
        now: Timestamp,
    ) -> Result<(), &'static str> {
        let group = group_of(service).ok_or("newTargets names no Auto Scaling group")?;
        let mut groups = self.auto_scaling.lock().expect("no holder of the lock panics");
        let mut elbv2 = self.elbv2.lock().expect("no holder of the lock panics");
        let id = groups.scale_out(now, &mut elbv2, &group.name).ok_or("the Auto Scaling group does not exist")?;
        let servers = self.services[place].new.addresses();
        let launched = groups.instances(&group.name).len();
        let server = servers.get(launched % servers.len().max(1)).ok_or("the new cluster has no servers")?;
        self.directory.insert(&id, port_of(group, place), *server);
        let attached = groups.first_attached(&group.name).ok_or("nothing is attached to the Auto Scaling group")?;
        let follows = elbv2.targets_of(&attached).iter().any(|(target, _)| *target == id);
        if follows { Ok(()) } else { Err("the instance is not registered in the new target group") }
    }
}

fn group_of(service: &ServiceScenario) -> Option<&ScalingTargets> {
    match &service.policy.new_targets {
        NewTargets::AutoScalingGroup(group) => Some(group),
        _ => None,
    }
}

/// The port at which the group's instances are registered.
fn port_of(group: &ScalingTargets, place: usize) -> u16 {
    group.port.unwrap_or_else(|| old_port(place))
}
