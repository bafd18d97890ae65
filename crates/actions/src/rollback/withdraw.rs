//! Takes a migration back before its first change to a route.

use crate::error::{ActionError, Doing as _};
use crate::migration::Migration;
use crate::migration::delete_guard_alarms::delete_guard_alarms;
use crate::migration::detach_scaling_group::detach_scaling_group;
use crate::ports::{PortError, Ports};
use crate::reads::deadline::within;
use crossfade_domain::journal::{EventKind, Phase};
use crossfade_domain::load_balancer::our_tags::is_ours;
use crossfade_domain::plan::Plan;
use std::time::Duration;

/// How long each call may take, in real time.
const CALL_WITHIN: Duration = Duration::from_secs(10);

/// Deletes the groups and the guard alarms that were created, releases the locks and records the refusal. The migration
/// is in phase `Moving` afterwards where the attach was begun in the meantime: then it takes a rollback.
///
/// # Errors
/// The ledger's and the load balancer's.
pub(crate) async fn withdraw(ports: &Ports, migration: &mut Migration, reason: &str) -> Result<(), ActionError> {
    delete_groups(ports, &migration.plan).await?;
    let refused = migration
        .release(ports, |now| (now.phase == Phase::Planned).then(|| EventKind::Refused { reason: reason.to_owned() }));
    refused.await?;
    if migration.head.phase == Phase::Refused {
        // What could not be deleted is in the log; a refusal has its own reason.
        let _left = delete_guard_alarms(ports, &migration.plan).await;
    }
    Ok(())
}

/// Finds the groups by name: a function may have died after it created one and before it recorded it.
async fn delete_groups(ports: &Ports, plan: &Plan) -> Result<(), ActionError> {
    let names: Vec<String> = plan.groups.iter().map(|group| group.new_name.clone()).collect();
    let doing = |what: &str| format!("{what} {}", names.join(", "));
    let found = ask(ports, &doing("looking for"), ports.target_groups.target_groups(&names)).await?;
    if found.is_empty() {
        return Ok(());
    }
    let arns: Vec<String> = found.iter().map(|group| group.arn.as_str().to_owned()).collect();
    let tags = ask(ports, &doing("reading the tags of"), ports.tagging.tags(&arns)).await?;
    let stack = ports.tagging.stack();
    for group in found {
        let ours = plan.groups.iter().any(|planned| {
            let tagged =
                tags.get(group.arn.as_str()).is_some_and(|tags| is_ours(tags, &stack, &plan.service, &planned.old));
            planned.new_name == group.name && tagged
        });
        // A group that a route uses is not ours to delete, whoever attached it.
        if !ours || !group.load_balancers.is_empty() {
            continue;
        }
        // An earlier attempt may have left it attached, and an Auto Scaling group with a target group that is gone
        // launches no instances.
        if detach_scaling_group(ports, plan, std::slice::from_ref(&group.arn)).await.is_some() {
            tracing::warn!(group = %group.arn, "left in place: it may be attached to an Auto Scaling group");
            continue;
        }
        match ask(ports, &format!("deleting {}", group.name), ports.target_groups.delete_group(&group.arn)).await {
            Err(ActionError::Port { source, .. }) if source.code() == Some("ResourceInUse") => {
                tracing::warn!(group = %group.arn, "left in place: it is in use");
            }
            deleted => deleted?,
        }
    }
    Ok(())
}

async fn ask<T>(
    ports: &Ports,
    doing: &str,
    call: impl Future<Output = Result<T, PortError>>,
) -> Result<T, ActionError> {
    within(ports, CALL_WITHIN, || doing.to_owned(), async { call.await.doing(|| doing) }).await
}
