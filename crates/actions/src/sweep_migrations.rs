//! `sweep-migrations`: a migration whose execution has died is rolled back.

use crate::error::ActionError;
use crate::ports::{ExecutionStatus, Ports, Started};
use crossfade_domain::journal::{Head, Phase, Trigger};
use jiff::Timestamp;
use serde_json::{Value, json};

/// Seconds for which an execution may be unknown: `resume` records its ARN before it starts it.
const MISSING_SECONDS: i64 = 120;
/// Seconds after which a rollback that still is not over gets another execution: one that runs is joined, one that died
/// is replaced, and its name cannot be used again for 90 days.
const ROUND_SECONDS: i64 = 600;

/// Takes a `Step Functions Execution Status Change` event, or the schedule's. For every open migration whose execution is
/// dead, or has been missing for two minutes: starts `roll-back-service`. A halted migration is left where it is and
/// reported. An event is only a reason to look at the migration that its execution owns. Answers `{"migrations":
/// [{"service", "migration", "phase", "did", "execution"?}]}`.
///
/// May run again at any time: a rollback is started once in ten minutes under one name, and rollbacks join each other.
///
/// # Errors
/// `Transient` and `Denied` from the table and from Step Functions, after every other migration was looked at.
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
        return Ok(report);
    }
    let port = |doing: String| move |source| ActionError::Port { doing, source };
    let status = ports.executions.status(&head.execution).await;
    let status = status.map_err(port(format!("asking for the execution of {}", head.migration)))?;
    let now = ports.clock.now();
    let dead = match status {
        ExecutionStatus::Dead | ExecutionStatus::Succeeded => true,
        ExecutionStatus::Missing => now.duration_since(head.since).as_secs() >= MISSING_SECONDS,
        ExecutionStatus::Running => false,
    };
    if !dead {
        return Ok(report);
    }
    let cause = format!("execution {} ended without ending the migration", head.execution);
    let name = name(head, now);
    let started = ports.executions.start_roll_back(&head.service, &name, Trigger::Sweep, &cause).await;
    let started = started.map_err(port(format!("starting the rollback of {}", head.migration)))?;
    report["did"] = json!(match started {
        Started::New(_) => "started roll-back-service",
        Started::Already => "nothing: roll-back-service was started already",
    });
    report["execution"] = json!(name);
    Ok(report)
}

/// Events and schedules of the same ten minutes start one execution.
fn name(head: &Head, now: Timestamp) -> String {
    format!("{}-{}-sweep-{}", head.service, head.attempt, now.as_second() / ROUND_SECONDS)
}
