//! What the run costs: how long both sides ran, and what machines and functions did. Only what can be counted.

use super::spans::axis;
use crate::input::FleetReport;
use crate::page::table;
use crate::words::{clock, count, counted, number, time};
use crossfade_domain::cost::{USD_PER_INVOCATION, USD_PER_TRANSITION, Work};
use crossfade_domain::journal::{Event, EventKind};
use crossfade_domain::names::ServiceName;
use crossfade_domain::retirement::RetirementPhase;
use jiff::Timestamp;
use maud::{Markup, html};

/// A service that had both sides: from when, until when, and whether that was the end of the old one.
struct Doubled<'a> {
    service: &'a ServiceName,
    from: Timestamp,
    until: Timestamp,
    is_over: bool,
}

fn doubled(report: &FleetReport) -> Vec<Doubled<'_>> {
    let last = axis(report).to;
    let of_one = |service| {
        let own = report.migrations.iter().filter(|one| is_of(&one.events, service));
        let from = own.filter_map(|one| created(&one.events));
        let from = from.min()?;
        let retirement = report.retirements.iter().find(|one| one.service == *service && one.since >= from);
        let gone = retirement
            .filter(|one| matches!(one.phase, RetirementPhase::Deregistered | RetirementPhase::Deleted))
            .and_then(|one| one.deregister_intended_at);
        Some(Doubled { service, from, until: gone.unwrap_or(last).max(from), is_over: gone.is_some() })
    };
    report.head.names().filter_map(of_one).collect()
}

fn is_of(events: &[Event], service: &ServiceName) -> bool {
    events
        .first()
        .and_then(|event| event.migration.as_str().rsplit_once('-'))
        .is_some_and(|(of, _)| of == service.as_str())
}

/// When the new groups of a migration were there.
fn created(events: &[Event]) -> Option<Timestamp> {
    events.iter().find(|event| matches!(event.kind, EventKind::GroupsCreated { .. })).map(|event| event.at)
}

pub(super) fn double_running(report: &FleetReport) -> Markup {
    let (day, all) = (axis(report).from, doubled(report));
    let hours = |one: &Doubled<'_>| one.until.duration_since(one.from).as_secs_f64() / 3_600.0;
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|one| {
            let until = if one.is_over { clock(one.until, day) } else { "still there".to_owned() };
            vec![one.service.to_string(), clock(one.from, day), until, number(hours(one))]
        })
        .collect();
    let services = u64::try_from(all.len()).unwrap_or(u64::MAX);
    let sum: f64 = all.iter().map(hours).sum();
    html! {
        @if rows.is_empty() {
            p { "No service has had both sides yet." }
        } @else {
            p { (counted(services, "service")) " had both sides for " (number(sum)) " hours in all." }
            (table(
                "From the new target groups until the old targets were deregistered",
                &["Service", "From", "Until", "Hours"],
                &rows,
            ))
        }
        p class="note" {
            "Where the old side is still there, hours count up to the last entry of the run, " (time(axis(report).to))
            ". What an hour of a side's targets costs is not known here. Target groups, and weights of 0, cost "
            "nothing at AWS. A load balancer's units count connections, bytes and rules, whichever group answers."
        }
    }
}

pub(super) fn machines(report: &FleetReport) -> Markup {
    let works: Vec<(String, Option<Work>)> = report
        .migrations
        .iter()
        .filter_map(|one| {
            let migration = one.events.first()?.migration.to_string();
            Some((migration, one.slice_seconds.map(|slice| Work::of(&one.events, slice))))
        })
        .collect();
    let row = |(migration, work): &(String, Option<Work>)| match work {
        Some(work) => {
            let counts = [work.shifts.into(), work.checks.into(), work.transitions(), work.invocations()].map(count);
            [vec![migration.clone()], counts.to_vec(), vec![dollars(work.usd())]].concat()
        }
        None => [vec![migration.clone()], vec!["\u{2013}".to_owned(); 5]].concat(),
    };
    let rows: Vec<Vec<String>> = works.iter().map(row).collect();
    let known: Vec<Work> = works.iter().filter_map(|(_, work)| *work).collect();
    let usd: f64 = known.iter().map(|work| work.usd()).sum();
    let heading = ["Migration", "Shifts", "Checks", "Transitions", "Invocations", "List price"];
    html! {
        @if rows.is_empty() {
            p { "No migration of this run has a journal yet." }
        } @else {
            p {
                "About " (dollars(usd)) " for "
                (counted(u64::try_from(known.len()).unwrap_or(u64::MAX), "migration")) "."
            }
            (table("What machines and functions did", &heading, &rows))
            p class="note" {
                "Basis: AWS's list prices in us-east-1 and eu-west-1, " (dollars(1e6 * USD_PER_TRANSITION))
                " for a million state transitions and " (dollars(1e6 * USD_PER_INVOCATION))
                " for a million invocations of half a second with 256 MB. Shifts are counted. Checks follow from how "
                "long each weight baked. What surrounds them is estimated. Retries, the table, the metrics of the "
                "judge and the fleet's own looks are not in it."
            }
        }
    }
}

fn dollars(usd: f64) -> String {
    if usd < 0.1 { format!("{usd:.4} USD") } else { format!("{usd:.2} USD") }
}
