//! CloudWatch through the SDK.

use super::served::{Served, code};
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{
    AlarmType, ComparisonOperator, HistoryItemType, Metric, MetricDataQuery, MetricDatum, MetricStat, StateValue,
    Statistic, StatusCode,
};

async fn put_alarm(client: &Client, name: &str) {
    client
        .put_metric_alarm()
        .alarm_name(name)
        .namespace("Shop")
        .metric_name("Lag")
        .statistic(Statistic::Maximum)
        .period(60)
        .evaluation_periods(1)
        .threshold(10.0)
        .comparison_operator(ComparisonOperator::GreaterThanThreshold)
        .treat_missing_data("ignore")
        .send()
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alarms_are_set_described_by_type_and_remembered() {
    let world = Served::start().await;
    let client = Client::new(&world.config);
    for name in ["a", "b", "c"] {
        put_alarm(&client, name).await;
    }
    client.put_composite_alarm().alarm_name("any").alarm_rule("ALARM(a) OR ALARM(b)").send().await.unwrap();
    let started = world.clock.now();
    client.set_alarm_state().alarm_name("b").state_value(StateValue::Alarm).state_reason("drill").send().await.unwrap();

    let names = ["a", "b", "any", "nobody"].map(str::to_owned).to_vec();
    let without_types = client.describe_alarms().set_alarm_names(Some(names.clone())).send().await.unwrap();
    assert_eq!((without_types.metric_alarms().len(), without_types.composite_alarms().len()), (2, 0));
    let both = client.describe_alarms().set_alarm_names(Some(names));
    let both = both.alarm_types(AlarmType::MetricAlarm).alarm_types(AlarmType::CompositeAlarm).send().await.unwrap();
    assert_eq!(both.composite_alarms()[0].state_value(), Some(&StateValue::Alarm));
    let fired = both.metric_alarms().iter().find(|alarm| alarm.alarm_name() == Some("b")).unwrap();
    assert_eq!(fired.state_value(), Some(&StateValue::Alarm));
    assert!(fired.state_transitioned_timestamp().unwrap().secs() >= started.as_second());

    client.set_alarm_state().alarm_name("b").state_value(StateValue::Ok).state_reason("over").send().await.unwrap();
    let history = client
        .describe_alarm_history()
        .alarm_name("b")
        .history_item_type(HistoryItemType::StateUpdate)
        .start_date(DateTime::from_secs(started.as_second()))
        .send()
        .await
        .unwrap();
    let summaries: Vec<_> = history.alarm_history_items().iter().filter_map(|item| item.history_summary()).collect();
    assert!(summaries.iter().any(|summary| summary.ends_with("to ALARM")), "{summaries:?}");

    world.cloudwatch.lock().unwrap().limit_pages(2);
    let pages: Vec<_> = client.describe_alarms().into_paginator().send().collect::<Result<Vec<_>, _>>().await.unwrap();
    assert!(pages.len() > 1);
    assert_eq!(pages.iter().map(|page| page.metric_alarms().len()).sum::<usize>(), 3);
    let unknown =
        client.set_alarm_state().alarm_name("nobody").state_value(StateValue::Ok).state_reason("x").send().await;
    assert!(code(unknown).contains("ResourceNotFound"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metric_data_comes_back_with_its_mathematics() {
    let world = Served::start().await;
    let client = Client::new(&world.config);
    let minute = world.clock.now().as_second().div_euclid(60) * 60 - 600;
    // Enough data points for the SDK to compress the body.
    let data: Vec<MetricDatum> = (0..400)
        .map(|n| {
            let at = DateTime::from_secs(minute + 60 * (n % 2));
            let name = if n < 300 { "Requests" } else { "Errors" };
            MetricDatum::builder().metric_name(name).value(1.0).timestamp(at).build()
        })
        .collect();
    client.put_metric_data().namespace("Shop").set_metric_data(Some(data)).send().await.unwrap();
    let metric = |id: &str, name: &str| {
        let metric = Metric::builder().namespace("Shop").metric_name(name).build();
        let stat = MetricStat::builder().metric(metric).period(60).stat("Sum").build();
        MetricDataQuery::builder().id(id).metric_stat(stat).return_data(false).build()
    };
    let share = MetricDataQuery::builder().id("share").expression("IF(r > 10, 100 * FILL(e, 0) / r, 0)").build();
    let answer = client
        .get_metric_data()
        .metric_data_queries(metric("r", "Requests"))
        .metric_data_queries(metric("e", "Errors"))
        .metric_data_queries(share)
        .start_time(DateTime::from_secs(minute))
        .end_time(DateTime::from_secs(minute + 120))
        .send()
        .await
        .unwrap();
    let result = &answer.metric_data_results()[0];
    assert_eq!((result.id(), result.status_code()), (Some("share"), Some(&StatusCode::Complete)));
    assert_eq!(result.timestamps()[0].secs(), minute + 60, "newest first");
    let values = result.values();
    assert!(values.len() == 2 && values.iter().all(|value| (value - 100.0 / 3.0).abs() < 1e-9), "{values:?}");
}
