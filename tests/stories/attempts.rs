//! A second attempt, and what the first one left.

use super::stage::{Stage, users};
use crate::simulation::{PortFault, at_once};
use crossfade_actions::ports::TargetGroups as _;
use crossfade_domain::journal::{EventKind, Phase};
use crossfade_domain::load_balancer::group::HealthState;
use crossfade_domain::names::TargetGroupArn;
use crossfade_domain::plan::FindingCode;
use crossfade_world::states::Status;
use crossfade_world::world::ServiceOnBalancer;
use serde_json::{Value, json};

/// `users` with these new instances, each with its port.
pub(super) fn users_on(instances: &[(&str, u16)]) -> Value {
    let mut request = users();
    let instances: Vec<Value> = instances.iter().map(|(id, port)| json!({"id": id, "port": port})).collect();
    request["service"]["newTargets"] = json!({"instances": instances});
    request
}

/// `users`, rolled back in its first attempt, which registered `.1` and `.2` at port 30080.
pub(super) fn rolled_back_once() -> (Stage, ServiceOnBalancer) {
    let (mut stage, service) = Stage::with_users();
    stage.before(|world, _, work, _| {
        if work.state == "Check alarms" {
            world.fire_alarm("users-5xx");
        }
    });
    stage.migrate(users());
    assert_eq!(stage.head("users").phase, Phase::RolledBack, "{}", stage.told());
    stage.undisturbed();
    stage.world.quiet_alarm("users-5xx");
    stage.world.advance(jiff::SignedDuration::from_mins(5));
    (stage, service)
}

fn registered(stage: &Stage, group: &str) -> Vec<String> {
    let group = TargetGroupArn::parse(group).unwrap();
    let health = at_once(stage.world.health(&group)).unwrap();
    let stays = health.into_iter().filter(|one| one.state != HealthState::Draining);
    stays.map(|one| one.target.to_string()).collect()
}

#[test]
fn invariant_20_a_second_attempt_removes_the_targets_of_the_first_and_says_so() {
    let (mut stage, service) = rolled_back_once();
    let second = users_on(&[("i-0bbbbbbbbbbbbbbb2", 30080), ("i-0bbbbbbbbbbbbbbb2", 30090)]);
    let mut dry = second.clone();
    dry["dryRun"] = json!(true);
    let planned = stage.call("plan-migration", &json!({"request": dry, "execution": "dry"})).unwrap().unwrap();
    let findings = planned["findings"].to_string();
    assert!(findings.contains("unlisted-targets") && findings.contains("i-0bbbbbbbbbbbbbbb1:30080"), "{findings}");

    let execution = stage.start("second", second);
    stage.run();
    assert_eq!(stage.ended(&execution).0, Status::Succeeded, "{}", stage.told());
    let new = stage.new_group("users", &service.old_group);
    assert_eq!(registered(&stage, &new), ["i-0bbbbbbbbbbbbbbb2:30080", "i-0bbbbbbbbbbbbbbb2:30090"]);
    let removed = stage.recorded("users", |event| match &event.kind {
        EventKind::UnlistedTargetsFound { unlisted } => Some(unlisted.values().flatten().cloned().collect::<Vec<_>>()),
        _ => None,
    });
    assert_eq!(removed, [["i-0bbbbbbbbbbbbbbb1:30080"]]);
}

#[test]
fn addresses_outside_the_vpc_are_registered_once_the_policy_says_so_and_the_refusal_names_the_field() {
    let (mut stage, service) = Stage::with_users();
    let mut request = users();
    let ips = json!([{"ip": "172.16.0.1", "port": 8080}, {"ip": "172.16.0.2", "port": 8080}]);
    request["service"]["newTargets"] = json!({"ips": ips});
    stage.migrate(request.clone());
    assert_eq!(stage.head("users").phase, Phase::RolledBack, "{}", stage.told());
    let cause = stage.head("users").rollback.unwrap().cause;
    assert!(cause.contains("172.16.0.1") && cause.contains("set newTargets.outsideVpc: true"), "{cause}");

    stage.world.advance(jiff::SignedDuration::from_mins(5));
    request["service"]["newTargets"]["outsideVpc"] = json!(true);
    let execution = stage.start("second", request);
    stage.run();
    assert_eq!(stage.ended(&execution).0, Status::Succeeded, "{}", stage.told());
    let new = stage.new_group("users", &service.old_group);
    assert_eq!(registered(&stage, &new), ["172.16.0.1:8080", "172.16.0.2:8080"]);
}

#[test]
fn targets_that_a_controller_registered_are_left_alone() {
    let (mut stage, service) = Stage::with_users();
    let mut request = users();
    request["service"]["newTargets"] = json!({"binding": {"namespace": "prod", "service": "users", "port": 8080}});
    let old = service.old_group;
    stage.before(move |world, _, work, _| {
        if work.state == "Register targets" {
            let new = world.weights_of(&service.rules[0]).into_iter().find(|(group, _)| *group != old).unwrap().0;
            let targets = json!([{"Id": "10.0.0.1"}, {"Id": "10.0.0.2"}]);
            let input = json!({"TargetGroupArn": new, "Targets": targets});
            world.with(|state| state.elbv2.call_json(state.now, "RegisterTargets", &input)).unwrap();
        }
    });
    let execution = stage.migrate(request);
    assert_eq!(stage.ended(&execution).0, Status::Succeeded, "{}", stage.told());
    assert_eq!(stage.calls.numbers_of("deregister").len(), 0);
}

#[test]
fn invariant_20_a_target_that_appears_later_holds_the_next_step_and_does_not_count() {
    let (mut stage, service) = Stage::with_users();
    let mut checks = 0;
    stage.before(move |world, _, work, _| {
        if work.state != "Check alarms" {
            return;
        }
        checks += 1;
        let new = super::stage::new_group(world, &service);
        let change = |operation: &str| {
            let input = json!({"TargetGroupArn": new, "Targets": [{"Id": "i-0ccccccccccccccc1", "Port": 30080}]});
            world.with(|state| state.elbv2.call_json(state.now, operation, &input)).unwrap();
        };
        match checks {
            1 => change("RegisterTargets"),
            4 => change("DeregisterTargets"),
            _ => {}
        }
    });
    let execution = stage.migrate(users());
    assert_eq!(stage.ended(&execution).0, Status::Succeeded, "{}", stage.told());
    let held = stage.recorded("users", |event| match &event.kind {
        EventKind::Judged { reason, .. } if reason.contains("i-0ccccccccccccccc1:30080") => Some(reason.clone()),
        _ => None,
    });
    assert_eq!(held.len(), 1, "{held:?}\n{}", stage.told());
}

#[test]
fn invariant_20_a_second_attempt_gives_the_group_of_the_first_the_planned_health_check() {
    let (mut stage, service) = rolled_back_once();
    let new = stage.new_group("users", &service.old_group);
    let of = |stage: &Stage, group: &str| {
        let found = at_once(stage.world.target_groups(&[group.to_owned()])).unwrap();
        found[0].settings.health_check.clone()
    };
    let input = json!({"TargetGroupArn": new, "HealthCheckPath": "/stale", "HealthCheckIntervalSeconds": 77});
    stage.world.with(|state| state.elbv2.call_json(state.now, "ModifyTargetGroup", &input)).unwrap();
    let execution = stage.start("second", users());
    stage.run();
    assert_eq!(stage.ended(&execution).0, Status::Succeeded, "{}", stage.told());
    assert_eq!(of(&stage, &new), of(&stage, &service.old_group));
    let codes: Vec<FindingCode> = stage.plan("users").findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, [FindingCode::HealthCheckDiffers]);
}

#[test]
fn invariant_20_a_group_of_the_first_attempt_with_another_port_refuses_the_second_plan() {
    let (stage, _) = rolled_back_once();
    let second = users_on(&[("i-0bbbbbbbbbbbbbbb1", 30090), ("i-0bbbbbbbbbbbbbbb2", 30090)]);
    let input = json!({"request": second, "execution": "arn"});
    let answer = stage.call("plan-migration", &input).unwrap().unwrap();
    let reason = answer["reason"].as_str().unwrap();
    assert_eq!(answer["error"], "Refused");
    assert!(reason.contains("port is 30080, expected 30090"), "{reason}");
    assert!(reason.contains("aws elbv2 delete-target-group --target-group-arn arn:"), "{reason}");
}

#[test]
fn what_is_not_known_everywhere_right_after_its_creation_is_asked_for_again() {
    for verb in ["create_group", "put_alarm"] {
        let (mut stage, _) = Stage::with_users();
        let mut policy = users();
        policy["service"]["guardAlarms"] = json!("auto");
        stage.calls.always(verb, PortFault::KnownLate);
        let execution = stage.migrate(policy);
        assert_eq!(stage.ended(&execution).0, Status::Succeeded, "{verb}\n{}", stage.told());
        assert!(stage.calls.made().contains(&verb), "{verb} is called");
    }
}
