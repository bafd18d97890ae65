//! A freeze of two weeks: the conductor waits through it, and its successor goes on in the middle of it.

use super::every_call::{FAULTS, STRIDE, in_parallel, judged};
use super::scenarios::{FROZEN, play};
use super::stage::{FLEET, FleetStage};
use crossfade_domain::fleet::event::FleetEvent;
use crossfade_domain::fleet::service_run::ServiceState;
use crossfade_world::ledger::Items;
use jiff::Timestamp;
use std::ops::RangeInclusive;

/// Most looks in the freeze only wait. So many calls before and after each change of the conductor and each start meet
/// faults.
const AROUND: usize = 3;

/// The freeze, and the minute after it.
fn freeze() -> RangeInclusive<Timestamp> {
    "2026-11-05T00:00:00Z".parse().unwrap()..="2026-11-19T00:01:00Z".parse().unwrap()
}

/// The places of the lines of the fleet's journal that `wanted` wants, of those in the freeze.
fn places(items: &Items, wanted: impl Fn(&FleetEvent) -> bool) -> Vec<usize> {
    let journal = &items.fleet_journals[&(FLEET.to_owned(), 1)];
    let lines = journal.iter().enumerate().filter(|(_, line)| freeze().contains(&line.at));
    lines.filter(|(_, line)| line.events.iter().any(&wanted)).map(|(place, _)| place).collect()
}

#[test]
fn invariants_15_16_and_17_hold_with_faults_in_a_freeze_of_two_weeks_and_at_the_conductors_successor() {
    let undisturbed: FleetStage = play(&FROZEN, None, |_| {});
    let items = undisturbed.ledger.snapshot();
    let successor = places(&items, |event| matches!(event, FleetEvent::Conducted { .. }));
    let starts =
        places(&items, |event| matches!(event, FleetEvent::Service { now, .. } if now.state == ServiceState::Starting));
    assert_eq!((successor.len(), starts.len()), (1, 1), "one successor, which starts both services after the freeze");
    assert!(successor < starts, "it took over in the freeze");

    let records = undisturbed.calls.numbers_of("record_fleet");
    let near = |call: &usize| [successor[0], starts[0]].iter().any(|place| records[*place].abs_diff(*call) <= AROUND);
    let functions = ["check-fleet", "sweep-migrations"];
    let calls = functions.iter().flat_map(|function| undisturbed.calls.numbers_by(function)).filter(near);
    let cases: Vec<_> = calls
        .flat_map(|call| FAULTS.into_iter().enumerate().map(move |(index, fault)| (call, index, fault)))
        .filter(|(call, index, _)| (call + index) % STRIDE == 0)
        .collect();
    assert!(cases.len() > 10, "{cases:?}");
    let found = in_parallel(&cases, |(call, _, fault)| {
        let broken = judged(&FROZEN, Some((*call, *fault)), None);
        (!broken.is_empty()).then(|| format!("{fault}@{call}: {broken:?}"))
    });
    assert!(found.is_empty(), "{} of {} runs:\n{}", found.len(), cases.len(), found.join("\n"));
}
