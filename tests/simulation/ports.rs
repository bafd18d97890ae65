//! The ports of one invocation: every call takes time, is counted, may go wrong, and is watched.

mod auto_scaling;
mod balancers;
pub(crate) mod calls;
pub(crate) mod port_fault;
mod rules;
mod sdk;
mod table;

use self::port_fault::PortFault;
use self::sdk::{Patience, Transient};
use super::account::{Account, Order};
use super::breakage::Breakage;
use super::timers::{Sleep, VirtualClock, at_once};
use super::watch::{ALARMS, FIRINGS, METRICS};
use super::wiring::{self, service, timeout_seconds};
use crossfade_actions::ports::{
    Alarms, ChangeCalendars, ExecutionStatus, Executions, GroupAlarm, Ledger as _, LedgerError, Metrics,
    MigrationOrder, PortError, Ports, RetireOrder, RollBackOrder, Routes as _, Started,
};
use crossfade_domain::alarms::alarm::{Alarm, Firing};
use crossfade_domain::alarms::guard_alarm::NewAlarm;
use crossfade_domain::journal::cursor::NextStep;
use crossfade_domain::journal::{Event, EventKind, Head};
use crossfade_domain::load_balancer::action::Action;
use crossfade_domain::load_balancer::group::Tags;
use crossfade_domain::load_balancer::metric_query::{DataPoints, MetricQuery};
use crossfade_domain::load_balancer::route::RouteId;
use crossfade_domain::names::ServiceName;
use crossfade_domain::windows::CalendarState;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

/// How long what was created with [`PortFault::KnownLate`] is not found.
const KNOWN_AFTER: SignedDuration = SignedDuration::from_secs(20);

/// Who calls.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(super) invocation: u64,
    pub(super) function: &'static str,
    pub(super) started: Timestamp,
    pub(super) deadline: Timestamp,
}

impl Caller {
    /// The next invocation, which begins now.
    pub(crate) fn new(account: &Account, function: &'static str) -> Self {
        let started = account.now();
        let deadline = started + SignedDuration::from_secs(timeout_seconds(function));
        Self { invocation: account.next_invocation(), function, started, deadline }
    }
}

pub(super) struct SimulatedPorts {
    pub(super) account: Arc<Account>,
    pub(super) caller: Caller,
}

/// The ports of an invocation.
pub(crate) fn ports(account: &Arc<Account>, caller: Caller) -> Ports {
    let ports = Arc::new(SimulatedPorts { account: Arc::clone(account), caller });
    Ports {
        routes: ports.clone(),
        rules: ports.clone(),
        probes: ports.clone(),
        survey: ports.clone(),
        target_groups: ports.clone(),
        tagging: ports.clone(),
        auto_scaling: ports.clone(),
        alarms: ports.clone(),
        metrics: ports.clone(),
        calendars: ports.clone(),
        ledger: ports.clone(),
        fleets: ports.clone(),
        executions: ports,
        clock: Arc::new(VirtualClock(Arc::clone(account))),
        scan: Arc::default(),
    }
}

impl SimulatedPorts {
    pub(super) async fn call<T, E>(
        &self,
        verb: &'static str,
        object: &str,
        effect: impl Fn() -> Result<T, E> + Sync,
    ) -> Result<T, E>
    where
        T: Debug + Send,
        E: From<PortError> + Transient + Debug + Send,
    {
        if !self.account.has_the_sdks_retries {
            return self.attempt(verb, object, &effect).await;
        }
        Patience::of(verb).spend(&self.account, (verb, object), || self.attempt(verb, object, &effect)).await
    }

    /// One request.
    async fn attempt<T, E>(
        &self,
        verb: &'static str,
        object: &str,
        effect: &(impl Fn() -> Result<T, E> + Sync),
    ) -> Result<T, E>
    where
        T: Debug + Send,
        E: From<PortError> + Debug + Send,
    {
        let account = &self.account;
        let (number, fault) = account.calls.begin(self.caller.invocation, self.caller.function, verb);
        let half = account.half_call(verb);
        self.note(verb, object);
        account.tell(|| {
            let what = fault.map(|fault| format!("  <-- {fault}")).unwrap_or_default();
            let Caller { invocation, function, .. } = self.caller;
            format!("call {number:3} of {function} #{invocation}: {verb} {}{what}", short(object))
        });
        let lost = || PortError::Unavailable { operation: verb, object: object.to_owned(), detail: "no answer".into() };
        match fault {
            Some(PortFault::DiesBefore) => {
                account.order(Order::Kill(self.caller.invocation));
                std::future::pending::<()>().await;
            }
            Some(PortFault::Stopped) => account.order(Order::Stop(self.caller.invocation)),
            Some(alarm) if alarm.is_alarm() => account.order(Order::Alarm(alarm)),
            // The client gives the request up, and calls again or not.
            Some(PortFault::Hangs) if account.has_the_sdks_retries => std::future::pending().await,
            Some(PortFault::Hangs) => {
                account.order(Order::Hang(self.caller.invocation));
                Sleep::until(account, self.caller.deadline + SignedDuration::from_secs(5)).await;
                let late = effect();
                account.tell(|| format!("call {number:3} takes effect late: {}", outcome(&late)));
                account.order(Order::Kill(self.caller.invocation));
                std::future::pending::<()>().await;
            }
            _ => {}
        }
        Sleep::lasting(account, half).await;
        let answer = match fault {
            Some(PortFault::Throttled) => {
                Err(PortError::Throttled { operation: verb, object: object.to_owned() }.into())
            }
            Some(PortFault::Denied) => {
                let detail = "not authorized to perform this".to_owned();
                Err(PortError::Denied { operation: verb, object: object.to_owned(), detail }.into())
            }
            Some(PortFault::FailsBefore) => Err(lost().into()),
            Some(PortFault::FailsAfter) => effect().and_then(|_| Err(lost().into())),
            Some(PortFault::Twice) => effect().and_then(|_| effect()),
            Some(PortFault::DiesAfter) => {
                let done = effect();
                account.tell(|| format!("call {number:3}: {}, and the function dies", outcome(&done)));
                account.order(Order::Kill(self.caller.invocation));
                std::future::pending().await
            }
            Some(PortFault::KnownLate) => {
                account.world.settle_after(KNOWN_AFTER);
                let done = effect();
                account.world.settle_after(SignedDuration::ZERO);
                done
            }
            _ => effect(),
        };
        Sleep::lasting(account, half).await;
        if answer.is_err() {
            account.tell(|| format!("call {number:3}: {}", outcome(&answer)));
        }
        answer
    }

    /// A call that no gate must do without: as long as it has not answered, it counts as unread.
    async fn asked<T: Debug + Send>(
        &self,
        verb: &'static str,
        object: &str,
        read: impl Fn() -> Result<T, PortError> + Sync,
    ) -> Result<T, PortError> {
        let invocation = self.caller.invocation;
        self.account.tell_watch(|watch| watch.asked(invocation, verb));
        let answer = self.call(verb, object, read).await;
        if answer.is_ok() {
            self.account.tell_watch(|watch| watch.answered(invocation, verb));
        }
        answer
    }

    /// A rule and a default action are different things to whoever allows a call.
    fn note(&self, verb: &'static str, object: &str) {
        let note = |what| self.account.calls.note(self.caller.function, what);
        match verb {
            "read_routes" | "write_route" => {
                let write = verb == "write_route";
                if object.contains(":listener-rule/") {
                    note(if write { "write_route of a rule" } else { "read_routes of rules" });
                }
                if object.contains(":listener/") {
                    note(if write { "write_route of a default action" } else { "read_routes of default actions" });
                }
            }
            "status" => note(match object.rsplit(':').nth(1) {
                Some(wiring::MIGRATE_FLEET) => "status of a conductor",
                Some(wiring::ROLL_BACK) => "status of a rollback",
                Some(wiring::RETIRE) => "status of a retirement",
                _ => "status of a migration",
            }),
            // No call of AWS.
            "ask" => {}
            // The rules of internal routes are others, with other tags.
            "create_rule" if self.caller.function != "create-route" => note("create_rule of a probe"),
            "delete_rule" if self.caller.function != "create-route" => note("delete_rule of a probe"),
            other => note(other),
        }
    }

    fn broken(&self, breakage: Breakage) -> bool {
        self.account.breakage == Some(breakage)
    }

    /// What the table now says is looked at after every write.
    fn after_write(&self) {
        self.account.tell_watch(|watch| watch.table_written(&self.account.ledger.snapshot()));
    }

    fn recorded(&self, event: &Event) {
        let name = match &event.kind {
            EventKind::GroupsCreated { .. } => "groups created".to_owned(),
            EventKind::ShiftIntended { step, .. } => format!("intended {step}"),
            EventKind::Shifted { step, .. } => format!("shifted {step}"),
            EventKind::RollbackBegun { .. } => "rollback begun".to_owned(),
            EventKind::RoutesReturned { .. } => "routes returned".to_owned(),
            EventKind::TargetsChecked { .. } => "targets checked".to_owned(),
            EventKind::ProbesOffered { .. } => "probes offered".to_owned(),
            EventKind::ProbesReported { .. } => "probes reported".to_owned(),
            EventKind::Halted { .. } => "halted".to_owned(),
            EventKind::Finished { .. } => "finished".to_owned(),
            EventKind::RollbackVerified { .. } => "rolled back".to_owned(),
            EventKind::Judged { verdict: NextStep::Advance, .. } => "judged advance".to_owned(),
            _ => String::new(),
        };
        self.account.tell(|| format!("          journal {}: {:?}", event.sequence, event.kind));
        self.account.tell_watch(|watch| {
            if let EventKind::Shifted { step, .. } = &event.kind {
                watch.shift_counted(&self.caller, *step);
            }
            watch.recorded(&event.kind, event.at);
            if matches!(event.kind, EventKind::Resumed { .. }) {
                let missing = watch.setup.alarms().find(|alarm| !self.account.has_alarm(alarm)).map(str::to_owned);
                watch.expect(9, missing.is_none(), || format!("resumed without alarm {missing:?}"));
            }
        });
        self.account.order(Order::Recorded(name));
        let in_rollback = self.account.head().is_some_and(|head| head.rollback.is_some());
        if in_rollback && matches!(event.kind, EventKind::Halted { .. }) {
            self.account.order(Order::Recorded("halted in a rollback".to_owned()));
        }
    }

    fn write(&self, route: &RouteId, actions: &[Action]) -> Result<(), PortError> {
        let before = self.account.live(route);
        at_once(self.account.world.write_route(route, actions))?;
        let after = self.account.live(route);
        if let (Some(before), Some(after)) = (before, after) {
            self.account.tell(|| {
                format!("          {}: {}", route.describe(), crossfade_domain::routing::drift::describe(&after))
            });
            self.account.tell_watch(|watch| watch.wrote(&self.account, &self.caller, route, &before, &after));
        }
        Ok(())
    }

    fn record_event(&self, before: &Head, event: &Event, after: &Head) -> Result<(), LedgerError> {
        if self.broken(Breakage::JournalLosesLines) && matches!(event.kind, EventKind::TargetsChecked { .. }) {
            self.breach(|items| {
                items.heads.insert(after.service.clone(), after.clone());
            });
            self.after_write();
            return Ok(());
        }
        if self.broken(Breakage::NoGenerationCheck) {
            self.record_without_generation(event, after);
            return Ok(());
        }
        let mut after = after.clone();
        if self.broken(Breakage::ResumeKeepsGeneration) && matches!(event.kind, EventKind::Resumed { .. }) {
            after.generation = before.generation;
        }
        self.write_event(event, || at_once(self.account.ledger.record(before, event, &after)))
    }

    /// Writes an event to the table, and looks at the table after it. An event that an earlier attempt has written is
    /// not recorded again.
    fn write_event<E>(&self, event: &Event, write: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        let known = self.knows(event);
        write()?;
        if !known && self.knows(event) {
            self.recorded(event);
        }
        self.after_write();
        Ok(())
    }

    /// As if nobody had asked to accept anything.
    fn record_without_revision(&self, before: &Head, event: &Event) -> Result<(), LedgerError> {
        let mut event = event.clone();
        if let EventKind::Resumed { accepted, .. } = &mut event.kind {
            accepted.clear();
        }
        let after = before.apply(&event).expect("a halted migration is resumed");
        self.record_event(before, &event, &after)
    }

    fn record_without_generation(&self, event: &Event, after: &Head) {
        let Some(stored) = self.account.head() else { return };
        let mut event = event.clone();
        event.sequence = stored.sequence + 1;
        let mut after = after.clone();
        after.sequence = event.sequence;
        self.breach(|items| {
            items.heads.insert(after.service.clone(), after.clone());
            items.journals.entry(event.migration.clone()).or_default().push(event.clone());
        });
        self.recorded(&event);
        self.after_write();
    }

    /// Whether the table has an event. The world's table finds a journal by its migration alone.
    fn knows(&self, event: &Event) -> bool {
        at_once(self.account.ledger.events(&service(), &event.migration)).unwrap().contains(event)
    }

    fn breach(&self, change: impl FnOnce(&mut crossfade_world::ledger::Items)) {
        let mut items = self.account.ledger.snapshot();
        change(&mut items);
        self.account.ledger.restore(items);
    }
}

fn short(object: &str) -> &str {
    object.rsplit(':').next().unwrap_or(object)
}

fn outcome<T: Debug, E: Debug>(answer: &Result<T, E>) -> String {
    match answer {
        Ok(_) => "done".to_owned(),
        Err(error) => format!("{error:?}"),
    }
}

#[async_trait::async_trait]
impl Alarms for SimulatedPorts {
    async fn alarms(&self, names: &[String]) -> Result<Vec<Alarm>, PortError> {
        let read = || at_once(Alarms::alarms(&*self.account.world, names));
        let answer = self.asked(ALARMS, &names.join(", "), read).await;
        match self.account.breakage {
            Some(breakage) => breakage.of_alarms(self.caller.function, names, answer),
            None => answer,
        }
    }

    async fn alarms_on_groups(&self) -> Result<Vec<GroupAlarm>, PortError> {
        self.call("alarms_on_groups", "", || at_once(self.account.world.alarms_on_groups())).await
    }

    fn guard_prefix(&self) -> String {
        self.account.world.guard_prefix()
    }

    async fn alarm_tags(&self, names: &[String]) -> Result<BTreeMap<String, Tags>, PortError> {
        let read = || at_once(self.account.world.alarm_tags(names));
        self.call("alarm_tags", &names.join(", "), read).await
    }

    async fn put_alarm(&self, alarm: &NewAlarm) -> Result<(), PortError> {
        let world = &self.account.world;
        let put = || {
            at_once(world.put_alarm(alarm))?;
            if let Some(breakage) = self.account.breakage {
                breakage.of_new_alarm(world, &alarm.name);
            }
            Ok(())
        };
        self.call("put_alarm", &alarm.name, put).await
    }

    async fn delete_alarms(&self, names: &[String]) -> Result<(), PortError> {
        let delete = || at_once(self.account.world.delete_alarms(names));
        self.call("delete_alarms", &names.join(", "), delete).await
    }

    async fn firings(&self, names: &[String], since: Timestamp) -> Result<Vec<Firing>, PortError> {
        let read = || at_once(self.account.world.firings(names, since));
        let answer = self.asked(FIRINGS, &names.join(", "), read).await;
        match self.account.breakage {
            Some(breakage) => breakage.of_firings(answer),
            None => answer,
        }
    }
}

#[async_trait::async_trait]
impl Metrics for SimulatedPorts {
    async fn data(
        &self,
        queries: &[MetricQuery],
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<DataPoints>, PortError> {
        let read = || at_once(self.account.world.data(queries, since, until));
        let mut answer = self.asked(METRICS, &format!("{} queries", queries.len()), read).await;
        if self.caller.function == "check-alarms"
            && let Ok(points) = &answer
        {
            let now = self.account.now();
            self.account.tell_watch(|watch| watch.metrics_read(self.caller.invocation, queries, points, (until, now)));
        }
        if let (Some(breakage), Ok(points)) = (self.account.breakage, &mut answer) {
            breakage.of_counts(&self.caller, queries, since, points);
        }
        match answer {
            Err(_) if self.broken(Breakage::UnreadableMetricsAreQuiet) => Ok(vec![DataPoints::new(); queries.len()]),
            answer => answer,
        }
    }
}

#[async_trait::async_trait]
impl ChangeCalendars for SimulatedPorts {
    async fn calendar(&self, name: &str) -> Result<CalendarState, PortError> {
        self.call("calendar", name, || at_once(self.account.world.calendar(name))).await
    }
}

#[async_trait::async_trait]
impl Executions for SimulatedPorts {
    fn roll_back_machine(&self) -> Option<String> {
        self.account.machines.roll_back_machine()
    }

    async fn start_roll_back(&self, name: &str, order: &RollBackOrder) -> Result<Started, PortError> {
        let effect = || at_once(self.account.machines.start_roll_back(name, order));
        self.call("start_roll_back", name, effect).await
    }

    async fn start_resumed(&self, service: &ServiceName, execution: &str) -> Result<Started, PortError> {
        let effect = || at_once(self.account.machines.start_resumed(service, execution));
        self.call("start_resumed", execution, effect).await
    }

    fn migration_execution(&self, name: &str) -> Option<String> {
        self.account.machines.migration_execution(name)
    }

    async fn start_migration(&self, name: &str, order: &MigrationOrder) -> Result<Started, PortError> {
        self.call("start_migration", name, || at_once(self.account.machines.start_migration(name, order))).await
    }

    fn retirement_execution(&self, name: &str) -> Option<String> {
        self.account.machines.retirement_execution(name)
    }

    async fn start_retirement(&self, name: &str, order: &RetireOrder) -> Result<Started, PortError> {
        self.call("start_retirement", name, || at_once(self.account.machines.start_retirement(name, order))).await
    }

    async fn start_conductor(&self, fleet: &str, execution: &str) -> Result<Started, PortError> {
        let effect = || at_once(self.account.machines.start_conductor(fleet, execution));
        self.call("start_conductor", execution, effect).await
    }

    async fn status(&self, execution: &str) -> Result<ExecutionStatus, PortError> {
        let effect = || {
            if self.broken(Breakage::DeadExecutionsLookAlive) {
                return Ok(ExecutionStatus::Running);
            }
            at_once(self.account.machines.status(execution))
        };
        let status = self.call("status", execution, effect).await?;
        Ok(match self.account.breakage {
            Some(breakage) => breakage.of_status(&self.caller, execution, status),
            None => status,
        })
    }

    async fn stop(&self, execution: &str, cause: &str) -> Result<(), PortError> {
        self.call("stop", execution, || at_once(self.account.machines.stop(execution, cause))).await
    }
}
