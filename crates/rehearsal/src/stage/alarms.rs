//! Creates the alarms that exist before the plan.

use super::Stage;
use crate::scenario::ServiceScenario;
use crossfade_world::aws_error::AwsError;
use jiff::Timestamp;
use serde_json::{Value, json};

impl Stage {
    /// Each alarm fires when a target's 5xx is the response to more than 1 % of the requests of the service's load
    /// balancers, in 2 of 3 minutes. Missing data is no breach.
    pub(super) fn alarms(&self, service: &ServiceScenario, now: Timestamp) -> Result<(), AwsError> {
        let elbv2 = self.elbv2.lock().expect("no holder of the lock panics");
        let balancers: Vec<String> = service
            .load_balancers
            .iter()
            .filter_map(|name| elbv2.load_balancer_of(&self.listeners[name]))
            .filter_map(|arn| arn.split_once("loadbalancer/").map(|(_, dimension)| dimension.to_owned()))
            .collect();
        drop(elbv2);
        let mut cloudwatch = self.cloudwatch.lock().expect("no holder of the lock panics");
        for name in &service.existing_alarms {
            cloudwatch.call(now, "PutMetricAlarm", &share_of_errors(name, &balancers))?;
        }
        Ok(())
    }
}

fn share_of_errors(name: &str, balancers: &[String]) -> Value {
    let mut metrics = Vec::new();
    for (index, balancer) in balancers.iter().enumerate() {
        for (id, metric) in [("errors", "HTTPCode_Target_5XX_Count"), ("requests", "RequestCount")] {
            metrics.push(json!({
                "Id": format!("{id}{index}"), "ReturnData": false,
                "MetricStat": {
                    "Metric": {
                        "Namespace": "AWS/ApplicationELB", "MetricName": metric,
                        "Dimensions": [{"Name": "LoadBalancer", "Value": balancer}],
                    },
                    "Period": 60, "Stat": "Sum",
                },
            }));
        }
    }
    let sum = |id: &str| {
        let terms: Vec<String> = (0..balancers.len()).map(|index| format!("FILL({id}{index}, 0)")).collect();
        terms.join(" + ")
    };
    metrics.push(json!({
        "Id": "share", "Label": "5xx in percent of requests", "ReturnData": true,
        "Expression": format!("100 * ({}) / ({})", sum("errors"), sum("requests")),
    }));
    json!({
        "AlarmName": name, "AlarmDescription": "more than 1 % of requests failed", "Metrics": metrics,
        "EvaluationPeriods": 3, "DatapointsToAlarm": 2, "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching",
    })
}
