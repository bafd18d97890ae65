//! A stage: what a story needs of the simulation's run, in the story's words.
//!
//! Calls and events take no time here, so a story says what happens before what. A whole migration takes milliseconds.

use crate::simulation::{
    Account, Breakage, HookDoes, OutsideDoes, PortCalls, SimulatedRun, Visit,
    wiring::{self, CONNECT, MIGRATE, MIGRATE_FLEET, RETIRE},
};
use crossfade_actions::error::ActionError;
use crossfade_actions::ports::Ports;
use crossfade_domain::journal::{Event, Head, Phase};
use crossfade_domain::load_balancer::action::Action;
use crossfade_domain::load_balancer::route::RouteId;
use crossfade_domain::load_balancer::same_actions::equivalent;
use crossfade_domain::names::ServiceName;
use crossfade_domain::plan::Plan;
use crossfade_domain::routing::route_edit::at_step;
use crossfade_world::World;
use crossfade_world::executions::Machines;
use crossfade_world::ledger::Ledger;
use crossfade_world::states::{Status, Work};
use crossfade_world::world::ServiceOnBalancer;
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::sync::Arc;

/// No story may take longer: the longest hold of one is sixteen days.
const BOUND: SignedDuration = SignedDuration::from_hours(20 * 24);
/// The first sweep of a run comes between what happens at whole minutes.
const FIRST_SWEEP: SignedDuration = SignedDuration::from_secs(37);

pub(crate) struct Stage {
    run: SimulatedRun,
    pub(crate) world: Arc<World>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) machines: Arc<Machines>,
    /// The calls of the functions' ports, which can be made to fail.
    pub(crate) calls: Arc<PortCalls>,
    /// Ports without faults.
    pub(crate) plain: Ports,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::on(Account::of_story())
    }

    /// A stage on which each call takes the time that `crossfade_world::latency` states.
    pub(crate) fn with_latencies() -> Self {
        Self::on(Account::of_measurement())
    }

    /// The same, and the SDK retries each call as it does on AWS.
    pub(crate) fn through_the_sdk() -> Self {
        Self::on(Account::of_measurement_through_the_sdk())
    }

    /// A stage on which something is broken on purpose.
    pub(crate) fn broken(breakage: Option<Breakage>) -> Self {
        Self::on(Account::of_broken_story(breakage))
    }

    fn on(account: Account) -> Self {
        Self {
            world: account.world.clone(),
            ledger: account.ledger.clone(),
            machines: account.machines.clone(),
            calls: account.calls.clone(),
            plain: account.plain_ports(),
            run: SimulatedRun::new(account),
        }
    }

    /// `users`: two rules on one load balancer, two instances on each side, guarded by `users-5xx`.
    pub(crate) fn with_users() -> (Self, ServiceOnBalancer) {
        Self::with_users_on(Self::new())
    }

    pub(crate) fn with_users_on(stage: Self) -> (Self, ServiceOnBalancer) {
        let service = stage.world.add_service("internal", "users-swarm", &["users.internal", "accounts.internal"]);
        stage.world.add_alarm("users-5xx");
        stage.world.take_events();
        (stage, service)
    }

    /// `users`, migrated without a disturbance.
    pub(crate) fn migrated() -> Self {
        let (mut stage, _) = Self::with_users();
        stage.migrate(users());
        assert_eq!(stage.head("users").phase, Phase::Migrated, "{}", stage.told());
        stage
    }

    /// `users`, halted on its way up because someone else changed one of its rules.
    pub(crate) fn halted_by_a_foreign_edit() -> Self {
        Self::halted_by_a_foreign_edit_on(Self::new())
    }

    /// The same on a stage that was set up before.
    pub(crate) fn halted_by_a_foreign_edit_on(stage: Self) -> Self {
        let (mut stage, service) = Self::with_users_on(stage);
        stage.once_before("Check alarms", move |world| {
            world.someone_sets_weight(&service.rules[0], &service.old_group, 700).unwrap();
        });
        stage.migrate(users());
        assert_eq!(stage.head("users").phase, Phase::Halted, "{}", stage.told());
        stage
    }

    /// `payments`: five rules on two load balancers.
    pub(crate) fn with_payments() -> (Self, Vec<ServiceOnBalancer>) {
        Self::with_payments_on(Self::new())
    }

    pub(crate) fn with_payments_on(stage: Self) -> (Self, Vec<ServiceOnBalancer>) {
        let public = stage.world.add_service("public", "payments-swarm", &["pay.example.com", "api.example.com"]);
        let internal =
            stage.world.add_service("internal", "payments-int", &["pay.internal", "a.internal", "b.internal"]);
        stage.world.add_alarm("payments-5xx");
        stage.world.take_events();
        (stage, vec![public, internal])
    }

    /// Calls `happens` before each invocation of a state's function, with the invocation's number from 0.
    pub(crate) fn before(&mut self, happens: impl FnMut(&World, &Machines, &Work, usize) + 'static) {
        self.run.before = Some(Box::new(happens));
    }

    /// Calls `happens` when a state's function is about to be invoked for the first time.
    pub(crate) fn once_before(&mut self, state: &'static str, mut happens: impl FnMut(&World) + 'static) {
        let mut done = false;
        self.before(move |world, _, work, _| {
            if work.state == state && !std::mem::replace(&mut done, true) {
                happens(world);
            }
        });
    }

    /// Calls `happens` before each check of the gates, with the number of the check from 1.
    pub(crate) fn before_checks(&mut self, mut happens: impl FnMut(usize, &World, &PortCalls) + 'static) {
        let (calls, mut check) = (self.calls.clone(), 0);
        self.before(move |world, _, work, _| {
            if work.state == "Check alarms" {
                check += 1;
                happens(check, world, &calls);
            }
        });
    }

    /// Removes what [`Stage::before`] has set.
    pub(crate) fn undisturbed(&mut self) {
        self.run.before = None;
    }

    /// Loses alarm events from now on: they do not reach `react-to-alarm`.
    pub(crate) fn lose_alarm_events(&mut self) {
        self.run.lost_sources.push("aws.cloudwatch");
    }

    /// Loses status events from now on: they do not reach `sweep-migrations`.
    pub(crate) fn lose_status_events(&mut self) {
        self.run.lost_sources.push("aws.states");
    }

    /// What the next calls of hooks do; after them, hooks answer.
    pub(crate) fn hooks_do(&mut self, next: impl Into<Vec<HookDoes>>) {
        self.run.account.hooks.lock().unwrap().do_next = next.into().into();
    }

    /// What the outside gate does from now on.
    pub(crate) fn outside_does(&self, does: OutsideDoes) {
        self.outside()(Some(does));
    }

    /// Changes what the outside gate does, from inside of a story.
    pub(crate) fn outside(&self) -> impl Fn(Option<OutsideDoes>) + use<> {
        let account = self.run.account.clone();
        move |does| account.hooks.lock().unwrap().outside = does
    }

    /// What the hooks and the outside gates were called with.
    pub(crate) fn hook_calls(&self) -> Vec<Value> {
        self.run.account.hooks.lock().unwrap().calls.clone()
    }

    /// Starts `migrate-service` and returns the execution's ARN.
    pub(crate) fn start(&self, name: &str, input: Value) -> String {
        let now = self.world.now();
        self.machines.with(|engine| engine.start_execution(now, MIGRATE, Some(name), input)).unwrap()
    }

    /// Starts `migrate-fleet` and returns the execution's ARN.
    pub(crate) fn start_fleet(&self, name: &str, input: Value) -> String {
        let now = self.world.now();
        self.machines.with(|engine| engine.start_execution(now, MIGRATE_FLEET, Some(name), input)).unwrap()
    }

    /// Starts `connect-service` and returns the execution's ARN.
    pub(crate) fn start_connection(&self, name: &str, input: Value) -> String {
        let now = self.world.now();
        self.machines.with(|engine| engine.start_execution(now, CONNECT, Some(name), input)).unwrap()
    }

    /// Starts `retire-service` and returns the execution's ARN.
    pub(crate) fn start_retirement(&self, name: &str, input: Value) -> String {
        let now = self.world.now();
        self.machines.with(|engine| engine.start_execution(now, RETIRE, Some(name), input)).unwrap()
    }

    /// Starts `migrate-service` and runs until nothing is left to do.
    pub(crate) fn migrate(&mut self, input: Value) -> String {
        let execution = self.start("first", input);
        self.run();
        execution
    }

    /// Runs a migration until a state is about to be entered; then its execution stops, and no one hears of it.
    pub(crate) fn migrate_until(&mut self, state: &'static str, input: Value) {
        self.lose_status_events();
        self.before(move |world, machines, work, _| {
            if work.state == state {
                let now = world.now();
                machines.with(|engine| engine.stop(now, &work.execution_arn, None, None)).unwrap();
            }
        });
        self.start("first", input);
        self.run_machines();
        self.undisturbed();
    }

    /// Runs everything, with the scheduled sweeps, until every migration is over or halted.
    pub(crate) fn run(&mut self) {
        self.run.begin_schedules(FIRST_SWEEP);
        let rests = self.run.run_until_quiet(BOUND, SignedDuration::ZERO);
        self.run.end_schedules();
        assert!(rests, "not at rest in time: {:#?}\n{}", self.heads(), self.told());
    }

    /// Runs everything without scheduled sweeps for so long.
    pub(crate) fn run_for(&mut self, span: SignedDuration) {
        self.run.run_for(span);
    }

    /// Runs the machines and delivers the events until nothing is left to do, without scheduled sweeps.
    pub(crate) fn run_machines(&mut self) {
        assert!(self.run.run_until_quiet(BOUND, SignedDuration::ZERO), "the machines never end\n{}", self.told());
    }

    /// Runs a function once while everything else stands still. Returns none when it died.
    pub(crate) fn call(&self, function: &'static str, input: &Value) -> Option<Result<Value, ActionError>> {
        self.alone(function, |ports| wiring::run(function, ports, input.clone()))
    }

    /// Runs `work` on the ports of `caller` while everything else stands still. Returns none when its process died.
    pub(crate) fn alone<T, W: Future<Output = T>>(
        &self,
        caller: &'static str,
        work: impl FnOnce(Ports) -> W,
    ) -> Option<T> {
        self.run.alone(caller, work)
    }

    /// The invocations of a state's function that have ended.
    pub(crate) fn visits(&self, state: &str) -> Vec<&Visit> {
        self.run.visits.iter().filter(|visit| visit.state == state).collect()
    }

    pub(crate) fn heads(&self) -> Vec<Head> {
        self.ledger.snapshot().heads.into_values().collect()
    }

    pub(crate) fn head(&self, service: &str) -> Head {
        let heads = self.ledger.snapshot().heads;
        heads.get(&ServiceName::parse(service).unwrap()).unwrap_or_else(|| panic!("no head of {service}")).clone()
    }

    /// The plan that is in force.
    pub(crate) fn plan(&self, service: &str) -> Plan {
        let (items, head) = (self.ledger.snapshot(), self.head(service));
        match head.plan_revision {
            None => items.plans[&head.migration].clone(),
            Some(generation) => items.revisions[&(head.migration, generation)].clone(),
        }
    }

    pub(crate) fn events(&self, service: &str) -> Vec<Event> {
        self.ledger.snapshot().journals[&self.head(service).migration].clone()
    }

    /// What `kept` returns of the events of a service's journal.
    pub(crate) fn recorded<T>(&self, service: &str, kept: impl Fn(&Event) -> Option<T>) -> Vec<T> {
        self.events(service).iter().filter_map(kept).collect()
    }

    /// How an execution ended: its status, and its error where it failed.
    pub(crate) fn ended(&self, execution: &str) -> (Status, String) {
        self.machines.with(|engine| {
            let shown = engine.describe(execution).unwrap();
            (shown.status, shown.error.clone().unwrap_or_default())
        })
    }

    /// Whether every route of a service carries its baseline.
    pub(crate) fn is_at_baseline(&self, service: &str) -> bool {
        self.plan(service).routes.iter().all(|route| equivalent(&self.live(&route.id), &route.baseline))
    }

    /// The step at which every route is, if they agree.
    pub(crate) fn step(&self, service: &str) -> Option<u32> {
        let (plan, head) = (self.plan(service), self.head(service));
        (0..=plan.last_step()).find(|step| {
            plan.routes.iter().all(|route| {
                let new = head.new_groups.get(&route.old);
                new.is_some_and(|new| equivalent(&self.live(&route.id), &at_step(route, new, *step).unwrap()))
            })
        })
    }

    pub(crate) fn live(&self, route: &RouteId) -> Vec<Action> {
        self.run.account.live(route).unwrap_or_default()
    }

    /// The ARN of the new group of an old one.
    pub(crate) fn new_group(&self, service: &str, old: &str) -> String {
        let groups = self.head(service).new_groups;
        groups.iter().find(|(from, _)| from.as_str() == old).unwrap().1.as_str().to_owned()
    }

    /// What holds at rest: locks say how it ended, and routes are where it says.
    pub(crate) fn assert_at_rest(&self, service: &str) {
        let head = self.head(service);
        let locked = self.ledger.snapshot().held().count() > 0;
        let story = || self.told();
        assert_eq!(
            usize::try_from(head.sequence),
            Ok(self.events(service).len()),
            "the journal has every event\n{}",
            story()
        );
        match head.phase {
            Phase::RolledBack | Phase::Refused => {
                assert!(self.is_at_baseline(service), "{:?} and not at the baseline\n{}", head.phase, story());
                assert!(!locked, "{:?} with locks\n{}", head.phase, story());
            }
            Phase::Migrated => {
                let last = self.plan(service).last_step();
                assert_eq!(self.step(service), Some(last), "migrated and not at 100 %\n{}", story());
                assert!(!locked, "migrated with locks\n{}", story());
            }
            Phase::Halted => assert!(locked, "halted without locks\n{}", story()),
            phase => panic!("not at rest: {phase:?}\n{}", story()),
        }
    }

    pub(crate) fn told(&self) -> String {
        self.run.account.log.lock().unwrap().text()
    }
}

/// The other group in a service's first rule: the new one.
pub(crate) fn new_group(world: &World, service: &ServiceOnBalancer) -> String {
    let weights = world.weights_of(&service.rules[0]);
    weights.into_iter().map(|(group, _)| group).find(|group| *group != service.old_group).unwrap()
}

/// One service's policy: two steps of two slices each, new instances registered by us. Few stories have any traffic.
pub(crate) fn users() -> Value {
    json!({"service": {
        "name": "users",
        "oldTargetGroups": ["users-swarm"],
        "newTargets": {"instances": [{"id": "i-0bbbbbbbbbbbbbbb1", "port": 30080}, {"id": "i-0bbbbbbbbbbbbbbb2",
        "port": 30080}]},
        "schedule": [{"weight": 5, "bake": "2m"}, {"weight": 100, "bake": "2m"}],
        "alarms": ["{service}-5xx"],
        "minHealthy": 2,
        "slice": "1m",
        "onNoTraffic": "advance",
    }})
}

pub(crate) fn payments() -> Value {
    let mut policy = users();
    policy["service"]["name"] = json!("payments");
    policy["service"]["oldTargetGroups"] = json!(["payments-swarm", "payments-int"]);
    policy
}
