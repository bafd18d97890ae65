//! The built-in scenario keeps every promise that is made about it.

use super::command::Running;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_elasticloadbalancingv2::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_elasticloadbalancingv2::types::{Action, ActionTypeEnum};
use serde_json::{Value, json};

#[test]
fn eleven_services_end_as_promised_and_only_weights_have_changed() {
    let mut running = Running::start(["rehearse", "--output", "json", "--keep"]);
    let endpoint = running.until_it_says("export AWS_ENDPOINT_URL=");
    let endpoint = endpoint.split("AWS_ENDPOINT_URL=").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    running.until_it_says("The world stays up, under load, until Ctrl-C");
    let actions = payments_actions(&endpoint);
    let functions = running.children();
    assert!(functions.len() >= 10, "a process for each function, at least: {functions:?}");
    running.interrupt();
    let finished = running.finish();

    assert_eq!(finished.code, Some(0), "{}\n{}", finished.stdout, finished.stderr);
    let left: Vec<_> = functions.iter().filter(|id| std::path::Path::new(&format!("/proc/{id}")).exists()).collect();
    assert!(left.is_empty(), "processes are left behind: {left:?}");
    let report = finished.report();
    assert_eq!(report["ok"], true);
    assert!(report["machine"]["wallSeconds"].as_f64().unwrap() > 0.0, "{}", report["machine"]);
    let services = report["services"].as_array().unwrap();
    let names: Vec<&str> = services.iter().map(|service| service["service"].as_str().unwrap()).collect();
    let others = ["orders", "invoices", "reports", "search", "catalog", "shipping", "archive", "accounts"];
    assert_eq!(names, [&["users", "bookings", "payments"][..], &others].concat());
    for service in services {
        assert_served_well(service);
        // What is expected of each stands in the scenario.
        assert_eq!(service["unmet"], json!([]), "{service:#}");
        assert!(!service["decision"]["sentence"].as_str().unwrap().is_empty(), "{service:#}");
    }
    assert_eq!(report["withoutEffect"], json!([]));
    assert_arrived(&services[0], 1);
    assert_went_back(&services[1]);
    assert_arrived(&services[2], 5);
    assert_drawn(services);
    assert_return_times(&report);
    assert_only_weights_changed(&actions);
    let seen = [crate::least_privilege::SEEN_WITH_A_JUDGE, crate::least_privilege::SEEN_WITH_GATES].concat();
    crate::least_privilege::check_report(&report, &seen);
}

fn assert_served_well(service: &Value) {
    let requests = &service["requests"];
    let least = if service["service"] == "archive" { 50 } else { 1000 };
    assert!(requests["sent"].as_u64().unwrap() >= least, "{service:#}");
    assert!(requests["served"].as_u64().unwrap() >= least, "{service:#}");
    assert_eq!(requests["spoiled"], 0, "{service:#}");
}

/// Whoever needs more requests than can be sent has them drawn, and only they.
fn assert_drawn(services: &[Value]) {
    for service in services {
        let drawn = service["requests"]["drawn"].as_u64().unwrap();
        let least = match service["service"].as_str().unwrap() {
            "search" | "catalog" | "shipping" | "accounts" => 3_000,
            "archive" => 100,
            _ => {
                assert_eq!(drawn, 0, "{service:#}");
                continue;
            }
        };
        assert!(drawn >= least, "{service:#}");
    }
}

fn assert_return_times(report: &Value) {
    let times = report["returnTimes"].as_array().unwrap();
    let routes: Vec<u64> = times.iter().map(|time| time["routes"].as_u64().unwrap()).collect();
    assert_eq!(routes, [1, 5], "{times:#?}");
    for time in times {
        let seconds = |field: &str| time[field].as_f64().unwrap();
        assert!(seconds("seconds") > 0.0 && seconds("bareSeconds") > 0.0, "{time}");
        assert!((seconds("ratio") * seconds("bareSeconds") - seconds("seconds")).abs() < 1e-6, "{time}");
    }
}

fn assert_arrived(service: &Value, routes: usize) {
    assert_eq!(service["outcome"], "migrated");
    assert_eq!(service["finalWeight"], 100.0);
    assert_eq!(service["steps"], json!([1.0, 5.0, 10.0, 25.0, 50.0, 90.0, 100.0]));
    assert_eq!(service["requests"]["harmed"], 0);
    assert_eq!(service["rollback"], Value::Null);
    assert_eq!(service["routes"].as_array().unwrap().len(), routes);
    assert!(service["routes"].as_array().unwrap().iter().all(|route| route["atBaseline"] == false), "{service:#}");
    assert_eq!(service["states"].as_array().unwrap().last().unwrap(), "Migrated");
}

fn assert_went_back(service: &Value) {
    assert_eq!(service["outcome"], "rolledBack");
    assert_eq!(service["finalWeight"], 0.0);
    let steps: Vec<f64> = service["steps"].as_array().unwrap().iter().map(|step| step.as_f64().unwrap()).collect();
    assert!(steps.starts_with(&[1.0, 5.0, 10.0, 25.0]) && !steps.contains(&100.0), "{steps:?}");
    assert!(service["requests"]["harmed"].as_u64().unwrap() > 0, "{service:#}");
    assert!(service["routes"].as_array().unwrap().iter().all(|route| route["atBaseline"] == true), "{service:#}");
    let rollback = &service["rollback"];
    assert_eq!(rollback["trigger"], "alarmEvent", "{rollback}");
    assert!(rollback["cause"].as_str().unwrap().contains("bookings-5xx"), "{rollback}");
    assert!(rollback["worldSeconds"].as_f64().unwrap() > 0.0, "{rollback}");
    assert_eq!(service["states"].as_array().unwrap().last().unwrap(), "Rolled back");
}

/// The actions of every rule and every default action of the load balancers of `payments`, as AWS's own client sees
/// them.
fn payments_actions(endpoint: &str) -> Vec<Vec<Action>> {
    let credentials = Credentials::new("local", "local", None, None, "tests");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .region(Region::new("eu-west-1"))
        .endpoint_url(endpoint)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build();
    let client = aws_sdk_elasticloadbalancingv2::Client::new(&config);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut actions = Vec::new();
        for balancer in ["payments-public", "payments-internal"] {
            let found = client.describe_load_balancers().names(balancer).send().await.unwrap();
            let arn = found.load_balancers()[0].load_balancer_arn().unwrap();
            let found = client.describe_listeners().load_balancer_arn(arn).send().await.unwrap();
            for listener in found.listeners() {
                let rules =
                    client.describe_rules().listener_arn(listener.listener_arn().unwrap()).send().await.unwrap();
                actions.extend(rules.rules().iter().map(|rule| rule.actions().to_vec()));
            }
        }
        actions
    })
}

fn weights(action: &Action) -> Vec<(String, i32)> {
    let forward = action.forward_config().unwrap();
    let name = |arn: &str| arn.split('/').nth(1).unwrap().to_owned();
    let groups = forward.target_groups().iter();
    groups.map(|group| (name(group.target_group_arn().unwrap()), group.weight().unwrap())).collect()
}

fn assert_only_weights_changed(actions: &[Vec<Action>]) {
    let forwards = |actions: &&Vec<Action>| actions.iter().any(|action| action.forward_config().is_some());
    let routes: Vec<&Vec<Action>> = actions.iter().filter(forwards).collect();
    let ours = routes.iter().filter(|actions| {
        let weights = weights(actions.last().unwrap());
        weights.iter().any(|(name, weight)| name.ends_with("-swarm") && *weight == 0)
    });
    assert_eq!(ours.count(), 5, "five routes carry nothing to their old group any more: {routes:#?}");

    let signed_in: Vec<_> =
        routes.iter().filter(|actions| actions[0].r#type() == Some(&ActionTypeEnum::AuthenticateOidc)).collect();
    assert_eq!(signed_in.len(), 1);
    let sign_in = signed_in[0][0].authenticate_oidc_config().unwrap();
    assert_eq!(sign_in.issuer(), Some("https://login.example.com"));
    assert_eq!(sign_in.scope(), Some("openid email"));
    assert_eq!(sign_in.session_timeout(), Some(3600));
    assert_eq!((signed_in[0][0].order(), signed_in[0][1].order()), (Some(1), Some(2)));

    let beside: Vec<_> = routes
        .iter()
        .map(|actions| weights(actions.last().unwrap()))
        .filter(|weights| weights.iter().any(|(name, _)| name == "ledger-archive"))
        .collect();
    assert_eq!(beside.len(), 1);
    let share = |wanted: &dyn Fn(&str) -> bool| -> i32 {
        beside[0].iter().filter(|(name, _)| wanted(name)).map(|(_, weight)| weight).sum()
    };
    let archive = share(&|name| name == "ledger-archive");
    let total = share(&|_| true);
    assert_eq!(10 * archive, 3 * total, "the group beside ours keeps its 30 %: {beside:?}");

    let sticky: Vec<_> = routes
        .iter()
        .filter_map(|actions| actions.last().unwrap().forward_config().unwrap().target_group_stickiness_config())
        .filter(|stickiness| stickiness.enabled() == Some(true))
        .collect();
    assert_eq!(sticky.len(), 1);
    assert_eq!(sticky[0].duration_seconds(), Some(600));
}
