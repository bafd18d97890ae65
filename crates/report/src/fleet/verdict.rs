//! How the run ended, in one sentence.

use super::spans::axis;
use crate::input::FleetReport;
use crate::page::facts;
use crate::words::{count, number, share, span, time};
use crossfade_domain::fleet::head::{RunOutcome, RunState};
use crossfade_domain::fleet::service_run::ServiceState;
use maud::{Markup, html};

pub(super) fn drawn(report: &FleetReport) -> Markup {
    let head = &report.head;
    let axis = axis(report);
    let (all, migrated) = (head.size(), head.count(ServiceState::has_migrated));
    let failed = head.count(ServiceState::has_failed);
    let (class, word) = match (head.state, head.outcome) {
        (RunState::Over, Some(RunOutcome::Migrated)) => ("verdict good", "Migrated"),
        (RunState::Over, Some(RunOutcome::Incomplete)) => ("verdict warn", "Over, not every service has migrated"),
        (RunState::Over, Some(RunOutcome::Aborted)) => ("verdict warn", "Aborted"),
        (RunState::Over, Some(RunOutcome::Returned)) => ("verdict warn", "Returned to the old cluster"),
        (RunState::Stopped, _) => ("verdict bad", "Stopped"),
        (RunState::Paused | RunState::Draining, _) => ("verdict warn", "Paused"),
        (RunState::Aborting | RunState::Returning, _) => ("verdict warn", "Going back"),
        (RunState::Running | RunState::Over, _) => ("verdict", "Under way"),
    };
    let on_new: u64 = head.those(ServiceState::has_migrated).filter_map(|name| head.requests.get(name)).sum();
    let requests: u64 = head.names().filter_map(|name| head.requests.get(name)).sum();
    let took = span(axis.from, axis.to);
    let sentence = format!(
        "{migrated} of {all} services are on the new cluster and {failed} have failed, {took} after the run began in \
         {} waves.",
        head.waves.len()
    );
    let shown = [
        ("Services", count(all.into())),
        ("On the new cluster", count(migrated.into())),
        ("Failed", count(failed.into())),
        ("Requests harmed", super::harm::figure(report)),
        (
            "Share of requests",
            share(on_new, requests).map_or_else(|| "not counted".to_owned(), |share| format!("{} %", number(share))),
        ),
        ("Began", time(axis.from)),
        ("Last entry", time(axis.to)),
    ];
    html! {
        p class=(class) { b { (word) } (sentence) }
        @if let Some(reason) = &head.reason { p { "The last word of its journal: " (reason) } }
        (facts(&shown))
        p class="note" {
            "The share of requests is that of the services on the new cluster, by what each had in the day before \
             the run."
        }
    }
}
