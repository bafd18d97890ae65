//! `sweep-migrations`: a migration whose execution has died is rolled back.

use crate::error::{ActionError, Doing as _};
use crate::migration::read_journal::{open_heads, plan_of};
use crate::observing::health::too_few_new;
use crate::observing::read_alarms::alarms_since;
use crate::ports::{ExecutionStatus, Ports, RollBackOrder, Started};
use crossfade_domain::alarms::quiet::{Objection, objections};
use crossfade_domain::journal::{Head, Phase, Trigger};
use jiff::Timestamp;
use serde_json::{Value, json};

/// Seconds for which an execution may be unknown: `resume` records its ARN before it starts it.
const MISSING_SECONDS: i64 = 120;
/// Seconds after which a rollback that still is not over gets another execution: one that runs is joined, one that died
/// is replaced, and its name cannot be used again for 90 days.
const ROUND_SECONDS: i64 = 600;
/// Executions that may be started in that time, each after the one before it ended without ending the migration.
const MOST_IN_A_ROUND: u32 = 5;
/// Seconds for which nothing may be heard of a rollback that was begun: as long as the function that began it can live.
const STUCK_SECONDS: i64 = 60;

/// Takes a `Step Functions Execution Status Change` event, or the schedule's. For every open migration whose execution
/// is dead, or has been missing for two minutes, or whose rollback was begun and left: starts `roll-back-service`. A
/// halted migration is left where it is and reported, unless one of its alarms fires or fired, or its new side is sick,
/// while that has traffic: then it is rolled back like the others, and where a rollback has halted, that is tried again
/// once in ten minutes. An event is only a reason to look at the migration that its execution owns. Answers
/// `{"migrations": [{"service", "migration", "phase", "did", "execution"?, "missingAlarms"?}]}`.
///
/// May run again at any time: while a rollback runs that it started, its name answers for it; and rollbacks join each
/// other.
///
/// # Errors
/// `Transient` and `Denied` from the table, from Step Functions, and from what a halted migration is guarded by, after
/// every other migration was looked at.
pub async fn sweep_migrations(ports: &Ports, event: &Value) -> Result<Value, ActionError> {
    let open = open_heads(ports).await?;
    let only = event.pointer("/detail/executionArn").and_then(Value::as_str);
    let mut reports = Vec::new();
    let mut failure: Option<ActionError> = None;
    for head in open.iter().filter(|head| only.is_none_or(|execution| head.execution == execution)) {
        match sweep(ports, head).await {
            Ok(report) => reports.push(report),
            Err(error) => {
                tracing::error!(migration = %head.migration, error = error.chain(), "not swept");
                failure.get_or_insert(error);
            }
        }
    }
    failure.map_or_else(|| Ok(json!({"migrations": reports})), Err)
}

async fn sweep(ports: &Ports, head: &Head) -> Result<Value, ActionError> {
    let mut report =
        json!({"service": head.service, "migration": head.migration, "phase": head.phase, "did": "nothing"});
    if head.phase == Phase::Halted {
        let reason = head.reason.as_deref().unwrap_or("no reason was recorded");
        tracing::warn!(migration = %head.migration, reason, "still halted: an operator must decide");
        report["did"] = json!(format!("nothing: halted: {reason}"));
        // These reach a halted migration; a sweep alone does not.
        if let Some((trigger, cause)) = danger(ports, head, &mut report).await? {
            // A rollback that halted cannot be completed yet, or it would not have: one try in ten minutes is enough.
            let most = if head.rollback.is_some() { 1 } else { MOST_IN_A_ROUND };
            start(ports, head, (trigger, &cause), most, &mut report).await?;
        }
        return Ok(report);
    }
    let status = ports.executions.status(&head.execution).await;
    let status = status.doing(|| format!("reading the status of the execution of {}", head.migration))?;
    let now = ports.clock.now();
    let dead = match status {
        ExecutionStatus::Dead | ExecutionStatus::Succeeded => true,
        ExecutionStatus::Missing => {
            now.duration_since(head.resumed_at.unwrap_or(head.since)).as_secs() >= MISSING_SECONDS
        }
        ExecutionStatus::Running => false,
    };
    let cause = if dead {
        format!("execution {} ended without ending the migration", head.execution)
    } else if is_left(head, now) {
        format!("a rollback was begun {STUCK_SECONDS} s ago and nobody says that its routes are back")
    } else {
        return Ok(report);
    };
    start(ports, head, (Trigger::Sweep, &cause), MOST_IN_A_ROUND, &mut report).await?;
    Ok(report)
}

/// Whether a rollback is under way of which nothing was heard for so long that whoever began it may be dead. The
/// migration's execution may sleep in a bake meanwhile, and would find out at its next slice only.
fn is_left(head: &Head, now: Timestamp) -> bool {
    let begun =
        head.rollback.as_ref().filter(|rollback| rollback.returned_at.is_none()).map(|rollback| rollback.begun_at);
    head.phase == Phase::RollingBack && begun.is_some_and(|begun| now.duration_since(begun).as_secs() >= STUCK_SECONDS)
}

/// What endangers the requests of a halted migration: above weight 0 it is still guarded, and no slice looks any more.
/// An alarm's event may have been lost, and of one that went on firing through a rollback that halted there comes no
/// other.
async fn danger(ports: &Ports, head: &Head, report: &mut Value) -> Result<Option<(Trigger, String)>, ActionError> {
    let returned = head.rollback.as_ref().is_some_and(|rollback| rollback.returned_at.is_some());
    if !head.new_side_may_have_traffic() || returned {
        return Ok(None);
    }
    let plan = plan_of(ports, head).await?;
    let alarm = firing(ports, head, &plan.alarms(), report).await;
    if let Ok(Some(cause)) = alarm {
        return Ok(Some((Trigger::AlarmEvent, cause)));
    }
    // Unreadable alarms are an error, but only once the other guard was asked.
    if let Some(sick) = too_few_new(ports, &plan, head).await? {
        return Ok(Some((Trigger::Health, format!("unhealthy while the migration was halted: {sick}"))));
    }
    alarm.map(|_| None)
}

/// The alarm that fires, or has fired: since the locks were taken, or since a rollback that knew of all before it
/// halted. One that is gone would never fire, which is said.
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
    report["did"] = json!("nothing: roll-back-service was started often enough; the next ten minutes are another try");
    for number in 1..=most {
        let name = name(head, now, number);
        let started = ports.executions.start_roll_back(&name, &RollBackOrder::new(&head.service, trigger, cause)).await;
        if let Started::New(_) = started.doing(|| format!("starting the rollback of {}", head.migration))? {
            report["did"] = json!("started roll-back-service");
            report["execution"] = json!(name);
            break;
        }
    }
    Ok(())
}

/// Events and schedules of the same ten minutes share their executions: a name with the same input starts one, answers
/// as if it had while that runs, and is taken once that is over.
fn name(head: &Head, now: Timestamp, number: u32) -> String {
    format!("{}-{}-sweep-{}-{number}", head.service, head.attempt, now.as_second() / ROUND_SECONDS)
}
