//! The services of a fleet, compared with each other.

use super::*;
use crate::policy::rollout::Risk;

#[test]
fn services_are_compared_with_each_other() {
    let after = |name: &str, others: &[&str]| with(name, &json!({ "after": others }));
    let fleet = |services: &[Value]| json!({ "fleet": "f", "services": services });
    assert_eq!(
        problems(&fleet(&[service("users"), service("users")])),
        ["services[1].name: users is already services[0]; a service has one policy"]
    );
    assert_eq!(
        problems(&fleet(&[service("users"), after("bookings", &["usrs", "bookings"])])),
        [
            "services[1].after[0]: \"usrs\" is no service of this fleet (did you mean \"users\"?)",
            "services[1].after: bookings cannot come after itself",
        ]
    );
    assert_eq!(
        problems(&fleet(&[after("a", &["b"]), after("b", &["c"]), after("c", &["a"]), after("d", &["a"])])),
        ["services[0].after: a circle: a after b after c after a; none of them could be first"]
    );
    let taken = with("bookings", &json!({ "oldTargetGroups": ["bookings-swarm", "users-swarm"] }));
    assert_eq!(
        problems(&fleet(&[service("users"), taken])),
        ["services[1].oldTargetGroups: \"users-swarm\" is also an old target group of users; a group moves with one \
             service"]
    );
    assert!(decode_fleet(&fleet(&[service("a"), after("b", &["a"]), after("c", &["a", "b"])])).is_ok());
}

#[test]
fn a_group_by_name_and_by_arn_is_one_group() {
    let fleet = |services: &[Value]| json!({ "fleet": "f", "services": services });
    let arn = |name: &str| format!("arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/{name}/0123456789abcdef");
    let by_arn = with("bookings", &json!({ "oldTargetGroups": [arn("users-swarm")] }));
    assert_eq!(
        problems(&fleet(&[service("users"), by_arn.clone()])),
        [format!(
            "services[1].oldTargetGroups: {:?} is also an old target group of users (\"users-swarm\"); a group moves \
             with one service",
            arn("users-swarm")
        )]
    );
    let by_name = with("users", &json!({ "oldTargetGroups": ["users-swarm"] }));
    let turned = problems(&fleet(&[by_arn, by_name]));
    assert!(turned[0].starts_with("services[1].oldTargetGroups: \"users-swarm\" is also"), "{turned:?}");
    let others = with("bookings", &json!({ "oldTargetGroups": [arn("users-swarm-2")] }));
    assert!(decode_fleet(&fleet(&[service("users"), others])).is_ok());
}

#[test]
fn a_service_has_a_risk_of_its_own_which_is_medium_if_left_out() {
    let risk = |fields: &Value| {
        let fleet = json!({ "fleet": "f", "services": [with("users", fields)] });
        decode_fleet(&fleet).unwrap().services[0].risk
    };
    assert_eq!(risk(&json!({})), Risk::Medium);
    assert_eq!(risk(&json!({ "risk": "high" })), Risk::High);
    check(
        &json!({ "risk": "hihg" }),
        &["services[0].risk: \"hihg\": expected one of low, medium, high (did you mean \"high\"?)"],
    );
    let of_all = json!({ "fleet": "f", "defaults": { "risk": "low" }, "services": [service("users")] });
    assert!(problems(&of_all)[0].starts_with("defaults.risk: unknown field"), "a risk of all says nothing");
}
