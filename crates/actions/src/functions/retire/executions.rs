//! Records which executions run a retirement, so that the sweep can tell one that nobody runs.

use super::Input;
use super::record::record;
use crate::error::{ActionError, Doing as _};
use crate::ports::{LedgerError, Ports, RetireOrder};
use crossfade_domain::retirement::{Retirement, RetirementEventKind};

/// Records that this execution runs the retirement, unless the journal names it. What a person asks for comes in an
/// execution of its own, which then runs it as well.
///
/// # Errors
/// As [`record`].
pub(super) async fn enter(ports: &Ports, retirement: &mut Retirement, input: &Input) -> Result<(), ActionError> {
    // One that an earlier version began is named at its next look. A function that is called by hand has none.
    let is_due = input.request.is_some() || retirement.executions.is_empty();
    if !is_due
        || input.execution.is_empty()
        || retirement.phase.is_over()
        || retirement.executions.contains(&input.execution)
    {
        return Ok(());
    }
    let entered = RetirementEventKind::Entered { execution: input.execution.clone() };
    record(ports, retirement, |_| entered).await
}

/// Records that the retirement has come as far as it was asked to go, unless that is known.
///
/// # Errors
/// As [`record`].
pub(super) async fn rest(ports: &Ports, retirement: &mut Retirement) -> Result<(), ActionError> {
    if !retirement.is_run() {
        return Ok(());
    }
    record(ports, retirement, |_| RetirementEventKind::Rested).await
}

/// The retirement that an execution of the sweep is to run, or why it is not. It begins none, so one that came too late
/// retires nothing that was brought back meanwhile.
pub(super) fn to_continue(present: Option<Retirement>, input: &Input) -> Result<Retirement, String> {
    let service = &input.service;
    present.filter(|present| present.executions.contains(&input.execution)).ok_or_else(|| {
        format!(
            "the sweep has given no retirement of {service} to this execution; `crossfade retire {service}` continues \
             one, whoever ran it"
        )
    })
}

/// Gives a retirement that nobody runs to a new execution, and starts that. Returns its name; none where the journal
/// has moved on meanwhile. The journal names it before it is started, so of two sweeps one starts it.
///
/// # Errors
/// The table's; `StartExecution`'s, and then a later sweep starts another one.
pub(in crate::functions) async fn replace_execution(
    ports: &Ports,
    retirement: &Retirement,
    why: String,
) -> Result<Option<String>, ActionError> {
    let service = &retirement.service;
    let name = format!("{service}-retirement-{}-{}", retirement.number, retirement.sequence + 1);
    let Some(execution) = ports.executions.retirement_execution(&name) else {
        return Err(ActionError::Internal("this function was given no machine that retires".to_owned()));
    };
    let continued = RetirementEventKind::Continued { execution, why };
    match record(ports, &mut retirement.clone(), |_| continued).await {
        Err(
            ActionError::NotYet(_)
            | ActionError::Ledger { source: LedgerError::Contended { .. } | LedgerError::Superseded { .. }, .. },
        ) => return Ok(None),
        recorded => recorded?,
    }
    let started = ports.executions.start_retirement(&name, &RetireOrder::to_continue(service)).await;
    started.doing(|| format!("starting the execution that continues the retirement of {service}"))?;
    Ok(Some(name))
}
