//! A stage: the world, the table, Step Functions with the real machines, and the real actions as its functions.
//!
//! Everything is in memory and in virtual time, so that a whole migration takes milliseconds. A function that dies is a
//! future that is dropped where it stands.

use crate::repository;
use crossfade_actions::error::ActionError;
use crossfade_actions::functions::check_alarms::check_alarms;
use crossfade_actions::functions::check_targets::check_targets;
use crossfade_actions::functions::create_guard_alarms::create_guard_alarms;
use crossfade_actions::functions::create_target_group::create_target_group;
use crossfade_actions::functions::finish_migration::finish_migration;
use crossfade_actions::functions::plan_migration::plan_migration;
use crossfade_actions::functions::react_to_alarm::react_to_alarm;
use crossfade_actions::functions::register_targets::register_targets;
use crossfade_actions::functions::roll_back::roll_back;
use crossfade_actions::functions::shift_weight::shift_weight;
use crossfade_actions::functions::sweep_migrations::sweep_migrations;
use crossfade_actions::ports::Ports;
use crossfade_domain::journal::{Event, Head, Phase};
use crossfade_domain::load_balancer::action::forward_of;
use crossfade_domain::load_balancer::route::RouteId;
use crossfade_domain::load_balancer::same_actions::equivalent;
use crossfade_domain::names::ServiceName;
use crossfade_domain::plan::Plan;
use crossfade_domain::routing::route_edit::at_step;
use crossfade_world::World;
use crossfade_world::executions::Machines;
use crossfade_world::fault_injection::Faults;
use crossfade_world::ledger::Ledger;
use crossfade_world::states::{Status, StepFunctions, TaskError, Work};
use crossfade_world::world::ServiceOnBalancer;
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// How long a function that hangs keeps its caller waiting, in seconds: the functions' timeout.
const FUNCTION_TIMEOUT_SECONDS: i64 = 60;
/// Seconds between two scheduled sweeps.
const SWEEP_SECONDS: i64 = 300;

/// Something that happens before an invocation, which it gets with its number.
pub(crate) type Happens = Box<dyn FnMut(&World, &Machines, &Work, usize)>;

/// What a call of a hook comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HookDoes {
    Answers,
    Fails,
    /// It does its work, and its time is over before it answers.
    Hangs,
}

pub(crate) struct Stage {
    pub(crate) world: Arc<World>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) machines: Arc<Machines>,
    pub(crate) faults: Arc<Faults>,
    /// The ports as functions see them, with faults.
    pub(crate) ports: Ports,
    /// The ports without faults, for looking.
    pub(crate) plain: Ports,
    /// What each function answered, for the story of a failing test.
    pub(crate) story: Vec<String>,
    /// What the next calls of hooks come to; when it is used up, they answer.
    pub(crate) hooks_do: VecDeque<HookDoes>,
    /// What the hooks were called with.
    pub(crate) hook_calls: Vec<Value>,
    /// Called before each invocation with its number, counted from 0.
    pub(crate) before: Option<Happens>,
    invocations: usize,
    /// Whether alarm events reach `react-to-alarm`; events are best effort.
    pub(crate) deliver_alarm_events: bool,
    /// Whether status events reach `sweep-migrations`.
    pub(crate) deliver_status_events: bool,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let world = World::new("2026-11-02T03:00:00Z".parse().unwrap(), 1);
        let mut engine = StepFunctions::new("eu-west-1", "000000000000", 7);
        for machine in ["migrate-service", "roll-back-service"] {
            let text = repository::read(format!("statemachine/{machine}.asl.json"));
            let definition: Value = serde_json::from_str(&text).unwrap();
            engine.create_state_machine(world.now(), machine, &definition).unwrap();
        }
        let ledger = Arc::new(Ledger::default());
        let machines = Machines::new(engine, world.clone());
        let plain = Ports {
            routes: world.clone(),
            target_groups: world.clone(),
            tagging: world.clone(),
            alarms: world.clone(),
            metrics: world.clone(),
            ledger: ledger.clone(),
            executions: machines.clone(),
            clock: world.clone(),
        };
        let faults = Arc::new(Faults::default());
        let ports = faults.inject(&plain);
        Self {
            world,
            ledger,
            machines,
            faults,
            ports,
            plain,
            story: Vec::new(),
            hooks_do: VecDeque::new(),
            hook_calls: Vec::new(),
            before: None,
            invocations: 0,
            deliver_alarm_events: true,
            deliver_status_events: true,
        }
    }

    /// `users`: two rules on one load balancer, two instances on each side, guarded by `users-5xx`.
    pub(crate) fn with_users() -> (Self, ServiceOnBalancer) {
        let stage = Self::new();
        let service = stage.world.add_service("internal", "users-swarm", &["users.internal", "accounts.internal"]);
        stage.world.add_alarm("users-5xx");
        stage.world.take_events();
        (stage, service)
    }

    /// `users`, halted on its way up because somebody else changed one of its rules.
    pub(crate) fn halted_by_a_foreign_edit() -> Self {
        let (mut stage, service) = Self::with_users();
        let mut once = false;
        stage.before = Some(Box::new(move |world, _, work, _| {
            if work.state == "Check alarms" && !std::mem::replace(&mut once, true) {
                world.someone_sets_weight(&service.rules[0], &service.old_group, 700).unwrap();
            }
        }));
        stage.migrate(users());
        assert_eq!(stage.head("users").phase, Phase::Halted, "{}", stage.told());
        stage
    }

    /// `payments`: five rules on two load balancers.
    pub(crate) fn with_payments() -> (Self, Vec<ServiceOnBalancer>) {
        let stage = Self::new();
        let public = stage.world.add_service("public", "payments-swarm", &["pay.example.com", "api.example.com"]);
        let internal =
            stage.world.add_service("internal", "payments-int", &["pay.internal", "a.internal", "b.internal"]);
        stage.world.add_alarm("payments-5xx");
        stage.world.take_events();
        (stage, vec![public, internal])
    }

    /// Starts `migrate-service` and answers the execution's ARN.
    pub(crate) fn start(&self, name: &str, input: Value) -> String {
        let now = self.world.now();
        self.machines.with(|engine| engine.start_execution(now, "migrate-service", Some(name), input)).unwrap()
    }

    /// Starts `migrate-service` and lets everything happen until the machines and the sweep have nothing more to do.
    pub(crate) fn migrate(&mut self, input: Value) -> String {
        let execution = self.start("first", input);
        self.run();
        execution
    }

    /// Lets everything happen until nothing is left to do; then the scheduled sweep looks, a few times.
    pub(crate) fn run(&mut self) {
        self.run_machines();
        for _ in 0..6 {
            if self.heads().iter().all(|head| head.phase.is_over() || head.phase == Phase::Halted) {
                return;
            }
            self.world.advance(SignedDuration::from_secs(SWEEP_SECONDS));
            self.sweep(&json!({"source": "aws.events"}));
            self.run_machines();
        }
        let heads = self.heads();
        panic!("not at rest after six sweeps: {heads:#?}\n{}", self.told());
    }

    /// Lets the machines run until none waits for anything.
    pub(crate) fn run_machines(&mut self) {
        for _ in 0..10_000 {
            let now = self.world.now();
            let work = self.machines.with(|engine| engine.due_work(now));
            if work.is_empty() {
                if self.deliver_events() {
                    continue;
                }
                let Some(at) = self.machines.with(|engine| engine.next_deadline()) else { return };
                self.world.advance(at.duration_since(self.world.now()).max(SignedDuration::ZERO));
                continue;
            }
            for work in work {
                self.invoke(&work);
                self.deliver_events();
                self.check_every_route();
            }
        }
        panic!("the machines never end\n{}", self.told());
    }

    pub(crate) fn invoke(&mut self, work: &Work) {
        let number = self.invocations;
        self.invocations += 1;
        if let Some(before) = &mut self.before {
            before(&self.world, &self.machines, work, number);
        }
        if work.function.starts_with("crossfade-hook-") {
            return self.invoke_hook(work);
        }
        let first_call = self.faults.calls().len();
        let result = self.call(&work.function, &work.payload);
        let calls = self.faults.calls()[first_call..].join(" ");
        self.story.push(format!("{} {}: {} -> {result:?}", self.world.now(), work.state, calls));
        let answer = match result {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(error)) => Err(TaskError {
                error: error.class().as_str().to_owned(),
                cause: json!({"errorType": error.class().as_str(), "errorMessage": error.chain()}).to_string(),
            }),
            None => {
                self.world.advance(SignedDuration::from_secs(FUNCTION_TIMEOUT_SECONDS));
                Err(TaskError { error: "Sandbox.Timedout".to_owned(), cause: "{}".to_owned() })
            }
        };
        let now = self.world.now();
        self.machines.with(|engine| engine.task_done(now, work.task, answer));
    }

    fn invoke_hook(&mut self, work: &Work) {
        let does = self.hooks_do.pop_front().unwrap_or(HookDoes::Answers);
        self.story.push(format!("{} {}: {} {does:?}", self.world.now(), work.state, work.function));
        self.hook_calls.push(work.payload.clone());
        let answer = match does {
            HookDoes::Answers => Ok(json!({"verdict": "not ours to read"})),
            HookDoes::Fails => {
                let cause = json!({"errorType": "KafkaIsDown", "errorMessage": "no broker answers"}).to_string();
                Err(TaskError { error: "KafkaIsDown".to_owned(), cause })
            }
            HookDoes::Hangs => {
                self.world.advance(SignedDuration::from_secs(FUNCTION_TIMEOUT_SECONDS));
                Err(TaskError { error: "Sandbox.Timedout".to_owned(), cause: "{}".to_owned() })
            }
        };
        let now = self.world.now();
        self.machines.with(|engine| engine.task_done(now, work.task, answer));
    }

    /// Runs a function once; none when it died.
    pub(crate) fn call(&self, function: &str, input: &Value) -> Option<Result<Value, ActionError>> {
        let ports = &self.ports;
        self.faults.next_process();
        let name = function.trim_start_matches("${").trim_end_matches("Function}");
        once(async {
            let cursor = match name {
                "PlanMigration" => plan_migration(ports, input).await,
                "CreateGuardAlarms" => create_guard_alarms(ports, input).await,
                "CreateTargetGroup" => create_target_group(ports, input).await,
                "ShiftWeight" => shift_weight(ports, input).await,
                "RegisterTargets" => register_targets(ports, input).await,
                "CheckTargets" => check_targets(ports, input).await,
                "CheckAlarms" => check_alarms(ports, input).await,
                "RollBack" => roll_back(ports, input).await,
                "FinishMigration" => finish_migration(ports, input).await,
                "ReactToAlarm" => return react_to_alarm(ports, input).await,
                "SweepMigrations" => return sweep_migrations(ports, input).await,
                other => panic!("no function {other}"),
            };
            cursor.map(|cursor| serde_json::to_value(cursor).unwrap())
        })
    }

    /// Delivers what EventBridge would; true when there was something.
    fn deliver_events(&mut self) -> bool {
        let alarms = self.world.take_events();
        let statuses = self.machines.with(StepFunctions::status_events);
        let dead = |event: &Value| {
            let status = event["detail"]["status"].as_str().unwrap_or_default();
            let of_migration =
                event["detail"]["stateMachineArn"].as_str().unwrap_or_default().ends_with("migrate-service");
            of_migration && matches!(status, "FAILED" | "TIMED_OUT" | "ABORTED")
        };
        let alarms = alarms.into_iter().filter(|_| self.deliver_alarm_events).map(|event| ("ReactToAlarm", event));
        let statuses = statuses.into_iter().filter(|event| self.deliver_status_events && dead(event));
        let statuses = statuses.map(|event| ("SweepMigrations", event));
        let events: Vec<(&str, Value)> = alarms.chain(statuses).collect();
        for (function, event) in &events {
            self.deliver(function, event);
        }
        !events.is_empty()
    }

    fn sweep(&mut self, event: &Value) {
        self.deliver("SweepMigrations", event);
    }

    /// An asynchronous invocation: tried three times, like Lambda's.
    pub(crate) fn deliver(&mut self, function: &str, event: &Value) {
        for _ in 0..3 {
            let result = self.call(function, event);
            self.story.push(format!("{} {function} -> {result:?}", self.world.now()));
            if matches!(result, Some(Ok(_))) {
                return;
            }
            self.world.advance(SignedDuration::from_secs(60));
        }
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

    pub(crate) fn live(&self, route: &RouteId) -> Vec<crossfade_domain::load_balancer::action::Action> {
        let read = once(self.plain.routes.read_routes(std::slice::from_ref(route))).unwrap().unwrap();
        read.into_iter().next().map(|route| route.actions).unwrap_or_default()
    }

    /// The ARN of the new group of an old one.
    pub(crate) fn new_group(&self, service: &str, old: &str) -> String {
        let groups = self.head(service).new_groups;
        groups.iter().find(|(from, _)| from.as_str() == old).unwrap().1.as_str().to_owned()
    }

    /// Invariant 1, at this instant, for every service whose plan is known. Foreign edits are the test's own business.
    fn check_every_route(&self) {
        let items = self.ledger.snapshot();
        for head in items.heads.values() {
            for route in &items.plans[&head.migration].routes {
                let live = self.live(&route.id);
                let total = forward_of(&live).map_or(0, crossfade_domain::load_balancer::action::Forward::total);
                assert!(total > 0, "invariant 1: {} has no positive total\n{}", route.id.describe(), self.told());
            }
        }
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
        self.story.join("\n")
    }
}

/// Runs a future that never really waits; none when it hangs, which is how a function dies here.
pub(crate) fn once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

/// One service's policy: two steps of two slices each, new instances registered by us.
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
    }})
}

pub(crate) fn payments() -> Value {
    let mut policy = users();
    policy["service"]["name"] = json!("payments");
    policy["service"]["oldTargetGroups"] = json!(["payments-swarm", "payments-int"]);
    policy
}
