//! Shifts that have to wait while the new side has traffic: the gates go on looking, and nothing waits for ever.

use super::attempts::users_on;
use super::stage::{Stage, new_group, users};
use crate::simulation::at_once;
use crossfade_actions::operator::commands::{Command, command};
use crossfade_domain::journal::cursor::NextStep;
use crossfade_domain::journal::{EventKind, Trigger};
use crossfade_domain::names::{ServiceName, TargetGroupArn};
use crossfade_world::World;
use crossfade_world::states::Status;
use serde_json::json;

/// Runs a migration in which something happens before invocations; it is told the state and the number of its visit,
/// from 1.
fn with_visits(
    stage: &mut Stage,
    policy: serde_json::Value,
    mut happens: impl FnMut(&World, &str, usize) + 'static,
) -> String {
    let mut visits = std::collections::BTreeMap::<String, usize>::new();
    stage.before(move |world, _, work, _| {
        let visit = visits.entry(work.state.clone()).or_default();
        *visit += 1;
        happens(world, &work.state, *visit);
    });
    stage.migrate(policy)
}

fn commanded(stage: &Stage) -> impl Fn(Command) + use<> {
    let ports = stage.plain.clone();
    move |asked| {
        let users = ServiceName::parse("users").unwrap();
        at_once(command(&ports, &users, asked, "a test")).unwrap();
    }
}

/// The first shift is the attach, in a state of its own; the next to last is that from 5 % to 100 %.
const TO_THE_LAST_STEP: usize = 2;

/// The states that an execution entered, without those before the first bake.
fn states_since_the_first_bake(stage: &Stage, execution: &str) -> Vec<String> {
    let entered = stage.machines.with(|engine| engine.entered_states(execution));
    entered.into_iter().skip_while(|state| state != "Bake slice").filter(|state| !state.ends_with('?')).collect()
}

#[test]
fn a_held_shift_waits_among_the_gates_and_goes_on_when_it_may() {
    let (mut stage, _) = Stage::with_users();
    let ask = commanded(&stage);
    let execution = with_visits(&mut stage, users(), move |_, state, visit| match (state, visit) {
        ("Shift weight", TO_THE_LAST_STEP) => ask(Command::Pause),
        ("Check alarms", 5) => ask(Command::Continue),
        _ => {}
    });
    assert_eq!(stage.ended(&execution), (Status::Succeeded, String::new()), "{}", stage.told());
    let states = states_since_the_first_bake(&stage, &execution);
    let (slice, shift) = (["Bake slice", "Check alarms"], ["Shift weight"]);
    let expected = [&slice[..], &slice, &shift, &slice, &slice, &slice, &shift, &slice, &slice].concat();
    assert_eq!(states[..expected.len()], expected, "{}", stage.told());
    assert_eq!(stage.head("users").held_since, None);
    stage.assert_at_rest("users");
}

#[test]
fn invariant_9_an_alarm_whose_event_is_lost_while_a_shift_is_held_rolls_back() {
    let (mut stage, _) = Stage::with_users();
    stage.lose_alarm_events();
    let ask = commanded(&stage);
    let execution = with_visits(&mut stage, users(), move |world, state, visit| match (state, visit) {
        ("Shift weight", TO_THE_LAST_STEP) => ask(Command::Pause),
        ("Check alarms", 3) => {
            world.fire_alarm("users-5xx");
            world.quiet_alarm("users-5xx");
            ask(Command::Continue);
        }
        _ => {}
    });
    assert_eq!(stage.ended(&execution).1, "RolledBack", "{}", stage.told());
    assert_eq!(stage.head("users").rollback.unwrap().trigger, Trigger::CheckAlarms);
    stage.assert_at_rest("users");
}

#[test]
fn a_new_side_with_traffic_that_sickens_before_a_shift_rolls_back_at_once() {
    let (mut stage, service) = Stage::with_users();
    let execution = with_visits(&mut stage, users(), move |world, state, visit| {
        if (state, visit) == ("Shift weight", TO_THE_LAST_STEP) {
            world.make_unhealthy(&new_group(world, &service));
        }
    });
    assert_eq!(stage.ended(&execution).1, "RolledBack", "{}", stage.told());
    let cause = stage.head("users").rollback.unwrap().cause;
    assert!(cause.starts_with("health: new group "), "{cause}");
    assert!(!states_since_the_first_bake(&stage, &execution).contains(&"Wait for capacity".to_owned()));
    stage.assert_at_rest("users");
}

/// The old side is short whenever the shift looks, and whole whenever the gates do.
#[test]
fn a_shift_that_is_held_again_and_again_halts_after_the_longest_hold() {
    let (mut stage, service) = Stage::with_users();
    let mut policy = users();
    policy["service"]["maxHold"] = json!("20m");
    let execution = with_visits(&mut stage, policy, move |world, state, visit| match state {
        "Shift weight" if visit >= TO_THE_LAST_STEP => world.make_unhealthy(&service.old_group),
        "Check alarms" => world.make_healthy(&service.old_group),
        _ => {}
    });
    assert_eq!(stage.ended(&execution), (Status::Failed, "Halted".to_owned()), "{}", stage.told());
    assert_eq!(stage.step("users"), Some(1));
    let reason = stage.head("users").reason.unwrap();
    assert!(reason.contains("(maxHold is 20m): step 2: old group users-swarm could not take"), "{reason}");
    let advances = stage.events("users").into_iter().filter(|event| {
        matches!(
            &event.kind,
            EventKind::Judged { verdict: NextStep::Advance, reason } if reason.contains("on to 100 %")
        )
    });
    let advances = advances.count();
    assert!((3..20).contains(&advances), "{advances}: each look is later than the one before\n{}", stage.told());
    stage.assert_at_rest("users");
}

/// Two of four instances are gone after the first step, and come back later.
#[test]
fn invariant_2_a_step_waits_until_the_new_side_has_the_targets_that_its_weight_needs() {
    let (mut stage, service) = Stage::with_users();
    let others = ["i-0aaaaaaaaaaaaaaa3", "i-0aaaaaaaaaaaaaaa4"];
    stage.world.register_instances(&service.old_group, &others, 8080);
    stage.world.make_healthy(&service.old_group);
    let ids = ["i-0bbbbbbbbbbbbbbb1", "i-0bbbbbbbbbbbbbbb2", "i-0bbbbbbbbbbbbbbb3", "i-0bbbbbbbbbbbbbbb4"];
    let mut request = users_on(&ids.map(|id| (id, 30080)));
    request["service"]["newHealthyShare"] = json!(100);
    let old = service.old_group.clone();
    stage.before_checks(move |check, world, _| {
        let new = new_group(world, &service);
        match check {
            1 => {
                let gone = json!([{"Id": ids[2], "Port": 30080}, {"Id": ids[3], "Port": 30080}]);
                let input = json!({"TargetGroupArn": new, "Targets": gone});
                world.with(|state| state.elbv2.call_json(state.now, "DeregisterTargets", &input)).unwrap();
            }
            6 => {
                world.register_instances(&new, &ids[2..], 30080);
                world.make_healthy(&new);
            }
            _ => {}
        }
    });
    let execution = stage.migrate(request);
    assert_eq!(stage.ended(&execution).0, Status::Succeeded, "{}", stage.told());
    assert_eq!(stage.plan("users").group_of(&TargetGroupArn::parse(old).unwrap()).unwrap().old_healthy, 4);
    let waits = "2 healthy targets, 4 needed at 100 % (newHealthyShare is 100 % of the 4 that users-swarm had)";
    let held = stage.recorded("users", |event| match &event.kind {
        EventKind::Judged { verdict: NextStep::Hold, reason } => Some(reason.contains(waits)),
        _ => None,
    });
    assert_eq!(held, [true], "{}", stage.told());
    assert!(stage.visits("Check alarms").len() > 6, "it waited");
}
