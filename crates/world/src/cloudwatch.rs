//! CloudWatch: a metric store, alarms that are evaluated from it, and the operations that Crossfade uses.
//!
//! Inputs and outputs are JSON trees by AWS's member names; timestamps in them are epoch seconds. The behaviour is that
//! of `docs/rehearsal.md`. Where AWS's documentation is silent, it is the stricter reading.

mod alarm;
mod alarm_api;
mod balancer_metrics;
mod composite;
mod evaluation;
mod event;
mod expression;
mod input;
mod lateness;
mod metric_api;
mod query;
mod statistic;
mod store;
mod suppressor;

pub use balancer_metrics::{Outcome, RequestRecord};
pub use lateness::Lateness;
pub use store::{Metric, Store};

use crate::aws_error::AwsError;
use alarm::Alarm;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::BTreeMap;

/// One account's CloudWatch in one region.
#[derive(Debug, Clone)]
pub struct CloudWatch {
    /// The metric data.
    pub store: Store,
    /// How late the metrics of AWS services are. What an application puts is there at once.
    pub lateness: Lateness,
    alarms: BTreeMap<String, Alarm>,
    /// How long a new alarm is not known everywhere.
    settles_after: SignedDuration,
    /// New alarms, until they are known everywhere.
    settling: BTreeMap<String, Timestamp>,
    history: Vec<alarm::Transition>,
    /// Events of contributors that were not taken yet.
    of_contributors: Vec<Value>,
    evaluated_until: Option<i64>,
    region: String,
    account: String,
    events: u64,
    knows_log_alarms: bool,
    page_limit: usize,
    data_point_limit: usize,
    metric_data_status: &'static str,
}

impl Default for CloudWatch {
    fn default() -> Self {
        Self::new("eu-west-1", "000000000000")
    }
}

impl CloudWatch {
    /// An empty one.
    pub fn new(region: &str, account: &str) -> Self {
        Self {
            store: Store::default(),
            lateness: Lateness::AWS,
            alarms: BTreeMap::new(),
            settles_after: SignedDuration::ZERO,
            settling: BTreeMap::new(),
            history: Vec::new(),
            of_contributors: Vec::new(),
            evaluated_until: None,
            region: region.to_owned(),
            account: account.to_owned(),
            events: 0,
            knows_log_alarms: true,
            page_limit: 100,
            data_point_limit: 100_800,
            metric_data_status: "Complete",
        }
    }

    /// For so long after the creation of an alarm, reads do not find it, as on AWS at times; at first they do at once.
    pub fn set_settling_time(&mut self, settles_after: SignedDuration) {
        self.settles_after = settles_after;
    }

    /// Refuses log alarms as an unknown type, as a partition may.
    pub fn forget_log_alarms(&mut self) {
        self.knows_log_alarms = false;
    }

    /// Makes pages smaller: paging can be tested with few alarms.
    pub fn limit_pages(&mut self, items: usize) {
        self.page_limit = items.max(1);
    }

    /// Makes pages of metric data smaller.
    pub fn limit_data_points(&mut self, points: usize) {
        self.data_point_limit = points.max(1);
    }

    /// Ends every answer of metric data with this `StatusCode`: `Complete`, `PartialData`, `InternalError` or
    /// `Forbidden`.
    pub fn end_metric_data_with(&mut self, status: &'static str) {
        self.metric_data_status = status;
    }

    /// Answers one operation by AWS's name.
    ///
    /// # Errors
    /// As AWS answers: `ValidationError`, `ResourceNotFound`, `InvalidParameterValue`, ...
    pub fn call(&mut self, now: Timestamp, operation: &str, input: &Value) -> Result<Value, AwsError> {
        self.settling.retain(|_, until| *until > now);
        match operation {
            "PutMetricAlarm" => self.put_metric_alarm(now, input),
            "PutCompositeAlarm" => self.put_composite_alarm(now, input),
            "PutLogAlarm" => self.put_log_alarm(now, input),
            "DescribeAlarms" => self.describe_alarms(now, input),
            "DescribeAlarmHistory" => self.describe_alarm_history(input),
            "DeleteAlarms" => Ok(self.delete_alarms(input)),
            "SetAlarmState" => self.set_alarm_state(now, input),
            "TagResource" => self.tag_resource(input),
            "ListTagsForResource" => self.list_tags(input),
            "GetMetricData" => self.get_metric_data(now, input),
            "PutMetricData" => self.put_metric_data(now, input),
            _ => Err(AwsError::bad_request(
                "UnknownOperationException",
                format!("{operation} is not in the local world"),
            )),
        }
    }

    /// Evaluates every alarm at each whole tick (10 s; 60 s where the period is a minute or longer) since the last
    /// call, and returns the `EventBridge` events of the changes, those of `SetAlarmState` included.
    pub fn evaluate(&mut self, now: Timestamp) -> Vec<Value> {
        let last_tick = now.as_second() - now.as_second().rem_euclid(10);
        let mut tick = self.evaluated_until.map_or(last_tick, |until| until + 10);
        while tick <= last_tick {
            self.evaluate_tick(tick);
            tick += 10;
        }
        self.evaluated_until = Some(last_tick);
        self.take_events()
    }

    /// The state of an alarm: `OK`, `ALARM` or `INSUFFICIENT_DATA`.
    pub fn alarm_state(&self, name: &str) -> Option<&'static str> {
        self.alarms.get(name).map(|alarm| alarm.state.as_str())
    }
}

#[cfg(test)]
mod tests;
