//! What no linter sees in the template: that it and the folders tell the same story, that its event patterns match what
//! AWS sends, and that its rights are no wider than their reasons.

mod continuous_integration;
mod dashboard;
mod event_patterns;
pub(crate) mod old_groups;
pub(crate) mod resolved;
mod rights;
pub(crate) mod watching;

use crate::repository::{names_in, pascal_case, read};
use serde_yaml_ng::{Mapping, Value};
use std::collections::BTreeSet;

const MACHINES: [&str; 5] =
    ["connect-service", "migrate-fleet", "migrate-service", "retire-service", "roll-back-service"];
/// The functions that may start a machine, each with the machines.
const STARTERS: [(&str, &[&str]); 3] = [
    ("check-fleet", &["migrate-service", "retire-service", "roll-back-service"]),
    ("react-to-alarm", &["migrate-fleet", "roll-back-service"]),
    ("sweep-migrations", &["migrate-fleet", "retire-service", "roll-back-service"]),
];
/// The functions that a rollback waits for.
const OF_A_ROLLBACK: [&str; 3] = ["react-to-alarm", "roll-back", "sweep-migrations"];

/// What the stack allows a migration to do, which `plan-migration` gets with each request.
const LIMITS: [&str; 2] = ["InlinePolicies", "LoadBalancers"];
/// Roles that are not a function's or a machine's.
const OTHER_ROLES: [&str; 3] = ["JournalPipeRole", "CiOnGitHubRole", "CiOnGitLabRole"];

pub(crate) fn template() -> Value {
    serde_yaml_ng::from_str(&read("infra/template.yaml")).expect("the template is YAML")
}

/// The timeout that every function has, in seconds.
pub(crate) fn function_timeout_seconds() -> u64 {
    at(&template(), "Globals.Function.Timeout").as_u64().expect("a number of seconds")
}

/// The value at a path of keys; `Null` where there is none.
fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(value, |value, key| value.get(key).unwrap_or(&Value::Null))
}

/// An intrinsic function in its short form: `!Sub "x"` is `("Sub", "x")`.
fn intrinsic(value: &Value) -> Option<(String, &str)> {
    let Value::Tagged(tagged) = value else { return None };
    Some((tagged.tag.to_string().trim_start_matches('!').to_owned(), tagged.value.as_str()?))
}

/// The resources of a type, with their logical names.
fn resources<'a>(template: &'a Value, of_type: &str) -> Vec<(&'a str, &'a Value)> {
    let all = at(template, "Resources").as_mapping().expect("the template has resources");
    all.iter()
        .filter(|(_, resource)| at(resource, "Type").as_str() == Some(of_type))
        .map(|(name, resource)| (name.as_str().expect("a logical name"), resource))
        .collect()
}

fn resource<'a>(template: &'a Value, name: &str, of_type: &str) -> &'a Value {
    let found = at(template, "Resources").get(name).unwrap_or_else(|| panic!("no resource {name}"));
    assert_eq!(at(found, "Type").as_str(), Some(of_type), "{name}");
    found
}

fn expect_intrinsic(value: &Value, function: &str, argument: &str) {
    assert_eq!(
        intrinsic(value),
        Some((function.to_owned(), argument)),
        "expected !{function} {argument}, found {value:?}"
    );
}

fn keys(mapping: &Mapping) -> Vec<&str> {
    mapping.keys().map(|key| key.as_str().expect("keys are strings")).collect()
}

#[test]
fn every_function_folder_has_its_resource_its_role_and_its_log_group_and_nothing_else_is_there() {
    let template = template();
    let folders = names_in("functions");
    for folder in &folders {
        let name = pascal_case(folder);
        let function = resource(&template, &format!("{name}Function"), "AWS::Serverless::Function");
        expect_intrinsic(at(function, "Properties.FunctionName"), "Sub", &format!("${{AWS::StackName}}-{folder}"));
        assert_eq!(at(function, "Metadata.BuildMethod").as_str(), Some("rust-cargolambda"), "{folder}");
        assert_eq!(at(function, "Metadata.BuildProperties.Binary").as_str(), Some(folder.as_str()));
        expect_intrinsic(at(function, "Properties.Role"), "GetAtt", &format!("{name}Role.Arn"));
        expect_intrinsic(at(function, "Properties.LoggingConfig.LogGroup"), "Ref", &format!("{name}LogGroup"));
        resource(&template, &format!("{name}Role"), "AWS::IAM::Role");
        let logs = resource(&template, &format!("{name}LogGroup"), "AWS::Logs::LogGroup");
        let log_group = format!("/aws/lambda/${{AWS::StackName}}-{folder}");
        expect_intrinsic(at(logs, "Properties.LogGroupName"), "Sub", &log_group);
        assert!(!at(logs, "Properties.RetentionInDays").is_null(), "{folder}: logs are kept for ever");
    }
    assert_eq!(resources(&template, "AWS::Serverless::Function").len(), folders.len(), "a function without a folder");
    let log_groups = folders.len() + MACHINES.len();
    assert_eq!(resources(&template, "AWS::Logs::LogGroup").len(), log_groups, "a log group that nobody has");
    for role in OTHER_ROLES {
        resource(&template, role, "AWS::IAM::Role");
    }
    let roles = folders.len() + MACHINES.len() + OTHER_ROLES.len();
    assert_eq!(resources(&template, "AWS::IAM::Role").len(), roles, "a role that nobody has, or that two share");
}

#[test]
fn every_function_runs_on_arm_and_in_the_runtime_for_binaries() {
    let template = template();
    let globals = at(&template, "Globals.Function");
    assert_eq!(at(globals, "Runtime").as_str(), Some("provided.al2023"));
    assert_eq!(at(globals, "Architectures").as_sequence().unwrap(), &[Value::from("arm64")]);
    for (name, function) in resources(&template, "AWS::Serverless::Function") {
        for fixed in ["Runtime", "Architectures", "Handler", "CodeUri", "Timeout", "AutoPublishAlias"] {
            assert!(at(function, "Properties").get(fixed).is_none(), "{name}: {fixed} is the same for all");
        }
    }
}

#[test]
fn a_change_of_a_function_publishes_a_version_that_is_kept() {
    let template = template();
    let globals = at(&template, "Globals.Function");
    assert!(at(globals, "AutoPublishAlias").is_string());
    // The translator's own default is to retain.
    assert!(at(globals, "VersionDeletionPolicy").is_null());
    for (name, function) in resources(&template, "AWS::Serverless::Function") {
        // Among the globals `sam validate --lint` does not know it.
        let all = at(function, "Properties.AutoPublishAliasAllProperties");
        assert_eq!(all.as_bool(), Some(true), "{name}: without it a new timeout would reach no machine");
        assert!(at(function, "Properties.VersionDeletionPolicy").is_null(), "{name}");
    }
}

#[test]
fn what_rolls_back_has_concurrency_of_its_own_and_nothing_else_has() {
    let template = template();
    let mut aside = 0;
    for folder in names_in("functions") {
        let function = resource(&template, &format!("{}Function", pascal_case(&folder)), "AWS::Serverless::Function");
        let reserved = at(function, "Properties.ReservedConcurrentExecutions");
        assert_eq!(!reserved.is_null(), OF_A_ROLLBACK.contains(&folder.as_str()), "{folder}");
        if !reserved.is_null() {
            aside += resolved::resolved(&template, reserved).as_u64().expect("a number");
        }
    }
    let description = at(&template, "Parameters.ReserveConcurrency.Description").as_str().unwrap();
    assert!(
        description.starts_with(&format!("Reserves {aside} of the account's concurrent executions")),
        "{aside}: {description}"
    );
    // Lambda keeps 100 for all functions that have none of their own.
    assert!(description.contains(&format!("below {}", aside + 100)), "{aside}: {description}");
}

#[test]
fn every_function_is_told_the_table_and_the_stack_and_a_starter_its_machines() {
    let template = template();
    let shared = at(&template, "Globals.Function.Environment.Variables");
    expect_intrinsic(at(shared, "CROSSFADE_TABLE"), "Ref", "Table");
    expect_intrinsic(at(shared, "CROSSFADE_STACK"), "Ref", "AWS::StackName");
    // A parameter's new value publishes no version, so it would reach no machine.
    assert_eq!(at(shared, "RUST_LOG").as_str(), Some("info"));
    for folder in names_in("functions") {
        let function = resource(&template, &format!("{}Function", pascal_case(&folder)), "AWS::Serverless::Function");
        let started = STARTERS.iter().find(|(starter, _)| *starter == folder).map_or(&[][..], |(_, machines)| machines);
        // The next conductor of a fleet is started on the machine that the fleet's head names.
        for (variable, machine) in [
            ("CROSSFADE_MIGRATE_MACHINE", "migrate-service"),
            ("CROSSFADE_RETIRE_MACHINE", "retire-service"),
            ("CROSSFADE_ROLL_BACK_MACHINE", "roll-back-service"),
        ] {
            let own = at(function, &format!("Properties.Environment.Variables.{variable}"));
            assert_eq!(!own.is_null(), started.contains(&machine), "{folder}: {variable}");
            if !own.is_null() {
                expect_intrinsic(own, "Sub", &rights::machine(machine));
            }
        }
    }
}

/// The names between `${` and `}`.
fn placeholders(definition: &str) -> BTreeSet<String> {
    definition.split("${").skip(1).map(|rest| rest.split('}').next().expect("split gives one").to_owned()).collect()
}

#[test]
fn each_machine_gets_the_substitutions_it_uses_and_no_others() {
    let template = template();
    for machine in MACHINES {
        let resource =
            resource(&template, &format!("{}StateMachine", pascal_case(machine)), "AWS::Serverless::StateMachine");
        let properties = at(resource, "Properties");
        expect_intrinsic(at(properties, "Name"), "Sub", &format!("${{AWS::StackName}}-{machine}"));
        assert_eq!(at(properties, "Type").as_str(), Some("STANDARD"), "{machine}");
        assert_eq!(at(properties, "Tracing.Enabled").as_bool(), Some(true), "{machine}");
        let logging = resolved::resolved(&template, at(properties, "Logging"));
        assert_eq!(logging["Level"], "ALL", "{machine}: its last lines are counted");
        let log_group = format!(":log-group:/aws/vendedlogs/states/crossfade-{machine}:*");
        let destination = logging["Destinations"][0]["CloudWatchLogsLogGroup"]["LogGroupArn"].as_str().unwrap();
        assert!(destination.ends_with(&log_group), "{destination}");
        let path = format!("statemachine/{machine}.asl.json");
        assert_eq!(at(properties, "DefinitionUri").as_str(), Some(format!("../{path}").as_str()));
        let substitutions = at(properties, "DefinitionSubstitutions").as_mapping().unwrap();
        let given: BTreeSet<_> = keys(substitutions).into_iter().map(str::to_owned).collect();
        assert_eq!(given, placeholders(&read(&path)), "{machine}: given on the left, used on the right");
        for (name, value) in substitutions {
            match name.as_str().unwrap() {
                limit if LIMITS.contains(&limit) => {}
                // A version and not the function: a running execution keeps the code it began with.
                function => expect_intrinsic(value, "Ref", &format!("{function}.Version")),
            }
        }
    }
    assert_eq!(resources(&template, "AWS::Serverless::StateMachine").len(), MACHINES.len());
}

#[test]
fn the_table_has_the_keys_of_the_code_and_survives_the_stack() {
    let template = template();
    let table = resource(&template, "Table", "AWS::DynamoDB::Table");
    expect_intrinsic(at(table, "Properties.TableName"), "Ref", "AWS::StackName");
    let names: Vec<_> = at(table, "Properties.KeySchema")
        .as_sequence()
        .unwrap()
        .iter()
        .map(|key| (at(key, "AttributeName").as_str().unwrap(), at(key, "KeyType").as_str().unwrap()))
        .collect();
    assert_eq!(names, [("pk", "HASH"), ("sk", "RANGE")]);
    assert_eq!(at(table, "Properties.BillingMode").as_str(), Some("PAY_PER_REQUEST"));
    assert_eq!(
        at(table, "Properties.PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled").as_bool(),
        Some(true)
    );
    assert_eq!(at(table, "Properties.SSESpecification.SSEEnabled").as_bool(), Some(true));
    assert_eq!(at(table, "Properties.DeletionProtectionEnabled").as_bool(), Some(true));
    for policy in ["DeletionPolicy", "UpdateReplacePolicy"] {
        assert_eq!(at(table, policy).as_str(), Some("Retain"), "{policy}");
    }
}

#[test]
fn the_page_says_what_the_template_allows() {
    let (template, page) = (template(), read("infra/README.md"));
    let mut lines = page.lines().filter(|line| line.starts_with("| `")).collect::<BTreeSet<_>>();
    for (name, holder) in rights::holders_of_rights(&template) {
        for statement in rights::statements(holder) {
            let actions: Vec<String> = rights::actions(statement).iter().map(|action| format!("`{action}`")).collect();
            let beginning = format!("| {} | ", actions.join(", "));
            let found = lines.iter().find(|line| line.starts_with(&beginning)).copied();
            assert!(found.is_some(), "{name}: {beginning}\nis not in infra/README.md: run `just permissions`");
            // The same actions may stand there for another role; what is left over is looked at below.
            lines.retain(|line| line.contains("` | ") && (Some(*line) != found || page.matches(*line).count() > 1));
        }
    }
}

#[test]
fn every_parameter_is_explained_bounded_and_shown() {
    let template = template();
    let interface = at(&template, "Metadata").get("AWS::CloudFormation::Interface").unwrap();
    let groups = at(interface, "ParameterGroups").as_sequence().unwrap();
    let shown: Vec<_> = groups.iter().flat_map(|group| at(group, "Parameters").as_sequence().unwrap()).collect();
    let parameters = at(&template, "Parameters").as_mapping().unwrap();
    assert_eq!(shown, parameters.keys().collect::<Vec<_>>(), "in the order in which the console shows them");
    for (name, parameter) in parameters {
        let name = name.as_str().unwrap();
        assert!(at(parameter, "Description").as_str().is_some_and(|text| text.ends_with('.')), "{name}");
        assert!(!at(parameter, "Default").is_null(), "{name}: the template can be deployed as it is");
        assert!(at(interface, "ParameterLabels").get(name).is_some(), "{name}");
        let pattern = at(parameter, "AllowedPattern");
        assert!(!at(parameter, "AllowedValues").is_null() || !pattern.is_null(), "{name}: anything is allowed");
        // Without words the console shows the pattern.
        assert_eq!(pattern.is_null(), at(parameter, "ConstraintDescription").is_null(), "{name}");
    }
}
