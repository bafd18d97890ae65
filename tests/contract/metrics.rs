//! What the metrics promise.

use super::on_both_sides;
use super::samples::at;
use super::sides::Side;
use crossfade_actions::ports::PortError;
use crossfade_domain::comparison::{GroupCounts, GroupPair, PairMinute, ResponseTimes};
use crossfade_domain::ids::{LoadBalancerArn, TargetGroupArn};
use crossfade_world::cloudwatch::{Outcome, RequestRecord};
use crossfade_world::world::World;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

on_both_sides![
    both_groups_are_counted_minute_by_minute_and_what_was_not_published_is_0,
    without_a_time_nothing_is_slow,
    counts_on_many_pages_are_put_together,
    counts_that_are_not_complete_are_an_error,
    response_times_are_those_of_the_last_whole_hour_and_of_each_minute_since,
];

fn pair() -> GroupPair {
    let arn = |kind: &str| format!("arn:aws:elasticloadbalancing:eu-west-1:1:{kind}");
    GroupPair {
        load_balancer: LoadBalancerArn::parse(arn("loadbalancer/app/public/1")).unwrap(),
        old: TargetGroupArn::parse(arn("targetgroup/old/1")).unwrap(),
        new: TargetGroupArn::parse(arn("targetgroup/new/2")).unwrap(),
    }
}

fn minute(number: i64) -> Timestamp {
    at(60 * number)
}

/// One request each, at a second of a minute.
fn serve(world: &World, minute: i64, group: &TargetGroupArn, requests: &[(Outcome, f64)]) {
    world.with(|state| {
        for (outcome, latency_seconds) in requests {
            let record = RequestRecord {
                load_balancer: pair().load_balancer.dimension().to_owned(),
                target_group: Some(group.dimension().to_owned()),
                outcome: *outcome,
                latency_seconds: *latency_seconds,
            };
            state.cloudwatch.record_request(at(60 * minute + 30), &record);
        }
    });
}

/// Minutes 0 to 3; in minute 2 nothing happens.
fn busy_world() -> Arc<World> {
    let world = World::new(at(0), 7);
    let pair = pair();
    let (fine, failed) = (Outcome::Target(200), Outcome::Target(503));
    let unreachable = Outcome::ConnectionError(502);
    serve(&world, 0, &pair.old, &[(fine, 0.1), (fine, 0.2), (fine, 0.3), (failed, 0.1)]);
    serve(&world, 1, &pair.old, &[(fine, 0.1), (Outcome::Target(404), 0.1)]);
    serve(&world, 1, &pair.new, &[(fine, 0.4), (unreachable, 0.0), (failed, 0.3)]);
    serve(&world, 3, &pair.new, &[(fine, 0.1)]);
    world
}

fn counts([requests, server_errors, connection_errors, answers, slow]: [u64; 5]) -> GroupCounts {
    GroupCounts { requests, server_errors, connection_errors, answers, slow }
}

async fn both_groups_are_counted_minute_by_minute_and_what_was_not_published_is_0(side: Side) {
    let open = side.open(&busy_world()).await;
    let minutes = open.metrics.group_minutes(&pair(), Some(0.2), minute(0), minute(3)).await.unwrap();
    let expected = [
        PairMinute { start: minute(0), old: counts([4, 1, 0, 4, 1]), new: counts([0; 5]) },
        PairMinute { start: minute(1), old: counts([2, 0, 0, 2, 0]), new: counts([3, 1, 1, 2, 2]) },
    ];
    assert_eq!(minutes, expected, "from minute 0 to before minute 3");
    let later = open.metrics.group_minutes(&pair(), Some(0.2), minute(2), minute(9)).await.unwrap();
    assert_eq!(later, [PairMinute { start: minute(3), old: counts([0; 5]), new: counts([1, 0, 0, 1, 0]) }]);
}

async fn without_a_time_nothing_is_slow(side: Side) {
    let open = side.open(&busy_world()).await;
    let minutes = open.metrics.group_minutes(&pair(), None, minute(1), minute(2)).await.unwrap();
    let expected = PairMinute { start: minute(1), old: counts([2, 0, 0, 2, 0]), new: counts([3, 1, 1, 2, 0]) };
    assert_eq!(minutes, [expected]);
}

async fn counts_on_many_pages_are_put_together(side: Side) {
    let world = busy_world();
    let whole = side.open(&world).await.metrics.group_minutes(&pair(), Some(0.2), minute(0), minute(9)).await.unwrap();
    world.with(|state| state.cloudwatch.limit_data_points(2));
    let open = side.open(&world).await;
    let paged = open.metrics.group_minutes(&pair(), Some(0.2), minute(0), minute(9)).await.unwrap();
    assert_eq!(paged, whole);
    assert_eq!(paged.len(), 3);
}

async fn counts_that_are_not_complete_are_an_error(side: Side) {
    for status in ["PartialData", "InternalError", "Forbidden"] {
        let world = busy_world();
        world.with(|state| state.cloudwatch.end_metric_data_with(status));
        let open = side.open(&world).await;
        let error = open.metrics.group_minutes(&pair(), Some(0.2), minute(0), minute(9)).await.unwrap_err();
        let denied = matches!(error, PortError::Denied { .. });
        assert_eq!((denied, error.is_transient()), (status == "Forbidden", status != "Forbidden"), "{error}");
        open.metrics.response_times(&pair().load_balancer, &pair().old, minute(9)).await.unwrap_err();
    }
}

async fn response_times_are_those_of_the_last_whole_hour_and_of_each_minute_since(side: Side) {
    let world = World::new(at(0), 7);
    let pair = pair();
    // The world begins at a whole hour; minute 60 is the next.
    let fine = |seconds| (Outcome::Target(200), seconds);
    serve(&world, -1, &pair.old, &[fine(9.0)]);
    serve(&world, 5, &pair.old, &[fine(0.1), fine(0.2)]);
    serve(&world, 59, &pair.old, &[fine(0.3)]);
    serve(&world, 61, &pair.old, &[fine(0.5), fine(0.4)]);
    serve(&world, 62, &pair.old, &[fine(7.0)]);
    serve(&world, 20, &pair.new, &[fine(8.0)]);
    world.advance(SignedDuration::from_secs(70 * 60));
    let open = side.open(&world).await;
    let times = open.metrics.response_times(&pair.load_balancer, &pair.old, minute(62)).await.unwrap();
    assert_eq!(times, ResponseTimes { hour: Some(0.3), minutes: vec![0.2, 0.3, 0.5] });
    let none = ResponseTimes { hour: None, minutes: vec![] };
    assert_eq!(open.metrics.response_times(&pair.load_balancer, &pair.old, minute(1)).await.unwrap().minutes, [9.0]);
    assert_eq!(open.metrics.response_times(&pair.load_balancer, &pair.new, minute(0)).await.unwrap(), none);
}
