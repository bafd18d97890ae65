use super::PortError;
use crossfade_domain::load_balancer::action::Action;
use crossfade_domain::load_balancer::group::Tags;
use crossfade_domain::load_balancer::rule::{Condition, Rule};
use crossfade_domain::names::{ListenerArn, LoadBalancerArn, RuleArn};

/// A rule to be created.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRule {
    /// Whose rule it is.
    pub listener: ListenerArn,
    /// 1 to 50,000, and free.
    pub priority: u16,
    /// At least one, with at most five values in all.
    pub conditions: Vec<Condition>,
    /// Its complete actions.
    pub actions: Vec<Action>,
    /// Its tags.
    pub tags: Tags,
}

/// A listener for plain HTTP that is to be created.
#[derive(Debug, Clone, PartialEq)]
pub struct NewListener {
    /// Whose listener it is.
    pub load_balancer: LoadBalancerArn,
    /// A port that no listener of the load balancer has.
    pub port: u16,
    /// Its default actions.
    pub actions: Vec<Action>,
    /// Its tags.
    pub tags: Tags,
}

/// Rules and listeners that come and go. Creating is not idempotent at AWS: read before, and look for your own tags.
#[async_trait::async_trait]
pub trait Rules: Send + Sync {
    /// Every rule of a listener, by priority, the default rule last.
    async fn rules(&self, listener: &ListenerArn) -> Result<Vec<Rule>, PortError>;

    /// Creates a rule, in one attempt: an attempt without an answer may have made it. Refused with `PriorityInUse`,
    /// `TooManyRules`, `TooManyTargetGroups`, `TooManyUniqueTargetGroupsPerLoadBalancer` and others.
    async fn create_rule(&self, rule: &NewRule) -> Result<RuleArn, PortError>;

    /// Deletes a rule, at once and for good: created again, it has another ARN. One that is gone is fine.
    async fn delete_rule(&self, rule: &RuleArn) -> Result<(), PortError>;

    /// Creates a listener, in one attempt. Refused with `DuplicateListener` where the port is taken.
    async fn create_listener(&self, listener: &NewListener) -> Result<ListenerArn, PortError>;

    /// Deletes a listener with all its rules; one that is gone is fine.
    async fn delete_listener(&self, listener: &ListenerArn) -> Result<(), PortError>;
}
