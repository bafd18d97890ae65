//! What the load balancers promise about the tags by which an alarm finds what it guards.

use super::on_both_sides;
use super::sides::Side;
use crossfade_domain::alarms::tags::{key, tags};
use crossfade_domain::load_balancer::group::Tags;
use crossfade_domain::names::TargetGroupArn;
use crossfade_world::World;
use jiff::Timestamp;

on_both_sides![groups_are_found_by_the_alarms_that_guard_them, tags_of_a_group_are_set_and_removed];

const ALARM: &str = "Users (prod) > 5xx";

async fn groups_are_found_by_the_alarms_that_guard_them(side: Side) {
    let world = World::new("2026-11-02T03:00:00Z".parse().unwrap(), 7);
    let guards = tags(&[ALARM.to_owned(), "users-latency".to_owned()], Timestamp::UNIX_EPOCH);
    let guards: Vec<(&str, &str)> = guards.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    for number in 0..25 {
        let tags = if number % 12 == 5 { &*guards } else { &[] };
        let name = format!("group-{number}");
        world.with(|state| state.elbv2.create_target_group(state.now, &name, 8080, tags).unwrap());
    }
    let of_another = [&*guards, &[("crossfade:stack", "another")]].concat();
    world.with(|state| state.elbv2.create_target_group(state.now, "other", 8080, &of_another).unwrap());
    let open = side.open(&world).await;
    let mut found = open.tagging.all_guarded_groups().await.unwrap();
    found.sort_by(|a, b| a.0.name.cmp(&b.0.name));
    let names: Vec<&str> = found.iter().map(|(group, _)| group.name.as_str()).collect();
    assert_eq!(names, ["group-17", "group-5"]);
    assert!(found[0].1.contains_key(&key("users-latency")) && found[0].1.contains_key(&key(ALARM)));
    assert!(!found[0].1.contains_key(&key("bookings-5xx")));
}

async fn tags_of_a_group_are_set_and_removed(side: Side) {
    let world = World::new("2026-11-02T03:00:00Z".parse().unwrap(), 7);
    let tagged = [("kept", "1"), ("changed", "1"), ("removed", "1")];
    let arn = world.with(|state| state.elbv2.create_target_group(state.now, "new", 8080, &tagged).unwrap());
    let open = side.open(&world).await;
    let (group, pair) =
        (TargetGroupArn::parse(arn.clone()).unwrap(), |key: &str, value: &str| (key.to_owned(), value.to_owned()));
    let set = Tags::from([pair("changed", "2"), pair("added", "2")]);
    let remove = ["removed".to_owned(), "never there".to_owned()];
    for _ in 0..2 {
        open.tagging.add_tags(&group, &set).await.unwrap();
        open.tagging.remove_tags(&group, &remove).await.unwrap();
    }
    let read = open.tagging.tags(std::slice::from_ref(&arn)).await.unwrap();
    assert_eq!(read[&arn], Tags::from([pair("kept", "1"), pair("changed", "2"), pair("added", "2")]));
}
