//! Auto Scaling groups, which register their own instances in the target groups that are attached to them.

use super::group::{HealthState, TargetHealth};
use crate::names::TargetGroupArn;
use serde::{Deserialize, Serialize};
use std::fmt;

/// An Auto Scaling group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScalingGroup {
    /// Its name.
    pub name: String,
    /// The ids of its instances.
    pub instances: Vec<String>,
    /// Whether it replaces an instance that is unhealthy in any of its target groups (health check type `ELB`).
    pub replaces_unhealthy: bool,
    /// The target groups that are attached to it.
    pub attached: Vec<TargetGroupArn>,
}

/// A target group that is attached to an Auto Scaling group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrafficSource {
    /// The target group.
    pub group: TargetGroupArn,
    /// How far it is.
    pub state: SourceState,
}

/// The state of an attached target group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceState {
    /// The instances are being registered.
    Adding,
    /// All instances are registered.
    Added,
    /// At least one instance is healthy.
    InService,
    /// The instances are being deregistered.
    Removing,
    /// A state that this version does not know.
    Other,
}

impl SourceState {
    /// Reads AWS's word.
    pub fn parse(text: &str) -> Self {
        match text {
            "Adding" => Self::Adding,
            "Added" => Self::Added,
            "InService" => Self::InService,
            "Removing" => Self::Removing,
            _ => Self::Other,
        }
    }

    /// Whether all instances are registered.
    pub fn is_registered(self) -> bool {
        matches!(self, Self::Added | Self::InService)
    }
}

impl fmt::Display for SourceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Adding => "adding",
            Self::Added => "added",
            Self::InService => "in service",
            Self::Removing => "removing",
            Self::Other => "in an unknown state",
        })
    }
}

/// What an attachment depends on besides the group itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObservedScalingGroup {
    /// The group.
    pub group: ScalingGroup,
    /// Whether an instance refresh is running, during which AWS refuses to attach or detach.
    pub refreshing: bool,
    /// Its instances that are unhealthy in a target group that is attached already, in words.
    pub unhealthy: Vec<String>,
}

/// Why target groups must not be attached now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Objection {
    /// AWS would refuse it.
    Refreshing(String),
    /// Instances that serve others would be replaced.
    Replaces(String),
}

impl Objection {
    /// In words.
    pub fn message(&self) -> &str {
        let (Self::Refreshing(message) | Self::Replaces(message)) = self;
        message
    }
}

impl ObservedScalingGroup {
    /// Why target groups must not be attached to it now; none if they may.
    pub fn objection(&self) -> Option<Objection> {
        let name = &self.group.name;
        if self.refreshing {
            return Some(Objection::Refreshing(format!(
                "an instance refresh of Auto Scaling group {name} is running, and AWS attaches nothing until it ends; \
                 wait for it: aws autoscaling describe-instance-refreshes --auto-scaling-group-name {name}"
            )));
        }
        let first = self.unhealthy.first().filter(|_| self.group.replaces_unhealthy)?;
        let more = match self.unhealthy.len() - 1 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        Some(Objection::Replaces(format!(
            "Auto Scaling group {name} replaces instances that are unhealthy in any of its target groups (health check \
             type ELB), and not all are healthy: {first}{more}; nodes that serve other services would go. Make them \
             healthy, or: aws autoscaling update-auto-scaling-group --auto-scaling-group-name {name} \
             --health-check-type EC2"
        )))
    }

    /// What an operator should know before target groups are attached to it; none where nothing can go.
    pub fn warning(&self) -> Option<String> {
        let name = &self.group.name;
        self.group.replaces_unhealthy.then(|| {
            format!(
                "Auto Scaling group {name} has the health check type ELB: once the new target group is in service, an \
                 instance on which the service is not healthy is replaced, with everything else that runs on it. Make \
                 sure that the service answers on every instance, or set the type to EC2 until the migration is over"
            )
        })
    }
}

/// The instances of a group that are unhealthy in a target group, in words.
pub fn unhealthy_in(group: &ScalingGroup, target_group: &TargetGroupArn, health: &[TargetHealth]) -> Vec<String> {
    let unhealthy = health.iter().filter(|one| one.state == HealthState::Unhealthy);
    unhealthy
        .filter(|one| group.instances.contains(&one.target.id))
        .map(|one| format!("{} in {}", one.target, target_group.name()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load_balancer::group::Target;

    fn group() -> TargetGroupArn {
        let arn = "arn:aws:elasticloadbalancing:eu-west-1:000000000000:targetgroup/shop/0123456789abcdef";
        TargetGroupArn::parse(arn).unwrap()
    }

    fn observed(replaces_unhealthy: bool, refreshing: bool, unhealthy: &[&str]) -> ObservedScalingGroup {
        let unhealthy = unhealthy.iter().map(|one| (*one).to_owned()).collect();
        let group =
            ScalingGroup { name: "nodes".into(), instances: vec!["i-1".into()], replaces_unhealthy, attached: vec![] };
        ObservedScalingGroup { group, refreshing, unhealthy }
    }

    #[test]
    fn a_group_that_would_replace_nodes_or_is_refreshed_takes_no_target_group() {
        assert_eq!(observed(false, false, &["i-1:80 in shop"]).objection(), None);
        assert_eq!(observed(true, false, &[]).objection(), None);
        let refreshing = observed(false, true, &[]).objection().unwrap();
        assert!(matches!(&refreshing, Objection::Refreshing(why) if why.contains("describe-instance-refreshes")));
        let replaces = observed(true, false, &["i-1:80 in shop", "i-2:80 in shop"]).objection().unwrap();
        assert!(matches!(replaces, Objection::Replaces(_)));
        assert!(replaces.message().contains("i-1:80 in shop and 1 more"), "{}", replaces.message());
        assert_eq!(observed(false, false, &[]).warning(), None);
        assert!(observed(true, false, &[]).warning().is_some_and(|warning| warning.contains("nodes")));
    }

    #[test]
    fn only_own_instances_that_are_unhealthy_count() {
        let health = |id: &str, state| TargetHealth {
            target: Target { id: id.to_owned(), port: Some(80) },
            state,
            reason: None,
        };
        let group_of_one = observed(true, false, &[]).group;
        let found = unhealthy_in(
            &group_of_one,
            &group(),
            &[
                health("i-1", HealthState::Unhealthy),
                health("i-1", HealthState::Initial),
                health("i-2", HealthState::Unhealthy),
            ],
        );
        assert_eq!(found, ["i-1:80 in shop"]);
    }

    #[test]
    fn the_states_are_aws_s() {
        for (text, expected) in [("Adding", false), ("Added", true), ("InService", true), ("Removing", false)] {
            assert_eq!(SourceState::parse(text).is_registered(), expected, "{text}");
            assert_ne!(SourceState::parse(text), SourceState::Other);
        }
        assert!(!SourceState::parse("Frozen").is_registered());
    }
}
