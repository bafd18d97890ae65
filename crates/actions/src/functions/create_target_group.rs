//! `create-target-group`: one new group for each old one.

use crate::copy_attributes::{copy_attributes, known};
use crate::error::{ActionError, Doing as _};
use crate::migration::Migration;
use crate::migration::ownership::owned;
use crate::ports::{NewGroup, Ports};
use crossfade_domain::alarms::tags;
use crossfade_domain::journal::EventKind;
use crossfade_domain::journal::cursor::{Cursor, NextStep};
use crossfade_domain::load_balancer::difference;
use crossfade_domain::load_balancer::group::{HealthCheck, Tags, TargetGroup};
use crossfade_domain::load_balancer::our_tags::{is_ours, tag};
use crossfade_domain::names::{MigrationId, ServiceName, TargetGroupArn};
use crossfade_domain::plan::PlannedGroup;
use futures::FutureExt as _;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Creates a copy of each old target group, tagged as ours, with the old group's attributes, and records them. No route
/// knows them yet. Returns `proceed`.
///
/// May run again at any time: it adopts what it created (the tags name service and old group), and refuses someone
/// else's group of the same name. A group that an earlier attempt left gets the plan's health check; where it differs
/// in what AWS cannot change, the function refuses it (invariant 20).
///
/// # Errors
/// `InvalidRequest` for a wrong payload; `Internal` where someone else's group has the name, or one of ours cannot be
/// made what the plan asks for; `Transient` and `Denied` from the table and the load balancer, and `Transient` while
/// AWS does not know yet what it has just created.
pub async fn create_target_group(ports: &Ports, input: &Value) -> Result<Cursor, ActionError> {
    owned(ports, input, |ports, migration, step| create(ports, migration, step.step).boxed()).await
}

async fn create(ports: &Ports, migration: &mut Migration, step: u32) -> Result<Cursor, ActionError> {
    let plan = Arc::clone(&migration.plan);
    let recorded = plan.groups.iter().all(|group| migration.head.new_groups.contains_key(&group.old));
    let mut notes = Vec::new();
    if !recorded {
        let mut created = BTreeMap::new();
        for group in &plan.groups {
            let new = adopt_or_create(ports, migration, group).await?;
            notes.extend(adjust_health_check(ports, &new, &group.settings.health_check).await?);
            let refused = copy_attributes(ports, &new.arn, &group.attributes).await?;
            notes.extend((!refused.is_empty()).then(|| format!("not copied: {}", refused.join(", "))));
            created.insert(group.old.clone(), new.arn);
        }
        let created = migration.record(ports, |now| {
            (now.new_groups != created).then(|| EventKind::GroupsCreated { groups: created.clone() })
        });
        created.await?;
    }
    let names: Vec<&str> = plan.groups.iter().map(|group| group.new_name.as_str()).collect();
    let mut reason = format!("created {}", names.join(", "));
    if !notes.is_empty() {
        reason = format!("{reason}; {}", notes.join("; "));
    }
    Ok(migration.answer(step, NextStep::Proceed, reason))
}

async fn adopt_or_create(
    ports: &Ports,
    migration: &Migration,
    group: &PlannedGroup,
) -> Result<TargetGroup, ActionError> {
    let Migration { head, plan } = migration;
    let (service, name) = (&head.service, &group.new_name);
    let guards = tags::of_plan(plan, head.since);
    let stack = ports.tagging.stack();
    let doing = |what: &str| format!("{what} target group {name}");
    let existing =
        ports.target_groups.target_groups(std::slice::from_ref(name)).await.doing(|| doing("looking for"))?;
    let found = if let Some(found) = existing.into_iter().next() {
        found
    } else {
        let mut tags = tags(&stack, service, &head.migration, &group.old);
        tags.extend(guards.clone());
        let new = NewGroup { name: name.clone(), settings: group.settings.clone(), tags };
        ports.target_groups.create_group(&new).await.doing(|| doing("creating"))?
    };
    // Checked even after a creation: AWS answers it with an existing group of the same name and settings, whoever owns
    // that.
    let tags = known(ports.tagging.tags(&[found.arn.as_str().to_owned()]).await, || doing("reading the tags of"))?;
    // AWS may not show the tags of a group that it created a moment ago. The plan has refused a group without tags.
    let Some(tags) = tags.get(found.arn.as_str()).filter(|tags| !tags.is_empty()) else {
        return Err(ActionError::NotYet(format!("target group {name} has no tags: expected those of its creation")));
    };
    if !is_ours(tags, &stack, service, &group.old) {
        return Err(ActionError::Internal(format!(
            "target group {name} exists and is not ours: expected its tags to name stack {stack}, service {service} \
             and old group {}",
            group.old.name()
        )));
    }
    let stays = difference::of_what_stays(&group.settings, &found.settings);
    if !stays.is_empty() {
        return Err(ActionError::Internal(format!(
            "target group {name} exists and is not as planned: {}",
            difference::listed(&stays)
        )));
    }
    if found.load_balancers.iter().any(|balancer| *balancer != group.load_balancer) {
        return Err(ActionError::Internal(format!(
            "target group {name} belongs to another load balancer: expected {}",
            group.load_balancer.name()
        )));
    }
    // A group of an older version, which did not set this tag, gets it now.
    let marks = guards.into_iter().chain([(tag::STACK.to_owned(), stack)]).collect();
    mark(ports, &found.arn, tags, marks).await?;
    Ok(found)
}

/// Gives a group that an earlier attempt left the planned health check, and reads it back. Returns what it changed.
async fn adjust_health_check(
    ports: &Ports,
    group: &TargetGroup,
    wanted: &HealthCheck,
) -> Result<Option<String>, ActionError> {
    let changed = difference::of_health_check(wanted, &group.settings.health_check);
    if changed.is_empty() {
        return Ok(None);
    }
    let doing = || format!("changing the health check of {}", group.name);
    known(ports.target_groups.set_health_check(&group.arn, wanted).await, doing)?;
    let read = ports.target_groups.target_groups(&[group.arn.as_str().to_owned()]).await.doing(doing)?;
    let left = read.first().map(|read| difference::of_health_check(wanted, &read.settings.health_check));
    match left.as_deref() {
        Some([]) => Ok(Some(format!("changed in {}: {}", group.name, difference::listed(&changed)))),
        Some(left) => {
            Err(ActionError::NotYet(format!("{} after it was changed: {}", group.name, difference::listed(left))))
        }
        None => Err(ActionError::NotYet(format!("{} is not found after it was changed", group.name))),
    }
}

/// Replaces the alarms that an earlier migration left on an adopted group with those of this one. The group is not
/// migrated any more.
async fn mark(ports: &Ports, group: &TargetGroupArn, tags: &Tags, marks: Tags) -> Result<(), ActionError> {
    let of_the_past = |key: &str| key.starts_with(tags::PREFIX) || key == tag::MIGRATED;
    let stale = |key: &&String| of_the_past(key) && !marks.contains_key(*key);
    let remove: Vec<String> = tags.keys().filter(stale).cloned().collect();
    let set: Tags = marks.into_iter().filter(|(key, value)| tags.get(key) != Some(value)).collect();
    let doing = || format!("naming the alarms in the tags of {}", group.name());
    if !remove.is_empty() {
        known(ports.tagging.remove_tags(group, &remove).await, doing)?;
    }
    if !set.is_empty() {
        known(ports.tagging.add_tags(group, &set).await, doing)?;
    }
    Ok(())
}

/// The tags of a group that we create.
pub(crate) fn tags(stack: &str, service: &ServiceName, migration: &MigrationId, old: &TargetGroupArn) -> Tags {
    [
        (tag::MANAGED_BY, tag::MANAGED_BY_US),
        (tag::STACK, stack),
        (tag::SERVICE, service.as_str()),
        (tag::OLD_GROUP, old.as_str()),
        (tag::MIGRATION, migration.as_str()),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .collect()
}
