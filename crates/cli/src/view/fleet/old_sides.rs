//! Where the old sides of a fleet's services are.

use super::{MOST_ROWS, some_of};
use crate::stack::fleets::FleetReading;
use crate::view::parts::lines::filled;
use crate::view::parts::page::{Page, Tone};
use crossfade_domain::fleet::retiring::{OldSide, old_side, totals};
use crossfade_domain::names::ServiceName;

/// Where the old side of a service is; none where nobody has asked for its retirement.
pub(super) fn of(reading: &FleetReading, name: &ServiceName) -> Option<OldSide> {
    let run = reading.head.services.get(name);
    let ask = run.and_then(|run| run.retirement.as_ref());
    let migration = run.and_then(|run| run.migration.as_ref());
    old_side(migration, ask, reading.retirements.get(name), reading.now)
}

/// Why the retirement of a service has not begun, or did not come to its end.
pub(super) fn why(reading: &FleetReading, name: &ServiceName) -> Option<String> {
    let ask = reading.head.services.get(name).and_then(|run| run.retirement.as_ref());
    let own = reading.retirements.get(name).and_then(|retirement| retirement.reason.clone());
    match of(reading, name)? {
        OldSide::Refused => ask.and_then(|ask| ask.refused.clone()).or(own),
        OldSide::Undone | OldSide::Undoing | OldSide::Halted => own,
        _ => None,
    }
}

fn all(reading: &FleetReading) -> impl Iterator<Item = (&ServiceName, OldSide)> {
    reading.head.names().filter_map(|name| Some((name, of(reading, name)?)))
}

/// `10 retired · 3 resting`, where anyone has asked for a retirement.
pub(super) fn totals_of(reading: &FleetReading) -> Option<String> {
    totals(all(reading).map(|(_, side)| side))
}

/// The services by where their old sides are: first what needs a person, each with the reason.
pub(super) fn lines(reading: &FleetReading, page: Page) -> Vec<String> {
    let mut groups: Vec<(OldSide, Option<String>, Vec<&str>)> = Vec::new();
    for (name, side) in all(reading) {
        let why = why(reading, name);
        match groups.iter_mut().find(|(other, reason, _)| *other == side && *reason == why) {
            Some((_, _, names)) => names.push(name.as_str()),
            None => groups.push((side, why, vec![name.as_str()])),
        }
    }
    if groups.is_empty() {
        return Vec::new();
    }
    groups.sort_by_key(|(side, _, _)| (!side.needs_a_person(), *side));
    let mut lines = vec![page.paint("OLD SIDES", Tone::Heading)];
    for (side, why, names) in groups.iter().take(MOST_ROWS) {
        let why = why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
        lines.extend(filled(&format!("{}: {}{why}", side.in_words(), some_of(names)), "  ", "      ", page.columns));
    }
    if groups.len() > MOST_ROWS {
        lines.push("  and more: crossfade fleet status --output json".to_owned());
    }
    // Those that someone has to approve are another decision each; for all others it is the same.
    let mut others = groups.iter().filter(|(side, _, _)| !matches!(side, OldSide::ToApprove(_)));
    let first_other = others.find(|(side, _, _)| side.needs_a_person());
    let to_approve = groups.iter().filter(|(side, _, _)| matches!(side, OldSide::ToApprove(_)));
    for (side, _, names) in to_approve.chain(first_other) {
        let way = names.first().and_then(|name| side.way_on(name));
        lines.extend(way.into_iter().flat_map(|way| filled(&way, "  -> ", "     ", page.columns)));
    }
    lines
}
