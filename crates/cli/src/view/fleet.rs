//! A fleet's run, for people and for programs.

mod json;
mod old_sides;
mod planned;
mod rows;
#[cfg(test)]
mod tests;

pub use crossfade_domain::names::some_of;
pub use json::object;
pub use planned::{Foreseen, Limit, findings, foreseen};

use crate::stack::fleets::{Conductor, FleetReading};
use crate::view::parts::lines::{filled, labelled};
use crate::view::parts::page::{Page, Tone};
use crate::view::parts::table::{Reasons, table};
use crossfade_domain::fleet::forecast::budget;
use crossfade_domain::fleet::head::{RunOutcome, RunState};
use crossfade_domain::fleet::outlook::headline;
use crossfade_domain::fleet::service_run::ServiceState;
use crossfade_domain::gates::checks::seconds_between;
use crossfade_domain::names::ServiceName;
use crossfade_domain::policy::document::written_duration;
use rows::{COLUMNS, Row, needs_a_person, rows};
use std::collections::BTreeMap;

/// The most services of a section that get a line each.
const MOST_ROWS: usize = 20;
/// The most lines of a reason below its row.
const LINES_OF_A_REASON: usize = 2;

/// Renders the run on a page: first what needs a person, then what moves; the rest is counted, wave by wave.
pub fn render(reading: &FleetReading, page: Page) -> String {
    let mut head = headline(&reading.fleet.policy, &reading.head);
    head.extend(old_sides::totals_of(reading).map(|totals| format!(" \u{b7} old sides: {totals}")));
    let mut lines = filled(&head, "", "  ", page.columns);
    if let Some(end) = reading.end {
        // Whole minutes: it is a forecast.
        let left = written_duration(seconds_between(reading.now, end).div_ceil(60).saturating_mul(60));
        let text = format!("time left: {left} if nothing fails, until {}", end.strftime("%a %Y-%m-%d %H:%M UTC"));
        lines.extend(filled(&text, "", "  ", page.columns));
    }
    if reading.head.windows_ignored && reading.head.state != RunState::Over {
        lines.push("windows and freezes are ignored, as a person asked".to_owned());
    }
    for (first, text) in states(reading) {
        let tone = match first {
            "" | "  -> " => Tone::Plain,
            "PAUSED: " | "GOING BACK: " => Tone::Attention,
            _ => Tone::Alert,
        };
        lines.extend(labelled(page, first, tone, &text, "  "));
    }
    let rows = rows(reading);
    let (troubled, others): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| needs_a_person(row.state));
    let mut troubled = troubled;
    troubled.sort_by_key(|row| urgency(row.state));
    if !troubled.is_empty() {
        lines.push(page.paint("NEEDS A PERSON", Tone::Heading));
        let (stuck, troubled): (Vec<&Row>, Vec<&Row>) =
            troubled.iter().partition(|row| row.state == ServiceState::Blocked);
        lines.extend(rows_of(&troubled, page));
        lines.extend(blocked(&stuck, page));
        lines.extend(ways_past_skipped(reading).iter().flat_map(|way| filled(way, "  -> ", "     ", page.columns)));
        lines.extend(ways_on(reading, &troubled).iter().flat_map(|way| filled(way, "  -> ", "     ", page.columns)));
    }
    let moving: Vec<&Row> = others.into_iter().filter(|row| row.state.is_in_flight()).collect();
    if !moving.is_empty() {
        lines.push(page.paint("MOVING", Tone::Heading));
        lines.extend(rows_of(&moving, page));
    }
    lines.extend(old_sides::lines(reading, page));
    lines.extend(waves(reading, page));
    lines.join("\n")
}

/// What stands above the services: what the run waits for, who conducts it, and what is wrong with its policy. Each
/// with what its first line begins with.
fn states(reading: &FleetReading) -> Vec<(&'static str, String)> {
    let FleetReading { head, fleet, .. } = reading;
    let name = &fleet.name;
    let reason = head.reason.as_deref().unwrap_or("no reason was recorded");
    let mut states = Vec::new();
    match head.state {
        RunState::Running => {
            if let Some(since) = head.baking_since {
                let since = written_duration(seconds_between(since, reading.now));
                states.push(("", format!("the wave is over, and has been watched for {since}")));
            }
        }
        RunState::Stopped => {
            states.push(("STOPPED: ", reason.to_owned()));
            states.push(("  -> ", format!("when that is fixed: crossfade fleet resume {name}")));
            states.push(("  -> ", format!("to return what moves: crossfade fleet abort {name}")));
        }
        RunState::Paused => {
            states.push(("PAUSED: ", format!("{reason}; nothing starts, and what moves stays at its weight")));
            states.push(("  -> ", format!("to go on: crossfade fleet resume {name}")));
        }
        RunState::Draining => {
            states.push(("PAUSED: ", format!("{reason}; nothing starts, and what moves goes on to its end")));
            states.push(("  -> ", format!("to go on: crossfade fleet resume {name}")));
        }
        RunState::Aborting => states.push(("GOING BACK: ", format!("{reason}; what moves is being rolled back"))),
        RunState::Returning => {
            states.push(("GOING BACK: ", format!("{reason}; everything is being rolled back, the last wave first")));
        }
        RunState::Over => {
            let again = format!("the run is over; another one: crossfade fleet start {name}");
            states.push(("", again));
        }
    }
    match &reading.conductor {
        Conductor::Ended(why) => {
            let execution = execution_name(&head.execution);
            states.push((
                "NOBODY CONDUCTS: ",
                format!(
                    "execution {execution}: {why}. Nothing new starts; what moves is guarded by its own gates and \
                     alarms"
                ),
            ));
            states.push(("  -> ", way_on(reading)));
        }
        Conductor::Unreadable(error) => {
            states.push(("", format!("the execution that conducts it could not be read: {error}")));
        }
        Conductor::Runs | Conductor::NotNeeded => {}
    }
    states.extend(fleet.problem.iter().map(|problem| ("WRONG POLICY: ", problem.clone())));
    states
}

/// The command that goes on with a run that nobody conducts.
fn way_on(reading: &FleetReading) -> String {
    let name = &reading.fleet.name;
    match reading.head.state {
        RunState::Aborting => format!("to go on with the return: crossfade fleet abort {name}"),
        RunState::Returning => format!("to go on with the return: crossfade fleet rollback --all {name}"),
        _ => format!("to go on: crossfade fleet start {name}"),
    }
}

/// The name of an execution.
pub fn execution_name(execution: &str) -> &str {
    execution.rsplit(':').next().unwrap_or_default()
}

/// What is to be decided first.
fn urgency(state: ServiceState) -> u32 {
    match state {
        ServiceState::Halted => 0,
        ServiceState::Died => 1,
        ServiceState::Alarmed => 2,
        ServiceState::RolledBack => 3,
        ServiceState::Refused => 4,
        _ => 5,
    }
}

/// What a person can do about the services that need one.
fn ways_on(reading: &FleetReading, rows: &[&Row]) -> Vec<String> {
    let has = |states: &[ServiceState]| rows.iter().any(|row| states.contains(&row.state));
    // A fleet's name may be left out where there is only one; a command that is copied must work in any case.
    let fleet = &reading.fleet.name;
    let mut ways = Vec::new();
    if has(&[ServiceState::Halted]) {
        ways.push("halted: crossfade resume SERVICE, or crossfade rollback SERVICE".to_owned());
    }
    if has(&[ServiceState::Alarmed]) {
        ways.push("migrated, alarm: crossfade rollback SERVICE, or when it is quiet again, as below".to_owned());
    }
    if has(&[ServiceState::Died, ServiceState::RolledBack, ServiceState::Refused, ServiceState::Alarmed]) {
        ways.push(format!("when it is fixed: crossfade fleet retry SERVICE {fleet}"));
        ways.push(format!("to go on without it: crossfade fleet skip SERVICE {fleet}"));
    }
    ways
}

/// For each skipped service that blocks others, the command that starts them without it.
fn ways_past_skipped(reading: &FleetReading) -> Vec<String> {
    let FleetReading { fleet, head, .. } = reading;
    // Nothing starts any more in a run that a person has ended.
    if head.outcome.is_some_and(|outcome| outcome != RunOutcome::Incomplete) {
        return Vec::new();
    }
    let is_blocked = |name| head.state_of(name) == ServiceState::Blocked;
    let blocks = |skipped: &&ServiceName| {
        let mut others = fleet.policy.services.iter();
        others.any(|other| other.after.contains(skipped) && is_blocked(&other.name))
    };
    let way = |skipped: &ServiceName| {
        let name = &fleet.name;
        format!(
            "to start what comes after {skipped}: crossfade fleet skip {skipped} {name} --release-dependants --reason \
             TEXT"
        )
    };
    head.those(|state| state == ServiceState::Skipped).filter(blocks).map(way).collect()
}

/// The rows of a section.
fn rows_of(rows: &[&Row], page: Page) -> Vec<String> {
    let shown: Vec<_> = rows.iter().take(MOST_ROWS).map(|row| row.cells()).collect();
    let mut lines = table(page, &COLUMNS, &shown, Reasons::Below(LINES_OF_A_REASON)).concat();
    if rows.len() > MOST_ROWS {
        lines.push(format!("  and {} more: crossfade fleet status --output json", rows.len() - MOST_ROWS));
    }
    lines
}

/// Blocked services, a line for each reason.
fn blocked(rows: &[&Row], page: Page) -> Vec<String> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for row in rows {
        match reasons.iter_mut().find(|(reason, _)| *reason == row.why) {
            Some((_, names)) => names.push(&row.service),
            None => reasons.push((&row.why, vec![&row.service])),
        }
    }
    let one = |(reason, names): &(&str, Vec<&str>)| {
        let text = format!("blocked: {}: {reason}", some_of(names));
        filled(&text, "  ", "      ", page.columns)
    };
    let mut lines: Vec<String> = reasons.iter().take(MOST_ROWS).flat_map(one).collect();
    if reasons.len() > MOST_ROWS {
        lines.push("  and more: crossfade fleet status --output json".to_owned());
    }
    lines
}

/// How many services of each wave are where. Waves next to each other that are alike share a line.
fn waves(reading: &FleetReading, page: Page) -> Vec<String> {
    let head = &reading.head;
    let mut alike: Vec<(usize, usize, String)> = Vec::new();
    let present = usize::try_from(head.wave).unwrap_or(usize::MAX);
    for (place, wave) in head.waves.iter().enumerate() {
        let mut counts: BTreeMap<ServiceState, usize> = BTreeMap::new();
        for name in &wave.services {
            *counts.entry(head.state_of(name)).or_default() += 1;
        }
        let counts: Vec<String> = counts.iter().map(|(state, count)| format!("{count} {}", state.in_words())).collect();
        let counts = counts.join(", ");
        let stands_alone = place == present || place == present + 1 || wave.number == 0;
        match alike.last_mut() {
            Some((_, last, same)) if *same == counts && !stands_alone => *last = place,
            _ => alike.push((place, place, counts)),
        }
    }
    let mut lines = vec![page.paint("WAVES", Tone::Heading)];
    for (first, last, counts) in alike {
        let mark = if first == present && head.state != RunState::Over { "> " } else { "  " };
        let canary = if head.waves[first].number == 0 { " (canary)" } else { "" };
        let text = if first == last {
            format!("wave {}{canary}: {counts}", first + 1)
        } else {
            format!("waves {} to {}: {counts} each", first + 1, last + 1)
        };
        lines.extend(filled(&text, mark, "    ", page.columns));
    }
    lines.extend(filled(&budget(&reading.fleet.policy.rollout, head.names().count()), "", "  ", page.columns));
    lines
}
