//! Faults that the simulation's list does not have: it gives every call every fault, one at a time.

use super::stage::{Stage, payments, users};
use crate::simulation::PortFault;
use crossfade_domain::journal::{EventKind, Phase};

/// An alarm fires before the first check at 5 %, and its event is lost.
fn with_an_unheard_alarm() -> Stage {
    let (mut stage, _) = Stage::with_users();
    stage.lose_alarm_events();
    stage.once_before("Check alarms", |world| world.fire_alarm("users-5xx"));
    stage
}

#[test]
fn a_fault_at_any_call_after_an_alarm_whose_event_was_lost_still_rolls_back() {
    let faults = [
        PortFault::Throttled,
        PortFault::FailsBefore,
        PortFault::FailsAfter,
        PortFault::Twice,
        PortFault::DiesBefore,
        PortFault::DiesAfter,
    ];
    let mut free = with_an_unheard_alarm();
    free.migrate(users());
    let calls = free.calls.made();
    assert!(calls.len() > 80, "{calls:?}");
    for (number, verb) in calls.into_iter().enumerate() {
        for fault in faults.into_iter().filter(|fault| fault.can_happen_at(verb)) {
            let mut stage = with_an_unheard_alarm();
            stage.calls.at(number, fault);
            stage.migrate(users());
            let phase = stage.head("users").phase;
            assert_eq!(phase, Phase::RolledBack, "call {number} ({verb}), {fault}\n{}", stage.told());
            stage.assert_at_rest("users");
        }
    }
}

/// Everything is throttled for a while, from any call on.
#[test]
fn invariant_14_throttling_slows_a_migration_down_and_never_fails_it() {
    for first in (0..Stage::migrated().calls.made().len()).step_by(5) {
        let (mut stage, _) = Stage::with_users();
        stage.calls.during(first..first + 12, PortFault::Throttled);
        stage.migrate(users());
        stage.assert_at_rest("users");
        assert_eq!(stage.head("users").phase, Phase::Migrated, "from call {first}\n{}", stage.told());
    }
}

#[test]
fn invariant_13_a_shift_that_keeps_failing_on_one_route_is_taken_back_on_all() {
    let writes = {
        let (mut free, _) = Stage::with_payments();
        free.migrate(payments());
        free.calls.numbers_of("write_route")
    };
    let (mut stage, services) = Stage::with_payments();
    // The second write of the first weight above 0 is denied for good: the first 5 writes attach.
    stage.calls.at(writes[6], PortFault::Denied);
    let execution = stage.migrate(payments());
    stage.assert_at_rest("payments");
    assert_eq!(stage.ended(&execution).1, "RolledBack", "{}", stage.told());
    assert_eq!(stage.world.weights_of(&services[0].rules[0]).len(), 1);
    let causes = stage.recorded("payments", |event| match &event.kind {
        EventKind::RollbackBegun { cause, .. } => Some(cause.clone()),
        _ => None,
    });
    assert!(causes.iter().all(|cause| cause.contains("Denied")), "{}", stage.told());
}
