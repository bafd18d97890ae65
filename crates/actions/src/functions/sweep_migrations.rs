//! `sweep-migrations`: a migration whose execution has died is rolled back, a fleet or a retirement is continued.

mod fleets;
mod retirements;

use self::fleets::continue_fleets;
use self::retirements::continue_retirements;
use crate::error::{ActionError, Doing as _};
use crate::migration::probe_rules::delete_left_probe_rules;
use crate::migration::write_journal::observe;
use crate::ports::{ExecutionStatus, Ports, RollBackOrder, Started};
use crate::reads::alarms::alarms_since;
use crate::reads::deadline::within;
use crate::reads::health::too_few_in_use;
use crate::reads::journal::{open_heads, plan_of};
use crossfade_domain::alarms::quiet::{Objection, objections};
use crossfade_domain::journal::settle::SETTLE_SECONDS;
use crossfade_domain::journal::{Head, Phase, Trigger};
use crossfade_domain::opinion::{Gate, Opinion, Vote};
use crossfade_domain::rollback::only_observes;
use futures::future::join_all;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;

/// Seconds for which an execution may be unknown: `resume` records its ARN before it starts it.
const MISSING_SECONDS: i64 = 120;
/// Seconds after which a rollback that still is not over gets another execution: one that runs is joined, one that died
/// is replaced, and its name cannot be used again for 90 days.
const ROUND_SECONDS: i64 = 600;
/// Executions that may be started in that time, each after the one before it ended without ending the migration.
const MOST_IN_A_ROUND: u32 = 5;
/// Seconds without a record after which a rollback counts as left: as long as the function that began it can live.
const STUCK_SECONDS: i64 = 60;

/// How long one call of the table or of Step Functions may take, in real time.
const CALL_WITHIN: Duration = Duration::from_secs(8);
/// How long the alarms and the health of one halted migration may take to be read, in real time. With the calls before
/// and after it, this fits into the function's 60 s whatever does not answer.
const GUARD_WITHIN: Duration = Duration::from_secs(20);

/// Takes a `Step Functions Execution Status Change` event, or the schedule's. An event only chooses the migration that
/// its execution owns; the schedule checks every open one. Starts `roll-back-service` for a migration
///
/// - whose execution is dead, or has been missing for two minutes;
/// - whose rollback was begun and left;
/// - that has halted, if its new side has traffic and is unhealthy, or one of its alarms fires or has fired. If it has
///   halted in a rollback, that is retried once in ten minutes.
///
/// It deletes the rules that a probe of a halted migration has left.
///
/// Where alarms or health only observe, it records what they would have done, and leaves the migration where it is.
///
/// The migrations that have not halted are checked first. All are checked side by side, and every call has a deadline
/// of its own, so one that hangs delays no other. Any other halted migration is left where it is and reported. Returns
/// `{"migrations": [{"service", "migration", "phase", "did", "execution"?, "missingAlarms"?}]}`.
///
/// A run of a fleet that is not over and whose conductor is gone gets another, unless a person stopped it; the answer
/// has them under `fleets`. So does a retirement whose executions are all gone; those are under `retirements`.
///
/// May run again at any time: a rollback that it has started and that still runs is found under its name, and rollbacks
/// join each other.
///
/// # Errors
/// `Transient` and `Denied` from the table, from Step Functions, and from what guards a halted migration, after every
/// other migration was checked.
pub async fn sweep_migrations(ports: &Ports, event: &Value) -> Result<Value, ActionError> {
    let open = within(ports, CALL_WITHIN, || "reading the open migrations".to_owned(), open_heads(ports)).await?;
    let only = event.pointer("/detail/executionArn").and_then(Value::as_str);
    let asked = open.into_iter().filter(|head| only.is_none_or(|execution| head.execution == execution));
    let (halted, moving): (Vec<Head>, Vec<Head>) = asked.partition(|head| head.phase == Phase::Halted);
    // What nobody runs comes first: its traffic is guarded by nothing, and to find out takes one quick call.
    let mut swept = join_all(moving.iter().map(|head| sweep_moving(ports, head))).await;
    swept.extend(join_all(halted.iter().map(|head| sweep_halted(ports, head))).await);
    let (mut reports, mut failure) = (Vec::new(), None);
    for (head, swept) in moving.iter().chain(&halted).zip(swept) {
        match swept {
            Ok(report) => reports.push(report),
            Err(error) => {
                tracing::error!(migration = %head.migration, error = error.chain(), "not swept");
                failure.get_or_insert(error);
            }
        }
    }
    let mut report = json!({"migrations": reports});
    // Last, since nothing in flight waits for a conductor, or for an old side to go.
    let (fleets, retirements) = futures::join!(continue_fleets(ports, only), continue_retirements(ports, only));
    for (of, continued) in [("fleets", fleets), ("retirements", retirements)] {
        match continued {
            Ok(continued) if continued.is_empty() => {}
            Ok(continued) => report[of] = json!(continued),
            Err(error) => {
                tracing::error!(error = error.chain(), of, "not all were swept");
                failure.get_or_insert(error);
            }
        }
    }
    failure.map_or(Ok(report), Err)
}

/// A migration that has halted. An alarm or unhealthy targets may roll it back; a dead execution may not.
async fn sweep_halted(ports: &Ports, head: &Head) -> Result<Value, ActionError> {
    let mut report = report(head);
    let reason = head.reason.as_deref().unwrap_or("no reason was recorded");
    tracing::warn!(migration = %head.migration, reason, "still halted: an operator must decide");
    report["did"] = json!(format!("nothing: halted: {reason}"));
    if let Some((trigger, cause)) = danger(ports, head, &mut report).await? {
        // A rollback halts where it cannot be completed, so one attempt in ten minutes is enough.
        let most = if head.rollback.is_some() { 1 } else { MOST_IN_A_ROUND };
        start(ports, head, (trigger, &cause), most, &mut report).await?;
    }
    // Whoever created them is dead by now.
    let dead = |at| ports.clock.now().duration_since(at).as_secs() >= i64::from(SETTLE_SECONDS);
    if head.halted_at.is_some_and(dead) {
        let doing = || format!("deleting the probe rules of {}", head.migration);
        within(ports, CALL_WITHIN, doing, delete_left_probe_rules(ports, &mut head.clone())).await?;
    }
    Ok(report)
}

/// A migration that an execution should be moving or rolling back.
async fn sweep_moving(ports: &Ports, head: &Head) -> Result<Value, ActionError> {
    let mut report = report(head);
    let doing = || format!("reading the status of the execution of {}", head.migration);
    let status = async { ports.executions.status(&head.execution).await.doing(doing) };
    let status = within(ports, CALL_WITHIN, doing, status).await?;
    if let Some((trigger, cause)) = abandoned(head, &status, ports.clock.now()) {
        start(ports, head, (trigger, &cause), MOST_IN_A_ROUND, &mut report).await?;
    }
    Ok(report)
}

/// Why no one runs a migration, if so.
fn abandoned(head: &Head, status: &ExecutionStatus, now: Timestamp) -> Option<(Trigger, String)> {
    let name = head.execution.rsplit(':').next().unwrap_or_default();
    let dead = match status {
        ExecutionStatus::Stopped { error, cause } => {
            let given: Vec<&str> = [error, cause].into_iter().flatten().map(String::as_str).collect();
            let why = if given.is_empty() { "no reason was given".to_owned() } else { given.join(": ") };
            return Some((Trigger::Stopped, format!("someone stopped execution {name}: {why}")));
        }
        ExecutionStatus::Dead { .. } | ExecutionStatus::Succeeded => true,
        ExecutionStatus::Missing => {
            now.duration_since(head.resumed_at.unwrap_or(head.since)).as_secs() >= MISSING_SECONDS
        }
        ExecutionStatus::Running => false,
    };
    let cause = if dead {
        format!("execution {} ended without ending the migration", head.execution)
    } else if is_left(head, now) {
        format!("a rollback began {STUCK_SECONDS} s ago and has not confirmed that its routes are back")
    } else {
        return None;
    };
    Some((Trigger::Sweep, cause))
}

fn report(head: &Head) -> Value {
    json!({"service": head.service, "migration": head.migration, "phase": head.phase, "did": "nothing"})
}

/// Whether a rollback has begun, but recorded nothing since, for so long that whoever began it must be dead. The
/// migration's execution may be waiting in a bake and would notice only at its next slice.
fn is_left(head: &Head, now: Timestamp) -> bool {
    let begun =
        head.rollback.as_ref().filter(|rollback| rollback.returned_at.is_none()).map(|rollback| rollback.begun_at);
    head.phase == Phase::RollingBack && begun.is_some_and(|begun| now.duration_since(begun).as_secs() >= STUCK_SECONDS)
}

/// The danger for the requests of a halted migration, if any. Above weight 0 it is still guarded, but no slice checks
/// it any more. An alarm's event may have been lost, and an alarm that kept firing through a rollback that halted sends
/// no other.
async fn danger(ports: &Ports, head: &Head, report: &mut Value) -> Result<Option<(Trigger, String)>, ActionError> {
    let returned = head.rollback.as_ref().is_some_and(|rollback| rollback.returned_at.is_some());
    if !head.new_side_may_have_traffic() || returned {
        return Ok(None);
    }
    let plan = plan_of(ports, head).await?;
    let names = plan.alarms();
    // Neither waits for the other: each is enough to roll back, whether or not the other can be read.
    let (alarm, health) = futures::join!(
        within(
            ports,
            GUARD_WITHIN,
            || format!("reading the alarms of {}", head.migration),
            firing(ports, head, &names, report)
        ),
        within(
            ports,
            GUARD_WITHIN,
            || format!("reading the health of {}", head.migration),
            too_few_in_use(ports, &plan, head)
        ),
    );
    let unhealthy = |reason| format!("unhealthy while the migration was halted: {reason}");
    let health = health.map(|reason| reason.map(unhealthy));
    let (mut observed, mut failure) = (Vec::new(), None);
    for (gate, trigger, danger) in [(Gate::Alarms, Trigger::AlarmEvent, alarm), (Gate::Health, Trigger::Health, health)]
    {
        match danger {
            Ok(None) => {}
            Ok(Some(cause)) if only_observes(&gate, &plan, head) => {
                observed.push(Opinion::new(gate, Vote::RollBack, cause));
            }
            Ok(Some(cause)) => return Ok(Some((trigger, cause))),
            Err(error) => _ = failure.get_or_insert(error),
        }
    }
    observe(ports, &mut head.clone(), &observed).await?;
    failure.map_or(Ok(None), Err)
}

/// The alarm that fires, or has fired: since the locks were taken, or, after a rollback that halted, since that halt.
/// An alarm that is gone would never fire, so it is reported.
async fn firing(
    ports: &Ports,
    head: &Head,
    names: &[String],
    report: &mut Value,
) -> Result<Option<String>, ActionError> {
    let since = head.rollback.as_ref().and(head.halted_at).unwrap_or(head.since);
    let objections = objections(names, &alarms_since(ports, names, since).await?, since);
    let missing = objections.iter().filter_map(|objection| match objection {
        Objection::Missing { name } => Some(name.as_str()),
        Objection::Firing { .. } | Objection::Fired { .. } => None,
    });
    let missing: Vec<&str> = missing.collect();
    if !missing.is_empty() {
        let names = missing.join(", ");
        tracing::error!(migration = %head.migration, names, "alarms that guard a halted migration are gone");
        report["missingAlarms"] = json!(missing);
    }
    let first = objections.iter().filter(|objection| objection.at().is_some()).min_by_key(|objection| objection.at());
    Ok(first.map(|objection| format!("{objection}, while the migration was halted")))
}

async fn start(
    ports: &Ports,
    head: &Head,
    (trigger, cause): (Trigger, &str),
    most: u32,
    report: &mut Value,
) -> Result<(), ActionError> {
    let now = ports.clock.now();
    report["did"] = json!(
        "nothing: roll-back-service was started too often in these ten minutes; the next ten minutes are another try"
    );
    for number in 1..=most {
        let name = name(head, now, number);
        let doing = || format!("starting the rollback of {}", head.migration);
        let order = RollBackOrder::new(&head.service, trigger, cause);
        let started = async { ports.executions.start_roll_back(&name, &order).await.doing(doing) };
        if let Started::New(_) = within(ports, CALL_WITHIN, doing, started).await? {
            report["did"] = json!("started roll-back-service");
            report["execution"] = json!(name);
            break;
        }
    }
    Ok(())
}

/// Events and schedules of the same ten minutes share their executions. A name with the same input starts one, counts
/// as started while that runs, and cannot be used once that is over.
fn name(head: &Head, now: Timestamp, number: u32) -> String {
    format!("{}-{}-sweep-{}-{number}", head.service, head.attempt, now.as_second() / ROUND_SECONDS)
}
