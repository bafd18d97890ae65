//! Which rule of a listener a request reaches.

use crate::load_balancer::action::forward_of;
use crate::load_balancer::rule::{Condition, Field, Rule};
use crate::load_balancer::wildcard::{matches_in_any_case, matches_wildcards};

/// A request with no headers that a rule would look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked<'a> {
    /// `GET`, `HEAD`, ...
    pub method: &'a str,
    /// The `Host` header without its port.
    pub host: &'a str,
    /// The path, without the query.
    pub path: &'a str,
    /// The query, empty without one.
    pub query: &'a str,
}

impl<'a> Asked<'a> {
    /// A `GET` without a query.
    pub fn get(host: &'a str, path: &'a str) -> Self {
        Self { method: "GET", host, path, query: "" }
    }
}

/// Which rule decides where a request goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Decided<'a> {
    /// This one.
    By(&'a Rule),
    /// This one, or one after it: it looks at something that only the load balancer sees, or by a regular expression.
    Perhaps(&'a Rule),
    /// No rule was read.
    Unknown,
}

impl<'a> Decided<'a> {
    /// The rule, where it is certain.
    pub fn rule(self) -> Option<&'a Rule> {
        match self {
            Self::By(rule) => Some(rule),
            Self::Perhaps(_) | Self::Unknown => None,
        }
    }
}

/// The rule of a listener that decides where a request goes. The rules may come in any order.
pub fn decided<'a>(rules: &'a [Rule], asked: Asked<'_>) -> Decided<'a> {
    let mut in_order: Vec<&Rule> = rules.iter().collect();
    // The default rule has no priority and comes last.
    in_order.sort_by_key(|rule| (rule.priority.is_none(), rule.priority));
    for rule in in_order {
        let matches: Vec<Option<bool>> = rule.conditions.iter().map(|condition| is_met(condition, asked)).collect();
        if matches.contains(&Some(false)) {
            continue;
        }
        return if matches.contains(&None) { Decided::Perhaps(rule) } else { Decided::By(rule) };
    }
    Decided::Unknown
}

/// Whether a condition is met; none where that cannot be said from here.
fn is_met(condition: &Condition, asked: Asked<'_>) -> Option<bool> {
    let any = |matches: &dyn Fn(&str) -> bool| condition.values.iter().any(|value| matches(value));
    match &condition.field {
        _ if condition.regex => None,
        Field::Host => Some(any(&|value| matches_in_any_case(value, asked.host))),
        Field::Path => Some(any(&|value| matches_wildcards(value, asked.path))),
        Field::Method => Some(any(&|value| value == asked.method)),
        Field::Query if asked.query.is_empty() => Some(false),
        Field::Header(name) => {
            // What every client sends.
            let sent = ["accept", "user-agent"].iter().any(|sent| name.eq_ignore_ascii_case(sent));
            if sent { None } else { Some(false) }
        }
        Field::Query | Field::SourceIp | Field::Other(_) => None,
    }
}

/// What a rule does with a request, for people: `users-swarm 90 %, users-1a2b3c4d 10 %`.
pub fn outcome(rule: &Rule) -> Option<String> {
    let forward = forward_of(&rule.actions)?;
    let total = forward.total();
    let described = forward.groups.iter().map(|tuple| {
        let name = tuple.group.as_str().rsplit('/').nth(1).unwrap_or(tuple.group.as_str());
        // In tenths of a percent.
        let share = (u32::from(tuple.weight) * 1_000).checked_div(total).unwrap_or(0);
        match (share / 10, share % 10) {
            (whole, 0) => format!("{name} {whole} %"),
            (whole, tenth) => format!("{name} {whole}.{tenth} %"),
        }
    });
    Some(described.collect::<Vec<_>>().join(", "))
}

/// A rule for people: `rule 10000 (host users.internal.example.com)`.
pub fn named(rule: &Rule) -> String {
    match rule.priority {
        Some(priority) => format!("rule {priority} ({})", rule.requests()),
        None => "the listener's default action".to_owned(),
    }
}
