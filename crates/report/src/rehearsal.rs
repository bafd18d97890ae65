//! The page of a rehearsal: every fleet and every service.

use crate::input::{Act, MigrationReport, RehearsalReport, Written};
use crate::page::{Section, page, table};
use crate::section::verdict::Verdict;
use crate::words::{count, id, number};
use crate::{fleet, migration};
use maud::{Markup, html};

/// A rehearsal as one page.
pub fn rehearsal_page(report: &RehearsalReport, written: &Written) -> String {
    let acts = (!report.acts.is_empty()).then(|| Section {
        id: "acts".to_owned(),
        name: "The story".to_owned(),
        body: acts(report),
    });
    let services = Section { id: "services".to_owned(), name: "Services".to_owned(), body: services(report) };
    let of_fleets = report.fleets.iter().map(|one| Section {
        id: id(&["fleet", &one.head.fleet]),
        name: format!("The fleet {}", one.head.fleet),
        body: fleet::part(one),
    });
    let of_services = report.services.iter().map(|one| Section {
        id: id(&["service", one.service.as_str()]),
        name: one.migration.to_string(),
        body: migration::part(one),
    });
    let sections: Vec<Section> = acts.into_iter().chain([services]).chain(of_fleets).chain(of_services).collect();
    page("A rehearsal", &verdict(report), &sections, written)
}

fn verdict(report: &RehearsalReport) -> Markup {
    let harmed: u64 = report.services.iter().filter_map(|one| one.clients).map(|clients| clients.harmed).sum();
    let spoiled: u64 = report.services.iter().filter_map(|one| one.clients).map(|clients| clients.spoiled).sum();
    let figures = format!(
        "The new cluster failed {} of the requests, and Crossfade itself spoiled {}.",
        count(harmed),
        count(spoiled)
    );
    html! {
        @if report.ok {
            p class="verdict good" { b { "As expected" } "Everything ended as the scenario expects. " (figures) }
        } @else {
            p class="verdict bad" { b { "Not as expected" } (figures) }
            ul { @for line in &report.unmet { li { (line) } } }
        }
    }
}

fn acts(report: &RehearsalReport) -> Markup {
    let row = |act: &Act| vec![act.began.clone(), act.name.clone(), act.took.clone(), act.summary.clone()];
    let rows: Vec<Vec<String>> = report.acts.iter().map(row).collect();
    table("Each act with what it did, in the rehearsal's own time", &["Began", "Act", "Took", "What it did"], &rows)
}

fn services(report: &RehearsalReport) -> Markup {
    let mut rows: Vec<Vec<String>> = report.services.iter().map(row).collect();
    let dash = || "\u{2013}".to_owned();
    rows.extend(
        report
            .without_journal
            .iter()
            .map(|(service, why)| vec![service.clone(), why.clone(), dash(), dash(), dash(), dash(), dash()]),
    );
    let heading = ["Service", "Outcome", "Requests", "Of the new cluster", "Harmed", "Spoiled", "Seconds to safe"];
    table("How each service ended, and what its clients saw", &heading, &rows)
}

fn row(report: &MigrationReport) -> Vec<String> {
    let verdict = Verdict::of(report);
    let dash = || "\u{2013}".to_owned();
    let [requests, from_new, harmed, spoiled] = report.clients.map_or_else(
        || [dash(), dash(), dash(), dash()],
        |clients| [clients.requests, clients.from_new, clients.harmed, clients.spoiled].map(count),
    );
    let safe = verdict.seconds_to_safe.map_or_else(dash, number);
    vec![report.service.to_string(), verdict.outcome.in_words().to_owned(), requests, from_new, harmed, spoiled, safe]
}
