//! Every fault at every call of the conductor.

use super::scenarios::{SCENARIOS, Scenario, play};
use super::stage::FleetStage;
use super::watch::violations;
use crate::simulation::{Breakage, PortFault};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

pub(crate) const FAULTS: [PortFault; 8] = [
    PortFault::Throttled,
    PortFault::Denied,
    PortFault::FailsBefore,
    PortFault::FailsAfter,
    PortFault::Twice,
    PortFault::Hangs,
    PortFault::DiesBefore,
    PortFault::DiesAfter,
];

/// One of so many calls meets a fault.
pub(crate) const STRIDE: usize = 8;

/// What came of one run: what was broken.
pub(crate) fn judged(
    scenario: &Scenario,
    fault: Option<(usize, PortFault)>,
    breakage: Option<Breakage>,
) -> Vec<String> {
    violations_or_panic(|| {
        let fleet = play(scenario, breakage, |stage: &FleetStage| {
            if let Some((call, fault)) = fault {
                stage.calls.at(call, fault);
            }
        });
        let mut broken = violations(&fleet, scenario.spoiled, scenario.adopted);
        if scenario.retires {
            broken.extend(fleet.unretired());
        }
        let states = fleet.states();
        let away = matches!(fault, Some((_, PortFault::Denied)));
        if states != scenario.ends && !(away && states == scenario.or) {
            broken.push(format!("ended as {states:?}, expected {:?}", scenario.ends));
        }
        broken
    })
}

/// What `judged` found, or the first line of its panic.
pub(crate) fn violations_or_panic(judged: impl FnOnce() -> Vec<String>) -> Vec<String> {
    catch_unwind(AssertUnwindSafe(judged)).unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().cloned().unwrap_or_default();
        vec![format!("panic: {}", words.lines().next().unwrap_or_default())]
    })
}

/// Judges all cases on every core, and returns what was found.
pub(crate) fn in_parallel<C: Sync>(cases: &[C], judged: impl Fn(&C) -> Option<String> + Sync) -> Vec<String> {
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    found.lock().unwrap().extend(judged(case));
                }
            });
        }
    });
    found.into_inner().unwrap()
}

#[test]
fn every_scenario_ends_as_it_should() {
    for scenario in &SCENARIOS {
        let broken = judged(scenario, None, None);
        assert!(broken.is_empty(), "{}: {broken:#?}", scenario.name);
    }
}

#[test]
fn invariants_15_and_17_hold_with_every_fault_at_every_call_of_the_conductor() {
    let mut cases = Vec::new();
    for scenario in &SCENARIOS {
        let undisturbed = play(scenario, None, |_| {});
        for call in undisturbed.calls.numbers_by("check-fleet") {
            // Every fault meets every kind of call; of the calls of one kind, every eighth meets it.
            let own = FAULTS.into_iter().enumerate().filter(|(index, _)| (call + index) % STRIDE == 0);
            cases.extend(own.map(|(_, fault)| (scenario, call, fault)));
        }
    }
    let found = in_parallel(&cases, |(scenario, call, fault)| {
        let broken = judged(scenario, Some((*call, *fault)), None);
        (!broken.is_empty()).then(|| format!("{}/{fault}@{call}: {broken:?}", scenario.name))
    });
    assert!(cases.len() > 1_000, "{} cases", cases.len());
    assert!(found.is_empty(), "{} of {} runs:\n{}", found.len(), cases.len(), found[..found.len().min(20)].join("\n"));
}

/// A deliberate breakage is caught by at least one scenario.
#[track_caller]
fn caught(breakage: Breakage) {
    let mut found: Vec<String> = Vec::new();
    for scenario in &SCENARIOS {
        let undisturbed = judged(scenario, None, Some(breakage));
        found.extend(undisturbed.into_iter().map(|what| format!("{}: {what}", scenario.name)));
    }
    // A late writer needs a call that hangs.
    if found.is_empty() {
        let straight = &SCENARIOS[0];
        for call in play(straight, None, |_| {}).calls.numbers_of("record_fleet") {
            found.extend(judged(straight, Some((call, PortFault::Hangs)), Some(breakage)));
        }
    }
    assert!(!found.is_empty(), "nothing has noticed {breakage:?}");
}

#[test]
fn a_failure_that_stops_its_siblings_is_caught() {
    caught(Breakage::SiblingsAreStopped);
}

#[test]
fn a_budget_that_is_off_by_one_is_caught() {
    caught(Breakage::BudgetIsOffByOne);
}

#[test]
fn a_concurrency_that_is_ignored_is_caught() {
    caught(Breakage::ConcurrencyIsIgnored);
}

#[test]
fn an_order_that_is_ignored_is_caught() {
    caught(Breakage::OrderIsIgnored);
}

#[test]
fn an_outcome_of_an_earlier_run_that_counts_is_caught() {
    caught(Breakage::StaleOutcomesCount);
}

#[test]
fn a_stop_that_is_forgotten_is_caught() {
    caught(Breakage::StopsAreForgotten);
}

#[test]
fn a_hold_that_is_never_written_is_caught() {
    caught(Breakage::HoldsAreNotWritten);
}

#[test]
fn a_fleets_head_without_a_fence_is_caught() {
    caught(Breakage::FleetHeadsAreNotFenced);
}

#[test]
fn a_sweep_that_goes_on_after_a_person_stopped_the_conductor_is_caught() {
    caught(Breakage::StoppedConductorsLookDead);
}

#[test]
fn a_dead_conductor_that_nobody_replaces_is_caught() {
    caught(Breakage::DeadConductorsLookAlive);
}

#[test]
fn a_fleet_that_retires_although_it_is_held_is_caught() {
    caught(Breakage::HeldFleetsRetire);
}

#[test]
fn a_service_that_is_retired_although_it_was_rolled_back_is_caught() {
    caught(Breakage::RolledBackLooksMigrated);
}

#[test]
fn a_rollback_of_everything_in_the_order_of_the_waves_is_caught() {
    caught(Breakage::WavesReturnForwards);
}
