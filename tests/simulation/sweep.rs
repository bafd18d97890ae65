//! Every scenario, with every fault at every call.

use super::case::{Case, Ending, Resumes, run};
use super::ports::port_fault::{FAULTS, PortFault};
use super::scenario::{Outcome, Scenario, Shape, long_scenarios, scenarios};
use super::watch::{INVARIANTS, Violation};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The seed of every run of the list.
const SEED: u64 = 7;
/// The longest from an alarm to a new side without traffic: at once, and with one thing gone wrong on the way, when the
/// second try of the event, the next slice or the sweep must do.
const SAFE_AT_ONCE_SECONDS: f64 = 5.0;
const SAFE_AFTER_A_FAULT_SECONDS: f64 = 240.0;
/// As the latter, for an alarm whose event is lost: a step that is held is looked at every quarter of an hour.
const SAFE_UNHEARD_SECONDS: f64 = 960.0;

/// Functions with the verbs of their ports that they called.
pub(crate) type Callers = BTreeSet<(&'static str, &'static str)>;

/// In the name of a case: somebody resumes and accepts drift.
const ACCEPTS: &str = "accepts";

/// What came of many runs.
#[derive(Default)]
pub(super) struct Report {
    pub(super) runs: usize,
    pub(super) faults: usize,
    pub(super) checks: [u64; INVARIANTS],
    /// Which function called which verb of its ports.
    pub(super) callers: Callers,
    /// What went wrong, by the case's name.
    pub(super) violations: Vec<(String, Violation)>,
}

impl Report {
    /// As if the runs of both had been one list.
    pub(super) fn join(&mut self, other: Self) {
        self.runs += other.runs;
        self.faults += other.faults;
        for (sum, count) in self.checks.iter_mut().zip(other.checks) {
            *sum += count;
        }
        self.callers.extend(other.callers);
        self.violations.extend(other.violations);
    }

    fn add(&mut self, name: &str, ending: Ending) {
        self.runs += 1;
        self.faults += ending.injected;
        for (sum, count) in self.checks.iter_mut().zip(ending.checks) {
            *sum += count;
        }
        self.callers.extend(ending.callers);
        self.violations.extend(ending.violations.into_iter().map(|violation| (name.to_owned(), violation)));
    }
}

/// A case by its name: `straight`, or `straight/Throttled@17`, several faults apart by commas, the seed at the end:
/// `straight/Throttled@17,Stopped@40/7`; after it `/resumes@300` or `/accepts@300` where somebody does so after so many
/// seconds. A number alone is the seed of a drawn case.
pub(super) fn named(name: &str) -> Option<Case> {
    if let Ok(seed) = name.parse() {
        return super::random::cases(seed..seed + 1).pop();
    }
    let mut parts = name.split('/');
    let scenario = parts.next()?;
    let scenario = scenarios().into_iter().chain(long_scenarios()).find(|known| known.name == scenario)?;
    let mut faults = BTreeMap::new();
    for fault in parts.next().unwrap_or_default().split(',').filter(|fault| !fault.is_empty()) {
        let (fault, call) = fault.split_once('@')?;
        faults.insert(call.parse().ok()?, PortFault::named(fault)?);
    }
    let seed = parts.next().map_or(Some(SEED), |seed| seed.parse().ok())?;
    let resumes = match parts.next() {
        None => None,
        Some(resumes) => {
            let (how, after) = resumes.split_once('@')?;
            Some(Resumes { after_seconds: after.parse().ok()?, accept_drift: how == ACCEPTS })
        }
    };
    Some(Case { scenario, faults, seed, breakage: None, resumes })
}

pub(super) fn name_of(case: &Case) -> String {
    let faults: Vec<String> = case.faults.iter().map(|(call, fault)| format!("{fault}@{call}")).collect();
    let resumes = case.resumes.map(|resumes| {
        format!("/{}@{}", if resumes.accept_drift { ACCEPTS } else { "resumes" }, resumes.after_seconds)
    });
    format!("{}/{}/{}{}", case.scenario.name, faults.join(","), case.seed, resumes.unwrap_or_default())
}

/// Runs a case and adds how it must end.
pub(super) fn judged(case: &Case, told: bool) -> Ending {
    let ran = catch_unwind(AssertUnwindSafe(|| run(case, told)));
    let mut ending = ran.unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().cloned().unwrap_or_default();
        Ending::of_panic(Violation { invariant: 13, text: format!("panic: {words}") })
    });
    let allowed = allowed(case, &ending);
    if let Some(outcome) = ending.outcome
        && !allowed.contains(&outcome)
    {
        let throttled = case.faults.values().all(|fault| *fault == PortFault::Throttled) && !case.faults.is_empty();
        let text = format!("ended as {outcome:?}, expected one of {allowed:?}");
        ending.violations.push(Violation { invariant: if throttled { 14 } else { case.scenario.about }, text });
    }
    let throttled = case.faults.values().any(|fault| *fault == PortFault::Throttled);
    ending.checks[if throttled { 14 } else { case.scenario.about }] += 1;
    if let Some(seconds) = ending.seconds_to_safety
        && case.faults.len() <= 1
    {
        let bound = match case.faults.values().next() {
            None => SAFE_AT_ONCE_SECONDS,
            Some(PortFault::AlarmUnheard) => SAFE_UNHEARD_SECONDS,
            Some(_) => SAFE_AFTER_A_FAULT_SECONDS,
        };
        ending.checks[6] += 1;
        if seconds > bound {
            let text = format!("{seconds} s from the alarm to safety, at most {bound}");
            ending.violations.push(Violation { invariant: 6, text });
        }
    }
    ending
}

fn allowed(case: &Case, ending: &Ending) -> Vec<Outcome> {
    let mut allowed = vec![case.scenario.ends];
    if case.faults.is_empty() {
        return allowed;
    }
    allowed.extend(&case.scenario.or);
    let hangs =
        |(call, fault): (&usize, &PortFault)| *fault == PortFault::Hangs && ending.calls.get(*call) == Some(&"health");
    if case.faults.iter().any(hangs) {
        // A rollback waits two seconds for health. What it does not know by then withholds nothing (invariant 6).
        allowed.push(Outcome::RolledBack);
    }
    let unanswered = |(call, fault): (&usize, &PortFault)| {
        matches!(fault, PortFault::FailsBefore | PortFault::FailsAfter) && ending.calls.get(*call) == Some(&"ask")
    };
    if case.faults.iter().any(unanswered) {
        // Without an answer, the new side fails its probe, and the old side is nothing to compare with.
        allowed.push(Outcome::RolledBack);
    }
    if ending.gave_up {
        // Before the plan is stored there is nothing to abort: the person is told so, gives up after a while, and the
        // migration goes on. So it does when the person may not do what was asked for.
        allowed.push(Outcome::Migrated);
    }
    if case.faults.values().any(|fault| *fault == PortFault::Denied) {
        // What may not be done is rolled back, and where a rollback may not go on it halts loudly.
        allowed.push(Outcome::Halted);
    }
    if !case.faults.values().all(|fault| fault.is_a_bad_moment()) {
        allowed.extend([Outcome::RolledBack, Outcome::Refused]);
    }
    if case.faults.len() > 1 {
        allowed.extend([Outcome::RolledBack, Outcome::Refused, Outcome::Halted, Outcome::Migrated]);
    }
    allowed
}

/// Every fault at every call of every scenario that `wanted` names, from the moment on at which it differs from
/// the one without a script: what happens before is that one's.
pub(super) fn exhaust(wanted: impl Fn(&Scenario) -> bool) -> Report {
    let mut cases = Vec::new();
    for scenario in scenarios().into_iter().filter(wanted) {
        let alone = Case { scenario, faults: BTreeMap::new(), seed: SEED, breakage: None, resumes: None };
        let ran = run(&alone, false);
        let from = if alone.scenario.shape == Shape::TwoRules { ran.before_the_script.saturating_sub(1) } else { 0 };
        for call in from..ran.calls.len() {
            for fault in FAULTS.into_iter().filter(|fault| fault.can_happen_at(ran.calls[call])) {
                cases.push(Case { faults: BTreeMap::from([(call, fault)]), ..alone.clone() });
            }
        }
        cases.push(alone);
    }
    all(&cases)
}

/// Which function called which verb of its ports: in every scenario as it is and with a call without effect here and
/// there, and in the plainest with an alarm at every call.
pub(crate) fn callers() -> Callers {
    let mut cases = Vec::new();
    for scenario in scenarios() {
        let alone = Case { scenario, faults: BTreeMap::new(), seed: SEED, breakage: None, resumes: None };
        for call in (0..run(&alone, false).calls.len()).step_by(3) {
            cases.push(Case { faults: BTreeMap::from([(call, PortFault::FailsBefore)]), ..alone.clone() });
        }
        if alone.scenario.name == "straight" {
            for call in 0..run(&alone, false).calls.len() {
                let alarms = [PortFault::Alarm, PortFault::AlarmUnheard];
                cases.extend(alarms.map(|alarm| Case { faults: BTreeMap::from([(call, alarm)]), ..alone.clone() }));
            }
        }
        cases.push(alone);
    }
    all(&cases).callers
}

/// Runs cases side by side; each of them is alone in its world.
pub(super) fn all(cases: &[Case]) -> Report {
    let next = AtomicUsize::new(0);
    let report = Mutex::new(Report::default());
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let ending = judged(case, false);
                    report.lock().unwrap().add(&name_of(case), ending);
                }
            });
        }
    });
    report.into_inner().unwrap()
}

/// What went wrong against an invariant, with the log of the first case and how to see it again.
pub(super) fn told(report: &Report, invariant: usize) -> String {
    let found: Vec<_> = report.violations.iter().filter(|(_, violation)| violation.invariant == invariant).collect();
    let Some((first, _)) = found.first() else { return String::new() };
    let lines: Vec<String> =
        found.iter().take(12).map(|(name, violation)| format!("{name}: {}", violation.text)).collect();
    let log = named(first).map(|case| judged(&case, true).log).unwrap_or_default();
    format!(
        "invariant {invariant} is broken in {} of {} runs:\n{}\n\nThe log of {first}:\n{log}\n\nTo see it again: \
         {}",
        found.len(),
        report.runs,
        lines.join("\n"),
        replay_of(first)
    )
}

pub(super) fn replay_of(name: &str) -> String {
    format!(
        "CROSSFADE_SIMULATION_CASE='{name}' cargo test --workspace --test all simulation::invariants::replay -- \
         --exact --nocapture"
    )
}
