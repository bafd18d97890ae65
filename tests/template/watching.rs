//! What watches Crossfade itself: an alarm on a metric that nothing writes is quiet for ever.

use super::resolved::resolved;
use super::{at, resource, resources, template};
use crate::repository::{names_in, read};
use serde_json::Value as Json;
use serde_yaml_ng::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// What AWS measures of its own accord and we look at.
const OF_AWS: [(&str, &str); 5] = [
    ("AWS/Lambda", "Errors"),
    ("AWS/Lambda", "Invocations"),
    ("AWS/Lambda", "Throttles"),
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
    ("AWS/States", "ExecutionThrottled"),
];

/// The names that resources of a type will have, sorted.
pub(super) fn physical_names(template: &Value, of_type: &str, property: &str) -> Vec<String> {
    let name = |(_, resource): (&str, &Value)| {
        let name = resolved(template, at(resource, "Properties").get(property).unwrap());
        name.as_str().unwrap().to_owned()
    };
    let mut names: Vec<String> = resources(template, of_type).into_iter().map(name).collect();
    names.sort();
    names
}

/// The metrics that are read from logs.
pub(super) fn our_metrics() -> BTreeSet<String> {
    let template = template();
    let filters = resources(&template, "AWS::Logs::MetricFilter");
    let mut names = BTreeSet::new();
    for (name, filter) in filters {
        let transformed = resolved(&template, at(filter, "Properties.MetricTransformations"));
        let transformed = &transformed.as_array().unwrap()[0];
        assert_eq!(transformed["MetricNamespace"], "Crossfade/crossfade", "{name}");
        names.insert(transformed["MetricName"].as_str().unwrap().to_owned());
    }
    names
}

/// The fields that a text like `{ $.verdict != "advance" }` asks for.
fn fields(pattern: &str) -> BTreeSet<&str> {
    let end = |rest: &str| rest.find(|letter: char| !letter.is_alphanumeric() && letter != '.').unwrap_or(rest.len());
    pattern.split("$.").skip(1).map(|rest| &rest[..end(rest)]).collect()
}

/// The field by which a function's line says what was recorded, with the line and the names that it can have.
const ANNOUNCED: [(&str, &str, &str, &str); 3] = [
    ("change", "crates/aws/src/ledger/change.rs", "tracing::info!(change, ", "crates/domain/src/journal/wording.rs"),
    (
        "fleetChange",
        "crates/aws/src/ledger/fleet.rs",
        "tracing::info!(fleetChange = change, ",
        "crates/domain/src/fleet/wording.rs",
    ),
    (
        "retirementChange",
        "crates/aws/src/ledger/retirements.rs",
        "tracing::warn!(retirementChange = change, ",
        "crates/domain/src/retirement/wording.rs",
    ),
];

/// The lines that a metric on `$.change` counts, in the logs that a rehearsal wrote into `folder`.
pub(crate) fn counted(metric: &str, folder: &Path) -> Vec<Json> {
    let template = template();
    let properties = resolved(&template, at(resource(&template, metric, "AWS::Logs::MetricFilter"), "Properties"));
    let function = properties["LogGroupName"].as_str().unwrap().strip_prefix("/aws/lambda/").unwrap();
    let pattern = properties["FilterPattern"].as_str().unwrap();
    let wanted = pattern.strip_prefix("{ $.change = \"").and_then(|rest| rest.strip_suffix("\" }")).unwrap();
    let log = std::fs::read_to_string(folder.join(format!("{function}.log"))).unwrap();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Json>(&line[line.find('{')?..]).ok());
    lines.filter(|line| line["change"] == wanted).collect()
}

#[test]
fn a_metric_asks_for_what_the_logs_say() {
    let template = template();
    let line = read("crates/lambda/src/invocation.rs");
    for (name, filter) in resources(&template, "AWS::Logs::MetricFilter") {
        let properties = resolved(&template, at(filter, "Properties"));
        let pattern = properties["FilterPattern"].as_str().unwrap();
        let log_group = properties["LogGroupName"].as_str().unwrap();
        let mut asked = fields(pattern);
        let transformed = &properties["MetricTransformations"][0];
        let dimensions = transformed["Dimensions"].as_array().cloned().unwrap_or_default();
        let values: Vec<&str> = dimensions.iter().map(|dimension| dimension["Value"].as_str().unwrap()).collect();
        asked.extend(values.iter().flat_map(|value| fields(value)));
        asked.extend(fields(transformed["MetricValue"].as_str().unwrap()));
        if let Some(function) = log_group.strip_prefix("/aws/lambda/crossfade-") {
            assert!(names_in("functions").iter().any(|folder| folder == function), "{name}: {function}");
            let announced = ANNOUNCED.iter().find(|(field, ..)| asked == BTreeSet::from([*field]));
            if let Some((field, ledger, recorded, wording)) = announced {
                // The line of the ledger, which a rehearsal's logs are held against as well.
                assert!(read(ledger).contains(recorded), "{name}: no line of a function has a {field}");
                let change = format!("\"{}\",", pattern.split('"').nth(1).unwrap());
                assert!(read(wording).contains(&change), "{name}: {change}");
                continue;
            }
            assert!(pattern.contains(&format!("$.function = \"{function}\"")), "{name}: {pattern}");
            for field in asked {
                let written = line.contains(&format!("{field} = ")) || line.contains(&format!(" {field},"));
                assert!(written, "{name}: no line of a function has {field}");
            }
        } else {
            // The shape of a machine's log, which Step Functions documents.
            assert!(log_group.starts_with("/aws/vendedlogs/states/crossfade-"), "{name}: {log_group}");
            assert!(asked.is_subset(&BTreeSet::from(["type", "details.error"])), "{name}: {asked:?}");
            assert!(dimensions.is_empty() && transformed["DefaultValue"] == 0, "{name}");
        }
        // AWS refuses a default beside dimensions.
        assert!(dimensions.is_empty() || transformed.get("DefaultValue").is_none(), "{name}");
    }
}

#[test]
fn a_metric_counts_ends_by_the_names_that_the_machines_give_them() {
    let template = template();
    for (name, filter) in resources(&template, "AWS::Logs::MetricFilter") {
        let properties = resolved(&template, at(filter, "Properties"));
        let log_group = properties["LogGroupName"].as_str().unwrap();
        let Some(machine) = log_group.strip_prefix("/aws/vendedlogs/states/crossfade-") else { continue };
        let pattern = properties["FilterPattern"].as_str().unwrap();
        let Some(error) = pattern.split("$.details.error = \"").nth(1) else { continue };
        let error = error.split('"').next().unwrap();
        let definition: Json = serde_json::from_str(&read(format!("statemachine/{machine}.asl.json"))).unwrap();
        let ends = definition["States"].as_object().unwrap();
        assert!(ends.values().any(|state| state["Error"] == error), "{name}: no state of {machine} fails with {error}");
    }
}

#[test]
fn a_retirement_that_nobody_runs_is_counted_however_its_execution_ended() {
    let template = template();
    let metric = resource(&template, "RetirementInterruptedMetric", "AWS::Logs::MetricFilter");
    let pattern = resolved(&template, at(metric, "Properties"))["FilterPattern"].as_str().unwrap().to_owned();
    for end in ["ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut"] {
        assert!(pattern.contains(&format!("$.type = \"{end}\"")), "{end}: {pattern}");
    }
    let machine = resource(&template, "RetireServiceStateMachine", "AWS::Serverless::StateMachine");
    let level = at(machine, "Properties.Logging.Level");
    assert!(["ALL", "ERROR"].contains(&level.as_str().unwrap()), "the log has these ends: {level:?}");
}

#[test]
fn every_alarm_is_on_a_metric_that_exists_and_tells_the_topic() {
    let template = template();
    let ours = our_metrics();
    let topic =
        resolved(&template, at(resource(&template, "Notifications", "AWS::SNS::Topic"), "Properties.TopicName"));
    let alarms = resources(&template, "AWS::CloudWatch::Alarm");
    for (name, alarm) in &alarms {
        let properties = resolved(&template, at(alarm, "Properties"));
        let of_one = vec![properties.clone()];
        let metrics: Vec<Json> = match properties["Metrics"].as_array() {
            None => of_one,
            Some(all) => all
                .iter()
                .filter_map(|metric| metric["MetricStat"]["Metric"].as_object().cloned())
                .map(Json::from)
                .collect(),
        };
        for metric in metrics {
            let pair = (metric["Namespace"].as_str().unwrap(), metric["MetricName"].as_str().unwrap());
            let known = OF_AWS.contains(&pair) || (pair.0 == "Crossfade/crossfade" && ours.contains(pair.1));
            assert!(known, "{name}: nothing measures {pair:?}");
        }
        let told = properties["AlarmActions"][0].as_str().unwrap();
        assert!(told.ends_with(topic.as_str().unwrap()), "{name}: {told}");
        assert!(properties["AlarmDescription"].as_str().unwrap().len() > 80, "{name}: what it means, and what to do");
        // Silence is bad news of the sweep alone.
        let silence = if *name == "SilentSweepAlarm" { "breaching" } else { "notBreaching" };
        assert_eq!(properties["TreatMissingData"], silence, "{name}");
    }
    // The topic lets alarms of the stack speak, by their names.
    let names = physical_names(&template, "AWS::CloudWatch::Alarm", "AlarmName");
    assert!(names.iter().all(|name| name.starts_with("crossfade-")), "{names:?}");
}

#[test]
fn a_sum_of_metrics_names_each_of_them() {
    let template = template();
    for (name, alarm) in resources(&template, "AWS::CloudWatch::Alarm") {
        let properties = resolved(&template, at(alarm, "Properties"));
        let Some(metrics) = properties["Metrics"].as_array() else { continue };
        let returned: Vec<&Json> = metrics.iter().filter(|metric| metric["ReturnData"] == true).collect();
        assert_eq!(returned.len(), 1, "{name}");
        let summed: BTreeSet<&str> = returned[0]["Expression"].as_str().unwrap().split(" + ").collect();
        let given: BTreeSet<&str> = metrics
            .iter()
            .filter(|metric| metric.get("MetricStat").is_some())
            .map(|metric| metric["Id"].as_str().unwrap())
            .collect();
        assert_eq!(summed, given, "{name}");
    }
}
