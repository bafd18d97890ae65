//! Short ways to set a world up. They go through the same `call` as everybody else.

use super::Elbv2;
use crate::aws_error::AwsError;
use crate::tree::Tree;
use jiff::Timestamp;
use serde_json::{Value, json};

impl Elbv2 {
    /// Calls an operation with JSON parameters; scalars may be strings, numbers or booleans.
    pub fn call_json(&mut self, now: Timestamp, operation: &str, input: &Value) -> Result<Tree, AwsError> {
        self.call(now, operation, &Tree::from_json(input))
    }

    /// Creates an application load balancer; returns its ARN.
    pub fn create_load_balancer(&mut self, now: Timestamp, name: &str) -> Result<String, AwsError> {
        let input = json!({"Name": name, "Type": "application", "Scheme": "internal"});
        arn_of(&self.call_json(now, "CreateLoadBalancer", &input)?, "LoadBalancers", "LoadBalancerArn")
    }

    /// Creates a listener whose default action answers 404; returns its ARN.
    pub fn create_listener(
        &mut self,
        now: Timestamp,
        load_balancer: &str,
        protocol: &str,
        port: u16,
    ) -> Result<String, AwsError> {
        let input = json!({
            "LoadBalancerArn": load_balancer, "Protocol": protocol, "Port": port,
            "DefaultActions": [{"Type": "fixed-response",
                "FixedResponseConfig": {"StatusCode": "404", "ContentType": "text/plain",
                "MessageBody": "no such route"}}],
        });
        arn_of(&self.call_json(now, "CreateListener", &input)?, "Listeners", "ListenerArn")
    }

    /// Creates a target group of type `instance` (health check every 10 s on `/health`, two probes each way) with
    /// `tags`; returns its ARN.
    pub fn create_target_group(
        &mut self,
        now: Timestamp,
        name: &str,
        port: u16,
        tags: &[(&str, &str)],
    ) -> Result<String, AwsError> {
        let tags: Vec<Value> = tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
        let input = json!({
            "Name": name, "Protocol": "HTTP", "Port": port, "VpcId": "vpc-0a1b2c3d4e5f60718", "TargetType": "instance",
            "HealthCheckPath": "/health", "HealthCheckIntervalSeconds": 10, "HealthCheckTimeoutSeconds": 5,
            "HealthyThresholdCount": 2, "UnhealthyThresholdCount": 2, "Matcher": {"HttpCode": "200-299"}, "Tags": tags,
        });
        arn_of(&self.call_json(now, "CreateTargetGroup", &input)?, "TargetGroups", "TargetGroupArn")
    }

    /// Creates a rule that forwards a host to one group; returns its ARN.
    pub fn create_host_rule(
        &mut self,
        now: Timestamp,
        listener: &str,
        priority: u32,
        host: &str,
        group: &str,
    ) -> Result<String, AwsError> {
        let input = json!({
            "ListenerArn": listener, "Priority": priority,
            "Conditions": [{"Field": "host-header", "Values": [host]}],
            "Actions": [{"Type": "forward", "TargetGroupArn": group}],
        });
        arn_of(&self.call_json(now, "CreateRule", &input)?, "Rules", "RuleArn")
    }

    /// Sets the whole weighted split of a rule.
    pub fn set_weights(&mut self, now: Timestamp, rule: &str, weights: &[(&str, u16)]) -> Result<(), AwsError> {
        let groups: Vec<Value> =
            weights.iter().map(|(group, weight)| json!({"TargetGroupArn": group, "Weight": weight})).collect();
        let input = json!({
            "RuleArn": rule, "Actions": [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}],
        });
        self.call_json(now, "ModifyRule", &input).map(drop)
    }

    /// Registers targets by id and port.
    pub fn register(&mut self, now: Timestamp, group: &str, targets: &[(&str, u16)]) -> Result<(), AwsError> {
        let targets: Vec<Value> = targets.iter().map(|(id, port)| json!({"Id": id, "Port": port})).collect();
        self.call_json(now, "RegisterTargets", &json!({"TargetGroupArn": group, "Targets": targets})).map(drop)
    }

    /// Changes the address family of a load balancer, as `SetIpAddressType` does.
    pub fn set_ip_address_type(&mut self, load_balancer: &str, ip_address_type: &str) {
        if let Some(balancer) = self.load_balancers.get_mut(load_balancer) {
            balancer.details.set("IpAddressType", ip_address_type);
        }
    }

    /// Makes a group one of gRPC, as it would have been created, behind listeners with TLS, which gRPC needs.
    pub fn make_grpc(&mut self, group: &str) {
        if let Some(group) = self.groups.get_mut(group) {
            group.details.set("ProtocolVersion", "GRPC");
            group.details.set("Matcher", Tree::map([("GrpcCode", "0-99".into())]));
        }
        for rule in self.rules.values().filter(|rule| rule.groups().any(|used| used == group)) {
            if let Some(listener) = self.listeners.get_mut(&rule.listener) {
                listener.details.set("Protocol", "HTTPS");
            }
        }
    }

    /// The registered targets of a group that are not draining, with their ports.
    pub fn targets_of(&self, group: &str) -> Vec<(String, u16)> {
        self.groups
            .get(group)
            .into_iter()
            .flat_map(|group| group.targets.iter().filter(|target| target.gone_at.is_none()))
            .map(|target| (target.id.clone(), target.port))
            .collect()
    }

    /// The port of a target group.
    pub fn port_of_group(&self, group: &str) -> Option<u16> {
        self.groups.get(group).map(super::state::TargetGroup::port)
    }

    /// The target type of a group, such as `instance`.
    pub fn target_type_of_group(&self, group: &str) -> Option<&str> {
        self.groups.get(group)?.details.text_at("TargetType")
    }

    /// The ARN of the group of that name.
    pub fn group_named(&self, name: &str) -> Option<&str> {
        self.groups.iter().find(|(_, group)| group.name == name).map(|(arn, _)| arn.as_str())
    }

    /// The ARN of the load balancer that a listener belongs to.
    pub fn load_balancer_of(&self, listener: &str) -> Option<&str> {
        self.listeners.get(listener).map(|listener| listener.load_balancer.as_str())
    }

    /// The ARN of a load balancer's listener on a port.
    pub fn listener_on(&self, load_balancer: &str, port: u16) -> Option<&str> {
        let mut listeners = self.listeners.iter();
        let found = listeners.find(|(_, it)| it.load_balancer == load_balancer && it.port == i64::from(port));
        found.map(|(arn, _)| arn.as_str())
    }

    /// A priority that no rule of the listener has yet, after all others.
    pub fn next_priority(&self, listener: &str) -> u32 {
        let rules = self.rules.values().filter(|rule| rule.listener == listener);
        rules.filter_map(|rule| rule.priority).max().unwrap_or(0) + 1
    }

    /// Whether a group is in a rule or default action, at any weight.
    pub fn is_in_use(&self, group: &str) -> bool {
        self.groups.get(group).is_some_and(|group| group.in_use)
    }

    /// Replaces the weights in the forward action of a rule, or of a listener's default action (given a listener's
    /// ARN); the other actions and the group stickiness stay.
    pub fn set_forward(&mut self, now: Timestamp, route: &str, weights: &[(String, u32)]) -> Result<(), AwsError> {
        let is_listener = self.listeners.contains_key(route);
        let rule = self.listeners.get(route).map_or(route, |listener| listener.default_rule.as_str());
        let mut actions = self.rules.get(rule).map(|rule| rule.actions.clone()).unwrap_or_default();
        let tuples: Vec<Tree> = weights
            .iter()
            .map(|(group, weight)| {
                Tree::map([("TargetGroupArn", group.as_str().into()), ("Weight", i64::from(*weight).into())])
            })
            .collect();
        for action in &mut actions {
            if action.text_at("Type") == Some("forward") {
                action.remove("TargetGroupArn");
                let config = action.get("ForwardConfig").cloned().unwrap_or_default();
                action.set("ForwardConfig", config.with("TargetGroups", tuples.clone()));
            }
        }
        let (operation, id, list) = if is_listener {
            ("ModifyListener", "ListenerArn", "DefaultActions")
        } else {
            ("ModifyRule", "RuleArn", "Actions")
        };
        self.call(now, operation, &Tree::map([(id, route.into()), (list, actions.into())])).map(drop)
    }

    /// The weights of a rule's forward action (of a listener's default action, given a listener's ARN), by group.
    pub fn weights_of(&self, route: &str) -> Vec<(String, u32)> {
        let rule = self.listeners.get(route).map_or(route, |listener| listener.default_rule.as_str());
        self.rules.get(rule).and_then(super::state::Rule::forward).map(|it| it.groups.clone()).unwrap_or_default()
    }
}

fn arn_of(output: &Tree, list: &str, key: &str) -> Result<String, AwsError> {
    output.list_at(list).first().and_then(|item| item.text_at(key)).map(str::to_owned).ok_or_else(AwsError::internal)
}
