//! Faults of AWS itself: ports that count every call and treat a chosen one badly.
//!
//! A call is one of the ports' verbs. What a fault leaves behind is what the caller must live with: a call that failed
//! before its effect did nothing, one whose answer was lost did everything.

use crossfade_actions::ports::{
    Alarms, Clock, ExecutionStatus, Executions, Ledger, LedgerError, Listener, LoadBalancer, Metrics, NewGroup,
    PortError, Ports, RollBackOrder, Routes, Started, Tagging, TakeError, TargetGroups,
};
use crossfade_domain::alarms::alarm::{Alarm, Firing};
use crossfade_domain::alarms::guard::NewAlarm;
use crossfade_domain::journal::{Event, Head};
use crossfade_domain::load_balancer::action::Action;
use crossfade_domain::load_balancer::group::{Attributes, Tags, Target, TargetGroup, TargetHealth};
use crossfade_domain::load_balancer::metric_query::{DataPoints, MetricQuery};
use crossfade_domain::load_balancer::route::{Route, RouteId};
use crossfade_domain::names::{ListenerArn, LoadBalancerArn, MigrationId, ServiceName, TargetGroupArn};
use crossfade_domain::plan::Plan;
use crossfade_domain::planner::inventory::RouteHolder;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
use std::future::Future;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Throttled: no effect.
    Throttled,
    /// No answer and no effect.
    LostRequest,
    /// It takes effect, but the answer is lost.
    LostAnswer,
    /// It takes effect twice: a client's retry after a lost answer.
    Twice,
    /// The role may not do this: no effect.
    Denied,
    /// Nobody answers, without an effect; the function lives on and may stop waiting.
    Hangs,
    /// The function dies before the call: it never comes back and has no effect.
    DiesBefore,
    /// The function dies after the call took effect: it never comes back.
    DiesAfter,
}

/// Something that happens in the world between two calls of a function.
type Interlude = Box<dyn FnOnce() + Send>;

/// Counts calls and injects faults. Shared by every port that [`Faults::inject`] wraps.
#[derive(Default)]
pub struct Faults {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    calls: Vec<&'static str>,
    by_number: Vec<(Range<usize>, Fault)>,
    by_verb: Vec<(&'static str, Fault)>,
    interludes: Vec<(usize, Interlude)>,
    /// The process died at a call: it makes no other, and does not wait for anything either.
    dead: bool,
}

impl Faults {
    /// Treats the `number`-th call (from 0) with `fault`.
    pub fn at(&self, number: usize, fault: Fault) {
        self.during(number..number + 1, fault);
    }

    /// Treats every call of a range of numbers (from 0) with `fault`.
    pub fn during(&self, numbers: Range<usize>, fault: Fault) {
        self.state().by_number.push((numbers, fault));
    }

    /// Lets something happen right before the `number`-th call (from 0), while its function waits to make it.
    pub fn before(&self, number: usize, happens: impl FnOnce() + Send + 'static) {
        self.state().interludes.push((number, Box::new(happens)));
    }

    /// Treats every call of a verb, such as `write_route`, with `fault` until [`Faults::clear`].
    pub fn always(&self, verb: &'static str, fault: Fault) {
        self.state().by_verb.push((verb, fault));
    }

    /// No more faults; the count goes on.
    pub fn clear(&self) {
        let mut state = self.state();
        state.by_number.clear();
        state.by_verb.clear();
    }

    /// Another process makes the calls from now on.
    pub fn next_process(&self) {
        self.state().dead = false;
    }

    /// The verbs called so far, in order.
    pub fn calls(&self) -> Vec<&'static str> {
        self.state().calls.clone()
    }

    /// The same ports, with faults.
    pub fn inject(self: &Arc<Self>, ports: &Ports) -> Ports {
        let faulty = Arc::new(Faulty { inner: ports.clone(), faults: Arc::clone(self) });
        Ports {
            routes: faulty.clone(),
            target_groups: faulty.clone(),
            tagging: faulty.clone(),
            alarms: faulty.clone(),
            metrics: faulty.clone(),
            ledger: faulty.clone(),
            executions: faulty.clone(),
            clock: faulty,
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, verb: &'static str) -> Option<Fault> {
        let (number, interlude) = {
            let mut state = self.state();
            let number = state.calls.len();
            let due = state.interludes.iter().position(|(before, _)| *before == number);
            (number, due.map(|index| state.interludes.swap_remove(index).1))
        };
        // Not under the lock: what happens may use these ports itself.
        if let Some(happens) = interlude {
            happens();
        }
        let mut state = self.state();
        state.calls.push(verb);
        let numbered = state.by_number.iter().find(|(numbers, _)| numbers.contains(&number)).map(|(_, fault)| *fault);
        numbered.or_else(|| state.by_verb.iter().find(|(faulty, _)| *faulty == verb).map(|(_, fault)| *fault))
    }

    async fn call<T, E, F>(&self, verb: &'static str, object: &str, call: impl Fn() -> F) -> Result<T, E>
    where
        E: From<PortError>,
        F: Future<Output = Result<T, E>>,
    {
        self.unless_dead().await;
        let object = || object.to_owned();
        let lost = || PortError::Unavailable { operation: verb, object: object(), detail: "no answer".to_owned() };
        match self.count(verb) {
            None => call().await,
            Some(Fault::Throttled) => Err(PortError::Throttled { operation: verb, object: object() }.into()),
            Some(Fault::LostRequest) => Err(lost().into()),
            Some(Fault::LostAnswer) => {
                call().await?;
                Err(lost().into())
            }
            Some(Fault::Twice) => {
                call().await?;
                call().await
            }
            Some(Fault::Denied) => {
                Err(PortError::Denied { operation: verb, object: object(), detail: "not authorized".to_owned() }.into())
            }
            Some(Fault::Hangs) => std::future::pending().await,
            Some(Fault::DiesBefore) => self.die().await,
            Some(Fault::DiesAfter) => {
                let _effect = call().await;
                self.die().await
            }
        }
    }

    async fn die<T>(&self) -> T {
        self.state().dead = true;
        std::future::pending().await
    }

    async fn unless_dead(&self) {
        let dead = self.state().dead;
        if dead {
            std::future::pending::<()>().await;
        }
    }
}

/// A take's errors hold the ledger's, which hold the port's.
struct Take(TakeError);

impl From<PortError> for Take {
    fn from(error: PortError) -> Self {
        Self(TakeError::Ledger(LedgerError::Port(error)))
    }
}

struct Faulty {
    inner: Ports,
    faults: Arc<Faults>,
}

#[async_trait::async_trait]
impl Clock for Faulty {
    fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    async fn pause(&self, duration: Duration) {
        self.faults.unless_dead().await;
        self.inner.clock.pause(duration).await;
    }

    fn real(&self) -> Duration {
        self.inner.clock.real()
    }

    async fn real_pause(&self, duration: Duration) {
        self.faults.unless_dead().await;
        self.inner.clock.real_pause(duration).await;
    }
}

#[async_trait::async_trait]
impl Routes for Faulty {
    async fn load_balancers(&self, arns: &[LoadBalancerArn]) -> Result<Vec<LoadBalancer>, PortError> {
        let object = arns.iter().map(LoadBalancerArn::as_str).collect::<Vec<_>>().join(", ");
        self.faults.call("load_balancers", &object, || self.inner.routes.load_balancers(arns)).await
    }

    async fn listeners(&self, load_balancer: &LoadBalancerArn) -> Result<Vec<Listener>, PortError> {
        let inner = &self.inner.routes;
        self.faults.call("listeners", load_balancer.as_str(), || inner.listeners(load_balancer)).await
    }

    async fn routes(&self, listener: &ListenerArn) -> Result<Vec<Route>, PortError> {
        self.faults.call("routes", listener.as_str(), || self.inner.routes.routes(listener)).await
    }

    async fn read_routes(&self, routes: &[RouteId]) -> Result<Vec<Route>, PortError> {
        let object = routes.iter().map(RouteId::as_str).collect::<Vec<_>>().join(", ");
        self.faults.call("read_routes", &object, || self.inner.routes.read_routes(routes)).await
    }

    async fn write_route(&self, route: &RouteId, actions: &[Action]) -> Result<(), PortError> {
        let inner = &self.inner.routes;
        self.faults.call("write_route", route.as_str(), || inner.write_route(route, actions)).await
    }
}

#[async_trait::async_trait]
impl TargetGroups for Faulty {
    async fn target_groups(&self, names_or_arns: &[String]) -> Result<Vec<TargetGroup>, PortError> {
        let object = names_or_arns.join(", ");
        self.faults.call("target_groups", &object, || self.inner.target_groups.target_groups(names_or_arns)).await
    }

    async fn target_groups_of(&self, load_balancer: &LoadBalancerArn) -> Result<Vec<TargetGroup>, PortError> {
        let inner = &self.inner.target_groups;
        self.faults.call("target_groups_of", load_balancer.as_str(), || inner.target_groups_of(load_balancer)).await
    }

    async fn attributes(&self, group: &TargetGroupArn) -> Result<Attributes, PortError> {
        self.faults.call("attributes", group.as_str(), || self.inner.target_groups.attributes(group)).await
    }

    async fn set_attributes(&self, group: &TargetGroupArn, attributes: &Attributes) -> Result<(), PortError> {
        let inner = &self.inner.target_groups;
        self.faults.call("set_attributes", group.as_str(), || inner.set_attributes(group, attributes)).await
    }

    async fn health(&self, group: &TargetGroupArn) -> Result<Vec<TargetHealth>, PortError> {
        self.faults.call("health", group.as_str(), || self.inner.target_groups.health(group)).await
    }

    async fn create_group(&self, group: &NewGroup) -> Result<TargetGroup, PortError> {
        self.faults.call("create_group", &group.name, || self.inner.target_groups.create_group(group)).await
    }

    async fn delete_group(&self, group: &TargetGroupArn) -> Result<(), PortError> {
        self.faults.call("delete_group", group.as_str(), || self.inner.target_groups.delete_group(group)).await
    }

    async fn register(&self, group: &TargetGroupArn, targets: &[Target]) -> Result<(), PortError> {
        let inner = &self.inner.target_groups;
        self.faults.call("register", group.as_str(), || inner.register(group, targets)).await
    }
}

#[async_trait::async_trait]
impl Tagging for Faulty {
    fn stack(&self) -> String {
        self.inner.tagging.stack()
    }

    async fn groups_of_service(&self, service: &ServiceName) -> Result<Vec<(TargetGroup, Tags)>, PortError> {
        let inner = &self.inner.tagging;
        self.faults.call("groups_of_service", service.as_str(), || inner.groups_of_service(service)).await
    }

    async fn groups_guarded_by(&self, alarm: &str) -> Result<Vec<(TargetGroup, Tags)>, PortError> {
        let inner = &self.inner.tagging;
        self.faults.call("groups_guarded_by", alarm, || inner.groups_guarded_by(alarm)).await
    }

    async fn add_tags(&self, group: &TargetGroupArn, tags: &Tags) -> Result<(), PortError> {
        let inner = &self.inner.tagging;
        self.faults.call("add_tags", group.as_str(), || inner.add_tags(group, tags)).await
    }

    async fn remove_tags(&self, group: &TargetGroupArn, keys: &[String]) -> Result<(), PortError> {
        let inner = &self.inner.tagging;
        self.faults.call("remove_tags", group.as_str(), || inner.remove_tags(group, keys)).await
    }

    async fn tags(&self, arns: &[String]) -> Result<BTreeMap<String, Tags>, PortError> {
        self.faults.call("tags", &arns.join(", "), || self.inner.tagging.tags(arns)).await
    }
}

#[async_trait::async_trait]
impl Alarms for Faulty {
    async fn alarms(&self, names: &[String]) -> Result<Vec<Alarm>, PortError> {
        self.faults.call("alarms", &names.join(", "), || self.inner.alarms.alarms(names)).await
    }

    async fn firings(&self, names: &[String], since: Timestamp) -> Result<Vec<Firing>, PortError> {
        self.faults.call("firings", &names.join(", "), || self.inner.alarms.firings(names, since)).await
    }

    fn guard_prefix(&self) -> String {
        self.inner.alarms.guard_prefix()
    }

    async fn alarm_tags(&self, names: &[String]) -> Result<BTreeMap<String, Tags>, PortError> {
        self.faults.call("alarm_tags", &names.join(", "), || self.inner.alarms.alarm_tags(names)).await
    }

    async fn put_alarm(&self, alarm: &NewAlarm) -> Result<(), PortError> {
        self.faults.call("put_alarm", &alarm.name, || self.inner.alarms.put_alarm(alarm)).await
    }

    async fn delete_alarms(&self, names: &[String]) -> Result<(), PortError> {
        self.faults.call("delete_alarms", &names.join(", "), || self.inner.alarms.delete_alarms(names)).await
    }
}

#[async_trait::async_trait]
impl Metrics for Faulty {
    async fn data(
        &self,
        queries: &[MetricQuery],
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<DataPoints>, PortError> {
        let object = format!("{} queries", queries.len());
        self.faults.call("metric_data", &object, || self.inner.metrics.data(queries, since, until)).await
    }
}

#[async_trait::async_trait]
impl Ledger for Faulty {
    async fn head(&self, service: &ServiceName) -> Result<Option<Head>, LedgerError> {
        self.faults.call("head", service.as_str(), || self.inner.ledger.head(service)).await
    }

    async fn open_heads(&self) -> Result<Vec<Head>, LedgerError> {
        self.faults.call("open_heads", "open migrations", || self.inner.ledger.open_heads()).await
    }

    async fn plan(&self, service: &ServiceName, migration: &MigrationId) -> Result<Option<Plan>, LedgerError> {
        self.faults.call("plan", migration.as_str(), || self.inner.ledger.plan(service, migration)).await
    }

    async fn revised_plan(
        &self,
        service: &ServiceName,
        migration: &MigrationId,
        generation: u64,
    ) -> Result<Option<Plan>, LedgerError> {
        let inner = &self.inner.ledger;
        let read = || inner.revised_plan(service, migration, generation);
        self.faults.call("revised_plan", migration.as_str(), read).await
    }

    async fn events(&self, service: &ServiceName, migration: &MigrationId) -> Result<Vec<Event>, LedgerError> {
        self.faults.call("events", migration.as_str(), || self.inner.ledger.events(service, migration)).await
    }

    async fn take(&self, previous: Option<&Head>, head: &Head, plan: &Plan, event: &Event) -> Result<(), TakeError> {
        let inner = &self.inner.ledger;
        let take = || async { inner.take(previous, head, plan, event).await.map_err(Take) };
        self.faults.call("take", head.migration.as_str(), take).await.map_err(|Take(error)| error)
    }

    async fn record(&self, before: &Head, event: &Event, after: &Head) -> Result<(), LedgerError> {
        let inner = &self.inner.ledger;
        self.faults.call("record", before.migration.as_str(), || inner.record(before, event, after)).await
    }

    async fn revise(&self, before: &Head, event: &Event, after: &Head, plan: &Plan) -> Result<(), LedgerError> {
        let inner = &self.inner.ledger;
        self.faults.call("revise", before.migration.as_str(), || inner.revise(before, event, after, plan)).await
    }

    async fn release(&self, before: &Head, event: &Event, after: &Head, plan: &Plan) -> Result<(), LedgerError> {
        let inner = &self.inner.ledger;
        self.faults.call("release", before.migration.as_str(), || inner.release(before, event, after, plan)).await
    }

    async fn holders(&self, routes: &[RouteId]) -> Result<Vec<RouteHolder>, LedgerError> {
        self.faults.call("holders", "routes", || self.inner.ledger.holders(routes)).await
    }

    async fn guarded_by(&self, alarm: &str) -> Result<Vec<ServiceName>, LedgerError> {
        self.faults.call("guarded_by", alarm, || self.inner.ledger.guarded_by(alarm)).await
    }

    async fn store_policy(&self, fleet: &str, document: &Value) -> Result<(), LedgerError> {
        self.faults.call("store_policy", fleet, || self.inner.ledger.store_policy(fleet, document)).await
    }

    async fn policies(&self) -> Result<Vec<(String, Value)>, LedgerError> {
        self.faults.call("policies", "policies", || self.inner.ledger.policies()).await
    }
}

#[async_trait::async_trait]
impl Executions for Faulty {
    async fn start_roll_back(&self, name: &str, order: &RollBackOrder) -> Result<Started, PortError> {
        let inner = &self.inner.executions;
        self.faults.call("start_roll_back", name, || inner.start_roll_back(name, order)).await
    }

    async fn start_resumed(&self, service: &ServiceName, execution: &str) -> Result<Started, PortError> {
        let inner = &self.inner.executions;
        self.faults.call("start_resumed", execution, || inner.start_resumed(service, execution)).await
    }

    async fn status(&self, execution: &str) -> Result<ExecutionStatus, PortError> {
        self.faults.call("status", execution, || self.inner.executions.status(execution)).await
    }

    async fn stop(&self, execution: &str, cause: &str) -> Result<(), PortError> {
        self.faults.call("stop", execution, || self.inner.executions.stop(execution, cause)).await
    }
}
