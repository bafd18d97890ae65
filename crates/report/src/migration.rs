//! The page of a migration.

use crate::input::{MigrationReport, Written};
use crate::page::{Section, page};
use crate::section::{gates, journal, judge, people, retirement, routes, settings, traffic, verdict, weight};
use crate::words::id;
use maud::Markup;

/// One migration as a page.
pub fn migration_page(report: &MigrationReport, written: &Written) -> String {
    page(
        &format!("The migration {} of {}", report.migration, report.service),
        &verdict::drawn(report),
        &sections(report),
        written,
    )
}

/// The same as a part of another page, below a heading of its own.
pub(crate) fn part(report: &MigrationReport) -> Markup {
    crate::page::part(&verdict::drawn(report), &sections(report))
}

fn sections(report: &MigrationReport) -> [Section; 9] {
    [
        ("weights", "Weight over time", weight::drawn(report)),
        ("clusters", "Old cluster and new cluster", traffic::drawn(report)),
        ("judge", "The judge's evidence", judge::drawn(report)),
        ("gates", "Gates", gates::drawn(report)),
        ("people", "Who did what", people::drawn(report)),
        ("routes", "Routes before and after", routes::drawn(report)),
        ("retirement", "The old side's end", retirement::drawn(report)),
        ("settings", "Settings and versions", settings::drawn(report)),
        ("journal", "Journal", journal::drawn(report)),
    ]
    .map(|(key, name, body)| Section {
        id: id(&[key, "of", report.migration.as_str()]),
        name: name.to_owned(),
        body,
    })
}
