//! One reading of a migration, for people.

mod schedule;
#[cfg(test)]
mod tests;

use crate::stack::reading::Reading;
use crate::view::few_words::tidied;
use crate::view::parts::age::age;
use crate::view::parts::lines::filled;
use crate::view::parts::page::{Page, Tone};
use crate::view::parts::table::{Cell, Reasons, Row, Worth, table};
use crossfade_actions::operator::observe::{Observation, RouteSeen, TargetsSeen};
use crossfade_actions::operator::probe_from_here::open_round;
use crossfade_domain::alarms::alarm::{Alarm, AlarmState};
use crossfade_domain::gates::checks::seconds_between;
use crossfade_domain::gates::window::{closed, held_seconds};
use crossfade_domain::journal::cursor::NextStep;
use crossfade_domain::journal::{Phase, Rollback};
use crossfade_domain::names::ServiceName;
use crossfade_domain::opinion::Vote;
use crossfade_domain::plan::PlannedRoute;
use crossfade_domain::retirement::{Retirement, RetirementPhase};
use crossfade_domain::weight::Weight;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// The columns of a field's name.
const FIELD: usize = 10;

/// Renders the whole reading on a page.
pub fn render(reading: &Reading, page: Page) -> String {
    let (head, plan) = (&reading.head, Some(&reading.plan));
    let mut lines = filled(&headline(reading), "", "  ", page.columns);
    let tone = match head.phase {
        Phase::Halted => Tone::Alert,
        Phase::Planned | Phase::Moving => Tone::Moving,
        Phase::Migrated => Tone::Good,
        Phase::RollingBack | Phase::Settling | Phase::RolledBack | Phase::Refused => Tone::Attention,
    };
    lines = lines.iter().map(|line| page.paint(line, tone)).collect();
    let mut field = |name: &str, text: &str| {
        lines.extend(filled(text, &format!("  {name:<FIELD$}"), &" ".repeat(FIELD + 2), page.columns));
    };
    if let Some(reason) = &head.reason {
        field("reason", &tidied(reason, plan));
    }
    if let Some(command) = head.commanded.as_ref().filter(|_| matches!(head.phase, Phase::Planned | Phase::Moving)) {
        field("operator", &tidied(command, plan));
    }
    for (name, text) in left(reading) {
        field(name, &text);
    }
    if let Some(next) = next_step(reading) {
        field("next", &next);
    }
    for (name, text) in reading.observation.iter().flat_map(|observation| gates(reading, observation)) {
        field(name, &text);
    }
    if let Some(observing) = observing(reading) {
        field("observing", &observing);
    }
    if let Some(last) = last_check(reading) {
        field("gates", &tidied(&last, plan));
    }
    lines.extend(filled(&format!("to roll back: {}", way_back(reading)), "  ", "    ", page.columns));
    lines.extend(schedule::lines(reading, page));
    // Routes come last, because there may be more of them than a terminal has lines.
    if let Some(observation) = &reading.observation {
        lines.extend(routes(reading, observation, page));
    }
    lines.join("\n")
}

/// `users-1: at 5 %, step 2 of 7, for 3m12s`.
pub fn headline(reading: &Reading) -> String {
    let head = &reading.head;
    let steps = reading.plan.last_step();
    let where_it_is = match head.phase {
        Phase::Planned => "planned, locks held, nothing changed yet".to_owned(),
        Phase::Moving => match (head.intended_step, head.verified_step) {
            (Some(0), _) => "attaching the new groups at weight 0".to_owned(),
            (Some(step), _) => format!("shifting to {}, step {step} of {steps}", reading.desired()),
            (None, Some(step)) if step > 0 => format!("at {}, step {step} of {steps}", reading.verified()),
            (None, _) if open_round(head).is_some() => {
                "attached at weight 0, waiting for a command that sends its probes".to_owned()
            }
            (None, _) => "attached at weight 0, waiting for healthy targets".to_owned(),
        },
        Phase::RollingBack => "rolling back".to_owned(),
        Phase::Settling => "rolled back, every route was read back; the second check is due".to_owned(),
        Phase::RolledBack => "rolled back, checked twice".to_owned(),
        Phase::Halted => format!("HALTED at {}: an operator must decide", reading.verified()),
        Phase::Migrated => migrated(reading),
        Phase::Refused => "refused, nothing was changed".to_owned(),
    };
    let age = age(seconds_between(head.at_rest_since(), reading.now));
    let paused = if head.commands.paused && head.phase == Phase::Moving { ", PAUSED" } else { "" };
    format!("{}: {where_it_is}{paused}, for {age}", head.migration)
}

fn migrated(reading: &Reading) -> String {
    match &reading.left {
        Some(Ok(left)) if left.is_empty() => "migrated, all traffic on the new cluster".to_owned(),
        Some(Ok(_)) => "migrated, but NOT ALL traffic is on the new cluster".to_owned(),
        Some(Err(_)) | None => "migrated, all traffic was on the new cluster when it ended".to_owned(),
    }
}

/// The routes of a migrated service that send traffic to the old cluster.
fn left(reading: &Reading) -> Vec<(&'static str, String)> {
    match &reading.left {
        None => Vec::new(),
        Some(Err(error)) => vec![("routes", format!("cannot be listed now: {error}"))],
        Some(Ok(left)) => left.iter().map(|stray| ("left", stray.to_string())).collect(),
    }
}

/// Describes what comes next, and when.
pub fn next_step(reading: &Reading) -> Option<String> {
    let (head, plan) = (&reading.head, &reading.plan);
    let service = &head.service;
    if head.phase != Phase::Moving {
        return (head.phase == Phase::Halted)
            .then(|| format!("crossfade resume {service}, or crossfade rollback {service}"));
    }
    if let Some(round) = open_round(head) {
        let left = age(seconds_between(reading.now, round.ends_at()));
        return Some(format!("`crossfade wait {service} --probe-from-here` sends the probes; back in {left} if not"));
    }
    if head.commands.paused {
        return Some(format!("held until `crossfade continue {service}`{}", hold_limit(reading)));
    }
    if reading.waits_for_approval() {
        return Some(format!("waits for `crossfade approve {service}`{}", hold_limit(reading)));
    }
    let left = reading.seconds_to_next_step()?;
    let then = match plan.step(head.verified_step? + 1) {
        Some(step) => format!("to {}", step.weight),
        None => "finish".to_owned(),
    };
    if let Some(reason) = window_of_next_step(reading, left) {
        return Some(format!(
            "{then} when a window opens: {reason}; `crossfade continue {service} --now --reason TEXT` does not wait"
        ));
    }
    let approval = plan.step(head.verified_step?).is_some_and(|step| step.approve);
    let asked = if approval && head.commands.approved_step < head.verified_step { ", after an approval" } else { "" };
    Some(match left {
        0 => format!("{then} at the next check{asked}{}", hold_limit(reading)),
        left => format!("{then} in {}{asked}, if nothing objects", age(left)),
    })
}

/// Why the next step has to wait for a window once its bake is over, if it has to.
fn window_of_next_step(reading: &Reading, left_seconds: u32) -> Option<String> {
    let next = reading.head.verified_step? + 1;
    reading.plan.step(next)?;
    let due = reading.now + SignedDuration::from_secs(i64::from(left_seconds));
    let calendars = &reading.observation.as_ref()?.calendars;
    closed(&reading.plan, &reading.head, calendars, next, due).map(|closed| closed.why)
}

/// Says when a hold ends by itself.
fn hold_limit(reading: &Reading) -> String {
    let (policy, head) = (&reading.plan.policy, &reading.head);
    if head.held_since.is_none() {
        return String::new();
    }
    let left = policy.max_hold_seconds.saturating_sub(held_seconds(policy, head, reading.now));
    format!("; halts in {} (maxHold)", age(left))
}

fn routes(reading: &Reading, observation: &Observation, page: Page) -> Vec<String> {
    let seen = match &observation.routes {
        Ok(seen) => seen,
        Err(error) => {
            return filled(&format!("could not be read: {error}"), "  routes    ", "            ", page.columns);
        }
    };
    // Routes in a wrong state come first, so they are never cut off.
    let mut seen: Vec<&RouteSeen> = seen.iter().collect();
    seen.sort_by_key(|route| !deviates(reading, route));
    let heading = |text: &str| Cell::Text(text.to_owned(), Tone::Quiet);
    let mut rows =
        vec![Row { cells: ["routes", "live", "desired", "verified"].map(heading).to_vec(), why: String::new() }];
    rows.extend(seen.into_iter().map(|route| {
        let planned = reading.plan.routes.iter().find(|planned| planned.id == route.id);
        let name = planned.map_or_else(|| route.id.describe(), PlannedRoute::named);
        let tone = match deviates(reading, route) {
            true if route.changed.is_some() => Tone::Alert,
            // On the way back, a route that has not arrived is no surprise.
            true if !reading.head.phase.is_returning() => Tone::Attention,
            _ => Tone::Plain,
        };
        let changed = route.changed.as_ref().map(|seen| format!("CHANGED by someone else: {seen}"));
        Row {
            cells: vec![
                Cell::Text(name, tone),
                Cell::Text(live(route), tone),
                Cell::text(reading.desired().to_string()),
                Cell::text(verified_on(reading).to_string()),
            ],
            why: changed.unwrap_or_default(),
        }
    }));
    let columns = [Worth::Name, Worth::Stays, Worth::Stays, Worth::Drops(0)];
    table(page, &columns, &rows, Reasons::Below(usize::MAX)).concat()
}

/// Returns the weight that was read back. After a rollback, the weights of the way up no longer count.
fn verified_on(reading: &Reading) -> Weight {
    if reading.head.phase == Phase::Settling { Weight::ZERO } else { reading.verified() }
}

fn deviates(reading: &Reading, route: &RouteSeen) -> bool {
    let desired = reading.desired().percent();
    route.changed.is_some() || route.live_percent.is_none_or(|live| (live - desired).abs() > 0.2)
}

fn live(route: &RouteSeen) -> String {
    let Some(percent) = route.live_percent else { return "none".to_owned() };
    Weight::try_new((percent * 10.0).round() / 10.0)
        .map_or_else(|_| format!("{percent:.1} %"), |weight| weight.to_string())
}

fn gates(reading: &Reading, observation: &Observation) -> Vec<(&'static str, String)> {
    let wanted = &reading.plan.policy.alarms;
    let at = reading.now.strftime("%H:%M:%S");
    let alarms = match &observation.alarms {
        Err(error) => format!("could not be read: {error}"),
        Ok(_) if wanted.is_empty() => "the policy names none".to_owned(),
        Ok(found) => {
            let parts: Vec<String> = wanted.iter().map(|name| alarm(name, found, reading.now)).collect();
            format!("{} (read at {at})", parts.join(", "))
        }
    };
    let targets = match &observation.targets {
        Err(error) => format!("could not be read: {error}"),
        Ok(seen) => {
            let parts: Vec<String> = seen.iter().map(targets).collect();
            format!("{} (read at {at})", parts.join(", "))
        }
    };
    vec![("alarms", alarms), ("targets", targets)]
}

fn alarm(name: &str, found: &[Alarm], now: Timestamp) -> String {
    let Some(alarm) = found.iter().find(|alarm| alarm.name == name) else { return format!("{name} does not exist") };
    let state = match alarm.state {
        AlarmState::Ok => "quiet",
        AlarmState::Alarm => "FIRING",
        AlarmState::InsufficientData => "without data",
    };
    format!("{name} {state} for {}", age(seconds_between(alarm.since, now)))
}

fn targets(seen: &TargetsSeen) -> String {
    let side = if seen.new { "new" } else { "old" };
    format!("{side} {} {} of {} healthy", seen.group.name(), seen.healthy, seen.registered)
}

/// Says what the gates would have done that only observe.
fn observing(reading: &Reading) -> Option<String> {
    let gates = &reading.plan.policy.gates.observing;
    let does = |gate: &String| {
        let vote = reading.head.observed.get(gate).map_or(Vote::GoOn, |observed| observed.vote);
        let does = vote.would_have().map_or_else(|| "does not object".to_owned(), |done| format!("would have {done}"));
        format!("{gate} {does}")
    };
    (!gates.is_empty()).then(|| gates.iter().map(does).collect::<Vec<_>>().join(", "))
}

/// Says what the gates decided at their last check, how long ago, and when the next check is.
fn last_check(reading: &Reading) -> Option<String> {
    let answer = match &reading.answer {
        Err(error) => return Some(format!("could not be read: {error}")),
        Ok(answer) => answer.as_ref()?,
    };
    let reason = answer.payload.get("reason")?.as_str()?;
    let ago = seconds_between(answer.at, reading.now);
    let wait = answer.payload.get("waitSeconds").and_then(Value::as_u64).unwrap_or(0);
    let left = u32::try_from(wait).unwrap_or(u32::MAX).saturating_sub(ago);
    let verdict = answer.payload.get("verdict").and_then(|verdict| serde_json::from_value(verdict.clone()).ok());
    let again = match verdict {
        Some(NextStep::Migrated | NextStep::RolledBack | NextStep::Refused | NextStep::Halt) => String::new(),
        _ if left > 0 => format!("; next check in {}", age(left)),
        _ => String::new(),
    };
    Some(format!("{} ago: {reason}{again}", age(ago)))
}

fn way_back(reading: &Reading) -> String {
    let service = &reading.head.service;
    match reading.head.phase {
        Phase::RolledBack | Phase::Refused => {
            let left = reading.head.rollback.as_ref().and_then(Rollback::left_alone);
            left.map_or_else(
                || "nothing: every route is at its baseline".to_owned(),
                |left| format!("nothing of ours; {left}"),
            )
        }
        Phase::RollingBack | Phase::Settling => "a rollback is already under way".to_owned(),
        Phase::Migrated => reading.retirement.as_deref().map_or_else(|| roll_back(service), way_back_from),
        Phase::Halted => roll_back(service),
        Phase::Planned | Phase::Moving => format!("crossfade abort {service}"),
    }
}

fn roll_back(service: &ServiceName) -> String {
    format!("crossfade rollback {service}")
}

/// The way back from how far the old side is retired.
fn way_back_from(retirement: &Retirement) -> String {
    use RetirementPhase as P;
    let service = &retirement.service;
    match retirement.phase {
        P::Proving | P::Undone | P::Refused => roll_back(service),
        P::Detaching | P::Watching | P::Deregistering | P::Deregistered => {
            format!("crossfade retire {service} --undo --wait, then {}", roll_back(service))
        }
        P::Undoing => format!("when the old side is back: {}", roll_back(service)),
        P::Halted => {
            format!("not before the old side is complete; what is missing: crossfade retire {service} --status")
        }
        P::Deleting | P::Deleted => format!(
            "nothing: the old target groups are deleted; crossfade retire {service} --undo prints the commands that \
             create them again"
        ),
    }
}
