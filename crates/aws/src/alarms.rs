//! CloudWatch alarms.

mod guards;
mod history;

use crate::classify::{failed, malformed};
use crate::clients::Later;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::types::{AlarmType, EvaluationState, HistoryItemType, MetricAlarm, ScanBy, StateValue};
use aws_smithy_types::DateTime;
use crossfade_actions::ports::{Alarms, GroupAlarm, PortError};
use crossfade_domain::alarms::alarm::{Alarm, AlarmState, Firing};
use crossfade_domain::alarms::guard_alarm::NewAlarm;
use crossfade_domain::load_balancer::group::Tags;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

/// `DescribeAlarms` takes no more names in one call.
const NAMES_IN_A_CALL: usize = 100;
const DESCRIBE: &str = "DescribeAlarms";
const DESCRIBE_HISTORY: &str = "DescribeAlarmHistory";
/// The codes with which CloudWatch refuses a value that it does not know.
const UNKNOWN_TYPE: [&str; 2] = ["ValidationError", "InvalidParameterValue"];

pub(crate) struct CloudWatch {
    client: Later<Client>,
    stack: String,
    /// Whether the partition has refused log alarms, which those of `GovCloud` and China may not know. Then no one can
    /// have any. Kept for as long as the process lives.
    refuses_log_alarms: AtomicBool,
}

impl CloudWatch {
    pub(crate) fn new(client: Later<Client>, stack: String) -> Self {
        Self { client, stack, refuses_log_alarms: AtomicBool::new(false) }
    }
}

#[async_trait::async_trait]
impl Alarms for CloudWatch {
    async fn alarms(&self, names: &[String]) -> Result<Vec<Alarm>, PortError> {
        self.of_known_types(|types| self.described(names, types)).await
    }

    async fn alarms_on_groups(&self) -> Result<Vec<GroupAlarm>, PortError> {
        let pages = self.client.describe_alarms().alarm_types(AlarmType::MetricAlarm).max_records(100);
        let mut pages = pages.into_paginator().send();
        let mut alarms = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(failed(DESCRIBE, "every metric alarm"))?;
            alarms.extend(page.metric_alarms.unwrap_or_default().into_iter().filter_map(on_groups));
        }
        Ok(alarms)
    }

    async fn firings(&self, names: &[String], since: Timestamp) -> Result<Vec<Firing>, PortError> {
        self.of_known_types(|types| self.fired(names, since, types)).await
    }

    fn guard_prefix(&self) -> String {
        format!("{}-guard-", self.stack)
    }

    async fn alarm_tags(&self, names: &[String]) -> Result<BTreeMap<String, Tags>, PortError> {
        self.tags_by_name(names).await
    }

    async fn put_alarm(&self, alarm: &NewAlarm) -> Result<(), PortError> {
        self.put(alarm).await
    }

    async fn delete_alarms(&self, names: &[String]) -> Result<(), PortError> {
        self.delete(names).await
    }
}

impl CloudWatch {
    /// Asks about alarms of every type, and again without log alarms where CloudWatch does not know that type.
    async fn of_known_types<T, F>(&self, ask: impl Fn(Vec<AlarmType>) -> F) -> Result<T, PortError>
    where
        F: Future<Output = Result<T, PortError>>,
    {
        // Without asking for them, only metric alarms are returned.
        let without_logs = vec![AlarmType::MetricAlarm, AlarmType::CompositeAlarm];
        if self.refuses_log_alarms.load(Ordering::Relaxed) {
            return ask(without_logs).await;
        }
        let everything = [without_logs.clone(), vec![AlarmType::LogAlarm]].concat();
        match ask(everything).await {
            Err(PortError::Refused { code, .. }) if UNKNOWN_TYPE.contains(&code.as_str()) => {
                let answer = ask(without_logs).await?;
                // Only now is it sure that the type was what was refused.
                self.refuses_log_alarms.store(true, Ordering::Relaxed);
                Ok(answer)
            }
            answer => answer,
        }
    }

    async fn described(&self, names: &[String], types: Vec<AlarmType>) -> Result<Vec<Alarm>, PortError> {
        let mut alarms = Vec::new();
        for batch in names.chunks(NAMES_IN_A_CALL) {
            let object = batch.join(", ");
            let mut pages = self
                .client
                .describe_alarms()
                .set_alarm_names(Some(batch.to_vec()))
                .set_alarm_types(Some(types.clone()))
                .max_records(100)
                .into_paginator()
                .send();
            while let Some(page) = pages.next().await {
                let page = page.map_err(failed(DESCRIBE, &object))?;
                alarms.extend(observed(page)?);
            }
        }
        Ok(alarms)
    }

    async fn fired(&self, names: &[String], since: Timestamp, types: Vec<AlarmType>) -> Result<Vec<Firing>, PortError> {
        let mut firings = Vec::new();
        for name in names {
            let mut items = self
                .client
                .describe_alarm_history()
                .alarm_name(name)
                .set_alarm_types(Some(types.clone()))
                .history_item_type(HistoryItemType::StateUpdate)
                .start_date(DateTime::from_secs(since.as_second()))
                .scan_by(ScanBy::TimestampDescending)
                .max_records(100)
                .into_paginator()
                .items()
                .send();
            while let Some(item) = items.next().await {
                let item = match item.map_err(failed(DESCRIBE_HISTORY, name)) {
                    Ok(item) => item,
                    // An alarm that is gone has no history; `alarms` reports that it is gone.
                    Err(PortError::NotFound { .. }) => break,
                    Err(error) => return Err(error),
                };
                let at =
                    timestamp(item.timestamp()).ok_or_else(|| malformed(DESCRIBE_HISTORY, name, "no timestamp"))?;
                let state = history::new_state(item.history_data(), item.history_summary())
                    .ok_or_else(|| malformed(DESCRIBE_HISTORY, name, "a change of state that names no new state"))?;
                if state == AlarmState::Alarm.as_str() && at >= since {
                    firings.push(Firing { name: name.clone(), at });
                }
            }
        }
        Ok(firings)
    }
}

/// What an alarm watches by its own dimensions, or by those of the metrics that it computes with.
fn on_groups(alarm: MetricAlarm) -> Option<GroupAlarm> {
    let computed = alarm.metrics.unwrap_or_default().into_iter().filter_map(|query| query.metric_stat?.metric);
    let dimensions = computed.flat_map(|metric| metric.dimensions.unwrap_or_default());
    let dimensions = dimensions.chain(alarm.dimensions.unwrap_or_default());
    let groups: BTreeSet<String> =
        dimensions.filter(|one| one.name() == Some("TargetGroup")).filter_map(|one| one.value).collect();
    (!groups.is_empty()).then_some(GroupAlarm { name: alarm.alarm_name?, groups })
}

fn observed(
    page: aws_sdk_cloudwatch::operation::describe_alarms::DescribeAlarmsOutput,
) -> Result<Vec<Alarm>, PortError> {
    let metric = page.metric_alarms.unwrap_or_default().into_iter().map(|alarm| Parts {
        name: alarm.alarm_name,
        state: alarm.state_value,
        evaluation: alarm.evaluation_state,
        transitioned: alarm.state_transitioned_timestamp,
        updated: alarm.state_updated_timestamp,
        reason: alarm.state_reason,
        actions_enabled: alarm.actions_enabled,
    });
    let composite = page.composite_alarms.unwrap_or_default().into_iter().map(|alarm| Parts {
        name: alarm.alarm_name,
        state: alarm.state_value,
        evaluation: None,
        transitioned: alarm.state_transitioned_timestamp,
        updated: alarm.state_updated_timestamp,
        reason: alarm.state_reason,
        actions_enabled: alarm.actions_enabled,
    });
    let log = page.log_alarms.unwrap_or_default().into_iter().map(|alarm| Parts {
        name: alarm.alarm_name,
        state: alarm.state_value,
        evaluation: alarm.evaluation_state,
        transitioned: alarm.state_transitioned_timestamp,
        updated: alarm.state_updated_timestamp,
        reason: alarm.state_reason,
        actions_enabled: alarm.actions_enabled,
    });
    metric.chain(composite).chain(log).map(Parts::alarm).collect()
}

/// The parts that all three kinds of alarm have.
struct Parts {
    name: Option<String>,
    state: Option<StateValue>,
    evaluation: Option<EvaluationState>,
    transitioned: Option<DateTime>,
    updated: Option<DateTime>,
    reason: Option<String>,
    actions_enabled: Option<bool>,
}

impl Parts {
    fn alarm(self) -> Result<Alarm, PortError> {
        let name = self.name.ok_or_else(|| malformed(DESCRIBE, "alarm", "an alarm without a name"))?;
        let since = timestamp(self.transitioned.as_ref())
            .or_else(|| timestamp(self.updated.as_ref()))
            .ok_or_else(|| malformed(DESCRIBE, &name, "no time of its last change"))?;
        let mut reason = self.reason.unwrap_or_default();
        let state = match self.state {
            Some(StateValue::Alarm) => AlarmState::Alarm,
            // The last state stays while CloudWatch cannot evaluate the alarm: that is not quiet.
            Some(StateValue::Ok) => match self.evaluation {
                Some(state @ (EvaluationState::EvaluationError | EvaluationState::EvaluationFailure)) => {
                    reason = format!("{}: {reason}", state.as_str());
                    AlarmState::InsufficientData
                }
                _ => AlarmState::Ok,
            },
            _ => AlarmState::InsufficientData,
        };
        Ok(Alarm { name, state, since, reason, actions_enabled: self.actions_enabled.unwrap_or(true) })
    }
}

fn timestamp(time: Option<&DateTime>) -> Option<Timestamp> {
    let time = time?;
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(state: Option<StateValue>, evaluation: Option<EvaluationState>) -> Parts {
        Parts {
            name: Some("users-5xx".to_owned()),
            state,
            evaluation,
            transitioned: Some(DateTime::from_secs(10)),
            updated: Some(DateTime::from_secs(20)),
            reason: Some("why".to_owned()),
            actions_enabled: Some(true),
        }
    }

    #[track_caller]
    fn check(state: Option<StateValue>, evaluation: Option<EvaluationState>, expected: AlarmState) {
        assert_eq!(parts(state, evaluation).alarm().unwrap().state, expected);
    }

    #[test]
    fn only_an_alarm_that_was_evaluated_is_quiet() {
        check(Some(StateValue::Ok), None, AlarmState::Ok);
        check(Some(StateValue::Ok), Some(EvaluationState::PartialData), AlarmState::Ok);
        check(Some(StateValue::Ok), Some(EvaluationState::EvaluationError), AlarmState::InsufficientData);
        check(Some(StateValue::Ok), Some(EvaluationState::EvaluationFailure), AlarmState::InsufficientData);
        check(Some(StateValue::Alarm), Some(EvaluationState::EvaluationError), AlarmState::Alarm);
        check(Some(StateValue::InsufficientData), None, AlarmState::InsufficientData);
        check(Some(StateValue::from("NEW")), None, AlarmState::InsufficientData);
        check(None, None, AlarmState::InsufficientData);
    }

    #[test]
    fn an_alarm_is_as_old_as_its_last_change_of_state() {
        let alarm = parts(Some(StateValue::Ok), None).alarm().unwrap();
        assert_eq!(alarm.since, Timestamp::from_second(10).unwrap());
        let older = Parts { transitioned: None, ..parts(Some(StateValue::Ok), None) };
        assert_eq!(older.alarm().unwrap().since, Timestamp::from_second(20).unwrap());
        let unknown = Parts { transitioned: None, updated: None, ..parts(Some(StateValue::Ok), None) };
        assert!(unknown.alarm().unwrap_err().is_transient());
    }
}
