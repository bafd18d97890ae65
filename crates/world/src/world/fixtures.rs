//! Ready-made services for tests.

use super::World;
use serde_json::json;

/// A service on one load balancer, as it is before its migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceOnBalancer {
    /// The load balancer's ARN.
    pub load_balancer: String,
    /// The listener's ARN; its default action answers 404.
    pub listener: String,
    /// The old target group's ARN, named `<service>-swarm` (`<service>-swarm-<balancer>` on a second load balancer).
    pub old_group: String,
    /// The ARN of a rule for each host, each forwarding to the old group.
    pub rules: Vec<String>,
}

impl World {
    /// Puts a service on a load balancer: an old group `group` of two healthy instances on port 8080 and a rule for
    /// each of `hosts`. The load balancer and its listener (HTTP, port 80) are made where they do not exist yet.
    pub fn add_service(&self, balancer: &str, group: &str, hosts: &[&str]) -> ServiceOnBalancer {
        let service = self.with(|state| {
            let now = state.now;
            let elb = &mut state.elbv2;
            let load_balancer = elb.create_load_balancer(now, balancer).expect("the name is a load balancer's");
            let listener = match elb.listener_on(&load_balancer, 80) {
                Some(listener) => listener.to_owned(),
                None => elb.create_listener(now, &load_balancer, "HTTP", 80).expect("the port is free"),
            };
            let old_group = elb.create_target_group(now, group, 8080, &[]).expect("the name is a target group's");
            elb.register(now, &old_group, &[("i-0aaaaaaaaaaaaaaa1", 8080), ("i-0aaaaaaaaaaaaaaa2", 8080)])
                .expect("these are instances");
            let first = elb.next_priority(&listener);
            let rules = (first..)
                .zip(hosts)
                .map(|(priority, host)| {
                    elb.create_host_rule(now, &listener, priority, host, &old_group).expect("the rule is complete")
                })
                .collect();
            ServiceOnBalancer { load_balancer, listener, old_group, rules }
        });
        self.make_healthy(&service.old_group);
        service
    }

    /// Registers instances of the new cluster in a group, as its controller would.
    pub fn register_instances(&self, group: &str, instances: &[&str], port: u16) {
        let targets: Vec<_> = instances.iter().map(|id| json!({"Id": id, "Port": port})).collect();
        self.with(|state| {
            let now = state.now;
            let input = json!({"TargetGroupArn": group, "Targets": targets});
            state.elbv2.call_json(now, "RegisterTargets", &input).expect("the group exists and these are instances");
        });
    }
}
