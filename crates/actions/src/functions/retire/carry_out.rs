//! Does what a look at a retirement has decided. All of it may be done again.

use super::feeds::{attach_feeds, detach_feeds};
use super::read::records_of;
use super::record::{fence, record};
use crate::error::{ActionError, Doing as _};
use crate::ports::{PortError, Ports, TargetZone};
use crate::retry::retry;
use crossfade_domain::load_balancer::action::Action;
use crossfade_domain::load_balancer::membership::Membership;
use crossfade_domain::load_balancer::route::RouteId;
use crossfade_domain::load_balancer::same_actions::equivalent;
use crossfade_domain::names::TargetGroupArn;
use crossfade_domain::retirement::{Doing, GroupRecord, Retirement, RetirementEventKind as Kind};
use std::time::Duration;

/// The shortest time between two writes of routes, so that a rollback is never without AWS's writes (invariant 14).
const PACE: Duration = Duration::from_secs(1);
/// How many routes one invocation writes at most; it has 60 s.
const MOST_WRITES: usize = 20;

/// Does it. An answer says why it is to be done again later.
///
/// # Errors
/// `Superseded` where an undo has begun meanwhile; the ports'.
pub(super) async fn carry_out(
    ports: &Ports,
    retirement: &mut Retirement,
    doing: Doing,
) -> Result<Option<String>, ActionError> {
    let kind = match doing {
        Doing::Refuse(reason) => Kind::Refused { reason },
        Doing::IntendDetach { proof, window } => Kind::DetachIntended { proof, window },
        Doing::Detach(routes) => return write_routes(ports, retirement, &routes, Form::Detached).await,
        Doing::ConfirmDetached => Kind::Detached,
        Doing::IntendDeregister => Kind::DeregisterIntended { records: records(ports, retirement).await? },
        Doing::RecordTargets(found) => Kind::TargetsFound { found },
        Doing::RecordFeeds(feeds) => Kind::FeedsFound { feeds },
        Doing::DetachFeeds(feeds) => return detach_feeds(ports, retirement, &feeds).await.map(Some),
        Doing::Deregister(groups) => return deregister(ports, retirement, &groups).await,
        Doing::ConfirmDeregistered => Kind::Deregistered,
        Doing::IntendDelete => Kind::DeleteIntended { records: records(ports, retirement).await? },
        Doing::Delete(groups) => return delete(ports, retirement, &groups).await,
        Doing::ConfirmDeleted => Kind::Deleted,
        Doing::GiveDeletionUp(reason) => Kind::DeletionGivenUp { reason },
        Doing::BeginUndo(reason) => Kind::UndoBegun { reason },
        Doing::Return { feeds, groups, routes } => {
            let refused = attach_feeds(ports, retirement, &feeds).await?;
            register(ports, retirement, &groups).await?;
            let left = write_routes(ports, retirement, &routes, Form::Attached).await?;
            return Ok(left.or(refused));
        }
        Doing::ConfirmReturned => Kind::Returned,
        Doing::End { left } => Kind::Undone { left },
    };
    record(ports, retirement, |_| kind).await?;
    Ok(None)
}

async fn records(ports: &Ports, retirement: &Retirement) -> Result<Vec<GroupRecord>, ActionError> {
    let groups: Vec<TargetGroupArn> = retirement.plan.old_groups().cloned().collect();
    Ok(records_of(ports, &groups).await?.into_values().collect())
}

/// One of the two forms of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Attached,
    Detached,
}

/// Writes routes that still have their other form. The read is the last thing but the fence before each write: what
/// someone else has made of a route stays.
async fn write_routes(
    ports: &Ports,
    retirement: &Retirement,
    routes: &[RouteId],
    form: Form,
) -> Result<Option<String>, ActionError> {
    let planned = retirement.plan.routes.iter().filter(|route| routes.contains(&route.id));
    for (number, route) in planned.enumerate() {
        if number == MOST_WRITES {
            return Ok(Some(format!("{} routes are still to be written", routes.len() - number)));
        }
        if number > 0 {
            ports.clock.pause(PACE).await;
        }
        let (from, to): (&[Action], &[Action]) = match form {
            Form::Attached => (&route.detached, &route.attached),
            Form::Detached => (&route.attached, &route.detached),
        };
        let doing = || format!("writing {}", route.named());
        let live = ports.routes.read_routes(std::slice::from_ref(&route.id)).await.doing(doing)?;
        if !live.first().is_some_and(|live| equivalent(&live.actions, from)) {
            continue;
        }
        fence(ports, retirement).await?;
        match ports.routes.write_route(&route.id, to).await {
            Err(PortError::Throttled { .. }) => {
                return Ok(Some("AWS throttles the account's changes of routes".to_owned()));
            }
            written => written.doing(doing)?,
        }
    }
    // A read may be a moment behind a write.
    ports.clock.pause(Duration::from_secs(2)).await;
    Ok(None)
}

/// Deregisters the recorded targets. One that someone has registered since stays until the next look has recorded it.
async fn deregister(
    ports: &Ports,
    retirement: &Retirement,
    groups: &[TargetGroupArn],
) -> Result<Option<String>, ActionError> {
    let planned = retirement.plan.groups.iter().map(|group| &group.record);
    for record in planned.filter(|record| groups.contains(&record.arn)) {
        let (group, doing) = (&record.arn, format!("deregistering the targets of {}", record.name));
        let registered = ports.target_groups.health(group).await.doing(|| &*doing)?;
        let recorded = Membership::of(Some(&record.targets), record.settings.port, &registered).listed;
        let targets: Vec<_> = recorded.into_iter().map(|one| one.target).collect();
        if targets.is_empty() {
            continue;
        }
        fence(ports, retirement).await?;
        retry(ports, &doing, || ports.target_groups.deregister(group, &targets)).await?;
    }
    Ok(Some("targets were deregistered".to_owned()))
}

async fn register(ports: &Ports, retirement: &Retirement, groups: &[TargetGroupArn]) -> Result<(), ActionError> {
    let planned = retirement.plan.groups.iter().map(|group| &group.record);
    for record in planned.filter(|record| groups.contains(&record.arn)) {
        fence(ports, retirement).await?;
        let in_zone = |zone| ports.target_groups.register(&record.arn, &record.targets, zone);
        let registered = match in_zone(TargetZone::OfTheirSubnet).await {
            // Addresses outside the VPC of the group.
            Err(PortError::Refused { code, .. }) if code == "InvalidTarget" => in_zone(TargetZone::All).await,
            registered => registered,
        };
        registered.doing(|| format!("registering the targets of {}", record.name))?;
    }
    Ok(())
}

async fn delete(
    ports: &Ports,
    retirement: &Retirement,
    groups: &[TargetGroupArn],
) -> Result<Option<String>, ActionError> {
    for group in groups {
        fence(ports, retirement).await?;
        let deleted = ports.target_groups.delete_group(group).await;
        match deleted {
            Err(error) if error.code() == Some("ResourceInUse") => {
                return Ok(Some(format!("AWS still says that {} is in use", group.name())));
            }
            deleted => deleted.doing(|| format!("deleting target group {}", group.name()))?,
        }
    }
    Ok(None)
}
