//! The requests of a migration, for people.

use super::super::requests::{counted, counted_window, is_uncounted, journalled, request_queries};
use super::*;
use crate::journal::Trigger;
use crate::journal::request_counts::{RequestCounts, SideCounts};
use crate::load_balancer::metric_query::DataPoints;
use jiff::SignedDuration;

fn begun(second: i64) -> Event {
    event(second, EventKind::RollbackBegun { trigger: Trigger::Operator, cause: String::new(), caused_at: minute(0) })
}

fn returned(second: i64) -> Event {
    event(second, EventKind::RoutesReturned { written: 1, left: 0 })
}

fn finished(second: i64) -> Event {
    event(second, EventKind::Finished { listed: None })
}

fn after(second: i64) -> Timestamp {
    minute(0) + SignedDuration::from_secs(second)
}

#[test]
fn a_migration_is_counted_until_it_has_arrived_or_every_route_is_back() {
    let up: Vec<Event> = shift(10, 50.0).to_vec();
    let check = |more: &[Event], now: i64, expected: Option<i64>| {
        let events = [&up[..], more].concat();
        let until = counted_window(&events, after(now)).map(|window| window.until);
        assert_eq!(until, expected.map(minute), "{more:?} at {now}");
    };
    check(&[], 600, Some(8));
    check(&[finished(620)], 620, Some(8));
    check(&[finished(620)], 3_600, Some(11));
    // The minutes that show the harm of a rollback are counted at once.
    let back = [begun(600), returned(610), returned(650)];
    check(&back, 720, Some(11));
    check(&back, 3_600, Some(11));
    check(&[&[finished(620)], &back[..]].concat(), 3_600, Some(11));
    check(&back[..1], 720, Some(10));
    assert_eq!(counted_window(&shift(0, 0.0), after(600)), None);
}

fn counts_at(window: &Window, events: &[Event], points: impl Fn(&str, bool, i64) -> Option<f64>) -> RequestCounts {
    let pairs = [compared(Some(0.2)), compared(Some(0.1))];
    let answers: Vec<DataPoints> = request_queries(&pairs)
        .iter()
        .map(|query| {
            let is_new = query.group.as_ref().is_some_and(|group| group.name() == "new");
            let name = format!("{} {}", query.statistic, query.metric);
            (0..2_000).filter_map(|at| Some((minute(at), points(&name, is_new, at)?))).collect()
        })
        .collect();
    counted(events, window, after(60 * 2_000), &pairs, answers)
}

#[test]
fn minutes_have_their_weight_their_requests_and_the_latencies_of_the_slowest_group() {
    let events: Vec<Event> = [&shift(10, 5.0)[..], &shift(130, 50.0)[..], &[begun(230), returned(235)]].concat();
    let window = counted_window(&events, after(3_600)).unwrap();
    let counts = counts_at(&window, &events, |name, is_new, at| match (name, at) {
        (_, 2) => None,
        ("Sum RequestCount", _) => Some(if is_new { 10.0 } else { 90.0 }),
        ("SampleCount TargetResponseTime", _) => Some(if is_new { 9.0 } else { 90.0 }),
        ("Sum HTTPCode_Target_5XX_Count", 3) if is_new => Some(12.0),
        ("Sum HTTPCode_ELB_5XX_Count", _) => Some(1.0),
        ("p50 TargetResponseTime", _) => Some(0.1),
        ("p95 TargetResponseTime", _) if is_new => Some(0.25),
        _ => None,
    });
    let weights: Vec<String> = counts.spans.iter().map(|span| span.weight.to_string()).collect();
    assert_eq!(weights, ["5 %", "5 %", "50 %", "50 %"]);
    assert!(counts.is_settled() && counts.until() == Some(minute(4)));
    let first = &counts.spans[0];
    let expected =
        SideCounts { requests: 20, unanswered: 2, slow: Some(0), p50_microseconds: Some(100_000), ..first.new };
    assert_eq!((first.new, first.new.p95_microseconds), (expected, Some(250_000)));
    assert_eq!((first.old.requests, first.old.p95_microseconds, first.balancer_errors), (180, None, 1));
    assert_eq!((counts.spans[2].new.requests, counts.spans[2].new.p50_microseconds), (0, None));
    // More failures than requests: every request failed, and no more than that.
    assert_eq!(counts.spans[3].new.failed(), 20);
    let (old, new) = counts.sums();
    assert_eq!((old.requests, old.failed(), new.requests, new.failed()), (540, 0, 60, 24));
}

#[test]
fn a_long_migration_keeps_every_request_in_few_spans() {
    let events: Vec<Event> = [&shift(0, 5.0)[..], &shift(60 * 7, 50.0)[..], &[finished(60 * 1_999)]].concat();
    let window = counted_window(&events, after(60 * 2_100)).unwrap();
    let counts = counts_at(&window, &events, |name, is_new, at| match name {
        "Sum RequestCount" | "SampleCount TargetResponseTime" if is_new => Some(10.0),
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        "p95 TargetResponseTime" => Some(at as f64),
        _ => None,
    });
    assert!(counts.spans.len() <= 122, "{}", counts.spans.len());
    assert!(counts.spans.windows(2).all(|two| two[0].until == two[1].from), "without gaps");
    assert_eq!((counts.spans[0].until, counts.spans[0].old.p95_microseconds), (minute(7), Some(3_000_000)));
    assert_eq!(counts.sums().1.requests, 2 * 10 * 2_000);
    let stored = serde_json::to_string(&counts).unwrap();
    assert!(stored.len() < 60_000, "{}", stored.len());
    assert_eq!(serde_json::from_str::<RequestCounts>(&stored).unwrap(), counts);
}

#[test]
fn requests_are_counted_once_for_each_end() {
    let said = |second: i64| event(second, EventKind::RequestsNotCounted { reason: "throttled".into() });
    let counts = RequestCounts { harmed: String::new(), settled_until: minute(9), spans: vec![] };
    let counted = |second: i64| event(second, EventKind::RequestsCounted { counts: counts.clone() });
    let over = |second: i64| event(second, EventKind::RollbackVerified { rewritten: 0, left: 0 });
    let up: Vec<Event> = shift(10, 50.0).to_vec();
    let check = |more: &[Event], uncounted: bool, known: bool| {
        let events = [&up[..], more].concat();
        assert_eq!((is_uncounted(&events), journalled(&events).is_some()), (uncounted, known), "{more:?}");
    };
    check(&[], false, false);
    check(&[finished(20)], true, false);
    check(&[finished(20), counted(21)], false, true);
    check(&[finished(20), said(21)], false, false);
    // What was counted when it had arrived says nothing about the way back.
    check(&[finished(20), counted(21), begun(30), returned(31), over(40)], true, false);
    check(&[finished(20), counted(21), begun(30), returned(31), over(40), counted(41)], false, true);
}
