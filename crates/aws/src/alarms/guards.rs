//! Alarms that we create: their definition in the SDK's types, their tags, their end.

use super::{CloudWatch, DESCRIBE, NAMES_IN_A_CALL};
use crate::classify::{failed, malformed};
use crate::metrics::statistic;
use aws_sdk_cloudwatch::types::{AlarmType, ComparisonOperator, MetricDataQuery, Tag};
use crossfade_actions::metric_math::MetricMath;
use crossfade_actions::ports::PortError;
use crossfade_domain::alarms::guard_alarm::NewAlarm;
use crossfade_domain::load_balancer::group::Tags;
use std::collections::BTreeMap;

const LIST_TAGS: &str = "ListTagsForResource";
const PUT: &str = "PutMetricAlarm";
const DELETE: &str = "DeleteAlarms";

impl CloudWatch {
    pub(super) async fn tags_by_name(&self, names: &[String]) -> Result<BTreeMap<String, Tags>, PortError> {
        let mut tags = BTreeMap::new();
        for batch in names.chunks(NAMES_IN_A_CALL) {
            let object = batch.join(", ");
            let mut pages = self
                .client
                .describe_alarms()
                .set_alarm_names(Some(batch.to_vec()))
                .alarm_types(AlarmType::MetricAlarm)
                .max_records(100)
                .into_paginator()
                .send();
            while let Some(page) = pages.next().await {
                for alarm in page.map_err(failed(DESCRIBE, &object))?.metric_alarms.unwrap_or_default() {
                    let (Some(name), Some(arn)) = (alarm.alarm_name, alarm.alarm_arn) else {
                        return Err(malformed(DESCRIBE, &object, "an alarm without a name or an ARN"));
                    };
                    match self.tags_of(&name, arn).await {
                        Ok(found) => tags.insert(name, found),
                        // Deleted since it was described.
                        Err(PortError::NotFound { .. }) => None,
                        Err(error) => return Err(error),
                    };
                }
            }
        }
        Ok(tags)
    }

    async fn tags_of(&self, name: &str, arn: String) -> Result<Tags, PortError> {
        let answer = self.client.list_tags_for_resource().resource_arn(arn).send().await;
        let tags = answer.map_err(failed(LIST_TAGS, name))?.tags.unwrap_or_default();
        Ok(tags.into_iter().filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default()))).collect())
    }

    pub(super) async fn put(&self, alarm: &NewAlarm) -> Result<(), PortError> {
        let MetricMath { metrics, expression } = MetricMath::of(alarm);
        let mut put = self
            .client
            .put_metric_alarm()
            .alarm_name(&alarm.name)
            .alarm_description(&alarm.description)
            // EventBridge gets every change of state; the alarm has no action of its own.
            .actions_enabled(false)
            .evaluation_periods(whole(alarm.periods))
            .datapoints_to_alarm(whole(alarm.bad_periods))
            .threshold(f64::from(alarm.percent))
            .comparison_operator(ComparisonOperator::GreaterThanOrEqualToThreshold)
            .treat_missing_data("notBreaching");
        for (id, query) in &metrics {
            put = put
                .metrics(MetricDataQuery::builder().id(*id).metric_stat(statistic(query)).return_data(false).build());
        }
        put =
            put.metrics(MetricDataQuery::builder().id(MetricMath::ID).expression(expression).return_data(true).build());
        for (key, value) in &alarm.tags {
            put = put.tags(Tag::builder().key(key).value(value).build());
        }
        put.send().await.map(drop).map_err(failed(PUT, &alarm.name))
    }

    pub(super) async fn delete(&self, names: &[String]) -> Result<(), PortError> {
        for batch in names.chunks(NAMES_IN_A_CALL) {
            let answer = self.client.delete_alarms().set_alarm_names(Some(batch.to_vec())).send().await;
            match answer.map(drop).map_err(failed(DELETE, &batch.join(", "))) {
                Ok(()) | Err(PortError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn whole(number: u32) -> i32 {
    i32::try_from(number).expect("a few periods")
}
