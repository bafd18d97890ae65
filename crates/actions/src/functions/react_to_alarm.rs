//! `react-to-alarm`: an alarm's event rolls back, at once, the migrations that the alarm guards.

use crate::error::{ActionError, Doing as _, ErrorClass};
use crate::migration::Migration;
use crate::ports::{Ports, RollBackOrder, Started};
use crate::reads::journal::head_of;
use crate::rollback::begin::{Begun, bring_all_back, fence_off, roll_back_all};
use crate::rollback::by_tags::{guarded_groups, remove_these_groups};
use crossfade_domain::journal::cursor::{Cursor, NextStep};
use crossfade_domain::journal::{Head, Phase, Trigger};
use crossfade_domain::load_balancer::group::{Tags, TargetGroup};
use crossfade_domain::names::{MigrationId, ServiceName};
use crossfade_domain::rollback::Cause;
use jiff::Timestamp;
use serde_json::{Value, json};

/// The most characters of an alarm's reason that go into a cause.
const REASON_CHARACTERS: usize = 300;

/// Takes an `EventBridge` event `CloudWatch Alarm State Change` of a metric, composite or log alarm. It concerns every
/// service that the alarm guards and whose migration is not over and is older than the alarm's change of state. For
/// each of them it records the beginning of a rollback, or joins one. Then it returns the routes of all these services,
/// the most loaded first. At the same time it starts each one's `roll-back-service`, which settles, checks every route
/// again and does whatever is left when this function's time is over. Returns `{"alarm", "state", "services":
/// [{"service", "migration"?, "did", "execution"?}]}`.
///
/// When the table does not answer, it finds the new groups by the tags that name the alarm and removes them from every
/// route. The rest is left to `roll-back-service`, which waits for the table. When the table fails halfway, it does the
/// same for the services that are left.
///
/// May run again at any time, and `EventBridge` makes it: events arrive twice and out of order.
///
/// # Errors
/// `InvalidRequest` for something that is no alarm event; `Transient` and `Denied` when a service could not be rolled
/// back, after all others were tried.
pub async fn react_to_alarm(ports: &Ports, event: &Value) -> Result<Value, ActionError> {
    let change = Change::decode(event, ports.clock.now())?;
    if change.state != "ALARM" {
        return Ok(json!({"alarm": change.alarm, "state": change.state, "services": []}));
    }
    let mut reaction = Reaction { ports, change: &change, reports: Vec::new(), failure: None };
    let guarded = ports.ledger.guarded_by(&change.alarm).await;
    match guarded.doing(|| format!("looking for the services that alarm {} guards", change.alarm)) {
        Ok(services) => reaction.react(services).await,
        Err(error) => reaction.react_by_tags(None, error).await,
    }
    match reaction.failure {
        // The asynchronous invocation is repeated, and what was done is found done.
        Some(error) => Err(error),
        None => Ok(json!({"alarm": change.alarm, "state": change.state, "services": reaction.reports})),
    }
}

/// An alarm's change of state.
struct Change {
    alarm: String,
    state: String,
    reason: String,
    at: Timestamp,
}

impl Change {
    /// Only the alarm's name and its state are always there. A time that is missing or cannot be read is taken as now:
    /// an unneeded rollback is better than a missed one.
    fn decode(event: &Value, now: Timestamp) -> Result<Self, ActionError> {
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
        let mut problems = Vec::new();
        let mut required = |pointer: &str, path: &str| {
            if text(pointer).is_none() {
                problems.push(format!("{path}: expected a string, found none"));
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

    fn cause(&self) -> Cause {
        Cause {
            trigger: Trigger::AlarmEvent,
            cause: format!("alarm {} fired: {}", self.alarm, self.reason),
            caused_at: self.at,
        }
    }
}

/// `2019-10-02T17:04:40.989+0000`, as `CloudWatch` writes it, or RFC 3339.
fn read_time(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| Timestamp::strptime("%Y-%m-%dT%H:%M:%S%.f%z", text).ok())
}

/// One event on its way through the services that its alarm guards.
struct Reaction<'a> {
    ports: &'a Ports,
    change: &'a Change,
    reports: Vec<Value>,
    failure: Option<ActionError>,
}

/// The state in which a service's migration was found.
enum Found {
    /// There is nothing to roll back: this is the report.
    Nothing(Value),
    /// No route was changed yet.
    Untouched(Migration),
    /// A rollback runs from now on.
    Begun(Begun),
}

impl Reaction<'_> {
    /// Everything is fenced off before any route is written: with many routes the account's budget of writes is used up
    /// for longer than this function may run.
    async fn react(&mut self, services: Vec<ServiceName>) {
        let (mut begun, mut untouched, mut unread) = (Vec::new(), Vec::new(), Vec::new());
        let mut silent = None;
        for service in services {
            if silent.is_some() {
                // The function waits only once for a table that does not answer (invariant 6).
                unread.push(service);
                continue;
            }
            match self.find(&service).await {
                Ok(Found::Nothing(report)) => self.reports.push(report),
                Ok(Found::Untouched(migration)) => untouched.push(migration),
                Ok(Found::Begun(one)) => {
                    silent.clone_from(&one.unrecorded);
                    begun.push(one);
                }
                Err(error) => {
                    unread.push(service);
                    silent = Some(error);
                }
            }
        }
        self.bring_back(begun).await;
        if let Some(error) = silent.filter(|_| !unread.is_empty()) {
            self.react_by_tags(Some(unread), error).await;
        }
        for migration in untouched {
            let head = migration.head.clone();
            let answer = roll_back_all(self.ports, migration, &self.change.cause()).await;
            self.conclude(&head, answer, None).await;
        }
    }

    /// Reads a service's migration, and fences it off if it has to be rolled back.
    async fn find(&self, service: &ServiceName) -> Result<Found, ActionError> {
        let head = head_of(self.ports, service).await?;
        let Some(head) = head.filter(|head| !head.phase.is_over()) else {
            return Ok(Found::Nothing(json!({"service": service, "did": "nothing: no migration is open"})));
        };
        if self.change.at < head.since {
            return Ok(Found::Nothing(report(&head, "nothing: the alarm changed before the migration began")));
        }
        let migration = Migration::of(self.ports, head).await?;
        if migration.head.phase == Phase::Planned {
            return Ok(Found::Untouched(migration));
        }
        let over = report(&migration.head, OVER_ALREADY);
        Ok(match fence_off(self.ports, migration, &self.change.cause()).await {
            Ok(begun) => Found::Begun(begun),
            Err(_) => Found::Nothing(over),
        })
    }

    /// Returns the routes of all services, and at the same time starts the executions that continue where this function
    /// ends. No route waits for Step Functions.
    async fn bring_back(&mut self, begun: Vec<Begun>) {
        let heads: Vec<Head> = begun.iter().map(|one| one.migration.head.clone()).collect();
        // Without a record there is nothing to verify: that machine begins the rollback itself.
        let recorded: Vec<bool> = begun.iter().map(|one| one.unrecorded.is_none()).collect();
        let starts = async {
            let mut started = Vec::new();
            for (head, recorded) in heads.iter().zip(&recorded) {
                started.push(self.start(&head.service, Some(&head.migration), &roll_back_name(head), *recorded).await);
            }
            started
        };
        let (started, answers) = futures::join!(starts, bring_all_back(self.ports, begun));
        for (((head, answer), started), recorded) in heads.iter().zip(answers).zip(started).zip(recorded) {
            match (answer, &started) {
                (Err(error), Ok(_)) if !recorded => self.fail(&head.service, error),
                (answer, _) => self.conclude(head, answer, Some(started)).await,
            }
        }
    }

    /// Reports the result for a service. Where its routes are not back, `roll-back-service` retries for half an hour
    /// what this function may retry for seconds.
    async fn conclude(
        &mut self,
        head: &Head,
        answer: Result<Cursor, ActionError>,
        started: Option<Result<String, ActionError>>,
    ) {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if error.class() == ErrorClass::Superseded => {
                return self.reports.push(report(head, OVER_ALREADY));
            }
            Err(error) => {
                let name = format!("{}-again", roll_back_name(head));
                let again = self.start(&head.service, Some(&head.migration), &name, false).await;
                tracing::warn!(service = %head.service, ?again, "the rollback continues in roll-back-service");
                return self.fail(&head.service, error);
            }
        };
        let did = match answer.verdict {
            NextStep::Refused => return self.reports.push(report(head, "taken back before its first change")),
            NextStep::Halt => return self.reports.push(report(head, "halted: an operator must decide")),
            _ => "rolled back; the second look follows",
        };
        let name = roll_back_name(&Head { generation: answer.generation, ..head.clone() });
        let started = match started {
            Some(Ok(execution)) => Ok(execution),
            _ => self.start(&head.service, Some(&head.migration), &name, true).await,
        };
        match started {
            Ok(execution) => {
                let mut report = report(head, did);
                report["execution"] = json!(execution);
                self.reports.push(report);
            }
            Err(error) => self.fail(&head.service, error),
        }
    }

    /// Rolls back what the alarm guards by the tags of the new groups: these services, or all. `table` is the reason.
    /// It is also the error where no group has the alarm's tag, and then the event is delivered again.
    async fn react_by_tags(&mut self, only: Option<Vec<ServiceName>>, table: ActionError) {
        let alarm = &self.change.alarm;
        tracing::error!(alarm, error = table.chain(), "reacting without the table");
        let mut guarded = match guarded_groups(self.ports, alarm, self.change.at).await {
            Ok(guarded) => guarded,
            Err(error) => {
                tracing::error!(alarm, error = error.chain(), "reacting without the table failed");
                self.failure.get_or_insert(table);
                return;
            }
        };
        let services = only.unwrap_or_else(|| guarded.keys().cloned().collect());
        let mut found = !services.is_empty();
        for service in services {
            let groups = guarded.remove(&service).unwrap_or_default();
            found &= !groups.is_empty();
            self.take_out(&service, groups).await;
        }
        if !found {
            self.failure.get_or_insert(table);
        }
    }

    async fn take_out(&mut self, service: &ServiceName, groups: Vec<(TargetGroup, Tags)>) {
        let taken = remove_these_groups(self.ports, groups).await;
        // In any case: the machine retries for longer, and it is what begins the rollback in the journal.
        let name = format!("{service}-alarm-{}", self.change.at.as_second());
        let started = self.start(service, None, &name, false).await;
        match taken.and_then(|taken| started.map(|_| taken)) {
            Ok(taken) => self.reports.push(json!({"service": service, "execution": name,
                "did": format!("returned {} routes without the table; the rollback follows", taken.written),
                "left": taken.stuck})),
            Err(error) => self.fail(service, error),
        }
    }

    /// Starts `roll-back-service`; with `returned_already` it settles first. Returns its ARN, or its name where it was
    /// started before.
    async fn start(
        &self,
        service: &ServiceName,
        migration: Option<&MigrationId>,
        name: &str,
        returned_already: bool,
    ) -> Result<String, ActionError> {
        let Cause { trigger, cause, caused_at } = self.change.cause();
        let order = RollBackOrder {
            service: service.clone(),
            migration: migration.cloned(),
            trigger,
            cause,
            caused_at: Some(caused_at),
            returned_already,
        };
        let started = self.ports.executions.start_roll_back(name, &order).await;
        Ok(match started.doing(|| format!("starting the rollback of {service} in {name}"))? {
            Started::New(arn) => arn,
            Started::Already => name.to_owned(),
        })
    }

    fn fail(&mut self, service: &ServiceName, error: ActionError) {
        tracing::error!(%service, alarm = self.change.alarm, error = error.chain(), "not rolled back");
        self.failure.get_or_insert(error);
    }
}

const OVER_ALREADY: &str = "nothing: the rollback is over already";

fn report(head: &Head, did: &str) -> Value {
    json!({"service": head.service, "migration": head.migration, "did": did})
}

/// The name of the execution that verifies a rollback: the same for everyone who joins it.
fn roll_back_name(head: &Head) -> String {
    format!("{}-{}-{}", head.service, head.attempt, head.generation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_cloudwatch_and_of_everyone_else_are_read() {
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
