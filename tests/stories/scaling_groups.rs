//! The new targets are the instances of an Auto Scaling group.

use super::stage::{Stage, users};
use crate::simulation::{Breakage, PortFault};
use crossfade_actions::functions::create_route::connect::{RouteOutcome, RouteRequest, connect as create_route};
use crossfade_actions::functions::create_route::disconnect::{RemovalOutcome, disconnect as remove_route};
use crossfade_domain::journal::{EventKind, Phase};
use crossfade_domain::policy::document::decode_service;
use crossfade_domain::policy::service_policy::ServicePolicy;
use crossfade_world::World;
use crossfade_world::elbv2::ProbeOutcome;
use crossfade_world::states::Status;
use crossfade_world::tree::Tree;
use crossfade_world::world::ServiceOnBalancer;
use jiff::SignedDuration;
use serde_json::{Value, json};

const NODES: [&str; 2] = ["i-0bbbbbbbbbbbbbbb1", "i-0bbbbbbbbbbbbbbb2"];

/// The policy of `users`, whose new targets are `nodes` on port 30080.
fn policy() -> Value {
    let mut policy = users();
    policy["service"]["newTargets"] = json!({"autoScalingGroup": {"name": "nodes", "port": 30080}});
    policy
}

fn stage(health_check_type: &str) -> (Stage, ServiceOnBalancer) {
    stage_on(Stage::new(), health_check_type)
}

fn stage_on(stage: Stage, health_check_type: &str) -> (Stage, ServiceOnBalancer) {
    let (stage, service) = Stage::with_users_on(stage);
    stage.world.with(|state| state.auto_scaling.put_group("nodes", &NODES, health_check_type));
    (stage, service)
}

fn is_attached(world: &World, target_group: &str) -> bool {
    world.with(|state| state.auto_scaling.is_attached("nodes", target_group))
}

fn targets(world: &World, target_group: &str) -> Vec<(String, u16)> {
    world.with(|state| state.elbv2.targets_of(target_group))
}

fn nodes() -> Vec<(String, u16)> {
    NODES.iter().map(|id| ((*id).to_owned(), 30080)).collect()
}

/// What a service of others on the same nodes answers.
fn other_service(stage: &Stage, answers: u16) -> String {
    let shop = stage.world.add_service("shops", "shop-swarm", &["shop.test"]);
    attach(&stage.world, "nodes", &shop.old_group);
    stage.world.with(|state| {
        for id in NODES {
            for _ in 0..2 {
                state.elbv2.probe_result(&shop.old_group, id, 8080, ProbeOutcome::Status(answers));
            }
        }
    });
    shop.old_group
}

#[test]
fn a_service_moves_to_the_instances_of_an_auto_scaling_group() {
    for health_check_type in ["EC2", "ELB"] {
        let (mut stage, service) = stage(health_check_type);
        let execution = stage.migrate(policy());
        assert_eq!(stage.ended(&execution).0, Status::Succeeded, "{}", stage.told());
        stage.assert_at_rest("users");
        let new = stage.new_group("users", &service.old_group);
        assert!(is_attached(&stage.world, &new));
        assert_eq!(targets(&stage.world, &new), nodes());
        let registered = stage.recorded("users", |event| match event.kind {
            EventKind::TargetsRegistered { registered } => Some(registered),
            _ => None,
        });
        assert_eq!(registered, [2]);
        // An instance that comes later follows by itself.
        let launched = stage.world.with(|state| state.auto_scaling.scale_out(state.now, &mut state.elbv2, "nodes"));
        assert!(targets(&stage.world, &new).contains(&(launched.unwrap(), 30080)));
        assert_eq!(stage.world.with(|state| state.auto_scaling.replaced("nodes").to_vec()), Vec::<String>::new());
    }
}

#[test]
fn a_rollback_detaches_what_the_migration_attached_and_the_instances_go_on_running() {
    let (mut stage, service) = stage("ELB");
    stage.once_before("Check alarms", |world| world.fire_alarm("users-5xx"));
    stage.migrate(policy());
    assert_eq!(stage.head("users").phase, Phase::RolledBack, "{}", stage.told());
    stage.assert_at_rest("users");
    let new = stage.new_group("users", &service.old_group);
    assert!(!is_attached(&stage.world, &new), "{}", stage.told());
    assert_eq!(targets(&stage.world, &new), []);
    assert_eq!(stage.world.with(|state| state.auto_scaling.instances("nodes").to_vec()), NODES);
    // The next attempt attaches them again.
    stage.undisturbed();
    stage.world.quiet_alarm("users-5xx");
    stage.world.advance(SignedDuration::from_mins(5));
    stage.start("second", policy());
    stage.run();
    assert_eq!((stage.head("users").attempt, stage.head("users").phase), (2, Phase::Migrated), "{}", stage.told());
    assert!(is_attached(&stage.world, &new));
}

/// Whether the new group is still attached after an alarm has rolled the migration back.
fn left_attached(breakage: Option<Breakage>) -> bool {
    let (mut stage, service) = stage_on(Stage::broken(breakage), "ELB");
    stage.once_before("Check alarms", |world| world.fire_alarm("users-5xx"));
    stage.migrate(policy());
    assert_eq!(stage.head("users").phase, Phase::RolledBack, "{}", stage.told());
    is_attached(&stage.world, &stage.new_group("users", &service.old_group))
}

#[test]
fn invariant_20_a_group_that_stays_attached_after_a_rollback_is_caught() {
    assert!(!left_attached(None));
    assert!(left_attached(Some(Breakage::ScalingGroupsAreKept)));
}

#[test]
fn invariant_20_what_an_earlier_attempt_registered_is_removed_before_the_group_is_attached() {
    let (mut stage, service) = stage("EC2");
    let mut instances = users();
    instances["service"]["newTargets"] = json!({"instances": [
        {"id": "i-0ccccccccccccccc1", "port": 30080}, {"id": "i-0ccccccccccccccc2", "port": 30080},
    ]});
    stage.once_before("Check alarms", |world| world.fire_alarm("users-5xx"));
    stage.migrate(instances);
    assert_eq!(stage.head("users").phase, Phase::RolledBack, "{}", stage.told());
    let new = stage.new_group("users", &service.old_group);
    assert_eq!(targets(&stage.world, &new).len(), 2);
    stage.undisturbed();
    stage.world.quiet_alarm("users-5xx");
    stage.world.advance(SignedDuration::from_mins(5));
    stage.start("second", policy());
    stage.run();
    assert_eq!(stage.head("users").phase, Phase::Migrated, "{}", stage.told());
    assert_eq!(targets(&stage.world, &new), nodes());
}

#[test]
fn nodes_on_which_others_are_unhealthy_are_not_put_at_risk() {
    let (mut stage, _) = stage("ELB");
    let shop = other_service(&stage, 500);
    let execution = stage.migrate(policy());
    assert_eq!(stage.ended(&execution).1, "Refused", "{}", stage.told());
    let planned = stage.visits("Plan migration").last().unwrap().answer.clone().unwrap();
    let reason = planned["reason"].as_str().unwrap();
    assert!(reason.contains("replaces instances that are unhealthy") && reason.contains("shop-swarm"), "{reason}");
    assert!(stage.heads().is_empty());
    assert!(is_attached(&stage.world, &shop));
    assert_eq!(stage.calls.numbers_of("attach"), [0_usize; 0]);
}

/// Whether a migration attaches its new group next to another service's, whose targets on the nodes are unhealthy.
fn puts_nodes_at_risk(breakage: Option<Breakage>) -> bool {
    let (mut stage, _) = stage_on(Stage::broken(breakage), "ELB");
    other_service(&stage, 500);
    stage.migrate(policy());
    !stage.calls.numbers_of("attach").is_empty()
}

#[test]
fn a_group_that_is_attached_without_a_look_at_the_nodes_is_caught() {
    assert!(!puts_nodes_at_risk(None));
    assert!(puts_nodes_at_risk(Some(Breakage::ScalingGroupsLookHarmless)));
}

/// What was safe when the plan was made may not be when the group is attached.
#[test]
fn what_makes_an_attachment_dangerous_is_looked_at_again_right_before_it() {
    let (mut stage, service) = stage("ELB");
    other_service(&stage, 200);
    let shop = stage.world.with(|state| state.elbv2.group_named("shop-swarm").unwrap().to_owned());
    stage.once_before("Register targets", move |world| {
        world.with(|state| {
            for _ in 0..2 {
                state.elbv2.probe_result(&shop, NODES[0], 8080, ProbeOutcome::Status(500));
            }
        });
    });
    stage.migrate(policy());
    assert_eq!(stage.head("users").phase, Phase::RolledBack, "{}", stage.told());
    assert_eq!(stage.calls.numbers_of("attach"), [0_usize; 0], "{}", stage.told());
    assert!(!is_attached(&stage.world, &stage.new_group("users", &service.old_group)));
}

#[test]
fn an_instance_refresh_refuses_the_plan() {
    let (mut stage, _) = stage("EC2");
    stage.world.with(|state| state.auto_scaling.set_refreshing("nodes", true));
    let execution = stage.migrate(policy());
    assert_eq!(stage.ended(&execution).1, "Refused", "{}", stage.told());
    let planned = stage.visits("Plan migration").last().unwrap().answer.clone().unwrap();
    assert!(planned["reason"].as_str().unwrap().contains("describe-instance-refreshes"), "{planned}");
}

#[test]
fn a_group_that_someone_detached_is_not_ready_and_the_migration_is_taken_back() {
    let (mut stage, _) = stage("EC2");
    stage.once_before("Check targets", |world| {
        world.with(|state| {
            let group = state.auto_scaling.first_attached("nodes").unwrap();
            let input = json!({
                "AutoScalingGroupName": "nodes", "TrafficSources": [{"Identifier": group, "Type": "elbv2"}],
            });
            let input = Tree::from_json(&input);
            state.auto_scaling.call(state.now, "DetachTrafficSources", &input, &mut state.elbv2).unwrap();
        });
    });
    stage.migrate(policy());
    assert_eq!(stage.head("users").phase, Phase::RolledBack, "{}", stage.told());
    let causes = stage.recorded("users", |event| match &event.kind {
        EventKind::RollbackBegun { cause, .. } => Some(cause.clone()),
        _ => None,
    });
    assert!(causes[0].contains("is not attached at Auto Scaling group nodes"), "{causes:?}");
}

/// A rollback never waits for Auto Scaling; what it could not detach is said, with the command.
#[test]
fn without_auto_scaling_a_rollback_ends_and_says_what_is_left() {
    let (mut stage, service) = stage("EC2");
    stage.calls.always("detach", PortFault::Denied);
    stage.once_before("Check alarms", |world| world.fire_alarm("users-5xx"));
    stage.migrate(policy());
    assert_eq!(stage.head("users").phase, Phase::RolledBack, "{}", stage.told());
    stage.assert_at_rest("users");
    assert!(is_attached(&stage.world, &stage.new_group("users", &service.old_group)));
    let verified = stage.visits("Verify rollback").last().unwrap().answer.clone().unwrap();
    assert!(verified["reason"].as_str().unwrap().contains("aws autoscaling detach-traffic-sources"), "{verified}");
}

#[test]
fn a_fault_at_any_call_leaves_the_new_group_attached_only_where_the_service_migrated() {
    let faults = [PortFault::Throttled, PortFault::FailsAfter, PortFault::DiesAfter, PortFault::Denied];
    let undisturbed = {
        let (mut free, _) = stage("ELB");
        free.migrate(policy());
        free.calls.made()
    };
    for (number, verb) in undisturbed.into_iter().enumerate() {
        if !["scaling_group", "is_refreshing", "sources", "attach", "health", "register"].contains(&verb) {
            continue;
        }
        for fault in faults {
            let (mut stage, _) = stage("ELB");
            stage.calls.at(number, fault);
            stage.migrate(policy());
            let story = || format!("call {number} ({verb}), {fault}\n{}", stage.told());
            if stage.heads().is_empty() {
                continue;
            }
            stage.assert_at_rest("users");
            let head = stage.head("users");
            let attached = head.new_groups.values().any(|group| is_attached(&stage.world, group.as_str()));
            match head.phase {
                Phase::Migrated => assert!(attached, "{}", story()),
                Phase::RolledBack | Phase::Refused => assert!(!attached, "{}", story()),
                phase => panic!("{phase:?} {}", story()),
            }
        }
    }
}

/// The policy of `users` with an internal route on load balancer `mesh`, which needs a copy of the old group.
fn connected_policy() -> ServicePolicy {
    let mut policy = users();
    policy["service"]["internalRoute"] = json!({"host": "users.internal.example", "loadBalancer": "mesh"});
    decode_service(&policy["service"]).unwrap()
}

/// `users`, whose old targets come from an Auto Scaling group, and a load balancer for internal routes.
fn fed_by_a_group(health_check_type: &str) -> (Stage, ServiceOnBalancer) {
    let (stage, service) = Stage::with_users();
    stage.world.add_service("mesh", "orders-swarm", &["orders.internal.example"]);
    stage.world.with(|state| {
        state.auto_scaling.put_group("other-nodes", &["i-0ddddddddddddddd1"], health_check_type);
    });
    feed(&stage.world, &service.old_group, health_check_type);
    (stage, service)
}

/// From now on, Auto Scaling group `swarm-nodes` registers the targets of a target group.
pub(crate) fn feed(world: &World, target_group: &str, health_check_type: &str) {
    world.with(|state| {
        let targets: Vec<String> = state.elbv2.targets_of(target_group).into_iter().map(|(id, _)| id).collect();
        let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
        state.auto_scaling.put_group("swarm-nodes", &targets, health_check_type);
    });
    attach(world, "swarm-nodes", target_group);
}

fn attach(world: &World, group: &str, target_group: &str) {
    call(world, "AttachTrafficSources", group, target_group);
}

fn call(world: &World, operation: &str, group: &str, target_group: &str) {
    let sources = json!([{"Identifier": target_group, "Type": "elbv2"}]);
    let input = Tree::from_json(&json!({"AutoScalingGroupName": group, "TrafficSources": sources}));
    world.with(|state| {
        state.auto_scaling.call(state.now, operation, &input, &mut state.elbv2).unwrap();
    });
}

fn connect(stage: &Stage) -> RouteOutcome {
    let policy = connected_policy();
    let done = stage.alone("connect", |ports| async move {
        create_route(&ports, &RouteRequest { fleet: "eks", policy: &policy, who: "ana", dry_run: false }).await
    });
    done.unwrap().unwrap()
}

fn disconnect(stage: &Stage) -> RemovalOutcome {
    let policy = connected_policy();
    let done = stage.alone("connect", |ports| async move {
        let request = RouteRequest { fleet: "eks", policy: &policy, who: "ana", dry_run: false };
        remove_route(&ports, &request, true).await
    });
    done.unwrap().unwrap()
}

#[test]
fn the_copy_for_an_internal_route_follows_the_group_of_the_old_side_until_the_undo() {
    let (stage, service) = fed_by_a_group("EC2");
    let RouteOutcome::Connected { connection, created, .. } = connect(&stage) else { panic!("{}", stage.told()) };
    let copy = connection.copy.unwrap();
    assert!(created.iter().any(|line| line.contains("Auto Scaling group swarm-nodes registers its")), "{created:?}");
    let is_attached = |group: &str| stage.world.with(|state| state.auto_scaling.is_attached(group, copy.as_str()));
    assert!(is_attached("swarm-nodes") && !is_attached("other-nodes"));
    let launched = stage.world.with(|state| state.auto_scaling.scale_out(state.now, &mut state.elbv2, "swarm-nodes"));
    assert!(targets(&stage.world, copy.as_str()).contains(&(launched.unwrap(), 8080)));
    let RouteOutcome::Connected { created, .. } = connect(&stage) else { panic!("{}", stage.told()) };
    assert_eq!(created, [""; 0], "a second run has nothing to do");
    // Attached by hand to another group since.
    attach(&stage.world, "other-nodes", &service.old_group);
    let RouteOutcome::Connected { created, .. } = connect(&stage) else { panic!("{}", stage.told()) };
    assert!(created.iter().any(|line| line.contains("other-nodes")), "{created:?}");
    assert!(is_attached("other-nodes"));
    stage.world.with(|state| state.auto_scaling.set_refreshing("other-nodes", true));
    let RemovalOutcome::Refused(why) = disconnect(&stage) else { panic!("{}", stage.told()) };
    assert!(why[0].contains("an instance refresh of Auto Scaling group other-nodes is running"), "{why:?}");
    assert!(is_attached("swarm-nodes"), "nothing is undone by half");
    stage.world.with(|state| state.auto_scaling.set_refreshing("other-nodes", false));
    assert!(matches!(disconnect(&stage), RemovalOutcome::Removed { .. }));
    assert!(!is_attached("swarm-nodes") && !is_attached("other-nodes"));
    let old = |group: &str| stage.world.with(|state| state.auto_scaling.is_attached(group, &service.old_group));
    assert!(old("swarm-nodes") && old("other-nodes"));
}

#[test]
fn a_copy_that_would_put_nodes_at_risk_is_not_created() {
    let (stage, service) = fed_by_a_group("ELB");
    stage.world.with(|state| {
        for _ in 0..2 {
            let id = "i-0aaaaaaaaaaaaaaa1";
            state.elbv2.probe_result(&service.old_group, id, 8080, ProbeOutcome::Status(500));
        }
    });
    let RouteOutcome::Refused(why) = connect(&stage) else { panic!("{}", stage.told()) };
    assert!(why[0].contains("Auto Scaling group swarm-nodes replaces instances"), "{why:?}");
    assert!(stage.calls.numbers_of("create_group").is_empty() && stage.calls.numbers_of("attach").is_empty());
}
