//! Shifts: what stops them, and what they never do.

use super::stage::{Stage, new_group, users};
use crate::simulation::at_once;
use crossfade_actions::error::ErrorClass;
use crossfade_actions::operator::commands::{Command, command};
use crossfade_domain::journal::wording::journal_line;
use crossfade_domain::journal::{Phase, Trigger};
use crossfade_domain::names::ServiceName;
use crossfade_world::World;
use crossfade_world::states::Status;
use crossfade_world::world::ServiceOnBalancer;
use serde_json::json;

/// Runs a whole migration in which something happens before the first invocation in `state`.
fn with_event(
    policy: &serde_json::Value,
    before: &'static str,
    happens: impl Fn(&World, &ServiceOnBalancer) + 'static,
) -> (Stage, ServiceOnBalancer, String) {
    let (mut stage, service) = Stage::with_users();
    let there = service.clone();
    stage.once_before(before, move |world| happens(world, &there));
    let execution = stage.migrate(policy.clone());
    (stage, service, execution)
}

#[test]
fn invariant_5_drift_halts_and_overwrites_nothing() {
    for state in ["Shift weight", "Check alarms", "Finish migration"] {
        let (stage, service, execution) = with_event(&users(), state, |world, service| {
            world.someone_sets_weight(&service.rules[0], &service.old_group, 700).unwrap();
        });
        assert_eq!(stage.ended(&execution), (Status::Failed, "Halted".to_owned()), "{state}\n{}", stage.told());
        let weights = stage.world.weights_of(&service.rules[0]);
        assert_eq!(weights[0], (service.old_group.clone(), 700), "{state}: the edit is still there");
        let reason = stage.head("users").reason.unwrap();
        let is_named = stage.plan("users").routes.iter().any(|route| reason.contains(&route.named()));
        assert!(reason.contains("700") && is_named, "{reason}");
        stage.assert_at_rest("users");
    }
}

/// Another deployer sends every route of `users` to a group of its own: two rules and a default action.
fn redirected(policy: &serde_json::Value, before: &'static str) -> (Stage, String, Vec<String>) {
    let (mut stage, service) = Stage::with_users();
    stage.world.with(|state| {
        let actions = json!([{"Type": "forward", "TargetGroupArn": service.old_group}]);
        let input = json!({"ListenerArn": service.listener, "DefaultActions": actions});
        state.elbv2.call_json(state.now, "ModifyListener", &input).unwrap();
    });
    let routes = [service.rules.clone(), vec![service.listener.clone()]].concat();
    let there = routes.clone();
    stage.once_before(before, move |world| {
        let (new, other) = (new_group(world, &service), world.add_service("internal", "other", &[]).old_group);
        for route in &there {
            world.someone_sets_weight(route, &other, 1).unwrap();
            for group in [&new, &service.old_group] {
                world.someone_removes_group(route, group).unwrap();
            }
        }
    });
    let execution = stage.migrate(policy.clone());
    (stage, execution, routes)
}

#[test]
fn our_group_in_no_route_is_drift_and_never_ill_health() {
    // At weight 0, in a bake, and before the next shift.
    for state in ["Check targets", "Check alarms", "Shift weight"] {
        let (stage, execution, routes) = redirected(&users(), state);
        assert_eq!(stage.ended(&execution).1, "Halted", "{state}\n{}", stage.told());
        let reason = stage.head("users").reason.unwrap();
        let route = stage.plan("users").routes[0].named();
        let named = [&*format!("{route}: expected "), "found other (someone else took ", "nothing was overwritten"];
        assert!(named.iter().all(|words| reason.contains(words)), "{state}: {reason}");
        assert!(!reason.contains("health") && !reason.contains("NotInUse"), "{state}: {reason}");
        assert!(routes.iter().all(|route| stage.world.weights_of(route).len() == 1), "{state}: left alone");
        // The sweep looks at it for as long as it is halted.
        assert!(stage.head("users").rollback.is_none(), "{state}\n{}", stage.told());
    }
}

#[test]
fn a_rollback_says_which_routes_are_left_as_someone_else_made_them() {
    let mut policy = users();
    policy["service"]["onDrift"] = json!("rollback");
    let (stage, execution, _) = redirected(&policy, "Check alarms");
    assert_eq!(stage.ended(&execution).1, "RolledBack", "{}", stage.told());
    let head = stage.head("users");
    let reason = head.reason.unwrap();
    assert!(reason.contains("; left as someone else made it: "), "{reason}");
    let mut names = stage.plan("users").routes.into_iter().map(|route| format!("{} (other)", route.named()));
    assert!(names.all(|name| reason.contains(&name)) && reason.contains(" default (other)"), "{reason}");
    assert_eq!(head.rollback.unwrap().left.len(), 3);
    let lines: Vec<String> = stage.events("users").iter().map(journal_line).collect();
    assert!(lines.iter().all(|line| !line.contains("baseline") && !line.contains("every route is back")), "{lines:?}");
    assert!(lines.contains(&"every route read back, 0 written, 3 routes left as someone else made it".to_owned()));
}

#[test]
fn drift_rolls_back_where_the_policy_asks_for_it_and_keeps_the_edit() {
    let mut policy = users();
    policy["service"]["onDrift"] = json!("rollback");
    let (stage, _, execution) = with_event(&policy, "Check alarms", |world, service| {
        world.someone_sets_weight(&service.rules[0], &service.old_group, 700).unwrap();
    });
    assert_eq!(stage.ended(&execution).1, "RolledBack", "{}", stage.told());
    stage.assert_at_rest("users");
}

#[test]
fn a_route_changed_between_plan_and_attach_refuses_the_migration() {
    let (stage, service, execution) = with_event(&users(), "Attach at weight 0", |world, service| {
        let other = world.add_service("internal", "other", &[]).old_group;
        world.someone_sets_weight(&service.rules[0], &other, 1).unwrap();
    });
    assert_eq!(stage.ended(&execution).1, "Refused", "{}", stage.told());
    assert_eq!(stage.head("users").phase, Phase::Refused);
    assert_eq!(stage.ledger.snapshot().held().count(), 0);
    let weights = stage.world.weights_of(&service.rules[0]);
    assert_eq!(weights.len(), 2, "the foreign edit is still there");
}

#[test]
fn invariant_2_no_weight_for_a_group_without_enough_healthy_targets() {
    let (stage, _, execution) = with_event(&users(), "Shift weight", |world, service| {
        world.make_unhealthy(&new_group(world, service));
    });
    // It holds before the first weight above 0 until the policy's longest hold is over, then it halts at 0 %.
    assert_eq!(stage.ended(&execution), (Status::Failed, "Halted".to_owned()), "{}", stage.told());
    assert_eq!(stage.step("users"), Some(0));
    assert!(stage.head("users").reason.unwrap().contains("healthy"));
}

#[test]
fn invariant_11_no_step_up_that_could_not_be_taken_back() {
    let (stage, _, execution) = with_event(&users(), "Shift weight", |world, service| {
        world.make_unhealthy(&service.old_group);
    });
    assert_eq!(stage.ended(&execution), (Status::Failed, "Halted".to_owned()), "{}", stage.told());
    assert_eq!(stage.step("users"), Some(0));
}

#[test]
fn invariant_9_an_alarm_that_is_gone_is_never_taken_for_quiet() {
    let (stage, _, execution) = with_event(&users(), "Check alarms", |world, _| world.delete_alarm("users-5xx"));
    assert_eq!(stage.ended(&execution).1, "Halted", "{}", stage.told());
    assert_eq!(stage.step("users"), Some(1));
}

#[test]
fn invariant_9_an_alarm_that_fired_and_cleared_between_two_looks_still_counts() {
    let (mut stage, _) = Stage::with_users();
    stage.lose_alarm_events();
    stage.before(|world, _, work, _| {
        if work.state == "Check alarms" {
            world.fire_alarm("users-5xx");
            world.quiet_alarm("users-5xx");
        }
    });
    let execution = stage.migrate(users());
    assert_eq!(stage.ended(&execution).1, "RolledBack", "{}", stage.told());
    let rollback = stage.head("users").rollback.unwrap();
    assert_eq!(rollback.trigger, Trigger::CheckAlarms);
    assert!(rollback.caused_at <= rollback.begun_at);
    stage.assert_at_rest("users");
}

#[test]
fn targets_that_never_become_healthy_take_the_attach_back() {
    let (stage, _, execution) = with_event(&users(), "Check targets", |world, service| {
        world.make_unhealthy(&new_group(world, service));
    });
    assert_eq!(stage.ended(&execution).1, "RolledBack", "{}", stage.told());
    assert_eq!(stage.head("users").rollback.unwrap().trigger, Trigger::Health);
    stage.assert_at_rest("users");
}

fn commanded(before: &'static str, given: Command) -> (Stage, String) {
    let (mut stage, _) = Stage::with_users();
    let ports = stage.plain.clone();
    stage.once_before(before, move |_| {
        let users = ServiceName::parse("users").unwrap();
        at_once(command(&ports, &users, given, "a test")).unwrap();
    });
    let execution = stage.migrate(users());
    (stage, execution)
}

#[test]
fn an_abort_rolls_back_from_every_state_on_the_way_up() {
    for state in ["Check targets", "Shift weight", "Check alarms", "Finish migration"] {
        let (stage, execution) = commanded(state, Command::Abort);
        assert_eq!(stage.ended(&execution).1, "RolledBack", "{state}\n{}", stage.told());
        assert_eq!(stage.head("users").rollback.unwrap().trigger, Trigger::Operator, "{state}");
        stage.assert_at_rest("users");
    }
}

#[test]
fn a_pause_holds_the_weight_and_halts_when_nobody_continues() {
    let (stage, execution) = commanded("Check alarms", Command::Pause);
    assert_eq!(stage.ended(&execution).1, "Halted", "{}", stage.told());
    assert_eq!(stage.step("users"), Some(1));
    assert_eq!(stage.head("users").commanded.as_deref(), Some("Pause by a test"), "who and why are in the head");
}

#[test]
fn a_command_without_a_migration_is_refused() {
    let (stage, _) = Stage::with_users();
    let name = ServiceName::parse("users").unwrap();
    let error = at_once(command(&stage.plain, &name, Command::Abort, "a test")).unwrap_err();
    assert_eq!(
        (error.class(), error.chain().as_str()),
        (ErrorClass::InvalidRequest, "invalid request: users has no migration")
    );
}

#[test]
fn a_shift_lists_the_routes_once_and_reads_its_own_once_before_and_once_after() {
    let stage = Stage::migrated();
    let calls = "head plan read_routes listeners routes health health record head write_route head write_route \
                 read_routes record";
    assert_eq!(stage.visits("Shift weight")[0].calls.join(" "), calls);
}

#[test]
fn invariant_5_a_read_that_has_become_old_is_made_again_before_the_next_write() {
    let free = Stage::migrated().calls;
    let (calls, writes) = (free.made(), free.numbers_of("write_route"));
    // Before the first write of the last step its intent is recorded; before the second there is the first.
    for write in [writes[4], writes[5]] {
        let intent = (0..write).rev().find(|number| ["record", "write_route"].contains(&calls[*number])).unwrap();
        let (mut stage, service) = Stage::with_users();
        let (world, old, rules) = (stage.world.clone(), service.old_group.clone(), service.rules.clone());
        // The routes are written in the order of the plan.
        stage.calls.before(intent, move || {
            world.advance(jiff::SignedDuration::from_secs(4));
            for rule in &rules {
                let weights = world.weights_of(rule);
                let still_to_be_written = weights.iter().any(|(group, weight)| *group == old && *weight > 0);
                if still_to_be_written {
                    world.someone_sets_weight(rule, &old, 700).unwrap();
                }
            }
        });
        let execution = stage.migrate(users());
        assert_eq!(stage.ended(&execution).1, "Halted", "{}", stage.told());
        let kept = service.rules.iter().any(|rule| {
            let weights = stage.world.weights_of(rule);
            weights.contains(&(service.old_group.clone(), 700))
        });
        assert!(kept, "the edit is still there\n{}", stage.told());
    }
}

#[test]
fn contention_under_the_own_generation_is_tried_again_and_never_rolled_back() {
    let writes = Stage::migrated().calls.numbers_of("write_route");
    let (mut stage, _) = Stage::with_users();
    let intend = |ledger: &crossfade_world::ledger::Ledger, step| {
        let mut items = ledger.snapshot();
        items.heads.get_mut(&ServiceName::parse("users").unwrap()).unwrap().intended_step = Some(step);
        ledger.restore(items);
    };
    let ledger = stage.ledger.clone();
    // The look at the head before the first write of the last step.
    stage.calls.before(writes[4] - 1, move || intend(&ledger, 9));
    let (ledger, mut visits) = (stage.ledger.clone(), 0);
    stage.before(move |_, _, work, _| {
        visits += usize::from(work.state == "Shift weight");
        if work.state == "Shift weight" && visits == 3 {
            intend(&ledger, 2);
        }
    });
    let execution = stage.migrate(users());
    assert_eq!(stage.ended(&execution), (Status::Succeeded, String::new()), "{}", stage.told());
    let told = stage.told();
    assert!(told.contains("not yet: users-1 moved on meanwhile"), "{told}");
}
