//! What was read of an account and region.

use crate::load_balancer::group::{Attributes, Tags, TargetGroup, TargetHealth};
use crate::load_balancer::rule::Rule;
use crate::names::{ListenerArn, LoadBalancerArn};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The days of metrics that a survey reads.
pub const DAYS: u16 = 14;

/// Everything behind the load balancers of an account and region.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountSurvey {
    /// When it was read.
    pub at: Timestamp,
    /// Every load balancer.
    pub load_balancers: Vec<BalancerFound>,
    /// Every target group, in use or not.
    pub groups: Vec<GroupFound>,
    /// Why no requests were read, if they were not. Then every [`Traffic`] is 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_unread: Option<String>,
    /// Why no alarms were read, if they were not. Then no group has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarms_unread: Option<String>,
}

impl AccountSurvey {
    /// What is missing for want of CloudWatch, and why: a sentence for each.
    pub fn unread(&self) -> Vec<String> {
        let requests = self.requests_unread.iter().map(|why| {
            format!("The requests were not read ({why}): services are in the order of their names, and none is busy.")
        });
        let alarms = self.alarms_unread.iter().map(|why| format!("The alarms were not read ({why})."));
        let mut lines: Vec<String> = requests.chain(alarms).collect();
        if !lines.is_empty() {
            lines
                .push("If permissions are missing, infra/discover-policy.json has them. Then run it again.".to_owned());
        }
        lines
    }
}

/// A load balancer, with its listeners if it is an application load balancer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BalancerFound {
    /// Its ARN.
    pub arn: LoadBalancerArn,
    /// Its name.
    pub name: String,
    /// `application`, `network` or `gateway`.
    pub kind: String,
    /// `internal` or `internet-facing`.
    pub scheme: String,
    /// Its tags.
    pub tags: Tags,
    /// Its listeners.
    pub listeners: Vec<ListenerFound>,
}

/// A listener and its rules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListenerFound {
    /// Its ARN.
    pub arn: ListenerArn,
    /// Its port.
    pub port: Option<u16>,
    /// Its rules, with the default rule.
    pub rules: Vec<Rule>,
    /// The tags of the listener and of its rules, by ARN.
    pub tags: BTreeMap<String, Tags>,
}

/// A target group with what its service needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupFound {
    /// The group.
    pub group: TargetGroup,
    /// Its tags.
    pub tags: Tags,
    /// Its attributes.
    pub attributes: Attributes,
    /// Its targets.
    pub health: Vec<TargetHealth>,
    /// Its requests.
    pub traffic: Traffic,
    /// The names of the metric alarms that watch it.
    pub alarms: Vec<String>,
}

/// What a target group had to do in [`DAYS`] days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Traffic {
    /// All requests.
    pub requests: u64,
    /// Requests a minute in the busiest five minutes.
    pub peak_a_minute: u64,
    /// Requests that a target answered with 5xx.
    pub failed: u64,
}

impl Traffic {
    /// Both together. The peaks may have been at different times, so theirs is an upper bound.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            peak_a_minute: self.peak_a_minute.saturating_add(other.peak_a_minute),
            failed: self.failed.saturating_add(other.failed),
        }
    }

    /// Requests on an average day.
    pub fn a_day(self) -> u64 {
        self.requests / u64::from(DAYS)
    }
}

impl GroupFound {
    /// Whether an attribute has this value.
    pub fn has(&self, attribute: &str, value: &str) -> bool {
        self.attributes.get(attribute).is_some_and(|found| found == value)
    }
}
