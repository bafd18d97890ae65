//! `crossfade wiring --check`: the rule that it computes is the one by which the load balancer answers.

use super::served::Served;
use crossfade_aws::connect_with;
use crossfade_cli::verbs::offline::wiring::ask;
use crossfade_domain::load_balancer::action::forward_of;
use crossfade_domain::names::ListenerArn;
use crossfade_domain::policy::wiring::deciding::{Asked, Decided, decided};
use crossfade_domain::policy::wiring::proof::Answer;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rule_that_the_check_computes_is_the_one_that_answers() {
    let world = Served::start().await;
    let now = world.clock.now();
    {
        let mut elbv2 = world.elbv2.lock().unwrap();
        let fixed = json!([{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}]);
        for (priority, field, value, actions) in [
            (5, "path-pattern", "/maintenance*", fixed),
            (7, "host-header", "*.elsewhere.internal", json!([{"Type": "forward", "TargetGroupArn": world.new}])),
        ] {
            let conditions = json!([{"Field": field, "Values": [value]}]);
            let input = json!({"ListenerArn": world.listener, "Priority": priority, "Conditions": conditions,
                "Actions": actions});
            elbv2.call_json(now, "CreateRule", &input).unwrap();
        }
    }
    let rules = connect_with(&world.config, &crate::contract::sides::settings()).rules;
    let rules = rules.rules(&ListenerArn::parse(world.listener.as_str()).unwrap()).await.unwrap();
    for (host, path, status) in [
        ("users.internal", "/health", 200),
        ("USERS.internal:8080", "/health", 200),
        ("users.internal", "/maintenance/now", 503),
        ("rates.elsewhere.internal", "/health", 200),
        ("nobody.internal", "/health", 404),
    ] {
        assert_eq!(ask(&world.address(), host, path).await, Answer::Status(status), "{host}{path}");
        let answered = world.get(host, path, "").await;
        assert_eq!(answered.status, status);
        let host = host.split(':').next().unwrap();
        let Decided::By(rule) = decided(&rules, Asked::get(host, path)) else { panic!("{host}{path}: unsure") };
        let group = forward_of(&rule.actions).map(|forward| forward.groups[0].group.to_string());
        assert_eq!(group, answered.group, "{host}{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_where_no_one_listens_and_a_name_that_no_one_has_are_told_apart() {
    let socket = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = socket.local_addr().unwrap().to_string();
    drop(socket);
    let refused = ask(&address, "users.internal", "/").await;
    assert!(matches!(&refused, Answer::Unreachable(why) if why.contains("refused")), "{refused:?}");
    // No label of a name has more than 63 characters, so no name server is asked.
    let name = format!("{}.internal:80", "a".repeat(64));
    let unresolved = ask(&name, "users.internal", "/").await;
    assert!(matches!(unresolved, Answer::Unresolved(_)), "{unresolved:?}");
}
