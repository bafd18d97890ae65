//! The routes before the first change, and as they were read back last.

use super::verdict::verified;
use crate::input::MigrationReport;
use crate::page::table;
use crossfade_domain::journal::{Event, EventKind};
use crossfade_domain::load_balancer::action::{Forward, forward_of};
use crossfade_domain::plan::{Plan, PlannedRoute};
use maud::{Markup, html};

pub(crate) fn drawn(report: &MigrationReport) -> Markup {
    let Some(plan) = &report.plan else {
        return html! { p { "The plan is not stored, so its routes are not known." } };
    };
    let heading = ["Route", "Before", "As read back last", "Changed by others"];
    let rows: Vec<Vec<String>> = plan.routes.iter().map(|route| row(plan, route, &report.events)).collect();
    html! {
        (table("Target groups with their weights", &heading, &rows))
        p class="note" { "A group's share of a route is its weight over the sum of the route's weights." }
    }
}

fn row(plan: &Plan, route: &PlannedRoute, events: &[Event]) -> Vec<String> {
    let owner = route.owner.clone().unwrap_or_else(|| "\u{2013}".to_owned());
    vec![route.named(), before(route), after(plan, route, events), owner]
}

fn before(route: &PlannedRoute) -> String {
    let groups = |forward: &Forward| {
        let each = forward.groups.iter().map(|one| format!("{} {}", one.group.name(), one.weight));
        each.collect::<Vec<_>>().join(", ")
    };
    forward_of(&route.baseline).map_or_else(|| "\u{2013}".to_owned(), groups)
}

fn after(plan: &Plan, route: &PlannedRoute, events: &[Event]) -> String {
    let foreign = events.iter().rev().find_map(|event| match &event.kind {
        EventKind::ForeignEditKept { route: kept, seen, .. } if *kept == route.id => Some(seen),
        _ => None,
    });
    let step = events.iter().rev().find(|event| verified(event).is_some()).and_then(|event| match event.kind {
        EventKind::Shifted { step, .. } => Some(step),
        _ => None,
    });
    let weights = step.and_then(|step| route.steps.get(usize::try_from(step).ok()?));
    match (foreign, weights) {
        (Some(seen), None) => format!("left as someone else made it: {seen}"),
        (_, None) => "as before".to_owned(),
        (_, Some(weights)) => {
            let new = plan.group_of(&route.old).map_or("the new group", |group| group.new_name.as_str());
            let forward = forward_of(&route.baseline);
            let others = forward.iter().flat_map(|forward| &forward.groups).filter(|one| one.group != route.old);
            let others = others
                .map(|one| format!(", {} {}", one.group.name(), u32::from(one.weight) * u32::from(weights.scale)));
            format!("{} {}, {new} {}{}", route.old.name(), weights.old, weights.new, others.collect::<String>())
        }
    }
}
