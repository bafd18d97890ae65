//! Two services, one of which rolls back: the other makes way for it (invariant 14).

use super::held_shifts::{rolls_back_elsewhere, with_visits};
use super::stage::{Stage, users};
use crossfade_domain::journal::cursor::NextStep;
use crossfade_domain::journal::{EventKind, Phase};
use crossfade_world::fault_injection::Fault;
use crossfade_world::states::Status;
use serde_json::json;

/// What the `visit`-th invocation of a state called and answered, from 1.
fn told(stage: &Stage, visited: &str, visit: usize) -> String {
    let within = format!(" {visited}: ");
    let mut visits = stage.story.iter().filter(|line| line.contains(&within));
    visits.nth(visit - 1).unwrap_or_else(|| panic!("no visit {visit} of {visited}\n{}", stage.told())).clone()
}

/// Migrates `users` while `orders` rolls back from one visit of a state on until another.
fn beside_a_rollback(from: (&'static str, usize), until: (&'static str, usize)) -> (Stage, String) {
    let (mut stage, _) = Stage::with_users();
    let ledger = stage.ledger.clone();
    let execution = with_visits(&mut stage, users(), move |world, state, visit| {
        if (state, visit) == from {
            rolls_back_elsewhere(&ledger, world, true);
        }
        if (state, visit) == until {
            rolls_back_elsewhere(&ledger, world, false);
        }
    });
    (stage, execution)
}

#[test]
fn invariant_14_the_attach_makes_way_for_a_rollback() {
    let (stage, execution) = beside_a_rollback(("Attach at weight 0", 1), ("Attach at weight 0", 3));
    assert_eq!(stage.ended(&execution), (Status::Succeeded, String::new()), "{}", stage.told());
    for visit in [1, 2] {
        let told = told(&stage, "Attach at weight 0", visit);
        assert!(told.contains("makes way for the rollback of orders-1") && !told.contains("write_route"), "{told}");
    }
    stage.assert_at_rest("users");
}

#[test]
fn an_attach_that_made_way_for_too_long_is_taken_back() {
    let (mut stage, _) = Stage::with_users();
    let mut policy = users();
    policy["service"]["maxHold"] = json!("2m");
    let ledger = stage.ledger.clone();
    let execution = with_visits(&mut stage, policy, move |world, state, visit| match (state, visit) {
        ("Attach at weight 0", 1) => rolls_back_elsewhere(&ledger, world, true),
        ("Roll back", 1) => rolls_back_elsewhere(&ledger, world, false),
        _ => {}
    });
    assert_eq!(stage.ended(&execution).1, "Refused", "{}", stage.told());
    let reason = stage.head("users").reason.unwrap();
    assert!(reason.contains("(maxHold is 2m): makes way for the rollback of orders-1"), "{reason}");
    stage.assert_at_rest("users");
}

#[test]
fn invariant_14_a_look_reads_only_what_guards_while_another_service_rolls_back() {
    let (stage, execution) = beside_a_rollback(("Check alarms", 1), ("Check alarms", 4));
    assert_eq!(stage.ended(&execution), (Status::Succeeded, String::new()), "{}", stage.told());
    let calls = ["head", "plan", "open_heads", "alarms", "firings", "health"];
    for (visit, verdict) in [(1, "bake"), (2, "hold"), (3, "hold")] {
        let told = told(&stage, "Check alarms", visit);
        assert!(told.contains(&format!("Check alarms: {}", calls.join(" "))), "{told}");
        assert!(!told.contains("metric_data") && !told.contains("read_routes"), "{told}");
        assert_eq!(told.matches("health").count(), 1, "{told}");
        let says = format!("\"verdict\": String(\"{verdict}\")");
        assert!(told.contains(&says) && told.contains("makes way for the rollback of orders-1"), "{told}");
    }
    let told = told(&stage, "Check alarms", 4);
    assert!(told.contains("read_routes") && told.contains("metric_data"), "{told}");
    stage.assert_at_rest("users");
}

#[test]
fn gates_are_read_again_when_a_rollback_elsewhere_is_stuck_and_shifts_still_make_way() {
    let (stage, execution) = beside_a_rollback(("Check alarms", 1), ("Check alarms", 9));
    assert_eq!(stage.ended(&execution), (Status::Succeeded, String::new()), "{}", stage.told());
    let held = told(&stage, "Shift weight", 2);
    assert!(held.contains("makes way") && !held.contains("write_route"), "{held}");
    let last = told(&stage, "Check alarms", 8);
    assert!(last.contains("read_routes") && last.contains("metric_data"), "{last}");
    stage.assert_at_rest("users");
}

#[test]
fn invariant_14_a_throttled_write_looks_for_a_rollback_before_it_is_tried_again() {
    let writes: Vec<usize> = {
        let (mut free, _) = Stage::with_users();
        free.migrate(users());
        let calls = free.faults.calls();
        (0..calls.len()).filter(|number| calls[*number] == "write_route").collect()
    };
    let (mut stage, _) = Stage::with_users();
    stage.faults.at(writes[4], Fault::Throttled);
    let (ledger, world) = (stage.ledger.clone(), stage.world.clone());
    stage.faults.before(writes[4] + 1, move || rolls_back_elsewhere(&ledger, &world, true));
    let ledger = stage.ledger.clone();
    let execution = with_visits(&mut stage, users(), move |world, state, visit| {
        if (state, visit) == ("Check alarms", 4) {
            rolls_back_elsewhere(&ledger, world, false);
        }
    });
    assert_eq!(stage.ended(&execution), (Status::Succeeded, String::new()), "{}", stage.told());
    let held = told(&stage, "Shift weight", 2);
    assert!(held.contains("makes way for the rollback of orders-1"), "{held}");
    assert_eq!(held.matches("write_route").count(), 1, "{held}");
    stage.assert_at_rest("users");
}

/// Not a stand-in: `payments` really rolls back, and its writes are refused for a while.
#[test]
fn invariant_14_a_service_waits_until_another_one_is_back() {
    let (mut stage, _) = Stage::with_users();
    let hosts = ["pay.example.com", "api.example.com"];
    stage.world.add_service("public", "payments-swarm", &hosts);
    stage.world.add_service("internal", "payments-int", &["pay.internal"]);
    stage.world.add_alarm("payments-5xx");
    stage.world.take_events();
    let payments = stage.start("payments", super::stage::payments());
    let (faults, mut first) = (stage.faults.clone(), true);
    stage.before = Some(Box::new(move |world, _, work, _| {
        let of_payments = work.payload.to_string().contains("payments");
        if of_payments && work.state == "Check alarms" && std::mem::take(&mut first) {
            faults.always("write_route", Fault::Throttled);
            world.fire_alarm("payments-5xx");
        } else if of_payments && work.state == "Roll back" {
            faults.clear();
        }
    }));
    let users = stage.start("users", users());
    stage.run();
    assert_eq!(stage.ended(&payments).1, "RolledBack", "{}", stage.told());
    assert_eq!(stage.ended(&users), (Status::Succeeded, String::new()), "{}", stage.told());
    assert!(stage.told().contains("makes way for the rollback of payments-1"), "{}", stage.told());
    assert_eq!((stage.head("users").phase, stage.head("payments").phase), (Phase::Migrated, Phase::RolledBack));
    let halted = stage.events("users").into_iter().any(|event| {
        matches!(event.kind, EventKind::Halted { .. } | EventKind::Judged { verdict: NextStep::Halt, .. })
    });
    assert!(!halted, "{}", stage.told());
}
