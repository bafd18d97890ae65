//! The page of a migration.

use crate::input::{MigrationReport, Written};
use crate::page::{page, section};
use crate::section::{gates, journal, people, routes, settings, traffic, verdict, weight};
use crate::words::id;
use maud::{Markup, html};

/// One migration as a page.
pub fn migration_page(report: &MigrationReport, written: &Written) -> String {
    let sections = sections(report);
    let contents: Vec<(String, String)> =
        sections.iter().map(|(key, name, _)| (anchor(report, key), (*name).to_owned())).collect();
    let body = html! {
        (verdict::drawn(report))
        @for (key, name, body) in &sections { (section(2, &anchor(report, key), name, body)) }
    };
    page(&format!("The migration {} of {}", report.migration, report.service), &contents, written, &body)
}

/// The same as a part of another page, below a heading of its own.
pub(crate) fn part(report: &MigrationReport) -> Markup {
    html! {
        (verdict::drawn(report))
        @for (key, name, body) in sections(report) { (section(3, &anchor(report, key), name, &body)) }
    }
}

fn anchor(report: &MigrationReport, key: &str) -> String {
    id(&[key, "of", report.migration.as_str()])
}

fn sections(report: &MigrationReport) -> [(&'static str, &'static str, Markup); 7] {
    [
        ("weights", "Weight over time", weight::drawn(report)),
        ("clusters", "Old cluster and new cluster", traffic::drawn(report)),
        ("gates", "Gates", gates::drawn(report)),
        ("people", "Who did what", people::drawn(report)),
        ("routes", "Routes before and after", routes::drawn(report)),
        ("settings", "Settings and versions", settings::drawn(report)),
        ("journal", "Journal", journal::drawn(report)),
    ]
}
