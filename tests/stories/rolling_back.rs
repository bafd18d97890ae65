//! Rollbacks: from any phase, whatever else is broken.

use super::stage::{Stage, payments, users};
use crate::simulation::{Breakage, PortFault};
use crossfade_domain::journal::{EventKind, Phase, Trigger};
use crossfade_world::world::ServiceOnBalancer;
use jiff::SignedDuration;
use serde_json::{Value, json};

/// A migration that bakes at 5 %, with its execution stopped in time.
fn baking() -> (Stage, ServiceOnBalancer) {
    let (mut stage, service) = Stage::with_users();
    stage.migrate_until("Check alarms", users());
    assert_eq!((stage.head("users").phase, stage.step("users")), (Phase::Moving, Some(1)), "{}", stage.told());
    (stage, service)
}

fn act() -> Value {
    json!({"cursor": {"service": "users", "cause": "checkout is slow"}, "execution": "by-hand", "mode": "act"})
}

fn verify() -> Value {
    json!({"cursor": {"service": "users"}, "execution": "by-hand", "mode": "verify"})
}

/// Acts, settles, verifies; answers the verdicts.
fn roll_back(stage: &Stage) -> (Value, Value) {
    let acted = stage.call("roll-back", &act()).unwrap().unwrap();
    stage.world.advance(SignedDuration::from_secs(90));
    let verified = stage.call("roll-back", &verify()).unwrap().unwrap();
    (acted, verified)
}

#[test]
fn a_rollback_by_hand_returns_every_route_and_releases_the_locks() {
    let (stage, _) = baking();
    let (acted, verified) = roll_back(&stage);
    assert_eq!((&acted["verdict"], &acted["waitSeconds"]), (&json!("settle"), &json!(90)));
    assert_eq!(verified["verdict"], "rolledBack");
    stage.assert_at_rest("users");
    let rollback = stage.head("users").rollback.unwrap();
    assert_eq!((rollback.trigger, rollback.cause.as_str()), (Trigger::Operator, "checkout is slow"));
}

#[test]
fn a_rollback_may_be_repeated_at_any_time() {
    let (stage, _) = baking();
    let first = stage.call("roll-back", &act()).unwrap().unwrap();
    let again = stage.call("roll-back", &act()).unwrap().unwrap();
    assert_eq!((&first["verdict"], &again["verdict"]), (&json!("settle"), &json!("settle")));
    assert_eq!(stage.head("users").generation, 2, "rollbacks never fence each other");
    stage.world.advance(SignedDuration::from_secs(90));
    for _ in 0..2 {
        assert_eq!(stage.call("roll-back", &verify()).unwrap().unwrap()["verdict"], "rolledBack");
    }
    assert_eq!(stage.call("roll-back", &act()).unwrap().unwrap()["verdict"], "settle");
    stage.assert_at_rest("users");
}

#[test]
fn invariant_7_the_second_look_waits_until_late_writers_are_dead() {
    let (stage, _) = baking();
    stage.call("roll-back", &act()).unwrap().unwrap();
    stage.world.advance(SignedDuration::from_secs(30));
    let early = stage.call("roll-back", &verify()).unwrap().unwrap();
    assert_eq!((&early["verdict"], &early["waitSeconds"]), (&json!("settle"), &json!(60)));
    assert_eq!(stage.head("users").phase, Phase::Settling);
}

#[test]
fn invariant_7_what_a_late_writer_moved_is_returned_before_the_locks_go() {
    let (stage, service) = baking();
    let new = stage.new_group("users", &service.old_group);
    stage.call("roll-back", &act()).unwrap().unwrap();
    // A shift to 5 % that had been on its way for as long as a function may live.
    stage.world.advance(SignedDuration::from_secs(60));
    stage.world.with(|state| {
        let now = state.now;
        state.elbv2.set_weights(now, &service.rules[0], &[(&service.old_group, 950), (&new, 50)]).unwrap();
    });
    stage.world.advance(SignedDuration::from_secs(30));
    let looked = stage.call("roll-back", &verify()).unwrap().unwrap();
    assert_eq!(looked["verdict"], "settle");
    assert!(stage.is_at_baseline("users") && stage.ledger.snapshot().held().count() > 0);
    stage.world.advance(SignedDuration::from_secs(90));
    assert_eq!(stage.call("roll-back", &verify()).unwrap().unwrap()["verdict"], "rolledBack");
    let last = stage.events("users").into_iter().rfind(|event| event.kind.is_end()).unwrap().kind;
    assert_eq!(last, EventKind::RollbackVerified { rewritten: 1, left: 0 });
    stage.assert_at_rest("users");
}

#[test]
fn invariant_5_a_foreign_edit_is_kept_without_our_group() {
    let (stage, service) = baking();
    let other = stage.world.add_service("internal", "other", &[]).old_group;
    stage.world.someone_sets_weight(&service.rules[0], &other, 50).unwrap();
    let (_, verified) = roll_back(&stage);
    assert_eq!(verified["verdict"], "rolledBack");
    let weights = stage.world.weights_of(&service.rules[0]);
    assert_eq!(weights, [(service.old_group.clone(), 999), (other, 50)], "950 and 50 of ours, without the rest scaled");
    let kept =
        stage.events("users").iter().filter(|event| matches!(event.kind, EventKind::ForeignEditKept { .. })).count();
    assert_eq!(kept, 1);
    assert_eq!(stage.ledger.snapshot().held().count(), 0);
}

#[test]
fn invariant_5_our_group_already_gone_is_recorded_and_left() {
    let (stage, service) = baking();
    let new = stage.new_group("users", &service.old_group);
    let other = stage.world.add_service("internal", "other", &[]).old_group;
    stage.world.someone_sets_weight(&service.rules[0], &other, 1).unwrap();
    stage.world.someone_removes_group(&service.rules[0], &new).unwrap();
    let before = stage.world.weights_of(&service.rules[0]);
    assert_eq!(roll_back(&stage).1["verdict"], "rolledBack");
    assert_eq!(stage.world.weights_of(&service.rules[0]), before);
}

#[test]
fn invariant_5_the_old_group_gone_while_ours_is_there_halts_after_all_other_routes_are_back() {
    let (stage, service) = baking();
    stage.world.someone_removes_group(&service.rules[0], &service.old_group).unwrap();
    let acted = stage.call("roll-back", &act()).unwrap().unwrap();
    assert_eq!(acted["verdict"], "halt");
    assert!(acted["reason"].as_str().unwrap().contains("old target group"), "{acted}");
    let second = stage.world.weights_of(&service.rules[1]);
    assert_eq!(second.len(), 1, "the other route is back");
    stage.assert_at_rest("users");
}

#[test]
fn invariant_6_a_rollback_is_withheld_only_from_a_working_side_to_a_dead_one() {
    #[track_caller]
    fn check(old_healthy: bool, new_healthy: bool, verdict: &str, at_baseline: bool) {
        let (stage, service) = baking();
        let new = stage.new_group("users", &service.old_group);
        let set = |group: &str, healthy| {
            if healthy { stage.world.make_healthy(group) } else { stage.world.make_unhealthy(group) }
        };
        set(&service.old_group, old_healthy);
        set(&new, new_healthy);
        let acted = stage.call("roll-back", &act()).unwrap().unwrap();
        assert_eq!((acted["verdict"].as_str().unwrap(), stage.is_at_baseline("users")), (verdict, at_baseline));
    }
    check(true, true, "settle", true);
    check(true, false, "settle", true);
    check(false, false, "settle", true);
    check(false, true, "halt", false);
}

#[test]
fn invariant_6_health_that_cannot_be_read_withholds_nothing() {
    let (stage, service) = baking();
    stage.world.make_unhealthy(&service.old_group);
    stage.calls.always("health", PortFault::Throttled);
    assert_eq!(stage.call("roll-back", &act()).unwrap().unwrap()["verdict"], "settle");
    assert!(stage.is_at_baseline("users"));
}

#[test]
fn invariant_6_targets_that_the_policy_does_not_list_withhold_nothing() {
    let (stage, service) = baking();
    let new = stage.new_group("users", &service.old_group);
    // Healthy, and someone else's. Of the two that the policy lists and needs, one is left.
    stage.world.register_instances(&new, &["i-0ccccccccccccccc1", "i-0ccccccccccccccc2"], 30080);
    let gone = json!({"TargetGroupArn": new, "Targets": [{"Id": "i-0bbbbbbbbbbbbbbb1", "Port": 30080}]});
    stage.world.with(|state| state.elbv2.call_json(state.now, "DeregisterTargets", &gone)).unwrap();
    stage.world.make_unhealthy(&service.old_group);
    assert_eq!(stage.call("roll-back", &act()).unwrap().unwrap()["verdict"], "settle", "{}", stage.told());
    assert!(stage.is_at_baseline("users"));
}

#[test]
fn invariant_6_one_throttled_look_at_health_sends_no_traffic_to_a_dead_side() {
    let (stage, service) = baking();
    stage.world.make_unhealthy(&service.old_group);
    let made = stage.calls.made().len();
    // head, plan, record, read, then the health of the old side.
    stage.calls.at(made + 4, PortFault::Throttled);
    assert_eq!(stage.call("roll-back", &act()).unwrap().unwrap()["verdict"], "halt");
    assert_eq!(stage.calls.made()[made + 4], "health");
    assert!(!stage.is_at_baseline("users"));
}

#[test]
fn a_halted_rollback_goes_on_when_a_person_has_mended_it() {
    let (stage, service) = baking();
    stage.world.make_unhealthy(&service.old_group);
    assert_eq!(stage.call("roll-back", &act()).unwrap().unwrap()["verdict"], "halt");
    stage.assert_at_rest("users");
    stage.world.make_healthy(&service.old_group);
    assert_eq!(roll_back(&stage).1["verdict"], "rolledBack");
    stage.assert_at_rest("users");
}

#[test]
fn a_rollback_that_halted_is_tried_again_by_the_sweep_while_its_alarm_fires() {
    let (mut stage, service) = baking();
    stage.world.make_unhealthy(&service.old_group);
    assert_eq!(stage.call("roll-back", &act()).unwrap().unwrap()["verdict"], "halt");
    let sweep = |stage: &Stage| stage.call("sweep-migrations", &json!({})).unwrap().unwrap()["migrations"][0].clone();
    assert!(
        sweep(&stage)["did"].as_str().unwrap().starts_with("nothing: halted"),
        "nothing fires, and the new side is well"
    );
    stage.lose_alarm_events();
    stage.world.fire_alarm("users-5xx");
    stage.world.make_healthy(&service.old_group);
    let first = sweep(&stage);
    assert_eq!(first["did"], "started roll-back-service", "{first}");
    assert_eq!(sweep(&stage)["execution"], first["execution"], "one try in ten minutes");
    stage.run();
    assert_eq!(stage.head("users").phase, Phase::RolledBack, "{}", stage.told());
    stage.assert_at_rest("users");
}

#[test]
fn invariant_6_a_route_that_is_denied_halts_loudly_after_all_others_are_back() {
    let (stage, service) = baking();
    let writes = stage.calls.made().len();
    // head, plan, record, read, health, write: the first write of the rollback.
    stage.calls.at(writes + 5, PortFault::Denied);
    let acted = stage.call("roll-back", &act()).unwrap().unwrap();
    let calls = &stage.calls.made()[writes..];
    assert_eq!(calls[5], "write_route", "{calls:?}");
    assert_eq!(acted["verdict"], "halt");
    let lengths = |rule: &str| stage.world.weights_of(rule).len();
    assert_eq!((lengths(&service.rules[0]), lengths(&service.rules[1])), (2, 1));
    let reason = stage.head("users").reason.unwrap();
    assert!(reason.contains("not authorized") && reason.contains("roll-back-service"), "{reason}");
}

#[test]
fn invariant_6_a_table_that_does_not_answer_stops_no_rollback() {
    for verb in ["head", "plan", "record"] {
        let (stage, _) = baking();
        stage.calls.always(verb, PortFault::FailsBefore);
        let _ = stage.call("roll-back", &act()).unwrap();
        stage.calls.clear();
        assert!(stage.is_at_baseline("users"), "{verb} does not answer");
        // When it answers again, the journal is put right.
        assert_ne!(roll_back(&stage).0["verdict"], "halt");
        stage.world.advance(SignedDuration::from_secs(90));
        assert_eq!(stage.call("roll-back", &verify()).unwrap().unwrap()["verdict"], "rolledBack");
        stage.assert_at_rest("users");
    }
}

#[test]
fn invariant_6_without_the_table_both_load_balancers_are_returned() {
    let (mut stage, _) = Stage::with_payments();
    stage.migrate_until("Check alarms", payments());
    stage.calls.always("head", PortFault::FailsBefore);
    let input = json!({"cursor": {"service": "payments"}, "execution": "by-hand", "mode": "act"});
    let acted = stage.call("roll-back", &input).unwrap().unwrap();
    assert_eq!(acted["verdict"], "settle", "{acted}");
    assert!(stage.is_at_baseline("payments"));
}

/// What AWS says of the new group may be older than its attachment, or wrong.
#[test]
fn invariant_6_without_the_table_the_load_balancers_of_the_old_group_are_asked_too() {
    let roll_back_with = |breakage| {
        let (mut stage, _) = Stage::with_users_on(Stage::broken(Some(breakage)));
        stage.migrate_until("Check alarms", users());
        stage.calls.always("head", PortFault::FailsBefore);
        let acted = stage.call("roll-back", &act()).unwrap().unwrap();
        (acted, stage.is_at_baseline("users"))
    };
    let (acted, back) = roll_back_with(Breakage::NewGroupsNameNoLoadBalancer);
    assert_eq!((acted["verdict"].as_str(), back), (Some("settle"), true), "{acted}");
    let (acted, back) = roll_back_with(Breakage::NoGroupNamesALoadBalancer);
    assert_eq!((acted["verdict"].as_str(), back), (Some("halt"), false), "{acted}");
    let reason = acted["reason"].as_str().unwrap();
    assert!(reason.contains("check the rules of the service by hand"), "{reason}");
}

#[test]
fn invariant_7_a_rollback_that_is_over_writes_no_more() {
    let act = json!({"cursor": {"service": "payments", "cause": "slow"}, "execution": "by-hand", "mode": "act"});
    let throttled = |breakage: Option<Breakage>| {
        let (mut stage, _) = Stage::with_payments_on(Stage::broken(breakage));
        stage.migrate_until("Check alarms", payments());
        stage.calls.always("write_route", PortFault::Throttled);
        stage
    };
    let measured = throttled(None);
    let before = measured.calls.numbers_of("write_route").len();
    let _ = measured.call("roll-back", &act).unwrap();
    // Five writes at once, then three a second: after 4 s it is over, and after 8 s AWS would take a write.
    let writes = measured.calls.numbers_of("write_route").split_off(before);
    let (ends_at, accepted_from) = (writes[16], writes[28]);
    let roll_back = |breakage| {
        let stage = throttled(breakage);
        let (ledger, faults) = (stage.ledger.clone(), stage.calls.clone());
        stage.calls.before(ends_at, move || {
            let mut items = ledger.snapshot();
            items.heads.values_mut().for_each(|head| head.phase = Phase::RolledBack);
            ledger.restore(items);
        });
        stage.calls.before(accepted_from, move || faults.clear());
        let _ = stage.call("roll-back", &act).unwrap();
        (stage.step("payments"), stage.calls.made().iter().filter(|verb| **verb == "write_route").count())
    };
    let (step, attempts) = roll_back(None);
    assert_eq!(step, Some(1), "nothing is written any more");
    let (step, more) = roll_back(Some(Breakage::RollbacksNeverLookOver));
    assert!(step.is_none() && more > attempts, "routes are written, at attempt {more} and not {attempts}");
}

#[test]
fn a_service_without_a_migration_has_nothing_to_return() {
    let (stage, _) = Stage::with_users();
    let answer = stage.call("roll-back", &act()).unwrap().unwrap();
    assert_eq!((answer["verdict"].as_str(), answer["error"].as_str()), (Some("refused"), Some("Refused")), "{answer}");
}

#[test]
fn a_start_that_failed_early_cannot_roll_back_somebody_elses_migration() {
    let (stage, _) = baking();
    let input = json!({
        "cursor": {"service": "users", "error": {"Error": "Lambda.Unknown", "Cause": "{}"}},
        "execution": "another", "mode": "act", "onlyOwn": true,
    });
    assert_eq!(stage.call("roll-back", &input).unwrap().unwrap()["verdict"], "refused");
    assert_eq!((stage.head("users").phase, stage.step("users")), (Phase::Moving, Some(1)));
}

/// `payments` at 5 % on five routes, of which one is at 100 % and one is half somebody else's; both by their rules.
fn unevenly_loaded() -> (Stage, String, String) {
    let (mut stage, services) = Stage::with_payments();
    stage.migrate_until("Check alarms", payments());
    let (most, least) = (services[1].rules[1].clone(), services[0].rules[0].clone());
    let new = stage.new_group("payments", &services[1].old_group);
    let weights = [(services[1].old_group.as_str(), 0), (new.as_str(), 999)];
    stage.world.with(|state| state.elbv2.set_weights(state.now, &most, &weights)).unwrap();
    let other = stage.world.add_service("public", "other", &[]).old_group;
    stage.world.someone_sets_weight(&least, &other, 999).unwrap();
    (stage, most, least)
}

#[test]
fn invariant_14_the_most_loaded_routes_are_returned_first() {
    let act = json!({"cursor": {"service": "payments", "cause": "slow"}, "execution": "by-hand", "mode": "act"});
    let (stage, ..) = unevenly_loaded();
    let before = stage.calls.made().len();
    assert_eq!(stage.call("roll-back", &act).unwrap().unwrap()["verdict"], "settle");
    let writes = stage.calls.made().into_iter().enumerate().skip(before).filter(|(_, verb)| *verb == "write_route");
    let writes: Vec<usize> = writes.map(|(number, _)| number).collect();
    assert_eq!(writes.len(), 5);
    // They are sent at the same time, in this order: AWS's budget goes to the first ones.
    let still_loaded_when_denied_at = |write: usize| {
        let (stage, most, least) = unevenly_loaded();
        stage.calls.at(writes[write], PortFault::Denied);
        assert_eq!(stage.call("roll-back", &act).unwrap().unwrap()["verdict"], "halt");
        let new: Vec<String> = stage.head("payments").new_groups.values().map(ToString::to_string).collect();
        [most, least].map(|rule| {
            let weights = stage.world.weights_of(&rule);
            weights.iter().any(|(group, _)| new.contains(group))
        })
    };
    assert_eq!(still_loaded_when_denied_at(0), [true, false], "the first write is to the most loaded route");
    assert_eq!(still_loaded_when_denied_at(4), [false, true], "the last one is to the least loaded");
}
