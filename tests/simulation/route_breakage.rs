//! Deliberate breakages of internal routes: each stands between the action and the world.

use super::breakage::Breakage;
use super::ports::Caller;

use crossfade_domain::load_balancer::group::Tags;
use crossfade_domain::load_balancer::metric_query::{DataPoints, MetricQuery};
use crossfade_domain::load_balancer::rule::{Condition, Field, Rule};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

const CREATOR: &str = "create-route";
/// The lowest priority of a rule that `create-route` makes.
const FIRST_PRIORITY: u16 = 10_000;
/// The word in the host of every internal route here that is someone else's.
const SOMEONE: &str = "someone";

impl Breakage {
    pub(super) fn of_rules(self, who: &Caller, rules: &mut Vec<Rule>) {
        if who.function != CREATOR {
            return;
        }
        rules.retain(|rule| {
            let Some(priority) = rule.priority else { return true };
            let is_someones = rule.requests().contains(SOMEONE);
            match self {
                Self::TakenPrioritiesLookFree => priority < FIRST_PRIORITY || !is_someones,
                Self::EarlierRulesAreNotSeen => priority >= FIRST_PRIORITY,
                _ => true,
            }
        });
        // A rule with other conditions and without our tags is someone else's.
        for rule in rules.iter_mut().filter(|rule| self == Self::OwnRulesAreNotSeen && rule.priority.is_some()) {
            rule.conditions = vec![Condition::on(Field::Host, ["someone.example"])];
        }
    }

    pub(super) fn of_tags(self, who: &Caller, tags: &mut BTreeMap<String, Tags>) {
        if self == Self::OwnRulesAreNotSeen && who.function == CREATOR {
            tags.retain(|arn, _| !arn.contains("listener-rule"));
        }
    }

    /// Counts of the minutes from `since`: none, from targets that are there.
    pub(super) fn of_counts(self, who: &Caller, queries: &[MetricQuery], since: Timestamp, counts: &mut [DataPoints]) {
        if self != Self::RoutesLookUnused || who.function != CREATOR {
            return;
        }
        for (query, points) in queries.iter().zip(counts) {
            let minutes = (0..15).map(|minute| (since + SignedDuration::from_mins(minute), 1.0));
            *points = if query.statistic == "Sum" { DataPoints::new() } else { minutes.collect() };
        }
    }
}
