//! The dashboard: CloudWatch takes any text for its body and then shows an empty page.

use super::resolved::resolved;
use super::watching::{our_metrics, physical_names};
use super::{at, resource, template};
use crossfade_rehearsal::wiring::REGION;
use serde_json::Value as Json;

const GRID: u64 = 24;
/// What we show of the load balancers' own metrics.
const OF_TARGET_GROUPS: [&str; 3] = ["HTTPCode_Target_5XX_Count", "RequestCount", "TargetResponseTime"];

fn body() -> Json {
    let template = template();
    let dashboard = resource(&template, "Dashboard", "AWS::CloudWatch::Dashboard");
    let body = resolved(&template, at(dashboard, "Properties.DashboardBody"));
    serde_json::from_str(body.as_str().unwrap()).unwrap_or_else(|error| panic!("the body is not JSON: {error}"))
}

fn widgets(body: &Json) -> &Vec<Json> {
    body["widgets"].as_array().unwrap()
}

#[test]
fn every_widget_is_whole_and_covers_no_other() {
    let body = body();
    let mut covered = std::collections::BTreeSet::new();
    for widget in widgets(&body) {
        let title = widget["properties"]["title"].as_str().expect("a widget has a title");
        let number = |name: &str| widget[name].as_u64().unwrap_or_else(|| panic!("{title}: {name}"));
        let (x, y, width, height) = (number("x"), number("y"), number("width"), number("height"));
        assert!(width >= 1 && height >= 1 && x + width <= GRID, "{title} leaves the grid");
        for column in x..x + width {
            for row in y..y + height {
                assert!(covered.insert((column, row)), "{title} covers another");
            }
        }
        let kind = widget["type"].as_str().unwrap();
        assert!(["alarm", "metric", "log"].contains(&kind), "{title}: {kind}");
        if kind != "alarm" {
            assert_eq!(widget["properties"]["region"], REGION, "{title}");
        }
    }
    let rows: Vec<u64> = covered.iter().map(|(_, row)| *row).collect();
    let last = rows.iter().max().unwrap() + 1;
    assert_eq!(u64::try_from(covered.len()).unwrap(), GRID * last, "there is a gap");
}

/// `MetricName="..."` in a search.
fn searched(expression: &str) -> &str {
    let inside = expression.strip_prefix("SEARCH('").and_then(|rest| rest.split_once("', '")).unwrap_or_else(|| {
        panic!("only searches are expected, found {expression}");
    });
    inside.0.split("MetricName=\"").nth(1).unwrap().split('"').next().unwrap()
}

#[test]
fn every_metric_exists() {
    let (body, ours) = (body(), our_metrics());
    let mut shown = Vec::new();
    for widget in widgets(&body).iter().filter(|widget| widget["type"] == "metric") {
        for line in widget["properties"]["metrics"].as_array().unwrap() {
            let line = line.as_array().unwrap();
            let name = if let Some(expression) = line[0].get("expression") {
                let expression = expression.as_str().unwrap();
                let name = searched(expression);
                let ours = expression.contains("{\"Crossfade/crossfade\",Service");
                let theirs = expression.contains("{AWS/ApplicationELB,LoadBalancer,TargetGroup}");
                assert!(ours != theirs, "{expression}");
                assert_eq!(theirs, OF_TARGET_GROUPS.contains(&name), "{expression}");
                name.to_owned()
            } else {
                assert_eq!(line[0], "Crossfade/crossfade", "{line:?}");
                line[1].as_str().unwrap().to_owned()
            };
            assert!(ours.contains(&name) || OF_TARGET_GROUPS.contains(&name.as_str()), "nothing measures {name}");
            shown.push(name);
        }
    }
    for metric in &ours {
        assert!(shown.contains(metric), "{metric} is measured and not shown");
    }
}

#[test]
fn every_alarm_of_the_template_is_shown_and_every_log_group_exists() {
    let (body, template) = (body(), template());
    let shown = &widgets(&body)[0]["properties"]["alarms"];
    let mut shown: Vec<&str> = shown.as_array().unwrap().iter().map(|arn| arn.as_str().unwrap()).collect();
    shown.sort_unstable();
    let name = |arn: &str| arn.rsplit(':').next().unwrap().to_owned();
    let shown: Vec<String> = shown.into_iter().map(name).collect();
    assert_eq!(shown, physical_names(&template, "AWS::CloudWatch::Alarm", "AlarmName"));

    let log_groups = physical_names(&template, "AWS::Logs::LogGroup", "LogGroupName");
    let queries = widgets(&body).iter().filter_map(|widget| widget["properties"]["query"].as_str());
    for query in queries {
        let sources: Vec<&str> = query.split("SOURCE '").skip(1).map(|rest| rest.split('\'').next().unwrap()).collect();
        assert!(!sources.is_empty());
        for source in sources {
            assert!(log_groups.iter().any(|group| group == source), "there is no log group {source}");
        }
    }
}

#[test]
fn the_chosen_service_is_put_in_where_it_is_asked_for() {
    let body = body();
    let variable = &body["variables"][0];
    assert_eq!(variable["populateFrom"], "Service");
    assert_eq!(searched(&format!("SEARCH('{}', '", variable["search"].as_str().unwrap())), "Weight");
    let pattern = variable["pattern"].as_str().unwrap();
    assert!(body["widgets"].to_string().matches(pattern).count() >= 8, "{pattern}");
}
