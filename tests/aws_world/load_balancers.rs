//! `ELBv2` through the SDK.

use super::served::{Served, code};
use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, AuthenticateOidcActionConfig, ForwardActionConfig, RewriteConfig, RuleCondition,
    RuleTransform, Tag, TargetDescription, TargetGroupAttribute, TargetGroupStickinessConfig, TargetGroupTuple,
    TransformTypeEnum, UrlRewriteConfig,
};
use crossfade_world::elbv2::Throttle;
use jiff::SignedDuration;

fn split(weights: &[(&str, Option<i32>)]) -> Action {
    let tuples = weights
        .iter()
        .map(|(arn, weight)| TargetGroupTuple::builder().target_group_arn(*arn).set_weight(*weight).build());
    let config = ForwardActionConfig::builder().set_target_groups(Some(tuples.collect())).build();
    Action::builder().r#type(ActionTypeEnum::Forward).order(1).forward_config(config).build()
}

async fn first_action(elb: &Client, rule: &str) -> Action {
    let rules = elb.describe_rules().rule_arns(rule).send().await.unwrap().rules.unwrap();
    rules.into_iter().next().unwrap().actions.unwrap().remove(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_is_unused_until_it_is_attached_and_then_becomes_healthy() {
    let world = Served::start().await;
    world.until_states_are(&world.old, "healthy").await;
    assert_eq!(world.states(&world.new).await, ["unused Target.NotInUse"; 2]);
    let attach = split(&[(&world.old, Some(100)), (&world.new, Some(0))]);
    world.elb.modify_rule().rule_arn(&world.rule).actions(attach).send().await.unwrap();
    world.until_states_are(&world.new, "healthy").await;
    let groups = world.elb.describe_target_groups().load_balancer_arn(&world.load_balancer).send().await.unwrap();
    assert_eq!(groups.target_groups().len(), 2);
    assert_eq!(groups.target_groups()[0].load_balancer_arns(), std::slice::from_ref(&world.load_balancer));
    let elsewhere = world
        .elb
        .describe_target_health()
        .target_group_arn(&world.old)
        .targets(TargetDescription::builder().id("i-0nobody").build())
        .send()
        .await
        .unwrap();
    let reason = elsewhere.target_health_descriptions()[0].target_health().unwrap().reason().unwrap();
    assert_eq!(reason.as_str(), "Target.NotRegistered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn weights_are_stored_as_given_and_a_missing_one_as_1() {
    let world = Served::start().await;
    let single = first_action(&world.elb, &world.rule).await;
    assert_eq!(single.target_group_arn(), Some(world.old.as_str()));
    assert_eq!(single.forward_config().unwrap().target_groups()[0].weight(), Some(1));
    for (given, stored) in [(Some(0), 0), (Some(5), 5), (None, 1)] {
        let action = split(&[(&world.old, Some(95)), (&world.new, given)]);
        world.elb.modify_rule().rule_arn(&world.rule).actions(action).send().await.unwrap();
        let read = first_action(&world.elb, &world.rule).await;
        assert_eq!(read.target_group_arn(), None);
        assert_eq!(read.forward_config().unwrap().target_groups()[1].weight(), Some(stored));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_default_rule_is_refused_with_the_words_of_aws() {
    let world = Served::start().await;
    let rules = world.elb.describe_rules().listener_arn(&world.listener).send().await.unwrap();
    let default = rules.rules().iter().find(|rule| rule.is_default() == Some(true)).unwrap();
    assert_eq!(default.priority(), Some("default"));
    let modify = world.elb.modify_rule().rule_arn(default.rule_arn().unwrap()).actions(split(&[(&world.old, None)]));
    let error = modify.send().await.unwrap_err().into_service_error();
    assert!(error.is_operation_not_permitted_exception());
    assert_eq!(error.meta().message(), Some(format!("Default rule '{}' cannot be modified", world.listener).as_str()));
    let through = world.elb.modify_listener().listener_arn(&world.listener);
    through.default_actions(split(&[(&world.old, None)])).send().await.unwrap();
    assert_eq!(world.get("anything", "/", "").await.group, Some(world.old.clone()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_secret_never_comes_back_and_its_reuse_keeps_the_login() {
    let world = Served::start().await;
    let login = |secret: Option<&str>, reuse: Option<bool>| {
        let config = AuthenticateOidcActionConfig::builder()
            .issuer("https://id")
            .authorization_endpoint("https://id/authorize?a=1&b=2")
            .token_endpoint("https://id/token")
            .user_info_endpoint("https://id/user")
            .client_id("crossfade")
            .authentication_request_extra_params("prompt", "login")
            .set_client_secret(secret.map(str::to_owned))
            .set_use_existing_client_secret(reuse)
            .build();
        let forward = Action::builder().r#type(ActionTypeEnum::Forward).order(2).target_group_arn(&world.old).build();
        let login = Action::builder().r#type(ActionTypeEnum::AuthenticateOidc).order(1);
        world
            .elb
            .modify_rule()
            .rule_arn(&world.rule)
            .actions(login.authenticate_oidc_config(config).build())
            .actions(forward)
    };
    assert_eq!(code(login(None, Some(true)).send().await), "InvalidLoadBalancerAction");
    login(Some("s3cret"), None).send().await.unwrap();
    assert_eq!(code(login(Some("s3cret"), Some(true)).send().await), "InvalidLoadBalancerAction");
    assert_eq!(code(login(None, None).send().await), "InvalidLoadBalancerAction");
    login(None, Some(true)).send().await.unwrap();
    let read = first_action(&world.elb, &world.rule).await;
    let config = read.authenticate_oidc_config().unwrap();
    assert_eq!((config.client_secret(), config.use_existing_client_secret()), (None, None));
    assert_eq!(config.session_timeout(), Some(604_800));
    assert_eq!(config.authorization_endpoint(), Some("https://id/authorize?a=1&b=2"));
    assert_eq!(config.authentication_request_extra_params().unwrap()["prompt"], "login");

    let stranger = world.get("users.internal", "/", "").await;
    assert_eq!((stranger.status, stranger.header("location")), (302, Some("https://id/authorize?a=1&b=2")));
    let known = world.get("users.internal", "/", "Cookie: AWSELBAuthSessionCookie-0=x\r\n").await;
    assert_eq!(known.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transforms_and_conditions_survive_a_change_of_actions() {
    let world = Served::start().await;
    let rewrite = RewriteConfig::builder().regex("^/old/(.*)$").replace("/$1").build();
    let transform = RuleTransform::builder()
        .r#type(TransformTypeEnum::UrlRewrite)
        .url_rewrite_config(UrlRewriteConfig::builder().rewrites(rewrite).build())
        .build();
    let condition = RuleCondition::builder().field("path-pattern").values("/old/*").build();
    let created = world
        .elb
        .create_rule()
        .listener_arn(&world.listener)
        .priority(20)
        .conditions(condition)
        .transforms(transform.clone())
        .actions(split(&[(&world.old, None)]))
        .send()
        .await
        .unwrap();
    let rule = created.rules()[0].rule_arn().unwrap();
    let action = split(&[(&world.old, Some(9)), (&world.new, Some(1))]);
    let modified = world.elb.modify_rule().rule_arn(rule).actions(action).send().await.unwrap();
    assert_eq!(modified.rules()[0].transforms(), [transform]);
    let conditions = modified.rules()[0].conditions();
    assert_eq!(conditions[0].path_pattern_config().unwrap().values(), ["/old/*"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_and_stickiness_rules_are_those_of_aws() {
    let world = Served::start().await;
    let elb = &world.elb;
    let mut groups = Vec::new();
    for n in 0..6 {
        let group = elb.create_target_group().name(format!("g{n}")).protocol("HTTP".into()).port(80).vpc_id("vpc-1");
        groups.push(group.send().await.unwrap().target_groups()[0].target_group_arn().unwrap().to_owned());
    }
    let six: Vec<(&str, Option<i32>)> = groups.iter().map(|arn| (arn.as_str(), Some(1))).collect();
    let modify = |action| elb.modify_rule().rule_arn(&world.rule).actions(action).send();
    assert_eq!(code(modify(split(&six)).await), "InvalidLoadBalancerAction");
    assert_eq!(code(modify(split(&[(&world.old, Some(1000))])).await), "ValidationError");

    let sticky = TargetGroupAttribute::builder().key("stickiness.enabled").value("true").build();
    let make_sticky =
        || elb.modify_target_group_attributes().target_group_arn(&world.old).attributes(sticky.clone()).send();
    make_sticky().await.unwrap();
    let attach = split(&[(&world.old, Some(1)), (&world.new, Some(0))]);
    assert_eq!(code(modify(attach.clone()).await), "InvalidLoadBalancerAction");
    let mut with_stickiness = attach;
    let stickiness = TargetGroupStickinessConfig::builder().enabled(true).duration_seconds(60).build();
    with_stickiness.forward_config.as_mut().unwrap().target_group_stickiness_config = Some(stickiness);
    modify(with_stickiness).await.unwrap();

    let other = elb.create_load_balancer().name("public").send().await.unwrap();
    let other = other.load_balancers()[0].load_balancer_arn().unwrap();
    let listener = elb.create_listener().load_balancer_arn(other).port(80).protocol("HTTP".into());
    let shared = listener.default_actions(split(&[(&world.old, None)])).send().await;
    assert_eq!(code(shared), "TargetGroupAssociationLimit");
    assert_eq!(code(elb.delete_target_group().target_group_arn(&world.new).send().await), "ResourceInUse");
    elb.delete_target_group().target_group_arn(&groups[0]).send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_are_created_once_by_name_and_keep_their_owners_tags() {
    let world = Served::start().await;
    let create = |port, owner: &str| {
        let tag = Tag::builder().key("managed-by").value(owner).build();
        let create = world.elb.create_target_group().name("cf-users").protocol("HTTP".into()).vpc_id("vpc-1");
        create.port(port).tags(tag).send()
    };
    let first =
        create(80, "crossfade & co <x>").await.unwrap().target_groups()[0].target_group_arn().unwrap().to_owned();
    let second = create(80, "someone").await.unwrap().target_groups()[0].target_group_arn().unwrap().to_owned();
    assert_eq!(first, second);
    let tags = world.elb.describe_tags().resource_arns(&first).send().await.unwrap();
    assert_eq!(tags.tag_descriptions()[0].tags()[0].value(), Some("crossfade & co <x>"));
    assert_eq!(code(create(81, "someone").await), "DuplicateTargetGroupName");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_come_in_pages_and_errors_are_typed() {
    let world = Served::start().await;
    world.elbv2.lock().unwrap().set_largest_page(2);
    for n in 0..5 {
        let now = world.clock.now();
        world.elbv2.lock().unwrap().create_target_group(now, &format!("g{n}"), 80, &[]).unwrap();
    }
    let items: Vec<_> = world
        .elb
        .describe_target_groups()
        .into_paginator()
        .items()
        .send()
        .collect::<Result<Vec<_>, _>>()
        .await
        .unwrap();
    assert_eq!(items.len(), 7);
    let missing = world.elb.describe_target_groups().names("nobody").send().await.unwrap_err().into_service_error();
    assert!(missing.is_target_group_not_found_exception());
    let many = world.elb.describe_tags().set_resource_arns(Some(vec![world.old.clone(); 21])).send().await;
    assert_eq!(code(many), "ValidationError");
    let limits = world.elb.describe_account_limits().send().await.unwrap();
    assert!(limits.limits().iter().any(|limit| limit.max() == Some("5")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn throttling_refuses_the_21st_change_at_once() {
    let world = Served::start().await;
    // Buckets that were filled in the future are not filled again before that: no change is admitted by the clock.
    let tomorrow = world.clock.now() + SignedDuration::from_hours(24);
    world.elbv2.lock().unwrap().set_throttle(Some(Throttle::of_aws(tomorrow)));
    let change = || world.elb.modify_rule().rule_arn(&world.rule).actions(split(&[(&world.old, None)])).send();
    for _ in 0..20 {
        change().await.unwrap();
    }
    assert_eq!(code(change().await), "Throttling");
    world.elb.describe_rules().rule_arns(&world.rule).send().await.unwrap();
}
