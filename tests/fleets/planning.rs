//! What the plans of a look cost.

use super::stage::FleetStage;
use crate::simulation::at_once;
use crossfade_actions::ports::TargetGroups as _;
use crossfade_domain::load_balancer::room::Use;
use serde_json::json;

/// What all services of a load balancer have in common.
const SHARED: [&str; 4] = ["load_balancers", "listeners", "routes", "target_groups_of"];

fn count(calls: &[&str], verb: &str) -> usize {
    calls.iter().filter(|call| **call == verb).count()
}

#[test]
fn a_look_reads_a_load_balancer_once_for_all_services_that_it_plans() {
    let names: Vec<String> = (0..8).map(|number| format!("service-{number}")).collect();
    let services: Vec<(&str, &[&str])> = names.iter().map(|name| (name.as_str(), &[] as &[&str])).collect();
    let mut fleet = FleetStage::new(&services, json!({"waveBake": "1m"}));
    fleet.conduct();
    fleet.minutes(1);
    let looks = fleet.visits("Check fleet");
    let planning = &looks[0].calls;
    assert_eq!(count(planning, "attributes"), 8, "it has planned all eight: {planning:?}");
    for verb in SHARED {
        assert_eq!(count(planning, verb), 1, "{verb}: {planning:?}");
    }
    // Its service's own: old group, attributes, health, tags of group and routes, and who has the new group's name.
    let own = ["target_groups", "attributes", "health", "tags"];
    let own: usize = own.iter().map(|verb| count(planning, verb)).sum();
    assert_eq!(
        own,
        8 * 6 + 2,
        "and once all old groups for their requests, and the load balancer's tags: {planning:?}"
    );
}

#[test]
fn a_later_look_and_every_migration_read_the_load_balancer_afresh() {
    let mut fleet = FleetStage::of_four(json!({"waveBake": "1m"}));
    fleet.conduct();
    fleet.run();
    let looks = fleet.visits("Check fleet");
    let planning: Vec<_> = looks.iter().filter(|look| count(&look.calls, "attributes") > 0).collect();
    assert_eq!(planning.len(), 3, "one for each wave");
    let migrations = fleet.visits("Plan migration");
    assert_eq!(migrations.len(), 4);
    for calls in planning.iter().chain(&migrations.iter().collect::<Vec<_>>()).map(|visit| &visit.calls) {
        for verb in SHARED {
            assert_eq!(count(calls, verb), 1, "{verb}: {calls:?}");
        }
    }
}

/// Publishes, in the minute that has just begun, how many healthy targets each group has.
fn publish(fleet: &FleetStage, healthy: u32) {
    let old = at_once(fleet.world.target_groups(&["a-swarm".to_owned(), "b-swarm".to_owned()])).unwrap();
    fleet.world.with(|state| {
        for group in old {
            let (balancer, arn) = (&group.load_balancers[0], &group.arn);
            state.cloudwatch.record_hosts(state.now, balancer.dimension(), arn.dimension(), healthy, 1);
        }
    });
}

#[test]
fn a_look_counts_what_a_load_balancer_has_and_a_full_one_takes_no_service() {
    let services: [(&str, &[&str]); 2] = [("a", &[]), ("b", &[])];
    let mut fleet = FleetStage::new(&services, json!({"concurrency": 1, "waveBake": "1m"}));
    publish(&fleet, 489);
    fleet.minutes(5);
    fleet.conduct();
    fleet.minutes(1);
    let room = *fleet.fleet().room.values().next().unwrap();
    assert_eq!(room.groups, Use { used: 2, most: 100 });
    assert_eq!(room.targets, Some(Use { used: 2 * 490, most: 1_000 }));
    assert_eq!(room.rules, Some(Use { used: 2, most: 100 }));
    let looks = fleet.visits("Check fleet");
    let calls = &looks[0].calls;
    assert_eq!((count(calls, "limits"), count(calls, "health")), (1, 2), "the health is that of the plans: {calls:?}");
    let reason = looks[0].reason();
    assert!(reason.contains("has 980 of 1000 targets, 20 stay free for others, and a needs 2"), "{reason}");
    assert_eq!(fleet.migrations(), 0);
    // Others have left the load balancer.
    publish(&fleet, 5);
    fleet.run();
    assert_eq!(fleet.states(), "a migrated, b migrated", "{}", fleet.told());
}
