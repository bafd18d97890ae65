//! What people ask of a fleet.

use super::stage::{FLEET, FleetStage};
use crossfade_domain::fleet::head::{RunOutcome, RunState};
use crossfade_domain::fleet::service_run::ServiceState;
use crossfade_domain::journal::{EventKind, Phase};
use crossfade_world::states::Status;
use serde_json::json;

/// Two services that bake for half an hour, and two after them.
fn fleet() -> FleetStage {
    let mut fleet = FleetStage::new(&[("a", &[]), ("b", &[]), ("c", &["a"]), ("d", &["b"])], json!({"waveBake": "1m"}));
    for service in 0..2 {
        fleet.policy["services"][service]["schedule"][0]["bake"] = json!("30m");
    }
    fleet.apply();
    fleet
}

#[test]
fn a_paused_fleet_holds_what_moves_and_goes_on_when_it_is_resumed() {
    let mut fleet = fleet();
    let first = fleet.conduct();
    fleet.minutes(5);
    let pause = fleet.command("pause");
    fleet.minutes(90);
    assert_eq!(fleet.ended(&first).0, Status::Succeeded, "another execution conducts since then");
    assert_eq!(fleet.fleet().state, RunState::Paused);
    assert!(fleet.head("a").commands.paused && fleet.head("b").commands.paused, "{}", fleet.told());
    assert_eq!((fleet.raised("a").len(), fleet.migrations()), (1, 2));
    let resume = fleet.command("resume");
    fleet.run();
    assert_eq!(fleet.ended(&pause).0, Status::Succeeded);
    assert_eq!(fleet.ended(&resume).0, Status::Succeeded, "{}", fleet.told());
    assert_eq!(fleet.states(), "a migrated, b migrated, c migrated, d migrated");
}

#[test]
fn a_fleet_that_drains_starts_nothing_and_lets_what_moves_arrive() {
    let mut fleet = fleet();
    fleet.conduct();
    fleet.minutes(5);
    fleet.start_fleet("drain", json!({"fleet": FLEET, "action": "pause", "drain": true}));
    fleet.minutes(120);
    assert_eq!(fleet.states(), "a migrated, b migrated, c waiting, d waiting", "{}", fleet.told());
    fleet.command("resume");
    fleet.run();
    assert_eq!(fleet.states(), "a migrated, b migrated, c migrated, d migrated");
}

#[test]
fn an_abort_returns_what_moves_and_leaves_what_has_migrated() {
    let mut fleet = fleet();
    fleet.policy["services"][0]["schedule"][0]["bake"] = json!("2m");
    fleet.apply();
    fleet.conduct();
    fleet.minutes(20);
    assert_eq!(fleet.phase("a"), Some(Phase::Migrated), "{}", fleet.told());
    let abort = fleet.command("abort");
    fleet.run();
    assert_eq!(fleet.ended(&abort), (Status::Failed, "Aborted".to_owned()), "{}", fleet.told());
    assert_eq!(fleet.states(), "a migrated, b aborted, c waiting, d blocked");
    assert!(fleet.is_at_baseline("b"));
}

#[test]
fn a_rollback_of_everything_goes_through_the_waves_backwards() {
    let mut fleet = FleetStage::of_four(json!({"waveBake": "1m"}));
    fleet.conduct();
    fleet.run();
    let back = fleet.command("rollBackAll");
    fleet.run();
    assert_eq!(fleet.ended(&back), (Status::Failed, "Returned".to_owned()), "{}", fleet.told());
    assert_eq!(fleet.fleet().outcome, Some(RunOutcome::Returned));
    for service in ["users", "carts", "prices", "orders"] {
        assert_eq!(fleet.phase(service), Some(Phase::RolledBack), "{service}\n{}", fleet.told());
        assert!(fleet.is_at_baseline(service));
    }
    assert!(fleet.ended_at("orders") < fleet.ended_at("carts"));
    assert!(fleet.ended_at("carts") < fleet.ended_at("users"));
}

#[test]
fn a_skipped_service_is_not_waited_for() {
    let mut fleet = FleetStage::of_four(json!({"waveBake": "1m"}));
    fleet.conduct();
    fleet.minutes(2);
    fleet.command_for("skip", "carts");
    fleet.run();
    assert_eq!(fleet.states(), "users migrated, carts skipped, prices migrated, orders blocked", "{}", fleet.told());
}

#[test]
fn what_comes_after_a_skipped_service_is_released_by_a_person_and_its_journal_says_so() {
    let mut fleet = FleetStage::of_four(json!({"waveBake": "1m"}));
    fleet.conduct();
    fleet.minutes(2);
    fleet.command_for("skip", "carts");
    fleet.run();
    assert_eq!(fleet.states(), "users migrated, carts skipped, prices migrated, orders blocked", "{}", fleet.told());
    let release = json!({
        "fleet": FLEET, "action": "skip", "service": "carts", "releaseDependants": true, "who": "ana",
        "reason": "carts stays on Swarm",
    });
    fleet.start_fleet("release", release);
    fleet.run();
    assert_eq!(fleet.states(), "users migrated, carts skipped, prices migrated, orders migrated", "{}", fleet.told());
    let events = fleet.events("orders");
    let ignored = events.iter().find_map(|event| match &event.kind {
        EventKind::Planned { after_ignored, .. } => after_ignored.clone(),
        _ => None,
    });
    let ignored = ignored.unwrap();
    assert!(ignored.contains("orders comes after carts, which has not migrated"), "{ignored}");
    assert!(ignored.contains("fleet eks started orders all the same: carts is skipped"), "{ignored}");
    assert!(ignored.contains("ana: carts stays on Swarm"), "{ignored}");
}

#[test]
fn a_command_that_makes_no_sense_is_refused_in_words() {
    let mut fleet = FleetStage::of_four(json!({"waveBake": "1m"}));
    for (number, (input, why)) in [
        (json!({"fleet": FLEET, "action": "pause"}), "has had no run"),
        (json!({"fleet": "ekss"}), "did you mean"),
        (json!({"fleet": FLEET, "action": "stop"}), "action: "),
        (json!({"fleet": FLEET, "drain": true, "action": "abort"}), "drain: only with action pause"),
        (json!({"fleet": FLEET, "action": "skip", "service": "carts", "releaseDependants": true}), "reason: missing"),
        (
            json!({"fleet": FLEET, "action": "retry", "service": "carts", "releaseDependants": true}),
            "only with action skip",
        ),
        (json!({"flet": FLEET}), "flet: unknown field"),
    ]
    .into_iter()
    .enumerate()
    {
        let execution = fleet.start_fleet(&format!("wrong-{number}"), input);
        fleet.run();
        let cause = fleet.machines.with(|engine| engine.describe(&execution).unwrap().cause.clone());
        assert!(cause.as_ref().is_some_and(|cause| cause.contains(why)), "{cause:?}: {why}");
    }
    assert_eq!(fleet.migrations(), 0);
    assert_eq!(fleet.ledger.snapshot().fleets.len(), 0);
}

#[test]
fn a_person_who_continues_a_held_service_has_decided() {
    let mut fleet = fleet();
    fleet.conduct();
    fleet.minutes(5);
    fleet.command("pause");
    fleet.minutes(5);
    let (plain, service) = (fleet.plain.clone(), super::stage::name("a"));
    let who = crossfade_actions::operator::commands::command(
        &plain,
        &service,
        crossfade_actions::operator::commands::Command::Continue,
        "a person",
    );
    crate::simulation::at_once(who).unwrap();
    fleet.minutes(60);
    assert_eq!(fleet.state("a"), ServiceState::Migrated, "{}", fleet.told());
    assert_eq!(fleet.state("b"), ServiceState::Moving);
}

#[test]
fn an_abort_needs_no_policy_that_can_be_read() {
    let mut fleet = fleet();
    fleet.conduct();
    fleet.minutes(5);
    let policy = std::mem::replace(&mut fleet.policy, json!({"fleet": FLEET, "servces": []}));
    fleet.apply();
    let abort = fleet.command("abort");
    fleet.minutes(30);
    assert_eq!(fleet.ended(&abort), (Status::Failed, "Aborted".to_owned()), "{}", fleet.told());
    assert!(fleet.is_at_baseline("a") && fleet.is_at_baseline("b"));
    fleet.policy = policy;
}
