//! A run of a fleet whose conductor is gone gets another.
//!
//! The migrations that the run has started need no conductor: each is guarded by its own machine, its alarms and this
//! sweep. What waits for one is the next wave, and what a person has asked of the fleet.

use super::CALL_WITHIN;
use crate::conducting::{is_conducted, name_of, replace_conductor};
use crate::error::{ActionError, Doing as _};
use crate::ports::{ExecutionStatus, Ports};
use crate::reads::deadline::within;
use crossfade_domain::fleet::head::{FleetHead, RunState};
use serde_json::{Value, json};

/// Seconds for which a run had its last conductor before it gets another one.
const LEAST_SECONDS: i64 = 60;

/// Continues the runs that are not over and that nobody conducts; of all, or of the one that `only` has conducted.
pub(super) async fn continue_fleets(ports: &Ports, only: Option<&str>) -> Result<Vec<Value>, ActionError> {
    let heads = async { ports.fleets.fleets().await.doing(|| "reading the heads of the fleets") };
    let heads = within(ports, CALL_WITHIN, || "reading the heads of the fleets".to_owned(), heads).await?;
    // One that is over may be asked to retire its services.
    let open = heads.into_iter().filter(|head| head.state != RunState::Over || head.starts_retirements());
    let mut reports = Vec::new();
    for head in open.filter(|head| only.is_none_or(|execution| head.execution == execution)) {
        let doing = || format!("continuing fleet {}", head.fleet);
        let did = within(ports, CALL_WITHIN, doing, continue_fleet(ports, &head)).await?;
        reports.push(json!({"fleet": head.fleet, "run": head.run, "state": head.state, "did": did}));
    }
    Ok(reports)
}

async fn continue_fleet(ports: &Ports, head: &FleetHead) -> Result<String, ActionError> {
    if is_conducted(ports, head).await? {
        return Ok("nothing".to_owned());
    }
    let status = ports.executions.status(&head.execution).await;
    match status.doing(|| format!("reading the status of the conductor of {}", head.fleet))? {
        ExecutionStatus::Stopped { .. } => {
            let fleet = &head.fleet;
            tracing::warn!(fleet, "someone stopped its conductor: nothing starts until: crossfade fleet start {fleet}");
            return Ok("nothing: someone stopped its execution".to_owned());
        }
        // It has said so, and waits for a person.
        ExecutionStatus::Dead { error, .. }
            if head.state == RunState::Stopped && error.as_deref() == Some("Stopped") =>
        {
            return Ok("nothing: it has stopped".to_owned());
        }
        _ => {}
    }
    // One that dies at once would be replaced at once, for ever.
    if ports.clock.now().duration_since(head.conducted_since).as_secs() < LEAST_SECONDS {
        return Ok("nothing: its conductor had hardly begun; a later sweep starts the next one".to_owned());
    }
    let why = format!("execution {} conducts it no more", name_of(&head.execution));
    let Some(execution) = replace_conductor(ports, head, why).await? else {
        return Ok("nothing: its head has moved on".to_owned());
    };
    tracing::warn!(fleet = head.fleet, execution, "a run that nobody conducted goes on");
    Ok(format!("started {execution}"))
}
