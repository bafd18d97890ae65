//! The invariants of `docs/internals/invariants.md`, as far as the fence is what keeps them.

use crate::fence::Fence;
use crate::state::{Other, Owner, ROUTES, SHARED, ShifterAt, State, Value};
use crossfade_domain::journal::Phase;
use stateright::Property;

pub(crate) const INVARIANT_1: &str = "1: every route is at its baseline or at a planned weight of who holds it";
pub(crate) const INVARIANT_6: &str = "6: a rollback alone, from any phase, comes to rolled back, halted or refused";
pub(crate) const INVARIANT_7_AT_REST: &str = "7: at rest no late writer can move traffic";
pub(crate) const INVARIANT_7_IN_FLIGHT: &str = "7: a fenced writer makes no write but the one in flight";
pub(crate) const INVARIANT_8: &str = "8: a route that another migration holds is written by nobody else";

pub(crate) fn properties() -> Vec<Property<Fence>> {
    vec![
        Property::always(INVARIANT_1, |fence: &Fence, state: &State| {
            (0..ROUTES).all(|route| is_planned(fence, state, route))
        }),
        Property::always(INVARIANT_6, |fence: &Fence, state| fence.a_rollback_alone_comes_to_an_end(state)),
        Property::always(INVARIANT_7_AT_REST, |_, state: &State| rests(state)),
        Property::always(INVARIANT_7_IN_FLIGHT, |_, state: &State| {
            state.shifters.iter().flatten().all(|shifter| shifter.late_writes <= 1)
        }),
        Property::always(INVARIANT_8, |_, state: &State| other_is_alone(state)),
        Property::sometimes("a migration ends migrated", |_, state: &State| state.head.phase == Phase::Migrated),
        Property::sometimes("a migration is rolled back after it moved a route", |_, state: &State| {
            state.head.phase == Phase::RolledBack
        }),
        Property::sometimes("a migration is refused before its first change", |_, state: &State| {
            state.head.phase == Phase::Refused
        }),
        Property::sometimes("a late write lands after the routes were seen back", |_, state: &State| {
            state.head.phase == Phase::Settling && state.routes.iter().any(|value| matches!(value, Value::Step(_)))
        }),
        Property::sometimes("the other migration gets the route in the end", |_, state: &State| {
            state.other == Other::Moved
        }),
    ]
}

fn is_planned(fence: &Fence, state: &State, route: usize) -> bool {
    let value = state.routes[route];
    let at_the_end = state.head.phase == Phase::Migrated && value == Value::Step(fence.extent.last_step);
    let intended = state.head.verified.max(state.head.intended);
    match state.locks[route] {
        Owner::Ours => value == Value::Baseline || matches!(value, Value::Step(step) if Some(step) <= intended),
        Owner::Nobody => value == Value::Baseline || at_the_end,
        Owner::Other => match state.other {
            Other::Refused => false,
            Other::Holds(baseline) => value == baseline && (baseline == Value::Baseline || at_the_end),
            Other::Moved => value == Value::Baseline || value == Value::Other,
        },
    }
}

/// Once a rollback has released its locks: every route that nobody took since is at its baseline, and nobody who passed
/// the fence is alive to write.
fn rests(state: &State) -> bool {
    if state.head.phase != Phase::RolledBack {
        return true;
    }
    let back = (0..ROUTES).all(|route| state.locks[route] == Owner::Other || state.routes[route] == Value::Baseline);
    let late = state.shifters.iter().flatten().any(|shifter| matches!(shifter.at, ShifterAt::Write(_)));
    back && !late
}

/// What the other migration did to its route stays, and it holds the lock for as long.
fn other_is_alone(state: &State) -> bool {
    let expected = match state.other {
        Other::Refused => return state.locks[SHARED] != Owner::Other,
        Other::Holds(baseline) => baseline,
        Other::Moved => Value::Other,
    };
    state.locks[SHARED] == Owner::Other && state.routes[SHARED] == expected
}
