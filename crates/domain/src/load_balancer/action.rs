//! The actions of a listener rule, as the load balancer stores them.

use crate::names::TargetGroupArn;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The settings of an action that Crossfade never interprets, by AWS's own field names. Carried over as they are.
pub type Settings = BTreeMap<String, Value>;

/// One action of a route. A route has exactly one routing action, the last; an authentication action may precede it,
/// so the forward is found by its type and never by its position.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Action {
    /// 1 to 50000, lowest first. AWS may leave it out where there is a single action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<i32>,
    /// Its type and settings.
    #[serde(flatten)]
    pub kind: ActionKind,
}

/// The type of an action, with its settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "config", rename_all = "kebab-case")]
pub enum ActionKind {
    /// Splits requests over target groups.
    Forward(Forward),
    /// Logs users in at an OIDC provider. `ClientSecret` is never here: AWS does not return it.
    AuthenticateOidc(Settings),
    /// Logs users in at a Cognito user pool.
    AuthenticateCognito(Settings),
    /// Checks a JSON web token.
    JwtValidation(Settings),
    /// Answers with a redirect.
    Redirect(Settings),
    /// Answers by itself.
    FixedResponse(Settings),
    /// A type this version does not know. A list that holds one must never be written back.
    Unknown(String),
}

/// A forward action: target groups and how requests are split over them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Forward {
    /// One to five groups, in the order the load balancer returned them.
    pub groups: Vec<WeightedGroup>,
    /// Group stickiness of the rule, where it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stickiness: Option<GroupStickiness>,
}

/// One target group of a forward action. Its share is its weight over the sum of all weights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WeightedGroup {
    /// The group.
    pub group: TargetGroupArn,
    /// 0 to 999. The only group of an action is stored with 1.
    pub weight: u16,
}

/// Rule-level stickiness: a client stays with the group that its `AWSALBTG` cookie names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupStickiness {
    /// Whether it is on.
    pub enabled: bool,
    /// 1 to 604,800 seconds; required where it is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<i32>,
}

impl Action {
    /// A forward to one group, as `DescribeRules` reports it.
    pub fn forward_to(group: TargetGroupArn) -> Self {
        Self {
            order: None,
            kind: ActionKind::Forward(Forward { groups: vec![WeightedGroup { group, weight: 1 }], stickiness: None }),
        }
    }

    /// The forward, if this action is one.
    pub fn as_forward(&self) -> Option<&Forward> {
        match &self.kind {
            ActionKind::Forward(forward) => Some(forward),
            _ => None,
        }
    }
}

/// The forward among a route's actions, if it has one.
pub fn forward_of(actions: &[Action]) -> Option<&Forward> {
    actions.iter().find_map(Action::as_forward)
}

impl Forward {
    /// The weight of `group`, if the action names it.
    pub fn weight_of(&self, group: &TargetGroupArn) -> Option<u16> {
        self.groups.iter().find(|tuple| tuple.group == *group).map(|tuple| tuple.weight)
    }

    /// The sum of all weights; 0 means that every request is answered 503.
    pub fn total(&self) -> u32 {
        self.groups.iter().map(|tuple| u32::from(tuple.weight)).sum()
    }

    /// Whether clients are pinned to a group.
    pub fn is_sticky(&self) -> bool {
        self.stickiness.is_some_and(|stickiness| stickiness.enabled)
    }
}

/// The share of a route's traffic that goes to a group, in millionths.
pub fn share_of(actions: &[Action], group: &TargetGroupArn) -> u32 {
    let share = forward_of(actions).and_then(|forward| {
        let weight = u32::from(forward.weight_of(group)?);
        (weight * 1_000_000).checked_div(forward.total())
    });
    share.unwrap_or(0)
}
