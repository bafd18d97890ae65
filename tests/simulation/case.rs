//! One case of the simulation: a scenario with its faults, run to its end.

use super::account::Account;
use super::breakage::Breakage;
use super::consumers;
use super::outside;
use super::ports::port_fault::PortFault;
use super::run::{Due, SimulatedRun};
use super::run_log::RunLog;
use super::scenario::{Act, Judge, LATENCY, Outcome, Scenario, When};
use super::watch::rest;
use super::watch::{INVARIANTS, Violation};
use super::wiring::MIGRATE;
use crossfade_domain::probe::Answer;
use crossfade_world::cloudwatch::Lateness;
use crossfade_world::world::EVERY_GROUP;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// No run may take longer: half an hour of a rollback's retries, and a hold.
const BOUND: SignedDuration = SignedDuration::from_mins(120);
/// The bound of a run with a hold of a month.
const BOUND_OF_A_MONTH: SignedDuration = SignedDuration::from_hours(32 * 24);
/// How long the world goes on after the last thing happened: a hung writer's minute, and some.
const AFTERMATH: SignedDuration = SignedDuration::from_secs(150);

/// Requests in a minute on each route, so that the new side has enough for a guard alarm at the first step.
const BUSY: u32 = 150;
/// Two minutes: as late as metrics often are.
const LATE_SECONDS: i64 = 120;

/// The path that a policy with probes lists.
pub(super) const PROBED: &str = "/probed";

/// An answer of a target to a probe.
pub(super) fn answer(body: &str) -> Answer {
    Answer { status: 200, body: body.as_bytes().to_vec(), ..Answer::default() }
}

/// What is run.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) scenario: Scenario,
    pub(super) faults: BTreeMap<usize, PortFault>,
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

/// How a case ended, and what was seen on the way.
pub(super) struct Ending {
    pub(super) outcome: Option<Outcome>,
    pub(super) violations: Vec<Violation>,
    pub(super) checks: [u64; INVARIANTS],
    pub(super) calls: Vec<&'static str>,
    pub(super) callers: BTreeSet<(&'static str, &'static str)>,
    pub(super) injected: usize,
    /// Calls that were made before the script began to act; all of them where it never did.
    pub(super) before_the_script: usize,
    pub(super) seconds_to_safety: Option<f64>,
    /// A person asked in vain and gave up.
    pub(super) gave_up: bool,
    pub(super) log: String,
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

/// Runs a case; `told` keeps its log.
pub(super) fn run(case: &Case, told: bool) -> Ending {
    let log = if told { RunLog::kept() } else { RunLog::default() };
    let account = Account::watched(case.scenario.shape, case.seed, log, case.breakage);
    for (number, fault) in &case.faults {
        account.calls.at(*number, *fault);
    }
    let mut run = SimulatedRun::new(account);
    run.script = case.script();
    run.begin(&case.scenario);
    let bound = if case.scenario.holds_a_month { BOUND_OF_A_MONTH } else { BOUND };
    let ended = run.run_until_quiet(bound, AFTERMATH);
    rest::look(&run, case, ended);
    Ending::of(&run)
}

impl SimulatedRun {
    fn begin(&mut self, scenario: &Scenario) {
        self.run_script(|when| *when == When::Before);
        let _before_the_start = self.account.world.take_events();
        let offset = self.account.draw_seconds(1.0..60.0);
        self.begin_schedules(offset);
        let now = self.account.now();
        self.due(now + SignedDuration::from_secs(30), Due::Minute);
        let seconds: Vec<i64> = self
            .script
            .iter()
            .filter_map(|(when, _)| if let When::After(at) = when { Some(*at) } else { None })
            .collect();
        for at in seconds {
            self.due(now + SignedDuration::from_secs(at), Due::Script);
        }
        if scenario.probes {
            self.make_room_for_probes();
        }
        let mut watch = self.account.watch();
        let untouchable = watch.setup.untouchable(&self.account.world);
        if scenario.hooks {
            consumers::follow(&mut watch);
        }
        let policy = &mut watch.setup.policy;
        policy["onDrift"] = json!(scenario.on_drift);
        if scenario.alarms_observe {
            policy["gates"] = json!({"alarms": "observe"});
        }
        if scenario.asks_outside {
            outside::ask(&mut watch);
        }
        let policy = &mut watch.setup.policy;
        if scenario.guards {
            policy["guardAlarms"] = json!("auto");
        }
        if scenario.probes {
            policy["probes"] = json!([{"path": PROBED, "compare": "body"}]);
            self.account.world.group_answers(EVERY_GROUP, PROBED, vec![answer(r#"{"now": "{now}"}"#)]);
        }
        if scenario.from_here {
            policy["probeFrom"] = json!("caller");
        }
        let mut frozen = None;
        if scenario.holds_a_month {
            policy["maxHold"] = json!("30d");
        }
        if let Some((from, to)) = scenario.frozen {
            let at = |seconds| Timestamp::from_second((now + SignedDuration::from_secs(seconds)).as_second()).unwrap();
            let local = |at: Timestamp| at.strftime("%Y-%m-%dT%H:%M:%S").to_string();
            policy["windows"] = if scenario.by_calendar {
                let closed = [(at(from), at(to))];
                self.account.world.with(|state| state.calendars.put_calendar("change-freeze", &closed));
                json!({"timeZone": "UTC", "fit": "start", "calendars": ["change-freeze"]})
            } else {
                let freeze = json!({"from": local(at(from)), "to": local(at(to))});
                json!({"timeZone": "UTC", "fit": "start", "freeze": [freeze]})
            };
            frozen = Some((at(from), at(to)));
        }
        policy["judge"] = json!(scenario.judge != Judge::Off);
        if scenario.late {
            policy["alarms"] = json!([LATENCY]);
            policy["schedule"][0]["bake"] = json!("10m");
            policy["slice"] = json!("2m");
            self.requests_a_minute = BUSY;
            self.account.world.with(|state| state.cloudwatch.lateness = Lateness::of(LATE_SECONDS));
        }
        if scenario.judge == Judge::HasTime {
            policy["schedule"][0]["bake"] = json!("10m");
            policy["slice"] = json!("2m");
        }
        policy["untouchable"] = json!(untouchable);
        watch.frozen = frozen;
        drop(watch);
        self.execution = self.start("first").expect("the first start is never refused");
    }

    /// Leaves priorities free before those of the service: the rule of a probe has to come first.
    fn make_room_for_probes(&self) {
        let rules: Vec<String> = self
            .account
            .watch()
            .setup
            .routes
            .iter()
            .filter(|route| route.as_str().contains(":listener-rule/"))
            .map(|route| route.as_str().to_owned())
            .collect();
        let priorities: Vec<_> =
            (11..).zip(rules).map(|(priority, rule)| json!({"RuleArn": rule, "Priority": priority})).collect();
        let input = json!({"RulePriorities": priorities});
        self.account.world.with(|state| state.elbv2.call_json(state.now, "SetRulePriorities", &input)).unwrap();
    }

    /// Starts the migration as a person would.
    pub(super) fn start(&self, name: &str) -> Option<String> {
        let mut policy = self.account.watch().setup.policy.clone();
        let fields = policy.as_object_mut().unwrap();
        fields.remove("untouchable");
        let from = fields.remove("probeFrom");
        let (now, mut input) = (self.account.now(), json!({"service": policy}));
        if let Some(from) = from {
            input["probeFrom"] = from;
        }
        self.account.machines.with(|states| states.start_execution(now, MIGRATE, Some(name), input)).ok()
    }
}

impl Ending {
    fn of(run: &SimulatedRun) -> Self {
        let (account, watch) = (&run.account, run.account.watch());
        Self {
            outcome: rest::outcome(run),
            violations: watch.violations.clone(),
            checks: watch.checks,
            calls: account.calls.made(),
            callers: account.calls.callers(),
            injected: account.calls.injected(),
            before_the_script: run.acted_at.unwrap_or(0),
            seconds_to_safety: watch.seconds_to_safety,
            gave_up: run.gave_up,
            log: account.log.lock().unwrap().text(),
        }
    }

    /// A run that did not come to its end.
    pub(super) fn of_panic(violation: Violation) -> Self {
        Self {
            outcome: None,
            violations: vec![violation],
            checks: [0; INVARIANTS],
            calls: Vec::new(),
            callers: BTreeSet::new(),
            injected: 0,
            before_the_script: 0,
            seconds_to_safety: None,
            gave_up: false,
            log: String::new(),
        }
    }
}
