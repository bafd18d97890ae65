//! The way back of a service that has migrated: by an operator's command alone, under locks that are taken again.

use super::stage::{Stage, users};
use crate::simulation::{PortFault, wiring::ROLL_BACK};
use crossfade_actions::error::ErrorClass;
use crossfade_domain::journal::{Phase, Trigger};
use crossfade_domain::load_balancer::our_tags::tag;
use crossfade_world::ledger::Items;
use crossfade_world::world::ServiceOnBalancer;
use jiff::SignedDuration;
use serde_json::{Value, json};

fn migrated() -> (Stage, ServiceOnBalancer) {
    let (mut stage, service) = Stage::with_users();
    stage.migrate(users());
    assert_eq!(stage.head("users").phase, Phase::Migrated, "{}", stage.told());
    (stage, service)
}

fn act(stage: &Stage) -> Value {
    stage.call("roll-back", &request("act")).unwrap().unwrap()
}

/// As much as the console needs.
fn request(mode: &str) -> Value {
    json!({"cursor": {"service": "users"}, "execution": "by-hand", "mode": mode})
}

/// Starts `roll-back-service` as an operator does in the console, and runs it to its end.
fn roll_back(stage: &mut Stage) {
    let now = stage.world.now();
    let input = json!({"service": "users"});
    stage.machines.with(|engine| engine.start_execution(now, ROLL_BACK, Some("by-hand"), input)).unwrap();
    stage.run();
}

/// Whether the new groups are tagged as those of a service that has migrated.
fn is_tagged(stage: &Stage) -> bool {
    let new: Vec<String> = stage.head("users").new_groups.values().map(ToString::to_string).collect();
    let input = json!({"ResourceArns": new});
    let described = stage.world.with(|state| state.elbv2.call_json(state.now, "DescribeTags", &input).unwrap());
    format!("{described:?}").contains(tag::MIGRATED)
}

#[track_caller]
fn assert_untouched(stage: &Stage, before: &Items, writes: usize) {
    assert_eq!(&stage.ledger.snapshot(), before, "nothing is recorded\n{}", stage.told());
    assert_eq!(stage.calls.numbers_of("write_route").len(), writes, "nothing is written\n{}", stage.told());
    stage.assert_at_rest("users");
}

#[test]
fn a_migrated_service_goes_back_to_its_baselines() {
    let (mut stage, service) = migrated();
    let before = stage.head("users");
    assert!(is_tagged(&stage));
    roll_back(&mut stage);
    let head = stage.head("users");
    assert_eq!((head.phase, head.generation), (Phase::RolledBack, before.generation + 1), "{}", stage.told());
    stage.assert_at_rest("users");
    for rule in &service.rules {
        assert_eq!(stage.world.weights_of(rule), [(service.old_group.clone(), 1)], "exactly as before");
    }
    let rollback = head.rollback.unwrap();
    assert_eq!((rollback.trigger, rollback.after_the_end), (Trigger::Operator, true));
    assert!(!is_tagged(&stage), "a tag that says migrated would be wrong");
    // It may be moved again.
    stage.world.advance(SignedDuration::from_mins(2));
    stage.start("again", users());
    stage.run();
    assert_eq!((stage.head("users").attempt, stage.head("users").phase), (2, Phase::Migrated), "{}", stage.told());
}

#[test]
fn a_second_rollback_joins_the_first_and_may_be_repeated() {
    let (stage, _) = migrated();
    assert_eq!(act(&stage)["verdict"], "settle");
    let generation = stage.head("users").generation;
    assert_eq!(act(&stage)["verdict"], "settle");
    assert_eq!(stage.head("users").generation, generation, "rollbacks never fence each other");
    stage.world.advance(SignedDuration::from_secs(90));
    for _ in 0..2 {
        assert_eq!(stage.call("roll-back", &request("verify")).unwrap().unwrap()["verdict"], "rolledBack");
    }
    assert_eq!(act(&stage)["verdict"], "settle");
    stage.assert_at_rest("users");
}

#[test]
fn invariant_8_the_locks_are_held_until_the_second_look() {
    let (stage, service) = migrated();
    assert_eq!(act(&stage)["verdict"], "settle");
    let items = stage.ledger.snapshot();
    assert_eq!((items.held().count(), items.guards.len()), (service.rules.len(), 1), "routes and alarms");
}

#[test]
fn invariant_8_a_route_of_another_migration_refuses_it_and_names_that() {
    let (stage, _) = migrated();
    let mut items = stage.ledger.snapshot();
    let lock = items.locks.values_mut().next().unwrap();
    lock.migration = serde_json::from_value(json!("bookings-3")).unwrap();
    lock.free_at = None;
    let route = stage.plan("users").name_of(&lock.route);
    stage.ledger.restore(items.clone());
    let writes = stage.calls.numbers_of("write_route").len();
    let answer = act(&stage);
    assert_eq!(answer["verdict"], "refused", "{answer}");
    let reason = answer["reason"].as_str().unwrap();
    assert!(reason.contains(&format!("{route} is held by bookings-3")), "{reason}");
    assert_eq!(stage.ledger.snapshot(), items);
    assert_eq!(stage.calls.numbers_of("write_route").len(), writes);
}

#[test]
fn invariant_8_a_route_whose_last_writer_may_live_is_waited_for() {
    let (stage, _) = migrated();
    let mut items = stage.ledger.snapshot();
    let lock = items.locks.values_mut().next().unwrap();
    lock.migration = serde_json::from_value(json!("bookings-3")).unwrap();
    lock.free_at = Some(stage.world.now() + SignedDuration::from_secs(30));
    stage.ledger.restore(items);
    let error = stage.call("roll-back", &request("act")).unwrap().unwrap_err();
    assert_eq!(error.class(), ErrorClass::Transient, "{}", error.chain());
    stage.world.advance(SignedDuration::from_secs(30));
    assert_eq!(act(&stage)["verdict"], "settle");
}

#[test]
fn invariant_6_it_is_withheld_only_from_a_working_side_to_a_dead_one_and_before_anything_is_written() {
    #[track_caller]
    fn check(old_healthy: bool, new_healthy: bool, verdict: &str) {
        let (stage, service) = migrated();
        let new = stage.new_group("users", &service.old_group);
        let set = |group: &str, healthy| {
            if healthy { stage.world.make_healthy(group) } else { stage.world.make_unhealthy(group) }
        };
        set(&service.old_group, old_healthy);
        set(&new, new_healthy);
        let (before, writes) = (stage.ledger.snapshot(), stage.calls.numbers_of("write_route").len());
        let answer = act(&stage);
        assert_eq!(answer["verdict"], verdict, "{answer}");
        if verdict == "settle" {
            return assert!(stage.is_at_baseline("users"));
        }
        assert_untouched(&stage, &before, writes);
        let reason = answer["reason"].as_str().unwrap();
        assert!(reason.contains("old group users-swarm has no healthy target"), "{reason}");
        assert!(reason.ends_with("then `crossfade rollback users`"), "{reason}");
    }
    check(true, true, "settle");
    check(true, false, "settle");
    check(false, false, "settle");
    check(false, true, "refused");
}

#[test]
fn invariant_6_what_cannot_be_read_withholds_nothing() {
    for verb in ["health", "target_groups", "listeners", "routes"] {
        let (stage, service) = migrated();
        if verb == "health" {
            stage.world.make_unhealthy(&service.old_group);
        }
        for fault in [PortFault::Throttled, PortFault::Denied] {
            stage.calls.always(verb, fault);
            assert_eq!(act(&stage)["verdict"], "settle", "{verb}\n{}", stage.told());
            assert!(stage.is_at_baseline("users"), "{verb}");
        }
    }
}

#[test]
fn an_old_group_that_is_gone_refuses_it() {
    let (stage, service) = migrated();
    for rule in &service.rules {
        stage.world.someone_removes_group(rule, &service.old_group).unwrap();
    }
    let input = json!({"TargetGroupArn": service.old_group});
    stage.world.with(|state| state.elbv2.call_json(state.now, "DeleteTargetGroup", &input)).unwrap();
    let before = stage.ledger.snapshot();
    let answer = act(&stage);
    assert_eq!(answer["verdict"], "refused", "{answer}");
    assert!(answer["reason"].as_str().unwrap().contains("old group users-swarm no longer exists"), "{answer}");
    assert_eq!(stage.ledger.snapshot(), before);
}

#[test]
fn without_the_table_nothing_is_written_because_the_locks_may_be_another_migrations() {
    for verb in ["head", "plan", "retake"] {
        let (stage, _) = migrated();
        let (before, writes) = (stage.ledger.snapshot(), stage.calls.numbers_of("write_route").len());
        stage.calls.always(verb, PortFault::FailsBefore);
        let error = stage.call("roll-back", &request("act")).unwrap().unwrap_err();
        assert_eq!(error.class(), ErrorClass::Transient, "the machine retries: {}", error.chain());
        stage.calls.clear();
        assert_untouched(&stage, &before, writes);
        assert_eq!(act(&stage)["verdict"], "settle");
        assert!(stage.is_at_baseline("users"));
    }
}

#[test]
fn invariant_6_once_it_has_begun_it_does_without_the_table() {
    let (stage, _) = migrated();
    stage.calls.always("write_route", PortFault::Throttled);
    let error = stage.call("roll-back", &request("act")).unwrap().unwrap_err();
    assert_eq!(error.class(), ErrorClass::Transient, "{}", error.chain());
    assert_eq!(stage.head("users").phase, Phase::RollingBack);
    stage.calls.clear();
    stage.calls.always("head", PortFault::FailsBefore);
    assert_eq!(act(&stage)["verdict"], "settle");
    assert!(stage.is_at_baseline("users"), "{}", stage.told());
}

/// It has no locks, no index and no machine. Whoever asks in its name is mistaken.
#[test]
fn invariant_13_an_alarm_the_sweep_and_a_failure_never_move_a_migrated_service() {
    let (mut stage, _) = migrated();
    let (before, writes) = (stage.ledger.snapshot(), stage.calls.numbers_of("write_route").len());
    let untouched = |stage: &Stage| assert_untouched(stage, &before, writes);
    stage.world.fire_alarm("users-5xx");
    let at = stage.world.now().to_string();
    let event = json!({"detail": {"alarmName": "users-5xx", "state": {"value": "ALARM", "timestamp": at}}});
    stage.call("react-to-alarm", &event).unwrap().unwrap();
    untouched(&stage);
    let own = stage.head("users").execution;
    stage.call("sweep-migrations", &json!({"detail": {"executionArn": own}})).unwrap().unwrap();
    stage.call("sweep-migrations", &json!({})).unwrap().unwrap();
    untouched(&stage);
    for trigger in Trigger::ALL.into_iter().filter(|trigger| *trigger != Trigger::Operator) {
        let input = json!({"cursor": {"service": "users", "trigger": trigger}, "execution": "any", "mode": "act"});
        assert_eq!(stage.call("roll-back", &input).unwrap().unwrap()["verdict"], "refused", "{trigger:?}");
        untouched(&stage);
    }
    // The end of `migrate-service` itself, whose last answer was lost.
    let input = json!({"cursor": {"service": "users"}, "execution": own, "mode": "act", "onlyOwn": true});
    assert_eq!(stage.call("roll-back", &input).unwrap().unwrap()["verdict"], "refused");
    untouched(&stage);
    // The alarm fires when the table does not answer, too.
    stage.calls.always("guarded_by", PortFault::FailsBefore);
    let _ = stage.call("react-to-alarm", &event).unwrap();
    stage.run_machines();
    untouched(&stage);
}

fn add_rule(stage: &Stage, service: &ServiceOnBalancer, path: &str, groups: &[(&str, u16)]) -> String {
    let tuples: Vec<Value> =
        groups.iter().map(|(group, weight)| json!({"TargetGroupArn": group, "Weight": weight})).collect();
    let input = json!({
        "ListenerArn": service.listener, "Priority": 900 + path.len(),
        "Conditions": [{"Field": "path-pattern", "Values": [path]}],
        "Actions": [{"Type": "forward", "ForwardConfig": {"TargetGroups": tuples}}],
    });
    let created = stage.world.with(|state| state.elbv2.call_json(state.now, "CreateRule", &input)).unwrap();
    created.list_at("Rules")[0].text_at("RuleArn").unwrap().to_owned()
}

#[test]
fn our_group_is_taken_out_of_a_route_that_came_after_the_end() {
    let (mut stage, service) = migrated();
    let new = stage.new_group("users", &service.old_group);
    let late = add_rule(&stage, &service, "/late", &[(&service.old_group, 10), (&new, 30)]);
    roll_back(&mut stage);
    assert_eq!(stage.head("users").phase, Phase::RolledBack, "{}", stage.told());
    stage.assert_at_rest("users");
    assert_eq!(stage.world.weights_of(&late), [(service.old_group.clone(), 40)], "kept, without our group");
}

#[test]
fn a_late_route_to_the_new_group_alone_halts_after_all_others_are_back() {
    let (stage, service) = migrated();
    let new = stage.new_group("users", &service.old_group);
    let late = add_rule(&stage, &service, "/late", &[(&new, 1)]);
    let answer = act(&stage);
    assert_eq!(answer["verdict"], "halt", "{answer}");
    assert_eq!(stage.world.weights_of(&late), [(new.clone(), 1)], "no one knows where its traffic should go");
    for rule in &service.rules {
        assert_eq!(stage.world.weights_of(rule), [(service.old_group.clone(), 1)]);
    }
    let reason = stage.head("users").reason.unwrap();
    assert!(reason.contains("path /late") && reason.contains("locks stay"), "{reason}");
    // Mended by hand, it goes on.
    stage.world.with(|state| state.elbv2.set_weights(state.now, &late, &[(&service.old_group, 1)])).unwrap();
    assert_eq!(act(&stage)["verdict"], "settle");
    stage.world.advance(SignedDuration::from_secs(90));
    assert_eq!(stage.call("roll-back", &request("verify")).unwrap().unwrap()["verdict"], "rolledBack");
    stage.assert_at_rest("users");
}

#[test]
fn invariant_5_somebodys_edit_after_the_end_is_kept_without_our_group() {
    let (mut stage, service) = migrated();
    let other = stage.world.add_service("internal", "other", &[]).old_group;
    stage.world.someone_sets_weight(&service.rules[0], &other, 50).unwrap();
    roll_back(&mut stage);
    assert_eq!(stage.head("users").phase, Phase::RolledBack, "{}", stage.told());
    let weights = stage.world.weights_of(&service.rules[0]);
    assert_eq!(weights, [(service.old_group.clone(), 999), (other, 50)]);
    assert_eq!(stage.ledger.snapshot().held().count(), 0);
    assert!(stage.head("users").rollback.unwrap().left_alone().is_some());
}

/// Whoever stops the machine that rolls back, the sweep takes it up.
#[test]
fn invariant_13_a_rollback_that_was_stopped_is_completed_by_the_sweep() {
    let (mut stage, _) = migrated();
    assert_eq!(act(&stage)["verdict"], "settle");
    stage.run();
    assert_eq!(stage.head("users").phase, Phase::RolledBack, "{}", stage.told());
    stage.assert_at_rest("users");
}
