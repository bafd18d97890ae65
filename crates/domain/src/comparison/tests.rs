mod requests;
mod routing;
mod unanswered;

use super::*;
use crate::journal::{Event, EventKind};
use crate::judge::{Before, MetricKind, Minute, Series};
use crate::names::{LoadBalancerArn, MigrationId, TargetGroupArn};
use crate::weight::Weight;
use std::collections::BTreeMap;

/// Of a plan that measured no dispersion.
fn series(window: &Window, pairs: &[PairRead]) -> Series {
    super::series(window, pairs, &BeforeByMetric::default())
}

fn minute(minute: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + 60 * minute).unwrap()
}

fn event(second: i64, kind: EventKind) -> Event {
    let at = Timestamp::from_second(1_800_000_000 + second).unwrap();
    Event { version: 1, sequence: 1, at, migration: MigrationId::parse("users-1").unwrap(), generation: 1, kind }
}

fn shift(second: i64, percent: f64) -> [Event; 2] {
    let weight = Weight::try_new(percent).unwrap();
    [
        event(second, EventKind::ShiftIntended { step: 1, weight }),
        event(second + 5, EventKind::Shifted { step: 1, weight }),
    ]
}

/// Shifts to 5 % in minute 0 and to 50 % in minute 4, looked at in minute 9.
fn window() -> Window {
    let events: Vec<Event> = [shift(-300, 0.0), shift(10, 5.0), shift(250, 50.0)].concat();
    Window::of(&events, minute(9) + jiff::SignedDuration::from_secs(59)).unwrap()
}

fn counts(requests: u64, server_errors: u64, connection_errors: u64, slow: u64) -> GroupCounts {
    let answers = requests - connection_errors;
    GroupCounts { requests, server_errors, connection_errors, answers, slow, ..GroupCounts::default() }
}

fn compared(slow_above: Option<f64>) -> ComparedPair {
    let slow_above = slow_above.map(|old| SlowAbove { old, new: 1.2 * old, very: 2.0 * old });
    let arn = |kind: &str| format!("arn:aws:elasticloadbalancing:eu-west-1:1:{kind}");
    let pair = GroupPair {
        load_balancer: LoadBalancerArn::parse(arn("loadbalancer/app/public/1")).unwrap(),
        old: TargetGroupArn::parse(arn("targetgroup/old/1")).unwrap(),
        new: TargetGroupArn::parse(arn("targetgroup/new/2")).unwrap(),
    };
    ComparedPair { pair, slow_above, sticky: false }
}

fn pair_read(slow_above: Option<f64>, minutes: &[(i64, GroupCounts, GroupCounts)]) -> PairRead {
    let of = |&(number, old, new): &(i64, GroupCounts, GroupCounts)| PairMinute {
        start: minute(number),
        old,
        new,
        balancer_errors: 0,
        new_targets: 0,
    };
    PairRead { of: compared(slow_above), minutes: minutes.iter().map(of).collect() }
}

/// A pair of which nothing was published.
fn nothing() -> PairRead {
    pair_read(None, &[])
}

#[test]
fn nothing_is_looked_at_before_the_first_traffic() {
    assert_eq!(Window::of(&[], minute(0)), None);
    assert_eq!(Window::of(&shift(0, 0.0), minute(9)), None);
}

#[test]
fn a_minute_is_looked_at_from_the_third_minute_on() {
    let at = |second: i64| {
        let now = minute(0) + jiff::SignedDuration::from_secs(second);
        let minutes = series(&Window::of(&shift(0, 5.0), now).unwrap(), &[nothing()]);
        minutes.metrics[&MetricKind::Errors].sum().len()
    };
    assert_eq!([at(10), at(179), at(180), at(239), at(240)], [0, 0, 1, 1, 2]);
}

#[test]
fn a_step_is_reached_when_its_first_minute_has_settled() {
    let events: Vec<Event> = [shift(10, 5.0), shift(250, 50.0)].concat();
    let at = |second: i64| {
        let now = minute(0) + jiff::SignedDuration::from_secs(second);
        Window::of(&events, now).unwrap().has_reached_the_step()
    };
    // The weight changed in minute 4, which settles at the end of minute 6.
    assert_eq!([at(255), at(419), at(420), at(600)], [false, false, true, true]);
}

#[test]
fn ages_count_from_the_last_change_of_weight() {
    let minutes = series(&window(), &[nothing()]).metrics[&MetricKind::Errors].sum();
    let ages: Vec<u32> = minutes.iter().map(|minute| minute.age).collect();
    assert_eq!(ages, [0, 1, 2, 3, 0, 1, 2]);
}

#[test]
fn a_shift_that_takes_minutes_begins_its_step_again_when_it_is_verified() {
    let [intended, mut verified] = shift(0, 5.0);
    verified.at = minute(2);
    let window = Window::of(&[intended, verified], minute(6)).unwrap();
    let ages: Vec<u32> =
        series(&window, &[nothing()]).metrics[&MetricKind::Errors].sum().iter().map(|minute| minute.age).collect();
    assert_eq!(ages, [0, 1, 0, 1]);
}

#[test]
fn what_was_not_published_is_0_and_what_has_not_settled_is_left_out() {
    let pair =
        pair_read(None, &[(1, counts(90, 2, 1, 0), counts(10, 1, 2, 0)), (7, counts(9, 9, 0, 0), counts(9, 9, 0, 0))]);
    let errors = &series(&window(), &[pair]).metrics[&MetricKind::Errors].sum();
    assert_eq!(errors.len(), 7);
    assert_eq!(errors[0], Minute::default());
    assert_eq!(errors[1], Minute { age: 1, new_bad: 3, new: 10, old_bad: 3, old: 90 });
    assert!(errors[2..].iter().all(|minute| minute.new == 0 && minute.old == 0));
}

#[test]
fn all_pairs_of_a_service_are_added_up_minute_by_minute() {
    let public = pair_read(Some(0.2), &[(1, counts(90, 1, 0, 5), counts(10, 0, 0, 2))]);
    // More connection errors than requests: every request failed, and no more than that.
    let internal =
        pair_read(Some(0.1), &[(1, counts(50, 1, 0, 3), GroupCounts { connection_errors: 9, ..counts(4, 0, 0, 1) })]);
    let series = series(&window(), &[public, internal]);
    let errors = series.metrics[&MetricKind::Errors].sum()[1];
    assert_eq!(errors, Minute { age: 1, new_bad: 4, new: 14, old_bad: 2, old: 140 });
    let slow = series.metrics[&MetricKind::Slow].sum()[1];
    assert_eq!(slow, Minute { age: 1, new_bad: 3, new: 14, old_bad: 8, old: 140 });
}

#[test]
fn without_answers_before_the_first_shift_nothing_counts_as_slow() {
    let measured = pair_read(Some(0.2), &[(1, counts(90, 0, 0, 5), counts(10, 0, 0, 2))]);
    let unmeasured = pair_read(None, &[(1, counts(50, 0, 0, 0), counts(50, 0, 0, 0))]);
    let only = series(&window(), std::slice::from_ref(&unmeasured));
    assert!(!only.metrics.contains_key(&MetricKind::Slow));
    let slow = series(&window(), &[measured, unmeasured]).metrics[&MetricKind::Slow].sum()[1];
    assert_eq!((slow.new_bad, slow.new, slow.old_bad, slow.old), (2, 10, 5, 90), "of the measured pair alone");
}

#[test]
fn dispersion_is_that_of_the_plan_and_as_large_as_can_be_where_it_has_none() {
    let old = counts(2000, 2, 0, 0);
    let minutes: Vec<_> = (-60..7).map(|number| (number, old, counts(100, 0, 0, 0))).collect();
    let dispersion = |measured: &[(MetricKind, f64)], kind: MetricKind| {
        let of = |&(kind, dispersion): &(MetricKind, f64)| (kind, Before { dispersion, old_share: None });
        let all: BTreeMap<MetricKind, Before> = measured.iter().map(of).collect();
        let pair = pair_read(Some(0.2), &minutes);
        let before = BeforeByMetric { all, ..BeforeByMetric::default() };
        super::series(&window(), &[pair], &before).metrics[&kind].before.dispersion
    };
    let planned = [(MetricKind::Errors, 1.25), (MetricKind::Slow, 2.5)];
    let found = [MetricKind::Errors, MetricKind::Slow, MetricKind::ClientErrors].map(|kind| dispersion(&planned, kind));
    assert!(
        found.iter().zip([1.25, 2.5, 5.0]).all(|(found, expected)| (found - expected).abs() < f64::EPSILON),
        "{found:?}"
    );
}

#[test]
fn after_fifteen_days_there_is_no_series_any_more_and_only_what_is_kept_is_asked_for() {
    let day = 24 * 60;
    let at = |now: i64| Window::of(&shift(10, 10.0), minute(now)).unwrap();
    let young = at(14 * day);
    assert!(!young.has_outlived_its_data());
    assert_eq!(young.kept_since(), minute(-60));
    assert!(!at(15 * day - 60).has_outlived_its_data(), "the hour before is exactly fifteen days old");
    let old = at(15 * day - 59);
    assert!(old.has_outlived_its_data());
    assert_eq!(old.kept_since(), minute(-59));
    // Without the hour before, nobody knows how many errors of its own a load balancer always has; starving is seen all
    // the same.
    let now = 16 * day;
    let of = |number| PairMinute {
        start: minute(number),
        old: counts(900, 0, 0, 0),
        new: GroupCounts { connection_errors: 5, ..GroupCounts::default() },
        balancer_errors: 50,
        new_targets: 0,
    };
    let pair = PairRead { of: compared(None), minutes: (now - 30..now).map(of).collect() };
    let said = objections(&at(now), Weight::try_new(10.0).unwrap(), &[pair]);
    assert!(said.len() == 1 && said[0].contains("less than half of its share"), "{said:?}");
}

#[test]
fn refused_answers_are_a_metric_of_their_own() {
    let refused = |client_errors, counts| GroupCounts { client_errors, ..counts };
    let pair = pair_read(None, &[(1, refused(9, counts(90, 2, 0, 0)), refused(4, counts(10, 1, 0, 0)))]);
    let series = series(&window(), &[pair]);
    let minute = series.metrics[&MetricKind::ClientErrors].sum()[1];
    assert_eq!(minute, Minute { age: 1, new_bad: 4, new: 10, old_bad: 9, old: 90 });
    let minute = series.metrics[&MetricKind::Errors].sum()[1];
    assert_eq!((minute.new_bad, minute.old_bad), (1, 2), "they are no errors");
}

#[test]
fn one_look_asks_for_every_count_of_both_groups_and_for_the_load_balancers_own_errors() {
    let asked =
        |slow_above| -> Vec<String> { queries(&[compared(slow_above)]).iter().map(ToString::to_string).collect() };
    let of = |group: &str, slow: &str| {
        [
            format!("Sum of RequestCount of {group}"),
            format!("Sum of HTTPCode_Target_5XX_Count of {group}"),
            format!("Sum of HTTPCode_Target_4XX_Count of {group}"),
            format!("Sum of TargetConnectionErrorCount of {group}"),
            format!("SampleCount of TargetResponseTime of {group}"),
            format!("TC({slow}:) of TargetResponseTime of {group}"),
            format!("TC(0.500000:) of TargetResponseTime of {group}"),
        ]
    };
    let mut expected = [of("old", "0.250000"), of("new", "0.300000")].concat();
    expected.insert(expected.len() - 1, "TC(0.250000:) of TargetResponseTime of new".to_owned());
    expected.push("Maximum of HealthyHostCount of new".to_owned());
    expected.push("Sum of HTTPCode_ELB_5XX_Count of public".to_owned());
    assert_eq!(asked(Some(0.25)), expected);
    expected.retain(|query| !query.starts_with("TC"));
    assert_eq!(asked(None), expected);
    assert_eq!(queries(&[compared(None), compared(None)]).len(), 24);
}

#[test]
fn answers_are_told_apart_by_their_place() {
    let pairs = vec![compared(Some(0.2)), compared(None)];
    let answers: Vec<_> =
        (0..queries(&pairs).len()).map(|place| vec![(minute(1), f64::from(u8::try_from(place).unwrap()))]).collect();
    let [first, second] = read(pairs, answers).try_into().unwrap();
    let of = |[requests, server_errors, client_errors, connection_errors, answers, slow]: [u64; 6]| {
        let counts = GroupCounts::default();
        GroupCounts { requests, server_errors, client_errors, connection_errors, answers, slow, ..counts }
    };
    let old = GroupCounts { very_slow: 6, ..of([0, 1, 2, 3, 4, 5]) };
    let new = GroupCounts { slow_by_old: 13, very_slow: 14, ..of([7, 8, 9, 10, 11, 12]) };
    assert_eq!(first.minutes, [PairMinute { start: minute(1), old, new, balancer_errors: 16, new_targets: 15 }]);
    let (old, new) = (of([17, 18, 19, 20, 21, 0]), of([22, 23, 24, 25, 26, 0]));
    assert_eq!(second.minutes, [PairMinute { start: minute(1), old, new, balancer_errors: 28, new_targets: 27 }]);
}

#[test]
fn slow_is_above_the_hours_percentile_or_the_median_of_the_minutes() {
    let times = |hour, minutes: &[f64]| ResponseTimes { hour, minutes: minutes.to_vec() }.slow_above_microseconds();
    assert_eq!(times(Some(0.3), &[0.1]), Some(300_000));
    assert_eq!(times(None, &[0.3, 0.1, 0.2]), Some(200_000));
    assert_eq!(times(None, &[]), None);
}

#[test]
fn the_hour_before_is_the_last_whole_one_and_minutes_count_until_the_time_itself() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let points = |points: &[(&str, f64)]| points.iter().map(|(start, seconds)| (at(start), *seconds)).collect();
    let hours = points(&[("2026-11-02T02:00:00Z", 0.3), ("2026-11-02T03:00:00Z", 9.0)]);
    let minutes =
        points(&[("2026-11-02T02:05:00Z", 0.1), ("2026-11-02T03:16:00Z", 0.2), ("2026-11-02T03:17:00Z", 9.0)]);
    let before = at("2026-11-02T03:17:00Z");
    let expected = ResponseTimes { hour: Some(0.3), minutes: vec![0.1, 0.2] };
    assert_eq!(ResponseTimes::read(&hours, &minutes, before), expected);
    let only_this_hour = points(&[("2026-11-02T03:00:00Z", 9.0)]);
    assert_eq!(ResponseTimes::read(&only_this_hour, &vec![], before), ResponseTimes::default());
}

#[test]
fn the_last_whole_hour_is_one_of_the_clock() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let hour = (at("2026-11-02T02:00:00Z"), at("2026-11-02T03:00:00Z"));
    assert_eq!(last_whole_hour(at("2026-11-02T03:17:00Z")), hour);
    assert_eq!(last_whole_hour(at("2026-11-02T03:00:00Z")), hour);
}
