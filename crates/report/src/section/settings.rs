//! The settings of a migration, and the versions of what ran it.

use crate::input::MigrationReport;
use crate::page::{facts, table};
use crate::words::time;
use crossfade_domain::journal::EventKind;
use crossfade_domain::plan::{Plan, Severity};
use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

pub(crate) fn drawn(report: &MigrationReport) -> Markup {
    let formats = report.events.last().map(|event| event.version);
    let mut shown = vec![("Journal", formats.map_or_else(String::new, |version| format!("format {version}")))];
    let resumed = report.events.iter().filter(|event| matches!(event.kind, EventKind::Resumed { .. })).count();
    if let Some(event) = report.events.last() {
        shown.push(("Generation", event.generation.to_string()));
    }
    shown.push(("Resumed", format!("{resumed} times")));
    html! {
        @if let Some(plan) = &report.plan { (of_plan(plan)) } @else { p { "The plan is not stored." } }
        (facts(&shown))
    }
}

fn of_plan(plan: &Plan) -> Markup {
    let policy = &plan.policy;
    let switch = |on: bool| if on { "on" } else { "off" }.to_owned();
    let listed = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let shown = [
        ("Planned", time(plan.created)),
        ("Plan", format!("format {}", plan.version)),
        ("Judge", switch(policy.judge)),
        ("Alarms", listed(&policy.alarms)),
        ("Guard alarms", plan.guards.len().to_string()),
        ("Healthy targets needed", policy.min_healthy.to_string()),
        ("Look at the gates every", seconds(policy.slice_seconds)),
        ("Longest hold", seconds(policy.max_hold_seconds)),
        ("Windows", if policy.windows.is_some() { "yes, see the policy" } else { "none" }.to_owned()),
    ];
    let steps: Vec<Vec<String>> = policy
        .schedule
        .steps
        .iter()
        .map(|step| {
            let approval = if step.approve { "a person approves the next step" } else { "\u{2013}" };
            vec![step.weight.to_string(), seconds(step.bake_seconds), approval.to_owned()]
        })
        .collect();
    let findings: Vec<Vec<String>> = plan
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Warning)
        .map(|finding| {
            vec![finding.about().unwrap_or_default().to_owned(), finding.message.clone(), finding.code.to_string()]
        })
        .collect();
    let json = serde_json::to_string_pretty(policy).unwrap_or_else(|error| error.to_string());
    html! {
        (facts(&shown))
        (table("The schedule", &["Weight", "Bake", "Approval"], &steps))
        @if !findings.is_empty() {
            (table("Warnings of the plan", &["About", "What", "Code"], &findings))
        }
        details { summary { "The whole policy of this migration" } pre { (json) } }
    }
}

fn seconds(seconds: u32) -> String {
    crate::words::span(Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds.into()))
}
