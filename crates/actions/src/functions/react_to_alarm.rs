//! `react-to-alarm`: an alarm's event rolls back, at once, the migrations that the alarm guards, and wakes the fleets
//! that it stops.

mod fleets;

use self::fleets::stop_fleets;
use crate::error::{ActionError, Doing as _, ErrorClass};
use crate::migration::Migration;
use crate::migration::write_journal::observe;
use crate::ports::{Ports, RollBackOrder, Started};
use crate::reads::deadline::within;
use crate::reads::journal::head_of;
use crate::rollback::begin::{RolledBack, begin_and_return, roll_back_all};
use crate::rollback::by_tags::{GuardedGroups, guarded_groups, remove_these_groups};
use crate::rollback::write_lanes::WriteLanes;
use crossfade_domain::journal::cursor::{Cursor, NextStep};
use crossfade_domain::journal::{Head, Phase, Trigger};
use crossfade_domain::names::{MigrationId, ServiceName};
use crossfade_domain::opinion::{Gate, Opinion, Vote};
use crossfade_domain::rollback::{Cause, only_observes};
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared, join_all};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// How long Step Functions may take to start an execution, in real time.
const START_WITHIN: Duration = Duration::from_secs(5);
/// The most characters of an alarm's reason that go into a cause.
const REASON_CHARACTERS: usize = 300;

/// Takes an `EventBridge` event `CloudWatch Alarm State Change` of a metric, composite or log alarm. One of another
/// account or region is ignored, since its alarm may have a name of ours (invariant 9). It concerns every service that
/// the alarm guards and whose migration is not over and is older than the alarm's change of state. For each of them,
/// side by side, it records the beginning of a rollback, or joins one, and returns the routes, the most loaded of all
/// services first. At the same time it starts each one's `roll-back-service`, which settles and checks every route
/// again. It begins no write after 45 s: what is left then is begun at once by another `roll-back-service`.
/// Returns `{"alarm", "state", "services":
/// [{"service", "migration"?, "did", "execution"?}]}`.
///
/// A fleet that the alarm stops gets a new conductor, which looks at once and finds the alarm firing; the answer has it
/// under `fleets`.
///
/// Where the policy lets the alarms only observe, it records what it would have done, and moves nothing.
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
    if let Some(origin) = change.origin_elsewhere(ports.executions.roll_back_machine().as_deref()) {
        tracing::warn!(alarm = change.alarm, origin, "an alarm of another account or region is ignored");
        return Ok(json!({"alarm": change.alarm, "state": change.state, "services": [], "ignored": origin}));
    }
    let reaction = Reaction::to(ports, &change);
    let guarded = ports.ledger.guarded_by(&change.alarm).await;
    let did = match guarded.doing(|| format!("looking for the services that alarm {} guards", change.alarm)) {
        Ok(services) => reaction.react(services).await,
        Err(error) => reaction.react_by_tags(error).await,
    };
    let (mut reports, mut failure) = (Vec::new(), None);
    for did in did {
        match did {
            Ok(report) => reports.push(report),
            Err(error) => _ = failure.get_or_insert(error),
        }
    }
    // Last, since no route waits for a fleet.
    let fleets = match stop_fleets(ports, &change.alarm).await {
        Ok(fleets) => fleets,
        Err(error) => {
            failure.get_or_insert(error);
            Vec::new()
        }
    };
    let mut report = json!({"alarm": change.alarm, "state": change.state, "services": reports});
    if !fleets.is_empty() {
        report["fleets"] = json!(fleets);
    }
    match failure {
        // The asynchronous invocation is repeated, and what was done is found done.
        Some(error) => Err(error),
        None => Ok(report),
    }
}

/// An alarm's change of state.
struct Change {
    alarm: String,
    state: String,
    reason: String,
    at: Timestamp,
    /// The region and the account that the event names.
    origin: [Option<String>; 2],
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
        let origin = ["/region", "/account"].map(|pointer| text(pointer).map(str::to_owned));
        Ok(Self { alarm, state, reason, at, origin })
    }

    /// Describes where the event is from, if that is not the account and region of `ours`, an ARN. What an event does
    /// not say is taken as ours: an unneeded rollback is better than a missed one.
    fn origin_elsewhere(&self, ours: Option<&str>) -> Option<String> {
        let [region, account] = &self.origin;
        let mut parts = ours?.split(':').skip(3);
        let mut differs =
            |given: &Option<String>| given.as_deref().zip(parts.next()).is_some_and(|(it, own)| it != own);
        let (elsewhere, foreign) = (differs(region), differs(account));
        let told = |given: &Option<String>| given.clone().unwrap_or_else(|| "not named".to_owned());
        (elsewhere || foreign).then(|| format!("account {}, region {}", told(account), told(region)))
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

/// The groups that carry the tag of an alarm, by service; or why they cannot be found. Whoever needs them first reads
/// them, and everyone else waits for the same answer.
type Scan<'a> = Shared<BoxFuture<'a, Result<Arc<GuardedGroups>, ActionError>>>;

/// One event on its way through the services that its alarm guards.
struct Reaction<'a> {
    ports: &'a Ports,
    change: &'a Change,
    lanes: WriteLanes,
    scan: Scan<'a>,
}

/// What was done for a service, as it is reported.
type Did = Result<Value, ActionError>;

/// The state in which a service's migration was found.
enum Found {
    /// What there was to do is done.
    Done(Did),
    /// No route was changed yet.
    Untouched(Box<Migration>),
}

impl<'a> Reaction<'a> {
    fn to(ports: &'a Ports, change: &'a Change) -> Self {
        let scan = async move { guarded_groups(ports, &change.alarm, change.at).await.map(Arc::new) };
        Self { ports, change, lanes: WriteLanes::open(ports), scan: scan.boxed().shared() }
    }

    /// Rolls back all services side by side. None waits for another one's answer, but they share the lanes in which
    /// routes are written. What has not changed a route is taken back at the end: it needs the account's budget of
    /// changes, too, and is in no hurry.
    async fn react(&self, services: Vec<ServiceName>) -> Vec<Did> {
        let all = join_all(services.iter().map(|service| self.roll_back(service)));
        let mut done = Vec::new();
        for found in self.lanes.drive(self.ports, all).await {
            done.push(match found {
                Found::Done(did) => did,
                Found::Untouched(migration) => {
                    let head = migration.head.clone();
                    let answer = roll_back_all(self.ports, *migration, &self.change.cause()).await;
                    self.conclude(&head, answer, None).await
                }
            });
        }
        done
    }

    /// Rolls a service back; without the table where that does not answer.
    async fn roll_back(&self, service: &ServiceName) -> Found {
        let open = match self.find(service).await {
            Ok(Ok(open)) => open,
            Ok(Err(report)) => return Found::Done(Ok(report)),
            Err(error) => return Found::Done(self.roll_back_by_tags(service, error).await),
        };
        if only_observes(&Gate::Alarms, &open.plan, &open.head) {
            return Found::Done(self.observe(open.head).await);
        }
        if open.head.phase == Phase::Planned {
            return Found::Untouched(Box::new(open));
        }
        let over = report(&open.head, OVER_ALREADY);
        let cause = self.change.cause();
        // The execution that continues where this function ends starts at the same time. No route waits for Step
        // Functions. Without a record there is nothing to verify: that machine begins the rollback itself.
        let start = |head: Head, recorded| async move { self.start_for(&head, &roll_back_name(&head), recorded).await };
        let Ok(rolled_back) = begin_and_return(self.ports, &self.lanes, open, &cause, start).await else {
            return Found::Done(Ok(over));
        };
        let RolledBack { head, recorded, beside: started, answer } = rolled_back;
        Found::Done(match (answer, &started) {
            (Err(error), Ok(_)) if !recorded => Err(self.failed(service, error)),
            (answer, _) => self.conclude(&head, answer, Some(started)).await,
        })
    }

    /// A service's open migration; or the report where there is nothing to roll back.
    async fn find(&self, service: &ServiceName) -> Result<Result<Migration, Value>, ActionError> {
        let head = head_of(self.ports, service).await?;
        let Some(head) = head.filter(|head| !head.phase.is_over()) else {
            return Ok(Err(json!({"service": service, "did": "nothing: no migration is open"})));
        };
        if self.change.at < head.since {
            return Ok(Err(report(&head, "nothing: the alarm changed before the migration began")));
        }
        Migration::of(self.ports, head).await.map(Ok)
    }

    /// Records what the alarm would have done to a service whose alarms only observe. Moves nothing.
    async fn observe(&self, mut head: Head) -> Did {
        let Cause { cause, caused_at, .. } = self.change.cause();
        let opinion = Opinion { caused_at: Some(caused_at), ..Opinion::new(Gate::Alarms, Vote::RollBack, cause) };
        match observe(self.ports, &mut head, &[opinion]).await {
            Err(error) if error.class() != ErrorClass::Superseded => Err(error),
            _ => Ok(report(&head, "nothing: the alarms of this service only observe")),
        }
    }

    /// Reports the result for a service. Where its routes are not back, `roll-back-service` begins at once with what
    /// is left, and retries for half an hour what this function may retry for seconds.
    async fn conclude(
        &self,
        head: &Head,
        answer: Result<Cursor, ActionError>,
        started: Option<Result<String, ActionError>>,
    ) -> Did {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if error.class() == ErrorClass::Superseded => return Ok(report(head, OVER_ALREADY)),
            Err(error) => {
                let again = self.start_for(head, &format!("{}-again", roll_back_name(head)), false).await;
                tracing::warn!(service = %head.service, ?again, "the rollback continues in roll-back-service");
                return Err(self.failed(&head.service, error));
            }
        };
        let did = match answer.verdict {
            NextStep::Refused => return Ok(report(head, "taken back before its first change")),
            NextStep::Halt => return Ok(report(head, "halted: an operator must decide")),
            _ => "rolled back; the second look follows",
        };
        let name = roll_back_name(&Head { generation: answer.generation, ..head.clone() });
        let started = match started {
            Some(Ok(execution)) => Ok(execution),
            _ => self.start_for(head, &name, true).await,
        };
        let execution = started.map_err(|error| self.failed(&head.service, error))?;
        let mut report = report(head, did);
        report["execution"] = json!(execution);
        Ok(report)
    }

    /// Rolls back everything that the alarm guards by the tags of the new groups. `table` is the reason. It is also the
    /// error where no group has the alarm's tag, and then the event is delivered again.
    async fn react_by_tags(&self, table: ActionError) -> Vec<Did> {
        match self.scan.clone().await {
            Ok(guarded) if !guarded.is_empty() => {
                let mut done = Vec::new();
                for service in guarded.keys() {
                    done.push(self.roll_back_by_tags(service, table.clone()).await);
                }
                done
            }
            Ok(_) => vec![Err(table)],
            Err(error) => {
                tracing::error!(alarm = self.change.alarm, error = error.chain(), "reacting without the table failed");
                vec![Err(table)]
            }
        }
    }

    /// Rolls one service back by the tags of its new groups, as [`Reaction::react_by_tags`] does.
    async fn roll_back_by_tags(&self, service: &ServiceName, table: ActionError) -> Did {
        tracing::error!(%service, alarm = self.change.alarm, error = table.chain(), "reacting without the table");
        let groups = match self.scan.clone().await {
            Ok(guarded) => guarded.get(service).cloned().unwrap_or_default(),
            Err(error) => {
                tracing::error!(%service, error = error.chain(), "reacting without the table failed");
                return Err(table);
            }
        };
        let nothing_found = groups.is_empty();
        let taken = remove_these_groups(self.ports, groups).await;
        // In any case: the machine retries for longer, and it is what begins the rollback in the journal.
        let name = format!("{service}-alarm-{}", self.change.at.as_second());
        let started = self.start(service, None, &name, false).await;
        let taken = taken.and_then(|taken| started.map(|_| taken)).map_err(|error| self.failed(service, error))?;
        if nothing_found {
            return Err(table);
        }
        Ok(json!({"service": service, "execution": name, "left": taken.stuck,
            "did": format!("returned {} routes without the table; the rollback follows", taken.written)}))
    }

    /// Starts `roll-back-service` for a migration, as [`Reaction::start`] does.
    async fn start_for(&self, head: &Head, name: &str, returned_already: bool) -> Result<String, ActionError> {
        self.start(&head.service, Some(&head.migration), name, returned_already).await
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
        let doing = || format!("starting the rollback of {service} in {name}");
        let start = async { self.ports.executions.start_roll_back(name, &order).await.doing(doing) };
        Ok(match within(self.ports, START_WITHIN, doing, start).await? {
            Started::New(arn) => arn,
            Started::Already => name.to_owned(),
        })
    }

    /// Reports that a service could not be rolled back here.
    fn failed(&self, service: &ServiceName, error: ActionError) -> ActionError {
        tracing::error!(%service, alarm = self.change.alarm, error = error.chain(), "not rolled back");
        error
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
