//! Rules and actions, as an internal route looks at them.

use super::decision::{Listener, on_port};
use crate::load_balancer::action::{Action, forward_of};
use crate::load_balancer::rule::{Condition, Field, Rule};
use std::collections::BTreeSet;

/// The highest priority that AWS takes.
pub(super) const LAST_PRIORITY: u16 = 50_000;

/// The lowest priority from `base` on that no rule has.
pub(super) fn free_priority(listener: &Listener, base: u16) -> Option<u16> {
    let taken: BTreeSet<u16> = listener.rules.iter().filter_map(|(rule, _)| rule.priority).collect();
    (base..=LAST_PRIORITY).find(|priority| !taken.contains(priority))
}

/// Whether these conditions are the ones that an internal route gets.
pub(super) fn same_host(conditions: &[Condition], host: &str) -> bool {
    matches!(conditions, [only] if names_host(conditions, host) && only.values.len() == 1)
}

/// Whether a condition names the host itself, without wildcards.
pub(super) fn names_host(conditions: &[Condition], host: &str) -> bool {
    let is_host = |one: &Condition| one.field == Field::Host && !one.regex;
    conditions
        .iter()
        .filter(|one| is_host(one))
        .flat_map(|one| &one.values)
        .any(|value| value.eq_ignore_ascii_case(host))
}

/// `rule 20 on port 80 (path /api/*)`.
pub(super) fn said(listener: &Listener, rule: &Rule) -> String {
    let number = rule.priority.map_or_else(|| "default".to_owned(), |priority| priority.to_string());
    format!("rule {number} on {} ({})", on_port(listener.port), rule.requests())
}

/// `forwards to users-swarm`.
pub(super) fn forwarded_to(actions: &[Action]) -> String {
    match forward_of(actions) {
        Some(forward) => {
            let names: Vec<&str> = forward.groups.iter().map(|tuple| tuple.group.name()).collect();
            format!("forwards to {}", names.join(" and "))
        }
        None => "forwards to no target group".to_owned(),
    }
}
