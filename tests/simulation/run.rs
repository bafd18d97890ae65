//! One run: drives functions, machines, events, schedules, traffic and people through virtual time to the end.

use self::invocations::{Invocation, Reply};
use super::account::{Account, Order};
use super::breakage::Breakage;
use super::consumers;
use super::fault::Fault;
use super::people;
use super::ports::{Caller, ports};
use super::rest;
use super::scenario::{Act, Judge, Outcome, Scenario, When};
use super::story::Story;
use super::timers::{Invoked, Ready};
use super::watch::Violation;
use super::wiring::{self, HOOK, MIGRATE, binary_of, timeout_seconds, wiring};
use crossfade_domain::journal::Phase;
use crossfade_rehearsal::wiring::{Target, TargetWiring};
use crossfade_world::states::{TaskError, TaskId, Work};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

mod events;
mod invocations;
mod script;

/// No run may take longer: half an hour of a rollback's retries, and a hold.
const BOUND: SignedDuration = SignedDuration::from_mins(120);
/// How long the world goes on after the last thing happened: a hung writer's minute, and some.
const AFTERMATH: SignedDuration = SignedDuration::from_secs(150);
/// How often a target of an event is tried, and the first delay: as Lambda does with asynchronous invocations.
const ATTEMPTS: u32 = 3;
const FIRST_RETRY: SignedDuration = SignedDuration::from_mins(1);

/// What is run.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) scenario: Scenario,
    pub(super) faults: BTreeMap<usize, Fault>,
    pub(super) seed: u64,
    pub(super) breakage: Option<Breakage>,
    /// Somebody resumes, whether or not the migration has halted.
    pub(super) resumes: Option<Resumes>,
}

/// When somebody resumes, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Resumes {
    pub(super) after_seconds: i64,
    pub(super) accept_drift: bool,
}

/// What came of it.
pub(super) struct Ending {
    pub(super) outcome: Option<Outcome>,
    pub(super) violations: Vec<Violation>,
    pub(super) checks: [u64; 15],
    pub(super) calls: Vec<&'static str>,
    pub(super) callers: BTreeSet<(&'static str, &'static str)>,
    pub(super) injected: usize,
    /// Calls that were made before the script began to act; all of them where it never did.
    pub(super) before_the_script: usize,
    pub(super) seconds_to_safety: Option<f64>,
    /// A person asked in vain and gave up.
    pub(super) gave_up: bool,
    pub(super) story: String,
}

enum Due {
    Deadline(u64),
    Delivery { target: TargetWiring, input: Value, attempt: u32 },
    Schedule(usize),
    Minute,
    Script,
    Quiet(&'static str),
}

pub(super) struct Run<'a> {
    pub(super) account: Arc<Account>,
    pub(super) case: &'a Case,
    tasks: BTreeMap<u64, Invocation>,
    ready: Ready,
    agenda: BTreeMap<(Timestamp, u64), Due>,
    numbered: u64,
    /// What of the script was not done yet.
    script: Vec<(When, Act)>,
    pub(super) execution: String,
    /// What well targets of the new side answer.
    pub(super) new_side_answers: u16,
    entered: usize,
    /// A person asked in vain and gave up.
    gave_up: bool,
    /// The number of the call at which the script first did something.
    acted_at: Option<usize>,
    copies: u32,
    lost: bool,
    began: Timestamp,
    /// When something happened last that is not merely periodic.
    busy_at: Timestamp,
}

impl Case {
    fn script(&self) -> Vec<(When, Act)> {
        let mut script = self.scenario.script.clone();
        script.extend(
            self.resumes.map(|resumes| {
                (When::After(resumes.after_seconds), Act::Resume { accept_drift: resumes.accept_drift })
            }),
        );
        script
    }
}

/// Runs a case; `told` keeps its story.
pub(super) fn run(case: &Case, told: bool) -> Ending {
    let story = if told { Story::kept() } else { Story::default() };
    let account = Account::new(case.scenario.shape, case.seed, case.faults.clone(), story, case.breakage);
    let began = account.now();
    let mut run = Run {
        account: Arc::new(account),
        case,
        tasks: BTreeMap::new(),
        ready: Ready::default(),
        agenda: BTreeMap::new(),
        numbered: 0,
        script: case.script(),
        execution: String::new(),
        new_side_answers: 200,
        entered: 0,
        gave_up: false,
        acted_at: None,
        copies: 1,
        lost: false,
        began,
        busy_at: began,
    };
    run.begin();
    let ended = run.go_on();
    run.finish(ended)
}

impl Run<'_> {
    fn begin(&mut self) {
        let now = self.account.now();
        self.act_on(|when| *when == When::Before);
        let _before_the_start = self.account.world.take_events();
        let offset = self.account.draw_seconds(1.0..60.0);
        for (index, schedule) in wiring().schedules.iter().enumerate() {
            assert!(!schedule.every.is_zero());
            self.due(now + offset, Due::Schedule(index));
        }
        self.due(now + SignedDuration::from_secs(30), Due::Minute);
        let seconds: Vec<i64> = self
            .script
            .iter()
            .filter_map(|(when, _)| if let When::After(at) = when { Some(*at) } else { None })
            .collect();
        for at in seconds {
            self.due(now + SignedDuration::from_secs(at), Due::Script);
        }
        let untouchable = {
            let watch = self.account.watch.lock().unwrap();
            watch.stage.untouchable(&self.account.world)
        };
        self.account.watch.lock().unwrap().stage.policy["onDrift"] = json!(self.case.scenario.on_drift);
        if self.case.scenario.guards {
            self.account.watch.lock().unwrap().stage.policy["guardAlarms"] = json!("auto");
        }
        if self.case.scenario.hooks {
            consumers::follow(&mut self.account.watch.lock().unwrap());
        }
        self.account.watch.lock().unwrap().stage.policy["judge"] = json!(self.case.scenario.judge != Judge::Off);
        if self.case.scenario.judge == Judge::HasTime {
            let policy = &mut self.account.watch.lock().unwrap().stage.policy;
            policy["schedule"][0]["bake"] = json!("10m");
            policy["slice"] = json!("2m");
        }
        self.account.watch.lock().unwrap().stage.policy["untouchable"] = json!(untouchable);
        self.execution = self.start("first").expect("the first start is never refused");
    }

    /// Starts the migration as a person would.
    pub(super) fn start(&self, name: &str) -> Option<String> {
        let mut policy = self.account.watch.lock().unwrap().stage.policy.clone();
        policy.as_object_mut().unwrap().remove("untouchable");
        let now = self.account.now();
        let mut states = self.account.states.lock().unwrap();
        states.start_execution(now, MIGRATE, Some(name), json!({"service": policy})).ok()
    }

    /// Lets things happen until nothing is left to happen. False when the bound was reached.
    fn go_on(&mut self) -> bool {
        loop {
            self.settle_now();
            let now = self.account.now();
            if self.is_quiet() {
                if now.duration_since(self.busy_at) >= AFTERMATH {
                    return true;
                }
            } else {
                self.busy_at = now;
            }
            if now.duration_since(self.began) > BOUND {
                return false;
            }
            let timers = self.account.timers.lock().unwrap().next();
            let machines = self.account.states.lock().unwrap().next_deadline();
            let agenda = self.agenda.keys().next().map(|(at, _)| *at);
            let next = [timers, machines, agenda].into_iter().flatten().min().expect("the schedules never end");
            if next > now {
                self.account.world.advance(next.duration_since(now));
            }
        }
    }

    /// Nothing runs, and nothing but what is periodic is to come. A migration that is neither over nor halted is still
    /// to be found by the sweep, which takes two minutes when its execution was never started.
    fn is_quiet(&self) -> bool {
        let swept = |number: &u64| self.tasks.get(number).is_some_and(|it| it.caller.function == "sweep-migrations");
        let periodic = |due: &Due| match due {
            Due::Schedule(_) | Due::Minute | Due::Script => true,
            Due::Deadline(number) => swept(number),
            Due::Delivery { .. } | Due::Quiet(_) => false,
        };
        let sweeps = |invocation: &Invocation| invocation.caller.function == "sweep-migrations" && !invocation.late;
        self.tasks.values().all(sweeps)
            && self.agenda.values().all(periodic)
            && self.account.states.lock().unwrap().next_deadline().is_none()
            && self.account.head().is_none_or(|head| head.phase.is_over() || head.phase == Phase::Halted)
    }

    /// Everything that happens now.
    fn settle_now(&mut self) {
        let now = self.account.now();
        self.account.timers.lock().unwrap().wake(now);
        while let Some(entry) = self.agenda.first_entry()
            && entry.key().0 <= now
        {
            let due = entry.remove();
            self.come(due);
        }
        loop {
            self.hear();
            let work = self.account.states.lock().unwrap().due_work(now);
            for work in work {
                self.take_up(work);
            }
            self.hear();
            if self.script.iter().any(|(when, _)| matches!(when, When::Entered(_))) {
                self.look_at_states();
            }
            let next = self.ready.lock().unwrap().pop_front();
            let Some(invocation) = next else {
                let work_left = self.obey();
                if !work_left {
                    return;
                }
                continue;
            };
            self.poll(invocation);
            self.obey();
        }
    }

    fn due(&mut self, at: Timestamp, due: Due) {
        self.numbered += 1;
        self.agenda.insert((at, self.numbered), due);
    }

    fn come(&mut self, due: Due) {
        let now = self.account.now();
        match due {
            Due::Deadline(invocation) => self.time_is_over(invocation),
            Due::Delivery { target, input, attempt } => self.deliver(target, input, attempt),
            Due::Schedule(index) => {
                let schedule = &wiring().schedules[index];
                let event = json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {},
                    "resources": [schedule.arn], "time": now.to_string()});
                for target in &schedule.targets {
                    self.deliver(target.clone(), target.input.of_event(&event), 1);
                }
                self.due(now + schedule.every, Due::Schedule(index));
            }
            Due::Minute => {
                people::minute_of_traffic(&self.account, self.new_side_answers);
                self.due(now + SignedDuration::from_mins(1), Due::Minute);
            }
            Due::Script => {
                let passed = now.duration_since(self.began).as_secs();
                self.act_on(|when| matches!(when, When::After(at) if *at <= passed));
            }
            Due::Quiet(alarm) => {
                if self.account.world.with(|state| state.cloudwatch.alarm_state(alarm).is_some()) {
                    self.account.world.quiet_alarm(alarm);
                }
                self.account.tell(|| format!("alarm {alarm} is quiet again"));
            }
        }
    }

    fn finish(self, ended: bool) -> Ending {
        rest::look(&self, ended);
        let outcome = rest::outcome(&self);
        let watch = self.account.watch.lock().unwrap();
        let calls = self.account.calls.lock().unwrap();
        Ending {
            outcome,
            violations: watch.violations.clone(),
            checks: watch.checks,
            calls: calls.made.clone(),
            callers: calls.callers.clone(),
            injected: calls.injected,
            before_the_script: self.acted_at.unwrap_or(0),
            seconds_to_safety: watch.seconds_to_safety,
            gave_up: self.gave_up,
            story: self.account.story.lock().unwrap().text(),
        }
    }
}

impl Ending {
    /// A run that did not come to its end.
    pub(super) fn of_panic(violation: Violation) -> Self {
        Self {
            outcome: None,
            violations: vec![violation],
            checks: [0; 15],
            calls: Vec::new(),
            callers: BTreeSet::new(),
            injected: 0,
            before_the_script: 0,
            seconds_to_safety: None,
            gave_up: false,
            story: String::new(),
        }
    }
}
