//! `react-to-alarm`: an alarm's event rolls back, at once, the migrations that the alarm guards.

use crate::error::ActionError;
use crate::ports::{Ports, Started};
use crate::rollback::{Why, roll_back_all};
use crate::standing::{head_of, plan_of};
use crate::without_table::{guarded_groups, take_out_groups};
use crossfade_domain::cursor::Verdict;
use crossfade_domain::ids::ServiceName;
use crossfade_domain::journal::{Head, Trigger};
use jiff::Timestamp;
use serde_json::{Value, json};

/// The most characters of an alarm's reason that go into a cause.
const REASON_CHARACTERS: usize = 300;

/// Takes an `EventBridge` event `CloudWatch Alarm State Change` of a metric, composite or log alarm. For every service that
/// the alarm guards and whose migration is not over and is older than the alarm's change of state: records the beginning
/// of a rollback or joins one, returns every route, and starts `roll-back-service` for the second look. Answers
/// `{"alarm", "state", "services": [{"service", "migration"?, "did", "execution"?}]}`.
///
/// When the table does not answer, it finds the new groups by the tags that name the alarm, takes them out of every route, and
/// leaves the rest to `roll-back-service`, which waits for the table.
///
/// May run again at any time, which `EventBridge` makes happen: events come twice and out of order.
///
/// # Errors
/// `InvalidRequest` for something that is no alarm event; `Transient` and `Denied` when a service could not be rolled
/// back, after all others were tried.
pub async fn react_to_alarm(ports: &Ports, event: &Value) -> Result<Value, ActionError> {
    let change = Change::decode(event, ports.clock.now())?;
    if change.state != "ALARM" {
        return Ok(json!({"alarm": change.alarm, "state": change.state, "services": []}));
    }
    let services = match ports.ledger.guarded_by(&change.alarm).await {
        Ok(services) => services,
        Err(source) => {
            let doing = format!("looking for the services that alarm {} guards", change.alarm);
            return react_by_tags(ports, &change, ActionError::Ledger { doing, source }).await;
        }
    };
    let mut reports = Vec::new();
    let mut failure: Option<ActionError> = None;
    for service in &services {
        match react(ports, service, &change).await {
            Ok(report) => reports.push(report),
            Err(error) => {
                tracing::error!(%service, alarm = change.alarm, error = error.chain(), "not rolled back");
                failure.get_or_insert(error);
            }
        }
    }
    match failure {
        // The asynchronous invocation is repeated, and what was done is found done.
        Some(error) => Err(error),
        None => Ok(json!({"alarm": change.alarm, "state": change.state, "services": reports})),
    }
}

/// What an alarm event says.
struct Change {
    alarm: String,
    state: String,
    reason: String,
    at: Timestamp,
}

impl Change {
    /// Only the alarm's name and its state are sure to be there. A time that is missing or cannot be read is taken as
    /// now: better an unneeded rollback than one that is left out.
    fn decode(event: &Value, now: Timestamp) -> Result<Self, ActionError> {
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
        let mut problems = Vec::new();
        let mut required = |pointer: &str, path: &str| {
            if text(pointer).is_none() {
                problems.push(format!("{path}: expected a text, found nothing of the kind"));
            }
            text(pointer).unwrap_or_default().to_owned()
        };
        let alarm = required("/detail/alarmName", "$.detail.alarmName");
        let state = required("/detail/state/value", "$.detail.state.value");
        if !problems.is_empty() {
            return Err(ActionError::InvalidRequest(problems.join("; ")));
        }
        let times = [text("/detail/state/timestamp"), text("/time")];
        let at = times.into_iter().flatten().find_map(read_time).unwrap_or(now);
        let reason =
            text("/detail/state/reason").unwrap_or("no reason given").chars().take(REASON_CHARACTERS).collect();
        Ok(Self { alarm, state, reason, at })
    }
}

/// `2019-10-02T17:04:40.989+0000`, as `CloudWatch` writes it, or RFC 3339.
fn read_time(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| Timestamp::strptime("%Y-%m-%dT%H:%M:%S%.f%z", text).ok())
}

async fn react(ports: &Ports, service: &ServiceName, change: &Change) -> Result<Value, ActionError> {
    let head = head_of(ports, service).await?;
    let Some(head) = head.filter(|head| !head.phase.is_over()) else {
        return Ok(json!({"service": service, "did": "nothing: no migration is open"}));
    };
    let report = |did: &str| json!({"service": service, "migration": head.migration, "did": did});
    if change.at < head.since {
        return Ok(report("nothing: the alarm changed before the migration began"));
    }
    let why = Why {
        trigger: Trigger::AlarmEvent,
        cause: format!("alarm {} fired: {}", change.alarm, change.reason),
        caused_at: change.at,
    };
    let plan = plan_of(ports, &head).await?;
    let answer = match roll_back_all(ports, &head, &plan, &why).await {
        Ok(answer) => answer,
        Err(error) if error.class() == "Superseded" => return Ok(report("nothing: the rollback is over already")),
        Err(error) => {
            // The machine retries for half an hour what this function may try for seconds.
            let name = roll_back_name(&head);
            let started = ports.executions.start_roll_back(service, &name, why.trigger, &why.cause).await;
            tracing::warn!(%service, ?started, "the rollback goes on in roll-back-service");
            return Err(error);
        }
    };
    match answer.verdict {
        Verdict::Refused => Ok(report("taken back before its first change")),
        Verdict::Halt => Ok(report("halted: a person is needed")),
        _ => {
            let name = roll_back_name(&Head { generation: answer.generation, ..head.clone() });
            let started = ports.executions.start_roll_back(service, &name, why.trigger, &why.cause).await;
            let started = started.map_err(|source| ActionError::Port {
                doing: format!("starting the second look at the rollback of {service}"),
                source,
            })?;
            let execution = match started {
                Started::New(arn) => arn,
                Started::Already => name,
            };
            let mut report = report("rolled back; the second look follows");
            report["execution"] = json!(execution);
            Ok(report)
        }
    }
}

/// Rolls back what the alarm guards by the tags of the new groups. `table` is why; it is the answer where no group has the
/// alarm's tag, so that the event is delivered again.
async fn react_by_tags(ports: &Ports, change: &Change, table: ActionError) -> Result<Value, ActionError> {
    tracing::error!(alarm = change.alarm, error = table.chain(), "reacting without the table");
    let guarded = match guarded_groups(ports, &change.alarm, change.at).await {
        Ok(guarded) if !guarded.is_empty() => guarded,
        Ok(_) => return Err(table),
        Err(error) => {
            tracing::error!(alarm = change.alarm, error = error.chain(), "reacting without the table failed");
            return Err(table);
        }
    };
    let mut reports = Vec::new();
    let mut failure = None;
    for (service, groups) in guarded {
        let taken = take_out_groups(ports, groups).await;
        let cause = format!("alarm {} fired: {}", change.alarm, change.reason);
        // Whatever came of it: the machine is more patient, and it is what begins the rollback in the journal.
        let name = format!("{service}-alarm-{}", change.at.as_second());
        let started = ports.executions.start_roll_back(&service, &name, Trigger::AlarmEvent, &cause).await;
        let started = started
            .map_err(|source| ActionError::Port { doing: format!("starting the rollback of {service}"), source });
        match taken.and_then(|taken| started.map(|_| taken)) {
            Ok(taken) => reports.push(json!({"service": service, "execution": name,
                "did": format!("returned {} routes without the table; the rollback follows", taken.written),
                "left": taken.stuck})),
            Err(error) => {
                tracing::error!(%service, alarm = change.alarm, error = error.chain(), "not rolled back");
                failure.get_or_insert(error);
            }
        }
    }
    match failure {
        Some(error) => Err(error),
        None => Ok(json!({"alarm": change.alarm, "state": change.state, "services": reports})),
    }
}

/// The name of the execution that looks at a rollback again: the same for everybody who joins it.
fn roll_back_name(head: &Head) -> String {
    format!("{}-{}-{}", head.service, head.attempt, head.generation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_cloudwatch_and_of_everybody_else_are_read() {
        for text in ["2019-10-02T17:04:40.989+0000", "2019-10-02T17:04:40.989Z", "2019-10-02T19:04:40.989+02:00"] {
            assert_eq!(read_time(text).unwrap().to_string(), "2019-10-02T17:04:40.989Z", "{text}");
        }
        assert_eq!(read_time("2019-10-02T17:04:40+0000").unwrap().to_string(), "2019-10-02T17:04:40Z");
        assert_eq!(read_time("yesterday"), None);
    }

    #[test]
    fn an_event_without_a_name_or_a_state_is_refused_with_both_named() {
        let error = Change::decode(&json!({"detail": {}}), Timestamp::UNIX_EPOCH).err().unwrap().chain();
        assert!(error.contains("$.detail.alarmName") && error.contains("$.detail.state.value"), "{error}");
    }
}
