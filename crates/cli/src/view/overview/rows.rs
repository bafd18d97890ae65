//! A service in a row.

use crate::stack::overview::standing::{Group, Standing};
use crate::stack::overview::{Overview, ServiceSeen};
use crate::view::few_words::few_words;
use crate::view::parts::age::age;
use crate::view::parts::page::Tone;
use crate::view::parts::table::{Cell, Row, Worth};
use crate::view::position::doing;
use crossfade_domain::gates::checks::seconds_between;
use crossfade_domain::routing::stray::describe;

/// What a row has: service, state, bar, weight, step, time to the next one, age, fleet, migration.
pub(super) const COLUMNS: [Worth; 9] = [
    Worth::Name,
    Worth::Stays,
    Worth::Drops(5),
    Worth::Stays,
    Worth::Drops(4),
    Worth::Drops(3),
    Worth::Drops(2),
    Worth::Drops(1),
    Worth::Drops(0),
];

pub(super) fn row(standing: Standing, seen: &ServiceSeen, overview: &Overview) -> Row {
    let position = seen.position.as_ref();
    let tone = tone(standing);
    let has_weight = matches!(standing.group(), Group::NeedsAPerson | Group::Moving);
    let weight = position.filter(|_| has_weight).map(|position| position.weight);
    let bar_tone = if standing == Standing::Moving { Tone::Moving } else { tone };
    let since = position.map(|position| seconds_between(position.head.at_rest_since(), overview.now));
    let next = position.filter(|_| standing == Standing::Moving).and_then(|position| position.seconds_to_next_step);
    let next = next.filter(|left| *left > 0);
    let several_fleets = overview.services.iter().any(|other| other.fleet != seen.fleet);
    let fleet = seen.fleet.clone().filter(|_| several_fleets);
    Row {
        cells: vec![
            Cell::text(seen.service.as_str()),
            Cell::Text(standing.in_words().to_owned(), tone),
            weight.map_or_else(|| Cell::text(""), |weight| Cell::Bar(weight, bar_tone)),
            Cell::number(
                weight.map_or_else(String::new, |weight| {
                    weight.map_or_else(|| "?".to_owned(), |weight| weight.to_string())
                }),
            ),
            Cell::text(
                position
                    .filter(|_| has_weight)
                    .and_then(|position| position.step)
                    .map_or_else(String::new, |(step, steps)| format!("{step}/{steps}")),
            ),
            Cell::text(next.map_or_else(String::new, |left| format!("next in {}", age(left)))),
            Cell::Text(since.map_or_else(String::new, |since| format!("for {}", age(since))), Tone::Quiet),
            Cell::Text(fleet.unwrap_or_default(), Tone::Quiet),
            Cell::Text(position.map_or_else(String::new, |position| position.head.migration.to_string()), Tone::Quiet),
        ],
        why: why(standing, seen, overview),
    }
}

/// The colour of a standing.
pub(super) fn tone(standing: Standing) -> Tone {
    match standing {
        Standing::Halted
        | Standing::Died
        | Standing::NotAllTraffic
        | Standing::Alarmed
        | Standing::OldSideHalted
        | Standing::NotRead => Tone::Alert,
        Standing::ToApprove
        | Standing::Paused
        | Standing::RollingBack
        | Standing::RolledBack
        | Standing::Refused
        | Standing::Blocked => Tone::Attention,
        Standing::Moving | Standing::Held => Tone::Moving,
        Standing::Skipped | Standing::NotStarted => Tone::Quiet,
        Standing::Migrated => Tone::Good,
    }
}

/// Why a service stands where it does, in few words.
pub(super) fn why(standing: Standing, seen: &ServiceSeen, overview: &Overview) -> String {
    let position = seen.position.as_ref();
    let head = position.map(|position| &position.head);
    let plan = position.and_then(|position| position.plan.as_ref());
    let few = |text: Option<&String>| text.map_or_else(String::new, |text| few_words(text, plan));
    let of_old_side = || seen.retirement.as_ref().and_then(|one| one.standing(overview.now));
    match standing {
        Standing::NotRead => seen.unread.clone().unwrap_or_default(),
        Standing::NotAllTraffic => match &seen.left {
            Some(Ok(left)) => few_words(&describe(left), plan),
            _ => String::new(),
        },
        Standing::Migrated | Standing::OldSideHalted | Standing::Alarmed => match &seen.left {
            Some(Err(error)) => few_words(&format!("its routes cannot be listed now: {error}"), plan),
            _ => few(of_old_side().as_ref()),
        },
        Standing::Died | Standing::Blocked | Standing::Skipped | Standing::NotStarted => {
            few(seen.run.as_ref().and_then(|run| run.reason.as_ref()))
        }
        Standing::Paused | Standing::Held => few(head.and_then(|head| head.commanded.as_ref())),
        Standing::Moving => position.map_or_else(String::new, doing),
        Standing::ToApprove => String::new(),
        Standing::Halted | Standing::RollingBack | Standing::RolledBack | Standing::Refused => {
            let of_run = || seen.run.as_ref().and_then(|run| run.reason.as_ref());
            few(head.and_then(|head| head.reason.as_ref()).or_else(of_run))
        }
    }
}
