//! What Crossfade says of rules that shadow an internal route, held against the router.

use super::*;
use crossfade_domain::internal_route::{Cover, cover};
use crossfade_domain::load_balancer::rule::{Condition, Field};
use proptest::prelude::*;

const HOST: &str = "users.internal.example";

fn condition() -> impl Strategy<Value = Condition> {
    let host = prop::sample::select(vec![HOST, "USERS.internal.example", "*.internal.example", "*", "orders.example"]);
    let path = prop::sample::select(vec!["/*", "*", "/", "/api/*", "/api", "api/*", "/a?i/*", "/**", "?*"]);
    let block = prop::sample::select(vec!["0.0.0.0/0", "10.0.0.0/8", "127.0.0.0/8"]);
    prop_oneof![
        prop::collection::vec(host, 1..3).prop_map(|values| Condition::on(Field::Host, values)),
        prop::collection::vec(path, 1..3).prop_map(|values| Condition::on(Field::Path, values)),
        prop::sample::select(vec!["GET", "POST"]).prop_map(|value| Condition::on(Field::Method, [value])),
        block.prop_map(|value| Condition::on(Field::SourceIp, [value])),
        Just(Condition::on(Field::Header("x-beta".to_owned()), ["*"])),
    ]
}

/// At most one condition of each kind, as AWS has it.
fn conditions() -> impl Strategy<Value = Vec<Condition>> {
    prop::collection::vec(condition(), 1..4).prop_map(|mut conditions| {
        conditions.sort_by(|a, b| a.field.cmp(&b.field));
        conditions.dedup_by(|a, b| a.field == b.field);
        conditions
    })
}

fn as_aws_has_it(condition: &Condition) -> Value {
    let values = &condition.values;
    match &condition.field {
        Field::Host => json!({"Field": "host-header", "HostHeaderConfig": {"Values": values}}),
        Field::Path => json!({"Field": "path-pattern", "PathPatternConfig": {"Values": values}}),
        Field::Method => json!({"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": values}}),
        Field::SourceIp => json!({"Field": "source-ip", "SourceIpConfig": {"Values": values}}),
        Field::Header(name) => {
            json!({"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": name, "Values": values}})
        }
        other => panic!("not drawn: {other:?}"),
    }
}

fn requests() -> Vec<HttpRequest> {
    let mut requests = Vec::new();
    for path in ["/", "/api", "/api/users", "/abi/x", "/other"] {
        for method in ["GET", "POST", "HEAD"] {
            for client in ["127.0.0.1", "10.1.2.3", "192.168.0.1"] {
                let plain = HttpRequest {
                    method: method.to_owned(),
                    client: Some(client.parse().unwrap()),
                    ..HttpRequest::get(HOST, path)
                };
                requests.push(plain.clone().with_header("x-beta", "1"));
                requests.push(plain);
            }
        }
    }
    requests
}

proptest! {
    #[test]
    fn a_rule_shadows_a_host_wholly_in_part_or_not_at_all_as_the_router_says(conditions in conditions()) {
        let mut scene = scene();
        let listener = scene.listener.clone();
        let ours = scene.elb.create_host_rule(start(), &listener, 10_000, HOST, &scene.old).unwrap();
        let before: Vec<Value> = conditions.iter().map(as_aws_has_it).collect();
        let created = scene.call("CreateRule", &json!({"ListenerArn": listener, "Priority": 20, "Conditions": before,
            "Actions": [{"Type": "forward", "TargetGroupArn": scene.new}]}));
        prop_assume!(created.is_ok());
        let reached = |request: &HttpRequest| scene.elb.matching_rule(&listener, request).as_ref() == Some(&ours);
        let reach: Vec<bool> = requests().iter().map(reached).collect();
        match cover(&conditions, HOST) {
            Cover::None => prop_assert!(reach.iter().all(|reaches| *reaches), "{conditions:?}"),
            Cover::Whole => prop_assert!(reach.iter().all(|reaches| !reaches), "{conditions:?}"),
            Cover::Part => prop_assert!(reach.iter().any(|reaches| *reaches), "{conditions:?}"),
        }
    }
}
