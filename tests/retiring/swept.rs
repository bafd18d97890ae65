//! A retirement that nobody runs is continued by the sweep, never next to an execution that runs, and never after a
//! person has stopped it.

use super::machine::publishing;
use super::stage::{Retiring, terms};
use crate::simulation::{Breakage, Callers, PortFault};
use crate::stories::stage::Stage;
use crossfade_domain::retirement::{RetirementEventKind as Kind, RetirementPhase};
use crossfade_world::states::Status;
use jiff::SignedDuration;
use serde_json::{Value, json};

const MACHINE: &str = "crossfade-retire-service";
const FUNCTIONS: [&str; 3] = ["check-idle", "detach-target-group", "delete-target-group"];

/// A service whose retirement an execution runs.
struct Swept {
    run: Retiring,
    /// What the sweep may not do.
    violations: Vec<String>,
}

impl Swept {
    fn new() -> Self {
        Self::broken(None)
    }

    fn broken(breakage: Option<Breakage>) -> Self {
        let fields = [("retire", terms("deregistered"))];
        let run = publishing(Retiring::on_stage(Stage::broken(breakage), fields, |_, _| ()));
        run.stage.start_retirement("first", json!({"service": "users"}));
        Self { run, violations: Vec::new() }
    }

    /// How the sweep answers of retirements; none where it died or failed.
    fn sweep(&self) -> Value {
        let answer = self.run.stage.call("sweep-migrations", &json!({}));
        answer.and_then(Result::ok).map_or(Value::Null, |report| report["retirements"].clone())
    }

    /// Runs everything for so long, with a sweep each minute.
    fn minutes(&mut self, minutes: u32) {
        for _ in 0..minutes {
            self.run.stage.run_for(SignedDuration::from_mins(1));
            self.sweep();
            let running = self.of(Some(Status::Running));
            if running.len() > 1 {
                self.violations.push(format!("side by side: {running:?}"));
            }
            // The event of the stop has reached the sweep as well.
            let of_the_sweep = running.iter().any(|name| name.starts_with("users-retirement-"));
            if of_the_sweep && !self.of(Some(Status::Aborted)).is_empty() {
                self.violations.push(format!("a person had stopped it: {running:?}"));
            }
        }
    }

    /// Whether a retirement was recorded.
    fn has_begun(&self) -> bool {
        !self.run.stage.ledger.snapshot().retirements.is_empty()
    }

    /// Runs everything until the retirement is over or at rest, or was not even begun.
    fn finish(&mut self) {
        for _ in 0..240 {
            self.minutes(1);
            let is_run = self.has_begun() && self.run.retirement().is_run();
            if !is_run && self.of(Some(Status::Running)).is_empty() {
                return;
            }
        }
        panic!("it never ends: {:?}\n{}", self.run.retirement().phase, self.run.stage.told());
    }

    /// The machine's executions, newest first.
    fn of(&self, status: Option<Status>) -> Vec<String> {
        let named = |one: &crossfade_world::states::Description| one.name.clone();
        self.run.stage.machines.with(|engine| {
            engine.list_executions(MACHINE, status, 100, None).unwrap().elements.iter().map(named).collect()
        })
    }

    /// The execution that the journal names last, as Step Functions shows it.
    fn latest(&self) -> Option<(String, Status)> {
        let execution = self.run.stage.ledger.snapshot().retirements.values().next()?.executions.last()?.clone();
        let shown =
            self.run.stage.machines.with(|engine| engine.describe(&execution).ok().map(|shown| shown.status))?;
        Some((execution, shown))
    }

    fn stop(&self) {
        let (execution, _) = self.latest().unwrap();
        let now = self.run.stage.world.now();
        self.run.stage.machines.with(|engine| engine.stop(now, &execution, None, None)).unwrap();
    }

    fn run_until(&mut self, phase: RetirementPhase) {
        while !self.has_begun() || self.run.retirement().phase != phase {
            self.minutes(1);
        }
    }

    #[track_caller]
    fn assert_finished(&self) {
        let told = || self.run.stage.told();
        assert_eq!(self.violations, [""; 0], "{}", told());
        assert_eq!(self.run.retirement().phase, RetirementPhase::Deregistered, "{}", told());
        assert!(self.run.is_detached() && self.run.targets() == 0, "{}", told());
        assert_eq!(self.run.stage.ledger.snapshot().held().count(), 0, "{}", told());
        assert_eq!(self.run.retirement().number, 1, "nothing was begun again");
    }
}

/// The numbers of the calls of these functions in a run with this fault at a call, if any.
fn calls(functions: &[&str], fault: Option<(usize, PortFault)>) -> Vec<usize> {
    let mut straight = Swept::new();
    let first = straight.run.stage.calls.made().len();
    if let Some((number, fault)) = fault {
        straight.run.fault(number, fault);
    }
    straight.finish();
    straight.assert_finished();
    let by = functions.iter().flat_map(|function| straight.run.stage.calls.numbers_by(function));
    by.filter(|number| *number >= first).collect()
}

/// The call at which the execution dies in the tests of the sweep's own calls: the first write of a route.
fn first_write() -> usize {
    let mut straight = Swept::new();
    let first = straight.run.stage.calls.made().len();
    straight.finish();
    straight.run.stage.calls.numbers_of("write_route").into_iter().find(|number| *number >= first).unwrap()
}

#[test]
fn invariant_13_a_retirement_whose_execution_dies_at_any_call_is_finished_by_the_sweep() {
    let mut died = 0;
    for number in calls(&FUNCTIONS, None) {
        let mut swept = Swept::new();
        swept.run.fault(number, PortFault::Denied);
        swept.finish();
        if !swept.has_begun() {
            // Nothing was recorded, so there is nothing to continue: the person is told, and types it again.
            assert_eq!(swept.of(Some(Status::Failed)), ["first"]);
            swept.run.stage.start_retirement("again", json!({"service": "users"}));
            swept.finish();
        }
        swept.assert_finished();
        died += usize::from(swept.of(None).len() > 1);
    }
    assert!(died > 20, "the executions died only {died} times");
}

#[test]
fn invariant_13_the_sweep_continues_a_retirement_with_every_fault_at_its_own_calls() {
    let dies = first_write();
    for number in calls(&["sweep-migrations"], Some((dies, PortFault::Denied))).into_iter().filter(|one| *one > dies) {
        for fault in [super::every_call::FAULTS[number % 7], PortFault::Denied] {
            let mut swept = Swept::new();
            swept.run.fault(dies, PortFault::Denied);
            swept.run.fault(number, fault);
            swept.finish();
            swept.assert_finished();
        }
    }
}

#[test]
fn a_retirement_that_a_person_stopped_rests_until_a_person_continues_it() {
    let mut swept = Swept::new();
    swept.run_until(RetirementPhase::Watching);
    swept.stop();
    swept.minutes(60);
    assert_eq!(swept.violations, [""; 0]);
    assert_eq!(swept.run.retirement().phase, RetirementPhase::Watching);
    assert_eq!(swept.sweep()[0]["did"], "nothing: someone stopped execution first");
    swept.run.stage.start_retirement("again", json!({"service": "users"}));
    swept.finish();
    swept.assert_finished();
}

#[test]
fn one_that_dies_right_after_its_start_is_started_again_no_more_than_once_in_ten_minutes() {
    let mut swept = Swept::new();
    swept.run_until(RetirementPhase::Proving);
    swept.run.stage.calls.always("retirement", PortFault::Denied);
    swept.minutes(60);
    let tries = swept.of(None).len();
    assert!((6..=8).contains(&tries), "{tries} executions in an hour");
    swept.run.stage.calls.clear();
    swept.finish();
    swept.assert_finished();
}

#[test]
fn one_that_the_sweep_could_not_start_is_started_two_minutes_later() {
    let mut swept = Swept::new();
    swept.run_until(RetirementPhase::Watching);
    swept.run.stage.calls.always("record_retirement", PortFault::Denied);
    swept.run.stage.calls.always("start_retirement", PortFault::Denied);
    while !swept.of(Some(Status::Running)).is_empty() {
        swept.run.stage.run_for(SignedDuration::from_mins(1));
    }
    swept.run.stage.calls.clear();
    swept.run.stage.calls.always("start_retirement", PortFault::Denied);
    swept.minutes(3);
    assert_eq!(swept.of(None), ["first"], "the start was refused");
    swept.run.stage.calls.clear();
    swept.minutes(3);
    assert_eq!(swept.of(None).len(), 2, "{}", swept.run.stage.told());
    swept.finish();
    swept.assert_finished();
}

#[test]
fn one_whose_history_is_full_is_continued_by_the_next_execution() {
    // It waits for an approval that nobody gives, with a look each five minutes.
    let run = publishing(Retiring::of([("retire", terms("deregistered"))], super::stories::watched));
    let first = run.stage.start_retirement("first", json!({"service": "users"}));
    let mut swept = Swept { run, violations: Vec::new() };
    swept.run.stage.run_for(SignedDuration::from_hours(170));
    assert_eq!(swept.run.stage.ended(&first), (Status::Succeeded, String::new()), "it says that it is continued");
    swept.minutes(2);
    assert_eq!(swept.of(Some(Status::Running)), [format!("users-retirement-1-{}", swept.run.retirement().sequence)]);
    let kinds = swept.run.kinds();
    let Some(Kind::Continued { why, .. }) = kinds.last() else { panic!("{kinds:?}") };
    assert_eq!(why, "execution first has looked as often as it can");
    assert_eq!(swept.violations, [""; 0]);
}

#[test]
fn a_persons_command_runs_next_to_what_waits_and_the_sweep_adds_nothing() {
    let mut swept = Swept::new();
    swept.run_until(RetirementPhase::Proving);
    swept.run.stage.start_retirement("second", json!({"service": "users"}));
    swept.run.stage.run_for(SignedDuration::from_mins(1));
    assert_eq!(swept.run.retirement().executions.len(), 2);
    swept.stop();
    swept.minutes(5);
    assert_eq!(swept.of(Some(Status::Running)), ["first"], "it still runs");
    assert_eq!(swept.sweep()[0]["did"], "nothing");
    swept.finish();
    swept.assert_finished();
}

#[test]
fn an_execution_of_the_sweep_begins_nothing_and_continues_only_what_it_was_given() {
    let mut swept = Swept::new();
    swept.finish();
    let refused = (Status::Failed, "Refused".to_owned());
    let late = json!({"service": "users", "command": "continue"});
    let first = swept.run.stage.start_retirement("late", late.clone());
    swept.run.stage.run_machines();
    assert_eq!(swept.run.stage.ended(&first), refused);
    swept.run.stage.start_retirement("undo", json!({"service": "users", "command": "undo", "who": "ana"}));
    swept.run.stage.run_machines();
    let second = swept.run.stage.start_retirement("later", late);
    swept.run.stage.run_machines();
    assert_eq!(swept.run.stage.ended(&second), refused);
    let retirement = swept.run.retirement();
    assert_eq!((retirement.number, retirement.phase), (1, RetirementPhase::Undone));
    swept.run.assert_as_before();
}

#[test]
fn one_that_an_earlier_version_began_is_named_at_its_next_look_and_is_not_swept_before() {
    let mut swept = Swept::new();
    swept.run_until(RetirementPhase::Proving);
    let mut items = swept.run.stage.ledger.snapshot();
    for head in items.retirements.values_mut() {
        (head.executions, head.entered_at) = (Vec::new(), None);
    }
    swept.run.stage.ledger.restore(items);
    assert_eq!(swept.sweep(), Value::Null);
    swept.finish();
    swept.assert_finished();
    assert!(swept.run.kinds().iter().any(|kind| matches!(kind, Kind::Entered { .. })), "{:?}", swept.run.kinds());
}

/// What the checks see of a retirement that is stopped, or that dies, or that runs, under a breakage.
fn seen(breakage: Option<Breakage>, ends: impl Fn(&Swept)) -> Vec<String> {
    let mut swept = Swept::broken(breakage);
    swept.run_until(RetirementPhase::Watching);
    ends(&swept);
    swept.minutes(45);
    if swept.run.retirement().is_run() && swept.latest().is_some_and(|(_, status)| status == Status::Failed) {
        swept.violations.push("nobody continues it".to_owned());
    }
    swept.violations
}

#[track_caller]
fn check(breakage: Breakage, words: &str, ends: impl Fn(&Swept)) {
    assert_eq!(seen(None, &ends), [""; 0], "without {breakage:?}");
    let found = seen(Some(breakage), &ends);
    assert!(found.iter().any(|one| one.contains(words)), "{breakage:?} is not caught: {found:#?}");
}

#[test]
fn a_sweep_that_starts_what_a_person_stopped_is_caught() {
    check(Breakage::StoppedRetirementsLookDead, "a person had stopped it", Swept::stop);
}

#[test]
fn a_sweep_that_starts_a_second_execution_next_to_one_that_runs_is_caught() {
    check(Breakage::RunningRetirementsLookDead, "side by side", |_| ());
}

#[test]
fn a_sweep_that_does_not_see_that_an_execution_died_is_caught() {
    check(Breakage::DeadRetirementsLookAlive, "nobody continues it", |swept| {
        swept.run.fault(swept.run.stage.calls.made().len(), PortFault::Denied);
    });
}

/// Which verbs of its ports the sweep calls for retirements.
pub(super) fn callers() -> Callers {
    let mut swept = Swept::new();
    swept.run_until(RetirementPhase::Watching);
    swept.run.fault(swept.run.stage.calls.made().len(), PortFault::Denied);
    swept.finish();
    swept.run.stage.calls.callers()
}
