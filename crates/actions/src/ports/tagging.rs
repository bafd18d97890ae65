use super::PortError;
use crossfade_domain::load_balancer::group::{Tags, TargetGroup};
use crossfade_domain::names::{ServiceName, TargetGroupArn};
use std::collections::BTreeMap;

/// Tags of load balancers, listeners, rules and target groups.
#[async_trait::async_trait]
pub trait Tagging: Send + Sync {
    /// The stack that owns what is created: its name is a tag of every new group. The searches by tag leave out the
    /// groups of another stack.
    fn stack(&self) -> String;

    /// Tags of load balancers, listeners, rules or target groups, by ARN. A resource without tags may be absent.
    async fn tags(&self, arns: &[String]) -> Result<BTreeMap<String, Tags>, PortError>;

    /// Adds tags to a group; a key that is there gets the new value.
    async fn add_tags(&self, group: &TargetGroupArn, tags: &Tags) -> Result<(), PortError>;

    /// Removes tags from a group; a key that is not there is fine.
    async fn remove_tags(&self, group: &TargetGroupArn, keys: &[String]) -> Result<(), PortError>;

    /// Every target group with the tag `crossfade:service=<service>`, with its tags. A rollback finds the new groups
    /// this way when the table does not answer. It reads every group of the account, so nothing else calls it.
    async fn groups_of_service(&self, service: &ServiceName) -> Result<Vec<(TargetGroup, Tags)>, PortError>;

    /// Every target group with the tag of any alarm (`alarms::tags::key`), with its tags. An alarm finds what it guards
    /// this way when the table does not answer. It reads every group of the account, too.
    async fn all_guarded_groups(&self) -> Result<Vec<(TargetGroup, Tags)>, PortError>;
}
