//! Finds where a service did not end as its scenario expects.

use super::ServiceReport;
use crate::scenario::Expectation;

/// Describes every expectation that was not met, with what was found instead.
pub(crate) fn unmet(service: &ServiceReport) -> Vec<String> {
    let Expectation { outcome, trigger, gate, says, within_seconds, noticed_within_seconds, held_for_seconds } =
        &service.expected;
    let mut unmet = Vec::new();
    if service.outcome != *outcome {
        unmet.push(format!("ended {}, expected {}", service.outcome.name(), outcome.name()));
    }
    let rollback = service.rollback.as_ref();
    if let Some(trigger) = trigger
        && rollback.map(|rollback| rollback.trigger) != Some(*trigger)
    {
        let found = rollback.map_or_else(|| "nobody".to_owned(), |rollback| format!("{:?}", rollback.trigger));
        unmet.push(format!("rolled back by {found}, expected {trigger:?}"));
    }
    if let Some(gate) = gate
        && service.decision.gate.as_ref() != Some(gate)
    {
        let found = service.decision.gate.as_ref().map_or_else(|| "no gate".to_owned(), ToString::to_string);
        unmet.push(format!("decided by {found}, expected {gate}"));
    }
    if let Some(says) = says
        && !service.decision.sentence.contains(says.as_str())
    {
        unmet.push(format!("{says:?} is not in {:?}", service.decision.sentence));
    }
    if let Some(most) = within_seconds {
        at_most(&mut unmet, "back", rollback.map(|rollback| rollback.world_seconds), *most);
    }
    if let Some(most) = noticed_within_seconds {
        at_most(&mut unmet, "noticed", service.noticed_seconds, *most);
    }
    if let Some(least) = held_for_seconds
        && service.held_seconds < *least
    {
        unmet.push(format!("held for {:.0} world seconds, expected at least {least}", service.held_seconds));
    }
    unmet
}

fn at_most(unmet: &mut Vec<String>, what: &str, seconds: Option<f64>, most: f64) {
    match seconds {
        None => unmet.push(format!("not {what}, expected within {most} world seconds")),
        Some(seconds) if seconds > most => {
            unmet.push(format!("{what} after {seconds:.0} world seconds, expected within {most}"));
        }
        Some(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Decision, Requests, RollbackReport};
    use super::*;
    use crate::scenario::Outcome;
    use crossfade_domain::journal::Trigger;
    use crossfade_domain::opinion::Gate;
    use crossfade_domain::weight::Weight;
    use std::collections::BTreeMap;

    fn rolled_back(expected: Expectation) -> ServiceReport {
        ServiceReport {
            service: "search".into(),
            outcome: Outcome::RolledBack,
            final_weight: Weight::ZERO,
            steps: Vec::new(),
            requests: Requests { sent: 0, drawn: 0, served: 0, harmed: 0, spoiled: 0, internal: None },
            decision: Decision { gate: Some(Gate::Judge), sentence: "judge: new cluster fails 10.0 %".into() },
            noticed_seconds: Some(400.0),
            held_seconds: 0.0,
            longest_hold: None,
            unmet: Vec::new(),
            rollback: Some(RollbackReport { trigger: Trigger::CheckAlarms, cause: String::new(), world_seconds: 20.0 }),
            routes: Vec::new(),
            states: Vec::new(),
            expected,
            reason: String::new(),
            findings: Vec::new(),
            journal: Vec::new(),
            by_status: BTreeMap::new(),
            served_by_new: 0,
        }
    }

    #[test]
    fn what_is_met_is_not_told() {
        let all = Expectation {
            outcome: Outcome::RolledBack,
            trigger: Some(Trigger::CheckAlarms),
            gate: Some(Gate::Judge),
            says: Some("fails".into()),
            within_seconds: Some(20.0),
            noticed_within_seconds: Some(400.0),
            held_for_seconds: Some(0.0),
        };
        assert_eq!(unmet(&rolled_back(all)), Vec::<String>::new());
    }

    #[test]
    fn everything_that_is_not_met_is_told_with_what_was_found() {
        let all = Expectation {
            outcome: Outcome::Migrated,
            trigger: Some(Trigger::AlarmEvent),
            gate: Some(Gate::Alarms),
            says: Some("slow".into()),
            within_seconds: Some(10.0),
            noticed_within_seconds: Some(300.0),
            held_for_seconds: Some(60.0),
        };
        let found = unmet(&rolled_back(all));
        assert_eq!(found.len(), 7, "{found:#?}");
        assert_eq!(found[0], "ended rolledBack, expected migrated");
        assert_eq!(found[2], "decided by judge, expected alarms");
        assert_eq!(found[4], "back after 20 world seconds, expected within 10");
        let mut silent = rolled_back(Expectation { within_seconds: Some(1.0), ..Expectation::default() });
        silent.rollback = None;
        assert!(unmet(&silent).contains(&"not back, expected within 1 world seconds".to_owned()));
    }
}
