//! Alarm events: twice, out of order, old, of nobody.

use super::stage::{Stage, users};
use crate::simulation::{PortFault, at_once};
use crossfade_actions::error::ErrorClass;
use crossfade_actions::functions::react_to_alarm::react_to_alarm;
use crossfade_actions::ports::Ports;
use crossfade_domain::alarms::tags;
use crossfade_domain::journal::{EventKind, Phase, Trigger};
use crossfade_world::states::Status;
use jiff::SignedDuration;
use serde_json::{Value, json};

fn event(name: &str, at: &str) -> Value {
    json!({
        "source": "aws.cloudwatch", "detail-type": "CloudWatch Alarm State Change",
        "detail": {"alarmName": name, "state": {"value": "ALARM", "reason": "Threshold Crossed", "timestamp": at}},
    })
}

/// A migration that has just been shifted to 5 %; its execution goes on.
fn at_five_percent() -> Stage {
    let (mut stage, _) = Stage::with_users();
    stage.migrate_until("Check alarms", users());
    assert_eq!(stage.step("users"), Some(1), "{}", stage.told());
    stage
}

fn react(stage: &Stage, event: &Value) -> Value {
    stage.call("react-to-alarm", event).unwrap().unwrap()
}

#[test]
fn an_alarm_rolls_every_route_back_in_one_invocation_and_starts_the_second_look() {
    let mut stage = at_five_percent();
    let at = stage.world.now();
    let report = react(&stage, &event("users-5xx", &at.strftime("%Y-%m-%dT%H:%M:%S.%3f+0000").to_string()));
    assert!(stage.is_at_baseline("users"));
    assert_eq!(report["services"][0]["did"], "rolled back; the second look follows");
    assert_eq!(stage.head("users").phase, Phase::Settling);
    let rollback = stage.head("users").rollback.unwrap();
    assert_eq!((rollback.trigger, rollback.caused_at.as_second()), (Trigger::AlarmEvent, at.as_second()));
    stage.run_machines();
    assert_eq!(stage.head("users").phase, Phase::RolledBack, "{}", stage.told());
    stage.assert_at_rest("users");
}

#[test]
fn two_alarms_and_a_repeated_event_join_one_rollback() {
    let mut stage = at_five_percent();
    let at = stage.world.now().to_string();
    let first = react(&stage, &event("users-5xx", &at));
    let again = react(&stage, &event("users-5xx", &at));
    assert_eq!(first["services"][0]["migration"], again["services"][0]["migration"]);
    let begun = |stage: &Stage| {
        let events = stage.events("users");
        events.iter().filter(|event| matches!(event.kind, EventKind::RollbackBegun { .. })).count()
    };
    assert_eq!((begun(&stage), stage.head("users").generation), (1, 2));
    stage.run_machines();
    stage.assert_at_rest("users");
    let late = react(&stage, &event("users-5xx", &at));
    assert_eq!(late["services"], json!([]), "a finished migration is acknowledged, and nothing is done");
}

#[test]
fn an_event_older_than_the_migration_is_ignored() {
    let stage = at_five_percent();
    let report = react(&stage, &event("users-5xx", "2026-11-02T02:59:59.000+0000"));
    assert_eq!(report["services"][0]["did"], "nothing: the alarm changed before the migration began");
    assert_eq!(stage.step("users"), Some(1));
}

#[test]
fn an_alarm_of_nobody_and_a_quiet_one_are_acknowledged() {
    let stage = at_five_percent();
    let now = stage.world.now().to_string();
    assert_eq!(react(&stage, &event("other", &now))["services"], json!([]));
    let mut quiet = event("users-5xx", &now);
    quiet["detail"]["state"]["value"] = json!("OK");
    assert_eq!(react(&stage, &quiet)["services"], json!([]));
    assert_eq!(stage.step("users"), Some(1));
}

#[test]
fn invariant_9_an_event_of_another_account_or_region_is_ignored() {
    let stage = at_five_percent();
    let ours = stage.plain.executions.roll_back_machine().unwrap();
    let (region, account) = (ours.split(':').nth(3).unwrap(), ours.split(':').nth(4).unwrap());
    let of = |account: &str, region: &str| {
        let mut event = event("users-5xx", &stage.world.now().to_string());
        (event["account"], event["region"]) = (json!(account), json!(region));
        event
    };
    for (table, account, region) in
        [(true, "999999999999", region), (true, account, "eu-west-9"), (false, "999999999999", region)]
    {
        if !table {
            without_table(&stage);
        }
        let report = react(&stage, &of(account, region));
        assert_eq!(report["ignored"], json!(format!("account {account}, region {region}")));
        assert_eq!((stage.step("users"), stage.head("users").phase), (Some(1), Phase::Moving), "{report}");
    }
    stage.calls.clear();
    react(&stage, &of(account, region));
    assert!(stage.is_at_baseline("users"), "an event of our own");
}

#[test]
fn contributors_of_an_alarm_begin_no_rollback_of_their_own() {
    let (mut stage, _) = Stage::with_users();
    stage.world.add_grouped_alarm("users-by-group");
    stage.world.take_events();
    let mut policy = users();
    policy["service"]["alarms"] = json!(["users-by-group"]);
    stage.migrate_until("Check alarms", policy);
    // Two time series breach, so the alarm fires; one of them recovers, and the alarm stays.
    stage.world.change_contributor("users-by-group", "users-swarm", true);
    stage.world.fire_alarm("users-by-group");
    stage.world.change_contributor("users-by-group", "users-eks", true);
    stage.world.change_contributor("users-by-group", "users-eks", false);
    let reactions = |stage: &Stage| stage.calls.numbers_of("guarded_by").len();
    let before = reactions(&stage);
    stage.run_machines();
    assert_eq!(reactions(&stage) - before, 1, "one event of four is the alarm's\n{}", stage.told());
    let begun = stage.recorded("users", |event| matches!(event.kind, EventKind::RollbackBegun { .. }).then_some(()));
    assert_eq!((begun.len(), stage.head("users").phase), (1, Phase::RolledBack), "{}", stage.told());
}

#[test]
fn a_contributor_that_recovers_is_not_an_alarm_that_fires() {
    let stage = at_five_percent();
    let mut quiet = event("users-5xx", &stage.world.now().to_string());
    quiet["detail-type"] = json!("CloudWatch Alarm Contributor State Change");
    quiet["detail"]["alarmContributor"] = json!({"id": "6d442278dba546f6", "attributes": {"TargetGroup": "users"}});
    quiet["detail"]["state"]["value"] = json!("OK");
    assert_eq!(react(&stage, &quiet)["services"], json!([]));
    assert_eq!((stage.step("users"), stage.head("users").phase), (Some(1), Phase::Moving));
}

#[test]
fn a_composite_alarm_whose_actions_are_suppressed_rolls_back_all_the_same() {
    let (mut stage, _) = Stage::with_users();
    stage.world.add_alarm("maintenance");
    stage.world.add_suppressed_alarm("users-any", "users-5xx", "maintenance");
    stage.world.fire_alarm("maintenance");
    stage.world.take_events();
    let mut policy = users();
    policy["service"]["alarms"] = json!(["users-any"]);
    stage.once_before("Check alarms", |world| world.fire_alarm("users-5xx"));
    stage.migrate(policy);
    let head = stage.head("users");
    assert_eq!(head.phase, Phase::RolledBack, "{}", stage.told());
    assert_eq!(head.rollback.unwrap().trigger, Trigger::AlarmEvent);
}

#[test]
fn a_time_that_cannot_be_read_rolls_back_rather_than_not() {
    let stage = at_five_percent();
    react(&stage, &event("users-5xx", "yesterday"));
    assert!(stage.is_at_baseline("users"));
}

#[test]
fn a_halted_migration_is_still_rolled_back_by_its_alarm() {
    let mut stage = Stage::halted_by_a_foreign_edit();
    stage.world.fire_alarm("users-5xx");
    stage.run_machines();
    assert_eq!(stage.head("users").phase, Phase::RolledBack, "{}", stage.told());
    assert!(stage.is_at_baseline("users"));
}

#[test]
fn the_running_execution_finds_out_at_its_next_slice_and_ends_rolled_back() {
    let (mut stage, _) = Stage::with_users();
    stage.before(|world, _, work, _| {
        if work.state == "Check alarms" {
            world.fire_alarm("users-5xx");
        }
    });
    let execution = stage.migrate(users());
    assert_eq!(stage.ended(&execution), (Status::Failed, "RolledBack".to_owned()), "{}", stage.told());
    stage.assert_at_rest("users");
}

#[test]
fn an_alarm_before_the_first_change_takes_the_migration_back() {
    for state in ["Create target group", "Attach at weight 0"] {
        let (mut stage, _) = Stage::with_users();
        // The event is delivered before the function of this state runs.
        stage.before(move |world, _, work, _| {
            if work.state == state {
                world.fire_alarm("users-5xx");
            }
        });
        stage.migrate(users());
        assert!(matches!(stage.head("users").phase, Phase::Refused | Phase::RolledBack), "{}", stage.told());
        stage.assert_at_rest("users");
    }
}

const TABLE_READS: [&str; 4] = ["guarded_by", "head", "plan", "open_heads"];

/// The table answers nothing from now on.
fn without_table(stage: &Stage) {
    for verb in TABLE_READS.into_iter().chain(["record", "release", "events"]) {
        stage.calls.always(verb, PortFault::FailsBefore);
    }
}

#[test]
fn invariant_6_an_alarm_finds_what_it_guards_without_the_table() {
    let mut stage = at_five_percent();
    without_table(&stage);
    let before = stage.calls.made().len();
    let report = react(&stage, &event("users-5xx", &stage.world.now().to_string()));
    assert_eq!(report["services"][0]["did"], "returned 2 routes without the table; the rollback follows");
    assert!(stage.is_at_baseline("users"), "{report}");
    let calls = stage.calls.made().split_off(before);
    assert_eq!(calls.iter().filter(|verb| TABLE_READS.contains(*verb)).count(), 1, "one try is enough: {calls:?}");
    assert_eq!(stage.head("users").phase, Phase::Moving, "nobody could write it down yet");
    stage.calls.clear();
    stage.run();
    let rollback = stage.head("users").rollback.expect("the machine has begun it");
    assert_eq!(rollback.trigger, Trigger::AlarmEvent);
    assert_eq!(stage.head("users").phase, Phase::RolledBack, "{}", stage.told());
    stage.assert_at_rest("users");
}

#[test]
fn without_the_table_an_alarm_moves_nothing_that_it_does_not_guard_or_that_is_younger() {
    let stage = at_five_percent();
    without_table(&stage);
    let now = stage.world.now().to_string();
    for (alarm, at) in [("bookings-5xx", now.as_str()), ("users-5xx", "2020-01-01T00:00:00Z")] {
        let error = stage.call("react-to-alarm", &event(alarm, at)).unwrap().unwrap_err();
        assert_eq!(error.class(), ErrorClass::Transient, "{alarm}: the event is delivered again");
        assert_eq!(stage.step("users"), Some(1), "{alarm}");
    }
}

#[test]
fn without_the_table_a_storm_of_alarms_searches_the_account_once() {
    let stage = at_five_percent();
    without_table(&stage);
    let at = stage.world.now();
    let react = async |ports: &Ports, alarm: &str| react_to_alarm(ports, &event(alarm, &at.to_string())).await;
    let searches = || stage.calls.numbers_of("all_guarded_groups").len();
    let answers = stage.alone("react-to-alarm", |ports| async move {
        let others = [react(&ports, "disk-full").await.is_err(), react(&ports, "backup-late").await.is_err()];
        (others, react(&ports, "users-5xx").await.is_ok(), ports)
    });
    let (others, ours, ports) = answers.unwrap();
    assert_eq!((others, ours, searches()), ([true, true], true, 1), "{}", stage.told());
    assert!(stage.is_at_baseline("users"));
    stage.world.advance(SignedDuration::from_secs(30));
    stage.alone("react-to-alarm", |_| async { react(&ports, "disk-full").await.is_err() });
    assert_eq!(searches(), 2, "what is known is not kept for long");
}

#[test]
fn without_the_table_an_alarm_of_a_migration_that_has_ended_moves_nothing() {
    let stage = Stage::migrated();
    without_table(&stage);
    let event = event("users-5xx", &stage.world.now().to_string());
    assert_eq!(stage.call("react-to-alarm", &event).unwrap().unwrap_err().class(), ErrorClass::Transient);
    assert_eq!(stage.step("users"), Some(2), "all traffic stays on the new cluster");
}

#[test]
fn the_tags_of_an_adopted_group_name_the_alarms_of_this_migration() {
    let (mut stage, service) = Stage::with_users();
    stage.world.add_alarm("users-old");
    let mut first = users();
    first["service"]["alarms"] = json!(["users-old"]);
    stage.before(|world, _, work, _| {
        if work.state == "Check alarms" {
            world.fire_alarm("users-old");
        }
    });
    stage.migrate(first);
    assert_eq!(stage.head("users").phase, Phase::RolledBack, "{}", stage.told());
    stage.undisturbed();
    stage.start("second", users());
    stage.run();
    assert_eq!((stage.head("users").attempt, stage.head("users").phase), (2, Phase::Migrated), "{}", stage.told());
    let new = stage.new_group("users", &service.old_group);
    let tags = at_once(stage.plain.tagging.tags(std::slice::from_ref(&new))).unwrap();
    let alarms: Vec<&String> = tags[&new].keys().filter(|key| key.starts_with(tags::PREFIX)).collect();
    assert_eq!(alarms, Vec::<&String>::new(), "neither the first one's nor, at the end, the second one's");
}

#[test]
fn tags_that_may_not_be_changed_do_not_keep_a_migration_from_its_end_and_are_named() {
    for (verb, named) in
        [("remove_tags", "remove the tags crossfade:alarm-"), ("tag_as_migrated", "crossfade:migrated=")]
    {
        let (mut stage, _) = Stage::with_users();
        stage.calls.always(verb, PortFault::Denied);
        let execution = stage.migrate(users());
        assert_eq!(stage.ended(&execution).0, Status::Succeeded, "{}", stage.told());
        assert_eq!(stage.head("users").phase, Phase::Migrated, "{}", stage.told());
        let last = stage.visits("Finish migration").pop().unwrap().reason().to_owned();
        assert!(last.contains(named) && last.contains("by hand"), "{verb}: {last}");
        stage.assert_at_rest("users");
    }
}

#[test]
fn a_migrated_service_is_moved_by_no_rollback_without_the_table() {
    let stage = Stage::migrated();
    without_table(&stage);
    let input = json!({"cursor": {"service": "users"}, "execution": "by-hand", "mode": "act"});
    let error = stage.call("roll-back", &input).unwrap().unwrap_err();
    assert_eq!(error.class(), ErrorClass::Transient, "it waits for the table: {}", error.chain());
    assert_eq!(stage.step("users"), Some(2), "all traffic stays on the new cluster");
    // Nor by the late alarm of a migration whose groups still carry its name.
    for group in stage.head("users").new_groups.values() {
        let tags = tags::tags(&["users-5xx".to_owned()], stage.head("users").since);
        at_once(stage.plain.tagging.add_tags(group, &tags)).unwrap();
    }
    let _ = stage.call("react-to-alarm", &event("users-5xx", &stage.world.now().to_string()));
    assert_eq!(stage.step("users"), Some(2), "all traffic stays on the new cluster");
}

#[test]
fn invariant_6_a_table_that_fails_at_any_call_of_a_reaction_stops_no_rollback() {
    let free = at_five_percent();
    let before = free.calls.made().len();
    react(&free, &event("users-5xx", &free.world.now().to_string()));
    let calls = free.calls.made().split_off(before);
    let at = |wanted: &str| calls.iter().position(|verb| *verb == wanted).unwrap();
    assert!(at("start_roll_back") < at("write_route"), "what goes on after its end is started first: {calls:?}");
    let table = calls.iter().enumerate().filter(|(_, verb)| TABLE_READS.contains(*verb) || **verb == "record");
    for (number, verb) in table {
        for fault in [PortFault::Throttled, PortFault::FailsBefore, PortFault::FailsAfter, PortFault::Denied] {
            let mut stage = at_five_percent();
            stage.calls.at(before + number, fault);
            let answer = stage.call("react-to-alarm", &event("users-5xx", &stage.world.now().to_string()));
            let case = || format!("{fault:?} at {verb}, call {number}: {answer:?}");
            assert!(stage.is_at_baseline("users"), "{}", case());
            stage.calls.clear();
            stage.run();
            assert_eq!(stage.head("users").phase, Phase::RolledBack, "{}\n{}", case(), stage.told());
            stage.assert_at_rest("users");
        }
    }
}

#[test]
fn a_table_that_fails_at_the_very_end_moves_no_migrated_service_back() {
    let release = Stage::migrated().calls.numbers_of("release")[0];
    let (mut stage, _) = Stage::with_users();
    stage.calls.at(release, PortFault::FailsAfter);
    let calls = stage.calls.clone();
    // The end is recorded, and from then on nobody can read it.
    stage.calls.before(release, move || calls.always("head", PortFault::FailsBefore));
    stage.migrate(users());
    assert_eq!(stage.head("users").phase, Phase::Migrated, "{}", stage.told());
    assert_eq!(stage.step("users"), Some(2), "all traffic stays on the new cluster\n{}", stage.told());
}
