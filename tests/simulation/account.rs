//! The account of one run: the world, the table, Step Functions and time, and what watches them.

use super::breakage::Breakage;
use super::consumers::HookCalls;
use super::ports::calls::PortCalls;
use super::ports::port_fault::PortFault;
use super::run_log::RunLog;
use super::scenario::Shape;
use super::timers::{Timers, at_once};
use super::watch::Watch;
use super::wiring::{self, MIGRATE, RETIRE, ROLL_BACK};
use crossfade_actions::ports::{
    ExecutionStatus, Executions as _, Fleets as _, Ledger as _, Ports, Routes as _, TargetGroups as _,
};
use crossfade_domain::fleet::head::{FleetHead, RunState};
use crossfade_domain::journal::{Head, Phase};
use crossfade_domain::load_balancer::action::Action;
use crossfade_domain::load_balancer::group::{HealthState, Target, healthy_count};
use crossfade_domain::load_balancer::route::RouteId;
use crossfade_domain::names::TargetGroupArn;
use crossfade_world::World;
use crossfade_world::executions::Machines;
use crossfade_world::latency;
use crossfade_world::ledger::Ledger;
use jiff::{SignedDuration, Timestamp};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// When every run begins.
const START: &str = "2026-11-02T03:00:00Z";

/// Shared by the run and by the ports of every invocation. One thread uses it.
pub(crate) struct Account {
    pub(crate) world: Arc<World>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) machines: Arc<Machines>,
    pub(super) timers: Mutex<Timers>,
    /// Checks the invariants of the simulation; a story has its own assertions.
    pub(super) watch: Option<Mutex<Watch>>,
    pub(crate) calls: Arc<PortCalls>,
    pub(crate) hooks: Mutex<HookCalls>,
    pub(crate) log: Mutex<RunLog>,
    pub(super) breakage: Option<Breakage>,
    orders: Mutex<Vec<Order>>,
    invocations: AtomicU64,
    /// How long calls take.
    pace: Pace,
    /// Whether the SDK's own retries are between the actions and the world.
    pub(super) has_the_sdks_retries: bool,
}

enum Pace {
    /// Nothing takes any time.
    AtOnce,
    /// Everything takes a drawn time.
    Drawn(Box<Mutex<ChaCha8Rng>>),
    /// Each call takes what the table of latencies says.
    Stated,
}

/// What a port asks of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Order {
    /// This invocation's process dies.
    Kill(u64),
    /// This invocation's call takes effect only after the timeout.
    Hang(u64),
    /// The execution of this invocation is stopped.
    Stop(u64),
    /// An alarm fires.
    Alarm(PortFault),
    /// Something was recorded in a journal, by its name in a script.
    Recorded(String),
}

impl Account {
    /// A world for a story: it is empty, calls and events take no time, and everything is logged.
    pub(crate) fn of_story() -> Self {
        Self::new(World::new(START.parse().unwrap(), 1), 7, None, RunLog::kept())
    }

    /// As [`Account::of_story`], with something broken on purpose.
    pub(crate) fn of_broken_story(breakage: Option<Breakage>) -> Self {
        Self { breakage, ..Self::of_story() }
    }

    /// As [`Account::of_story`], but each call takes the time that `crossfade_world::latency` states.
    pub(crate) fn of_measurement() -> Self {
        Self { pace: Pace::Stated, ..Self::of_story() }
    }

    /// As [`Account::of_measurement`], and the SDK retries each call as it does on AWS, in virtual time.
    pub(crate) fn of_measurement_through_the_sdk() -> Self {
        Self { has_the_sdks_retries: true, ..Self::of_measurement() }
    }

    /// The simulation's account, with a watched service.
    pub(super) fn watched(shape: Shape, seed: u64, log: RunLog, broken: Option<Breakage>) -> Self {
        let world = World::new(START.parse().unwrap(), seed);
        let watch = Watch::over(shape.set_up(&world), &world);
        let pace = Pace::Drawn(Box::new(Mutex::new(ChaCha8Rng::seed_from_u64(seed))));
        Self { watch: Some(Mutex::new(watch)), pace, ..Self::new(world, seed, broken, log) }
    }

    fn new(world: Arc<World>, seed: u64, breakage: Option<Breakage>, log: RunLog) -> Self {
        Self {
            ledger: Arc::default(),
            machines: Machines::new(
                wiring::step_functions(world.now(), seed, breakage),
                MIGRATE,
                ROLL_BACK,
                RETIRE,
                world.clone(),
            ),
            timers: Mutex::default(),
            watch: None,
            calls: Arc::default(),
            hooks: Mutex::default(),
            log: Mutex::new(log),
            breakage,
            orders: Mutex::default(),
            invocations: AtomicU64::default(),
            pace: Pace::AtOnce,
            has_the_sdks_retries: false,
            world,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.world.now()
    }

    /// The watch of the simulation, which always has one.
    pub(super) fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.as_ref().expect("the simulation has a watch").lock().unwrap()
    }

    /// Tells the watch, where there is one.
    pub(super) fn tell_watch(&self, tell: impl FnOnce(&mut Watch)) {
        if let Some(watch) = &self.watch {
            tell(&mut watch.lock().unwrap());
        }
    }

    pub(super) fn next_invocation(&self) -> u64 {
        self.invocations.fetch_add(1, Ordering::Relaxed)
    }

    /// How long each half of a call takes.
    pub(super) fn half_call(&self, verb: &str) -> SignedDuration {
        match &self.pace {
            Pace::AtOnce => SignedDuration::ZERO,
            Pace::Drawn(pace) => SignedDuration::from_millis(pace.lock().unwrap().random_range(2..20)),
            Pace::Stated => SignedDuration::try_from(latency_of(verb)).unwrap() / 2,
        }
    }

    /// A drawn span of seconds.
    pub(super) fn draw_seconds(&self, range: std::ops::Range<f64>) -> SignedDuration {
        let Pace::Drawn(pace) = &self.pace else { return SignedDuration::ZERO };
        let seconds = pace.lock().unwrap().random_range(range);
        #[expect(clippy::cast_possible_truncation, reason = "a few seconds")]
        SignedDuration::from_millis((seconds * 1000.0) as i64)
    }

    pub(super) fn order(&self, order: Order) {
        self.orders.lock().unwrap().push(order);
    }

    pub(super) fn take_orders(&self) -> Vec<Order> {
        std::mem::take(&mut self.orders.lock().unwrap())
    }

    pub(super) fn tell(&self, line: impl FnOnce() -> String) {
        self.log.lock().unwrap().tell(self.now(), line);
    }

    /// The live actions of a route. A test's own read uses none of the account's request rate.
    pub(crate) fn live(&self, route: &RouteId) -> Option<Vec<Action>> {
        let throttle = self.world.with(|state| state.elbv2.set_throttle(None));
        let read = at_once(self.world.read_routes(std::slice::from_ref(route)));
        self.world.with(|state| state.elbv2.set_throttle(throttle));
        read.unwrap().pop().map(|route| route.actions)
    }

    pub(super) fn has_alarm(&self, name: &str) -> bool {
        self.world.with(|state| state.cloudwatch.alarm_state(name).is_some())
    }

    pub(super) fn healthy(&self, group: &TargetGroupArn) -> u32 {
        at_once(self.world.health(group)).map_or(0, |health| healthy_count(&health))
    }

    /// Registered targets of a new group that a policy of listed instances does not name.
    pub(super) fn unlisted(&self, group: &TargetGroupArn, policy: &Value) -> Vec<Target> {
        let health = at_once(self.world.health(group)).unwrap_or_default();
        let registered = health.into_iter().filter(|one| one.state != HealthState::Draining).map(|one| one.target);
        registered.filter(|target| !names(policy, target)).collect()
    }

    pub(super) fn head(&self) -> Option<Head> {
        at_once(self.ledger.head(&wiring::service())).unwrap()
    }

    /// Whether every migration is over or halted.
    pub(super) fn is_at_rest(&self) -> bool {
        at_once(self.ledger.open_heads()).unwrap().iter().all(|head| head.phase == Phase::Halted)
            && at_once(self.ledger.fleets()).unwrap().iter().all(|fleet| self.rests(fleet))
    }

    /// Whether the freeze of the policy holds now.
    pub(super) fn is_frozen(&self) -> bool {
        let now = self.now();
        self.watch().frozen.is_some_and(|(from, to)| from <= now && now < to)
    }

    /// Whether a run of a fleet is over, or waits for a person.
    fn rests(&self, fleet: &FleetHead) -> bool {
        let stopped = || {
            let status = at_once(self.machines.status(&fleet.execution)).unwrap();
            matches!(status, ExecutionStatus::Stopped { .. })
        };
        matches!(fleet.state, RunState::Over | RunState::Stopped) || stopped()
    }

    /// The ports without faults and without a watch, whose clock jumps.
    pub(crate) fn plain_ports(&self) -> Ports {
        Ports {
            routes: self.world.clone(),
            rules: self.world.clone(),
            probes: self.world.clone(),
            survey: self.world.clone(),
            target_groups: self.world.clone(),
            tagging: self.world.clone(),
            auto_scaling: self.world.clone(),
            alarms: self.world.clone(),
            metrics: self.world.clone(),
            calendars: self.world.clone(),
            ledger: self.ledger.clone(),
            fleets: self.ledger.clone(),
            executions: self.machines.clone(),
            clock: self.world.clone(),
            scan: Arc::default(),
        }
    }
}

/// How long a port's verb takes.
fn latency_of(verb: &str) -> Duration {
    match verb {
        "head" | "heads" | "open_heads" | "plan" | "revised_plan" | "events" | "holders" | "guarded_by"
        | "policies" | "fleet" | "fleets" | "fleet_entries" => latency::TABLE_READ,
        "take" | "retake" | "record" | "revise" | "release" | "store_policy" | "remove_policy" | "record_fleet" => {
            latency::TABLE_WRITE
        }
        "start_roll_back" | "start_resumed" | "start_migration" | "start_retirement" | "start_conductor" | "status"
        | "stop" => latency::START,
        "write_route"
        | "set_attributes"
        | "create_group"
        | "delete_group"
        | "register"
        | "add_tags"
        | "attach"
        | "detach"
        | "remove_tags"
        | "remove_migrated_tag"
        | "tag_as_migrated" => latency::MODIFY,
        "load_balancers" | "listeners" | "routes" | "read_routes" | "target_groups" | "target_groups_of" | "limits"
        | "attributes" | "health" | "groups_of_service" | "all_guarded_groups" | "tags" => latency::DESCRIBE,
        _ => latency::METRICS,
    }
}

/// Whether a policy lists a target, by its id and its port.
pub(super) fn names(policy: &Value, target: &Target) -> bool {
    let listed = policy["newTargets"]["instances"].as_array().into_iter().flatten();
    listed.into_iter().any(|one| one["id"] == target.id.as_str() && one["port"] == json!(target.port))
}
