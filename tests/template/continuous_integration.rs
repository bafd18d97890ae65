//! What a pipeline may do, and which pipelines may.

use super::resolved::resolved;
use super::rights::{actions, machine, statements};
use super::{at, expect_intrinsic, intrinsic, resource, template};
use crate::repository::read;
use serde_yaml_ng::Value;
use std::collections::BTreeSet;

#[test]
fn continuous_integration_may_start_watch_and_abort_and_nothing_else() {
    let template = template();
    let policy = resource(&template, "CiPolicy", "AWS::IAM::ManagedPolicy");
    let mut allowed: Vec<_> = statements(policy).into_iter().flat_map(actions).collect();
    allowed.sort_unstable();
    let expected = [
        "cloudwatch:DescribeAlarms",
        "dynamodb:GetItem",
        "dynamodb:Query",
        "elasticloadbalancing:DescribeListeners",
        "elasticloadbalancing:DescribeRules",
        "elasticloadbalancing:DescribeTargetHealth",
        "ssm:GetCalendarState",
        "states:DescribeExecution",
        "states:GetExecutionHistory",
        "states:ListExecutions",
        "states:StartExecution",
        "states:StopExecution",
    ];
    assert_eq!(allowed, expected);
    let machines = |policy: &str| -> BTreeSet<String> {
        let policy = resource(&template, policy, "AWS::IAM::ManagedPolicy");
        let starts = statements(policy).into_iter().filter(|s| actions(s).contains(&"states:StartExecution"));
        let targets = starts.flat_map(|statement| at(statement, "Resource").as_sequence().unwrap());
        targets.map(|target| intrinsic(target).unwrap().1.to_owned()).collect()
    };
    assert_eq!(machines("CiPolicy"), ["migrate-service", "roll-back-service"].map(machine).into());
    // A whole fleet only where the stack's owner says so.
    assert_eq!(machines("CiFleetPolicy"), ["migrate-fleet"].map(machine).into());
    assert_eq!(at(&template, "Resources.CiFleetPolicy.Condition").as_str(), Some("FleetsFromCi"));
    assert_eq!(at(&template, "Parameters.FleetsFromCi.Default").as_str(), Some("no"));
    for role in ["CiOnGitHubRole", "CiOnGitLabRole"] {
        let managed = at(resource(&template, role, "AWS::IAM::Role"), "Properties.ManagedPolicyArns");
        let Value::Tagged(of_fleets) = &managed[1] else { panic!("{role}: no fleets unless told: {managed:?}") };
        assert_eq!((of_fleets.tag.to_string().as_str(), of_fleets.value[0].as_str()), ("!If", Some("FleetsFromCi")));
        expect_intrinsic(&managed[0], "Ref", "CiPolicy");
        expect_intrinsic(&of_fleets.value[1], "Ref", "CiFleetPolicy");
        expect_intrinsic(&of_fleets.value[2], "Ref", "AWS::NoValue");
        let properties = resolved(&template, at(resource(&template, role, "AWS::IAM::Role"), "Properties"));
        assert!(properties.get("Policies").is_none(), "{role}: the shared policies are all it has");
        let trust = &properties["AssumeRolePolicyDocument"]["Statement"][0];
        assert_eq!(trust["Action"], "sts:AssumeRoleWithWebIdentity");
        // Without both, every repository of the provider could take the role.
        let conditions = &trust["Condition"];
        let of = |operator: &str, claim: &str| {
            let keys = conditions[operator].as_object().unwrap();
            keys.iter().find(|(key, _)| key.ends_with(claim)).map(|(_, value)| value.clone()).unwrap()
        };
        assert!(of("StringEquals", ":aud").is_string(), "{role}");
        assert_eq!(of("StringLike", ":sub"), serde_json::json!([""]), "{role}: nobody, unless told");
    }
}

#[test]
fn a_provider_without_a_subject_is_refused_before_anything_is_made() {
    let template = template();
    for provider in ["GitHub", "GitLab"] {
        let rule = at(&template, &format!("Rules.{provider}NeedsSubjects"));
        let is_given = |value: &Value, parameter: &str| {
            let Value::Tagged(not) = value else { panic!("{provider}: expected !Not, found {value:?}") };
            let Value::Tagged(equals) = &not.value[0] else { panic!("{provider}: expected !Equals") };
            assert_eq!((not.tag.to_string().as_str(), equals.tag.to_string().as_str()), ("!Not", "!Equals"));
            assert_eq!(intrinsic(&equals.value[0]), Some(("Ref".to_owned(), parameter)), "{provider}");
            assert_eq!(equals.value[1].as_str(), Some(""), "{provider}");
        };
        is_given(at(rule, "RuleCondition"), &format!("{provider}ProviderArn"));
        let assertions = at(rule, "Assertions").as_sequence().unwrap();
        is_given(at(&assertions[0], "Assert"), &format!("{provider}Subjects"));
        assert_eq!(at(&template, &format!("Parameters.{provider}Subjects.Default")).as_str(), Some(""));
    }
}

#[test]
fn the_gitlab_component_asks_for_the_audience_that_the_role_trusts() {
    let template = template();
    let role = resolved(&template, at(resource(&template, "CiOnGitLabRole", "AWS::IAM::Role"), "Properties"));
    let trusted = &role["AssumeRolePolicyDocument"]["Statement"][0]["Condition"]["StringEquals"]["gitlab.com:aud"];
    let component = read("templates/migrate/template.yml");
    let spec: Value = serde_yaml_ng::from_str(component.split("\n---\n").next().unwrap()).unwrap();
    assert_eq!(at(&spec, "spec.inputs.audience.default").as_str(), trusted.as_str());
}

#[test]
fn a_subject_that_would_let_everybody_in_is_refused() {
    let template = template();
    let check = |parameter: &str, good: &[&str], bad: &[&str]| {
        let pattern = at(&template, &format!("Parameters.{parameter}.AllowedPattern"));
        let pattern = regex_lite::Regex::new(pattern.as_str().unwrap()).unwrap();
        for subject in good {
            assert!(pattern.is_match(subject), "{parameter}: {subject}");
        }
        for subject in bad {
            assert!(!pattern.is_match(subject), "{parameter}: {subject}");
        }
    };
    check(
        "GitHubSubjects",
        &[
            "",
            "repo:acme/users:ref:refs/heads/main",
            "repo:acme/*:environment:production",
            // What GitHub writes for repositories that were created or renamed since July 2026.
            "repo:acme@123456/users@456789:ref:refs/heads/main",
            "repo:acme@123456/*:environment:production",
            "repo:acme/users:ref:refs/heads/main,repo:acme@123456/shop@7:ref:refs/heads/main",
        ],
        &[
            "*",
            "repo:*",
            "repo:*/users:ref:refs/heads/main",
            "repo:acme@*/users@456789:ref:refs/heads/main",
            "repo:acme@ids/users:ref:refs/heads/main",
            "repo:acme/users",
            "repo:acme/users:ref:refs/heads/main,",
            "repo:acme/users:ref:refs/heads/main,*",
        ],
    );
    check(
        "GitLabSubjects",
        &["", "project_path:acme/users:ref_type:branch:ref:main", "project_path:acme/shop/*:ref_type:*:ref:release/*"],
        &["*", "project_path:*/*:ref_type:branch:ref:main", "project_path:acme/users:ref_type:branch:ref:main,*"],
    );
}
