//! The account of one run: the world, the table, Step Functions and time, and whatever looks at all of it.

use super::breakage::Breakage;
use super::fault::Fault;
use super::scenario::Shape;
use super::story::Story;
use super::timers::{Timers, at_once};
use super::watch::Watch;
use super::wiring;
use crossfade_actions::ports::{Ledger as _, Routes as _, TargetGroups as _};
use crossfade_domain::journal::Head;
use crossfade_domain::load_balancer::action::Action;
use crossfade_domain::load_balancer::group::healthy_count;
use crossfade_domain::load_balancer::route::RouteId;
use crossfade_domain::names::TargetGroupArn;
use crossfade_world::World;
use crossfade_world::ledger::Ledger;
use crossfade_world::states::StepFunctions;
use jiff::{SignedDuration, Timestamp};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// The region and account of everything.
const START: &str = "2026-11-02T03:00:00Z";

/// Shared by the driver and by the ports of every invocation. One thread uses it.
pub(super) struct Account {
    pub(super) world: Arc<World>,
    pub(super) table: Ledger,
    pub(super) states: Mutex<StepFunctions>,
    pub(super) timers: Mutex<Timers>,
    pub(super) watch: Mutex<Watch>,
    pub(super) calls: Mutex<Calls>,
    pub(super) story: Mutex<Story>,
    pub(super) breakage: Option<Breakage>,
}

/// The calls of a run, and what happens at them.
pub(super) struct Calls {
    /// The verbs so far.
    pub(super) made: Vec<&'static str>,
    /// Who called what; a call on a route says of which kind.
    pub(super) callers: BTreeSet<(&'static str, &'static str)>,
    pub(super) faults: BTreeMap<usize, Fault>,
    /// Faults that were reached.
    pub(super) injected: usize,
    pub(super) orders: Vec<Order>,
    rng: ChaCha8Rng,
}

/// What a port asks of the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Order {
    /// This invocation's process dies.
    Kill(u64),
    /// This invocation's call takes effect only after its time is over.
    Hang(u64),
    /// The execution of this invocation is stopped.
    Stop(u64),
    /// An alarm fires.
    Alarm(Fault),
    /// Something was recorded in a journal, by its name in a script.
    Recorded(String),
}

impl Account {
    pub(super) fn new(
        shape: Shape,
        seed: u64,
        faults: BTreeMap<usize, Fault>,
        story: Story,
        broken: Option<Breakage>,
    ) -> Self {
        let world = World::new(START.parse().unwrap(), seed);
        let watch = Watch::over(shape.set_up(&world), &world);
        Self {
            table: Ledger::default(),
            states: Mutex::new(wiring::step_functions(world.now(), seed, broken)),
            timers: Mutex::default(),
            watch: Mutex::new(watch),
            calls: Mutex::new(Calls {
                made: Vec::new(),
                callers: BTreeSet::new(),
                faults,
                injected: 0,
                orders: Vec::new(),
                rng: ChaCha8Rng::seed_from_u64(seed),
            }),
            story: Mutex::new(story),
            breakage: broken,
            world,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.world.now()
    }

    /// Counts a call, and says what happens at it and how long each half of it takes.
    pub(super) fn begin_call(&self, verb: &'static str) -> (usize, Option<Fault>, SignedDuration) {
        let mut calls = self.calls.lock().unwrap();
        let number = calls.made.len();
        calls.made.push(verb);
        let fault = calls.faults.get(&number).copied();
        calls.injected += usize::from(fault.is_some());
        let half = SignedDuration::from_millis(calls.rng.random_range(2..20));
        (number, fault, half)
    }

    /// A drawn span of seconds.
    pub(super) fn draw_seconds(&self, range: std::ops::Range<f64>) -> SignedDuration {
        let seconds = self.calls.lock().unwrap().rng.random_range(range);
        #[expect(clippy::cast_possible_truncation, reason = "a few seconds")]
        SignedDuration::from_millis((seconds * 1000.0) as i64)
    }

    pub(super) fn order(&self, order: Order) {
        self.calls.lock().unwrap().orders.push(order);
    }

    pub(super) fn tell(&self, line: impl FnOnce() -> String) {
        self.story.lock().unwrap().tell(self.now(), line);
    }

    /// The live actions of a route.
    pub(super) fn live(&self, route: &RouteId) -> Option<Vec<Action>> {
        let read = at_once(self.world.read_routes(std::slice::from_ref(route)));
        read.unwrap().pop().map(|route| route.actions)
    }

    pub(super) fn has_alarm(&self, name: &str) -> bool {
        self.world.with(|state| state.cloudwatch.alarm_state(name).is_some())
    }

    pub(super) fn healthy(&self, group: &TargetGroupArn) -> u32 {
        at_once(self.world.health(group)).map_or(0, |health| healthy_count(&health))
    }

    pub(super) fn head(&self) -> Option<Head> {
        at_once(self.table.head(&wiring::service())).unwrap()
    }
}
