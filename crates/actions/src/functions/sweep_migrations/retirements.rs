//! A retirement that nobody runs gets another execution.
//!
//! Until then nothing more of its old side goes, and nobody watches the load balancers after a detach.

use super::CALL_WITHIN;
use crate::conducting::name_of;
use crate::error::{ActionError, Doing as _};
use crate::functions::retire::replace_execution;
use crate::ports::{ExecutionStatus, Ports};
use crate::reads::deadline::within;
use crossfade_domain::retirement::Retirement;
use futures::future::join_all;
use serde_json::{Value, json};

/// Seconds for which an execution may be unknown: this sweep records the ARN before it starts it.
const MISSING_SECONDS: i64 = 120;
/// Seconds for which a retirement had its latest execution before it gets another one, so one that fails at once is
/// not started every minute.
const LEAST_SECONDS: i64 = 600;

/// Continues the retirements that should be run and are not; of all, or of the one that the execution `only` has run.
///
/// # Errors
/// The table's and Step Functions', after all others were swept.
pub(super) async fn continue_retirements(ports: &Ports, only: Option<&str>) -> Result<Vec<Value>, ActionError> {
    let doing = || "reading the open retirements";
    let open = async { ports.ledger.open_retirements().await.doing(doing) };
    let mut open = within(ports, CALL_WITHIN, || doing().to_owned(), open).await?;
    open.retain(|one| only.is_none_or(|only| one.executions.iter().any(|execution| execution == only)));
    let swept = join_all(open.iter().map(|one| {
        let doing = || format!("continuing the retirement of {}", one.service);
        within(ports, CALL_WITHIN, doing, continue_retirement(ports, one))
    }));
    let (mut reports, mut failure) = (Vec::new(), None);
    for (one, did) in open.iter().zip(swept.await) {
        match did {
            Ok(did) => {
                reports.push(json!({"service": one.service, "retirement": one.number, "phase": one.phase, "did": did}));
            }
            Err(error) => {
                tracing::error!(service = %one.service, error = error.chain(), "the retirement was not swept");
                failure.get_or_insert(error);
            }
        }
    }
    failure.map_or(Ok(reports), Err)
}

async fn continue_retirement(ports: &Ports, retirement: &Retirement) -> Result<String, ActionError> {
    let service = &retirement.service;
    let seconds = retirement.entered_at.map_or(i64::MAX, |at| ports.clock.now().duration_since(at).as_secs());
    let mut latest = None;
    // A person's command has an execution of its own, so any of them may still run. Most often the latest does.
    for execution in retirement.executions.iter().rev() {
        let status = ports.executions.status(execution).await;
        let status = status.doing(|| format!("reading the status of execution {}", name_of(execution)))?;
        let is_alive = match status {
            ExecutionStatus::Running => true,
            ExecutionStatus::Missing => latest.is_none() && seconds < MISSING_SECONDS,
            ExecutionStatus::Succeeded | ExecutionStatus::Stopped { .. } | ExecutionStatus::Dead { .. } => false,
        };
        if is_alive {
            return Ok("nothing".to_owned());
        }
        latest.get_or_insert((name_of(execution), status));
    }
    let why = match latest {
        None => return Ok("nothing".to_owned()),
        Some((name, ExecutionStatus::Stopped { .. })) => {
            tracing::warn!(%service, name, "someone stopped its execution: it rests until: crossfade retire {service}");
            return Ok(format!("nothing: someone stopped execution {name}"));
        }
        Some((name, ExecutionStatus::Missing)) => format!("execution {name} was never started"),
        Some(_) if seconds < LEAST_SECONDS => {
            return Ok("nothing: its execution had hardly begun; a later sweep starts the next one".to_owned());
        }
        Some((name, ExecutionStatus::Succeeded)) => format!("execution {name} has looked as often as it can"),
        Some((name, _)) => format!("execution {name} died"),
    };
    let Some(execution) = replace_execution(ports, retirement, why).await? else {
        return Ok("nothing: its journal has moved on".to_owned());
    };
    tracing::warn!(%service, execution, "a retirement that nobody ran goes on");
    Ok(format!("started {execution}"))
}
