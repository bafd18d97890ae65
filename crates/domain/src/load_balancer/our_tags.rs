//! The tags that Crossfade puts on what it creates, and which target groups they make ours.

use super::group::Tags;
use crate::names::{MigrationId, ServiceName, TargetGroupArn};

/// The tags that Crossfade puts on what it creates.
pub mod tag {
    /// `crossfade` on everything we create; the functions' roles are scoped by it.
    pub const MANAGED_BY: &str = "managed-by";
    /// Its value.
    pub const MANAGED_BY_US: &str = "crossfade";
    /// The stack whose functions created it: two stacks of one account leave each other's groups alone. Groups from
    /// before this tag do not have it.
    pub const STACK: &str = "crossfade:stack";
    /// The service a group belongs to.
    pub const SERVICE: &str = "crossfade:service";
    /// The old group's ARN: a rollback without the table needs it.
    pub const OLD_GROUP: &str = "crossfade:old-target-group";
    /// The migration that created it.
    pub const MIGRATION: &str = "crossfade:migration";
    /// The migration that has ended with all traffic on the group. A rollback without the table leaves it alone.
    pub const MIGRATED: &str = "crossfade:migrated";
    /// What an internal route is made of: its rule or listener, and the copy of an old group if it has one. The value
    /// is `<fleet>/<service>`. A copy has no tag of its service: it is an old group, and a rollback without the table
    /// takes those with that tag for new ones.
    pub const ROUTE: &str = "crossfade:route";
    /// A rule through which the new side is probed; the value is the service. It exists only while its step runs.
    pub const PROBE: &str = "crossfade:probe";
}

/// Whether what carries these tags may be this stack's: no other stack is named in them.
pub fn may_be_of_stack(tags: &Tags, stack: &str) -> bool {
    tags.get(tag::STACK).is_none_or(|named| named == stack)
}

/// Whether a group's tags say that this stack created it as the new group of a service's old one, in whichever
/// migration.
pub fn is_ours(tags: &Tags, stack: &str, service: &ServiceName, old: &TargetGroupArn) -> bool {
    let has = |key: &str, value: &str| tags.get(key).is_some_and(|found| found == value);
    has(tag::MANAGED_BY, tag::MANAGED_BY_US)
        && has(tag::SERVICE, service.as_str())
        && has(tag::OLD_GROUP, old.as_str())
        && may_be_of_stack(tags, stack)
}

/// The tags of what an internal route is made of.
pub fn route_tags(stack: &str, fleet: &str, service: &ServiceName) -> Tags {
    let pairs = [
        (tag::MANAGED_BY, tag::MANAGED_BY_US.to_owned()),
        (tag::STACK, stack.to_owned()),
        (tag::ROUTE, format!("{fleet}/{service}")),
    ];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// Whether these tags say that this stack created it for a service's internal route, whatever the fleet is called by
/// now.
pub fn is_of_route(tags: &Tags, stack: &str, service: &ServiceName) -> bool {
    let of_service = |owner: &String| owner.rsplit('/').next() == Some(service.as_str());
    tags.get(tag::MANAGED_BY).is_some_and(|by| by == tag::MANAGED_BY_US)
        && tags.get(tag::STACK).is_some_and(|named| named == stack)
        && tags.get(tag::ROUTE).is_some_and(of_service)
}

/// The tags of a rule through which the new side of a service is probed.
pub fn probe_tags(stack: &str, service: &ServiceName, migration: &MigrationId) -> Tags {
    let pairs = [
        (tag::MANAGED_BY, tag::MANAGED_BY_US.to_owned()),
        (tag::STACK, stack.to_owned()),
        (tag::PROBE, service.to_string()),
        (tag::MIGRATION, migration.to_string()),
    ];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// Whether these tags say that this stack created the rule to probe the service's new side, in whichever migration.
pub fn is_of_probe(tags: &Tags, stack: &str, service: &ServiceName) -> bool {
    let has = |key: &str, value: &str| tags.get(key).is_some_and(|found| found == value);
    has(tag::MANAGED_BY, tag::MANAGED_BY_US) && has(tag::STACK, stack) && has(tag::PROBE, service.as_str())
}
