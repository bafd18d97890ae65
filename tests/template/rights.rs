//! Who may do what: every statement in one form, with its reason, and no wider than AWS allows it to be narrow.

use super::{MACHINES, STARTERS, at, intrinsic, keys, resource, resources, template};
use crate::repository::{names_in, pascal_case, read};
use serde_yaml_ng::Value;
use std::collections::BTreeSet;

pub(super) const ROLL_BACK_MACHINE: &str =
    "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:stateMachine:${AWS::StackName}-roll-back-service";

/// Actions that AWS cannot limit to a resource; only these may stand beside a `*`. `DescribeAlarms` could be limited to
/// metric alarms, but then composite ones are not listed.
const UNSCOPEABLE: [&str; 10] = [
    "cloudwatch:DescribeAlarmHistory",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:GetMetricData",
    "elasticloadbalancing:DescribeListeners",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeRules",
    "elasticloadbalancing:DescribeTags",
    "elasticloadbalancing:DescribeTargetGroupAttributes",
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeTargetHealth",
];

/// Actions on target groups; each must be limited to groups with our tag.
const ON_OUR_GROUPS: [&str; 5] = [
    "elasticloadbalancing:CreateTargetGroup",
    "elasticloadbalancing:DeleteTargetGroup",
    "elasticloadbalancing:DeregisterTargets",
    "elasticloadbalancing:ModifyTargetGroupAttributes",
    "elasticloadbalancing:RegisterTargets",
];

/// The functions that write to routes.
const ROUTE_WRITERS: [&str; 3] = ["react-to-alarm", "roll-back", "shift-weight"];

fn statements(role: &Value) -> Vec<&Value> {
    at(role, "Properties.Policies")
        .as_sequence()
        .expect("a role has policies")
        .iter()
        .flat_map(|policy| at(policy, "PolicyDocument.Statement").as_sequence().expect("a policy has statements"))
        .collect()
}

fn actions(statement: &Value) -> Vec<&str> {
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
    for (name, role) in resources(&template, "AWS::IAM::Role") {
        for statement in statements(role) {
            let order = keys(statement.as_mapping().unwrap());
            let expected = ["Effect", "Action", "Resource", "Condition"];
            assert!(order.len() >= 3 && expected.starts_with(&order), "{name}: {order:?}");
            assert_eq!(at(statement, "Effect").as_str(), Some("Allow"), "{name}");
            let actions = actions(statement);
            let sorted: BTreeSet<_> = actions.iter().copied().collect();
            assert!(sorted.iter().eq(actions.iter()), "{name}: actions are sorted and appear once: {actions:?}");
            assert!(!actions.iter().any(|action| action.contains('*')), "{name}: {actions:?}");
        }
        assert!(at(role, "Properties.ManagedPolicyArns").is_null(), "{name}: managed policies change without us");
    }
}

#[test]
fn every_statement_has_its_reason_above_it() {
    let text = read("infra/template.yaml");
    let lines: Vec<_> = text.lines().collect();
    let mut seen = 0;
    for (number, pair) in lines.windows(2).enumerate() {
        // The statement that lets a service take the role explains itself.
        if pair[1].trim() == "- Effect: Allow" && !lines[number + 2].contains("sts:AssumeRole") {
            assert!(pair[0].trim().starts_with("# "), "line {}: {}", number + 1, pair[0]);
            seen += 1;
        }
    }
    let template = template();
    let roles = resources(&template, "AWS::IAM::Role");
    assert_eq!(seen, roles.iter().map(|(_, role)| statements(role).len()).sum::<usize>());
}

#[test]
fn a_star_stands_only_where_aws_knows_no_resource() {
    let template = template();
    for (name, role) in resources(&template, "AWS::IAM::Role") {
        for statement in statements(role) {
            let resource = at(statement, "Resource");
            for action in actions(statement) {
                let star = resource.as_str() == Some("*");
                assert_eq!(star, UNSCOPEABLE.contains(&action), "{name}: {action} on {resource:?}");
            }
            for one in resource.as_sequence().into_iter().flatten() {
                let (function, argument) = intrinsic(one).unwrap_or_else(|| panic!("{name}: {one:?}"));
                let whole = function == "GetAtt" || argument.starts_with("arn:${AWS::Partition}:");
                assert!(whole, "{name}: an ARN is spelt with its partition: {argument}");
            }
        }
    }
}

#[test]
fn only_target_groups_of_ours_can_be_changed() {
    let template = template();
    for (name, role) in resources(&template, "AWS::IAM::Role") {
        for statement in statements(role) {
            for action in actions(statement).into_iter().filter(|action| ON_OUR_GROUPS.contains(action)) {
                let key = if action.ends_with(":CreateTargetGroup") {
                    "aws:RequestTag/managed-by"
                } else {
                    "aws:ResourceTag/managed-by"
                };
                let condition = at(statement, "Condition").get("StringEquals").and_then(|equals| equals.get(key));
                assert_eq!(condition.and_then(Value::as_str), Some("crossfade"), "{name}: {action}");
            }
        }
    }
    assert_eq!(crossfade_domain::group::tag::MANAGED_BY, "managed-by");
    assert_eq!(crossfade_domain::group::tag::MANAGED_BY_US, "crossfade");
}

#[test]
fn only_the_functions_that_move_traffic_may_write_to_routes() {
    for action in ["elasticloadbalancing:ModifyRule", "elasticloadbalancing:ModifyListener"] {
        assert_eq!(holders(action), ROUTE_WRITERS, "{action}");
    }
}

#[test]
fn only_a_rollback_can_be_started_by_a_function() {
    assert_eq!(holders("states:StartExecution"), STARTERS);
    let template = template();
    for function in STARTERS {
        let role = resource(&template, &format!("{}Role", pascal_case(function)), "AWS::IAM::Role");
        for statement in statements(role).into_iter().filter(|s| actions(s).contains(&"states:StartExecution")) {
            let targets = at(statement, "Resource").as_sequence().unwrap();
            let targets: Vec<_> = targets.iter().map(|target| intrinsic(target).unwrap().1).collect();
            assert_eq!(targets, [ROLL_BACK_MACHINE], "{function}");
        }
    }
}

#[test]
fn a_machine_may_call_the_functions_of_its_states_and_no_others() {
    let template = template();
    for machine in MACHINES {
        let name = pascal_case(machine);
        let role = resource(&template, &format!("{name}Role"), "AWS::IAM::Role");
        let statements = statements(role);
        assert_eq!(statements.len(), 1, "{machine}");
        assert_eq!(actions(statements[0]), ["lambda:InvokeFunction"], "{machine}");
        let granted = at(statements[0], "Resource").as_sequence().unwrap();
        let granted: BTreeSet<_> = granted.iter().map(|one| intrinsic(one).unwrap().1.to_owned()).collect();
        let called = super::placeholders(&read(format!("statemachine/{machine}.asl.json")));
        assert_eq!(granted, called.iter().map(|function| format!("{function}.Arn")).collect(), "{machine}");
    }
}
