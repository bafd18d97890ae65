use super::fixture::{name, policy};
use crate::fleet::waves::waves;
use crate::names::ServiceName;
use crate::policy::rollout::{Order, Risk};
use crate::policy::service_policy::FleetPolicy;
use std::collections::BTreeMap;

fn risk(policy: &mut FleetPolicy, of: &str, risk: Risk) {
    policy.services.iter_mut().find(|service| service.name == name(of)).unwrap().risk = risk;
}

#[track_caller]
fn check(policy: &FleetPolicy, requests: &[(&str, u64)], expected: &[(u32, &[&str])]) {
    let requests: BTreeMap<_, _> = requests.iter().map(|(of, count)| (name(of), *count)).collect();
    let waves = waves(policy, &requests);
    let found: Vec<(u32, Vec<&str>)> =
        waves.iter().map(|wave| (wave.number, wave.services.iter().map(ServiceName::as_str).collect())).collect();
    let expected: Vec<(u32, Vec<&str>)> = expected.iter().map(|(number, names)| (*number, names.to_vec())).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_service_is_a_level_above_the_highest_that_it_comes_after() {
    let policy = policy(&[("d", &["c", "a"]), ("c", &["b"]), ("b", &[]), ("a", &[]), ("e", &["a"])]);
    check(&policy, &[], &[(1, &["a", "b"]), (2, &["c", "e"]), (3, &["d"])]);
}

#[test]
fn the_canary_is_wave_0_and_moves_alone() {
    let mut policy = policy(&[("a", &[]), ("b", &["c"]), ("c", &[])]);
    policy.rollout.canary = vec![name("c")];
    policy.rollout.wave_size = Some(1);
    check(&policy, &[], &[(0, &["c"]), (1, &["a"]), (2, &["b"])]);
    policy.rollout.canary = vec![name("a"), name("c")];
    check(&policy, &[], &[(0, &["a", "c"]), (1, &["b"])]);
}

#[test]
fn a_level_moves_by_risk_then_by_requests_then_by_name() {
    let mut policy = policy(&[("c", &[]), ("a", &[]), ("e", &[]), ("b", &[]), ("d", &[])]);
    risk(&mut policy, "a", Risk::High);
    risk(&mut policy, "e", Risk::Low);
    let requests = [("b", 900), ("c", 10), ("e", 5_000)];
    check(&policy, &requests, &[(1, &["e", "d", "c", "b", "a"])]);
    policy.rollout.order = Order::Listed;
    check(&policy, &requests, &[(1, &["c", "a", "e", "b", "d"])]);
}

#[test]
fn a_level_is_divided_into_waves_of_at_most_wave_size_and_never_shared_between_levels() {
    let mut policy = policy(&[("a", &[]), ("b", &[]), ("c", &[]), ("d", &["a"])]);
    policy.rollout.wave_size = Some(2);
    check(&policy, &[], &[(1, &["a", "b"]), (2, &["c"]), (3, &["d"])]);
}

#[test]
fn a_circle_in_a_stored_policy_leaves_its_services_out_and_ends() {
    let mut policy = policy(&[("a", &[]), ("b", &[]), ("c", &[])]);
    policy.services[1].after = vec![name("c")];
    policy.services[2].after = vec![name("b")];
    check(&policy, &[], &[(1, &["a"])]);
}
