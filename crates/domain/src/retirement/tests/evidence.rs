//! Whether the old side is idle, and what is seen after the detach.

use super::*;
use crate::load_balancer::group::Attributes;
use crate::load_balancer::metric_query::DataPoints;
use crate::planner::fixture::balancer_arn;

const DAY: u32 = 24 * 3_600;

/// A point in every period.
fn published(window: &IdleWindow) -> DataPoints {
    let step = SignedDuration::from_secs(i64::from(window.period_seconds));
    let mut points = Vec::new();
    let mut at = window.since;
    while at < window.until {
        points.push((at, 3.0));
        at += step;
    }
    points
}

fn counts(window: &IdleWindow, requests: DataPoints) -> OldCounts {
    OldCounts {
        load_balancer: balancer_arn("public"),
        group: group("users-public"),
        sticky: false,
        requests,
        healthy: published(window),
    }
}

fn window() -> IdleWindow {
    idle_window(zero(), DAY, zero() + days(3)).unwrap()
}

#[test]
fn invariant_12_the_window_begins_after_the_last_weight_has_reached_every_node() {
    let too_early = idle_window(zero(), DAY, zero() + days(1)).unwrap_err();
    assert!(idle_window(zero(), DAY, too_early - SignedDuration::from_secs(61)).is_err());
    let window = idle_window(zero(), DAY, too_early).unwrap();
    assert!(window.since >= zero() + SignedDuration::from_secs(120), "{window:?}");
    assert_eq!(window.length(), days(1));
    // CloudWatch has everything of it.
    assert!(window.until <= too_early - SignedDuration::from_secs(180));
}

#[test]
fn long_windows_are_read_in_periods_that_cloudwatch_still_has() {
    let now = zero() + days(40);
    assert_eq!(idle_window(zero(), DAY, now).unwrap().period_seconds, 60);
    let month = idle_window(zero(), 30 * DAY, now).unwrap();
    assert_eq!((month.period_seconds, month.length()), (300, days(30)));
}

#[test]
fn a_service_with_one_request_a_day_is_never_idle_before_a_day_without_it() {
    let calls: Vec<Timestamp> = (0..4).map(|day| zero() + days(day) + SignedDuration::from_hours(9)).collect();
    let mut first_idle = None;
    let mut now = zero() + days(1);
    while now < zero() + days(6) {
        if let Ok(window) = idle_window(zero(), DAY, now) {
            let inside = calls.iter().filter(|call| (window.since..window.until).contains(call));
            let requests = inside.map(|call| (*call, 1.0)).collect();
            if matches!(judge_idle(&window, &[counts(&window, requests)], 5.0), Idle::Idle(_)) {
                first_idle.get_or_insert(now);
            }
        }
        now += SignedDuration::from_mins(1);
    }
    let first_idle = first_idle.expect("it is idle after the last call");
    assert!(first_idle > calls[3] + days(1), "{first_idle}");
}

#[test]
fn requests_in_the_window_are_counted_and_dated_and_stickiness_explains_them() {
    let window = window();
    let last = window.since + SignedDuration::from_hours(3);
    let mut used = counts(&window, vec![(window.since, 2.0), (last, 1.0)]);
    let Idle::InUse(why) = judge_idle(&window, &[used.clone()], 9.0) else { panic!("it is in use") };
    assert!(why.contains("3 requests") && why.contains(&last.to_string()) && !why.contains("cookie"), "{why}");
    used.sticky = true;
    let Idle::InUse(why) = judge_idle(&window, &[used], 9.0) else { panic!("it is in use") };
    assert!(why.contains("until their cookie expires"), "{why}");
}

#[test]
fn silence_is_evidence_only_next_to_both_positive_controls() {
    let window = window();
    let quiet = counts(&window, Vec::new());
    assert!(matches!(judge_idle(&window, std::slice::from_ref(&quiet), 5.0), Idle::Idle(_)));
    assert!(matches!(judge_idle(&window, std::slice::from_ref(&quiet), 0.0), Idle::NoTraffic(_)));
    let uncounted = OldCounts { healthy: Vec::new(), ..quiet.clone() };
    assert!(matches!(judge_idle(&window, &[quiet.clone(), uncounted], 5.0), Idle::CannotTell(_)));
    assert!(matches!(judge_idle(&window, &[], 5.0), Idle::CannotTell(_)));
    // A gap of a quarter of an hour is a late minute or two; one of an hour is not.
    let without = |minutes: usize| OldCounts { healthy: quiet.healthy[minutes..].to_vec(), ..quiet.clone() };
    assert!(matches!(judge_idle(&window, &[without(15)], 5.0), Idle::Idle(_)));
    assert!(matches!(judge_idle(&window, &[without(16)], 5.0), Idle::CannotTell(_)));
}

#[test]
fn the_watch_lasts_as_long_as_the_longest_of_propagation_draining_and_idle_connections() {
    let delay = |seconds: &str| Attributes::from([("deregistration_delay.timeout_seconds".into(), seconds.into())]);
    assert_eq!(watch_seconds([delay("0")].iter(), &[60]), 120 + 180);
    assert_eq!(watch_seconds([delay("300"), delay("20")].iter(), &[60]), 300 + 180);
    assert_eq!(watch_seconds([delay("300")].iter(), &[4_000]), 4_000 + 180);
}

#[test]
fn more_errors_than_before_late_requests_and_a_new_side_without_targets_return_the_old_one() {
    #[track_caller]
    fn check(change: impl Fn(&mut BalancerCounts), worse: Option<&str>) {
        let mut counts = BalancerCounts {
            name: "public".into(),
            own: (3.0, 4.0),
            new: (0.0, 9.0),
            old_requests: 0.0,
            new_healthy: 2,
        };
        change(&mut counts);
        match (judge_watch(&[counts]), worse) {
            (AfterDetach::Quiet, None) => {}
            (AfterDetach::Worse(why), Some(words)) => assert!(why.contains(words), "{why}"),
            (found, _) => panic!("{found:?}, expected {worse:?}"),
        }
    }
    check(|_| (), None);
    check(|counts| counts.own = (3.0, 16.0), Some("16 answers of 5xx by the load balancer"));
    check(|counts| counts.new = (0.0, 10.0), Some("10 answers of 5xx by the new targets"));
    check(|counts| counts.old_requests = 1.0, Some("1 request after the idle window"));
    check(|counts| counts.new_healthy = 0, Some("no healthy target"));
}
