use super::PortError;
use crossfade_domain::load_balancer::action::Action;
use crossfade_domain::load_balancer::group::{Attributes, GroupSettings, Tags, Target, TargetGroup, TargetHealth};
use crossfade_domain::load_balancer::route::{Route, RouteId};
use crossfade_domain::names::{ListenerArn, LoadBalancerArn, ServiceName, TargetGroupArn};
use std::collections::BTreeMap;

/// A load balancer as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadBalancer {
    /// Its ARN.
    pub arn: LoadBalancerArn,
    /// `application`, `network` or `gateway`.
    pub kind: String,
}

/// A listener with its default action.
#[derive(Debug, Clone, PartialEq)]
pub struct Listener {
    /// Its ARN.
    pub arn: ListenerArn,
    /// Whose listener it is.
    pub load_balancer: LoadBalancerArn,
    /// The default actions.
    pub default_actions: Vec<Action>,
}

/// A target group to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGroup {
    /// At most 32 characters.
    pub name: String,
    /// What it is made of.
    pub settings: GroupSettings,
    /// Its tags.
    pub tags: Tags,
}

/// `ELBv2`. Every list is paginated and batched behind these verbs; an order is never promised.
#[async_trait::async_trait]
pub trait LoadBalancers: Send + Sync {
    /// The stack whose groups these are: it stands in the tags of what is created, and the searches by tags leave out
    /// what names another one.
    fn stack(&self) -> String;

    /// The groups that exist among names and ARNs (told apart by their shape). An unknown one is absent.
    async fn target_groups(&self, names_or_arns: &[String]) -> Result<Vec<TargetGroup>, PortError>;

    /// Every target group of a load balancer.
    async fn target_groups_of(&self, load_balancer: &LoadBalancerArn) -> Result<Vec<TargetGroup>, PortError>;

    /// Every target group that carries the tag `crossfade:service=<service>`, with its tags: how a rollback finds the
    /// new groups when the table does not answer. It reads every group of the account, so nothing else calls it.
    async fn groups_of_service(&self, service: &ServiceName) -> Result<Vec<(TargetGroup, Tags)>, PortError>;

    /// Every target group that carries the tag of an alarm (`alarms::tags::key`), with its tags: how an alarm finds
    /// what it guards when the table does not answer. It reads every group of the account, too.
    async fn groups_guarded_by(&self, alarm: &str) -> Result<Vec<(TargetGroup, Tags)>, PortError>;

    /// Adds tags to a group; a key that is there gets the new value.
    async fn add_tags(&self, group: &TargetGroupArn, tags: &Tags) -> Result<(), PortError>;

    /// Takes tags off a group; a key that is not there is fine.
    async fn remove_tags(&self, group: &TargetGroupArn, keys: &[String]) -> Result<(), PortError>;

    /// The load balancers that exist among these.
    async fn load_balancers(&self, arns: &[LoadBalancerArn]) -> Result<Vec<LoadBalancer>, PortError>;

    /// Every listener of a load balancer.
    async fn listeners(&self, load_balancer: &LoadBalancerArn) -> Result<Vec<Listener>, PortError>;

    /// Every rule of a listener; the default rule comes as `RouteId::Default`.
    async fn routes(&self, listener: &ListenerArn) -> Result<Vec<Route>, PortError>;

    /// These routes as they are now. A route that no longer exists is absent.
    async fn read_routes(&self, routes: &[RouteId]) -> Result<Vec<Route>, PortError>;

    /// Replaces a route's whole list of actions, in one attempt: the SDK's own retries are off, so that the caller can
    /// look at the generation before each try (invariant 7). Conditions, transforms and priority are not sent.
    async fn write_route(&self, route: &RouteId, actions: &[Action]) -> Result<(), PortError>;

    /// Tags of load balancers, listeners, rules or target groups, by ARN. A resource without tags may be absent.
    async fn tags(&self, arns: &[String]) -> Result<BTreeMap<String, Tags>, PortError>;

    /// A group's attributes.
    async fn attributes(&self, group: &TargetGroupArn) -> Result<Attributes, PortError>;

    /// Sets attributes of a group.
    async fn set_attributes(&self, group: &TargetGroupArn, attributes: &Attributes) -> Result<(), PortError>;

    /// The health of every registered target of a group; empty for a group without targets.
    async fn health(&self, group: &TargetGroupArn) -> Result<Vec<TargetHealth>, PortError>;

    /// Creates a group. AWS answers with an existing one of the same name and settings, whoever owns it: look at its
    /// tags.
    async fn create_group(&self, group: &NewGroup) -> Result<TargetGroup, PortError>;

    /// Deletes a group; one that is gone is fine.
    async fn delete_group(&self, group: &TargetGroupArn) -> Result<(), PortError>;

    /// Registers targets; those already registered are left alone.
    async fn register(&self, group: &TargetGroupArn, targets: &[Target]) -> Result<(), PortError>;
}
