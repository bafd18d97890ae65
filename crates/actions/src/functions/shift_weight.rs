//! `shift-weight`: every route of the service to one step's weight.

use crate::error::ActionError;
use crate::migration::Migration;
use crate::migration::hooks::{after_shift, answered, before_first_shift};
use crate::migration::ownership::owned;
use crate::payload::StepInput;
use crate::ports::Ports;
use crate::reads::calendars::calendars_of;
use crate::reads::health::{NewSide, new_side, too_few_old};
use crate::routes::list;
use crate::routes::raise::{Raise, Raised};
use crate::routes::read::{self, Live};
use crossfade_domain::gates::checks::{seconds_between, slice_seconds};
use crossfade_domain::gates::operator::is_paused;
use crossfade_domain::gates::verdict::held_too_long;
use crossfade_domain::gates::window::{self, Waiting};
use crossfade_domain::journal::cursor::{Cursor, NextStep};
use crossfade_domain::journal::{EventKind, Head};
use crossfade_domain::load_balancer::same_actions::equivalent;
use crossfade_domain::opinion::Gate;
use crossfade_domain::plan::Plan;
use crossfade_domain::probe;
use crossfade_domain::weight::Weight;
use futures::FutureExt as _;
use serde_json::Value;
use std::sync::Arc;

/// Seconds until a shift that lacks healthy targets is retried.
const CAPACITY_WAIT_SECONDS: u32 = 30;
/// Seconds until a shift continues that needs more than one invocation: as long as between any two of its writes.
const CONTINUES_SECONDS: u32 = 1;

/// Brings every route of a service to the weight of `cursor.step`, as one unit: records the intent, writes what
/// differs, reads every route back, and only then records the shift. Step 0 attaches the new groups at weight 0.
///
/// All routes are read once before and once after: with one load balancer that is routes + 4 calls, the health of both
/// sides included. A read that has become old meanwhile is made again before the next write. Before a shift begins,
/// every route of the old groups' load balancers is listed once: a call for each load balancer and each listener.
///
/// Returns:
///
/// - `proceed` (step 0) or `bake` once every route shows the step;
/// - `hook` where a hook of the policy has to answer first, the one before the first shift or the one after the shift:
///   the machine calls it, and then this function once more;
/// - `probe` where the policy has probes that have not passed yet: the machine calls `probe-service`, and then this
///   function once more;
/// - `wait` before the first traffic, and `hold` after it, if an operator has paused the migration, if no window of
///   the policy is open, if a side lacks healthy targets, if the routes cannot be listed, if AWS throttles changes, or
///   if one invocation cannot write all routes. After `wait` the machine calls this function again. After `hold` it
///   asks the gates first, because this function asks none of them;
/// - `rollBack` when an operator aborts, or the new side has traffic and too few healthy targets;
/// - `stop` when another generation has taken over;
/// - `halt` or `rollBack`, as the policy asks, when someone else changed a route, or when a route outside the plan
///   sends traffic to a group of the migration.
///
/// May run again at any time with the same input: a step that is intended is completed, one that is verified is left.
///
/// # Errors
/// `InvalidRequest` for a wrong payload, which includes a wrong answer of a hook; `Transient` and `Denied` from the
/// table and the load balancer, and `Transient` when a route does not show what was written to it.
pub async fn shift_weight(ports: &Ports, input: &Value) -> Result<Cursor, ActionError> {
    owned(ports, input, |ports, migration, step| shift(ports, migration, step).boxed()).await
}

async fn shift(ports: &Ports, migration: &mut Migration, input: &StepInput) -> Result<Cursor, ActionError> {
    let (step, plan) = (input.step, Arc::clone(&migration.plan));
    answered(ports, migration, input.hook.as_ref(), input.warmed).await?;
    in_order(&migration.head, &plan, step)?;

    let read_at = ports.clock.real();
    let (live, drift) = read::drift(ports, &plan, &migration.head).await?;
    if let Some(first) = drift.first() {
        return migration.halt_or_return(ports, step, &first.to_string()).await;
    }
    if migration.head.verified_step == Some(step) && migration.head.intended_step.is_none() {
        return shifted(ports, migration, step).await;
    }
    if let Some(answer) = objection(ports, migration, input, &live).await? {
        return Ok(answer);
    }
    if probe::is_due(&plan, &migration.head, step) {
        return Ok(migration.answer(step, NextStep::Probe, "the new side is probed before its first user"));
    }
    // Last of all: a hook is called right before the traffic comes, and not before a wait.
    if let Some(answer) = before_first_shift(ports, migration, step).await? {
        return Ok(answer);
    }

    let weight = plan.step(step).map_or(Weight::ZERO, |step| step.weight);
    // The order is checked again with every attempt to record: an invocation that was given up for dead may come back
    // when the next step is under way, and must not replace that one with its own. Its writes are then fenced off.
    let intended = migration.record(ports, |now| {
        let due = now.intended_step != Some(step) && in_order(now, &plan, step).is_ok();
        due.then_some(EventKind::ShiftIntended { step, weight })
    });
    intended.await?;
    match Raise::new(ports, migration, step, live, read_at).all().await? {
        Raised::Everywhere => {}
        Raised::Unfinished(left) => return Ok(unfinished(migration, step, left)),
        Raised::Throttled(left) => {
            let why = format!("AWS throttles changes: {left} of {} routes are still to be written", plan.routes.len());
            return held(ports, migration, input, step > 0, &why).await;
        }
        Raised::Changed(seen) => {
            // One read is not enough to say so; a read that was merely stale makes the machine run this again.
            let (_, drift) = read::drift(ports, &plan, &migration.head).await?;
            let Some(first) = drift.first() else { return Err(read::not_seen(&[seen], "the route unchanged")) };
            return migration.halt_or_return(ports, step, &first.to_string()).await;
        }
    }
    read::read_back(ports, &plan, &migration.head, step).await?;
    let verified =
        migration.record(ports, |now| (now.intended_step == Some(step)).then_some(EventKind::Shifted { step, weight }));
    verified.await?;
    shifted(ports, migration, step).await
}

/// A step follows the verified one, or is the verified one again (which a resume with a revised plan has begun again),
/// or is the one that was begun.
fn in_order(head: &Head, plan: &Plan, step: u32) -> Result<(), ActionError> {
    let next = head.verified_step.map_or(0, |verified| verified + 1);
    let again = head.verified_step == Some(step);
    let begun = head.intended_step.is_none_or(|intended| intended == step);
    if step <= plan.last_step() && begun && (again || step == next) {
        return Ok(());
    }
    Err(ActionError::InvalidRequest(format!(
        "$.cursor.step: expected {next} (of {}) for {}, found {step}",
        plan.last_step(),
        head.migration
    )))
}

/// Why the weight is not raised now, if so. Attaching at weight 0 raises nothing, but waits for a window too: it is the
/// first change.
async fn objection(
    ports: &Ports,
    migration: &mut Migration,
    input: &StepInput,
    live: &Live,
) -> Result<Option<Cursor>, ActionError> {
    let step = input.step;
    if migration.head.commands.abort {
        let reason = format!("aborted by an operator before step {step}");
        return Ok(Some(migration.answer(step, NextStep::RollBack, reason)));
    }
    if let Some(answer) = outside_windows(ports, migration, input).await? {
        return Ok(Some(answer));
    }
    if let Some(answer) = not_all_routes(ports, migration, input).await? {
        return Ok(Some(answer));
    }
    let Migration { head, plan } = &*migration;
    if step == 0 || everywhere(plan, head, live, step)? {
        return Ok(None);
    }
    let begun = head.intended_step == Some(step) && !untouched(plan, head, live)?;
    let exposed = begun || head.verified_step.is_some_and(|verified| verified > 0);
    if is_paused(head) {
        return held(ports, migration, input, exposed, "paused by an operator").await.map(Some);
    }
    let weight = plan.step(step).map_or(Weight::ZERO, |step| step.weight);
    let NewSide { unhealthy, not_ready } = new_side(ports, plan, head, weight).await?;
    let acts = !plan.policy.gates.observes(&Gate::Health);
    if let Some(reason) = unhealthy.as_ref().filter(|_| exposed && !begun && acts) {
        // What the gates would say of an unhealthy new side with traffic, a slice earlier.
        return Ok(Some(migration.answer(step, NextStep::RollBack, format!("health: {reason}"))));
    }
    let lacking = match unhealthy.or(not_ready) {
        Some(reason) => Some(reason),
        None => too_few_old(ports, plan).await?,
    };
    let Some(reason) = lacking else { return Ok(None) };
    if begun {
        // Half of a shift is no place to wait: it cannot be completed now, so it is taken back (invariant 3).
        let reason = format!("step {step} is on some routes only and cannot be completed: {reason}");
        return Ok(Some(migration.answer(step, NextStep::RollBack, reason)));
    }
    held(ports, migration, input, exposed, &reason).await.map(Some)
}

/// The answer where the policy's windows forbid the step now. A shift that was begun is completed: half of a shift is
/// no place to wait.
async fn outside_windows(
    ports: &Ports,
    migration: &mut Migration,
    input: &StepInput,
) -> Result<Option<Cursor>, ActionError> {
    let (Migration { head, plan }, step) = (&*migration, input.step);
    if head.intended_step == Some(step) {
        return Ok(None);
    }
    let calendars = calendars_of(ports, &plan.policy, head).await;
    let now = ports.clock.now();
    let Some(closed) = window::closed(plan, head, &calendars, step, now) else { return Ok(None) };
    let exposed = head.verified_step.is_some_and(|verified| verified > 0);
    let waiting = Waiting { now, exposed, checks: input.checks };
    let wait = window::closed_wait_seconds(&plan.policy, waiting, closed.until);
    let why = format!("window: {}", closed.why);
    let recorded = migration.record(ports, |now| {
        let first = now.closed_since.is_none();
        first.then(|| EventKind::Judged { verdict: NextStep::Closed, reason: why.clone() })
    });
    recorded.await?;
    Ok(Some(waits(migration, step, exposed, &why, wait)))
}

/// Why the plan no longer has every route that the migration should move, if so. A shift that was begun is completed:
/// the routes were listed before it began, and half of a shift is no place to wait.
async fn not_all_routes(
    ports: &Ports,
    migration: &mut Migration,
    input: &StepInput,
) -> Result<Option<Cursor>, ActionError> {
    let step = input.step;
    let Migration { head, plan } = &*migration;
    if head.intended_step == Some(step) {
        return Ok(None);
    }
    let exposed = head.verified_step.is_some_and(|verified| verified > 0);
    match list::strays(ports, plan, head).await {
        Ok((_, strays)) if strays.is_empty() => Ok(None),
        Ok((_, strays)) => migration.halt_or_return_over_strays(ports, step, &strays).await.map(Some),
        Err(error) => {
            let reason = format!("the routes of the old groups' load balancers could not be listed: {error}");
            if step == 0 {
                // Nothing has been changed yet: the machine retries, and otherwise gives the plan up.
                return Err(ActionError::NotYet(reason));
            }
            held(ports, migration, input, exposed, &reason).await.map(Some)
        }
    }
}

fn everywhere(plan: &Plan, head: &Head, live: &Live, step: u32) -> Result<bool, ActionError> {
    for route in &plan.routes {
        let wanted = read::wanted(route, head, step)?;
        if !live.get(&route.id).is_some_and(|live| equivalent(live, &wanted)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether every route still is at the verified step.
fn untouched(plan: &Plan, head: &Head, live: &Live) -> Result<bool, ActionError> {
    match head.verified_step {
        Some(verified) => everywhere(plan, head, live, verified),
        None => Ok(false),
    }
}

/// The answer of a shift that has to wait. Where the new side may have traffic (`exposed`), the gates check it in the
/// meantime, and each wait is longer than the one before. After the policy's `maxHold` the migration halts.
async fn held(
    ports: &Ports,
    migration: &mut Migration,
    input: &StepInput,
    exposed: bool,
    why: &str,
) -> Result<Cursor, ActionError> {
    let step = input.step;
    let held = migration.record(ports, |now| {
        let first = now.held_since.is_none();
        first.then(|| EventKind::Judged { verdict: NextStep::Hold, reason: why.to_owned() })
    });
    held.await?;
    let policy = &migration.plan.policy;
    let now = ports.clock.now();
    let waiting = Waiting { now, exposed, checks: input.checks };
    let wait = match window::wait_of_hold(policy, &migration.head, waiting, CAPACITY_WAIT_SECONDS) {
        Ok(wait) => wait,
        Err(held_for) => {
            let reason = held_too_long(policy, held_for, &format!("step {step}: {why}"));
            return migration.halt(ports, step, &reason).await;
        }
    };
    let held_for = migration.head.held_since.map_or(0, |since| seconds_between(since, now));
    // Where no gate is waited for, a tenth of the time that has passed is soon enough.
    let most = if exposed { u32::MAX } else { CAPACITY_WAIT_SECONDS.max(held_for / 10) };
    Ok(waits(migration, step, exposed, why, wait.min(most)))
}

/// The answer of a step that is not taken now. Where the new side may have traffic, the gates look at it meanwhile: at
/// the step whose weight the routes have.
fn waits(migration: &Migration, step: u32, exposed: bool, why: &str, wait_seconds: u32) -> Cursor {
    let (step, verdict) =
        if exposed { (migration.head.verified_step.unwrap_or(0), NextStep::Hold) } else { (step, NextStep::Wait) };
    migration.answer(step, verdict, why).waiting(wait_seconds)
}

/// The answer where the invocation's time ended before the last route was written. The attach moves no traffic and is
/// only continued. A shift may have moved some, so the gates check it before it continues.
fn unfinished(migration: &Migration, step: u32, left: usize) -> Cursor {
    let reason = format!("{left} of {} routes are still to be written, one a second", migration.plan.routes.len());
    let (step, verdict) = match step {
        0 => (0, NextStep::Wait),
        _ => (migration.head.verified_step.unwrap_or(0), NextStep::Hold),
    };
    migration.answer(step, verdict, reason).waiting(CONTINUES_SECONDS)
}

/// The answer once every route was read back.
async fn shifted(ports: &Ports, migration: &mut Migration, step: u32) -> Result<Cursor, ActionError> {
    if let Some(answer) = after_shift(ports, migration, step).await? {
        return Ok(answer);
    }
    let routes = migration.plan.routes.len();
    Ok(match migration.plan.step(step) {
        None => {
            let reason = format!("the new groups are attached at 0 %, routes: {routes}");
            migration.answer(step, NextStep::Proceed, reason)
        }
        Some(scheduled) => {
            let slice = slice_seconds(&migration.plan.policy, scheduled.bake_seconds);
            let all = if routes == 1 { "the route is".to_owned() } else { format!("{routes} routes are") };
            let reason = format!("{all} at {}, read back", scheduled.weight);
            migration.answer(step, NextStep::Bake, reason).waiting(slice)
        }
    })
}
