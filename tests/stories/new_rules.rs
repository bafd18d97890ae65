//! Rules that someone adds to the old group while a migration is under way, or after it.

use super::stage::{Stage, new_group, users};
use crate::simulation::PortFault;
use crossfade_actions::error::ErrorClass;
use crossfade_actions::operator::observe::Listings;
use crossfade_actions::operator::resume::{Resume, resume};
use crossfade_domain::journal::wording::journal_line;
use crossfade_domain::journal::{EventKind, Phase};
use crossfade_domain::names::ServiceName;
use crossfade_world::World;
use crossfade_world::states::Status;
use crossfade_world::world::ServiceOnBalancer;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;

/// Runs a migration of `users` in which a rule is added before the first invocation in the state `before`; returns the
/// rule too.
fn with_rule(
    policy: &Value,
    before: &'static str,
    group: impl Fn(&World, &ServiceOnBalancer) -> String + 'static,
) -> (Stage, String, String) {
    let (mut stage, service) = Stage::with_users();
    let added = Rc::new(RefCell::new(String::new()));
    let keeps = Rc::clone(&added);
    stage.once_before(before, move |world| {
        *keeps.borrow_mut() = world.someone_adds_rule(&service.listener, "/api/*", &group(world, &service)).unwrap();
    });
    let execution = stage.migrate(policy.clone());
    let rule = added.borrow().clone();
    (stage, execution, rule)
}

fn old_group(_: &World, service: &ServiceOnBalancer) -> String {
    service.old_group.clone()
}

fn with_schedule_of_one_step() -> Value {
    let mut policy = users();
    policy["service"]["schedule"] = json!([{"weight": 100, "bake": "2m"}]);
    policy
}

#[test]
fn invariant_3_a_rule_that_comes_meanwhile_halts_before_each_shift_at_the_last_step_and_at_the_end() {
    let one_step = with_schedule_of_one_step();
    // The first shift, a later one, the last bake, and the end.
    let moments = [
        (users(), "Shift weight"),
        (users(), "Check alarms"),
        (one_step, "Check alarms"),
        (users(), "Finish migration"),
    ];
    for (policy, state) in moments {
        let (stage, execution, _) = with_rule(&policy, state, old_group);
        assert_eq!(stage.ended(&execution), (Status::Failed, "Halted".to_owned()), "{state}\n{}", stage.told());
        let reason = stage.head("users").reason.unwrap();
        let named = [
            "internal:80 path /api/* sends traffic to the old group users-swarm",
            "not all traffic would move",
            "`crossfade resume users`",
            "`crossfade rollback users`",
        ];
        assert!(named.iter().all(|words| reason.contains(words)), "{state}: {reason}");
        stage.assert_at_rest("users");
    }
}

#[test]
fn a_rule_that_comes_before_the_attach_refuses_the_plan_and_leaves_nothing() {
    let (stage, execution, _) = with_rule(&users(), "Attach at weight 0", old_group);
    assert_eq!(stage.ended(&execution).1, "Refused", "{}", stage.told());
    assert_eq!(stage.head("users").phase, Phase::Refused);
    stage.assert_at_rest("users");
}

#[test]
fn a_rule_that_sends_traffic_to_the_new_group_halts_too() {
    let (stage, execution, _) = with_rule(&users(), "Check alarms", new_group);
    assert_eq!(stage.ended(&execution).1, "Halted", "{}", stage.told());
    let reason = stage.head("users").reason.unwrap();
    assert!(reason.contains("sends traffic to the new group users-"), "{reason}");
}

#[test]
fn on_drift_rollback_takes_everything_back_over_a_new_rule() {
    let mut policy = users();
    policy["service"]["onDrift"] = json!("rollback");
    let (stage, execution, _) = with_rule(&policy, "Finish migration", old_group);
    assert_eq!(stage.ended(&execution).1, "RolledBack", "{}", stage.told());
    stage.assert_at_rest("users");
}

#[test]
fn a_resume_waits_until_the_rule_is_gone_and_the_end_says_what_it_listed() {
    let (mut stage, _, rule) = with_rule(&users(), "Finish migration", old_group);
    let again = |stage: &Stage| {
        let (users, request) =
            (ServiceName::parse("users").unwrap(), Resume { accept_drift: true, who: "ana".to_owned() });
        stage.alone("resume", |ports| async move { resume(&ports, &users, &request).await }).expect("nothing hangs")
    };
    let refused = again(&stage).unwrap_err();
    assert_eq!(refused.class(), ErrorClass::Drifted, "{}", refused.chain());
    let advice = "take it out and resume again, or roll back with `crossfade rollback users` and start again";
    assert!(refused.chain().contains(advice), "{}", refused.chain());
    stage.world.someone_deletes_rule(&rule).unwrap();
    again(&stage).unwrap();
    stage.undisturbed();
    stage.run();
    assert_eq!(stage.head("users").phase, Phase::Migrated, "{}", stage.told());
    stage.assert_at_rest("users");
    let listed = stage.recorded("users", |event| match &event.kind {
        EventKind::Finished { listed } => Some((listed.clone().unwrap(), journal_line(event))),
        _ => None,
    });
    let [(listed, line)] = listed.as_slice() else { panic!("it ended {} times", listed.len()) };
    // Two rules and a default action.
    assert_eq!((listed.listeners, listed.routes, listed.load_balancers[0].name()), (1, 3, "internal"));
    assert!(line.ends_with("none of the 3 routes of internal sends any to the old groups"), "{line}");
}

#[test]
fn what_cannot_be_listed_holds_at_each_look_and_never_advances() {
    for state in ["Shift weight", "Check alarms", "Finish migration"] {
        let (mut stage, _) = Stage::with_users();
        let calls = stage.calls.clone();
        let mut policy = users();
        policy["service"]["maxHold"] = json!("5m");
        policy["service"]["schedule"] = json!([{"weight": 100, "bake": "2m"}]);
        stage.once_before(state, move |_| calls.always("listeners", PortFault::Throttled));
        let execution = stage.migrate(policy);
        assert_eq!(stage.ended(&execution).1, "Halted", "{state}\n{}", stage.told());
        let reason = stage.head("users").reason.unwrap();
        assert!(reason.contains("held for") && reason.contains("listing the listeners of internal"), "{reason}");
        stage.assert_at_rest("users");
    }
}

#[test]
fn a_rollback_lists_nothing() {
    let (mut stage, _) = Stage::with_users();
    let calls = stage.calls.clone();
    stage.once_before("Check alarms", move |world| {
        calls.always("listeners", PortFault::Hangs);
        world.fire_alarm("users-5xx");
    });
    let execution = stage.migrate(users());
    assert_eq!(stage.ended(&execution).1, "RolledBack", "{}", stage.told());
    stage.assert_at_rest("users");
}

#[test]
fn a_rule_that_comes_after_the_end_is_found_by_whoever_asks() {
    let stage = Stage::migrated();
    let plan = stage.plan("users");
    let listener = stage.plan("users").routes[0].id.as_str().replacen(":listener-rule/", ":listener/", 1);
    let listener = listener.rsplit_once('/').unwrap().0.to_owned();
    let ask = || {
        let plan = plan.clone();
        let asked =
            stage.alone("status", |ports| async move { Listings::default().left_on_the_old_side(&ports, &plan).await });
        asked.expect("nothing hangs").unwrap()
    };
    assert_eq!(ask(), []);
    // The new cluster may get new routes as it likes.
    let new = stage.new_group("users", plan.groups[0].old.as_str());
    stage.world.someone_adds_rule(&listener, "/v2/*", &new).unwrap();
    assert_eq!(ask(), []);
    stage.world.someone_adds_rule(&listener, "/api/*", plan.groups[0].old.as_str()).unwrap();
    let left: Vec<String> = ask().iter().map(ToString::to_string).collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(left[0].contains(":80 path /api/* sends traffic to the old group users-swarm"), "{left:?}");
}
