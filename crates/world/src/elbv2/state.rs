//! The contents of the account. Everything that Describe returns is kept as a tree. What the rules need is kept parsed,
//! too.

use super::conditions::Condition;
use crate::tree::Tree;
use jiff::Timestamp;
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
pub(super) struct LoadBalancer {
    pub(super) name: String,
    /// As Describe returns it.
    pub(super) details: Tree,
    /// Those that were changed.
    pub(super) attributes: BTreeMap<String, String>,
}

#[derive(Debug, Clone)]
pub(super) struct Listener {
    pub(super) load_balancer: String,
    pub(super) port: i64,
    /// As Describe returns it, without `DefaultActions`: those are its default rule's.
    pub(super) details: Tree,
    pub(super) default_rule: String,
}

#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) listener: String,
    pub(super) load_balancer: String,
    /// None for the default rule.
    pub(super) priority: Option<u32>,
    pub(super) conditions: Vec<Tree>,
    /// Complete, in the form Describe returns, client secrets included (Describe leaves them out).
    pub(super) actions: Vec<Tree>,
    pub(super) transforms: Vec<Tree>,
    pub(super) matchers: Vec<Condition>,
    pub(super) steps: Vec<Step>,
    /// How many requests had their group chosen by weight here.
    pub(super) chosen: u64,
}

/// An action, parsed for the data plane.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// OIDC, Cognito: passes with a session cookie of this name, else answers 302.
    LogIn {
        cookie: String,
        location: String,
    },
    Forward(Forward),
    Redirect(Tree),
    FixedResponse(Tree),
    /// JWT validation and action types newer than this code: passes.
    Pass,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Forward {
    pub(super) groups: Vec<(String, u32)>,
    /// Seconds of group stickiness, if it is on.
    pub(super) sticky_seconds: Option<i64>,
}

impl Rule {
    pub(super) fn forward(&self) -> Option<&Forward> {
        self.steps.iter().find_map(|step| match step {
            Step::Forward(forward) => Some(forward),
            _ => None,
        })
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = &str> {
        self.forward().into_iter().flat_map(|forward| forward.groups.iter().map(|(group, _)| group.as_str()))
    }
}

#[derive(Debug, Clone)]
pub(super) struct TargetGroup {
    pub(super) name: String,
    /// As Describe returns it, without `LoadBalancerArns`.
    pub(super) details: Tree,
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) targets: Vec<Registered>,
    pub(super) in_use: bool,
    /// How many requests had their target chosen here.
    pub(super) chosen: u64,
}

impl TargetGroup {
    pub(super) fn is_sticky(&self) -> bool {
        self.attributes.get("stickiness.enabled").is_some_and(|value| value == "true")
    }

    pub(super) fn attribute_number(&self, key: &str) -> i64 {
        self.attributes.get(key).and_then(|value| value.parse().ok()).unwrap_or_default()
    }

    pub(super) fn port(&self) -> u16 {
        self.details.number_at("Port").and_then(|port| u16::try_from(port).ok()).unwrap_or_default()
    }
}

/// A registered target.
#[derive(Debug, Clone)]
pub(super) struct Registered {
    pub(super) id: String,
    pub(super) port: u16,
    pub(super) zone: Option<String>,
    pub(super) health: Health,
    pub(super) passed_in_a_row: i64,
    pub(super) failed_in_a_row: i64,
    /// Why the last probe failed.
    pub(super) failure: Option<(&'static str, String)>,
    pub(super) next_probe_at: Timestamp,
    /// Some while it drains: when it is gone.
    pub(super) gone_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    Initial,
    Healthy,
    Unhealthy,
}
