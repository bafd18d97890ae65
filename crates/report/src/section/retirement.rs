//! The end of the old side: who retired it, on what evidence, what was deleted, and how it comes back.

use super::verdict::{Outcome, Verdict};
use crate::input::MigrationReport;
use crate::page::{facts, folded_table, table};
use crate::words::{clock, counted, sentence, time};
use crossfade_domain::names::ServiceName;
use crossfade_domain::retirement::{GroupRecord, RetirementEvent, RetirementEventKind as Kind, retirement_line};
use maud::{Markup, html};

pub(crate) fn drawn(report: &MigrationReport) -> Markup {
    let each = report.retirements.chunk_by(|one, next| one.number == next.number);
    html! {
        @if report.retirements.is_empty() {
            p {
                @if Verdict::of(report).outcome == Outcome::Migrated {
                    "The old side has not been retired: its target groups are in the routes at weight 0."
                } @else {
                    "Nothing of the old side was taken apart."
                }
            }
        }
        @for events in each { (of_one(&report.service, events)) }
    }
}

/// The journal of one retirement.
fn of_one(service: &ServiceName, events: &[RetirementEvent]) -> Markup {
    let Some(first) = events.first() else { return html! {} };
    let day = first.at;
    let when = |is: fn(&Kind) -> bool| events.iter().rfind(|event| is(&event.kind)).map(|event| time(event.at));
    let mut shown = vec![("Stands at", sentence(standing(events))), ("Began", time(first.at))];
    let steps = [
        ("Out of every route", when(|kind| matches!(kind, Kind::Detached))),
        ("Without targets", when(|kind| matches!(kind, Kind::Deregistered))),
        ("Deleted", when(|kind| matches!(kind, Kind::Deleted))),
        ("Back as it was", when(|kind| matches!(kind, Kind::Undone { .. }))),
    ];
    shown.extend(steps.into_iter().filter_map(|(name, at)| Some((name, at?))));
    let people: Vec<Vec<String>> = events
        .iter()
        .filter(|event| is_a_persons(&event.kind))
        .map(|event| vec![clock(event.at, day), retirement_line(event)])
        .collect();
    let lines: Vec<Vec<String>> = events.iter().map(|event| vec![time(event.at), retirement_line(event)]).collect();
    let number = u64::try_from(lines.len()).unwrap_or(u64::MAX);
    html! {
        (facts(&shown))
        @for (proof, window) in events.iter().filter_map(evidence) {
            p { "Evidence that no one used the old side: " (proof) "." @if let Some(window) = window { " " (window) } }
        }
        @for waived in waived(first) { p { "Not shown, because " (waived) "." } }
        (table(&format!("Retirement {}: who asked for what", first.number), &["Time", "What"], &people))
        @if let Some(records) = records(events) { (of_groups(service, events, records)) }
        (folded_table(
            &counted(number, "line"),
            &format!("The journal of retirement {}", first.number),
            &["Time", "What happened"],
            &lines,
        ))
    }
}

fn standing(events: &[RetirementEvent]) -> &'static str {
    let stands = |event: &RetirementEvent| match &event.kind {
        Kind::Begun { .. } => Some("being proven idle"),
        Kind::DetachIntended { .. } => Some("being detached"),
        Kind::Detached => Some("detached"),
        Kind::DeregisterIntended { .. } => Some("its targets are being deregistered"),
        Kind::Deregistered | Kind::DeletionGivenUp { .. } => Some("retired, the old groups are left"),
        Kind::DeleteIntended { .. } => Some("being deleted"),
        Kind::Deleted => Some("deleted"),
        Kind::UndoBegun { .. } => Some("on its way back"),
        Kind::Undone { left } if left.is_empty() => Some("undone"),
        Kind::Undone { .. } => Some("halted: not all of it is back"),
        Kind::Refused { .. } => Some("refused"),
        _ => None,
    };
    events.iter().rev().find_map(stands).unwrap_or("begun")
}

fn is_a_persons(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Begun { .. }
            | Kind::Approved { .. }
            | Kind::Waived { .. }
            | Kind::UntilRaised { .. }
            | Kind::UndoBegun { .. }
    )
}

/// What showed that the old side was idle, and the time that was looked at.
fn evidence(event: &RetirementEvent) -> Option<(&str, Option<String>)> {
    let Kind::DetachIntended { proof, window } = &event.kind else { return None };
    let looked = window.map(|window| format!("Looked at from {} to {}.", time(window.since), time(window.until)));
    Some((proof, looked))
}

/// What was waived from the beginning, and why. Later waivers are among what people asked for.
fn waived(begun: &RetirementEvent) -> Vec<String> {
    let Kind::Begun { plan, .. } = &begun.kind else { return Vec::new() };
    let waived = plan.terms.waive.iter();
    waived.map(|one| format!("the policy waives {}: {}", one.evidence.as_str(), one.why)).collect()
}

/// The groups as they were recorded last: with their targets.
fn records(events: &[RetirementEvent]) -> Option<&[GroupRecord]> {
    events.iter().rev().find_map(|event| match &event.kind {
        Kind::DeregisterIntended { records } => Some(records.as_slice()),
        _ => None,
    })
}

fn of_groups(service: &ServiceName, events: &[RetirementEvent], records: &[GroupRecord]) -> Markup {
    let deleted = events.iter().any(|event| matches!(event.kind, Kind::Deleted));
    let goes_back = events.iter().any(|event| matches!(event.kind, Kind::UndoBegun { .. }));
    let rows: Vec<Vec<String>> = records
        .iter()
        .map(|record| {
            let targets: Vec<String> = record.targets.iter().map(ToString::to_string).collect();
            vec![record.name.clone(), record.arn.as_str().to_owned(), targets.join(", ")]
        })
        .collect();
    let caption = if deleted { "What was deleted" } else { "The old groups, and the targets that they had" };
    let commands: Vec<String> = records.iter().flat_map(GroupRecord::commands).collect();
    html! {
        (table(caption, &["Target group", "ARN", "Targets"], &rows))
        @if deleted {
            details {
                summary { "The commands that create the groups again" }
                pre { (commands.join("\n")) }
            }
        } @else if !goes_back {
            p { "The way back: " code { (format!("crossfade retire {service} --undo --reason TEXT")) } "." }
        }
    }
}
