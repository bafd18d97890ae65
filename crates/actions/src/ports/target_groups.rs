use super::PortError;
use crossfade_domain::load_balancer::group::{
    Attributes, GroupSettings, HealthCheck, Tags, Target, TargetGroup, TargetHealth,
};
use crossfade_domain::names::{LoadBalancerArn, TargetGroupArn};

/// A target group to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGroup {
    /// At most 32 characters.
    pub name: String,
    /// Its protocol, port, health check and the rest of its settings.
    pub settings: GroupSettings,
    /// Its tags.
    pub tags: Tags,
}

/// The zone of targets that are registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetZone {
    /// That of their subnet, which AWS finds by itself.
    OfTheirSubnet,
    /// All zones: AWS asks for this where an address is outside the VPC of the group.
    All,
}

/// The quotas of load balancers of an account that AWS raises on request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Targets of a load balancer.
    pub targets: u32,
    /// Rules of a load balancer, without the default ones.
    pub rules: u32,
}

impl Default for Limits {
    /// What AWS gives to every account.
    fn default() -> Self {
        Self { targets: 1_000, rules: 100 }
    }
}

/// Target groups and their targets. Every list is complete, and its order is never promised.
#[async_trait::async_trait]
pub trait TargetGroups: Send + Sync {
    /// The groups that exist among names and ARNs (told apart by their shape). An unknown one is absent.
    async fn target_groups(&self, names_or_arns: &[String]) -> Result<Vec<TargetGroup>, PortError>;

    /// Every target group of a load balancer.
    async fn target_groups_of(&self, load_balancer: &LoadBalancerArn) -> Result<Vec<TargetGroup>, PortError>;

    /// The account's quotas. One that AWS does not name has its default.
    async fn limits(&self) -> Result<Limits, PortError>;

    /// A group's attributes.
    async fn attributes(&self, group: &TargetGroupArn) -> Result<Attributes, PortError>;

    /// Sets attributes of a group.
    async fn set_attributes(&self, group: &TargetGroupArn, attributes: &Attributes) -> Result<(), PortError>;

    /// The health of every registered target of a group; empty for a group without targets.
    async fn health(&self, group: &TargetGroupArn) -> Result<Vec<TargetHealth>, PortError>;

    /// Creates a group. If one with the same name and settings exists, AWS returns that one, whoever owns it: check its
    /// tags.
    async fn create_group(&self, group: &NewGroup) -> Result<TargetGroup, PortError>;

    /// Changes a group's health check; the rest of its settings cannot be changed.
    async fn set_health_check(&self, group: &TargetGroupArn, health_check: &HealthCheck) -> Result<(), PortError>;

    /// Deletes a group; one that is gone is fine.
    async fn delete_group(&self, group: &TargetGroupArn) -> Result<(), PortError>;

    /// Registers targets; those already registered are left alone.
    async fn register(&self, group: &TargetGroupArn, targets: &[Target], zone: TargetZone) -> Result<(), PortError>;

    /// Deregisters targets; those that are not registered are fine. In a group that is in a rule, they drain first.
    async fn deregister(&self, group: &TargetGroupArn, targets: &[Target]) -> Result<(), PortError>;
}
