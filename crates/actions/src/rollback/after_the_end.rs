//! The beginning of a rollback of a service that has migrated: an operator alone begins one. It takes the locks again,
//! and from then on it is a rollback like any other.

use crate::error::{ActionError, Doing as _};
use crate::migration::Migration;
use crate::ports::{LedgerError, Ports, TakeError};
use crate::reads::deadline::{Deadline, within};
use crate::reads::health::{HEALTH_WITHIN, health_of_pair};
use crate::reads::journal::plan_of;
use crate::retry::retry;
use crate::rollback::by_tags::routes_with;
use crossfade_domain::journal::{EventKind, Head};
use crossfade_domain::load_balancer::group::healthy_count;
use crossfade_domain::load_balancer::our_tags::tag;
use crossfade_domain::load_balancer::route::Route;
use crossfade_domain::names::{LoadBalancerArn, TargetGroupArn};
use crossfade_domain::plan::Plan;
use crossfade_domain::planner::inventory::{RouteHolder, held_by};
use crossfade_domain::rollback::{Cause, Withheld, revise_after_the_end};
use futures::future::join_all;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// How long the routes that came after the end may be looked for, in real time. What is not found by then withholds
/// nothing.
const LIST_WITHIN: Duration = Duration::from_secs(10);
/// How long the tag of a migrated service may take to be removed, in real time.
const UNTAG_WITHIN: Duration = Duration::from_secs(10);

/// Routes and alarms for which one transaction has room next to head, event, plan and the mark of an open migration.
const MOST_LOCKS: usize = 96;

/// Whether a service that has migrated goes back.
pub(crate) enum Retaken {
    /// The rollback has begun, and the locks are held.
    Begun(Box<Migration>),
    /// Nothing was written, because of this.
    Refused(String),
}

/// Begins the rollback of a migration that has ended. It asks the health of the old side, and looks for routes that
/// came since and hold a new group. Then one write records the beginning, raises the generation, and takes every lock
/// again.
///
/// Refuses where the old side is known to be unable to take the traffic, or another migration holds a route.
///
/// # Errors
/// The table's, because without the locks nothing may be written; `Superseded` when someone else was faster; `NotYet`
/// while a writer of another migration may live.
pub(crate) async fn retake(ports: &Ports, head: &Head, cause: &Cause) -> Result<Retaken, ActionError> {
    let plan = plan_of(ports, head).await?;
    let (withheld, gone, late) =
        futures::join!(withheld(ports, &plan, head), gone(ports, &plan), late_routes(ports, &plan, head));
    let again = format!("then `crossfade rollback {}`", head.service);
    if let Some(why) = gone.or_else(|| withheld.map(|why| format!("{why}, {again}"))) {
        return Ok(Retaken::Refused(why));
    }
    let (late, not_returned) = what_fits(&plan, late);
    let cause_text = [Some(cause.cause.clone()), not_returned].into_iter().flatten().collect::<Vec<_>>().join("; ");
    let kind = EventKind::RollbackBegun { trigger: cause.trigger, cause: cause_text, caused_at: cause.caused_at };
    let event = head.next_event(kind, ports.clock.now());
    let after = head.apply(&event).map_err(|error| ActionError::Superseded(error.to_string()))?;
    let plan = revise_after_the_end(&plan, &head.new_groups, &late, after.generation);
    let in_the_way = |holders: &[RouteHolder]| held_by(holders, |route| plan.name_of(route));
    match ports.ledger.retake(head, &event, &after, &plan).await {
        Ok(()) => Ok(Retaken::Begun(Box::new(Migration { head: after, plan: Arc::new(plan) }))),
        Err(TakeError::Held(holders)) if holders.iter().all(|holder| holder.free_at.is_some()) => {
            Err(ActionError::NotYet(in_the_way(&holders)))
        }
        Err(TakeError::Held(holders)) => {
            let holder = in_the_way(&holders);
            Ok(Retaken::Refused(format!("{holder}; wait until that migration is over or abort it, {again}")))
        }
        Err(TakeError::Busy(busy)) => Err(ActionError::Superseded(format!("{} is not over", busy.migration))),
        Err(TakeError::Ledger(error @ (LedgerError::Contended { .. } | LedgerError::Superseded { .. }))) => {
            Err(ActionError::Superseded(error.to_string()))
        }
        Err(TakeError::Ledger(error)) => Err(error).doing(|| format!("taking the locks of {} again", head.migration)),
    }
}

/// Why no traffic must go back, if that is known: an old group has no healthy target, and its new one has enough.
async fn withheld(ports: &Ports, plan: &Plan, head: &Head) -> Option<String> {
    // Once the migration has ended, the targets of its policy may have been replaced: all that serve count.
    let pairs = head.new_groups.iter().map(|(old, new)| async move {
        (old.clone(), health_of_pair(ports, old.clone(), new.clone(), healthy_count).await)
    });
    let health = join_all(pairs).await.into_iter().collect();
    Withheld::by_health(&health, plan.policy.min_healthy).reasons().next().map(str::to_owned)
}

/// The first old group that no longer exists, in words. What is not known withholds nothing.
async fn gone(ports: &Ports, plan: &Plan) -> Option<String> {
    let arns: Vec<String> = plan.groups.iter().map(|group| group.old.as_str().to_owned()).collect();
    let read = async { Ok(ports.target_groups.target_groups(&arns).await.ok()) };
    let found = Deadline::begin(ports, HEALTH_WITHIN).limit(read).await.ok()??;
    let gone = plan.groups.iter().find(|planned| !found.iter().any(|group| group.arn == planned.old))?;
    let name = gone.old.name();
    Some(format!("old group {name} no longer exists, so no traffic can go back to it; change the routes by hand"))
}

/// The routes on the load balancers of the plan that hold a new group and are not in the plan.
async fn late_routes(ports: &Ports, plan: &Plan, head: &Head) -> Result<Vec<Route>, ActionError> {
    let doing = || format!("looking for routes of {} that came after the end", head.service);
    let search = async {
        let mut late = Vec::new();
        for new in head.new_groups.values() {
            for balancer in load_balancers(ports, plan, new).await? {
                let routes = routes_with(ports, &balancer, new).await?;
                late.extend(routes.into_iter().filter(|route| !plan.routes.iter().any(|known| known.id == route.id)));
            }
        }
        Ok(late)
    };
    within(ports, LIST_WITHIN, doing, search).await
}

/// The load balancers on which a new group may be: those of the plan, and those that it names.
async fn load_balancers(
    ports: &Ports,
    plan: &Plan,
    new: &TargetGroupArn,
) -> Result<BTreeSet<LoadBalancerArn>, ActionError> {
    let mut found: BTreeSet<LoadBalancerArn> = plan.routes.iter().map(|route| route.load_balancer.clone()).collect();
    let doing = format!("looking for the load balancers of {}", new.name());
    let arns = [new.as_str().to_owned()];
    let groups = retry(ports, &doing, || ports.target_groups.target_groups(&arns)).await?;
    found.extend(groups.into_iter().flat_map(|group| group.load_balancers));
    Ok(found)
}

/// The late routes for which the transaction has room, and what an operator must know of the others.
fn what_fits(plan: &Plan, late: Result<Vec<Route>, ActionError>) -> (Vec<Route>, Option<String>) {
    let mut late = match late {
        Ok(late) => late,
        Err(error) => {
            let unknown = format!("routes that came after the end could not be looked for: {}", error.chain());
            return (Vec::new(), Some(unknown));
        }
    };
    let room = MOST_LOCKS.saturating_sub(plan.routes.len() + plan.alarms().len());
    let left: Vec<String> = late.split_off(room.min(late.len())).iter().map(Route::named).collect();
    let by_hand = format!("take the new target groups out of these routes by hand: {}", left.join(", "));
    (late, (!left.is_empty()).then_some(by_hand))
}

/// Removes the tag that says that the service has migrated, so that a rollback without the table finds the new groups
/// again. Returns what is left to do by hand.
pub(crate) async fn remove_migrated_tag(ports: &Ports, head: &Head) -> Option<String> {
    let keys = [tag::MIGRATED.to_owned()];
    let untag = async {
        for new in head.new_groups.values() {
            let doing = format!("removing the tag {} of {}", tag::MIGRATED, new.name());
            retry(ports, &doing, || ports.tagging.remove_tags(new, &keys)).await?;
        }
        Ok(())
    };
    let error = Deadline::begin(ports, UNTAG_WITHIN).limit(untag).await.err()?;
    Some(format!("remove the tag {} of the new target groups by hand: {error}", tag::MIGRATED))
}
