//! What Auto Scaling groups promise.

use super::on_both_sides;
use super::samples::at;
use super::sides::Side;
use crossfade_domain::load_balancer::scaling_group::SourceState;
use crossfade_domain::names::TargetGroupArn;
use crossfade_world::World;
use std::sync::Arc;

on_both_sides![
    every_group_is_listed_with_its_instances_and_target_groups,
    what_is_attached_twice_or_detached_twice_is_so_once,
    a_dozen_target_groups_are_attached_by_more_than_one_call,
    during_a_refresh_nothing_is_changed,
    an_unknown_group_is_no_group_and_refuses_changes,
];

fn world(target_groups: usize) -> (Arc<World>, Vec<TargetGroupArn>) {
    let world = World::new(at(0), 7);
    world.add_service("public", "users-swarm", &["users.test"]);
    let created = world.with(|state| {
        state.auto_scaling.put_group("nodes", &["i-1", "i-2"], "ELB");
        let create = |number| state.elbv2.create_target_group(state.now, &format!("new-{number}"), 30080, &[]).unwrap();
        (0..target_groups).map(create).map(|arn| TargetGroupArn::parse(arn).unwrap()).collect()
    });
    (world, created)
}

async fn every_group_is_listed_with_its_instances_and_target_groups(side: Side) {
    let (world, created) = world(1);
    world.with(|state| {
        for number in 0..60 {
            state.auto_scaling.put_group(&format!("other-{number:02}"), &[], "EC2");
        }
    });
    let open = side.open(&world).await;
    open.auto_scaling.attach("nodes", &created).await.unwrap();
    let all = open.auto_scaling.all_scaling_groups().await.unwrap();
    assert_eq!(all.len(), 61);
    let nodes = open.auto_scaling.scaling_group("nodes").await.unwrap().unwrap();
    assert!(all.contains(&nodes));
    assert_eq!(
        (nodes.instances.as_slice(), nodes.replaces_unhealthy),
        (["i-1", "i-2"].map(String::from).as_slice(), true)
    );
    assert_eq!(nodes.attached, created);
    assert!(!all.iter().find(|one| one.name == "other-07").unwrap().replaces_unhealthy);
}

async fn what_is_attached_twice_or_detached_twice_is_so_once(side: Side) {
    let (world, created) = world(2);
    let open = side.open(&world).await;
    open.auto_scaling.attach("nodes", &created[..1]).await.unwrap();
    open.auto_scaling.attach("nodes", &created).await.unwrap();
    let sources = open.auto_scaling.sources("nodes").await.unwrap();
    assert!(sources.iter().all(|one| one.state == SourceState::Adding), "{sources:?}");
    assert_eq!(sources.len(), 2);
    let registered = open.target_groups.health(&created[1]).await.unwrap();
    let ports: Vec<_> = registered.iter().map(|one| (one.target.id.as_str(), one.target.port)).collect();
    assert_eq!(ports, [("i-1", Some(30080)), ("i-2", Some(30080))]);
    for _ in 0..2 {
        open.auto_scaling.detach("nodes", &created[..1]).await.unwrap();
    }
    let removing = open.auto_scaling.sources("nodes").await.unwrap();
    let removing = removing.iter().find(|one| one.group == created[0]).map(|one| one.state);
    assert_eq!(removing, Some(SourceState::Removing));
    assert_eq!(open.target_groups.health(&created[0]).await.unwrap(), []);
    let nodes = open.auto_scaling.scaling_group("nodes").await.unwrap().unwrap();
    assert_eq!((nodes.instances.len(), nodes.attached.as_slice()), (2, &created[1..]));
}

async fn a_dozen_target_groups_are_attached_by_more_than_one_call(side: Side) {
    let (world, created) = world(12);
    let open = side.open(&world).await;
    open.auto_scaling.attach("nodes", &created).await.unwrap();
    assert_eq!(open.auto_scaling.sources("nodes").await.unwrap().len(), 12);
    open.auto_scaling.detach("nodes", &created).await.unwrap();
    let nodes = open.auto_scaling.scaling_group("nodes").await.unwrap().unwrap();
    assert_eq!(nodes.attached, []);
}

async fn during_a_refresh_nothing_is_changed(side: Side) {
    let (world, created) = world(1);
    let open = side.open(&world).await;
    assert!(!open.auto_scaling.is_refreshing("nodes").await.unwrap());
    world.with(|state| state.auto_scaling.set_refreshing("nodes", true));
    let open = side.open(&world).await;
    assert!(open.auto_scaling.is_refreshing("nodes").await.unwrap());
    let refused = open.auto_scaling.attach("nodes", &created).await.unwrap_err();
    assert_eq!(refused.code(), Some("InstanceRefreshInProgress"));
}

async fn an_unknown_group_is_no_group_and_refuses_changes(side: Side) {
    let (world, created) = world(1);
    let open = side.open(&world).await;
    assert_eq!(open.auto_scaling.scaling_group("gone").await, Ok(None));
    assert_eq!(open.auto_scaling.sources("gone").await.unwrap_err().code(), Some("ValidationError"));
    assert_eq!(open.auto_scaling.attach("gone", &created).await.unwrap_err().code(), Some("ValidationError"));
}
