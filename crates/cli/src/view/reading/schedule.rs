//! The steps of a schedule, and where a migration stands in them.

use crate::stack::reading::Reading;
use crate::view::parts::age::age;
use crate::view::parts::page::{Page, Tone};
use crate::view::parts::table::{Cell, Reasons, Row, Worth, table};
use crossfade_domain::gates::checks::seconds_between;
use crossfade_domain::journal::Phase;
use crossfade_domain::policy::service_policy::ScheduleStep;

/// The most steps that get a line each.
const MOST_STEPS: usize = 7;
/// Steps before the present one that are shown of a longer schedule.
const BEFORE: usize = 1;

/// A line for each step: `> 25 %  10m  3m12s of it`. Nothing where the migration is over, or on its way back.
pub(super) fn lines(reading: &Reading, page: Page) -> Vec<String> {
    let head = &reading.head;
    if !matches!(head.phase, Phase::Planned | Phase::Moving | Phase::Halted) {
        return Vec::new();
    }
    let steps = &reading.plan.policy.schedule.steps;
    let present = usize::try_from(head.intended_step.or(head.verified_step).unwrap_or(0)).unwrap_or(usize::MAX);
    // Of a long schedule, those around the present step, and the last one.
    let (first, last) = if steps.len() <= MOST_STEPS {
        (1, steps.len())
    } else {
        let first = present.saturating_sub(BEFORE).clamp(1, steps.len() + 2 - MOST_STEPS);
        (first, first + MOST_STEPS - 3)
    };
    let is_shown = |number: usize| (first..=last).contains(&number) || number == steps.len();
    let numbered = || (1..).zip(steps);
    let rows: Vec<Row> = numbered()
        .filter(|(number, _)| is_shown(*number))
        .map(|(number, step)| row(reading, number, step, present))
        .collect();
    let mut shown = table(page, &[Worth::Stays; 4], &rows, Reasons::Beside).concat().into_iter();
    let mut lines = vec!["  steps".to_owned()];
    if first > 1 {
        lines.push(format!("      {} before", counted(first - 1)));
    }
    for (number, _) in numbered().filter(|(number, _)| is_shown(*number)) {
        if number == steps.len() && number > last + 1 {
            lines.push(format!("      {} between", counted(number - last - 1)));
        }
        lines.extend(shown.next());
    }
    lines
}

fn counted(steps: usize) -> String {
    if steps == 1 { "1 step".to_owned() } else { format!("{steps} steps") }
}

fn row(reading: &Reading, number: usize, step: &ScheduleStep, present: usize) -> Row {
    let is_present = number == present;
    let (tone, mark) = match (is_present, reading.head.phase) {
        (true, Phase::Halted) => (Tone::Alert, ">"),
        (true, _) => (Tone::Moving, ">"),
        (false, _) => (Tone::Plain, ""),
    };
    let done = number < present;
    let tone = if done { Tone::Good } else { tone };
    let approval = if step.approve { ", then an approval" } else { "" };
    let bake = if step.bake_seconds == 0 { "no bake".to_owned() } else { age(step.bake_seconds) };
    Row {
        cells: vec![
            Cell::Text(format!("{mark:>2}"), tone),
            Cell::Number(step.weight.to_string(), tone),
            Cell::Bar(Some(step.weight), if is_present || done { tone } else { Tone::Quiet }),
            Cell::number(bake),
        ],
        why: if is_present { format!("{}{approval}", here(reading, step)) } else { said(done, step) },
    }
}

/// What is said of a step that is not the present one.
fn said(done: bool, step: &ScheduleStep) -> String {
    match (done, step.approve) {
        (true, _) => "done".to_owned(),
        (false, true) => "then an approval".to_owned(),
        (false, false) => String::new(),
    }
}

/// Where the migration stands in its present step.
fn here(reading: &Reading, step: &ScheduleStep) -> String {
    let head = &reading.head;
    if head.phase == Phase::Halted {
        return "HALTED here".to_owned();
    }
    match head.verified_at {
        Some(since) if head.intended_step.is_none() => {
            let baked = seconds_between(since, reading.now);
            if baked >= step.bake_seconds { "baked".to_owned() } else { format!("{} of it", age(baked)) }
        }
        _ => "being shifted to".to_owned(),
    }
}
