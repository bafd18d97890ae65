//! Runs of fleets: what is stored of them, and who conducts them.

use crate::error::{ActionError, Doing as _};
use crate::ports::{ExecutionStatus, FleetWriteError, LedgerError, Ports};
use crossfade_domain::fleet::event::FleetEvent;
use crossfade_domain::fleet::head::FleetHead;
use crossfade_domain::policy::document::decode_fleet;
use crossfade_domain::policy::problem::did_you_mean;
use crossfade_domain::policy::service_policy::FleetPolicy;

/// Seconds for which an execution may be unknown: who continues a run records the ARN before it starts it.
const MISSING_SECONDS: i64 = 120;

/// Whether the execution that conducts a run still does.
pub(crate) async fn is_conducted(ports: &Ports, head: &FleetHead) -> Result<bool, ActionError> {
    let status = ports.executions.status(&head.execution).await;
    Ok(match status.doing(|| format!("reading the status of the conductor of {}", head.fleet))? {
        ExecutionStatus::Running => true,
        ExecutionStatus::Missing => ports.clock.now().duration_since(head.conducted_since).as_secs() < MISSING_SECONDS,
        ExecutionStatus::Succeeded | ExecutionStatus::Stopped { .. } | ExecutionStatus::Dead { .. } => false,
    })
}

/// The name of an execution.
pub(crate) fn name_of(execution: &str) -> &str {
    execution.rsplit(':').next().unwrap_or_default()
}

/// Records events that follow on `head`, and returns the head that they lead to; none where the stored head is no
/// longer `before`.
pub(crate) async fn record(
    ports: &Ports,
    before: Option<&FleetHead>,
    head: &FleetHead,
    events: Vec<FleetEvent>,
) -> Result<Option<FleetHead>, ActionError> {
    let entry = head.next_entry(events, ports.clock.now());
    let after = head.apply(&entry);
    match ports.fleets.record_fleet(before, &entry, &after).await {
        Ok(()) => Ok(Some(after)),
        Err(FleetWriteError::Moved(_)) => Ok(None),
        Err(FleetWriteError::Ledger(error)) => {
            Err::<_, LedgerError>(error).doing(|| format!("writing the journal of fleet {}", head.fleet))
        }
    }
}

/// The head of a fleet; none if it has had no run.
pub(crate) async fn head_of(ports: &Ports, fleet: &str) -> Result<Option<FleetHead>, ActionError> {
    ports.fleets.fleet(fleet).await.doing(|| format!("reading the head of fleet {fleet}"))
}

/// The stored policy of a fleet, or what is wrong with it.
pub(crate) async fn policy_of(ports: &Ports, fleet: &str) -> Result<Result<FleetPolicy, String>, ActionError> {
    let stored = ports.ledger.policies().await.doing(|| "reading the stored policies")?;
    let names = stored.iter().map(|policy| policy.fleet.as_str());
    let Some(policy) = stored.iter().find(|policy| policy.fleet == fleet) else {
        if stored.is_empty() {
            return Ok(Err("no policy is stored; apply one: crossfade apply policy.yaml".to_owned()));
        }
        let known: Vec<&str> = names.clone().collect();
        let near = did_you_mean(fleet, names);
        return Ok(Err(format!("no policy of fleet {fleet:?} is stored{near}; there are {}", known.join(", "))));
    };
    let decoded = decode_fleet(&policy.document);
    Ok(decoded.map_err(|problems| format!("the stored policy of fleet {fleet} is wrong: {problems}")))
}

/// Gives a run another conductor, which looks at once. Returns its execution; none where the head has moved on.
///
/// # Errors
/// The table's; `StartExecution`'s, and then the sweep starts another one.
pub(crate) async fn replace_conductor(
    ports: &Ports,
    head: &FleetHead,
    why: String,
) -> Result<Option<String>, ActionError> {
    let machine = head.execution.rsplit_once(':').map_or("", |(machine, _)| machine);
    let execution = format!("{machine}:{}", successor(head));
    let conducted = FleetEvent::Conducted { execution: execution.clone(), why };
    if record(ports, Some(head), head, vec![conducted]).await?.is_none() {
        return Ok(None);
    }
    let started = ports.executions.start_conductor(&head.fleet, &execution).await;
    started.doing(|| format!("starting the conductor of {}", head.fleet))?;
    Ok(Some(execution))
}

/// The name of the next conductor's execution.
fn successor(head: &FleetHead) -> String {
    let fits = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_');
    let kept = head.fleet.chars().map(|character| if fits(character) { character } else { '-' });
    let fleet: String = kept.take(40).collect();
    format!("{fleet}-{}-{}", head.since.as_second(), head.generation + 1)
}
