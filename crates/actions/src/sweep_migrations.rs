//! `sweep-migrations`: a migration whose execution has died is rolled back.

use crate::capacity::too_few_new;
use crate::error::ActionError;
use crate::ports::{ExecutionStatus, Ports, RollBackOrder, Started};
use crate::standing::plan_of;
use crossfade_domain::alarm::Firing;
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

/// Takes a `Step Functions Execution Status Change` event, or the schedule's. For every open migration whose execution is
/// dead, or has been missing for two minutes: starts `roll-back-service`. A halted migration is left where it is and
/// reported, unless one of its alarms fired, or its new side is sick, while that has traffic: then it is rolled back like
/// the others. An event is only a reason to look at the migration that its execution owns. Answers `{"migrations":
/// [{"service", "migration", "phase", "did", "execution"?}]}`.
///
/// May run again at any time: while a rollback runs that it started, its name answers for it; and rollbacks join each other.
///
/// # Errors
/// `Transient` and `Denied` from the table, from Step Functions, and from what a halted migration is guarded by, after
/// every other migration was looked at.
pub async fn sweep_migrations(ports: &Ports, event: &Value) -> Result<Value, ActionError> {
    let open = ports.ledger.open_heads().await;
    let open =
        open.map_err(|source| ActionError::Ledger { doing: "reading the open migrations".to_owned(), source })?;
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
        tracing::warn!(migration = %head.migration, reason, "still halted: a person is needed");
        report["did"] = json!(format!("nothing: halted: {reason}"));
        // These reach a halted migration; a sweep alone does not.
        if let Some((trigger, cause)) = danger(ports, head).await? {
            start(ports, head, trigger, &cause, &mut report).await?;
        }
        return Ok(report);
    }
    let status = ports.executions.status(&head.execution).await;
    let status = status.map_err(|source| ActionError::Port {
        doing: format!("asking for the execution of {}", head.migration),
        source,
    })?;
    let now = ports.clock.now();
    let dead = match status {
        ExecutionStatus::Dead | ExecutionStatus::Succeeded => true,
        ExecutionStatus::Missing => {
            now.duration_since(head.resumed_at.unwrap_or(head.since)).as_secs() >= MISSING_SECONDS
        }
        ExecutionStatus::Running => false,
    };
    if !dead {
        return Ok(report);
    }
    let cause = format!("execution {} ended without ending the migration", head.execution);
    start(ports, head, Trigger::Sweep, &cause, &mut report).await?;
    Ok(report)
}

/// What endangers the requests of a halted migration: above weight 0 it is still guarded, and no slice looks any more. An
/// alarm's event may have been lost. One that a rollback has halted was rolled back as far as it can be.
async fn danger(ports: &Ports, head: &Head) -> Result<Option<(Trigger, String)>, ActionError> {
    let exposed = head.verified_step.max(head.intended_step).is_some_and(|step| step > 0);
    if !exposed || head.rollback.is_some() {
        return Ok(None);
    }
    let plan = plan_of(ports, head).await?;
    let fired = unheard(ports, head, &plan.alarms()).await;
    if let Ok(Some(alarm)) = &fired {
        let cause = format!("alarm {} fired at {} while the migration was halted", alarm.name, alarm.at);
        return Ok(Some((Trigger::AlarmEvent, cause)));
    }
    // Unreadable alarms are an error, but only once the other guard was asked.
    if let Some(sick) = too_few_new(ports, &plan, head).await? {
        return Ok(Some((Trigger::Health, format!("sick while the migration was halted: {sick}"))));
    }
    fired.map(|_| None)
}

/// The first firing since the locks were taken.
async fn unheard(ports: &Ports, head: &Head, names: &[String]) -> Result<Option<Firing>, ActionError> {
    if names.is_empty() {
        return Ok(None);
    }
    let firings = ports.alarms.firings(names, head.since).await;
    let firings = firings.map_err(|source| ActionError::Port {
        doing: format!("reading the history of alarms {}", names.join(", ")),
        source,
    })?;
    Ok(firings.into_iter().min_by_key(|firing| firing.at))
}

async fn start(
    ports: &Ports,
    head: &Head,
    trigger: Trigger,
    cause: &str,
    report: &mut Value,
) -> Result<(), ActionError> {
    let now = ports.clock.now();
    report["did"] = json!("nothing: roll-back-service was started often enough; the next ten minutes are another try");
    for number in 1..=MOST_IN_A_ROUND {
        let name = name(head, now, number);
        let started = ports.executions.start_roll_back(&name, &RollBackOrder::new(&head.service, trigger, cause)).await;
        let started = started.map_err(|source| ActionError::Port {
            doing: format!("starting the rollback of {}", head.migration),
            source,
        })?;
        if let Started::New(_) = started {
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
