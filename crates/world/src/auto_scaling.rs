//! EC2 Auto Scaling: groups of instances, and the target groups in which they are registered.
//!
//! Pure and synchronous. Time passes only in [`AutoScaling::settle`] and at calls.

mod operations;

use crate::aws_error::AwsError;
use crate::elbv2::{ACCOUNT, Elbv2, REGION};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// How long AWS takes to register, and to deregister, the instances of a group.
const STATE_CHANGE: SignedDuration = SignedDuration::from_secs(5);

/// The Auto Scaling groups of one account and region.
#[derive(Debug, Clone, Default)]
pub struct AutoScaling {
    groups: BTreeMap<String, Group>,
}

#[derive(Debug, Clone)]
struct Group {
    instances: Vec<String>,
    /// `EC2` or `ELB`.
    health_check_type: String,
    /// By the target group's ARN.
    sources: BTreeMap<String, Source>,
    refreshing: bool,
    /// How many instances it has launched.
    launched: u32,
    /// The instances that it replaced because they were unhealthy.
    replaced: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
struct Source {
    state: State,
    since: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Adding,
    Added,
    InService,
    Removing,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Adding => "Adding",
            Self::Added => "Added",
            Self::InService => "InService",
            Self::Removing => "Removing",
        }
    }
}

impl AutoScaling {
    /// Creates a group of these instances with a health check type, `EC2` or `ELB`.
    pub fn put_group(&mut self, name: &str, instances: &[&str], health_check_type: &str) {
        let group = Group {
            instances: instances.iter().map(|id| (*id).to_owned()).collect(),
            health_check_type: health_check_type.to_owned(),
            sources: BTreeMap::new(),
            refreshing: false,
            launched: 0,
            replaced: Vec::new(),
        };
        self.groups.insert(name.to_owned(), group);
    }

    /// Deletes a group; its instances stay registered where they are.
    pub fn delete_group(&mut self, name: &str) {
        self.groups.remove(name);
    }

    /// Begins or ends an instance refresh.
    pub fn set_refreshing(&mut self, name: &str, refreshing: bool) {
        if let Some(group) = self.groups.get_mut(name) {
            group.refreshing = refreshing;
        }
    }

    /// Launches an instance, which is registered in every target group; returns its id.
    pub fn scale_out(&mut self, now: Timestamp, elbv2: &mut Elbv2, name: &str) -> Option<String> {
        let group = self.groups.get_mut(name)?;
        let id = group.launch();
        self.settle(now, elbv2);
        Some(id)
    }

    /// The instances that a group replaced because they were unhealthy.
    pub fn replaced(&self, name: &str) -> &[String] {
        self.groups.get(name).map(|group| group.replaced.as_slice()).unwrap_or_default()
    }

    /// The ids of a group's instances.
    pub fn instances(&self, name: &str) -> &[String] {
        self.groups.get(name).map(|group| group.instances.as_slice()).unwrap_or_default()
    }

    /// The ARN of the first target group that is attached to a group.
    pub fn first_attached(&self, name: &str) -> Option<String> {
        self.groups.get(name)?.sources.keys().next().cloned()
    }

    /// Whether a target group is attached to a group and not about to be detached.
    pub fn is_attached(&self, name: &str, target_group: &str) -> bool {
        let source = self.groups.get(name).and_then(|group| group.sources.get(target_group));
        source.is_some_and(|source| source.state != State::Removing)
    }

    /// Does what is due: changes the states of target groups, registers new instances, and replaces unhealthy ones.
    pub fn settle(&mut self, now: Timestamp, elbv2: &mut Elbv2) {
        if self.groups.is_empty() {
            return;
        }
        // What AWS does by itself is no call of the account.
        let throttle = elbv2.set_throttle(None);
        for group in self.groups.values_mut() {
            group.change_states(now, elbv2);
            group.replace_unhealthy(now, elbv2);
            group.register_all(now, elbv2);
        }
        elbv2.set_throttle(throttle);
    }
}

impl Group {
    fn launch(&mut self) -> String {
        self.launched += 1;
        let id = format!("i-0launched{:07}", self.launched);
        self.instances.push(id.clone());
        id
    }

    fn change_states(&mut self, now: Timestamp, elbv2: &Elbv2) {
        self.sources
            .retain(|_, source| source.state != State::Removing || now.duration_since(source.since) < STATE_CHANGE);
        for (target_group, source) in &mut self.sources {
            let is_due = now.duration_since(source.since) >= STATE_CHANGE;
            let next = match source.state {
                State::Adding if is_due => State::Added,
                State::Added if elbv2.judged_targets(target_group).iter().any(|(_, healthy)| *healthy) => {
                    State::InService
                }
                _ => continue,
            };
            *source = Source { state: next, since: now };
        }
    }

    /// With ELB health checks, an instance that is unhealthy in any target group in service is terminated, and another
    /// is launched.
    fn replace_unhealthy(&mut self, now: Timestamp, elbv2: &mut Elbv2) {
        if self.health_check_type != "ELB" || self.refreshing {
            return;
        }
        let in_service = self.sources.iter().filter(|(_, source)| source.state == State::InService);
        let unhealthy: Vec<String> = in_service
            .flat_map(|(target_group, _)| elbv2.judged_targets(target_group))
            .filter(|(id, healthy)| !healthy && self.instances.contains(id))
            .map(|(id, _)| id)
            .collect();
        for id in unhealthy {
            if !self.instances.contains(&id) {
                continue;
            }
            self.instances.retain(|one| *one != id);
            for target_group in self.sources.keys() {
                deregister(now, elbv2, target_group, std::slice::from_ref(&id));
            }
            self.replaced.push(id);
            self.launch();
        }
    }

    fn register_all(&self, now: Timestamp, elbv2: &mut Elbv2) {
        for (target_group, _) in self.sources.iter().filter(|(_, source)| source.state != State::Removing) {
            let Some(port) = elbv2.port_of_group(target_group) else { continue };
            let known = elbv2.targets_of(target_group);
            let missing = self.instances.iter().filter(|id| !known.contains(&((*id).clone(), port)));
            let missing: Vec<(&str, u16)> = missing.map(|id| (id.as_str(), port)).collect();
            if !missing.is_empty() {
                elbv2.register(now, target_group, &missing).expect("a group of instances takes instances");
            }
        }
    }

    fn arn(name: &str) -> String {
        format!(
            "arn:aws:autoscaling:{REGION}:{ACCOUNT}:autoScalingGroup:00000000-0000-4000-8000-000000000000:\
             autoScalingGroupName/{name}"
        )
    }
}

/// Deregisters instances where they are registered at the target group's port.
fn deregister(now: Timestamp, elbv2: &mut Elbv2, target_group: &str, instances: &[String]) {
    let targets: Vec<_> = instances.iter().map(|id| serde_json::json!({"Id": id})).collect();
    let input = serde_json::json!({"TargetGroupArn": target_group, "Targets": targets});
    // Someone may have deleted the target group.
    let _gone = elbv2.call_json(now, "DeregisterTargets", &input);
}

fn not_found(name: &str) -> AwsError {
    AwsError::validation(format!("AutoScalingGroup name not found - AutoScalingGroup '{name}' not found"))
}

#[cfg(test)]
mod tests;
