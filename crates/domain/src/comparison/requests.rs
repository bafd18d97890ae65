//! The requests of both clusters during a migration, for people: which minutes are counted, and the counts as a journal
//! and a report have them.

use super::counts::{ComparedPair, GroupCounts, PairMinute, queries, read};
use super::window::{SETTLING_SECONDS, Window};
use super::{MINUTE_PERIOD, MINUTE_SECONDS, minute_of, plus};
use crate::journal::request_counts::{CountedSpan, HARMED, RequestCounts, SideCounts};
use crate::journal::{Event, EventKind};
use crate::load_balancer::metric_query::{DataPoints, MetricQuery};
use crate::weight::Weight;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// More minutes than this are put together, several to a span, so that an item of the journal stays below 60 kB.
const MOST_SPANS: usize = 120;

const PERCENTILES: [&str; 2] = ["p50", "p95"];

/// The minutes of which requests are counted at a time: from that of the first shift to the newest that has settled, at
/// most to that in which all traffic had arrived, or was back. The minutes of a rollback count at once, because they
/// show its harm. `None` before the first traffic.
pub fn counted_window(events: &[Event], now: Timestamp) -> Option<Window> {
    let settled = settled_until(now);
    let until = match end_of_traffic(events) {
        None => settled,
        Some(End::Arrived(at)) => settled.min(plus(minute_of(at), MINUTE_SECONDS)),
        Some(End::Returned(at)) => plus(minute_of(at), MINUTE_SECONDS),
    };
    Window::of(events, plus(until, SETTLING_SECONDS))
}

/// Up to when minutes have settled at a time.
fn settled_until(now: Timestamp) -> Timestamp {
    plus(minute_of(now), -SETTLING_SECONDS)
}

/// When the new cluster's traffic was as it stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// All of it had arrived.
    Arrived(Timestamp),
    /// Every route was back.
    Returned(Timestamp),
}

/// None while it moves or has halted.
fn end_of_traffic(events: &[Event]) -> Option<End> {
    let begun = events.iter().rposition(|event| matches!(event.kind, EventKind::RollbackBegun { .. }));
    let is_back = |event: &&Event| matches!(event.kind, EventKind::RoutesReturned { .. });
    if let Some(begun) = begun {
        // A late writer may have moved a route again: the last look counts.
        return events[begun..].iter().rfind(is_back).map(|event| End::Returned(event.at));
    }
    let end = events.iter().find(|event| matches!(event.kind, EventKind::Finished { .. }));
    end.map(|event| End::Arrived(event.at))
}

/// The counts that a journal has of the migration as it ended last; none where it ended without any, or has not ended.
pub fn journalled(events: &[Event]) -> Option<&RequestCounts> {
    events.iter().rev().take_while(|event| !matches!(event.kind, EventKind::RollbackBegun { .. })).find_map(|event| {
        match &event.kind {
            EventKind::RequestsCounted { counts } => Some(counts),
            _ => None,
        }
    })
}

/// Whether the requests still have to be counted: the migration has ended, and its journal does not say how many there
/// were.
pub fn is_uncounted(events: &[Event]) -> bool {
    let last = events.iter().rev().find(|event| event.kind.is_end() || event.kind.is_about_requests());
    last.is_some_and(|event| event.kind.is_end())
}

/// Everything that is asked about these pairs: what the judge asks, then the latencies. [`counted`] takes the answers
/// in the same order.
pub fn request_queries(pairs: &[ComparedPair]) -> Vec<MetricQuery> {
    let latencies = pairs.iter().flat_map(|of| {
        [&of.pair.old, &of.pair.new].into_iter().flat_map(|group| {
            PERCENTILES.map(|percentile| MetricQuery {
                metric: "TargetResponseTime",
                load_balancer: of.pair.load_balancer.clone(),
                group: Some(group.clone()),
                period_seconds: MINUTE_PERIOD,
                statistic: percentile.to_owned(),
            })
        })
    });
    let latencies: Vec<MetricQuery> = latencies.collect();
    [queries(pairs), latencies].concat()
}

/// Puts the answers to [`request_queries`] together.
pub fn counted(
    events: &[Event],
    window: &Window,
    now: Timestamp,
    pairs: &[ComparedPair],
    mut answers: Vec<DataPoints>,
) -> RequestCounts {
    let latencies = Latencies::of(&answers.split_off(queries(pairs).len().min(answers.len())));
    let slow_is_measured = pairs.iter().any(|pair| pair.slow_above.is_some());
    let mut by_start: BTreeMap<Timestamp, Vec<(String, PairMinute)>> = BTreeMap::new();
    for pair in read(pairs.to_vec(), answers) {
        for minute in pair.minutes {
            by_start.entry(minute.start).or_default().push((pair.of.pair.load_balancer.as_str().to_owned(), minute));
        }
    }
    let weights = weights(events);
    let weight_at =
        |start| weights.iter().rfind(|(from, _)| *from <= start).map_or(Weight::ZERO, |(_, weight)| *weight);
    let starts = std::iter::successors(Some(window.first), |start| Some(plus(*start, MINUTE_SECONDS)));
    let minutes = starts.take_while(|start| *start < window.until).map(|start| {
        let read = by_start.get(&start).map_or(&[][..], Vec::as_slice);
        let side = |of: fn(&PairMinute) -> GroupCounts, percentiles: usize| {
            let counts = read.iter().map(|(_, minute)| side(of(minute), slow_is_measured));
            let none = SideCounts { slow: slow_is_measured.then_some(0), ..SideCounts::default() };
            let [p50_microseconds, p95_microseconds] = latencies.at(start, percentiles);
            SideCounts { p50_microseconds, p95_microseconds, ..counts.fold(none, SideCounts::plus) }
        };
        CountedSpan {
            from: start,
            until: plus(start, MINUTE_SECONDS),
            weight: weight_at(start),
            old: side(|minute| minute.old, 0),
            new: side(|minute| minute.new, PERCENTILES.len()),
            balancer_errors: balancer_errors(read),
        }
    });
    let spans = put_together(&minutes.collect::<Vec<_>>());
    RequestCounts { harmed: HARMED.to_owned(), settled_until: settled_until(now), spans }
}

fn side(counts: GroupCounts, slow_is_measured: bool) -> SideCounts {
    SideCounts {
        requests: counts.requests,
        // A connection that is tried again counts twice, and no request fails twice.
        server_errors: counts.server_errors.min(counts.requests),
        unanswered: counts.unanswered().min(counts.requests.saturating_sub(counts.server_errors)),
        slow: slow_is_measured.then_some(counts.slow),
        ..SideCounts::default()
    }
}

/// Each load balancer once: it counts for all of its groups.
fn balancer_errors(read: &[(String, PairMinute)]) -> u64 {
    let mut seen = BTreeSet::new();
    let of_one = |(balancer, minute): &(String, PairMinute)| {
        if seen.insert(balancer.clone()) { minute.balancer_errors } else { 0 }
    };
    read.iter().map(of_one).fold(0, u64::saturating_add)
}

/// The weights that were asked for, each with the minute in which it counts first.
fn weights(events: &[Event]) -> Vec<(Timestamp, Weight)> {
    let weight = |event: &Event| match event.kind {
        EventKind::ShiftIntended { weight, .. } => Some((minute_of(event.at), weight)),
        EventKind::RoutesReturned { .. } => Some((plus(minute_of(event.at), MINUTE_SECONDS), Weight::ZERO)),
        _ => None,
    };
    events.iter().filter_map(weight).collect()
}

/// The latencies of each minute: old p50, old p95, new p50, new p95.
struct Latencies(BTreeMap<Timestamp, [Option<u64>; 4]>);

impl Latencies {
    /// Of several pairs, the slowest counts.
    fn of(answers: &[DataPoints]) -> Self {
        let mut minutes: BTreeMap<Timestamp, [Option<u64>; 4]> = BTreeMap::new();
        for pair in answers.chunks(4) {
            for (place, points) in pair.iter().enumerate() {
                for (start, seconds) in points {
                    let of_minute = &mut minutes.entry(*start).or_default()[place];
                    *of_minute = (*of_minute).max(Some(microseconds(*seconds)));
                }
            }
        }
        Self(minutes)
    }

    fn at(&self, start: Timestamp, first: usize) -> [Option<u64>; 2] {
        let of_minute = self.0.get(&start).copied().unwrap_or_default();
        [of_minute[first], of_minute[first + 1]]
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts saturate; times are above 0")]
fn microseconds(seconds: f64) -> u64 {
    (seconds * 1e6).round() as u64
}

/// Neighbouring minutes of one weight in one span, if there are more than [`MOST_SPANS`].
fn put_together(minutes: &[CountedSpan]) -> Vec<CountedSpan> {
    let of_span = minutes.len().div_ceil(MOST_SPANS).max(1);
    minutes
        .chunk_by(|one, next| one.weight == next.weight)
        .flat_map(|step| step.chunks(of_span))
        .map(|span| {
            let side = |of: fn(&CountedSpan) -> SideCounts| {
                let sum = span.iter().map(of).reduce(SideCounts::plus).unwrap_or_default();
                let p50_microseconds = median(span.iter().filter_map(|minute| of(minute).p50_microseconds));
                let p95_microseconds = median(span.iter().filter_map(|minute| of(minute).p95_microseconds));
                SideCounts { p50_microseconds, p95_microseconds, ..sum }
            };
            CountedSpan {
                until: span[span.len() - 1].until,
                old: side(|minute| minute.old),
                new: side(|minute| minute.new),
                balancer_errors: span.iter().map(|minute| minute.balancer_errors).fold(0, u64::saturating_add),
                ..span[0].clone()
            }
        })
        .collect()
}

fn median(values: impl Iterator<Item = u64>) -> Option<u64> {
    let mut values: Vec<u64> = values.collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}
