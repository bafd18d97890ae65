//! Every service on one page: how many stand where, then what needs a person, then what moves, then the rest.

mod json;
mod rows;
#[cfg(test)]
mod tests;

pub use json::{objects, retired};

use crate::exit_code::ExitCode;
use crate::stack::overview::standing::{Group, Only, Standing};
use crate::stack::overview::{Overview, ServiceSeen};
use crate::view::few_words::few_words;
use crate::view::parts::lines::{filled, labelled};
use crate::view::parts::page::{Page, Tone};
use crate::view::parts::table::{Reasons, table};
use clap::ValueEnum;
use crossfade_domain::fleet::head::{FleetHead, RunState};
use crossfade_domain::fleet::outlook::headline;
use rows::{COLUMNS, row, tone, why};
use std::cmp::Reverse;

/// A part of what does not move that has more services than these is named, and not listed.
const FEW: usize = 10;
/// The most lines of a reason below its row.
const LINES_OF_A_REASON: usize = 2;
/// The most things that are named as missing.
const MOST_MISSING: usize = 5;

/// The order of services within their group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Sort {
    /// What is to be decided first, then by name.
    #[default]
    Phase,
    /// By name.
    Name,
    /// The most traffic on the new cluster first.
    Weight,
    /// The longest as it is first.
    Since,
}

/// Which services to show, and in which order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choice {
    /// Those that any of these selects; every service if there is none.
    pub only: Vec<Only>,
    /// Their order.
    pub sort: Sort,
}

impl Choice {
    fn selects(&self, standing: Standing) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only.selects(standing))
    }

    /// Whether it selects the fleets' runs of a group.
    fn selects_runs(&self, group: Group) -> bool {
        let whole = if group == Group::NeedsAPerson { Only::Person } else { Only::Moving };
        self.only.is_empty() || self.only.contains(&whole)
    }

    /// The services that it selects with where each stands, in its order.
    fn of<'a>(&self, overview: &'a Overview) -> Vec<(Standing, &'a ServiceSeen)> {
        let all = overview.services.iter().map(|seen| (Standing::of(seen), seen));
        let mut chosen: Vec<_> = all.filter(|(standing, _)| self.selects(*standing)).collect();
        let weight = |seen: &ServiceSeen| seen.position.as_ref().and_then(|position| position.weight);
        let since = |seen: &ServiceSeen| seen.position.as_ref().map(|position| position.head.at_rest_since());
        match self.sort {
            Sort::Phase => chosen.sort_by_key(|(standing, _)| *standing),
            Sort::Name => {}
            Sort::Weight => chosen.sort_by_key(|(_, seen)| Reverse(weight(seen))),
            Sort::Since => chosen.sort_by_key(|(_, seen)| (since(seen).is_none(), since(seen))),
        }
        chosen.sort_by_key(|(standing, _)| standing.group());
        chosen
    }
}

/// Renders the overview on a page.
pub fn render(overview: &Overview, choice: &Choice, page: Page) -> String {
    let mut lines = filled(&totals(overview), "", "  ", page.columns);
    if overview.code != ExitCode::Done {
        let text = "what could not be read is named below";
        lines.extend(labelled(page, "PARTIAL ANSWER: ", Tone::Alert, text, "  "));
    }
    let above = lines.len();
    let chosen = choice.of(overview);
    for group in Group::ALL {
        let of_group: Vec<_> = chosen.iter().copied().filter(|(standing, _)| standing.group() == group).collect();
        lines.extend(section(overview, choice, group, &of_group, page));
    }
    if lines.len() == above && !overview.services.is_empty() {
        lines.push("no service is as --only asks".to_owned());
    }
    lines.extend(missing(overview, page));
    lines.join("\n")
}

/// `50 services: 1 HALTED · 3 moving · 46 migrated`.
fn totals(overview: &Overview) -> String {
    let mut counts: Vec<(Standing, usize)> = Vec::new();
    for standing in overview.services.iter().map(Standing::of) {
        match counts.iter_mut().find(|(other, _)| *other == standing) {
            Some((_, count)) => *count += 1,
            None => counts.push((standing, 1)),
        }
    }
    counts.sort();
    let counts: Vec<String> =
        counts.iter().map(|(standing, count)| format!("{count} {}", standing.in_words())).collect();
    let services = if overview.services.len() == 1 { "service" } else { "services" };
    format!("{} {services}: {}", overview.services.len(), counts.join(" \u{b7} "))
}

/// What could not be read beside the services that say so themselves.
fn missing(overview: &Overview, page: Page) -> Vec<String> {
    if overview.missing.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![page.paint("MISSING", Tone::Heading)];
    let shown = overview.missing.iter().take(MOST_MISSING);
    lines.extend(shown.flat_map(|what| filled(what, "  ", "      ", page.columns)));
    let more = overview.missing.len().saturating_sub(MOST_MISSING);
    if more > 0 {
        lines.push(format!("  and {more} more"));
    }
    lines
}

/// The runs that belong to a group, each with its command.
fn fleets(overview: &Overview, choice: &Choice, group: Group, page: Page) -> Vec<String> {
    let waits = |head: &FleetHead| matches!(head.state, RunState::Stopped | RunState::Paused | RunState::Draining);
    let group_of = |head: &FleetHead| if waits(head) { Group::NeedsAPerson } else { Group::Moving };
    let of_group = overview.fleets.iter().filter(|(_, head)| group_of(head) == group && choice.selects_runs(group));
    of_group.flat_map(|(fleet, head)| one_fleet(&fleet.name, &headline(&fleet.policy, head), head, page)).collect()
}

fn one_fleet(name: &str, headline: &str, head: &FleetHead, page: Page) -> Vec<String> {
    let reason = || few_words(head.reason.as_deref().unwrap_or("no reason was recorded"), None);
    let ways_on = format!("crossfade fleet resume {name}, or crossfade fleet abort {name}");
    let look = format!("crossfade fleet status {name}");
    let (tone, state, text, way) = match head.state {
        RunState::Stopped => (Tone::Alert, "STOPPED", reason(), ways_on),
        RunState::Paused | RunState::Draining => (Tone::Attention, "paused", reason(), ways_on),
        RunState::Aborting | RunState::Returning => (Tone::Attention, "going back", reason(), look),
        RunState::Running | RunState::Over => {
            let rest = headline.strip_prefix(&format!("{name}: ")).unwrap_or(headline);
            (Tone::Moving, "running", rest.to_owned(), look)
        }
    };
    let mut lines = labelled(page, &format!("  fleet {name}  {state}: "), tone, &text, "     ");
    lines.extend(filled(&way, "  -> ", "     ", page.columns));
    lines
}

fn section(
    overview: &Overview,
    choice: &Choice,
    group: Group,
    services: &[(Standing, &ServiceSeen)],
    page: Page,
) -> Vec<String> {
    let mut fleets = fleets(overview, choice, group, page);
    if services.is_empty() && fleets.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![page.paint(group.title(), Tone::Heading)];
    let is_rest = matches!(group, Group::RolledBack | Group::NotStarted | Group::Migrated);
    if group == Group::NotRead || is_rest && services.len() > FEW && choice.only.is_empty() {
        lines.extend(named(overview, group, services, page));
        return lines;
    }
    let rows: Vec<_> = services.iter().map(|(standing, seen)| row(*standing, seen, overview)).collect();
    let tables = table(page, &COLUMNS, &rows, Reasons::Below(LINES_OF_A_REASON));
    let mut tables = tables.into_iter().zip(services).peekable();
    let (mut alike, mut ways): (Vec<&ServiceSeen>, Vec<Vec<String>>) = Default::default();
    while let Some((row, (standing, seen))) = tables.next() {
        let by_phase = choice.sort == Sort::Phase;
        // What must be decided at once stands above the runs, whatever their number.
        if by_phase && tone(*standing) != Tone::Alert {
            lines.append(&mut fleets);
        }
        lines.extend(row);
        alike.push(seen);
        // In the order by phase, those that need the same command stand together. In any other, the commands come last.
        if !by_phase {
            let way = way(*standing, &[seen, seen], page);
            if !ways.contains(&way) {
                ways.push(way);
            }
        } else if tables.peek().is_none_or(|(_, (next, _))| next != standing) {
            lines.extend(way(*standing, &std::mem::take(&mut alike), page));
        }
    }
    lines.extend(ways.concat());
    lines.extend(fleets);
    lines
}

/// The command that goes on with services that stand alike: with the service's name where there is one, else with
/// SERVICE.
fn way(standing: Standing, services: &[&ServiceSeen], page: Page) -> Vec<String> {
    let name = match services {
        [one] => one.service.as_str(),
        _ => "SERVICE",
    };
    let fleet = services.first().and_then(|seen| seen.fleet.as_deref()).unwrap_or("FLEET");
    let text = match standing {
        Standing::Halted => format!("crossfade resume {name}, or crossfade rollback {name}"),
        Standing::Died => format!("crossfade fleet retry {name} {fleet}, or crossfade fleet skip {name} {fleet}"),
        Standing::NotAllTraffic => format!("which routes: crossfade status {name}"),
        Standing::Alarmed => format!("crossfade rollback {name}, or crossfade fleet retry {name} {fleet}"),
        Standing::OldSideHalted => format!("crossfade retire {name} --status"),
        Standing::ToApprove => format!("crossfade approve {name}, or crossfade abort {name}"),
        Standing::Paused => format!("crossfade continue {name}, or crossfade abort {name}"),
        Standing::RolledBack | Standing::Refused => format!("when it is fixed: crossfade start {name}"),
        _ => return Vec::new(),
    };
    filled(&text, "  -> ", "     ", page.columns)
}

/// The names of many services, those with the same reason together.
fn named(overview: &Overview, group: Group, services: &[(Standing, &ServiceSeen)], page: Page) -> Vec<String> {
    let mut alike: Vec<(Standing, String, Vec<&str>)> = Vec::new();
    for (standing, seen) in services {
        let why = why(*standing, seen, overview);
        match alike.iter_mut().find(|(other, reason, _)| other == standing && *reason == why) {
            Some((_, _, names)) => names.push(seen.service.as_str()),
            None => alike.push((*standing, why, vec![seen.service.as_str()])),
        }
    }
    let mut lines = Vec::new();
    for (standing, why, names) in &alike {
        let names = names.join(", ");
        let text = match (standing.in_words(), why.as_str()) {
            (words, "") if words.eq_ignore_ascii_case(group.title()) => names,
            (words, "") => format!("{words}: {names}"),
            (_, why) if group == Group::NotRead => format!("{names}: {why}"),
            (words, why) => format!("{words}, {why}: {names}"),
        };
        lines.extend(filled(&text, "  ", "      ", page.columns));
    }
    let only = match group {
        Group::RolledBack => "rolled-back",
        Group::NotStarted => "not-started",
        Group::Migrated => "migrated",
        Group::NeedsAPerson | Group::NotRead | Group::Moving => return lines,
    };
    lines.extend(filled(&format!("one line each: crossfade status --only {only}"), "  -> ", "     ", page.columns));
    lines
}
