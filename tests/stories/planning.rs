//! Plans: refused with every reason, dry, locked, and the same again.

use super::stage::{Stage, users};
use crate::simulation::{PortFault, at_once};
use crossfade_actions::error::ErrorClass;
use crossfade_domain::journal::Phase;
use crossfade_world::ledger::Items;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

fn plan(stage: &Stage, request: &Value, execution: &str) -> Value {
    let input = json!({"request": request, "execution": execution});
    stage.call("plan-migration", &input).unwrap().unwrap_or_else(|error| panic!("{}", error.chain()))
}

#[test]
fn a_dry_run_answers_the_plan_and_writes_nothing() {
    let (stage, _) = Stage::with_users();
    let mut request = users();
    request["dryRun"] = json!(true);
    let answer = plan(&stage, &request, "arn");
    assert_eq!(answer["verdict"], "planned");
    assert_eq!(answer["plan"]["routes"].as_array().unwrap().len(), 2);
    assert_eq!(stage.ledger.snapshot(), Items::default());
    assert!(!stage.calls.made().iter().any(|call| ["take", "record", "write_route"].contains(call)));
}

/// `users` with ninety sticky routes and fifty steps.
fn ninety_sticky_routes() -> (Stage, Value) {
    let stage = Stage::new();
    let hosts: Vec<String> = (0..90).map(|number| format!("customer-{number}.users.example.com")).collect();
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let service = stage.world.add_service("public", "users-swarm", &hosts);
    let tuples = json!([{"TargetGroupArn": service.old_group, "Weight": 1}]);
    let config = json!({"TargetGroups": tuples, "TargetGroupStickinessConfig": {"Enabled": true,
        "DurationSeconds": 3600}});
    stage.world.with(|state| {
        for rule in &service.rules {
            let input = json!({"RuleArn": rule, "Actions": [{"Type": "forward", "ForwardConfig": config}]});
            state.elbv2.call_json(state.now, "ModifyRule", &input).unwrap();
        }
    });
    let mut request = users();
    let steps: Vec<Value> = (1..=50).map(|step| json!({"weight": 2 * step, "bake": "1m"})).collect();
    request["service"]["schedule"] = json!(steps);
    request["service"]["alarms"] = json!([]);
    (stage, request)
}

#[test]
fn an_answer_about_ninety_sticky_routes_and_fifty_steps_fits_into_an_execution() {
    let (stage, mut request) = ninety_sticky_routes();
    request["dryRun"] = json!(true);
    let answer = plan(&stage, &request, "arn");
    let reason = answer["reason"].as_str().unwrap();
    assert_eq!(answer["verdict"], "planned");
    assert!(reason.contains("\"crossfade plan users\" shows it") && answer["plan"].is_null(), "{reason}");
    let sticky: Vec<&Value> =
        answer["findings"].as_array().unwrap().iter().filter(|finding| finding["code"] == "route-is-sticky").collect();
    assert_eq!(sticky.len(), 4);
    assert_eq!(sticky[3]["subject"], "87 more");

    request.as_object_mut().unwrap().remove("dryRun");
    let started = plan(&stage, &request, "arn");
    assert_eq!(started["verdict"], "proceed");
    assert!(started["reason"].as_str().unwrap().contains("(and 89 more of route-is-sticky)"), "{started}");

    for rule in stage.plan("users").routes.iter().map(|route| route.id.as_str().to_owned()) {
        let weights = stage.world.weights_of(&rule).into_iter().map(|(group, _)| (group, 0)).collect::<Vec<_>>();
        stage.world.with(|state| state.elbv2.set_forward(state.now, &rule, &weights).unwrap());
    }
    request["service"]["name"] = json!("others");
    let refused = plan(&stage, &request, "other");
    assert_eq!(refused["verdict"], "refused");
    for answer in [&answer, &started, &refused] {
        assert!(answer.to_string().len() < 50_000, "{} bytes", answer.to_string().len());
        assert!(answer["reason"].as_str().unwrap().chars().count() <= 1_000, "{answer}");
    }
}

#[test]
fn ipv6_targets_move_on_a_dual_stack_load_balancer_and_change_nothing_on_another() {
    let (mut stage, service) = Stage::with_users();
    let mut request = users();
    request["service"]["newTargets"] = json!({"ips": ["2001:db8::7", "2001:db8::8"]});
    let refused = plan(&stage, &request, "arn");
    assert_eq!(refused["verdict"], "refused");
    let reason = refused["reason"].as_str().unwrap();
    assert!(reason.contains("aws elbv2 set-ip-address-type --ip-address-type dualstack"), "{reason}");
    assert!(stage.heads().is_empty());
    stage.world.with(|state| state.elbv2.set_ip_address_type(&service.load_balancer, "dualstack"));
    stage.migrate(request);
    assert_eq!(stage.head("users").phase, Phase::Migrated, "{}", stage.told());
}

#[test]
fn a_stored_policy_needs_only_the_services_name() {
    let (stage, _) = Stage::with_users();
    let document = json!({"fleet": "f", "services": [users()["service"]]});
    at_once(stage.plain.ledger.store_policy("f", &document, Timestamp::UNIX_EPOCH)).unwrap();
    assert_eq!(plan(&stage, &json!({"service": "users"}), "arn")["verdict"], "proceed");
    let unknown = plan(&stage, &json!({"service": "user"}), "arn");
    assert_eq!((unknown["verdict"].as_str(), unknown["error"].as_str()), (Some("refused"), Some("InvalidRequest")));
}

#[test]
fn a_wrong_payload_names_every_problem() {
    let (stage, _) = Stage::with_users();
    let error = stage.call("plan-migration", &json!({"request": {"service": 7, "dryrun": 1}})).unwrap().unwrap_err();
    assert_eq!(error.class(), ErrorClass::InvalidRequest);
    for part in ["$.execution", "service: 7", "dryrun"] {
        assert!(error.chain().contains(part), "{part} is missing in {}", error.chain());
    }
}

#[test]
fn a_mistyped_start_is_refused_with_words_and_not_with_an_error() {
    let (stage, _) = Stage::with_users();
    let check = |request: &Value, service: &str, part: &str| {
        let answer = plan(&stage, request, "arn");
        assert_eq!((answer["verdict"].as_str(), answer["error"].as_str()), (Some("refused"), Some("InvalidRequest")));
        let reason = answer["reason"].as_str().unwrap();
        assert!(reason.contains(part) && !reason.contains("errorMessage"), "{part} is missing in {reason}");
        assert_eq!(answer["service"], service);
    };
    check(&json!({"svc": "users"}), "unnamed", "svc");
    check(&json!({"service": "users", "dryrun": true}), "users", "dryrun");
    check(&json!({"service": "Users!"}), "unnamed", "service");
    check(&json!([]), "unnamed", "object");
    assert!(stage.heads().is_empty());
}

#[test]
fn a_stack_with_a_role_for_ci_plans_by_stored_policies_alone() {
    let (stage, _) = Stage::with_users();
    let plan = |request: &Value, stack: &Value| {
        let input = json!({"request": request, "execution": "arn", "stack": stack});
        stage.call("plan-migration", &input).unwrap().unwrap()
    };
    let refused = plan(&users(), &json!({"inlinePolicies": "refused"}));
    assert_eq!((refused["verdict"].as_str(), refused["error"].as_str()), (Some("refused"), Some("InvalidRequest")));
    assert!(refused["reason"].as_str().unwrap().contains("crossfade apply"), "{refused}");
    assert!(stage.heads().is_empty());
    let elsewhere = plan(&users(), &json!({"inlinePolicies": "accepted", "loadBalancers": "public*"}));
    assert_eq!(elsewhere["findings"][0]["code"], "load-balancer-not-allowed", "{elsewhere}");
    assert!(stage.heads().is_empty());

    let document = json!({"fleet": "f", "services": [users()["service"]]});
    at_once(stage.plain.ledger.store_policy("f", &document, Timestamp::UNIX_EPOCH)).unwrap();
    let stored = json!({"service": "users"});
    let limits = json!({"inlinePolicies": "refused", "loadBalancers": "internal"});
    assert_eq!(plan(&stored, &limits)["verdict"], "proceed");
}

#[test]
fn invariant_9_a_missing_or_firing_alarm_refuses_the_start() {
    let (stage, _) = Stage::with_users();
    stage.world.fire_alarm("users-5xx");
    let mut request = users();
    request["service"]["alarms"] = json!(["users-5xx", "users-latency"]);
    let answer = plan(&stage, &request, "arn");
    assert_eq!((answer["verdict"].as_str(), answer["error"].as_str()), (Some("refused"), Some("Refused")));
    let reason = answer["reason"].as_str().unwrap();
    assert!(reason.contains("users-5xx") && reason.contains("users-latency"), "every reason at once: {reason}");
    assert!(stage.heads().is_empty());
}

#[test]
fn invariant_9_alarms_that_cannot_be_read_refuse_the_start() {
    let (stage, _) = Stage::with_users();
    stage.calls.always("alarms", PortFault::Throttled);
    let error = stage.call("plan-migration", &json!({"request": users(), "execution": "arn"})).unwrap().unwrap_err();
    assert_eq!(error.class(), ErrorClass::Transient);
    assert!(stage.heads().is_empty());
}

/// Kills the plan between the locks and its second look at the alarms, lets something happen to them, and plans again.
fn plan_while(before: impl FnOnce(&Stage), meanwhile: impl FnOnce(&Stage)) -> (Stage, Value) {
    let (stage, _) = Stage::with_users();
    before(&stage);
    let takes = {
        let (free, _) = Stage::with_users();
        plan(&free, &users(), "arn");
        free.calls.numbers_of("take")[0]
    };
    stage.calls.at(takes, PortFault::DiesAfter);
    assert!(stage.call("plan-migration", &json!({"request": users(), "execution": "arn"})).is_none());
    assert_eq!(stage.head("users").phase, Phase::Planned);
    stage.world.advance(SignedDuration::from_secs(1));
    meanwhile(&stage);
    let answer = plan(&stage, &users(), "arn");
    (stage, answer)
}

#[test]
fn invariant_9_an_alarm_that_fires_before_the_locks_are_held_refuses_the_start() {
    let fires = |stage: &Stage| stage.world.fire_alarm("users-5xx");
    let fires_and_clears = |stage: &Stage| {
        stage.world.fire_alarm("users-5xx");
        stage.world.quiet_alarm("users-5xx");
    };
    for meanwhile in [&fires as &dyn Fn(&Stage), &fires_and_clears] {
        let (stage, answer) = plan_while(|_| {}, meanwhile);
        assert_eq!((answer["verdict"].as_str(), answer["error"].as_str()), (Some("refused"), Some("Refused")));
        assert_eq!(stage.head("users").phase, Phase::Refused);
        assert!(stage.ledger.snapshot().locks.is_empty());
    }
}

#[test]
fn an_alarm_that_gets_its_first_data_while_the_locks_are_taken_has_not_fired() {
    let (stage, answer) =
        plan_while(|stage| stage.world.starve_alarm("users-5xx"), |stage| stage.world.quiet_alarm("users-5xx"));
    assert_eq!(answer["verdict"], "proceed", "{answer}");
    assert_eq!(stage.head("users").phase, Phase::Planned);
}

#[test]
fn the_same_execution_finds_its_own_migration() {
    let (stage, _) = Stage::with_users();
    let first = plan(&stage, &users(), "arn");
    let items = stage.ledger.snapshot();
    assert_eq!(plan(&stage, &users(), "arn"), first);
    assert_eq!(stage.ledger.snapshot(), items);
}

#[test]
fn invariant_8_the_refused_one_learns_who_holds_the_service_since_when() {
    let (stage, _) = Stage::with_users();
    plan(&stage, &users(), "arn");
    let since = stage.head("users").since.to_string();
    let busy = plan(&stage, &users(), "another");
    assert_eq!(busy["error"], "LockHeld");
    assert!(busy["reason"].as_str().unwrap().contains(&since), "{busy}");

    let mut other = users();
    other["service"]["name"] = json!("accounts");
    other["service"]["alarms"] = json!([]);
    let held = plan(&stage, &other, "third");
    assert_eq!((held["verdict"].as_str(), held["error"].as_str()), (Some("refused"), Some("LockHeld")), "{held}");
    let reason = held["reason"].as_str().unwrap();
    assert!(reason.contains("users-1") && reason.contains(&since), "{reason}");
}

#[test]
fn a_foreign_group_of_the_same_name_is_refused() {
    let (stage, _) = Stage::with_users();
    let mut request = users();
    request["dryRun"] = json!(true);
    let dry = plan(&stage, &request, "arn");
    let name = dry["plan"]["groups"][0]["newName"].as_str().unwrap().to_owned();
    stage.world.with(|state| state.elbv2.create_target_group(state.now, &name, 8080, &[]).unwrap());
    let answer = plan(&stage, &users(), "arn");
    assert_eq!(answer["error"], "Refused");
    assert!(answer["reason"].as_str().unwrap().contains(&name), "{answer}");
}

#[test]
fn the_largest_plan_that_is_accepted_fits_into_one_transaction() {
    let hosts: Vec<String> = (0..90).map(|number| format!("h{number}.internal")).collect();
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let check = |alarms: usize| {
        let stage = Stage::new();
        stage.world.add_service("internal", "users-swarm", &hosts);
        let alarms: Vec<String> = (0..alarms).map(|number| format!("alarm-{number}")).collect();
        for alarm in &alarms {
            stage.world.add_alarm(alarm);
        }
        let mut request = users();
        request["service"]["alarms"] = json!(alarms);
        plan(&stage, &request, "arn")
    };
    assert_eq!(check(6)["verdict"], "proceed");
    let refused = check(7);
    assert_eq!(
        (refused["verdict"].as_str(), refused["error"].as_str()),
        (Some("refused"), Some("Refused")),
        "{refused}"
    );
}

#[test]
fn invariant_9_an_alarm_that_fires_and_clears_while_the_inventory_is_gathered_refuses_the_start() {
    let after_the_alarms = Stage::migrated().calls.numbers_of("listeners")[0];
    let (mut stage, _) = Stage::with_users();
    let world = stage.world.clone();
    stage.calls.before(after_the_alarms, move || {
        world.advance(jiff::SignedDuration::from_secs(1));
        world.fire_alarm("users-5xx");
        world.quiet_alarm("users-5xx");
        world.advance(jiff::SignedDuration::from_secs(1));
    });
    let execution = stage.migrate(users());
    assert_eq!(stage.ended(&execution).1, "Refused", "{}", stage.told());
    assert_eq!(stage.ledger.snapshot().held().count(), 0);
}
