//! The actions of other people and other systems in the world.

use super::{World, WorldState};
use crate::aws_error::AwsError;
use crate::elbv2::ProbeOutcome;
use crossfade_domain::alarms::alarm::AlarmState;
use serde_json::json;

impl World {
    /// Makes an alarm that is quiet, and that nothing but [`World::fire_alarm`] and [`World::quiet_alarm`] changes: it
    /// watches a metric without data and ignores missing data.
    pub fn add_alarm(&self, name: &str) {
        let alarm = json!({
            "AlarmName": name, "AlarmDescription": "set by hand", "Namespace": "Crossfade/ByHand", "MetricName": name,
            "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1.0,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold", "TreatMissingData": "ignore",
        });
        let mut state = self.locked();
        let now = state.now;
        state.cloudwatch.call(now, "PutMetricAlarm", &alarm).expect("the alarm is complete");
        state.set_alarm(name, "OK", "quiet from the start");
    }

    /// Makes an alarm on a query of logs that is quiet.
    pub fn add_log_alarm(&self, name: &str) {
        let mut state = self.locked();
        let now = state.now;
        state.cloudwatch.call(now, "PutLogAlarm", &json!({"AlarmName": name})).expect("the alarm has a name");
        state.set_alarm(name, "OK", "quiet from the start");
    }

    /// The alarm changes to ALARM; its event follows.
    pub fn fire_alarm(&self, name: &str) {
        self.locked().set_alarm(name, "ALARM", "Threshold Crossed: fired by hand");
    }

    /// Makes an alarm on a query with `GROUP BY` that is quiet.
    pub fn add_grouped_alarm(&self, name: &str) {
        let query = "SELECT SUM(HTTPCode_Target_5XX_Count) FROM \"AWS/ApplicationELB\" GROUP BY TargetGroup";
        let alarm = json!({
            "AlarmName": name, "Metrics": [{"Id": "q", "Expression": query, "Period": 60, "ReturnData": true}],
            "EvaluationPeriods": 1, "Threshold": 1.0, "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        });
        let mut state = self.locked();
        let now = state.now;
        state.cloudwatch.call(now, "PutMetricAlarm", &alarm).expect("the alarm is complete");
        state.set_alarm(name, "OK", "quiet from the start");
    }

    /// One of the time series of an alarm with `GROUP BY` begins or ceases to breach; its event follows. The alarm
    /// itself stays as it is.
    pub fn change_contributor(&self, alarm: &str, contributor: &str, breaches: bool) {
        let mut state = self.locked();
        let now = state.now;
        let value = if breaches { AlarmState::Alarm } else { AlarmState::Ok };
        state.cloudwatch.change_contributor(now, alarm, contributor, value);
        let events = state.cloudwatch.evaluate(now);
        state.events.extend(events);
    }

    /// Makes a composite alarm of one child, whose actions another alarm suppresses.
    pub fn add_suppressed_alarm(&self, name: &str, child: &str, suppressor: &str) {
        let alarm = json!({
            "AlarmName": name, "AlarmRule": format!("ALARM({child})"), "ActionsSuppressor": suppressor,
            "ActionsSuppressorWaitPeriod": 120, "ActionsSuppressorExtensionPeriod": 180,
        });
        let mut state = self.locked();
        let now = state.now;
        state.cloudwatch.call(now, "PutCompositeAlarm", &alarm).expect("both alarms exist");
    }

    /// The alarm changes to OK.
    pub fn quiet_alarm(&self, name: &str) {
        self.locked().set_alarm(name, "OK", "quiet again");
    }

    /// The alarm has no data to decide by.
    pub fn starve_alarm(&self, name: &str) {
        self.locked().set_alarm(name, "INSUFFICIENT_DATA", "no data");
    }

    /// Somebody deletes an alarm.
    pub fn delete_alarm(&self, name: &str) {
        let mut state = self.locked();
        let now = state.now;
        let gone = state.cloudwatch.call(now, "DeleteAlarms", &json!({"AlarmNames": [name]}));
        gone.expect("deleting an alarm is never refused");
    }

    /// Returns the groups and weights of a route: the ARN of a rule, or of a listener for its default action.
    pub fn weights_of(&self, route: &str) -> Vec<(String, u32)> {
        self.locked().elbv2.weights_of(route)
    }

    /// Someone sets one group's weight in a route; the other groups of the action keep theirs. A group that is not in
    /// the action is added to it.
    pub fn someone_sets_weight(&self, route: &str, group: &str, weight: u16) -> Result<(), AwsError> {
        let mut state = self.locked();
        let mut weights = state.elbv2.weights_of(route);
        match weights.iter_mut().find(|(arn, _)| arn == group) {
            Some((_, old)) => *old = u32::from(weight),
            None => weights.push((group.to_owned(), u32::from(weight))),
        }
        let now = state.now;
        state.elbv2.set_forward(now, route, &weights)
    }

    /// Someone adds a rule to a listener that forwards a path to a group; returns the rule's ARN.
    pub fn someone_adds_rule(&self, listener: &str, path: &str, group: &str) -> Result<String, AwsError> {
        let mut state = self.locked();
        let now = state.now;
        let priority = state.elbv2.next_priority(listener);
        let input = json!({
            "ListenerArn": listener, "Priority": priority, "Conditions": [{"Field": "path-pattern", "Values": [path]}],
            "Actions": [{"Type": "forward", "TargetGroupArn": group}],
        });
        let created = state.elbv2.call_json(now, "CreateRule", &input)?;
        Ok(created.list_at("Rules")[0].text_at("RuleArn").expect("a rule has an ARN").to_owned())
    }

    /// Someone deletes a rule.
    pub fn someone_deletes_rule(&self, rule: &str) -> Result<(), AwsError> {
        let mut state = self.locked();
        let now = state.now;
        state.elbv2.call_json(now, "DeleteRule", &json!({"RuleArn": rule})).map(drop)
    }

    /// Someone takes a group out of a route.
    pub fn someone_removes_group(&self, route: &str, group: &str) -> Result<(), AwsError> {
        let mut state = self.locked();
        let weights: Vec<_> = state.elbv2.weights_of(route).into_iter().filter(|(arn, _)| arn != group).collect();
        let now = state.now;
        state.elbv2.set_forward(now, route, &weights)
    }

    /// The targets of a group pass their health checks from now on, and are healthy at once if the group is in a rule.
    pub fn make_healthy(&self, group: &str) {
        self.locked().answer_probes(group, ProbeOutcome::Status(200));
    }

    /// The targets of a group fail their health checks from now on, and are unhealthy at once if the group is in a
    /// rule.
    pub fn make_unhealthy(&self, group: &str) {
        self.locked().answer_probes(group, ProbeOutcome::Status(503));
    }
}

impl WorldState {
    fn set_alarm(&mut self, name: &str, value: &str, reason: &str) {
        let input = json!({"AlarmName": name, "StateValue": value, "StateReason": reason});
        let now = self.now;
        self.cloudwatch.call(now, "SetAlarmState", &input).expect("the alarm exists");
        let events = self.cloudwatch.evaluate(now);
        self.events.extend(events);
    }

    fn answer_probes(&mut self, group: &str, outcome: ProbeOutcome) {
        self.probe_answers.insert(group.to_owned(), outcome);
        // Ten in a row pass every threshold. A group in no rule is not probed, so it stays unused.
        if !self.elbv2.is_in_use(group) {
            return;
        }
        for (target, port) in self.elbv2.targets_of(group) {
            for _ in 0..10 {
                self.elbv2.probe_result(group, &target, port, outcome);
            }
        }
    }
}
