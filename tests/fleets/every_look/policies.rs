//! A policy that is applied anew at every call of the conductor.

use super::{FleetStage, Interrupted, LATE, at_every_call, name};
use crate::fleets::stage::{FLEET, service};
use crate::simulation::at_once;
use crossfade_actions::ports::Ledger as _;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};

/// `a` and `b`, which begin at the same time, and `c`, which waits until `a` has arrived, while `b` still moves. The
/// load balancer has `d` as well, which the policy does not name yet.
fn fleet() -> FleetStage {
    let rollout = json!({"waveBake": "2m", "concurrency": 2});
    let mut fleet = FleetStage::new(&[("a", &[]), ("b", &[]), ("c", &[]), ("d", &[])], rollout);
    fleet.policy["services"].as_array_mut().unwrap().pop();
    fleet.policy["services"][1]["schedule"][0]["bake"] = json!("6m");
    fleet.apply();
    fleet
}

/// Plays the run once for each call, with the policy changed there.
#[track_caller]
fn check(change: impl Fn(&mut Value) + Sync, judged: impl Fn(&mut Interrupted) -> Vec<String> + Sync) {
    let applied = |stage: &FleetStage| {
        let (ledger, mut policy) = (stage.ledger.clone(), stage.policy.clone());
        change(&mut policy);
        Box::new(move || at_once(ledger.store_policy(FLEET, &policy, Timestamp::UNIX_EPOCH)).unwrap())
            as Box<dyn FnOnce() + Send>
    };
    at_every_call(fleet, applied, |mut run| {
        run.fleet.run();
        judged(&mut run)
    });
}

/// Begins another run with this policy, which moves what has not migrated, and nothing twice.
fn begun_anew(run: &mut Interrupted, services: &[&str]) -> Vec<String> {
    let listed: Vec<Value> = services.iter().map(|name| service(name, &[])).collect();
    run.fleet.policy["services"] = json!(listed);
    run.fleet.apply();
    run.fleet.start_fleet("anew", json!({"fleet": FLEET}));
    run.fleet.run();
    let all: Vec<String> = services.iter().map(|name| format!("{name} migrated")).collect();
    run.wrong(&[&all.join(", ")])
}

#[test]
fn a_higher_concurrency_holds_from_the_next_look_on() {
    let raised = |policy: &mut Value| policy["rollout"]["concurrency"] = json!(3);
    check(raised, |run| {
        run.fleet.policy["rollout"]["concurrency"] = json!(3);
        let mut wrong = run.wrong(&["a migrated, b migrated, c migrated"]);
        let (first, waited) = (run.fleet.began("a").unwrap(), run.fleet.began("c").unwrap());
        if waited > first.max(run.at) + LATE {
            wrong.push(format!("c began at {waited}, and not at the look after {}", run.at));
        }
        wrong
    });
}

#[test]
fn a_lower_concurrency_holds_for_every_start_after_it() {
    let waited = AtomicUsize::new(0);
    let lowered = |policy: &mut Value| policy["rollout"]["concurrency"] = json!(1);
    check(lowered, |run| {
        let mut wrong = run.wrong(&["a migrated, b migrated, c migrated"]);
        let began = run.fleet.began("c").unwrap();
        let moving: Vec<&str> = ["a", "b"].into_iter().filter(|other| run.fleet.ended_at(other) > began).collect();
        if began > run.at + LATE && !moving.is_empty() {
            wrong.push(format!("c began while {moving:?} moved"));
        }
        waited.fetch_add(usize::from(began > run.at + LATE), Ordering::Relaxed);
        wrong
    });
    assert!(waited.load(Ordering::Relaxed) > 20, "in {waited:?} runs c began after the policy was applied");
}

#[test]
fn a_service_that_is_added_moves_in_the_next_run_and_nothing_moves_twice() {
    let added = |policy: &mut Value| policy["services"].as_array_mut().unwrap().push(service("d", &[]));
    check(added, |run| {
        run.fleet.policy["services"].as_array_mut().unwrap().push(service("d", &[]));
        let all = "a migrated, b migrated, c migrated, d migrated";
        // Applied before the run began, it is in its waves.
        let mut wrong = run.wrong(&["a migrated, b migrated, c migrated", all]);
        wrong.extend(begun_anew(run, &["a", "b", "c", "d"]));
        wrong
    });
}

#[test]
fn a_service_that_is_removed_while_it_waits_does_not_move_until_it_is_named_again() {
    removed("c", ["a migrated, b migrated, c skipped", "a migrated, b migrated, c refused", "a migrated, b migrated"]);
}

#[test]
fn a_service_that_is_removed_while_it_moves_arrives() {
    removed("b", ["a migrated, b skipped, c migrated", "a migrated, b refused, c migrated", "a migrated, c migrated"]);
}

/// Removes a service. Where it does not move yet, the run ends as one of these: it is skipped; or its start was decided
/// already, in the middle of that look, and its plan finds no policy; or the run began after that, without it.
#[track_caller]
fn removed(service: &str, unmoved: [&str; 3]) {
    let (moved, others) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let removes = |policy: &mut Value| {
        policy["services"].as_array_mut().unwrap().retain(|listed| listed["name"] != service);
    };
    check(removes, |run| {
        let began = run.fleet.began(service);
        let (count, ends): (_, &[&str]) = match began {
            Some(_) => (&moved, &["a migrated, b migrated, c migrated"]),
            None => (&others, &unmoved),
        };
        count.fetch_add(1, Ordering::Relaxed);
        let mut wrong = run.wrong(ends);
        let known_since = run.fleet.fleet().services.get(&name(service)).map(|service| service.since);
        if began.is_none() && known_since.is_some_and(|since| since > run.at + LATE) {
            wrong.push(format!("the run said only at {known_since:?} that {service} does not move"));
        }
        if began.is_some_and(|began| began > run.at + LATE) {
            wrong.push(format!("{service} began after it was removed"));
        }
        wrong.extend(begun_anew(run, &["a", "b", "c"]));
        wrong
    });
    let counts = (moved.into_inner(), others.into_inner());
    assert!(counts.0 > 20 && counts.1 > 20, "{service} moved in {} runs and did not in {}", counts.0, counts.1);
}
