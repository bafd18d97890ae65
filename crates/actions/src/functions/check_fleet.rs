//! `check-fleet`: the conductor of a fleet's run. Each call is one look.

mod begin;
mod ended;
mod look;
mod orders;
mod read;
mod retirements;
mod room;

use crate::conducting::{head_of, is_conducted, name_of, policy_of, record};
pub use begin::requests_of_a_day;
pub use room::rooms;

use crate::error::ActionError;
use crate::payload::Fields;
use crate::ports::Ports;
use crossfade_domain::fleet::command::{FleetCommand, Taken};
use crossfade_domain::fleet::cursor::FleetCursor;
use crossfade_domain::fleet::event::FleetEvent;
use crossfade_domain::fleet::head::{FLEET_VERSION, FleetHead, RunState};
use crossfade_domain::fleet::outlook::FleetStep;
use crossfade_domain::fleet::request::{FleetRequest, decode_fleet_request};
use serde_json::Value;

/// The most looks of one execution: each is nine events of its history, which holds 25,000.
pub const MOST_LOOKS: u32 = 2_000;
/// How often a look that lost a race for the head is tried again.
const TRIES: u32 = 5;

/// One look at a fleet. `{"cursor": <the execution's input, or the last answer>, "execution": "<arn>"}`.
///
/// The input begins a run, goes on with one that nobody conducts, or brings a command; see
/// [`decode_fleet_request`]. The execution that brings a command conducts the run from then on, so it is seen at once,
/// and the conductor before it ends at its next look.
///
/// Returns `wait` while the run goes on; an end (`migrated`, `incomplete`, `stopped`, `aborted`, `returned`);
/// `elsewhere` where another execution conducts; `continued` after [`MOST_LOOKS`] looks, and `sweep-migrations` starts
/// the next conductor; `refused` where the input cannot be followed.
///
/// What it decides is recorded first, in one conditional write, and done after that: migrations are started, paused,
/// continued and rolled back, and retirements are started, each by a call that may be repeated. It changes no load
/// balancer.
///
/// May run again at any time: what has been recorded is not decided again, and what was not done is done.
///
/// # Errors
/// `InvalidRequest` for a wrong payload; `Transient` and `Denied` from the ports.
pub async fn check_fleet(ports: &Ports, input: &Value) -> Result<FleetCursor, ActionError> {
    let mut fields = Fields::root(input);
    let execution = fields.required::<String>("execution");
    let cursor = fields.value("cursor").cloned().unwrap_or_default();
    let Some(execution) = execution else { return Err(fields.refuse()) };
    if cursor.get("looks").is_some() {
        let cursor: FleetCursor = serde_json::from_value(cursor)
            .map_err(|error| ActionError::InvalidRequest(format!("$.cursor: {error}")))?;
        return look::look(ports, &cursor.fleet, &execution, cursor.looks + 1).await;
    }
    let request = match decode_fleet_request(&cursor) {
        Ok(request) => request,
        Err(problems) => {
            let fleet = cursor.get("fleet").and_then(Value::as_str).unwrap_or_default();
            return Ok(FleetCursor::refused(fleet, problems.to_string()));
        }
    };
    match enter(ports, &request, &execution).await? {
        Entered::Conducts => look::look(ports, &request.fleet, &execution, 1).await,
        Entered::Ends(cursor) => Ok(cursor),
    }
}

/// What a request came to.
enum Entered {
    /// This execution conducts the run.
    Conducts,
    /// It does not, and ends with this.
    Ends(FleetCursor),
}

async fn enter(ports: &Ports, request: &FleetRequest, execution: &str) -> Result<Entered, ActionError> {
    let fleet = &request.fleet;
    for _ in 0..TRIES {
        let head = head_of(ports, fleet).await?;
        // The answer to this execution's first call was lost.
        if head.as_ref().is_some_and(|head| head.execution == execution) {
            return Ok(Entered::Conducts);
        }
        let entered = match (&request.command, head) {
            (None, Some(head)) if head.state != RunState::Over => go_on(ports, &head, execution).await,
            (None, head) => {
                // Only a beginning needs the policy: what moves can be held and returned without it.
                match policy_of(ports, fleet).await? {
                    Ok(policy) => begin::begin(ports, &policy, head.as_ref(), request, execution).await,
                    Err(why) => return Ok(Entered::Ends(FleetCursor::refused(fleet, why))),
                }
            }
            (Some(command), None) => {
                let why = format!(
                    "fleet {fleet} has had no run, so there is nothing to {}; begin one: crossfade fleet start {fleet}",
                    command.name()
                );
                return Ok(Entered::Ends(FleetCursor::refused(fleet, why)));
            }
            (Some(command), Some(head)) => take(ports, &head, command, request, execution).await,
        };
        if let Some(entered) = entered? {
            return Ok(entered);
        }
    }
    Err(ActionError::NotYet(format!("the head of fleet {fleet} moved on {TRIES} times while it was written")))
}

/// Goes on with a run that nobody conducts; ends where someone does. None where the head has moved on.
async fn go_on(ports: &Ports, head: &FleetHead, execution: &str) -> Result<Option<Entered>, ActionError> {
    if head.state == RunState::Stopped {
        let why = format!(
            "{}: STOPPED: {}; when that is mended: crossfade fleet resume {}",
            head.fleet,
            head.reason.as_deref().unwrap_or_default(),
            head.fleet
        );
        return Ok(Some(Entered::Ends(FleetCursor::refused(&head.fleet, why))));
    }
    if is_conducted(ports, head).await? {
        return Ok(Some(Entered::Ends(elsewhere(head))));
    }
    let why = format!("execution {} conducts it no more", name_of(&head.execution));
    let conducted = FleetEvent::Conducted { execution: execution.to_owned(), why };
    Ok(record(ports, Some(head), head, vec![conducted]).await?.map(|_| Entered::Conducts))
}

/// Records a command, and conducts from now on.
async fn take(
    ports: &Ports,
    head: &FleetHead,
    command: &FleetCommand,
    request: &FleetRequest,
    execution: &str,
) -> Result<Option<Entered>, ActionError> {
    let commanded = match head.takes(command) {
        Taken::Refused(why) => return Ok(Some(Entered::Ends(FleetCursor::refused(&head.fleet, why)))),
        Taken::Already(why) if is_conducted(ports, head).await? => {
            let ends = FleetCursor { reason: format!("{why}; {}", elsewhere(head).reason), ..elsewhere(head) };
            return Ok(Some(Entered::Ends(ends)));
        }
        Taken::Already(_) => None,
        Taken::Recorded => Some(FleetEvent::Commanded { command: command.clone(), who: who(request, execution) }),
    };
    let why = format!("it brought the command {}", command.name());
    let conducted = FleetEvent::Conducted { execution: execution.to_owned(), why };
    let events = commanded.into_iter().chain([conducted]).collect();
    Ok(record(ports, Some(head), head, events).await?.map(|_| Entered::Conducts))
}

/// Who asks, and why.
fn who(request: &FleetRequest, execution: &str) -> String {
    let who = request.who.clone().unwrap_or_else(|| format!("whoever started execution {}", name_of(execution)));
    request.reason.as_ref().map_or_else(|| who.clone(), |reason| format!("{who}: {reason}"))
}

/// The answer of an execution that does not conduct.
fn elsewhere(head: &FleetHead) -> FleetCursor {
    let conductor = name_of(&head.execution);
    let reason =
        format!("execution {conductor} conducts run {} of {} since {}", head.run, head.fleet, head.conducted_since);
    cursor(head, FleetStep::Elsewhere, 0, reason, 1)
}

fn cursor(head: &FleetHead, verdict: FleetStep, wait_seconds: u32, reason: String, looks: u32) -> FleetCursor {
    let fleet = head.fleet.clone();
    FleetCursor {
        version: FLEET_VERSION,
        fleet,
        run: head.run,
        verdict,
        wait_seconds,
        reason,
        looks,
        changes: Vec::new(),
    }
}
