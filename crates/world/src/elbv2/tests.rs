//! What the load balancers accept, refuse and do with requests.

use super::{Decision, Elbv2, HttpRequest, ProbeOutcome, Throttle};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;

mod health;
mod internal_routes;
mod operations;
mod rules;
mod traffic;

fn start() -> Timestamp {
    "2026-11-02T03:00:00Z".parse().unwrap()
}

fn after(seconds: i64) -> Timestamp {
    start() + SignedDuration::from_secs(seconds)
}

/// A load balancer with an HTTPS listener, one rule for `users.internal` and two groups of two targets.
struct Scene {
    elb: Elbv2,
    balancer: String,
    listener: String,
    rule: String,
    old: String,
    new: String,
}

fn scene() -> Scene {
    let mut elb = Elbv2::new(1);
    let balancer = elb.create_load_balancer(start(), "internal").unwrap();
    let listener = elb.create_listener(start(), &balancer, "HTTPS", 443).unwrap();
    let old = elb.create_target_group(start(), "users-swarm", 8080, &[]).unwrap();
    let new = elb.create_target_group(start(), "users-eks", 30080, &[]).unwrap();
    elb.register(start(), &old, &[("i-0old1", 8080), ("i-0old2", 8080)]).unwrap();
    elb.register(start(), &new, &[("i-0new1", 30080), ("i-0new2", 30080)]).unwrap();
    let rule = elb.create_host_rule(start(), &listener, 10, "users.internal", &old).unwrap();
    Scene { elb, balancer, listener, rule, old, new }
}

impl Scene {
    fn call(&mut self, operation: &str, input: &Value) -> Result<Value, String> {
        self.elb.call_json(start(), operation, input).map(|tree| tree.to_json()).map_err(|error| error.code)
    }

    fn probe_all(&mut self, now: Timestamp, status: u16) {
        for probe in self.elb.probes_due(now) {
            self.elb.probe_result(&probe.group, &probe.target, probe.target_port, ProbeOutcome::Status(status));
        }
    }

    fn states(&mut self, group: &str) -> Vec<String> {
        let health = self.call("DescribeTargetHealth", &json!({"TargetGroupArn": group})).unwrap();
        let descriptions = health["TargetHealthDescriptions"].as_array().unwrap().clone();
        descriptions
            .iter()
            .map(|it| {
                let health = &it["TargetHealth"];
                let reason = health["Reason"].as_str().map(|reason| format!(" {reason}")).unwrap_or_default();
                format!("{}{reason}", health["State"].as_str().unwrap())
            })
            .collect()
    }

    fn send(&mut self, count: usize) -> BTreeMap<String, usize> {
        let mut sent = BTreeMap::new();
        for _ in 0..count {
            let place = match self.elb.route(start(), &self.listener, &HttpRequest::get("users.internal", "/")) {
                Decision::Forward { group, .. } if group == self.old => "old".to_owned(),
                Decision::Forward { group, .. } if group == self.new => "new".to_owned(),
                other => format!("{other:?}").split([' ', '{']).next().unwrap().to_owned(),
            };
            *sent.entry(place).or_default() += 1;
        }
        sent
    }

    fn forward(&self, weights: &[(&str, i64)], stickiness: Value) -> Value {
        let groups: Vec<Value> =
            weights.iter().map(|(arn, weight)| json!({"TargetGroupArn": arn, "Weight": weight})).collect();
        let mut config = json!({"TargetGroups": groups});
        if !stickiness.is_null() {
            config["TargetGroupStickinessConfig"] = stickiness;
        }
        json!({"RuleArn": self.rule, "Actions": [{"Type": "forward", "ForwardConfig": config}]})
    }

    fn first_action(&mut self) -> Value {
        let rule = self.rule.clone();
        self.call("DescribeRules", &json!({"RuleArns": [rule]})).unwrap()["Rules"][0]["Actions"][0].clone()
    }
}
