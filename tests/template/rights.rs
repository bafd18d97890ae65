//! Who may do what: every statement in one form, with its reason, and no wider than AWS allows it to be narrow.

use super::old_groups::ON_OLD_GROUPS;
use super::{MACHINES, STARTERS, at, expect_intrinsic, intrinsic, keys, resource, resources, template};
use crate::repository::{names_in, pascal_case, read};
use serde_yaml_ng::Value;
use std::collections::BTreeSet;

/// The ARN of a machine of the stack, as the template spells it.
pub(super) fn machine(name: &str) -> String {
    format!(
        "arn:${{AWS::Partition}}:states:${{AWS::Region}}:${{AWS::AccountId}}:stateMachine:${{AWS::StackName}}-{name}"
    )
}

/// Actions that AWS cannot limit to a resource; only these may stand beside a `*`. `DescribeAlarms` could be limited to
/// metric alarms, but then composite ones are not listed.
const UNSCOPEABLE: [&str; 34] = [
    "autoscaling:DescribeAutoScalingGroups",
    "autoscaling:DescribeInstanceRefreshes",
    "autoscaling:DescribeTrafficSources",
    "cloudwatch:DescribeAlarmHistory",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:GetMetricData",
    "dynamodb:ListStreams",
    // Network interfaces that Lambda itself creates have no ARN that is known before.
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
    "elasticloadbalancing:DescribeAccountLimits",
    "elasticloadbalancing:DescribeListeners",
    "elasticloadbalancing:DescribeLoadBalancerAttributes",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeRules",
    "elasticloadbalancing:DescribeTags",
    "elasticloadbalancing:DescribeTargetGroupAttributes",
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeTargetHealth",
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
];

/// Actions on target groups; each must be limited to groups with our tag.
pub(super) const ON_OUR_GROUPS: [&str; 7] = [
    "elasticloadbalancing:CreateTargetGroup",
    "elasticloadbalancing:DeleteTargetGroup",
    "elasticloadbalancing:DeregisterTargets",
    "elasticloadbalancing:ModifyTargetGroup",
    "elasticloadbalancing:ModifyTargetGroupAttributes",
    "elasticloadbalancing:RegisterTargets",
    "elasticloadbalancing:RemoveTags",
];

/// What a policy may name as a hook; the decoder of policies refuses every other name.
const HOOKS: &str = "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:crossfade-hook-*";

/// The alarms that we create; their names begin with the prefix that the code is told.
const GUARD_ALARMS: &str =
    "arn:${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}:alarm:${AWS::StackName}-guard-*";

/// The functions that write to routes.
const ROUTE_WRITERS: [&str; 4] = ["detach-target-group", "react-to-alarm", "roll-back", "shift-weight"];
/// The statements that stand in a resource: a role's own, or a policy's.
pub(super) fn statements(resource: &Value) -> Vec<&Value> {
    let own = at(resource, "Properties.Policies").as_sequence().into_iter().flatten();
    own.map(|policy| at(policy, "PolicyDocument.Statement"))
        .chain([at(resource, "Properties.PolicyDocument.Statement")])
        .flat_map(|list| list.as_sequence().into_iter().flatten())
        .collect()
}

/// Everything with statements of ours.
pub(super) fn holders_of_rights(template: &Value) -> Vec<(&str, &Value)> {
    let kinds = ["AWS::IAM::Role", "AWS::IAM::ManagedPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy"];
    kinds.iter().flat_map(|kind| resources(template, kind)).collect()
}

pub(super) fn actions(statement: &Value) -> Vec<&str> {
    let list = at(statement, "Action").as_sequence().expect("actions are a list");
    list.iter().map(|action| action.as_str().expect("an action is a string")).collect()
}

/// The functions whose role allows an action.
fn holders(action: &str) -> Vec<String> {
    let template = template();
    let mut functions = names_in("functions");
    functions.retain(|function| {
        let role = resource(&template, &format!("{}Role", pascal_case(function)), "AWS::IAM::Role");
        statements(role).iter().any(|statement| actions(statement).contains(&action))
    });
    functions
}

#[test]
fn every_statement_is_written_effect_action_resource() {
    let template = template();
    for (name, role) in holders_of_rights(&template) {
        for statement in statements(role) {
            let mut order = keys(statement.as_mapping().unwrap());
            // What a queue or a topic allows, it allows to somebody.
            order.retain(|key| *key != "Principal");
            let expected = ["Effect", "Action", "Resource", "Condition"];
            assert!(order.len() >= 3 && expected.starts_with(&order), "{name}: {order:?}");
            assert_eq!(at(statement, "Effect").as_str(), Some("Allow"), "{name}");
            let actions = actions(statement);
            let sorted: BTreeSet<_> = actions.iter().copied().collect();
            assert!(sorted.iter().eq(actions.iter()), "{name}: actions are sorted and appear once: {actions:?}");
            assert!(!actions.iter().any(|action| action.contains('*')), "{name}: {actions:?}");
        }
        for managed in at(role, "Properties.ManagedPolicyArns").as_sequence().into_iter().flatten() {
            // AWS's own change without us.
            let ours = match managed {
                Value::Tagged(choice) if choice.tag == "If" => &choice.value[1],
                policy => policy,
            };
            assert!(
                ["CiFleetPolicy", "CiPolicy", "ProbeNetworkPolicy"].contains(&intrinsic(ours).unwrap().1),
                "{name}: {managed:?}"
            );
        }
    }
}

#[test]
fn every_statement_has_its_reason_above_it() {
    let text = read("infra/template.yaml");
    let lines: Vec<_> = text.lines().collect();
    let mut seen = 0;
    for (number, pair) in lines.windows(2).enumerate() {
        // The statement that lets somebody take the role explains itself.
        if pair[1].trim() == "- Effect: Allow" && !lines[number + 2].contains("sts:AssumeRole") {
            assert!(pair[0].trim().starts_with("# "), "line {}: {}", number + 1, pair[0]);
            seen += 1;
        }
    }
    let template = template();
    let holders = holders_of_rights(&template);
    assert_eq!(seen, holders.iter().map(|(_, role)| statements(role).len()).sum::<usize>());
}

#[test]
fn a_star_stands_only_where_aws_knows_no_resource() {
    let template = template();
    for (name, role) in holders_of_rights(&template) {
        for statement in statements(role) {
            let resource = at(statement, "Resource");
            for action in actions(statement) {
                let star = resource.as_str() == Some("*");
                assert_eq!(star, UNSCOPEABLE.contains(&action), "{name}: {action} on {resource:?}");
            }
            for one in resource.as_sequence().into_iter().flatten() {
                let (function, argument) = intrinsic(one).unwrap_or_else(|| panic!("{name}: {one:?}"));
                // A topic's `Ref` is its ARN, as are the other two.
                let of_resource = argument.strip_prefix("${").is_some_and(|rest| rest.ends_with(".Arn}:*"));
                let whole = function != "Sub" || of_resource || argument.starts_with("arn:${AWS::Partition}:");
                assert!(whole, "{name}: an ARN is spelt with its partition: {argument}");
            }
        }
    }
}

#[test]
fn only_target_groups_of_ours_can_be_changed() {
    let template = template();
    let retires = |name, action| ON_OLD_GROUPS.iter().any(|(role, may)| *role == name && may.contains(&action));
    for (name, role) in resources(&template, "AWS::IAM::Role") {
        for statement in statements(role) {
            let on_groups = actions(statement).into_iter().filter(|action| ON_OUR_GROUPS.contains(action));
            for action in on_groups.filter(|action| !retires(name, action)) {
                let condition = |operator: &str, key: &str| {
                    at(statement, "Condition").get(operator).and_then(|keys| keys.get(key)).unwrap_or(&Value::Null)
                };
                // What we create names the stack; what was created before there was that tag names none.
                let (tags, named) = match action {
                    "elasticloadbalancing:CreateTargetGroup" => ("RequestTag", "StringEquals"),
                    _ => ("ResourceTag", "StringEqualsIfExists"),
                };
                let managed_by = condition("StringEquals", &format!("aws:{tags}/managed-by"));
                assert_eq!(managed_by.as_str(), Some("crossfade"), "{name}: {action}");
                let stack = condition(named, &format!("aws:{tags}/crossfade:stack"));
                expect_intrinsic(stack, "Ref", "AWS::StackName");
                if action.ends_with("Tags") {
                    let keys = condition("ForAllValues:StringLike", "aws:TagKeys").as_sequence().unwrap();
                    let ours = |key: &Value| {
                        ["crossfade:alarm-*", "crossfade:migrated", "crossfade:stack"].contains(&key.as_str().unwrap())
                    };
                    assert!(keys.iter().all(ours), "{name}: {action} may change {keys:?}");
                }
            }
        }
    }
    assert_eq!(crossfade_domain::load_balancer::our_tags::tag::STACK, "crossfade:stack");
    assert_eq!(crossfade_domain::load_balancer::our_tags::tag::MIGRATED, "crossfade:migrated");
    assert_eq!(crossfade_domain::alarms::tags::PREFIX, "crossfade:alarm-");
    assert_eq!(crossfade_domain::load_balancer::our_tags::tag::MANAGED_BY, "managed-by");
    assert_eq!(crossfade_domain::load_balancer::our_tags::tag::MANAGED_BY_US, "crossfade");
}

#[test]
fn only_alarms_of_ours_can_be_changed() {
    let template = template();
    for (name, role) in resources(&template, "AWS::IAM::Role") {
        for statement in statements(role) {
            let ours = ["PutMetricAlarm", "DeleteAlarms", "TagResource", "ListTagsForResource"];
            let ours = ours.map(|action| format!("cloudwatch:{action}"));
            if actions(statement).iter().any(|action| ours.iter().any(|ours| ours == action)) {
                let resources = at(statement, "Resource").as_sequence().unwrap();
                let resources: Vec<_> = resources.iter().map(|one| intrinsic(one).unwrap().1).collect();
                assert_eq!(resources, [GUARD_ALARMS], "{name}");
            }
        }
    }
    assert_eq!(holders("cloudwatch:PutMetricAlarm"), ["create-guard-alarms"]);
    assert_eq!(holders("cloudwatch:DeleteAlarms"), ["finish-migration", "react-to-alarm", "roll-back"]);
}

#[test]
fn only_the_functions_that_move_traffic_may_write_to_routes() {
    for action in ["elasticloadbalancing:ModifyRule", "elasticloadbalancing:ModifyListener"] {
        assert_eq!(holders(action), ROUTE_WRITERS, "{action}");
    }
}

#[test]
fn only_the_function_that_connects_may_create_or_delete_a_route_and_only_one_of_this_stack() {
    let template = template();
    let others = |action: &str| match action {
        "CreateRule" => &["probe-service"][..],
        "DeleteRule" => &["probe-service", "roll-back", "sweep-migrations"],
        _ => &[],
    };
    for action in ["CreateListener", "CreateRule", "DeleteListener", "DeleteRule"] {
        let tags = if action.starts_with("Create") { "RequestTag" } else { "ResourceTag" };
        let others = others(action);
        let action = format!("elasticloadbalancing:{action}");
        assert_eq!(holders(&action), [&["create-route"], others].concat(), "{action}");
        for other in others {
            let role = resource(&template, &format!("{}Role", pascal_case(other)), "AWS::IAM::Role");
            for statement in statements(role).into_iter().filter(|one| actions(one).contains(&action.as_str())) {
                let of_probe = at(statement, "Condition.StringLike").get(format!("aws:{tags}/crossfade:probe"));
                assert_eq!(of_probe.and_then(Value::as_str), Some("*"), "{other} may touch only the rules of probes");
                let stack = at(statement, "Condition.StringEquals").get(format!("aws:{tags}/crossfade:stack")).unwrap();
                expect_intrinsic(stack, "Ref", "AWS::StackName");
            }
        }
        let role = resource(&template, "CreateRouteRole", "AWS::IAM::Role");
        for statement in statements(role).into_iter().filter(|one| actions(one).contains(&action.as_str())) {
            let of = |key| at(statement, "Condition.StringEquals").get(format!("aws:{tags}/{key}")).unwrap();
            assert_eq!(of("managed-by").as_str(), Some("crossfade"), "{action}");
            expect_intrinsic(of("crossfade:stack"), "Ref", "AWS::StackName");
        }
    }
}

#[test]
fn a_function_starts_the_machines_it_needs_and_only_a_fleets_conductor_a_migration() {
    assert_eq!(holders("states:StartExecution"), STARTERS.map(|(function, _)| function));
    let template = template();
    for (function, machines) in STARTERS {
        let role = resource(&template, &format!("{}Role", pascal_case(function)), "AWS::IAM::Role");
        for statement in statements(role).into_iter().filter(|s| actions(s).contains(&"states:StartExecution")) {
            let targets = at(statement, "Resource").as_sequence().unwrap();
            let targets: Vec<_> = targets.iter().map(|target| intrinsic(target).unwrap().1).collect();
            assert_eq!(targets, machines.iter().map(|name| machine(name)).collect::<Vec<_>>(), "{function}");
        }
    }
}

#[test]
fn a_machine_may_call_the_functions_of_its_states_and_no_others() {
    let template = template();
    for machine in MACHINES {
        let name = pascal_case(machine);
        let role = resource(&template, &format!("{name}Role"), "AWS::IAM::Role");
        let calls: Vec<_> =
            statements(role).into_iter().filter(|s| actions(s).contains(&"lambda:InvokeFunction")).collect();
        for call in &calls {
            assert_eq!(actions(call), ["lambda:InvokeFunction"], "{machine}");
        }
        // A fleet has no hooks; each of its services has its own. Nor has what moves no traffic.
        let hooks: Vec<_> = calls[1..].iter().flat_map(|call| at(call, "Resource").as_sequence().unwrap()).collect();
        let hooks: Vec<_> = hooks.into_iter().map(|one| intrinsic(one).unwrap().1).collect();
        let has_hooks = !["connect-service", "migrate-fleet"].contains(&machine);
        assert_eq!(hooks, if has_hooks { &[HOOKS][..] } else { &[] }, "{machine}");
        let granted = at(calls[0], "Resource").as_sequence().unwrap();
        let granted: BTreeSet<_> = granted.iter().map(|one| intrinsic(one).unwrap().1.to_owned()).collect();
        let mut called = super::placeholders(&read(format!("statemachine/{machine}.asl.json")));
        called.retain(|name| !super::LIMITS.contains(&name.as_str()));
        assert_eq!(granted, called.iter().map(|function| format!("${{{function}.Arn}}:*")).collect(), "{machine}");
    }
}
