//! What the metrics promise.

use super::on_both_sides;
use super::samples::at;
use super::sides::{Open, Side};
use crossfade_actions::ports::PortError;
use crossfade_domain::comparison::{
    ComparedPair, GroupCounts, GroupPair, PairMinute, ResponseTimes, SlowAbove, queries, read, response_times,
};
use crossfade_domain::names::{LoadBalancerArn, TargetGroupArn};
use crossfade_world::cloudwatch::{Lateness, Outcome, RequestRecord};
use crossfade_world::world::World;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

on_both_sides![
    both_groups_are_counted_minute_by_minute_and_what_was_not_published_is_0,
    without_a_time_nothing_is_slow,
    counts_on_many_pages_are_put_together,
    more_queries_than_a_call_takes_are_all_answered,
    minutes_that_have_not_arrived_are_not_there,
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

/// Minutes 0 to 3, which have all arrived; in minute 2 nothing happens.
fn busy_world() -> Arc<World> {
    let world = World::new(at(0), 7);
    world.with(|state| state.cloudwatch.lateness = Lateness::NONE);
    let pair = pair();
    let (fine, failed) = (Outcome::Target(200), Outcome::Target(503));
    let unreachable = Outcome::ConnectionError(502);
    serve(&world, 0, &pair.old, &[(fine, 0.1), (fine, 0.2), (fine, 0.3), (failed, 0.1)]);
    serve(&world, 1, &pair.old, &[(fine, 0.1), (Outcome::Target(404), 0.1)]);
    serve(&world, 1, &pair.new, &[(fine, 0.4), (unreachable, 0.0), (failed, 0.3)]);
    serve(&world, 3, &pair.new, &[(fine, 0.1)]);
    world
}

fn counts([requests, server_errors, client_errors, connection_errors, answers, slow]: [u64; 6]) -> GroupCounts {
    GroupCounts { requests, server_errors, client_errors, connection_errors, answers, slow, ..GroupCounts::default() }
}

fn compared(slow_above: Option<f64>) -> ComparedPair {
    let slow_above = slow_above.map(|seconds| SlowAbove { old: seconds, new: seconds, very: 2.0 * seconds });
    ComparedPair { pair: pair(), slow_above, sticky: false }
}

/// The minutes of the pair, as one look reads them.
async fn minutes(open: &Open, slow_above: Option<f64>, [since, until]: [i64; 2]) -> Result<Vec<PairMinute>, PortError> {
    let pairs = vec![compared(slow_above)];
    let answers = open.metrics.data(&queries(&pairs), minute(since), minute(until)).await?;
    Ok(read(pairs, answers).remove(0).minutes)
}

async fn both_groups_are_counted_minute_by_minute_and_what_was_not_published_is_0(side: Side) {
    let open = side.open(&busy_world()).await;
    let nothing = counts([0; 6]);
    let of = |start, old, new: GroupCounts, balancer_errors| PairMinute {
        start: minute(start),
        old,
        new: GroupCounts { slow_by_old: new.slow, ..new },
        balancer_errors,
        new_targets: 0,
    };
    let expected = [
        of(0, counts([4, 1, 0, 0, 4, 1]), nothing, 0),
        of(1, counts([2, 0, 1, 0, 2, 0]), counts([3, 1, 0, 1, 2, 2]), 1),
    ];
    assert_eq!(minutes(&open, Some(0.2), [0, 3]).await.unwrap(), expected, "from minute 0 to before minute 3");
    let expected = [of(3, nothing, counts([1, 0, 0, 0, 1, 0]), 0)];
    assert_eq!(minutes(&open, Some(0.2), [2, 9]).await.unwrap(), expected);
}

async fn without_a_time_nothing_is_slow(side: Side) {
    let open = side.open(&busy_world()).await;
    let [only] = minutes(&open, None, [1, 2]).await.unwrap().try_into().unwrap();
    assert_eq!((only.old, only.new), (counts([2, 0, 1, 0, 2, 0]), counts([3, 1, 0, 1, 2, 0])));
}

async fn counts_on_many_pages_are_put_together(side: Side) {
    let world = busy_world();
    let whole = minutes(&side.open(&world).await, Some(0.2), [0, 9]).await.unwrap();
    world.with(|state| state.cloudwatch.limit_data_points(2));
    let paged = minutes(&side.open(&world).await, Some(0.2), [0, 9]).await.unwrap();
    assert_eq!(paged, whole);
    assert_eq!(paged.len(), 3);
}

async fn more_queries_than_a_call_takes_are_all_answered(side: Side) {
    let open = side.open(&busy_world()).await;
    let one = minutes(&open, Some(0.2), [0, 9]).await.unwrap();
    let pairs = vec![compared(Some(0.2)); 80];
    let asked = queries(&pairs);
    assert!(asked.len() > 2 * 500, "{}", asked.len());
    let answers = open.metrics.data(&asked, minute(0), minute(9)).await.unwrap();
    assert_eq!(answers.len(), asked.len());
    assert!(read(pairs, answers).iter().all(|pair| pair.minutes == one));
}

async fn minutes_that_have_not_arrived_are_not_there(side: Side) {
    let world = busy_world();
    world.with(|state| state.cloudwatch.lateness = Lateness::of(90));
    world.advance(SignedDuration::from_secs(4 * 60));
    let known = minutes(&side.open(&world).await, Some(0.2), [0, 9]).await.unwrap();
    let known: Vec<Timestamp> = known.iter().map(|of| of.start).collect();
    assert_eq!(known, [minute(0), minute(1)], "minute 1 arrived half a minute ago, minute 3 comes later");
}

async fn counts_that_are_not_complete_are_an_error(side: Side) {
    for status in ["PartialData", "InternalError", "Forbidden"] {
        let world = busy_world();
        world.with(|state| state.cloudwatch.end_metric_data_with(status));
        let error = minutes(&side.open(&world).await, Some(0.2), [0, 9]).await.unwrap_err();
        let denied = matches!(error, PortError::Denied { .. });
        assert_eq!((denied, error.is_transient()), (status == "Forbidden", status != "Forbidden"), "{error}");
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
    let asked = response_times::queries(&pair.load_balancer, &pair.old);
    let answers = open.metrics.data(&asked, minute(0), minute(62)).await.unwrap();
    let times = ResponseTimes::read(&answers[0], &answers[1], minute(62));
    assert_eq!(times, ResponseTimes { hour: Some(0.3), minutes: vec![0.2, 0.3, 0.5] });
    let asked = response_times::queries(&pair.load_balancer, &pair.new);
    let answers = open.metrics.data(&asked, minute(-60), minute(0)).await.unwrap();
    assert_eq!(ResponseTimes::read(&answers[0], &answers[1], minute(0)), ResponseTimes::default());
}
