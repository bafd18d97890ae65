//! One run: drives functions, machines, events, schedules, traffic and people through virtual time to the end.

use self::invocations::{Invocation, Reply};
use super::account::{Account, Order};
use super::consumers;
use super::outside;
use super::people;
use super::ports::port_fault::PortFault;
use super::ports::{Caller, ports};
use super::scenario::{Act, When};
use super::timers::{Invoked, Ready};
use super::wiring::{self, HOOK, binary_of, wiring};
use crossfade_rehearsal::wiring::{Target, TargetWiring};
use crossfade_world::World;
use crossfade_world::executions::Machines;
use crossfade_world::lambda::{QueuedEvent, THROTTLED};
use crossfade_world::states::{TaskError, TaskId, Work};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

mod events;
mod invocations;
mod script;

pub(crate) use invocations::Visit;

/// Called before a state's function is invoked, with the number of the invocation.
pub(crate) type Happens = Box<dyn FnMut(&World, &Machines, &Work, usize)>;

pub(super) enum Due {
    Deadline(u64),
    Delivery { target: TargetWiring, input: Value, queued: QueuedEvent },
    Schedule(usize),
    Minute,
    Script,
    Quiet(&'static str),
}

pub(crate) struct SimulatedRun {
    pub(crate) account: Arc<Account>,
    tasks: BTreeMap<u64, Invocation>,
    ready: Ready,
    agenda: BTreeMap<(Timestamp, u64), Due>,
    /// How many entries the agenda has had.
    numbered: u64,
    /// The part of the script that is still to be done.
    pub(super) script: Vec<(When, Act)>,
    pub(super) execution: String,
    /// The status that healthy targets of the new side answer with.
    pub(super) new_side_answers: u16,
    /// Requests in a minute on each route.
    pub(super) requests_a_minute: u32,
    entered: usize,
    /// A person's command was never accepted, and the person gave up.
    pub(super) gave_up: bool,
    /// The number of the call at which the script first did something.
    pub(super) acted_at: Option<usize>,
    /// How often the next event of a firing alarm is delivered.
    copies: u32,
    began: Timestamp,
    /// Called before each invocation of a state's function.
    pub(crate) before: Option<Happens>,
    invocations: usize,
    /// The invocations of states' functions that have ended, in a story.
    pub(crate) visits: Vec<Visit>,
    /// Until then, only functions with reserved concurrency are invoked: the account's own is used up.
    pub(super) throttled_until: Option<Timestamp>,
    /// The sources of events that are never delivered: events are best effort.
    pub(crate) lost_sources: Vec<&'static str>,
    /// The stack was deployed so that it takes no policy inside an input.
    pub(super) refuses_inline_policies: bool,
}

impl SimulatedRun {
    pub(crate) fn new(account: Account) -> Self {
        Self {
            began: account.now(),
            account: Arc::new(account),
            tasks: BTreeMap::new(),
            ready: Ready::default(),
            agenda: BTreeMap::new(),
            numbered: 0,
            script: Vec::new(),
            execution: String::new(),
            new_side_answers: 200,
            requests_a_minute: 10,
            entered: 0,
            gave_up: false,
            acted_at: None,
            copies: 1,
            before: None,
            invocations: 0,
            visits: Vec::new(),
            throttled_until: None,
            lost_sources: Vec::new(),
            refuses_inline_policies: false,
        }
    }

    /// Begins the template's schedules; the first invocations come after an offset.
    pub(crate) fn begin_schedules(&mut self, offset: SignedDuration) {
        for (index, schedule) in wiring().schedules.iter().enumerate() {
            assert!(!schedule.every.is_zero());
            self.due(self.account.now() + offset, Due::Schedule(index));
        }
    }

    pub(crate) fn end_schedules(&mut self) {
        self.agenda.retain(|_, due| !matches!(due, Due::Schedule(_)));
    }

    /// Runs until nothing is left to do, and then for an aftermath. Returns false when the bound was reached.
    pub(crate) fn run_until_quiet(&mut self, bound: SignedDuration, aftermath: SignedDuration) -> bool {
        let began = self.account.now();
        let mut busy_at = began;
        loop {
            self.handle_all_due();
            let now = self.account.now();
            if self.is_quiet() {
                if now.duration_since(busy_at) >= aftermath {
                    return true;
                }
            } else {
                busy_at = now;
            }
            if now.duration_since(began) > bound {
                return false;
            }
            let timers = self.account.timers.lock().unwrap().next();
            let machines = self.account.machines.with(|states| states.next_deadline());
            let agenda = self.agenda.keys().next().map(|(at, _)| *at);
            // Without a schedule, a migration that no one runs stays as it is.
            let Some(next) = [timers, machines, agenda].into_iter().flatten().min() else { return true };
            if next > now {
                self.account.world.advance(next.duration_since(now));
            }
        }
    }

    /// Runs for so long, whatever is left to do.
    pub(crate) fn run_for(&mut self, span: SignedDuration) {
        let until = self.account.now() + span;
        // Time stops there.
        self.due(until, Due::Script);
        while self.account.now() < until {
            self.run_until_quiet(until.duration_since(self.account.now()) - SignedDuration::from_nanos(1), span);
        }
    }

    /// Whether nothing runs and only periodic work is due. A migration that is neither over nor halted still waits for
    /// the sweep, which takes two minutes when its execution was never started.
    fn is_quiet(&self) -> bool {
        const SWEEP: &str = "sweep-migrations";
        let swept = |number: &u64| self.tasks.get(number).is_some_and(|it| it.caller.function == SWEEP);
        let periodic = |due: &Due| match due {
            Due::Schedule(_) | Due::Minute | Due::Script => true,
            Due::Deadline(number) => swept(number),
            Due::Delivery { target, .. } => {
                matches!(&target.target, Target::Function(name) if binary_of(name) == SWEEP)
            }
            Due::Quiet(_) => false,
        };
        self.tasks.values().all(|invocation| invocation.caller.function == SWEEP && !invocation.late)
            && self.agenda.values().all(periodic)
            && self.account.machines.with(|states| states.next_deadline()).is_none()
            && self.account.is_at_rest()
    }

    /// Handles everything that is due now.
    fn handle_all_due(&mut self) {
        let now = self.account.now();
        self.account.timers.lock().unwrap().wake(now);
        loop {
            while let Some(entry) = self.agenda.first_entry()
                && entry.key().0 <= now
            {
                let due = entry.remove();
                self.handle(due);
            }
            self.collect_events();
            let work = self.account.machines.with(|states| states.due_work(now));
            for work in work {
                self.invoke_state(work);
            }
            self.collect_events();
            if self.script.iter().any(|(when, _)| matches!(when, When::Entered(_))) {
                self.check_entered_states();
            }
            let next = self.ready.lock().unwrap().pop_front();
            let Some(invocation) = next else {
                let work_left = self.carry_out_orders() || self.agenda.keys().next().is_some_and(|(at, _)| *at <= now);
                if !work_left {
                    return;
                }
                continue;
            };
            self.poll(invocation);
            self.carry_out_orders();
        }
    }

    pub(super) fn due(&mut self, at: Timestamp, due: Due) {
        self.numbered += 1;
        self.agenda.insert((at, self.numbered), due);
    }

    fn handle(&mut self, due: Due) {
        let now = self.account.now();
        match due {
            Due::Deadline(invocation) => self.time_out(invocation),
            Due::Delivery { target, input, queued } => self.deliver(target, input, queued),
            Due::Schedule(index) => {
                let schedule = &wiring().schedules[index];
                let event = json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {},
                    "resources": [schedule.arn], "time": now.to_string()});
                for target in &schedule.targets {
                    self.deliver(target.clone(), target.input.of_event(&event), QueuedEvent::sent(now));
                }
                self.due(now + schedule.every, Due::Schedule(index));
            }
            Due::Minute => {
                people::minute_of_traffic(&self.account, self.requests_a_minute, self.new_side_answers);
                self.due(now + SignedDuration::from_mins(1), Due::Minute);
            }
            Due::Script => {
                let passed = now.duration_since(self.began).as_secs();
                self.run_script(|when| matches!(when, When::After(at) if *at <= passed));
            }
            Due::Quiet(alarm) => {
                if self.account.world.with(|state| state.cloudwatch.alarm_state(alarm).is_some()) {
                    self.account.world.quiet_alarm(alarm);
                }
                self.account.tell(|| format!("alarm {alarm} is quiet again"));
            }
        }
    }
}
